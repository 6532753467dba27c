"""How long ``pytest -m hour8 --collect-only -q`` takes: what an engineer waits for first.

    python benchmarks/collect.py [--runs 9]

Bytecode is kept in a folder of the benchmark's own and warm, as after a first run. Prints the
fastest and the median wall time (the machine's other work only adds to it), CPU seconds, what
importing pytest alone costs, and the ratio to `pytest --version` in the same run; the fastest is
judged.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import Figure, load, tell  # noqa: E402  in the same folder, not installed

LONGEST_S = 0.7
COLLECT = ("-m", "pytest", "-m", "hour8", "--collect-only", "-q")
PYTEST_ALONE = ("-c", "import pytest")
PYTEST_VERSION = ("-m", "pytest", "--version")


def timed(command: tuple[str, ...], runs: int) -> tuple[list[float], list[float]]:
    """Wall and CPU seconds of each run but the first, which warms the bytecode."""
    walls, used = [], []
    with tempfile.TemporaryDirectory(prefix="hour24-bytecode-") as folder:
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        for _ in range(runs + 1):
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run(
                [sys.executable, *command], cwd=ROOT, env=environ, check=True, capture_output=True
            )
            walls.append(time.perf_counter() - began)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return walls[1:], used[1:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    walls, used = timed(COLLECT, options.runs)
    alone, _ = timed(PYTEST_ALONE, options.runs)
    version, version_used = timed(PYTEST_VERSION, options.runs)
    return tell(
        [
            load(),
            Figure("importing pytest alone, fastest run", min(alone), "s"),
            Figure("`pytest --version`, fastest run", min(version), "s"),
            Figure("start-up over `pytest --version`, wall", min(walls) / min(version), "x"),
            Figure("start-up over `pytest --version`, CPU", min(used) / min(version_used), "x"),
            Figure("a checkpoint collected, CPU of the fastest run", min(used), "s"),
            Figure("a checkpoint collected, median run", median(walls), "s"),
            Figure("a checkpoint collected, fastest run", min(walls), "s", most=LONGEST_S),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
