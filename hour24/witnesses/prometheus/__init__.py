"""Prometheus and the engines that speak its API: responses, latency, memory, restarts, probes."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from hour24.secrets import Secret
from hour24.witnesses.port import (
    Address,
    AnswerTime,
    Measure,
    Role,
    Text,
    Variable,
    Witness,
)
from hour24.witnesses.prometheus.presets import WHAT, Preset

LABEL = "^[a-zA-Z_][a-zA-Z0-9_]*$"
LABELS: dict[str, Any] = {
    "title": "a table of labels and their values",
    "type": "object",
    "propertyNames": {"title": "the name of a label", "pattern": LABEL},
    "additionalProperties": {"title": "text", "type": "string"},
}
NAMES: dict[str, Any] = {
    "title": "a table of names of metrics and labels",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        name: {
            "title": "a name, or several separated by |",
            "type": "string",
            "pattern": r"^[a-zA-Z_:|][a-zA-Z0-9_:.|,/]*$|^$",
            "description": what,
        }
        for name, what in WHAT.items()
    },
}
VANTAGES: dict[str, Any] = {
    "title": "a table of vantages",
    "type": "object",
    "minProperties": 1,
    "propertyNames": {
        "title": "a name of letters, digits, ., - and _",
        "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$",
    },
    "additionalProperties": {
        "title": "a table with the labels of probe and control",
        "type": "object",
        "additionalProperties": False,
        "required": ["probe"],
        "properties": {
            "probe": {
                **LABELS,
                "minProperties": 1,
                "description": "Labels of the probe of the health document.",
            },
            "control": {
                **LABELS,
                "minProperties": 1,
                "description": "Labels of the same exporter's probe of another address, which "
                "shows whether its own network was down.",
            },
        },
    },
}


class PrometheusAt(Struct, frozen=True, kw_only=True):
    """[prometheus]"""

    url: Annotated[
        Address,
        Role.WHERE,
        Meta(description="Base address of the engine; /api/v1/query is appended."),
    ]
    preset: Annotated[
        Preset,
        Role.WHERE,
        Meta(description="Which exporter names the metrics; each name can be overridden."),
    ]
    labels: Annotated[
        dict[str, str],
        Role.WHERE,
        Meta(
            description='Labels that select the service, such as { job = "api" }.',
            extra_json_schema={**LABELS, "minProperties": 1},
        ),
    ]
    names: Annotated[
        dict[str, str],
        Role.WHERE,
        Meta(
            description="Names of metrics and labels that differ from the preset's.",
            extra_json_schema=NAMES,
        ),
    ] = {}
    tenant: Annotated[
        str, Role.WHERE, Meta(description="Sent as X-Scope-OrgID, where the engine has tenants.")
    ] = ""
    user: Annotated[str, Role.ASKING, Meta(description="User name of basic authentication.")] = ""
    password: Annotated[
        Secret | None,
        Role.ASKING,
        Variable("word", "the password of basic authentication"),
        Meta(description="Variable with the password of basic authentication."),
    ] = None
    token: Annotated[
        Secret | None,
        Role.ASKING,
        Variable("word", "a token that may query"),
        Meta(description="Variable with a token that may query."),
    ] = None
    scheme: Annotated[
        Text, Role.ASKING, Meta(description="What precedes the token, such as FlyV1.")
    ] = "Bearer"
    header_name: Annotated[
        str, Role.ASKING, Meta(description="Name of one more header of each request.")
    ] = ""
    header: Annotated[
        Secret | None,
        Role.ASKING,
        Variable("word", "what that header says"),
        Meta(description="Variable with the value of that header."),
    ] = None
    min_instances: Annotated[
        int,
        Role.LIMIT,
        Meta(
            ge=0,
            description="Fewest instances that are normal. 0: those that run when a window begins.",
        ),
    ] = 0
    memory_limit_mb: Annotated[
        float,
        Role.LIMIT,
        Meta(
            ge=0,
            description="Memory at which an instance is killed, in MB, where no metric says it. "
            "0: a metric says it.",
        ),
    ] = 0.0
    disk: Annotated[
        dict[str, str],
        Role.WHERE,
        Meta(
            description="Labels that select the file system of the database, such as "
            '{ instance = "db:9100", mountpoint = "/data" }.',
            extra_json_schema=LABELS,
        ),
    ] = {}
    vantages: Annotated[
        dict[str, dict[str, dict[str, str]]] | None,
        Role.WHERE,
        Meta(
            description="Blackbox exporters in other places, by a name of yours: the labels of "
            "probe_success of the health document (probe), and of an address outside the service "
            "(control), probed by the same exporter.",
            extra_json_schema=VANTAGES,
        ),
    ] = None
    timeout_s: AnswerTime = 30.0


WITNESS = Witness(
    section="prometheus",
    title="Prometheus",
    about="Prometheus, or an engine that speaks its API.",
    at=PrometheusAt,
    source="hour24.witnesses.prometheus.source:Prometheus",
    measures={
        Measure.RESPONSES: "counts",
        Measure.RESPONSES_OVER_TIME: "counts",
        Measure.LOAD: "counts",
        Measure.SERVER_TIMES: "latency",
        Measure.TRANSACTIONS: "latency",
        Measure.MEMORY: "process",
        Measure.MEMORY_LIMIT: "process",
        Measure.PLATFORM_EVENTS: "process",
        Measure.DISK: "process",
        Measure.VANTAGE_PROBES: "vantages",
    },
    second_opinions=frozenset({Measure.DISK}),
    trials="hour24.witnesses.prometheus.trials:trials",
    repeat="curl -sS",
)
