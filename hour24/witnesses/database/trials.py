"""The requests by which ``doctor`` tries the database."""

from __future__ import annotations

from hour24.clock import Clock
from hour24.config import Production
from hour24.witnesses.database import DatabaseAt
from hour24.witnesses.database.source import Postgres
from hour24.witnesses.port import Trial


def trials(at: DatabaseAt, production: Production, clock: Clock) -> list[Trial]:
    """Return one trial for each request that a checkpoint will send."""
    source, variable = Postgres(at, clock), at.dsn.name
    rights = f"grant pg_monitor to the role in {variable}: GRANT pg_monitor TO the_role"
    return [
        Trial(
            name=f"database: {what}",
            asked=asked,
            right=right,
            empty=empty,
        )
        for what, asked, right, empty in (
            (
                "login",
                lambda: f"database {source.database_row().items[0]['datname']} answers",
                f"check role, password and host in {variable}; do not retry a wrong "
                "password: a platform may ban the address",
                "",
            ),
            (
                "connections",
                lambda: f"{source.connections().items[0]['in_use']} in use",
                rights,
                "",
            ),
            (
                "statements",
                lambda: f"{len(source.statements().items)} above {at.slow_ms:g} ms",
                rights + "; if the extension has its own schema, also GRANT USAGE ON SCHEMA "
                "extensions TO the_role",
                "create extension pg_stat_statements",
            ),
        )
    ]
