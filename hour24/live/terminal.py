"""The terminal of a running watch: one line that is replaced; in a pipe plain lines."""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime
from typing import TextIO

from hour24.clock import Clock
from hour24.prober.show import count_failed, format_alarm, format_minute
from hour24.probes.lines import Alarm, Minute
from hour24.text import cut, escape_controls

MOST_SAID = 30


class Terminal:
    """Prints what happens, and keeps the newest for the live page."""

    def __init__(self, out: TextIO, clock: Clock) -> None:
        self.said: deque[tuple[datetime, str]] = deque(maxlen=MOST_SAID)
        self.newest: dict[tuple[str, str], Minute] = {}
        self._out = out
        self._clock = clock
        self._lock = threading.RLock()
        self._width = 0

    def say(self, text: str) -> None:
        """Print a line with its time."""
        with self._lock:
            now = self._clock.now()
            line = escape_controls(" ".join(text.split()))
            self.said.appendleft((now, line))
            self._clear()
            print(f"{now:%H:%M:%SZ} {line}", file=self._out, flush=True)

    def alarm(self, alarm: Alarm) -> None:
        """Print an alarm, or its end."""
        self.say(format_alarm(alarm))

    def line(self, line: Minute) -> None:
        """Take a probe's complete minute; without a terminal only a bad one is printed."""
        self.newest[line.kind, line.probe] = line
        if not self._out.isatty() and (count_failed(line) or line.note):
            self.say(f"{line.minute:%H:%MZ} {format_minute(line)}")

    def status(self, text: str) -> None:
        """Replace the status line; nothing in a pipe."""
        if not self._out.isatty():
            return
        with self._lock:
            shown = cut(escape_controls(text), 110)
            self._out.write("\r" + shown.ljust(self._width))
            self._out.flush()
            self._width = len(shown)

    def probes(self) -> tuple[str, ...]:
        """Returns the newest minute of each probe."""
        return tuple(format_minute(line) for _, line in sorted(dict(self.newest).items()))

    def _clear(self) -> None:
        if self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._width = 0
