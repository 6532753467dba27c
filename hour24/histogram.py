"""A latency histogram that merges exactly and gives every quantile within 1 %.

Rules of this module:

- Buckets are logarithmic with ratio ``GAMMA = 1.01 / 0.99``: bucket ``i`` contains
  ``GAMMA**(i-1) < x <= GAMMA**i`` and returns ``2 * GAMMA**i / (GAMMA + 1)``.
- Merging adds counts: nothing is lost, and the order does not matter.
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
    """The index of the bucket of ``value``; values at or below ``SMALLEST`` share one.

    Raises: ValueError, when the value is negative or not finite.
    """
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"histogram: value: expected a finite number of at least 0, got {value}")
    return math.ceil(math.log(max(value, SMALLEST)) / _LOG_GAMMA)


def middle(index: int) -> float:
    """The value of bucket ``index``, within 1 % of every value in it."""
    return 2.0 * math.pow(GAMMA, index) / (GAMMA + 1.0)


def count_values(values: Iterable[float]) -> dict[int, int]:
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
    passed = 0
    for index in sorted(counts):
        passed += counts[index]
        if passed >= rank:
            return middle(index)
    raise AssertionError("unreachable: ranks are within the count")


def round_trip(counts: Mapping[int, int], measured: float) -> float:
    """The round trip to subtract from these values: ``measured``, or 0 when it is implausible.

    Every answer includes a round trip, so one that is longer than the fastest answer was measured
    wrong (a lost packet, a slow name server). Then nothing is subtracted.
    """
    fastest = math.pow(GAMMA, min(counts)) if counts else 0.0
    return measured if measured <= fastest else 0.0


def count_above(counts: Mapping[int, int], limit: float) -> int:
    """The number of values above ``limit``, to the resolution of a bucket.

    The bucket of the limit does not count as above when its middle is at or below the limit.
    """
    return sum(count for index, count in counts.items() if middle(index) > limit)
