"""The page of all watches."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from hour24.ledger.book import Ledger
from hour24.report import watches
from tests.played import hour24
from tests.small_watch import AFTER, T0, record, watch_of


def now_of(ledger: Ledger) -> object:
    return AFTER


def test_each_watch_has_a_row_with_its_word_and_its_page(tmp_path: Path) -> None:
    """The newest first; a service's own text is text."""
    old = watch_of(tmp_path, record(0, watch="old"), name="old", opened=T0 - timedelta(days=9))
    new = watch_of(
        tmp_path,
        name="new",
        service={"name": "<b>shop</b>", "environment": "production", "release": "1"},
    )
    (old.folder / "index.html").write_text("x")
    html = watches.text([old, new], tmp_path, now_of, AFTER)
    assert html.index(">new<") < html.index(">old<")
    assert '<a href="old/index.html">old</a>' in html
    assert "&lt;b&gt;shop&lt;/b&gt;" in html
    assert "1 of 7" in html
    assert "NOT YET" in html


def test_a_watch_that_cannot_be_read_is_in_the_list(tmp_path: Path) -> None:
    """A list without it would look complete."""
    watch_of(tmp_path, record(0, watch="fine"), name="fine")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "watch.json").write_text("{")
    path = tmp_path / "index.html"
    assert watches.write(tmp_path, path, now_of, AFTER) == 2
    assert "cannot be read: " in path.read_text("utf-8")


def test_the_command_writes_it(tmp_path: Path) -> None:
    watch_of(tmp_path, record(0))
    done = hour24("report", "--all", "--reports", tmp_path)
    assert (done.returncode, "1 watch" in done.stdout) == (0, True), done.stdout
    assert "launch" in (tmp_path / "index.html").read_text("utf-8")
