"""A run that waits for a slow source shows which one, and for how long at most."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import pytest

from hour24.checkpoint import lanes as asking
from hour24.checkpoint.lanes import budget_s
from hour24.checkpoint.questions import QUESTIONS
from hour24.config import Health, Schedule
from tests.played import ROOT, pytest_

ASKED = ("-m", "hour0", "--target", "rehearsal", "--fault", "render_slow@-1", "--reports")
RATE = "tests_prod/test_errors.py::test_rate"


def test_a_pipe_gets_one_line_per_source(tmp_path: Path) -> None:
    """One line that stays."""
    shown = pytest_(*ASKED, tmp_path, RATE).stdout
    assert shown.count("1 of 1; waiting for render-metrics (ERRORS-RATE), ") == 1
    assert " s of at most 60 s\n" in shown


def test_a_terminal_shows_one_line_that_is_updated_and_erased(tmp_path: Path) -> None:
    """And the verdict has its own line."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", *ASKED, str(tmp_path), RATE]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=theirs)
    os.close(theirs)
    written = b""
    try:
        while part := os.read(ours, 65536):
            written += part
    except OSError:  # the terminal is gone with its last writer
        pass
    finally:
        process.wait(60)
        os.close(ours)
    lines = written.decode().split("\r\n")
    (waited,) = [line for line in lines if "waiting for render-metrics" in line]
    assert waited.count("waiting for render-metrics") > 1
    shown = waited.rsplit("\r", 1)[1]
    assert "INCONCLUSIVE" in shown
    assert "waiting" not in shown


@pytest.mark.parametrize("quiet", ["-q", "-qq"])
def test_quiet_is_quiet(quiet: str, tmp_path: Path) -> None:
    """With -q the waiting line is not shown."""
    assert "waiting for" not in pytest_(quiet, *ASKED, tmp_path, RATE).stdout


def test_the_canary_is_waited_for_as_long_as_events_are_given_to_arrive() -> None:
    """The usual budget is added to it, and the wait is shown like any other."""
    schedule = Schedule(settle_s=300.0, source_budget_s=90.0)
    production = SimpleNamespace(schedule=schedule, health=Health(url="", schema={}))
    assert budget_s(production, QUESTIONS["canary"]) == 390.0  # type: ignore[arg-type]
    assert budget_s(production, QUESTIONS["issues"]) == 90.0  # type: ignore[arg-type]


class JustNow(Future[str]):
    """An answer that arrives between the end of a wait and the check is returned."""

    def done(self) -> bool:
        if not super().done():
            self.set_result("the answer")
        return super().done()


def test_an_answer_that_comes_as_the_wait_ends_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no bug of its own that a wait of a second ended."""
    monkeypatch.setattr(asking, "REPORT_EVERY_S", 0.02)
    production = SimpleNamespace(
        schedule=Schedule(), health=None, answering=lambda measure: (measure, [])
    )
    lanes = asking.Lanes(SimpleNamespace(production=production), [])  # type: ignore[arg-type]
    lanes._answers["outcomes"] = {"": JustNow()}  # type: ignore[dict-item]
    monkeypatch.setattr(lanes, "ask", lambda names: None)
    assert lanes.answer("outcomes") == "the answer"
