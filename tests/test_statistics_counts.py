"""Counts over time: hours, rises, spikes, and the ratio of two counts."""

from __future__ import annotations

import math

import numpy
import pytest

from hour24.statistics.counts import (
    _dispersion,
    busiest,
    calendar_hours,
    least_significant,
    ratio,
    rise,
    spikes,
)

HOUR = 3600.0


def chance(seed: int) -> numpy.random.Generator:
    return numpy.random.default_rng(seed)


def test_calendar_hours_are_cut_to_the_window():
    """00:55 to 03:10 gives five minutes, two hours and ten minutes."""
    start, end = 55 * 60.0, 3 * HOUR + 600
    found = calendar_hours([start, HOUR, 2 * HOUR - 1, 2 * HOUR, end - 1, end], start, end)
    assert [(hour.start, hour.end) for hour in found] == [
        (start, HOUR),
        (HOUR, 2 * HOUR),
        (2 * HOUR, 3 * HOUR),
        (3 * HOUR, end),
    ]
    assert [hour.count for hour in found] == [1, 2, 1, 1]


def test_no_time_is_lost_or_counted_twice():
    """A time inside is in exactly one hour; a time outside is in none."""
    times = [-1.0, 0.0, 0.5, 3599.999, 3600.0, 7199.0, 7200.0]
    assert sum(hour.count for hour in calendar_hours(times, 0.0, 7200.0)) == 5
    assert calendar_hours(times, 10.0, 10.0) == []


def test_the_busiest_hour_rolls():
    """Three times across a clock hour are one window; exactly an hour later is outside it."""
    assert busiest([3500.0, 3590.0, 3700.0, 9000.0]) == (3, 3500.0)
    assert busiest([0.0, 3600.0]) == (1, 0.0)
    assert busiest([0.0, 3599.9]) == (2, 0.0)
    assert busiest([]) == (0, 0.0)
    assert busiest([5.0, 5.0, 5.0]) == (3, 5.0)
    assert busiest([0.0, 40000.0, 80000.0], 86400.0) == (3, 0.0)


# --- rises --------------------------------------------------------------------------------------


def test_a_rise_is_the_test_of_cochran_and_armitage():
    """10, 20, 30 of 100 give z = 3.2359 and a one-sided p = 0.000606, computed by hand."""
    found = rise([10, 20, 30], [100, 100, 100])
    assert found is not None
    z = (30 - 10) / math.sqrt(0.2 * 0.8 * 200)
    assert found.p_value == pytest.approx(0.5 * math.erfc(z / math.sqrt(2)), rel=1e-6)
    assert (found.first, found.last) == (pytest.approx(0.1), pytest.approx(0.3))
    assert found.factor == pytest.approx(3.0)
    assert found.dispersion == 1.0


def test_a_fall_is_no_rise():
    """The test is one-sided: the reversed series is far from significant."""
    found = rise([30, 20, 10], [100] * 3)
    assert found is not None
    assert found.p_value > 0.999
    assert found.factor == pytest.approx(1 / 3)


def test_clumps_widen_the_test():
    """The same slope is less significant among blocks that scatter."""
    even = rise([10, 14, 18, 22, 26, 30], [1000] * 6)
    rough = rise([22, 2, 30, 10, 14, 42], [1000] * 6)
    assert even is not None
    assert rough is not None
    assert even.dispersion == 1.0
    assert rough.dispersion > 3
    assert rough.p_value > even.p_value


@pytest.mark.parametrize(
    ("bad", "total"),
    [
        ([], []),
        ([1, 2], [10, 10]),
        ([0, 0, 0], [10, 10, 10]),
        ([10, 10, 10], [10, 10, 10]),
        ([1, 0, 2], [10, 0, 10]),
    ],
)
def test_where_nothing_varies_there_is_no_trend(bad, total):
    """Fewer than three blocks with trials, none bad or all bad give no trend."""
    assert rise(bad, total) is None


def test_a_rise_from_nothing_is_large_and_finite():
    """Half an error replaces zero."""
    found = rise([0, 0, 0, 1, 4, 9], [1000] * 6)
    assert found is not None
    assert found.first == 0.0
    assert math.isfinite(found.factor)
    assert found.factor > 50
    assert found.p_value < 0.001


@pytest.mark.parametrize(
    ("per_block", "least", "most"), [(480, 0.35, 0.51), (1440, 0.72, 0.9), (14400, 0.99, 1.0)]
)
def test_the_power_to_detect_a_fourfold_rise_over_six_blocks(per_block, least, most):
    """0.43 at 480 a block, 0.80 at 1,440 and 1.00 at 14,400, at a mean rate of 0.5 %."""
    dice = chance(5)
    rates = numpy.linspace(1, 4, 6) / 2.5 * 0.005
    seen = 0
    for _ in range(400):
        found = rise([int(n) for n in dice.binomial(per_block, rates)], [per_block] * 6)
        seen += found is not None and found.p_value < 0.05
    assert least <= seen / 400 <= most


def test_steady_rates_rarely_look_like_a_rise():
    """The false alarm rate at 5 % is about 0.06."""
    dice = chance(6)
    seen = 0
    for _ in range(400):
        found = rise([int(n) for n in dice.binomial(1440, 0.005, 6)], [1440] * 6)
        seen += found is not None and found.p_value < 0.05
    assert seen / 400 < 0.09


# --- spikes -------------------------------------------------------------------------------------


def test_a_block_far_above_the_others_spikes():
    """A spike has its index, its count and the count that the other blocks predict."""
    bad = [3, 2, 4, 3, 60, 2, 3, 4, 3, 2]
    found = spikes(bad, [300] * 10)
    assert [(spike.index, spike.count) for spike in found] == [(4, 60)]
    assert found[0].expected == pytest.approx(26 / 2700 * 300)


def test_a_spike_is_of_the_rate():
    """Ten times the traffic with ten times the errors is no spike."""
    assert spikes([3] * 9 + [30], [300] * 9 + [3000]) == []


@pytest.mark.parametrize(
    ("bad", "more"),
    [
        ([0] * 11 + [2], {}),
        ([10] * 11 + [19], {}),
        ([0] * 11 + [30], {"share": 0.4}),
        ([0] * 11 + [30], {"least": 31}),
        ([5] * 11 + [40], {"times": 10.0}),
        ([7] * 12, {}),
        ([0] * 12, {}),
    ],
)
def test_what_is_small_is_no_spike(bad, more):
    """Fewer than three, less than twice, below the share, or equal to the others is no spike."""
    assert spikes(bad, [100] * len(bad), **more) == []


def test_blocks_without_traffic_are_left_out():
    """They neither spike nor dilute the others; a single block has nothing to compare with."""
    assert [s.index for s in spikes([0, 2, 1, 40, 2], [0, 300, 300, 300, 300])] == [3]
    assert spikes([50], [100]) == []
    assert spikes([], []) == []


@pytest.mark.parametrize(("mean", "most"), [(3.0, 0.09), (5.0, 0.06), (20.0, 0.06)])
def test_false_alarms_are_rare(mean, most):
    """Days of 288 five-minute blocks with independent errors rarely spike."""
    dice = chance(7)
    days = sum(
        bool(spikes([int(n) for n in dice.poisson(mean, 288)], [1000] * 288)) for _ in range(60)
    )
    assert days / 60 <= most


def test_clumped_errors_do_not_spike():
    """Where errors come ten at a time everywhere, ten more in a block are no spike."""
    bad = [10 * n for n in (0, 1, 0, 2, 1, 0, 3, 0, 1, 2, 0, 1, 4, 0, 1, 0, 2, 0, 1, 1)]
    assert spikes(bad, [1000] * 20) == []
    assert [s.index for s in spikes([8] * 19 + [40], [1000] * 20)] == [19]


def test_twenty_times_the_errors_is_detected():
    """The power is at least 0.99 at three errors a block."""
    dice = chance(8)
    seen = 0
    for _ in range(60):
        bad = [int(n) for n in dice.poisson(3.0, 288)]
        bad[100] = int(dice.poisson(60.0))
        seen += 100 in [spike.index for spike in spikes(bad, [1000] * 288)]
    assert seen >= 59


# --- the ratio of two counts ----------------------------------------------------------------------


def test_a_ratio_is_of_rates_with_exact_bounds():
    """Given the sum, the first count is binomial: at the bound its tail is 1 %."""
    found = ratio(40, 4.0, 10, 1.0)
    assert found.ratio == pytest.approx(1.0)
    assert found.lower < 1 < found.upper
    share = found.lower * 4 / (1 + found.lower * 4)
    tail = sum(math.comb(50, k) * share**k * (1 - share) ** (50 - k) for k in range(40, 51))
    assert tail == pytest.approx(0.01)


def test_nothing_before_is_an_infinite_ratio_with_a_finite_bound():
    """With nothing on either side the ratio is 1 and unbounded."""
    found = ratio(30, 1.0, 0, 1.0)
    assert found.ratio == math.inf
    assert 1 < found.lower < math.inf
    assert ratio(0, 4.0, 0, 1.0) == (1.0, 0.0, math.inf)
    assert ratio(0, 1.0, 30, 1.0).upper < 1


def test_clumps_make_a_change_less_certain():
    """Lines that come three at a time are a third of the evidence."""
    single, clumped = ratio(90, 1.0, 30, 1.0), ratio(90, 1.0, 30, 1.0, 3.0)
    assert single.ratio == clumped.ratio == pytest.approx(3.0)
    assert single.lower > clumped.lower > 1
    assert single.upper < clumped.upper


@pytest.mark.parametrize(
    ("exposure", "before", "exposure_before", "clumping"),
    [(1.0, 0, 1.0, 1.0), (4.0, 30, 1.0, 3.0), (4.0, 0, 1.0, 3.0), (1.0, 2000, 1.0, 1.0)],
)
def test_the_smallest_significant_count(exposure, before, exposure_before, clumping):
    """It is significant, and one fewer is not."""
    least = least_significant(exposure, before, exposure_before, clumping)
    assert ratio(least, exposure, before, exposure_before, clumping).lower > 1
    assert ratio(least - 1, exposure, before, exposure_before, clumping).lower <= 1


def test_the_highest_twentieth_of_blocks_hides_no_spike():
    """Two of forty are left out; of three that are alike one counts."""
    calm = [(n, 1, 100) for n in range(38)]
    assert _dispersion([*calm, (38, 50, 100), (39, 50, 100)]) == 1.0
    assert _dispersion([*calm[1:], *((n, 50, 100) for n in range(3))]) > 10
