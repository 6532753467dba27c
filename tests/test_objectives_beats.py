"""Background jobs, judged."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from hour24.evidence import Line, Question, Series
from hour24.objectives.base import from_plain
from hour24.objectives.beats import BeatsKept
from hour24.verdict import Outcome
from hour24.watch import Window
from tests.evidence_of import AT, unanswered

START = AT.timestamp()
HOURS = 4.0
END = START + 3600 * HOURS
EVERY = [START + 15 + 30 * n for n in range(480)]


def line(times: Iterable[float], worker: str = "", late_s: float | None = None) -> Line:
    moments = tuple(times)
    late = tuple(None if late_s is None else t + late_s for t in moments)
    return Line(times=moments, values=late, labels={"worker": worker} if worker else {})


def beats(*lines: Line, asked_after_s: float = 300.0) -> Series:
    window = Window(AT, AT + timedelta(hours=HOURS))
    at = window.end + timedelta(seconds=asked_after_s)
    question = Question(source="render", asked="beats", at=at, window=window)
    return Series(question=question, unit="s", lines=lines)


def judged(*lines: Line, asked_after_s: float = 300.0, **more: Any) -> Any:
    return BeatsKept().judge({"beats": beats(*lines, asked_after_s=asked_after_s), **more})


def without(times: Sequence[float], first: int, count: int) -> list[float]:
    return [*times[:first], *times[first + count :]]


def test_steady_beats_pass_with_their_longest_gap():
    """The reason names the workers."""
    verdict = judged(line(EVERY, "dialer"), line([t + 3 for t in EVERY], "syncer"))
    assert verdict.outcome == Outcome.PASS
    assert verdict.reason == "960 beats of dialer, syncer, longest gap 30 s"
    assert (verdict.scale.limit, verdict.scale.observed) == (75.0, 30.0)


@pytest.mark.parametrize(
    ("lost", "outcome", "gap"),
    [(1, Outcome.PASS, 60.0), (2, Outcome.FAIL, 90.0), (20, Outcome.FAIL, 630.0)],
)
def test_one_missed_beat_is_reported_and_two_fail(lost, outcome, gap):
    """The limit is 2.5 periods."""
    verdict = judged(line(without(EVERY, 100, lost)))
    assert (verdict.outcome, verdict.figures["longest_gap_s"]) == (outcome, gap)
    assert ("one missed beat each" in verdict.reason) == (outcome == Outcome.PASS)


@pytest.mark.parametrize("kept", [EVERY[100:], EVERY[:-100]])
def test_the_windows_edges_end_gaps(kept):
    """A worker that stopped early or started late has a gap."""
    verdict = judged(line(kept, "dialer"))
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "gap")
    assert "no beat of dialer for 50 min" in verdict.reason


def test_a_stopped_worker_is_found_next_to_a_running_one():
    """Each worker is judged by itself."""
    verdict = judged(line(EVERY, "dialer"), line(EVERY[:200], "syncer"))
    assert verdict.outcome == Outcome.FAIL
    assert "syncer" in verdict.reason
    assert "dialer" not in verdict.reason


def test_a_worker_of_hour_0_that_beats_no_more_fails():
    """It has no line any more, so only the baseline contains it."""
    hour_0 = beats(line(EVERY, "dialer"), line(EVERY, "syncer"))
    verdict = judged(line(EVERY, "syncer"), baseline=hour_0)
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "no_beat")
    assert "dialer, which beat at hour 0" in verdict.reason
    verdict = judged(line(EVERY, "syncer"), baseline=unanswered("baseline_absent"))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "baseline_absent")


def test_no_beat_at_all_fails_where_the_logs_answered():
    """Missing beats are FAIL; logs that did not answer are INCONCLUSIVE."""
    assert (judged().outcome, judged().code) == (Outcome.FAIL, "no_beat")
    verdict = BeatsKept().judge({"beats": unanswered("no_data")})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "no_data")


def test_beats_count_when_they_happened_not_when_they_arrived():
    """Delayed logs are reported and are no gap; a duplicate line counts once."""
    verdict = judged(line([*EVERY, *EVERY[:50]], late_s=250.0))
    assert verdict.outcome == Outcome.PASS
    assert verdict.figures["beats"] == 480
    assert "lines arrived up to 4 min 10 s late" in verdict.reason


@pytest.mark.parametrize(
    ("asked_after_s", "outcome"), [(300.0, Outcome.FAIL), (10.0, Outcome.INCONCLUSIVE)]
)
def test_the_end_is_judged_once_late_lines_would_have_arrived(asked_after_s, outcome):
    """Asked too soon, late lines may still close a gap at the end."""
    verdict = judged(line(EVERY[:-4]), asked_after_s=asked_after_s)
    assert verdict.outcome == outcome
    assert verdict.code == ("gap" if outcome == Outcome.FAIL else "too_early")


def test_two_workers_in_one_stream_hide_that_one_stopped():
    """The rhythm shows two beats per period."""
    other = [t + 11 for t in EVERY]
    verdict = judged(line(sorted([*EVERY, *other])))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "mixed_workers")
    assert "(?P<worker>...)" in verdict.reason


def test_jitter_of_five_seconds_is_healthy():
    """A rule that flags every late beat would fail this."""
    chance = random.Random(5)
    assert judged(line(t + chance.gauss(0, 5) for t in EVERY)).outcome == Outcome.PASS


def test_the_objective_loads_back_equal():
    """The record stores its name and fields."""
    objective = BeatsKept(every_s=60.0, max_gap_s=150.0)
    assert from_plain(objective.to_plain()) == objective
