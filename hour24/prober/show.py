"""What the prober shows while it runs.

Rules of this module:

- On a terminal one table that stays, redrawn every few seconds; elsewhere one plain line a
  minute. Alarms stand above, one a line.
- Text of the system under watch is shown without control characters and without markup.
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


class Show:
    """Where nobody looks: one plain line a minute."""

    def __init__(self, out: TextIO, watch: Watch, until: datetime, probes: int) -> None:
        self.out = out
        self.probes = probes
        self.watch = watch
        self.until = until
        self.newest: dict[tuple[str, str], Minute] = {}
        self.sums: dict[tuple[str, str], list[int]] = {}
        self.alarms: list[Alarm] = []
        self._told: dict[datetime, list[Minute]] = {}

    @classmethod
    def on(cls, out: TextIO, watch: Watch, until: datetime, probes: int) -> Show:
        """The form that suits where it is shown.

        Args:
            probes: how many lines a minute has.
        """
        return (Table if out.isatty() else cls)(out, watch, until, probes)

    def __enter__(self) -> Show:
        self._print(f"probing until {self.until:%Y-%m-%dT%H:%MZ}, watch {self.watch.name}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def line(self, line: Minute) -> None:
        """A probe's minute is complete."""
        key = (line.kind, line.probe)
        self.newest[key] = line
        sums = self.sums.setdefault(key, [0, 0, 0])
        for i, n in enumerate((line.due, line.due - len(line.missed), failed(line))):
            sums[i] += n
        self._told.setdefault(line.minute, []).append(line)
        for minute in sorted(self._told):
            told = self._told[minute]
            if len(told) >= self.probes or line.minute > minute + timedelta(minutes=1):
                del self._told[minute]
                words = sorted((each.kind != "health", in_words(each)) for each in told)
                self._print(f"{minute:%H:%MZ} {', '.join(said for _, said in words)}")

    def alarm(self, alarm: Alarm) -> None:
        """The runbook calls for a person, or no longer does."""
        self.alarms.append(alarm)
        self._print(alarm_in_words(alarm))

    def end(self, unwritten: int, *, stopped: bool) -> None:
        """The prober has ended."""
        self._print("stopped" if stopped else "the watch has ended")
        if unwritten:
            self._print(f"{unwritten} lines could not be written")

    def _print(self, text: str) -> None:
        print(text, file=self.out, flush=True)


class Table(Show):
    """On a terminal: one table, redrawn."""

    def __init__(self, out: TextIO, watch: Watch, until: datetime, probes: int) -> None:
        super().__init__(out, watch, until, probes)
        self._live: Any = None
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Show:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(
            self._table(), console=Console(file=self.out), auto_refresh=False, transient=False
        )
        self._live.start()
        threading.Thread(target=self._redraw, name="hour24 show", daemon=True).start()
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
        for i, n in enumerate((line.due, line.due - len(line.missed), failed(line))):
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
            grid.add_row(*(Text(escape_controls(cell)) for cell in [*cells, outcome(line)]))
        return Group(grid, done)


def failed(line: Minute) -> int:
    """How many probes of the minute failed."""
    return sum(len(slots) for slots in line.failed.values())


def in_words(line: Minute) -> str:
    """A minute in a few words: ``calls 2/2``, ``health 5/6 (1 x 503)``."""
    return escape_controls(f"{line.probe} {outcome(line)}")


def outcome(line: Minute) -> str:
    """How many of those due were good, and what became of the others."""
    good = line.due - len(line.missed) - len(line.limited) - failed(line)
    said = [f"{len(slots)} x {name}" for name, slots in line.failed.items()]
    said += [f"{len(line.missed)} missed"] if line.missed else []
    said += [f"{len(line.limited)} limited"] if line.limited else []
    said += [f"{len(line.dropped)} dropped"] if line.dropped else []
    said += [f"{line.refused} refused"] if line.refused else []
    said += [line.note] if line.note else []
    return f"{good}/{line.due}" + (f" ({'; '.join(said)})" if said else "")


def alarm_in_words(alarm: Alarm) -> str:
    """An alarm, or its end, in one line."""
    word = "over" if alarm.over else "ALARM"
    return escape_controls(f"{alarm.at:%H:%M:%SZ} {word}: {alarm.rule}: {alarm.says}")
