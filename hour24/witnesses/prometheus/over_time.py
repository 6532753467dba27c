"""The requests of a window in steps, by status.

Rules of this module:

- A step without any sample is unknown, and no zero. What was counted meanwhile is in the step of
  the next sample, failed requests and all of them alike.
- A counter of failures that begins in the window with a value that may be older could hide a rise,
  or feign one: the answer is refused where it is more than a rise must reach.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hour24.errors import SourceIncomplete
from hour24.evidence import Line
from hour24.text import format_clock, format_count
from hour24.watch import Window
from hour24.witnesses.prometheus.counters import Counter

HOUR_S = 3600.0
UNKNOWN_SHARE = 0.0005
"""Failures of an unknown time that are no spike: half of the least share that is one."""
Counters = Mapping[str, Sequence[Counter]]
"""Status -> its counters."""


def lines_of(
    counters: Counters, sampled: frozenset[int], window: Window, step_s: float
) -> tuple[Line, ...]:
    """Return one line per status, with a value for each step that was sampled."""
    start = window.start.timestamp()
    steps = range(math.ceil(window.seconds / step_s))
    lines = []
    for status, each in sorted(counters.items()):
        bins: dict[int, float] = {}
        for counter in each:
            for key, increment in counter.bins.items():
                bins[key] = bins.get(key, 0.0) + increment
        lines.append(
            Line(
                labels={"status": status},
                times=tuple(start + key * step_s for key in steps),
                values=tuple(bins.get(key, 0.0) if key in sampled else None for key in steps),
            )
        )
    return tuple(lines)


def check_births(counters: Counters, window: Window, where: str) -> None:
    """Raises: SourceIncomplete, when failures of an unknown time could be the rise of an hour."""
    start = window.start.timestamp()
    total: dict[int, float] = {}
    unknown: dict[int, float] = {}
    for status, each in counters.items():
        for counter in each:
            for key, increment in counter.bins.items():
                hour = int(key * counter.step_s // HOUR_S)
                total[hour] = total.get(hour, 0.0) + increment
            if counter.birth is not None and status.startswith("5"):
                hour = int((counter.birth[0] - start) // HOUR_S)
                unknown[hour] = unknown.get(hour, 0.0) + counter.birth[1]
    for hour, n in sorted(unknown.items()):
        if n > UNKNOWN_SHARE * (total.get(hour, 0.0) + n):
            raise SourceIncomplete(
                f"{where}: expected the time of each failed request, got {format_count(round(n))} "
                "that a counter had already counted when it appeared in the hour from "
                f"{format_clock(start + hour * HOUR_S)}: they may be older; state names.presence "
                "or names.started"
            )
