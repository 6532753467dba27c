"""Text of the system under watch acts nowhere: terminal, CI, JUnit, page, interactive report."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from playwright.sync_api import Browser

from hour24.ledger.verify import verify
from tests.answering import Server
from tests.checkpoints import Project, Proxy, codes, rehearsal, served_with

HOSTILE = (
    "Boom \x1b]0;owned\x07\x1b[2J\x1b[31m<script>document.title='owned'</script>"
    "<img src=x onerror=\"document.title='owned'\">{{7*7}}`id`|\u202e&lt;b&gt;]]> ##[error]owned"
    "\r\n::error::owned\n::add-mask::owned \x00\x9b2J \ud800 end"
)
NORMAL = "Vapi API timeout after 20000 ms"
OWN = '''
@criterion("OWN-HOSTILE", hours=(0,))
def test_hostile(conclude):
    """It breaks over text that it did not expect"""
    raise RuntimeError(HOSTILE)
'''


def address(section: str) -> str:
    """Where production.toml finds a witness."""
    lines = Path(rehearsal().toml).read_text("utf-8").splitlines()
    at = lines.index(f"[{section}]")
    line = next(line for line in lines[at:] if line.startswith("url"))
    return line.split('"')[1].removesuffix("/v1")


def hostile(text: str) -> str:
    """A body of JSON in which every known title is hostile."""
    return text.replace(NORMAL, json.dumps(HOSTILE)[1:-1])


@pytest.fixture(scope="module")
def checkpoint(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Project, CompletedProcess[str]]]:
    """Hour 0, its error titles and log lines hostile, and a test that breaks over them."""
    folder = tmp_path_factory.mktemp("hostile")
    proxies = {each: Proxy(address(each), hostile) for each in ("sentry", "render")}
    servers = {each: Server(proxy) for each, proxy in proxies.items()}
    for each, server in servers.items():
        proxies[each].url = server.url
    at = served_with(folder, {address(each): servers[each].url for each in servers})
    own = f"HOSTILE = {HOSTILE!a}\n{OWN}"
    project = Project(folder / "clone", "errors", "logs", own=own)
    yield project, project.rehearsed("--color=no", "--junitxml=own.xml", served=at)
    for server in servers.values():
        server.close()


def test_it_is_reported_and_judged(checkpoint) -> None:
    """The lines that carry it are judged as any other: unclassified, a FAIL with its pattern."""
    project, run = checkpoint
    found = codes(project.record())
    assert found["LOGS-ERRORS"].startswith("FAIL"), run.stdout
    assert found["OWN-HOSTILE"] == "INCONCLUSIVE harness_error"
    assert run.returncode == 1, run.stdout
    assert "owned" in run.stdout


def test_the_terminal_is_not_commanded(checkpoint) -> None:
    """No control character, no line that a CI takes for a command."""
    _, run = checkpoint
    assert not {c for c in run.stdout if not c.isprintable()} - {"\n"}
    for line in run.stdout.splitlines():
        assert not line.lstrip().startswith("::"), line
        assert "##[" not in line, line


def test_junit_is_xml(checkpoint) -> None:
    """Ours and pytest's own."""
    project, _ = checkpoint
    for path in (project.reports / "w" / "hour00.a1.xml", project.folder / "own.xml"):
        tree = ElementTree.parse(path)
        assert tree.getroot().findall(".//testcase"), path


def test_the_ledger_verifies(checkpoint) -> None:
    """What was stored is judged again, and comes out the same."""
    project, _ = checkpoint
    assert [finding for finding in verify(project.reports / "w") if not finding.ok] == []


@pytest.mark.parametrize("name", ["hour00.a1.html", "hour00.a1.pytest.html", "index.html"])
def test_no_script_of_theirs_runs(checkpoint, chromium: Browser, name: str) -> None:
    """In a real browser, with everything unfolded: the title stays, nothing is asked or opened."""
    project, _ = checkpoint
    path = project.reports / "w" / name
    page = chromium.new_context().new_page()
    noticed: list[str] = []
    page.on("request", lambda r: noticed.append(r.url) if r.url[:5] != "data:" else None)
    page.on("dialog", lambda d: (noticed.append(d.message), d.dismiss()))
    page.on("pageerror", lambda e: noticed.append(str(e)))
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    page.evaluate("document.querySelectorAll('.collapsible').forEach(one => one.click())")
    assert "owned" not in page.title()
    assert page.query_selector("img[src=x]") is None
    assert [one for one in noticed if one != path.as_uri()] == []
    if name != "index.html":
        assert "document.title=" in page.inner_text("body")


def test_a_number_that_is_none(tmp_path: Path) -> None:
    """NaN in a witness's JSON is misread, and never a number."""
    proxy = Proxy(address("sentry"), lambda text: text.replace('"count": ', '"count": NaN, "x": '))
    with Server(proxy) as server:
        proxy.url = server.url
        project = Project(tmp_path / "clone", "errors")
        run = project.rehearsed(served=served_with(tmp_path, {address("sentry"): server.url}))
        assert any(asked.body == b"" for asked in server.asked)
    assert run.returncode == 10, run.stdout
    assert codes(project.record())["ERRORS-CRITICAL"] == "INCONCLUSIVE source_misread"
