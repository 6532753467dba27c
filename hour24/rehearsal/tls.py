"""The TLS address of the rehearsal's service: one handshake a connection, no request.

Rules of this module:

- Its certificate and key are shipped (``data/tls``): they are of this loopback alone, and protect
  nothing. Their dates reach over every time that a rehearsal may have.
- While the scenario says so, the certificate is of a chain that leads to no known root, or
  connections are closed before the handshake.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path

from hour24.rehearsal.world import World

FOLDER = Path(__file__).parent / "data" / "tls"
ROOT = FOLDER / "ca.pem"


class TlsAddress:
    """A server of handshakes on loopback."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._contexts = {name: _context(name) for name in ("server", "untrusted")}
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, name="rehearsal tls", daemon=True).start()

    def stop(self) -> None:
        """Accept no more."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with contextlib.suppress(OSError, ssl.SSLError):
                self._shake(connection)

    def _shake(self, connection: socket.socket) -> None:
        now = self._world.now
        connection.settimeout(2.0)
        with connection:
            if self._world.scenario.has_fault("certificate_unseen", now):
                return
            untrusted = self._world.scenario.has_fault("certificate_untrusted", now)
            context = self._contexts["untrusted" if untrusted else "server"]
            with context.wrap_socket(connection, server_side=True):
                return


def _context(name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / f"{name}.pem")
    return context
