"""The system under watch as data: what production.toml and the environment describe.

Rules of this module:

- Fields are named as in production.toml; ``schemas/production.schema.json`` tells their units.
- Secrets are :class:`hour24.secrets.Secret`, which does not print.
- Units stand in the names; ratios are 0 to 1.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from msgspec import Struct

from hour24.classes import IssueClass
from hour24.secrets import Secret
from hour24.witnesses.port import Measure, Witness


class Service(Struct, frozen=True, kw_only=True):
    name: str
    environment: str
    time_zone: str
    control_url: str
    release: str = ""
    launch_at: datetime | None = None
    daily_until: datetime | None = None
    plain_http: tuple[str, ...] = ()


class Health(Struct, frozen=True, kw_only=True):
    """``timestamp``, ``uptime``, ``database``: JSON pointers into the document.

    "" where the document has no such member.
    """

    url: str
    schema: dict[str, Any]
    headers: dict[str, Secret | str] = {}
    timestamp: str = "/timestamp"
    uptime: str = "/uptime"
    instance: str = ""
    database: str = "/database"
    fresh_s: float = 60.0
    timeout_s: float = 10.0
    retry_after_s: float = 30.0
    give_up_after_s: float = 120.0
    interval_s: float = 10.0
    uptime_resolution_s: float = 1.0


LEAST_INTERVAL_S = 0.5
"""Of the health document's probes: at most 2 a second, as of an endpoint."""


class Endpoint(Struct, frozen=True, kw_only=True):
    """``transaction``: the name that spans know it by; ``expect_status``: answered well."""

    name: str
    url: str
    target_ms: float
    method: str = "GET"
    headers: dict[str, Secret | str] = {}
    body: str = ""
    expect_status: tuple[int, ...] = (200,)
    transaction: str = ""
    known_slow: str = ""
    interval_s: float = 30.0
    timeout_s: float = 10.0
    max_per_s: float = 2.0


class WebSocketTarget(Struct, frozen=True, kw_only=True):
    url: str
    headers: dict[str, Secret | str] = {}
    connections: int = 30
    hold_s: float = 60.0
    max_drop_ratio: float = 0.10
    probe_connections: int = 3
    probe_hold_s: float = 300.0
    timeout_s: float = 10.0
    subprotocols: tuple[str, ...] = ()
    ping_every_s: float = 0.0


class Jobs(Struct, frozen=True, kw_only=True):
    """``pattern``: finds a beat in a log line; a named group ``worker`` tells workers apart."""

    pattern: str
    every_s: float = 30.0
    max_gap_s: float = 75.0


class Memory(Struct, frozen=True, kw_only=True):
    """``metric``: ``rss`` (what a platform reports of a container) or ``heap_used``."""

    metric: str = "rss"
    max_share: float = 0.85


class Contact(Struct, frozen=True, kw_only=True):
    role: str
    name: str
    reach: str


class Applies(Struct, frozen=True, kw_only=True):
    """``[criteria.ID]``: whether it applies; of a criterion of one's own, sentence and hours."""

    applies: bool = True
    because: str = ""
    sentence: str = ""
    hours: tuple[int, ...] = ()


class Schedule(Struct, frozen=True, kw_only=True):
    checkpoints: tuple[int, ...] = (0, 4, 8, 12, 16, 20, 24)
    tolerance_s: float = 1800.0
    settle_s: float = 300.0
    source_budget_s: float = 90.0
    latency_samples: int = 30
    latency_per_s: float = 2.0


class Repository(Struct, frozen=True, kw_only=True):
    """Where a rollback by ``git revert`` happens."""

    path: str = "."
    remote: str = "origin"
    branch: str = "main"


class Described(NamedTuple):
    """A witness, and what production.toml says of it: its Struct, or a tuple of them."""

    witness: Witness
    at: Any


class Production(Struct, frozen=True, kw_only=True):
    """The system under watch, as production.toml and the environment describe it.

    ``described``: the witnesses by section, in the order of the file.
    """

    path: str
    service: Service
    health: Health
    endpoints: dict[str, Endpoint] = {}
    websocket: WebSocketTarget | None = None
    jobs: Jobs | None = None
    memory: Memory = Memory()
    described: dict[str, Described] = {}
    normal: tuple[IssueClass, ...] = ()
    critical: tuple[IssueClass, ...] = ()
    contacts: tuple[Contact, ...] = ()
    criteria: dict[str, Applies] = {}
    schedule: Schedule = Schedule()
    repository: Repository = Repository()
    alert_urls: tuple[Secret, ...] = ()
    heartbeat_url: Secret | None = None
    secrets: tuple[Secret, ...] = ()

    @property
    def witnesses(self) -> dict[str, Any]:
        """What production.toml says of each witness, by section."""
        return {section: each.at for section, each in self.described.items()}

    def providing(self, measure: Measure) -> list[Described]:
        """The witnesses that provide a measure, in the order of the file."""
        return [each for each in self.described.values() if measure in each.witness.measures]

    @property
    def health_every_s(self) -> float:
        """Seconds between two of the prober's looks at the health document."""
        return max(LEAST_INTERVAL_S, self.health.interval_s)

    def is_health(self, endpoint: Endpoint) -> bool:
        """Whether it is the health document itself, which the prober does not look at twice."""
        return endpoint.name == "health" and endpoint.url == self.health.url

    def probed_every_s(self, endpoint: Endpoint) -> float:
        """Seconds between two of the prober's requests to it."""
        if self.is_health(endpoint):
            return self.health_every_s
        return max(endpoint.interval_s, 1 / endpoint.max_per_s)
