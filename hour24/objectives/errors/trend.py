"""Whether the share of failed requests rises over the hours, and whether an hour spikes.

Rules of this module:

- A rise is both significant and large. The verdict reports the smallest detectable rise; where
  that is too large to be useful, the verdict is INCONCLUSIVE.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from hour24.evidence import Evidence, Series
from hour24.objectives.base import Kinds, Objective, pick, window_of
from hour24.statistics.counts import HOUR_S, Rise, Spike, rise, spikes
from hour24.statistics.rates import FAIL_CONFIDENCE
from hour24.text import (
    count_of,
    format_clock,
    format_factor,
    format_percent,
    in_window,
    join_some,
    plural,
)
from hour24.verdict import Outcome, Verdict

FALSE_ALARM = 1 - FAIL_CONFIDENCE
"""Probability of a false alarm, for rises and for spikes."""
SHORTEST = 3
"""Hours: a line through two points has no scatter to test."""
CERTAIN_Z = 2.3263478740408408
"""Standard deviations below which a normal value stays with 99 %: one-sided, as FAIL is."""


class Hours(NamedTuple):
    """Requests per hour of the window: failed ones and all."""

    bad: list[int]
    total: list[int]

    @property
    def with_requests(self) -> int:
        """The number of hours with requests."""
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

    A rise: significant at 99 %, and to ``rise`` times or more. A spike: an hour above what the
    others explain at 99 % (excluding its neighbours, which it may extend into), and ``spike``
    times the expected count. Of steady days 0 to 2 % fail; with errors in clumps of three, up
    to 5 %.

    Args:
        rise, spike: factor of a large change, above 1.
        least: share (0 to 1) that a rise must end above, or a spike reach: doubling does not
            matter below a tenth of the 1 % that ERRORS-RATE allows.
        visible: PASS requires that a rise to this share (0 to 1) is detectable.
        coverage: share of the window's hours that must have requests, 0 to 1.
    """

    needs: ClassVar[Kinds] = {"responses": Series}

    rise: float = 2.0
    spike: float = 3.0
    least: float = 0.001
    visible: float = 0.05
    coverage: float = 0.95

    def limit_text(self) -> str:
        return "no rise, no spike"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        series = pick(evidence, "responses", Series)
        window = window_of(series, "responses")
        by_hour = Hours.of(series)
        bad, total = sum(by_hour.bad), sum(by_hour.total)
        figures = {
            "failed": float(bad),
            "requests": float(total),
            "hours": float(len(by_hour.total)),
            "hours_told": float(by_hour.with_requests),
        }
        if len(by_hour.total) < SHORTEST or by_hour.with_requests < SHORTEST:
            code = "too_early" if len(by_hour.total) < SHORTEST else "too_little_traffic"
            return self._verdict(
                Outcome.INCONCLUSIVE,
                code,
                f"{by_hour.with_requests} of {plural(len(by_hour.total), 'hour')} had "
                f"requests{in_window(window)}; "
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
            f"{count_of(bad, total)} requests failed ({format_percent(bad / total)})"
            f"{in_window(window)}"
        )
        if peaks:
            shares = [peak.count / by_hour.total[peak.index] for peak in peaks]
            figures["worst_hour_share"] = max(shares)
            text = _spikes_text(peaks, by_hour, window.start.timestamp())
            return self._verdict(
                Outcome.FAIL, "spike", f"{text}; in total, {failed}", figures, trend
            )
        if trend is not None and self._rises(trend):
            text = (
                f"The share of failed requests rose from {format_percent(trend.first)} to "
                f"{format_percent(trend.last)}, {format_factor(trend.factor)}, significantly (p "
                f"{trend.p_value:.2g})"
            )
            return self._verdict(
                Outcome.FAIL, "rise", f"{text}; in total, {failed}", figures, trend
            )
        undetectable = self._detection_limit(by_hour, shown)
        if bad == total:
            undetectable = "nothing_succeeded", "a share that is 100 % throughout cannot rise"
        if undetectable is not None:
            code, why = undetectable
            return self._verdict(Outcome.INCONCLUSIVE, code, f"{failed}, but {why}", figures, trend)
        change = (
            "No request failed"
            if trend is None
            else f"No rise, from {format_percent(trend.first)} to "
            f"{format_percent(trend.last)} (p {trend.p_value:.2g}), and no spike"
        )
        missing = len(by_hour.total) - by_hour.with_requests
        return self._verdict(
            Outcome.PASS,
            "",
            f"{change}; {failed}; too small to detect: a rise to below {format_percent(shown)}"
            + (f"; {plural(missing, 'hour')} had no requests" if missing else ""),
            figures,
            trend,
        )

    def _rises(self, trend: Rise) -> bool:
        return (
            trend.p_value < FALSE_ALARM and trend.factor >= self.rise and trend.last >= self.least
        )

    def _spikes(self, by_hour: Hours) -> list[Spike]:
        """The hours that spike, each compared with all but its neighbours."""
        found = []
        for index in range(len(by_hour.total)):
            total = list(by_hour.total)
            for neighbour in (index - 1, index + 1):
                if 0 <= neighbour < len(total):
                    total[neighbour] = 0
            found += [
                peak
                for peak in spikes(
                    by_hour.bad, total, chance=FALSE_ALARM, times=self.spike, share=self.least
                )
                if peak.index == index
            ]
        return found

    def _detection_limit(self, by_hour: Hours, shown: float) -> tuple[str, str] | None:
        """Code and reason when a rise would be undetectable; None when it would not."""
        if by_hour.with_requests < self.coverage * len(by_hour.total):
            missing = len(by_hour.total) - by_hour.with_requests
            return (
                "too_little_traffic",
                f"{missing} of the {len(by_hour.total)} hours had no requests",
            )
        if shown > self.visible:
            return (
                "too_little_traffic",
                f"a rise to below {format_percent(shown)} is too small to detect; more requests "
                f"per hour would detect one to {format_percent(self.visible)}",
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
            observed = f"{format_percent(figures['worst_hour_share'])} in an hour"
        elif trend is not None and outcome == Outcome.PASS and trend.factor >= self.rise:
            observed = "no significant rise"
        elif trend is not None:
            observed = format_factor(trend.factor)
        else:
            observed = "no failures" if outcome == Outcome.PASS else "not measured"
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed=observed,
            bound=f"a rise to {format_percent(shown)} is detectable"
            if outcome == Outcome.PASS and shown is not None
            else "",
            limit=self.limit_text(),
            figures=figures,
        )


def _spikes_text(peaks: Sequence[Spike], by_hour: Hours, start: float) -> str:
    """The text about the hours that spike, the worst first."""
    return "Spikes: " + join_some(
        [
            f"{count_of(peak.count, by_hour.total[peak.index])} requests "
            "failed in the "
            f"hour from {format_clock(start + HOUR_S * peak.index)}, {peak.expected:.1f} expected"
            for peak in sorted(peaks, key=lambda each: -each.count)
        ]
    )


def smallest_rise(bad: Sequence[int], total: Sequence[int], dispersion: float) -> float:
    """The share (0 to 1) that an even rise from the present mean must end at to be significant.

    The expectation of such a rise just reaches the 99 % of :func:`rise`'s test, so one of that size
    is detected half the time. With s the trend's spread, c the position of its centre between
    first and last (0 to 1), p the share at first and d the rise,
    ``d = k sqrt(p + c d)`` where ``k = 2.33 (last - first) sqrt(dispersion / s)``.

    Args:
        bad, total: one per block; three blocks or more with trials.

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
