"""WebSocket connections that the prober holds open, one after another, for hours.

Rules of this module:

- So many connections at a time, each held for the same time and then closed by us: the share
  of drops depends on how long a session lasts, so that is fixed.
- After a drop or a refusal there is a pause, growing to half a minute: the service is not
  hammered while it is down.
- One thread with a loop of its own; what happened is taken away minute by minute.
"""

from __future__ import annotations

import asyncio
import threading
import time

from hour24.config import WebSocketTarget
from hour24.prober.tally import Held
from hour24.probes.lines import Drop
from hour24.sources.websocket import session

PAUSES_S = (1.0, 5.0, 15.0, 30.0)
GOODBYE_S = 2.0


class Sockets:
    """Holds ``probe_connections`` open until :meth:`close`."""

    def __init__(self, target: WebSocketTarget) -> None:
        self.target = target
        self._lock = threading.Lock()
        self._open: dict[int, float] = {}
        self._ended: list[tuple[float, int, float]] = []
        self._opened = self._refused = self._closed = 0
        self._held_s = 0.0
        self._problems: list[Exception] = []
        self._loop = asyncio.new_event_loop()
        self._tasks: list[asyncio.Task[None]] = []
        self._thread = threading.Thread(target=self._run, name="hour24 sockets", daemon=True)
        self._thread.start()

    def taken(self, into_s: float) -> Held:
        """What happened since this was asked last.

        Args:
            into_s: how many seconds after the minute's start it is now.

        Raises: whatever a bug of ours raised while holding.
        """
        if self._problems:
            raise self._problems[0]
        now = time.monotonic()
        with self._lock:
            held_s = self._held_s + sum(now - since for since in self._open.values())
            self._open = dict.fromkeys(self._open, now)
            held = Held(
                opened=self._opened,
                dropped=tuple(
                    Drop(round(max(0.0, into_s - (now - at)), 2), code, round(after, 2))
                    for at, code, after in self._ended
                ),
                refused=self._refused,
                closed=self._closed,
                held_s=held_s,
            )
            self._opened = self._refused = self._closed = 0
            self._held_s = 0.0
            self._ended = []
        return held

    def close(self) -> None:
        """Close the connections; they are no drops."""

        def cancel() -> None:
            for task in self._tasks:
                task.cancel()

        self._loop.call_soon_threadsafe(cancel)
        self._thread.join(GOODBYE_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._tasks = [
            self._loop.create_task(self._keep(number))
            for number in range(self.target.probe_connections)
        ]
        gathered = asyncio.gather(*self._tasks, return_exceptions=True)
        went = self._loop.run_until_complete(gathered)
        self._problems = [each for each in went if isinstance(each, Exception)]
        self._loop.close()

    async def _keep(self, number: int) -> None:
        unlucky = 0
        # spread out, so that they do not all end and begin at one moment
        await asyncio.sleep(min(5.0, self.target.probe_hold_s / 10) * number)
        while True:
            begun = time.monotonic()
            try:
                went = await session(
                    self.target, self.target.probe_hold_s, opened=lambda: self._begin(number)
                )
            finally:
                with self._lock:
                    since = self._open.pop(number, None)
                    if since is not None:
                        self._held_s += time.monotonic() - since
            with self._lock:
                self._refused += bool(went.refused)
                if went.refused and since is not None:  # closed at once: no connection of ours
                    self._opened = max(0, self._opened - 1)
                self._closed += went.closed_early
                if went.dropped:
                    self._ended.append((time.monotonic(), went.code, went.held_s))
            if went.refused or went.dropped or went.held_s < 1.0:
                await asyncio.sleep(PAUSES_S[min(unlucky, len(PAUSES_S) - 1)])
                unlucky += 1
            else:
                unlucky = 0
            if time.monotonic() - begun < 0.2:
                await asyncio.sleep(0.2)

    def _begin(self, number: int) -> None:
        with self._lock:
            self._open[number] = time.monotonic()
            self._opened += 1
