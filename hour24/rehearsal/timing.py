"""How long things take, and how the service answers a request.

Rules of this room:

- A few milliseconds each, so that a rehearsal is quick; lognormal, with a slow drift of a few
  percent from one ten minutes to the next.
- The same answer for a customer, a probe and a sample: the service does not know who asks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from statistics import NormalDist
from typing import Any

from msgspec import Struct

from hour24.rehearsal.story import Story

SPREAD = 0.20
SLOW_MS = 650.0
LONGEST_Z = 2.6
BLOCK_S = 600.0
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


class Answered(Struct, frozen=True):
    """How the service answers.

    Args:
        status: HTTP status; 0 when it does not answer at all.
        took_ms: of its own work.
        body: JSON.
        instance: who answered.
    """

    status: int
    took_ms: float
    body: dict[str, Any] | None = None
    instance: str = ""


class Service:
    """The service's answers."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self._drift = lru_cache(maxsize=4096)(self._drift_of)

    def answer(self, endpoint: str, at: float, number: int) -> Answered:
        """The answer to one request.

        Args:
            at: epoch seconds, of the story.
            number: tells requests at one moment apart; a load balancer's turn, too.
        """
        story = self.story
        up = story.machines.up(story.hour(at))
        if story.silent(at) or not up or story.now("network_down", at):
            return Answered(0, 0.0)
        life = up[number % len(up)]
        took = self.took_ms(endpoint, at, number)
        if endpoint == "health":
            uptime = (story.hour(at) - life.start_h) * 3600.0
            status, body = self._health(at, life.instance, uptime)
            return Answered(status, took, body, life.instance)
        fails = (
            ("error_spike", 0.40),
            ("vapi_errors", 0.08 if endpoint == "calls" else 0.0),
            ("database_down", 0.90),
            ("bad_deploy", 0.30),
        )
        for name, share in fails:
            if share and story.now(name, at):
                drawn = story.chance.uniform("answer", name, endpoint, story.tick(at), number)
                if drawn < share:
                    return Answered(500, took, {"error": "internal"}, life.instance)
        return Answered(200, took, {"items": [], "endpoint": endpoint}, life.instance)

    def _health(self, at: float, instance: str, uptime: float) -> tuple[int, dict[str, Any]]:
        story = self.story
        down = story.now("database_down", at)
        degraded = down or story.now("health_degraded", at)
        told = at - 3 * 3600.0 if story.now("bad_timestamp", at) else at
        moment = datetime.fromtimestamp(told, UTC).isoformat(timespec="milliseconds")
        return 503 if down else 200, {
            "status": "degraded" if degraded else "ok",
            "database": not degraded,
            "supabase": not down,
            "backgroundJobs": True,
            "timestamp": moment.replace("+00:00", "Z"),
            "uptime": round(uptime, 3),
            "instance": instance,
        }

    def took_ms(self, endpoint: str, at: float, number: int) -> float:
        """The service's own time for one request, ms."""
        chance = self.story.chance
        tick = self.story.tick(at)
        median = ENDPOINTS[endpoint].ms * self._drift(endpoint, int(tick // (1000 * BLOCK_S)))
        took = median * math.exp(SPREAD * chance.normal("took", endpoint, tick, number))
        if endpoint == "calls" and self.story.now("slow_endpoint", at):
            took += SLOW_MS
        return took

    def _drift_of(self, endpoint: str, block: int) -> float:
        return 1.0 + 0.02 * self.story.chance.normal("drift", endpoint, block)

    def transactions(self, start: float, end: float) -> list[Transaction]:
        """Every transaction that Sentry has spans of, busiest first."""
        story = self.story
        hours = (end - start) / 3600.0
        if hours <= 0 or story.now("no_traffic", start):
            return []
        middle = (story.hour(start) + story.hour(end)) / 2
        found = []
        for name, ms, share in TRANSACTIONS:
            count = round(60 * hours * story.rate(middle) * share)
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
        inside = self.story.since_h(fault, end) - self.story.since_h(fault, start)
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
        """Milliseconds; ``q`` 0 to 1."""
        low, high = 0.0, max(m * math.exp(SPREAD * LONGEST_Z) + c for _, m, c in self.pieces)
        if q >= 1.0:
            return high
        for _ in range(50):
            middle = (low + high) / 2
            below = sum(share * self._below(middle - c, m) for share, m, c in self.pieces)
            low, high = (middle, high) if below < q else (low, middle)
        return high

    def mean(self) -> float:
        """Milliseconds."""
        return sum(s * (m * math.exp(SPREAD**2 / 2) + c) for s, m, c in self.pieces)

    def _below(self, value: float, median: float) -> float:
        if value <= 0:
            return 0.0
        return _NORMAL.cdf(math.log(value / median) / SPREAD)
