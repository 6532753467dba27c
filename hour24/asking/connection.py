"""One connection to a target: opened as a browser opens it, kept open, aborted from anywhere.

Rules of this module:

- It accepts what a current browser accepts: informational answers before the answer, compressed
  bodies although none was requested, many and long headers, a host of which one address does not
  answer. An unknown content coding stays in the reply's headers.
- It imports only the standard library and its neighbours: the prober must stay small.
"""

from __future__ import annotations

import errno
import http.client
import os
import select
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest
from typing import Any
from urllib.parse import urlsplit

from hour24.asking.decoding import LARGEST_BYTES, decode
from hour24.asking.proxies import Proxy, proxy_for

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
        self.proxy = proxy_for(parts.scheme, self.host)
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

    def _tunnel(self, proxy: Proxy) -> None:
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
        return response.status, received, decode(received, data)

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


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()
