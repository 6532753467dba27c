"""Starts of processes from uptimes, behind a balancer."""

from __future__ import annotations

import random

import pytest

from hour24.statistics import restarts


def readings(
    starts: dict[str, list[float]],
    hours: float = 24.0,
    names: bool = False,
    resolution: float = 1.0,
) -> list[tuple[float, float, str]]:
    """Readings of a random instance every 30 s, rounded down to the resolution."""
    chance = random.Random(4)
    found = []
    for n in range(int(hours * 120)):
        at = 30.0 * n + 7
        name = chance.choice(sorted(starts))
        begun = max(start for start in starts[name] if start <= at)
        found.append((at, (at - begun) // resolution * resolution, name if names else ""))
    return found


@pytest.mark.parametrize("instances", [1, 5, 20])
def test_no_start_is_found_where_none_was(instances):
    """Uptimes fall all the time behind a balancer."""
    starts = {f"i{n}": [-1000.0 * (n + 1)] for n in range(instances)}
    lives = restarts.incarnations(readings(starts), 1.0)
    assert len(lives) == instances
    assert restarts.most_alive(lives) == instances


@pytest.mark.parametrize("resolution", [1.0, 60.0])
def test_a_start_is_found_to_its_resolution(resolution):
    """One of five instances restarts halfway through the day."""
    starts = {f"i{n}": [-5000.0 * (n + 1)] for n in range(5)}
    starts["i2"].append(50_000.0)
    lives = restarts.incarnations(readings(starts, resolution=resolution), resolution)
    fresh = [life for life in lives if life.start > 0]
    assert len(fresh) == 1
    assert fresh[0].start == pytest.approx(50_000, abs=resolution)


def test_a_drifting_clock_is_one_run():
    """100 ppm over a day are 8.6 s, in steps far below the tolerance."""
    readings = [(30.0 * n, 1000 + 30.0 * n * (1 - 1e-4), "") for n in range(2880)]
    assert len(restarts.incarnations(readings, 1.0)) == 1


def test_names_separate_runs_that_began_together():
    """Two instances of one deploy are two runs."""
    starts = {"a": [-500.0], "b": [-500.0]}
    assert len(restarts.incarnations(readings(starts), 1.0)) == 1
    assert len(restarts.incarnations(readings(starts, names=True), 1.0)) == 2


def test_a_crash_loop_is_counted_as_at_least():
    """Every run that was probed counts."""
    starts = {"a": [-100.0, *(90.0 * n for n in range(100, 115))], "b": [-9000.0], "c": [-7000.0]}
    lives = restarts.incarnations(readings(starts), 1.0)
    assert 8 <= sum(life.start > 0 for life in lives) <= 15


@pytest.mark.parametrize(
    ("instances", "probes"), [(0, 1), (1, 1), (2, 10), (3, 18), (5, 31), (10, 66), (20, 135)]
)
def test_the_number_of_probes_that_reach_every_instance(instances, probes):
    """The numbers equal the published ones."""
    assert restarts.probes_needed(instances) == probes


def test_no_reading_and_one_reading():
    """They give no run and one run."""
    assert restarts.incarnations([], 1.0) == []
    assert restarts.most_alive([]) == 0
    one = restarts.incarnations([(100.0, 30.0, "a")], 1.0)
    assert one == [restarts.Incarnation(70.0, 100.0, 100.0, 1, "a")]


def test_the_tolerance_is_never_below_the_resolution():
    """A resolution of a minute with a tolerance of 5 s would find nothing, or everything."""
    assert restarts.tolerance(1.0) == 5.0
    assert restarts.tolerance(60.0) == 90.0
