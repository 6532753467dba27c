"""Render: responses, memory, load, events, deploys, logs, and going back to an earlier deploy."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from hour24.witnesses.port import (
    Address,
    AnswerTime,
    Measure,
    Role,
    Token,
    Variable,
    Witness,
)

ID = r"^[a-z]{3}-[A-Za-z0-9_-]+$"


class RenderAt(Struct, frozen=True, kw_only=True):
    """[render]"""

    url: Annotated[Address, Role.WHERE, Meta(description="Base address of the API.")] = (
        "https://api.render.com/v1"
    )
    service: Annotated[
        str,
        Role.WHERE,
        Meta(
            title='a Render service id such as "srv-..."',
            pattern=ID,
            description="Id of the service, as in its address in the dashboard.",
        ),
    ]
    owner: Annotated[
        str,
        Role.WHERE,
        Meta(
            title='a Render workspace id such as "tea-..."',
            pattern=ID,
            description="Id of the workspace that owns the service.",
        ),
    ]
    token: Annotated[
        Token,
        Variable("word", "an API key"),
        Meta(
            description="Variable with an API key. Render knows no read-only key; hour24 "
            "only reads with it."
        ),
    ]
    timeout_s: AnswerTime = 15.0


WITNESS = Witness(
    section="render",
    title="Render",
    about="Render, or a server that speaks its interface.",
    at=RenderAt,
    source="hour24.witnesses.render.source:Render",
    measures={
        Measure.RESPONSES: "metrics",
        Measure.RESPONSES_OVER_TIME: "metrics",
        Measure.MEMORY: "metrics",
        Measure.MEMORY_LIMIT: "metrics",
        Measure.LOAD: "metrics",
        Measure.PLATFORM_EVENTS: "metrics",
        Measure.DEPLOYS: "metrics",
        Measure.ERROR_LINES: "logs",
        Measure.WATCHED_LINES: "logs",
        Measure.BEATS: "logs",
    },
    trials="hour24.witnesses.render.trials:trials",
    rollback="hour24.witnesses.render.platform:Platform",
)
