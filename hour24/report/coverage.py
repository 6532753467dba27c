"""Coverage: how many of the planned samples of probes and regular series were received.

Rules of this module:

- Every step of the window is planned, whatever the source returned: a series that stops early
  or begins late has missing samples.
- Irregular events such as job beats are not planned; their criterion judges their gaps.
- A measure that several criteria use is one line, over the longest window.
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
"""With fewer planned samples a share means little."""
REGULAR = 0.9
"""A series is regular if at least this share of its steps is equal; a few may be delayed."""
_NAMES = {
    "limit": "memory limit",
    "load": "requests, for the load",
    "day_before": "errors of the day before the watch",
}


class Coverage(Struct, frozen=True, kw_only=True):
    """The coverage of one measure: ``got`` of ``planned`` samples.

    Args:
        gap_s: longest gap in seconds; 0 if it is shorter than one step.
    """

    what: str
    got: int
    planned: int
    gap_s: float = 0.0

    @property
    def ratio(self) -> float:
        """Return ``got / planned``; 0 if nothing was planned."""
        return self.got / self.planned if self.planned else 0.0

    @property
    def longest_gap(self) -> str:
        """Return the longest gap as text: ``none``, ``44 s``."""
        return format_duration(self.gap_s) if self.gap_s else "none"


def measure(answers: Iterable[tuple[str, ev.Evidence]], usual_s: float) -> list[Coverage]:
    """Return the coverage of each measure among these answers, in their order.

    Args:
        answers: each with its name.
        usual_s: window length in seconds that is not mentioned.
    """
    longest: dict[str, tuple[float, Coverage]] = {}
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
        else Coverage(
            what=f"{one.what}, over {format_duration(seconds)}",
            got=one.got,
            planned=one.planned,
            gap_s=one.gap_s,
        )
        for seconds, one in longest.values()
    ]


def _probes(answer: ev.Evidence) -> Coverage | None:
    if not isinstance(answer, ev.Probes) or not answer.due:
        return None
    return Coverage(
        what=f"{answer.target} probes, every {format_duration(answer.interval_s)}",
        got=answer.kept,
        planned=answer.due,
        gap_s=max((end - start for start, end in answer.gaps), default=0.0),
    )


def _series(name: str, answer: ev.Evidence) -> Coverage | None:
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
    longest = max((b - a - 1 for a, b in pairwise([-1, *known, planned])), default=0)
    return Coverage(
        what=f"{_NAMES.get(name, name.replace('_', ' '))}, {answer.question.who}",
        got=len(known),
        planned=planned,
        gap_s=longest * step,
    )
