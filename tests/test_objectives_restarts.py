"""Restarts, judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from hour24.evidence import Failure, Probes, Question, Uptime
from hour24.objectives.base import from_plain
from hour24.objectives.restarts import NoRestart
from hour24.statistics.restarts import growth
from hour24.verdict import Outcome
from hour24.watch import Window
from tests.evidence_of import AT, listing, unanswered

START = AT.timestamp()
HOURS = 4
LENGTH = 3600 * HOURS
INTERVAL = 10


def probes(lives: Sequence[tuple[str, float, float]], names: bool = True, **more: Any) -> Probes:
    """Probes that reach each running process in turn: (name, start, end) from T0."""
    uptimes = []
    for n in range(LENGTH // INTERVAL):
        at = INTERVAL * n + 3
        up = [life for life in lives if life[1] <= at < life[2]]
        if up:
            name, begun, _ = up[n % len(up)]
            uptimes.append(Uptime(START + at, float(int(at - begun)), name if names else ""))
    window = Window(AT, AT + timedelta(hours=HOURS))
    fields: dict[str, Any] = {"due": LENGTH // INTERVAL, "kept": LENGTH // INTERVAL}
    return Probes(
        question=Question(source="prober", asked="probes", at=window.end, window=window),
        basis="sample",
        target="health",
        interval_s=INTERVAL,
        uptimes=tuple(uptimes),
        **(fields | more),
    )


OLD = [("a", -9000.0, 1e9), ("b", -8000.0, 1e9)]
RESTARTED = [("a", -9000.0, 5000.0), ("a", 5020.0, 1e9), ("b", -8000.0, 1e9)]


def judged(lives: Sequence[tuple[str, float, float]], **more: Any) -> Any:
    evidence = {k: more.pop(k) for k in ("events", "deploys", "declared") if k in more}
    return NoRestart().judge({"probes": probes(lives, **more), **evidence})


def declared(start: float, end: float) -> Any:
    return listing({"start": START + start, "end": START + end, "because": "a fix"})


@pytest.mark.parametrize("names", [True, False])
def test_two_instances_behind_a_balancer_are_no_restart(names):
    """Uptimes fall hundreds of times, and nothing restarted."""
    verdict = judged(OLD, names=names, events=listing(what="events"))
    assert verdict.outcome == Outcome.PASS
    assert "2 processes running, oldest started 2026-11-24 07:30:00Z" in verdict.reason
    assert "the platform reports no other failure or restart" in verdict.reason


@pytest.mark.parametrize("names", [True, False])
def test_a_restart_is_found_with_its_start(names):
    """The count is a minimum."""
    verdict = judged(RESTARTED, names=names)
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "restarted")
    assert "At least 1 undeclared start" in verdict.reason
    assert "2026-11-24 11:23:40Z" in verdict.reason
    assert verdict.figures["undeclared"] == 1


def test_a_start_during_a_declared_deploy_is_expected():
    """A start after it is not."""
    assert judged(RESTARTED, declared=declared(4900, 5200)).outcome == Outcome.PASS
    assert judged(RESTARTED, declared=declared(3000, 4000)).outcome == Outcome.FAIL


def test_a_deploy_that_only_the_platform_reports_is_undeclared():
    """It is named; the decision's steps have the command that declares one."""
    deploy = {"id": "dep-1", "created": START + 4900, "started": None, "finished": START + 5020}
    verdict = judged(RESTARTED, deploys=listing(deploy))
    assert verdict.outcome == Outcome.FAIL
    assert "during the undeclared deploy dep-1" in verdict.reason
    assert "if it was a deploy, declare it" in verdict.reason


def test_platform_and_probes_are_compared():
    """Both may report a restart, or only one of them."""
    died = listing({"at": START + 5000, "type": "server_failed", "process": "ended"})
    assert "the platform reports it too" in judged(RESTARTED, events=died).reason
    alone = judged(OLD, events=died)
    assert alone.outcome == Outcome.FAIL
    assert "server_failed at 2026-11-24 11:23:20Z, which the probes missed" in alone.reason
    assert judged(OLD, events=died, declared=declared(4900, 5200)).outcome == Outcome.PASS
    verdict = judged(RESTARTED, events=listing(what="events"))
    assert "the platform reports no failure and no restart then" in verdict.reason


def test_an_uptime_does_not_acquit_what_the_platform_could_have_shown():
    """A silent or partial list of events is no PASS; a platform that keeps none is left out."""
    silent = unanswered(reason="render: 503")
    verdict = judged(OLD, events=silent)
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, silent.code)
    assert "the platform's events are not known: render: 503" in verdict.reason
    verdict = judged(OLD, events=structs.replace(silent, not_provided=True))
    assert verdict.outcome == Outcome.PASS
    assert "not provided: render: 503" in verdict.reason


def test_a_new_name_next_to_all_the_old_ones_is_a_scale_out():
    """An instance that replaces another is not; without names they look alike."""
    more = [*OLD, ("c", 5000.0, 1e9)]
    assert judged(more).outcome == Outcome.PASS
    assert "a scale-out, no restart" in judged(more).reason
    assert judged(more, names=False).outcome == Outcome.FAIL
    replaced = [("a", -9000.0, 5000.0), ("b", -8000.0, 1e9), ("c", 5000.0, 1e9)]
    assert judged(replaced).outcome == Outcome.FAIL


@pytest.mark.parametrize(
    ("lacking", "code"),
    [
        ({"kept": 1000}, "coverage_too_low"),
        ({"gaps": ((START, START + 400),)}, "coverage_too_low"),
        ({"uptimes": ()}, "no_data"),
    ],
)
def test_low_coverage_prevents_a_pass(lacking, code):
    """A restart may have been missed."""
    verdict = judged(OLD, **lacking) if "uptimes" not in lacking else judged([])
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, code)


def test_too_few_readings_of_many_instances_are_inconclusive():
    """Ten probes reach each of two with 99.9 %; nine do not."""
    few = probes(OLD, due=9, kept=9)
    verdict = NoRestart().judge({"probes": few})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "too_few_samples")
    assert "expected at least 10" in verdict.reason


def test_probes_lost_by_our_own_network_are_gaps():
    """They give no uptimes either."""
    blind = tuple(Failure(at=START + 10 * n, reason="timeout", control=False) for n in range(60))
    verdict = judged(OLD, bad=60, failures=blind)
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "coverage_too_low")


def test_the_objective_loads_back_equal():
    """The record stores its name and fields."""
    objective = NoRestart(resolution_s=60.0)
    assert from_plain(objective.to_plain()) == objective


# --- an unusable uptime --------------------------------------------------------------------------


def judged_with(uptime: Any, names: int = 1, **more: Any) -> Any:
    """The verdict on readings of ``uptime(seconds since T0, number of the process)``."""
    uptimes = tuple(
        Uptime(START + at, float(uptime(at, n % names)), "")
        for n, at in enumerate(range(3, LENGTH, INTERVAL))
    )
    evidence = {k: more.pop(k) for k in ("events", "deploys") if k in more}
    seen = structs.replace(probes([]), uptimes=uptimes)
    return NoRestart(**more).judge({"probes": seen, **evidence})


@pytest.mark.parametrize(
    ("uptime", "says"),
    [
        (lambda t, n: (t + 9000) * 1000, "grew by 1,000 a second, as milliseconds do"),
        (lambda t, n: (t + 9000 if t < 1800 else t - 1800) * 1000, "as milliseconds do"),
        (lambda t, n: int(t + 9000) * 10**6, "as microseconds do"),
        (lambda t, n: int(t + 9000) * 10**9, "as nanoseconds do"),
        (lambda t, n: (t + 9000) / 60, "grew by 0.0167 a second, as minutes do"),
        (lambda t, n: int((t + 9000) / 60), "as minutes do"),
        (lambda t, n: (t + 90000) / 3600, "as hours do"),
        (lambda t, n: (t + 900000) / 86400, "as days do"),
        (lambda t, n: START + t, "started before the year 2000"),
        (lambda t, n: (START + t) * 1000, "as milliseconds do"),
        (lambda t, n: 10**300 + t, "uptime"),
        (lambda t, n: 77.0, "stayed the same"),
        (lambda t, n: 3 * t, "grew by 3 a second"),
        (lambda t, n: 10**6 - t, "does not grow with time"),
        (lambda t, n: hash((t, n)) % 10**6, "does not grow with time"),
    ],
)
@pytest.mark.parametrize("events", [listing(what="events"), unanswered("source_unreachable")])
def test_an_uptime_of_another_unit_cannot_show_a_restart(uptime, says, events):
    """It is INCONCLUSIVE, and the reason says how it grew."""
    verdict = judged_with(uptime, events=events)
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "uptime_unit")
    assert says in verdict.reason


@pytest.mark.parametrize("every_s", [1, 10, 60])
def test_a_countdown_is_no_uptime_however_often_it_is_read(every_s):
    """Read each second, neighbouring starts are within the tolerance of one process."""
    readings = [(START + t, 10**6 - t, "") for t in range(0, 3600, every_s)]
    assert math.isnan(growth(readings, 1.0))


def test_forty_processes_in_random_turns_have_an_uptime():
    """Most readings are of another process than the one before."""
    verdict = judged_with(
        lambda t, n: t + 9000 + 977 * (n * n * 7919 % 40), events=listing(what="events")
    )
    assert verdict.code != "uptime_unit", verdict.reason


def test_a_process_that_starts_every_twelve_seconds_is_found():
    """Each reading is of another process, and none is older than the time in between."""
    assert judged_with(lambda t, n: t % 12, events=listing(what="events")).outcome is Outcome.FAIL


def test_milliseconds_of_several_processes_are_detected():
    """They are behind a balancer, without names."""
    verdict = judged_with(lambda t, n: (t + 9000 + 4000 * n) * 1000, names=3)
    assert verdict.code == "uptime_unit"


@pytest.mark.parametrize("period", [7, 15, 31, 61, 301])
def test_a_crash_loop_is_no_unit(period):
    """However short its runs are, it restarted."""
    assert judged_with(lambda t, n: (t * 1.0) % period).outcome == Outcome.FAIL


def test_the_platform_s_restart_counts_despite_a_useless_uptime():
    """A reported restart is a restart."""
    event = {"at": START + 5000.0, "type": "server_failed", "process": "ended"}
    verdict = judged_with(lambda t, n: (t + 9000) * 1000, events=listing(event, what="events"))
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "restarted")


def deployed(live: float) -> Any:
    deploy = {"id": "dep-9", "status": "live", "created": START + live - 100}
    deploy |= {"started": START + live - 90, "finished": START + live}
    return listing(deploy, what="deploys", live="dep-9")


def test_an_uptime_older_than_the_live_deploy_is_not_the_process_s():
    """It may be the host's; a process that started after the deploy is fine."""
    host = judged_with(lambda t, n: t + 30 * 86400, deploys=deployed(5100.0))
    assert (host.outcome, host.code) == (Outcome.INCONCLUSIVE, "uptime_subject")
    assert "dep-9 went live at 2026-11-24 11:25:00Z" in host.reason
    before = judged_with(lambda t, n: t + 9000, deploys=deployed(-9050.0))
    assert before.outcome == Outcome.PASS
    replaced = judged_with(
        lambda t, n: t + 9000 if t < 5050 else t - 5050, deploys=deployed(5100.0)
    )
    assert replaced.outcome == Outcome.FAIL
    at_the_end = judged_with(lambda t, n: t + 9000, deploys=deployed(LENGTH - 100.0))
    assert at_the_end.outcome == Outcome.PASS


# --- workers that are recycled by plan ----------------------------------------------------------

WORKERS, EVERY = 4, 1200.0


def recycling(*more: tuple[str, float, float]) -> list[tuple[str, float, float]]:
    """Four workers; every 20 minutes the oldest is replaced, after running for 80 minutes."""
    starts = [EVERY * n - 4 * EVERY for n in range(LENGTH // int(EVERY) + WORKERS)]
    return [*((f"w{n % 4}", at, at + WORKERS * EVERY) for n, at in enumerate(starts)), *more]


def planned(
    lives: Sequence[tuple[str, float, float]],
    every_s: float = EVERY,
    names: bool = False,
    **evidence: Any,
) -> Any:
    evidence = {"events": listing(what="events"), **evidence}
    objective = NoRestart(recycles_every_s=every_s)
    return objective.judge({"probes": probes(lives, names=names), **evidence})


@pytest.mark.parametrize("names", [True, False])
def test_workers_recycled_by_plan_are_no_restarts(names):
    """One of four each 20 minutes: 11 starts, none of which the plan leaves out."""
    assert judged(recycling(), names=names).figures["undeclared"] == 11
    verdict = planned(recycling(), names=names)
    assert (verdict.outcome, verdict.observed) == (Outcome.PASS, "0 undeclared restarts")
    assert verdict.figures["planned"] == 11
    assert "11 starts within the plan: a worker lives at least 20 min" in verdict.reason
    assert "the shortest life 1 h 20 min" in verdict.reason
    assert "declared deploys" not in verdict.reason


def test_a_worker_with_a_name_of_its_own_replaces_one_of_another_name():
    """A process id in the name is new with each worker."""
    lives = [(f"host:{n}", *each[1:]) for n, each in enumerate(recycling())]
    verdict = planned(lives, names=True)
    assert verdict.outcome == Outcome.PASS
    assert verdict.figures["planned"] == 11


def test_a_worker_that_dies_before_its_time_exceeds_the_plan():
    """The other starts are within it, and the reason names them apart."""
    early = [each if each[1] != 2400.0 else (each[0], 2400.0, 2700.0) for each in recycling()]
    early.append(("w2", 2710.0, 2710.0 + WORKERS * EVERY))
    verdict = planned([each for each in early if each[1] < 6000 or each[0] != "w2"])
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "restarted")
    assert (
        "At least 1 undeclared start: a process at 2026-11-24 10:45:10Z after running for 5 min"
        in (verdict.reason)
    )
    assert "starts within the plan: a worker lives at least 20 min" in verdict.reason


def test_a_restart_of_every_worker_at_once_is_not_planned():
    """However long each of them lived: that is a restart of the service."""
    before = [(f"w{n}", -20_000.0 + 300 * n, 5000.0) for n in range(WORKERS)]
    after = [(f"w{n}", 5003.0 + n, 1e9) for n in range(WORKERS)]
    verdict = planned([*before, *after])
    assert verdict.outcome == Outcome.FAIL
    assert "which is not planned, though the process before lived 6 h" in verdict.reason


def test_one_worker_more_is_not_recycled():
    """Its start replaces no process that ended."""
    verdict = planned(recycling(("w9", 7000.0, 1e9)))
    assert verdict.outcome == Outcome.FAIL
    assert "in place of no process that ended" in verdict.reason


@pytest.mark.parametrize(
    ("kind", "details", "outcome"),
    [
        ("process_restarted", "", Outcome.PASS),
        ("server_failed", "nonZeroExit 137", Outcome.FAIL),
        ("oom_killed", "", Outcome.FAIL),
        ("container_restarted", "reason OOMKilled", Outcome.FAIL),
        ("server_restarted", "evicted", Outcome.FAIL),
    ],
)
def test_an_end_that_nobody_plans_is_never_planned(kind, details, outcome):
    """An out-of-memory kill or a failure at the time of a planned start is a restart."""
    end = {"at": START + 2401, "type": kind, "details": details, "process": "ended"}
    assert planned(recycling(), events=listing(end)).outcome == outcome
    far = {**end, "at": START + 1800}
    assert planned(recycling(), events=listing(far)).outcome == Outcome.FAIL


def test_a_plan_longer_than_the_lives_is_exceeded_by_each_start():
    """The plan is judged against, not trusted."""
    verdict = planned(recycling(), every_s=7200.0)
    assert verdict.outcome == Outcome.FAIL
    assert verdict.figures["undeclared"] == 11
    assert verdict.limit == "none within 2 h of a worker's start"
    assert "no start within the plan: a worker lives at least 2 h" in verdict.reason
