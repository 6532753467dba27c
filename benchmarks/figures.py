"""What a benchmark measured: figures, each with its limit, and the lines that tell them.

Rules of this module:

- Every benchmark prints its figures with :func:`tell`, one line each, and ends with what that
  returns: 1 when a limit was missed.
- A figure without a limit is there for a reader.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from msgspec import Struct

HOLDS = "holds"
MISSED = "MISSED"


class Figure(Struct, frozen=True):
    """One figure.

    Args:
        name: what was measured, in words.
        value: in ``unit``.
        most: the largest value that holds; none: nothing is asked of it.
        least: the smallest value that holds; none likewise.
    """

    name: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None

    @property
    def word(self) -> str:
        """``holds``, ``MISSED``, or nothing without a limit; a value that is no number misses."""
        if self.most is None and self.least is None:
            return ""
        good = (self.most is None or self.value <= self.most) and (
            self.least is None or self.value >= self.least
        )
        return HOLDS if good else MISSED

    def line(self) -> str:
        """``holds       0.52 s      at most 0.7    a checkpoint collected``"""
        limit = f"at most {self.most:g}" if self.most is not None else ""
        if self.least is not None:
            limit = f"at least {self.least:g}"
        value = f"{self.value:11,.2f}"
        return f"{self.word:7}{value} {self.unit:6} {limit:14} {self.name}"


def tell(figures: Iterable[Figure]) -> int:
    """Print one line a figure. Returns: 1 when one missed its limit, else 0."""
    missed = 0
    for figure in figures:
        print(figure.line(), flush=True)
        missed |= figure.word == MISSED
    return int(missed)


def load() -> Figure:
    """How busy the machine is: processes that want a core, for each core there is."""
    return Figure("processes waiting for each core, last minute", os.getloadavg()[0] / cores(), "")


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))
