"""Makes requirements.lock: every package that hour24 needs, with the hashes of its files.

Rules of this module:

- Versions and hashes come from pip's installation report, on the index that pip is configured for.
- hour24's own requirements have the tested versions.
- pip cannot hash a git address, so a git commit of hour24 is only in requirements.txt.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hour24.errors import Hour24Error
from hour24.shipped import TOP
from hour24.starter.origin import Origin, named

PIP_S = 600.0
"""Time for pip to resolve and download on a slow connection."""
RUNNER = (
    "--python-version=3.12",
    "--implementation=cp",
    "--platform=any",
    *(f"--platform=manylinux_2_{minor}_x86_64" for minor in range(39, 4, -1)),
    "--platform=manylinux2014_x86_64",
)
"""The Python of GitHub's ubuntu-24.04, on which the workflow runs."""


class NoLock(Hour24Error):
    """pip could not resolve hour24's requirements."""


def requirements_pins() -> list[str]:
    """Return ``name==version`` of every requirement, as tested."""
    lines = (TOP / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line.partition("#")[0].strip() for line in lines if "==" in line]


def lock(origin: Origin) -> str:
    """Return the text of the lock file. Raises: NoLock, in one line."""
    with tempfile.TemporaryDirectory(prefix="hour24-lock-") as folder:
        constraints = Path(folder) / "tested.txt"
        constraints.write_text("\n".join(requirements_pins()) + "\n", encoding="utf-8")
        ours = ["--ignore-installed", "--constraint", str(constraints), origin.requirement]
        found = _report(ours)
        hashes = {_pin(each): {_sha256(each)} for each in found if _name(each) != "hour24"}
        where = f"CPython {platform.python_version_tuple()[0]}.{sys.version_info[1]} on "
        where += f"{platform.system()} {platform.machine()}"
        try:
            runner = [f"--target={folder}/none", "--no-deps", "--only-binary=:all:", *RUNNER]
            for each in _report([*runner, *hashes]):
                hashes.setdefault(_pin(each), set()).add(_sha256(each))
            where += ", and for GitHub's ubuntu-24.04"
        except NoLock:
            pass  # a package without a wheel for it: the header does not promise it
    lines = [
        "# Every package that hour24 needs, with the hashes of its files.",
        f"# Made by pip for {where}; made again by: hour24 init --lock",
    ]
    if origin.sha256:
        lines.append(f"{named()} @ {origin.address} \\\n    --hash=sha256:{origin.sha256}")
    for pin in sorted(hashes, key=str.lower):
        listed = " \\\n    ".join(f"--hash=sha256:{one}" for one in sorted(hashes[pin]))
        lines.append(f"{pin} \\\n    {listed}")
    return "\n".join(lines) + "\n"


def _report(arguments: list[str]) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-input", "--quiet"]
    command += ["--disable-pip-version-check", "--report=-", *arguments]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=PIP_S, check=False)
    except subprocess.TimeoutExpired:
        raise NoLock(f"pip: no answer within {PIP_S:.0f} s") from None
    if ran.returncode != 0:
        errors = [
            line for line in ran.stderr.splitlines() if "ERROR" in line or "No module" in line
        ]
        raise NoLock(f"pip: {(errors or ['it failed'])[-1].removeprefix('ERROR: ')[:200]}")
    try:
        found: list[dict[str, Any]] = json.loads(ran.stdout)["install"]
    except (ValueError, KeyError, TypeError):
        raise NoLock("pip: expected its report, got something else; pip 22.2 or newer") from None
    return found


def _name(each: dict[str, Any]) -> str:
    return str(each["metadata"]["name"]).lower()


def _pin(each: dict[str, Any]) -> str:
    return f"{_name(each)}=={each['metadata']['version']}"


def _sha256(each: dict[str, Any]) -> str:
    try:
        return str(each["download_info"]["archive_info"]["hashes"]["sha256"])
    except (KeyError, TypeError):
        raise NoLock(f"pip: expected a SHA-256 of {_pin(each)}, got none") from None
