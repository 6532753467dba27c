"""Without a writable folder production is not queried; with a full disk no verdict is lost."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

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
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of 1 MiB in this folder, where we may mount one."""
    folder.mkdir()
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    mounted = [*as_root, "mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "hour24-test", folder]
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
    """The verdicts are shown, the record's absence is said, exit 12: not the FAIL's 1."""
    project = Project(tmp_path, own=FILLS.format(after="pass"))
    run = project.rehearsed()
    assert run.returncode == 12, run.stdout
    assert "FAIL           OWN-SECOND" in run.stdout
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
