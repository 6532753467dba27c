"""Grafana Loki: errors, watched words and beats of one stream selector."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from hour24.secrets import Secret
from hour24.witnesses.port import Address, AnswerTime, Measure, Role, Variable, Witness


class LokiAt(Struct, frozen=True, kw_only=True):
    """[loki]"""

    url: Annotated[
        Address,
        Role.WHERE,
        Meta(description="Base address, such as https://logs.example.net; without /loki/api."),
    ]
    selector: Annotated[
        str,
        Role.WHERE,
        Meta(
            title='a stream selector such as {service_name="voice"}',
            pattern=r"^\{[^{}]*=[^{}]*\}$",
            description="Stream selector of the service's lines, in LogQL.",
        ),
    ]
    tenant: Annotated[
        str,
        Role.WHERE,
        Meta(
            title="the name of a tenant",
            pattern=r"^[A-Za-z0-9!_.*'()-]+$",
            description="Tenant, sent as X-Scope-OrgID; empty where Loki has one only.",
        ),
    ] = ""
    user: Annotated[
        str,
        Role.ASKING,
        Meta(
            title="a user's name",
            pattern=r"^[^\s:]+$",
            description="User of basic authentication, such as a Grafana Cloud instance id; "
            "the token is its password.",
        ),
    ] = ""
    token: Annotated[
        Secret | None,
        Role.ASKING,
        Variable("word", "a token that may read logs"),
        Meta(description="Variable with the token; sent as Bearer, or as user's password."),
    ] = None
    page: Annotated[
        int,
        Role.ASKING,
        Meta(
            ge=10,
            le=5000,
            description="Lines of one answer; at most the server's max_entries_limit_per_query.",
        ),
    ] = 1000
    quiet_s: Annotated[
        float,
        Role.LIMIT,
        Meta(
            gt=0,
            le=86400,
            description="Seconds for which a healthy service may write no line. A longer silence "
            "at the window's end is a gap.",
        ),
    ] = 900.0
    timeout_s: AnswerTime = 30.0


WITNESS = Witness(
    section="loki",
    title="Loki",
    about="Grafana Loki, or a server that speaks its interface.",
    at=LokiAt,
    source="hour24.witnesses.loki.source:Loki",
    measures={Measure.ERROR_LINES: "", Measure.WATCHED_LINES: "", Measure.BEATS: ""},
    trials="hour24.witnesses.loki.trials:trials",
    repeat="curl -sS -G",
)
