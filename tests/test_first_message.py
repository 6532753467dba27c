"""A WebSocket's first message and the answer that must follow it, against a real server."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from hour24.clock import SteppingClock
from hour24.config import WebSocketTarget, limits_digest, load
from hour24.doctor import accused
from hour24.errors import ConfigurationError, SourceError
from hour24.evidence import Counts, Document, to_plain
from hour24.objectives.websocket import DropsBelow
from hour24.prober.sockets import Sockets
from hour24.secrets import Secret
from hour24.secrets.redactor import Redactor
from hour24.sources.websocket import WRONG_ANSWER, WebSocketSource, is_expected
from hour24.starter.files import WORKFLOW, shipped, with_secrets
from hour24.verdict import Outcome, Verdict
from tests.test_config import SMALLEST, written
from tests.test_websocket import held, serving

START = datetime(2026, 11, 24, 6, tzinfo=UTC)
INIT = '{"type": "connection_init", "payload": {"token": "${WS_TOKEN}"}}'
ACK = {"type": "connection_ack"}
TOKEN = 'a"quoted-9f3b2c71'


def graphql(connection: ServerConnection) -> None:
    """Behave as graphql-transport-ws: a ping first, then connection_ack, or 4401 and 4400."""
    with contextlib.suppress(ConnectionClosed):
        try:
            first = json.loads(connection.recv(timeout=1.0))
        except TimeoutError:
            connection.close(4408, "Connection initialisation timeout")
            return
        if first["type"] != "connection_init":
            connection.close(4400, "Invalid message")
        elif first.get("payload", {}).get("token") != TOKEN:
            connection.close(4401, "Unauthorized")
        else:
            connection.send('{"type": "ping"}')
            connection.send('{"type": "connection_ack", "payload": {"id": 7}}')
            for _ in connection:
                pass


def says(*messages: str) -> Callable[[ServerConnection], None]:
    def handler(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            connection.recv()
            for each in messages:
                connection.send(each)
            for _ in connection:
                pass

    return handler


def closes(code: int) -> Callable[[ServerConnection], None]:
    def handler(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            connection.recv()
            connection.close(code, "no")

    return handler


def verdict_of(counts: Counts) -> Verdict:
    control = Document(question=counts.question, status=204, body=None)
    return DropsBelow().judge({"held": counts, "control": control})


MANY: dict[str, Any] = {"connections": 40, "hold_s": 0.2, "timeout_s": 1.0}


def initialised(**changes: Any) -> dict[str, Any]:
    message = json.dumps({"type": "connection_init", "payload": {"token": TOKEN}})
    return {
        **MANY,
        "timeout_s": 5.0,
        "first_message": Secret("websocket.first_message", message),
        "expects": ACK,
        "subprotocols": ("graphql-transport-ws",),
        **changes,
    }


def test_a_graphql_server_acknowledges() -> None:
    """connection_init is answered with connection_ack after a ping: all open, none dropped."""
    with serving(graphql, subprotocols=["graphql-transport-ws"]) as url:
        counts = held(url, **initialised())
    assert (counts.total, counts.bad, counts.parts) == (40, 0, {"held": 40})
    assert "after a first message and its answer" in counts.question.asked
    assert TOKEN not in str(to_plain(counts))
    assert verdict_of(counts).outcome == Outcome.PASS


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('{"type": "connection_init", "payload": {"token": "another"}}', "4401"),
        ('{"type": "subscribe"}', "4400"),
        ("", "4408"),
    ],
)
def test_a_refused_first_message_is_ours(message: str, code: str) -> None:
    """4401, 4400 and 4408 speak of our credential and our message: INCONCLUSIVE, no drop."""
    with serving(graphql, subprotocols=["graphql-transport-ws"]) as url:
        counts = held(url, **initialised(first_message=message, connections=6))
    assert counts.parts == {"refused": 6, f"refused: closed {code}": 6}
    found = verdict_of(counts)
    assert (found.outcome, found.code) == (Outcome.INCONCLUSIVE, "source_refused")


def test_a_wrong_answer_fails() -> None:
    """A service that opens each connection and answers something else does not serve it."""
    with serving(says('{"type": "error"}', "not JSON")) as url:
        counts = held(url, **initialised(timeout_s=0.5))
    assert (counts.total, counts.bad, counts.parts) == (40, 40, {"wrong answer": 40})
    found = verdict_of(counts)
    assert (found.outcome, found.code) == (Outcome.FAIL, "wrong_answer")
    assert "wrong answer" in found.reason


def test_no_answer_is_inconclusive() -> None:
    """A service that sends nothing may wait for another message: nothing is accused."""
    with serving(says()) as url:
        counts = held(url, **initialised(connections=6, timeout_s=0.5))
    assert counts.parts == {"refused": 6, "refused: no first answer": 6}
    found = verdict_of(counts)
    assert (found.outcome, found.code) == (Outcome.INCONCLUSIVE, "source_refused")
    assert found.reason.startswith("6 connections opened, and the service sent nothing on any")
    assert "websocket.expects" in found.reason


@pytest.mark.parametrize(("code", "parts"), [(1011, {"1011": 6}), (1008, "refused: closed 1008")])
def test_a_close_instead_of_an_answer_is_what_it_was(code: int, parts: Any) -> None:
    """A 1011 before the answer is a drop, a 1008 a refusal of our credential, as without it."""
    with serving(closes(code)) as url:
        counts = held(url, **initialised(connections=6))
    assert counts.parts == (parts if isinstance(parts, dict) else {"refused": 6, parts: 6})


def test_a_first_message_without_an_expected_answer_is_sent() -> None:
    """Nothing is awaited, and the connections stay open."""
    received: list[str] = []

    def keeps(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            received.extend(map(str, connection))

    with serving(keeps) as url:
        counts = held(url, **MANY | {"connections": 3}, first_message="hello")
    assert (counts.parts, received) == ({"held": 3}, ["hello"] * 3)


def test_without_the_settings_nothing_is_sent() -> None:
    """A configuration without them asks as before."""
    received: list[str] = []

    def keeps(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            received.extend(map(str, connection))

    with serving(keeps) as url:
        counts = held(url, connections=3)
    assert (counts.parts, received) == ({"held": 3}, [])
    assert counts.question.asked.endswith("open for 0.5 s")


def test_the_prober_counts_a_wrong_answer_as_a_drop() -> None:
    """Its minute has a drop with a code that no close frame has."""
    with serving(says("no")) as url:
        target = WebSocketTarget(
            url=url, first_message="hello", expects="yes", timeout_s=0.3, probe_connections=1
        )
        sockets = Sockets(target)
        try:
            until = time.monotonic() + 20.0
            dropped: list[int] = []
            while not dropped and time.monotonic() < until:
                time.sleep(0.05)
                dropped += [one.code for one in sockets.take_minute(0.0).dropped]
        finally:
            sockets.close()
    assert dropped == [WRONG_ANSWER]


@pytest.mark.parametrize(
    ("message", "expects", "expected"),
    [
        ("welcome, you", "welcome", True),
        (b"welcome", "welcome", True),
        ("go away", "welcome", False),
        ('{"type": "connection_ack", "id": 1}', ACK, True),
        ('{"type": "connection_ack"} tail', ACK, False),
        ('[{"type": "connection_ack"}]', ACK, False),
        ('{"type": "connection_ack", "type": "error"}', ACK, False),
        ('{"payload": {"ok": true, "n": 1}}', {"payload": {"ok": True}}, True),
        ('{"payload": {"ok": 1}}', {"payload": {"ok": True}}, False),
        ('{"payload": {"n": true}}', {"payload": {"n": 1}}, False),
        ('{"roles": ["a", "b"]}', {"roles": ["a", "b"]}, True),
        ('{"roles": ["a"]}', {"roles": ["a", "b"]}, False),
        ("{}", ACK, False),
    ],
)
def test_what_an_answer_must_contain(message: Any, expects: Any, expected: bool) -> None:
    """A text is found in the message; a table in a JSON object, which may have more members."""
    assert is_expected(message, expects) is expected


SOCKET = '\n[websocket]\nurl = "{scheme}://voice.example.org/ws"\n{more}\n'


def loaded(tmp_path: Path, more: str, scheme: str = "wss", **variables: str) -> Any:
    text = SMALLEST + SOCKET.format(scheme=scheme, more=more)
    return load(written(tmp_path, text), variables)


def test_a_variable_of_the_first_message_is_a_secret(tmp_path: Path) -> None:
    """Its value is escaped as JSON, does not print and is redacted."""
    found = loaded(
        tmp_path,
        f"first_message = '{INIT}'\nexpects = {{ type = 'connection_ack' }}",
        WS_TOKEN=TOKEN,
    )
    assert isinstance(found.websocket.first_message, Secret)
    sent = json.loads(found.websocket.first_message.reveal())
    assert sent["payload"]["token"] == TOKEN
    assert "9f3b2c71" not in repr(found)
    assert found.websocket.expects == {"type": "connection_ack"}
    redactor = Redactor((one.name, one.reveal()) for one in found.secrets)
    assert "9f3b2c71" not in redactor.text(f"the answer was: hello {TOKEN}")
    assert "9f3b2c71" not in redactor.text(f"sent {found.websocket.first_message.reveal()}")


def test_a_first_message_that_is_no_json_has_the_value_as_it_is(tmp_path: Path) -> None:
    found = loaded(tmp_path, "first_message = 'auth ${WS_TOKEN}'", WS_TOKEN='a "quoted" one')
    assert isinstance(found.websocket.first_message, Secret)
    assert found.websocket.first_message.reveal() == 'auth a "quoted" one'


@pytest.mark.parametrize(
    ("more", "scheme", "variables", "says"),
    [
        (
            "first_message = 5",
            "wss",
            {},
            "websocket.first_message: expected a text with ${NAME} for each secret, got 5",
        ),
        (
            f"first_message = '{INIT}'",
            "wss",
            {},
            "websocket.first_message: expected environment variable WS_TOKEN to hold what the "
            "first message needs, got nothing",
        ),
        (
            "first_message = 'token ${ws_token}'",
            "wss",
            {},
            "websocket.first_message: expected ${NAME} with a name in capitals, got another text "
            "after ${",
        ),
        (
            f"first_message = '{INIT}'",
            "ws",
            {"WS_TOKEN": TOKEN},
            'websocket.url: expected wss, since a secret is sent there, or "voice.example.org" '
            "among service.plain_http, got ws",
        ),
        (
            "expects = {}",
            "wss",
            {},
            "websocket.expects: expected a text or a table with members, got an empty one",
        ),
        (
            "expects = 7",
            "wss",
            {},
            "websocket.expects: expected a text, or a table of members, got 7",
        ),
    ],
)
def test_a_first_message_that_cannot_be_is_refused(
    tmp_path: Path, more: str, scheme: str, variables: dict[str, str], says: str
) -> None:
    """One line each, with where, what was expected and what was found."""
    with pytest.raises(ConfigurationError) as raised:
        loaded(tmp_path, more, scheme, **variables)
    assert [one.split(": ", 1)[1] for one in raised.value.problems] == [says]


def test_an_inline_secret_is_refused_without_repeating_it(tmp_path: Path) -> None:
    """A token of a known shape belongs into the environment."""
    token = "ghp_" + "a1B2c3D4e5" * 4
    with pytest.raises(ConfigurationError) as raised:
        loaded(tmp_path, f"first_message = 'login {token}'")
    assert raised.value.problems
    assert token not in str(raised.value)


def test_the_expected_answer_is_a_limit(tmp_path: Path) -> None:
    """A change of it during a watch is named; a file without it has the digest of before."""
    plain, text, other = (
        limits_digest(loaded(tmp_path, more)) for more in ("", "expects = 'yes'", "expects = 'no'")
    )
    first = limits_digest(loaded(tmp_path, "first_message = 'hello'"))
    assert first == plain
    assert len({plain, text, other}) == 3


def test_init_lists_the_variable_for_the_workflow() -> None:
    """The secrets of a checkpoint in CI include those of the first message."""
    text = SMALLEST + SOCKET.format(scheme="wss", more=f"first_message = '{INIT}'")
    assert "WS_TOKEN: ${{ secrets.WS_TOKEN }}" in with_secrets(shipped(WORKFLOW), text)


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (
            says("no"),
            "websocket: expected an answer with websocket.expects within 0.5 s, got others",
        ),
        (
            says(),
            "websocket: expected an answer within 0.5 s, got none; see websocket.first_message",
        ),
    ],
)
def test_the_doctor_names_the_setting(
    tmp_path: Path, handler: Callable[[ServerConnection], None], says: str
) -> None:
    """A wrong answer and none are found before the watch, each with what to look at."""
    with serving(handler) as url:
        found = loaded(tmp_path, "first_message = 'a'\nexpects = 'yes'\ntimeout_s = 0.5")
        socket = msgspec.structs.replace(found.websocket, url=url)
        (trial,) = accused.websocket(
            msgspec.structs.replace(found, websocket=socket), SteppingClock(START)
        )
        with pytest.raises(SourceError) as raised:
            trial.asked()
    assert str(raised.value).startswith(says)


def test_the_clock_of_the_source_is_used() -> None:
    """The question has the time at which it was asked."""
    with serving(says("yes")) as url:
        target = WebSocketTarget(
            url=url, connections=1, hold_s=0.1, timeout_s=2.0, first_message="a", expects="yes"
        )
        assert WebSocketSource(target, SteppingClock(START)).held().question.at >= START
