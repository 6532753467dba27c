"""The plan clock: Watch, Checkpoint, Window.

Rules of this module:

- A watch has a T0. Checkpoint N is due at T0 + N h, and its window is
  [due time of the previous checkpoint, due time); hour 0 covers the hour before T0.
- A late run covers the same window as a punctual one.
- Logs and error events arrive late: their windows are shifted back by ``settle_s``.
- All times are aware and in UTC; the watch's time zone is used on pages only.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from msgspec import Struct

CHECKPOINTS = (0, 4, 8, 12, 16, 20, 24)
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Window(Struct, frozen=True, order=True):
    """``start <= t < end``, aware, UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"window: expected aware times, got {self.start} to {self.end}")
        if self.end < self.start:
            raise ValueError(f"window: expected start before end, got {self.start} to {self.end}")

    @property
    def seconds(self) -> float:
        """Length, in seconds."""
        return (self.end - self.start).total_seconds()

    @property
    def hours(self) -> float:
        """Length, in hours."""
        return self.seconds / 3600

    def contains(self, other: Window) -> bool:
        """Whether ``other`` lies inside this window."""
        return self.start <= other.start and other.end <= self.end

    def includes(self, time: datetime) -> bool:
        """Whether ``start <= time < end``."""
        return self.start <= time < self.end

    def shifted(self, seconds: float) -> Window:
        """Returns this window moved by ``seconds`` (negative: earlier)."""
        by = timedelta(seconds=seconds)
        return Window(self.start + by, self.end + by)


class Checkpoint(Struct, frozen=True, kw_only=True):
    """An hour of a watch at which criteria fall due.

    ``window`` reaches from the previous checkpoint to this one, ``since_t0`` from the start of
    hour 0's window to this one; ``settled`` and ``settled_since_t0`` are the same windows shifted
    back by ``settle_s``, for sources whose data arrives late.
    """

    hour: int
    due: datetime
    window: Window
    since_t0: Window
    settle_s: float
    tolerance_s: float

    @property
    def settled(self) -> Window:
        return self.window.shifted(-self.settle_s)

    @property
    def settled_since_t0(self) -> Window:
        return self.since_t0.shifted(-self.settle_s)

    def late_s(self, now: datetime) -> float:
        """Seconds after the due time; negative before it."""
        return (now - self.due).total_seconds()


class Watch(Struct, frozen=True, kw_only=True):
    """The 24 hours from T0 to sign-off.

    Args:
        name: name of its folder, ``[a-z0-9][a-z0-9._-]*``.
        t0: start time, aware, to the minute.
        zone: IANA name of the time zone used on pages.
        hours: the hours of the checkpoints, ascending, beginning with 0.
    """

    name: str
    t0: datetime
    zone: str = "UTC"
    hours: tuple[int, ...] = CHECKPOINTS
    tolerance_s: float = 1800.0
    settle_s: float = 300.0
    follows: str = ""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"watch: name: expected {NAME.pattern}, got {self.name!r}")
        if self.t0.tzinfo is None:
            raise ValueError(f"watch: t0: expected an aware time, got {self.t0}")
        if not self.hours or self.hours[0] != 0 or any(a >= b for a, b in pairwise(self.hours)):
            raise ValueError(f"watch: hours: expected ascending from 0, got {self.hours}")

    def checkpoint(self, hour: int) -> Checkpoint:
        """Returns the checkpoint at ``hour``.

        Raises: ValueError, if the watch has none at that hour.
        """
        if hour not in self.hours:
            raise ValueError(f"watch {self.name}: hour: expected one of {self.hours}, got {hour}")
        due = self.t0 + timedelta(hours=hour)
        begin = self.t0 - timedelta(hours=1)
        before = max((h for h in self.hours if h < hour), default=None)
        start = begin if before is None else self.t0 + timedelta(hours=before)
        return Checkpoint(
            hour=hour,
            due=due,
            window=Window(start, due),
            since_t0=Window(begin, due),
            settle_s=self.settle_s,
            tolerance_s=self.tolerance_s,
        )

    def next_after(self, hour: int) -> Checkpoint | None:
        """Returns the checkpoint after ``hour``, or None after the last one."""
        after = [h for h in self.hours if h > hour]
        return self.checkpoint(after[0]) if after else None

    @property
    def whole(self) -> Window:
        """From T0 to the last checkpoint."""
        return Window(self.t0, self.t0 + timedelta(hours=self.hours[-1]))


def marker(hour: int) -> str:
    """Returns the pytest marker of this hour: ``hour8``; after hour 24 ``daily``."""
    return f"hour{hour}" if hour <= CHECKPOINTS[-1] else "daily"


def to_minute(time: datetime) -> datetime:
    """Returns ``time`` in UTC, truncated to the minute."""
    return time.astimezone(UTC).replace(second=0, microsecond=0)
