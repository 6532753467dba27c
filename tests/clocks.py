"""Processes of hour24 whose wall clock is another one than the machine's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hour24 import config
from hour24.ledger.book import Ledger
from hour24.ledger.record import Record
from hour24.rehearsal import probing
from hour24.rehearsal.client import Rehearsal
from hour24.watch import Window
from tests.played import ROOT, T0, ran

STARTS_BEFORE_S = 3.0
"""How long before the due time a prober is started."""


def offset(time_: datetime) -> str:
    """What HOUR24_TEST_CLOCK is for a clock that shows ``time_`` now."""
    return f"{(time_ - datetime.now(UTC)).total_seconds():.3f}"


def _clone(folder: Path, own: str) -> Path:
    """A folder of one's own with hour24's criteria and one's own."""
    folder.mkdir()
    for name in ("conftest.py", "pytest.ini", "production.toml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "tests_prod", folder / "tests_prod")
    (folder / "tests_prod" / "test_own.py").write_text(own, "utf-8")
    return folder


class Clocked:
    """A production that a rehearsal serves, watched by real processes at stated times.

    Args:
        folder: for its reports.
        t0: when its watch begins.
        own: the text of a file of custom criteria, next to those of the clone.
    """

    def __init__(
        self,
        served: Rehearsal,
        folder: Path,
        faults: Sequence[str] = (),
        *,
        own: str = "",
        t0: datetime = T0,
        **environ: str,
    ) -> None:
        self.served = served
        self.t0 = t0
        self.faults = tuple(faults)
        self.reports = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.toml = Path(served.toml).with_name("fast.toml")
        text = Path(served.toml).read_text("utf-8")
        text = text.replace("[schedule]", "[schedule]\nlatency_per_s = 100.0", 1)
        retry = "[health]\nretry_after_s = 1.0\ngive_up_after_s = 2.0"
        self.toml.write_text(text.replace("[health]", retry, 1), "utf-8")
        self.folder = ROOT if not own else _clone(folder.parent / "clone", own)
        self.environ = {
            **served.environ,
            **environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "clocked"), str(ROOT)]),
            "GITHUB_ACTIONS": "",
        }
        self.production = config.load(self.toml, {**os.environ, **self.environ})
        served.set_faults(*faults)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.reports / "w")

    def record(self, hour: int) -> Record:
        """The newest record of this hour."""
        return self.ledger.records(hour)[-1]

    def verdicts(self, hour: int) -> dict[str, str]:
        """Criterion and subject -> ``OUTCOME code``."""
        return {
            f"{one.id} {one.subject}".strip(): f"{one.outcome} {one.code}".strip()
            for one in self.record(hour).criteria
        }

    def open(self) -> None:
        """Open the watch, as a prober that is started ahead of hour 0 does."""
        command = [*self._options(), f"--t0={self.t0.isoformat()}"]
        prober = self.start(command, offset(self.t0 - timedelta(minutes=59)))
        self.until(prober, lambda: (self.reports / "w" / "watch.json").exists())
        self.stop(prober)

    def simulate(self, hour: int) -> None:
        """Write the lines of a prober over the window of this hour."""
        point = self.ledger.watch.checkpoint(hour)
        probing.simulate(
            self.production,
            self.ledger.watch,
            self.reports / "w" / "probe",
            Window(point.window.start, point.due),
            seed=1,
            faults=self.faults,
        )

    def run(self, hour: int, late_min: float = 0.0, **environ: str) -> str:
        """Run a checkpoint this late. Returns: its output."""
        point = self.ledger.watch.checkpoint(hour)
        self.simulate(hour)
        time_ = point.due + timedelta(minutes=late_min, seconds=1)
        self.served.set_time(time_)
        done = ran(
            sys.executable, "-m", "pytest", "-m", f"hour{hour}", f"--target={self.toml}",
            f"--reports={self.reports}", "--watch=w", folder=self.folder,
            **{**self.environ, "HOUR24_TEST_CLOCK": offset(time_), **environ},
        )  # fmt: skip
        return done.stdout

    def probe(self, hour: int, meanwhile: Callable[[], None] = lambda: None, **environ: str) -> str:
        """Let the real prober pass the due time of this hour. Returns: its output.

        Args:
            meanwhile: called once it has started.
        """
        due = self.ledger.watch.checkpoint(hour).due
        self.served.set_time(due)
        before = due - timedelta(seconds=STARTS_BEFORE_S)
        prober = self.start(self._options(), offset(before), **environ)
        meanwhile()
        self.until(prober, lambda: f"hour {hour}: " in self.log)
        return self.stop(prober)

    # --- inside ---------------------------------------------------------------------------------

    def _options(self) -> list[str]:
        return [
            sys.executable, "-m", "hour24", "probe", "--target", str(self.toml),
            "--reports", str(self.reports), "--watch", "w",
        ]  # fmt: skip

    @property
    def log(self) -> str:
        """The output of the process that was started last."""
        return (self.reports / "log").read_text("utf-8")

    def start(self, command: Sequence[str], clock: str, **environ: str) -> subprocess.Popen[bytes]:
        """Start a process whose clock is this one (:func:`offset`)."""
        (self.reports / "log").unlink(missing_ok=True)
        with (self.reports / "log").open("wb") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **self.environ, "HOUR24_TEST_CLOCK": clock, **environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def until(self, process: subprocess.Popen[bytes], holds: Callable[[], bool]) -> None:
        """Wait until something holds, while the process runs."""
        end = time.monotonic() + 120
        while not holds():
            assert process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.2)

    def stop(self, prober: subprocess.Popen[bytes]) -> str:
        prober.send_signal(signal.SIGTERM)
        prober.wait(60)
        return self.log
