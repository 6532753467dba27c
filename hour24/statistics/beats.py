"""Heartbeats: gaps by event time, late logs told apart from missed beats.

Rules of this room:

- A beat counts when it happened, not when its line arrived; a line that arrived twice counts
  once. The window's edges count as the ends of gaps.
- A gap of one missed beat (1.5 to 2.5 periods) is worth saying and no more: lost log lines
  and jitter make some every day.
- The end of a window can be judged once lines as late as the latest seen would have arrived:
  at least 300 s after it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

WATERMARK_S = 300.0
LATE_QUANTILE = 0.999
MOST_WORKERS = 20


def moments(times: Iterable[float]) -> list[float]:
    """The beats, each once, ascending."""
    return sorted({t for t in times if math.isfinite(t)})


def gaps(
    beats: Sequence[float], start: float, end: float, longer_than: float
) -> list[tuple[float, float]]:
    """The stretches without a beat longer than ``longer_than`` seconds, as (from, to)."""
    points = [start, *(t for t in beats if start <= t <= end), end]
    return [(a, b) for a, b in pairwise(points) if b - a > longer_than]


def lateness(times: Sequence[float], arrivals: Sequence[float | None]) -> float:
    """How late all but a thousandth of the lines arrived, in seconds; 0 when it is not known."""
    late = sorted(
        arrival - t
        for t, arrival in zip(times, arrivals, strict=True)
        if arrival is not None and math.isfinite(arrival)
    )
    if not late:
        return 0.0
    return max(0.0, late[min(len(late) - 1, math.ceil(LATE_QUANTILE * len(late)) - 1)])


def workers_in(beats: Sequence[float], every_s: float) -> int:
    """How many workers seem to beat in this one stream: 1, or how many are interleaved.

    Several workers with one period each give k beats a period, and the k-th beat after one
    comes a period later.
    """
    if len(beats) < 3 * MOST_WORKERS:
        return 1
    # the mean, since the median step of two workers that beat together may be a whole period
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
