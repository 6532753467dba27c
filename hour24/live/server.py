"""Serves the live page and the pages of one watch, on loopback alone.

Rules of this module:

- GET and HEAD only. A request whose Host is not this server's own address is refused: a name that
  resolves to 127.0.0.1 would let a web page of another origin read it (DNS rebinding).
- Files are served by name, from the folder of the watch: pages that hour24 wrote there, and nothing
  else.
- A page allows no script, no frame and no other origin, and is not kept by a browser.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hour24.linear import shipped

REFRESH_S = 5
TIMEOUT_S = 10.0
PAGE = shipped(r"/((?:hour\d{2}\.a\d{1,4}|index|signoff)\.html)")
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class LivePage:
    """A server of one watch, in threads.

    Args:
        text: makes the live page.
        folder: of the watch.
        port: 0: a free one.
    Raises: OSError, when the port is taken.
    """

    def __init__(self, text: Callable[[], str], folder: Path, port: int = 0) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            server_version, sys_version = "hour24", ""
            timeout = TIMEOUT_S

            def do_GET(self) -> None:
                status, body, more = outer.answer(self.path, self.headers.get("Host", ""))
                data = body.encode("utf-8", "backslashreplace")
                self.send_response(status)
                for name, value in {**HEADERS, **more, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_HEAD = do_GET  # noqa: N815  http.server's names

            def log_message(self, format: str, *args: Any) -> None:
                """The terminal is for the watch."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A browser that went away is no error of the watch."""

        self._text = text
        self._folder = folder
        self._server = Server(("127.0.0.1", port), Handler)
        self.port = int(self._server.server_address[1])
        self.hosts = {f"{name}:{self.port}" for name in ("127.0.0.1", "localhost")}
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="hour24 page", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/"

    def answer(self, path: str, host: str) -> tuple[int, str, dict[str, str]]:
        """Returns status, page and more headers for a request."""
        if host.lower() not in self.hosts:
            return 421, _plain("expected this server's own address as Host"), {}
        if path == "/":
            try:
                return 200, self._text(), {"Refresh": str(REFRESH_S)}
            except Exception as problem:  # noqa: BLE001  the watch goes on without its page
                says = f"the page could not be made: {type(problem).__name__}"
                return 500, _plain(says), {"Refresh": str(REFRESH_S)}
        found = PAGE.fullmatch(path)
        if found is None:
            return 404, _plain("expected / or a page of this watch"), {}
        try:
            return 200, (self._folder / found.group(1)).read_text("utf-8", "replace"), {}
        except OSError:
            return 404, _plain("no such page yet"), {}

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


def _plain(text: str) -> str:
    return f"<!DOCTYPE html><html lang=en><title>hour24</title><p>{text}</p></html>"
