"""Slow statements: the difference of two snapshots, and what is running now.

Rules of this module:

- A snapshot contains the statements with a longest call above the limit. A new one had its longest
  call since the previous snapshot; one in both is judged by the mean of its calls in between, and
  by whether its maximum rose.
- Counters that were reset, or entries that were evicted, hide what happened before: if nothing slow
  was found, that is INCONCLUSIVE.
- Blind spots are listed: a slow call below its statement's earlier maximum, and cancelled calls.
- The platform's own roles and maintenance (dumps, index builds, clean-up) are excluded and listed.

Source: ``pg_stat_statements``, ``pg_stat_activity``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hour24.evidence import Evidence, Listing, Unanswered
from hour24.objectives.base import Kinds, Objective, pick
from hour24.text import format_count, format_duration, join_some, one_line, plural
from hour24.verdict import Outcome, Scale, Verdict

LONGEST = 80
"""Characters of a query in a reason: enough to recognise it."""
ServerTime = float | str | None
"""Epoch seconds by the server's clock; None where it does not report it."""


class NoSlowStatement(Objective, frozen=True, kw_only=True):
    """No statement averaged, set a new maximum or is running above ``slow_ms``.

    Args:
        slow_ms: in milliseconds.
        platform_roles: the platform's own roles, which are not judged.
    """

    needs: ClassVar[Kinds] = {"statements": Listing, "running": Listing}
    may: ClassVar[Kinds] = {"before": Listing}

    slow_ms: float = 1000.0
    platform_roles: tuple[str, ...] = ()

    def limit_text(self) -> str:
        return f"at most {self.slow_ms:g} ms"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        statements = pick(evidence, "statements", Listing)
        every_running = pick(evidence, "running", Listing)
        running = self._judged_statements(every_running)
        before = evidence.get("before")
        excluded = self._format_excluded(statements, every_running, before)
        found = [
            (
                1000.0 * float(item["age_s"]),
                f"has been running for {format_duration(item['age_s'])}",
                item,
            )
            for item in running
            if 1000.0 * float(item["age_s"]) > self.slow_ms
        ]
        compared = isinstance(before, Listing) and self._same_limit(before)
        if isinstance(before, Listing) and compared:
            found += self._since(before, statements)
        figures = {
            "slow": float(len({id(item) for _, _, item in found})),
            "longest_ms": max((ms for ms, _, _ in found), default=0.0),
            "known_slower_once": float(len(self._judged_statements(statements))),
        }
        if found:
            found.sort(key=lambda each: -each[0])
            return Verdict(
                outcome=Outcome.FAIL,
                code="slow_statement",
                reason=join_some([f"{_format_statement(item)} {how}" for _, how, item in found])
                + excluded,
                observed=f"{format_count(found[0][0])} ms",
                limit=self.limit_text(),
                scale=Scale(unit="ms", limit=self.slow_ms, observed=found[0][0]),
                figures=figures,
            )
        if not isinstance(before, Listing) or not compared:
            return self.unmeasured(
                "baseline_absent",
                "Nothing slow is running, but there is no earlier snapshot of the statements to "
                "compare with"
                + (f": {before.reason}" if isinstance(before, Unanswered) else "")
                + (
                    ""
                    if compared or not isinstance(before, Listing)
                    else ", since it was taken with another limit"
                ),
                figures,
            )
        if not statements.complete:
            return self.unmeasured(
                "source_incomplete",
                f"None of the {format_count(len(statements.items))} slowest statements averaged or "
                f"set a new maximum above {self.slow_ms:g} ms, but there are more: "
                f"{statements.note}",
                figures,
            )
        hidden = self._counters_lost(before, statements)
        if hidden:
            return self.unmeasured(*hidden, figures)
        masks = len(self._judged_statements(before))
        return Verdict(
            outcome=Outcome.PASS,
            reason=f"No statement averaged, set a new maximum or is running above "
            f"{self.slow_ms:g} ms; blind spots: "
            + (
                f"a single slow call of the {masks} statements that were slower before, and "
                if masks
                else ""
            )
            + f"cancelled calls{excluded}",
            observed=f"none above {self.slow_ms:g} ms",
            limit=self.limit_text(),
            figures=figures,
        )

    def _since(self, before: Listing, now: Listing) -> list[tuple[float, str, dict[str, Any]]]:
        """The slow statements between two snapshots: milliseconds, text, item."""
        earlier = {item["key"]: item for item in before.items}
        read_at = before.about.get("read_at")
        found = []
        for item in self._judged_statements(now):
            old = earlier.get(item["key"])
            if old is None and not before.complete:
                continue  # it may have been slow before, beyond the part that was read
            longest = float(item["max_ms"])
            fresh = old is None or _was_reset(old, item, read_at)
            calls = item["calls"] - (0 if old is None or fresh else old["calls"])
            total = item["total_ms"] - (0.0 if old is None or fresh else old["total_ms"])
            mean = total / calls if calls > 0 else 0.0
            if mean > self.slow_ms:
                found.append(
                    (mean, f"averaged {format_count(mean)} ms over {plural(calls, 'call')}", item)
                )
            elif longest > self.slow_ms and (fresh or longest > _maximum(old, item, read_at)):
                found.append(
                    (longest, f"took {format_count(longest)} ms in one call, a new maximum", item)
                )
        return found

    def _counters_lost(self, before: Listing, now: Listing) -> tuple[str, str] | None:
        """Code and reason when the counters may have lost slow statements; None when not."""
        old, new = before.about, now.about
        began, began_before = new.get("stats_reset"), old.get("stats_reset")
        crashed = (
            began is not None and began_before is not None and float(began) < float(began_before)
        )
        if crashed or _since(began, old.get("read_at")):
            return (
                "statistics_reset",
                "The database's statement statistics were reset since the last checkpoint; "
                "earlier slow statements are not known",
            )
        lost, lost_before = new.get("dealloc"), old.get("dealloc")
        evictions = (
            int(float(lost) - float(lost_before))
            if lost is not None and lost_before is not None
            else 0
        )
        keys = {item["key"] for item in now.items}
        gone = sum(item["key"] not in keys for item in self._judged_statements(before))
        if evictions > 0 or gone:
            how = (
                f"statistics of statements were evicted {evictions} times"
                if evictions > 0
                else f"{gone} statements lost their statistics"
            )
            return (
                "statistics_evicted",
                f"Nothing slow was found, but {how} since the last checkpoint, and may have "
                "included more; raise pg_stat_statements.max",
            )
        return None

    def _judged_statements(self, listing: Listing) -> list[dict[str, Any]]:
        return [item for item in listing.items if not self._is_excluded(item)]

    def _is_excluded(self, item: Mapping[str, Any]) -> bool:
        return item.get("role") in self.platform_roles or item.get("maintenance") is True

    def _format_excluded(self, now: Listing, running: Listing, before: Evidence | None) -> str:
        """The suffix with slow statements that are not judged; empty when there are none."""
        earlier = before.items if isinstance(before, Listing) else ()
        calls = {item["key"]: item["calls"] for item in earlier}
        fresh = [item for item in now.items if calls.get(item["key"]) != item["calls"]]
        found = [item for item in (*running.items, *fresh) if self._is_excluded(item)]
        if not found:
            return ""
        names = list(dict.fromkeys(_format_statement(item) for item in found))
        return f"; excluded (platform or maintenance): {join_some(names)}"

    def _same_limit(self, before: Listing) -> bool:
        """True if the earlier snapshot contains every statement that was slow by this limit."""
        limit = before.about.get("slow_ms")
        return limit is None or float(limit) <= self.slow_ms


def _was_reset(old: Mapping[str, Any], now: Mapping[str, Any], read_at: ServerTime) -> bool:
    """True if this entry was reset since ``old`` was read."""
    return now["calls"] < old["calls"] or _since(now.get("stats_since"), read_at)


def _maximum(old: Mapping[str, Any] | None, now: Mapping[str, Any], read_at: ServerTime) -> float:
    """The maximum to exceed, in milliseconds; 0 when maxima were reset."""
    if old is None or _since(now.get("minmax_since"), read_at):
        return 0.0
    return float(old["max_ms"])


def _since(began: ServerTime, read_at: ServerTime) -> bool:
    """True if ``began`` is after the earlier snapshot; both by the server's clock."""
    return began is not None and read_at is not None and float(began) > float(read_at)


def _format_statement(item: Mapping[str, Any]) -> str:
    return f"{one_line(item.get('query') or '', LONGEST)} ({item.get('role')})"
