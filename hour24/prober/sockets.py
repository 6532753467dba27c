"""Keeps the prober's WebSocket connections open, one after another, for hours.

Rules of this module:

- A fixed number of connections, each held for the same time and then closed by us, because the
  share of drops depends on the length of a session.
- After a drop or a refusal there is a pause of up to half a minute, to spare the service.
- One thread with its own event loop; the prober takes the results once a minute.
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
CLOSE_WITHIN_S = 2.0


class Sockets:
    """Keeps ``probe_connections`` open until :meth:`close`."""

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

    def take_minute(self, into_s: float) -> Held:
        """Returns the results since the last call.

        Args:
            into_s: seconds since the start of the minute.

        Raises: the exception of a bug in hour24.
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
        """Close the connections, without counting drops."""

        def cancel() -> None:
            for task in self._tasks:
                task.cancel()

        self._loop.call_soon_threadsafe(cancel)
        self._thread.join(CLOSE_WITHIN_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._tasks = [
            self._loop.create_task(self._keep(number))
            for number in range(self.target.probe_connections)
        ]
        gathered = asyncio.gather(*self._tasks, return_exceptions=True)
        results = self._loop.run_until_complete(gathered)
        self._problems = [each for each in results if isinstance(each, Exception)]
        self._loop.close()

    async def _keep(self, number: int) -> None:
        failures = 0
        # spread out, so that they do not all end at the same time
        await asyncio.sleep(min(5.0, self.target.probe_hold_s / 10) * number)
        while True:
            begun = time.monotonic()
            try:
                ended = await session(
                    self.target, self.target.probe_hold_s, opened=lambda: self._begin(number)
                )
            finally:
                with self._lock:
                    since = self._open.pop(number, None)
                    if since is not None:
                        self._held_s += time.monotonic() - since
            with self._lock:
                self._refused += bool(ended.refused)
                if ended.refused and since is not None:  # closed at once: not counted as opened
                    self._opened = max(0, self._opened - 1)
                self._closed += ended.closed_early
                if ended.dropped:
                    self._ended.append((time.monotonic(), ended.code, ended.held_s))
            if ended.refused or ended.dropped or ended.held_s < 1.0:
                await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
                failures += 1
            else:
                failures = 0
            if time.monotonic() - begun < 0.2:
                await asyncio.sleep(0.2)

    def _begin(self, number: int) -> None:
        with self._lock:
            self._open[number] = time.monotonic()
            self._opened += 1
