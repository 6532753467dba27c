"""Threads that run calls on schedule.

Rules of this module:

- A timetable makes a call at its time and hands the work to workers, so that one slow probe
  delays no other.
- Workers are daemon threads, started when none is idle, up to a maximum: a hung one keeps
  neither the others nor the process from ending.
- Times are those of ``time.perf_counter``.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
import time
from collections.abc import Callable

MOST = 512
"""Threads at a time; one probe occupies one for as long as its target hangs."""
IDLE_S = 60.0
"""An idle thread ends after this long; the next burst starts new ones."""
Call = Callable[[], object]


class Workers:
    """Runs calls in its own threads, at most ``most`` at a time."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._free = 0
        self._alive = 0
        self._lock = threading.Lock()

    def do(self, call: Call) -> bool:
        """Start ``call`` at once; False when every worker is busy."""
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
                continue  # a call was assigned to this worker while its wait ran out
            call()
            with self._lock:
                self._free += 1


class Timetable:
    """Makes calls at given times, in the thread that runs it."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Call]] = []
        self._number = itertools.count()
        self._changed = threading.Condition()
        self._ended = False

    def at(self, time_s: float, call: Call) -> None:
        """Schedule ``call`` for this time; a time that has passed means at once."""
        with self._changed:
            heapq.heappush(self._entries, (time_s, next(self._number), call))
            if self._entries[0][0] == time_s:
                self._changed.notify()

    def clear(self) -> None:
        """Drop every call that is still scheduled."""
        with self._changed:
            self._entries.clear()

    def end(self) -> None:
        """Let :meth:`run` return."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def run(self) -> None:
        """Make each call when it is due, until none is left or until :meth:`end`."""
        while True:
            with self._changed:
                if self._ended or not self._entries:
                    return
                time_s, _, call = self._entries[0]
                left = time_s - time.perf_counter()
                if left > 0:
                    self._changed.wait(left)
                    continue
                heapq.heappop(self._entries)
            call()
