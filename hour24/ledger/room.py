"""Room on the disk, held for the length of a run.

Rules of this module:

- A disk that others fill up in mid-run costs no verdict: the room is given back when a journal
  cannot be appended to, and before the record is written.
- A killed run leaves its file; the next run or ``finalise`` removes it.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from hour24.errors import LedgerError

ROOM_BYTES = 8 * 1024 * 1024
"""Room for a record, its pages and its journal."""
FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a file system without room."""


class Room:
    """Room in a folder that this process holds.

    Raises: LedgerError, when the folder cannot be written or has no room.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / f".room.{os.getpid()}.tmp"
        try:
            (folder / "journal").mkdir(exist_ok=True)
            sweep(folder)
            handle = os.open(
                self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
            )
            try:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(handle, 0, ROOM_BYTES)
                os.write(handle, b"room\n")
                os.fsync(handle)
            except OSError:
                self.free()
                raise
            finally:
                os.close(handle)
        except OSError as problem:
            raise LedgerError(
                f"{folder}: expected to write {ROOM_BYTES // 1024**2} MiB in it, "
                f"got {problem.strerror}"
            ) from None

    def free(self) -> None:
        """Give the room back; a second call does nothing."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what killed runs of this machine held."""
    for path in folder.glob(".room.*.tmp"):
        with suppress(OSError, ValueError):
            if not _lives(int(path.name.split(".")[2])):
                path.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
