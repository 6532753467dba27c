"""WebSocket connections, held open.

Rules of this module:

- A drop is a connection that ended before its time abnormally: no close frame (1006), a ping
  without its pong, 1011, 1012 and every other code but 1000, 1001 and 1005.
- 1000, 1001 and 1005 before our time are told (``closed early``) and are no drops: the server
  said goodbye. What we close ourselves at the end is neither.
- A handshake that fails is counted apart, by its HTTP status or by what went wrong: a 403 is no
  drop.
- Messages are read and thrown away; pings go both ways.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import hour24
from hour24.asking.exchange import reason
from hour24.clock import Clock
from hour24.config import WebSocketTarget
from hour24.errors import SourceTimeout
from hour24.evidence import Attempt, Counts, Question
from hour24.secrets import Secret

ABNORMAL = 1006
NORMAL = frozenset({1000, 1001, 1005})
PING_S = 20.0
GOODBYE_S = 1.5
AT_ONCE = 10
"""So many handshakes at a time: a test must not be a flood."""


@dataclass(frozen=True)
class Session:
    """How one connection went.

    Args:
        refused: why its handshake failed: an HTTP status or ``timeout``, ``refused``, ...
        code: the close code, when it ended before its time; 0 when it held.
        held_s: how long it was open.
    """

    refused: str = ""
    code: int = 0
    held_s: float = 0.0

    @property
    def dropped(self) -> bool:
        """Whether it ended abnormally."""
        return self.code != 0 and self.code not in NORMAL

    @property
    def closed_early(self) -> bool:
        """Whether the server closed it before its time, normally."""
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
        turn: entered for the time of the handshake.
    """
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

    ping_s = min(PING_S, max(0.5, hold_s / 3))
    connecting = connect(
        target.url,
        additional_headers=_headers(target),
        user_agent_header=f"hour24/{hour24.__version__}",
        open_timeout=target.timeout_s,
        close_timeout=min(5.0, target.timeout_s),
        ping_interval=ping_s,
        ping_timeout=target.timeout_s,
        proxy=None if _is_loopback(target.url) else True,
        process_exception=lambda problem: problem,
    )
    try:
        async with turn or contextlib.nullcontext():
            connection = await connecting
    except InvalidStatus as problem:
        return Session(refused=str(problem.response.status_code))
    except (WebSocketException, OSError, ValueError) as problem:
        return Session(refused=_why(problem))
    opened()
    begun = time.monotonic()
    code = 0
    try:
        async with asyncio.timeout(hold_s):
            while True:
                await connection.recv()
    except ConnectionClosed as ended:
        frame = ended.rcvd or ended.sent  # ours tells why: 1011 after a ping without its pong
        code = frame.code if frame is not None else ABNORMAL
    except TimeoutError:
        code = 0
    finally:
        held_s = time.monotonic() - begun
        await _close(connection)
    return Session(code=code, held_s=held_s)


async def _close(connection: Any) -> None:
    """Say goodbye, briefly; then hang up."""
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
        """Connections established, and how many of them dropped.

        ``parts``: ``held``; close codes of drops; ``closed early``; ``refused`` (all failed
        handshakes) and ``refused: 403`` and the like.

        Raises: SourceTimeout, when it takes longer than it can.
        """
        target, at = self.target, self.clock.now()
        waves = -(-target.connections // AT_ONCE)
        limit_s = target.hold_s + (waves + 2) * target.timeout_s + 10.0
        begun = time.perf_counter()
        sessions = _run(lambda: _all(target), limit_s)
        took_ms = (time.perf_counter() - begun) * 1000
        return _counted(target, sessions, at=at, took_ms=took_ms)


def _counted(
    target: WebSocketTarget, sessions: list[Session], *, at: Any, took_ms: float
) -> Counts:
    parts: dict[str, int] = {}
    for each in sessions:
        names = ["held"]
        if each.refused:
            names = ["refused", f"refused: {each.refused}"]
        elif each.closed_early:
            names = ["closed early"]
        elif each.dropped:
            names = [str(each.code)]
        for name in names:
            parts[name] = parts.get(name, 0) + 1
    established = [each for each in sessions if not each.refused]
    refused = len(sessions) - len(established)
    early = parts.get("closed early", 0)
    notes = [f"{sum(each.held_s for each in established):.0f} connection seconds held"]
    notes += [f"{early} closed early by the server, normally (1000, 1001): no drops"] * bool(early)
    result = f"{len(established)} of {len(sessions)} opened" if refused else "ok"
    return Counts(
        question=Question(
            source="websocket",
            asked=f"{len(sessions)} connections to {shown(target.url)}, "
            f"held for {target.hold_s:g} s",
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
    """Run a coroutine in a thread with a loop of its own, given up after ``limit_s``."""
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
        raise SourceTimeout(f"websocket: held connections: no end within {limit_s:.0f} s")
    return found


def shown(url: str) -> str:
    """An address without its query, which may hold what nobody should read."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _headers(target: WebSocketTarget) -> dict[str, str]:
    return {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in target.headers.items()
    }


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")


def _why(problem: BaseException) -> str:
    """The name of what kept a handshake from succeeding."""
    if isinstance(problem, OSError | ssl.SSLError):
        return reason(problem)
    if isinstance(problem.__cause__, OSError | EOFError):
        return reason(problem.__cause__) if isinstance(problem.__cause__, OSError) else "closed"
    return "malformed"
