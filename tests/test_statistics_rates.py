"""Failure rates: exact bounds compared with published values, and escalation."""

from __future__ import annotations

import math

import pytest

from hour24.statistics.rates import (
    LEAST_BAD,
    calls_for_a_person,
    design_effect,
    escalation,
    judge_census,
    judge_sample,
    lower,
    needed_total,
    upper,
)


@pytest.mark.parametrize(
    ("limit", "wanted"),
    [
        (0.01, [299, 473, 628, 773, 913, 1049]),
        (0.05, [59, 93, 124]),
        (0.10, [29, 46, 61]),
        (0.001, [2995, 4742]),
    ],
)
def test_the_sample_size_that_passes(limit, wanted):
    """With 0, 1, 2, ... bad, the 95 % Clopper-Pearson bound is below the limit."""
    assert [needed_total(bad, limit) for bad in range(len(wanted))] == wanted
    for bad, total in enumerate(wanted):
        assert judge_sample(bad, total, limit).standing == "inside"
        assert judge_sample(bad, total - 1, limit).standing == "open"


@pytest.mark.parametrize(
    ("total", "bad"), [(20, 3), (50, 4), (100, 5), (480, 12), (1440, 25), (14400, 173)]
)
def test_the_failures_that_exceed_1_percent(total, bad):
    """The 99 % lower bound is above 1 % from this many on, and not with one fewer."""
    assert judge_sample(bad, total, 0.01).standing == "beyond"
    assert judge_sample(bad - 1, total, 0.01).standing != "beyond"


@pytest.mark.parametrize(
    ("bad", "total", "limit", "standing"),
    [(0, 20, 0.01, "open"), (0, 120, 0.01, "open"), (1, 480, 0.01, "inside")]
    + [(bad, total, 0.1, "inside") for bad, total in ((0, 29), (1, 46), (4, 100), (21, 300))]
    + [(1, 29, 0.1, "open"), (5, 100, 0.1, "open"), (22, 300, 0.1, "open")],
)
def test_the_bounds_of_windows_and_sockets(bad, total, limit, standing):
    """20 requests can never pass; probes every 30 s pass with at most one error."""
    assert judge_sample(bad, total, limit).standing == standing


def test_none_of_twenty_leaves_up_to_13_9_percent_open():
    """ "0 of 20" has an upper bound of 13.9 %."""
    share = judge_sample(0, 20, 0.01)
    assert share.upper == pytest.approx(0.139, abs=0.0005)
    assert share.upper == pytest.approx(1 - 0.05 ** (1 / 20))
    assert share.lower == 0.0


def test_bounds_solve_their_binomial_tails():
    """The upper tail is 1 % at the lower bound; the lower tail is 5 % at the upper bound."""

    def tail(most: int, total: int, p: float) -> float:
        return sum(math.comb(total, k) * p**k * (1 - p) ** (total - k) for k in range(most + 1))

    for bad, total in ((1, 5), (3, 20), (12, 480), (7, 7)):
        assert 1 - tail(bad - 1, total, lower(bad, total)) == pytest.approx(0.01)
        if bad < total:
            assert tail(bad, total, upper(bad, total)) == pytest.approx(0.05)
    assert upper(7, 7) == 1.0


def test_a_single_failure_is_never_beyond():
    """One failure is open in any total, as a sample or as a census."""
    assert LEAST_BAD == 2
    for total in (1, 2, 5):
        assert judge_sample(1, total, 0.01).standing == "open"
        assert judge_census(1, total, 0.01).standing == "open"
    assert judge_census(2, 2, 0.01).standing == "beyond"


def test_a_census_is_exact():
    """No bound widens it, and the limit itself is not below the limit."""
    assert judge_census(9, 1000, 0.01).standing == "inside"
    assert judge_census(10, 1000, 0.01).standing == "beyond"
    share = judge_census(3, 1354, 0.01)
    assert share.lower == share.upper == share.share == pytest.approx(3 / 1354)


def test_nothing_counted_is_open():
    """No data is neither inside nor beyond."""
    assert judge_sample(0, 0, 0.01).standing == judge_census(0, 0, 0.01).standing == "open"


@pytest.mark.parametrize(("bad", "total"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts_are_refused(bad, total):
    """More bad than the total, fewer than zero, or a total of zero is refused."""
    with pytest.raises(ValueError, match="expected 0 <= bad <= total"):
        upper(bad, total)


@pytest.mark.parametrize("limit", [0.0, 1.0, -0.1])
def test_a_limit_that_is_no_share_is_refused(limit):
    """No sample size could ever show it."""
    with pytest.raises(ValueError, match="above 0 and below 1"):
        needed_total(0, limit)


def test_the_design_effect_measures_clumps():
    """Even blocks give 1; all failures in one of four blocks give more than 4."""
    assert design_effect([5, 5, 5, 5], [100] * 4) == 1.0
    assert design_effect([20, 0, 0, 0], [100] * 4) == pytest.approx(
        (15**2 + 3 * 25) / 100 / 3 / (0.05 * 0.95) * 1.0
    )
    for bad, total in (([], []), ([3], [10]), ([0, 0], [10, 10]), ([10, 10], [10, 10])):
        assert design_effect(bad, total) == 1.0
    assert design_effect([2, 0], [100, 0]) == 1.0


# --- the runbook's "above 5 %" ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "total", "calls"),
    [
        (2, 2, False),
        (3, 3, True),
        (3, 60, False),
        (4, 60, False),
        (5, 60, True),
        (4, 40, True),
        (3, 30, False),
        (15, 300, False),
        (16, 300, True),
        (0, 0, False),
        (5, 3, True),
    ],
)
def test_five_minutes_call_for_a_person(bad, total, calls):
    """Three failures, more than 5 %, and above 1 % at 99.9 % confidence."""
    assert calls_for_a_person(bad, total) is calls


@pytest.mark.parametrize(("per_minute", "within"), [(12, 1), (60, 1), (2, 2)])
def test_an_outage_is_detected_within_minutes(per_minute, within):
    """All requests fail for three minutes, after an hour without failures."""
    errors = [0] * 60 + [per_minute] * 3 + [0] * 10
    seen = escalation(errors, [per_minute] * len(errors))
    assert seen is not None
    assert 60 <= seen < 60 + within


def test_a_quiet_day_and_single_errors_do_not_escalate():
    """A rule of "any minute above 5 %" would escalate each of these."""
    errors = [1 if minute % 30 == 0 else 0 for minute in range(1440)]
    assert escalation(errors, [12] * 1440) is None
    assert escalation([0] * 1440, [60] * 1440) is None
    assert escalation([], []) is None


def test_only_the_last_five_minutes_count():
    """Three failures over six minutes are not three in five."""
    assert escalation([1, 0, 1, 0, 0, 1], [2] * 6) is None
    assert escalation([1, 0, 1, 0, 1], [1] * 5) == 4
