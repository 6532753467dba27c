"""A bare TCP peer on loopback that does with each connection what a test tells it to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

MOST = 64
"""Connections that a peer takes before it stops listening."""

Handle = Callable[[socket.socket], None]


class Peer:
    """Listens until closed; then none of its threads and sockets is left.

    A thread that stays in ``accept`` after its socket was closed takes the connections of whichever
    server is given the same descriptor next: so it is woken, and waited for.
    """

    def __init__(self, handle: Handle, most: int = MOST) -> None:
        self.connections = 0
        self._handle, self._most = handle, most
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._closing = threading.Event()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while self.connections < self._most:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            if self._closing.is_set():
                connection.close()
                return
            self.connections += 1
            self.keep(connection)
            self.run(self._take, connection)

    def _take(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._handle(connection)

    def keep(self, connection: socket.socket) -> socket.socket:
        """Have a socket closed with the peer."""
        self._open.append(connection)
        return connection

    def run(self, what: Callable[..., None], *given: object) -> None:
        """A thread that ends with the peer: what it waits for is a socket that the peer closes."""
        thread = threading.Thread(target=what, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait(self, seconds: float) -> None:
        """Say nothing for so long, or until the peer is closed."""
        self._closing.wait(seconds)

    def close(self) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._accepting.join(10)
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for each in (self._listening, *self._open):
            each.close()
        left = [each for each in (self._accepting, *self._threads) if each.is_alive()]
        assert not left, f"a peer's threads did not end: {left}"

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def silent() -> Peer:
    """Accepts, and says nothing, ever."""
    peer: Peer
    peer = Peer(lambda _: peer.wait(60))
    return peer
