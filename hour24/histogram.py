"""A histogram of latencies that merges exactly and knows every quantile within 1 %.

Rules of this module:

- Buckets are logarithmic with ratio ``GAMMA = 1.01 / 0.99``: bucket ``i`` holds
  ``GAMMA**(i-1) < x <= GAMMA**i`` and answers ``2 * GAMMA**i / (GAMMA + 1)``.
- Merging adds counts; nothing is lost, and order does not matter.
- Percentiles over a longer span come from merged histograms, never from averaged percentiles.

Source: DDSketch, Masson, Rim and Lee, VLDB 2019.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

GAMMA = 1.01 / 0.99
_LOG_GAMMA = math.log(GAMMA)
SMALLEST = 1e-3
"""Values at or below this (in the histogram's unit) share one bucket."""


def bucket(value: float) -> int:
    """The bucket that holds ``value``; values at or below ``SMALLEST`` share one.

    Raises: ValueError, when the value is negative or not finite.
    """
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"histogram: value: expected a finite number of at least 0, got {value}")
    return math.ceil(math.log(max(value, SMALLEST)) / _LOG_GAMMA)


def middle(index: int) -> float:
    """The value that bucket ``index`` answers, within 1 % of all it holds."""
    return 2.0 * math.pow(GAMMA, index) / (GAMMA + 1.0)


def counted(values: Iterable[float]) -> dict[int, int]:
    """Bucket -> number of values."""
    counts: dict[int, int] = {}
    for value in values:
        index = bucket(value)
        counts[index] = counts.get(index, 0) + 1
    return counts


def merged(parts: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """The sum of several histograms."""
    total: dict[int, int] = {}
    for part in parts:
        for index, count in part.items():
            total[index] = total.get(index, 0) + count
    return total


def quantile(counts: Mapping[int, int], q: float) -> float:
    """The value at quantile ``q`` (0 to 1), within 1 %.

    Raises: ValueError, when the histogram is empty or ``q`` is outside 0..1.
    """
    n = sum(counts.values())
    if n == 0 or not 0 <= q <= 1:
        raise ValueError(f"histogram: quantile {q}: expected samples and 0..1, got {n} samples")
    rank = max(1, math.ceil(q * n))
    seen = 0
    for index in sorted(counts):
        seen += counts[index]
        if seen >= rank:
            return middle(index)
    raise AssertionError("unreachable: ranks are within the count")


def round_trip(counts: Mapping[int, int], measured: float) -> float:
    """What may be taken off these values for the way there and back: ``measured``, or nothing.

    Every answer takes a round trip, so that a measured one above the fastest answer was none: a
    lost packet, a slow name server. The true one is then not known, and nothing is taken off.
    """
    fastest = math.pow(GAMMA, min(counts)) if counts else 0.0
    return measured if measured <= fastest else 0.0


def above(counts: Mapping[int, int], limit: float) -> int:
    """How many values lie above ``limit``, to the bucket.

    The bucket that holds the limit counts as not above when its middle is at or below it.
    """
    return sum(count for index, count in counts.items() if middle(index) > limit)
