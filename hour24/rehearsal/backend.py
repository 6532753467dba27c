"""The service itself: four endpoints, a WebSocket, and the control address.

Rules of this module:

- It is a separate process, so that busy vendors do not disturb its latency. It gets time and faults
  as lines of JSON on standard input, answers each with a line, and ends when that input ends.
- Service times come from the scenario and are really slept; ``Server-Timing: app;dur=`` gives the
  actual time in milliseconds.
- An address that is down breaks each connection before a byte is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from hour24.rehearsal.timing import ENDPOINTS, ServiceReply
from hour24.rehearsal.world import World

FLAPPING = (1, 3)
OF = 5
"""The fault websocket_flap drops these connections of every five: 40 %."""
DROPPED_AFTER_S = 0.2
STARTS_WITHIN_S = 20.0
_PATHS = {each.path: each.name for each in ENDPOINTS.values()}
_REASONS = {200: "OK", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}


class _Http(asyncio.Protocol):
    """One connection; requests are reply one after another."""

    def __init__(self, serving: _Serving, control: bool) -> None:
        self._serving = serving
        self._control = control
        self._buffer = b""
        self._busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._serving.is_silent(self._control):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def _next(self) -> None:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if self._busy or not end:
            return
        begun = time.perf_counter()
        size = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        if len(rest) < size:
            return
        self._buffer = rest[size:]
        self._busy = True
        path = head.split(b" ", 2)[1].split(b"?")[0].decode("latin-1")
        reply = self._serving.answer(path, self._control)
        delay = reply.took_ms / 1000
        asyncio.get_running_loop().call_later(delay, self._respond, reply, begun)

    def _respond(self, reply: ServiceReply, begun: float) -> None:
        if self._transport is None:
            return
        if reply.status == 0 or self._serving.is_silent(self._control):
            self._transport.abort()
            return
        data = json.dumps(reply.body).encode()
        now = datetime.fromtimestamp(self._serving.world.now, UTC)
        took = (time.perf_counter() - begun) * 1000
        head = (
            f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Status')}\r\n"
            f"Date: {format_datetime(now, usegmt=True)}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\n"
            f"Server-Timing: app;dur={took:.3f}\r\n\r\n"
        )
        self._transport.write(head.encode("latin-1") + data)
        self._busy = False
        self._next()


class _Serving:
    """The three servers of one process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._turn = 0
        self._sockets = 0

    def is_silent(self, control: bool) -> bool:
        """True if this address answers no request now."""
        scenario, now = self.world.scenario, self.world.now
        return scenario.has_fault("network_down", now) or (not control and scenario.is_silent(now))

    def answer(self, path: str, control: bool) -> ServiceReply:
        """Return the answer to one request."""
        if control:
            return ServiceReply(200, 0.2, {"control": True})
        name = _PATHS.get(path)
        if name is None:
            return ServiceReply(404, 0.5, {"error": "not found"})
        self._turn += 1
        return self.world.service.answer(name, self.world.now, self._turn)

    async def socket(self, connection: Any) -> None:
        """Serve one WebSocket connection until the client or the fault closes it."""
        self._sockets += 1
        scenario = self.world.scenario
        if scenario.has_fault("websocket_flap", self.world.now) and self._sockets % OF in FLAPPING:
            await asyncio.sleep(DROPPED_AFTER_S)
            connection.transport.abort()
            return
        await connection.send('{"type":"hello"}')
        async for _ in connection:
            continue

    async def request(self, connection: Any, request: Any) -> None:
        """Break the connection before the handshake if the service is down."""
        if self.is_silent(False):
            connection.transport.abort()

    async def serve(self) -> None:
        """Serve until standard input ends."""
        from websockets.asyncio.server import serve

        loop = asyncio.get_running_loop()
        http = await loop.create_server(lambda: _Http(self, False), "127.0.0.1", 0, backlog=256)
        control = await loop.create_server(lambda: _Http(self, True), "127.0.0.1", 0)
        sockets = await serve(
            self.socket,
            "127.0.0.1",
            0,
            process_request=self.request,
            ping_interval=None,
            compression=None,
            logger=_quiet(),
        )
        ports = [next(iter(s.sockets)).getsockname()[1] for s in (http, control, sockets)]
        _write_line(dict(zip(("http", "control", "websocket"), ports, strict=True)))
        lines = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            self._apply(json.loads(line))
            _write_line({"ok": True})

    def _apply(self, order: dict[str, Any]) -> None:
        world = self.world
        if "faults" in order:
            world.set_faults(order["faults"])
        if "rollback" in order:
            world.set_time(datetime.fromisoformat(order["now"]))
            world.roll_back(order["rollback"])
        world.set_time(datetime.fromisoformat(order["now"]))


def _write_line(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _quiet() -> Any:
    import logging

    logger = logging.getLogger("hour24.rehearsal.websocket")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger


class Backend:
    """Starts and controls that process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hour24.rehearsal.backend"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        state = world.state()
        self._send({key: state[key] for key in ("seed", "faults", "t0", "now")})
        self._ports: dict[str, int] = {}

    def ready(self) -> None:
        """Wait until it serves. Raises: RuntimeError, when it ends instead."""
        self._ports = self._answer()

    def url(self, endpoint: str) -> str:
        """Return the address of an endpoint, of ``control``, or of ``websocket``."""
        if endpoint == "control":
            return f"http://127.0.0.1:{self._ports['control']}/control"
        if endpoint == "websocket":
            return f"ws://127.0.0.1:{self._ports['websocket']}/ws"
        return f"http://127.0.0.1:{self._ports['http']}{ENDPOINTS[endpoint].path}"

    def update(self, **more: Any) -> None:
        """Send it the time, and ``faults`` or a ``rollback`` if given; wait for its answer."""
        with self._lock:
            self._send({"now": self._world.state()["now"], **more})
            self._answer()

    def stop(self) -> None:
        """End it."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _send(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, int]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("rehearsal: backend: expected it to serve, got its end")
        ports: dict[str, int] = json.loads(line)
        return ports


def _line_of(descriptor: int) -> bytes:
    """Read one line and not a byte more: the event loop reads the rest."""
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(descriptor, 1)
        if not part:
            raise SystemExit(0)
        line += part
    return line


def main(arguments: Sequence[str] = ()) -> None:
    """Read the first line, serve the others."""
    order = json.loads(_line_of(0))
    times = {key: datetime.fromisoformat(order[key]) for key in ("t0", "now")}
    world = World(order["seed"], order["faults"], times["t0"], times["now"])
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        asyncio.run(_Serving(world).serve())


if __name__ == "__main__":
    main()
