"""Restarts, judged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from hour24.evidence import Failure, Probes, Question, Uptime
from hour24.objectives.base import from_plain
from hour24.objectives.restarts import NoRestart
from hour24.verdict import Outcome
from hour24.watch import Window
from tests.evidence_of import AT, listing, unanswered

START = AT.timestamp()
HOURS = 4
LENGTH = 3600 * HOURS
INTERVAL = 10


def probes(lives: Sequence[tuple[str, float, float]], names: bool = True, **more: Any) -> Probes:
    """Each probe meets one of the lives that are up, in turn: (name, start, end) from T0."""
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
    """Uptimes fall hundreds of times, and nothing started."""
    verdict = judged(OLD, names=names, events=listing(what="events"))
    assert verdict.outcome == Outcome.PASS
    assert "2 processes at a time, the oldest since 2026-11-24 07:30:00Z" in verdict.reason
    assert "the platform tells of no other failure or restart" in verdict.reason


@pytest.mark.parametrize("names", [True, False])
def test_a_restart_is_found_with_its_start(names):
    """At least one."""
    verdict = judged(RESTARTED, names=names)
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "restarted")
    assert "At least 1 undeclared start" in verdict.reason
    assert "2026-11-24 11:23:40Z" in verdict.reason
    assert verdict.figures["undeclared"] == 1


def test_a_start_inside_a_declared_deploy_is_expected():
    """And one after it is not."""
    assert judged(RESTARTED, declared=declared(4900, 5200)).outcome == Outcome.PASS
    assert judged(RESTARTED, declared=declared(3000, 4000)).outcome == Outcome.FAIL


def test_a_deploy_that_only_the_platform_tells_of_was_not_declared():
    """It is named, with how to declare one."""
    deploy = {"id": "dep-1", "created": START + 4900, "started": None, "finished": START + 5020}
    verdict = judged(RESTARTED, deploys=listing(deploy))
    assert verdict.outcome == Outcome.FAIL
    assert "inside the deploy dep-1, which nobody declared" in verdict.reason
    assert "python -m hour24 declare" in verdict.reason


def test_platform_and_probes_are_held_against_each_other():
    """Where they agree, where only the one saw it, where only the other."""
    died = listing({"at": START + 5000, "type": "server_failed", "process": "ended"})
    assert "the platform tells of it too" in judged(RESTARTED, events=died).reason
    alone = judged(OLD, events=died)
    assert alone.outcome == Outcome.FAIL
    assert "server_failed at 2026-11-24 11:23:20Z, which the probes did not see" in alone.reason
    assert judged(OLD, events=died, declared=declared(4900, 5200)).outcome == Outcome.PASS
    verdict = judged(RESTARTED, events=listing(what="events"))
    assert "the platform tells of no failure and no restart then" in verdict.reason


def test_a_platform_that_does_not_answer_leaves_the_probes_to_tell():
    """And that is said."""
    verdict = judged(OLD, events=unanswered(reason="render: 503"))
    assert verdict.outcome == Outcome.PASS
    assert "what the platform tells is not known: render: 503" in verdict.reason


def test_a_named_instance_beside_all_the_old_ones_is_a_scale_out():
    """One that takes another's place is not; without names they look alike."""
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
def test_too_little_seen_keeps_pass_away(lacking, code):
    """A restart may have hidden."""
    verdict = judged(OLD, **lacking) if "uptimes" not in lacking else judged([])
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, code)


def test_too_few_readings_of_many_instances_are_inconclusive():
    """Ten probes meet each of two with 99.9 %; nine do not."""
    few = probes(OLD, due=9, kept=9)
    verdict = NoRestart().judge({"probes": few})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "too_few_samples")
    assert "expected at least 10" in verdict.reason


def test_silence_of_our_own_network_is_not_seen():
    """It is no look at uptimes either."""
    blind = tuple(Failure(at=START + 10 * n, reason="timeout", control=False) for n in range(60))
    verdict = judged(OLD, bad=60, failures=blind)
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "coverage_too_low")


def test_the_objective_comes_back_equal():
    """From the record."""
    objective = NoRestart(resolution_s=60.0)
    assert from_plain(objective.to_plain()) == objective
