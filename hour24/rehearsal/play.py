"""A whole watch, played on a rehearsal: each checkpoint is a real ``pytest -m hourN``.

Rules of this module:

- One rehearsal is served for all checkpoints; each checkpoint is a process of its own, as it is
  for an engineer, and leaves its record and pages.
- Faults that cannot be used are refused before anything is started.
- Whoever interrupts us interrupts the checkpoint too; the rehearsal ends with us.
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
from hour24.rehearsal.faults import parsed
from hour24.shipped import IMPORTED_FROM, TOP, is_used_in
from hour24.watch import CHECKPOINTS

PROCESS_EXITS = (0, 1, 10)
"""Exit codes of a checkpoint that was recorded."""


@dataclass(frozen=True)
class Played:
    """One checkpoint of a rehearsal.

    Args:
        exit_code: pytest's.
        took_s: wall time of the whole process.
        record: none when none was written.
        output: what it printed, both streams.
    """

    hour: int
    exit_code: int
    took_s: float
    record: Record | None
    output: str


@dataclass(frozen=True)
class Script:
    """What is to be played.

    Args:
        seed: of the story.
        faults: ``NAME@HOUR``.
        t0: none: today, 06:00 UTC.
        hours: the checkpoints, ascending.
        watch: name of the watch; empty: one that is free.
        tests: only these test files or node ids; none: every criterion.
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
        """The watch's name: the given one, or the first that is free."""
        if self.watch:
            return self.watch
        stem = f"rehearsal-{self.begins:%Y%m%d-%H%M}-seed{self.seed}"
        names = (stem if n == 1 else f"{stem}-{n}" for n in range(1, 100_000))
        return next(name for name in names if not (self.reports / name).exists())


def play(
    script: Script,
    begun: Callable[[int], None] = lambda hour: None,
    served: Rehearsal | None = None,
) -> Iterator[Played]:
    """Play it, checkpoint by checkpoint.

    Args:
        begun: told the hour before each checkpoint.
        served: a rehearsal that is being served already; its faults and moment are set.
    Raises: ConfigurationError, when it cannot be played.
    """
    parsed(script.faults)
    name = script.name
    ledger = Ledger(script.reports / name)
    rehearsal = served or Rehearsal.start(
        seed=script.seed, faults=script.faults, t0=script.begins, hour=script.hours[0]
    )
    try:
        with tempfile.TemporaryDirectory(prefix="hour24-") as folder:
            where = Path(folder) / "rehearsal.json"
            where.touch(mode=0o600)
            where.write_text(rehearsal.told(), encoding="utf-8")
            for hour in script.hours:
                begun(hour)
                yield _checkpoint(script, name, hour, where, ledger)
    finally:
        if served is None:
            rehearsal.stop()


def _checkpoint(script: Script, name: str, hour: int, where: Path, ledger: Ledger) -> Played:
    command = [sys.executable, "-m", "pytest", "-m", f"hour{hour}", "--target=rehearsal"]
    # joined by =: pytest takes a path apart from its option for a test path
    command += [f"--rehearsal-at={where}", f"--watch={name}", "--color=no", "--no-header"]
    command += [f"--reports={script.reports.absolute()}", f"--seed={script.seed}"]
    command += [f"--t0={script.begins.isoformat()}"]
    command += [f"--fault={fault}" for fault in script.faults]
    paths = [str(IMPORTED_FROM), *filter(None, [os.environ.get("PYTHONPATH")])]
    began = time.monotonic()
    process = subprocess.Popen(
        [*command, *script.tests],
        cwd=Path.cwd() if is_used_in(Path.cwd()) else TOP,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output, _ = process.communicate()
    finally:
        if process.poll() is None:  # we are being ended: so is it
            process.terminate()
            process.wait()
    code = process.returncode
    return Played(
        hour=hour,
        exit_code=code,
        took_s=time.monotonic() - began,
        record=ledger.latest(hour) if code in PROCESS_EXITS else None,
        output=output.decode("utf-8", "replace"),
    )


def worst_exit(codes: Sequence[int], settled: int) -> int:
    """The exit code of a rehearsal: a checkpoint that was not recorded, else what is settled."""
    unrecorded = [code for code in codes if code not in PROCESS_EXITS]
    return unrecorded[0] if unrecorded else settled
