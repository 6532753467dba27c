"""Whether memory stays at the level that it had during the watch.

Rules of this module:

- The level of an hour is the lowest reading of its largest instance: garbage collection does not
  move it, and other instances do not hide one instance's growth.
- The levels of two periods are compared by their medians, each with its bounds from ranks; no
  distribution is assumed.
- A rise beyond the limit may have a good reason, such as customers; a person then waives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import ClassVar

from hour24.evidence import Evidence, Series
from hour24.objectives.base import Kinds, Objective, pick
from hour24.objectives.memory import MB, in_memory_unit
from hour24.statistics.quantiles import least_samples, lower_rank, upper_rank
from hour24.statistics.rates import FAIL_CONFIDENCE, PASS_CONFIDENCE
from hour24.text import format_count, format_factor, format_number
from hour24.verdict import Outcome, Scale, Verdict

HOUR_S = 3600
READINGS = 20
"""An hour with fewer readings of an instance may lack its low point."""


class FloorKept(Objective, frozen=True, kw_only=True):
    """Memory stays at the level it had during the watch.

    Args:
        limit: the multiple of the baseline's level that fails.
    """

    needs: ClassVar[Kinds] = {"now": Series, "baseline": Series}

    limit: float = 1.25

    def limit_text(self) -> str:
        return f"below {format_factor(self.limit)} of the watch's"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        now = hourly_low_points(in_memory_unit(pick(evidence, "now", Series), "now"))
        before = hourly_low_points(in_memory_unit(pick(evidence, "baseline", Series), "baseline"))
        figures = {"hours_now": float(len(now)), "hours_baseline": float(len(before))}
        wanted = least_samples(0.5, FAIL_CONFIDENCE)
        if min(len(now), len(before)) < wanted:
            return self.unmeasured(
                "too_few_samples",
                f"Memory data for {format_count(len(now))} hours now and "
                f"{format_count(len(before))} "
                f"hours of the watch: expected at least {wanted} on each side",
                figures,
            )
        typical, then = median(now), median(before)
        ratio = typical / then
        # a bound of the ratio needs the bounds of both sides, each at its own confidence
        upper = _above(now, PASS_CONFIDENCE) / _below(before, PASS_CONFIDENCE)
        lower = _below(now, FAIL_CONFIDENCE) / _above(before, FAIL_CONFIDENCE)
        figures |= {
            "now_mb": typical,
            "baseline_mb": then,
            "ratio": ratio,
            "lower": lower,
            "upper": upper,
        }
        reason = (
            f"The memory level is {format_number(typical)} MB, {format_factor(ratio)} of the "
            f"{format_number(then)} MB "
            f"during the watch (medians of {format_count(len(now))} and "
            f"{format_count(len(before))} hours)"
        )
        outcome, code = Outcome.INCONCLUSIVE, "too_few_samples"
        if lower > self.limit:
            outcome, code = Outcome.FAIL, "memory_higher"
            reason += (
                f": at least {format_factor(lower)}, expected below {format_factor(self.limit)}"
            )
        elif upper < self.limit:
            outcome, code = Outcome.PASS, ""
        else:
            reason += f"; {format_factor(lower)} to {format_factor(upper)} includes the limit"
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed=format_factor(ratio),
            bound=f"{format_factor(lower)} to {format_factor(upper)}",
            limit=self.limit_text(),
            scale=Scale(unit="×", limit=self.limit, observed=ratio, lower=lower, upper=upper),
            figures=figures,
        )


def hourly_low_points(memory: Series) -> list[float]:
    """The lowest reading of the largest instance in each hour with enough readings, in MB."""
    hours: dict[int, list[float]] = {}
    for line in memory.lines:
        readings: dict[int, list[float]] = {}
        for at, value in zip(line.times, line.values, strict=True):
            if value is not None and value > 0:
                readings.setdefault(int(at // HOUR_S), []).append(value * MB[memory.unit])
        for hour, values in readings.items():
            if len(values) >= READINGS:
                hours.setdefault(hour, []).append(min(values))
    return [max(lowest) for _, lowest in sorted(hours.items())]


def _above(values: list[float], confidence: float) -> float:
    """The upper bound of the median."""
    rank = upper_rank(len(values), 0.5, confidence)
    return sorted(values)[(rank or len(values)) - 1]


def _below(values: list[float], confidence: float) -> float:
    """The lower bound of the median."""
    rank = lower_rank(len(values), 0.5, confidence)
    return sorted(values)[(rank or 1) - 1]
