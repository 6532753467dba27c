"""The switch "Only problems" of a page: what it hides, that it needs no script, and print."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from hour24.report import checkpoint, index
from tests.pages.sample import WATCH, Sample, failing
from tests.pages.watch import recorded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of a watch of which hour 16 failed, and of hour 12, which passed."""
    ledger = recorded(
        tmp_path_factory.mktemp("pages"),
        [*(Sample(hour).record() for hour in (0, 4, 8, 12)), failing(16)],
    )
    for record in ledger.records():
        path = ledger.folder / f"hour{record.hour:02d}.a1.html"
        checkpoint.write(record, ledger, path)
    index.write(ledger, ledger.folder / "index.html", WATCH.checkpoint(16).due)
    return ledger.folder


def opened(chromium: Browser, path: Path) -> Page:
    """The page in a browser that runs no script of it."""
    context = chromium.new_context(
        java_script_enabled=False, viewport={"width": 1400, "height": 900}
    )
    page = context.new_page()
    page.goto(path.as_uri())
    return page


def rows(page: Page, table: str) -> list[str]:
    """The ids of the rows that are shown."""
    every = page.locator(f"{table} tbody tr:not(.grp) .id").all()
    return [each.inner_text() for each in every if each.is_visible()]


def test_only_problems_hides_the_criteria_of_the_grid_that_passed(
    chromium: Browser, folder: Path
) -> None:
    page = opened(chromium, folder / "index.html")
    every = rows(page, ".grid")
    groups = page.locator(".grid .grp:visible").count()
    page.check("#only-problems")
    kept = rows(page, ".grid")
    assert {"LATENCY-TARGET", "LOGS-WATCHED"} <= set(kept)
    assert "HEALTH-SCHEMA" not in kept
    assert len(kept) < len(every)
    assert page.locator(".grid .grp:visible").count() < groups
    page.emulate_media(media="print")
    assert rows(page, ".grid") == every
    page.emulate_media(media="screen")
    page.uncheck("#only-problems")
    assert rows(page, ".grid") == every
    page.context.close()


def test_only_problems_hides_what_passed_on_the_page_of_a_checkpoint(
    chromium: Browser, folder: Path
) -> None:
    page = opened(chromium, folder / "hour16.a1.html")
    page.click("#criteria")
    every = rows(page, ".crit")
    page.check("#only-problems")
    kept = rows(page, ".crit")
    assert {"LATENCY-TARGET", "assistants", "LOGS-WATCHED"} <= set(kept)
    assert not {"HEALTH-SCHEMA", "calls"} & set(kept)
    assert not page.locator("#passed").is_visible()
    assert page.locator("#failed").is_visible()
    assert page.locator("#not-measured").is_visible()
    page.emulate_media(media="print")
    assert rows(page, ".crit") == every
    assert page.locator("#passed").is_visible()
    assert not page.locator("#only-problems").is_visible()
    page.context.close()


def test_a_page_on_which_everything_passed_has_no_switch(chromium: Browser, folder: Path) -> None:
    page = opened(chromium, folder / "hour12.a1.html")
    assert page.locator("#only-problems").count() == 0
    assert page.locator("#passed").is_visible()
    page.context.close()


@pytest.mark.parametrize("width", [390, 768, 1400])
def test_the_rows_of_the_grid_end_where_its_rules_end(
    chromium: Browser, folder: Path, width: int
) -> None:
    page = chromium.new_context(viewport={"width": width, "height": 900}).new_page()
    page.goto((folder / "index.html").as_uri())
    ends = page.evaluate(
        """() => [...document.querySelectorAll('.grid tr')].map(row => Math.max(...[...row.cells]
          .map(cell => cell.getBoundingClientRect().right)))"""
    )
    assert max(ends) - min(ends) < 1.0, ends
    page.context.close()
