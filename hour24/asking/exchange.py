"""One HTTP exchange with a target, timed, on connections that are kept open.

Rules of this module:

- Failures have few, fixed names: ``timeout``, ``refused``, ``reset``, ``closed``, ``dns``,
  ``unreachable``, ``tls``, ``malformed``, ``cut off``. A redirect is an answer; it is not
  followed.
- There is no retry, with one exception: if the server has closed an idle connection meanwhile and
  the method is safe, a new connection is opened. Other methods always get a new connection.
- An exchange can be aborted from another thread, whatever it hangs on; the caller enforces the
  timeout of the whole.
- It accepts what a current browser accepts: informational answers before the answer, compressed
  bodies although none was requested, many and long headers, a host of which one address does not
  answer. An unknown content coding stays in the reply's headers.
- It imports only the standard library and nothing of hour24: the prober must stay small.
"""

from __future__ import annotations

import errno
import http.client
import os
import select
import socket
import ssl
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest
from typing import Any
from urllib.parse import unquote, urlsplit

LARGEST_BYTES = 1_000_000
"""A longer body is cut off: health documents and probed answers are far shorter."""
MOST_IDLE = 64
"""Connections kept open to one target; further ones are closed after use."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that may be sent twice without harm (RFC 9110 9.2.1)."""
ATTEMPT_DELAY_S = 0.25
"""Seconds without an answer after which the next address is tried as well (RFC 8305)."""
MOST_INFORMATIONAL = 100
"""Keeps a server that sends nothing else from holding us until the timeout."""
# http.client takes 100 headers of 64 KiB; browsers take 256 KiB in all, however many
setattr(http.client, "_MAXHEADERS", 4096)  # noqa: B010  no public name
setattr(http.client, "_MAXLINE", 262_144)  # noqa: B010


@dataclass(frozen=True)
class Request:
    """A request to send. ``headers`` may hold secrets and are left out of its repr."""

    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


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


class Address:
    """The host, port and path of a target, and the proxy that leads there.

    Args:
        url: ``http`` or ``https``. The environment's proxies are used, except for loopback.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected an http or https address with a host")
        self.tls = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.tls else 80)
        self.path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        bracketed = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (443 if self.tls else 80)
        self.host_header = bracketed if usual else f"{bracketed}:{self.port}"
        self.shown = f"{parts.scheme}://{self.host_header}{self.path}"
        self.proxy = _proxy(parts.scheme, self.host)
        if self.proxy is not None and not self.tls:
            self.path = self.shown


class Connection:
    """One connection, used by one thread at a time; :meth:`abort` may come from any."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.used = False
        self.connect_ms = 0.0
        self._http: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._aborted = False

    def open(self, timeout_s: float) -> None:
        """Connect. Raises: OSError."""
        address = self.address
        proxy = address.proxy
        host, port = (proxy.host, proxy.port) if proxy else (address.host, address.port)
        self._socket = self._connect_first(host, port, timeout_s)
        http_connection = http.client.HTTPConnection(address.host, address.port)
        if proxy is not None and address.tls:
            self._tunnel(proxy)
        if address.tls:
            self._socket = _context().wrap_socket(self._socket, server_hostname=address.host)
        http_connection.sock = self._socket
        self._http = http_connection

    def _connect_first(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """Connect to the first address that answers; try the next after 250 ms without one."""
        ahead = _interleave(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
        until = time.perf_counter() + timeout_s
        problem: OSError = OSError("no address")
        started: dict[int, tuple[socket.socket, float]] = {}
        poll = select.poll()
        next_at = 0.0
        try:
            while ahead or started:
                now = time.perf_counter()
                if self._aborted or now >= until:
                    raise TimeoutError
                if ahead and (now >= next_at or not started):
                    family, kind, proto, _, where = ahead.pop(0)
                    next_at = now + ATTEMPT_DELAY_S
                    try:
                        each = _start_connecting(family, kind, proto, where)
                    except OSError as failure:
                        problem = failure
                        continue
                    self._socket = each
                    started[each.fileno()] = each, now
                    poll.register(each, select.POLLOUT)
                wait_s = min(until, next_at if ahead else until) - time.perf_counter()
                for number, _ in poll.poll(max(0.0, wait_s) * 1000):
                    each, begun = started.pop(number)
                    poll.unregister(number)
                    error = each.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if not error and not self._aborted:
                        self._socket = each
                        self.connect_ms = (time.perf_counter() - begun) * 1000
                        each.settimeout(max(0.001, until - time.perf_counter()))
                        return each
                    each.close()
                    problem = OSError(error, os.strerror(error)) if error else TimeoutError()
                    next_at = 0.0
            raise problem
        finally:
            for each, _ in started.values():
                each.close()

    def _tunnel(self, proxy: _Proxy) -> None:
        assert self._socket is not None
        lines = [f"CONNECT {self.address.host}:{self.address.port} HTTP/1.1"]
        lines += [f"Host: {self.address.host}:{self.address.port}", *proxy.header_lines(), "", ""]
        self._socket.sendall("\r\n".join(lines).encode("latin-1"))
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = self._socket.recv(4096)
            if not part or len(answer) > 65_536:
                raise ConnectionRefusedError("the proxy does not connect")
            answer += part
        if answer.split(None, 2)[1:2] != [b"200"]:
            raise ConnectionRefusedError("the proxy does not connect")

    def exchange(self, request: Request, timeout_s: float) -> tuple[int, Mapping[str, str], bytes]:
        """Send, and read the whole answer. Raises: OSError, http.client.HTTPException."""
        assert self._http is not None
        assert self._socket is not None
        self.used = True
        self._socket.settimeout(timeout_s)
        headers = dict(request.headers)
        if self.address.proxy is not None and not self.address.tls:
            headers |= self.address.proxy.headers()
        self._http.putrequest(
            request.method, self.address.path, skip_host=True, skip_accept_encoding=True
        )
        self._http.putheader("Host", self.address.host_header)
        for name, value in headers.items():
            self._http.putheader(name, value)
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            self._http.putheader("Content-Length", str(len(request.body)))
        self._http.endheaders(request.body or None)
        self._http.response_class = _Response
        response = self._http.getresponse()
        data = response.read(LARGEST_BYTES + 1)
        if response.length and len(data) <= LARGEST_BYTES:
            raise http.client.IncompleteRead(data, response.length)
        if len(data) > LARGEST_BYTES:
            response.close()
            self.close()
        received: dict[str, str] = {}
        for name, value in response.getheaders():
            key = name.lower()
            received[key] = f"{received[key]}, {value}" if key in received else value
        return response.status, received, _decode(received, data)

    @property
    def alive(self) -> bool:
        """True if the server has not closed it, as far as that shows without sending."""
        if self._http is None or self._http.sock is None or self._aborted:
            return False
        if not self.used:  # unread bytes may be the session tickets of TLS 1.3
            return True
        poll = select.poll()
        poll.register(self._http.sock, select.POLLIN)
        return not poll.poll(0)

    def abort(self) -> None:
        """Interrupt whatever is going on; the thread doing it gets an error."""
        self._aborted = True
        if self._socket is not None:
            try:
                # SSLSocket.shutdown would drop the TLS state that another thread is reading with
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            except OSError:
                return  # not connected

    def close(self) -> None:
        """Close it; calling this twice is harmless."""
        if self._http is not None:
            self._http.close()
        if self._socket is not None:
            self._socket.close()


class _Response(http.client.HTTPResponse):
    """An answer that skips informational ones (RFC 9110 15.2), except 101."""

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MOST_INFORMATIONAL):
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 102 <= found[1] < 200:  # http.client itself skips 100
                return found
            while (line := self.fp.readline(LARGEST_BYTES)) not in (b"\r\n", b"\n"):
                if not line:
                    raise http.client.RemoteDisconnected("no answer after an informational one")
        raise http.client.BadStatusLine("only informational answers")


def _decode(headers: dict[str, str], data: bytes) -> bytes:
    """Return the body decompressed; remove each coding undone from ``headers``.

    Raises: http.client.HTTPException, when the body does not match its coding.
    """
    codings = [each.strip().lower() for each in headers.get("content-encoding", "").split(",")]
    codings = [each for each in codings if each not in ("", "identity")]
    while codings and data and len(data) <= LARGEST_BYTES:
        try:
            if codings[-1] in ("gzip", "x-gzip"):
                data = _decompress(data, 16 + zlib.MAX_WBITS)
            elif codings[-1] == "deflate":
                raw = data[0] & 0x0F != 8 or int.from_bytes(data[:2], "big") % 31
                data = _decompress(data, -zlib.MAX_WBITS if raw else zlib.MAX_WBITS)
            elif codings[-1] == "br":
                data = _decompress_brotli(data)
            else:
                break
        except ImportError:
            break
        except zlib.error:
            raise http.client.HTTPException("wrong Content-Encoding") from None
        codings.pop()
    headers["content-encoding"] = ", ".join(codings)
    if not codings:
        del headers["content-encoding"]
    return data


def _decompress(data: bytes, bits: int) -> bytes:
    """Return the decompressed data, at most a byte more than :data:`LARGEST_BYTES`."""
    found = b""
    while data and len(found) <= LARGEST_BYTES:  # a gzip file may have several members
        machine = zlib.decompressobj(bits)
        found += machine.decompress(data, LARGEST_BYTES + 1 - len(found))
        if not machine.eof and len(found) <= LARGEST_BYTES:
            raise zlib.error("cut off")
        data = machine.unused_data
    return found


def _decompress_brotli(data: bytes) -> bytes:
    """Like :func:`_decompress`, for brotli. Raises: ImportError, when no library reads it."""
    import brotli  # type: ignore[import-not-found, unused-ignore]

    machine = brotli.Decompressor()
    try:
        found: bytes = machine.process(data, output_buffer_limit=LARGEST_BYTES + 1)
    except TypeError:
        raise ImportError("this brotli cannot limit its output") from None
    except brotli.error:
        raise zlib.error("not brotli") from None
    return found


def _interleave(addresses: list[Any]) -> list[Any]:
    """Return the addresses with families alternating, the first one's first (RFC 8305 4)."""
    families: dict[int, list[Any]] = {}
    for each in addresses:
        families.setdefault(each[0], []).append(each)
    turns = zip_longest(*families.values())
    return [each for turn in turns for each in turn if each is not None]


def _start_connecting(family: int, kind: int, proto: int, where: Any) -> socket.socket:
    """Return a socket that is connecting. Raises: OSError, when connecting cannot start."""
    each = socket.socket(family, kind, proto)
    try:
        each.setblocking(False)
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = each.connect_ex(where)
        if error not in (0, errno.EINPROGRESS):
            raise OSError(error, os.strerror(error))
    except OSError:
        each.close()
        raise
    return each


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


def ask(url: str, headers: Mapping[str, str], timeout_s: float) -> Reply:
    """Send one GET; return its reply, at the latest after ``timeout_s``."""
    pool = ConnectionPool(Address(url))
    exchange = pool.exchange(Request(headers=headers), time.perf_counter(), timeout_s)
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


@dataclass(frozen=True)
class _Proxy:
    host: str
    port: int
    credentials: str = field(default="", repr=False)

    def headers(self) -> dict[str, str]:
        if not self.credentials:
            return {}
        return {"Proxy-Authorization": f"Basic {b64encode(self.credentials.encode()).decode()}"}

    def header_lines(self) -> list[str]:
        return [f"{name}: {value}" for name, value in self.headers().items()]


def _proxy(scheme: str, host: str) -> _Proxy | None:
    from urllib.request import getproxies, proxy_bypass

    if host == "localhost" or host.startswith("127.") or host == "::1" or proxy_bypass(host):
        return None
    parts = urlsplit(getproxies().get(scheme, ""))
    if not parts.hostname:
        return None
    credentials = (
        f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    )
    return _Proxy(parts.hostname, parts.port or 8080, credentials)


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()
