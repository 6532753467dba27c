"""How the service answers a request, and how long it takes.

Rules of this room:

- A few milliseconds each, so that a rehearsal is quick; lognormal, with a slow drift of a few
  percent every ten minutes.
- Customers, probes and samples get the same answer: the service does not know who asks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from statistics import NormalDist
from typing import Any

from msgspec import Struct

from hour24.rehearsal.scenario import Scenario

SPREAD = 0.20
"""Standard deviation of the logarithm of a duration."""
SLOW_MS = 650.0
"""Added by the fault slow_endpoint."""
LONGEST_Z = 2.6
"""Random numbers are cut at this many standard deviations."""
BLOCK_S = 600.0
"""Seconds of constant drift."""
_NORMAL = NormalDist()


class Endpoint(Struct, frozen=True):
    """An endpoint of the service: ``ms`` is its median."""

    name: str
    method: str
    path: str
    transaction: str
    ms: float
    target_ms: float


ENDPOINTS: dict[str, Endpoint] = {
    each.name: each
    for each in (
        Endpoint("health", "GET", "/health", "GET /health", 2.5, 100.0),
        Endpoint("calls", "GET", "/api/calls", "GET /api/calls", 6.0, 500.0),
        Endpoint("webhooks", "GET", "/api/webhooks/vapi", "GET /api/webhooks/vapi", 3.5, 200.0),
        Endpoint("assistants", "GET", "/api/assistants", "GET /api/assistants", 8.0, 1000.0),
    )
}
TRANSACTIONS: tuple[tuple[str, float, float], ...] = (
    *((each.transaction, each.ms, 0.12) for each in ENDPOINTS.values()),
    ("POST /api/calls", 41.0, 0.10),
    ("POST /api/webhooks/vapi", 12.0, 0.30),
    ("PATCH /api/assistants/{id}", 28.0, 0.02),
    ("GET /api/calls/{id}", 9.0, 0.05),
    ("GET /api/transcripts/{id}", 33.0, 0.03),
    ("jobs.sync_calls", 120.0, 0.008),
    ("jobs.bill_minutes", 180.0, 0.006),
    ("jobs.purge_recordings", 240.0, 0.006),
)
"""Name, median in ms, share of the requests."""
_BACKGROUND = frozenset({"jobs.sync_calls", "jobs.bill_minutes", "jobs.purge_recordings"})


class ServiceReply(Struct, frozen=True):
    """The service's answer.

    Args:
        status: HTTP status; 0 when it does not answer at all.
        took_ms: time of the service itself.
        body: JSON.
        instance: which one reply.
    """

    status: int
    took_ms: float
    body: dict[str, Any] | None = None
    instance: str = ""


class Service:
    """Computes the service's answers."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._drift = lru_cache(maxsize=4096)(self._drift_of)

    def answer(self, endpoint: str, at: float, number: int) -> ServiceReply:
        """Return the answer to one request.

        Args:
            at: epoch seconds, of the scenario.
            number: distinguishes requests at the same time; also the load balancer's turn.
        """
        scenario = self.scenario
        up = scenario.machines.up(scenario.hour(at))
        if scenario.is_silent(at) or not up or scenario.has_fault("network_down", at):
            return ServiceReply(0, 0.0)
        life = up[number % len(up)]
        took = self.took_ms(endpoint, at, number)
        if endpoint == "health":
            uptime = (scenario.hour(at) - life.start_h) * 3600.0
            status, body = self._health(at, life.instance, uptime)
            return ServiceReply(status, took, body, life.instance)
        fails = (
            ("error_spike", 0.40),
            ("vapi_errors", 0.08 if endpoint == "calls" else 0.0),
            ("database_down", 0.90),
            ("bad_deploy", 0.30),
        )
        for name, share in fails:
            if share and scenario.has_fault(name, at):
                drawn = scenario.random.uniform("answer", name, endpoint, scenario.tick(at), number)
                if drawn < share:
                    return ServiceReply(500, took, {"error": "internal"}, life.instance)
        return ServiceReply(200, took, {"items": [], "endpoint": endpoint}, life.instance)

    def _health(self, at: float, instance: str, uptime: float) -> tuple[int, dict[str, Any]]:
        scenario = self.scenario
        down = scenario.has_fault("database_down", at)
        degraded = down or scenario.has_fault("health_degraded", at)
        shown_at = at - 3 * 3600.0 if scenario.has_fault("bad_timestamp", at) else at
        timestamp = datetime.fromtimestamp(shown_at, UTC).isoformat(timespec="milliseconds")
        return 503 if down else 200, {
            "status": "degraded" if degraded else "ok",
            "database": not degraded,
            "supabase": not down,
            "backgroundJobs": True,
            "timestamp": timestamp.replace("+00:00", "Z"),
            "uptime": round(uptime, 3),
            "instance": instance,
        }

    def took_ms(self, endpoint: str, at: float, number: int) -> float:
        """Return the service's time for one request, ms."""
        random = self.scenario.random
        tick = self.scenario.tick(at)
        median = ENDPOINTS[endpoint].ms * self._drift(endpoint, int(tick // (1000 * BLOCK_S)))
        took = median * math.exp(SPREAD * random.normal("took", endpoint, tick, number))
        if endpoint == "calls" and self.scenario.has_fault("slow_endpoint", at):
            took += SLOW_MS
        return took

    def _drift_of(self, endpoint: str, block: int) -> float:
        return 1.0 + 0.02 * self.scenario.random.normal("drift", endpoint, block)

    def transactions(self, start: float, end: float) -> list[Transaction]:
        """Return every transaction of which Sentry has spans, busiest first."""
        scenario = self.scenario
        hours = (end - start) / 3600.0
        if hours <= 0 or scenario.has_fault("no_traffic", start):
            return []
        middle = (scenario.hour(start) + scenario.hour(end)) / 2
        found = []
        for name, ms, share in TRANSACTIONS:
            count = round(60 * hours * scenario.rate(middle) * share)
            slow = 0.0
            if name == "GET /api/calls":
                slow = self._slow_share("slow_endpoint", start, end)
                pieces = [(1 - slow, ms, 0.0), (slow, ms, SLOW_MS)]
            else:
                if name in _BACKGROUND:
                    slow = self._slow_share("slow_transactions", start, end)
                pieces = [(1 - slow, ms, 0.0), (slow, ms * 18.0, 0.0)]
            found.append(Transaction(name, count, 0.001, tuple(p for p in pieces if p[0] > 0)))
        return sorted(found, key=lambda each: -each.count)

    def _slow_share(self, fault: str, start: float, end: float) -> float:
        inside = self.scenario.since_h(fault, end) - self.scenario.since_h(fault, start)
        return min(1.0, inside * 3600.0 / (end - start))


class Transaction(Struct, frozen=True):
    """Times of one transaction over a window, as a mixture of lognormals.

    Args:
        pieces: (share, median in ms, constant in ms).
    """

    name: str
    count: int
    failure_rate: float
    pieces: Sequence[tuple[float, float, float]]

    def quantile(self, q: float) -> float:
        """Return the quantile in milliseconds; ``q`` from 0 to 1."""
        low, high = 0.0, max(m * math.exp(SPREAD * LONGEST_Z) + c for _, m, c in self.pieces)
        if q >= 1.0:
            return high
        for _ in range(50):
            middle = (low + high) / 2
            passed = sum(share * below(middle - c, m) for share, m, c in self.pieces)
            low, high = (middle, high) if passed < q else (low, middle)
        return high

    def mean(self) -> float:
        """Return the mean in milliseconds."""
        return sum(s * (m * math.exp(SPREAD**2 / 2) + c) for s, m, c in self.pieces)


def below(value: float, median: float) -> float:
    """The share of times of this median that is below ``value``."""
    if value <= 0:
        return 0.0
    return _NORMAL.cdf(math.log(value / median) / SPREAD)
