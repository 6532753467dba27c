"""Several services at once: one run each, and the exit code of the worst."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hour24.errors import ConfigurationError
from hour24.ledger.book import Ledger
from hour24.rehearsal.client import Rehearsal
from hour24.targets import several
from hour24.targets.several import Ended, expand, replaced, run_all, summary, worst_code
from tests.clocks import Clocked, offset
from tests.played import ROOT, T0, hour24, ran


def services(folder: Path, **names: str) -> Path:
    """Files that say no more than the name of their service."""
    folder.mkdir(exist_ok=True)
    for file, name in names.items():
        (folder / f"{file}.toml").write_text(f'[service]\nname = "{name}"\n')
    return folder


def test_each_file_of_the_pattern_is_a_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, absolute or relative, and nothing else that lies in the folder."""
    folder = services(tmp_path / "services", b="two", a="one")
    (folder / "readme.md").write_text("")
    (folder / "c.toml").mkdir()
    assert expand(f"{folder}/*.toml") == (f"{folder}/a.toml", f"{folder}/b.toml")
    monkeypatch.chdir(tmp_path)
    assert expand("services/*.toml") == ("services/a.toml", "services/b.toml")
    with pytest.raises(ConfigurationError, match=r"expected files that match x/\*, got none"):
        expand("x/*")


def test_two_services_of_one_name_are_refused(tmp_path: Path) -> None:
    """Their watches would have one name; names that differ only as folders do not are one."""
    folder = services(tmp_path, a="Web API", b="web-api", c="other")
    with pytest.raises(ConfigurationError) as refused:
        expand(f"{folder}/*.toml")
    [problem] = refused.value.problems
    assert problem == (
        f"{folder}/b.toml: service.name: expected another name than in {folder}/a.toml, since "
        "their watches would both be called web-api"
    )


def test_a_file_that_cannot_be_read_is_left_to_its_own_run(tmp_path: Path) -> None:
    """One broken file does not keep the others from being watched."""
    folder = services(tmp_path, a="one")
    (folder / "b.toml").write_text("[[[")
    (folder / "c.toml").write_bytes(b"\xff")
    (folder / "d.toml").write_text("service = 1")
    assert len(expand(f"{folder}/*.toml")) == 4


@pytest.mark.parametrize(
    "given",
    [["-m", "hour8", "--target", "s/*"], ["--target=s/*", "-m", "hour8"], ["-m", "hour8"]],
)
def test_each_run_has_its_own_target(given: list[str]) -> None:
    """Everything else of the command line stays."""
    assert replaced(given, "s/a.toml") == ["--target=s/a.toml", "-m", "hour8"]


def test_no_mix_of_runs_is_green_unless_all_are() -> None:
    """A FAIL is the worst; what could not run is worse than INCONCLUSIVE; 0 needs every 0."""
    chosen = random.Random(1)
    for _ in range(500):
        codes = [chosen.choice([0, 0, 0, 1, 2, 3, 4, 5, 10, 11, 12, 13, -9]) for _ in range(6)]
        found = worst_code(codes)
        assert found in codes
        assert (found == 0) == (set(codes) == {0})
        assert (found == 1) == (1 in codes)
        assert found != 10 or set(codes) <= {0, 10}
    with pytest.raises(ValueError, match="empty"):
        worst_code([])


def test_the_sum_names_the_worst_first() -> None:
    """A service among many is found at once."""
    ended = [Ended("a", 0, 1.0, ""), Ended("b", 10, 1.0, ""), Ended("c", 1, 1.0, "")]
    words = {0: "PASS", 1: "FAIL", 10: "INCONCLUSIVE"}
    assert summary([*ended, Ended("d", -9, 1.0, "")], words) == [
        "4 services: 1 FAIL, 1 exit code -9, 1 INCONCLUSIVE, 1 PASS",
        "  FAIL          c",
        "  exit code -9  d",
        "  INCONCLUSIVE  b",
        "  PASS          a",
    ]


def test_some_run_at_once_and_none_without_an_end() -> None:
    """A run that hangs is ended and is no PASS; the others are as they are."""
    commands = {
        name: [sys.executable, "-c", text]
        for name, text in (
            ("hangs", "import time; print('begun', flush=True); time.sleep(60)"),
            ("good", "print('fine')"),
            ("bad", "raise SystemExit(10)"),
        )
    }
    shown: list[tuple[str, int, int]] = []
    ended = run_all(
        commands, lambda one, n, of: shown.append((one.target, n, of)), at_once=3, longest_s=3.0
    )
    assert [one.code for one in ended] == [several.TOO_LONG, 0, 10]
    assert "begun" in ended[0].output
    assert "no end within 3 s" in ended[0].output
    assert [(n, of) for _, n, of in shown] == [(1, 3), (2, 3), (3, 3)]
    assert shown[-1][0] == "hangs"


# --- as a person runs it ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def served() -> Iterator[Rehearsal]:
    with Rehearsal.start(seed=1, faults=(), t0=T0) as rehearsal:
        yield rehearsal


@pytest.mark.timeout(300)
def test_one_command_runs_a_watch_for_each_service(served: Rehearsal, tmp_path: Path) -> None:
    """Each has its own watch and record; a file that is refused costs the others nothing."""
    clocked = Clocked(served, tmp_path / "reports")
    folder = tmp_path / "services"
    folder.mkdir()
    shutil.copy(Path(served.toml).with_name("health.schema.json"), folder)
    text = clocked.toml.read_text("utf-8")
    for name in ("alpha", "beta"):
        own = text.replace('name = "platform-api"', f'name = "{name}"', 1)
        (folder / f"{name}.toml").write_text(own)
    (folder / "gamma.toml").write_text('[service]\nname = "gamma"\n')
    served.set_time(T0)

    def run(*arguments: str) -> tuple[int, str]:
        done = ran(
            sys.executable, "-m", "pytest", "-m", "hour0", "--target", f"{folder}/*.toml",
            f"--reports={tmp_path / 'reports'}", "-k", "document", *arguments,
            **{**clocked.environ, "HOUR24_TEST_CLOCK": offset(T0)},
        )  # fmt: skip
        return done.returncode, done.stdout

    code, said = run()
    lines = said.splitlines()
    assert lines[0] == "hour24: 3 services, 3 at once", said
    assert code == 4, said
    assert [line.split() for line in lines[-3:]] == [
        ["refused", f"{folder}/gamma.toml"],
        ["INCONCLUSIVE", f"{folder}/alpha.toml"],
        ["INCONCLUSIVE", f"{folder}/beta.toml"],
    ], said
    assert "3 of 3" in said
    ledgers = [Ledger(path) for path in sorted((tmp_path / "reports").iterdir())]
    assert [each.genesis.service["name"] for each in ledgers] == ["alpha", "beta"]
    for each in ledgers:
        [record] = each.records(0)
        outcomes = {one.id: str(one.outcome) for one in record.criteria}
        assert outcomes["HEALTH-SCHEMA"] == "PASS"
    code, said = run("--watch=w")
    assert code == 4
    assert "--watch: expected none for several services" in said


def test_what_runs_side_by_side_is_told_apart_and_ends_together(tmp_path: Path) -> None:
    """Each line has its service's name; an interrupt ends every one of them."""
    code = "import time; print('probing', flush=True); time.sleep(60)"
    folder = services(tmp_path, alpha="alpha", be="be")
    starter = tmp_path / "starter.py"
    starter.write_text(
        "from hour24.targets.several import expand, stream_all\n"
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        f"commands = {{name: [sys.executable, '-c', {code!r}] for name in expand(sys.argv[1])}}\n"
        "print(stream_all(commands, lambda line: print(line, flush=True)))\n"
    )
    running = subprocess.Popen(
        [sys.executable, starter, f"{folder}/*.toml"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    said = sorted(running.stdout.readline() for _ in range(2))
    assert said == ["alpha  probing\n", "be     probing\n"]
    running.terminate()
    rest, _ = running.communicate(timeout=20)
    assert rest.strip() == "[-15, -15]"


@pytest.mark.parametrize("command", ["probe", "watch"])
def test_probe_and_watch_take_several_services(command: str, tmp_path: Path) -> None:
    """Each is a process of its own, and what it says has its name."""
    folder = services(tmp_path, alpha="alpha", beta="beta")
    pattern = f"--target={folder}/*.toml"
    done = hour24(command, pattern, f"--reports={tmp_path / 'reports'}")
    assert done.returncode == 4, done.stdout
    for name in ("alpha", "beta"):
        assert f"{folder}/{name}.toml: exit code 4" in done.stdout
    done = hour24(command, pattern, "--watch=w")
    assert "--watch: expected none for several services, got w" in done.stdout
