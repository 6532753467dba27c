"""A run that ends between two endpoints of one criterion: none of them is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hour24.ledger.verify import verify
from hour24.verdict import Outcome
from tests.checkpoints import Project

BETWEEN = """
import os, signal
from hour24.checkpoint.run import Run

kept = Run._keep

def keep(self, judged, stored=None):
    clean = kept(self, judged, stored)
    if judged.id == "LATENCY-TARGET":
        os.kill(os.getpid(), signal.{name})
    return clean

Run._keep = keep
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_the_other_endpoints_say_why(tmp_path: Path, name: str) -> None:
    """As a criterion that was not judged does; it verifies, rebuilt from a journal or not."""
    project = Project(tmp_path, "latency", own=BETWEEN.format(name=name))
    result = project.rehearsed().stdout
    if name == "SIGKILL":
        result += project.ran(sys.executable, "-m", "hour24", "finalise").stdout
    record = project.record()
    own = {one.subject: one for one in record.criteria if one.id == "LATENCY-TARGET"}
    assert set(own) == set(record.subjects["LATENCY-TARGET"]), result
    judged, *others = sorted(own.values(), key=lambda one: one.code)
    assert judged.outcome == Outcome.PASS
    assert {(one.outcome, one.code) for one in others} == {(Outcome.INCONCLUSIVE, "interrupted")}
    assert all(finding.ok for finding in verify(project.reports / "w"))
