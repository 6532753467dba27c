"""Other pytest plugins and options together with a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.checkpoints import ONE, Project, codes

BOTH = {"OWN-ONE": "PASS", "OWN-TWO": "PASS"}
FAILS = ONE.replace("SELECT 1", "SELECT 101")

WARNS = """
import warnings
def pytest_configure(config):
    warnings.warn(DeprecationWarning("the loop scope is unset"))
def pytest_collection_modifyitems():
    warnings.warn(DeprecationWarning("the loop scope is still unset"))
"""
RERUNS = """
import pytest
from _pytest.runner import runtestprotocol
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    for _ in range(3):
        for report in runtestprotocol(item, nextitem=nextitem, log=False):
            item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
RETRIES = """
import pytest
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        item.ihook.pytest_runtest_call(item=item)
        item.ihook.pytest_runtest_call(item=item)
    return report
"""
LOOPS = """
import pytest
@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    for _ in range(3):
        for item in session.items:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    return True
"""
REPEATS = """
import pytest
@pytest.fixture
def __step(request):
    return request.param
@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc):
    metafunc.fixturenames.append("__step")
    metafunc.parametrize("__step", range(3), indirect=True)
"""
FLAKES = """
def pytest_generate_tests(metafunc):
    metafunc.fixturenames.append("__flake")
    metafunc.parametrize("__flake", range(3))
"""
SORTS = """
def pytest_collection_modifyitems(items):
    raise ValueError("no order is given")
"""
ENDS = """
import pytest
@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    raise ValueError("this plugin cannot be configured")
"""


def with_plugin(project: Project, plugin: str, *arguments: str, **variables: str) -> Any:
    """The checkpoint with another plugin."""
    (project.folder / "somebody_elses.py").write_text(plugin, encoding="utf-8")
    path = f"{project.environ['PYTHONPATH']}:{project.folder}"
    return project.rehearsed("-p", "somebody_elses", *arguments, PYTHONPATH=path, **variables)


@pytest.mark.parametrize("how", ["-W", "ini"])
def test_a_warning_of_another_plugin_ends_no_checkpoint(tmp_path: Path, how: str) -> None:
    """Also where pytest's settings or command line make warnings errors."""
    project = Project(tmp_path, own=ONE)
    if how == "ini":
        with (tmp_path / "pytest.ini").open("a", encoding="utf-8") as settings:
            settings.write("filterwarnings = error\n")
    run = with_plugin(project, WARNS, *(["-W", "error"] if how == "-W" else []))
    assert {name: codes(project.record())[name] for name in BOTH} == BOTH, run.stdout


CONFIGURES = """
import pytest
@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    config.addinivalue_line("filterwarnings", "error")
"""
COLLECTS = """
import pytest
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("error"))
"""
IN_A_CRITERION = ONE.replace(
    "    conclude(", "    warnings.warn('a library is old')\n    conclude("
)


@pytest.mark.parametrize("how", ["configured", "collected", "module", "variable"])
def test_a_library_s_warning_is_no_error_whoever_makes_warnings_errors(
    tmp_path: Path, how: str
) -> None:
    """Filters hold for every thread: an import would fail in the threads that ask."""
    marked = "import pytest\npytestmark = pytest.mark.filterwarnings('error')\n"
    own = "import warnings\n" + (marked if how == "module" else "") + IN_A_CRITERION
    project = Project(tmp_path, own=own)
    plugin = {"configured": CONFIGURES, "collected": COLLECTS}.get(how, "")
    variables = {"PYTHONWARNINGS": "error"} if how == "variable" else {}
    run = with_plugin(project, plugin, **variables)
    assert {name: codes(project.record())[name] for name in BOTH} == BOTH, run.stdout


@pytest.mark.parametrize("plugin", [RERUNS, RETRIES, LOOPS, REPEATS, FLAKES])
def test_a_criterion_has_one_verdict_whatever_runs_it(tmp_path: Path, plugin: str) -> None:
    """In the record and on the terminal, when it fails too."""
    project = Project(tmp_path, own=FAILS)
    run = with_plugin(project, plugin)
    assert run.returncode == 1, run.stdout
    found = [each.id for each in project.record().criteria]
    assert len(found) == len(set(found))
    assert codes(project.record())["OWN-ONE"].startswith("FAIL")
    assert run.stdout.count("FAIL          OWN-ONE") <= 1
    assert "1 FAIL, 1 PASS" in run.stdout


def test_parameters_of_one_s_own_are_no_repeats(tmp_path: Path) -> None:
    """By a mark or by a fixture: each is judged."""
    project = Project(
        tmp_path,
        own="""
import pytest
from hour24.objectives.own import ValueBelow

@pytest.fixture(params=["red", "blue"])
def colour(request):
    return request.param

@criterion("OWN-QUEUES", hours=(0,))
@pytest.mark.parametrize("queue", ["a", "b"])
def test_queues(queue, colour, ask, conclude):
    \"\"\"Each queue is short\"\"\"
    conclude(ValueBelow(limit=9), value=ask.sql("SELECT 1"), subject=f"{queue} {colour}")
""",
    )
    run = with_plugin(project, FLAKES)
    subjects = sorted(e.subject for e in project.record().criteria if e.id == "OWN-QUEUES")
    assert subjects == ["a blue", "a red", "b blue", "b red"], run.stdout


def test_a_plugin_that_fails_while_it_sorts_costs_no_checkpoint(tmp_path: Path) -> None:
    """The criteria run in their own order; the record says who failed."""
    project = Project(tmp_path, own=ONE)
    run = with_plugin(project, SORTS)
    assert run.returncode == 10, run.stdout
    record = project.record()
    assert {name: codes(record)[name] for name in BOTH} == BOTH, run.stdout
    assert "another plugin failed: ValueError: no order is given" in record.notes


def test_a_plugin_that_ends_pytest_before_anything_is_asked_spends_no_attempt(
    tmp_path: Path,
) -> None:
    """The next run is the first attempt."""
    project = Project(tmp_path, own=ONE)
    assert with_plugin(project, ENDS).returncode == 3
    assert not list(project.reports.rglob("hour*.json*"))
    project.rehearsed()
    assert project.record().attempt == 1


def test_what_a_checkpoint_needs_is_loaded_where_pytest_loads_nothing(tmp_path: Path) -> None:
    """By the variable and by the option; the companion page is written too."""
    for way, (arguments, variables) in enumerate(
        (([], {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}), (["--disable-plugin-autoload"], {}))
    ):
        project = Project(tmp_path / str(way), own=ONE)
        run = project.rehearsed(*arguments, **variables)
        assert {name: codes(project.record())[name] for name in BOTH} == BOTH, run.stdout
        assert (project.reports / "w" / "hour00.a1.pytest.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--rootdir={elsewhere}"], "--rootdir: expected the folder of pytest.ini ({here})"),
        (["-c", "/dev/null"], "-c: expected the settings that name the criteria"),
        (["--timeout-method=thread"], "--timeout-method: expected signal, got thread"),
        (["-o", "timeout_method=thread"], "--timeout-method: expected signal, got thread"),
        (["-p", "no:timeout"], "-p: expected the plugin pytest-timeout"),
        (["-n", "2"], "-n: expected one process, which asks in parallel by itself, got -n 2"),
        (["--tx=2*popen", "--dist=load"], "--tx: expected one process"),
        (["--setup-only"], "--setup-only: expected the criteria to run, got --setup-only"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_line(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    """Before a watch is opened: exit 4, no traceback, no file."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    project = Project(tmp_path / "here", own=ONE)
    places = {"elsewhere": elsewhere, "here": project.folder}
    run = project.rehearsed(*(each.format(**places) for each in arguments))
    assert run.returncode == 4, run.stdout
    lines = [line for line in run.stdout.splitlines() if line.strip()]
    assert len([line for line in lines if line.startswith("ERROR: ")]) == 1
    assert says.format(**places) in lines[-1]
    assert "Traceback" not in run.stdout
    assert not project.reports.exists()


def test_a_test_that_would_end_the_process_is_refused(tmp_path: Path) -> None:
    """A mark of one's own criterion may not choose the method thread either."""
    marked = ONE.replace("def test_one", '@pytest.mark.timeout(5, method="thread")\ndef test_one')
    project = Project(tmp_path, own=f"import pytest\n{marked}")
    run = project.rehearsed()
    assert run.returncode == 4, run.stdout
    assert "timeout: expected the method signal, got thread" in run.stdout
    assert not list(project.reports.rglob("hour*.json*"))
