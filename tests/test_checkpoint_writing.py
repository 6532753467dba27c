"""Without a writable folder production is not queried; with a full disk no verdict is lost."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hour24.ledger import journal
from hour24.ledger.verify import verify
from tests.answering import Server, document
from tests.checkpoints import Project, codes, rehearsal, served_with

FILLS = '''
import resource
from hour24.objectives.own import ValueBelow

@criterion("OWN-FIRST", hours=(0,))
def test_first(ask, conclude):
    """The first is below the limit"""
    conclude(ValueBelow(limit=1), value=ask.sql("SELECT 1"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))

@criterion("OWN-SECOND", hours=(0,))
def test_second(ask, conclude):
    """The second is below the limit"""
    conclude(ValueBelow(limit=1), value=ask.sql("SELECT 2"))
    {after}
'''


@contextlib.contextmanager
def small_disk(folder: Path, size: str = "1m") -> Iterator[None]:
    """A file system of this size in this folder, where we may mount one."""
    folder.mkdir()
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    mounted = [*as_root, "mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "hour24-test"]
    mounted.append(str(folder))
    why = _refusal(mounted)
    if why:
        pytest.skip(f"a file system of one's own: {why}; root or sudo brings it")
    try:
        yield
    finally:
        subprocess.run([*as_root, "umount", folder], check=True)


def _refusal(command: Sequence[str | Path]) -> str:
    """Why a command could not be carried out; empty when it was."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as problem:
        return str(problem)
    return done.stderr.strip() or "refused" if done.returncode else ""


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """A health endpoint that counts, and the file of a rehearsal that has it."""
    with Server(document(status="ok")) as server:
        yield server, served_with(tmp_path, {_health(): f'"{server.url}/health"'})


def _health() -> str:
    lines = Path(rehearsal().toml).read_text("utf-8").splitlines()
    at = lines.index("[health]")
    return next(line for line in lines[at:] if line.startswith("url")).split(" = ")[1]


def test_a_full_disk(tmp_path: Path, asked: tuple[Server, Path]) -> None:
    """Exit 12 in a line, and not one request."""
    server, at = asked
    project = Project(tmp_path / "clone", "health")
    with small_disk(project.reports):
        run = project.rehearsed(served=at)
    assert run.returncode == 12, run.stdout
    assert "expected to write 8 MiB in it, got No space left on device" in run.stdout
    assert "Traceback" not in run.stdout
    assert server.asked == []


def test_files_that_must_stay_small(tmp_path: Path, asked: tuple[Server, Path]) -> None:
    """The same in a watch that is there already: exit 12, and not one request."""
    server, at = asked
    project = Project(tmp_path / "clone", "health")
    assert project.rehearsed(served=at).returncode == 1
    assert server.asked
    server.asked.clear()
    command = project.command(*project.on_rehearsal(at))
    run = project.ran("bash", "-c", 'ulimit -f 1024; exec "$@"', "bash", *command)
    assert run.returncode == 12, run.stdout
    assert "expected to write 8 MiB in it, got File too large" in run.stdout
    assert [each.attempt for each in project.ledger().records()] == [1]
    assert server.asked == []


@pytest.mark.parametrize("reports", ["a-file", "/proc/hour24-reports"])
def test_a_folder_that_cannot_be_written(
    tmp_path: Path, asked: tuple[Server, Path], reports: str
) -> None:
    """Exit 12 in a line that names it, and not one request."""
    server, at = asked
    project = Project(tmp_path / "clone", "health")
    (project.folder / "a-file").touch()
    run = project.rehearsed(f"--reports={reports}", served=at)
    assert run.returncode == 12, run.stdout
    assert f"{reports}/w: expected to make it, got" in run.stdout
    assert "Traceback" not in run.stdout
    assert server.asked == []


def test_a_disk_that_fills_meanwhile(tmp_path: Path) -> None:
    """What is not in the journal is not shown, nor is the record; exit 12: not the FAIL's 1."""
    project = Project(tmp_path, own=FILLS.format(after="pass"))
    run = project.rehearsed()
    assert run.returncode == 12, run.stdout
    assert "OWN-SECOND: not shown, as it is not in the journal" in run.stdout
    assert "FAIL           OWN-SECOND" not in run.stdout
    assert "the record could not be written" in run.stdout
    assert "got File too large" in run.stdout
    assert "no record was written" in run.stdout
    assert "INTERNALERROR" not in run.stdout
    assert project.ledger().records() == ()


def test_a_journal_that_cannot_be_written_costs_no_record(tmp_path: Path) -> None:
    """With space again at the end, the record has what the journal lacks."""
    after = "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)"
    project = Project(tmp_path, own=FILLS.format(after=after))
    run = project.rehearsed()
    assert run.returncode == 1, run.stdout
    assert codes(project.record())["OWN-SECOND"] == "FAIL beyond_limit"
    assert "expected to append, got" in " ".join(run.stdout.split())


FULL = """
import threading, time
from pathlib import Path
from hour24.objectives.own import ValueBelow

def fill():
    with open("reports/others", "ab", buffering=0) as file:
        for size in (65536, 512):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass

def keep_filling():
    while True:
        fill()
        time.sleep(0.01)

@criterion("OWN-FULL", hours=(0,))
def test_full(ask, conclude):
    \"\"\"The disk is full from here on\"\"\"
    {fills}
    conclude(ValueBelow(limit=1), value=ask.sql("SELECT 1"))
"""
LATER = """
@criterion("OWN-LATER-{n}", hours=(0,))
def test_later_{n}(ask, conclude):
    \"\"\"This is below the limit\"\"\"
    time.sleep({sleep})
    conclude(ValueBelow(limit=100), value=ask.sql("SELECT {n}"))
"""
SHOWN = re.compile(r"^(?:PASS|FAIL|INCONCLUSIVE) +(OWN-[A-Z0-9-]+)", re.MULTILINE)


def journalled(project: Project) -> set[str]:
    lines = journal.read(project.reports / "w" / "journal" / "hour00.a1.jsonl")
    return {line["judged"]["id"] for line in lines if line.get("kind") == "judged"}


def test_a_disk_that_others_fill_up_costs_nothing(tmp_path: Path) -> None:
    """The room that was held from the start is enough for journal, record and pages."""
    own = FULL.format(fills="fill()") + LATER.format(n=1, sleep=0)
    project = Project(tmp_path / "clone", own=own)
    with small_disk(project.reports, "24m"):
        run = project.rehearsed()
        assert run.returncode == 1, run.stdout
        assert codes(project.record())["OWN-FULL"] == "FAIL beyond_limit"
        assert journalled(project) == {"OWN-FULL", "OWN-LATER-1"}
        assert [one.says for one in verify(project.reports / "w") if not one.ok] == []
        assert (project.reports / "w" / "hour00.a1.html").is_file()
        assert list((project.reports / "w").glob(".room*")) == []


def test_a_disk_that_stays_full(tmp_path: Path) -> None:
    """What is shown was journalled first; exit 12; with room again, finalise completes it."""
    later = (LATER.format(n=n, sleep=0.4) for n in range(1, 7))
    own = FULL.format(fills="threading.Thread(target=keep_filling, daemon=True).start()")
    project = Project(tmp_path / "clone", own=own + "".join(later))
    with small_disk(project.reports, "24m"):
        run = project.rehearsed()
        assert run.returncode == 12, run.stdout
        assert "INTERNALERROR" not in run.stdout
        assert "no record was written" in run.stdout
        kept = journalled(project)
        shown = set(SHOWN.findall(run.stdout))
        assert shown <= kept, run.stdout
        assert shown
        assert "not shown, as it is not in the journal" in run.stdout
        assert project.ledger().records() == ()

        (project.reports / "others").unlink()
        done = project.ran(sys.executable, "-m", "hour24", "finalise")
        assert done.returncode == 0, done.stdout
        found = codes(project.record())
        assert {name for name, code in found.items() if "interrupted" not in code} == kept
        assert found["OWN-FULL"] == "FAIL beyond_limit"
        assert [one.says for one in verify(project.reports / "w") if not one.ok] == []
        assert (project.reports / "w" / "hour00.a1.html").is_file()


REFUSES = """
import errno, fcntl, os

def refuse(handle, how):
    if os.readlink(f"/proc/self/fd/{handle}").endswith(os.environ.get("REFUSED", "nothing")):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    return taken(handle, how)

taken, fcntl.flock = fcntl.flock, refuse
"""


@pytest.mark.parametrize("lock", ["hour00.lock", ".chain.lock"])
def test_a_lock_that_the_file_system_refuses(
    tmp_path: Path, asked: tuple[Server, Path], lock: str
) -> None:
    """Exit 12 in a line that names it, and not one request: without it two runs may record."""
    server, at = asked
    project = Project(tmp_path / "clone", "health")
    with (project.folder / "conftest.py").open("a", encoding="utf-8") as file:
        file.write(REFUSES)
    run = project.rehearsed(served=at, REFUSED=lock)
    assert run.returncode == 12, run.stdout
    assert f"{lock}: expected to lock it, got No locks available" in run.stdout
    assert "Traceback" not in run.stdout
    assert server.asked == []
