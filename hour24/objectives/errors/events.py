"""Error events per clock hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

from hour24.classes import IssueClass
from hour24.evidence import Evidence, Listing
from hour24.objectives.base import Kinds, Objective, pick, window_of
from hour24.objectives.errors.known import TITLE
from hour24.objectives.exclusions import exclude_known_normal
from hour24.objectives.listing import judge_listing, least
from hour24.statistics.counts import busiest, calendar_hours
from hour24.text import format_clock, format_count, in_window, join_some, one_line, plural
from hour24.verdict import Scale, Verdict


class EventsBelow(Objective, frozen=True, kw_only=True):
    """Fewer than ``per_hour`` error events in every calendar hour, UTC, cut to the window.

    Args:
        normal: classes whose events do not count, up to the hourly limit of each.
    """

    needs: ClassVar[Kinds] = {"events": Listing}

    per_hour: int
    normal: tuple[IssueClass, ...] = ()

    def limit_text(self) -> str:
        return f"fewer than {self.per_hour}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        events = pick(evidence, "events", Listing)
        window = window_of(events, "events")
        found = exclude_known_normal(events.items, self.normal)
        times = [float(item["at"]) for item in found.counted]
        by_hour = calendar_hours(times, window.start.timestamp(), window.end.timestamp())
        worst = max(by_hour, key=lambda hour: hour.count)
        rolling, since = busiest(times)
        clean = (
            f"At most {plural(worst.count, 'error event')} in a clock hour, from "
            f"{format_clock(worst.start)}, {format_count(len(times))} in all"
            if times
            else "No error event counted"
        ) + in_window(window)
        bad = None
        many = least(events)
        if worst.count >= self.per_hour:
            full = sum(hour.count >= self.per_hour for hour in by_hour)
            inside = [i for i in found.counted if worst.start <= float(i["at"]) < worst.end]
            titles = Counter(one_line(item.get("title"), TITLE) for item in inside)
            ranked = sorted(titles.items(), key=lambda each: (-each[1], each[0]))
            titles_text = join_some([f"{format_count(n)} of {title}" for title, n in ranked])
            bad = (
                "too_many_events",
                f"{many.capitalize()}{plural(worst.count, 'error event')} in the clock hour from "
                f"{format_clock(worst.start)}, "
                f"expected {self.limit_text()} ({many}{full} of {len(by_hour)} hours have as "
                f"many): {titles_text}",
            )
        elif rolling >= self.per_hour and events.complete:
            clean += (
                f"; warning: {format_count(rolling)} within the 60 minutes from "
                f"{format_clock(since)}, across "
                "clock hours"
            )
        return judge_listing(
            self,
            events,
            clean=clean,
            bad=bad,
            suffix=found.text(),
            observed=f"{many}{format_count(worst.count)} in an hour",
            scale=Scale(
                unit="error events", limit=float(self.per_hour), observed=float(worst.count)
            ),
            figures={
                "worst_hour": float(worst.count),
                "rolling_hour": float(rolling),
                "counted": float(len(times)),
                "aside": float(found.total),
            },
        )
