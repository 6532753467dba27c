"""How long the redaction of 10,000 log lines takes, in which no secret stands.

    python benchmarks/redaction.py [--lines 10000]

As one evidence, and line by line; processor seconds of the fastest of five.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import Figure, load, tell  # noqa: E402  in the same folder, not installed
from hour24.secrets.redactor import Redactor  # noqa: E402

MOST_S = 0.5
SECRETS = (
    ("TOKEN", "sntrys_A+b/9c<D>e&f=0123456789"),
    ("DATABASE", "postgresql://voice:p4ss%2Fw0rd-of-tar@db.example.org:5432/postgres"),
    ("KEY", "rnd_k3yWq8Zt5Lm2Np7Rb4Vx"),
    ("DSN", "https://0a1b2c3d4e5f60718293a4b5c6d7e8f9@o1.ingest.example.com/4505000000000001"),
)


def lines(count: int) -> Iterator[str]:
    """Beats, access logs, JSON with identifiers, errors, warnings; the same in every run."""
    rng = random.Random(1)
    for n in range(count):
        trace, span = rng.getrandbits(128), rng.getrandbits(64)
        yield rng.choice(
            (
                f"INFO heartbeat worker=calls slot {n}",
                f'10.0.0.{n % 255} - "GET /api/v1/calls/{n} HTTP/1.1" 200 {n * 7} "Mozilla/5.0"',
                f'{{"level":"error","pid":{n},"msg":"timeout","requestId":"{trace:032x}"}}',
                f"ERROR calls: no answer: timeout={n} attempt=3 id={span:016x}",
                f"WARN pool: {n} of 20 connections are busy",
            )
        )


def fastest(call: Callable[[], object]) -> float:
    """Processor seconds of the fastest of five."""
    took = []
    for _ in range(5):
        began = time.process_time()
        call()
        took.append(time.process_time() - began)
    return min(took)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=10_000)
    count = parser.parse_args().lines
    redactor, text = Redactor(SECRETS), list(lines(count))
    items = [{"id": str(n), "at": 1.7e9 + n, "message": each} for n, each in enumerate(text)]
    whole = fastest(lambda: redactor.plain({"items": items}))
    each = fastest(lambda: [redactor.text(line) for line in text])
    return tell(
        [
            load(),
            Figure(f"{count:,} log lines redacted as one evidence", whole, "s", most=MOST_S),
            Figure(f"{count:,} log lines redacted one by one", each, "s", most=MOST_S),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
