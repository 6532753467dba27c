"""A late run judges what the prober asked for when the checkpoint was due."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from hour24 import histogram
from hour24.evidence import Distribution, from_plain
from hour24.ledger.verify import verify
from hour24.rehearsal.client import Rehearsal
from tests.answering import Answer, Server
from tests.clocks import Clocked, offset
from tests.played import T0

LATE_MIN = {0: 189, 4: 761, 8: 250, 12: 305, 16: 413, 20: 522, 24: 611}
"""Lateness of each run, as eight of eight weekly runs of a public repository had it."""
AT_DUE = (
    "pool_exhausted@8..8.2", "health_degraded@8..8.2", "websocket_flap@8..8.2",
    "slow_endpoint@8..8.2",
)  # fmt: skip
"""A service that is ill only when hour 8 is due."""
AT_RUN = (
    "pool_exhausted@12.1..12.5", "health_degraded@12.1..12.5", "websocket_flap@12.1..12.5",
    "slow_endpoint@12.1..12.5",
)  # fmt: skip
"""A service that is ill only when the late run of hour 8 comes."""
OF_NOW = ("HEALTH-SCHEMA", "DB-ONLINE", "DB-POOL", "DB-SIZE", "DB-SLOW", "WS-STABLE")


pytestmark = pytest.mark.suite("late", short=4)


@pytest.fixture(scope="module")
def served() -> Iterator[Rehearsal]:
    with Rehearsal.start(seed=1, faults=(), t0=T0) as rehearsal:
        yield rehearsal


def punctual(clocked: Clocked, hours: Sequence[int]) -> None:
    """Run each checkpoint when it is due."""
    clocked.open()
    for hour in hours:
        clocked.run(hour)


def late(clocked: Clocked, hours: Sequence[int], **environ: str) -> None:
    """Let the prober pass each due time, and run each checkpoint late, in the order of time."""
    clocked.open()
    events = [(60.0 * hour, hour, True) for hour in hours]
    events += [(60.0 * hour + LATE_MIN[hour], hour, False) for hour in hours]
    for _, hour, due in sorted(events):
        if due:
            clocked.simulate(hour)  # a later hour may be run before this one
            said = clocked.probe(hour, **environ)
            assert f"hour {hour}: asked what exists only now" in said, said
        else:
            said = clocked.run(hour, LATE_MIN[hour])
            assert f"hour {hour} of w" in said, said


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("ill", [AT_DUE, AT_RUN], ids=["at_due", "at_run"])
def test_a_late_watch_has_the_verdicts_of_a_punctual_one(
    served: Rehearsal, tmp_path: Path, ill: tuple[str, ...], pytestconfig: pytest.Config
) -> None:
    """189 to 761 minutes late: the same verdicts, no ``late``, no waiver; alerted in 5 minutes."""
    hours = (0, 4, 8, 12, 16, 20, 24) if pytestconfig.option.full else (0, 8)
    on_time = Clocked(served, tmp_path / "punctual", ill)
    punctual(on_time, hours)
    with Server(Answer()) as people:
        comes_late = Clocked(
            served, tmp_path / "late", ill, HOUR24_ALERT_URLS=f"json://127.0.0.1:{people.port}/x"
        )
        late(comes_late, hours)
    for hour in hours:
        assert comes_late.verdicts(hour) == on_time.verdicts(hour), hour
        assert comes_late.record(hour).late_s >= LATE_MIN[hour] * 60
        assert "late" not in {one.code for one in comes_late.record(hour).criteria}
    assert not comes_late.ledger.waivers()
    wrong = [each for each in verify(comes_late.reports / "w") if not each.ok]
    assert not wrong
    failed = {name.split(" ")[0] for name, said in on_time.verdicts(8).items() if "FAIL" in said}
    if ill is AT_RUN:
        assert not failed & set(OF_NOW)
        return
    assert {"DB-POOL", "DB-ONLINE", "HEALTH-SCHEMA", "WS-STABLE"} <= failed
    (samples,) = [
        from_plain(one.evidence["samples"])
        for one in comes_late.record(8).criteria
        if (one.id, one.subject) == ("LATENCY-TARGET", "calls")
    ]
    assert isinstance(samples, Distribution)
    assert histogram.quantile(samples.merged(), 0.5) > 600  # slow when it was due
    _is_alerted_in_time(comes_late, people)


def _is_alerted_in_time(watched: Clocked, people: Server) -> None:
    """The check that failed when it was due is an alert long before its late run."""
    sent = [json.loads(each.body) for each in people.asked]
    of_hour_8 = [each for each in sent if "hour 8: " in each["message"]]
    assert any("DB-POOL" in each["message"] for each in of_hour_8), sent
    due = watched.ledger.watch.checkpoint(8).due
    entries = [one.content for one in watched.ledger.entries() if one.kind == "alert"]
    times = sorted(each["at"] for each in entries if "due check" in each["because"])
    assert due.isoformat() < times[0].replace("Z", "+00:00")
    assert times[0].replace("Z", "+00:00") < (due + timedelta(minutes=5)).isoformat()
    assert times[0] < watched.record(8).started.isoformat()


def test_both_times_are_in_the_record_and_on_its_page(served: Rehearsal, tmp_path: Path) -> None:
    """When it was asked for, by whom, and when the run came."""
    watched = Clocked(served, tmp_path)
    late(watched, (0,))
    (document,) = [
        one.evidence["health"] for one in watched.record(0).criteria if one.id == "HEALTH-SCHEMA"
    ]
    assert document["question"]["at"].startswith("2026-03-02T06:00:0")
    assert "asked for at 2026-03-02 06:00:0" in document["note"]
    assert watched.record(0).late_s >= 189 * 60
    page = (watched.reports / "w" / "hour00.a1.html").read_text("utf-8")
    assert "when it was due, by" in page
    assert "3 h 09 min late" in page


def test_where_nobody_asked_it_is_late(served: Rehearsal, tmp_path: Path) -> None:
    """No prober passed the due time."""
    watched = Clocked(served, tmp_path)
    watched.open()
    watched.run(0, 45)
    assert watched.verdicts(0)["DB-POOL"] == "INCONCLUSIVE late"
    reason = next(one.reason for one in watched.record(0).criteria if one.id == "DB-POOL")
    assert "it was not asked when it was due" in reason


def test_a_prober_whose_clock_jumped_is_not_taken(served: Rehearsal, tmp_path: Path) -> None:
    """Its clock stood at half past five when it began, and at six o'clock half a minute later."""
    watched = Clocked(served, tmp_path)
    watched.open()
    clock = tmp_path / "clock"
    due = watched.ledger.watch.checkpoint(0).due
    clock.write_text(offset(due - timedelta(minutes=50)), "utf-8")

    def jump() -> None:
        latest = time.monotonic() + 60
        while not watched.log and time.monotonic() < latest:  # it has read its clock then
            time.sleep(0.2)
        time.sleep(3)
        clock.write_text(offset(due + timedelta(seconds=2)), "utf-8")

    said = watched.probe(0, meanwhile=jump, HOUR24_TEST_CLOCK=str(clock))
    assert "hour 0: asked what exists only now" in said
    watched.run(0, 45)
    reason = next(one.reason for one in watched.record(0).criteria if one.id == "DB-POOL")
    assert watched.verdicts(0)["DB-POOL"] == "INCONCLUSIVE late"
    assert "as it was before it jumped, not within the tolerance" in reason


def test_a_production_toml_that_asks_otherwise_is_not_answered(
    served: Rehearsal, tmp_path: Path
) -> None:
    """The prober held 30 connections for a second, the late run asks for 40."""
    watched = Clocked(served, tmp_path)
    watched.open()
    watched.probe(0)
    text = watched.toml.read_text("utf-8")
    watched.toml.write_text(text.replace("connections = 30", "connections = 40"), "utf-8")
    watched.run(0, 45)
    assert watched.verdicts(0)["WS-STABLE"] == "INCONCLUSIVE late"
    reason = next(one.reason for one in watched.record(0).criteria if one.id == "WS-STABLE")
    assert "is of another production.toml" in reason


OWN = '''
from hour24.plugin import criterion
from hour24.objectives.own import ValueBelow

@criterion("OWN-SQL", hours=(0,))
def test_sql(ask, conclude):
    """Four is below the limit"""
    conclude(ValueBelow(limit=100), value=ask.sql("SELECT 4", unit="calls"))

@criterion("OWN-JSON", hours=(0,))
def test_json(ask, conclude):
    """The queue is short"""
    conclude(ValueBelow(limit=5), value=ask.json("{url}/queue", "/length"))
'''


def test_custom_criteria_are_asked_when_they_are_due_too(served: Rehearsal, tmp_path: Path) -> None:
    """The queue was short when hour 0 was due, and is long when its run comes."""
    queue = {"length": 3}
    with Server(lambda asked: Answer(body=json.dumps(queue).encode())) as side:
        watched = Clocked(served, tmp_path / "reports", own=OWN.replace("{url}", side.url))
        watched.open()
        watched.probe(0)
        queue["length"] = 50
        watched.run(0, 45)
    verdicts = watched.verdicts(0)
    assert (verdicts["OWN-SQL"], verdicts["OWN-JSON"]) == ("PASS", "PASS")


def test_a_witness_that_was_limited_is_asked_again_at_the_next_checkpoint(
    served: Rehearsal, tmp_path: Path
) -> None:
    """Hour 4 stands open for Sentry's sake until hour 8 has it asked again: both attempts stay."""
    watched = Clocked(served, tmp_path, ("sentry_rate_limited@4..4.5",))
    watched.open()
    watched.run(0)
    watched.probe(4)
    watched.run(4)
    open_ones = [each for each in watched.ledger.standings(T0) if each.is_open and each.hour == 4]
    assert {each.code for each in open_ones} == {"source_limited"}
    said = watched.run(8)
    assert "asking hour 4 again (" in said
    assert "ERRORS-COUNT source_limited" in said
    first, second = watched.ledger.records(4)
    assert {one.code for one in first.criteria if one.id == "ERRORS-COUNT"} == {"source_limited"}
    assert {str(one.outcome) for one in second.criteria} == {"PASS"}
    assert not [each for each in watched.ledger.standings(T0) if each.is_open]
    assert not watched.ledger.waivers()
    assert not [each for each in verify(watched.reports / "w") if not each.ok]
