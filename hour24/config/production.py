"""Production as data: what production.toml and the environment describe.

Rules of this module:

- Fields are named as in production.toml; their Meta has title, unit and bounds, and
  ``schemas/production.schema.json`` is generated from them.
- Secrets are :class:`hour24.secrets.Secret`, which does not print.
- The service itself is in :mod:`hour24.config.service`.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct

from hour24.classes import IssueClass
from hour24.config.service import (
    LEAST_INTERVAL_S,
    Endpoint,
    Health,
    Jobs,
    Memory,
    Process,
    Service,
    Tls,
    WebSocketTarget,
)
from hour24.secrets import Secret
from hour24.witnesses.port import INSTEAD, Measure, Witness

GitName = Annotated[
    str, Meta(title="a name as git allows", pattern="^[A-Za-z0-9_][A-Za-z0-9._/-]*$")
]


class Contact(Struct, frozen=True, kw_only=True):
    role: Annotated[str, Meta(description="Such as tech lead, devops, on call.", pattern=r"\S")]
    name: Annotated[str, Meta(description="A person.", title="a person's name", pattern=r"\S")]
    reach: Annotated[
        str,
        Meta(description="Telephone, chat or mail.", title="a way to reach them", pattern=r"\S"),
    ]


class Alerts(Struct, frozen=True, kw_only=True):
    reminders: Annotated[
        int,
        Meta(
            description="Reminders of an alert that goes on, one a checkpoint; the last one says "
            "that no more follow. A new failure is always sent.",
            ge=0,
            le=100,
        ),
    ] = 3
    quiet: Annotated[
        str,
        Meta(
            description="Hours in which reminders, recoveries and what is INCONCLUSIVE wait, such "
            "as 22:00-07:00, in service.time_zone. A new FAIL is sent at once. Empty: none.",
            title="two times such as 22:00-07:00",
            pattern="^(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?$",
        ),
    ] = ""


class Applies(Struct, frozen=True, kw_only=True):
    """``[criteria.ID]``: whether it applies and counts; for a custom criterion, sentence, hours."""

    applies: Annotated[bool, Meta(description="false disables a criterion; it needs because.")] = (
        True
    )
    advisory: Annotated[
        bool,
        Meta(
            description="true: measured and shown apart, never counted; it needs because. Only "
            "for the check of certificates and for your own, and fixed when the watch begins."
        ),
    ] = False
    because: Annotated[
        str,
        Meta(
            description="Why it does not apply, or does not count. Shown on every page.",
            title="a reason",
            pattern=r"\S",
        ),
    ] = ""
    sentence: Annotated[
        str,
        Meta(
            description="For your own criterion: what must be true.",
            title="a sentence",
            pattern=r"\S",
        ),
    ] = ""
    hours: Annotated[
        tuple[Annotated[int, Meta(description="An hour.", ge=0, le=24)], ...],
        Meta(
            description="For your own criterion: checkpoints at which it is due, in hours "
            "after T0.",
            title="a list of hours",
            min_length=1,
            extra_json_schema={"uniqueItems": True},
        ),
    ] = ()


class Schedule(Struct, frozen=True, kw_only=True):
    checkpoints: Annotated[
        tuple[
            Annotated[
                int,
                Meta(
                    extra_json_schema={"enum": [0, 4, 8, 12, 16, 20, 24]},
                    description="An hour.",
                    title="one of 0, 4, 8, 12, 16, 20, 24",
                ),
            ],
            ...,
        ],
        Meta(
            description="Hours after T0, ascending, the first one 0.",
            title="a list of hours",
            min_length=1,
        ),
    ] = (0, 4, 8, 12, 16, 20, 24)
    tolerance_s: Annotated[
        float,
        Meta(
            description="Seconds after which it is too late for what can only be measured on time.",
            gt=0,
            le=7200,
        ),
    ] = 1800.0
    settle_s: Annotated[
        float,
        Meta(
            description="Seconds by which logs and error events arrive late; their windows are "
            "shifted back by it.",
            ge=0,
            le=3600,
        ),
    ] = 300.0
    source_budget_s: Annotated[
        float, Meta(description="Seconds a source may take in total.", gt=0, le=900)
    ] = 90.0
    latency_samples: Annotated[
        int,
        Meta(description="Requests the sampler sends to each endpoint at hour 0.", ge=1, le=10000),
    ] = 30
    latency_per_s: Annotated[
        float,
        Meta(
            description="Most requests a second it sends to an endpoint; fewer if max_per_s "
            "leaves fewer next to the prober.",
            gt=0,
            le=1000,
        ),
    ] = 2.0


class Without(Struct, frozen=True, kw_only=True):
    """``[without]``: sources that the service does not have."""

    sources: Annotated[
        tuple[
            Annotated[
                str,
                Meta(
                    description="A section of this file.",
                    title="the name of a section",
                    pattern=r"^[a-z][a-z0-9_]*$",
                ),
            ],
            ...,
        ],
        Meta(
            description="Sections that are not described; what cannot be judged without them does "
            "not apply.",
            title="a list of sections",
            min_length=1,
        ),
    ]
    because: Annotated[
        str,
        Meta(
            description="Why the service has none of them. Shown on every page.",
            title="a reason",
            pattern=r"\S",
        ),
    ]


class Repository(Struct, frozen=True, kw_only=True):
    """The clone for a rollback by ``git revert``."""

    path: Annotated[str, Meta(description="Path of the clone.", pattern=r"\S")] = "."
    remote: Annotated[GitName, Meta(description="Name of the remote.")] = "origin"
    branch: Annotated[GitName, Meta(description="Name of the branch that is deployed.")] = "main"


class Linked(Struct, frozen=True, kw_only=True):
    """``[links]``: addresses that pages link to; nothing is requested there."""

    logs: Annotated[
        str,
        Meta(
            title="an https address with {start} and {end}",
            pattern=r"^(https://[^\s/?#@]+/\S*\{start(_s|_ms)?\}\S*)?$",
            description="Address of the platform's logs, with {start} and {end} where its page "
            "takes UTC as ISO 8601, {start_s} and {end_s} epoch seconds, {start_ms} and {end_ms} "
            "epoch milliseconds.",
        ),
    ] = ""
    runbook: Annotated[
        str,
        Meta(
            title="an https address without #",
            pattern=r"^(https://[^\s/?#@]+(/[^\s#]*)?)?$",
            description="Address of your copy of docs/RUNBOOK.md; #CODE is added. Without it a "
            "page has the entries itself.",
        ),
    ] = ""
    issues: Annotated[
        str,
        Meta(
            title="an https address with {issue}",
            pattern=r"^(https://[^\s/?#@]+/\S*\{issue\}\S*)?$",
            description="Address of an issue of the error tracker by its id, if it is not the one "
            "that follows from the tracker's section.",
        ),
    ] = ""


class Described(NamedTuple):
    """A witness and its section of production.toml: its Struct, or a tuple of them."""

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
    process: Process = Process()
    tls: Tls = Tls()
    described: dict[str, Described] = {}
    normal: tuple[IssueClass, ...] = ()
    critical: tuple[IssueClass, ...] = ()
    contacts: tuple[Contact, ...] = ()
    criteria: dict[str, Applies] = {}
    schedule: Schedule = Schedule()
    alerts: Alerts = Alerts()
    repository: Repository = Repository()
    links: Linked = Linked()
    alert_urls: tuple[Secret, ...] = ()
    heartbeat_url: Secret | None = None
    secrets: tuple[Secret, ...] = ()

    @property
    def witnesses(self) -> dict[str, Any]:
        """The section of each witness, by name."""
        return {section: each.at for section, each in self.described.items()}

    def providing(self, measure: Measure) -> list[Described]:
        """Return the witnesses that provide a measure, in the order of the file."""
        return [each for each in self.described.values() if measure in each.witness.measures]

    def answering(self, measure: Measure) -> tuple[Measure, list[Described]]:
        """Return the measure that is asked for this one, and the witnesses that provide it."""
        providing = self.providing(measure)
        other = INSTEAD.get(measure)
        if providing or other is None:
            return measure, providing
        return other, self.providing(other)

    @property
    def health_every_s(self) -> float:
        """Seconds between two health probes of the prober."""
        return max(LEAST_INTERVAL_S, self.health.interval_s)

    def is_health(self, endpoint: Endpoint) -> bool:
        """Return whether it is the health document itself, which is probed only once."""
        return endpoint.name == "health" and endpoint.url == self.health.url

    def probed_every_s(self, endpoint: Endpoint) -> float:
        """Return the seconds between two probes of it."""
        if self.is_health(endpoint):
            return self.health_every_s
        return max(endpoint.interval_s, 1 / endpoint.max_per_s)
