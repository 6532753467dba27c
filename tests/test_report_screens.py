"""The page of a failed checkpoint in a browser: what the first screens hold, and its length."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from hour24.criteria import CRITERIA
from hour24.rehearsal.run import RunPlan, run_checkpoints
from hour24.verdict import Outcome

FAULTS = (
    "backend_down@2",
    "bad_deploy@2",
    "database_down@3.5",
    "error_spike@2",
    "health_degraded@3",
    "jobs_stalled@2",
    "new_critical_issue@1",
    "pool_exhausted@3",
    "restart@2",
    "slow_endpoint@1",
)
SCREEN = {"width": 390, "height": 844}
"""A telephone."""
MOST_SCREENS = 8
LARGEST = 1_500_000
ASKED = ["Why", "Call", "Do now", "By when", "Is it over?", "Changed", "Live deploy"]


@pytest.mark.suite("screens", short=2)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_page_of_a_fault_answers_on_two_screens_and_ends_after_eight(
    chromium: Browser, tmp_path: Path, fault: str
) -> None:
    plan = RunPlan(faults=(fault,), hours=(0, 4), reports=tmp_path, watch="w")
    for last in run_checkpoints(plan):
        assert last.record is not None, (last.exit_code, last.output)
    path = tmp_path / "w" / "hour04.a1.html"
    assert path.stat().st_size < LARGEST
    page = chromium.new_context(viewport=SCREEN).new_page()
    page.goto(path.as_uri())
    word = page.inner_text("h1")
    assert word.index("REHEARSAL") < word.index("NO-GO")
    assert page.locator(".first dt").all_inner_texts() == ASKED
    answers = dict(zip(ASKED, page.locator(".first dd").all_inner_texts(), strict=True))
    decision = last.record.decision or {}
    assert re.search(r"\d", answers["Why"]), answers["Why"]
    assert decision["call"][0]["name"] in answers["Call"]
    assert decision["steps"][0]["text"][:100] in answers["Do now"]
    assert re.search(r"\d\d:\d\d", answers["By when"]), answers["By when"]
    bottom = "e => e.getBoundingClientRect().bottom + scrollY"
    assert page.locator(".first").evaluate(bottom) <= 2 * SCREEN["height"]
    assert page.locator(".inc.is-fail").count() == 1
    failed = [CRITERIA[one.id] for one in last.record.criteria if one.outcome == Outcome.FAIL]
    drawn = page.locator(".inc.is-fail .plot").count() >= 1
    assert drawn == any(one.chart for one in failed)
    assert page.locator(".inc.is-fail > .lead2").inner_text()
    height = page.evaluate("document.documentElement.scrollHeight")
    assert height <= MOST_SCREENS * SCREEN["height"], height / SCREEN["height"]
    page.context.close()
