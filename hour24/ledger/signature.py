"""Signatures with people's own SSH keys.

Rules of this module:

- ``ssh-keygen -Y`` signs and verifies; no key is read here. Everything works offline.
- A signature speaks of the exact bytes, in the namespace ``hour24``: one made for another purpose
  with the same key does not fit.
- Who may sign stands in an allowed-signers file (``ssh-keygen(1)``, ALLOWED SIGNERS).
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from hour24.errors import Hour24Error

NAMESPACE = "hour24"
PATIENCE_S = 120.0


class SignatureError(Hour24Error):
    """A signature cannot be made, or does not hold."""


def fingerprint(key: Path) -> str:
    """Fingerprint of a key: ``SHA256:...``.

    Raises: SignatureError, when it cannot be read.
    """
    told = _ran(["-l", "-f", str(key)], b"", f"{key}: expected an SSH key").decode()
    found = re.search(r"SHA256:\S+", told)
    if found is None:
        raise SignatureError(f"{key}: expected an SSH key, got {told.strip()[:80]}")
    return found[0]


def sign(data: bytes, key: Path) -> bytes:
    """The signature of ``data`` by a private key, or by the agent's when it is a public one.

    Raises: SignatureError, when it cannot be made.
    """
    arguments = ["-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE]
    return _ran(arguments, data, f"{key}: expected to sign with it")


def verify(data: bytes, signature: bytes, signers: Path | None = None) -> tuple[str, str]:
    """Who signed ``data``: name and fingerprint.

    Args:
        signers: allowed-signers file; none: only that the signature fits the bytes is checked,
            and the name is empty.
    Raises: SignatureError, when the signature does not hold.
    """
    with tempfile.TemporaryDirectory(prefix="hour24-") as folder:
        beside = Path(folder) / "signature"
        beside.write_bytes(signature)
        about = ["-n", NAMESPACE, "-s", str(beside)]
        if signers is None:
            told = _ran(["-Y", "check-novalidate", *about], data, "expected a signature that fits")
            return "", _key_in(told)
        if not signers.is_file():
            raise SignatureError(f"{signers}: expected an allowed-signers file, got none")
        listed = ["-s", str(beside), "-f", str(signers)]
        names = _ran(
            ["-Y", "find-principals", *listed], b"", f"{signers}: expected the signer in it"
        )
        name = names.decode().strip().splitlines()[0]
        told = _ran(
            ["-Y", "verify", "-f", str(signers), "-I", name, *about],
            data,
            "expected a signature that fits",
        )
        return name, _key_in(told)


def _key_in(told: bytes) -> str:
    found = re.search(rb"SHA256:\S+", told)
    return found[0].decode() if found is not None else ""


def _ran(arguments: list[str], data: bytes, wanted: str) -> bytes:
    try:
        answer = subprocess.run(
            ["ssh-keygen", *arguments],
            input=data,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except FileNotFoundError:
        raise SignatureError("ssh-keygen: expected it to be installed, got none") from None
    except subprocess.TimeoutExpired:
        raise SignatureError(f"{wanted}, got no answer within {PATIENCE_S:.0f} s") from None
    if answer.returncode != 0:
        told = (answer.stderr or answer.stdout).decode(errors="replace").strip()
        last = told.splitlines()[-1] if told else f"exit code {answer.returncode}"
        raise SignatureError(f"{wanted}, got: {last[:160]}")
    return answer.stdout
