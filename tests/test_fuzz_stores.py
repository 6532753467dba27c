"""Mutated answers of the stores that a rehearsal does not serve, and of a WebSocket server.

``pytest tests/test_fuzz_stores.py --full --examples 10000`` plays 10,000 a source.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hour24.clock import SteppingClock
from hour24.config import WebSocketTarget
from hour24.evidence import Counts, from_plain, to_plain
from hour24.ledger import canonical
from hour24.objectives.websocket import DropsBelow
from hour24.secrets import Secret
from hour24.sources.websocket import WebSocketSource
from hour24.verdict import Outcome
from tests import mutated, stores
from tests.evidence_of import question
from tests.mutated import Tape, improved, mutations, outcomes
from tests.stores import STORES, log_of

TROUBLE = (
    "error_spike@1", "slow_endpoint@0", "memory_high@1", "log_errors@1", "jobs_stalled@2",
)  # fmt: skip
"""Something that each store has to tell."""
SLOWER = {"prometheus": 10, "loki": 20, "logs": 20}
"""A store takes longer than the sources of a rehearsal, and is played less, by this factor."""
LEAST = {"prometheus": 2, "loki": 4, "logs": 4}
"""Verdicts of the tape in trouble that are FAIL, and of the healthy one that are PASS."""


@pytest.fixture(scope="module")
def tapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Tape]]:
    """Each store with a production in trouble, and with a healthy one."""
    found = {}
    with ExitStack() as resources:
        for name, faults in (("trouble", TROUBLE), ("healthy", ())):
            served = mutated.record(tmp_path_factory.mktemp(name), *faults, resources=resources)
            for store in STORES:
                found[f"{store}-{name}"] = stores.record(served, faults, store, resources)
        yield found


def played(tape: Tape, store: str, at: int = -1, value: Any = None) -> list[Any]:
    """The verdicts with one answer replaced; of a log, with other bytes in its file."""
    if store != "logs":
        return mutated.played(tape, [store], at, value)
    path = log_of(tape)
    path.write_bytes(tape.answers[0].value if value is None else value)
    written = tape.context.checkpoint.due.timestamp()
    os.utime(path, (written, written))
    return mutated.played(tape, [store])


@pytest.mark.parametrize("store", STORES)
def test_each_tape_gives_its_verdicts(tapes: dict[str, Tape], store: str) -> None:
    """Played unchanged: what is wrong fails, and a healthy production passes."""
    for name, outcome in (("trouble", Outcome.FAIL), ("healthy", Outcome.PASS)):
        found = outcomes(played(tapes[f"{store}-{name}"], store))
        assert sum(each == outcome for each in found.values()) >= LEAST[store], found


# --- a log's file ----------------------------------------------------------------------------

NOISE = (b"\x00" * 70_000, b"\xff\xfe\x00", b"\x1b[31m", b"\r", b"{", b"9" * 400, b"\xe2\x80\xae")


def log_mutations(draw: Any, data: bytes, secret: str) -> tuple[bool, bytes]:
    """Draw other bytes of a log. Returns: whether no error can have gone with them, and the bytes.

    A log that lost its end or its beginning proves nothing; one that lost lines in the middle is
    another log.
    """
    lines = data.splitlines(keepends=True)
    at = draw(st.integers(0, len(lines) - 1))
    noise = draw(st.sampled_from(NOISE))
    match draw(st.integers(0, 11)):
        case 0:
            return True, b"".join(lines[: at * 9 // 10])  # silent for the last tenth at least
        case 1:
            return True, b"".join(lines[len(lines) // 2 + at // 2 :])
        case 2:
            return True, b"".join(reversed(lines))
        case 3:
            return True, data.replace(b"Z ", draw(st.sampled_from((b" ", b"+1400 ", b"X "))))
        case 4:
            return True, data.decode().encode("utf-16")
        case 5:
            return True, noise + data
        case 6:
            return True, b"".join((*lines[:at], noise + b"\n", *lines[at:]))
        case 7:
            return True, data.replace(b"\n", b"\r\n")
        case 8:
            return True, b"".join(each[:-1] + noise.replace(b"\r", b"") + b"\n" for each in lines)
        case 9:
            return True, b"".join((*lines[:at], *lines[at:][:50], *lines[at:]))
        case 10:
            return True, draw(st.sampled_from((b"", b"\n" * 999, noise, data[: len(data) // 3])))
        case _:
            line = lines[at].rstrip(b"\n") + f" password={secret} {secret}\n".encode()
            return False, b"".join((*lines[:at], line, *lines[at + 1 :]))


@pytest.mark.suite("fuzz")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["trouble", "healthy"])
@pytest.mark.parametrize("store", STORES)
def test_no_mutated_answer_breaks_or_betrays(tapes: dict[str, Tape], store: str, name: str) -> None:
    """Whatever a store answers, each criterion has a verdict that a record can hold."""
    tape = tapes[f"{store}-{name}"]
    base = outcomes(played(tape, store))
    secret = max((each.reveal() for each in tape.context.production.secrets), key=len)
    examples = max(10, settings.default.max_examples // SLOWER[store])

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck), deadline=None)
    @given(st.data())
    def mutate(data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(tape.answers) - 1))
        change = log_mutations if store == "logs" else mutations
        malformed, value = change(data.draw, tape.answers[at].value, secret)
        found = played(tape, store, at, value)
        assert outcomes(found).keys() >= base.keys()
        assert secret not in json.dumps(msgspec.to_builtins(found))
        if malformed:
            assert improved(base, found) == set()

    mutate()


# --- a WebSocket server ----------------------------------------------------------------------

ENOUGH = 40
"""Connections without a drop that are a PASS."""
SECRET = "ws_s3cret_of_this_test_0123456789"
HEADERS = (
    "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
    "Sec-WebSocket-Accept: {accept}",
)  # fmt: skip
STATUS_LINES = (
    "HTTP/1.1 200 OK", "HTTP/1.1 301 Moved", "HTTP/1.1 403 Forbidden", "HTTP/1.1 429 Slow down",
    "HTTP/1.1 503 Down", "HTTP/1.1 999 x", "HTTP/9.9 101 x", "HTTP/1.1 10", "101", "", "\x00",
    "HTTP/1.1 101 " + "x" * 70_000,
)  # fmt: skip
MORE = (
    "Location: http://127.0.0.1:1/", "Sec-WebSocket-Protocol: other", "Content-Length: -1",
    "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99", "no colon", ": x",
    "X: " + "y" * 300_000, "Sec-WebSocket-Accept: AAAA", "Transfer-Encoding: chunked", "\x80: \xff",
)  # fmt: skip
CODES = (0, 999, 1000, 1001, 1005, 1006, 1008, 1009, 1011, 1012, 1015, 3000, 4401, 65535)


def frame(opcode: int, data: bytes, *, first: int = 0x80, length: int | None = None) -> bytes:
    """A frame of a server; its stated length may differ from that of its data."""
    size = len(data) if length is None else length
    head = bytes([(first | opcode) & 0xFF])
    if size < 126:
        return head + bytes([size]) + data
    if size < 65536:
        return head + b"\x7e" + struct.pack("!H", size) + data
    return head + b"\x7f" + struct.pack("!Q", size) + data


@st.composite
def frames(draw: Any) -> bytes:
    """Something that a server may send after the handshake."""
    data = draw(st.binary(max_size=200))
    match draw(st.integers(0, 6)):
        case 0:
            reason = draw(st.sampled_from((b"", SECRET.encode(), b"\xff", b"x" * 124)))
            code = draw(st.sampled_from(CODES))
            return frame(8, struct.pack("!H", code) + reason)
        case 1:
            return frame(draw(st.integers(0, 15)), data)
        case 2:
            return frame(1, data, first=draw(st.sampled_from((0, 0xC0, 0xF0))))
        case 3:
            return frame(2, data, length=draw(st.sampled_from((126, 70_000, 2**62, 2**63))))
        case 4:
            return frame(9, data) + frame(10, data)
        case 5:
            return frame(8, data[:1])
        case _:
            return data


@st.composite
def scripts(draw: Any) -> tuple[list[str], bytes, bool]:
    """A handshake's lines, what follows it, and whether the connection is then reset."""
    lines = list(HEADERS)
    way = draw(st.integers(0, 5))
    if way == 0:
        lines[0] = draw(st.sampled_from(STATUS_LINES))
    elif way == 1:
        lines.insert(draw(st.integers(1, len(lines))), draw(st.sampled_from(MORE)))
    elif way == 2:
        del lines[draw(st.integers(0, len(lines) - 1))]
    return lines, b"".join(draw(st.lists(frames(), max_size=4))), draw(st.booleans())


class Scripted:
    """A server that plays a script to each connection and then ends it: no one can stay."""

    def __init__(self) -> None:
        self.script: tuple[list[str], bytes, bool] = ([], b"", False)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}/live?key={SECRET}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                self._play(connection)

    def _play(self, connection: socket.socket) -> None:
        connection.settimeout(5.0)
        request = b""
        while b"\r\n\r\n" not in request:
            data = connection.recv(65536)
            if not data:
                return
            request += data
        key = next(
            line.split(b":", 1)[1].strip()
            for line in request.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key:")
        )
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        lines, after, reset = self.script
        head = "\r\n".join([*lines, "", ""])
        head = head.replace("{accept}", base64.b64encode(digest).decode())
        connection.sendall(head.encode("latin-1", "replace") + after)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.mark.suite("fuzz")
@pytest.mark.timeout(3600)
def test_no_websocket_server_breaks_or_betrays() -> None:
    """A server that ends each connection at once is never a PASS, whatever it sends before."""
    server = Scripted()
    none_lost = Counts(question=question(), total=ENOUGH, bad=0, what="connections")
    assert DropsBelow().judge({"held": none_lost}).outcome == Outcome.PASS
    target = WebSocketTarget(
        url=server.url,
        headers={"Authorization": Secret("WS", f"Bearer {SECRET}")},
        connections=ENOUGH,
        hold_s=2.0,
        timeout_s=5.0,
    )
    clock = SteppingClock(datetime(2026, 12, 1, tzinfo=UTC))

    examples = max(10, settings.default.max_examples // 10)

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck), deadline=None)
    @given(scripts())
    def play(script: tuple[list[str], bytes, bool]) -> None:
        server.script = script
        counts = WebSocketSource(target, clock).held()
        verdict = DropsBelow().judge({"held": counts})
        assert verdict.outcome != Outcome.PASS, (counts.parts, verdict.reason)
        stored = canonical.to_bytes(to_plain(counts), "record")
        assert SECRET.encode() not in stored
        assert SECRET not in verdict.reason
        assert DropsBelow().judge({"held": from_plain(json.loads(stored))}) == verdict

    try:
        play()
    finally:
        server.close()
