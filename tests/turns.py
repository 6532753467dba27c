"""Tests of several workers side by side, and those that measure time by themselves."""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from pathlib import Path
from typing import IO

import pytest


class Turns:
    """Lets tests of several workers run side by side, and a test that is marked ``alone``, alone.

    Each test holds a lock that is shared, or exclusive for one that runs alone. Whoever wants it
    waits behind a second lock, so that who wants to be alone is not overtaken forever.

    Args:
        stem: of the two files that are locked; the same for all workers of a run.
    """

    def __init__(self, stem: Path) -> None:
        self._stem = stem
        self._queue: IO[bytes] = stem.with_suffix(".queue").open("ab")
        self._turn: IO[bytes] = stem.with_suffix(".turn").open("ab")
        self._alone = False

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        if not self._alone:
            self.take(alone=_alone(item))
        self._alone = _alone(item) and _alone(nextitem)
        try:
            return (yield)
        finally:
            if not self._alone:
                self.release()

    def take(self, *, alone: bool) -> None:
        """Wait for a turn."""
        fcntl.flock(self._queue, fcntl.LOCK_EX)
        fcntl.flock(self._turn, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self._queue, fcntl.LOCK_UN)

    def release(self) -> None:
        """End it."""
        fcntl.flock(self._turn, fcntl.LOCK_UN)

    def pytest_unconfigure(self) -> None:
        for file in (self._queue, self._turn):
            file.close()
        for suffix in (".queue", ".turn"):
            self._stem.with_suffix(suffix).unlink(missing_ok=True)


def _alone(item: pytest.Item | None) -> bool:
    return item is not None and item.get_closest_marker("alone") is not None
