"""One HTTP exchange with a target, timed, on connections that are kept open.

Rules of this module:

- Failures have few, fixed names: ``timeout``, ``refused``, ``reset``, ``closed``, ``dns``,
  ``unreachable``, ``tls``, ``malformed``, ``cut off``. A redirect is an answer; it is not
  followed.
- There is no retry, with one exception: if the server has closed an idle connection meanwhile and
  the method is safe, a new connection is opened. Other methods always get a new connection.
- An exchange can be aborted from another thread, whatever it hangs on; the caller enforces the
  timeout of the whole.
- It imports only the standard library and its neighbours: the prober must stay small.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from hour24.asking.connection import ATTEMPT_DELAY_S, Address, Connection, Request
from hour24.asking.decoding import LARGEST_BYTES

__all__ = [
    "ATTEMPT_DELAY_S",
    "LARGEST_BYTES",
    "SAFE",
    "Address",
    "ConnectionPool",
    "Exchange",
    "Reply",
    "Request",
    "ask",
    "name_failure",
]

MOST_IDLE = 64
"""Connections kept open to one target; further ones are closed after use."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that may be sent twice without harm (RFC 9110 9.2.1)."""


@dataclass(frozen=True)
class Reply:
    """The answer to a request, or why there is none.

    Args:
        status: HTTP status; 0 when no complete answer was received.
        reason: why, as one of the names above; empty when there is an answer.
        data: the body.
        headers: names in lower case.
        took_ms: from when the request was due to the last byte.
        late_ms: how long after its due time the request was sent.
    """

    status: int = 0
    reason: str = ""
    data: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    took_ms: float = 0.0
    late_ms: float = 0.0


class ConnectionPool:
    """The connections kept open to one target; used by many threads."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._connects: list[float] = []
        self._opening = threading.Lock()

    @property
    def idle(self) -> int:
        """The number of open connections that are not in use."""
        with self._lock:
            gone = [each for each in self._idle if not each.alive]
            self._idle = [each for each in self._idle if each not in gone]
            count = len(self._idle)
        for each in gone:
            each.close()
        return count

    def round_trip_ms(self) -> float:
        """Return the shortest recent connection time; 0 through a proxy or before the first.

        A longer one includes more than a round trip: a lost packet, a busy machine.
        """
        with self._lock:
            shortest = min(self._connects, default=0.0)
        return shortest if self.address.proxy is None else 0.0

    def prepare_one(self, timeout_s: float) -> None:
        """Call :meth:`prepare` unless another thread is already in it, perhaps hanging."""
        if self._opening.acquire(blocking=False):
            try:
                self.prepare(timeout_s)
            finally:
                self._opening.release()

    def prepare(self, timeout_s: float) -> None:
        """Open a connection ahead of its use. A failure is ignored: the exchange will report it."""
        connection = Connection(self.address)
        try:
            self._open(connection, timeout_s)
        except (OSError, http.client.HTTPException):
            connection.close()
            return
        self._park(connection)

    def exchange(self, request: Request, due: float, timeout_s: float) -> Exchange:
        """Return an exchange that is ready to send; ``due`` is a ``time.perf_counter`` value."""
        return Exchange(self, request, due, timeout_s)

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for each in idle:
            each.close()

    def _open(self, connection: Connection, timeout_s: float) -> None:
        connection.open(timeout_s)
        with self._lock:
            self._connects.append(connection.connect_ms)
            del self._connects[:-200]

    def _take(self, fresh: bool) -> Connection | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if connection.alive and not (fresh and connection.used):
                return connection
            connection.close()

    def _park(self, connection: Connection) -> None:
        with self._lock:
            if len(self._idle) < MOST_IDLE and connection.alive:
                self._idle.append(connection)
                return
        connection.close()


class Exchange:
    """One request and its reply; only the first reply counts."""

    def __init__(
        self, pool: ConnectionPool, request: Request, due: float, timeout_s: float
    ) -> None:
        self.due = due
        self.reply: Reply | None = None
        self._pool = pool
        self._request = request
        self.until = due + timeout_s
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self._sent = 0.0

    def send(self) -> Reply:
        """Send the request, read the reply and park the connection; no network error is raised."""
        self._sent = time.perf_counter()
        try:
            status, headers, data = self._send_and_read()
        except (OSError, http.client.HTTPException, ValueError) as problem:
            if self._connection is not None:
                self._connection.close()
            return self._keep_first(Reply(reason=name_failure(problem)))
        reply = self._keep_first(Reply(status=status, headers=headers, data=data))
        if self._connection is not None:
            self._pool._park(self._connection)
        return reply

    def expire(self) -> Reply:
        """Return the reply, or set it to ``timeout`` and abort what hangs."""
        reply = self._keep_first(Reply(reason="timeout"))
        if reply.reason == "timeout" and self._connection is not None:
            self._connection.abort()
        return reply

    def _send_and_read(self) -> tuple[int, Mapping[str, str], bytes]:
        fresh = self._request.method not in SAFE
        connection = self._connection = self._pool._take(fresh)
        if connection is not None:
            try:
                return connection.exchange(self._request, self._left_s())
            except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError):
                connection.close()
                if fresh or self.reply is not None:
                    raise
        connection = self._connection = Connection(self._pool.address)
        self._pool._open(connection, self._left_s())
        return connection.exchange(self._request, self._left_s())

    def _left_s(self) -> float:
        left = self.until - time.perf_counter()
        if left <= 0:
            raise TimeoutError
        return left

    def _keep_first(self, reply: Reply) -> Reply:
        ended = time.perf_counter()
        with self._lock:
            if self.reply is None:
                self.reply = Reply(
                    status=reply.status,
                    reason=reply.reason,
                    data=reply.data,
                    headers=reply.headers,
                    took_ms=(ended - self.due) * 1000,
                    late_ms=max(0.0, (self._sent or ended) - self.due) * 1000,
                )
            return self.reply


def ask(
    url: str,
    headers: Mapping[str, str],
    timeout_s: float,
    method: str = "GET",
    body: bytes = b"",
) -> Reply:
    """Send one request; return its reply, at the latest after ``timeout_s``."""
    pool = ConnectionPool(Address(url))
    request = Request(method=method, headers=headers, body=body)
    exchange = pool.exchange(request, time.perf_counter(), timeout_s)
    thread = threading.Thread(target=exchange.send, name="hour24 ask", daemon=True)
    thread.start()
    thread.join(timeout_s)
    reply = exchange.expire()
    thread.join(0.05)
    pool.close()
    return reply


def name_failure(problem: BaseException) -> str:
    """Return the name of a failure, one of those in the module's rules."""
    match problem:
        case TimeoutError():
            return "timeout"
        case ConnectionRefusedError():
            return "refused"
        case http.client.RemoteDisconnected():
            return "closed"
        case ConnectionError():
            return "reset"
        case socket.gaierror():
            return "dns"
        case ssl.SSLEOFError():
            return "closed"
        case ssl.SSLError():
            return "tls"
        case http.client.IncompleteRead():
            return "cut off"
        case http.client.HTTPException() | ValueError():
            return "malformed"
    return "unreachable"
