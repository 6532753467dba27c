"""The files of one log: the one that is written now, and the rotated ones next to it.

Rules of this module:

- Rotated files are recognised by their names: a number, a date or a time next to the log's name,
  and what compressed them. Nothing else in the folder is read.
- Every file is opened before anything is read, and the folder is listed again afterwards: a
  rotation meanwhile begins anew. A copy that is being made (copytruncate) is read once.
- Only regular files are opened; a pipe or a device would block.
- A rotated file that cannot be read is named; a missing number or day is a gap.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import stat
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple

from hour24.errors import SourceLacks, SourceMisread, SourceRefused
from hour24.linear import shipped

PACKED: dict[str, Callable[[IO[bytes]], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
UNREADABLE = (".zst", ".lz4", ".zip", ".7z")
TRIES = 5
HEAD = 4096
"""Bytes that tell whether one file is a copy of another."""
MOST_PIECES = 400
_DATE = shipped(r"(\d{4})[-_.]?(\d\d)[-_.]?(\d\d)(?!\d{5})", longest=300)
_ROTATED = r"(\d{1,3}|\d{4}[-_.]?\d\d[-_.]?\d\d(?:[-_.T]?\d[\d.:_-]{0,20})?|\d{10})"
_SUFFIX = rf"(\.(?:{'|'.join(each[1:] for each in (*PACKED, *UNREADABLE))}))?"


class Piece(NamedTuple):
    """One file of the log.

    Args:
        mark: what its rotation put into its name: ``1``, ``20261201``; empty for the log itself.
        packed: how it is compressed: ``.gz``; empty for a plain file.
        file: open, at its start; of a compressed one, what it holds.
        size: bytes on the disk when it was opened.
        written: when it was last written, epoch seconds.
        raw: the file itself, where ``file`` decompresses it.
        head: its first bytes, as they were when it was opened.
    """

    name: str
    mark: str
    packed: str
    file: IO[bytes]
    size: int
    written: float
    raw: IO[bytes]
    head: bytes = b""

    def close(self) -> None:
        """Close it; what decompresses a file leaves the file itself open."""
        self.file.close()
        self.raw.close()

    def is_changed(self) -> bool:
        """Whether a plain file was cut or overwritten since it was opened."""
        if self.packed:
            return False
        handle = self.file.fileno()
        if os.fstat(handle).st_size < self.size:
            return True
        return os.pread(handle, len(self.head), 0) != self.head


class Pieces(NamedTuple):
    """The files of a log, and those that cannot be read, with the reason."""

    found: tuple[Piece, ...]
    unread: tuple[str, ...]

    @property
    def are_changed(self) -> bool:
        """Whether one of them was cut or overwritten since it was opened."""
        return any(piece.is_changed() for piece in self.found)

    def close(self) -> None:
        """Close every file."""
        for piece in self.found:
            piece.close()


def opened(path: Path, where: str) -> Pieces:
    """Return the log's files, all open, without one that is a copy of another.

    Raises: SourceLacks, without any; SourceRefused, where one may not be read.
    """
    for _ in range(TRIES):
        names = _named(path, where)
        pieces = _open_all(path, names, where)
        if pieces is not None and _named(path, where) == names:
            return pieces
        if pieces is not None:
            pieces.close()
    raise SourceMisread(
        f"{where}: expected a log that stays unchanged for a while, got {TRIES} rotations"
    )


def _named(path: Path, where: str) -> dict[str, tuple[str, str, int]]:
    """Return name -> mark, compression and inode of each file of the log."""
    stem, suffix = re.escape(path.stem), re.escape(path.suffix)
    own = re.escape(path.name)
    form = re.compile(
        rf"(?:{own}|{own}[._-]{_ROTATED}|{stem}[._-]{{1,2}}{_ROTATED}{suffix}){_SUFFIX}"
    )
    try:
        entries = sorted(os.scandir(path.parent), key=lambda each: each.name)
    except FileNotFoundError:
        raise SourceLacks(f"{where}: expected the folder {path.parent}, got none") from None
    except OSError as problem:
        raise SourceRefused(f"{where}: {path.parent}: {problem.strerror}") from None
    found = {}
    for entry in entries:
        match = form.fullmatch(entry.name) if len(entry.name) <= 300 else None
        if match is not None:
            mark = match[1] or match[2] or ""
            found[entry.name] = (mark, match[3] or "", entry.inode())
    if not found:
        raise SourceLacks(f"{where}: expected the log {path}, got no such file, nor a rotated one")
    if len(found) > MOST_PIECES:
        raise SourceMisread(
            f"{where}: expected at most {MOST_PIECES} files of {path}, got {len(found)}"
        )
    return found


def _open_all(path: Path, names: dict[str, tuple[str, str, int]], where: str) -> Pieces | None:
    """Return the files, open; none where one went away meanwhile."""
    found: list[Piece] = []
    missing: list[str] = []
    for name, (mark, packed, _) in names.items():
        if packed in UNREADABLE:
            missing.append(f"{name} is compressed in a form that is not read ({packed})")
            continue
        try:
            file, size, written = _open(path.parent / name, where)
        except FileNotFoundError:
            Pieces(tuple(found), ()).close()
            return None
        except PermissionError:
            Pieces(tuple(found), ()).close()
            raise SourceRefused(
                f"{where}: {path.parent / name}: expected the right to read it, got none"
            ) from None
        found.append(Piece(name, mark, packed, _unpacked(file, packed), size, written, file))
    return Pieces(tuple(_without_copies(found, missing)), tuple(missing))


def _open(path: Path, where: str) -> tuple[IO[bytes], int, float]:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):
        os.close(handle)
        raise SourceMisread(f"{where}: {path}: expected a regular file, got another kind")
    return os.fdopen(handle, "rb", buffering=0), facts.st_size, facts.st_mtime


def _unpacked(file: IO[bytes], packed: str) -> IO[bytes]:
    return PACKED[packed](file) if packed else file


def _without_copies(pieces: Sequence[Piece], missing: list[str]) -> list[Piece]:
    """Return the pieces without those whose content another holds too.

    A file and its compressed form, or a log and the copy that copytruncate is making, begin with
    the same bytes; the longer one is kept.
    """
    kept: list[tuple[bytes, Piece]] = []
    for piece in sorted(pieces, key=lambda each: (bool(each.packed), -each.size)):
        try:
            head = piece.file.read(HEAD) or b""
            piece.file.seek(0)
        except (OSError, EOFError, lzma.LZMAError) as problem:
            missing.append(f"{piece.name} cannot be read: {type(problem).__name__}")
            piece.close()
            continue
        if head and any(_same(head, other) for other, _ in kept):
            piece.close()
            continue
        kept.append((head, piece._replace(head=head)))
    return [piece for _, piece in kept]


def _same(one: bytes, other: bytes) -> bool:
    length = min(len(one), len(other))
    return length > 0 and one[:length] == other[:length] and b"\n" in one[:length]


def usual_step(marks: Sequence[str]) -> timedelta:
    """Return the shortest time between two days of rotated files; a day where there are none."""
    days = sorted({day for mark in marks if (day := _day(mark)) is not None})
    return min((later - earlier for earlier, later in pairwise(days)), default=timedelta(days=1))


def gap_between(older: str, newer: str, step: timedelta) -> str:
    """Return what is missing between two files that follow each other in time; empty: nothing.

    Args:
        older, newer: their marks.
        step: between the days of two rotated files.
    """
    numbers = [int(mark or 0) for mark in (older, newer) if len(mark) <= 3]
    if len(numbers) == 2 and abs(numbers[0] - numbers[1]) > 1:
        low, high = sorted(numbers)
        return f"the rotated file number {low + 1}" + f" to {high - 1}" * (high - low > 2)
    first, last = _day(older), _day(newer)
    if first is not None and last is not None and last - first > step:
        return f"the rotated file of {first + step}"
    return ""


def _day(mark: str) -> date | None:
    found = _DATE.match(mark)
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None
