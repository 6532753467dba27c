"""The journal of one run: a line for each verdict, on disk before anything else happens.

Rules of this module:

- A line is appended with one write and fsync: after :meth:`Journal.write` returns it survives a
  SIGKILL and a power cut.
- A kill during a write leaves a torn last line; reading drops it, and nothing else.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from hour24.disk import sync_folder
from hour24.documents import DocumentError, read_json
from hour24.errors import LedgerError
from hour24.ledger.canonical import to_bytes
from hour24.ledger.room import FULL, Room


class Journal:
    """A file of JSON lines, open for appending.

    Args:
        room: room on the disk that it may use up when there is no other.
    Raises: LedgerError, when it cannot be opened.
    """

    def __init__(self, path: Path, room: Room | None = None) -> None:
        self.path = path
        self._room = room
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            sync_folder(path.parent)
        except OSError as problem:
            raise LedgerError(f"{path}: expected to open it, got {problem.strerror}") from None

    def write(self, content: dict[str, Any]) -> None:
        """Append one line; when this returns, it is on disk.

        Raises: LedgerError, when it is not.
        """
        data = to_bytes(content, self.path.name)
        try:
            try:
                self._append(data)
            except OSError as problem:
                if self._room is None or problem.errno not in FULL:
                    raise
                self._room.free()
                self._append(data)
        except OSError as problem:
            raise LedgerError(f"{self.path}: expected to append, got {problem.strerror}") from None

    def _append(self, data: bytes) -> None:
        start = os.fstat(self._file).st_size
        if os.write(self._file, data) != len(data):
            # Half a line would also corrupt the next one.
            os.ftruncate(self._file, start)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def read(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a journal, oldest first, without a torn last line.

    Raises: LedgerError, when it cannot be read, or a line before the last is no JSON object.
    """
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except OSError as problem:
        raise LedgerError(f"{path}: expected to read it, got {problem.strerror}") from None
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            content = read_json(line, keep_surrogates=True)
        except DocumentError:
            content = None
        if not isinstance(content, dict):
            if number == len(lines) and not rest:
                break
            raise LedgerError(f"{path}: line {number}: expected a JSON object, got none")
        found.append(content)
    return found
