"""SIGKILL between the last verdict and the last file: ``finalise`` completes what is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hour24.ledger import files
from hour24.ledger.book import Ledger
from hour24.ledger.verify import verify
from tests.outside import Outside, Ran
from tests.test_outside_alerts import Receiver, entries

pytestmark = pytest.mark.suite("kills", short=5)

POINTS = {
    "before the record": ("KILL_AT", "hour24.checkpoint.completing:decision"),
    "between record and journal": ("KILL_AFTER", "hour24.ledger.book:Ledger.write"),
    "before the page": ("KILL_AT", "hour24.report.checkpoint:write"),
    "between record and alert": ("KILL_AT", "hour24.checkpoint.notify:alert"),
    "between alert and index": ("KILL_AFTER", "hour24.checkpoint.notify:alert"),
    "before the digests": ("KILL_AT", "hour24.ledger.files:enter"),
    "after the digests": ("KILL_AFTER", "hour24.ledger.files:enter"),
}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.close()


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Outside]:
    """A production that fails a check at hour 0, so that people are alerted."""
    folder = tmp_path_factory.mktemp("production")
    made = Outside(folder, "health_degraded@0", **receiver.variables)
    made.at(0)
    yield made
    made.close()


def killed(production: Outside, reports: Path, point: str) -> Ran:
    variable, call = POINTS[point]
    done = production.pytest(
        "-m", "hour0", "--watch=w", f"--reports={reports}", "-p", "tests.killing",
        **{variable: call},
    )  # fmt: skip
    assert done.returncode == -9, done.stdout
    return done


@pytest.mark.parametrize("point", POINTS)
def test_what_a_kill_left_open_is_completed(
    production: Outside, receiver: Receiver, tmp_path: Path, point: str
) -> None:
    """Record with decision, pages, digests, and the alert, sent once whenever it was killed."""
    receiver.taken()
    killed(production, tmp_path, point)
    folder = tmp_path / "w"
    done = production.hour24("finalise", folder)
    assert done.returncode == 0, done.stdout
    again = production.hour24("finalise", folder)
    assert "nothing to rebuild" in again.stdout

    [record] = Ledger(folder).records()
    action = str((record.decision or {})["action"])
    messages, _ = receiver.taken()
    assert [each["title"].split(":")[0] for each in messages] == [action]
    assert [(each["hour"], each["attempt"]) for each in entries(folder, "alert")] == [(0, 1)]
    named = files.entered(Ledger(folder).entries())
    assert {"hour00.a1.html", "hour00.a1.xml", "index.html"} <= named.keys()
    assert [one.says for one in verify(folder) if not one.ok] == []
    assert list(folder.glob(".room.*")) == []
    page = (folder / "hour00.a1.html").read_text("utf-8")
    assert "The rehearsal's engineer" in page or "The rehearsal&#39;s engineer" in page


def test_a_run_that_goes_on_is_left_alone(production: Outside, tmp_path: Path) -> None:
    """Its checkpoint is locked: neither its record nor its pages are written by another."""
    killed(production, tmp_path, "between record and alert")
    ledger = Ledger(tmp_path / "w")
    with ledger.locked(0):
        done = production.hour24("finalise", ledger.folder)
    assert done.returncode == 0, done.stdout
    assert "left alone" in done.stdout
    assert entries(ledger.folder, "alert") == []


def test_an_alert_is_not_sent_late(production: Outside, receiver: Receiver, tmp_path: Path) -> None:
    """A newer record has its own: that of an older one is only entered with its pages."""
    killed(production, tmp_path, "between record and alert")
    done = production.pytest("-m", "hour0", "--watch=w", f"--reports={tmp_path}")
    assert done.returncode in (1, 10), done.stdout
    receiver.taken()
    done = production.hour24("finalise", tmp_path / "w")
    assert "hour00.a1.html: written" in done.stdout
    assert receiver.taken()[0] == []
    assert [one.says for one in verify(tmp_path / "w") if not one.ok] == []
