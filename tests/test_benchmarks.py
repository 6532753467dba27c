"""The benchmarks' own logic: a missed limit is said and makes the run fail."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from benchmarks import run
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
