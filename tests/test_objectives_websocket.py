"""WebSocket connections, judged."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hour24.evidence import Counts, Failure, Probes, Question
from hour24.objectives.base import from_plain
from hour24.objectives.websocket import BY_US, EARLY, DropsBelow
from hour24.verdict import Outcome
from hour24.watch import Window
from tests.evidence_of import AT, counts, unanswered

START = AT.timestamp()


def held(total: int, bad: int = 0, **refused: int) -> Counts:
    parts: dict[str, int] = {f"refused: {name}": n for name, n in refused.items()}
    if refused:
        parts["refused"] = sum(refused.values())
    return counts(total, bad, "connections", **parts)


def probes(connections: int, drops: int = 0, refused: int = 0, **more: Any) -> Probes:
    window = Window(AT, AT + timedelta(hours=4))
    fields: dict[str, Any] = {"due": 240, "kept": 240, "held_s": 3600.0 * 12}
    return Probes(
        question=Question(source="prober", asked="probes", at=window.end, window=window),
        basis="sample",
        target="websocket",
        interval_s=60.0,
        connections=connections,
        drops=drops,
        refused=refused,
        **(fields | more),
    )


def judged(**evidence: Any) -> Any:
    return DropsBelow().judge(evidence)


@pytest.mark.parametrize(
    ("total", "bad", "outcome"),
    [
        (28, 0, Outcome.INCONCLUSIVE),
        (29, 0, Outcome.PASS),
        (46, 1, Outcome.PASS),
        (45, 1, Outcome.INCONCLUSIVE),
        (100, 4, Outcome.PASS),
        (300, 21, Outcome.PASS),
        (30, 4, Outcome.INCONCLUSIVE),
        (30, 12, Outcome.FAIL),
        (1, 1, Outcome.INCONCLUSIVE),
        (0, 0, Outcome.INCONCLUSIVE),
    ],
)
def test_the_share_of_drops_is_bounded(total, bad, outcome):
    """None of 29, one of 46, 4 of 100 and 21 of 300 pass, as published."""
    assert judged(held=held(total, bad)).outcome == outcome
    if total:
        assert judged(probes=probes(total, bad)).outcome == outcome


def test_both_are_reported_with_the_number_that_would_pass():
    """Connections of different length are not added up."""
    verdict = judged(probes=probes(144, 2), held=held(30))
    assert verdict.outcome == Outcome.PASS
    assert "2 of 144 connections of the prober" in verdict.reason
    assert "0 of 30 connections opened now dropped" in verdict.reason
    few = judged(held=held(20))
    assert few.code == "too_few_samples"
    assert "29 connections with no more drops would pass" in few.reason


def test_a_share_is_stated_with_the_bound_that_decides():
    """At most for a PASS, at least for a FAIL; the figures have both."""
    passed, failed = judged(held=held(29)), judged(held=held(30, 12))
    assert "(0 %, at most 9.81 %)" in passed.reason
    assert "(40 %, at least 20.1 %)" in failed.reason
    assert passed.figures["held_connections"] == 29.0
    assert passed.figures["held_upper"] == pytest.approx(0.098, abs=0.001)


def test_either_can_fail():
    """Connections opened now or since T0 may fail."""
    assert judged(probes=probes(144), held=held(30, 12)).outcome == Outcome.FAIL
    assert judged(probes=probes(144, 60), held=held(30)).outcome == Outcome.FAIL


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (probes(144, kept=200), "coverage_too_low"),
        (probes(144, gaps=((START, START + 400),)), "coverage_too_low"),
        (unanswered("no_prober"), "no_prober"),
    ],
)
def test_low_coverage_of_the_prober_prevents_a_pass(seen, code):
    """Thirty good connections of one minute are not four hours."""
    verdict = judged(probes=seen, held=held(30))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, code)
    assert judged(probes=seen, held=held(30, 12)).outcome == Outcome.FAIL


def test_too_many_drops_are_no_wrong_answers():
    """Only connections that were opened now and got another answer are those."""
    assert judged(probes=probes(1000, 300)).code == "drops"
    assert judged(probes=probes(1000), held=held(30, 20)).code == "drops"


def test_refused_handshakes_are_no_drops():
    """They are reported separately."""
    verdict = judged(held=held(30, 0, timeout=5))
    assert verdict.outcome == Outcome.PASS
    assert "5 handshakes were refused (not counted as drops)" in verdict.reason


def down(control: bool | None) -> Probes:
    last = Failure(at=START + 14300, reason="not connected", control=control)
    return probes(100, refused=40, failures=(last,))


@pytest.mark.parametrize(
    ("evidence", "outcome", "code"),
    [
        ({"held": held(0, 0, timeout=30)}, Outcome.INCONCLUSIVE, "no_control"),
        ({"held": held(0, 0, timeout=30), "probes": down(True)}, Outcome.FAIL, "no_answer"),
        (
            {"held": held(0, 0, timeout=30), "probes": down(False)},
            Outcome.INCONCLUSIVE,
            "no_network",
        ),
        (
            {"held": held(0, 0, timeout=30), "probes": down(None)},
            Outcome.INCONCLUSIVE,
            "no_control",
        ),
        ({"held": held(0, 0, **{"503": 30})}, Outcome.FAIL, "no_answer"),
        ({"held": held(0, 0, **{"403": 30})}, Outcome.INCONCLUSIVE, "source_refused"),
        ({"held": held(0, 0, **{"429": 30})}, Outcome.INCONCLUSIVE, "source_limited"),
        ({"probes": probes(0, refused=40)}, Outcome.INCONCLUSIVE, "no_control"),
    ],
)
def test_no_handshake_at_all_is_the_services_fault_or_ours(evidence, outcome, code):
    """The status decides, or else the control address."""
    verdict = judged(**evidence)
    assert (verdict.outcome, verdict.code) == (outcome, code)


def test_no_data_is_inconclusive_and_the_objective_loads_back_equal():
    """No connection was requested, or none was opened."""
    assert judged().code == "no_data"
    assert judged(held=unanswered("late")).code == "late"
    objective = DropsBelow(limit=0.05)
    assert from_plain(objective.to_plain()) == objective


@pytest.mark.parametrize(("closed", "code"), [(10, ""), (16, "closed_early")])
def test_a_server_that_closes_most_connections_early_shows_nothing(closed, code):
    """Half of them is the limit."""
    assert judged(held=counts(30, 0, "connections", **{EARLY: closed})).code == code


@pytest.mark.parametrize(("ended", "code"), [(15, "too_few_samples"), (16, "not_taken")])
def test_connections_that_we_ended_ourselves_show_nothing(ended, code):
    """More than half of them, of a number that decides nothing by itself."""
    assert judged(held=counts(30, 2, "connections", **{BY_US: ended})).code == code
