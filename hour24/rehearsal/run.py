"""Runs a whole watch on a rehearsal: each checkpoint is a real ``pytest -m hourN``.

Rules of this module:

- One rehearsal serves all checkpoints; each checkpoint is a separate process, as for an engineer,
  and leaves its record and pages.
- Invalid faults are refused before anything is started.
- An interrupt also reaches the checkpoint; the rehearsal ends with this process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hour24.ledger.book import Ledger
from hour24.ledger.record import Record
from hour24.rehearsal.client import Rehearsal
from hour24.rehearsal.faults import parse_faults
from hour24.shipped import IMPORTED_FROM, TOP, is_used_in
from hour24.watch import CHECKPOINTS

PROCESS_EXITS = (0, 1, 10)
"""Exit codes of a checkpoint that was recorded."""


@dataclass(frozen=True)
class CheckpointRun:
    """One checkpoint of a rehearsal.

    Args:
        exit_code: pytest's.
        took_s: wall time of the whole process.
        record: None when none was written.
        output: what it printed on both streams.
    """

    hour: int
    exit_code: int
    took_s: float
    record: Record | None
    output: str


@dataclass(frozen=True)
class RunPlan:
    """What to run.

    Args:
        seed: of the scenario.
        faults: ``NAME@HOUR``.
        t0: None means today, 06:00 UTC.
        hours: the checkpoints, ascending.
        watch: name of the watch; empty: the first free one.
        tests: only these test files or node ids; empty: every criterion.
    """

    seed: int = 1
    faults: tuple[str, ...] = ()
    t0: datetime | None = None
    hours: tuple[int, ...] = CHECKPOINTS
    reports: Path = Path("reports")
    watch: str = ""
    tests: tuple[str, ...] = ()

    @property
    def begins(self) -> datetime:
        """T0."""
        return self.t0 or datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0)

    @property
    def name(self) -> str:
        """The watch's name: the given one, or the first free one."""
        if self.watch:
            return self.watch
        stem = f"rehearsal-{self.begins:%Y%m%d-%H%M}-seed{self.seed}"
        names = (stem if n == 1 else f"{stem}-{n}" for n in range(1, 100_000))
        return next(name for name in names if not (self.reports / name).exists())


def run_checkpoints(
    plan: RunPlan,
    on_start: Callable[[int], None] = lambda hour: None,
    served: Rehearsal | None = None,
) -> Iterator[CheckpointRun]:
    """Run the plan, checkpoint by checkpoint.

    Args:
        on_start: called with the hour before each checkpoint.
        served: a rehearsal already running, with faults and time set.
    Raises: ConfigurationError, when the plan is invalid.
    """
    parse_faults(plan.faults)
    name = plan.name
    ledger = Ledger(plan.reports / name)
    rehearsal = served or Rehearsal.start(
        seed=plan.seed, faults=plan.faults, t0=plan.begins, hour=plan.hours[0]
    )
    try:
        with tempfile.TemporaryDirectory(prefix="hour24-") as folder:
            file = Path(folder) / "rehearsal.json"
            file.touch(mode=0o600)
            file.write_text(rehearsal.to_json(), encoding="utf-8")
            for hour in plan.hours:
                on_start(hour)
                yield _checkpoint(plan, name, hour, file, ledger)
    finally:
        if served is None:
            rehearsal.stop()


def _checkpoint(plan: RunPlan, name: str, hour: int, file: Path, ledger: Ledger) -> CheckpointRun:
    command = [sys.executable, "-m", "pytest", "-m", f"hour{hour}", "--target=rehearsal"]
    # with =: pytest would take a separate path for a test path
    command += [f"--rehearsal-at={file}", f"--watch={name}", "--color=no", "--no-header"]
    command += [f"--reports={plan.reports.absolute()}", f"--seed={plan.seed}"]
    command += [f"--t0={plan.begins.isoformat()}"]
    command += [f"--fault={fault}" for fault in plan.faults]
    paths = [str(IMPORTED_FROM), *filter(None, [os.environ.get("PYTHONPATH")])]
    began = time.monotonic()
    process = subprocess.Popen(
        [*command, *plan.tests],
        cwd=Path.cwd() if is_used_in(Path.cwd()) else TOP,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output, _ = process.communicate()
    finally:
        if process.poll() is None:  # this process is ending: end it too
            process.terminate()
            process.wait()
    code = process.returncode
    return CheckpointRun(
        hour=hour,
        exit_code=code,
        took_s=time.monotonic() - began,
        record=ledger.latest(hour) if code in PROCESS_EXITS else None,
        output=output.decode("utf-8", "replace"),
    )


def worst_exit(codes: Sequence[int], final: int) -> int:
    """Return the first code of an unrecorded checkpoint, else the final verdict's."""
    unrecorded = [code for code in codes if code not in PROCESS_EXITS]
    return unrecorded[0] if unrecorded else final
