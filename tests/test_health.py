"""The health source: attempts, silence, strictness; the control address."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from hour24.clock import SteppingClock
from hour24.config import Health
from hour24.evidence import from_plain, to_plain
from hour24.secrets import Secret
from hour24.sources.health import HealthSource, first_difference
from tests.answering import Answer, Server, document, free_port

START = datetime(2026, 11, 24, 6, tzinfo=UTC)
SCHEMA = {
    "type": "object",
    "required": ["status", "database"],
    "properties": {"status": {"const": "ok"}, "database": {"const": True}},
}
FINE = document(status="ok", database=True)


def source(url: str, control: str = "http://127.0.0.1:9/", **more: object) -> HealthSource:
    fields: dict = {"schema": SCHEMA, "timeout_s": 1.0, **more}
    return HealthSource(Health(url=url, **fields), control, SteppingClock(START))


def results(document) -> list[str]:
    return [attempt.result for attempt in document.question.attempts]


def test_a_good_document():
    """Status, body, server's date and digest of the first answer; nothing is asked again."""
    document_answer = document(status="ok", database=True)
    document_answer.headers["Date"] = "Tue, 24 Nov 2026 06:00:01 GMT"
    with Server(document_answer) as server:
        answer = source(f"{server.url}/health?deep=1").document()
    assert (answer.status, answer.body, answer.problem) == (
        200,
        {"status": "ok", "database": True},
        "",
    )
    assert answer.server_date == START + timedelta(seconds=1)
    assert not answer.silent
    assert len(answer.question.digest) == 64
    assert answer.question.asked == f"GET {server.url}/health?deep=1"
    assert results(answer) == ["200"]
    assert 0 < answer.took_ms < 1000
    assert from_plain(to_plain(answer)) == answer


def test_it_is_asked_again_after_30_s_until_it_gives_up():
    """Down for 80 s: asked at 0, 30, 60 and 90 s; each attempt is kept."""
    source_ = source("http://127.0.0.1:9/")
    with Server(lambda asked: answers()) as server:

        def answers():
            passed = (source_.clock.now() - START).total_seconds()
            return FINE if passed >= 80 else Answer(503, b"busy")

        source_.health = Health(url=server.url, schema=SCHEMA, timeout_s=1.0)
        answer = source_.document()
    assert results(answer) == ["503", "503", "503", "200"]
    assert [a.at - START for a in answer.question.attempts] == [
        timedelta(seconds=s) for s in (0, 30, 60, 90)
    ]
    assert (answer.status, answer.silent) == (200, False)


def test_it_gives_up():
    """Silent to the end: the last attempt is at 120 s and no attempt was answered."""
    answer = source(f"http://127.0.0.1:{free_port()}/health").document()
    assert results(answer) == ["connection refused"] * 5
    assert answer.question.attempts[-1].at == START + timedelta(seconds=120)
    assert (answer.status, answer.body, answer.silent) == (0, None, True)
    assert answer.problem == "connection refused"
    assert answer.question.digest == ""


def test_one_answer_among_silence_is_not_silent():
    """An error page and then nothing: something is there."""
    with Server(Answer(502, b"<html>bad gateway</html>")) as server:
        fading = source(server.url, give_up_after_s=60.0)
        real = fading.clock.sleep

        def sleep(seconds):
            server.answer = Answer(raw=b"")
            real(seconds)

        fading.clock.sleep = sleep
        answer = fading.document()
    assert results(answer) == ["502", *["the connection was closed without an answer"] * 2]
    assert (answer.status, answer.silent) == (0, False)


@pytest.mark.parametrize(
    ("document_answer", "problem", "result"),
    [
        (
            Answer(body=b"<!doctype html><title>hi</title>"),
            "expected a JSON document, got HTML",
            "200, expected a JSON document, got HTML",
        ),
        (
            Answer(body=b""),
            "expected a JSON document, got nothing",
            "200, expected a JSON document, got nothing",
        ),
        (
            Answer(body=b'{"status": NaN}'),
            "expected a JSON document, got something else",
            "200, expected a JSON document, got something else",
        ),
        (
            Answer(body=b'{"status": "ok"'),
            "expected a JSON document, got something else",
            "200, expected a JSON document, got something else",
        ),
        (
            Answer(body=b"[" * 200_000),
            "expected a JSON document, got something else",
            "200, expected a JSON document, got something else",
        ),
        (Answer(body=b'"' + b"x" * 1_100_000 + b'"'), "", "200, it is longer than 1,000 kB"),
        (
            Answer(302, b"", {"Location": "http://127.0.0.1:9/other"}),
            "expected 2xx, got 302, a redirect that is not followed",
            "302",
        ),
        (Answer(raw=b"SSH-2.0-OpenSSH_9.2\r\n"), "its answer is not HTTP", None),
        (
            Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"),
            "its answer was cut off",
            None,
        ),
        (Answer(body=b'{"status": "ok", "database": false}'), "", None),
        (Answer(503, b'{"status": "down"}'), "", "503"),
    ],
)
def test_what_is_no_document(document_answer, problem, result):
    """HTML, nothing, NaN, too much, a redirect, half an answer: each has its words."""
    with Server(document_answer) as server:
        answer = source(server.url, give_up_after_s=0.0).document()
        assert len(server.asked) == 1
    assert answer.problem == problem
    if result is not None:
        assert results(answer) == [result]


def test_a_document_against_the_schema_is_asked_again():
    """A document that says the database is down is read, kept, and asked again."""
    with Server(document(status="ok", database=False)) as server:
        answer = source(server.url, give_up_after_s=30.0).document()
    assert results(answer) == ["200, schema: /database: expected true"] * 2
    assert answer.body == {"status": "ok", "database": False}
    assert answer.problem == ""


@pytest.mark.parametrize(
    ("schema", "body", "kind"),
    [
        ({"const": True}, b"true", "application/json"),
        ({}, b"true", "text/plain"),
        (
            {"type": "object", "properties": {"status": {"enum": ["pass", "ok", "up"]}}},
            b'{"status": "pass", "checks": {}}',
            "application/health+json",
        ),
    ],
)
def test_other_documents(schema, body, kind):
    """A bare true, an IETF health document: what the schema agrees to is good."""
    with Server(Answer(body=body, headers={"Content-Type": kind})) as server:
        answer = source(server.url, schema=schema).document()
    assert (results(answer), answer.problem) == (["200"], "")


def test_a_token_is_sent_and_not_shown():
    """A header from the environment reaches the server and no evidence."""
    with Server(
        lambda asked: FINE if asked.headers.get("x-token") == "s3cret" else Answer(401)
    ) as s:
        answer = source(s.url, headers={"X-Token": Secret("TOKEN", "s3cret")}).document()
    assert results(answer) == ["200"]
    assert "s3cret" not in str(to_plain(answer))


def test_a_slow_drip_is_bounded():
    """Bytes that drip for ever end with the limit, in the head and in the body."""
    for raw in (
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 900,
        b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 900,
    ):
        with Server(Answer(raw=raw, drip_s=0.02)) as server:
            begun = time.perf_counter()
            answer = source(server.url, timeout_s=0.5, give_up_after_s=0.0).document()
            assert time.perf_counter() - begun < 2
        assert results(answer) == ["no answer in time"]
        assert answer.silent


def test_the_control_address():
    """Any HTTP answer shows that our network is up; none is silence."""
    with Server(Answer(404, b"nothing here")) as server:
        answer = source("http://127.0.0.1:9/", server.url).control()
    assert (answer.status, answer.silent) == (404, False)
    answer = source("http://127.0.0.1:9/", f"http://127.0.0.1:{free_port()}/").control()
    assert (answer.status, answer.silent) == (0, True)
    assert results(answer) == ["connection refused"]


@pytest.mark.parametrize(
    ("schema", "body", "says"),
    [
        ({"type": ["object", "null"]}, 5, "/: expected an object or null"),
        ({"minimum": 3}, 2, "/: expected at least 3"),
        ({"enum": ["a", "b"]}, "c", '/: expected one of "a", "b"'),
        (
            {"properties": {"b": {"const": 1}, "a": {"const": 1}}},
            {"a": 0, "b": 0},
            "/a: expected 1",
        ),
    ],
)
def test_what_is_unmet_is_said_without_the_answers_own_text(schema, body, says):
    """Where, and what was expected; the first by its place."""
    assert first_difference(schema, body) == says
