"""One connection, asked one read-only transaction at a time, never longer than it may take.

Rules of this module:

- A transaction pooler may sit in front: nothing is set for a session. Each question is
  ``BEGIN READ ONLY; SET LOCAL ...; SELECT`` in one round, then ``ROLLBACK``.
- A server may accept a timeout and not keep it: every wait has a deadline of ours as well, and
  past it the connection is closed.
- A login that was refused is not tried again: a platform may ban an address for that. A connection
  that could not be had, or that was turned away for the moment, is tried twice, and then not again.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hour24.clock import Clock
from hour24.errors import SourceError, SourceMisread, SourceTimeout, SourceUnreachable
from hour24.evidence import Attempt
from hour24.witnesses.database import DatabaseAt
from hour24.witnesses.database.address import miswritten
from hour24.witnesses.database.refusals import NotAccepting, TooManyConnections, of_login, of_state

Answer = TypeVar("Answer")
GRACE_S = 2.0
LOCK_TIMEOUT_S = 1.0
ROLLBACK_S = 2.0
TRIES = 2
BUDGET_S = 90.0
"""Of asking and waiting together, where nobody says otherwise."""
SHORTEST_S = 0.2
WAIT_S = 1.0
CLIENT_SIDE = {
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}


class Late(Exception):
    """A wait came to its deadline."""


class Session:
    """A connection that is made when it is needed; used by one thread.

    Args:
        attempts: every try at connecting or asking is added here.
    """

    def __init__(self, at: DatabaseAt, clock: Clock, *, budget_s: float = BUDGET_S) -> None:
        self.at = at
        self.clock = clock
        self.left_s = self.budget_s = budget_s
        self.attempts: list[Attempt] = []
        self._connection: Any = None
        self._given_up: SourceError | None = None

    @property
    def version(self) -> int:
        """Of the server, as a number: 150004; 0 before the first answer."""
        return int(self._connection.server_version) if self._connection is not None else 0

    def rows(
        self, what: str, sql: str, values: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """The answer to one SELECT, a dictionary a row.

        Raises: SourceError.
        """
        kept = self._connection is not None
        try:
            return self._asked(what, sql, values or {})
        except (SourceUnreachable, NotAccepting):
            if not kept:
                raise
        return self._asked(what, sql, values or {})  # what we kept may have been closed

    def close(self) -> None:
        """Close the connection; another question would make a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # it may be broken in any way
                connection.close()

    # --- connecting ---------------------------------------------------------------------------

    def _connected(self) -> Any:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        if self._given_up is not None:
            raise type(self._given_up)(str(self._given_up))
        for tried in range(1, TRIES + 1):
            try:
                self._connection = self._attempt("login", self._login)
                return self._connection
            except (SourceUnreachable, NotAccepting, TooManyConnections) as problem:
                if tried == TRIES:
                    self._given_up = problem
                    raise
                self.left_s -= WAIT_S
                self.clock.sleep(WAIT_S)
            except SourceError as problem:
                self._given_up = problem
                raise
        raise AssertionError("unreachable: the last try returns or raises")

    def _login(self) -> Any:
        import psycopg2
        from psycopg2.extensions import make_dsn

        limit = min(self.at.connect_timeout_s, self.left_s)
        if wrong := miswritten(self.at.dsn.reveal()):
            raise SourceMisread(
                f"database: {self.at.dsn.name}: expected a connection string, got {wrong}"
            )
        try:
            dsn = make_dsn(
                self.at.dsn.reveal(),
                application_name="hour24",
                tcp_user_timeout=str(int(1000 * max(limit, self.at.statement_timeout_s))),
                **CLIENT_SIDE,
            )
        except psycopg2.Error as problem:
            odd = re.search(
                r'invalid (?:URI query parameter|connection option)[:]? "(\w{1,40})"', str(problem)
            )
            raise SourceMisread(
                f"database: {self.at.dsn.name}: expected a connection string that libpq knows, got "
                + (f"the unknown parameter {odd[1]}" if odd else "another form")
            ) from None
        connection: Any = None
        try:
            connection = psycopg2.connect(dsn, async_=1)
            _wait(connection, limit)
        except Late:
            connection.close()
            raise SourceUnreachable(
                f"database: login: expected a connection within {limit:g} s, got none"
            ) from None
        except (psycopg2.Error, UnicodeError) as problem:
            kind, told = of_login(str(problem))
            raise kind(f"database: login: {told}") from None
        return connection

    # --- asking -------------------------------------------------------------------------------

    def _asked(self, what: str, sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        connection = self._connected()
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
                raise SourceMisread(f"database: {what}: expected rows, got none of any kind")
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except Late:
            self.close()
            raise SourceTimeout(
                f"database: {what}: expected an answer within {limit:g} s, got none"
            ) from None
        except psycopg2.Error as problem:
            kind, told = of_state(problem.pgcode, str(problem))
            self._end(connection)
            raise kind(f"database: {what}: {told}") from None
        except (UnicodeError, ValueError, OverflowError):
            self.close()
            raise SourceMisread(
                f"database: {what}: expected text and numbers, got what cannot be read as such"
            ) from None
        self._end(connection)
        return rows

    def _end(self, connection: Any) -> None:
        """Leave the transaction; where that fails, leave the connection."""
        import psycopg2

        try:
            if connection.closed:
                raise Late
            cursor = connection.cursor()  # the driver keeps no reference of its own
            cursor.execute("ROLLBACK")
            _wait(connection, ROLLBACK_S)
        except (Late, psycopg2.Error):
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
            said = result if what != "login" or result != "ok" else "ok: connected"
            self.attempts.append(Attempt(at=at, took_ms=round(took, 3), result=said))


def _wait(connection: Any, limit_s: float) -> None:
    """Until the connection has done what was asked of it.

    Raises: Late; psycopg2.Error, as the driver found it.
    """
    from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE

    until = time.monotonic() + limit_s
    events = {POLL_READ: selectors.EVENT_READ, POLL_WRITE: selectors.EVENT_WRITE}
    while (state := connection.poll()) != POLL_OK:
        left = until - time.monotonic()
        if left <= 0:
            raise Late
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), events[state])
            selector.select(left)
