"""Coverage of a window, and the outages that could be missed."""

from __future__ import annotations

import math
import random

import pytest

from hour24.statistics import coverage

DAY = 86400.0
EVERY_30 = [30.0 * n for n in range(2880)]


def test_gaps_include_the_edges():
    """Probes outside the window are ignored."""
    assert coverage.gaps([-5.0, 10.0, 40.0, 200.0], 0.0, 100.0) == [10.0, 30.0, 60.0]
    assert coverage.gaps([], 0.0, 100.0) == [100.0]


@pytest.mark.parametrize(
    ("outage", "missed"), [(5, 0.833333), (15, 0.5), (30, 0.0), (60, 0.0), (300, 0.0)]
)
def test_the_probability_to_miss_an_outage_at_30_s(outage, missed):
    """The probabilities equal the published ones."""
    lengths = coverage.gaps(EVERY_30, 0.0, DAY)
    assert coverage.miss_probability(lengths, outage, DAY) == pytest.approx(missed, abs=1e-6)


@pytest.mark.parametrize(("outage", "missed"), [(5, 0.833796), (30, 0.002778), (120, 0.001736)])
def test_a_gap_of_270_s_adds_to_it(outage, missed):
    """2,872 of 2,880 probes leave a gap of 270 s."""
    probes = [t for t in EVERY_30 if not 36_000 < t < 36_270]
    lengths = coverage.gaps(probes, 0.0, DAY)
    assert (len(probes), max(lengths)) == (2872, 270.0)
    assert coverage.miss_probability(lengths, outage, DAY) == pytest.approx(missed, abs=1e-6)


def test_the_formula_agrees_with_simulated_outages():
    """Random probes miss as many random outages as the formula says."""
    dice = random.Random(2)
    probes = sorted(dice.uniform(0, DAY) for _ in range(1000))
    lengths = coverage.gaps(probes, 0.0, DAY)
    hidden = 0
    for _ in range(4000):
        at = dice.uniform(0, DAY)
        hidden += not any(at <= t < at + 60 for t in probes)
    assert coverage.miss_probability(lengths, 60.0, DAY) == pytest.approx(hidden / 4000, abs=0.03)


def test_how_many_outages_are_compatible():
    """16 outages of 5 s can be missed at 30 s intervals; 0 and 1 give none and any number."""
    assert math.floor(coverage.compatible_outages(0.833796)) == 16
    assert coverage.compatible_outages(0.0) == 0.0
    assert coverage.compatible_outages(1.0) == math.inf


@pytest.mark.parametrize(
    ("probes", "share"), [(2880, 0.00103964), (1440, 0.00207821), (1, 0.95), (0, 1.0)]
)
def test_clean_probes_bound_the_downtime(probes, share):
    """90 s a day at 30 s, 180 s at 60 s; without a probe the bound is 1."""
    assert coverage.downtime_share(probes) == pytest.approx(share, abs=1e-7)


def test_a_window_of_no_length_misses_everything():
    """A window of length 0 does not divide by zero."""
    assert coverage.miss_probability([], 5.0, 0.0) == 1.0


def test_a_window_without_length_hides_every_outage():
    """One of a second does not: half of an outage of half a second is missed in its only gap."""
    assert coverage.miss_probability([0.0], 0.5, 0.0) == 1.0
    assert coverage.miss_probability([1.0], 0.5, 1.0) == 0.5
