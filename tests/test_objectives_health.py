"""The health document, judged."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hour24.evidence import Document
from hour24.objectives.base import from_plain
from hour24.objectives.health import HealthDocument
from hour24.verdict import Outcome
from tests.evidence_of import AT, document, unanswered

SCHEMA = json.loads(
    (Path(__file__).parent.parent / "schemas" / "health.schema.json").read_text(encoding="utf-8")
)
HEALTHY = {
    "status": "ok",
    "database": True,
    "supabase": True,
    "backgroundJobs": True,
    "timestamp": "2026-11-24T10:00:00Z",
    "uptime": 7300.5,
}
OBJECTIVE = HealthDocument(schema=SCHEMA)
CONTROL = document({}, 204)


def healthy(**changed: Any) -> dict[str, Any]:
    return {**HEALTHY, **changed}


def judged(answer: Document, objective: HealthDocument = OBJECTIVE, **more: Any) -> Any:
    return objective.judge({"health": answer, **more})


def silent(*results: str) -> Document:
    return document(None, 0, *results, silent=True, problem="no answer in time")


def test_the_expected_document_passes_with_its_age_and_uptime():
    """Age and uptime are in the reason and in the figures."""
    verdict = judged(document(HEALTHY, server_date=AT), control=CONTROL)
    assert verdict.outcome == Outcome.PASS
    assert verdict.figures == {
        "attempts": 1.0,
        "age_s": pytest.approx(0.012),
        "age_by_server_s": 0.0,
        "uptime_s": 7300.5,
    }
    assert verdict.scale.limit == 60
    assert "up for 2 h 02 min" in verdict.reason


def test_a_pass_after_failures_says_on_which_attempt():
    """Retries are visible in the reason."""
    late = healthy(timestamp="2026-11-24T10:01:00Z")
    verdict = judged(document(late, 200, "503", "timeout", "200"))
    assert verdict.outcome == Outcome.PASS
    assert "passed on attempt 3, after 503, timeout" in verdict.reason
    second = judged(document(late, 200, "503", "200"))
    assert "passed on attempt 2, after 503" in second.reason


@pytest.mark.parametrize(
    ("changed", "given"),
    [
        ({"database": False}, "/database: expected true, got false"),
        ({"status": "degraded"}, '/status: expected "ok", got "degraded"'),
        ({"status": "ok\x1b[2J\u202e"}, 'got "ok\\u001b[2J\\u202e"'),
        ({"backgroundJobs": 1}, "/backgroundJobs: expected true, got 1"),
        ({"uptime": "7300"}, '/uptime: expected a number, got "7300"'),
        ({"uptime": -1}, "/uptime: expected at least 0, got -1"),
        ({"timestamp": None}, "/timestamp: expected text, got null"),
        ({"timestamp": "yesterday"}, "/timestamp: expected text that matches"),
    ],
)
def test_a_member_that_differs_is_named_with_expected_and_got(changed, given):
    """Each is FAIL, and hostile text is escaped."""
    verdict = judged(document(healthy(**changed)), control=CONTROL)
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "schema")
    assert given in verdict.reason
    assert verdict.reason.isprintable()


def test_every_absent_member_is_named_and_many_are_counted():
    """An empty object lacks six members; three are named."""
    verdict = judged(document({}))
    assert verdict.code == "schema"
    assert "/status: expected to be there, got nothing" in verdict.reason
    assert "and 3 more" in verdict.reason
    assert verdict.figures == {"differences": 6.0}


@pytest.mark.parametrize(
    ("control", "outcome", "code"),
    [
        (CONTROL, Outcome.FAIL, "no_answer"),
        (document(None, 503), Outcome.FAIL, "no_answer"),
        (silent(), Outcome.INCONCLUSIVE, "no_network"),
        (unanswered(), Outcome.INCONCLUSIVE, "no_control"),
        (None, Outcome.INCONCLUSIVE, "no_control"),
    ],
)
def test_no_answer_is_the_service_s_fault_only_while_the_control_answers(control, outcome, code):
    """No answer is FAIL; no answer from either address is our own network."""
    more = {} if control is None else {"control": control}
    verdict = judged(silent("no answer in time", "no answer in time"), **more)
    assert (verdict.outcome, verdict.code) == (outcome, code)
    assert "in 2 attempts over 30 s" in verdict.reason


def test_a_service_that_answered_once_and_then_stopped_fails():
    """An earlier 503 shows that the network worked."""
    answer = document(None, 0, "503", "no answer in time", problem="no answer in time")
    verdict = judged(answer, control=silent())
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "no_answer")


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        (500, Outcome.FAIL, "bad_status"),
        (503, Outcome.FAIL, "bad_status"),
        (404, Outcome.FAIL, "bad_status"),
        (302, Outcome.FAIL, "bad_status"),
        (401, Outcome.INCONCLUSIVE, "source_refused"),
        (403, Outcome.INCONCLUSIVE, "source_refused"),
        (429, Outcome.INCONCLUSIVE, "source_limited"),
    ],
)
def test_a_status_that_is_not_2xx_fails_unless_we_caused_it(status, outcome, code):
    """This is so even with a document that would be as expected."""
    verdict = judged(document(HEALTHY, status), control=CONTROL)
    assert (verdict.outcome, verdict.code) == (outcome, code)
    assert str(status) in verdict.reason


def test_a_503_is_reported_with_its_document():
    """The failing member is next to the status in the reason."""
    verdict = judged(document(healthy(database=False), 503), control=CONTROL)
    assert verdict.code == "bad_status"
    assert "in its document, /database: expected true, got false" in verdict.reason


def test_an_answer_that_is_not_json_fails():
    """A single-page application's HTML is no health document."""
    verdict = judged(document(None, 200, problem="expected a JSON document, got HTML"))
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "no_document")


HOURS_3 = timedelta(hours=3)


@pytest.mark.parametrize(
    ("made", "server", "control", "outcome", "code"),
    [
        (AT - HOURS_3, AT, None, Outcome.FAIL, "stale"),
        (AT - HOURS_3, None, None, Outcome.FAIL, "stale"),
        (AT + HOURS_3, AT, AT, Outcome.FAIL, "stale"),
        (AT - HOURS_3, AT - HOURS_3, None, Outcome.INCONCLUSIVE, "clock_skew"),
        (AT - HOURS_3, AT - HOURS_3, AT - HOURS_3, Outcome.INCONCLUSIVE, "clock_skew"),
        (AT - HOURS_3, AT - HOURS_3, AT, Outcome.FAIL, "stale"),
        (AT - HOURS_3, None, AT - HOURS_3, Outcome.INCONCLUSIVE, "clock_skew"),
        (AT - timedelta(seconds=59), AT, None, Outcome.PASS, ""),
        (AT - timedelta(seconds=61), AT, None, Outcome.FAIL, "stale"),
        (AT + timedelta(seconds=61), AT, None, Outcome.FAIL, "stale"),
    ],
)
def test_a_timestamp_is_stale_or_one_of_the_clocks_is_wrong(made, server, control, outcome, code):
    """The clock that disagrees with the other two is the wrong one."""
    stamp = made.isoformat().replace("+00:00", "Z")
    more = {"control": document({}, 204, server_date=control)} if control else {}
    verdict = judged(document(healthy(timestamp=stamp), server_date=server), **more)
    assert (verdict.outcome, verdict.code) == (outcome, code)


def test_our_own_wrong_clock_is_distinguished_from_theirs():
    """If the control address's clock agrees with the service's, ours is wrong."""
    past = AT - HOURS_3
    answer = document(healthy(timestamp="2026-11-24T07:00:00Z"), server_date=past)
    ours = judged(answer, control=document({}, 204, server_date=past))
    theirs = judged(answer, control=document({}, 204, server_date=AT))
    assert "3 h behind ours" in ours.reason
    assert "so ours is wrong" in ours.reason
    assert "the control address's clock agrees with ours" in theirs.reason


@pytest.mark.parametrize(
    "stamp",
    [1795514400, 1795514400.5, 1795514400000, "2026-11-24T11:00:00+01:00", "2026-11-24 10:00:00"],
)
def test_times_are_read_in_common_forms(stamp):
    """Epoch seconds, milliseconds, offsets and no zone (UTC) are accepted."""
    objective = HealthDocument(schema={}, timestamp="/made/at", uptime="")
    assert judged(document({"made": {"at": stamp}}), objective).outcome == Outcome.PASS


def test_a_missing_timestamp_fails():
    """An empty schema does not make a missing timestamp fresh."""
    objective = HealthDocument(schema={}, uptime="")
    for body in ({}, {"timestamp": True}, {"timestamp": "soon"}, [], None, 7):
        verdict = judged(document(body), objective)
        assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "schema"), body


@pytest.mark.parametrize("uptime", [-1, "7", None, True])
def test_an_uptime_is_a_number_of_seconds(uptime):
    """This is checked even if the schema does not require it."""
    objective = HealthDocument(schema={}, timestamp="")
    verdict = judged(document({"uptime": uptime}), objective)
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "schema")
    assert "/uptime: expected seconds of at least 0" in verdict.reason


def test_a_bare_true_can_be_the_document():
    """Another backend's document may lack timestamp and uptime."""
    objective = HealthDocument(schema={"const": True}, timestamp="", uptime="")
    assert judged(document(True), objective).outcome == Outcome.PASS
    verdict = judged(document(False), objective)
    assert "/: expected true, got false" in verdict.reason


def test_the_verdict_is_recomputed_from_stored_evidence():
    """Objective and evidence load back from JSON and give the same verdict."""
    answer = document(HEALTHY, server_date=AT)
    again = from_plain(json.loads(json.dumps(OBJECTIVE.to_plain())))
    assert again.judge({"health": answer}) == judged(answer)


def test_a_late_checkpoint_is_inconclusive():
    """Without an answer there is nothing to judge."""
    assert judged(unanswered("late")).code == "late"
