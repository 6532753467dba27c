"""Bounds of quantiles from ranks, without assumptions about the distribution.

Rules of this module:

- "p99 below X" is "the share at or above X is below 1 %": :mod:`.rates` judges it; the ranks
  here turn the same bounds into values.
- Minimum sample sizes: 299 for p99, 59 for p95, 29 for p90.

Source: order statistics; David and Nagaraja, Order Statistics, 7.1 (2003).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from hour24.statistics.rates import FAIL_CONFIDENCE, PASS_CONFIDENCE


def least_samples(q: float, confidence: float = PASS_CONFIDENCE) -> int:
    """The smallest sample size whose maximum bounds quantile ``q`` from above."""
    if not 0 < q < 1:
        raise ValueError(f"quantiles: q: expected a number above 0 and below 1, got {q}")
    return math.ceil(math.log(1 - confidence) / math.log(q) - 1e-9)


def upper_rank(n: int, q: float, confidence: float = PASS_CONFIDENCE) -> int | None:
    """The rank (1 is the smallest) that bounds quantile ``q`` of ``n`` from above; None if none."""
    rank = _binomial_quantile(confidence, n, q) + 1
    return rank if rank <= n else None


def lower_rank(n: int, q: float, confidence: float = FAIL_CONFIDENCE) -> int | None:
    """The rank that bounds quantile ``q`` of ``n`` from below; None if none."""
    rank = _binomial_quantile(1 - confidence, n, q)
    return rank if rank >= 1 else None


def count_at_or_above(n: int, limit: float, values: Mapping[float, float]) -> tuple[int, int]:
    """The fewest and most of ``n`` values that can be at or above ``limit``, by known quantiles.

    Args:
        values: quantile (0 to 1) -> value; quantile 1 is the largest.
    """
    fewest, most = 0, n
    for q, value in values.items():
        if not math.isfinite(value):
            continue
        if value >= limit:
            fewest = max(fewest, math.floor(n * (1 - q) + 1e-9) + (1 if q >= 1 else 0))
        else:
            most = min(most, math.ceil(n * (1 - q) - 1e-9))
    return min(fewest, most), most


def _binomial_quantile(probability: float, n: int, p: float) -> int:
    """The smallest k with P(Binomial(n, p) <= k) >= ``probability``."""
    if n == 0:
        return 0
    from scipy.special import bdtr

    low, high = -1, n
    while high - low > 1:
        middle = (low + high) // 2
        if float(bdtr(float(middle), n, p)) >= probability:
            high = middle
        else:
            low = middle
    return high
