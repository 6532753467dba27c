"""What a current browser takes, our own HTTP client takes; what it cannot is no fault of theirs."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest

from hour24.asking import connection
from hour24.asking.exchange import Address, ConnectionPool, ask
from hour24.clock import SteppingClock
from hour24.config import Health
from hour24.evidence import Document
from hour24.objectives.health import HealthDocument
from hour24.sources.health import HealthSource
from hour24.verdict import Outcome
from tests.answering import Answer, Server
from tests.peers import silent

SCHEMA = {"type": "object", "required": ["status"], "properties": {"status": {"const": "ok"}}}
BODY = json.dumps({"status": "ok"}).encode()


def document(answer: Any) -> Document:
    with Server(answer) as server:
        at = Health(url=f"{server.url}/health", schema=SCHEMA, timeout_s=3.0)
        return HealthSource(at, server.url, SteppingClock(datetime.now(UTC))).document()


def judged(answer: Any) -> Any:
    agreed = HealthDocument(schema=SCHEMA, timestamp="", uptime="", database="")
    return agreed.judge({"health": document(answer)})


def whole(head: bytes, body: bytes = BODY) -> bytes:
    return head + b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    "raw",
    [
        whole(b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n"),
        whole(b"HTTP/1.1 102 Processing\r\n\r\n" * 9),
        whole(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
        b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 300 + b"Content-Length: 16\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 120_000 + b"\r\nContent-Length: 16\r\n\r\n" + BODY,
        b"HTTP/1.1 200 \r\nContent-Length: 16\r\n\r\n" + BODY,
    ],
)
def test_what_stands_before_an_answer_is_read_past(raw):
    """Informational answers, many headers, long ones, a status without words."""
    assert judged(Answer(raw=raw)).outcome == Outcome.PASS


@pytest.mark.parametrize("raw", [b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200, b"HTTP/1.1 103 E\r\n"])
def test_informational_answers_alone_are_no_answer(raw):
    """However many there are."""
    assert document(Answer(raw=raw)).status == 0


def raw_deflate(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return machine.compress(data) + machine.flush()


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(BODY)),
        ("x-gzip", gzip.compress(BODY[:4]) + gzip.compress(BODY[4:])),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
        ("gzip, GZIP", gzip.compress(gzip.compress(BODY))),
        ("identity", BODY),
    ],
)
def test_a_compressed_answer_is_read_although_none_was_asked_for(coding, data):
    """gzip of several members, both deflates, one in another."""
    assert judged(Answer(200, data, {"Content-Encoding": coding})).outcome == Outcome.PASS


def test_an_uncompressed_answer_is_asked_for():
    """By the checkpoint as by the prober."""
    with Server(Answer(body=BODY)) as server:
        at = Health(url=server.url, schema=SCHEMA)
        HealthSource(at, server.url, SteppingClock(datetime.now(UTC))).document()
    assert server.asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(200, b"?", {"Content-Encoding": "zstd"}), "its Content-Encoding is zstd"),
        (Answer(200, b'"' + b"x" * 1_100_000 + b'"'), "it is longer than 1,000 kB"),
        (
            Answer(200, gzip.compress(b" " * 50_000_000), {"Content-Encoding": "gzip"}),
            "it is longer than 1,000 kB",
        ),
    ],
)
def test_what_we_cannot_read_is_ours(answer, says):
    """INCONCLUSIVE, and it says what it was; a small answer that becomes large is cut."""
    verdict = judged(answer)
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "not_taken")
    assert says in verdict.reason


def test_a_body_that_is_not_of_its_coding_is_no_answer():
    """A browser shows an error too."""
    broken = document(Answer(200, gzip.compress(BODY)[:-9], {"Content-Encoding": "gzip"}))
    assert (broken.status, broken.problem) == (0, "its answer is not HTTP")


def test_an_address_that_does_not_answer_delays_no_other(monkeypatch):
    """The next is tried after a quarter of a second, and one that refuses at once."""
    with Server(Answer(body=BODY)) as server, silent() as quiet:
        del quiet
        full = socket.socket()
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        taken = [socket.socket() for _ in range(3)]
        for each in taken:  # its queue is full: what comes now is not answered at all
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        refusing = ("127.0.0.1", 1)
        places = [full.getsockname(), refusing, ("127.0.0.1", server.port)]
        monkeypatch.setattr(
            connection.socket,
            "getaddrinfo",
            lambda *_: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places],
        )
        begun = time.perf_counter()
        reply = ask(server.url, {}, 3.0)
        took_s = time.perf_counter() - begun
        for each in (full, *taken):
            each.close()
    assert reply.status == 200
    assert 0.2 < took_s < 1.5


def test_families_take_turns():
    """An IPv6 that is dead everywhere costs one delay, not one an address."""
    six = [(socket.AF_INET6, n) for n in range(3)]
    four = [(socket.AF_INET, n) for n in range(2)]
    found = connection._interleave([*six, *four])
    assert found == [six[0], four[0], six[1], four[1], six[2]]


def test_unanswering_addresses_are_reported_with_the_reason():
    """As before."""
    pool = ConnectionPool(Address("http://127.0.0.1:1/"))
    assert pool.exchange(connection.Request(), time.perf_counter(), 2.0).send().reason == "refused"
