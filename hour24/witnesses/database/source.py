"""The database, asked through PostgreSQL's protocol, read-only.

Rules of this module:

- The role's rights are checked first: without them the server answers NULL and ``<insufficient
  privilege>`` about other sessions, and every check would pass.
- Columns are looked up, never derived from a version: an extension may be older than its server.
- Query texts are shortened and their literals masked before they go anywhere.
- A value that must be a number and is not is refused as misread; it never becomes 0.

Source: ``hour24/witnesses/database/queries/*.sql``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from hour24.asking.answers import number
from hour24.clock import Clock
from hour24.documents import is_number
from hour24.errors import (
    SourceEmpty,
    SourceError,
    SourceLacks,
    SourceMisread,
    SourceRefused,
)
from hour24.evidence import Listing, Question, Total
from hour24.linear import shipped
from hour24.witnesses.database import DatabaseAt, masking
from hour24.witnesses.database.masking import mask_literals
from hour24.witnesses.database.refusals import LoginRefused, NotAccepting, TooManyConnections
from hour24.witnesses.database.session import BUDGET_S, Session

__all__ = ["LoginRefused", "NotAccepting", "Postgres", "TooManyConnections"]

QUERIES = Path(__file__).parent / "queries"
MOST = 1000
"""Rows of one answer; of more statements the slowest, in a listing that is not complete."""
SINCE_WAITSTART = 140000
"""The version that added ``pg_locks.waitstart``."""
MAINTENANCE = (
    r"^\s*(copy\s+[^(\s].*\sto\s+stdout|create\s+(unique\s+)?index\s|reindex[\s(]"
    r"|vacuum($|[\s(;])|analyze($|[\s(;])|cluster($|[\s(;])|autovacuum:)"
)
"""Statements of dumps, index builds and clean-up, not of users; also used in SQL."""
LARGEST = 2.0**63
"""PostgreSQL counts no further."""
NO_LIMIT = -1.0
"""PostgreSQL's own number for a database without a limit of connections."""
APART_S = 60.0
"""Its clock may have stepped back since a session changed its state."""
_MAINTENANCE = shipped(MAINTENANCE, re.IGNORECASE, longest=masking.LONGEST)
PRIVILEGE = "<insufficient privilege>"
_WAITED = (
    "(SELECT extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.min(l.waitstart))::float8"
    " FROM pg_catalog.pg_locks l WHERE l.pid = s.pid AND NOT l.granted)"
)


def _as_sql(value: Any) -> str:
    """Return a value as SQL, so that a person can repeat the query."""
    if isinstance(value, int | float):
        return f"{value:g}"
    texts = value if isinstance(value, list) else [value]
    quoted = ", ".join("'" + each.replace("'", "''") + "'" for each in texts)
    return f"ARRAY[{quoted}]" if isinstance(value, list) else quoted


def _is_maintenance(query: object) -> bool:
    return _MAINTENANCE.match(mask_literals(str(query or ""))) is not None


def _read_only(row: Mapping[str, Any]) -> str:
    if row["in_recovery"] is True:
        return "recovery"
    return "default_transaction_read_only" if row["read_only_by_default"] is True else ""


class Postgres:
    """Asks the database; used by one thread."""

    def __init__(self, at: DatabaseAt, clock: Clock, *, budget_s: float = BUDGET_S) -> None:
        self.at = at
        self.clock = clock
        self._session = Session(at, clock, budget_s=budget_s)
        self._rights: dict[str, Any] | None = None

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def database_row(self) -> Listing:
        """The runbook's row: ``{datname, numbackends, size_bytes, read_only}``.

        ``read_only`` says why it accepts no writes; empty if it does or the service writes none.

        Raises: SourceError; LoginRefused, TooManyConnections and NotAccepting mean that the
            database itself refused us.
        Source: ``pg_stat_database``.
        """
        with Asking(self, "runbook's row", "runbook_row") as asking:
            rows = asking.rows()
            for row in rows:
                asking.check_numbers(row, "numbackends", "size_bytes")
                row["read_only"] = _read_only(row) if self.at.writes else ""
                del row["in_recovery"], row["read_only_by_default"]
            return asking.listing("databases", rows[:1])

    def number(self, query: str, as_text: bool = False) -> Total:
        """Return the result of a SELECT with one row and one column.

        Args:
            as_text: accept a number given as text.
        Raises: SourceMisread, when it is not one number; SourceError.
        """
        asked = self.clock.now()
        rows = self._session.rows("own", query.replace("%", "%%"))
        if len(rows) != 1 or len(rows[0]) != 1:
            raise SourceMisread(
                "own: sql: expected one row of one column, got "
                f"{len(rows)} rows of {len(rows[0]) if rows else 0}"
            )
        question = Question(
            source="database",
            asked=" ".join(query.split()),
            at=asked,
            attempts=tuple(self._session.attempts),
        )
        (value,) = rows[0].values()
        return Total(question=question, value=number(value, "own: sql", as_text=as_text), unit="")

    def rights(self) -> Listing:
        """Return our role: ``{role, reads_all_stats, monitors, version}``.

        Source: ``pg_has_role``.
        """
        with Asking(self, "rights", "rights") as asking:
            return asking.listing("rights", [self._role(asking)])

    def statements(self) -> Listing:
        """Return the statements with a call of at least ``slow_ms``, times in ms.

        ``{key, role, query, calls, total_ms, max_ms, stats_since, minmax_since}``; ``about`` says
        when it was read, since when the counters run, and how often entries were evicted. More
        than ``MOST`` are the slowest of them, and then not complete.

        Raises: SourceRefused, without pg_read_all_stats; SourceLacks, without the extension.
        Source: ``pg_stat_statements``, in whichever schema.
        """
        with Asking(self, "statements", "statements") as asking:
            self._check_rights(asking)
            rows = asking.rows(
                {"slow_ms": self.at.slow_ms, "most": MOST + 1}, **self._statements_at(asking)
            )
            about = asking.first_row(rows)
            asking.check_numbers(about, "read_at", "entries", "hidden")
            if about["hidden"]:
                raise SourceRefused(f"{asking.where}: {_rights_refusal(self.at)}")
            found = [row for row in rows if row["queryid"] is not None]
            items = []
            for row in found[:MOST]:
                asking.check_numbers(row, "calls", "total_ms", "max_ms")
                items.append(
                    {
                        "key": f"{row['role']}/{row['queryid']}/{'t' if row['toplevel'] else 'n'}",
                        "role": row["role"],
                        "query": asking.text(row["query"]),
                        "maintenance": _is_maintenance(row["query"]),
                        "calls": int(row["calls"]),
                        "total_ms": row["total_ms"],
                        "max_ms": row["max_ms"],
                        "stats_since": row["stats_since"],
                        "minmax_since": row["minmax_since"],
                    }
                )
            cut = f"expected at most {MOST} of them, got more" if len(found) > MOST else ""
            return asking.listing(
                "statements",
                items,
                seen=int(about["entries"]),
                cut=cut and f"{asking.where}: {cut}",
                about={
                    "read_at": about["read_at"],
                    "stats_reset": about["stats_reset"],
                    "dealloc": about["dealloc"],
                    "slow_ms": self.at.slow_ms,
                },
            )

    def running(self) -> Listing:
        """Return statements that run for ``slow_ms`` or more: ``{pid, role, state, age_s, query}``.

        Source: ``pg_stat_activity``, excluding our own session.
        """
        with Asking(self, "running statements", "running") as asking:
            self._check_rights(asking)
            rows = asking.rows({"slow_ms": self.at.slow_ms, "most": MOST})
            about = asking.first_row(rows)
            asking.check_numbers(about, "active")
            items = []
            for row in (row for row in rows if row["pid"] is not None):
                asking.check_numbers(row, "age_s", least=-APART_S)
                items.append(
                    {
                        "pid": row["pid"],
                        "role": row["role"],
                        "state": row["state"],
                        "age_s": row["age_s"],
                        "query": asking.text(row["query"]),
                        "maintenance": _is_maintenance(row["query"]),
                    }
                )
            return asking.listing("running statements", items, seen=int(about["active"]))

    def connections(self) -> Listing:
        """Return the connections of the whole server, waits in seconds; one item.

        ``{max_connections, reserved, available, in_use, active, idle_in_transaction,
        oldest_idle_in_transaction_s, idle_in_transaction_by, lock_waits, oldest_lock_wait_s,
        lock_wait_by, aside_idle_s, aside_by, limits}``; ``aside`` are the excluded sessions of
        platform roles and maintenance, ``limits`` those of the database and of its roles:
        ``{what, in_use, limit}``.

        Source: ``pg_stat_activity``, ``pg_locks``, settings, ``pg_database``, ``pg_roles``.
        """
        with Asking(self, "connections", "connections") as asking:
            self._check_rights(asking)
            waited = _WAITED if self._session.version >= SINCE_WAITSTART else "NULL::float8"
            aside = {"platform": list(self.at.platform_roles), "maintenance": MAINTENANCE}
            rows = asking.rows(aside, waited=waited)
            row = asking.first_row(rows)
            counts = (
                *("max_connections", "superuser_reserved", "reserved", "in_use", "active"),
                *("idle_in_transaction", "lock_waits", "database_in_use"),
            )
            seconds = ("oldest_idle_in_transaction_s", "oldest_lock_wait_s", "aside_idle_s")
            asking.check_numbers(row, *counts)
            asking.check_numbers(row, "database_limit", least=NO_LIMIT)
            asking.check_numbers(row, *seconds, least=-APART_S)
            reserved = row["superuser_reserved"] + row["reserved"]
            item = {
                "max_connections": row["max_connections"],
                "reserved": reserved,
                "available": row["max_connections"] - reserved,
                **{name: row[name] for name in ("in_use", "active", "idle_in_transaction")},
                **{name: max(0.0, row[name]) for name in seconds},
                "lock_waits": row["lock_waits"],
                "idle_in_transaction_by": row["idle_in_transaction_by"] or "",
                "lock_wait_by": row["lock_wait_by"] or "",
                "aside_by": row["aside_by"] or "",
                "limits": list(_limits(row)),
            }
            return asking.listing("connections", [item])

    def size(self) -> Listing:
        """Return this database's size: ``{used_bytes, size_bytes, at}``; the disk's size is null.

        Source: ``pg_database_size``.
        """
        with Asking(self, "size", "size") as asking:
            row = asking.first_row(asking.rows())
            asking.check_numbers(row, "used_bytes")
            at = asking.at.timestamp()
            return asking.listing(
                "readings", [{"used_bytes": row["used_bytes"], "size_bytes": None, "at": at}]
            )

    # --- checks before an answer is used ----------------------------------------------------------

    def _role(self, asking: Asking) -> dict[str, Any]:
        if self._rights is None:
            row = asking.first_row(self._session.rows("rights", query("rights")))
            if not isinstance(row.get("reads_all_stats"), bool):
                raise SourceMisread(
                    f"{asking.where}: expected true or false for our rights, got neither"
                )
            self._rights = row
        return self._rights

    def _check_rights(self, asking: Asking) -> None:
        if self._role(asking)["reads_all_stats"] is not True:
            raise SourceRefused(f"{asking.where}: {_rights_refusal(self.at)}")

    def _statements_at(self, asking: Asking) -> dict[str, str]:
        """Return the extension's schema and the names of its columns, as parts of the query."""
        found = self._session.rows("statements", query("statements_at"))
        views = [row for row in found if row["relation"] == "pg_stat_statements"]
        if not views:
            raise SourceLacks(
                f"{asking.where}: expected the extension pg_stat_statements, got none; load it in "
                "shared_preload_libraries and CREATE EXTENSION pg_stat_statements"
            )
        schema, names = views[0]["schema"], views[0]["columns"]
        if not isinstance(schema, str) or not isinstance(names, list):
            raise SourceMisread(
                f"{asking.where}: expected the columns of pg_stat_statements, got something else"
            )
        columns = {str(name) for name in names}
        info = next(
            (
                row
                for row in found
                if row["relation"] == "pg_stat_statements_info" and row["schema"] == schema
            ),
            None,
        )
        total = "total_exec_time" if "total_exec_time" in columns else "total_time"
        longest = "max_exec_time" if "max_exec_time" in columns else "max_time"
        lacking = {total, longest, "calls", "queryid", "query", "userid", "dbid"} - columns
        if lacking:
            raise SourceLacks(
                f"{asking.where}: expected the columns of pg_stat_statements, got none called "
                + ", ".join(sorted(lacking))
            )
        inside = f'"{schema.replace(chr(34), chr(34) * 2)}"'.replace("%", "%%")
        of_info = f"FROM {inside}.pg_stat_statements_info i"
        return {
            "statements": f"{inside}.pg_stat_statements",
            "total": f"s.{total}",
            "longest": f"s.{longest}",
            "toplevel": "s.toplevel" if "toplevel" in columns else "true",
            "since": _epoch("s.stats_since") if "stats_since" in columns else "NULL::float8",
            "minmax_since": _epoch("s.minmax_stats_since")
            if "minmax_stats_since" in columns
            else "NULL::float8",
            "dealloc": f"(SELECT i.dealloc {of_info})" if info else "NULL::bigint",
            "reset": f"(SELECT {_epoch('i.stats_reset')} {of_info})" if info else "NULL::float8",
        }


class Asking:
    """One question; a SourceError raised inside it carries the question."""

    def __init__(self, postgres: Postgres, what: str, name: str) -> None:
        self.where = f"database: {what}"
        self.at: datetime = postgres.clock.now()
        self._postgres = postgres
        self._name = name
        self._asked = _one_line(query(name))
        self._rows: Any = None

    def __enter__(self) -> Asking:
        self._postgres._session.attempts.clear()
        return self

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, SourceError):
            problem.question = self.question()

    def rows(self, values: Mapping[str, Any] | None = None, **parts: str) -> list[dict[str, Any]]:
        """Fill in the query's ``{parts}``, run it and return its rows."""
        sql = query(self._name)
        for name, part in parts.items():
            sql = sql.replace("{" + name + "}", part)
        self._asked = _one_line(sql)
        for name, value in (values or {}).items():
            self._asked = self._asked.replace(f"%({name})s", _as_sql(value))
        rows = self._postgres._session.rows(self.where.partition(": ")[2], sql, values)
        self._rows = rows
        return rows

    def first_row(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the first row. Raises: SourceEmpty."""
        if not rows:
            raise SourceEmpty(f"{self.where}: expected a row, got none")
        return rows[0]

    def check_numbers(self, row: Mapping[str, Any], *names: str, least: float = 0.0) -> None:
        """Check that each of these is a finite number, not below ``least``.

        Raises: SourceMisread.
        """
        for name in names:
            value = row.get(name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise SourceMisread(
                    f"{self.where}: {name}: expected a number, got "
                    f"{'null' if value is None else type(value).__name__}"
                )
            if not least <= value <= LARGEST:  # neither is NaN
                raise SourceMisread(
                    f"{self.where}: {name}: expected a number from {least:g}, got {value:g}"
                )

    def text(self, words: Any) -> str:
        """Return a query text, masked. Raises: SourceRefused, when we may not see it."""
        if words == PRIVILEGE:
            raise SourceRefused(f"{self.where}: {_rights_refusal(self._postgres.at)}")
        return mask_literals(str(words or ""))

    def question(self) -> Question:
        """Return what was asked, with the attempts so far."""
        digest = ""
        if self._rows is not None:
            raw = json.dumps(self._rows, sort_keys=True, default=str).encode()
            digest = hashlib.sha256(raw).hexdigest()
        return Question(
            source="database",
            asked=self._asked,
            at=self.at,
            attempts=tuple(self._postgres._session.attempts),
            digest=digest,
        )

    def listing(
        self,
        what: str,
        items: list[dict[str, Any]],
        seen: int = 0,
        about: dict[str, float | str | None] | None = None,
        cut: str = "",
    ) -> Listing:
        """Return the answer."""
        return Listing(
            question=self.question(),
            what=what,
            items=tuple(items),
            seen=max(seen, len(items)),
            about=about or {},
            complete=not cut,
            note=cut,
        )


@lru_cache(maxsize=16)
def query(name: str) -> str:
    """Return the text of ``queries/NAME.sql`` without comments."""
    lines = (QUERIES / f"{name}.sql").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("--"))


def _one_line(sql: str) -> str:
    return " ".join(sql.split())


def _epoch(column: str) -> str:
    return f"extract(epoch FROM {column})::float8"


def _limits(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield limits narrower than the server's: the database's and those of roles."""
    if row["database_limit"] > 0:
        yield {
            "what": "connections to this database",
            "in_use": row["database_in_use"],
            "limit": row["database_limit"],
        }
    roles = row["roles"] or []
    if not isinstance(roles, list):
        raise SourceMisread("database: connections: roles: expected a list, got something else")
    for role in roles:
        if not isinstance(role, dict) or not all(
            is_number(role.get(name)) for name in ("in_use", "limit")
        ):
            raise SourceMisread(
                "database: connections: roles: expected connections and their limit, got "
                "something else"
            )
        yield {
            "what": f"connections of role {role.get('role')}",
            "in_use": role["in_use"],
            "limit": role["limit"],
        }


def _rights_refusal(at: DatabaseAt) -> str:
    return (
        "expected a role that may read the statistics of all roles, got one that may not; GRANT "
        f"pg_monitor TO the role in {at.dsn.name}"
    )
