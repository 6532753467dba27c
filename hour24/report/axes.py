"""The parts that the charts of a page share: a picture with its caption, and the time axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from markupsafe import Markup
from msgspec import Struct

from hour24 import evidence as ev
from hour24.ledger.record import Record
from hour24.report.times import Times
from hour24.verdict import Outcome


class Picture(Struct, frozen=True, kw_only=True):
    """A chart with its caption; ``wide``: takes the whole width."""

    title: str
    says: str
    svg: Markup
    wide: bool = False
    outcome: Outcome = Outcome.PASS


def hour_ticks(record: Record, ends: tuple[float, float], times: Times) -> list[tuple[float, str]]:
    """Return the ticks of a time axis: round clock times, or checkpoints on a long axis."""
    start, end = ends
    if end - start > 5.5 * 3600:
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
