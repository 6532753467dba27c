"""A day of 100 endpoints probed every second: its size, how fast it is judged, in what memory.

    python benchmarks/probe_files.py [--endpoints 100] [--interval 1] [--hours 24] [--keep DIR]

Makes the prober's lines with a generator, then reads and sums them up in a process of its own,
as sign-off does: slots, gaps and failures of every target, its latencies since T0 in blocks of
ten minutes, and all responses.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import Figure, load, tell  # noqa: E402  in the same folder, not installed
from hour24 import histogram  # noqa: E402
from hour24.probes import LineWriter, Minute, read  # noqa: E402
from hour24.probes.lines import slots_in  # noqa: E402
from hour24.watch import Window  # noqa: E402

START = datetime(2026, 11, 24, 6, tzinfo=UTC)
LARGEST_MB = 250.0
LONGEST_S = 3.0
PEAK_MIB = 300.0


def generate(folder: Path, endpoints: int, interval_s: float, hours: int, seed: int = 7) -> int:
    """Write the lines; returns how many probes they stand for."""
    rng = random.Random(seed)
    writer = LineWriter(folder / "generated-1.jsonl")
    probes = 0
    medians = [rng.uniform(5, 400) for _ in range(endpoints)]
    for minute in range(hours * 60):
        at = START + timedelta(minutes=minute)
        lines = []
        for number in range(endpoints):
            phase = round((number * 0.6180339) % interval_s, 3)
            due = len(slots_in(at.timestamp(), interval_s, phase))
            failed = [slot for slot in range(due) if rng.random() < 0.0005]
            missed = [0] if due and rng.random() < 0.002 and 0 not in failed else []
            good = due - len(failed) - len(missed)
            values = (medians[number] * rng.lognormvariate(0, 0.35) for _ in range(good))
            counts = histogram.count_values(values)
            lines.append(
                Minute(
                    probe=f"endpoint-{number:03d}",
                    kind="endpoint",
                    minute=at,
                    interval_s=interval_s,
                    phase_s=phase,
                    due=due,
                    missed=missed,
                    failed={"503": failed} if failed else {},
                    statuses={"200": good} | ({"503": len(failed)} if failed else {}),
                    latency={str(bucket): n for bucket, n in sorted(counts.items())},
                    round_trip_ms=round(rng.uniform(0.3, 0.9), 3),
                    vantage="generated",
                )
            )
            probes += due - len(missed)
        writer.write(*lines)
    writer.close()
    return probes


def judge(folder: Path, hours: int) -> dict[str, float]:
    """Sum everything up, as sign-off does; figures of this process."""
    from hour24.evidence import Distribution, Probes

    begun, used = time.perf_counter(), time.process_time()
    window = Window(START, START + timedelta(hours=hours))
    seen = read(folder, window)
    probes: list[Probes] = [seen.probes(name, window) for name in seen.targets()]
    latencies: list[Distribution] = [seen.latencies(name, window) for name in seen.targets()]
    p99s = [histogram.quantile(each.merged(), 0.99) for each in latencies]
    responses = seen.responses(window)
    took = time.perf_counter() - begun
    assert len(p99s) == len(seen.targets())
    assert responses.bad
    return {
        "took_s": took,
        "cpu_s": time.process_time() - used,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "kept": sum(each.kept for each in probes),
        "samples": sum(each.n for each in latencies),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoints", type=int, default=100)
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--keep", type=Path, help="write the files here and leave them")
    parser.add_argument("--judge", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.judge:
        print(json.dumps(judge(options.judge, options.hours)))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        begun = time.perf_counter()
        if not any(folder.glob("*.jsonl")):
            probes = generate(folder, options.endpoints, options.interval, options.hours)
            print(f"{probes} probes generated in {time.perf_counter() - begun:.0f} s")
        size = sum(path.stat().st_size for path in folder.glob("*.jsonl")) / 1e6
        result = subprocess.run(
            [sys.executable, __file__, "--judge", str(folder), "--hours", str(options.hours)],
            check=True,
            capture_output=True,
            text=True,
        )
    found = json.loads(result.stdout)
    return tell(
        [
            load(),
            Figure("probes, as the files tell them", found["kept"], ""),
            Figure("latencies since T0 in blocks", found["samples"], ""),
            Figure("probes of a day on disk", size, "MB", most=LARGEST_MB),
            Figure("CPU of their judgement", found["cpu_s"], "s"),
            Figure("their judgement at sign-off", found["took_s"], "s", most=LONGEST_S),
            Figure("memory of that process at most", found["mib"], "MiB", most=PEAK_MIB),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
