"""The parts that the charts of a page share: a picture with its caption, time axes, lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from statistics import median

from markupsafe import Markup
from msgspec import Struct

from hour24 import evidence as ev
from hour24.ledger.record import Record
from hour24.report.times import Times
from hour24.verdict import Outcome

HOUR_S = 3600.0
GAP = 3.5
"""Usual steps between two values from which the time between counts as a gap."""
LONG_S = 5.5 * 3600
"""A time axis longer than this, in seconds, has checkpoints as ticks."""


class Picture(Struct, frozen=True, kw_only=True):
    """A chart with its caption.

    Args:
        wide: whether it takes the whole width.
        of: id and subject of the verdict that it draws.
    """

    title: str
    says: str
    svg: Markup
    wide: bool = False
    outcome: Outcome = Outcome.PASS
    of: tuple[str, str] = ("", "")


def hour_ticks(record: Record, ends: tuple[float, float], times: Times) -> list[tuple[float, str]]:
    """Return the ticks of a time axis: round clock times, or checkpoints on a long axis."""
    start, end = ends
    if end - start > LONG_S:
        t0 = record.t0.timestamp()
        hours = sorted({h for due in record.plan.values() for h in due} | {0})
        return [
            (t0 + h * 3600, "T0" if h == 0 else f"{h} h")
            for h in hours
            if start <= t0 + h * 3600 <= end
        ]
    step = next(s for s in (300, 900, 1800, 3600, 7200) if (end - start) / s <= 5)
    return clock_ticks(start, end, step, times)


def clock_ticks(start: float, end: float, step: int, times: Times) -> list[tuple[float, str]]:
    """Return the multiples of ``step`` seconds between two times, as clock times."""
    first = math.ceil(start / step) * step
    ticks = range(first, int(end) + 1, step)
    return [(float(at), times.clock(datetime.fromtimestamp(at, UTC))[:5]) for at in ticks]


def ends_of(answer: ev.Evidence, fallback: Iterable[float]) -> tuple[float, float]:
    """Return the window of an answer in epoch seconds; without one, the ends of ``fallback``."""
    if answer.question.window is not None:
        window = answer.question.window
        return window.start.timestamp(), window.end.timestamp()
    times = list(fallback)
    return (min(times), max(times)) if times else (0.0, 1.0)


def between(
    parts: Sequence[tuple[float, float]], ends: tuple[float, float]
) -> Iterator[tuple[float, float]]:
    """Yield the periods within ``ends`` that no part covers."""
    at = ends[0]
    for start, end in sorted(parts):
        if start > at + 1:
            yield at, start
        at = max(at, end)
    if ends[1] > at + 1:
        yield at, ends[1]


def values_of(lines: Iterable[ev.Line]) -> list[float]:
    return [v for line in lines for v in line.values if v is not None and math.isfinite(v)]


def thinned(line: ev.Line, most: int = 360) -> list[tuple[float, float | None]]:
    """Return some ``most`` points: the smallest and largest of each part, so that peaks stay.

    A missing value, or a step longer than ``GAP`` usual ones, interrupts the line.
    """
    size = math.ceil(2 * len(line.times) / most) if len(line.times) > most else 1
    kept: list[tuple[float, float | None]] = []
    for run in _runs(line):
        kept.append((run[0][0], None))
        for at in range(0, len(run), size):
            part = [(v, t) for t, v in run[at : at + size]]
            kept.extend(sorted({(t, v) for v, t in (min(part), max(part))}))
    return kept


def _runs(line: ev.Line) -> Iterator[list[tuple[float, float]]]:
    """Yield the parts of a line between its gaps."""
    longest = GAP * usual_step(line)
    run: list[tuple[float, float]] = []
    for at, value in zip(line.times, line.values, strict=False):
        if run and (value is None or at - run[-1][0] > longest):
            yield run
            run = []
        if value is not None:
            run.append((at, value))
    if run:
        yield run


def usual_step(line: ev.Line) -> float:
    """Return the usual time between two values of a line, in seconds."""
    gaps = [b - a for a, b in zip(line.times[:200], line.times[1:200], strict=False)]
    return median(gaps) if gaps else 0.0
