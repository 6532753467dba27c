"""The entries of a ledger as files, and the chain that they form.

Rules of this module:

- Each entry but the first names the one before it, and the SHA-256 of its exact bytes.
- Reading loses nothing: an entry that cannot be read, or that the chain does not reach, is there
  all the same, with what is wrong with it. :func:`breaks` says what does not hold.
- A file's content must be what its name says.
- An entry in which a secret was found is replaced by a redacted one, and ``redacted.N.json`` leads
  from the SHA-256 before to the one after. One that was put away instead still takes its number.
- Files are written under a temporary name, synced, and linked: a name never has half an entry,
  and never a second one.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from hour24.disk import sync_folder
from hour24.errors import LedgerError
from hour24.ledger import canonical, record
from hour24.ledger.record import Record
from hour24.quarantine import SUFFIX

FIRST = "watch.json"
SIGNOFF = "signoff.json"
FILES = "files"
"""Kind of the entries about other files: :mod:`hour24.ledger.files`."""
NUMBERED = ("waive", "classify", "moved", "deploy", "rollback", "alert", "redacted", FILES)
NAME = re.compile(
    r"watch\.json|signoff\.json"
    r"|hour(?P<hour>\d{2,3})\.a(?P<attempt>[1-9]\d*)\.json"
    rf"|(?P<kind>{'|'.join(NUMBERED)})\.(?P<number>[1-9]\d*)\.json"
)
BACKWARDS_S = 600.0
"""By which the clocks of machines that write one ledger may differ."""


class Entry(Struct, frozen=True, kw_only=True):
    """One file of the ledger.

    Args:
        kind: watch, checkpoint, waive, classify, moved, deploy, rollback, alert, redacted, files
            or signoff, as its name says.
        sha256: of its exact bytes.
        content: the JSON object in it; empty when it cannot be read.
        problem: why it cannot be read; empty when it can.
        canonical: whether its bytes are canonical.
    """

    file: str
    kind: str
    sha256: str
    content: dict[str, Any] = {}
    problem: str = ""
    canonical: bool = True

    @property
    def previous(self) -> tuple[str, str]:
        """File and SHA-256 of the entry before it; empty texts when it names none."""
        link = self.content.get("previous")
        if not isinstance(link, dict):
            return "", ""
        return str(link.get("file", "")), str(link.get("sha256", ""))


def stated_time(entry: Entry) -> datetime | None:
    """Return when an entry says it was written.

    None when it does not say, cannot be read, or was rebuilt from its journal, which is later; and
    for one about files, which may be entered by a clock of another machine.
    """
    if entry.kind == FILES:
        return None
    time = entry.content.get("ended") or entry.content.get("at") or entry.content.get("opened")
    if entry.problem or time is None or entry.content.get("interrupted"):
        return None
    return datetime.fromisoformat(time)


def kind_of(file: str) -> str:
    """Return the kind of entry that a file of this name has; empty when it is no entry."""
    found = NAME.fullmatch(file)
    if found is None:
        return ""
    if found["hour"] is not None:
        return "checkpoint"
    return found["kind"] or file.removesuffix(".json")


def hour_of(file: str) -> tuple[int, int]:
    """Return hour and attempt from a record's name.

    Raises: ValueError, when it is no record's name.
    """
    found = NAME.fullmatch(file)
    if found is None or found["hour"] is None:
        raise ValueError(f"{file}: expected a record's name such as hour08.a1.json")
    return int(found["hour"]), int(found["attempt"])


def read(path: Path) -> tuple[Entry, Record | None]:
    """Return an entry, and its record if it is one; an unreadable entry has a ``problem``."""
    kind = kind_of(path.name)
    try:
        data = path.read_bytes()
    except OSError as problem:
        why = f"{path.name}: expected to read it, got {problem.strerror}"
        return Entry(file=path.name, kind=kind, sha256="", problem=why), None
    digest = hashlib.sha256(data).hexdigest()
    try:
        content = canonical.from_bytes(data, path.name)
        kept = _checked_record(content, kind, path.name)
        return (
            Entry(
                file=path.name,
                kind=kind,
                sha256=digest,
                content=content,
                canonical=canonical.to_bytes(content, path.name) == data,
            ),
            kept,
        )
    except LedgerError as problem:
        return Entry(file=path.name, kind=kind, sha256=digest, problem=str(problem)), None


def _checked_record(content: dict[str, Any], kind: str, file: str) -> Record | None:
    """Check the content, and return its record if it is one. Raises: LedgerError."""
    if kind != "checkpoint":
        check_entry(content, kind, file)
        return None
    kept = record.from_content(content, file)
    stated = record.name_of(kept.hour, kept.attempt)
    if stated != file:
        raise LedgerError(f"{file}: expected the attempt that its name says, got {stated}")
    return kept


def check_entry(content: dict[str, Any], kind: str, file: str) -> None:
    """Refuse an entry, other than a record, that fails its schema. Raises: LedgerError."""
    if kind == "signoff":
        canonical.check(content, "signoff", "", file)
    else:
        canonical.check(content, "entry", kind, file)


def put_away(folder: Path, known: Mapping[str, Entry]) -> dict[str, Entry]:
    """Entries that are not there, as a secret was found in them: each says so in ``problem``.

    Args:
        known: the entries that are there.
    """
    found: dict[str, Entry] = {}
    for path in sorted((*folder.glob(f"*{SUFFIX}"), *(folder / "journal").glob(f"*{SUFFIX}"))):
        file = _entry_of(path.name.removesuffix(SUFFIX))
        if file and file not in known:
            try:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError:
                digest = ""
            found[file] = _away(file, digest if path.parent == folder else "", path.name)
    for entry in known.values():
        if entry.kind == "redacted" and not entry.problem and not entry.content["after"]:
            file = _entry_of(Path(entry.content["file"]).name)
            if file and file not in known:
                own = entry.content["file"] == file
                found[file] = _away(file, entry.content["before"] if own else "", entry.file)
    return found


def _entry_of(file: str) -> str:
    """The entry that a file is, or is the journal of; empty when it is neither."""
    name = file.removesuffix(".jsonl") + ".json" if file.endswith(".jsonl") else file
    return name if kind_of(name) else ""


def _away(file: str, digest: str, by: str) -> Entry:
    why = f"{file}: expected to read it, got it put away, as it contained a secret ({by})"
    return Entry(file=file, kind=kind_of(file), sha256=digest, problem=why)


def former(entries: Sequence[Entry]) -> dict[str, frozenset[str]]:
    """File -> the digests it had before it was redacted, as far as they lead to today's."""
    known = {entry.file: entry.sha256 for entry in entries}
    found: dict[str, frozenset[str]] = {}
    for entry in reversed(_redactions(entries)):
        file, before, after = (entry.content[name] for name in ("file", "before", "after"))
        if after and after in {known.get(file), *found.get(file, ())}:
            found[file] = found.get(file, frozenset()) | {before}
    return found


def _redactions(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.kind == "redacted" and not entry.problem]


def _unredacted(entries: Sequence[Entry]) -> Iterator[str]:
    """Files that are not what the newest entry about them says that redaction left."""
    known = {entry.file: entry for entry in entries}
    newest = {entry.content["file"]: entry for entry in _redactions(entries)}
    for file, entry in newest.items():
        after, now = entry.content["after"], known.get(file)
        if after and (now is None or now.sha256 != after):
            got = now.sha256[:16] if now is not None else "no such file"
            yield f"{file}: expected the bytes that {entry.file} names ({after[:16]}), got {got}"
        elif after and now is not None and "[redacted" not in str(now.content):
            yield f"{file}: expected what {entry.file} says was redacted, got no such mark in it"


def ordered(entries: Mapping[str, Entry]) -> tuple[Entry, ...]:
    """Return all entries, each after the one it names; loose ones follow at the end."""
    after: dict[str, list[str]] = {}
    for file in sorted(entries, key=_sort_key):
        after.setdefault(entries[file].previous[0], []).append(file)
    loose = [f for f in sorted(entries, key=_sort_key) if entries[f].previous[0] not in entries]
    starts = sorted(loose, key=lambda file: file != FIRST)
    found: dict[str, Entry] = {}
    for start in (*starts, *sorted(entries, key=_sort_key)):
        waiting = [start]
        while waiting:
            file = waiting.pop()
            if file not in found:
                found[file] = entries[file]
                waiting += reversed(after.get(file, []))
    return tuple(found.values())


def _sort_key(file: str) -> tuple[bool, list[tuple[int, str]]]:
    """Return a key that sorts file names naturally: a2 before a10, the sign-off last."""
    parts = re.split(r"(\d+)", file)
    return file == SIGNOFF, [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def breaks(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield each break of the chain from the first entry to the last."""
    known = {entry.file: entry for entry in entries}
    if FIRST not in known:
        yield f"{FIRST}: expected it as the first entry, got none"
    named: dict[str, list[str]] = {}
    redacted = former(entries)
    yield from _unredacted(entries)
    for entry in entries:
        file, digest = entry.previous
        if entry.file == FIRST:
            continue
        if not file:
            yield f"{entry.file}: previous: expected the entry before it, got {_none(entry)}"
            continue
        named.setdefault(file, []).append(entry.file)
        before = known.get(file)
        if before is None:
            yield f"{entry.file}: previous: expected {file}, got no such file: it was removed"
        elif digest not in (before.sha256, *redacted.get(file, ())):
            yield (
                f"{file}: expected the bytes that {entry.file} names ({digest[:16]}), "
                f"got {before.sha256[:16]}: it was changed"
            )
    for file, files in named.items():
        if len(files) > 1:
            yield f"{file}: expected one entry after it, got {' and '.join(files)}: a fork"
    reached = _reached(known)
    for entry in entries:
        if entry.file not in reached and entry.previous[0] in known:
            yield f"{entry.file}: expected to lead back to {FIRST}, got a loop or a loose end"


def _none(entry: Entry) -> str:
    return "an entry that cannot be read" if entry.problem else "none"


def _reached(known: Mapping[str, Entry]) -> set[str]:
    reached = {FIRST} if FIRST in known else set()
    while True:
        more = {f for f, e in known.items() if e.previous[0] in reached} - reached
        if not more:
            return reached
        reached |= more


def put(path: Path, data: bytes) -> None:
    """Write a new file atomically: complete or not at all.

    Raises: LedgerError, when it exists or cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fsync(handle)
            finally:
                os.close(handle)
            os.link(temporary, path)  # unlike a rename, this never replaces
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)
    except FileExistsError:
        raise LedgerError(f"{path}: expected no such file, got one: it is written once") from None
    except OSError as problem:
        raise LedgerError(f"{path}: expected to write it, got {problem.strerror}") from None
