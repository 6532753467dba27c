"""Threads that do what is due, when it is due.

Rules of this module:

- A timetable calls at the moment asked for and never waits for what it called to end: work
  goes to workers. So one slow probe delays no other.
- Workers are daemon threads, made when none is idle and at most so many: a hung one keeps
  neither the others nor the process from ending.
- Moments are those of ``time.perf_counter``.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
import time
from collections.abc import Callable

MOST = 512
IDLE_S = 60.0
Call = Callable[[], None]


class Workers:
    """Does calls in threads of its own, at most ``most`` at a time."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._free = 0
        self._alive = 0
        self._lock = threading.Lock()

    def do(self, call: Call) -> bool:
        """Have ``call`` done at once; false when nobody is left to do it."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
            elif self._alive >= self.most:
                return False
            else:
                self._alive += 1
                threading.Thread(target=self._work, name="hour24 worker", daemon=True).start()
        self._calls.put(call)
        return True

    def _work(self) -> None:
        while True:
            try:
                call = self._calls.get(timeout=IDLE_S)
            except queue.Empty:
                with self._lock:
                    if self._free > 0:
                        self._free -= 1
                        self._alive -= 1
                        return
                continue  # a call was promised to this one while it gave up waiting
            call()
            with self._lock:
                self._free += 1


class Timetable:
    """Calls at given moments, in one thread: the one that runs it."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Call]] = []
        self._number = itertools.count()
        self._changed = threading.Condition()
        self._ended = False

    def at(self, moment: float, call: Call) -> None:
        """Have ``call`` called at ``moment``, or at once when that has passed."""
        with self._changed:
            heapq.heappush(self._entries, (moment, next(self._number), call))
            if self._entries[0][0] == moment:
                self._changed.notify()

    def clear(self) -> None:
        """Forget everything that is still to come."""
        with self._changed:
            self._entries.clear()

    def end(self) -> None:
        """Let :meth:`run` return."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def run(self) -> None:
        """Call what is due until there is nothing left to come, or until :meth:`end`."""
        while True:
            with self._changed:
                if self._ended or not self._entries:
                    return
                moment, _, call = self._entries[0]
                left = moment - time.perf_counter()
                if left > 0:
                    self._changed.wait(left)
                    continue
                heapq.heappop(self._entries)
            call()
