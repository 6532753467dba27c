"""Errors as Sentry and the platform tell them: how many, which are new, critical, frequent, rising.

Rules of this module:

- A critical class is looked up before a normal one. What is of neither is unclassified: new, it
  fails; old, a person must say what it is.
- A normal class that is bounded stops being normal above its bound. Events are held against it in
  each hour; issues, whose events have no hours here, by their mean over the window.
- What was seen stands: a listing that is not complete can show FAIL, and never PASS.
- A rate rises when that is both significant and large; the smallest rise that would have shown is
  told, and where that is too large to mean anything nothing is said of the rate.
- Titles are foreign text: one line, cut, nothing that acts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from hour24.classes import IssueClass
from hour24.evidence import Evidence, Series
from hour24.objectives.aside import parted
from hour24.objectives.base import Objective
from hour24.objectives.issues import TITLE, Issues
from hour24.objectives.words import (
    NOT_ALL,
    clock,
    count,
    listing,
    many,
    over,
    percent,
    said,
    several,
    times,
    window_of,
)
from hour24.statistics.counts import HOUR_S, Rise, Spike, calendar_hours, fullest, rise, spikes
from hour24.statistics.rates import FAIL_CONFIDENCE
from hour24.verdict import Outcome, Scale, Verdict

CLASSIFY = 'python -m hour24 classify {issue} --as normal --by NAME --because "..."'
CHANCE = 1 - FAIL_CONFIDENCE
SHORTEST = 3
"""Hours; a line through two says nothing of chance."""
CERTAIN_Z = 2.3263478740408408
"""Standard deviations that 99 % of chance stays below: one-sided, as FAIL is."""


class EventsBelow(Objective, frozen=True, kw_only=True):
    """Fewer than ``per_hour`` error events in every calendar hour, UTC, cut to the window.

    Args:
        normal: classes whose events do not count, a bounded one up to its bound in each hour.
    """

    needs: ClassVar[tuple[str, ...]] = ("events",)

    per_hour: int = 5
    normal: tuple[IssueClass, ...] = ()

    def limit_text(self) -> str:
        return f"fewer than {self.per_hour}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        events = listing(evidence["events"], "events")
        window = window_of(events, "events")
        found = parted(events.items, self.normal)
        moments = [float(item["at"]) for item in found.counted]
        by_hour = calendar_hours(moments, window.start.timestamp(), window.end.timestamp())
        worst = max(by_hour, key=lambda hour: hour.count)
        rolling, since = fullest(moments)
        figures = {
            "worst_hour": float(worst.count),
            "rolling_hour": float(rolling),
            "counted": float(len(moments)),
            "aside": float(found.set_aside),
        }
        stands = (
            f"At most {many(worst.count, 'error event')} in a clock hour, from "
            f"{clock(worst.start)}, {count(len(moments))} in all"
            if moments
            else "No error event counted"
        ) + over(window)
        outcome, code = Outcome.PASS, ""
        if worst.count >= self.per_hour:
            outcome, code = Outcome.FAIL, "too_many_events"
            full = sum(hour.count >= self.per_hour for hour in by_hour)
            inside = [i for i in found.counted if worst.start <= float(i["at"]) < worst.end]
            titles = Counter(said(item.get("title"), TITLE) for item in inside)
            ranked = sorted(titles.items(), key=lambda each: (-each[1], each[0]))
            stands = (
                f"{many(worst.count, 'error event')} in the clock hour from {clock(worst.start)}, "
                f"expected {self.limit_text()} ({full} of {len(by_hour)} hours have as many): "
                + several([f"{count(n)} of {title}" for title, n in ranked])
            )
        elif not events.complete:
            outcome, code = Outcome.INCONCLUSIVE, "source_incomplete"
            stands += f", but {NOT_ALL}"
        if outcome == Outcome.PASS and rolling >= self.per_hour:
            stands += (
                f"; warning: {count(rolling)} within the 60 minutes from {clock(since)}, across "
                "clock hours"
            )
        return Verdict(
            outcome=outcome,
            code=code,
            reason=stands + found.told(),
            observed=f"{count(worst.count)} in an hour",
            limit=self.limit_text(),
            scale=Scale(
                unit="error events", limit=float(self.per_hour), observed=float(worst.count)
            ),
            figures=figures,
        )


class NoNewIssue(Objective, frozen=True, kw_only=True):
    """No issue was first seen in the window, except of a normal class within its bound.

    Args:
        normal, critical: the classes known.
    """

    needs: ClassVar[tuple[str, ...]] = ("issues",)

    normal: tuple[IssueClass, ...] = ()
    critical: tuple[IssueClass, ...] = ()

    def limit_text(self) -> str:
        return "none new"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        answer = listing(evidence["issues"], "issues")
        issues = Issues.of(answer, self.normal, self.critical)
        fresh = [each for each in issues.found if each.new]
        bad = [each for each in fresh if not each.as_normal]
        figures = {
            "new": float(len(bad)),
            "new_normal": float(len(fresh) - len(bad)),
            "issues": float(len(issues.found)),
        }
        within = over(answer.question.window)
        outcome, code = Outcome.PASS, ""
        reason = (
            f"No issue was first seen{within}, of {many(len(issues.found), 'issue')} with events"
        )
        if len(fresh) > len(bad):
            reason += f", but {len(fresh) - len(bad)} of normal classes"
        if bad:
            outcome, code = Outcome.FAIL, "new_issue"
            reason = f"First seen{within}: {several([each.told() for each in bad])}"
        elif not answer.complete:
            outcome, code = Outcome.INCONCLUSIVE, "source_incomplete"
            reason += f"; but {NOT_ALL}"
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason + issues.told_above(),
            observed=f"{count(len(bad))} new",
            limit=self.limit_text(),
            scale=Scale(unit="issues", limit=0.0, observed=float(len(bad))),
            figures=figures,
        )


class NoCriticalIssue(Objective, frozen=True, kw_only=True):
    """No issue of a critical class had events in the window.

    Args:
        critical: the classes that must have none.
        normal: kept for the record, so that a reader of it knows every class.
    """

    needs: ClassVar[tuple[str, ...]] = ("issues",)

    critical: tuple[IssueClass, ...] = ()
    normal: tuple[IssueClass, ...] = ()

    def limit_text(self) -> str:
        return "none"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        answer = listing(evidence["issues"], "issues")
        issues = Issues.of(answer, self.normal, self.critical)
        bad = [each for each in issues.found if each.critical is not None and each.events]
        seen = sum(each.events for each in issues.found)
        events = sum(each.events for each in bad)
        within = over(answer.question.window)
        outcome, code = Outcome.PASS, ""
        reason = (
            f"None of {many(len(self.critical), 'critical class', 'critical classes')} matches "
            f"any of {many(len(issues.found), 'issue')} with {many(seen, 'event')}{within}"
            if issues.found
            else f"No issue had events{within}"
        )
        if bad:
            outcome, code = Outcome.FAIL, "critical_issue"
            reason = f"Of a critical class{within}: {several([each.told() for each in bad])}"
        elif not answer.complete:
            outcome, code = Outcome.INCONCLUSIVE, "source_incomplete"
            reason += f"; but {NOT_ALL}"
        elif issues.found and not self.critical:
            outcome, code = Outcome.INCONCLUSIVE, "not_described"
            reason = (
                f"{many(len(issues.found), 'issue')} had events{within}, and production.toml "
                "describes no critical class to hold them against"
            )
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed=many(events, "event"),
            limit=self.limit_text(),
            scale=Scale(unit="events", limit=0.0, observed=float(events)),
            figures={
                "critical_issues": float(len(bad)),
                "critical_events": float(events),
                "issues": float(len(issues.found)),
            },
        )


class TopKnown(Objective, frozen=True, kw_only=True):
    """The ``top`` most frequent issues of the window are of a known class, none of a critical one.

    Among issues with as many events, those least known come first: chance makes nothing green.

    Args:
        normal, critical: the classes known.
    """

    needs: ClassVar[tuple[str, ...]] = ("issues",)

    top: int = 3
    normal: tuple[IssueClass, ...] = ()
    critical: tuple[IssueClass, ...] = ()

    def limit_text(self) -> str:
        return "all known"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        answer = listing(evidence["issues"], "issues")
        issues = Issues.of(answer, self.normal, self.critical)
        first = [each for each in issues.found if each.events][: self.top]
        critical = [each for each in first if each.critical is not None]
        fresh = [
            each for each in first if each.critical is None and each.normal is None and each.new
        ]
        old = [
            each for each in first if each.critical is None and each.normal is None and not each.new
        ]
        known = len(first) - len(critical) - len(fresh) - len(old)
        within = over(answer.question.window)
        told = several([each.told() for each in first], max(1, self.top))
        outcome, code = Outcome.PASS, ""
        reason = (
            f"The {len(first)} most frequent{within}: {told}"
            if first
            else f"No issue had events{within}"
        )
        if critical or fresh:
            outcome = Outcome.FAIL
            code = "critical_issue" if critical else "new_issue"
            bad = several([each.told() for each in (*critical, *fresh)], max(1, self.top))
            reason = f"Among the {len(first)} most frequent{within}: {bad}"
        elif not answer.complete:
            outcome, code = Outcome.INCONCLUSIVE, "source_incomplete"
            reason += f"; but {NOT_ALL}"
        elif old:
            outcome, code = Outcome.INCONCLUSIVE, "unclassified"
            unknown = several([each.told() for each in old], max(1, self.top))
            reason = (
                f"Among the {len(first)} most frequent{within}: {unknown}; a person says what it "
                f"is: {CLASSIFY.format(issue=_argument(old[0].name))}"
            )
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason + issues.told_above(),
            observed=f"{known} of {len(first)} known" if first else "no errors",
            limit=self.limit_text(),
            scale=Scale(unit="unknown", limit=0.0, observed=float(len(first) - known)),
            figures={
                "judged": float(len(first)),
                "known": float(known),
                "critical": float(len(critical)),
                "new": float(len(fresh)),
                "unclassified": float(len(old)),
            },
        )


def _argument(name: str) -> str:
    """An issue's id as it may stand in a command; ISSUE where it would need quoting."""
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    return name if plain.isascii() and plain.isalnum() and not name.startswith("-") else "ISSUE"


class Hours(NamedTuple):
    """Requests by hour of the window: failed and all, and in how many hours any were told."""

    bad: list[int]
    total: list[int]

    @property
    def told(self) -> int:
        return sum(n > 0 for n in self.total)

    @classmethod
    def of(cls, series: Series) -> Hours:
        window = window_of(series, "responses")
        start = window.start.timestamp()
        length = math.ceil(window.seconds / HOUR_S - 1e-9)
        bad, total = [0.0] * length, [0.0] * length
        for line in series.lines:
            failing = str(line.labels.get("status", "")).startswith("5")
            for at, value in zip(line.times, line.values, strict=True):
                hour = math.floor((at - start) / HOUR_S)
                if value is not None and 0 <= hour < length:
                    total[hour] += value
                    bad[hour] += value if failing else 0.0
        return cls([round(n) for n in bad], [round(n) for n in total])


class NoRise(Objective, frozen=True, kw_only=True):
    """The share of failed requests does not rise over the window, and no hour of it spikes.

    A rise: significant at 99 %, and to ``rise`` times or more. A spike: an hour with more than
    the others explain at 99 % (its neighbours aside, which it may reach into), and ``spike``
    times what they let expect. Of steady days 0 to 2 % fail, of those whose errors come in
    clumps of three up to 5 %.

    Args:
        rise, spike: what is a large change, above 1.
        least: a share (0 to 1) that a rise must end above, or a spike reach: below a tenth of
            the 1 % that ERRORS-RATE allows, doubling is no matter.
        visible: PASS needs that a rise to this share would have shown (0 to 1).
        coverage: of the window's hours that must have requests, 0 to 1.
    """

    needs: ClassVar[tuple[str, ...]] = ("responses",)

    rise: float = 2.0
    spike: float = 3.0
    least: float = 0.001
    visible: float = 0.05
    coverage: float = 0.95

    def limit_text(self) -> str:
        return "no rise, no spike"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        series = evidence["responses"]
        if not isinstance(series, Series):
            raise TypeError(f"responses: expected a Series, got {type(series).__name__}")
        window = window_of(series, "responses")
        by_hour = Hours.of(series)
        bad, total = sum(by_hour.bad), sum(by_hour.total)
        figures = {
            "failed": float(bad),
            "requests": float(total),
            "hours": float(len(by_hour.total)),
            "hours_told": float(by_hour.told),
        }
        if len(by_hour.total) < SHORTEST or by_hour.told < SHORTEST:
            code = "too_early" if len(by_hour.total) < SHORTEST else "too_little_traffic"
            return self._verdict(
                Outcome.INCONCLUSIVE,
                code,
                f"{by_hour.told} of {many(len(by_hour.total), 'hour')} had requests{over(window)}; "
                f"a trend needs {SHORTEST}",
                figures,
            )
        trend = rise(by_hour.bad, by_hour.total)
        shown = smallest_rise(by_hour.bad, by_hour.total, trend.dispersion if trend else 1.0)
        peaks = self._spikes(by_hour)
        figures |= {"smallest_rise_to": shown, "spikes": float(len(peaks))}
        if trend is not None:
            figures |= {
                "first": trend.first,
                "last": trend.last,
                "factor": trend.factor,
                "p_value": trend.p_value,
                "dispersion": trend.dispersion,
            }
        failed = (
            f"{count(bad)} of {count(total)} requests failed ({percent(bad / total)}){over(window)}"
        )
        if peaks:
            shares = [peak.count / by_hour.total[peak.index] for peak in peaks]
            figures["worst_hour_share"] = max(shares)
            told = _told(peaks, by_hour, window.start.timestamp())
            return self._verdict(Outcome.FAIL, "spike", f"{told}; in all, {failed}", figures, trend)
        if trend is not None and self._rises(trend):
            told = (
                f"The share of failed requests rose from {percent(trend.first)} to "
                f"{percent(trend.last)}, {times(trend.factor)}, beyond chance (p "
                f"{trend.p_value:.2g})"
            )
            return self._verdict(Outcome.FAIL, "rise", f"{told}; in all, {failed}", figures, trend)
        blind = self._blind(by_hour, shown)
        if bad == total:
            blind = "nothing_succeeded", "a share that is 100 % throughout cannot rise"
        if blind is not None:
            code, why = blind
            return self._verdict(Outcome.INCONCLUSIVE, code, f"{failed}, but {why}", figures, trend)
        change = (
            "No request failed"
            if trend is None
            else f"No rise shown, from {percent(trend.first)} to {percent(trend.last)} (p "
            f"{trend.p_value:.2g}), and no hour spikes"
        )
        unseen = len(by_hour.total) - by_hour.told
        return self._verdict(
            Outcome.PASS,
            "",
            f"{change}; {failed}; a rise to less than {percent(shown)} would not have shown"
            + (f"; {many(unseen, 'hour')} had no requests" if unseen else ""),
            figures,
            trend,
        )

    def _rises(self, trend: Rise) -> bool:
        return trend.p_value < CHANCE and trend.factor >= self.rise and trend.last >= self.least

    def _spikes(self, by_hour: Hours) -> list[Spike]:
        """The hours that spike, each held against all but its neighbours."""
        found = []
        for index in range(len(by_hour.total)):
            total = list(by_hour.total)
            for beside in (index - 1, index + 1):
                if 0 <= beside < len(total):
                    total[beside] = 0
            found += [
                peak
                for peak in spikes(
                    by_hour.bad, total, chance=CHANCE, times=self.spike, share=self.least
                )
                if peak.index == index
            ]
        return found

    def _blind(self, by_hour: Hours, shown: float) -> tuple[str, str] | None:
        """Code and reason when a rise could have hidden; none when it could not."""
        if by_hour.told < self.coverage * len(by_hour.total):
            unseen = len(by_hour.total) - by_hour.told
            return (
                "too_little_traffic",
                f"{unseen} of the {len(by_hour.total)} hours had no requests",
            )
        if shown > self.visible:
            return (
                "too_little_traffic",
                f"a rise to less than {percent(shown)} would not have shown; with more requests "
                f"in an hour one to {percent(self.visible)} would",
            )
        return None

    def _verdict(
        self,
        outcome: Outcome,
        code: str,
        reason: str,
        figures: dict[str, float],
        trend: Rise | None = None,
    ) -> Verdict:
        shown = figures.get("smallest_rise_to")
        if "worst_hour_share" in figures:
            observed = f"{percent(figures['worst_hour_share'])} in an hour"
        elif trend is not None:
            observed = times(trend.factor)
        else:
            observed = "no failures" if outcome == Outcome.PASS else "not measured"
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed=observed,
            bound=f"a rise to {percent(shown)} would show"
            if outcome == Outcome.PASS and shown is not None
            else "",
            limit=self.limit_text(),
            figures=figures,
        )


def _told(peaks: Sequence[Spike], by_hour: Hours, start: float) -> str:
    """The hours that spike, the worst first."""
    return "Spikes: " + several(
        [
            f"{count(peak.count)} of {count(by_hour.total[peak.index])} requests failed in the "
            f"hour from {clock(start + HOUR_S * peak.index)}, {peak.expected:.1f} expected"
            for peak in sorted(peaks, key=lambda each: -each.count)
        ]
    )


def smallest_rise(bad: Sequence[int], total: Sequence[int], dispersion: float) -> float:
    """The share (0 to 1) that an even rise from the present mean must end at to be significant.

    What is expected of such a rise would just reach the 99 % of :func:`rise`'s test: with chance,
    one of that size shows every other time. With s the trend's spread, c where its centre lies
    between first and last (0 to 1), p the share at first and d the rise,
    ``d = k sqrt(p + c d)`` where ``k = 2.33 (last - first) sqrt(dispersion / s)``.

    Args:
        bad, total: one a block; three blocks or more with trials.

    Source: the same as :func:`rise`, solved for the slope.
    """
    pairs = [(i, n) for i, n in enumerate(total) if n > 0]
    n_all = sum(n for _, n in pairs)
    mean = sum(i * n for i, n in pairs) / n_all
    spread = sum(n * (i - mean) ** 2 for i, n in pairs)
    reach = pairs[-1][0] - pairs[0][0]
    centre = (mean - pairs[0][0]) / reach
    share = sum(bad) / n_all
    square = (CERTAIN_Z * reach) ** 2 * dispersion / spread
    risen = (square * centre + math.sqrt((square * centre) ** 2 + 4 * square * share)) / 2
    return min(1.0, share + risen)
