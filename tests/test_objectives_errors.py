"""Errors: their number, and new, critical, frequent and rising ones."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import msgspec
import numpy
import pytest

from hour24 import evidence as ev
from hour24.classes import IssueClass
from hour24.evidence import Line, Listing, Series
from hour24.objectives.base import Objective, from_plain
from hour24.objectives.errors import (
    EventsBelow,
    NoCriticalIssue,
    NoNewIssue,
    NoRise,
    TopKnown,
    smallest_rise,
)
from hour24.verdict import Outcome
from tests.evidence_of import WATCH, counts, listing, question, unanswered

CHECKPOINT = WATCH.checkpoint(8)
WINDOW = CHECKPOINT.settled
START, END = WINDOW.start.timestamp(), WINDOW.end.timestamp()
NORMAL = (
    IssueClass(name="Vapi API timeouts", pattern="vapi timeout", cause="vapi"),
    IssueClass(name="database resets", pattern="reset by database", at_most_per_hour=3),
)
CRITICAL = (IssueClass(name="rejections", pattern="unhandled", severity="critical"),)
KNOWN = {"normal": NORMAL, "critical": CRITICAL}
HOSTILE = "<b>\x1b[2J\u202eevil\r\nnext `rm -rf` \x00" + "long " * 200
PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def within(found: Any, window: Any = WINDOW) -> Any:
    """The same evidence, of this window."""
    asked = msgspec.structs.replace(found.question, window=window)
    return msgspec.structs.replace(found, question=asked)


def events(*at: float, title: str = "KeyError: 'x'") -> list[dict[str, Any]]:
    """Events at these minutes after the window's start."""
    return [{"at": START + 60 * minute, "title": title} for minute in at]


def issue(title: str = "KeyError: 'x'", count: int = 3, new: bool = False, **more: Any) -> Any:
    """An issue with events in the window."""
    first = START + 60 if new else START - 60
    return {
        "id": "7",
        "short_id": "VB-7",
        "title": title,
        "count": count,
        "first_seen": first,
    } | more


def found(*items: dict[str, Any], complete: bool = True) -> Listing:
    """Events or issues of the window."""
    return msgspec.structs.replace(within(listing(*items)), complete=complete)


def judged(objective: Objective, **evidence: ev.Evidence) -> Any:
    verdict = objective.judge(evidence)
    again = from_plain(json.loads(json.dumps(objective.to_plain())))
    stored = {
        name: ev.from_plain(json.loads(json.dumps(ev.to_plain(each))))
        for name, each in evidence.items()
    }
    assert again == objective
    assert again.judge(stored) == verdict
    assert verdict.reason.isprintable()
    assert verdict.limit
    return verdict


# --- ERRORS-COUNT -------------------------------------------------------------------------------


def counted(*items: dict[str, Any], complete: bool = True, **more: Any) -> Any:
    objective = EventsBelow(**{"per_hour": 5, "normal": NORMAL, **more})
    return judged(objective, events=found(*items, complete=complete))


def test_four_in_a_clock_hour_pass_and_five_fail():
    """The window begins at 05:55, so minute 5 is 06:00."""
    four = counted(*events(5, 6, 7, 64))
    assert (four.outcome, four.observed, four.limit) == (PASS, "4 in an hour", "fewer than 5")
    assert four.scale.limit == 5.0
    assert "from 06:00 UTC" in four.reason
    five = counted(*events(5, 6, 7, 30, 64.9))
    assert (five.outcome, five.code, five.observed) == (FAIL, "too_many_events", "5 in an hour")
    assert "5 error events in the clock hour from 06:00 UTC" in five.reason
    assert "5 of KeyError: 'x'" in five.reason


def test_an_hour_is_a_clock_hour_and_a_busier_rolling_one_is_a_warning():
    """Three events before and three after the full hour are six within ten minutes."""
    verdict = counted(*events(60, 61, 62, 66, 67, 68))
    assert verdict.outcome == PASS
    assert verdict.observed == "3 in an hour"
    assert "warning: 6 within the 60 minutes from 06:55 UTC" in verdict.reason
    assert verdict.figures["rolling_hour"] == 6.0
    assert "warning" not in counted(*events(60, 61, 66, 67)).reason


def test_no_event_at_all_passes():
    """Sentry answered, and there was none."""
    verdict = counted()
    assert (verdict.outcome, verdict.observed) == (PASS, "0 in an hour")
    assert verdict.reason == "No error event counted in the 4 h until 09:55 UTC"


def test_known_normal_events_are_excluded_and_reported():
    """Forty timeouts of Vapi are expected."""
    verdict = counted(*events(*range(5, 45), title="Vapi timeout"), *events(6))
    assert (verdict.outcome, verdict.observed) == (PASS, "1 in an hour")
    assert "40 known-normal errors excluded (Vapi API timeouts 40)" in verdict.reason
    assert verdict.figures["aside"] == 40.0


def test_only_the_excess_of_a_limited_class_counts():
    """Three an hour are normal; of eight, five count."""
    title = "connection reset by database"
    steady = counted(*events(10, 20, 30, 70, 80, 90, 130, 140, 150, title=title))
    assert (steady.outcome, steady.observed) == (PASS, "0 in an hour")
    burst = counted(*events(*range(10, 18), title=title))
    assert (burst.outcome, burst.observed) == (FAIL, "5 in an hour")
    assert (
        "counted though known-normal: 5 of database resets, above its hourly limit" in burst.reason
    )
    seven = counted(*events(*range(10, 17), title=title))
    assert (seven.outcome, seven.observed) == (PASS, "4 in an hour")


def test_a_truncated_list_can_fail_and_never_pass():
    """Five listed events existed, whatever is missing."""
    few = counted(*events(5), complete=False)
    assert (few.outcome, few.code) == (OPEN, "source_incomplete")
    many = counted(*events(5, 6, 7, 8, 9), complete=False)
    assert many.outcome == FAIL
    assert many.reason.startswith("At least 5 error events in the clock hour")
    assert many.observed == "at least 5 in an hour"


def test_the_hour_of_a_spike_names_its_most_frequent_errors():
    """The reason names three of them, and how many more there are."""
    many = [each for n in range(5) for each in events(*range(5, 12 - n), title=f"Error {n}")]
    reason = counted(*many).reason
    assert "7 of Error 0; 6 of Error 1; 5 of Error 2; and 2 more" in reason


# --- ERRORS-NEW ---------------------------------------------------------------------------------


def new(*items: dict[str, Any], complete: bool = True, **more: Any) -> Any:
    return judged(NoNewIssue(**{**KNOWN, **more}), issues=found(*items, complete=complete))


def test_an_issue_first_seen_in_the_window_fails_unless_it_is_normal():
    """Old issues and known-normal ones do not count."""
    assert new(issue(), issue("Vapi timeout", new=True)).outcome == PASS
    verdict = new(issue(), issue("TypeError: null", new=True, count=2))
    assert (verdict.outcome, verdict.code, verdict.observed) == (FAIL, "new_issue", "1 new")
    assert "VB-7 TypeError: null (2 events, new, unclassified)" in verdict.reason
    assert verdict.scale.limit == 0.0


def test_new_means_since_the_start_of_the_window():
    """The boundary is exact to the second."""
    assert new(issue(first_seen=START)).outcome == FAIL
    assert new(issue(first_seen=START - 0.001)).outcome == PASS
    assert new(issue(first_seen=END + 10)).outcome == FAIL


def test_a_new_issue_of_a_critical_class_fails_also_where_a_normal_one_matches():
    """Critical classes are matched first."""
    verdict = new(issue("unhandled: Vapi timeout", new=True))
    assert verdict.outcome == FAIL
    assert "critical: rejections" in verdict.reason


def test_a_limited_class_above_its_limit_is_not_excluded():
    """Three an hour are twelve in four hours, over all issues of the class."""
    title = "connection reset by database"
    assert new(issue(title, count=12, new=True)).outcome == PASS
    verdict = new(issue(title, count=8, new=True), issue(title, count=5))
    assert verdict.outcome == FAIL
    assert verdict.observed == "1 new"
    assert "database resets had 13 events in 4 h, more than 3 an hour" in verdict.reason
    assert "known-normal: database resets, above its limit" in verdict.reason


def test_no_issue_is_no_new_issue_and_half_a_list_is_not():
    """An empty list passes; a truncated one does not."""
    assert new().outcome == PASS
    cut = new(issue(), complete=False)
    assert (cut.outcome, cut.code) == (OPEN, "source_incomplete")
    many = new(issue(new=True), complete=False)
    assert (many.outcome, many.observed) == (FAIL, "at least 1 new")
    assert many.reason.startswith("At least 1 new in the ")


# --- ERRORS-CRITICAL ----------------------------------------------------------------------------


def critical(*items: dict[str, Any], complete: bool = True, **more: Any) -> Any:
    return judged(NoCriticalIssue(**{**KNOWN, **more}), issues=found(*items, complete=complete))


def test_events_of_a_critical_class_fail_old_or_new():
    """The reason has the issue, its number of events and its class."""
    verdict = critical(issue("Unhandled rejection", count=4), issue())
    assert (verdict.outcome, verdict.code, verdict.observed) == (FAIL, "critical_issue", "4 events")
    assert "Unhandled rejection (4 events, critical: rejections)" in verdict.reason
    assert verdict.figures["critical_events"] == 4.0


def test_other_issues_and_none_pass():
    """The reason states how many issues were compared with how many classes."""
    verdict = critical(issue(count=3), issue("Vapi timeout", count=1))
    assert verdict.outcome == PASS
    assert "None of 1 critical class matches any of 2 issues with 4 events" in verdict.reason
    assert critical().outcome == PASS


def test_without_a_critical_class_nothing_was_checked():
    """Issues that were compared with no class do not pass."""
    verdict = critical(issue(), critical=())
    assert (verdict.outcome, verdict.code) == (OPEN, "not_described")
    assert critical(issue(), complete=False).code == "source_incomplete"


def test_critical_events_of_a_part_are_at_least_so_many():
    """They happened, whatever the rest of the list holds."""
    verdict = critical(issue("unhandled rejection", 3), complete=False)
    assert (verdict.outcome, verdict.observed) == (FAIL, "at least 3 events")
    assert verdict.reason.startswith("At least 3 critical events in the ")


# --- ERRORS-TOP ---------------------------------------------------------------------------------


def top(*items: dict[str, Any], complete: bool = True, **more: Any) -> Any:
    objective = TopKnown(**{"top": 3, **KNOWN, **more})
    return judged(objective, issues=found(*items, complete=complete))


def test_the_most_frequent_are_known():
    """A fourth, rarer issue is not judged."""
    verdict = top(
        issue("Vapi timeout a", 9),
        issue("Vapi timeout b", 8),
        issue("Vapi timeout", 7),
        issue("x", 6),
    )
    assert (verdict.outcome, verdict.observed) == (PASS, "3 of 3 known")
    assert "Vapi timeout a (9 events, known-normal: Vapi API timeouts)" in verdict.reason


def test_an_old_unclassified_issue_needs_a_person():
    """The reason contains the command that classifies it."""
    verdict = top(issue("ValueError: odd", 9), issue("Vapi timeout", 7))
    assert (verdict.outcome, verdict.code, verdict.observed) == (
        OPEN,
        "unclassified",
        "1 of 2 known",
    )
    assert "; classify VB-7" in verdict.reason


def test_a_new_unclassified_or_a_critical_one_fails():
    """A critical issue outweighs a new one."""
    fresh = top(issue("ValueError: odd", 9, new=True), issue("other", 9))
    assert (fresh.outcome, fresh.code) == (FAIL, "new_issue")
    bad = top(issue("unhandled rejection", 1), issue("other", 9, new=True))
    assert (bad.outcome, bad.code) == (FAIL, "critical_issue")


def test_of_equally_frequent_ones_the_least_known_come_first():
    """The order of the list never makes it PASS."""
    known = [issue(f"Vapi timeout {n}", 2) for n in range(4)]
    assert top(*known).outcome == PASS
    for listed in ([*known, issue("odd", 2)], [issue("odd", 2), *known]):
        assert top(*listed).code == "unclassified"
    assert top(*known, issue("odd", 1)).outcome == PASS


def test_a_limited_class_above_its_limit_is_still_known():
    """ERRORS-COUNT counts its excess; here it is only reported."""
    verdict = top(issue("connection reset by database", 40))
    assert (verdict.outcome, verdict.observed) == (PASS, "1 of 1 known")
    assert "had 40 events in 4 h, more than 3 an hour" in verdict.reason


def test_no_errors_at_all_pass_and_half_a_list_does_not():
    """Without errors none was frequent."""
    verdict = top()
    assert (verdict.outcome, verdict.observed) == (PASS, "no errors")
    assert top(complete=False).code == "source_incomplete"
    assert top(issue("unhandled", 1), complete=False).outcome == FAIL


@pytest.mark.parametrize("name", ["--as", "x; rm -rf /", "$(id)", "a'b", "VB 7", ""])
def test_a_hostile_id_is_never_part_of_a_command(name):
    """Only letters, digits, dashes, dots and underscores are allowed."""
    verdict = top(issue("odd", 2, short_id=name, id=name or "é"))
    assert "; classify ISSUE" in verdict.reason


# --- of all that list issues or events ----------------------------------------------------------


@pytest.mark.parametrize(
    ("objective", "name"),
    [
        (EventsBelow(per_hour=5, normal=NORMAL), "events"),
        (NoNewIssue(**KNOWN), "issues"),
        (NoCriticalIssue(**KNOWN), "issues"),
        (TopKnown(top=3, **KNOWN), "issues"),
    ],
)
def test_hostile_titles_are_data(objective, name):
    """They are one line, truncated and printable, whatever the outcome."""
    items = [
        issue("unhandled " + HOSTILE, 9, new=True, at=START + n, short_id=HOSTILE) for n in range(9)
    ]
    verdict = judged(objective, **{name: found(*items)})
    assert verdict.outcome == FAIL
    assert "\u202e" not in verdict.reason
    assert len(verdict.reason) < 900


@pytest.mark.parametrize(
    ("objective", "name"),
    [
        (EventsBelow(per_hour=5), "events"),
        (NoNewIssue(), "issues"),
        (NoCriticalIssue(), "issues"),
        (TopKnown(top=3), "issues"),
        (NoRise(), "responses"),
    ],
)
def test_missing_and_mistyped_evidence(objective, name):
    """No answer is INCONCLUSIVE with its code; a wrong type is a bug of ours."""
    verdict = judged(objective, **{name: unanswered("source_limited")})
    assert (verdict.outcome, verdict.code) == (OPEN, "source_limited")
    with pytest.raises(TypeError, match=f"{name}: expected a"):
        objective.judge({name: counts(1, 0)})


def test_evidence_without_a_window_is_our_own_bug():
    """Nothing can be judged over no period."""
    for objective, name in ((EventsBelow(per_hour=5), "events"), (TopKnown(top=3), "issues")):
        with pytest.raises(TypeError, match="expected a window"):
            objective.judge({name: listing()})


def test_importing_objectives_loads_neither_numpy_nor_scipy():
    """They are imported by the functions that judge."""
    code = (
        "import sys, hour24.objectives.errors, hour24.objectives.rates, hour24.objectives.logs; "
        "sys.exit(bool({'numpy', 'scipy'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- ERRORS-TREND -------------------------------------------------------------------------------

WHOLE = CHECKPOINT.settled_since_t0
"""Nine hours."""


def responses(
    bad: list[int], total: int | list[int] = 3600, status: str = "502", step_s: int = 300
) -> Series:
    """Failed requests per hour, spread over its steps."""
    start, steps = WHOLE.start.timestamp(), 3600 // step_s
    every = total if isinstance(total, list) else [total] * len(bad)

    def line(label: str, hours: list[int]) -> Line:
        times = [start + 3600 * h + step_s * k for h in range(len(hours)) for k in range(steps)]
        values = [
            float(n // steps + (k < n % steps)) if every[h] else None
            for h, n in enumerate(hours)
            for k in range(steps)
        ]
        return Line(labels={"status": label}, times=tuple(times), values=tuple(values))

    good = [n - b for n, b in zip(every, bad, strict=True)]
    lines = (line("200", good), line(status, bad))
    return within(Series(question=question("200"), unit="requests", lines=lines), WHOLE)


def trend(*args: Any, objective: NoRise | None = None, **more: Any) -> Any:
    return judged(objective or NoRise(), responses=responses(*args, **more))


def test_a_steady_rate_passes_with_the_smallest_detectable_rise():
    """The verdict has the factor, the share, and the smallest detectable rise."""
    verdict = trend([4, 3, 5, 4, 4, 3, 5, 4, 4])
    assert (verdict.outcome, verdict.code) == (PASS, "")
    assert "36 of 32,400 requests failed (0.11 %) in the 9 h until 09:55 UTC" in verdict.reason
    assert "too small to detect: a rise to below 0.29 %" in verdict.reason
    assert verdict.bound.startswith("a rise to 0.29 %")
    assert verdict.figures["smallest_rise_to"] == pytest.approx(0.0029, rel=0.05)
    assert verdict.figures["factor"] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("status", ["500", "502", "5xx"])
def test_a_rise_fails(status):
    """It is significant at 99 % and more than twofold, with any 5xx status."""
    verdict = trend([2, 4, 7, 9, 12, 14, 17, 19, 22], status=status)
    assert (verdict.outcome, verdict.code) == (FAIL, "rise")
    assert "rose from" in verdict.reason
    assert verdict.observed.startswith(("×", "over ×"))


@pytest.mark.parametrize(
    ("bad", "total"),
    [
        ([22, 19, 17, 14, 12, 9, 7, 4, 2], 3600),
        ([300, 310, 320, 330, 340, 350, 360, 370, 380], 36000),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9], 100000),
        ([2, 4, 6, 8, 10, 12, 14, 16, 18], [360 * n for n in range(1, 10)]),
        ([3, 5, 2, 4, 6, 3, 5, 4, 6], 3600),
        ([0] * 9, 3600),
    ],
)
def test_a_fall_a_small_change_and_more_traffic_are_no_rise(bad, total):
    """Falling, by a quarter, below 0.1 %, with the traffic, by chance, of zero: none is a rise."""
    assert trend(bad, total).outcome == PASS


def test_other_statuses_do_not_count():
    """A 404 is the caller's error."""
    assert trend([2, 4, 7, 9, 12, 14, 17, 19, 22], status="404").reason.startswith("No request")


@pytest.mark.parametrize(
    "bad",
    [[4] * 7 + [1400, 4], [4] * 6 + [700, 700, 4], [4] * 6 + [200, 1200, 4], [1400] + [4] * 8],
)
def test_an_hour_of_many_failures_spikes_also_across_two_hours(bad):
    """The hour in which it began does not hide it."""
    verdict = trend(bad)
    assert (verdict.outcome, verdict.code) == (FAIL, "spike")
    assert f"{max(bad):,} of 3,600 requests failed in the hour from" in verdict.reason
    assert verdict.observed.endswith("in an hour")


def test_a_peak_of_two_hours_hides_neither_of_them():
    """Each is compared with all but its neighbours; the worst is named first."""
    verdict = trend([4, 700, 900, 4, 4, 4, 4, 4, 4])
    worst = verdict.reason.index("900 of 3,600 requests failed in the hour from 02:55 UTC, 4.0")
    assert worst < verdict.reason.index("700 of 3,600 requests failed in the hour from 01:55 UTC")


@pytest.mark.parametrize("bad", [[4] * 8 + [11], [0] * 8 + [2], [40] * 8 + [90]])
def test_a_bad_hour_that_chance_explains_is_none(bad):
    """Less than threefold, or too few, is no spike."""
    assert "spike" not in trend(bad).code


@pytest.mark.parametrize(
    ("bad", "total", "code"),
    [
        ([0] * 9, 20, "too_little_traffic"),
        ([0] * 9, 0, "too_little_traffic"),
        ([0] * 9, [3600] * 2 + [0] * 7, "too_little_traffic"),
        ([0] * 9, [3600] * 6 + [0] * 3, "too_little_traffic"),
        ([0] * 9, [3600] * 8 + [0], "too_little_traffic"),
        ([3600] * 9, 3600, "nothing_succeeded"),
    ],
)
def test_too_little_traffic_shows_nothing(bad, total, code):
    """Too few requests, empty hours, or failures throughout cannot show a rise."""
    verdict = trend(bad, total)
    assert (verdict.outcome, verdict.code) == (OPEN, code)


def test_little_traffic_states_what_is_detectable():
    """30 requests an hour detect only a rise to 10 % and more."""
    verdict = trend([0] * 9, 30)
    assert verdict.outcome == OPEN
    assert "a rise to below" in verdict.reason
    assert trend([0] * 9, 30, objective=NoRise(visible=0.5)).outcome == PASS


def test_a_short_window_is_too_early():
    """Two hours make no trend."""
    short = CHECKPOINT.window.shifted(0)
    two = msgspec.structs.replace(short, end=short.start + (short.end - short.start) / 2)
    verdict = judged(NoRise(), responses=within(responses([0] * 9), two))
    assert (verdict.outcome, verdict.code) == (OPEN, "too_early")


def test_a_missing_value_is_not_zero():
    """Hours of null are hours without data."""
    given = responses([4] * 9)
    lines = tuple(
        msgspec.structs.replace(line, values=(None,) * 24 + line.values[24:])
        for line in given.lines
    )
    verdict = judged(NoRise(), responses=msgspec.structs.replace(given, lines=lines))
    assert (verdict.outcome, verdict.code) == (OPEN, "too_little_traffic")
    assert "2 of the 9 hours had no requests" in verdict.reason


def test_nothing_at_all_is_not_green():
    """A series without lines is INCONCLUSIVE."""
    empty = within(Series(question=question("200"), unit="requests", lines=()), WHOLE)
    assert judged(NoRise(), responses=empty).outcome == OPEN


def test_steady_days_rarely_fail_and_the_smallest_rise_is_found_half_the_time():
    """False alarms are about 1 %, and the power is one half at the smallest detectable rise."""
    dice = numpy.random.default_rng(11)
    steady = [trend([int(n) for n in dice.poisson(7.2, 9)]).outcome for _ in range(100)]
    assert sum(each == FAIL for each in steady) <= 4
    to = smallest_rise([7] * 9, [3600] * 9, 1.0)
    rates = numpy.linspace(7 / 3600, to, 9) * 3600
    risen = [trend([int(n) for n in dice.poisson(rates)]).outcome for _ in range(100)]
    assert 35 <= sum(each == FAIL for each in risen) <= 75
