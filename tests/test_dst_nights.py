"""A watch over both nights in which the clocks of its time zone change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from hour24.commands import say
from hour24.report.times import Times
from hour24.watch import Watch

ZONE = "Europe/Berlin"
NIGHTS = {
    "an hour is left out": datetime(2026, 3, 28, 12, tzinfo=UTC),
    "an hour comes twice": datetime(2026, 10, 24, 12, tzinfo=UTC),
}


@pytest.mark.parametrize("t0", NIGHTS.values(), ids=list(NIGHTS))
def test_checkpoints_are_four_hours_apart_whatever_the_clock_on_the_wall_does(t0: datetime) -> None:
    """Due times, windows and the end are of 24 hours of time; windows touch."""
    watch = Watch(name="w", t0=t0, zone=ZONE)
    points = [watch.checkpoint(hour) for hour in watch.hours]
    assert [(b.due - a.due).total_seconds() for a, b in pairwise(points)] == [14_400.0] * 6
    assert all(a.window.end == b.window.start for a, b in pairwise(points))
    assert all(point.window.hours == 4 for point in points[1:])
    assert watch.whole.hours == 24


@pytest.mark.parametrize("t0", NIGHTS.values(), ids=list(NIGHTS))
def test_each_due_time_is_another_one_on_the_page(t0: datetime) -> None:
    """With its offset, since that changes: 02:30 may come twice."""
    watch = Watch(name="w", t0=t0, zone=ZONE)
    times = Times(ZONE, t0, watch.whole.end)
    assert times.mixed
    shown = [times.full(t0 + timedelta(minutes=30 * n)) for n in range(49)]
    assert len(set(shown)) == 49
    assert {each.rpartition(" ")[2] for each in shown} == {"UTC+01:00", "UTC+02:00"}


@pytest.mark.parametrize(
    ("t0", "shown"),
    list(zip(NIGHTS.values(), ("06:00", "05:00"), strict=True)),
    ids=list(NIGHTS),
)
def test_the_terminal_says_the_time_as_people_there_read_it(t0: datetime, shown: str) -> None:
    """Sixteen hours after 13:00 is six in spring; after 14:00, five in autumn."""
    due = Watch(name="w", t0=t0, zone=ZONE).checkpoint(16).due
    assert say.local(due, ZONE).endswith(f"{shown} {ZONE}")
