"""Shifts between two sets of measurements."""

from __future__ import annotations

import math
import random

import pytest

from hour24.histogram import count_values
from hour24.statistics import shift


def medians(n: int, factor: float = 1.0, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [100 * factor * chance.lognormvariate(0, 0.05) for _ in range(n)]


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.5, 3.0])
def test_the_factor_is_found_and_lies_within_its_bounds(factor):
    """The estimate is that of Hodges and Lehmann on the log scale."""
    found = shift.shift(medians(24, factor), medians(12, seed=2))
    assert found.factor == pytest.approx(factor, rel=0.06)
    assert found.lower <= factor <= found.upper


def test_the_interval_is_moses():
    """Tens against ones, by hand: of all 36 differences the fourth from each end.

    P(U <= 3) is 7 of 924, below 1 %; P(U <= 4) is 12 of 924.
    """
    found = shift.shift([math.exp(n) for n in range(0, 60, 10)], [math.exp(n) for n in range(6)])
    assert math.log(found.factor) == pytest.approx(22.5)
    assert math.log(found.lower) == pytest.approx(-2)
    assert math.log(found.upper) == pytest.approx(47)


def test_too_few_have_no_bound():
    """Three values per side have no 99 % bound."""
    found = shift.shift([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert (found.lower, found.upper) == (0.0, math.inf)
    assert shift.visible([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 1.2) == math.inf


def test_identical_and_tied_values():
    """Without spread, the bounds equal the factor."""
    same = shift.shift([100.0] * 10, [100.0] * 6)
    assert same == shift.Shift(1.0, 1.0, 1.0)
    ties = shift.shift([100.0, 100.0, 120.0] * 4, [100.0, 120.0] * 4)
    assert ties.lower <= ties.factor <= ties.upper


@pytest.mark.parametrize(
    ("now", "before"), [([], [1.0]), ([1.0], []), ([0.0, 1.0], [1.0]), ([1.0], [-1.0])]
)
def test_empty_sides_and_zeros_are_refused(now, before):
    """A logarithm needs a value above 0."""
    with pytest.raises(ValueError, match="expected values above 0 on both sides"):
        shift.shift(now, before)


def test_unchanged_days_are_rarely_called_slower():
    """The test is one-sided at 99 %, for a factor of 1."""
    called = sum(
        shift.shift(medians(24, seed=2 * n), medians(6, seed=2 * n + 1)).lower > 1
        for n in range(300)
    )
    assert called <= 9


def test_blocks_with_too_few_samples_have_no_median():
    """Four samples are too few."""
    blocks = [count_values([100.0] * 4), count_values([100.0] * 5), count_values([])]
    assert shift.block_medians(blocks) == [pytest.approx(100, rel=0.011)]


def test_a_thicker_tail_is_detected_separately():
    """A fifth of the requests is five times as slow."""
    chance = random.Random(6)

    def blocks(n: int, slow: float) -> list[dict[int, int]]:
        return [
            count_values(
                100 * chance.lognormvariate(0, 0.2) * (5 if chance.random() < slow else 1)
                for _ in range(20)
            )
            for _ in range(n)
        ]

    before = blocks(12, 0.0)
    thick, thin = shift.tail(blocks(24, 0.2), before), shift.tail(blocks(24, 0.0), before)
    assert thick.lower > shift.TAIL_SHARE
    assert thick.ratio > 1.5
    assert thin.lower < 0.05 < shift.TAIL_SHARE
    assert thin.ratio < 1.2


def test_a_tail_that_comes_in_one_clump_weighs_less():
    """The same share, spread evenly, has a tighter bound (design effect)."""
    base = [count_values([100.0] * 19 + [150.0])] * 12
    even = shift.tail([count_values([100.0] * 16 + [900.0] * 4)] * 10, base)
    clumped = shift.tail([count_values([100.0] * 20)] * 8 + [count_values([900.0] * 20)] * 2, base)
    assert even.share == clumped.share == 0.2
    assert clumped.lower < even.lower


def test_the_smallest_visible_rise_grows_with_the_noise():
    """It is above the limit itself."""
    quiet = shift.visible(medians(24), medians(12, seed=2), 1.2)
    chance = random.Random(3)
    noisy = [100 * chance.lognormvariate(0, 0.3) for _ in range(24)]
    assert 1.2 < quiet < shift.visible(noisy, medians(12, seed=2), 1.2)
