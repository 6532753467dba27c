"""A real HTTP server on loopback that answers as a test tells it to."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """What is sent back; ``raw`` goes out as it is instead, and the connection is closed."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    drip_s: float = 0.0


@dataclass
class Asked:
    """What a request was."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    took_ms: float = 0.0


class Server:
    """Serves until closed; every request is kept in ``asked``."""

    def __init__(self, answer: Callable[[Asked], Answer] | Answer) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.connections = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def setup(self) -> None:
                outer.connections += 1
                super().setup()
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def handle_any(self) -> None:
                begun = time.perf_counter()
                length = int(self.headers.get("Content-Length", 0))
                asked = Asked(
                    time.time(),
                    self.command,
                    self.path,
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(length),
                )
                outer.asked.append(asked)
                reply = outer.answer(asked) if callable(outer.answer) else outer.answer
                if reply.raw is not None:
                    for byte in reply.raw if reply.drip_s else [reply.raw]:
                        self.wfile.write(bytes([byte]) if reply.drip_s else byte)
                        time.sleep(reply.drip_s)
                    self.close_connection = True
                    return
                lines = [f"HTTP/1.1 {reply.status} Sent", f"Content-Length: {len(reply.body)}"]
                lines += [f"{name}: {value}" for name, value in reply.headers.items()]
                self.wfile.write("\r\n".join([*lines, "", ""]).encode() + reply.body)
                asked.took_ms = (time.perf_counter() - begun) * 1000

            do_GET = do_POST = do_HEAD = do_PATCH = handle_any  # noqa: N815  http.server's names

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing on the screen."""

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that went away is no error."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def document(**members: Any) -> Answer:
    """A JSON answer."""
    return Answer(body=json.dumps(members).encode(), headers={"Content-Type": "application/json"})


def free_port() -> int:
    """A port without a listener."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
