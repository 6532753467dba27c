"""Where "now" comes from, and what waiting does.

Rules of this module:

- Whoever needs the time is given a clock; nobody else asks the operating system.
- The real clock sleeps. The stepping clock of a rehearsal stands still until somebody
  waits, and waiting advances it without sleeping.
- Latency is never measured with these: it is always real, from ``time.perf_counter``.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""

    def sleep(self, seconds: float) -> None:
        """Return after ``seconds`` have passed on this clock."""


class WallClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


class SteppingClock:
    """Stands at one moment; only waiting and :meth:`step_to` move it, and only forward."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=max(0.0, seconds))

    def step_to(self, moment: datetime) -> None:
        """Move to ``moment``; a moment that has passed already changes nothing."""
        with self._lock:
            self._now = max(self._now, moment.astimezone(UTC))
