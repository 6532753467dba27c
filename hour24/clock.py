"""Clocks: the current time, and waiting.

Rules of this module:

- Code that needs the time is given a clock; only WallClock asks the operating system.
- WallClock sleeps. A rehearsal's SteppingClock advances only when code waits on it, and waiting
  returns at once.
- Latency is never measured with these clocks, but always with ``time.perf_counter``.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Returns the current time and waits."""

    def now(self) -> datetime:
        """Returns the current time, aware, UTC."""

    def sleep(self, seconds: float) -> None:
        """Return after ``seconds`` have passed on this clock."""


class WallClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


class SteppingClock:
    """A clock that only waiting and :meth:`step_to` move, and only forward."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=max(0.0, seconds))

    def step_to(self, time: datetime) -> None:
        """Move to ``time``; a time in the past changes nothing."""
        with self._lock:
            self._now = max(self._now, time.astimezone(UTC))


def steady_s() -> float:
    """Returns seconds of a clock of this machine that neither jumps nor stops during suspend."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)
