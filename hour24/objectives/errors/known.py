"""Issues with their class, their frequency, and whether they are new.

Rules of this module:

- Critical classes are matched before normal ones. An issue of neither is unclassified.
- An issue is new when it was first seen, ever, since the window's start.
- Issues have no hourly counts: a limited normal class is judged by its mean over the window, and
  above its limit it is known, but not normal.
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
"""Characters of a title in a reason: enough to recognise it."""
EARLIEST = 946_684_800.0
"""1 January 2000, in epoch seconds: an earlier first-seen time is not a real one."""


class Issue(NamedTuple):
    """An issue with its class.

    Args:
        item: the issue as the source returned it.
        events: number of its events in the window.
        new: True if it was first seen, ever, since the window's start.
        undated: True if its first-seen time is not known.
        critical, normal: its class, if any.
        above: True if its normal class had more events than its limit.
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
        """True if its class is normal and within its limit."""
        return self.normal is not None and not self.above

    @property
    def name(self) -> str:
        """Its short id, or its id."""
        return one_line(self.item.get("short_id") or self.item.get("id") or "an issue", 40)

    def text(self) -> str:
        """``VB-1 KeyError: 'x' (3 events, new, unclassified)``"""
        kind = self.critical or self.normal
        known = (
            "unclassified"
            if kind is None
            else f"{'critical' if self.critical else 'known-normal'}: {one_line(kind.name, 60)}"
        )
        known += ", above its limit" * self.above
        new = "new, " if self.new else "first seen at an unknown time, " if self.undated else ""
        title = one_line(self.item.get("title"), TITLE)
        return f"{self.name} {title} ({plural(self.events, 'event')}, {new}{known})"


def _first_seen(item: Mapping[str, Any]) -> float | None:
    found = item.get("first_seen")
    return None if found is None or float(found) < EARLIEST else float(found)


class Issues(NamedTuple):
    """The issues with events in the window, the most frequent first; of equals the least known.

    Args:
        found: the issues.
        above: one text per normal class with more events than its limit.
    """

    found: tuple[Issue, ...]
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
            Issue(
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

    def above_text(self) -> str:
        """The text about normal classes above their limit; empty when there are none."""
        return f"; {join_some(self.above)}" if self.above else ""
