"""Without an error tracker, the error criteria are judged by the ERROR lines of the logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from hour24.checkpoint.inquiry import Inquiry
from hour24.checkpoint.lanes import Lanes
from hour24.checkpoint.sentences import sentence_for
from hour24.classes import IssueClass
from hour24.clock import SteppingClock
from hour24.config import Described, load
from hour24.criteria import CRITERIA
from hour24.doctor.examining import needed_by
from hour24.errors import SourceIncomplete, SourceUnreachable
from hour24.evidence import Evidence, Listing, Question, Unanswered, from_plain, to_plain
from hour24.objectives.errors import EventsBelow, NoCriticalIssue, NoNewIssue, TopKnown
from hour24.verdict import Outcome, Verdict
from hour24.watch import Window
from hour24.witnesses.port import Measure
from tests import small_watch as small
from tests.test_witnesses import OWN, SMALLEST, at_of, written

POINT = small.WATCH.checkpoint(8)
WINDOW = POINT.settled
HOUR_0 = small.WATCH.checkpoint(0).settled.start
NORMAL = IssueClass(name="rate limits", pattern=r"\b429\b", at_most_per_hour=50)
CRITICAL = IssueClass(name="memory leaks", pattern="heap out of memory", severity="critical")
Line = tuple[float, str]
"""Seconds after the window's start, and the text."""


class Log:
    """A source of ERROR lines; ``reach`` is the earliest window's start that it answers."""

    def __init__(self, lines: Sequence[Line], reach: timedelta, **about: Any) -> None:
        self.lines = lines
        self.reach = reach
        self.about = about
        self.asked: list[Window] = []

    def __call__(self, at: Any, clock: Any, *, budget_s: float) -> Log:
        return self

    def error_lines(self, window: Window) -> Listing:
        self.asked.append(window)
        begin = WINDOW.start.timestamp()
        start, end = window.start.timestamp(), window.end.timestamp()
        items = tuple(
            {"id": f"{n}", "at": begin + at, "message": text, "level": "", "instance": "a"}
            for n, (at, text) in enumerate(self.lines)
            if start <= begin + at < end
        )
        if window.start < HOUR_0 - self.reach:
            raise SourceIncomplete("logs: error lines: expected the whole window, got a part")
        return Listing(
            question=Question(source="logs", asked="read", at=POINT.due, window=window),
            what="ERROR lines",
            items=items,
            seen=len(items),
            about=self.about,
        )


@pytest.fixture
def judged(tmp_path: Any) -> Callable[..., dict[str, Verdict]]:
    """Judges the four criteria by a log alone."""

    def judge(
        *lines: Line,
        reach: timedelta = timedelta(days=2),
        source: Any = None,
        next_to: dict[str, Described] | None = None,
        **about: Any,
    ) -> dict[str, Verdict]:
        log = source or Log(lines, reach, **about)
        witness = msgspec.structs.replace(OWN["logs"], source=log)
        production = msgspec.structs.replace(
            load(written(tmp_path, SMALLEST), {}),
            described={"logs": Described(witness, at_of(OWN["logs"])), **(next_to or {})},
            normal=(NORMAL,),
            critical=(CRITICAL,),
        )
        asking = Inquiry(production, small.WATCH, POINT, SteppingClock(POINT.due), NoLedger())  # type: ignore[arg-type]
        lanes = Lanes(asking, ["error_events", "issues"])
        events, issues = lanes.answer("error_events"), lanes.answer("issues")
        assert isinstance(events, Evidence)
        assert isinstance(issues, Evidence)
        for each in (events, issues):
            assert from_plain(to_plain(each)) == each
        known = {"normal": (NORMAL,), "critical": (CRITICAL,)}
        return {
            "count": EventsBelow(per_hour=5, normal=(NORMAL,)).judge({"events": events}),
            "new": NoNewIssue(**known).judge({"issues": issues}),
            "critical": NoCriticalIssue(**known).judge({"issues": issues}),
            "top": TopKnown(top=3, **known).judge({"issues": issues}),
        }

    return judge


class NoLedger:
    """A watch without records."""

    def records(self) -> list[Any]:
        return []


def test_a_log_without_errors_passes_each(judged: Any) -> None:
    """And each verdict says what it rests on."""
    found = judged()
    assert {each.outcome for each in found.values()} == {Outcome.PASS}
    assert all("judged by the ERROR lines of the log" in v.reason for v in found.values())


def test_too_many_errors_in_an_hour_fail(judged: Any) -> None:
    """Each line is an event; a trace is part of its error, and a normal class is excluded."""
    trace = ["Traceback (most recent call last):", "  File 'a.py'", "KeyError: 'x'"]
    lines = [(60.0 + i, f"ERROR number {i}") for i in range(4)]
    found = judged(*lines, *((61.5, each) for each in trace), (70.0, "ERROR status 429"))
    assert found["count"].outcome == Outcome.PASS, found["count"].reason
    found = judged(*lines, (90.0, "ERROR one more"))
    assert (found["count"].outcome, found["count"].code) == (Outcome.FAIL, "too_many_events")
    assert "5 error events" in found["count"].reason


def test_a_pattern_that_the_day_before_did_not_have_is_new(judged: Any) -> None:
    """With other numbers it is the same pattern."""
    new = judged((60, "ERROR ledger: entry 17 out of balance"))["new"]
    assert (new.outcome, new.code) == (Outcome.FAIL, "new_issue")
    assert "new: not since 20" in new.reason
    old = judged(
        (-30_000, "ERROR ledger: entry 4 out of balance"),
        (60, "ERROR ledger: entry 17 out of balance"),
    )["new"]
    assert old.outcome == Outcome.PASS


def test_a_log_that_does_not_reach_back_cannot_say_what_is_new(judged: Any) -> None:
    """INCONCLUSIVE with its own code; what it shows earlier is old all the same."""
    new = judged((60, "ERROR unheard of"), reach=timedelta(0))["new"]
    assert (new.outcome, new.code) == (Outcome.INCONCLUSIVE, "baseline_short")
    assert "does not reach back to" in new.reason
    assert judged(reach=timedelta(0))["new"].outcome == Outcome.PASS


def test_a_critical_class_fails_whatever_else_has_its_pattern(judged: Any) -> None:
    """Lines are grouped by their class first."""
    lines = [(60.0, "ERROR worker 1 says heap out of memory"), (61.0, "ERROR worker 2 says hello")]
    found = judged(*lines)
    assert (found["critical"].outcome, found["critical"].code) == (Outcome.FAIL, "critical_issue")
    assert "memory leaks" in found["critical"].reason


def test_the_most_frequent_must_be_of_a_known_class(judged: Any) -> None:
    """An old pattern of no class asks a person to classify it, by its own id."""
    before = (-30_000.0, "ERROR ledger: entry 4 out of balance")
    found = judged(
        before, *((60.0 * i, f"ERROR ledger: entry {i} out of balance") for i in range(3))
    )
    assert (found["top"].outcome, found["top"].code) == (Outcome.INCONCLUSIVE, "unclassified")
    assert "classify LOG-" in found["top"].reason
    assert judged((60, "ERROR status 429"))["top"].outcome == Outcome.PASS


@pytest.mark.parametrize(
    ("about", "code"),
    [
        ({"sampled": 100.0, "unlevelled": 90.0}, "levels_unknown"),
        ({"missing": "app.log begins at 09:00"}, "source_incomplete"),
    ],
)
def test_what_the_log_does_not_show_passes_on(
    judged: Any, about: dict[str, Any], code: str
) -> None:
    """No criterion is green by a log that was not read whole or not understood."""

    class Part(Log):
        def error_lines(self, window: Window) -> Listing:
            whole = "missing" not in self.about
            return msgspec.structs.replace(super().error_lines(window), complete=whole)

    found = judged(source=Part((), timedelta(days=2), **about))
    assert {(each.outcome, each.code) for each in found.values()} == {(Outcome.INCONCLUSIVE, code)}


def test_a_silent_log_is_silent_for_each(judged: Any) -> None:
    """With the source's own code."""

    class Silent(Log):
        def error_lines(self, window: Window) -> Listing:
            raise SourceUnreachable("logs: error lines: no answer")

    found = judged(source=Silent((), timedelta(days=2)))
    assert {each.code for each in found.values()} == {"source_unreachable"}


def test_a_described_tracker_that_is_silent_is_not_replaced_by_a_log(judged: Any) -> None:
    """A log's good word is no answer for a tracker that could have accused."""

    class Tracker:
        def __call__(self, at: Any, clock: Any, *, budget_s: float) -> Tracker:
            return self

        def error_events(self, window: Window) -> Listing:
            raise SourceUnreachable("tracker: no answer")

        issues = error_events

    witness = msgspec.structs.replace(OWN["sentry"], source=Tracker())
    log = Log((), timedelta(days=2))
    found = judged(source=log, next_to={"sentry": Described(witness, at_of(OWN["sentry"]))})
    assert {each.code for each in found.values()} == {"source_unreachable"}
    assert log.asked == []


def test_a_production_with_logs_lacks_nothing_for_them() -> None:
    """doctor names only what no log can answer; the sign-off's sentence names the log."""
    left = needed_by("sentry", (Measure.ERROR_LINES,))
    assert not {"ERRORS-COUNT", "ERRORS-NEW", "ERRORS-CRITICAL", "ERRORS-TOP"} & set(left)
    assert {"SENTRY-RECEIVES", "SENTRY-FEED"} <= set(left)


def test_the_sentence_names_the_log(tmp_path: Any) -> None:
    """What is signed says who showed it."""
    described = {"logs": Described(OWN["logs"], at_of(OWN["logs"]))}
    production = msgspec.structs.replace(load(written(tmp_path, SMALLEST), {}), described=described)
    sentence = sentence_for(CRITERIA["SIGNOFF-CRITICAL"], production)
    assert sentence.startswith("The log shows")


def test_without_a_log_nothing_is_made_up(tmp_path: Any) -> None:
    """The questions stay unanswered, as not described."""
    production = load(written(tmp_path, SMALLEST), {})
    asking = Inquiry(production, small.WATCH, POINT, SteppingClock(POINT.due), None)  # type: ignore[arg-type]
    for name in ("error_events", "issues"):
        answer = Lanes(asking, [name]).answer(name)
        assert isinstance(answer, Unanswered)
        assert answer.code == "not_described"


def test_what_a_log_answers_is_not_left_out_with_the_tracker(tmp_path: Any) -> None:
    """``[without]`` names the tracker: only what no log can answer goes with it."""
    without = '[without]\nsources = ["sentry"]\nbecause = "no tracker"\n'
    alone = load(written(tmp_path, SMALLEST + without), {}).criteria
    logged = SMALLEST + '[logs]\nfile = "/var/log/orders.log"\n' + without
    beside = load(written(tmp_path, logged), {}).criteria
    kept = {"ERRORS-COUNT", "ERRORS-NEW", "ERRORS-CRITICAL", "ERRORS-TOP"}
    assert kept <= {name for name, one in alone.items() if not one.applies}
    assert not kept & set(beside)
    assert not beside["SENTRY-FEED"].applies
