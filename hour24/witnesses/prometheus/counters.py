"""What counters and gauges say, from their raw samples.

Rules of this module:

- Samples in, evidence out: nothing is asked here, and no number of the engine's own is used.
- An increment belongs to the window that its sample's time lies in, so that adjacent windows
  neither share nor lose one. The last sample before the window is its base.
- A single NaN is no sample: VictoriaMetrics shows by it that a scrape brought no more of a series,
  and Prometheus leaves it out. Two in a row are an exporter's own, and refused.
- A counter that falls was reset: its new value is the increment, which is a lower bound.
- A counter that is born in the window has counted all of its first value there if its target was
  seen before it, or if its process began in the window. Otherwise the value may be older, and the
  increment is a bracket.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from hour24.asking.answers import misread
from hour24.errors import SourceMisread

Samples = Sequence[tuple[float, str]]
LEAST_FALLS = 3
"""Fewer falls are restarts."""
FALLING = 1 / 3
"""The share of moves that fall, from which it is no counter: deltas and gauges fall in half."""
UNREAD = "\0"
"""No sample's text."""
STALE = "NaN"
"""The text of a marker that a series has ended, for good or until the next scrape."""
MARKED = "\0NaN"
"""Kept instead of a marker's text, so that the next sample is read again."""
SAME_S = 0.002
"""Times this near are one: engines keep milliseconds."""


class Counter:
    """One counter, read sample by sample.

    Args:
        start, end: the window, epoch seconds.
        step_s: length of the bins that increments are kept in; 0: none.

    ``resets`` has the times of the last sample before each and of the first one after it.
    """

    __slots__ = (
        "bins",
        "birth",
        "end",
        "falls",
        "increase",
        "last_t",
        "last_text",
        "last_v",
        "moves",
        "resets",
        "start",
        "step_s",
    )

    def __init__(self, start: float, end: float, step_s: float = 0.0) -> None:
        self.start, self.end, self.step_s = start, end, step_s
        self.last_t, self.last_v, self.last_text = -math.inf, 0.0, UNREAD
        self.increase = 0.0
        self.birth: tuple[float, float] | None = None
        self.moves = self.falls = 0
        self.resets: list[tuple[float, float]] = []
        self.bins: dict[int, float] = {}

    def add(self, samples: Samples, where: str) -> None:
        """Read samples that follow those read before; one that was read before is skipped.

        Raises: SourceMisread, when a value is no count, or a time goes back.
        """
        last_t, last_text = self.last_t, self.last_text
        end = self.end
        for at, text in samples:
            if at <= last_t:
                if at <= self.last_t:
                    continue  # the edge of two answers is in both
                raise misread(f"{where}: a sample's time", f"one after {last_t:.3f}", at)
            if at >= end:
                break
            if text == STALE:
                if last_text == MARKED:
                    raise misread(f"{where}: a sample's value", "a count", text)
                last_text = MARKED
                last_t = at if last_t > -math.inf else last_t  # the first number is still to come
                continue
            if text != last_text:
                self._move(at, text, where, since=last_t)
                last_text = text
            last_t = at
        self.last_t, self.last_text = last_t, last_text

    def _move(self, at: float, text: str, where: str, *, since: float) -> None:
        value = counted(text, where)
        before, self.last_v = self.last_v, value
        if since == -math.inf:
            if at >= self.start:
                self.birth = (at, value)
            return
        self.moves += 1
        if value < before:
            self.falls += 1
            self.resets.append((since, at))
            before = 0.0
        if at >= self.start:
            self._count(at, value - before)

    def _count(self, at: float, increment: float) -> None:
        self.increase += increment
        if self.step_s:
            key = int((at - self.start) // self.step_s)
            self.bins[key] = self.bins.get(key, 0.0) + increment

    def settle(self, seen: float | None, began: float | None) -> None:
        """Count the value of birth where it is known to be of the window.

        Args:
            seen: when its target was first seen; None: unknown.
            began: when the target's process began; None: unknown.
        """
        if self.birth is None:
            return
        at, value = self.birth
        before = seen is not None and seen < at - SAME_S
        fresh = began is not None and self.start <= began <= at + 1.0
        if before or fresh or value == 0.0:
            self._count(at, value)
            self.birth = None

    @property
    def least(self) -> float:
        """The increase of the window, at least."""
        return self.increase

    @property
    def most(self) -> float:
        """The increase of the window, at most."""
        return self.increase + (self.birth[1] if self.birth else 0.0)


def counted(text: str, where: str) -> float:
    """Return a counter's value. Raises: SourceMisread, when it is no finite number from 0 on."""
    try:
        value = float(text)
    except ValueError:
        raise misread(f"{where}: a sample's value", "a number as text", text) from None
    if not math.isfinite(value) or value < 0:
        raise misread(f"{where}: a sample's value", "a count", text)
    return value


def check_counters(counters: Iterable[Counter], metric: str, where: str, *, whole: bool) -> None:
    """Raise where these are no counters: they fall, or have fractions.

    Args:
        whole: whether they count things.
    """
    moves = falls = 0
    for each in counters:
        moves += each.moves
        falls += each.falls
        if whole and not (each.increase.is_integer() and each.most.is_integer()):
            raise SourceMisread(
                f"{where}: {metric}: expected a counter of whole things, got an increase of "
                f"{each.increase:g}"
            )
    if falls >= LEAST_FALLS and falls > FALLING * moves:
        raise SourceMisread(
            f"{where}: {metric}: expected a counter that only grows, got one that falls in {falls} "
            f"of {moves} moves: a gauge, or deltas instead of a sum"
        )


class Gauge:
    """One gauge, by minute: the last value of each.

    Args:
        start, end: the window, epoch seconds.
    """

    __slots__ = ("end", "last_t", "minutes", "start")

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, end
        self.last_t = -math.inf
        self.minutes: dict[float, float] = {}

    def add(self, samples: Samples, where: str) -> None:
        """Read samples; one that is not a number is no value.

        Raises: SourceMisread, when a value is no number as text.
        """
        for at, text in samples:
            if at <= self.last_t or not self.start <= at < self.end:
                continue
            self.last_t = at
            value = measured(text, where)
            if value is not None:
                self.minutes[at - at % 60.0] = value


def measured(text: str, where: str) -> float | None:
    """Return a gauge's value; None where it is NaN or infinite."""
    try:
        value = float(text)
    except ValueError:
        raise misread(f"{where}: a sample's value", "a number as text", text) from None
    return value if math.isfinite(value) else None
