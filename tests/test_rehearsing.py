"""What a rehearsal shows of a checkpoint: incidents, not every check."""

from __future__ import annotations

import pytest

from hour24.commands.rehearsing import _show
from hour24.evidence import Listing
from hour24.ledger.record import Judged, Record
from hour24.rehearsal.run import CheckpointRun
from tests.evidence_of import judged, question, record


def shown(found: Record, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines for a checkpoint, in a pipe."""
    _show(CheckpointRun(hour=8, exit_code=1, took_s=2.0, record=found, output=""), verbose=False)
    return capsys.readouterr().out.splitlines()


def naming(id: str, issue: str) -> Judged:
    """A check that failed because of this issue."""
    items = ({"id": "1", "short_id": issue, "title": "Error: pool closed", "count": 40},)
    listing = Listing(question=question("200"), what="issues", items=items, seen=1)
    return judged(id, "FAIL", "critical_issue", reason="a long reason " * 40, issues=listing)


def test_checks_of_one_incident_are_one_line_with_their_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = shown(record(naming("ERRORS-CRITICAL", "A-1"), naming("ERRORS-TOP", "A-1")), capsys)
    assert len(lines) == 2
    assert "Error: pool closed, 40 events" in lines[1]
    assert lines[1].endswith(": ERRORS-CRITICAL, ERRORS-TOP")


def test_a_single_check_is_shown_with_its_whole_reason_in_a_pipe(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reason = "Memory leak: " + "+11.4 MB/h, " * 40
    lines = shown(record(judged("MEMORY-STABLE", "FAIL", "leak", reason=reason)), capsys)
    assert f"FAIL          MEMORY-STABLE: {reason}".strip() in lines[1]


def test_a_checkpoint_that_passed_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(shown(record(judged("HEALTH-SCHEMA")), capsys)) == 1
