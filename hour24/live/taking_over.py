"""Lets one process at a time run a watch; others wait, and take over when it ends.

The kernel frees the lock of a process that dies, however it dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

NAME = "watch.lock"


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Try to be the process that runs the watch in this folder.

    Yields: who runs it already; empty when it is this process, until the block ends.
    Raises: OSError, when the folder cannot be written.
    """
    handle = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield _holder(handle)
            return
        since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(holder).encode() + b"\n", 0)
        yield ""
    finally:
        os.close(handle)


def _holder(handle: int) -> str:
    try:
        holder = json.loads(os.pread(handle, 4096, 0))
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError, OSError):
        return "a process that has just started"
