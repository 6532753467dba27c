"""The display of a running prober.

Rules of this module:

- On a terminal one table, redrawn every few seconds; elsewhere one plain line a minute. Alarms are
  lines above the table.
- Control characters and markup in text of the system under watch are escaped.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, TextIO

from hour24 import histogram
from hour24.probes.lines import Alarm, Minute
from hour24.text import escape_controls
from hour24.watch import Watch

EVERY_S = 2.0


class Display:
    """Without a terminal: one plain line a minute."""

    def __init__(self, out: TextIO, watch: Watch, until: datetime, probes: int) -> None:
        self.out = out
        self.probes = probes
        self.watch = watch
        self.until = until
        self.newest: dict[tuple[str, str], Minute] = {}
        self.sums: dict[tuple[str, str], list[int]] = {}
        self.alarms: list[Alarm] = []
        self._open_minutes: dict[datetime, list[Minute]] = {}

    @classmethod
    def on(cls, out: TextIO, watch: Watch, until: datetime, probes: int) -> Display:
        """Returns the table on a terminal, else the plain display.

        Args:
            probes: number of lines per minute.
        """
        return (Table if out.isatty() else cls)(out, watch, until, probes)

    def __enter__(self) -> Display:
        seconds = ":%S" if self.until.second else ""
        until = f"{self.until:%Y-%m-%dT%H:%M{seconds}Z}"
        self._print(f"probing until {until}, watch {self.watch.name}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def line(self, line: Minute) -> None:
        """Show the complete minute of a probe."""
        key = (line.kind, line.probe)
        self.newest[key] = line
        sums = self.sums.setdefault(key, [0, 0, 0])
        for i, n in enumerate((line.due, line.due - len(line.missed), count_failed(line))):
            sums[i] += n
        self._open_minutes.setdefault(line.minute, []).append(line)
        for minute in sorted(self._open_minutes):
            lines = self._open_minutes[minute]
            if len(lines) >= self.probes or line.minute > minute + timedelta(minutes=1):
                del self._open_minutes[minute]
                texts = sorted((each.kind != "health", format_minute(each)) for each in lines)
                self._print(f"{minute:%H:%MZ} {', '.join(text for _, text in texts)}")

    def alarm(self, alarm: Alarm) -> None:
        """Show an alarm or its end."""
        self.alarms.append(alarm)
        self._print(format_alarm(alarm))

    def end(self, unwritten: int, *, stopped: bool, goes_on_until: datetime) -> None:
        """Show that the prober has ended.

        Args:
            goes_on_until: when the watch ends, which may be later than this prober.
        """
        text = "stopped" if stopped else "the watch has ended"
        if not stopped and self.until < goes_on_until:
            text = f"ended as asked; the watch goes on until {goes_on_until:%Y-%m-%dT%H:%MZ}"
        self._print(text)
        if unwritten:
            self._print(f"{unwritten} lines could not be written")

    def _print(self, text: str) -> None:
        print(text, file=self.out, flush=True)


class Table(Display):
    """On a terminal: one table, redrawn."""

    def __init__(self, out: TextIO, watch: Watch, until: datetime, probes: int) -> None:
        super().__init__(out, watch, until, probes)
        self._live: Any = None
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Display:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(
            self._table(), console=Console(file=self.out), auto_refresh=False, transient=False
        )
        self._live.start()
        threading.Thread(target=self._redraw, name="hour24 display", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        with self._lock:
            self._live.update(self._table(), refresh=True)
            self._live.stop()

    def line(self, line: Minute) -> None:
        key = (line.kind, line.probe)
        self.newest[key] = line
        sums = self.sums.setdefault(key, [0, 0, 0])
        for i, n in enumerate((line.due, line.due - len(line.missed), count_failed(line))):
            sums[i] += n

    def _print(self, text: str) -> None:
        from rich.text import Text

        with self._lock:
            self._live.console.print(Text(text))

    def _redraw(self) -> None:
        while not self._ended.wait(EVERY_S):
            with self._lock:
                if not self._ended.is_set():
                    self._live.update(self._table(), refresh=True)

    def _table(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table as Grid
        from rich.text import Text

        now = datetime.now(UTC)
        whole = (self.until - self.watch.t0).total_seconds()
        left = max(timedelta(), self.until - now)
        done = ProgressBar(total=whole, completed=whole - left.total_seconds(), width=60)
        grid = Grid(title=Text(f"watch {self.watch.name}: {str(left).split('.')[0]} to go"))
        for name in ("probe", "every", "sent", "failed", "p50 ms", "p99 ms", "last minute"):
            grid.add_column(name, justify="left" if name in ("probe", "last minute") else "right")
        for key, line in sorted(dict(self.newest).items()):
            due, kept, bad = self.sums[key]
            counts = {int(bucket): n for bucket, n in line.latency.items()}
            quantiles = [
                f"{histogram.quantile(counts, q):.1f}" if counts else "" for q in (0.5, 0.99)
            ]
            cells = [line.probe, f"{line.interval_s:g} s", f"{kept}/{due}", str(bad), *quantiles]
            grid.add_row(*(Text(escape_controls(cell)) for cell in [*cells, format_outcome(line)]))
        return Group(grid, done)


def count_failed(line: Minute) -> int:
    """Returns how many probes of the minute failed."""
    return sum(len(slots) for slots in line.failed.values())


def format_minute(line: Minute) -> str:
    """Returns a minute as text: ``calls 2/2``, ``health 5/6 (1 x 503)``."""
    return escape_controls(f"{line.probe} {format_outcome(line)}")


def format_outcome(line: Minute) -> str:
    """Returns how many due probes were good, and the outcomes of the others."""
    good = line.due - len(line.missed) - len(line.limited) - count_failed(line)
    parts = [f"{len(slots)} x {name}" for name, slots in line.failed.items()]
    parts += [f"{len(line.missed)} missed"] if line.missed else []
    parts += [f"{len(line.limited)} limited"] if line.limited else []
    parts += [f"{len(line.dropped)} dropped"] if line.dropped else []
    parts += [f"{line.refused} refused"] if line.refused else []
    parts += [line.note] if line.note else []
    return f"{good}/{line.due}" + (f" ({'; '.join(parts)})" if parts else "")


def format_alarm(alarm: Alarm) -> str:
    """Returns an alarm, or its end, as one line."""
    word = "over" if alarm.over else "ALARM"
    return escape_controls(f"{alarm.at:%H:%M:%SZ} {word}: {alarm.rule}: {alarm.says}")
