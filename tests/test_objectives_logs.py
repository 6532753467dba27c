"""Log lines: errors, patterns, watched words."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from hour24 import evidence as ev
from hour24.classes import IssueClass
from hour24.evidence import Counts, Listing
from hour24.objectives.base import Objective, from_plain
from hour24.objectives.logs import LevelKept, NoErrorLine, NoPattern
from hour24.verdict import Outcome
from tests.evidence_of import WATCH, counts, listing, question, unanswered

WINDOW = WATCH.checkpoint(8).settled
WHOLE = WATCH.checkpoint(24).settled_since_t0
NORMAL = (
    IssueClass(name="Vapi API timeouts", pattern="vapi api timeout", cause="vapi"),
    IssueClass(name="database resets", pattern="reset by database", at_most_per_hour=3),
)
HOSTILE = "ERROR <b>\x1b[2J\u202eevil\r\nnext `rm -rf` \x00" + "long " * 200
PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def lines(*at: float, message: str = "ERROR cache: lost", window: Any = WINDOW) -> list[Any]:
    """Lines at these minutes after the window's start; ``{n}`` becomes a number."""
    start = window.start.timestamp()
    return [
        {"at": start + 60 * minute, "message": message.replace("{n}", str(n)), "level": "error"}
        for n, minute in enumerate(at)
    ]


def found(*items: dict[str, Any], window: Any = WINDOW, complete: bool = True) -> Listing:
    """ERROR lines of the window."""
    made = listing(*items, what="ERROR lines")
    asked = msgspec.structs.replace(made.question, window=window)
    return msgspec.structs.replace(made, question=asked, complete=complete)


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


# --- LOGS-ERRORS --------------------------------------------------------------------------------


def errors(*items: dict[str, Any], **more: Any) -> Any:
    return judged(NoErrorLine(normal=NORMAL), lines=found(*items, **more))


def test_no_error_line_passes_and_normal_ones_are_reported():
    """The source answered without any ERROR line."""
    verdict = errors()
    assert (verdict.outcome, verdict.observed, verdict.limit) == (PASS, "0", "none")
    assert verdict.reason == "No ERROR line in the 4 h until 09:55 UTC"
    verdict = errors(*lines(1, 2, 3, message="ERROR calls: Vapi API timeout, call {n}"))
    assert (verdict.outcome, verdict.observed) == (PASS, "0 others")
    assert "3 known-normal errors excluded (Vapi API timeouts 3)" in verdict.reason


def test_one_error_line_fails_with_its_text_and_time():
    """The reason quotes the whole line with its time."""
    verdict = errors(*lines(65, message="ERROR billing: invoice 7 skipped"))
    assert (verdict.outcome, verdict.code, verdict.observed) == (FAIL, "error_lines", "1")
    assert '"ERROR billing: invoice 7 skipped" (07:00 UTC)' in verdict.reason
    assert verdict.figures == {"counted": 1.0, "patterns": 1.0, "aside": 0.0}


def test_many_error_lines_are_reported_by_pattern_with_a_sample_each():
    """The three most frequent are quoted, and the rest are counted."""
    texts = ("mail: no answer to", "disk: full at", "audit: refused", "ledger: entry lost")
    many = [
        line
        for n, text in enumerate(texts)
        for line in lines(*range(5 + 4 * n), message=f"ERROR {text} {{n}}")
    ]
    verdict = errors(*many)
    assert "44 ERROR lines in the 4 h until 09:55 UTC" in verdict.reason
    assert "in 4 patterns" in verdict.reason
    assert '17 × "ERROR ledger: entry lost <n>", such as "ERROR ledger: entry lost 0' in (
        verdict.reason
    )
    assert "mail" not in verdict.reason
    assert "and 1 more" in verdict.reason


def test_the_excess_of_a_limited_class_counts():
    """Three resets an hour are normal, the fourth is not."""
    message = "ERROR db: connection reset by database, request {n}"
    assert errors(*lines(6, 7, 8, 66, 67, 68, message=message)).outcome == PASS
    verdict = errors(*lines(6, 7, 8, 9, message=message))
    assert (verdict.outcome, verdict.figures["counted"]) == (FAIL, 1.0)
    assert "1 of database resets, above its hourly limit" in verdict.reason


ESC = "\x1b"


@pytest.mark.parametrize(
    ("message", "level"),
    [
        ("FATAL: cannot start", "fatal"),
        ("database gone, exiting", "critical"),
        ("database gone", "err"),
        ("CRITICAL:root:database gone, exiting", "info"),
        ("[2026-11-24 06:10:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:25)", "info"),
        ("panic: runtime error: invalid memory address or nil pointer dereference", "info"),
        ('{"level":50,"time":1764512345000,"msg":"cannot connect to database"}', "info"),
        ('{"level":"error","ts":1764512345.1,"msg":"db down"}', "info"),
        (f"{ESC}[31mERROR{ESC}[0m: cannot connect", ""),
    ],
)
def test_everything_from_error_upwards_counts(message, level):
    """A line's own level counts, or else the platform's label."""
    verdict = errors({"at": WINDOW.start.timestamp() + 60, "message": message, "level": level})
    assert (verdict.outcome, verdict.code) == (FAIL, "error_lines")


@pytest.mark.parametrize(
    ("message", "level"),
    [
        ("INFO finished, 0 ERROR, 0 WARN", "info"),
        ("INFO ERROR_RATE=0.0 ERROR-BUDGET ok", "info"),
        ("INFO retried", "error"),
        ('{"level":30,"msg":"error: none"}', "error"),
    ],
)
def test_a_word_inside_a_line_is_no_level(message, level):
    """A line's own level outranks the platform's label."""
    verdict = errors({"at": WINDOW.start.timestamp() + 60, "message": message, "level": level})
    assert (verdict.outcome, verdict.observed) == (PASS, "0")


def test_lines_without_a_level_are_counted_and_reported():
    """Whether they are errors is not known; their number is in the reason."""
    verdict = errors(*(dict(each, level="") for each in lines(1, 2, message="the ERROR {n} came")))
    assert (verdict.outcome, verdict.figures["unknown"]) == (PASS, 2.0)
    assert verdict.reason.endswith("; no level recognised in 2 lines with an error word")


def test_a_traceback_counts_once_with_its_head():
    """The exception belongs to its traceback; another one does not."""
    start = WINDOW.start.timestamp()
    printed = (
        (60.0, "ERROR:root:invoice 7 failed"),
        (60.0001, "Traceback (most recent call last):"),
        (60.0002, '  File "app.py", line 1, in <module>'),
        (60.0003, "ValueError: boom"),
        (60.0004, "TypeError: another"),
        (63.0, "Traceback (most recent call last):"),
        (63.1, "KeyError: 'x'"),
    )
    verdict = errors(*({"at": start + at, "message": text} for at, text in printed))
    assert verdict.figures["counted"] == 3.0
    assert "invoice 7 failed" in verdict.reason
    assert "KeyError: 'x' Traceback" in verdict.reason


def test_a_normal_class_matches_the_visible_text():
    """Colour codes between its words are ignored."""
    message = f"{ESC}[31merror{ESC}[39m: vapi {ESC}[33mapi{ESC}[0m timeout"
    assert errors(*lines(1, message=message)).outcome == PASS


def test_a_truncated_list_is_a_lower_bound():
    """It is enough for FAIL, and its counts are reported as minimums."""
    verdict = errors(*lines(1, 2), complete=False)
    assert (verdict.outcome, verdict.observed) == (FAIL, "at least 2")
    assert verdict.reason.startswith("At least 2 ERROR lines in the 4 h")
    rising = patterns(*lines(5, 6, 7, 8, 9, window=WHOLE), complete=False)
    assert (rising.outcome, rising.observed) == (FAIL, "at least 5 in an hour")
    assert "at least 5 in the clock hour" in rising.reason
    assert errors(complete=False).outcome == OPEN


# --- LOGS-PATTERNS ------------------------------------------------------------------------------


def patterns(*items: dict[str, Any], window: Any = WHOLE, **more: Any) -> Any:
    limits = NoPattern(per_hour=5, per_day=10, normal=NORMAL)
    return judged(limits, lines=found(*items, window=window, **more))


def test_four_in_a_clock_hour_pass_and_five_fail():
    """The window begins at 00:55, so minute 5 is 01:00."""
    message = "ERROR ledger: entry {n} out of balance"
    four = patterns(*lines(5, 6, 7, 8, 65, message=message, window=WHOLE))
    assert (four.outcome, four.observed) == (PASS, "4 in an hour")
    five = patterns(*lines(5, 6, 7, 8, 9, message=message, window=WHOLE))
    assert (five.outcome, five.code, five.observed) == (FAIL, "pattern_repeats", "5 in an hour")
    assert "5 in the clock hour from 01:00 UTC" in five.reason
    assert "ERROR ledger: entry <n> out of balance" in five.reason
    for sample in ("entry 0 out", "entry 1 out", "entry 2 out"):
        assert sample in five.reason
    assert "entry 3 out" not in five.reason


def test_nine_within_24_hours_pass_and_ten_fail():
    """Any 24 of the 25 hours count."""
    message = "ERROR ledger: entry {n} out of balance"
    spread = [120.0 * n for n in range(9)]
    nine = patterns(*lines(*spread, message=message, window=WHOLE))
    assert (nine.outcome, nine.observed, nine.scale.limit) == (PASS, "9 in 24 h", 10.0)
    ten = patterns(*lines(*spread, 1100, message=message, window=WHOLE))
    assert (ten.outcome, ten.observed) == (FAIL, "10 in 24 h")
    assert "10 within 24 h" in ten.reason
    far = patterns(*lines(*spread, 1441, message=message, window=WHOLE))
    assert far.outcome == PASS


def test_different_errors_are_different_patterns():
    """Ten lines of ten kinds in one hour do not repeat."""
    words = ("mail", "cache", "disk", "queue", "vault", "audit", "flags", "quota", "cron", "ocr")
    verdict = patterns(
        *(
            line
            for n, word in enumerate(words)
            for line in lines(5 + n, message=f"ERROR {word} {word}ing", window=WHOLE)
        )
    )
    assert (verdict.outcome, verdict.observed) == (PASS, "1 in an hour")
    assert "of 10 patterns in 10 ERROR lines" in verdict.reason


def test_normal_classes_may_repeat_within_their_limit():
    """Forty timeouts in an hour do not count; seven resets leave four."""
    vapi = lines(*range(5, 45), message="ERROR Vapi API timeout, call {n}", window=WHOLE)
    reset = "ERROR connection reset by database, request {n}"
    assert patterns(*vapi, *lines(*range(5, 12), message=reset, window=WHOLE)).outcome == PASS
    assert patterns(*lines(*range(5, 13), message=reset, window=WHOLE)).outcome == FAIL


# --- of both ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "objective", [NoErrorLine(normal=NORMAL), NoPattern(per_hour=5, per_day=10, normal=NORMAL)]
)
def test_a_truncated_list_can_fail_and_never_pass(objective):
    """Listed lines existed, whatever is missing."""
    none = judged(objective, lines=found(complete=False))
    assert (none.outcome, none.code) == (OPEN, "source_incomplete")
    some = judged(objective, lines=found(*lines(5, 6, 7, 8, 9), complete=False))
    assert some.outcome == FAIL


@pytest.mark.parametrize(
    "objective", [NoErrorLine(normal=NORMAL), NoPattern(per_hour=5, per_day=10, normal=NORMAL)]
)
def test_hostile_lines_are_data(objective):
    """They are one line each, truncated and printable."""
    verdict = judged(objective, lines=found(*lines(*range(5, 25), message=HOSTILE)))
    assert verdict.outcome == FAIL
    assert "\u202e" not in verdict.reason
    assert len(verdict.reason) < 900


@pytest.mark.parametrize("objective", [NoErrorLine(), NoPattern(per_hour=5, per_day=10)])
def test_missing_lines_are_inconclusive(objective):
    """The code is the source's; a wrong type is a bug of ours."""
    verdict = judged(objective, lines=unanswered("too_many_lines"))
    assert (verdict.outcome, verdict.code) == (OPEN, "too_many_lines")
    with pytest.raises(TypeError, match="lines: expected a Listing"):
        objective.judge({"lines": counts(1, 0)})


# --- LOGS-WATCHED -------------------------------------------------------------------------------


def watched(hour: int, total: int = 900, **parts: int) -> Counts:
    """The number of lines in a checkpoint's window, and per word."""
    asked = msgspec.structs.replace(question("200"), window=WATCH.checkpoint(hour).settled)
    return Counts(question=asked, what="lines read", total=total, bad=0, parts=parts)


def level(now: dict[str, int], before: dict[str, int], objective: Any = None) -> Any:
    return judged(objective or LevelKept(), now=watched(8, **now), baseline=watched(0, **before))


def test_the_same_level_passes_with_the_smallest_detectable_rise():
    """Four hours are compared with one: 120 with 30."""
    verdict = level({"WARN": 118, "database": 126}, {"WARN": 30, "database": 30})
    assert (verdict.outcome, verdict.limit) == (PASS, "below ×2")
    assert verdict.observed == "×1.05 (database)"
    assert "WARN 118 against 30 (×0.98); database 126 against 30 (×1.05)" in verdict.reason
    assert "in the 4 h until 09:55 UTC against 1 h at hour 0" in verdict.reason
    shows = int(verdict.figures["WARN_shows"])
    assert f"fewer lines than WARN {shows}" in verdict.reason
    assert level({"WARN": shows - 1}, {"WARN": 30}).outcome == PASS
    assert level({"WARN": shows}, {"WARN": 30}).outcome == FAIL


def test_a_large_and_significant_rise_fails():
    """One word of three is four times as frequent."""
    verdict = level(
        {"WARN": 480, "database": 118, "timeout": 0}, {"WARN": 30, "database": 30, "timeout": 0}
    )
    assert (verdict.outcome, verdict.code) == (FAIL, "level_risen")
    assert verdict.observed == "×4 (WARN)"
    assert "WARN 480 against 30 (×4)" in verdict.reason
    assert "database" not in verdict.reason
    assert verdict.bound == "at least ×1.92"
    assert verdict.scale.limit == 2.0


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (119_000, 20_000),
        (40, 3),
        (0, 30),
        (0, 0),
        (10, 0),
    ],
)
def test_small_changes_few_lines_and_fewer_are_no_rise(now, before):
    """Half as many again, few lines, fewer lines or none are no rise."""
    verdict = level({"WARN": now}, {"WARN": before})
    assert verdict.outcome == PASS
    assert "too small to detect: fewer lines than WARN" in verdict.reason


def test_many_lines_where_there_were_none_are_a_rise():
    """None at hour 0 is a level too; the ratio is infinite, its bound is finite."""
    verdict = level({"WARN": 200}, {"WARN": 0})
    assert (verdict.outcome, verdict.observed) == (FAIL, "200 WARN, none at hour 0")
    assert verdict.scale is None
    assert all(abs(value) < 1e9 for value in verdict.figures.values())


def test_lines_in_clumps_are_less_significant():
    """300 lines in clumps of ten are thirty occurrences."""
    now, before = {"WARN": 300}, {"WARN": 30}
    assert level(now, before).outcome == FAIL
    assert level(now, before, LevelKept(clumping=10.0)).outcome == PASS


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (watched(8, total=0, WARN=0), watched(0, WARN=30)),
        (watched(8, WARN=30), watched(0, total=0, WARN=0)),
        (watched(8), watched(0)),
        (watched(8, WARN=30), watched(0, timeout=30)),
    ],
)
def test_an_empty_log_shows_no_level(now, before):
    """No line at all, or other words than at hour 0, is INCONCLUSIVE."""
    verdict = judged(LevelKept(), now=now, baseline=before)
    assert (verdict.outcome, verdict.code) == (OPEN, "no_data")


def test_both_sides_need_an_answer():
    """The code is that of the missing side."""
    now = unanswered("too_many_lines")
    assert judged(LevelKept(), now=now, baseline=watched(0, WARN=1)).code == "too_many_lines"
    before = unanswered("baseline_absent")
    assert judged(LevelKept(), now=watched(8, WARN=1), baseline=before).code == "baseline_absent"
    with pytest.raises(TypeError, match="now: expected Counts"):
        LevelKept().judge({"now": listing(), "baseline": watched(0)})


def test_a_part_of_the_watched_lines_may_prove_a_rise_and_never_a_quiet_log():
    """What was read is a lower bound now; at hour 0 it is no measure of what is usual."""
    cut = {"cut": "too_many_lines", "note": "the edge: expected at most 10,000 lines, got more"}
    usual, few = watched(0, WARN=30), watched(8, WARN=20)
    many = msgspec.structs.replace(watched(8, WARN=10_000), **cut)
    risen = LevelKept().judge({"now": many, "baseline": usual})
    assert (risen.outcome, risen.code) == (FAIL, "level_risen")
    assert risen.reason.startswith("More lines, at least")
    quiet = LevelKept().judge({"now": msgspec.structs.replace(few, **cut), "baseline": usual})
    assert (quiet.outcome, quiet.code) == (OPEN, "too_many_lines")
    assert "expected at most 10,000 lines, got more" in quiet.reason
    unusual = LevelKept().judge({"now": many, "baseline": msgspec.structs.replace(usual, **cut)})
    assert (unusual.outcome, unusual.code) == (OPEN, "too_many_lines")
