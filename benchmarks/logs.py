"""How long a window of a large log takes, and how much memory: ``python -m benchmarks.logs [GB]``.

Rules of this module:

- One day of JSON lines and traces in one file, 0.1 % of them errors, written to a temporary folder.
- Each question is asked of a process of its own about the last four hours; memory is that
  process's largest, less what the imports alone take.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

END = datetime(2026, 12, 1, 10, tzinfo=UTC)
HOURS = 24
LINE = (
    '{"time":"2026-01-01T00:00:00.%03dZ","level":"%s","logger":"app.calls","msg":"%s",'
    '"duration_ms":%d,"request":"b3f1c2d4-%04d","tenant":"t-%d"}\n'
)
TRACE = "Traceback (most recent call last):\n  File \"app.py\", line 7, in call\nKeyError: 'x'\n"
QUESTIONS = ("imports alone", "error_lines", "watched_lines", "beats")


def write(path: Path, size: float) -> int:
    """Write a log of this many bytes; return its lines."""
    seconds = HOURS * 3600
    sample = [_second(kind) for kind in range(50)]
    mean = sum(len(each) for each in sample) / len(sample)
    times = max(1, round(size / seconds / mean))
    bodies = [b"".join(sample[(kind + i) % 50] for i in range(times)) for kind in range(50)]
    lines = 0
    begin = END - timedelta(hours=HOURS)
    with path.open("wb") as file:
        for second in range(seconds):
            at = begin + timedelta(seconds=second)
            body = bodies[second % 50]
            file.write(
                body.replace(b"2026-01-01T00:00:00", at.strftime("%Y-%m-%dT%H:%M:%S").encode())
            )
            lines += body.count(b"\n")
    os.utime(path, (END.timestamp(),) * 2)
    return lines


def _second(kind: int) -> bytes:
    """Twenty lines of one second; one second of fifty has an error with its trace."""
    lines = []
    for i in range(20):
        level = "warn" if i == 7 else "info"
        words = (
            "heartbeat worker=dialer" if i == 3 and not kind % 30 else "call answered by the agent"
        )
        lines.append(LINE % (i * 45, level, words, 20 + i, i, kind))
    if kind == 13:
        lines.append(LINE % (950, "error", "cannot reach the agent", 5000, 99, kind) + TRACE)
    return "".join(lines).encode()


def ask(path: Path, question: str) -> dict[str, float]:
    """Return seconds, MiB and things found of one question, in this process."""
    from hour24.clock import SteppingClock
    from hour24.config import Jobs
    from hour24.watch import Window
    from hour24.witnesses.logs import LogsAt
    from hour24.witnesses.logs.source import Logs

    window = Window(END - timedelta(hours=4), END - timedelta(minutes=5))
    source = Logs(LogsAt(file=str(path)), SteppingClock(END), budget_s=900)
    import re2  # noqa: F401  part of what the imports take

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    found = 0
    if question == "error_lines":
        found = len(source.error_lines(window).items)
    elif question == "watched_lines":
        found = source.watched_lines(window).total
    elif question == "beats":
        jobs = Jobs(pattern=r"heartbeat worker=(?P<worker>\w+)")
        found = sum(len(each.times) for each in source.beats(window, jobs).lines)
    took = time.perf_counter() - began
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": took, "mib": (most - before) / 1024, "all_mib": most / 1024, "found": found}


def main() -> None:
    """Write the log, ask each question of a process of its own, print one table."""
    if len(sys.argv) > 2:
        print(json.dumps(ask(Path(sys.argv[1]), sys.argv[2])))
        return
    size = float(sys.argv[1] if len(sys.argv) > 1 else 5.0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "app.log"
        lines = write(path, size * 1e9)
        print(f"{path.stat().st_size / 1e9:.2f} GB, {lines:,} lines, 24 h; asked: the last 4 h\n")
        print("| question | seconds | memory, MiB | found |\n|---|---|---|---|")
        for question in QUESTIONS:
            ran = subprocess.run(
                [sys.executable, "-m", "benchmarks.logs", str(path), question],
                capture_output=True,
                text=True,
                check=True,
            )
            as_answer = json.loads(ran.stdout)
            print(
                f"| {question} | {as_answer['seconds']:.1f} | {as_answer['all_mib']:.0f} "
                f"(+{as_answer['mib']:.0f}) | {as_answer['found']:,.0f} |"
            )


if __name__ == "__main__":
    main()
