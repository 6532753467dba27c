"""Whatever ends a run: its verdicts are recorded, and what was not judged says why."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hour24.ledger.record import Record
from hour24.ledger.verify import verify
from tests.checkpoints import BEGUN, ONE, Project, codes, rehearsal, served_with, until
from tests.peers import silent
from tests.played import ran

pytestmark = pytest.mark.suite("kills", short=5)

GOES_ON = '''
import time
from hour24.objectives.own import ValueBelow

@criterion("OWN-FIRST", hours=(0,))
def test_first(ask, conclude):
    """The first is below the limit"""
    conclude(ValueBelow(limit={limit}), value=ask.sql("SELECT 1"))

@criterion("OWN-SECOND", hours=(0,))
def test_second(ask, conclude):
    """The second takes long"""
    {wait}

@criterion("OWN-THIRD", hours=(0,))
def test_third(ask, conclude):
    """The third is below the limit"""
    conclude(ValueBelow(limit=100), value=ask.sql("SELECT 1"))
'''
WAITS = GOES_ON.format(limit=100, wait="time.sleep(60)")
SLOW_REPORTER = """
import time

class Slow:
    def pytest_sessionfinish(self):
        print("the slow report begins", flush=True)
        time.sleep(1.5)

def pytest_configure(config):
    config.pluginmanager.register(Slow())
"""


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    """A test that fails leaves no checkpoint running."""
    yield
    while BEGUN:
        process = BEGUN.pop()
        if process.poll() is None:
            process.kill()
            process.communicate()


def ended(process: subprocess.Popen[str]) -> str:
    """What it said, when it ended by itself."""
    output, _ = process.communicate(timeout=30)
    return output


def holds(project: Project) -> bool:
    """Whether everything in the ledger can be derived again."""
    return all(finding.ok for finding in verify(project.reports / "w"))


def assert_recorded(project: Project) -> Record:
    record = project.record()
    found = codes(record)
    assert found["OWN-FIRST"] == "PASS"
    assert found["OWN-SECOND"] == found["OWN-THIRD"] == "INCONCLUSIVE interrupted"
    assert found["HEALTH-SCHEMA"] == "INCONCLUSIVE interrupted"
    assert record.interrupted
    assert holds(project)
    return record


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal(tmp_path: Path, name: str) -> None:
    """The record says by which, the pages are there, exit 2."""
    project = Project(tmp_path, own=WAITS)
    process = project.begun()
    until(project.reports, '"OWN-FIRST"', process, kind="judged")
    process.send_signal(getattr(signal, name))
    output = ended(process)
    assert process.returncode == 2, output
    assert assert_recorded(project).interrupted == f"signal {name}"
    names = {path.name for path in project.files()}
    assert {"hour00.a1.html", "hour00.a1.xml", "hour00.a1.pytest.html"} <= names


def test_two_signals(tmp_path: Path) -> None:
    """A second one, while the reports are being written, spoils nothing."""
    project = Project(tmp_path, own=WAITS)
    with (project.folder / "conftest.py").open("a", encoding="utf-8") as file:
        file.write(SLOW_REPORTER)
    process = project.begun("-s")
    until(project.reports, '"OWN-FIRST"', process, kind="judged")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    for line in process.stdout:
        if "the slow report begins" in line:
            break
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    output = ended(process)
    assert process.returncode == 2, output
    assert_recorded(project)
    assert (project.reports / "w" / "hour00.a1.pytest.html").stat().st_size > 10_000


def test_a_signal_that_was_to_be_ignored(tmp_path: Path) -> None:
    """Under nohup the end of a terminal does not end a checkpoint."""
    project = Project(tmp_path, own=GOES_ON.format(limit=100, wait="time.sleep(1)"))
    process = project.begun(ignoring=[signal.SIGHUP])
    until(project.reports, '"OWN-FIRST"', process, kind="judged")
    process.send_signal(signal.SIGHUP)
    output = ended(process)
    assert process.returncode == 10, output
    assert codes(project.record())["OWN-THIRD"] == "PASS"


def test_a_signal_that_the_main_thread_did_not_see(tmp_path: Path) -> None:
    """A signal taken by another thread, or just before a wait, ends that wait."""
    wait = (
        "import os, signal, threading; threading.Timer(0.5, lambda: "
        "signal.pthread_kill(threading.get_ident(), signal.SIGTERM)).start(); time.sleep(60)"
    )
    project = Project(tmp_path, own=GOES_ON.format(limit=100, wait=wait))
    begun = time.monotonic()
    run = project.rehearsed()
    assert run.returncode == 2, run.stdout
    assert time.monotonic() - begun < 30
    assert_recorded(project)


def test_killed(tmp_path: Path) -> None:
    """After SIGKILL the journal is left; finalise rebuilds the record, once, and it verifies."""
    project = Project(tmp_path, own=WAITS)
    process = project.begun()
    until(project.reports, '"OWN-FIRST"', process, kind="judged")
    process.kill()
    ended(process)
    assert project.ledger().records() == ()
    finalise = [sys.executable, "-m", "hour24", "finalise"]
    run = project.ran(*finalise)
    assert run.returncode == 0, run.stdout
    assert "hour00.a1.json: rebuilt from its journal: INCONCLUSIVE" in run.stdout
    assert "killed" in assert_recorded(project).interrupted
    assert (project.reports / "w" / "hour00.a1.html").is_file()
    assert "rebuilt" not in project.ran(*finalise).stdout
    assert project.rehearsed("-k", "first").returncode == 10
    assert [each.attempt for each in project.ledger().records()] == [1, 2]


def test_the_hard_limit(tmp_path: Path) -> None:
    """A main thread that hangs past all hope: exit 11, record and page."""
    hangs = "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()); time.sleep(60)"
    own = "import signal\n" + GOES_ON.format(limit=1, wait=hangs)
    project = Project(tmp_path, own=own)
    begun = time.monotonic()
    run = project.rehearsed("--hard-limit=2")
    assert run.returncode == 11, run.stdout
    assert time.monotonic() - begun < 20
    assert "hour24: hard limit of 2 s reached; " in run.stdout
    record = project.record()
    assert codes(record)["OWN-FIRST"] == "FAIL beyond_limit"
    assert codes(record)["OWN-THIRD"] == "INCONCLUSIVE interrupted"
    assert record.interrupted == "hard limit of 2 s reached"
    assert (project.reports / "w" / "hour00.a1.html").is_file()
    assert holds(project)


UNWATCHED = """
import sys, threading
from pathlib import Path
from types import SimpleNamespace as Some
from hour24 import config
from hour24.plugin.running import CheckpointPlugin

production = config.load(Path("docs/examples/jupyter/production.toml"), secrets=False)
threading.Thread.start = lambda self: None
CheckpointPlugin(Some(option=Some(hard_limit=None)), Some(production=production))
print("hour24.sources.latency" in sys.modules)
"""


def test_the_watchdog_imports_nothing() -> None:
    """A library that warns while pytest sets its filters would end its thread, and the limit."""
    assert ran(sys.executable, "-c", UNWATCHED).stdout == "True\n"


def test_a_source_that_hangs_does_not_hold_up_an_interruption(tmp_path: Path) -> None:
    """Status pages never answer: on SIGTERM the record is written at once all the same."""
    project = Project(tmp_path, own=WAITS)
    with silent() as pit:
        status = next(
            line.split('"')[1].rsplit("/", 1)[0]
            for line in Path(rehearsal().toml).read_text("utf-8").splitlines()
            if line.endswith('/supabase"')
        )
        at = served_with(
            tmp_path,
            {status: f"http://127.0.0.1:{pit.port}", "timeout_s = 2.0": "timeout_s = 50.0"},
        )
        process = project.begun(served=at)
        until(project.reports, '"OWN-FIRST"', process, kind="judged")
        process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 7  # a page alone would be waited for 8 s
        while time.monotonic() < end and not project.ledger().records():
            time.sleep(0.05)
        assert project.ledger().records()
        output = ended(process)
    assert process.returncode == 2, output
    assert_recorded(project)


def test_a_driver_that_hangs(tmp_path: Path) -> None:
    """A database that accepts and says nothing: INCONCLUSIVE in the time allowed, exit 10."""
    project = Project(tmp_path, "database", own=ONE)
    with silent() as pit:
        dsn = f"postgresql://u:p4ssw0rd-of-tar@127.0.0.1:{pit.port}/postgres?sslmode=disable"
        at = served_with(
            tmp_path,
            {"connect_timeout_s = 2.0": "connect_timeout_s = 0.5"},
            HOUR24_REHEARSAL_DATABASE_DSN=dsn,
        )
        begun = time.monotonic()
        run = project.rehearsed(served=at)
        took = time.monotonic() - begun
    assert run.returncode == 10, run.stdout
    assert took < 25
    found = codes(project.record())
    assert found["OWN-ONE"] == found["DB-POOL"] == "INCONCLUSIVE source_unreachable"


def test_two_engineers(tmp_path: Path) -> None:
    """The second one shows who is recording since when, exit 13; the first one ends as usual."""
    project = Project(tmp_path, own=GOES_ON.format(limit=100, wait="time.sleep(3)"))
    first = project.begun()
    until(project.reports, '"OWN-FIRST"', first, kind="judged")
    second = project.rehearsed()
    assert second.returncode == 13, second.stdout
    assert f"got process {first.pid} on {socket.gethostname()}, since 20" in second.stdout
    assert "Traceback" not in second.stdout
    output = ended(first)
    assert first.returncode == 10, output
    assert [each.attempt for each in project.ledger().records()] == [1]


THROWS = {
    "a row of pytest-html": "def pytest_html_results_table_row(report, cells): raise OSError('x1')",
    "a reporter": "def pytest_runtest_logreport(report): raise OSError('x2')",
    "the end of a report": "def pytest_sessionfinish(session): raise OSError('x3')",
}


@pytest.mark.parametrize("hook", THROWS)
def test_a_reporter_that_throws(tmp_path: Path, hook: str) -> None:
    """It costs neither a check, nor the record, nor the exit code; it is noted."""
    project = Project(tmp_path, own=GOES_ON.format(limit=1, wait="pass"))
    with (project.folder / "conftest.py").open("a", encoding="utf-8") as file:
        file.write("\n" + THROWS[hook] + "\n")
    run = project.rehearsed()
    assert run.returncode == 1, run.stdout
    found = codes(project.record())
    assert (found["OWN-FIRST"], found["OWN-THIRD"]) == ("FAIL beyond_limit", "PASS")
    assert "failed: OSError: x" in run.stdout
    assert "REHEARSAL hour 0 of w: FAIL" in run.stdout
    assert "INTERNALERROR" not in run.stdout


def test_an_error_inside_pytest(tmp_path: Path) -> None:
    """A plugin that tears pytest itself down: exit 3, and a record that says so."""
    project = Project(tmp_path, own=GOES_ON.format(limit=100, wait="pass"))
    with (project.folder / "conftest.py").open("a", encoding="utf-8") as file:
        file.write(
            "\ndef pytest_runtest_setup(item):\n"
            "    item.config.torn = True\n"
            "def pytest_runtest_logfinish(nodeid):\n"
            "    if 'first' in nodeid: raise OSError('torn')\n"
        )
    run = project.rehearsed()
    assert run.returncode == 3, run.stdout
    record = project.record()
    assert codes(record)["OWN-FIRST"] == "PASS"
    assert codes(record)["OWN-THIRD"] == "INCONCLUSIVE interrupted"


def test_no_process_is_left(tmp_path: Path) -> None:
    """A rehearsal of its own ends with the checkpoint, however that ends."""
    project = Project(tmp_path, own=WAITS)
    command = project.command("--target=rehearsal", "--t0=2026-03-02T06:00Z")
    process = project.started(command)
    until(project.reports, '"OWN-FIRST"', process, kind="judged")
    process.kill()
    ended(process)
    end = time.monotonic() + 20
    while time.monotonic() < end and _group(process.pid):
        time.sleep(0.1)
    assert _group(process.pid) == []


def _group(leader: int) -> list[int]:
    """Processes of this session that still live."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found
