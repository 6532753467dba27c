"""Bounds of quantiles from ranks."""

from __future__ import annotations

import random

import pytest

from hour24.statistics import quantiles


@pytest.mark.parametrize(("q", "n"), [(0.99, 299), (0.95, 59), (0.9, 29), (0.999, 2995), (0.5, 5)])
def test_the_smallest_sample_size(q, n):
    """It equals the published one; one sample fewer has no bound."""
    assert quantiles.least_samples(q) == n
    assert quantiles.upper_rank(n, q) == n
    assert quantiles.upper_rank(n - 1, q) is None


@pytest.mark.parametrize(("n", "rank"), [(480, 479), (1440, 1433), (14_400, 14_276)])
def test_the_rank_of_the_upper_bound(n, rank):
    """The rank for p99 at 95 % equals the published one."""
    assert quantiles.upper_rank(n, 0.99) == rank


def test_the_lower_rank_lies_below_the_quantile():
    """It does so at 99 %; too few samples have none."""
    assert quantiles.lower_rank(480, 0.99) == 469
    assert quantiles.lower_rank(3, 0.5) is None
    assert quantiles.lower_rank(0, 0.99) is None
    assert quantiles.upper_rank(0, 0.99) is None


def test_the_upper_bound_covers_95_of_100():
    """The p95 of uniform values is known."""
    chance = random.Random(11)
    rank = quantiles.upper_rank(200, 0.95)
    assert rank is not None
    held = sum(sorted(chance.random() for _ in range(200))[rank - 1] >= 0.95 for _ in range(1000))
    assert 935 <= held <= 995


@pytest.mark.parametrize("q", [0.0, 1.0, -0.1, 2.0])
def test_an_impossible_quantile_is_refused(q):
    """The message gives the expected range."""
    with pytest.raises(ValueError, match="quantiles: q: expected a number above 0 and below 1"):
        quantiles.least_samples(q)


@pytest.mark.parametrize(
    ("n", "values", "expected"),
    [
        (1000, {0.5: 40.0, 0.99: 120.0, 1.0: 300.0}, (0, 0)),
        (1000, {0.5: 40.0, 0.99: 120.0}, (0, 10)),
        (1000, {0.5: 40.0, 0.99: 600.0, 1.0: 900.0}, (10, 500)),
        (1000, {0.5: 40.0, 0.95: 90.0, 0.99: 400.0, 1.0: 900.0}, (1, 10)),
        (1000, {0.5: 700.0}, (500, 1000)),
        (1000, {0.99: float("nan")}, (0, 1000)),
        (1000, {}, (0, 1000)),
        (0, {0.5: 40.0}, (0, 0)),
        (1, {0.5: 900.0, 1.0: 900.0}, (1, 1)),
    ],
)
def test_known_quantiles_bound_how_many_are_slow(n, values, expected):
    """The fewest and the most values at or above 500 are returned."""
    assert quantiles.count_at_or_above(n, 500.0, values) == expected
