"""Memory trends: shapes that are no leak, leaks, and degenerate input."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy
import pytest

from hour24.rehearsal.scenario import Scenario
from hour24.statistics.memory import Trend, _deep_drops, trend
from tests.memory_of import cache, day, heap, leak


def judged(values: list[float | None] | list[float], **more: object) -> Trend:
    return trend([n / 60 for n in range(len(values))], values, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [heap(24), heap(24, cache(60)), heap(24, day(15)), heap(24, leak(-2))],
    ids=["flat", "cache", "day", "shrinks"],
)
def test_what_is_no_leak_is_never_called_one(values):
    """A healthy trace is no leak at any checkpoint."""
    for hours in (4, 8, 12, 16, 20, 24):
        assert judged(values[: 60 * hours]).standing != "leaks", hours


def test_a_flat_saw_tooth_is_flat():
    """Its slope is near zero and within its own bounds."""
    found = judged(heap(24))
    assert found.standing == "flat"
    assert found.lower <= found.slope <= found.upper < 1
    assert abs(found.slope) < 0.1


@pytest.mark.parametrize("rate", [2.0, 5.0, 20.0])
def test_a_leak_is_called_at_24_hours_with_its_rate(rate):
    """The slope is the leak's rate, and the leak is above the detectable minimum."""
    found = judged(heap(24, leak(rate)))
    assert found.standing == "leaks"
    assert found.slope == pytest.approx(rate, rel=0.05)
    assert found.lower <= rate <= found.upper
    assert found.visible < rate


def test_nothing_is_judged_at_four_hours():
    """Even 20 MB an hour stays open: a heap may climb for hours before its first collection."""
    assert judged(heap(4, leak(20))).standing == "open"
    assert judged(heap(1)).why == "too_early"


def test_a_rise_that_ends_is_no_leak_however_clear_its_slope():
    """A cache that fills evenly for 18 hours has a significant slope and is no leak."""
    found = judged(heap(24, lambda hour: 3 * min(hour, 18)))
    assert found.lower > 0.3
    assert (found.standing, found.why) == ("open", "unsteady")


def test_the_first_hour_after_a_start_is_left_out():
    """A warm-up of 60 MB is no trend, also after a restart."""

    def warming(hour: float) -> float:
        return -60 * max(0.0, 1 - hour)

    assert abs(judged(heap(24, warming)).slope) < 0.1
    twice = [*heap(12, warming), *heap(12, warming)]
    assert abs(judged(twice, starts=[12.0]).slope) < 0.1


def test_a_steep_leak_is_called_at_twelve_hours_and_a_slow_one_suspected():
    """Steep means 2 % of the level an hour."""
    assert judged(heap(12, leak(20))).standing == "leaks"
    slow = judged(heap(12, leak(3)))
    assert (slow.standing, slow.why) == ("open", "suspect")


def test_a_near_limit_calls_a_leak_early_and_gives_the_time():
    """At 8 hours a leak that exhausts memory within a day is called, with the hours left."""
    found = judged(heap(8, leak(20)), limit=400.0)
    assert found.standing == "leaks"
    top = max(heap(8, leak(20)))
    assert found.exhausted_h == pytest.approx((400 - top) / found.lower)


def test_a_level_at_its_limit_is_not_passed():
    """It does not rise, and has no headroom."""
    found = judged(heap(24), limit=220.0)
    assert (found.standing, found.why) == ("open", "near_limit")


def test_a_restart_has_its_own_level():
    """Two flat runs at different levels are no trend; two leaking ones are."""
    starts = [12.0]
    flat = [*heap(12, floor=150), *heap(12, floor=200)]
    assert judged(flat, starts=starts).standing != "leaks"
    assert abs(judged(flat, starts=starts).slope) < 0.3
    leaking = [*heap(12, leak(10)), *heap(12, leak(10))]
    assert judged(leaking, starts=starts).slope == pytest.approx(10, rel=0.1)


def test_memory_that_follows_the_load_is_no_leak():
    """A load that rises all day takes memory with it; without the load it looks like a leak."""
    load = [10 + 2.0 * n / 60 + 3 * math.sin(n / 50) for n in range(24 * 60)]
    values = [v + 3 * x for v, x in zip(heap(24), load, strict=True)]
    assert abs(judged(values, load=load).slope) < 1
    assert judged(values).slope > 4


def daily_load(peak: float) -> list[float]:
    """Requests a second with a day's shape, highest at hour ``peak``."""
    return [20 + 14 * math.cos(2 * math.pi * (n / 60 - peak) / 24) for n in range(24 * 60)]


@pytest.mark.parametrize("peak", range(0, 24, 3))
@pytest.mark.parametrize("settles", [20.0, 40.0, 60.0])
def test_a_heap_that_settles_under_a_daily_load_is_no_leak(peak, settles):
    """It grows with the logarithm of time, whatever the load does."""
    load = daily_load(peak)
    values = heap(24, lambda hour: settles * math.log1p(hour / 0.3) / math.log1p(24 / 0.3))
    with_load = [v + 0.3 * x for v, x in zip(values, load, strict=True)]
    assert judged(with_load, load=load).standing != "leaks"


@pytest.mark.parametrize("peak", range(3, 24, 6))
@pytest.mark.parametrize("rate", [5.0, 20.0])
def test_a_leak_by_requests_is_called_whenever_the_day_is_busy(peak, rate):
    """A leak per request grows mostly in the busy hours and is still called."""
    load = daily_load(peak)
    served = [sum(load[: n + 1]) / sum(load) for n in range(len(load))]
    values = [v + rate * 24 * share for v, share in zip(heap(24), served, strict=True)]
    found = judged(values, load=load, limit=1000.0)
    assert found.standing == "leaks"
    assert found.slope == pytest.approx(rate, rel=0.3)
    assert found.growth == pytest.approx(found.slope * 23, rel=0.1)
    left = 1000.0 - max(values)
    assert found.exhausted_h == pytest.approx(left / found.lower)


@pytest.mark.parametrize("peak", [10, 12, 14])
def test_a_resident_set_at_its_high_water_mark_is_no_leak(peak):
    """It rises until the busiest hour and stays there while the load falls."""
    load = daily_load(peak)
    most = [max(load[: n + 1]) for n in range(len(load))]
    values = [300 + 2 * x + 8 * math.log1p(n / 60) for n, x in enumerate(most)]
    found = judged(values, load=load, metric="rss")
    assert (found.standing, found.why) == ("open", "unsteady")


def test_a_climb_without_collections_is_not_judged():
    """A heap may be before its first collection; a resident set has no collections."""
    climb = [180 + 3.0 * n / 60 for n in range(24 * 60)]
    found = judged(climb)
    assert (found.standing, found.why) == ("open", "no_collection")
    assert judged(climb, metric="rss").standing == "leaks"


@pytest.mark.parametrize(
    "values",
    [[], [None] * 1440, [180.0], [180.0] * 10],
    ids=["empty", "nothing measured", "one", "ten"],
)
def test_too_little_data_is_open(values):
    """Too little data is never flat."""
    found = judged(values)
    assert (found.standing, found.why) == ("open", "too_early")


@pytest.mark.parametrize("level", [0.0, 180.0])
def test_identical_values_do_not_leak(level):
    """A zero range, residual or level does not divide by zero."""
    found = judged([level] * 1440, metric="rss")
    assert found.standing == "flat"
    assert (found.slope, found.growth) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-6))


def test_gaps_are_not_zeros():
    """Every third reading and half an hour are missing, and the trace is flat."""
    values: list[float | None] = list(heap(24))
    for n in (*range(0, 1440, 3), *range(600, 630)):
        values[n] = None
    assert judged(values).standing == "flat"


SEEDS = range(1, 101)
"""Seeds of the rehearsal's own memory: a collector's sawtooth, a reading a minute."""


def rehearsed(seed: int, rate: float, onset: float) -> list[float]:
    """A day of one instance of the rehearsal, from an hour before T0; MB."""
    machines = Scenario(seed, (), datetime(2026, 3, 2, 6, tzinfo=UTC)).machines
    life = next(each for each in machines.lives if each.start_h < -1 and each.end_h > 100)
    hours = [n / 60 - 1 for n in range(25 * 60)]
    return [machines.memory_mb(life, at) + rate * max(0.0, at - onset) for at in hours]


def at_checkpoint(values: list[float], hour: int) -> Trend:
    """The trend at ``hour``, without the last 5 minutes, which have not arrived yet."""
    return judged(values[: (hour + 1) * 60 - 5], metric="rss", limit=512)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leak_from_hour_6_on_is_suspected_at_12_and_called_by_20(seed: int) -> None:
    """At 11 MB/h no checkpoint passes it."""
    values = rehearsed(seed, 11.0, 6.0)
    at_12 = at_checkpoint(values, 12)
    assert (at_12.standing, at_12.steep) == ("open", True)
    assert 4.0 < at_12.onset_h < 9.0
    assert at_checkpoint(values, 16).standing == "open"
    assert at_checkpoint(values, 20).standing == "leaks"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_healthy_day_is_neither_called_nor_suspected(seed: int) -> None:
    """No checkpoint raises a false alarm over 100 seeds."""
    values = rehearsed(seed, 0.0, 0.0)
    found = [at_checkpoint(values, hour) for hour in (8, 12, 16, 20, 24)]
    assert [each.standing for each in found] == ["flat"] * 5


def test_a_leak_that_was_called_stays_called_until_something_ends_it() -> None:
    """A leak that slows down at hour 12 stays called; a restart or a flat half ends it."""

    def slowing(hour: float) -> float:
        return 10.0 * min(hour, 13.0) + 2.0 * max(0.0, hour - 13.0)

    def ended(hour: float) -> float:
        return 10.0 * min(hour, 11.0)

    assert judged(heap(13, slowing)).standing == "leaks"
    later = judged(heap(17, slowing))
    assert (later.standing, later.called_h > 0) == ("leaks", True)
    restarted = judged([*heap(13, slowing), *heap(4)], starts=[13.0])
    assert restarted.called_h == 0.0
    flat = judged(heap(24, ended))
    assert (flat.standing, flat.levelled_off) == ("flat", True)
    assert flat.late_upper < 1.0


def test_large_collections_are_counted_against_a_level_that_one_sample_cannot_tilt():
    """The ends of twelve samples are the medians of four, not of two."""
    values = [100, 120, 120, 140, 100, 120, 110, 105, 140, 100, 110, 100]
    assert _deep_drops(numpy.array(values, dtype=float)) == 2
