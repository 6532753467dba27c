"""WebSockets held open: what is a drop, what is a goodbye, what is a refusal."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from hour24.clock import SteppingClock
from hour24.config import WebSocketTarget
from hour24.evidence import Counts, Document, from_plain, to_plain
from hour24.objectives.websocket import DropsBelow
from hour24.secrets import Secret
from hour24.sources import websocket
from hour24.sources.websocket import WebSocketSource
from hour24.verdict import Outcome
from tests.answering import Answer, Server, free_port
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
    assert "3 connection seconds" in counts.note
    assert "s3cret" not in str(to_plain(counts))
    assert from_plain(to_plain(counts)) == counts


def test_connections_that_break_are_drops():
    """No close frame is 1006, a drop."""
    with serving(breaks) as url:
        counts = held(url)
    assert (counts.total, counts.bad, counts.parts) == (6, 6, {"1006": 6})


@pytest.mark.parametrize(
    ("code", "bad"),
    [(1000, 0), (1001, 0), (1011, 6), (1012, 6), (1013, 6), (4000, 6)],
)
def test_close_codes(code, bad):
    """1000 and 1001 are goodbyes, counted separately; every other code is a drop."""
    with serving(lambda connection: connection.close(code, "bye")) as url:
        counts = held(url)
    assert (counts.total, counts.bad) == (6, bad)
    assert counts.parts == ({str(code): 6} if bad else {"closed early": 6})
    assert ("closed early by the server" in counts.note) == (not bad)


@pytest.mark.parametrize("code", [1008, 3000, 4401, 4403])
def test_a_credential_that_is_refused_after_opening_is_no_drop(code):
    """Like a 401 at the handshake; its code is reported."""
    with serving(lambda connection: connection.close(code, "who are you")) as url:
        counts = held(url)
    assert (counts.total, counts.bad) == (0, 0)
    assert counts.parts == {"refused": 6, f"refused: closed {code}": 6}
    control = Document(question=counts.question, status=204, body=None)
    verdict = DropsBelow().judge({"held": counts, "control": control})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "source_refused")
    assert f"closed {code}" in verdict.reason


@pytest.mark.parametrize(("code", "refused"), [(1008, 0), (4401, 1)])
def test_a_late_policy_violation_is_a_drop_and_a_late_login_is_not(monkeypatch, code, refused):
    """1008 speaks of our greeting only soon after it; a token may expire at any time."""
    monkeypatch.setattr(websocket, "GREETING_S", 0.05)

    def later(connection: ServerConnection) -> None:
        time.sleep(0.2)
        connection.close(code, "no")

    with serving(later) as url:
        counts = held(url, connections=1, hold_s=1.0)
    assert (counts.parts.get("refused", 0), counts.bad) == (refused, 1 - refused)


@pytest.mark.parametrize("size", [2_000_000, 20_000_000])
def test_a_long_message_is_taken(size):
    """Compressed on the way, as browsers offer it."""
    with serving(lambda c: (c.send("x" * size), listens(c))) as url:  # type: ignore[func-returns-value]
        counts = held(url, connections=2, hold_s=1.5)
    assert counts.parts == {"held": 2}


def test_what_we_end_ourselves_is_no_drop(monkeypatch):
    """A message above our own limit: INCONCLUSIVE, not the service's 1009."""
    monkeypatch.setattr(websocket, "LARGEST_MESSAGE_BYTES", 1000)
    with serving(lambda c: (c.send("x" * 5000), listens(c))) as url:  # type: ignore[func-returns-value]
        counts = held(url)
    assert (counts.bad, counts.parts) == (0, {"ended by us": 6})
    assert DropsBelow().judge({"held": counts}).code == "not_taken"


@pytest.mark.parametrize(
    "stated",
    [
        {"subprotocols": ("graphql-ws", "graphql-transport-ws")},
        {"headers": {"Sec-WebSocket-Protocol": "graphql-ws, graphql-transport-ws"}},
    ],
)
def test_a_sub_protocol_is_offered(stated):
    """By its own key or as a header; a server that requires one opens."""
    with serving(listens, subprotocols=["graphql-transport-ws"]) as url:
        assert held(url, **stated).parts == {"held": 6}


def test_a_handshake_follows_no_redirect():
    """Our headers are for one host: another never hears of us."""
    secrets = {"X-Token": Secret("T", "s3cret")}
    with Server(Answer(200)) as thief:
        elsewhere = thief.url.replace("http://127.0.0.1", "ws://localhost")
        with Server(Answer(302, b"", {"Location": f"{elsewhere}/steal"})) as server:
            counts = held(server.url.replace("http", "ws"), connections=2, headers=secrets)
        assert counts.parts == {"refused": 2, "refused: 302": 2}
        assert thief.asked == []


@contextlib.contextmanager
def idle_proxy(upstream: str, idle_s: float) -> Iterator[str]:
    """Cuts both sides where upstream sent nothing for so long, as nginx's proxy_read_timeout."""
    port = int(upstream.split(":")[2].split("/")[0])

    def pass_on(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as up:
            up.settimeout(idle_s)

            def downwards() -> None:
                with contextlib.suppress(OSError):
                    while data := up.recv(65_536):
                        connection.sendall(data)
                connection.shutdown(socket.SHUT_RDWR)

            thread = threading.Thread(target=downwards)
            thread.start()
            with contextlib.suppress(OSError):
                while data := connection.recv(65_536):
                    up.sendall(data)
            thread.join()

    with Peer(pass_on) as peer:
        yield f"ws://127.0.0.1:{peer.port}/"


def test_a_proxy_that_cuts_idle_connections_is_seen():
    """A browser sends no pings and is disconnected; our own pings are opt-in and reported."""
    with (
        serving(listens, ping_interval=None) as url,
        idle_proxy(url, 0.6) as proxied,
    ):
        as_a_browser = held(proxied, hold_s=1.5)
        pinging = held(proxied, hold_s=1.5, ping_every_s=0.2)
    assert as_a_browser.parts == {"1006": 6}
    assert pinging.parts == {"held": 6}
    text = DropsBelow().judge({"held": msgspec.structs.replace(pinging, total=60)}).reason
    assert "opened now, open by our own pings every 0.2 s dropped" in text
    many = msgspec.structs.replace(as_a_browser, total=60, bad=60)
    assert "with 1006" in DropsBelow().judge({"held": many}).reason


def test_no_pong_at_the_end_is_a_drop():
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
        counts = held(url, connections=1, hold_s=1.0, timeout_s=0.4)
    assert (counts.total, counts.bad, counts.parts) == (1, 1, {"1006": 1})


def test_refused_handshakes_are_no_drops():
    """403, a page instead of a handshake, no server: counted separately, by name."""

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
