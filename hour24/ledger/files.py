"""The files next to the ledger that people read, and their digests in its chain.

Rules of this module:

- ``files.N.json`` names files of the folder by SHA-256 and size: pages, JUnit, pytest-html,
  journals, probes, the signature of the sign-off. Whoever writes such a file enters it. The newest
  entry about a file counts.
- The prober appends to its files, so an entry names the beginning of such a file.
- A file is entered by the process that wrote it, and no other: what another one changed keeps its
  old digest, and ``verify`` finds it.
- A watch without any such entry was recorded by an older hour24, and nothing in it is covered.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from hour24.ledger import chain
from hour24.ledger.book import Ledger
from hour24.ledger.chain import Entry
from hour24.ledger.sharing import FILE as STORE
from hour24.quarantine import SUFFIX
from hour24.shipped import COMMAND

WRITTEN = re.compile(r"(?P<stem>hour\d{2,3}\.a[1-9]\d*)(?:\.pytest)?\.(?:html|xml)")
"""Name of a file that hour24 writes for each attempt."""
OF_A_WATCH = ("index.html", "signoff.html")
MUST = (".html", ".xml")
"""Endings of the files that every record has."""
UNSTATED = re.compile(r"\..*|[a-z0-9.]+\.lock|store\.json")
"""Names of files that state nothing: locks, and what the next run may forget."""
CHUNK_BYTES = 1 << 20
MOST_NAMED = 8

Because = Literal["checkpoint", "report", "signoff", "entry", "finalise", "redacted"]


class Digest(Struct, frozen=True, kw_only=True):
    """A file as an entry names it.

    Args:
        by: file of the entry.
    """

    sha256: str
    bytes: int
    by: str = ""


def enter(ledger: Ledger, paths: Iterable[Path], now: datetime, because: Because) -> Path | None:
    """Enter the files that this process has just written, and those that a prober appended to.

    Args:
        paths: only those in the ledger's folder count; one that did not change is left out.
    Returns: the entry; None when there is nothing to enter.
    Raises: LedgerError, when it cannot be written.
    """
    names = sorted({name for path in paths if (name := _name_of(ledger.folder, path))})
    if not _changed(ledger, names):
        return None

    def fields() -> dict[str, Any]:  # read under the lock: another process may write a page too
        return {"at": now, "because": because, "files": _changed(ledger, names)}

    return ledger.append(chain.FILES, fields)


def probes(folder: Path) -> list[Path]:
    """Return the files of the probers of a watch."""
    return sorted((folder / "probe").rglob("*.jsonl"))


def is_as_entered(ledger: Ledger, path: Path) -> bool:
    """True if a file is unchanged since it was entered, or never was entered."""
    name = _name_of(ledger.folder, path)
    known = entered(ledger.entries()).get(name)
    return known is None or not _difference(ledger.folder, name, known)


def entered(entries: Sequence[Entry]) -> dict[str, Digest]:
    """Return the newest digest of each file."""
    return {
        name: Digest(sha256=one["sha256"], bytes=one["bytes"], by=entry.file)
        for entry in entries
        if entry.kind == chain.FILES and not entry.problem
        for name, one in entry.content["files"].items()
    }


def problems(folder: Path, entries: Sequence[Entry]) -> Iterator[str]:
    """Yield files that are not as they were entered, and pages that no entry names."""
    known = entered(entries)
    for name, one in sorted(known.items()):
        if not _is_elsewhere(folder, name) and (wrong := _difference(folder, name, one)):
            yield wrong
    covered = _covered(entries)
    for name in sorted(covered - known.keys()):
        yield (
            f"{name}: expected an entry that names it, got none: the run was killed before it, or "
            f"others wrote it ({COMMAND} finalise)"
        )
    for name in sorted(_pages(folder) - covered - known.keys() - _before(folder, entries)):
        yield f"{name}: expected an entry that names it, got none: others wrote it"


def coverage(folder: Path, entries: Sequence[Entry]) -> str:
    """Return what is covered by digests and what is not, in one sentence."""
    known = entered(entries)
    if not known:
        return "pages and other files next to the ledger are not covered: no entry names them"
    here = [name for name in known if not _is_elsewhere(folder, name)]
    others = sorted(_others(folder) - known.keys())
    listed = ", ".join(others[:MOST_NAMED])
    more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
    appended = [
        name
        for name, one in known.items()
        if _grows(name) and name in here and (folder / name).stat().st_size > one.bytes
    ]
    says = f"{len(here)} files next to the ledger are as they were entered"
    if len(here) < len(known):
        says += f"; {len(known) - len(here)} are of the machines that share this ledger"
    if appended:
        says += f"; not covered: what was appended since to {', '.join(sorted(appended))}"
    return f"{says}; not covered: {listed}{more}" if others else says


def _name_of(folder: Path, path: Path) -> str:
    """Return the name of a file as entries have it; empty for one of another folder."""
    try:
        return path.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return ""


def _changed(ledger: Ledger, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the digests of the files that are no longer as they were entered."""
    known = entered(ledger.entries())
    found = {}
    for name in names:
        before = known.get(name)
        digest = _digest(ledger.folder / name, before if _grows(name) else None)
        if digest is not None and (
            before is None or (before.sha256, before.bytes) != (digest.sha256, digest.bytes)
        ):
            found[name] = {"sha256": digest.sha256, "bytes": digest.bytes}
    return found


def _digest(path: Path, begins: Digest | None = None) -> Digest | None:
    """Return the digest of a whole file.

    Args:
        begins: what its beginning must be.
    Returns: None when it cannot be read, or begins otherwise.
    """
    made, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            if begins is not None:
                size = _read(file, made, begins.bytes)
                if (made.hexdigest(), size) != (begins.sha256, begins.bytes):
                    return None
            size += _read(file, made)
    except OSError:
        return None
    return Digest(sha256=made.hexdigest(), bytes=size)


def _read(file: Any, into: Any, most: int = -1) -> int:
    """Update a digest with the next bytes of a file. Returns: how many they were."""
    size = 0
    while most < 0 or size < most:
        data = file.read(CHUNK_BYTES if most < 0 else min(CHUNK_BYTES, most - size))
        if not data:
            break
        into.update(data)
        size += len(data)
    return size


def _difference(folder: Path, name: str, expected: Digest) -> str:
    """Return how a file differs from its digest; empty when it does not."""
    path = folder / name
    if not path.is_file():
        away = path.with_name(path.name + SUFFIX).exists()
        got = "it put away, as it contained a secret" if away else "no such file: it was removed"
        return f"{name}: expected the file that {expected.by} names, got {got}"
    made = hashlib.sha256()
    try:
        with path.open("rb") as file:
            size = _read(file, made, expected.bytes if _grows(name) else -1)
    except OSError as problem:
        return f"{name}: expected to read it, got {problem.strerror}"
    if (made.hexdigest(), size) == (expected.sha256, expected.bytes):
        return ""
    again = f"; {COMMAND} report makes it again" if _is_made_again(name) else ""
    return (
        f"{name}: expected the bytes that {expected.by} names ({expected.sha256[:16]}), got "
        f"{made.hexdigest()[:16]}: it was changed by others{again}"
    )


def _is_elsewhere(folder: Path, name: str) -> bool:
    """True if another machine that shares the ledger has this file, or one of its own."""
    if not (folder / STORE).exists():
        return False
    return name in OF_A_WATCH or not (folder / name).exists()


def _is_made_again(name: str) -> bool:
    return name in OF_A_WATCH or (WRITTEN.fullmatch(name) is not None and ".pytest." not in name)


def _grows(name: str) -> bool:
    return name.startswith("probe/")


def _covered(entries: Sequence[Entry]) -> set[str]:
    """Return the files that an entry must name: those of the records since the first entry."""
    first = next((n for n, entry in enumerate(entries) if entry.kind == chain.FILES), len(entries))
    return {
        f"{entry.file.removesuffix('.json')}{ending}"
        for entry in entries[first:]
        if entry.kind == "checkpoint"
        for ending in MUST
    }


def _pages(folder: Path) -> set[str]:
    """Return the files in a folder that look like hour24's own."""
    names = (path.name for path in folder.iterdir())
    return {name for name in names if name in OF_A_WATCH or WRITTEN.fullmatch(name)}


def _before(folder: Path, entries: Sequence[Entry]) -> set[str]:
    """Return the pages of the time before the first entry; all of them when there is none."""
    first = next((n for n, entry in enumerate(entries) if entry.kind == chain.FILES), None)
    if first is None:
        return _pages(folder)
    stems = {entry.file.removesuffix(".json") for entry in entries[:first]}
    return {
        name
        for name in _pages(folder)
        if (found := WRITTEN.fullmatch(name)) is not None and found["stem"] in stems
    }


def _others(folder: Path) -> set[str]:
    """Return the files of a watch that are no entries and state something."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
        and not any(UNSTATED.fullmatch(part) for part in path.relative_to(folder).parts)
        and not (path.parent == folder and chain.kind_of(path.name))
    }
