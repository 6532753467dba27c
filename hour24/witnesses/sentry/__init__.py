"""Sentry: error events, issues, outcomes, transactions, the receipt of an event."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from hour24.secrets import Secret
from hour24.witnesses.port import (
    Address,
    AnswerTime,
    Measure,
    Role,
    Slug,
    Text,
    Token,
    Variable,
    Witness,
)


class SentryAt(Struct, frozen=True, kw_only=True):
    """[sentry]"""

    url: Annotated[
        Address,
        Role.WHERE,
        Meta(
            description="Base address; a self-hosted Sentry has its own, the EU region "
            "https://de.sentry.io."
        ),
    ] = "https://sentry.io"
    organization: Annotated[
        Slug,
        Role.WHERE,
        Meta(description="Slug of the organization, as in https://SLUG.sentry.io."),
    ]
    project: Annotated[Slug, Role.WHERE, Meta(description="Slug of the project.")]
    environment: Annotated[
        Text,
        Role.LIMIT,
        Meta(description="Environment by the name events carry. Without it, service.environment."),
    ]
    token: Annotated[
        Token,
        Variable("word", "an auth token with event:read, org:read and project:read"),
        Meta(description="Variable with an auth token with event:read, org:read and project:read."),
    ]
    dsn: Annotated[
        Secret | None,
        Role.WHERE,
        Variable("dsn", "the project's DSN"),
        Meta(description="Variable with the project's DSN; needed to prove that Sentry receives."),
    ] = None
    traces_sample_rate: Annotated[
        float | None,
        Role.LIMIT,
        Meta(
            ge=0,
            le=1,
            description="Share of transactions the service sends, 0 to 1. Only 1 makes spans a "
            "census.",
        ),
    ] = None
    timeout_s: AnswerTime = 15.0


WITNESS = Witness(
    section="sentry",
    title="Sentry",
    about="Sentry, or a server that speaks its interface.",
    at=SentryAt,
    source="hour24.witnesses.sentry.source:Sentry",
    measures={
        Measure.OUTCOMES: "",
        Measure.ACCEPTED: "",
        Measure.ERROR_EVENTS: "",
        Measure.ISSUES: "",
        Measure.TRANSACTIONS: "",
        Measure.SERVER_TIMES: "",
        Measure.RECEIPT: "canary",
    },
    trials="hour24.witnesses.sentry.trials:trials",
    inherited=("environment",),
    issue_page="{url}/organizations/{organization}/issues/{issue}/",
)
