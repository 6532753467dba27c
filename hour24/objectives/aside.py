"""Which of the things found belong to a class known as normal, and do not count.

Rules of this module:

- A class without a bound is aside whatever its number. A bounded one is aside up to its bound in
  each calendar hour, UTC; what comes after it in that hour counts.
- How many were set aside, and for which class, is always told.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from hour24.classes import IssueClass, class_of
from hour24.statistics.counts import HOUR_S
from hour24.text import format_count, join_some, one_line


class Parted(NamedTuple):
    """Things found, those of normal classes apart.

    Args:
        counted: what counts, oldest first.
        aside: class name -> how many do not count.
        excess: class name -> how many of ``counted`` are above the class's bound.
    """

    counted: tuple[Mapping[str, Any], ...]
    aside: dict[str, int]
    excess: dict[str, int]

    @property
    def set_aside(self) -> int:
        """How many do not count."""
        return sum(self.aside.values())

    def told(self) -> str:
        """``; 12 of normal classes aside (timeouts of a vendor 12)``; empty when there are none."""
        parts = [f"{one_line(name, 60)} {format_count(n)}" for name, n in _ranked(self.aside)]
        text = f"; {format_count(self.set_aside)} of normal classes aside ({join_some(parts)})"
        above = [
            f"{format_count(n)} of {one_line(name, 60)}, more than its bound in an hour"
            for name, n in _ranked(self.excess)
        ]
        return (text if parts else "") + (
            f"; among those that count, {join_some(above)}" * bool(above)
        )


def parted(items: Iterable[Mapping[str, Any]], normal: Sequence[IssueClass]) -> Parted:
    """Part these items by the normal classes.

    Args:
        items: each with ``at``, epoch seconds.
    """
    counted: list[Mapping[str, Any]] = []
    aside: Counter[str] = Counter()
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
            aside[kind.name] += 1
        else:
            excess[kind.name] += 1
            counted.append(item)
    return Parted(tuple(counted), dict(aside), dict(excess))


def _ranked(found: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))
