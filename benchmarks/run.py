"""Every benchmark, one after another, and which figures missed their limits.

    python benchmarks/run.py [--quick] [--cases FOLDER] [--rehearsals N] [NAME ...]

Prints one line a figure: ``holds`` or ``MISSED``, the value, its limit, what it is. Exits 1 when
one was missed or a benchmark broke. ``--quick`` takes fewer runs, seconds and rehearsals, and
a few minutes. Labelled cases live outside this project: ``judgement`` is left out without
``--cases``, the folder of one set of them.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import MISSED, Figure, cores  # noqa: E402  in the same folder

BENCHMARKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "collect": ((), ("--runs", "5")),
    "plugin": ((), ("--pairs", "10")),
    "checkpoint": ((), ("--runs", "3")),
    "rehearsal": ((), ()),
    "growth": ((), ("issues",)),
    "latency": ((), ("--samples", "100")),
    "prober": ((), ("--seconds", "10")),
    "probe_files": ((), ("--hours", "6")),
    "redaction": ((), ()),
    "samples": ((), ("--quick",)),
    "traps": ((), ()),
    "logs": ((), ()),
    "peers": ((), ("--rounds", "1")),
    "handover": ((), ()),
    "mutation": (("--sample", "100"), ("--sample", "10")),
    "healthy": (("--rehearsals", "200"), ("--rehearsals", "4")),
}
"""Name -> arguments, and those of ``--quick``."""
JUDGEMENT = "judgement"
JUDGED_S = 60.0


def lines_of(command: list[str]) -> Iterator[str]:
    """What it prints, line by line; last, when it broke, a line that says so."""
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        missed = False
        for line in process.stdout:
            missed |= line.startswith(MISSED)
            yield line.rstrip("\n")
    if process.returncode and not missed:
        yield f"{MISSED} it broke, exit {process.returncode}"


def benchmark(name: str, quick: bool, more: list[str]) -> Iterator[str]:
    """The lines of one."""
    arguments = BENCHMARKS[name][quick]
    script = Path(__file__).with_name(f"{name}.py")
    yield from lines_of([sys.executable, str(script), *arguments, *more])


def judgement(cases: Path) -> Iterator[str]:
    """The lines of judging a set of cases, and of its bars if ``score.py`` is next to them."""
    script = Path(__file__).with_name(f"{JUDGEMENT}.py")
    with tempfile.TemporaryDirectory(prefix="hour24-cases-") as folder:
        out = Path(folder) / "verdicts.json"
        began = time.perf_counter()
        yield from lines_of([sys.executable, str(script), str(cases), str(out)])
        took_s = time.perf_counter() - began
        yield Figure("all cases judged", took_s, "s", most=JUDGED_S).line()
        score = cases.absolute().parent / "score.py"
        if score.exists() and out.exists():
            result = subprocess.run(
                [sys.executable, str(score), cases.name, str(out)],
                capture_output=True,
                text=True,
                check=False,
            ).stdout.splitlines()
            bars = [line for line in result if line.startswith(("ok ", "MISS "))]
            yield from (line for line in bars if line.startswith("MISS "))
            met = sum(line.startswith("ok ") for line in bars)
            yield Figure("bars met", met, "", least=max(1, len(bars))).line()


def shown(name: str, lines: Iterable[str]) -> list[str]:
    """Print the lines under the name. Returns: those of missed limits."""
    print(f"{name}:", flush=True)
    missed = []
    for line in lines:
        print(f"  {line}", flush=True)
        if line.startswith(f"{MISSED} "):
            missed.append(f"{name}: {' '.join(line.split())}")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="fewer runs, in a few minutes")
    parser.add_argument("--cases", type=Path, metavar="FOLDER", help="a set of labelled cases")
    parser.add_argument("--rehearsals", type=int, metavar="N", help="so many instead of 200")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(BENCHMARKS) - {JUDGEMENT})
    if unknown:
        parser.error(f"NAME: expected one of {', '.join(BENCHMARKS)}, got {unknown[0]!r}")
    wanted = options.names or [*BENCHMARKS, JUDGEMENT]
    now = datetime.now(UTC)
    print(f"{now:%Y-%m-%d}, {cores()} cores, Python {platform.python_version()}", flush=True)
    missed: list[str] = []
    for name in BENCHMARKS:
        if name in wanted:
            more = []
            if name == "healthy" and options.rehearsals is not None:
                more = ["--rehearsals", str(options.rehearsals)]
            missed += shown(name, benchmark(name, options.quick, more))
    if JUDGEMENT in wanted and options.cases is None:
        print(f"{JUDGEMENT}: left out; give it labelled cases with --cases FOLDER")
    elif JUDGEMENT in wanted:
        missed += shown(JUDGEMENT, judgement(options.cases))
    print(f"{len(missed)} missed" if missed else "every limit holds")
    for line in missed:
        print(f"  {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
