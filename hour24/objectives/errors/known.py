"""Issues with what is known of them: of which class, how frequent, whether new.

Rules of this module:

- A critical class is looked up before a normal one. An issue of neither is of no known class.
- An issue is new when it was first seen, ever, since the window's start.
- Issues tell no hours: a bounded normal class is held against its mean over the window, and above
  its bound it is known, but not normal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hour24.classes import IssueClass, class_of
from hour24.evidence import Listing
from hour24.objectives.base import window_of
from hour24.text import format_duration, join_some, one_line, plural

TITLE = 80
EARLIEST = 946_684_800.0
"""1 January 2000, in epoch seconds: an issue first seen before it has a time that is none."""


class Known(NamedTuple):
    """An issue with what is known of it.

    Args:
        events: how many it had in the window.
        new: whether it was first seen since the window's start, ever.
        undated: whether it is not known when it was first seen.
        critical, normal: the class it is of, if any.
        above: whether it is of a normal class that had more than its bound.
    """

    item: Mapping[str, Any]
    events: int
    new: bool
    undated: bool
    critical: IssueClass | None
    normal: IssueClass | None
    above: bool

    @property
    def as_normal(self) -> bool:
        """Whether it is of a normal class, and that class within its bound."""
        return self.normal is not None and not self.above

    @property
    def name(self) -> str:
        """Its short id, or its id."""
        return one_line(self.item.get("short_id") or self.item.get("id") or "an issue", 40)

    def told(self) -> str:
        """``VB-1 KeyError: 'x' (3 events, new, of no known class)``"""
        kind = self.critical or self.normal
        known = (
            "of no known class"
            if kind is None
            else f"{'critical' if self.critical else 'normal'}: {one_line(kind.name, 60)}"
        )
        known += ", above its bound" * self.above
        new = "new, " if self.new else "first seen at an unknown time, " if self.undated else ""
        title = one_line(self.item.get("title"), TITLE)
        return f"{self.name} {title} ({plural(self.events, 'event')}, {new}{known})"


def _first_seen(item: Mapping[str, Any]) -> float | None:
    found = item.get("first_seen")
    return None if found is None or float(found) < EARLIEST else float(found)


class Issues(NamedTuple):
    """The issues with events in the window, the most frequent first; of equals the least known.

    Args:
        above: what is said of each normal class with more events than its bound allows.
    """

    found: tuple[Known, ...]
    above: tuple[str, ...]

    @classmethod
    def of(
        cls, issues: Listing, normal: Sequence[IssueClass], critical: Sequence[IssueClass]
    ) -> Issues:
        window = window_of(issues, "issues")
        start = window.start.timestamp()
        kinds = [
            (item, kind, class_of(item, normal) if kind is None else None)
            for item in issues.items
            for kind in (class_of(item, critical),)
        ]
        total: Counter[str] = Counter()
        for item, _, kind in kinds:
            if kind is not None:
                total[kind.name] += int(item["count"])
        above = {
            kind.name: f"{one_line(kind.name, 60)} had {plural(total[kind.name], 'event')} in "
            f"{format_duration(window.seconds)}, more than {kind.at_most_per_hour} an hour: "
            "that is not normal"
            for kind in normal
            if kind.at_most_per_hour is not None
            and total[kind.name] > kind.at_most_per_hour * window.hours
        }
        found = [
            Known(
                item=item,
                events=int(item["count"]),
                new=_first_seen(item) is not None and float(item["first_seen"]) >= start,
                undated=_first_seen(item) is None,
                critical=bad,
                normal=known,
                above=known is not None and known.name in above,
            )
            for item, bad, known in kinds
        ]
        found.sort(
            key=lambda each: (
                -each.events,
                each.normal is not None,
                each.critical is None,
                not each.new,
                each.name,
            )
        )
        return cls(tuple(found), tuple(above.values()))

    def told_above(self) -> str:
        """What is said of normal classes above their bound; empty when none is."""
        return f"; {join_some(self.above)}" if self.above else ""
