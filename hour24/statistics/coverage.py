"""How much of a window was looked at, and what could have hidden.

Rules of this room:

- A gap is the stretch between two looks, the window's edges included.
- An outage longer than the longest gap cannot have hidden; a shorter one is missed with
  probability sum(max(0, gap - outage)) / window.
- With no failure in n looks, at most 1 - 0.05**(1/n) of the time was down, at 95 %; that
  holds for outages shorter than the interval only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

REQUIRED = 0.99
"""The share of the probes due that must have been sent: failures need room to hide."""
LONGEST_GAP_S = 300.0
"""The longest time without a probe: what lasts longer is an outage that people notice."""


def gaps(times: Sequence[float], start: float, end: float) -> list[float]:
    """The stretches between looks, in seconds, the window's edges included.

    Args:
        times: when it was looked; those outside the window are left out.
    """
    inside = sorted(t for t in times if start <= t <= end)
    points = [start, *inside, end]
    return [b - a for a, b in pairwise(points)]


def missed(stretches: Iterable[float], outage_s: float, window_s: float) -> float:
    """The probability that an outage of ``outage_s`` at a random time fell between two looks."""
    if window_s <= 0:
        return 1.0
    return min(1.0, math.fsum(max(0.0, g - outage_s) for g in stretches) / window_s)


def compatible(probability: float, confidence: float = 0.95) -> float:
    """How many such outages, each missed with ``probability``, could all have been missed."""
    if probability <= 0:
        return 0.0
    if probability >= 1:
        return math.inf
    return math.log(1 - confidence) / math.log(probability)


def downtime_share(looks: int, confidence: float = 0.95) -> float:
    """The largest share of down time that ``looks`` without a failure leave open."""
    return 1.0 if looks < 1 else float(1 - (1 - confidence) ** (1 / looks))
