"""PostgreSQL, asked directly; outside the rehearsal only this room imports its driver."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from hour24.secrets import Secret
from hour24.witnesses.port import Measure, Role, Text, Variable, Witness

SHORT = Meta(gt=0, le=60)


class DatabaseAt(Struct, frozen=True, kw_only=True):
    """[database]"""

    dsn: Annotated[
        Secret,
        Role.WHERE,
        Variable("connection", "the connection string of a role with pg_monitor"),
        Meta(
            description="Variable with the connection string of a role with pg_monitor; "
            "behind a pooler, that of session mode."
        ),
    ]
    slow_ms: Annotated[
        float,
        Role.LIMIT,
        Meta(gt=0, description="A statement above this is slow, in milliseconds."),
    ] = 1000.0
    max_share: Annotated[
        float,
        Role.LIMIT,
        Meta(
            gt=0,
            le=1,
            description="Share of the available connections, and of the disk, that may be used, "
            "0 to 1.",
        ),
    ] = 0.80
    idle_in_transaction_s: Annotated[
        float,
        Role.LIMIT,
        Meta(gt=0, description="Seconds a connection may idle inside a transaction."),
    ] = 60.0
    lock_wait_s: Annotated[
        float,
        Role.LIMIT,
        Meta(gt=0, description="Seconds a statement may wait for a lock."),
    ] = 10.0
    statement_timeout_s: Annotated[
        float, SHORT, Role.ASKING, Meta(description="Seconds each of our statements may take.")
    ] = 5.0
    connect_timeout_s: Annotated[
        float, SHORT, Role.ASKING, Meta(description="Seconds a connection may take.")
    ] = 10.0
    platform_roles: Annotated[
        tuple[Annotated[Text, Meta(description="A role.")], ...],
        Role.LIMIT,
        Meta(
            title="a list of roles",
            description="Roles of the platform; their statements are not the service's.",
        ),
    ] = ()
    writes: Annotated[
        bool,
        Role.LIMIT,
        Meta(
            description="Whether the service writes to it. If it does, a read-only database "
            "counts as down."
        ),
    ] = True


WITNESS = Witness(
    section="database",
    title="PostgreSQL",
    about="PostgreSQL, asked directly and read-only.",
    at=DatabaseAt,
    source="hour24.witnesses.database.source:Postgres",
    measures={
        Measure.DATABASE_ROW: "",
        Measure.STATEMENTS: "",
        Measure.RUNNING: "",
        Measure.CONNECTIONS: "",
        Measure.NUMBER: "own",
    },
    trials="hour24.witnesses.database.trials:trials",
    addresses="hour24.witnesses.database.address:addresses",
    repeat='psql "{dsn}" -X -c',
)
