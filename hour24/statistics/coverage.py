"""How much of a window was probed, and which outages could have been missed.

Rules of this module:

- A gap is the time between two probes, the window's edges included.
- An outage longer than the longest gap cannot be missed; a shorter one is missed with
  probability sum(max(0, gap - outage)) / window.
- With no failure in n probes, at most 1 - 0.05**(1/n) of the time was down, at 95 %; this is
  valid only for outages shorter than the interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

REQUIRED = 0.99
"""The share of the probes due that must have been sent: every missing probe can hide a failure."""
LONGEST_GAP_S = 300.0
"""The longest allowed time without a probe: users notice a longer outage."""


def gaps(times: Sequence[float], start: float, end: float) -> list[float]:
    """The gaps between probes, in seconds, the window's edges included.

    Args:
        times: times of the probes; those outside the window are ignored.
    """
    inside = sorted(t for t in times if start <= t <= end)
    points = [start, *inside, end]
    return [b - a for a, b in pairwise(points)]


def miss_probability(lengths: Iterable[float], outage_s: float, window_s: float) -> float:
    """The probability that an outage of ``outage_s`` at a random time fell between two probes.

    Args:
        lengths: gaps between the probes, in seconds.
    """
    if window_s <= 0:
        return 1.0
    return min(1.0, math.fsum(max(0.0, g - outage_s) for g in lengths) / window_s)


def compatible_outages(probability: float, confidence: float = 0.95) -> float:
    """The number of such outages, each missed with ``probability``, that could all be missed."""
    if probability <= 0:
        return 0.0
    if probability >= 1:
        return math.inf
    return math.log(1 - confidence) / math.log(probability)


def downtime_share(probes: int, confidence: float = 0.95) -> float:
    """The largest share of downtime that is compatible with ``probes`` without a failure."""
    return 1.0 if probes < 1 else float(1 - (1 - confidence) ** (1 / probes))
