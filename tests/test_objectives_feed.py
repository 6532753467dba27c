"""Whether Sentry receives and drops, judged."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import structs

from hour24.evidence import Counts, Document, Line, Series
from hour24.objectives.feed import EventStored, NothingDropped
from hour24.verdict import Outcome
from hour24.watch import Window
from tests.evidence_of import AT, counts, document, question, unanswered


def test_an_event_read_back_passes_with_its_duration():
    """The duration runs from sending to the answer with the event."""
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
    """An ingest that refuses errors is FAIL; a refusal of our own request shows nothing."""
    event = document(body, status, problem="the detail")
    verdict = EventStored().judge({"event": event})
    assert (verdict.outcome, verdict.code) == (outcome, code)
    assert "the detail" in verdict.reason


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
        (
            {"code": "source_lacks", "reason": "no"},
            80,
            Outcome.FAIL,
            "not_stored",
            "not report counts",
        ),
        (
            ({"accepted": 7}, {"accepted": 8, LIMITED: 1}),
            80,
            Outcome.INCONCLUSIVE,
            "source_timeout",
            "it counted 1 as accepted meanwhile, so it may only be late",
        ),
        (({}, {}), 6000, Outcome.INCONCLUSIVE, "source_timeout", "it took up to 6 s to answer"),
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
    """FAIL needs no event, no count and quick answers; a late event is INCONCLUSIVE."""
    given = {"before": usage[0], "after": usage[1]} if isinstance(usage, tuple) else usage
    event = Document(
        question=question("200", "404", "404", took_ms=took_ms),
        status=404,
        body={"waited_s": 300.0, "usage": given},
        problem="not stored within 300 s",
    )
    verdict = EventStored().judge({"event": event})
    assert (verdict.outcome, verdict.code) == (outcome, code)
    assert "not stored within 300 s" in verdict.reason
    assert says in verdict.reason


def test_a_dropped_error_fails_with_the_reasons_for_dropping():
    """The reasons are listed, the most frequent first."""
    outcomes = counts(140, 24, accepted=116, filtered=4, rate_limited=20)
    verdict = NothingDropped().judge({"outcomes": outcomes})
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "dropped")
    assert "24 of 140 error events (20 rate_limited, 4 filtered)" in verdict.reason
    assert verdict.figures == {"dropped": 24.0, "events": 140.0}


def test_nothing_dropped_passes_and_no_events_are_reported():
    """When no event was sent, the reason says so."""
    assert "all 12" in NothingDropped().judge({"outcomes": counts(12, 0)}).reason
    nothing = NothingDropped().judge({"outcomes": counts(0, 0)})
    assert nothing.outcome == Outcome.PASS
    assert "counted no error events" in nothing.reason


def window_of(total: int, hours: float, bad: int = 0) -> Counts:
    """Events counted in a window of this many hours."""
    given = counts(total, bad)
    asked = structs.replace(given.question, window=Window(AT - timedelta(hours=hours), AT))
    return structs.replace(given, question=asked)


def day(*values: float | None) -> Series:
    """Events accepted, hour by hour."""
    line = Line(times=tuple(3600.0 * n for n in range(len(values))), values=values)
    return Series(question=question("ok"), unit="error events an hour", lines=(line,))


@pytest.mark.parametrize(
    ("total", "hours", "before", "code"),
    [
        (0, 4, day(*[3] * 24), "feed_silent"),
        (1, 4, day(*[3] * 24), "feed_silent"),
        (2, 4, day(*[3] * 24), ""),
        (0, 4, day(*[2] * 24), ""),
        (0, 5, day(*[2] * 24), "feed_silent"),
        (0, 4, day(*[0] * 7, *[900] * 17), ""),
        (0, 4, day(*[0] * 6, *[3] * 18), "feed_silent"),
        (0, 4, day(*[None] * 7, *[9] * 17), ""),
        (0, 4, day(), ""),
    ],
)
def test_a_feed_that_falls_silent_is_no_pass(total, hours, before, code):
    """If even the day before's quiet hours had errors, no error at all may be a broken feed."""
    verdict = NothingDropped().judge({"outcomes": window_of(total, hours), "day_before": before})
    outcome = Outcome.INCONCLUSIVE if code else Outcome.PASS
    assert (verdict.outcome, verdict.code) == (outcome, code)


def test_a_silent_feed_says_what_was_expected_and_what_to_do():
    """A dropped event still fails."""
    before = {"day_before": day(*[6] * 24)}
    silent = NothingDropped().judge({"outcomes": window_of(0, 5), **before})
    assert "0 error events in 5 h" in silent.reason
    assert "had 6 an hour" in silent.reason
    assert "Make the service report an error" in silent.reason
    dropped = NothingDropped().judge({"outcomes": window_of(1, 5, bad=1), **before})
    assert dropped.outcome == Outcome.FAIL


def test_hours_that_have_not_passed_are_not_expected():
    """Usage is requested for whole hours, the last of which may not be over."""
    given = window_of(0, 2)
    begun = structs.replace(given.question, at=AT - timedelta(minutes=50))
    given = structs.replace(given, question=begun)
    verdict = NothingDropped().judge({"outcomes": given, "day_before": day(*[6] * 24)})
    assert verdict.outcome == Outcome.PASS


def test_a_count_of_zero_needs_the_usual_count():
    """With events too: a few may be what is left of many."""
    before = {"day_before": unanswered("source_timeout")}
    verdict = NothingDropped().judge({"outcomes": window_of(0, 4), **before})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "source_timeout")
    heard = NothingDropped().judge({"outcomes": window_of(3, 4), **before})
    assert (heard.outcome, heard.code) == (Outcome.INCONCLUSIVE, "source_timeout")


@pytest.mark.parametrize(
    ("objective", "name"), [(EventStored(), "event"), (NothingDropped(), "outcomes")]
)
def test_a_sentry_that_does_not_answer_is_inconclusive(objective, name):
    """The code is the source's."""
    verdict = objective.judge({name: unanswered("source_limited")})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "source_limited")
