"""The tests' own machinery: short and full forms, what is left out, and the set-up of a machine."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import scope_of
from tests.played import ROOT, pytest_, ran
from tests.test_proof import CASES
from tests.turns import Turns

OURS = {"HOUR24_CI": "", "CI": ""}


def collected(*arguments: str) -> set[str]:
    result = pytest_("--collect-only", "-q", *arguments, **OURS).stdout
    return {line for line in result.splitlines() if "::" in line}


def test_the_short_form_is_the_same_sample_every_time() -> None:
    """Another seed draws another sample of the same size; --full runs all."""
    file = "tests/test_proof.py"
    first, again, other, full = (
        collected(file, *more) for more in ((), (), ("--sample=2",), ("--full",))
    )
    assert first == again
    assert len(first) == len(other) < len(full)
    assert first != other
    assert first | other < full


def test_a_suite_that_takes_an_hour_has_a_sample_in_the_full_form_too() -> None:
    """--every runs all of it."""
    file = "tests/test_incidents.py"
    short, full, every = (
        {one for one in collected(file, *more) if "_two_faults_" in one}
        for more in ((), ("--full",), ("--every",))
    )
    assert (len(short), len(full), len(every)) == (2, 24, 300)
    assert short < every
    assert full < every


def test_a_test_named_by_its_id_runs_in_any_case() -> None:
    """Also when the sample does not hold it."""
    file = "tests/test_proof.py"
    for one in sorted(collected(file, "--full") - collected(file))[:2]:
        assert collected(one) == {one}


@pytest.mark.parametrize("workers", [[], ["-n", "2", "--dist", "loadscope"]])
def test_what_the_machine_lacks_is_left_out_by_name(tmp_path: Path, workers: list[str]) -> None:
    """Counted, with what brings it, in the last line; in CI it fails."""
    command = ("tests/test_exchange.py", "-q", "-k", "tls", *workers)
    (tmp_path / "git").symlink_to(shutil.which("git") or "/nowhere")
    done = pytest_(*command, PATH=str(tmp_path), **OURS)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.strip().splitlines()
    assert "left out: test_exchange.py::test_tls" in lines, done.stdout
    brings = "openssl; .ci/setup, or apt-get install openssl, brings it"
    assert lines[-1] == f"LEFT OUT: 2 tests, for want of {brings}"
    for variable in ({"HOUR24_CI": "1"}, {"CI": "true"}):
        in_ci = pytest_(*command, PATH=str(tmp_path), **{**OURS, **variable})
        assert in_ci.returncode == 1, in_ci.stdout
        assert "expected to run in CI" in in_ci.stdout


def test_what_is_shared_is_run_by_one_worker() -> None:
    """The tests of a file; of the proof, those of a case."""
    proof = sorted(collected("tests/test_proof.py", "--full"))
    scopes = [scope_of(one) for one in proof if "[case" in one]
    assert len(set(scopes)) == len(CASES)
    assert len(scopes) > len(CASES)
    assert {scope_of(one) for one in collected("tests/test_text.py")} == {"tests/test_text.py"}
    done = pytest_("tests/test_text.py", "tests/test_workers.py", "-v", "-n2", "--dist=loadscope")
    ran_by = re.findall(r"\[(gw\d)\] .* PASSED tests/(\w+)", done.stdout)
    assert len(set(ran_by)) == 2, done.stdout


def test_who_measures_time_is_alone(tmp_path: Path) -> None:
    """It waits for those who began before, and those who come later wait for it."""
    began: list[str] = []
    first, alone, later = (Turns(tmp_path / "turns") for _ in range(3))
    first.take(alone=False)
    threads = []
    for name, turns in (("alone", alone), ("later", later)):

        def take(name: str = name, turns: Turns = turns) -> None:
            turns.take(alone=name == "alone")
            began.append(name)

        threads.append(threading.Thread(target=take))
        threads[-1].start()
        time.sleep(0.1)
        assert began == []
    first.release()
    threads[0].join(5)
    time.sleep(0.1)
    assert began == ["alone"]
    alone.release()
    threads[1].join(5)
    assert began == ["alone", "later"]
    for turns in (first, alone, later):
        turns.pytest_unconfigure()


# --- .ci/setup ------------------------------------------------------------------------------------

APT = """#!/bin/sh
echo "apt-get $*" >> {log}
case "$*" in *unknown*) exit 100;; *" install "*) for last; do :; done
  sed -i "s/ *$last//" {absent};; esac
"""
PLAYWRIGHT = """#!/bin/sh
echo "playwright $* into $PLAYWRIGHT_BROWSERS_PATH" >> {log}
sed -i "s/chromium *//" {absent}
"""


class Machine:
    """A machine that lacks these Debian packages, and what was done to it."""

    def __init__(self, folder: Path, absent: str, *, user: int = 0, sudo: bool = False) -> None:
        self.folder = folder
        self.absent, self.log = folder / "absent", folder / "log"
        self.absent.write_text(f"{absent}\n", "utf-8")
        self.log.touch()
        (folder / ".ci").mkdir()
        shutil.copy(ROOT / ".ci" / "setup", folder / ".ci")
        self._program(".venv/bin/python", f"#!/bin/sh\ncat {self.absent}\n")
        self._program(".venv/bin/playwright", PLAYWRIGHT)
        self._program("bin/apt-get", APT)
        self._program("bin/id", f"#!/bin/sh\necho {user}\n")
        may = 'shift; exec "$@"' if sudo else "exit 1"
        self._program("bin/sudo", f'#!/bin/sh\necho "sudo $*" >> {self.log}\n{may}\n')

    def _program(self, path: str, text: str) -> None:
        program = self.folder / path
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(text.format(log=self.log, absent=self.absent), "utf-8")
        program.chmod(0o755)

    def set_up(self, **variables: str) -> str:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        done = ran(str(self.folder / ".ci" / "setup"), PATH=path, **variables)
        assert done.returncode == 0, done.stdout
        return done.stdout

    @property
    def did(self) -> list[str]:
        return self.log.read_text("utf-8").splitlines()


def test_a_machine_that_has_everything_is_left_alone(tmp_path: Path) -> None:
    """Not a word, not a command."""
    machine = Machine(tmp_path, "")
    assert (machine.set_up(), machine.did) == ("", [])


def test_root_installs_each_package_and_says_so_before(tmp_path: Path) -> None:
    """One by one, so that a name the distribution lacks costs no other."""
    machine = Machine(tmp_path, "unknown postgresql")
    said = machine.set_up().splitlines()
    assert said[1].startswith("setup: installing them now:")
    assert said[1].endswith("apt-get install unknown postgresql")
    assert said[2] == "setup: unknown: expected apt-get to install it, got exit code 100"
    assert said[-1].startswith("setup: still absent: unknown; ")
    assert [line.rpartition(" ")[2] for line in machine.did] == ["update", "unknown", "postgresql"]


def test_sudo_is_used_where_it_asks_for_nothing(tmp_path: Path) -> None:
    """By a user who is not root."""
    machine = Machine(tmp_path, "openssh-client", user=1000, sudo=True)
    assert "installing them now: sudo -n apt-get install openssh-client" in machine.set_up()
    assert machine.did[0] == "sudo -n true"
    assert machine.did[-1].endswith("install -y --no-install-recommends openssh-client")


def test_without_root_playwright_brings_the_browser(tmp_path: Path) -> None:
    """Into .venv; the rest is named, and no package is touched."""
    machine = Machine(tmp_path, "chromium postgresql", user=1000)
    said = machine.set_up()
    assert "neither root nor sudo without a password: no package is installed" in said
    assert "setup: fetching a browser into .venv/browsers" in said
    assert machine.did[1:] == [
        f"playwright install --only-shell chromium into {tmp_path}/.venv/browsers"
    ]
    assert "setup: still absent: postgresql; the tests that need it are left out" in said


def test_a_machine_that_is_to_stay_as_it_is(tmp_path: Path) -> None:
    """HOUR24_SETUP=no: what is lacking is named, and nothing is done."""
    machine = Machine(tmp_path, "chromium")
    assert "HOUR24_SETUP=no: nothing is installed" in machine.set_up(HOUR24_SETUP="no")
    assert machine.did == []


def test_the_set_up_asks_this_machine() -> None:
    """What it calls absent is what the tests would be left out for."""
    here = ran(sys.executable, "-m", "tests.needs").stdout.split()
    gone = ran(sys.executable, "-m", "tests.needs", PATH="/nowhere").stdout.split()
    assert set(here) < set(gone)
    assert {"openssh-client", "openssl"} <= set(gone)
