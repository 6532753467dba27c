"""Whether measurements shifted: block medians, the shift with its interval, and the tail.

Rules of this module:

- Neighbouring measurements are correlated, so the unit is the median of a 10-minute block: tests
  on single values report a change on 20 to 40 % of unchanged days.
- The shift is Hodges and Lehmann's on the log scale, with the 98 % interval that inverts the
  Mann-Whitney test; its two ends are 99 % one-sided bounds.
- The tail is judged separately: the share above the baseline's p95, widened by the design effect
  of the blocks, and the ratio of the p95s.

Source: Hodges and Lehmann, Ann. Math. Stat. 34 (1963); Moses' interval (Lehmann,
Nonparametrics, 1975, 2.3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hour24.histogram import count_above, merged, quantile
from hour24.statistics.rates import FAIL_CONFIDENCE, design_effect, lower

LEAST_IN_BLOCK = 5
"""The median of fewer values is mostly noise."""
LEAST_BLOCKS = 6
"""A 1-hour baseline: half of it drops the power at +50 % from 0.83 to 0.56."""
NORMAL_99 = 2.3263478740408408
"""Standard deviations below which a normal value stays with 99 %: one-sided, as FAIL is."""
TAIL_SHARE = 0.10
"""Twice the share that is above its own p95."""

Counts = Mapping[int, int]


class Shift(NamedTuple):
    """A factor with its 99 % one-sided bounds."""

    factor: float
    lower: float
    upper: float


class Tail(NamedTuple):
    """The share above the baseline's p95, its 99 % lower bound, and the ratio of the p95s."""

    share: float
    lower: float
    ratio: float


def block_medians(blocks: Sequence[Counts]) -> list[float]:
    """The median of each block with enough samples, within 1 %."""
    return [quantile(b, 0.5) for b in blocks if sum(b.values()) >= LEAST_IN_BLOCK]


def shift(now: Sequence[float], before: Sequence[float]) -> Shift:
    """The factor from ``before`` to ``now``; all values above 0.

    Raises: ValueError, when a side is empty or contains a value of 0 or less.
    """
    import numpy as np

    if not now or not before or min(*now, *before) <= 0:
        raise ValueError("shift: expected values above 0 on both sides")
    a, b = np.log(np.asarray(now)), np.log(np.asarray(before))
    differences = np.sort((a[:, None] - b[None, :]).ravel())
    m, n = len(a), len(b)
    # the Mann-Whitney statistic's normal quantile, inverted: ranks of the pairwise differences
    rank = math.floor(m * n / 2 - NORMAL_99 * math.sqrt(m * n * (m + n + 1) / 12))
    inside = max(rank, 0)
    low = -math.inf if rank < 0 else float(differences[inside])
    high = math.inf if rank < 0 else float(differences[m * n - 1 - inside])
    return Shift(math.exp(float(np.median(differences))), math.exp(low), math.exp(high))


def tail(now: Sequence[Counts], before: Sequence[Counts]) -> Tail:
    """The tail of ``now`` compared with that of ``before``; both are histograms in blocks."""
    base, whole = merged(before), merged(now)
    p95 = quantile(base, 0.95)
    bad = [count_above(block, p95) for block in now]
    total = [sum(block.values()) for block in now]
    effect = design_effect(bad, total)
    n = sum(total)
    share = sum(bad) / n
    return Tail(
        share=share,
        lower=lower(sum(bad) / effect, n / effect, FAIL_CONFIDENCE),
        ratio=quantile(whole, 0.95) / p95,
    )


def visible(now: Sequence[float], before: Sequence[float], ratio: float) -> float:
    """The smallest factor that would have been detected as above ``ratio`` on this much data."""
    found = shift(now, before)
    return ratio * found.factor / found.lower if found.lower > 0 else math.inf
