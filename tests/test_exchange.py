"""One timed exchange: kept connections, TLS, proxies, what goes wrong by name."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from urllib.parse import urlsplit

import pytest

from hour24.asking import connection, exchange, proxies
from hour24.asking.exchange import SAFE, Address, ConnectionPool, Request, ask
from tests.answering import Answer, Server, free_port
from tests.peers import Peer, silent

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def sent(pool: ConnectionPool, timeout_s: float = 2.0, **more: object) -> exchange.Reply:
    return pool.exchange(Request(**more), time.perf_counter(), timeout_s).send()


@contextlib.contextmanager
def scripted(*answers: bytes | None):
    """A peer that gives one scripted answer per connection; None: closes without one."""
    seen: list[bytes] = []
    left = list(answers)

    def answer(connection: socket.socket) -> None:
        canned = left.pop(0) if left else None
        seen.append(connection.recv(65_536))
        if canned is not None:
            connection.sendall(canned)
        connection.shutdown(socket.SHUT_RDWR)

    with Peer(answer) as peer:
        yield f"{peer.url}/x", seen


def test_a_connection_is_kept():
    """Ten exchanges go over one connection, and its opening time is known."""
    with Server(Answer(body=b"hello")) as server:
        pool = ConnectionPool(Address(f"{server.url}/a?b=c"))
        replies = [sent(pool) for _ in range(10)]
        assert server.connections == 1
        assert server.asked[0].path == "/a?b=c"
        assert server.asked[0].headers["host"] == f"127.0.0.1:{server.port}"
        pool.close()
    assert {(each.status, each.data) for each in replies} == {(200, b"hello")}
    assert 0 < pool.round_trip_ms() < 100


def test_latency_counts_from_when_it_was_due():
    """What was sent 0.2 s late took 0.2 s longer, and says so."""
    with Server(Answer()) as server:
        pool = ConnectionPool(Address(server.url))
        exchange = pool.exchange(Request(), time.perf_counter() - 0.2, 2.0)
        reply = exchange.send()
        pool.close()
    assert 200 <= reply.late_ms < 1000
    assert reply.late_ms <= reply.took_ms < 1500


def test_a_connection_that_was_closed_meanwhile_is_replaced():
    """A kept connection that the server hung up is no failure of the next exchange."""
    fine = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with scripted(fine, fine) as (url, seen):
        pool = ConnectionPool(Address(url))
        assert sent(pool).status == 200
        time.sleep(0.05)
        assert pool.idle == 0
        assert sent(pool).status == 200
        pool.close()
    assert len(seen) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_safe_methods_are_sent_again(method):
    """A server that closes an unused connection without an answer: GET goes again, POST never."""
    fine = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with scripted(None, fine) as (url, seen):
        pool = ConnectionPool(Address(url))
        pool.prepare(1.0)
        assert pool.idle == 1
        reply = sent(pool, method=method)
        pool.close()
        if method == "POST":
            assert (reply.status, reply.reason) == (0, "closed")
            assert len(seen) == 1
        else:
            assert reply.status == 200
            assert len(seen) == 2
    assert method in SAFE or method == "POST"


@pytest.mark.parametrize(
    ("raw", "status", "why", "data"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 0, "cut off", b""),
        (CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 200, "", b"abcde"),
        (CHUNKED + b"3\r\nabc\r\n", 0, "cut off", b""),
        (b"HTTP/1.0 200 OK\r\n\r\nall there is", 200, "", b"all there is"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, "", b""),
        (b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n", 302, "", b""),
        (b"SSH-2.0-x\r\n", 0, "malformed", b""),
        (b"HTTP/1.1 abc\r\n\r\n", 0, "malformed", b""),
        (b"", 0, "closed", b""),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n", 0, "malformed", b""),
    ],
)
def test_what_a_peer_may_say(raw, status, why, data):
    """Whole answers in each form, and by name what is none."""
    with scripted(raw) as (url, _):
        reply = ask(url, {}, 2.0)
    assert (reply.status, reply.reason, reply.data) == (status, why, data)


def test_a_large_answer_is_cut():
    """No more than a megabyte is read; one byte more shows that there was more."""
    with Server(Answer(body=b"x" * 3_000_000)) as server:
        pool = ConnectionPool(Address(server.url))
        reply = sent(pool)
        assert pool.idle == 0
        pool.close()
    assert (reply.status, len(reply.data)) == (200, exchange.LARGEST_BYTES + 1)


def test_no_server():
    """A closed port, a name that does not exist."""
    assert ask(f"http://127.0.0.1:{free_port()}/", {}, 1.0).reason == "refused"
    assert ask("http://nobody.invalid/", {}, 2.0).reason in ("dns", "timeout")


def test_silence_ends_within_the_limit():
    """A peer that accepts and says nothing is a timeout, on time."""
    with silent() as peer:
        begun = time.perf_counter()
        reply = ask(f"{peer.url}/", {}, 0.3)
        assert time.perf_counter() - begun < 1.5
    assert reply.reason == "timeout"
    assert 300 <= reply.took_ms < 1500


def test_what_drips_is_aborted():
    """Given up, an exchange ends in its thread too, though bytes keep coming."""
    raw = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500
    with Server(Answer(raw=raw, drip_s=0.02)) as server:
        exchange = ConnectionPool(Address(server.url)).exchange(
            Request(), time.perf_counter(), 30.0
        )
        thread = threading.Thread(target=exchange.send, daemon=True)
        thread.start()
        time.sleep(0.2)
        assert exchange.expire().reason == "timeout"
        thread.join(2)
        assert not thread.is_alive()


@pytest.mark.parametrize("url", ["ftp://a/", "http://", "a.example/health", "http://[::1"])
def test_addresses_that_are_none(url):
    """Anything but http and https with a host is refused."""
    with pytest.raises(ValueError):
        Address(url)


def test_addresses():
    """Ports, IPv6 hosts, paths; credentials in an address are not shown."""
    assert Address("https://a.example").shown == "https://a.example/"
    assert Address("http://u:p@a.example:8080/x?y=1").shown == "http://a.example:8080/x?y=1"
    assert Address("http://[::1]:81/").host_header == "[::1]:81"
    assert "s3cret" not in repr(Request(headers={"A": "s3cret"}, body=b"s3cret"))


def test_a_proxy_of_the_environment_is_used(monkeypatch):
    """Plain HTTP goes to the proxy with the whole address; loopback never does."""
    with Server(Answer(body=b"via proxy")) as server:
        monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{server.port}")
        monkeypatch.setenv("no_proxy", "")
        reply = ask("http://shop.example/health", {}, 2.0)
        assert (reply.status, reply.data) == (200, b"via proxy")
        assert server.asked[0].path == "http://shop.example/health"
        assert server.asked[0].headers["host"] == "shop.example"
        assert server.asked[0].headers["proxy-authorization"].startswith("Basic ")
        assert Address("http://127.0.0.1:1/").proxy is None
        assert "secret" not in repr(Address("http://shop.example/").proxy)


@pytest.fixture(scope="module")
def certificate(openssl, tmp_path_factory):
    """A certificate for localhost, made here."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    return folder


@contextlib.contextmanager
def over_tls(certificate, server: Server):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
    yield f"https://localhost:{server.port}/"


def test_tls(certificate, monkeypatch):
    """A trusted certificate is used, and its connection kept; an unknown one is refused by name."""
    connection._context.cache_clear()
    with Server(Answer(body=b"safe")) as server, over_tls(certificate, server) as url:
        assert ask(url, {}, 2.0).reason == "tls"
        connection._context.cache_clear()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
        pool = ConnectionPool(Address(url))
        pool.prepare(2.0)
        assert pool.idle == 1
        replies = [sent(pool) for _ in range(5)]
        pool.close()
        connection._context.cache_clear()
    assert {(each.status, each.data) for each in replies} == {(200, b"safe")}
    assert len(server.asked) == 5


def test_tls_through_a_proxy(certificate, monkeypatch):
    """HTTPS goes through the proxy's tunnel; a proxy that refuses it is no connection."""
    connection._context.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    heads: list[bytes] = []

    with (
        Server(Answer(body=b"safe")) as server,
        over_tls(certificate, server),
        tunnel(server.port, heads) as proxy,
    ):
        address = f"http://me:pw@127.0.0.1:{proxy.port}"
        monkeypatch.setattr(connection, "proxy_for", lambda scheme, host: _proxy_at(address))
        assert ask(f"https://localhost:{server.port}/", {}, 2.0).data == b"safe"
    connection._context.cache_clear()
    assert heads[0].startswith(f"CONNECT localhost:{server.port} HTTP/1.1".encode())
    assert b"Proxy-Authorization: Basic" in heads[0]
    with scripted(b"HTTP/1.1 403 Forbidden\r\n\r\n") as (url, _):
        monkeypatch.setattr(connection, "proxy_for", lambda scheme, host: _proxy_at(url))
        assert ask("https://localhost:1/", {}, 2.0).reason == "refused"


def tunnel(target: int, heads: list[bytes]) -> Peer:
    """A proxy: keeps the head of each CONNECT, then passes bytes both ways."""

    def pump(a: socket.socket, b: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := a.recv(65_536):
                b.sendall(data)
        for each in (a, b):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def answer(inside: socket.socket) -> None:
        heads.append(inside.recv(4096))
        outside = peer.keep(socket.create_connection(("127.0.0.1", target)))
        inside.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        peer.run(pump, inside, outside)
        pump(outside, inside)

    peer = Peer(answer)
    return peer


def _proxy_at(url: str) -> proxies.Proxy:
    port = urlsplit(url).port
    assert port is not None
    return proxies.Proxy("127.0.0.1", port, "me:pw")
