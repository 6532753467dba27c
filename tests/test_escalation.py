"""From record to decision: a fault of each row of the runbook's table."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import msgspec
import pytest

from hour24.classes import IssueClass
from hour24.escalation import Action, decide
from hour24.escalation.steps import Commands
from hour24.evidence import Evidence, Failure, Line, Listing, Probes, Series
from hour24.ledger.record import Judged, Prober
from tests.evidence_of import WATCH, counts, document, judged, listing, question, record, unanswered

WINDOW = WATCH.checkpoint(8).window
NORMAL = [IssueClass(name="Vapi API timeouts", pattern="vapi timeout", cause="vapi")]
CRITICAL = [
    IssueClass(name="database", pattern="cannot connect", severity="critical", cause="database"),
    IssueClass(name="rejections", pattern="unhandled", severity="critical", cause="code"),
    IssueClass(name="sockets", pattern="websocket rate", severity="high", cause="code"),
    IssueClass(name="odd", pattern="odd thing", severity="medium", cause="code"),
    IssueClass(name="whim", pattern="a whim", severity="low", cause="code"),
]
CLASSES = {"normal": msgspec.to_builtins(NORMAL), "critical": msgspec.to_builtins(CRITICAL)}
CONTACTS = (
    {"role": "tech lead", "name": "Ada Ny", "reach": "+49 1"},
    {"role": "DevOps", "name": "Bo Ek", "reach": "+49 2"},
    {"role": "on-call", "name": "Cy Li", "reach": "+49 3"},
)


def issue(title: str, new: bool = True, **more: Any) -> dict[str, Any]:
    first_seen = WINDOW.start.timestamp() + (60 if new else -60)
    plain = {"id": "1", "short_id": "VB-1", "count": 3, "users": 0, "level": "error"}
    return {**plain, "title": title, "first_seen": first_seen, **more}


def window(*items: dict[str, Any]) -> Listing:
    asked = msgspec.structs.replace(question("200"), window=WINDOW)
    return msgspec.structs.replace(listing(*items), question=asked)


def new_issues(*items: dict[str, Any], id: str = "ERRORS-NEW") -> Judged:
    objective = {"name": "NoNewIssue", **CLASSES}
    return judged(id, "FAIL", "new_issue", objective=objective, issues=window(*items))


def errors(*titles: str) -> Judged:
    objective = {"name": "FewerPerHour", **CLASSES}
    events = listing(*({"title": title} for title in titles))
    return judged("ERRORS-COUNT", "PASS", objective=objective, events=events)


def rate(bad: int, total: int = 1000, outcome: str = "FAIL") -> Judged:
    return judged("ERRORS-RATE", outcome, platform=counts(total, bad, "requests"))


PAGES = (
    {"name": "Supabase", "url": "https://status.supabase.com", "cause": "database"},
    {"name": "Vapi", "url": "https://status.vapi.ai", "cause": ""},
)


def decided(*criteria: Judged, before: Any = (), **more: Any) -> Any:
    return decide(record(*criteria, **more), before, contacts=CONTACTS, status_pages=PAGES)


def commands(decision: Any) -> str:
    return "\n".join(step.command for step in decision.steps)


def test_a_checkpoint_that_passed_proceeds_without_a_call():
    """No steps and no contacts."""
    decision = decided(judged("HEALTH-SCHEMA"), judged("DB-POOL"))
    assert decision.action == Action.PROCEED
    assert (decision.steps, decision.call) == ((), ())


# --- error rate above 5 % ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("titles", "action", "expected"),
    [
        (["Vapi timeout"] * 8 + ["x"] * 2, Action.HOLD, "expected, monitor"),
        (["cannot connect"] * 6 + ["x"] * 4, Action.ALERT, "read its status page"),
        (["unhandled"] * 6 + ["Vapi timeout"] * 4, Action.ALERT, "prepare the rollback"),
        (
            ["never seen"] * 6 + ["Vapi timeout"] * 4,
            Action.ALERT,
            "60 % unclassified: treat as code",
        ),
        (["Vapi timeout"] * 5 + ["x"] * 5, Action.ALERT, "several causes: read the logs, prepare"),
        (
            ["Vapi timeout"] * 4 + ["cannot connect"] * 3 + ["x"] * 3,
            Action.ALERT,
            "several causes: read the logs, prepare",
        ),
        ([], Action.ALERT, "cause not known: read the logs, prepare the rollback"),
    ],
)
def test_an_error_rate_above_5_percent_is_reported_with_its_causes(titles, action, expected):
    """A vendor: monitor. Database: its status page. Code, or unknown: prepare the rollback."""
    decision = decided(rate(80), errors(*titles * 8))
    assert decision.action == action
    assert expected in decision.rule
    assert "8 % of requests failed in the window (80 of 1,000)" in decision.why
    assert decision.action != Action.ROLL_BACK
    assert sum(cause.share for cause in decision.causes) == pytest.approx(1.0)


def test_the_platforms_events_are_no_error_events():
    """Sentry is silent: nothing is known of causes, though Render listed no event of its own."""
    silent = judged("ERRORS-COUNT", "INCONCLUSIVE", "source_unreachable", events=unanswered())
    decision = decided(rate(80), silent, judged("RESTARTS", events=listing()))
    assert decision.causes == ()
    assert "cause not known" in decision.rule


def test_a_few_events_do_not_explain_many_failures():
    """Nine of ten events are Vapi's, but 190 of 200 failures have none: the cause is unknown."""
    decision = decided(rate(200), errors(*["Vapi timeout"] * 9, "x"))
    assert decision.action == Action.ALERT
    assert "cause not known" in decision.rule
    assert decision.causes[0].cause == "no error event"
    assert decision.causes[0].share == pytest.approx(190 / 200)


def test_an_incomplete_listing_of_events_still_gives_shares():
    """Of many events only some are listed; their shares apply to all."""
    part = msgspec.structs.replace(listing({"title": "Vapi timeout"}), complete=False)
    found = judged("ERRORS-COUNT", objective={"name": "FewerPerHour", **CLASSES}, events=part)
    assert "expected, monitor" in decided(rate(200), found).rule


def test_an_error_rate_that_fails_below_5_percent_needs_a_human_decision():
    """The table's row begins at 5 %."""
    assert decided(rate(20), errors("x")).action == Action.HOLD


def test_one_bad_hour_is_detected_inside_a_good_window():
    """A spike of 40 % for one hour is 2 % of the day."""
    start = WINDOW.start.timestamp() // 3600 * 3600
    times = tuple(start + 300 * n for n in range(48))
    bad = tuple(40.0 if n < 12 else 0.0 for n in range(48))
    good = tuple(60.0 if n < 12 else 500.0 for n in range(48))
    series = Series(
        question=question("200"),
        unit="requests",
        lines=(
            Line(times=times, values=bad, labels={"status": "5xx"}),
            Line(times=times, values=good, labels={"status": "2xx"}),
        ),
    )
    decision = decided(judged("ERRORS-TREND", "FAIL", responses=series), errors("x"))
    assert decision.action == Action.ALERT
    assert "40 % of requests failed in one hour (480 of 1,200)" in decision.why


@pytest.mark.parametrize(("before_h", "action"), [(0, Action.ALERT), (4, Action.HOLD)])
def test_a_bad_hour_of_an_earlier_checkpoint_was_reported_then(before_h, action):
    """The causes of this window are not its causes: it only needs a human decision."""
    start = WINDOW.start.timestamp() - 3600 * before_h
    times = tuple(start + 300 * n for n in range(12))
    series = Series(
        question=question("200"),
        unit="requests",
        lines=(
            Line(times=times, values=(40.0,) * 12, labels={"status": "5xx"}),
            Line(times=times, values=(60.0,) * 12, labels={"status": "2xx"}),
        ),
    )
    decision = decided(judged("ERRORS-TREND", "FAIL", responses=series), errors("unhandled"))
    assert decision.action == action
    assert ("Error rate above 5 %" in decision.rule) is (action == Action.ALERT)


# --- health check fails -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempts", "body", "expected", "rollback"),
    [
        (("503",) * 5, None, "longer than 2 minutes: alert the team, propose", True),
        (("503", "503"), None, "still after the retries: read the logs", False),
        (
            ("503",) * 5,
            {"database": False},
            "database false: read the database's status page",
            True,
        ),
        (("200",), {"database": False}, "database false: read the database's status page", False),
    ],
)
def test_a_failing_health_check_alerts_the_team(attempts, body, expected, rollback):
    """After the retries; the rollback is proposed past two minutes, never decided."""
    health = document(body, 503, *attempts)
    decision = decided(
        judged(
            "HEALTH-SCHEMA",
            "FAIL",
            "bad_status",
            objective={"name": "HealthDocument"},
            health=health,
        )
    )
    assert decision.action == Action.ALERT
    assert expected in decision.rule
    assert ("hour24 rollback" in commands(decision)) is rollback
    assert ("status.supabase.com" in commands(decision)) is (body is not None)
    assert [who["name"] for who in decision.call] == ["Cy Li", "Ada Ny", "Bo Ek"]


@pytest.mark.parametrize(("lasted", "action"), [(300.0, Action.ALERT), (40.0, Action.HOLD)])
def test_a_health_check_that_failed_in_between_is_judged_by_its_length(lasted, action):
    """Longer than two minutes: the team; else a person reads the logs."""
    probes = Probes(
        question=question(),
        target="health",
        interval_s=10,
        due=1440,
        kept=1440,
        bad=3,
        failures=(Failure(at=WINDOW.start.timestamp(), reason="503", lasted_s=lasted),),
    )
    decision = decided(judged("HEALTH-ALWAYS", "FAIL", probes=probes), judged("HEALTH-SCHEMA"))
    assert decision.action == action


# --- new critical issue -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "action", "expected"),
    [
        ("unhandled rejection", Action.ROLL_BACK, "critical (blocks calls): roll back"),
        ("websocket rate", Action.ALERT, "high (some users): fix and redeploy"),
        ("odd thing", Action.HOLD, "medium: monitor, fix later"),
        ("a whim", Action.HOLD, "low: document"),
        ("cannot connect", Action.ALERT, "read its status"),
    ],
)
def test_a_new_issue_is_answered_by_its_severity(title, action, expected):
    """Only a critical one that code causes is rolled back."""
    decision = decided(new_issues(issue(title)), errors(title))
    assert decision.action == action
    assert expected in decision.rule
    assert [each.title for each in decision.severities] == [title]


def test_the_rollback_s_steps_are_the_runbook_s():
    """Plan, roll back, wait, verify health, investigate, run again; quoted for the shell."""
    made = record(
        new_issues(issue("unhandled rejection; $(reboot)")),
        judged(
            "HEALTH-SCHEMA",
            health=msgspec.structs.replace(
                document({}),
                question=msgspec.structs.replace(
                    question("200"), asked="GET https://example.org/health?a=1&b=2"
                ),
            ),
        ),
    )
    decision = decide(made, contacts=CONTACTS)
    assert decision.action == Action.ROLL_BACK
    expected = commands(decision)
    assert "hour24 rollback launch-1 --yes launch-1 --by NAME --because REASON" in expected
    assert "revert" not in expected
    assert "curl -sS -i --max-time 10 'https://example.org/health?a=1&b=2'" in expected
    assert "pytest -m hour8 --watch launch-1" in expected
    assert "reboot" not in expected
    for step in decision.steps:
        shlex.split(step.command)
    assert any("Wait 5 minutes" in step.text for step in decision.steps)
    assert decision.call[0]["name"] == "Cy Li"


@pytest.mark.parametrize("title", ["unhandled rejection", "cannot connect"])
def test_a_rehearsal_proposes_no_command_that_cannot_work(title: str):
    """Its servers have stopped, and no clone is reverted for it."""
    rehearsal = {"seed": 1, "faults": []}
    health = judged("HEALTH-SCHEMA", "FAIL", health=document({}, 503))
    silent = judged("WS-STABLE", "INCONCLUSIVE", "no_prober")
    bad = (new_issues(issue(title)), health, silent, judged("DB-ONLINE", "FAIL"))
    expected = commands(decided(*bad, rehearsal=rehearsal, target="rehearsal"))
    for word in ("rollback", "revert", "curl -sS -i", "probe", "doctor"):
        assert word not in expected
    assert any(
        "(rehearsal: no commands" in step.text for step in decided(*bad, rehearsal=rehearsal).steps
    ) is (title == "unhandled rejection")


def test_a_command_says_where_the_watches_are():
    """If they are not in the default folder."""
    made = record(judged("RESTARTS", "FAIL"))
    expected = commands(decide(made, contacts=CONTACTS, reports="/srv/our reports"))
    assert "declare launch-1 --reports '/srv/our reports' --start TIME" in expected
    assert "waive RESTARTS launch-1 --hour 8 --reports '/srv/our reports' --by NAME" in expected


def test_a_critical_issue_that_is_not_new_is_fixed_not_rolled_back():
    """Going back would not undo it."""
    decision = decided(
        new_issues(issue("unhandled rejection", new=False), id="ERRORS-CRITICAL"), errors()
    )
    assert decision.action == Action.ALERT
    assert decision.severities == ()


def running(deploy: str) -> Judged:
    """RESTARTS with the platform's word on which deploy is live; "": it did not say."""
    found = msgspec.structs.replace(listing(), about={"live": deploy} if deploy else {})
    return judged("RESTARTS", deploys=found)


@pytest.mark.parametrize(
    ("then", "now", "title", "action"),
    [
        ("dep-2", "dep-2", "unhandled rejection", Action.ROLL_BACK),
        ("dep-2", "dep-3", "unhandled rejection", Action.ALERT),
        ("dep-2", "", "unhandled rejection", Action.ALERT),
        ("", "dep-2", "unhandled rejection", Action.ALERT),
        ("dep-2", "dep-2", "websocket rate", Action.ALERT),
        ("dep-2", "dep-2", "cannot connect", Action.ALERT),
    ],
)
def test_a_rollback_that_was_due_stays_due_while_the_same_deploy_is_live(
    then: str, now: str, title: str, action: Action
) -> None:
    earlier = record(new_issues(issue(title)), running(then), hour=4)
    later = new_issues(issue(title, new=False), id="ERRORS-CRITICAL")
    decision = decided(later, errors(title), running(now), before=[earlier])
    assert decision.action == action
    assert ("since hour 4" in decision.rule) is (action == Action.ROLL_BACK)
    assert ("not new" in decision.why) is not (action == Action.ROLL_BACK)
    assert ("hour24 rollback" in commands(decision)) or action != Action.ROLL_BACK


@pytest.mark.parametrize(
    ("more", "severity"),
    [
        ({"level": "fatal"}, "high"),
        ({"unhandled": True}, "high"),
        ({"users": 2}, "high"),
        ({}, "medium"),
        ({"level": "warning"}, "medium"),
        ({"level": "info"}, "low"),
    ],
)
def test_an_issue_of_no_class_is_never_critical(more, severity):
    """Critical is what a person called so; the rest goes by level and by whom it hit."""
    decision = decided(new_issues(issue("never seen", **more)))
    assert [each.severity for each in decision.severities] == [severity]
    assert decision.action != Action.ROLL_BACK


# --- the rest ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "action"),
    [
        ("DB-ONLINE", Action.ALERT),
        ("MEMORY-STABLE", Action.ALERT),
        ("WS-STABLE", Action.ALERT),
        ("LATENCY-TARGET", Action.HOLD),
        ("RESTARTS", Action.HOLD),
        ("SENTRY-FEED", Action.HOLD),
        ("SENTRY-RECEIVES", Action.HOLD),
        ("SIGNOFF-DATABASE", Action.HOLD),
    ],
)
def test_what_else_fails_is_an_alert_where_the_runbook_calls_it_critical(id, action):
    """And the rest needs a human decision."""
    assert decided(judged(id, "FAIL")).action == action


WITNESSED = (
    "SENTRY-FEED",
    "SENTRY-RECEIVES",
    "ERRORS-COUNT",
    "ERRORS-NEW",
    "ERRORS-CRITICAL",
    "LOGS-ERRORS",
    "MEMORY-STABLE",
    "LATENCY-MOST",
    "DB-ONLINE",
    "DB-SIZE",
    "HEALTH-SCHEMA",
)


@pytest.mark.parametrize(
    "code",
    [
        "source_unreachable",
        "source_limited",
        "source_misread",
        "source_refused",
        "no_data",
        "late",
        "baseline_absent",
        "coverage_too_low",
        "no_network",
    ],
)
def test_a_witness_s_outage_alone_never_alerts_or_rolls_back(code):
    """Whatever is not measured, and on every attempt."""
    criteria = [judged(name, "INCONCLUSIVE", code, issues=unanswered(code)) for name in WITNESSED]
    for attempt in (1, 2, 3):
        decision = decided(*criteria, attempt=attempt)
        assert decision.action in (Action.RETRY, Action.HOLD)
        assert decision.action == Action.HOLD or attempt == 1


def test_what_may_be_answered_on_another_try_is_retried_once():
    """The second time it needs a human decision."""
    silent = judged("ERRORS-COUNT", "INCONCLUSIVE", "source_unreachable")
    first = decided(silent, target="rehearsal")
    assert first.action == Action.RETRY
    assert commands(first) == "pytest -m hour8 --target rehearsal --watch launch-1"
    assert first.call == ()
    second = decided(silent, attempt=2)
    assert second.action == Action.HOLD
    assert "hour24 doctor" in commands(second)
    assert [step.command.split()[:4] for step in second.steps] == [
        ["python", "-m", "hour24", "doctor"],
        ["pytest", "-m", "hour8", "--watch"],
        ["python", "-m", "hour24", "waive"],
    ]
    assert "hour24 waive ERRORS-COUNT launch-1 --hour 8" in commands(second)


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_wrong_clock_is_a_hold_that_names_the_clock(attempt: int) -> None:
    """It is not retried, and not mixed with sources that did not answer."""
    clock = judged("ERRORS-COUNT", "INCONCLUSIVE", "source_clock", reason="600 s apart")
    decision = decided(clock, attempt=attempt)
    assert decision.action == Action.HOLD
    assert decision.rule.startswith("The clock of this machine and other clocks differ")
    assert decision.why == "ERRORS-COUNT: 600 s apart"
    assert [step.command.split()[:4] for step in decision.steps] == [
        ["python", "-m", "hour24", "doctor"],
        ["pytest", "-m", "hour8", "--watch"],
        ["python", "-m", "hour24", "waive"],
    ]


def test_the_logs_are_read_from_the_first_failure_or_of_the_window() -> None:
    rising = msgspec.structs.replace(
        judged("MEMORY-STABLE", "INCONCLUSIVE", "too_early"), figures={"suspected": 1.0}
    )
    texts = [step.text for step in decided(rising).steps]
    assert "Read the service's logs from 06:00 to 10:00 UTC" in texts
    texts = [step.text for step in decided(rising, judged("DB-ONLINE", "FAIL")).steps]
    assert "Read the service's logs, starting one minute before the first failure" in texts


def test_a_criterion_that_failed_and_has_no_answer_is_not_only_retried():
    """One endpoint is too slow, another one could not be measured."""
    decision = decided(
        judged("LATENCY-TARGET", "FAIL", reason="p99 of calls is 912 ms"),
        judged("LATENCY-TARGET", "INCONCLUSIVE", "source_unreachable"),
    )
    assert decision.action == Action.HOLD
    assert "p99 of calls is 912 ms" in decision.why


def test_no_waiver_is_proposed_while_the_team_is_alerted():
    """It comes last in a HOLD, and never in an ALERT or a rollback."""
    slow = judged("LATENCY-TARGET", "FAIL")
    hold = decided(slow, judged("LOGS-ERRORS", "INCONCLUSIVE", "source_limited"))
    assert "pytest -m hour8" in hold.steps[1].command
    assert "waive LATENCY-TARGET launch-1 --hour 8" in hold.steps[-1].command
    assert "waive" not in commands(decided(slow, judged("DB-ONLINE", "FAIL")))


def test_one_waiver_is_proposed_for_all_that_is_open():
    """Not three commands for seven findings."""
    hold = decided(judged("LATENCY-TARGET", "FAIL"), judged("DB-SLOW", "FAIL"))
    waivers = [step.command for step in hold.steps if " waive " in step.command]
    assert waivers == [
        "python -m hour24 waive --all launch-1 --hour 8 --by NAME --because REASON --until DATE"
    ]


def test_the_eight_are_never_proposed_for_a_waiver():
    """They cannot be waived; the sign-off lists what is missing."""
    for outcome, code in (("FAIL", "did_not_hold"), ("INCONCLUSIVE", "unsettled")):
        decision = decided(judged("SIGNOFF-JOBS", outcome, code), hour=24)
        assert "waive" not in commands(decision)
        assert "hour24 signoff launch-1" in commands(decision)


def test_a_restart_that_was_a_deploy_can_be_declared():
    """With the command."""
    assert "hour24 declare launch-1" in commands(decided(judged("RESTARTS", "FAIL")))


def test_what_later_evidence_resolves_proceeds():
    """Too few samples at hour 4 do not stop the watch."""
    decision = decided(judged("LATENCY-TARGET", "INCONCLUSIVE", "too_few_samples"))
    assert decision.action == Action.PROCEED
    assert "LATENCY-TARGET (too_few_samples), judged again at hour 12. Continue" in decision.why


def test_what_is_not_judged_again_is_not_promised():
    """At hour 24 nothing comes after; of many, the first are named and the others counted."""
    names = ("LATENCY-TARGET", "MEMORY-STABLE", "WS-STABLE", "ERRORS-RATE")
    silent = [judged(name, "INCONCLUSIVE", "too_early") for name in names]
    decision = decided(*silent, hour=24)
    assert "LATENCY-TARGET (too_early), not judged again; " in decision.why
    assert "; and 1 more. It blocks the launch unless a person waives it" in decision.why
    assert "Continue" not in decision.why


@pytest.mark.parametrize(("running", "expected"), [(False, True), (True, False)])
def test_without_a_prober_the_command_that_starts_one_is_a_step(running, expected):
    """Unless one runs by now."""
    decision = decided(
        judged("HEALTH-ALWAYS", "INCONCLUSIVE", "no_prober"), prober=Prober(running=running)
    )
    assert decision.action == Action.HOLD
    assert ("hour24 probe --watch launch-1" in commands(decision)) is expected


def test_an_unresolved_signoff_check_is_a_hold():
    """Also when nothing else is left to say."""
    decision = decided(judged("SIGNOFF-JOBS", "INCONCLUSIVE", "unsettled"), hour=24)
    assert decision.action == Action.HOLD


def test_the_worst_rule_decides_and_the_others_are_reported():
    """A critical issue, a slow endpoint and a source without data."""
    decision = decided(
        judged("LATENCY-TARGET", "FAIL", reason="p99 is 912 ms"),
        new_issues(issue("unhandled rejection")),
        judged("LOGS-ERRORS", "INCONCLUSIVE", "source_unreachable"),
    )
    assert decision.action == Action.ROLL_BACK
    assert decision.why.index("unhandled rejection") < decision.why.index("p99 is 912 ms")


def test_a_graver_rule_decides_whatever_the_order():
    """The database is down; the new issue of medium severity waits."""
    decision = decided(new_issues(issue("odd thing")), judged("DB-ONLINE", "FAIL"))
    assert decision.action == Action.ALERT
    assert "database connection failures" in decision.rule


def test_an_issue_known_as_normal_has_no_severity():
    """It is among the causes, and not among what is to be judged."""
    decision = decided(
        new_issues(issue("Vapi timeout"), issue("odd thing")), errors("vapi timeout")
    )
    assert [each.title for each in decision.severities] == ["odd thing"]


def test_what_failed_before_is_reported_and_stays_open():
    """The ledger before this record is read."""
    slow = judged("LATENCY-TARGET", "FAIL")
    before = [record(slow, hour=0), record(slow, hour=4)]
    assert "(failing since hour 0)" in decided(slow, before=before).why
    good = decided(judged("LATENCY-TARGET"), before=before)
    assert good.action == Action.PROCEED
    assert "still open from earlier checkpoints: LATENCY-TARGET at hour 0" in good.why


def test_what_was_waived_since_is_not_called_open():
    """The standings know of waivers; records alone do not."""
    slow = record(judged("LATENCY-TARGET", "FAIL"), hour=0)
    good = record(judged("LATENCY-TARGET"))
    assert "still open" not in decide(good, [slow], open_before=()).why
    assert "still open" in decide(good, [slow], open_before=("LATENCY-TARGET at hour 0",)).why


def test_status_pages_are_reported_and_decide_nothing():
    """Advisory: part of the step that names the page."""
    page = listing({"name": "Supabase", "status": "degraded_performance", "title": "API Gateway"})
    advisory = (json.loads(msgspec.json.encode(page)),)
    expected = "Supabase: API Gateway: degraded_performance"
    quiet = decided(judged("DB-POOL"), advisory=advisory)
    assert (quiet.action, quiet.status) == (Action.PROCEED, (expected,))
    loud = decided(judged("DB-ONLINE", "FAIL"), advisory=advisory)
    assert any(expected in step.text for step in loud.steps)


def test_causes_fall_back_on_the_issues_counts():
    """Where the events themselves were not answered."""
    silent: Evidence = unanswered()
    decision = decided(
        judged("ERRORS-COUNT", "INCONCLUSIVE", "source_unreachable", events=silent),
        new_issues(issue("Vapi timeout", count="30"), issue("unhandled", count=10)),
    )
    assert [(c.cause, c.count, c.share) for c in decision.causes] == [
        ("vapi", 30, 0.75),
        ("code", 10, 0.25),
    ]


def test_all_contacts_are_called_if_none_has_a_role_of_the_runbook():
    """Better all than none."""
    made = record(judged("DB-ONLINE", "FAIL"))
    who = {"role": "owner", "name": "Di Om", "reach": "+49 4"}
    assert decide(made, contacts=[who]).call == (who,)


def test_a_record_s_own_evidence_may_be_unreadable():
    """A decision is reached all the same."""
    odd = msgspec.structs.replace(
        judged("ERRORS-NEW", "FAIL", objective={"normal": [{"name": 1}], "critical": "x"}),
        evidence={"issues": {"kind": "listing"}},
    )
    assert decided(odd, advisory=({"kind": "odd"},)).action == Action.HOLD


def test_a_decision_is_plain_data_and_always_the_same():
    """It goes into the record as JSON."""
    made = record(rate(80), errors("x"), new_issues(issue("unhandled")))
    plain = decide(made, contacts=CONTACTS).to_plain()
    assert json.loads(json.dumps(plain)) == plain
    assert decide(made, [made], contacts=CONTACTS).to_plain() == plain
    assert set(plain) >= {"action", "rule", "why", "causes", "severities", "steps", "call"}
    assert plain["severities"] == [{"issue": "VB-1", "severity": "critical", "title": "unhandled"}]


EVERY_RULE = (
    rate(80),
    errors("unhandled"),
    new_issues(issue("unhandled rejection"), issue("cannot connect"), issue("odd thing")),
    judged("HEALTH-SCHEMA", "FAIL", objective={}, health=document({"database": False}, 503)),
    judged("MEMORY-STABLE", "FAIL"),
    judged("RESTARTS", "FAIL"),
    judged("LOGS-ERRORS", "INCONCLUSIVE", "source_refused"),
    judged("WS-STABLE", "INCONCLUSIVE", "no_prober"),
)


def test_steps_come_in_the_order_of_their_phases_and_none_contradicts_another():
    """Whatever the rules find: contain, confirm, investigate, record, run again."""
    decision = decided(*EVERY_RULE)
    phases = [step.phase for step in decision.steps]
    assert phases == sorted(phases)
    texts = [step.text for step in decision.steps]
    assert decision.action == Action.ROLL_BACK
    assert texts[0].startswith("Read the plan")
    assert texts[1].startswith("Roll back")
    assert not any("Prepare the rollback" in text for text in texts)
    assert not any("waive each failed check" in text for text in texts)
    assert len(set(texts)) == len(texts)


def test_a_person_decides_where_no_other_step_helps():
    """And only there."""
    assert "Decide: fix, roll back" in decided(judged("DB-POOL", "FAIL")).steps[0].text
    restarted = decided(judged("RESTARTS", "FAIL")).steps
    assert not any("Decide:" in step.text for step in restarted)


def test_the_root_cause_has_a_deadline_above_the_steps():
    """Five minutes after the run, and it is no step."""
    made = record(rate(80), errors("unhandled"))
    decision = decide(made, contacts=CONTACTS)
    assert decision.root_cause_by is not None
    assert (decision.root_cause_by - made.ended).total_seconds() == 300
    assert not any("root cause" in step.text for step in decision.steps)
    assert decided(judged("DB-POOL", "FAIL")).root_cause_by is None


@pytest.mark.parametrize(
    ("cause", "urls"),
    [
        ("database", ["https://status.supabase.com"]),
        ("vapi", ["https://status.vapi.ai"]),
        ("mail", ["https://status.supabase.com", "https://status.vapi.ai"]),
    ],
)
def test_a_cause_leads_to_the_status_page_of_its_vendor(cause: str, urls: list[str]):
    """By the page's cause or name; to every page where none is known."""
    step = Commands(record(), pages=PAGES).status_pages((), cause)
    assert shlex.split(step.command) == ["curl", "-sS", *urls]


def test_memory_that_rises_steeply_is_an_alert_before_it_is_a_leak() -> None:
    """Too early to fail, and not too early to call a person."""
    early = judged("MEMORY-STABLE", "INCONCLUSIVE", "too_early")
    rising = msgspec.structs.replace(early, figures={"suspected": 1.0})
    decision = decided(rising)
    assert (decision.action, decision.rule) == (
        Action.ALERT,
        "Memory is rising steeply: it may be a leak",
    )
    assert "hour24 rollback" in commands(decision)
    texts = " ".join(step.text for step in decision.steps)
    assert "first failure" not in texts  # nothing has failed
    assert re.search(r"logs from \d\d:\d\d to \d\d:\d\d UTC", texts)
    assert decided(early).action == Action.PROCEED


def test_a_rollback_is_not_also_prepared_in_a_rehearsal() -> None:
    """Without commands the two steps differ in their text alone."""
    made = decided(*EVERY_RULE, rehearsal={"seed": 1, "faults": []}, target="rehearsal")
    texts = [step.text for step in made.steps]
    assert any(text.startswith("Roll back") for text in texts)
    assert not any("Prepare the rollback" in text for text in texts)
