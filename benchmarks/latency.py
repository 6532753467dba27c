"""How closely the latency sampler agrees with the server's own timing, alone and disturbed.

    python benchmarks/latency.py [--samples 300]

A server in a process of its own answers after some milliseconds and writes down how long each
answer really took it. The sampler is asked twice: while this process idles, and while three of
its threads are busy, as the other sources of a checkpoint are. Prints how far median and p99 of
the two sides are apart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import Figure, load, tell  # noqa: E402  in the same folder, not installed

LIMITS = {"median": 4.0, "p99": 10.0}
SERVICE_S = {"health": 0.0005, "calls": 0.005, "webhooks": 0.002, "assistants": 0.02}


def serve() -> None:
    """Answers on loopback; at its end, the milliseconds each answer took, by path."""
    took: dict[str, list[float]] = {}
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                name = (await reader.readuntil(b"\r\n\r\n")).split(None, 2)[1].decode()[1:]
                begun = time.perf_counter()
                await asyncio.sleep(SERVICE_S[name])
                writer.write(answer)
                took.setdefault(name, []).append((time.perf_counter() - begun) * 1000)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        print(json.dumps(took), flush=True)
        os._exit(0)

    asyncio.run(run())


def compare(samples: int, busy_threads: int) -> dict[str, tuple[float, ...]]:
    """Endpoint -> the server's median and p99, and the sampler's, in milliseconds."""
    from hour24 import histogram
    from hour24.clock import SteppingClock
    from hour24.config import Endpoint
    from hour24.sources.latency import Pace, Sampler

    ended = threading.Event()
    heavy = json.dumps([{"id": number, "text": "x" * 30} for number in range(50_000)])

    def busy() -> None:
        while not ended.is_set():
            json.loads(heavy)

    for _ in range(busy_threads):
        threading.Thread(target=busy, daemon=True).start()
    with subprocess.Popen(
        [sys.executable, __file__, "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        endpoints = {
            name: Endpoint(name=name, url=f"{url}/{name}", target_ms=500) for name in SERVICE_S
        }
        clock = SteppingClock(datetime(2026, 11, 24, 6, tzinfo=UTC))
        paces = dict.fromkeys(endpoints, Pace(100, samples))
        result = Sampler(endpoints, clock, paces).latencies()
        ended.set()
        took = json.loads(server.communicate("")[0])
    figures = {}
    for name, distribution in result.items():
        own = sorted(took[name])
        counts = distribution.merged()
        figures[name] = (
            own[len(own) // 2],
            own[int(0.99 * len(own))],
            histogram.quantile(counts, 0.5),
            histogram.quantile(counts, 0.99),
        )
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
    figures = [load()]
    for threads in (0, 3):
        for name, (own50, own99, seen50, seen99) in compare(options.samples, threads).items():
            for which, own, seen in (("median", own50, seen50), ("p99", own99, seen99)):
                result = (
                    f"{name}, {threads} busy threads: {which} is {own:.2f}, the sampler's less it"
                )
                figures.append(Figure(result, abs(seen - own), "ms", most=LIMITS[which]))
    return tell(figures)


if __name__ == "__main__":
    sys.exit(main())
