"""How much was looked at, and what could have hidden."""

from __future__ import annotations

import math
import random

import pytest

from hour24.statistics import coverage

DAY = 86400.0
EVERY_30 = [30.0 * n for n in range(2880)]


def test_gaps_hold_the_edges():
    """Looks outside the window are none."""
    assert coverage.gaps([-5.0, 10.0, 40.0, 200.0], 0.0, 100.0) == [10.0, 30.0, 60.0]
    assert coverage.gaps([], 0.0, 100.0) == [100.0]


@pytest.mark.parametrize(
    ("outage", "missed"), [(5, 0.833333), (15, 0.5), (30, 0.0), (60, 0.0), (300, 0.0)]
)
def test_the_chance_to_miss_an_outage_at_30_s(outage, missed):
    """As published."""
    stretches = coverage.gaps(EVERY_30, 0.0, DAY)
    assert coverage.missed(stretches, outage, DAY) == pytest.approx(missed, abs=1e-6)


@pytest.mark.parametrize(("outage", "missed"), [(5, 0.833796), (30, 0.002778), (120, 0.001736)])
def test_a_gap_of_270_s_adds_to_it(outage, missed):
    """2,872 of 2,880 looks."""
    looks = [t for t in EVERY_30 if not 36_000 < t < 36_270]
    stretches = coverage.gaps(looks, 0.0, DAY)
    assert (len(looks), max(stretches)) == (2872, 270.0)
    assert coverage.missed(stretches, outage, DAY) == pytest.approx(missed, abs=1e-6)


def test_the_formula_is_what_a_thousand_outages_meet():
    """Random looks, random outages."""
    chance = random.Random(2)
    looks = sorted(chance.uniform(0, DAY) for _ in range(1000))
    stretches = coverage.gaps(looks, 0.0, DAY)
    hidden = 0
    for _ in range(4000):
        at = chance.uniform(0, DAY)
        hidden += not any(at <= t < at + 60 for t in looks)
    assert coverage.missed(stretches, 60.0, DAY) == pytest.approx(hidden / 4000, abs=0.03)


def test_how_many_outages_are_compatible():
    """16 of 5 s at 30 s intervals; none that cannot hide; any number of those always missed."""
    assert math.floor(coverage.compatible(0.833796)) == 16
    assert coverage.compatible(0.0) == 0.0
    assert coverage.compatible(1.0) == math.inf


@pytest.mark.parametrize(
    ("looks", "share"), [(2880, 0.00103964), (1440, 0.00207821), (1, 0.95), (0, 1.0)]
)
def test_clean_looks_bound_the_down_time(looks, share):
    """90 s a day at 30 s, 180 s at 60 s; without a look everything is open."""
    assert coverage.downtime_share(looks) == pytest.approx(share, abs=1e-7)


def test_a_window_of_no_length_misses_everything():
    """Never a division by nothing."""
    assert coverage.missed([], 5.0, 0.0) == 1.0
