"""A vendor's web server on loopback, and the ways in which a vendor fails.

Rules of this module:

- HTTP/1.1, connections kept, no delay; ``Date`` is the rehearsal's time.
- A fault ``NAME_WAY`` makes the vendor of that name fail before it reads the request; the ways are
  in :mod:`hour24.rehearsal.vendors.counterpart`.
- Refusals have the vendor's own form.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from zlib import crc32

from hour24.rehearsal.vendors.part import Part
from hour24.rehearsal.world import World

SLOW_S = 2.5
"""Longer than the rehearsal's timeouts of 2 s."""
LIMITED_S = 3600
HTML = b"<!doctype html><html><body><div id=root></div></body></html>"
REASONS = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    503: "Service Unavailable",
}


@dataclass(frozen=True)
class Request:
    """One request, read to its end; header names in lower case."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes

    def one(self, name: str, otherwise: str = "") -> str:
        """The last value of a parameter."""
        return next((v for k, v in reversed(self.params) if k == name), otherwise)

    def all(self, name: str) -> list[str]:
        """Every value of a repeated parameter."""
        return [v for k, v in self.params if k == name]


@dataclass(frozen=True)
class Reply:
    """An answer; ``body`` is sent as JSON, bytes unchanged."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


class Refused(Exception):
    """An error answer, raised where it is found."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        super().__init__(str(reply.status))


class Vendor(Part):
    """One vendor's server; subclasses answer."""

    name = "vendor"
    token = ""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        vendor = self

        class Handler(_Handler):
            answering = vendor

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=lambda: self._server.serve_forever(0.05), name=self.name, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def variable(self) -> str:
        """The variable that holds its token."""
        return f"HOUR24_REHEARSAL_{self.name.upper()}_TOKEN"

    def environ(self) -> dict[str, str]:
        return {self.variable: self.token} if self.token else {}

    def reply(self, request: Request) -> Reply | None:
        """Return the answer to a request; None: break the connection."""
        if self._fails("unreachable"):
            return None
        if self._fails("slow"):
            time.sleep(SLOW_S)
        if self._fails("rate_limited"):
            return self.limited()
        if self._fails("failing"):
            return self.error(503, "temporarily unavailable")
        try:
            if self._fails("refused") or not self.allowed(request):
                raise Refused(self.error(401, "Invalid token"))
            reply = self.answer(request)
        except Refused as refused:
            return refused.reply
        if self._fails("empty"):
            return self.emptied(request, reply)
        if self._fails("malformed"):
            return _malformed(request, reply)
        return reply

    def _fails(self, way: str) -> bool:
        return self.world.scenario.has_fault(f"{self.name}_{way}", self.world.now)

    def allowed(self, request: Request) -> bool:
        """True if the request carries the token."""
        return request.headers.get("authorization") == f"Bearer {self.token}"

    def answer(self, request: Request) -> Reply:
        """Return the answer without faults. Raises: Refused."""
        raise NotImplementedError

    def error(self, status: int, says: str) -> Reply:
        """Return a refusal in the vendor's form."""
        return Reply(status, {"message": says})

    def limited(self) -> Reply:
        """Return a 429 in the vendor's form."""
        return self.error(429, "rate limit exceeded")

    def emptied(self, request: Request, reply: Reply) -> Reply:
        """Return the answer without its content."""
        if isinstance(reply.body, list):
            return Reply(reply.status, [], reply.headers)
        return Reply(reply.status, {}, reply.headers)

    def not_found(self, says: str = "not found") -> Refused:
        """Return the refusal of an unknown path or id."""
        return Refused(self.error(404, says))


def _malformed(request: Request, reply: Reply) -> Reply:
    data = json.dumps(reply.body).encode()
    if crc32(request.path.encode()) % 2:
        return Reply(200, HTML, reply.headers, "text/html")
    return Reply(200, data[: max(1, len(data) - 9)], reply.headers)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    answering: Vendor

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        size = int(self.headers.get("Content-Length") or 0)
        request = Request(
            method=self.command,
            path=unquote(parts.path),
            params=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(size) if size else b"",
        )
        reply = self.answering.reply(request)
        if reply is None:
            self._break()
            return
        data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        now = datetime.fromtimestamp(self.answering.world.now, UTC)
        head = [
            f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Status')}",
            f"Date: {format_datetime(now, usegmt=True)}",
            f"Content-Type: {reply.content_type}",
            f"Content-Length: {len(data)}",
            *(f"{name}: {value}" for name, value in reply.headers.items()),
        ]
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + data)

    do_GET = do_POST = do_PATCH = _serve  # noqa: N815  names that http.server wants

    def _break(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            gone = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, gone)
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log."""


def parse_time(text: str, otherwise: float) -> float:
    """Return the epoch seconds of an ISO 8601 time; without a zone it is UTC.

    Raises: ValueError.
    """
    if not text:
        return otherwise
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()
