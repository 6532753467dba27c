"""Supabase: what it calls its services, and how full the disk is."""

from __future__ import annotations

from typing import Annotated, Literal

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

Service = Annotated[
    Literal[
        "auth", "db", "db_postgres_user", "pg_bouncer", "pooler", "realtime", "rest", "storage"
    ],
    Meta(description="A service."),
]


class SupabaseAt(Struct, frozen=True, kw_only=True):
    """[supabase]"""

    url: Annotated[Address, Role.WHERE, Meta(description="Base address of the API.")] = (
        "https://api.supabase.com"
    )
    project_ref: Annotated[
        str,
        Role.WHERE,
        Meta(
            title="the 20 letters of https://REF.supabase.co",
            pattern="^[a-z0-9]{1,40}$",
            description="Reference of the project.",
        ),
    ]
    token: Annotated[
        Token,
        Variable("word", "a personal access token"),
        Meta(description="Variable with a personal access token (sbp_...)."),
    ]
    services: Annotated[
        tuple[Service, ...],
        Role.LIMIT,
        Meta(
            title="a list of Supabase services",
            min_length=1,
            extra_json_schema={"uniqueItems": True},
            description="Services to check.",
        ),
    ] = ("auth", "db", "pooler", "realtime", "rest", "storage")
    timeout_s: AnswerTime = 15.0


WITNESS = Witness(
    section="supabase",
    title="Supabase",
    about="Supabase's Management API.",
    at=SupabaseAt,
    source="hour24.witnesses.supabase.source:Supabase",
    measures={Measure.SERVICES: "", Measure.DISK: ""},
    trials="hour24.witnesses.supabase.trials:trials",
)
