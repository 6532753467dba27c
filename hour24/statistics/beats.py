"""Heartbeats: gaps by event time, with late log lines kept apart from missed beats.

Rules of this module:

- A beat counts at the time it happened, not when its line arrived. A duplicate line counts once.
  The window's edges count as the ends of gaps.
- A gap of one missed beat (1.5 to 2.5 periods) is reported and does not fail: lost log lines
  and jitter cause some every day.
- The end of a window can be judged once lines as late as the latest so far would have arrived:
  at least 300 s after it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

WATERMARK_S = 300.0
"""Platforms deliver log lines up to five minutes late."""
LATE_QUANTILE = 0.999
"""One line in a thousand may be stuck; it does not move the lateness."""
MOST_WORKERS = 20
"""The rhythm of more workers in one stream cannot be separated."""


def unique_times(times: Iterable[float]) -> list[float]:
    """The times of the beats, ascending, without duplicates."""
    return sorted({t for t in times if math.isfinite(t)})


def gaps(
    beats: Sequence[float], start: float, end: float, longer_than: float
) -> list[tuple[float, float]]:
    """The gaps between beats that are longer than ``longer_than`` seconds, as (from, to)."""
    points = [start, *(t for t in beats if start <= t <= end), end]
    return [(a, b) for a, b in pairwise(points) if b - a > longer_than]


def lateness(times: Sequence[float], arrivals: Sequence[float | None]) -> float:
    """The delay that 99.9 % of the lines stayed within, in seconds; 0 when it is not known."""
    late = sorted(
        arrival - t
        for t, arrival in zip(times, arrivals, strict=True)
        if arrival is not None and math.isfinite(arrival)
    )
    if not late:
        return 0.0
    return max(0.0, late[math.ceil(LATE_QUANTILE * len(late)) - 1])


def count_workers(beats: Sequence[float], every_s: float) -> int:
    """The number of workers with beats in this stream; 1 when it is one worker's.

    k workers give k beats per period, and the k-th beat after any beat comes one period later.
    """
    if len(beats) < 3 * MOST_WORKERS:
        return 1
    # the mean: two workers that beat together can have a median step of a whole period
    if (beats[-1] - beats[0]) / (len(beats) - 1) > 0.75 * every_s:
        return 1
    best, off = 1, 0.2 * every_s
    for k in range(2, MOST_WORKERS + 1):
        later = median(b - a for a, b in zip(beats, beats[k:], strict=False))
        if abs(later - every_s) <= off:
            best, off = k, abs(later - every_s)
        if later > 1.2 * every_s:
            break
    return best
