"""One connection that runs read-only transactions, each with a deadline.

Rules of this module:

- There may be a transaction pooler in front, so nothing is set for a session. Each question is
  ``BEGIN READ ONLY; SET LOCAL ...; SELECT`` in one round trip, then ``ROLLBACK``.
- A server may accept a timeout and ignore it: every wait also has a deadline here, after which
  the connection is closed.
- A password is given only by SCRAM, where libpq has that setting: one that asks for it in clear
  or as an MD5 hash may be another server. ``require_auth`` in the connection string overrides it.
- What a server sends is bounded, since nothing else stops one that never ends its answer.
- A refused login is not retried: a platform may ban an address for that. An unreachable server, or
  one that is starting or full, is tried twice, and then no more in this session.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hour24.clock import Clock
from hour24.documents import is_number
from hour24.errors import SourceError, SourceMisread, SourceTimeout, SourceUnreachable
from hour24.evidence import Attempt
from hour24.linear import shipped
from hour24.witnesses.database import DatabaseAt
from hour24.witnesses.database.address import dsn_problem
from hour24.witnesses.database.refusals import (
    NotAccepting,
    TooManyConnections,
    explain_login_failure,
    explain_sqlstate,
)

Answer = TypeVar("Answer")
_UNKNOWN_PARAMETER = shipped(r'invalid (?:URI query parameter|connection option)[:]? "(\w{1,40})"')
GRACE_S = 2.0
"""Beyond the server's timeout before we close: its own cancellation needs a round trip."""
LOCK_TIMEOUT_S = 1.0
"""Our statements lock nothing that is contended; a longer wait would only add to a queue."""
ROLLBACK_S = 2.0
"""For the ROLLBACK; then the connection is closed instead."""
TRIES = 2
"""Attempts to connect: a second one survives a restart, more would only delay the verdict."""
BUDGET_S = 90.0
"""Budget outside a checkpoint, which sets ``[schedule] source_budget_s`` instead."""
SHORTEST_S = 0.2
"""With less of the budget left, a statement is not sent: it could not be answered in time."""
WAIT_S = 1.0
"""Between the two attempts."""
SINCE_REQUIRE_AUTH = 160000
"""The version of libpq that added ``require_auth``."""
WITH_PASSWORD, WITHOUT_PASSWORD = "scram-sha-256", "!password,!md5"
"""By what a server may ask for a password. Without one in the connection string libpq may find one
elsewhere, and a server may trust us; no one is between us and a server of the same machine."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
MOST_BYTES = 64 * 2**20
"""Of one connection: the largest honest answer is 1,000 statements with their texts."""
TCP_INFO_LENGTH, BYTES_RECEIVED = 136, 128
"""Of Linux's ``struct tcp_info``: where ``tcpi_bytes_received`` ends and begins."""
CLIENT_SIDE = {
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}


class DeadlinePassed(Exception):
    """A wait reached its deadline."""


class TooMuch(Exception):
    """The server sent more than it may."""


class Session:
    """A connection, opened when first needed; used by one thread.

    Args:
        attempts: every attempt to connect or to query is added here.
    """

    def __init__(self, at: DatabaseAt, clock: Clock, *, budget_s: float = BUDGET_S) -> None:
        self.at = at
        self.clock = clock
        self.left_s = self.budget_s = budget_s
        self.attempts: list[Attempt] = []
        self._connection: Any = None
        self._failure: SourceError | None = None

    @property
    def version(self) -> int:
        """The server's version as a number: 150004; 0 before the first answer."""
        return int(self._connection.server_version) if self._connection is not None else 0

    def rows(
        self, what: str, sql: str, values: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Return the rows of one SELECT, each as a dictionary.

        Raises: SourceError.
        """
        reused = self._connection is not None
        try:
            return _checked(what, self._ask(what, sql, values or {}))
        except (SourceUnreachable, NotAccepting):
            if not reused:
                raise
        return _checked(
            what, self._ask(what, sql, values or {})
        )  # the reused connection may have been closed

    def close(self) -> None:
        """Close the connection; the next question opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # a broken connection may fail in any way
                connection.close()

    # --- connecting ---------------------------------------------------------------------------

    def _connect(self) -> Any:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))
        for tried in range(1, TRIES + 1):
            try:
                self._connection = self._attempt("login", self._login)
                return self._connection
            except (SourceUnreachable, NotAccepting, TooManyConnections) as problem:
                if tried == TRIES:
                    self._failure = problem
                    raise
                self.left_s -= WAIT_S
                self.clock.sleep(WAIT_S)
            except SourceError as problem:
                self._failure = problem
                raise
        raise AssertionError("unreachable: the last try returns or raises")

    def _login(self) -> Any:
        import psycopg2
        from psycopg2.extensions import make_dsn

        limit = min(self.at.connect_timeout_s, self.left_s)
        if wrong := dsn_problem(self.at.dsn.reveal()):
            raise SourceMisread(
                f"database: {self.at.dsn.name}: expected a connection string, got {wrong}"
            )
        try:
            dsn = make_dsn(
                self.at.dsn.reveal(),
                application_name="hour24",
                tcp_user_timeout=str(int(1000 * max(limit, self.at.statement_timeout_s))),
                **CLIENT_SIDE,
                **_required_auth(self.at.dsn.reveal()),
            )
        except psycopg2.Error as problem:
            unknown = _UNKNOWN_PARAMETER.search(str(problem))
            raise SourceMisread(
                f"database: {self.at.dsn.name}: expected a connection string that libpq knows, got "
                + (f"the unknown parameter {unknown[1]}" if unknown else "another form")
            ) from None
        connection: Any = None
        try:
            connection = psycopg2.connect(dsn, async_=1)
            _wait(connection, limit)
        except TooMuch:
            connection.close()
            raise SourceMisread(f"database: login: {_TOO_MUCH}") from None
        except DeadlinePassed:
            connection.close()
            raise SourceUnreachable(
                f"database: login: expected a connection within {limit:g} s, got none"
            ) from None
        except (psycopg2.Error, UnicodeError) as problem:
            kind, message = explain_login_failure(str(problem))
            raise kind(f"database: login: {message}") from None
        return connection

    # --- asking -------------------------------------------------------------------------------

    def _ask(self, what: str, sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        connection = self._connect()
        return self._attempt(what, lambda: self._transaction(connection, what, sql, values))

    def _transaction(
        self, connection: Any, what: str, sql: str, values: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        import psycopg2

        limit = min(self.at.statement_timeout_s, self.left_s)
        begin = (
            "BEGIN READ ONLY; "
            f"SET LOCAL statement_timeout = {int(1000 * limit)}; "
            f"SET LOCAL lock_timeout = {int(1000 * min(limit, LOCK_TIMEOUT_S))}; "
            f"SET LOCAL idle_in_transaction_session_timeout = {int(1000 * (limit + GRACE_S))}; "
        )
        try:
            cursor = connection.cursor()
            cursor.execute(begin + sql, dict(values))
            _wait(connection, limit + GRACE_S)
            if cursor.description is None:
                raise SourceMisread(f"database: {what}: expected a result set, got none")
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except TooMuch:
            self.close()
            raise SourceMisread(f"database: {what}: {_TOO_MUCH}") from None
        except DeadlinePassed:
            self.close()
            raise SourceTimeout(
                f"database: {what}: expected an answer within {limit:g} s, got none"
            ) from None
        except psycopg2.Error as problem:
            kind, message = explain_sqlstate(problem.pgcode, str(problem))
            self._end(connection)
            raise kind(f"database: {what}: {message}") from None
        except (UnicodeError, ValueError, OverflowError):
            self.close()
            raise SourceMisread(
                f"database: {what}: expected text and numbers, got values that cannot be decoded"
            ) from None
        self._end(connection)
        return rows

    def _end(self, connection: Any) -> None:
        """End the transaction; if that fails, close the connection."""
        import psycopg2

        try:
            if connection.closed:
                raise DeadlinePassed
            cursor = connection.cursor()  # psycopg2 holds only a weak reference
            cursor.execute("ROLLBACK")
            _wait(connection, ROLLBACK_S)
        except (DeadlinePassed, TooMuch, psycopg2.Error):
            self.close()

    def _attempt(self, what: str, act: Callable[[], Answer]) -> Answer:
        if self.left_s < SHORTEST_S:
            raise SourceTimeout(
                f"database: {what}: no answer within its budget of {self.budget_s:g} s"
            )
        at, begun = self.clock.now(), time.perf_counter()
        result = "ok"
        try:
            return act()
        except SourceError as problem:
            result = problem.code
            raise
        finally:
            took = 1000.0 * (time.perf_counter() - begun)
            self.left_s -= took / 1000.0
            shown = result if what != "login" or result != "ok" else "ok: connected"
            self.attempts.append(Attempt(at=at, took_ms=round(took, 3), result=shown))


_TOO_MUCH = f"expected at most {MOST_BYTES // 2**20} MiB, got more"


def _required_auth(dsn: str) -> dict[str, str]:
    """Return by which methods the server may ask for the password; empty if that is not ours."""
    from psycopg2 import Error, extensions

    if extensions.libpq_version() < SINCE_REQUIRE_AUTH:
        return {}
    try:
        stated = extensions.parse_dsn(dsn)
    except Error:
        return {}  # refused, with its remedy, where the connection string is made
    if "require_auth" in stated or "service" in stated:
        return {}
    if "sslcert" in stated:  # a server that knows us by a certificate asks for no password
        return {"require_auth": f"{WITH_PASSWORD},none"}
    hosts = [stated.get(name, "") for name in ("hostaddr", "host") if stated.get(name)]
    own = all(
        host in LOOPBACK or host.startswith("/") for each in hosts for host in each.split(",")
    )
    strict = "password" in stated and not own
    return {"require_auth": WITH_PASSWORD if strict else WITHOUT_PASSWORD}


def _received(descriptor: int) -> int:
    """Return the bytes that a connection received; 0 where the system does not say."""
    option = getattr(socket, "TCP_INFO", None)
    if option is None:
        return 0
    try:
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            info = connection.getsockopt(socket.IPPROTO_TCP, option, TCP_INFO_LENGTH)
    except OSError:  # a socket of the same machine, without TCP
        return 0
    if len(info) < TCP_INFO_LENGTH:
        return 0
    return int.from_bytes(info[BYTES_RECEIVED:TCP_INFO_LENGTH], sys.byteorder)


def _checked(what: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows. Raises: SourceMisread, for a number that a float cannot hold."""
    for row in rows:
        for name, value in row.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if number and not is_number(value):
                got = value if isinstance(value, float) else "one beyond any float"
                raise SourceMisread(f"database: {what}: {name}: expected a number, got {got}")
    return rows


def _wait(connection: Any, limit_s: float) -> None:
    """Wait until the connection has finished its operation.

    Raises: DeadlinePassed; TooMuch; psycopg2.Error.
    """
    from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE

    until = time.monotonic() + limit_s
    events = {POLL_READ: selectors.EVENT_READ, POLL_WRITE: selectors.EVENT_WRITE}
    while (state := connection.poll()) != POLL_OK:
        left = until - time.monotonic()
        if left <= 0:
            raise DeadlinePassed
        if _received(connection.fileno()) > MOST_BYTES:
            raise TooMuch
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), events[state])
            selector.select(left)
