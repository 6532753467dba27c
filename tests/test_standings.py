"""How criteria stand over attempts, later evidence and waivers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hour24.criteria import own_criterion
from hour24.ledger.record import Judged, Record
from hour24.ledger.standings import Standing, Waiver, outcome_of, standings_of
from hour24.verdict import Outcome
from tests import small_watch as small
from tests.small_watch import AFTER, WATCH, counts, judged, record, unjudged, watch_of, without_data

FEW = "too_few_samples"


def stood(
    *records: Record, waivers: Sequence[Waiver] = (), now: datetime | None = None
) -> dict[tuple[int, str, str], Standing]:
    """By hour, id and subject."""
    at = now or max(one.ended for one in records)
    found = standings_of(WATCH, records, waivers, at)
    assert len(found) == len({(s.hour, s.id, s.subject) for s in found})
    return {(s.hour, s.id, s.subject): s for s in found}


def few(name: str, hour: int, subject: str = "") -> Judged:
    return judged(name, hour, counts(hour, total=3), subject=subject)


def failed(name: str, hour: int, subject: str = "") -> Judged:
    return judged(name, hour, counts(hour, bad=200), subject=subject)


def unseen(name: str, hour: int, code: str = "source_failed") -> Judged:
    return judged(name, hour, without_data(hour, code))


# --- attempts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempts", "outcome", "attempt"),
    [
        (("FAIL", "PASS"), Outcome.FAIL, 1),
        (("PASS", "FAIL"), Outcome.FAIL, 2),
        (("INCONCLUSIVE", "PASS"), Outcome.PASS, 2),
        (("PASS", "INCONCLUSIVE"), Outcome.PASS, 1),
        (("INCONCLUSIVE", "FAIL", "PASS"), Outcome.FAIL, 2),
        (("INCONCLUSIVE", "INCONCLUSIVE"), Outcome.INCONCLUSIVE, 2),
        (("INCONCLUSIVE", "NOT_APPLICABLE"), Outcome.INCONCLUSIVE, 1),
        (("FAIL", "NOT_APPLICABLE"), Outcome.FAIL, 1),
        (("NOT_APPLICABLE", "NOT_APPLICABLE"), Outcome.NOT_APPLICABLE, 2),
    ],
)
def test_over_attempts_a_fail_sticks_and_a_pass_stands_over_no_answer(
    attempts: tuple[str, ...], outcome: Outcome, attempt: int
) -> None:
    """Asking again cannot erase a FAIL, nor can leaving the criterion out."""
    made = {
        "PASS": lambda: judged("DB-POOL", 8),
        "FAIL": lambda: failed("DB-POOL", 8),
        "INCONCLUSIVE": lambda: unseen("DB-POOL", 8),
        "NOT_APPLICABLE": lambda: unjudged(
            "DB-POOL", 8, "not_applicable", outcome=Outcome.NOT_APPLICABLE
        ),
    }
    records = [record(8, made[what](), attempt=n) for n, what in enumerate(attempts, start=1)]
    found = stood(*records)[8, "DB-POOL", ""]
    assert (found.outcome, found.attempt) == (outcome, attempt)


def test_an_early_attempt_never_counts() -> None:
    """Neither its FAIL nor its PASS; alone, it leaves the checkpoint missed."""
    before = WATCH.checkpoint(8).due - timedelta(minutes=5)
    early = record(8, failed("DB-POOL", 8), early=True, started=before)
    assert stood(early, record(8, attempt=2))[8, "DB-POOL", ""].outcome == Outcome.PASS
    found = stood(record(0), early, record(12))
    assert found[8, "DB-POOL", ""].code == "missed"


def test_an_attempt_over_another_window_does_not_count() -> None:
    """Its PASS speaks of something else."""
    other = record(8, attempt=2, window=WATCH.checkpoint(12).window)
    found = stood(record(8, unseen("DB-POOL", 8)), other)
    assert found[8, "DB-POOL", ""].outcome == Outcome.INCONCLUSIVE


def test_each_subject_stands_for_itself() -> None:
    """One endpoint's FAIL is not another's, and none is lost when another attempt lacks it."""
    first = record(
        8, failed("LATENCY-TARGET", 8, "calls"), judged("LATENCY-TARGET", 8, subject="health")
    )
    second = record(8, judged("LATENCY-TARGET", 8, subject="health"), attempt=2)
    found = stood(first, second)
    assert found[8, "LATENCY-TARGET", "calls"].outcome == Outcome.FAIL
    assert found[8, "LATENCY-TARGET", "health"].outcome == Outcome.PASS
    assert (8, "LATENCY-TARGET", "") not in found


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_criterion_not_judged_stands_in_only_until_its_subjects_are(
    order: tuple[int, int],
) -> None:
    """A run that was cut short before the endpoints leaves nothing behind once they were judged."""
    cut, full = order
    records = [
        record(8, unjudged("LATENCY-TARGET", 8, "interrupted"), attempt=cut),
        record(8, judged("LATENCY-TARGET", 8, subject="calls"), attempt=full),
    ]
    found = stood(*records)
    assert (8, "LATENCY-TARGET", "") not in found
    assert found[8, "LATENCY-TARGET", "calls"].outcome == Outcome.PASS


def test_a_criterion_that_broke_off_after_one_subject_is_not_whole() -> None:
    """Its missing rest is INCONCLUSIVE, also when an earlier verdict of it passed."""
    broken = record(
        8,
        judged("LATENCY-TARGET", 8, subject="calls"),
        unjudged("LATENCY-TARGET", 8, "harness_error"),
    )
    assert stood(broken)[8, "LATENCY-TARGET", ""].outcome == Outcome.INCONCLUSIVE
    twice = record(8, judged("DB-POOL", 8), unjudged("DB-POOL", 8, "harness_error"))
    assert stood(twice)[8, "DB-POOL", ""].outcome == Outcome.INCONCLUSIVE


def test_a_due_criterion_that_a_record_does_not_hold_is_inconclusive() -> None:
    """A planned criterion that was not judged is not silently fine."""
    whole = record(8)
    cut = small.changed(whole, criteria=tuple(j for j in whole.criteria if j.id != "DB-POOL"))
    assert stood(cut)[8, "DB-POOL", ""].code == "not_recorded"


# --- missed -----------------------------------------------------------------------------------


def test_a_checkpoint_before_the_newest_record_was_missed() -> None:
    """Every criterion due there is INCONCLUSIVE, and no later PASS settles that."""
    found = stood(record(0), record(8))
    at_4 = [s for (hour, _, _), s in found.items() if hour == 4]
    assert {s.code for s in at_4} == {"missed"}
    assert {s.id for s in at_4} == {j.id for j in record(4).criteria}
    assert not any(s.settled_by for s in at_4)


def test_a_checkpoint_is_missed_once_its_tolerance_is_over() -> None:
    """Until then it is only not yet run."""
    due = WATCH.checkpoint(4).due
    inside = stood(record(0), now=due + timedelta(seconds=WATCH.tolerance_s))
    assert not [key for key in inside if key[0] == 4]
    past = stood(record(0), now=due + timedelta(seconds=WATCH.tolerance_s + 1))
    assert past[4, "DB-POOL", ""].code == "missed"
    assert not [key for key in past if key[0] == 8]


def test_what_is_left_out_everywhere_is_left_out_at_a_missed_checkpoint() -> None:
    """A service without WebSockets misses no WebSocket verdict."""
    left_out = {"outcome": Outcome.NOT_APPLICABLE, "reason": "it has none"}
    records = [
        record(hour, unjudged("WS-STABLE", hour, "not_applicable", **left_out)) for hour in (0, 8)
    ]
    found = stood(*records)[4, "WS-STABLE", ""]
    assert (found.outcome, found.reason) == (Outcome.NOT_APPLICABLE, "it has none")


def test_ones_own_criteria_are_missed_too() -> None:
    """The plan of the records says what is due, not the table alone."""
    own = own_criterion("OWN-QUEUE", "The queue is short", (0, 4, 8))
    plan = {**record(0).plan, "OWN-QUEUE": (0, 4, 8)}
    records = [record(hour, judged(own, hour), plan=plan) for hour in (0, 8)]
    found = stood(*records)[4, "OWN-QUEUE", ""]
    assert (found.code, found.sentence, found.group) == ("missed", "The queue is short", "Your own")


def test_without_any_record_nothing_passes() -> None:
    """An empty watch is INCONCLUSIVE at once, and missed when its time is over."""
    assert standings_of(WATCH, [], [], small.T0) == ()
    assert outcome_of(()) == Outcome.INCONCLUSIVE
    late = standings_of(WATCH, [], [], AFTER + timedelta(days=1))
    assert {s.hour for s in late} == set(WATCH.hours)
    assert outcome_of(late) == Outcome.INCONCLUSIVE


# --- settling ---------------------------------------------------------------------------------


def test_want_of_evidence_is_settled_by_a_later_pass_that_contains_it() -> None:
    """WS-STABLE covers the time since T0: hour 12 includes hour 8's window too."""
    found = stood(record(8, few("WS-STABLE", 8)), record(12))
    assert found[8, "WS-STABLE", ""].settled_by == "hour 12"
    assert found[8, "WS-STABLE", ""].outcome == Outcome.INCONCLUSIVE
    assert found[8, "WS-STABLE", ""].effective == Outcome.PASS


@pytest.mark.parametrize("code", ["source_failed", "late", "coverage_too_low", "not_run", ""])
def test_missing_data_is_not_settled(code: str) -> None:
    """Only more evidence of the same property settles, and only what wanted evidence."""
    found = stood(record(8, unseen("WS-STABLE", 8, code)), record(12))
    assert found[8, "WS-STABLE", ""].settled_by == ""


def test_a_later_window_that_excludes_the_first_settles_nothing() -> None:
    """ERRORS-RATE speaks of its own four hours."""
    found = stood(record(8, few("ERRORS-RATE", 8)), record(12))
    assert found[8, "ERRORS-RATE", ""].settled_by == ""


@pytest.mark.parametrize(
    ("counted_h", "settles"),
    [(4.0, True), (4.4, True), (4.6, False), (8.0, False)],
)
def test_counters_that_could_not_be_read_are_settled_by_a_reading_from_before(
    counted_h: float, settles: bool
) -> None:
    """Hour 8 was blind; hour 12 compares with a reading of hour 4, or of one taken too late."""
    passed = judged("DB-SLOW", 12)
    reading = {"question": {"at": (small.T0 + timedelta(hours=counted_h)).isoformat()}}
    passed = small.changed(passed, evidence={**passed.evidence, "before": reading})
    standing = stood(record(8, unseen("DB-SLOW", 8)), record(12, passed))[8, "DB-SLOW", ""]
    assert (standing.settled_by == "hour 12") is settles


def test_a_reading_from_before_settles_counters_alone() -> None:
    """Another criterion's window is its own."""
    reading = {"question": {"at": (small.T0 + timedelta(hours=4)).isoformat()}}
    passed = judged("LOGS-ERRORS", 12)
    passed = small.changed(passed, evidence={**passed.evidence, "before": reading})
    found = stood(record(8, unseen("LOGS-ERRORS", 8)), record(12, passed))
    assert found[8, "LOGS-ERRORS", ""].is_open


def test_the_whole_watch_settles_what_one_checkpoint_could_not() -> None:
    """SIGNOFF-ERROR-RATE over 24 hours contains every checkpoint, hour 24's own too."""
    last = record(
        24,
        few("ERRORS-RATE", 24),
        judged("SIGNOFF-ERROR-RATE", 24, subject="24 hours"),
    )
    found = stood(record(4, few("ERRORS-RATE", 4)), last)
    assert found[4, "ERRORS-RATE", ""].settled_by == "SIGNOFF-ERROR-RATE at hour 24"
    assert found[24, "ERRORS-RATE", ""].settled_by == "SIGNOFF-ERROR-RATE at hour 24"
    assert found[4, "DB-POOL", ""].settled_by == ""


def test_a_verdict_on_the_ledger_settles_nothing(tmp_path: Path) -> None:
    """It has no evidence of its own, or it would settle what it rests on."""
    first = record(4, few("ERRORS-RATE", 4))
    ledger = small.whole(tmp_path, hour4=first)
    objective, evidence = small.held(24, ledger, "DB-POOL")
    verdict = judged("SIGNOFF-ERROR-RATE", 24, evidence, objective)
    assert verdict.outcome == Outcome.PASS
    found = stood(first, record(24, verdict))
    assert found[4, "ERRORS-RATE", ""].settled_by == ""


@pytest.mark.parametrize(
    "later",
    [
        failed("WS-STABLE", 12),
        few("WS-STABLE", 12),
        judged("WS-STABLE", 12, subject="other"),
    ],
)
def test_only_a_pass_of_the_same_thing_settles(later: Judged) -> None:
    """No FAIL, no other subject, no second want of evidence."""
    found = stood(record(8, few("WS-STABLE", 8)), record(12, later))
    assert found[8, "WS-STABLE", ""].settled_by == ""


def test_an_earlier_pass_settles_nothing() -> None:
    """Settling looks forward."""
    found = stood(record(8), record(12, few("WS-STABLE", 12)))
    assert found[12, "WS-STABLE", ""].settled_by == ""


# --- waivers ----------------------------------------------------------------------------------


def waiver(**changes: object) -> Waiver:
    fields: dict[str, object] = {
        "criterion": "DB-POOL",
        "by": "Mara Example",
        "because": "fixed",
        "until": AFTER,
        "hour": 8,
    }
    return Waiver(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "covers"),
    [
        ({}, True),
        ({"hour": None}, True),
        ({"hour": 4}, False),
        ({"criterion": "DB-SIZE"}, False),
        ({"subject": "other"}, False),
        ({"until": AFTER - timedelta(hours=2)}, False),
        ({"until": AFTER - timedelta(hours=2, microseconds=-1)}, True),
    ],
)
def test_a_waiver_covers_what_it_names_until_it_ends(
    changes: dict[str, object], covers: bool
) -> None:
    """A FAIL stays a FAIL, with the name of who waived it."""
    now = AFTER - timedelta(hours=2)
    found = stood(record(8, failed("DB-POOL", 8)), waivers=[waiver(**changes)], now=now)
    one = found[8, "DB-POOL", ""]
    assert one.outcome == Outcome.FAIL
    assert one.waived_by == ("Mara Example" if covers else "")
    assert one.is_open is not covers
    assert one.effective == (Outcome.PASS if covers else Outcome.FAIL)


def test_a_pass_is_not_waived_and_a_missed_checkpoint_may_be() -> None:
    """Without anything to waive, no name is shown."""
    both = [waiver(hour=None)]
    found = stood(record(0), record(8), waivers=both)
    assert found[8, "DB-POOL", ""].waived_by == ""
    assert found[4, "DB-POOL", ""].waived_by == "Mara Example"


# --- the ledger's own verdicts, the outcome of the whole --------------------------------------


def test_a_verdict_on_the_ledger_is_the_newest_attempts(tmp_path: Path) -> None:
    """After a waiver, running hour 24 again may turn it; the FAIL below it sticks all the same."""
    ledger = small.whole(tmp_path, hour8=record(8, failed("DB-POOL", 8)))
    objective, evidence = small.held(24, ledger, "DB-POOL")
    first = record(24, judged("SIGNOFF-DATABASE", 24, evidence, objective))
    assert stood(first)[24, "SIGNOFF-DATABASE", ""].outcome == Outcome.FAIL
    ledger.append(
        "waive",
        {
            "criterion": "DB-POOL",
            "hour": 8,
            "by": "Mara",
            "because": "fixed",
            "until": AFTER + timedelta(days=1),
            "at": AFTER,
        },
    )
    objective, evidence = small.held(24, ledger, "DB-POOL")
    again = record(24, judged("SIGNOFF-DATABASE", 24, evidence, objective), attempt=2)
    found = stood(first, again)[24, "SIGNOFF-DATABASE", ""]
    assert (found.outcome, found.attempt, found.on_ledger) == (Outcome.PASS, 2, True)


def test_the_ledger_tells_outcomes_with_waivers_and_settling(tmp_path: Path) -> None:
    """Of an hour and of the watch; a record not yet written counts when it is given."""
    ledger = watch_of(tmp_path, record(0), record(4, few("WS-STABLE", 4)))
    now = WATCH.checkpoint(4).due + timedelta(minutes=5)
    assert ledger.outcome(0, now) == Outcome.PASS
    assert ledger.outcome(4, now) == Outcome.INCONCLUSIVE
    assert ledger.outcome(8, now) == Outcome.INCONCLUSIVE
    assert ledger.outcome_of_watch(now) == Outcome.INCONCLUSIVE
    with_8 = ledger.standings(now, record(8))
    assert outcome_of(with_8) == Outcome.PASS
    ledger.write(record(8))
    assert ledger.outcome_of_watch(now) == Outcome.PASS
    ledger.write(record(12, failed("DB-POOL", 12)))
    assert ledger.outcome_of_watch(now) == Outcome.FAIL
    assert outcome_of(ledger.standings(now, record(12))) == Outcome.PASS
