"""``pytest -m daily``: the week after a watch, on a rehearsal."""

from __future__ import annotations

from pathlib import Path

from hour24.ledger.book import Ledger
from hour24.verdict import Outcome
from tests.played import hour24, pytest_, rehearsed


def test_the_week_after_has_records_and_pages_of_its_own(tmp_path: Path) -> None:
    """One a day, compared with hour 0 of the watch; the watch's ledger stays unchanged."""
    assert rehearsed(tmp_path, (0, 4, 8)).returncode == 0
    before = Ledger(tmp_path / "w").head()
    for day in (48, 72):
        done = pytest_("-m", "daily", "--target", "rehearsal", "--reports", tmp_path)
        assert done.returncode == 0, done.stdout
        assert (tmp_path / "w-daily" / f"hour{day}.a1.html").exists()
    record = Ledger(tmp_path / "w-daily").latest(48)
    assert record is not None
    assert {judged.outcome for judged in record.criteria} == {Outcome.PASS}
    assert "MEMORY-LEVEL" in {judged.id for judged in record.criteria}
    assert Ledger(tmp_path / "w").head() == before
    assert hour24("verify", tmp_path / "w-daily").returncode == 0


def test_a_daily_look_needs_a_watch_to_follow(tmp_path: Path) -> None:
    """Exit 4, and nothing is written."""
    refused = pytest_("-m", "daily", "--target", "rehearsal", "--reports", tmp_path)
    assert refused.returncode == 4
    assert "daily checks follow a watch" in refused.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_and_a_daily_look_are_not_run_at_once(tmp_path: Path) -> None:
    """One or the other."""
    refused = pytest_("-m", "hour4 or daily", "--reports", tmp_path)
    assert refused.returncode == 4
    assert "expected one checkpoint, got daily or hour4" in refused.stdout
