"""A watch over both nights in which the clocks of its time zone change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from hour24.ledger import waivers
from hour24.ledger.verify import verify
from hour24.rehearsal.client import Rehearsal
from hour24.report.times import Times
from hour24.text import format_local
from hour24.watch import Watch
from tests.clocks import Clocked

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
    assert format_local(due, ZONE).endswith(f"{shown} {ZONE}")


def test_a_time_that_the_clock_shows_twice_has_its_offset() -> None:
    """Once a year, for an hour each; no other time has it."""
    hours = [NIGHTS["an hour comes twice"] + timedelta(hours=n) for n in range(11, 15)]
    assert [format_local(each, ZONE) for each in hours] == [
        "2026-10-25 01:00 Europe/Berlin",
        "2026-10-25 02:00 UTC+02:00 Europe/Berlin",
        "2026-10-25 02:00 UTC+01:00 Europe/Berlin",
        "2026-10-25 03:00 Europe/Berlin",
    ]
    spring = NIGHTS["an hour is left out"] + timedelta(hours=13)
    assert format_local(spring, ZONE) == "2026-03-29 03:00 Europe/Berlin"


@pytest.mark.parametrize(
    ("day", "ends"),
    [("2026-03-29", "2026-03-29T22:00Z"), ("2026-10-25", "2026-10-25T23:00Z")],
)
def test_the_day_of_a_waiver_ends_at_midnight_there(day: str, ends: str) -> None:
    """After 23 hours, or after 25."""
    end, problem = waivers._end(day, ZONE, datetime(2026, 3, 1, tzinfo=UTC))
    assert problem == ""
    assert end is not None
    assert f"{end.astimezone(UTC):%Y-%m-%dT%H:%MZ}" == ends


# --- a watch by real processes ------------------------------------------------------------------

NEXT = {
    "an hour is left out": {
        8: "hour 12, due 2026-03-29 01:00 Europe/Berlin",
        12: "hour 16, due 2026-03-29 06:00 Europe/Berlin",
    },
    "an hour comes twice": {
        8: "hour 12, due 2026-10-25 02:00 UTC+02:00 Europe/Berlin",
        12: "hour 16, due 2026-10-25 05:00 Europe/Berlin",
    },
}
SHOWN = {"an hour is left out": "01:00 UTC+01:00", "an hour comes twice": "02:00 UTC+02:00"}
"""When hour 12 is due, on its page."""


@pytest.mark.parametrize("night", list(NIGHTS))
def test_a_watch_over_the_night_passes_with_whole_coverage(night: str, tmp_path: Path) -> None:
    """Due times, clock texts, windows and the prober's minutes, and the ledger is whole."""
    t0 = NIGHTS[night]
    with Rehearsal.start(seed=1, faults=(), t0=t0) as served:
        clocked = Clocked(served, tmp_path / "reports", t0=t0)
        text = clocked.toml.read_text("utf-8")
        assert 'time_zone = "UTC"' in text
        clocked.toml.write_text(
            text.replace('time_zone = "UTC"', f'time_zone = "{ZONE}"', 1), "utf-8"
        )
        clocked.open()
        for hour in clocked.ledger.watch.hours:
            said = clocked.run(hour)
            point = clocked.ledger.watch.checkpoint(hour)
            assert point.due == t0 + timedelta(hours=hour)
            assert set(clocked.verdicts(hour).values()) == {"PASS"}, said
            if hour in NEXT[night]:
                assert f"next: {NEXT[night][hour]}: pytest" in said
        night_health = [one for one in clocked.record(16).criteria if one.id == "HEALTH-ALWAYS"]
        assert "1,440 of 1,440 probes" in night_health[0].reason
        day = [one for one in clocked.record(24).criteria if one.id == "SIGNOFF-HEALTH"]
        assert any("8,640 of 8,640 probes" in one.reason for one in day)
        page = (clocked.reports / "w" / "hour12.a1.html").read_text("utf-8")
        assert SHOWN[night] in page
        assert "the offset changes, so each time shows it" in page
        assert all(each.ok for each in verify(clocked.ledger.folder))
