"""What an installed hour24 costs another pytest: plugin on against off, in one run.

    python benchmarks/plugin.py [--pairs 40]

The wheel is built and installed into a virtual environment of the benchmark's own; pytest then runs
one empty test in a folder without hour24's files, in turns with the plugin and with
``-p no:hour24``. The median of the differences within each pair is judged: of processor time, to
which the machine's other work adds little.
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
from tests.installing import Environment, built  # noqa: E402

MOST_MS = 10.0
OFF = ("-p", "no:hour24")


def timed(python: Path, folder: Path, options: tuple[str, ...]) -> tuple[float, float]:
    """Wall and processor milliseconds of one pytest."""
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST"))}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, env=kept, check=True, capture_output=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * wall, 1000 * used


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=40)
    options = parser.parse_args()
    walls, used, alone = [], [], []
    with tempfile.TemporaryDirectory(prefix="hour24-plugin-") as name:
        folder = Path(name)
        python = Environment(folder / "environment", built(folder / "wheel")).python
        theirs = folder / "theirs"
        theirs.mkdir()
        (theirs / "test_theirs.py").write_text("def test_theirs():\n    pass\n")
        for each in ((), OFF):
            timed(python, theirs, each)  # warms the bytecode
        for pair in range(options.pairs):
            order = ((), OFF) if pair % 2 else (OFF, ())
            took = {each: timed(python, theirs, each) for each in order}
            walls.append(took[()][0] - took[OFF][0])
            used.append(took[()][1] - took[OFF][1])
            alone.append(took[OFF][0])
    return tell(
        [
            load(),
            Figure("one empty test without the plugin, median run", median(alone), "ms"),
            Figure("the plugin adds, wall time, median of pairs", median(walls), "ms"),
            Figure(
                "the plugin adds, processor time, median of pairs",
                median(used),
                "ms",
                most=MOST_MS,
            ),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
