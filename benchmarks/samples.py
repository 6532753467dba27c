"""A large service in Prometheus: 100 endpoints x 30 pods x 4 h at 15 s, read and judged.

The engine is a server that makes its answers as it is asked, in Prometheus' form, so that what is
measured is hour24: requests, reading, buckets, verdicts, memory.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.figures import Figure, tell
from tests.answering import Answer, Asked, Server

EVERY_S = 15.0
END = 1_796_014_800.0
HOURS = 4
BOUNDS = ("0.1", "0.25", "0.5", "+Inf")
SHARES = {"0.1": 0.9, "0.25": 0.97, "0.5": 0.999, "+Inf": 1.0}


def serve(endpoints: int, pods: int, ready: multiprocessing.queues.Queue[str]) -> None:
    """Answer until killed."""
    started = f'"{END - 90_000:.0f}"'

    def named(name: str, pod: int, **labels: str) -> dict[str, str]:
        return {"__name__": name, "job": "api", "instance": f"pod-{pod}", **labels}

    def selected(match: str) -> list[tuple[dict[str, str], float]]:
        """Labels, and how many a scrape it counts; 0: it stays 1."""
        name = match.partition("{")[0]
        if name in ("up", "process_start_time_seconds"):
            return [(named(name, pod), 0.0) for pod in range(pods)]
        if name == "http_requests_total":
            return [
                (named(name, pod, code="200", handler=f"/r{route}"), 1.0)
                for pod in range(pods)
                for route in range(endpoints)
            ]
        chosen = re.search(r'le(=~|=)"([^"]*)"', match)
        text = chosen[2].replace("\\\\", "\\") if chosen else ".*"
        pattern = re.compile(re.escape(text) if chosen and chosen[1] == "=" else text)
        les = [le for le in BOUNDS if pattern.fullmatch(le)]
        return [
            (named(name, pod, handler=f"/r{route}", le=le), SHARES[le])
            for pod in range(pods)
            for route in range(endpoints)
            for le in les
        ]

    def answer(asked: Asked) -> Answer:
        path, query = urlsplit(asked.path).path, parse_qs(urlsplit(asked.path).query)
        if path.endswith("/series"):
            data = json.dumps([labels for labels, _ in selected(query["match[]"][0])])
        elif path.endswith("/values"):
            data = json.dumps(BOUNDS)
        elif path.endswith("/metadata"):
            data = "{}"
        elif query["query"] == ["time()"]:
            data = f'{{"resultType":"scalar","result":[{END},"{END + 300}"]}}'
        else:
            match, _, length = query["query"][0].rpartition("[")
            end = float(query["time"][0])
            first = int((end - float(length.rstrip("ms]")) / 1000) // EVERY_S) + 1
            scrapes = range(first, int(end // EVERY_S) + 1)
            cached: dict[float, str] = {}
            parts = []
            for labels, each in selected(match):
                if each not in cached:
                    cached[each] = ",".join(
                        f'[{i * EVERY_S:.3f},"{int((i - 119_000_000) * each)}"]' for i in scrapes
                    )
                values = cached[each]
                if not each:
                    text = started if labels["__name__"].startswith("process") else '"1"'
                    values = ",".join(f"[{i * EVERY_S:.3f},{text}]" for i in scrapes)
                parts.append(f'{{"metric":{json.dumps(labels)},"values":[{values}]}}')
            data = f'{{"resultType":"matrix","result":[{",".join(parts)}]}}'
        return Answer(body=f'{{"status":"success","data":{data}}}'.encode())

    server = Server(answer)
    ready.put(server.url)
    time.sleep(3600)


def main() -> int:
    """Return 0; 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the endpoints")
    options = parser.parse_args()
    endpoints, pods = (10 if options.quick else 100), 30
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    engine = context.Process(target=serve, args=(endpoints, pods, ready), daemon=True)
    engine.start()
    url = ready.get(timeout=60)
    try:
        figures = measured(url, endpoints)
    finally:
        engine.kill()
    return tell(figures)


def measured(url: str, count: int) -> list[Figure]:
    """What it took."""
    from hour24.clock import SteppingClock
    from hour24.config import Endpoint
    from hour24.objectives.latency.target import QuantileBelow
    from hour24.objectives.rates import RateBelow
    from hour24.watch import Window
    from hour24.witnesses.prometheus import PrometheusAt
    from hour24.witnesses.prometheus.source import Prometheus

    end = datetime.fromtimestamp(END, UTC)
    window = Window(end - timedelta(hours=HOURS), end)
    at = PrometheusAt(url=url, preset="prometheus-client", labels={"job": "api"})
    endpoints = {
        f"r{n}": Endpoint(name=f"r{n}", url=f"http://x/r{n}", target_ms=500.0) for n in range(count)
    }
    begun = time.perf_counter()
    # a lane each, one after the other here; a checkpoint runs them side by side
    counts = Prometheus(at, SteppingClock(end + timedelta(minutes=5))).responses(window)
    first = time.perf_counter()
    times = Prometheus(at, SteppingClock(end + timedelta(minutes=5))).server_times(
        window, endpoints
    )
    second = time.perf_counter()
    RateBelow(limit=0.01).judge({"platform": counts})
    for answer in times.values():
        QuantileBelow(target_ms=500.0, q=0.99).judge({"spans": answer})
    assert counts.total == count * 30 * HOURS * 240, counts.total
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        Figure("responses by status", first - begun, "s", most=90),
        Figure("shares above every target", second - first, "s", most=90),
        Figure("memory of the process", peak, "MiB", most=250),
    ]


if __name__ == "__main__":
    sys.exit(main())
