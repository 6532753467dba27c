"""Heartbeats: gaps, lateness, interleaved workers."""

from __future__ import annotations

import math
import random

import pytest

from hour24.statistics import beats

EVERY = [30.0 * n for n in range(121)]


def test_a_beat_counts_once_and_in_order():
    """Duplicate and unordered lines give unique times in ascending order."""
    assert beats.unique_times([60.0, 0.0, 30.0, 30.0, math.nan, math.inf]) == [0.0, 30.0, 60.0]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (EVERY, []),
        (EVERY[:50] + EVERY[52:], [(1470.0, 1560.0)]),
        (EVERY[10:], [(0.0, 300.0)]),
        (EVERY[:-10], [(3300.0, 3600.0)]),
        ([], [(0.0, 3600.0)]),
        ([-100.0, 4000.0], [(0.0, 3600.0)]),
    ],
    ids=["steady", "two missed", "late", "died", "empty", "outside"],
)
def test_gaps_end_at_the_windows_edges(times, expected):
    """Beats outside the window do not end a gap."""
    assert beats.gaps(times, 0.0, 3600.0, 75.0) == expected


def test_a_gap_of_exactly_the_limit_is_none():
    """A gap must be longer than the limit."""
    assert beats.gaps([0.0, 75.0], 0.0, 75.0, 75.0) == []


def test_lateness_is_of_all_but_a_thousandth():
    """One straggler in 2,000 lines does not count; without arrival times the lateness is 0."""
    times = [float(n) for n in range(2000)]
    arrivals: list[float | None] = [t + 2 for t in times]
    arrivals[7] = times[7] + 900
    assert beats.lateness(times, arrivals) == 2.0
    assert beats.lateness(times, [None] * 2000) == 0.0
    assert beats.lateness([], []) == 0.0
    assert beats.lateness([5.0], [1.0]) == 0.0


def interleaved(offsets: list[float]) -> list[float]:
    """Interleaved beats of one worker per offset, with a jitter of one second."""
    chance = random.Random(len(offsets))
    return sorted(30.0 * n + at + chance.gauss(0, 1) for n in range(200) for at in offsets)


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_workers_spread_evenly_are_counted(workers):
    """The k-th beat after any beat comes one period later."""
    offsets = [30.0 * n / workers for n in range(workers)]
    assert beats.count_workers(interleaved(offsets), 30.0) == workers


@pytest.mark.parametrize("offsets", [[3.0, 9.0], [1.0, 2.0], [29.0, 0.5], [6.0, 11.0, 15.0]])
def test_workers_that_beat_near_one_another_are_more_than_one(offsets):
    """The exact number is uncertain then; that there are several is not."""
    assert beats.count_workers(interleaved(offsets), 30.0) > 1
    assert beats.count_workers(interleaved(offsets)[1:], 30.0) > 1


@pytest.mark.parametrize("times", [[], [1.0], [5.0] * 200, EVERY[:40]])
def test_too_few_or_identical_beats_count_as_one_worker(times):
    """Several workers are never claimed without evidence."""
    assert beats.count_workers(times, 30.0) == 1


@pytest.mark.parametrize(("workers", "found"), [(20, 20), (21, 20)])
def test_no_more_than_twenty_workers_are_told_apart(workers, found):
    """Twenty are; of one more the rhythm of twenty is the nearest that is looked for."""
    stream = [30.0 * n + 30.0 * w / workers for n in range(40) for w in range(workers)]
    assert beats.count_workers(stream, 30.0) == found
