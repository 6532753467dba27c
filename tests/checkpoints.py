"""Checkpoints run as a person runs them, on a rehearsal that is served once for all tests."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM

import requests

from hour24.ledger.book import Ledger
from hour24.ledger.record import Judged, Record
from hour24.rehearsal.client import Rehearsal
from tests.answering import Answer, Asked
from tests.played import ROOT, T0, ran

HOP_BY_HOP = {"connection", "content-encoding", "content-length", "transfer-encoding", "server"}


@cache
def rehearsal(*, near: bool = False) -> Rehearsal:
    """The rehearsal of all tests of this process; ``near``: one with T0 in this minute."""
    t0 = datetime.now(UTC).replace(second=0, microsecond=0) if near else T0
    served = Rehearsal.start(seed=1, faults=(), t0=t0)
    atexit.register(served.stop)
    return served


@cache
def served_at() -> Path:
    """The file with the addresses of the served rehearsal."""
    path = Path(tempfile.mkdtemp(prefix="hour24-test-")) / "served.json"
    atexit.register(shutil.rmtree, path.parent, ignore_errors=True)
    path.write_text(rehearsal().to_json(), encoding="utf-8")
    return path


BEGUN: list[subprocess.Popen[str]] = []
"""Checkpoints that were begun, for whoever ends those that a failing test leaves."""


@contextmanager
def _inherited(ignoring: Sequence[int]) -> Iterator[None]:
    """Processes started meanwhile ignore only these signals, whatever this process ignores.

    Under nohup, or in the background of a script, we would hand on that some are ignored.
    """
    ours = {each: signal.getsignal(each) for each in (SIGHUP, SIGINT, SIGTERM)}
    try:
        for each in ours:
            signal.signal(each, signal.SIG_IGN if each in ignoring else signal.SIG_DFL)
        yield
    finally:
        for each, handler in ours.items():
            signal.signal(each, handler)


class Project:
    """A clone of one's own: its conftest.py, its pytest.ini, and the criteria it is given.

    Args:
        criteria: files of tests_prod/ that are copied: ``database``.
        own: the text of a test file of one's own; empty: none.
    """

    def __init__(self, folder: Path, *criteria: str, own: str = "") -> None:
        self.folder = folder
        self.reports = folder / "reports"
        # so that a folder elsewhere finds hour24
        self.environ = {"PYTHONPATH": str(ROOT), "GITHUB_ACTIONS": "", "PYTEST_ADDOPTS": ""}
        self.tests = folder / "tests_prod"
        self.tests.mkdir(parents=True)
        for name in ("conftest.py", "pytest.ini"):
            shutil.copy(ROOT / name, folder)
        for name in criteria:
            shutil.copy(ROOT / "tests_prod" / f"test_{name}.py", self.tests)
        if own:
            self.write(own)

    def write(self, own: str, name: str = "test_own.py") -> Path:
        """Write a test file of one's own; it knows ``criterion``."""
        path = self.tests / name
        path.write_text(f"from hour24.plugin import criterion\n{own}", encoding="utf-8")
        return path

    def command(self, *arguments: object, hour: int | None = 0, watch: str = "w") -> list[str]:
        """``pytest -m hour0 --watch w ...``"""
        chosen = [] if hour is None else ["-m", f"hour{hour}", "--watch", watch]
        return [sys.executable, "-m", "pytest", *chosen, *map(str, arguments)]

    def rehearsed(
        self,
        *arguments: object,
        hour: int = 0,
        watch: str = "w",
        served: Path | None = None,
        faults: Sequence[str] = (),
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        """The finished checkpoint on the rehearsal, both streams in ``stdout``."""
        rehearsal().set_time(T0)
        rehearsal().set_faults(*faults)
        command = self.command(*self.on_rehearsal(served), *arguments, hour=hour, watch=watch)
        return self.ran(*command, **variables)

    def on_rehearsal(self, served: Path | None = None) -> list[str]:
        """The options that lead to the rehearsal."""
        at = str(served or served_at())
        # joined: pytest would take a path of its own for a place to look for tests
        return ["--target=rehearsal", f"--rehearsal-at={at}", f"--t0={T0.isoformat()}"]

    def ran(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command in this folder."""
        return ran(*command, folder=self.folder, timeout_s=90.0, **{**self.environ, **variables})

    def begun(
        self,
        *arguments: object,
        hour: int = 0,
        watch: str = "w",
        served: Path | None = None,
        ignoring: Sequence[int] = (),
    ) -> subprocess.Popen[str]:
        """The checkpoint on the rehearsal, still going on."""
        rehearsal().set_time(T0)
        rehearsal().set_faults()
        command = self.command(*self.on_rehearsal(served), *arguments, hour=hour, watch=watch)
        return self.started(command, ignoring)

    def started(
        self, command: Sequence[str], ignoring: Sequence[int] = ()
    ) -> subprocess.Popen[str]:
        """A command in this folder, still going on; it ignores no other signals."""
        with _inherited(ignoring):
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, "COLUMNS": "110", **self.environ},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        BEGUN.append(process)
        return process

    def ledger(self, watch: str = "w") -> Ledger:
        return Ledger(self.reports / watch)

    def record(self, hour: int = 0, attempt: int = 1, watch: str = "w") -> Record:
        """A record that was written."""
        found = self.ledger(watch).records(hour)
        return next(each for each in found if each.attempt == attempt)

    def files(self) -> list[Path]:
        """Every file below reports/."""
        return sorted(path for path in self.reports.rglob("*") if path.is_file())


def codes(record: Record) -> dict[str, str]:
    """Criterion -> ``OUTCOME code``."""
    return {each.id: f"{each.outcome} {each.code}".strip() for each in record.criteria}


def judged(record: Record, name: str) -> Judged:
    """One criterion of a record."""
    return next(each for each in record.criteria if each.id == name)


def until(path: Path, holds: str, process: subprocess.Popen[str], kind: str) -> None:
    """Wait until a journal below ``path`` has a line of this kind with this text."""
    end = time.monotonic() + 40
    while time.monotonic() < end and process.poll() is None:
        for journal in path.glob("*/journal/*.jsonl"):
            lines = journal.read_text("utf-8").splitlines()
            if any(holds in line and f'"kind":"{kind}"' in line for line in lines):
                return
        time.sleep(0.02)
    output = process.communicate(timeout=5)[0] if process.poll() is not None else "it still runs"
    raise AssertionError(f"no journal said {holds!r}: {output}")


class Proxy:
    """Answers as ``upstream`` does, each body changed by ``change``.

    Args:
        change: the body as text -> as it is sent.
    """

    def __init__(self, upstream: str, change) -> None:
        self.upstream = upstream.rstrip("/")
        self.change = change
        self.url = ""

    def __call__(self, asked: Asked) -> Answer:
        headers = {k: v for k, v in asked.headers.items() if k not in ("host", "content-length")}
        with requests.Session() as session:
            session.trust_env = False
            output = session.request(
                asked.method, self.upstream + asked.path, headers=headers, data=asked.body
            )
        kept = {
            name: value.replace(self.upstream, self.url)
            for name, value in output.headers.items()
            if name.lower() not in HOP_BY_HOP
        }
        text = self.change(output.text).replace(self.upstream, self.url)
        return Answer(output.status_code, text.encode("utf-8"), kept)


def served_with(folder: Path, changes: dict[str, str], **environ: str) -> Path:
    """Returns a file that describes the rehearsal, with a changed production.toml.

    Args:
        changes: text of the file -> what stands there instead.
        environ: variables in addition to the rehearsal's, or instead of them.
    """
    text = Path(rehearsal().toml).read_text("utf-8")
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    toml = folder / "changed.toml"
    toml.write_text(text, "utf-8")
    shutil.copy(ROOT / "schemas" / "health.schema.json", folder)
    output = {**json.loads(rehearsal().to_json()), "toml": str(toml)}
    output["environ"] = {**output["environ"], **environ}
    path = folder / "served.json"
    path.write_text(json.dumps(output), "utf-8")
    return path


ONE = '''
from hour24.objectives.own import ValueBelow

@criterion("OWN-ONE", hours=(0, 4, 8))
def test_one(ask, conclude):
    """One is below the limit"""
    conclude(ValueBelow(limit=100), value=ask.sql("SELECT 1"))

@criterion("OWN-TWO", hours=(0,))
def test_two(ask, conclude):
    """Two is below the limit"""
    conclude(ValueBelow(limit=100), value=ask.sql("SELECT 2"))
'''
"""Two custom criteria; both pass."""
