"""Whether memory leaks, and how near its limit it came.

Rules of this module:

- Each instance is judged alone: one line for several instances can hide a leak. A line without an
  instance is INCONCLUSIVE.
- A leak is found by the low points between collections (:mod:`hour24.statistics.memory`); the
  verdict reports the smallest detectable leak, and when the limit is reached.
- The worst instance decides. One that ended before it could be judged is only reported.
- With less than 95 % of the values, a verdict that is not FAIL is INCONCLUSIVE.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from hour24.evidence import Evidence, Line, Listing, Series, Unanswered
from hour24.objectives.base import Kinds, Objective, pick
from hour24.text import (
    format_count,
    format_coverage,
    format_duration,
    format_number,
    format_percent,
    format_time,
    join_some,
    one_line,
    parse_epoch,
)
from hour24.verdict import Outcome, Scale, Verdict

if TYPE_CHECKING:
    from hour24.statistics.memory import Trend

COVERAGE = 0.95
"""The share of the window that needs values: a little over an hour a day may be missing."""
HOUR_S = 3600.0
ALIVE_S = 900.0
"""An instance without a value for this long before the end has ended."""
LOAD_REACH_S = 600.0
"""A load value is used for this long: platforms report it every few minutes."""
MB = {"MB": 1.0, "MiB": 1.0, "GB": 1024.0, "GiB": 1024.0, "bytes": 2.0**-20, "B": 2.0**-20}
"""Unit -> MB of 2^20 bytes, as platforms count them."""
CODES = {
    "too_early": "too_early",
    "suspect": "too_early",
    "unsteady": "too_early",
    "no_collection": "too_few_samples",
    "wide": "too_few_samples",
    "near_limit": "near_limit",
}
WHY = {
    "too_early": "too early to separate growth from warm-up",
    "suspect": "memory is rising, for too short a time to call it a leak",
    "unsteady": "the rise slows down or is not steady",
    "no_collection": "too few garbage collections to find its low points",
    "wide": "the interval includes both a leak and none",
    "near_limit": "no leak, but above 90 % of its limit",
}


class _Instance(NamedTuple):
    """One instance: its name, its trend, its limit in MB, and whether it ran until the end."""

    name: str
    trend: Trend
    limit: float | None
    alive: bool


class NoLeak(Objective, frozen=True, kw_only=True):
    """Memory does not leak.

    ``load`` is the service's load; without it, the daily load curve can hide a leak more easily.
    ``deploys`` and ``declared`` contain the times at which processes restarted.

    Args:
        metric: ``rss`` (a platform's value for a container) or ``heap_used``.
    """

    needs: ClassVar[Kinds] = {"memory": Series}
    may: ClassVar[Kinds] = {
        "limit": Series,
        "load": Series,
        "deploys": Listing,
        "declared": Listing,
    }

    metric: str = "rss"

    def limit_text(self) -> str:
        from hour24.statistics.memory import HARMLESS_MB_H

        return f"below {HARMLESS_MB_H:g} MB/h"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        series = in_memory_unit(pick(evidence, "memory", Series), "memory")
        lines = [line for line in series.lines if _has_values(line)]
        if not lines:
            return self._open("no_data", "No memory data for any instance", {})
        if any(not line.labels.get("instance") for line in lines):
            return self._open(
                "mixed_instances",
                "The memory data names no instance, and one line for several instances can hide a "
                "leak: expected one line per instance",
                {},
            )
        tops = limits_of(evidence.get("limit"))
        starts = _restart_times(evidence)
        load = _load(evidence.get("load"))
        end = max(line.times[-1] for line in lines)
        factor = MB[series.unit]
        instances = [self._judge_instance(line, factor, tops, starts, load, end) for line in lines]
        judged = [t for t in instances if t.alive or t.trend.why != "too_early"]
        if not judged:
            judged = instances
        worst = max(judged, key=_severity)
        trend = worst.trend
        fitted = len(trend.low_points) >= 4
        worst_line = lines[instances.index(worst)]
        figures = {
            "instance": float(next(n for n, line in enumerate(series.lines) if line is worst_line)),
            "unit_mb": factor,
            "hours": trend.hours,
            "instances": float(len(instances)),
            "judged": float(sum(t.trend.standing != "open" for t in instances)),
            "coverage": covered(series, lines),
        }
        if fitted:
            figures |= {
                "slope": trend.slope,
                "lower": trend.lower,
                "upper": trend.upper,
                "level": trend.level,
                "growth": trend.growth,
                "visible": trend.visible,
                "collections": float(trend.drops),
                "pivot_h": trend.origin_h,
                "pivot_mb": trend.intercept,
            }
        if worst.limit is not None:
            figures["limit_mb"] = worst.limit
        if trend.exhausted_h is not None:
            figures["exhausted_h"] = trend.exhausted_h
        if trend.levelled_off:
            figures |= {"late_slope": trend.late_slope, "late_upper": trend.late_upper}
        if trend.onset_h:
            figures["onset_h"] = trend.onset_h
        if trend.called_h:
            figures["called_h"] = trend.called_h
        figures["suspected"] = float(trend.standing == "open" and trend.steep)
        caveats = _caveats(instances, judged, evidence)
        if trend.standing == "leaks":
            reason = (
                f"+{format_number(trend.slope)} MB/h over "
                f"{format_duration(trend.hours * HOUR_S)} (99 %: at least "
                f"{format_number(trend.lower)}), after garbage collection; "
                f"{format_number(trend.level)} MB at the start"
            )
            also = [t.name for t in instances if t.trend.standing == "leaks" and t is not worst]
            names = f"{worst.name}, also on {join_some(also)}" if also else worst.name
            reason = f"Memory leak on {names}: {reason}"
            reason += _onset(trend)
            if trend.called_h:
                reason += (
                    f"; called after {format_duration(trend.called_h * HOUR_S)}; no restart and no "
                    "flat later half has ended it since"
                )
            return self._verdict(
                Outcome.FAIL, "leak", reason + _format_exhaustion(worst) + caveats, trend, figures
            )
        if trend.standing == "open":
            reason = f"{worst.name}: {WHY[trend.why]} ({format_duration(trend.hours * HOUR_S)})"
            if fitted:
                reason += (
                    f": {format_number(trend.slope)} MB/h, between {format_number(trend.lower)} "
                    "and "
                    f"{format_number(trend.upper)}"
                )
                reason += _onset(trend)
                reason += _format_exhaustion(worst) if trend.why == "suspect" else ""
            return self._verdict(
                Outcome.INCONCLUSIVE,
                CODES[trend.why],
                reason + caveats,
                trend if fitted else None,
                figures,
            )
        if figures["coverage"] < COVERAGE:
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "coverage_too_low",
                f"Memory data for {format_coverage(figures['coverage'])} of the time: "
                "expected at "
                f"least {format_coverage(COVERAGE)}; no leak in that data",
                trend,
                figures,
            )
        if trend.levelled_off:
            return self._verdict(
                Outcome.PASS,
                "",
                f"Memory of {worst.name} levelled off: "
                f"{format_number(trend.late_slope)} MB/h in the later half of "
                f"{format_duration(trend.hours * HOUR_S)} (95 %: at most "
                f"{format_number(trend.late_upper)}), after garbage collection; "
                f"{format_number(trend.slope)} MB/h over the whole time, which is warm-up"
                + (
                    f", the steepest of {format_count(len(instances))} instances"
                    if len(instances) > 1
                    else ""
                )
                + caveats,
                trend._replace(
                    slope=trend.late_slope,
                    lower=min(trend.late_slope, trend.late_upper),
                    upper=trend.late_upper,
                ),
                figures,
            )
        return self._verdict(
            Outcome.PASS,
            "",
            f"Memory of {worst.name}: {format_number(trend.slope)} "
            f"MB/h over {format_duration(trend.hours * HOUR_S)} (95 %: at most "
            f"{format_number(trend.upper)}), after garbage collection"
            + (
                f", the steepest of {format_count(len(instances))} instances"
                if len(instances) > 1
                else ""
            )
            + f"; leaks below {format_number(trend.visible)} MB/h are undetectable"
            + caveats,
            trend,
            figures,
        )

    def _judge_instance(
        self,
        line: Line,
        factor: float,
        tops: Mapping[str, float],
        starts: Sequence[float],
        load: tuple[list[float], list[float]],
        end: float,
    ) -> _Instance:
        from hour24.statistics import memory

        first = line.times[0]
        limit = limit_for(line.labels.get("instance", ""), tops)
        trend = memory.trend(
            [(t - first) / HOUR_S for t in line.times],
            [None if v is None else v * factor for v in line.values],
            load=[_at(t, load) for t in line.times] if load[0] else None,
            starts=[(at - first) / HOUR_S for at in starts],
            metric=self.metric,
            limit=limit,
        )
        last_value = max(t for t, v in zip(line.times, line.values, strict=True) if v is not None)
        return _Instance(
            one_line(line.labels["instance"], 60), trend, limit, last_value >= end - ALIVE_S
        )

    def _open(self, code: str, reason: str, figures: dict[str, float]) -> Verdict:
        return self._verdict(Outcome.INCONCLUSIVE, code, reason, None, figures)

    def _verdict(
        self,
        outcome: Outcome,
        code: str,
        reason: str,
        trend: Trend | None,
        figures: dict[str, float],
    ) -> Verdict:
        from hour24.statistics.memory import HARMLESS_MB_H

        bound = ""
        if trend is not None:
            fails = outcome == Outcome.FAIL
            bound = (
                f"at least {format_number(trend.lower)}"
                if fails
                else f"at most {format_number(trend.upper)}"
            )
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed="not measured" if trend is None else f"{format_number(trend.slope)} MB/h",
            bound=bound,
            limit=self.limit_text(),
            scale=None
            if trend is None
            else Scale(
                unit="MB/h",
                limit=HARMLESS_MB_H,
                observed=trend.slope,
                lower=trend.lower,
                upper=trend.upper,
            ),
            figures=figures,
        )


class HeadroomKept(Objective, frozen=True, kw_only=True):
    """Memory stays below a share of its limit, for each instance.

    Args:
        max_share: of the limit, 0 to 1.
    """

    needs: ClassVar[Kinds] = {"memory": Series, "limit": Series}

    max_share: float = 0.85

    def limit_text(self) -> str:
        return f"below {format_percent(self.max_share)}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        memory = in_memory_unit(pick(evidence, "memory", Series), "memory")
        tops = limits_of(evidence["limit"])
        lines = [line for line in memory.lines if _has_values(line)]
        if not lines:
            return self.unmeasured("no_data", "No memory data for any instance in the window")
        if not tops:
            return self.unmeasured("no_data", "The platform reported no memory limit")
        factor = MB[memory.unit]
        peaks = []
        for line in lines:
            name = line.labels.get("instance", "")
            limit = limit_for(name, tops)
            if limit is None or limit <= 0:
                return self.unmeasured(
                    "no_data", f"The platform reported no memory limit for {name or 'the service'}"
                )
            at, most = max(
                ((t, v) for t, v in zip(line.times, line.values, strict=True) if v is not None),
                key=lambda point: point[1],
            )
            peaks.append((most * factor / limit, most * factor, limit, at, one_line(name, 60)))
        share, most, limit, at, name = max(peaks)
        coverage = covered(memory, lines)
        figures = {
            "share": share,
            "peak_mb": most,
            "limit_mb": limit,
            "instances": float(len(lines)),
            "coverage": coverage,
        }
        reason = (
            f"{name or 'The service'} reached {format_number(most)} of {format_number(limit)} MB, "
            f"{format_percent(share)}, at {format_time(at)}"
            + (f", the highest of {format_count(len(lines))} instances" if len(lines) > 1 else "")
        )
        if share >= self.max_share:
            beyond = [p for p in peaks if p[0] >= self.max_share]
            reason += f": expected below {format_percent(self.max_share)}"
            reason += (
                f"; {format_count(len(beyond))} instances exceeded it" if len(beyond) > 1 else ""
            )
            return self._verdict(Outcome.FAIL, "memory_high", reason, share, figures)
        if coverage < COVERAGE:
            return self._verdict(
                Outcome.INCONCLUSIVE,
                "coverage_too_low",
                f"{reason}; but memory data for only {format_coverage(coverage)} of the time: "
                f"expected at least {format_coverage(COVERAGE)}",
                share,
                figures,
            )
        return self._verdict(Outcome.PASS, "", reason, share, figures)

    def _verdict(
        self, outcome: Outcome, code: str, reason: str, share: float, figures: dict[str, float]
    ) -> Verdict:
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed=format_percent(share),
            limit=self.limit_text(),
            scale=Scale(unit="%", limit=100 * self.max_share, observed=100 * share),
            figures=figures,
        )


def in_memory_unit(series: Series, name: str) -> Series:
    """``series``. Raises: TypeError, when its unit is not one of memory (a bug of ours)."""
    if series.unit not in MB:
        raise TypeError(f"{name}: unit: expected one of {sorted(MB)}, got {series.unit!r}")
    return series


def limits_of(evidence: Evidence | None) -> dict[str, float]:
    """Instance ("" without a name) -> its last limit in MB."""
    if not isinstance(evidence, Series):
        return {}
    factor = MB[in_memory_unit(evidence, "limit").unit]
    return {
        line.labels.get("instance", ""): [v for v in line.values if v is not None][-1] * factor
        for line in evidence.lines
        if _has_values(line)
    }


def limit_for(name: str, limits: Mapping[str, float]) -> float | None:
    """The limit of this instance, or the one that all instances share; None otherwise."""
    if name in limits:
        return limits[name]
    alike = set(limits.values())
    return alike.pop() if len(alike) == 1 else None


def covered(series: Series, lines: Sequence[Line]) -> float:
    """The share of the window with a memory value of some instance, by the median step."""
    steps = [b - a for line in lines for a, b in pairwise(line.times)]
    times = sorted(
        {t for line in lines for t, v in zip(line.times, line.values, strict=True) if v is not None}
    )
    window = series.question.window
    start = window.start.timestamp() if window else min(line.times[0] for line in lines)
    end = window.end.timestamp() if window else max(line.times[-1] for line in lines)
    step = median(steps) if steps else 0.0
    if end <= start or step <= 0:
        return 1.0 if times and end <= start else 0.0
    covered_s = sum(min(step, b - a) for a, b in pairwise([*times, times[-1] + step]))
    return min(1.0, covered_s / (end - start))


def _has_values(line: Line) -> bool:
    return any(v is not None for v in line.values)


def _severity(one: _Instance) -> tuple[int, float]:
    """Sort key, higher is worse: by standing, then by the upper bound of the slope."""
    return ("flat", "open", "leaks").index(one.trend.standing), one.trend.upper


def _restart_times(evidence: Mapping[str, Evidence]) -> list[float]:
    """Times of process restarts in epoch seconds: the platform's deploys, and declared ones."""
    found = []
    deploys, declared = evidence.get("deploys"), evidence.get("declared")
    for item in deploys.items if isinstance(deploys, Listing) else ():
        if item.get("served", True):
            found.append(
                parse_epoch(item.get("finished") or item.get("started") or item.get("created"))
            )
    for item in declared.items if isinstance(declared, Listing) else ():
        found.append(parse_epoch(item.get("start")))
    return sorted({at for at in found if at is not None})


def _load(evidence: Evidence | None) -> tuple[list[float], list[float]]:
    """Times, and the load at each: the sum of all lines."""
    total: dict[float, float] = {}
    for line in evidence.lines if isinstance(evidence, Series) else ():
        for t, v in zip(line.times, line.values, strict=True):
            if v is not None:
                total[t] = total.get(t, 0.0) + v
    times = sorted(total)
    return times, [total[t] for t in times]


def _at(time: float, load: tuple[list[float], list[float]]) -> float | None:
    """The load at a time: the last value before it; None when that is too old."""
    index = bisect_right(load[0], time) - 1
    if index < 0 or time - load[0][index] > LOAD_REACH_S:
        return None
    return load[1][index]


def _onset(trend: Trend) -> str:
    """The text about the start of the rise, where that is not the beginning."""
    if not trend.onset_h:
        return ""
    return f"; rising since {format_duration(trend.onset_h * HOUR_S)} after the first value"


def _format_exhaustion(one: _Instance) -> str:
    """The text about when the limit is reached at this rate; empty when that is not known."""
    trend = one.trend
    if trend.exhausted_h is None or one.limit is None or trend.slope <= 0:
        return ""
    hours = trend.exhausted_h * trend.lower / trend.slope
    left = format_duration(hours * HOUR_S)
    return f"; {format_number(one.limit)} MB limit reached in {left}"


def _caveats(
    instances: Sequence[_Instance], judged: Sequence[_Instance], evidence: Mapping[str, Evidence]
) -> str:
    """The suffix of a reason: what limits the verdict."""
    left = [t.name for t in instances if t not in judged]
    parts = [f"{join_some(left)} ended before it could be judged"] if left else []
    if not isinstance(evidence.get("load"), Series):
        why = evidence.get("load")
        parts.append(
            "the load is not known" + (f" ({why.reason})" if isinstance(why, Unanswered) else "")
        )
    return "".join(f"; {part}" for part in parts)
