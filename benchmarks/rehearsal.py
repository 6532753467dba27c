"""A whole rehearsal with its pages: seconds, memory of a checkpoint, size of its pages.

    python benchmarks/rehearsal.py [--seed 1]

What ``python -m hour24 rehearse`` does after set-up: starting the embedded production, seven
checkpoints in processes of their own, stopping it. Memory is the resident set of a checkpoint's
process and its children together, sampled fifty times a second.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import Figure, load, tell  # noqa: E402  in the same folder, not installed

T0 = datetime(2026, 3, 2, 6, tzinfo=UTC)
WHOLE_S = 60.0
PEAK_MIB = 250.0
PAGE_MB = 1.5
EVERY_S = 0.02


class Peak:
    """The largest resident set that a checkpoint of this process's children had, MiB."""

    def __init__(self) -> None:
        self.mib = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        import psutil

        me = psutil.Process()
        while not self._ended.wait(EVERY_S):
            for child in me.children():
                with contextlib.suppress(psutil.Error):
                    if "pytest" in child.cmdline():
                        family = [child, *child.children(recursive=True)]
                        held = sum(each.memory_info().rss for each in family)
                        self.mib = max(self.mib, held / 2**20)

    def end(self) -> float:
        """Look no more. Returns: the peak."""
        self._ended.set()
        self._thread.join()
        return self.mib


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    from hour24.rehearsal.run import RunPlan, run_checkpoints

    # as for anybody's second rehearsal, bytecode is there
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(prefix="hour24-bench-") as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "bytecode")
        reports = Path(folder) / "reports"
        for _ in run_checkpoints(
            RunPlan(seed=options.seed, hours=(0,), t0=T0, reports=reports, watch="warm")
        ):
            continue
        peak, began = Peak(), time.perf_counter()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        seen = list(
            run_checkpoints(RunPlan(seed=options.seed, t0=T0, reports=reports, watch="bench"))
        )
        whole = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        pages = {path.name: path.stat().st_size for path in (reports / "bench").glob("*.html")}
    largest = max(pages, key=lambda name: pages[name])
    return tell(
        [
            load(),
            *(Figure(f"hour {each.hour}, whole process", each.took_s, "s") for each in seen),
            Figure("a rehearsal, CPU of all its processes", used, "s"),
            Figure("a rehearsal, seven checkpoints with pages", whole, "s", most=WHOLE_S),
            Figure("a checkpoint's peak memory", peak.end(), "MiB", most=PEAK_MIB),
            Figure(f"the largest page, {largest}", pages[largest] / 1e6, "MB", most=PAGE_MB),
            Figure(
                "checkpoints that did not pass", sum(s.exit_code != 0 for s in seen), "", most=0
            ),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
