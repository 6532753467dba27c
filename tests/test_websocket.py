"""WebSockets held open: what is a drop, what is a goodbye, what is a refusal."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from hour24.clock import SteppingClock
from hour24.config import WebSocketTarget
from hour24.evidence import Counts, from_plain, to_plain
from hour24.secrets import Secret
from hour24.sources.websocket import WebSocketSource
from tests.answering import Server, free_port
from tests.peers import Peer

START = datetime(2026, 11, 24, 6, tzinfo=UTC)


@contextlib.contextmanager
def serving(handler: Callable[[ServerConnection], None], **more: object) -> Iterator[str]:
    with serve(handler, "127.0.0.1", 0, close_timeout=0.5, **more) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/live?key=s3cret"
        server.shutdown()
        thread.join()


def held(url: str, **more: object) -> Counts:
    fields: dict = {"connections": 6, "hold_s": 0.5, "timeout_s": 2.0, **more}
    return WebSocketSource(WebSocketTarget(url=url, **fields), SteppingClock(START)).held()


def listens(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        for _ in connection:
            connection.send("again")


def breaks(connection: ServerConnection) -> None:
    time.sleep(0.1)
    connection.socket.shutdown(socket.SHUT_RDWR)


def test_connections_that_hold():
    """All open, none dropped; nothing of the address's query is in the evidence."""
    with serving(listens) as url:
        counts = held(url)
    assert (counts.total, counts.bad, counts.parts) == (6, 0, {"held": 6})
    assert counts.what == "connections"
    assert counts.basis == "sample"
    assert "3 connection seconds held" in counts.note
    assert "s3cret" not in str(to_plain(counts))
    assert from_plain(to_plain(counts)) == counts


def test_connections_that_break_are_drops():
    """No close frame is 1006, a drop."""
    with serving(breaks) as url:
        counts = held(url)
    assert (counts.total, counts.bad, counts.parts) == (6, 6, {"1006": 6})


@pytest.mark.parametrize(
    ("code", "bad"),
    [(1000, 0), (1001, 0), (1008, 6), (1011, 6), (1012, 6), (1013, 6), (4000, 6)],
)
def test_close_codes(code, bad):
    """1000 and 1001 are goodbyes, told apart; every other code is a drop."""
    with serving(lambda connection: connection.close(code, "bye")) as url:
        counts = held(url)
    assert (counts.total, counts.bad) == (6, bad)
    assert counts.parts == ({str(code): 6} if bad else {"closed early": 6})
    assert ("closed early by the server" in counts.note) == (not bad)


def test_a_ping_without_its_pong_is_a_drop():
    """A server that stops reading and writing drops the connection, though TCP stays open."""

    def shakes_hands(connection: socket.socket) -> None:
        from websockets.server import ServerProtocol

        protocol = ServerProtocol()
        protocol.receive_data(connection.recv(65_536))
        protocol.send_response(protocol.accept(protocol.events_received()[0]))
        for data in protocol.data_to_send():
            connection.sendall(data)
        stuck.wait(60)

    with Peer(shakes_hands) as stuck:
        url = f"ws://127.0.0.1:{stuck.port}/"
        counts = held(url, connections=1, hold_s=3.0, timeout_s=0.4)
    assert (counts.total, counts.bad, counts.parts) == (1, 1, {"1011": 1})


def test_refused_handshakes_are_no_drops():
    """403, a page instead of a handshake, nobody there: counted apart, by name."""

    def refuse(connection, request):
        return connection.respond(HTTPStatus.FORBIDDEN, "no")

    with serving(listens, process_request=refuse) as url:
        counts = held(url)
    assert (counts.total, counts.bad) == (0, 0)
    assert counts.parts == {"refused": 6, "refused: 403": 6}
    counts = held(f"ws://127.0.0.1:{free_port()}/")
    assert counts.parts == {"refused": 6, "refused: refused": 6}
    with Server(lambda asked: time.sleep(1.5)) as server:
        counts = held(server.url.replace("http", "ws"), timeout_s=0.4, connections=2)
    assert counts.parts == {"refused": 2, "refused: timeout": 2}


def test_some_of_each():
    """Refused, dropped and held side by side add up."""
    turn = iter(range(100))
    lock = threading.Lock()

    def handler(connection: ServerConnection) -> None:
        with lock:
            number = next(turn)
        (breaks if number % 3 == 0 else listens)(connection)

    with serving(handler) as url:
        counts = held(url, connections=12)
    assert (counts.total, counts.bad) == (12, 4)
    assert counts.parts == {"1006": 4, "held": 8}


def test_headers_are_sent():
    """A secret header opens the door."""
    seen = []

    def look(connection, request):
        seen.append((request.headers.get("X-Token"), request.headers["User-Agent"]))

    with serving(listens, process_request=look) as url:
        counts = held(url, connections=1, hold_s=0.1, headers={"X-Token": Secret("T", "s3cret")})
    assert counts.parts == {"held": 1}
    assert seen[0][0] == "s3cret"
    assert seen[0][1].startswith("hour24/")
