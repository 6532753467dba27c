"""Signatures with SSH keys of people.

Rules of this module:

- ``ssh-keygen -Y`` signs and verifies; no key is read here. Everything works offline.
- A signature is for the exact bytes in the namespace ``hour24``: one that the same key made for
  another purpose is refused.
- Allowed signers are listed in an allowed-signers file (``ssh-keygen(1)``, ALLOWED SIGNERS).
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from hour24.errors import Hour24Error

NAMESPACE = "hour24"
TIMEOUT_S = 120.0
"""Time to type a passphrase or touch a hardware key."""


class SignatureError(Hour24Error):
    """A signature cannot be made, or is not valid."""


def fingerprint(key: Path) -> str:
    """Return the fingerprint of a key: ``SHA256:...``.

    Raises: SignatureError, when it cannot be read.
    """
    output = _run_keygen(["-l", "-f", str(key)], b"", f"{key}: expected an SSH key").decode()
    found = re.search(r"SHA256:\S+", output)
    if found is None:
        raise SignatureError(f"{key}: expected an SSH key, got {output.strip()[:80]}")
    return found[0]


def sign(data: bytes, key: Path) -> bytes:
    """Sign ``data`` with a private key, or through the agent when it is a public key.

    Raises: SignatureError, when it cannot be made.
    """
    arguments = ["-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE]
    return _run_keygen(arguments, data, f"{key}: expected to sign with it")


def verify(data: bytes, signature: bytes, signers: Path | None = None) -> tuple[str, str]:
    """Return name and fingerprint of who signed ``data``.

    Args:
        signers: allowed-signers file; none: only whether the signature matches the bytes is
            checked, and the name is empty.
    Raises: SignatureError, when the signature is not valid.
    """
    with tempfile.TemporaryDirectory(prefix="hour24-") as folder:
        path = Path(folder) / "signature"
        path.write_bytes(signature)
        about = ["-n", NAMESPACE, "-s", str(path)]
        if signers is None:
            output = _run_keygen(
                ["-Y", "check-novalidate", *about], data, "expected a signature that matches"
            )
            return "", _key_in(output)
        if not signers.is_file():
            raise SignatureError(f"{signers}: expected an allowed-signers file, got none")
        listed = ["-s", str(path), "-f", str(signers)]
        names = _run_keygen(
            ["-Y", "find-principals", *listed], b"", f"{signers}: expected the signer in it"
        )
        name = names.decode().strip().splitlines()[0]
        output = _run_keygen(
            ["-Y", "verify", "-f", str(signers), "-I", name, *about],
            data,
            "expected a signature that matches",
        )
        return name, _key_in(output)


def _key_in(output: bytes) -> str:
    found = re.search(rb"SHA256:\S+", output)
    return found[0].decode() if found is not None else ""


def _run_keygen(arguments: list[str], data: bytes, wanted: str) -> bytes:
    try:
        answer = subprocess.run(
            ["ssh-keygen", *arguments],
            input=data,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise SignatureError("ssh-keygen: expected it to be installed, got none") from None
    except subprocess.TimeoutExpired:
        raise SignatureError(f"{wanted}, got no answer within {TIMEOUT_S:.0f} s") from None
    if answer.returncode != 0:
        error = (answer.stderr or answer.stdout).decode(errors="replace").strip()
        last = error.splitlines()[-1] if error else f"exit code {answer.returncode}"
        raise SignatureError(f"{wanted}, got: {last[:160]}")
    return answer.stdout
