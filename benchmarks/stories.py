"""Healthy rehearsals of many seeds, judged: how many end with a FAIL that nobody waived.

    python benchmarks/stories.py [--stories 200] [--first 1001] [--processes 2] [--minutes 30]

Each story is served whole (backend, vendors, PostgreSQL) and looked at seven times, through the
same plugin, sources and criteria as ``pytest -m hourN``; several checkpoints share a process and
no page is written. A healthy story has nothing wrong in it, so a FAIL that stands at its end is a
defect of ours. Prints each such FAIL with its seed, what stayed unsettled, and seconds a story.
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

from benchmarks.figures import Figure, load, tell  # noqa: E402  found beside it, not installed

T0 = datetime(2026, 3, 2, 6, tzinfo=UTC)
FIRST = 1001
"""Seeds from here on were not looked at while the judgements were written."""
LONGEST_S = 10.0
WATCH = "story"


class Standing(Struct, frozen=True):
    """What stands against a launch at the end of a story."""

    outcome: str
    hour: int
    criterion: str
    code: str
    reason: str


class Story(Struct, frozen=True):
    """How one story ended."""

    seed: int
    took_s: float
    cpu_s: float
    verdicts: int
    settled: int
    standing: tuple[Standing, ...]
    trouble: str = ""


def judged(seed: int) -> Story:
    """Play a story without faults through all its checkpoints.

    Returns: how it ended; ``trouble`` when a checkpoint was not recorded.
    """
    from hour24.checkpoint.run import Run
    from hour24.ledger.book import Ledger
    from hour24.rehearsal.client import Rehearsal
    from hour24.verdict import Outcome
    from hour24.watch import CHECKPOINTS

    Run.publish = _no_pages  # type: ignore[method-assign]
    began, before = time.perf_counter(), _cpu_s()
    with tempfile.TemporaryDirectory(prefix="hour24-story-") as folder:
        reports = Path(folder)
        where = reports / "rehearsal.json"
        with Rehearsal.start(seed=seed, faults=(), t0=T0) as served:
            where.write_text(served.told(), encoding="utf-8")
            trouble = ""
            for hour in CHECKPOINTS:
                trouble = trouble or _checkpoint(seed, hour, reports, where)
        ledger = Ledger(reports / WATCH)
        end = ledger.watch.checkpoint(CHECKPOINTS[-1]).due + timedelta(minutes=1)
        standings = ledger.standings(end)
        return Story(
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
    """Judgements are measured here; pages are, in rehearsal.py."""


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


def told(story: Story) -> list[str]:
    """A line for each thing that stands at the end of a story."""
    lines = [
        f"  seed {story.seed}, hour {each.hour}: {each.outcome} {each.criterion} "
        f"{each.code}: {each.reason[:200]}"
        for each in story.standing
    ]
    return [*lines, f"  seed {story.seed}: {story.trouble}"] if story.trouble else lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--stories", type=int, default=200)
    parser.add_argument("--first", type=int, default=FIRST, help="the first story's seed")
    parser.add_argument("--processes", type=int, default=2, help="side by side")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no more after it")
    options = parser.parse_args()
    os.chdir(ROOT)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    began = time.perf_counter()
    stories = []
    with ProcessPoolExecutor(
        options.processes, mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        seeds = range(options.first, options.first + options.stories)
        try:
            for done in as_completed([pool.submit(judged, seed) for seed in seeds]):
                stories.append(done.result())
                for line in told(stories[-1]):
                    print(line, flush=True)
                took = time.perf_counter() - began
                if len(stories) % 20 == 0:
                    print(f"  {len(stories)} stories, {took:.0f} s", flush=True)
                if took > 60 * options.minutes:
                    break
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    took = time.perf_counter() - began
    failed = [s for s in stories if any(e.outcome == "FAIL" for e in s.standing)]
    unsettled = Counter(
        (each.criterion, each.code)
        for story in stories
        for each in story.standing
        if each.outcome != "FAIL"
    )
    for (name, code), n in unsettled.most_common():
        print(f"  unsettled: {name} ({code}) in {n} verdicts of {len(stories)} stories")
    n = len(stories)
    return tell(
        [
            load(),
            Figure("healthy stories played to their end", n, ""),
            Figure("verdicts in them", sum(s.verdicts for s in stories), ""),
            Figure("verdicts settled by later evidence", sum(s.settled for s in stories), ""),
            Figure("verdicts left unsettled", sum(unsettled.values()), ""),
            Figure("CPU a story", sum(s.cpu_s for s in stories) / n, "s"),
            Figure("a story, side by side", took / n, "s", most=LONGEST_S),
            Figure("stories not recorded whole", sum(bool(s.trouble) for s in stories), "", most=0),
            Figure("stories that end with an unwaived FAIL", len(failed), "", most=0),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
