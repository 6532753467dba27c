"""Known-normal errors, which do not count.

Rules of this module:

- A class without a limit is excluded whatever its number. A limited class is excluded up to its
  limit in each calendar hour, UTC; further errors in that hour count.
- Every verdict reports how many errors were excluded, and for which class.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from hour24.classes import IssueClass, class_of
from hour24.statistics.counts import HOUR_S
from hour24.text import format_count, join_some, one_line, plural


class Exclusions(NamedTuple):
    """Errors that count, and numbers of known-normal errors.

    Args:
        counted: errors that count, oldest first.
        excluded: class name -> how many do not count.
        excess: class name -> how many of ``counted`` are above the class's limit.
    """

    counted: tuple[Mapping[str, Any], ...]
    excluded: dict[str, int]
    excess: dict[str, int]

    @property
    def total(self) -> int:
        """The number of errors that do not count."""
        return sum(self.excluded.values())

    def text(self) -> str:
        """``; 12 known-normal errors excluded (vendor timeouts 12)``; empty when there are none."""
        parts = [f"{one_line(name, 60)} {format_count(n)}" for name, n in _rank(self.excluded)]
        text = f"; {plural(self.total, 'known-normal error')} excluded ({join_some(parts)})"
        above = [
            f"{format_count(n)} of {one_line(name, 60)}, above its hourly limit"
            for name, n in _rank(self.excess)
        ]
        return (text if parts else "") + (
            f"; counted though known-normal: {join_some(above)}" * bool(above)
        )


def exclude_known_normal(
    items: Iterable[Mapping[str, Any]], normal: Sequence[IssueClass]
) -> Exclusions:
    """Separate the errors that count from known-normal ones.

    Args:
        items: each with ``at``, epoch seconds.
    """
    counted: list[Mapping[str, Any]] = []
    excluded: Counter[str] = Counter()
    excess: Counter[str] = Counter()
    in_hour: Counter[tuple[str, int]] = Counter()
    for item in sorted(items, key=lambda each: float(each["at"])):
        kind = class_of(item, normal)
        if kind is None:
            counted.append(item)
            continue
        hour = kind.name, math.floor(float(item["at"]) / HOUR_S)
        in_hour[hour] += 1
        if kind.at_most_per_hour is None or in_hour[hour] <= kind.at_most_per_hour:
            excluded[kind.name] += 1
        else:
            excess[kind.name] += 1
            counted.append(item)
    return Exclusions(tuple(counted), dict(excluded), dict(excess))


def _rank(found: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))
