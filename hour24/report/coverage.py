"""How much was seen of what was planned: probes, and series that have a regular step.

Rules of this module:

- A stretch is planned when the window holds it, whether or not a source said so: what stops
  early, or begins late, was not seen.
- Moments such as beats are not planned in advance; their gaps are their criterion's.
- One thing that several criteria asked for is one line, over the longest window.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from statistics import median

from msgspec import Struct

from hour24 import evidence as ev
from hour24.text import format_duration

FEWEST = 10
"""Planned values below which a share says nothing."""
REGULAR = 0.9
"""Share of equal steps from which a series is one with a regular step."""
_NAMES = {
    "limit": "memory limit",
    "load": "requests, for the load",
    "day_before": "errors of the day before the watch",
}


class Seen(Struct, frozen=True, kw_only=True):
    """How much of one thing was seen: ``got`` of ``planned``.

    Args:
        hole_s: longest stretch without any, in seconds; 0 when it is below one step.
    """

    what: str
    got: int
    planned: int
    hole_s: float = 0.0

    @property
    def ratio(self) -> float:
        """``got / planned``, 0 when nothing was planned."""
        return self.got / self.planned if self.planned else 0.0

    @property
    def hole(self) -> str:
        """The longest stretch in words: ``none``, ``44 s``."""
        return format_duration(self.hole_s) if self.hole_s else "none"


def seen(answers: Iterable[tuple[str, ev.Evidence]], usual_s: float) -> list[Seen]:
    """What these answers saw, in their order.

    Args:
        answers: with the name of each.
        usual_s: length of the window that need not be named, in seconds.
    """
    longest: dict[str, tuple[float, Seen]] = {}
    for name, answer in answers:
        window = answer.question.window
        found = _probes(answer) or _series(name, answer)
        if found is None or window is None or found.planned < FEWEST:
            continue
        if found.what not in longest or window.seconds > longest[found.what][0]:
            longest[found.what] = window.seconds, found
    return [
        one
        if seconds == usual_s
        else Seen(
            what=f"{one.what}, over {format_duration(seconds)}",
            got=one.got,
            planned=one.planned,
            hole_s=one.hole_s,
        )
        for seconds, one in longest.values()
    ]


def _probes(answer: ev.Evidence) -> Seen | None:
    if not isinstance(answer, ev.Probes) or not answer.due:
        return None
    return Seen(
        what=f"{answer.target} probes, every {format_duration(answer.interval_s)}",
        got=answer.kept,
        planned=answer.due,
        hole_s=max((end - start for start, end in answer.gaps), default=0.0),
    )


def _series(name: str, answer: ev.Evidence) -> Seen | None:
    if not isinstance(answer, ev.Series) or answer.question.window is None:
        return None
    steps = [b - a for line in answer.lines for a, b in pairwise(line.times)]
    step = median(steps) if steps else 0.0
    if step <= 0 or sum(math.isclose(one, step) for one in steps) < REGULAR * len(steps):
        return None
    start = answer.question.window.start.timestamp()
    planned = round(answer.question.window.seconds / step)
    slots = {
        round((at - start) / step)
        for line in answer.lines
        for at, value in zip(line.times, line.values, strict=False)
        if value is not None
    }
    known = sorted(slot for slot in slots if 0 <= slot < planned)
    empty = max((b - a - 1 for a, b in pairwise([-1, *known, planned])), default=0)
    return Seen(
        what=f"{_NAMES.get(name, name.replace('_', ' '))}, {answer.question.who}",
        got=len(known),
        planned=planned,
        hole_s=empty * step,
    )
