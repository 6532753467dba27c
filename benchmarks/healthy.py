"""Healthy rehearsals of many seeds, judged: how many end with a FAIL without a waiver.

    python benchmarks/healthy.py [--rehearsals 200] [--first 1001] [--processes 2] [--minutes 30]

Each rehearsal is served whole (backend, vendors, PostgreSQL) and runs seven checkpoints through
the same plugin, sources and criteria as ``pytest -m hourN``; several checkpoints share a process
and no page is written. Nothing is wrong in a healthy rehearsal, so a FAIL open at its end is a
defect of hour24. Prints each such FAIL with its seed, what stayed unresolved, and seconds per
rehearsal.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import Figure, load, tell  # noqa: E402  in the same folder, not installed

T0 = datetime(2026, 3, 2, 6, tzinfo=UTC)
FIRST = 1001
"""Seeds from here on were not used while the objectives were written."""
LONGEST_S = 10.0
WATCH = "rehearsal"


class Standing(Struct, frozen=True):
    """A finding that blocks the launch at the end of a rehearsal."""

    outcome: str
    hour: int
    criterion: str
    code: str
    reason: str


class Rehearsed(Struct, frozen=True):
    """How one rehearsal ended."""

    seed: int
    took_s: float
    cpu_s: float
    verdicts: int
    settled: int
    standing: tuple[Standing, ...]
    trouble: str = ""


def judged(seed: int) -> Rehearsed:
    """Run a rehearsal without faults through all its checkpoints.

    Returns: how it ended; ``trouble`` when a checkpoint was not recorded.
    """
    from hour24.checkpoint.run import Run
    from hour24.ledger.book import Ledger
    from hour24.rehearsal.client import Rehearsal
    from hour24.verdict import Outcome
    from hour24.watch import CHECKPOINTS

    Run.publish = _no_pages  # type: ignore[method-assign]
    began, before = time.perf_counter(), _cpu_s()
    with tempfile.TemporaryDirectory(prefix="hour24-rehearsal-") as folder:
        reports = Path(folder)
        where = reports / "rehearsal.json"
        with Rehearsal.start(seed=seed, faults=(), t0=T0) as served:
            where.write_text(served.to_json(), encoding="utf-8")
            trouble = ""
            for hour in CHECKPOINTS:
                trouble = trouble or _checkpoint(seed, hour, reports, where)
        ledger = Ledger(reports / WATCH)
        end = ledger.watch.checkpoint(CHECKPOINTS[-1]).due + timedelta(minutes=1)
        standings = ledger.standings(end)
        return Rehearsed(
            seed=seed,
            took_s=time.perf_counter() - began,
            cpu_s=_cpu_s() - before,
            verdicts=len(standings),
            settled=sum(bool(each.settled_by) for each in standings),
            standing=tuple(
                Standing(
                    outcome=str(each.outcome),
                    hour=each.hour,
                    criterion=f"{each.id} {each.subject}".strip(),
                    code=each.code,
                    reason=each.reason,
                )
                for each in standings
                if each.is_open or (each.outcome == Outcome.FAIL and not each.waived_by)
            ),
            trouble=trouble,
        )


def _no_pages(run: object) -> None:
    """Write no pages: rehearsal.py measures those."""


def _cpu_s() -> float:
    """Of this process and of the children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _checkpoint(seed: int, hour: int, reports: Path, where: Path) -> str:
    """Run one. Returns: what it printed, when it was not recorded; else nothing."""
    import pytest

    from hour24.rehearsal.run import PROCESS_EXITS

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main(
            [
                *("-m", f"hour{hour}", "--target", "rehearsal", "--rehearsal-at", str(where)),
                *("--reports", str(reports), "--watch", WATCH, "--seed", str(seed)),
                *("--t0", T0.isoformat(), "--rootdir", str(ROOT), "-q", "tests_prod"),
            ]
        )
    return "" if int(code) in PROCESS_EXITS else f"hour {hour}: exit {code}\n{said.getvalue()}"


def report(rehearsal: Rehearsed) -> list[str]:
    """Return a line for each finding open at the end of a rehearsal."""
    lines = [
        f"  seed {rehearsal.seed}, hour {each.hour}: {each.outcome} {each.criterion} "
        f"{each.code}: {each.reason[:200]}"
        for each in rehearsal.standing
    ]
    return [*lines, f"  seed {rehearsal.seed}: {rehearsal.trouble}"] if rehearsal.trouble else lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rehearsals", type=int, default=200)
    parser.add_argument("--first", type=int, default=FIRST, help="seed of the first")
    parser.add_argument("--processes", type=int, default=2, help="at a time")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="start no more after so long"
    )
    options = parser.parse_args()
    os.chdir(ROOT)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    began = time.perf_counter()
    rehearsals = []
    with ProcessPoolExecutor(
        options.processes, mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        seeds = range(options.first, options.first + options.rehearsals)
        try:
            for done in as_completed([pool.submit(judged, seed) for seed in seeds]):
                rehearsals.append(done.result())
                for line in report(rehearsals[-1]):
                    print(line, flush=True)
                took = time.perf_counter() - began
                if len(rehearsals) % 20 == 0:
                    print(f"  {len(rehearsals)} rehearsals, {took:.0f} s", flush=True)
                if took > 60 * options.minutes:
                    break
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    took = time.perf_counter() - began
    failed = [s for s in rehearsals if any(e.outcome == "FAIL" for e in s.standing)]
    unsettled = Counter(
        (each.criterion, each.code)
        for rehearsal in rehearsals
        for each in rehearsal.standing
        if each.outcome != "FAIL"
    )
    for (name, code), n in unsettled.most_common():
        print(f"  unresolved: {name} ({code}) in {n} verdicts of {len(rehearsals)} rehearsals")
    n = len(rehearsals)
    return tell(
        [
            load(),
            Figure("healthy rehearsals run to their end", n, ""),
            Figure("verdicts in them", sum(s.verdicts for s in rehearsals), ""),
            Figure("verdicts settled by later evidence", sum(s.settled for s in rehearsals), ""),
            Figure("verdicts left unsettled", sum(unsettled.values()), ""),
            Figure("CPU per rehearsal", sum(s.cpu_s for s in rehearsals) / n, "s"),
            Figure("a rehearsal, two at a time", took / n, "s", most=LONGEST_S),
            Figure(
                "rehearsals not recorded whole",
                sum(bool(s.trouble) for s in rehearsals),
                "",
                most=0,
            ),
            Figure("rehearsals that end with an unwaived FAIL", len(failed), "", most=0),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
