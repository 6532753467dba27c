"""The benchmarks' own logic: a missed limit is said and makes the run fail."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from benchmarks import handover, run
from benchmarks.figures import Figure, tell

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("figure", "word"),
    [
        (Figure("a", 0.7, "s", most=0.7), "holds"),
        (Figure("a", 0.71, "s", most=0.7), "MISSED"),
        (Figure("a", math.nan, "s", most=0.7), "MISSED"),
        (Figure("a", 28, "", least=28), "holds"),
        (Figure("a", 27, "", least=28), "MISSED"),
        (Figure("a", 27, ""), ""),
    ],
)
def test_a_figure_is_held_to_its_limit(figure: Figure, word: str) -> None:
    """At the limit it holds, beyond it or without a number it is missed."""
    assert figure.word == word


def test_a_missed_figure_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """One missed figure among others makes the exit code 1, and its line says so."""
    figures = [Figure("quick", 1, "s", most=2), Figure("big", 3, "MB", most=2), Figure("n", 4, "")]
    assert tell(figures) == 1
    words = [line[:7].strip() for line in capsys.readouterr().out.splitlines()]
    assert words == ["holds", "MISSED", ""]
    assert tell(figures[::2]) == 0


def _running(monkeypatch: pytest.MonkeyPatch, code: str) -> int:
    monkeypatch.setattr(run, "BENCHMARKS", {"made_up": ((), ())})
    lines_of = run.lines_of
    monkeypatch.setattr(run, "lines_of", lambda _: lines_of([sys.executable, "-c", code]))
    monkeypatch.setattr(sys, "argv", ["run.py"])
    return run.main()


@pytest.mark.parametrize(
    ("code", "exits", "said"),
    [
        ("print('holds   1.00 s  at most 2  quick')", 0, "every limit holds"),
        (
            "print('MISSED  3.00 s  at most 2  quick'); exit(1)",
            1,
            "made_up: MISSED 3.00 s at most 2 quick",
        ),
        ("raise ValueError('broken')", 1, "made_up: MISSED it broke, exit 1"),
    ],
)
def test_run_fails_when_one_misses_or_breaks(
    code: str,
    exits: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A missed limit and a benchmark that breaks are both said at the end, and exit 1."""
    assert _running(monkeypatch, code) == exits
    out = capsys.readouterr().out
    assert said in out
    assert "judgement: left out" in out


def test_every_benchmark_of_the_folder_is_run() -> None:
    """run.py runs every benchmark of its folder."""
    scripts = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert scripts - {"run", "figures"} == {*run.BENCHMARKS, run.JUDGEMENT}


def test_a_gap_is_what_no_job_covers() -> None:
    """At both edges and between jobs; overlapping jobs leave none."""
    hour = 3600.0
    assert handover.gaps([]) == [handover.WATCH_S]
    assert handover.gaps([(2 * hour, 4 * hour), (hour, 3 * hour), (5 * hour, 23 * hour)]) == [
        hour,
        hour,
        hour,
    ]


@pytest.mark.parametrize("start_s", handover.STARTS_S)
def test_a_chain_by_needs_has_a_runners_start_between_two_jobs(start_s: float) -> None:
    """Four handovers a day, each as long as the start and the set-up."""
    outcome = handover.Outcome("one chain by needs", start_s)
    lost = start_s + handover.SET_UP_S
    assert outcome.gap_s == lost
    assert outcome.coverage == pytest.approx(1 - 4 * lost / handover.WATCH_S)


def test_a_kill_during_the_others_handover_leaves_a_chain_by_needs_alone_with_its_start() -> None:
    """Neither chain probes until a runner has started."""
    assert handover.Outcome("two chains by needs", 600.0).gap_s == 0
    killed = handover.JOB_S / 2  # the first chain's job, when the second hands over
    assert handover.Outcome("two chains by needs", 600.0, killed).gap_s == 660.0
    assert handover.worst("two chains by needs", 600.0, 60.0).gap_s == 660.0


def test_a_killed_job_without_another_chain_waits_for_the_schedule() -> None:
    """Unless its successor had been started."""
    way, killed = "one chain by dispatch", handover.JOB_S - handover.OVERLAP_S
    before = handover.Outcome(way, 20.0, killed - 1)
    assert before.gap_s == handover.REVIVED_S + 80.0
    assert handover.Outcome(way, 20.0, killed).gap_s == 80.0


@pytest.mark.parametrize("start_s", handover.STARTS_S)
@pytest.mark.parametrize("of", [0, 1])
def test_the_chosen_way_loses_nothing_when_one_job_is_killed(start_s: float, of: int) -> None:
    """The killed chain probes again, and the other one all the time."""
    killed = 2 * handover.JOB_S + 100
    dispatch, chains = handover.WAYS[handover.CHOSEN]
    (restarted,) = [
        begin
        for begin, _ in handover.probed(dispatch, chains, of, start_s, killed)
        if killed < begin < killed + 1000
    ]
    assert restarted == killed + handover.NOTICED_S + start_s + handover.SET_UP_S
    outcome = handover.Outcome(handover.CHOSEN, start_s, killed, of)
    assert (outcome.coverage, outcome.gap_s) == (1.0, 0.0)


@pytest.mark.parametrize("way", handover.WAYS)
def test_the_table_of_the_simulation_is_what_it_computes(way: str) -> None:
    """Each row of the README, to the digits that it shows."""
    text = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    for start_s, words in zip(handover.STARTS_S, ("20 s", "2 min", "10 min"), strict=True):
        outcome, kill = handover.Outcome(way, start_s), handover.worst(way, start_s, 60.0)
        cells = [
            *(f"{100 * each.coverage:.2f} %, {each.gap_s:,.0f} s" for each in (outcome, kill)),
            f"{outcome.minutes:,.0f}",
        ]
        assert f"| {way} | {words} | {' | '.join(cells)} |\n" in text
