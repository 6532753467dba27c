"""Samples how long each endpoint takes to answer, in a separate process.

Rules of this module:

- Open-loop: each request is sent when it is due, whatever happened to earlier ones, and its
  latency counts from its due time (Tene's coordinated omission). How late it was sent is recorded.
- Sampler and prober together send an endpoint at most ``max_per_s``; the prober's share comes
  first. If too little is left to take all samples in time, fewer are taken.
- The sampler runs in its own process, because other threads would distort what it measures. Its
  plan arrives on standard input, secrets included, and never on the command line.
- Connections are opened beforehand; the shortest connection time is the round trip.
- A request without a good answer is censored: longer than any sample. 429 is not a sample, and
  neither are 401 and 403, which are about our credential.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import hour24
from hour24.asking.exchange import Address, ConnectionPool, Exchange, Request
from hour24.asking.workers import Timetable, Workers
from hour24.clock import Clock
from hour24.config import Endpoint, Production
from hour24.errors import SourceMisread, SourceTimeout
from hour24.evidence import Attempt, Block, Distribution, Question
from hour24.histogram import count_values
from hour24.secrets import Secret
from hour24.shipped import IMPORTED_FROM

START_S = 20.0
"""Allowed for starting the process, also on a busy machine."""
LEAST_READY, MOST_READY = 2, 32
"""Connections opened beforehand: one spare at least; more than 32 would look like a flood."""
OPEN_S = 5.0
"""Within this time they open, or sampling starts without them."""
SETTLE_S = 0.1
"""Pause after opening, so that opening does not delay the first samples."""
MOST_LATE_MS = 250.0
"""A request sent later than this measures our machine more than the endpoint."""
REFUSALS = (401, 403)


class Pace(NamedTuple):
    """How an endpoint is sampled: requests a second, and how many in all."""

    per_s: float
    samples: int


def paces(production: Production) -> dict[str, Pace]:
    """Return the pace of each endpoint's samples: ``max_per_s`` less what one prober sends.

    No samples, where the prober needs all of it.
    """
    plan = production.schedule
    room_s = max(plan.source_budget_s, plan.latency_samples / plan.latency_per_s)
    found = {}
    for name, endpoint in production.endpoints.items():
        left = endpoint.max_per_s - 1 / production.probed_every_s(endpoint)
        per_s = max(0.0, min(plan.latency_per_s, left))
        found[name] = Pace(per_s, min(plan.latency_samples, int(per_s * room_s + 1e-6)))
    return found


class Sampler:
    """Samples the latency of several endpoints at the same time.

    Args:
        paces: one for each endpoint, with at least one sample.
    """

    def __init__(
        self, endpoints: Mapping[str, Endpoint], clock: Clock, paces: Mapping[str, Pace]
    ) -> None:
        self.endpoints = endpoints
        self.clock = clock
        self.paces = paces

    def latencies(self) -> dict[str, Distribution]:
        """Return every endpoint's latencies, from due time to answer, in milliseconds.

        Raises: SourceTimeout, when the sampler does not end in time; SourceMisread, when it fails.
        """
        if not self.endpoints:
            return {}
        at = self.clock.now()
        slowest = max(endpoint.timeout_s for endpoint in self.endpoints.values())
        longest = max(self.paces[name].samples / self.paces[name].per_s for name in self.endpoints)
        limit_s = longest + 2 * slowest + START_S
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "hour24.sources.latency"],
                input=json.dumps(self._plan()),
                capture_output=True,
                text=True,
                timeout=limit_s,
                cwd=IMPORTED_FROM,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SourceTimeout(f"latency: sampler: no end within {limit_s:.0f} s") from None
        if ended.returncode != 0:
            last = ended.stderr.strip().splitlines()[-1:] or ["no message"]
            raise SourceMisread(f"latency: sampler: expected figures, got {last[0][:200]}")
        figures = json.loads(ended.stdout)
        return {
            name: self._distribution(name, endpoint, figures[name], at)
            for name, endpoint in self.endpoints.items()
        }

    def _plan(self) -> dict[str, Any]:
        return {
            "endpoints": {
                name: {
                    "per_s": self.paces[name].per_s,
                    "samples": self.paces[name].samples,
                    "url": endpoint.url,
                    "method": endpoint.method,
                    "headers": _headers(endpoint),
                    "body": endpoint.body,
                    "expect": endpoint.expect_status,
                    "timeout_s": endpoint.timeout_s,
                    "ready": _ready(endpoint, self.paces[name].per_s),
                }
                for name, endpoint in self.endpoints.items()
            },
        }

    def _late_ms(self, endpoint: Endpoint) -> float:
        """Return the tolerated delay: half the interval (at most 250 ms) or 10 % of the target."""
        half_ms = min(500 / self.paces[endpoint.name].per_s, MOST_LATE_MS)
        return max(half_ms, endpoint.target_ms / 10)

    def _distribution(
        self, name: str, endpoint: Endpoint, figures: Mapping[str, Any], at: Any
    ) -> Distribution:
        per_s, samples = self.paces[name]
        values: list[float] = figures["ms"]
        bad = sum(figures["bad"].values())
        refused = sum(figures["refused"].values())
        notes = [f"{n} x {why}" for why, n in sorted(figures["bad"].items())]
        notes += [f"{n} x {why}, no samples" for why, n in sorted(figures["refused"].items())]
        notes += [f"{figures['limited']} answered 429, no samples"] if figures["limited"] else []
        counts = {str(index): n for index, n in sorted(count_values(values).items())}
        block = Block(at.timestamp(), samples / per_s, counts)
        result = f"{len(values)} good, {bad} bad, {refused} refused, {figures['limited']} limited"
        return Distribution(
            question=Question(
                source="latency",
                asked=f"{endpoint.method} {Address(endpoint.url).shown}, {samples} times, "
                f"{per_s:.4g} a second",
                at=at,
                attempts=(Attempt(at=at, took_ms=figures["took_ms"], result=result),),
            ),
            basis="sample",
            note="; ".join(notes),
            unit="ms",
            blocks=(block,) if counts else (),
            censored=bad,
            bad=figures["bad"],
            refused=refused,
            limited=figures["limited"],
            sent_late=sum(late > self._late_ms(endpoint) for late in figures["late_ms"]),
            round_trip_ms=figures["round_trip_ms"],
        )


def _ready(endpoint: Endpoint, per_s: float) -> int:
    """Return how many connections to open beforehand: those in use at a time, and one spare."""
    in_flight = per_s * endpoint.target_ms / 1000
    return max(LEAST_READY, min(MOST_READY, math.ceil(in_flight) + 1))


def _headers(endpoint: Endpoint) -> dict[str, str]:
    headers = {
        "User-Agent": f"hour24/{hour24.__version__} (latency)",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
    }
    for name, value in endpoint.headers.items():
        headers[name] = value.reveal() if isinstance(value, Secret) else value
    return headers


# --- the sampler's own process ----------------------------------------------------------------


class _Series:
    """The requests to one endpoint."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self.plan = plan
        self.pool = ConnectionPool(Address(plan["url"]))
        self.request = Request(plan["method"], plan["headers"], plan["body"].encode())
        self.exchanges: list[Exchange] = []

    def send(self, table: Timetable, workers: Workers, due: float) -> None:
        timeout_s = self.plan["timeout_s"]
        exchange = self.pool.exchange(self.request, due, timeout_s)
        self.exchanges.append(exchange)
        if workers.do(exchange.send):
            table.at(due + timeout_s, exchange.expire)

    @property
    def ended(self) -> int:
        """The number of requests that have their reply."""
        return sum(exchange.reply is not None for exchange in list(self.exchanges))

    def figures(self) -> dict[str, Any]:
        expect = self.plan["expect"]
        replies = [exchange.expire() for exchange in self.exchanges]
        ms: list[float] = []
        bad: dict[str, int] = {}
        refused: dict[str, int] = {}
        limited = 0
        for reply in replies:
            if reply.status == 429 and 429 not in expect:
                limited += 1
            elif reply.status in expect or (not expect and 200 <= reply.status < 300):
                ms.append(round(reply.took_ms, 3))
            else:
                why = str(reply.status) if reply.status else reply.reason
                ended = refused if reply.status in REFUSALS else bad
                ended[why] = ended.get(why, 0) + 1
        return {
            "ms": ms,
            "bad": bad,
            "refused": refused,
            "limited": limited,
            "late_ms": [round(reply.late_ms, 3) for reply in replies],
            "round_trip_ms": round(self.pool.round_trip_ms(), 3),
        }


def sample(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out the plan; return the figures of each endpoint."""
    begun = time.perf_counter()
    table, workers = Timetable(), Workers()
    series = {name: _Series(each) for name, each in plan["endpoints"].items()}
    openers = [
        threading.Thread(target=each.pool.prepare, args=(each.plan["timeout_s"],), daemon=True)
        for each in series.values()
        for _ in range(each.plan["ready"])
    ]
    for opener in openers:
        opener.start()
    until = time.perf_counter() + OPEN_S
    for opener in openers:
        opener.join(max(0.0, until - time.perf_counter()))
    start = time.perf_counter() + SETTLE_S
    for number, each in enumerate(series.values()):
        step = 1 / each.plan["per_s"]
        for i in range(each.plan["samples"]):
            due = start + (i + number / len(series)) * step
            table.at(due, partial(each.send, table, workers, due))
    threading.Thread(target=_end, args=(table, series), daemon=True).start()
    table.run()
    took_ms = round((time.perf_counter() - begun) * 1000, 1)
    return {name: {**each.figures(), "took_ms": took_ms} for name, each in series.items()}


def _end(table: Timetable, series: Mapping[str, _Series]) -> None:
    """End the timetable when all replies are there, not when all timeouts have passed."""
    while any(each.ended < each.plan["samples"] for each in series.values()):
        time.sleep(0.02)
    table.end()


def main() -> None:
    """Read a plan, sample, write the figures."""
    json.dump(sample(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
