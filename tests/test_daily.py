"""The week after: which days, which criteria, its own ledger, the launch's baseline."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from hour24 import config
from hour24.checkpoint.inquiry import Inquiry
from hour24.checkpoint.lanes import Lanes
from hour24.clock import SteppingClock
from hour24.config import Health, Production
from hour24.config.service import Service
from hour24.criteria import CRITERIA
from hour24.errors import ConfigurationError
from hour24.evidence import Counts, Line, Question, Series, Unanswered, spread
from hour24.ledger import chain
from hour24.ledger.book import Ledger
from hour24.ledger.verify import verify
from hour24.objectives.level import FloorKept, hourly_low_points
from hour24.rehearsal.client import Rehearsal
from hour24.rehearsal.clock import RehearsalClock
from hour24.report import checkpoint as page
from hour24.report import index
from hour24.targets import daily
from hour24.targets.request import Request
from hour24.verdict import Outcome
from hour24.watch import Watch, Window, marker
from tests import small_watch
from tests.small_watch import AFTER, LIMITS, T0, WATCH, changed, judged, watch_of, whole

DAY = timedelta(days=1)
SERVICE = Service(
    name="voice", environment="production", time_zone="UTC", control_url="http://c", release="next"
)
PRODUCTION = Production(
    path="production.toml", service=SERVICE, health=Health(url="http://h", schema={})
)


def until(end: datetime | None) -> Production:
    service = msgspec.structs.replace(SERVICE, daily_until=end)
    return msgspec.structs.replace(PRODUCTION, service=service)


def opened(reports: Path, of: Ledger, production: Production = PRODUCTION) -> Ledger:
    known, first = daily.find_week(reports, of, production, LIMITS, AFTER)
    return known or Ledger.create(reports, first)


@pytest.mark.parametrize(
    ("end", "hours"),
    [
        (None, (48, 72, 96, 120, 144, 168, 192)),
        (T0 + 2 * DAY, (48,)),
        (T0 + 2 * DAY + timedelta(minutes=1), (48, 72)),
    ],
)
def test_which_days(end, hours):
    """Daily checks run for a week, or until daily_until; its last day is judged whole."""
    assert daily.daily_hours(WATCH, end) == hours


@pytest.mark.parametrize("end", [T0, T0 + DAY, T0 + 40 * DAY])
def test_which_days_are_none(end):
    """An end before the watch's, or beyond what the platform keeps, is refused."""
    with pytest.raises(ConfigurationError, match="daily_until: expected within 28 days after"):
        daily.daily_hours(WATCH, end)


def test_the_week_has_a_ledger_of_its_own(tmp_path):
    """Next to the watch's, with its T0, opened once; the watch's ledger is not touched."""
    watch = whole(tmp_path)
    before = [(entry.file, entry.sha256) for entry in watch.entries()]
    ledger = opened(tmp_path, watch)
    genesis = ledger.genesis
    assert (ledger.folder.name, genesis.follows, genesis.daily) == ("launch-daily", "launch", True)
    assert (genesis.t0, genesis.hours[:3]) == (T0, (0, 24, 48))
    assert genesis.service["release"] == "next"
    assert opened(tmp_path, watch).head() == ledger.head()
    assert opened(tmp_path, ledger).folder == ledger.folder
    assert daily.watch_before(tmp_path, ledger).folder == watch.folder
    assert [(entry.file, entry.sha256) for entry in watch.entries()] == before
    assert not watch.genesis.daily


def test_it_is_not_the_watch_that_is_still_open(tmp_path):
    """A search for the open watch does not find the week after."""
    watch = watch_of(tmp_path)
    opened(tmp_path, watch)
    found = Ledger.find(tmp_path, target="production.toml")
    assert found is not None
    assert found.folder == watch.folder


def test_a_watch_that_is_gone_is_missed(tmp_path):
    """Without the watch there is no baseline, and no daily checks."""
    watch = watch_of(tmp_path)
    ledger = opened(tmp_path, watch)
    watch.folder.rename(tmp_path / "archive")
    with pytest.raises(ConfigurationError, match="follows: expected watch 'launch'"):
        daily.watch_before(tmp_path, ledger)


def of_week(tmp_path) -> Watch:
    return opened(tmp_path, watch_of(tmp_path)).watch


@pytest.mark.parametrize(
    ("passed", "hour"), [(2 * DAY, 48), (3 * DAY - timedelta(seconds=1), 48), (3 * DAY, 72)]
)
def test_the_newest_daily_checks_are_due(tmp_path, passed, hour):
    """The newest day that is over, until the next one is."""
    assert daily.due_hour(of_week(tmp_path), T0 + passed) == hour


@pytest.mark.parametrize(
    ("passed", "refusal"),
    [
        (1.9 * DAY, "expected the first daily checks from 2025-12-23 11:15Z"),
        (9 * DAY, "it is over"),
    ],
)
def test_refuses_daily_checks_that_are_not_due(tmp_path, passed, refusal):
    """Before the first day is over, and after the last one's time."""
    with pytest.raises(ConfigurationError, match=refusal):
        daily.due_hour(of_week(tmp_path), T0 + passed)


def test_daily_checks_cover_their_own_day(tmp_path):
    """What is judged since T0 during the watch is judged of the day; any time of it will do."""
    point = daily.checkpoint(of_week(tmp_path), 72)
    assert point.window == point.since_t0 == Window(T0 + 2 * DAY, T0 + 3 * DAY)
    assert point.tolerance_s == 86400


def test_the_criteria_of_daily_checks():
    """Sentry, memory and latency, by their own ids and sentences, at the week's hours alone."""
    plan = daily.criteria((48, 72))
    assert {each.group for each in plan.values()} == {"Errors", "Process", "Latency"}
    assert all(each.hours == (48, 72) for each in plan.values())
    for name, each in plan.items():
        if name in CRITERIA:
            assert each.sentence == CRITERIA[name].sentence


def test_commands_name_the_daily_checks():
    """Past the last checkpoint there is one marker."""
    assert [marker(hour) for hour in (0, 24, 48, 192)] == ["hour0", "hour24", "daily", "daily"]


def daily_record(ledger: Ledger, hour: int):
    """A record of a day in which everything passes."""
    watch, point = ledger.watch, daily.checkpoint(ledger.watch, hour)
    plan = daily.criteria(tuple(h for h in watch.hours if h > 24))
    asked = Question(source="render", asked="GET /", at=point.due, window=point.window)
    seen = {"counts": Counts(question=asked, total=300, bad=0, what="requests")}
    kept = tuple(
        msgspec.structs.replace(
            judged(each, 24, seen), window=None if each.span == "now" else point.window
        )
        for each in plan.values()
    )
    return changed(
        small_watch.record(24),
        watch=watch.name,
        hour=hour,
        due=point.due,
        started=point.due + timedelta(hours=3),
        ended=point.due + timedelta(hours=3, seconds=9),
        late_s=10800.0,
        window=point.window,
        outcome=Outcome.PASS,
        plan={name: each.hours for name, each in plan.items()},
        criteria=kept,
    )


def test_its_records_verify_and_a_missed_day_is_listed(tmp_path):
    """verify finds no problem; no hour of the watch is due; the missed day is INCONCLUSIVE."""
    ledger = opened(tmp_path, whole(tmp_path))
    ledger.write(daily_record(ledger, 48))
    ledger.write(daily_record(ledger, 96))
    assert [finding for finding in verify(ledger.folder) if not finding.ok] == []
    assert list(chain.breaks(ledger.entries())) == []
    standings = ledger.standings(T0 + 4 * DAY + timedelta(hours=4))
    assert {one.hour for one in standings} == {48, 72, 96}
    assert {one.code for one in standings if one.hour == 72} == {"missed"}
    assert {one.outcome for one in standings if one.hour != 72} == {Outcome.PASS}


def test_its_pages_speak_of_days(tmp_path):
    """The next command is the daily one; the watch's own hours have no column."""
    ledger = opened(tmp_path, whole(tmp_path), until(T0 + 3 * DAY))
    ledger.write(daily_record(ledger, 48))
    first = ledger.latest(48)
    text = page.text(first, ledger, ledger.folder / "hour48.a1.html")
    assert "pytest -m daily --watch launch-daily" in text
    assert "Hour 48" in text
    overview = index.text(ledger)
    assert "pytest -m daily --watch launch-daily" in overview
    assert "every criterion of this hour" not in overview
    for hour in (0, 24):
        assert f"Hour {hour}<" not in overview
    ledger.write(daily_record(ledger, 72))
    text = page.text(ledger.latest(72), ledger, ledger.folder / "hour72.a1.html")
    assert "The daily checks are over." in text
    assert "hour24 signoff" not in text


# --- memory against the watch's own ---------------------------------------------------------------


def series(start_h: float, hours: int, mb: float, step: float = 60.0, instance: str = "a") -> Line:
    """A sawtooth on this floor, a reading a minute."""
    times = tuple(start_h * 3600 + k * step for k in range(int(hours * 3600 / step)))
    values = tuple((mb + (k % 23) + 0.1 * (k // 60 % 5)) * 2**20 for k in range(len(times)))
    return Line(times=times, values=values, labels={"instance": instance})


def memory(*lines: Line) -> Series:
    question = Question(source="render", asked="GET /metrics/memory", at=T0)
    return Series(question=question, unit="bytes", lines=lines)


@pytest.mark.parametrize(
    ("mb", "outcome", "code"),
    [
        (180.0, Outcome.PASS, ""),
        (150.0, Outcome.PASS, ""),
        (240.0, Outcome.FAIL, "memory_higher"),
        (225.0, Outcome.INCONCLUSIVE, "too_few_samples"),
    ],
)
def test_memorys_floor(mb, outcome, code):
    """Within a quarter of the watch's; beyond; and where its bounds hold the limit."""
    verdict = FloorKept().judge(
        {"now": memory(series(48, 24, mb)), "baseline": memory(series(0, 24, 180.0))}
    )
    assert (verdict.outcome, verdict.code) == (outcome, code)
    assert verdict.figures["ratio"] == pytest.approx(mb / 180, rel=0.01)


def test_the_largest_instance_counts():
    """One instance's growth is not hidden by another, nor by a new one's first minutes."""
    both = memory(series(48, 24, 150.0), series(48, 24, 300.0, instance="b"))
    verdict = FloorKept().judge({"now": both, "baseline": memory(series(0, 24, 180.0))})
    assert verdict.outcome == Outcome.FAIL
    young = memory(series(48, 2, 150.0), series(49.9, 1, 500.0, instance="b"))
    assert len(hourly_low_points(young)) == 3
    assert hourly_low_points(young)[0] == pytest.approx(150.0)


@pytest.mark.parametrize("hours", [0, 1, 6])
def test_too_little_memory_data_is_inconclusive(hours):
    """A few hours on one side are INCONCLUSIVE, with how many would do."""
    verdict = FloorKept().judge(
        {"now": memory(series(48, 24, 180.0)), "baseline": memory(series(0, hours, 180.0))}
    )
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "too_few_samples")
    assert "expected at least 7 on each side" in verdict.reason


def test_refused_daily_checks_leave_nothing_behind(tmp_path: Path) -> None:
    """An hour after the watch its first day is not over: no folder of the week."""
    watch = whole(tmp_path)
    early = WATCH.whole.end + timedelta(hours=1)
    base = SimpleNamespace(
        production=PRODUCTION, clock=SteppingClock(early), step_clock_to=lambda time: None
    )
    target = SimpleNamespace(context_of_watch=lambda request, ledger, resources: base)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConfigurationError, match="expected the first daily checks from"):
        daily.open_context(
            Request(marker="daily", target=watch.genesis.target, reports=tmp_path),
            target,
            ExitStack(),
        )
    assert sorted(tmp_path.iterdir()) == before


# --- against the rehearsal's production -----------------------------------------------------------


def test_daily_checks_of_a_rehearsal(tmp_path):
    """Two days in: the day's own errors and memory; the baseline is the watch's record."""
    t0 = datetime(2026, 11, 24, 6, tzinfo=UTC)
    scenario = {"seed": 7, "faults": []}
    watch = watch_of(tmp_path, name="rehearsal-1", t0=t0, target="rehearsal", rehearsal=scenario)
    with Rehearsal.start(7, [], t0, 48) as rehearsal:
        production = config.load(Path(rehearsal.toml), {**os.environ, **rehearsal.environ})
        clock = RehearsalClock(rehearsal.control, t0 + timedelta(hours=48))
        known, first = daily.find_week(tmp_path, watch, production, LIMITS, clock.now())
        ledger = known or Ledger.create(tmp_path, first)
        hour = daily.due_hour(ledger.watch, clock.now())
        point = daily.checkpoint(ledger.watch, hour)
        asked = Inquiry(production, ledger.watch, point, clock, ledger, baseline=watch)
        lanes = Lanes(asked, ["error_events", "memory", "memory_baseline", "latencies_baseline"])
        events = lanes.answer("error_events")
        now = spread({"memory": lanes.answer("memory")})["memory"]
        before = spread({"memory": lanes.answer("memory_baseline")})["memory"]
        around = lanes.answer("latencies_baseline")
    assert hour == 48
    assert not isinstance(events, Unanswered), events
    assert events.question.window == point.settled
    assert isinstance(now, Series), now
    assert now.question.window == point.settled
    assert FloorKept().judge({"now": now, "baseline": now}).outcome == Outcome.PASS
    assert isinstance(before, Unanswered)
    assert before.code == "baseline_absent"
    assert isinstance(around, Unanswered)
    assert around.code == "no_prober"


def test_the_baseline_is_the_watchs(tmp_path):
    """Earlier evidence is the watch's; what the week itself recorded is no baseline."""
    evidence = {"counts": Counts(question=small_watch.asked(8), total=300, bad=1, what="requests")}
    eighth = small_watch.record(8, judged("ERRORS-COUNT", 8, evidence))
    watch = whole(tmp_path, hour8=eighth)
    ledger = opened(tmp_path, watch)
    ledger.write(daily_record(ledger, 48))
    point = daily.checkpoint(ledger.watch, 72)
    clock = SteppingClock(T0 + 3 * DAY)
    asked = Inquiry(PRODUCTION, ledger.watch, point, clock, ledger, baseline=watch)
    assert [hour for hour, _ in asked.earlier("counts")] == list(WATCH.hours)
    assert asked.probe_folder == ledger.folder / "probe"
