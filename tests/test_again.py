"""The second try of the few tests that failed in CI."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import again

FILE = "failed.json"
HERE = Path(__file__).parent
FAILS_ONCE = """
from pathlib import Path

def test_that_fails_the_first_time():
    seen = Path(__file__).with_name("seen")
    before = seen.exists()
    seen.touch()
    assert before

def test_that_passes():
    file = Path(__file__).with_name("passed")
    file.write_text(file.read_text() + "x" if file.exists() else "x")
"""
FAILS = "def test_that_fails():\n    assert False\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with this one's rules for tests."""
    (tmp_path / "tests").mkdir()
    for name in ("conftest.py", "again.py", "needs.py", "turns.py"):
        shutil.copy(HERE / name, tmp_path / "tests" / name)
    options = "--import-mode=importlib -p no:cacheprovider -p no:hour24"
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\naddopts = {options}\npythonpath = . {HERE.parent}\n"
    )
    return tmp_path


def run(project: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    """Run the tests, then again what failed, as CI does, and return the last exit code."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests",
        "--full",
        f"--failed={project / FILE}",
        *more,
    ]
    code = subprocess.run(command, cwd=project, check=False, timeout=120).returncode
    assert code in (1, 2)  # tests failed, or a file could not be collected
    assert (project / FILE).exists()
    return again.run_again(project / FILE, project)


def test_only_the_test_that_failed_once_is_run_again_and_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "tests" / "test_once.py").write_text(FAILS_ONCE)
    assert run(project, monkeypatch, "-n", "2", "--dist", "loadscope") == 0
    once = "PASSED ONLY AT THE SECOND TRY: tests/test_once.py::test_that_fails_the_first_time"
    assert once in capfd.readouterr().out
    assert (project / "tests" / "passed").read_text() == "x"


def test_what_fails_twice_fails(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "tests" / "test_once.py").write_text(FAILS_ONCE)
    (project / "tests" / "test_twice.py").write_text(FAILS)
    assert run(project, monkeypatch) == 1


def test_a_file_that_cannot_be_collected_is_no_failure_to_try_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "tests" / "test_once.py").write_text(FAILS_ONCE)
    (project / "tests" / "test_broken.py").write_text("import nothing_of_that_name\n")
    assert run(project, monkeypatch) == 1
    assert not (project / "tests" / "seen").exists()


def test_more_failures_than_a_few_are_not_run_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = "\n".join(FAILS.replace("fails", f"fails_{n}") for n in range(again.MOST + 1))
    (project / "tests" / "test_many.py").write_text(many + "\n" + FAILS_ONCE)
    assert run(project, monkeypatch) == 1
    assert again.failed_tests(project / FILE) == []


def test_nothing_is_run_again_without_a_run_before(tmp_path: Path) -> None:
    assert again.run_again(tmp_path / FILE, tmp_path) == 1
