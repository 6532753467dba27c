"""Writes lines to the disk in the background.

Rules of this module:

- A separate thread writes and syncs, so that a slow disk delays no probe.
- A line that cannot be written is kept, up to a limit, and retried; alarms are written first.
"""

from __future__ import annotations

import threading
from collections import deque

from hour24.probes.lines import Alarm, LineWriter, Minute

MOST_KEPT = 20_000
CLOSE_WITHIN_S = 5.0


class BackgroundWriter:
    """Writes lines and alarms in the background."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer
        self._lines: deque[Minute] = deque()
        self._alarms: deque[Alarm] = deque()
        self._news = threading.Condition()
        self._ended = False
        self.lost = 0
        self.problem = ""
        self._thread = threading.Thread(target=self._run, name="hour24 writer", daemon=True)
        self._thread.start()

    @property
    def unwritten(self) -> int:
        """Number of lines and alarms that could not be written so far."""
        with self._news:
            waiting = len(self._lines) + len(self._alarms) if self.problem or self._ended else 0
            return self.lost + waiting

    def line(self, line: Minute) -> None:
        """Queue a line."""
        with self._news:
            if len(self._lines) >= MOST_KEPT:
                self._lines.popleft()
                self.lost += 1
            self._lines.append(line)
            self._news.notify()

    def alarm(self, alarm: Alarm) -> None:
        """Queue an alarm, before all lines."""
        with self._news:
            self._alarms.append(alarm)
            self._news.notify()

    def close(self) -> None:
        """Write the rest of the queue and close the file."""
        with self._news:
            self._ended = True
            self._news.notify()
        self._thread.join(CLOSE_WITHIN_S)
        self._writer.close()

    def _run(self) -> None:
        while True:
            with self._news:
                while not (self._lines or self._alarms or self._ended):
                    self._news.wait()
                alarms, lines = list(self._alarms), list(self._lines)
                ended = self._ended
            if not alarms and not lines:
                return
            try:
                for alarm in alarms:
                    self._writer.alarm(alarm)
                    self._alarms.popleft()
                if lines:
                    self._writer.write(*lines)
            except OSError as problem:
                with self._news:
                    self.problem = problem.strerror or str(problem)
                    if ended:
                        return
                    self._news.wait(1.0)
                continue
            with self._news:
                self.problem = ""
                for line in lines:
                    if self._lines and self._lines[0] is line:
                        self._lines.popleft()
