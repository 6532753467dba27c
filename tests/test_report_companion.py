"""What the interactive pytest-html report is given, and what it shows of it in a browser."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser

from hour24.report import companion
from hour24.verdict import Outcome
from tests.pages.sample import HOSTILE, Sample, failing

HEAD = [
    '<th class="sortable" data-column-type="result">Result</th>',
    '<th class="sortable" data-column-type="testId">Test</th>',
    '<th class="sortable" data-column-type="duration">Duration</th>',
    "<th>Links</th>",
]
ROW = [
    '<td class="col-result">Failed</td>',
    '<td class="col-testId">tests_prod/x.py::t[hour16]</td>',
    '<td class="col-duration">1 ms</td>',
    '<td class="col-links"></td>',
]


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


@pytest.mark.parametrize("picked", [0, 1, 4])
def test_a_row_has_as_many_cells_as_the_head(picked: int) -> None:
    """With one verdict, with several, with none: another number would end the session."""
    head, row = list(HEAD), list(ROW)
    companion.header(head)
    companion.row(failing().criteria[:picked], row)
    assert len(head) == len(row) == len(HEAD) + 5


@pytest.mark.parametrize(
    ("outcome", "key"),
    [
        (Outcome.PASS, "Passed"),
        (Outcome.FAIL, "Failed"),
        (Outcome.INCONCLUSIVE, "Error"),
        (Outcome.NOT_APPLICABLE, "Skipped"),
    ],
)
def test_each_outcome_falls_into_a_bucket_that_the_script_knows(outcome: Outcome, key: str) -> None:
    """A result the script does not know is a row it does not show."""
    row = list(ROW)
    judged = msgspec.structs.replace(Sample(8).criteria()[0], outcome=outcome)
    companion.row([judged], row)
    assert row[0] == f'<td hidden class="col-result">{key}</td>'
    assert outcome.value.replace("_", " ") in row[1]


def test_the_worst_of_several_verdicts_names_the_row() -> None:
    """One endpoint of four that fails makes the row a failed one, and says which."""
    row = list(ROW)
    many = [j for j in failing().criteria if j.id == "LATENCY-TARGET"]
    companion.row(many, row)
    assert "Failed" in row[0]
    assert "<td>LATENCY-TARGET</td>" in row[3]
    assert "<b>assistants</b> 1 595\u00a0ms" in row[4]


def test_counts_move_into_a_bucket_of_their_own() -> None:
    """INCONCLUSIVE is not counted among the failed."""
    outcomes = {
        "failed": {"label": "Failed", "value": 3},
        "error": {"label": "Errors", "value": 0},
    }
    companion.move_counts(outcomes, [[judged] for judged in failing().criteria] + [[]])
    assert outcomes["failed"]["value"] == 1
    assert outcomes["error"] == {"label": "Inconclusive", "value": 2}


def test_without_a_script_every_criterion_is_readable() -> None:
    """The summary holds a table for readers without JavaScript."""
    found = companion.summary(failing())
    inside = re.search(r"<noscript>(.*)</noscript>", found, re.DOTALL)
    assert inside is not None
    for judged in failing().criteria:
        assert judged.id in inside.group(1)
    assert inside.group(1).count("<tr>") == len(failing().criteria) + 1


def test_hostile_text_is_escaped_everywhere() -> None:
    """pytest-html escapes none of what it is given here."""
    sample = Sample(8)
    kept = tuple(
        msgspec.structs.replace(j, reason=HOSTILE, observed=HOSTILE, limit=HOSTILE, subject=HOSTILE)
        for j in sample.criteria()
    )
    record = sample.record(kept, rehearsal={"seed": HOSTILE, "faults": [HOSTILE]})
    row = list(ROW)
    companion.row(kept[:3], row)
    tags = Tags(companion.summary(record) + "".join(row))
    assert tags.tags.isdisjoint({"script", "img"})
    assert not any(name.startswith("on") for name in tags.attributes)
    assert "\x1b" not in companion.title(record)


def test_before_the_record_there_is_a_title() -> None:
    """The title is asked for when the session starts."""
    assert companion.title(None) == "hour24"
    assert companion.title(failing()) == "FAIL, hour 16, launch-2025-12-22"


CONFTEST = """
import sys
sys.path.insert(0, {root!r})
import pytest
from hour24.report import companion
from tests.pages.sample import failing

RECORD = failing()
TESTS = []

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        report.judged = [j for j in RECORD.criteria if j.id == item.callspec.params["id"]]
        worst = companion.outcome_of(report.judged).value
        report.outcome = {{"PASS": "passed", "NOT_APPLICABLE": "skipped"}}.get(worst, "failed")
        found = {{"passed": None, "skipped": ("x", 0, "found")}}
        report.longrepr = found.get(report.outcome, "found")
        TESTS.append(report.judged)
    return report

def pytest_html_report_title(report):
    global REPORT
    REPORT = report
    report.title = companion.title(None)

def pytest_html_results_table_header(cells):
    companion.header(cells)

def pytest_html_results_table_row(report, cells):
    companion.row(getattr(report, "judged", []), cells)

def pytest_html_results_summary(prefix):
    prefix.append(companion.summary(RECORD))
    companion.move_counts(REPORT.outcomes, TESTS)
"""
TESTS = """
import pytest
IDS = ["HEALTH-SCHEMA", "LOGS-WATCHED", "LATENCY-MOST", "LATENCY-TARGET", "DB-SIZE"]

@pytest.mark.parametrize("id", IDS)
def test_criterion(id):
    pass
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of the real pytest-html, made of our strings."""
    folder = tmp_path_factory.mktemp("companion")
    root = str(Path(__file__).parent.parent)
    (folder / "conftest.py").write_text(CONFTEST.format(root=root), encoding="utf-8")
    (folder / "test_it.py").write_text(TESTS, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "--html=report.html", "--self-contained-html"]
    ended = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert "INTERNALERROR" not in ended.stdout, ended.stdout
    return folder / "report.html"


def test_in_a_browser_inconclusive_is_a_row_and_a_bucket_of_its_own(
    chromium: Browser, report: Path
) -> None:
    """Every row shows with its verdict, and INCONCLUSIVE can be filtered alone."""
    page = chromium.new_page()
    page.goto(report.as_uri())
    shown = page.locator("td.col-verdict:visible")
    assert sorted(filter(None, shown.all_inner_texts())) == [
        *("FAIL", "INCONCLUSIVE", "INCONCLUSIVE", "NOT APPLICABLE", "PASS"),
    ]
    assert "2 Inconclusive" in page.inner_text(".filters")
    assert page.locator("td.col-result:visible").count() == 0
    page.click("input[data-test-result=failed]")
    page.click("input[data-test-result=passed]")
    page.click("input[data-test-result=skipped]")
    assert sorted(filter(None, shown.all_inner_texts())) == ["INCONCLUSIVE"] * 2
    page.close()


def test_in_a_browser_without_script_every_criterion_is_readable(
    chromium: Browser, report: Path
) -> None:
    """The table of the summary is what is left, and it is whole."""
    page = chromium.new_context(java_script_enabled=False).new_page()
    page.goto(report.as_uri())
    shown = page.inner_text("body")
    for judged in failing().criteria:
        assert judged.id in shown
    page.context.close()
