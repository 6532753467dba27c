"""The prober at work: how punctual at 100 probes a second, how cheap with the default plan.

    python benchmarks/prober.py [--seconds 60] [--endpoints 1000]

A server in a process of its own writes down when each request arrived; it and the prober share
the machine's clock, so a request's arrival less its slot is how late it was sent (and the
loopback's few hundredths of a millisecond). The prober is held to one core for the punctuality.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import Figure, load, tell  # noqa: E402  in the same folder, not installed

KEPT = 0.99
LATE_MS = 20.0
CORE_PERCENT = 2.0
PEAK_MIB = 80.0
SCHEMA = {
    "type": "object",
    "required": ["status", "database", "uptime"],
    "properties": {
        "status": {"const": "ok"},
        "database": {"const": True},
        "timestamp": {"type": "string"},
        "uptime": {"type": "number"},
    },
}


def serve() -> None:
    """HTTP and WebSocket on loopback; at its end, the arrivals by path."""
    import asyncio

    from websockets.asyncio.server import serve as serve_sockets

    arrivals: dict[str, list[float]] = {}
    body = json.dumps({"status": "ok", "database": True, "timestamp": "now", "uptime": 77.7})
    answer = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        f"{body}"
    ).encode()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            arrivals.setdefault(head.split(None, 2)[1].decode(), []).append(time.time())
            writer.write(answer)

    async def hold(connection: object) -> None:
        async for _ in connection:  # type: ignore[attr-defined]
            pass

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    async def run() -> None:
        http = await asyncio.start_server(quiet, "127.0.0.1", 0)
        sockets = await serve_sockets(hold, "127.0.0.1", 0)
        ports = [each.sockets[0].getsockname()[1] for each in (http, sockets)]
        print(json.dumps(ports), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        print(json.dumps(arrivals), flush=True)
        os._exit(0)

    asyncio.run(run())


def probe(http: int, sockets: int, folder: str, endpoints: int, interval_s: float) -> int:
    """A prober as `python -m hour24 probe` runs it."""
    from hour24.config import Endpoint, Health, Production, Service, WebSocketTarget
    from hour24.prober import run_probe
    from hour24.watch import Watch

    url = f"http://127.0.0.1:{http}"
    production = Production(
        path="production.toml",
        service=Service(
            name="bench", environment="bench", time_zone="UTC", control_url=f"{url}/control"
        ),
        health=Health(url=f"{url}/health", schema=SCHEMA),
        endpoints={
            f"e{n:03d}": Endpoint(
                name=f"e{n:03d}", url=f"{url}/e{n:03d}", target_ms=500, interval_s=interval_s
            )
            for n in range(endpoints)
        },
        websocket=WebSocketTarget(url=f"ws://127.0.0.1:{sockets}/ws"),
    )
    watch = Watch(name="bench", t0=datetime.now(UTC) - timedelta(hours=1))
    return run_probe(production, watch, Path(folder))


def run(endpoints: int, interval_s: float, seconds: float, one_core: bool) -> dict[str, float]:
    """Probe for some seconds. Returns: lateness quantiles in ms, share of a core, MiB."""
    import psutil

    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, __file__, "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as server,
    ):
        assert server.stdout is not None
        http, sockets = json.loads(server.stdout.readline())
        words = [str(each) for each in (http, sockets, folder, endpoints, interval_s)]
        with subprocess.Popen(
            [sys.executable, __file__, "--probe", *words], stdout=subprocess.DEVNULL
        ) as prober:
            if one_core and hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(prober.pid, {max(os.sched_getaffinity(0))})
            process = psutil.Process(prober.pid)
            time.sleep(5)  # what starting costs is not what running costs
            before, begun = process.cpu_times(), time.perf_counter()
            most = 0
            while time.perf_counter() - begun < seconds:
                time.sleep(min(1.0, seconds))
                most = max(most, process.memory_info().rss)
            after, took = process.cpu_times(), time.perf_counter() - begun
            prober.send_signal(signal.SIGTERM)
        arrivals = json.loads(server.communicate("")[0])
    from hour24.prober.plan import phase_s

    probed = {path: moments for path, moments in arrivals.items() if path.startswith("/e")}
    late = sorted(
        ((at - phase_s(path[1:], interval_s) + interval_s / 2) % interval_s - interval_s / 2) * 1000
        for path, moments in probed.items()
        for at in moments
    )
    spans = [max(moments) - min(moments) for moments in probed.values()]
    used = after.user + after.system - before.user - before.system
    return {
        "probes": len(late),
        "due": sum(round(each / interval_s) + 1 for each in spans),
        "p50": late[len(late) // 2],
        "p99": late[int(0.99 * len(late))],
        "max": late[-1],
        "core": 100 * used / took,
        "MiB": most / 2**20,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--endpoints", type=int, default=0, help="only these, every second, on one core"
    )
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--probe", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
    if options.probe:
        http, sockets, folder, endpoints, interval_s = options.probe
        return probe(int(http), int(sockets), folder, int(endpoints), float(interval_s))
    if options.endpoints:
        many = run(options.endpoints, interval_s=1.0, seconds=options.seconds, one_core=True)
        each_s = f"{options.endpoints:,} a second on one core"
        return tell(
            [
                load(),
                Figure(f"probes sent, {each_s}", many["probes"], ""),
                Figure("share of them, of those due", many["probes"] / many["due"], "", least=KEPT),
                Figure("how late they were sent, median", many["p50"], "ms"),
                Figure("how late they were sent, p99", many["p99"], "ms", most=LATE_MS),
                Figure("how late they were sent, at most", many["max"], "ms"),
                Figure("core used", many["core"], "%"),
                Figure("memory", many["MiB"], "MiB"),
            ]
        )
    busy = run(endpoints=100, interval_s=1.0, seconds=options.seconds, one_core=True)
    usual = run(endpoints=4, interval_s=30.0, seconds=options.seconds, one_core=False)
    return tell(
        [
            load(),
            Figure("probes sent, 100 a second on one core", busy["probes"], ""),
            Figure("share of them, of those due", busy["probes"] / busy["due"], "", least=KEPT),
            Figure("how late they were sent, median", busy["p50"], "ms"),
            Figure("how late they were sent, p99", busy["p99"], "ms", most=LATE_MS),
            Figure("how late they were sent, at most", busy["max"], "ms"),
            Figure("core used, 100 probes a second", busy["core"], "%"),
            Figure("memory, 100 probes a second", busy["MiB"], "MiB"),
            Figure("core used, default plan", usual["core"], "%", most=CORE_PERCENT),
            Figure("memory, default plan", usual["MiB"], "MiB", most=PEAK_MIB),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
