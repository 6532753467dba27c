"""WebSocket connections, held open.

Rules of this module:

- A drop is a connection that ended early and abnormally: without a close frame (1006), without a
  pong at the end, or with 1011, 1012 or any other code except 1000, 1001 and 1005.
- 1000, 1001 and 1005 before our time count as ``closed early``, not as drops: the server closed in
  order. Connections that we close at the end are neither.
- A failed handshake is counted separately, by HTTP status or failure: a 403 is not a drop.
- A server that closes with 4401 and similar, or with 1008 soon after opening, rejects our
  credential: that is a refusal too, counted with its code.
- It behaves like a browser: it follows no redirect, accepts long messages, sends no pings while it
  holds a connection (unless production.toml says so), and tries the next address after 250 ms.
  One ping at the end shows whether the connection is still there.
- A connection with another first answer than production.toml expects is of no use to a client: it
  counts as dropped, with :data:`WRONG_ANSWER`. One without any answer is a refusal: the
  service may be waiting for another message of ours. Answers before the expected one, such as a
  ping, are read past.
- A connection that we close because a message is too long is not a drop.
- Messages are read and discarded.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies

import hour24
from hour24.asking.exchange import ATTEMPT_DELAY_S, name_failure
from hour24.clock import Clock
from hour24.config import WebSocketTarget
from hour24.documents import DocumentError, read_json
from hour24.errors import SourceTimeout
from hour24.evidence import Attempt, Counts, Question
from hour24.secrets import Secret

ABNORMAL = 1006
"""No close frame (RFC 6455 7.4.1)."""
NORMAL = frozenset({1000, 1001, 1005})
GOODBYE_S = 1.5
"""For the closing handshake; then the connection is aborted."""
WRONG_ANSWER = 1
"""No close code: RFC 6455 uses none below 1000."""
WRONG_ANSWER_TEXT = "wrong answer"
NO_FIRST_ANSWER = "no first answer"
TOO_BIG = 1009
LARGEST_MESSAGE_BYTES = 64 * 1024 * 1024
"""A browser has no limit; this one keeps a hostile server from filling our memory."""
CREDENTIAL = frozenset({3000, 3003, 4401, 4403})
"""Close codes about our credential, at any time: IANA's and GraphQL's."""
GREETING = frozenset({1008, 4400, 4408})
"""Close codes about our first message, or its absence, within ``GREETING_S``."""
GREETING_S = 10.0
AT_ONCE = 10
"""Handshakes at a time, so that our check does not act as a flood."""


class WrongAnswerError(Exception):
    """The service answered, and no answer was the expected one."""


class NoAnswerError(Exception):
    """The service sent nothing."""


@dataclass(frozen=True)
class Session:
    """How one connection went.

    Args:
        refused: why its handshake failed: an HTTP status or ``timeout``, ``refused``, ...
            or ``closed 4401`` or :data:`NO_FIRST_ANSWER` after it.
        code: the close code, when it ended early, or :data:`WRONG_ANSWER`; 0 when it stayed open.
        held_s: how long it was open.
        ours: whether we closed it, because a message was too long.
    """

    refused: str = ""
    code: int = 0
    held_s: float = 0.0
    ours: bool = False

    @property
    def dropped(self) -> bool:
        """True if it ended abnormally."""
        return self.code != 0 and self.code not in NORMAL

    @property
    def closed_early(self) -> bool:
        """True if the server closed it early, but normally."""
        return self.code in NORMAL


async def session(
    target: WebSocketTarget,
    hold_s: float,
    *,
    opened: Callable[[], None] = lambda: None,
    turn: contextlib.AbstractAsyncContextManager[Any] | None = None,
) -> Session:
    """Open one connection, hold it for ``hold_s``, close it.

    Args:
        opened: called once it is open.
        turn: entered during the handshake.
    """
    from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

    headers, subprotocols = _headers_and_subprotocols(target)
    proxy = None if _is_loopback(target.url) else True
    connecting = _connect()(
        target.url,
        additional_headers=headers,
        subprotocols=subprotocols or None,
        user_agent_header=f"hour24/{hour24.__version__}",
        open_timeout=target.timeout_s,
        close_timeout=min(5.0, target.timeout_s),
        ping_interval=target.ping_every_s or None,
        ping_timeout=target.timeout_s,
        max_size=LARGEST_MESSAGE_BYTES,
        proxy=proxy,
        **({} if proxy and getproxies() else {"happy_eyeballs_delay": ATTEMPT_DELAY_S}),
        process_exception=lambda problem: problem,
    )
    try:
        async with turn or contextlib.nullcontext():
            connection = await connecting
    except InvalidStatus as problem:
        return Session(refused=str(problem.response.status_code))
    except (WebSocketException, OSError, ValueError) as problem:
        return Session(refused=_handshake_failure(problem))
    opened()
    begun = time.monotonic()
    code, ours, refused = 0, False, ""
    try:
        await exchange(connection, target)
        async with asyncio.timeout(hold_s):
            while True:
                await connection.recv()
    except WrongAnswerError:
        code = WRONG_ANSWER
    except NoAnswerError:
        refused = NO_FIRST_ANSWER
    except ConnectionClosed as ended:
        code, ours = _close_code(ended)
    except TimeoutError:
        code = 0 if await _is_there(connection, target.timeout_s) else ABNORMAL
    finally:
        held_s = time.monotonic() - begun
        await _close(connection)
    if code in CREDENTIAL or (code in GREETING and held_s < GREETING_S):
        refused = f"closed {code}"
    if refused:
        return Session(refused=refused, held_s=held_s)
    return Session(code=0 if ours else code, held_s=held_s, ours=ours)


async def exchange(connection: Any, target: WebSocketTarget) -> None:
    """Send the first message, and wait for the answer that production.toml expects.

    Raises: WrongAnswerError, NoAnswerError; ConnectionClosed, when the connection ends before.
    """
    first = target.first_message
    if first:
        await connection.send(first.reveal() if isinstance(first, Secret) else first)
    if not target.expects:
        return
    answers = 0
    try:
        async with asyncio.timeout(target.timeout_s):
            while not is_expected(await connection.recv(), target.expects):
                answers += 1
    except TimeoutError:
        raise (WrongAnswerError if answers else NoAnswerError) from None


def is_expected(message: str | bytes, expects: str | Mapping[str, Any]) -> bool:
    """Return whether a message contains a text, or a JSON object contains these members."""
    if isinstance(expects, str):
        text = message if isinstance(message, str) else message.decode("utf-8", "replace")
        return expects in text
    try:
        document = read_json(message.encode() if isinstance(message, str) else message)
    except (DocumentError, UnicodeEncodeError):
        return False
    return _contains(document, expects)


def _contains(found: Any, wanted: Any) -> bool:
    """Return whether a JSON value has all that is wanted; objects may have more members."""
    if isinstance(wanted, Mapping):
        return isinstance(found, dict) and all(
            name in found and _contains(found[name], each) for name, each in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(map(_contains, found, wanted))
        )
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return bool(found == wanted)


@cache
def _connect() -> Any:
    """Return the library's ``connect`` without redirects: our headers are for one host."""
    from websockets import http11
    from websockets.asyncio.client import connect

    http11.MAX_NUM_HEADERS, http11.MAX_LINE_LENGTH = 4096, 262_144  # as browsers take

    class Direct(connect):
        def process_redirect(self, exc: Exception) -> Exception | str:
            return exc

    return Direct


def _close_code(ended: Any) -> tuple[int, bool]:
    """Return the close code, and whether we closed because a message was too long."""
    if ended.sent is not None and ended.sent.code == TOO_BIG and not ended.rcvd_then_sent:
        return TOO_BIG, True
    frame = ended.rcvd or ended.sent  # ours says why: 1011 after a ping without a pong
    return (frame.code if frame is not None else ABNORMAL), False


async def _is_there(connection: Any, timeout_s: float) -> bool:
    """True if the other side answers a ping."""
    from websockets.exceptions import ConnectionClosed

    try:
        async with asyncio.timeout(timeout_s):
            await (await connection.ping())
    except (TimeoutError, ConnectionClosed):
        return False
    return True


async def _close(connection: Any) -> None:
    """Close the connection in order; abort it if that takes too long."""
    try:
        async with asyncio.timeout(GOODBYE_S):
            await connection.close()
    except (TimeoutError, OSError):
        connection.transport.abort()


class WebSocketSource:
    """Holds ``connections`` open for ``hold_s`` and counts how they end."""

    def __init__(self, target: WebSocketTarget, clock: Clock) -> None:
        self.target = target
        self.clock = clock

    def held(self) -> Counts:
        """Return how many connections were established, and how many of them dropped.

        ``parts``: ``held``; close codes of drops; ``closed early``; ``refused`` (all failed
        handshakes) and ``refused: 403`` and the like.

        Raises: SourceTimeout, when it takes longer than all timeouts together.
        """
        target, at = self.target, self.clock.now()
        waves = -(-target.connections // AT_ONCE)
        answering_s = target.timeout_s if target.expects else 0.0
        limit_s = target.hold_s + answering_s + (waves + 2) * target.timeout_s + 10.0
        begun = time.perf_counter()
        sessions = _run(lambda: _all(target), limit_s)
        took_ms = (time.perf_counter() - begun) * 1000
        return _count(target, sessions, at=at, took_ms=took_ms)


def _count(target: WebSocketTarget, sessions: list[Session], *, at: Any, took_ms: float) -> Counts:
    parts: dict[str, int] = {}
    for each in sessions:
        names = ["held"]
        if each.refused:
            names = ["refused", f"refused: {each.refused}"]
        elif each.ours:
            names = ["ended by us"]
        elif each.closed_early:
            names = ["closed early"]
        elif each.dropped:
            names = [WRONG_ANSWER_TEXT if each.code == WRONG_ANSWER else str(each.code)]
        for name in names:
            parts[name] = parts.get(name, 0) + 1
    established = [each for each in sessions if not each.refused]
    refused = len(sessions) - len(established)
    early = parts.get("closed early", 0)
    notes = [f"{sum(each.held_s for each in established):.0f} connection seconds"]
    notes += [f"{early} closed early by the server, normally (1000, 1001): not drops"] * bool(early)
    notes += [f"{parts.get('ended by us')} ended by us: a message above our limit"] * bool(
        parts.get("ended by us")
    )
    pings = target.ping_every_s
    kept = f", open by our own pings every {pings:g} s" if pings else ""
    greeted = ", after a first message" * bool(target.first_message)
    greeted += " and its answer" * bool(target.expects)
    result = f"{len(established)} of {len(sessions)} opened" if refused else "ok"
    return Counts(
        question=Question(
            source="websocket",
            asked=f"{len(sessions)} connections to {without_query(target.url)}, "
            f"open for {target.hold_s:g} s{greeted}{kept}",
            at=at,
            attempts=(Attempt(at=at, took_ms=round(took_ms, 1), result=result),),
        ),
        basis="sample",
        note="; ".join(notes),
        total=len(established),
        bad=sum(each.dropped for each in established),
        what="connections",
        parts=dict(sorted(parts.items())),
    )


async def _all(target: WebSocketTarget) -> list[Session]:
    turn = asyncio.Semaphore(AT_ONCE)
    return await asyncio.gather(
        *(session(target, target.hold_s, turn=turn) for _ in range(target.connections))
    )


def _run(what: Callable[[], Any], limit_s: float) -> list[Session]:
    """Run a coroutine in a new thread and event loop; give up after ``limit_s``."""
    found: list[Any] = []
    problems: list[BaseException] = []

    def run() -> None:
        try:
            found.extend(asyncio.run(what()))
        except BaseException as problem:  # noqa: BLE001  raised again in the thread that waits
            problems.append(problem)

    thread = threading.Thread(target=run, name="hour24 websocket", daemon=True)
    thread.start()
    thread.join(limit_s)
    if problems:
        raise problems[0]
    if thread.is_alive():
        raise SourceTimeout(f"websocket: connections: no end within {limit_s:.0f} s")
    return found


def without_query(url: str) -> str:
    """Return an address without its query and user name, which may be secret."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _headers_and_subprotocols(target: WebSocketTarget) -> tuple[dict[str, str], list[str]]:
    """Return the headers to send and the sub-protocols to offer."""
    headers: dict[str, str] = {}
    subprotocols = list(target.subprotocols)
    for name, value in target.headers.items():
        plain = value.reveal() if isinstance(value, Secret) else value
        if name.lower() == "sec-websocket-protocol":
            subprotocols += [each.strip() for each in plain.split(",") if each.strip()]
        else:
            headers[name] = plain
    return headers, list(dict.fromkeys(subprotocols))


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")


def _handshake_failure(problem: BaseException) -> str:
    """Return the name of a handshake's failure."""
    if isinstance(problem, OSError | ssl.SSLError):
        return name_failure(problem)
    if isinstance(problem.__cause__, OSError | EOFError):
        return (
            name_failure(problem.__cause__) if isinstance(problem.__cause__, OSError) else "closed"
        )
    return "malformed"
