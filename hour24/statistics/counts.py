"""Counts over time: the busiest hour, rises, spikes, and the ratio of two counts.

Rules of this module:

- An hour is a calendar hour in UTC, cut to the window; the busiest rolling hour is reported too.
- Rises and spikes are of rates, not of counts: traffic has a daily shape.
- A change counts when it is both significant and large; the smallest detectable one is returned
  with it.
- Errors come in clumps: the dispersion found in the data widens every test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from hour24.statistics.rates import FAIL_CONFIDENCE, lower

HOUR_S = 3600.0


class Hour(NamedTuple):
    """A calendar hour, cut to the window: start and end in epoch seconds, and its count."""

    start: float
    end: float
    count: int  # type: ignore[assignment]  # hides tuple.count, which is not used


class Spike(NamedTuple):
    """A block with a higher count than chance explains: index, count and expected count."""

    index: int  # type: ignore[assignment]  # hides tuple.index and tuple.count
    count: int  # type: ignore[assignment]
    expected: float


class Rise(NamedTuple):
    """A trend in a rate: fitted first and last, their ratio, and the one-sided p-value."""

    first: float
    last: float
    factor: float
    p_value: float
    dispersion: float


class Ratio(NamedTuple):
    """The ratio of two rates, with its one-sided 99 % bounds."""

    ratio: float
    lower: float
    upper: float


def calendar_hours(times: Sequence[float], start: float, end: float) -> list[Hour]:
    """The calendar hours of [start, end), each with the number of ``times`` in it."""
    hours: list[Hour] = []
    begin = start
    while begin < end:
        stop = min(end, (math.floor(begin / HOUR_S) + 1) * HOUR_S)
        hours.append(Hour(begin, stop, sum(1 for t in times if begin <= t < stop)))
        begin = stop
    return hours


def busiest(times: Sequence[float], length_s: float = HOUR_S) -> tuple[int, float]:
    """The highest count in any window of ``length_s``, and its start; (0, 0) without any times."""
    ordered = sorted(times)
    most, when, first = 0, 0.0, 0
    for index, t in enumerate(ordered):
        while ordered[first] <= t - length_s:
            first += 1
        if index - first + 1 > most:
            most, when = index - first + 1, ordered[first]
    return most, when


def rise(bad: Sequence[int], total: Sequence[int]) -> Rise | None:
    """The trend of a rate over equally spaced blocks; None when nothing varies.

    The Cochran-Armitage test, with its variance scaled by the blocks' dispersion where that is
    above 1. Fitted rates are never below 0. Power for a rise to four times over six blocks:
    0.43 at 480 a block, 0.80 at 1 440.

    Source: Armitage, Biometrics 11 (1955).
    """
    from scipy.special import ndtr

    pairs = [(i, b, n) for i, (b, n) in enumerate(zip(bad, total, strict=True)) if n > 0]
    n_all, b_all = sum(n for _, _, n in pairs), sum(b for _, b, _ in pairs)
    if len(pairs) < 3 or b_all == 0 or b_all == n_all:
        return None
    p = b_all / n_all
    centre = sum(i * n for i, _, n in pairs) / n_all
    spread = sum(n * (i - centre) ** 2 for i, _, n in pairs)
    slope = sum((i - centre) * b for i, b, _ in pairs) / spread

    def fitted(index: float) -> float:
        return min(1.0, max(0.0, p + slope * (index - centre)))

    pearson = sum(
        (b - n * fitted(i)) ** 2 / max(n * fitted(i), n * p * 0.1) for i, b, n in pairs
    ) / (len(pairs) - 2)
    dispersion = max(1.0, pearson)
    z = slope * math.sqrt(spread / (p * (1 - p) * dispersion))
    first, last = fitted(pairs[0][0]), fitted(pairs[-1][0])
    # half an error replaces zero: a rise from nothing is large, not infinite
    factor = last / max(first, 0.5 / n_all)
    return Rise(first, last, factor, float(ndtr(-z)), dispersion)


def spikes(
    bad: Sequence[int],
    total: Sequence[int],
    *,
    chance: float = 0.05,
    least: int = 3,
    times: float = 2.0,
    share: float = 0.0,
) -> list[Spike]:
    """The blocks with more bad results than the rate of the other blocks explains.

    Negative binomial with the other blocks' rate (its 95 % upper bound) and dispersion; ``chance``
    is divided among all blocks. The dispersion leaves out the highest 5 % of blocks, which causes
    false alarms where errors are clumped. Share of 288-block days with a false alarm: at most 0.03
    for single errors; in clumps of three 0.41 at 3 errors a block, 0.29 at 5, 0.14 at 20, 0.08 at
    50. For such data use ``chance`` 0.01 and ``times`` 3, over hours.

    Args:
        least: the smallest count of a spike.
        times: the smallest ratio of a spike to the expected count.
        share: the smallest share of its block's total (0 to 1).
    """
    from scipy.special import gammaincinv, pdtrc

    usable = [(i, b, n) for i, (b, n) in enumerate(zip(bad, total, strict=True)) if n > 0]
    if len(usable) < 2:
        return []
    n_all, b_all = sum(n for _, _, n in usable), sum(b for _, b, _ in usable)
    dispersion = _dispersion(usable)
    found = []
    for i, b, n in usable:
        if b < least or b < share * n:
            continue
        others_n, others_b = n_all - n, b_all - b
        if others_n <= 0:
            continue
        rate = float(gammaincinv(others_b + 1, 0.95)) / others_n
        mean = rate * n
        if b < times * mean:
            continue
        if dispersion > 1.01:
            size = mean / (dispersion - 1)
            probability = _negative_binomial_tail(b, size, 1 / dispersion)
        else:
            probability = float(pdtrc(b - 1, mean))
        if probability < chance / len(usable):
            found.append(Spike(i, b, others_b / others_n * n))
    return found


def ratio(
    now: float, exposure: float, before: float, exposure_before: float, clumping: float = 1.0
) -> Ratio:
    """The ratio of the rate ``now / exposure`` to ``before / exposure_before``.

    Exact, given the sum of both counts. When ``before`` is 0 the ratio is infinite, and its lower
    bound is still finite.

    Args:
        clumping: the mean number of things that occur together; both counts are divided by it.

    Source: Przyborowski and Wilenski, Biometrika 31 (1940).
    """
    a, b = now / clumping, before / clumping
    if a + b <= 0:
        return Ratio(1.0, 0.0, math.inf)
    scale = exposure_before / exposure
    share_low = lower(a, a + b, FAIL_CONFIDENCE)
    share_high = 1 - lower(b, a + b, FAIL_CONFIDENCE)
    return Ratio(
        math.inf if b == 0 else a / b * scale,
        share_low / (1 - share_low) * scale if share_low < 1 else math.inf,
        share_high / (1 - share_high) * scale if share_high < 1 else math.inf,
    )


def least_significant(
    exposure: float, before: float, exposure_before: float, clumping: float = 1.0
) -> int:
    """The smallest count over ``exposure`` that is significantly above ``before``."""
    low, high = 0, 1
    while ratio(high, exposure, before, exposure_before, clumping).lower <= 1:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if ratio(middle, exposure, before, exposure_before, clumping).lower > 1:
            high = middle
        else:
            low = middle
    return high


def _dispersion(blocks: Sequence[tuple[int, int, int]]) -> float:
    """Pearson's dispersion without the highest 5 % of blocks, so that no spike hides itself."""
    ordered = sorted(blocks, key=lambda block: block[1] / block[2])
    kept = ordered[: max(2, len(ordered) - max(1, len(ordered) // 20))]
    n_all, b_all = sum(n for _, _, n in kept), sum(b for _, b, _ in kept)
    if b_all == 0:
        return 1.0
    p = b_all / n_all
    return max(1.0, sum((b - n * p) ** 2 / (n * p) for _, b, n in kept) / (len(kept) - 1))


def _negative_binomial_tail(count: int, size: float, p: float) -> float:
    """P(X >= count) of a negative binomial with this size (above 0) and success probability."""
    from scipy.special import betainc

    return float(betainc(count, size, 1 - p))
