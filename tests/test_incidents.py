"""Each finding is in one incident, with those that share a sign; over needs evidence."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from hour24.codes import CODES
from hour24.criteria import CRITERIA
from hour24.evidence import (
    Counts,
    Evidence,
    Failure,
    Listing,
    Probes,
    Question,
    Unanswered,
)
from hour24.incidents import Finding, Incident, State, of_record, of_watch
from hour24.incidents.grouping import groups
from hour24.ledger.record import Judged
from hour24.ledger.standings import standings_of
from hour24.rehearsal.run import RunPlan, run_checkpoints
from hour24.verdict import Outcome
from hour24.watch import Window
from tests.evidence_of import WATCH, judged, record

START = datetime(2026, 11, 24, 6, tzinfo=UTC)
HOURS_4 = Window(START, START + timedelta(hours=4))
BEGAN = START.timestamp()
UNTIL = HOURS_4.end.timestamp()


def asked(source: str = "prober") -> Question:
    """A question about the four hours."""
    return Question(source=source, asked="a question", at=HOURS_4.end, window=HOURS_4)


def probes(first: float, last: float, reason: str = "503") -> Probes:
    """Health probes that fail from the first to the last second after the start."""
    failing = [BEGAN + at for at in range(int(first), int(last) + 1, 10)]
    return Probes(
        question=asked(),
        target="health",
        interval_s=10.0,
        due=1440,
        kept=1440,
        bad=len(failing),
        failures=tuple(Failure(at=at, reason=reason, control=True) for at in failing),
    )


def events(issue: str, *seconds: float) -> Listing:
    """Error events of one issue at these seconds after the start."""
    items = tuple({"at": BEGAN + at, "issue": issue, "title": issue} for at in seconds)
    return Listing(question=asked("tracker"), what="error events", items=items, seen=len(items))


def issues(*names: str) -> Listing:
    """Issues with two events at the beginning."""
    items = tuple(
        {
            "short_id": name,
            "title": f"{name} broke",
            "count": 2,
            "first_seen": BEGAN + 60,
            "last_seen": BEGAN + 120,
        }
        for name in names
    )
    return Listing(question=asked("tracker"), what="issues", items=items, seen=len(items))


def silent(source: str) -> Unanswered:
    """A source that gave no answer."""
    return Unanswered(question=asked(source), code="source_unreachable", reason="no answer")


def counted(total: int, bad: int) -> Counts:
    """Requests as the platform counted them."""
    parts = {"200": total - bad, "500": bad}
    return Counts(question=asked("platform"), total=total, bad=bad, what="requests", parts=parts)


def names(found: list[Incident]) -> list[list[str]]:
    """The names of the findings of each incident."""
    return [sorted(each.name for each in one.findings) for one in found]


# --- what is together, and what is not ------------------------------------------------------------


def test_checks_that_name_the_same_issue_are_one_incident() -> None:
    found = of_record(
        record(
            judged("ERRORS-NEW", "FAIL", "new_issue", issues=issues("A-1")),
            judged("ERRORS-TOP", "FAIL", "new_issue", issues=issues("A-1")),
            judged("ERRORS-COUNT", "FAIL", "too_many_events", events=events("A-1", 60, 70, 80)),
        )
    )
    assert names(found) == [["ERRORS-COUNT", "ERRORS-NEW", "ERRORS-TOP"]]
    assert found[0].issues == ("A-1",)
    assert found[0].headline == "A-1 broke, 2 events"
    assert found[0].doubt == ""


def test_checks_without_a_common_sign_are_separate_incidents() -> None:
    found = of_record(
        record(
            judged("DB-SIZE", "FAIL", "disk_full"),
            judged("ERRORS-NEW", "FAIL", "new_issue", issues=issues("A-1")),
            judged("JOBS-RUNNING", "INCONCLUSIVE", "source_unreachable", beats=silent("platform")),
        )
    )
    assert sorted(names(found)) == [["DB-SIZE"], ["ERRORS-NEW"], ["JOBS-RUNNING"]]


def test_sources_without_an_answer_are_one_incident_each() -> None:
    found = of_record(
        record(
            judged("ERRORS-NEW", "INCONCLUSIVE", "source_unreachable", issues=silent("tracker")),
            judged("ERRORS-TOP", "INCONCLUSIVE", "source_timeout", issues=silent("tracker")),
            judged("LOGS-ERRORS", "INCONCLUSIVE", "source_failed", lines=silent("platform")),
        )
    )
    assert sorted(names(found)) == [["ERRORS-NEW", "ERRORS-TOP"], ["LOGS-ERRORS"]]
    assert {each.state for each in found} == {State.NOT_MEASURED}


def test_a_check_that_depends_on_two_silences_does_not_link_them() -> None:
    """It belongs to one of the two incidents."""
    found = of_record(
        record(
            judged("HEALTH-ALWAYS", "INCONCLUSIVE", "source_failed", probes=silent("one")),
            judged("HEALTH-SCHEMA", "INCONCLUSIVE", "source_failed", health=silent("other")),
            judged("SIGNOFF-HEALTH", "INCONCLUSIVE", "unsettled"),
        )
    )
    assert names(found) == [["HEALTH-ALWAYS", "SIGNOFF-HEALTH"], ["HEALTH-SCHEMA"]]


def test_errors_in_the_minutes_of_failing_probes_are_one_incident_with_a_doubt() -> None:
    """The same minutes may have two causes, and the incident says so."""
    found = of_record(
        record(
            judged("HEALTH-ALWAYS", "FAIL", "health_failed", probes=probes(600, 1200)),
            judged("ERRORS-COUNT", "FAIL", "too_many_events", events=events("A", 610, 700, 1190)),
        )
    )
    assert len(found) == 1
    assert "may be more than one incident" in found[0].doubt


def test_errors_of_other_minutes_than_the_failing_probes_are_another_incident() -> None:
    found = of_record(
        record(
            judged("HEALTH-ALWAYS", "FAIL", "health_failed", probes=probes(600, 1200)),
            judged("ERRORS-COUNT", "FAIL", "too_many_events", events=events("A", 5000, 5010)),
        )
    )
    assert len(found) == 2


def test_a_check_that_names_two_issues_says_that_it_may_be_two_incidents() -> None:
    found = of_record(record(judged("ERRORS-NEW", "FAIL", "new_issue", issues=issues("A", "B"))))
    assert len(found) == 1
    assert "reports 2 results as one" in found[0].doubt


def test_sign_off_checks_that_only_count_earlier_checkpoints_are_one_incident_read_last() -> None:
    counting = [
        judged(name, "FAIL", "did_not_hold") for name in ("SIGNOFF-CRITICAL", "SIGNOFF-DATABASE")
    ]
    over = judged("HEALTH-ALWAYS", "FAIL", "health_failed", probes=probes(600, 1200))
    found = of_record(record(*counting, over, hour=24))
    assert names(found) == [["HEALTH-ALWAYS"], ["SIGNOFF-CRITICAL", "SIGNOFF-DATABASE"]]
    assert found[1].headline == (
        "Failed at earlier checkpoints: SIGNOFF-CRITICAL and SIGNOFF-DATABASE"
    )
    assert found[1].doubt


def test_an_incident_is_summed_up_in_one_line() -> None:
    failed = judged("HEALTH-ALWAYS", "FAIL", "health_failed", probes=probes(600, 1200))
    assert of_record(record(failed))[0].summary() == (
        "Requests failed: HTTP 503 (began 06:10 UTC, over since 06:20 UTC, 1 check)"
    )
    (missing,) = of_record(record(judged("ERRORS-NEW", "INCONCLUSIVE", "too_early")))
    assert missing.summary() == missing.headline == "Not enough data yet: 1 check not measured"


@pytest.mark.parametrize(
    ("name", "code", "observed", "headline"),
    [
        ("MEMORY-STABLE", "leak", "11 MB/h", "Memory leak: 11 MB/h"),
        ("DB-SIZE", "disk_full", "91 %", ""),
        ("SIGNOFF-DATABASE", "did_not_hold", "6 of 7 passed", ""),
    ],
)
def test_a_headline_says_what_happened_with_its_number(
    name: str, code: str, observed: str, headline: str
) -> None:
    failed = structs.replace(judged(name, "FAIL", code), observed=observed)
    expected = headline or f"{CODES[code].means.rstrip('.')}: {observed}"
    assert of_record(record(failed, hour=24))[0].headline == expected


def test_what_may_still_fail_is_read_before_what_is_over() -> None:
    over = [
        structs.replace(
            judged("LATENCY-TARGET", "FAIL", "bad_status", probes=probes(600, 1200)), subject=name
        )
        for name in ("calls", "webhooks")
    ]
    found = of_record(record(*over, judged("DB-SIZE", "FAIL", "disk_full")))
    assert [each.state for each in found] == [State.UNKNOWN, State.OVER]
    assert [len(each.findings) for each in found] == [1, 2]


def test_the_share_of_requests_is_that_of_the_platform() -> None:
    found = of_record(
        record(judged("ERRORS-RATE", "FAIL", "beyond_limit", platform=counted(1000, 105)))
    )
    assert found[0].share == "10.5 % of requests failed"


def test_a_deploy_before_the_beginning_is_named_and_a_later_one_is_not() -> None:
    def deployed(name: str, at: float) -> dict[str, Any]:
        return {"id": name, "commit": name, "finished": at, "served": True}

    listing = Listing(
        question=asked("platform"),
        what="deploys",
        items=(deployed("before", BEGAN + 300), deployed("after", BEGAN + 9000)),
        seen=2,
    )
    found = of_record(
        record(
            judged("HEALTH-ALWAYS", "FAIL", "health_failed", probes=probes(600, 1200)),
            judged("RESTARTS", "PASS", deploys=listing),
        )
    )
    assert found[0].deploy is not None
    assert found[0].deploy.id == "before"


# --- whether it is over ---------------------------------------------------------------------------


def test_probes_that_succeed_after_the_failures_show_that_it_is_over() -> None:
    found = of_record(
        record(judged("HEALTH-ALWAYS", "FAIL", "health_failed", probes=probes(600, 1200)))
    )
    assert found[0].state == State.OVER
    assert found[0].ending() == "over since 06:20 UTC"
    assert found[0].began == START + timedelta(seconds=600)


def test_probes_that_fail_until_the_end_do_not_show_that_it_is_over() -> None:
    last = HOURS_4.seconds - 10
    found = of_record(
        record(judged("HEALTH-ALWAYS", "FAIL", "health_failed", probes=probes(600, last)))
    )
    assert found[0].state == State.UNKNOWN
    assert "not known to be over" in found[0].ending()


def test_a_finding_without_dated_evidence_is_not_over() -> None:
    found = of_record(record(judged("DB-SIZE", "FAIL", "disk_full")))
    assert found[0].state == State.UNKNOWN


def test_rare_events_are_not_over_after_a_short_silence() -> None:
    """Four an hour, the last one 25 minutes before the end: that is no evidence."""
    rare = events("A", *range(0, 13_000, 1_000))
    found = of_record(record(judged("ERRORS-COUNT", "FAIL", "too_many_events", events=rare)))
    assert found[0].state == State.UNKNOWN


def test_a_later_pass_of_all_its_checks_shows_that_it_is_over() -> None:
    records = [
        record(judged("DB-SIZE", "FAIL", "disk_full"), hour=8),
        record(judged("DB-SIZE"), hour=12),
    ]
    standings = standings_of(WATCH, records, (), records[-1].ended)
    found = [one for one in of_watch(standings, records) if one.outcome == Outcome.FAIL]
    assert [one.state for one in found] == [State.OVER]
    assert found[0].is_open, "over is not waived"


@pytest.mark.parametrize(("name", "code"), [("DB-SIZE", "disk_full"), ("MEMORY-STABLE", "leak")])
def test_the_same_check_at_the_next_checkpoint_is_the_same_incident(name: str, code: str) -> None:
    """Also one that covers the watch so far, and where another check fails at one of the hours."""
    records = [record(judged(name, "FAIL", code), hour=hour) for hour in (8, 12)]
    high = judged("MEMORY-HEADROOM", "FAIL", "memory_high")
    records.append(record(judged(name, "FAIL", code), high, hour=16))
    standings = standings_of(WATCH, records, (), records[-1].ended)
    found = [one for one in of_watch(standings, records) if one.outcome == Outcome.FAIL]
    assert found[0].hours == (8, 12, 16)
    assert len(found) == (1 if name == "MEMORY-STABLE" else 2)


# --- each finding once ----------------------------------------------------------------------------

EVIDENCE: list[tuple[str, Evidence]] = [
    ("probes", probes(600, 1200)),
    ("probes", probes(3000, 3600, "refused")),
    ("events", events("A-1", 610, 700, 1190)),
    ("events", events("B-2", *range(0, 14000, 1500))),
    ("issues", issues("A-1")),
    ("issues", issues("B-2", "C-3")),
    ("platform", counted(1000, 100)),
    ("lines", silent("platform")),
    ("row", silent("database")),
]


@st.composite
def findings(draw: st.DrawFn) -> list[Finding]:
    """Findings with any code, at several checkpoints, with any of these pieces of evidence."""
    bad = [name for name, one in CODES.items() if one.of != "NOT_APPLICABLE"]
    found: dict[tuple[int, str, str], Finding] = {}
    for _ in range(draw(st.integers(0, 12))):
        name = draw(st.sampled_from(sorted(CRITERIA)))
        code = draw(st.sampled_from(bad))
        of = CODES[code].of
        outcome = Outcome(of) if of != "either" else Outcome.FAIL
        pieces = draw(st.lists(st.sampled_from(EVIDENCE), max_size=2))
        one: Judged | None = judged(name, outcome, code, **dict(pieces))
        hour = draw(st.sampled_from(CRITERIA[name].hours or (24,)))
        subject = draw(st.sampled_from(["", "calls"]))
        if code in ("missed", "unreadable"):
            one = None
        found[hour, name, subject] = Finding(
            hour=hour,
            id=name,
            subject=subject,
            outcome=outcome,
            code=code,
            reason="",
            ended=HOURS_4.end,
            judged=one,
        )
    return list(found.values())


@given(findings(), st.randoms(use_true_random=False))
def test_each_finding_is_in_exactly_one_incident_in_any_order(
    found: list[Finding], chance: random.Random
) -> None:
    def partition(every: list[Finding]) -> set[frozenset[tuple[int, str]]]:
        parts = [[(one.hour, one.name) for one in group.findings] for group in groups(every)]
        assert sorted(itertools.chain(*parts)) == sorted((one.hour, one.name) for one in every)
        return {frozenset(part) for part in parts}

    shuffled = list(found)
    chance.shuffle(shuffled)
    assert partition(found) == partition(shuffled)


def test_of_a_record_the_incidents_hold_each_fail_and_inconclusive_once() -> None:
    made = record(
        judged("HEALTH-ALWAYS", "FAIL", "health_failed", probes=probes(600, 1200)),
        judged("ERRORS-NEW", "INCONCLUSIVE", "source_unreachable", issues=silent("tracker")),
        judged("DB-SIZE"),
        structs.replace(judged("LATENCY-TARGET", "FAIL", "slow"), subject="calls"),
        structs.replace(judged("LATENCY-TARGET", "FAIL", "slow"), subject="webhooks"),
    )
    held = sorted(each.name for one in of_record(made) for each in one.findings)
    assert held == [
        "ERRORS-NEW",
        "HEALTH-ALWAYS",
        "LATENCY-TARGET calls",
        "LATENCY-TARGET webhooks",
    ]


# --- two faults of the rehearsal in the same minutes ----------------------------------------------

FAILING = (
    "backend_down",
    "bad_deploy",
    "crash_loop",
    "database_down",
    "disk_filling",
    "error_spike",
    "health_degraded",
    "idle_in_transaction",
    "jobs_stalled",
    "lock_wait",
    "log_errors",
    "log_pattern",
    "log_warnings",
    "memory_high",
    "new_critical_issue",
    "new_issue",
    "pool_exhausted",
    "restart",
    "sentry_dropping",
    "slow_endpoint",
    "slow_statement",
    "slow_transactions",
    "supabase_degraded",
    "vapi_errors",
    "websocket_flap",
)
"""Faults that make a check fail at hour 4 when they begin at hour 2."""


@pytest.mark.suite("pairs", short=2, full=24)
@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(FAILING, 2)))
def test_two_faults_in_the_same_minutes_are_two_incidents_or_a_doubt_is_reported(
    one: str, other: str, tmp_path: Any
) -> None:
    plan = RunPlan(faults=(f"{one}@2", f"{other}@2"), hours=(0, 4), reports=tmp_path, watch="pair")
    for last in run_checkpoints(plan):
        assert last.record is not None, (last.exit_code, last.output)
    found = [each for each in of_record(last.record) if each.outcome == Outcome.FAIL]
    assert len(found) >= 2 or (found and found[0].doubt), names(found)
