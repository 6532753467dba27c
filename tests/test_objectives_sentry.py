"""Whether Sentry receives and drops, judged."""

from __future__ import annotations

import pytest

from hour24.evidence import Document
from hour24.objectives.sentry import EventStored, NothingDropped
from hour24.verdict import Outcome
from tests.evidence_of import counts, document, question, unanswered


def test_an_event_read_back_passes_with_how_long_it_took():
    """From sending to the answer that held it."""
    event = document({"eventID": "0" * 32}, 200, "200", "404", "404", "200")
    verdict = EventStored().judge({"event": event})
    assert verdict.outcome == Outcome.PASS
    assert verdict.figures == {"took_s": pytest.approx(90.012)}


@pytest.mark.parametrize(
    ("status", "body", "outcome", "code"),
    [
        (429, {"limit": "60:error:organization:quota"}, Outcome.FAIL, "not_accepted"),
        (404, None, Outcome.INCONCLUSIVE, "source_misread"),
        (200, None, Outcome.INCONCLUSIVE, "source_misread"),
        (200, {}, Outcome.INCONCLUSIVE, "source_misread"),
        (200, "stored", Outcome.INCONCLUSIVE, "source_misread"),
        (403, None, Outcome.INCONCLUSIVE, "source_refused"),
        (429, None, Outcome.INCONCLUSIVE, "source_limited"),
        (502, None, Outcome.INCONCLUSIVE, "source_misread"),
    ],
)
def test_acceptance_is_not_receipt(status, body, outcome, code):
    """An ingest that says it takes no errors is FAIL; a refusal of ours shows nothing."""
    event = document(body, status, problem="what was told")
    verdict = EventStored().judge({"event": event})
    assert (verdict.outcome, verdict.code) == (outcome, code)
    assert "what was told" in verdict.reason


LIMITED = "rate_limited: key_quota"


@pytest.mark.parametrize(
    ("usage", "took_ms", "outcome", "code", "says"),
    [
        (({}, {}), 80, Outcome.FAIL, "not_stored", "it counted no error event meanwhile"),
        (
            ({"accepted": 7, LIMITED: 2}, {"accepted": 7, LIMITED: 2}),
            80,
            Outcome.FAIL,
            "not_stored",
            "it counted no error event meanwhile",
        ),
        (
            ({"accepted": 7}, {"accepted": 7, LIMITED: 1}),
            80,
            Outcome.FAIL,
            "dropped",
            "it counted as dropped meanwhile: 1 rate_limited: key_quota",
        ),
        (
            ({}, {"client_discard: sample_rate": 3}),
            80,
            Outcome.FAIL,
            "not_stored",
            "it counted no error event meanwhile",
        ),
        ({"code": "source_lacks", "reason": "no"}, 80, Outcome.FAIL, "not_stored", "not tell what"),
        (
            ({"accepted": 7}, {"accepted": 8, LIMITED: 1}),
            80,
            Outcome.INCONCLUSIVE,
            "source_timeout",
            "it counted 1 as accepted meanwhile, so that it may only be late",
        ),
        (({}, {}), 6000, Outcome.INCONCLUSIVE, "source_timeout", "it took up to 6.0 s to answer"),
        (
            {"code": "source_failed", "reason": "sentry: usage: 503"},
            80,
            Outcome.INCONCLUSIVE,
            "source_failed",
            "what it counted meanwhile is not known: sentry: usage: 503",
        ),
    ],
)
def test_a_slow_sentry_is_not_one_that_stores_nothing(usage, took_ms, outcome, code, says):
    """FAIL where it shows no event, counts none and answers quickly; what may be late is open."""
    told = {"before": usage[0], "after": usage[1]} if isinstance(usage, tuple) else usage
    event = Document(
        question=question("200", "404", "404", took_ms=took_ms),
        status=404,
        body={"waited_s": 300.0, "usage": told},
        problem="not stored within 300 s",
    )
    verdict = EventStored().judge({"event": event})
    assert (verdict.outcome, verdict.code) == (outcome, code)
    assert "not stored within 300 s" in verdict.reason
    assert says in verdict.reason


def test_a_dropped_error_fails_and_how_it_was_dropped_is_told():
    """The kinds stand in the reason, the most frequent first."""
    outcomes = counts(140, 24, accepted=116, filtered=4, rate_limited=20)
    verdict = NothingDropped().judge({"outcomes": outcomes})
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "dropped")
    assert "24 of 140 error events (20 rate_limited, 4 filtered)" in verdict.reason
    assert verdict.figures == {"dropped": 24.0, "events": 140.0}


def test_nothing_dropped_passes_and_nothing_sent_is_said():
    """Of no event, none was dropped; that is told apart."""
    assert "all 12" in NothingDropped().judge({"outcomes": counts(12, 0)}).reason
    nothing = NothingDropped().judge({"outcomes": counts(0, 0)})
    assert nothing.outcome == Outcome.PASS
    assert "counted no error events" in nothing.reason


@pytest.mark.parametrize(
    ("objective", "name"), [(EventStored(), "event"), (NothingDropped(), "outcomes")]
)
def test_a_sentry_that_does_not_answer_is_inconclusive(objective, name):
    """With the source's own code."""
    verdict = objective.judge({name: unanswered("source_limited")})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "source_limited")
