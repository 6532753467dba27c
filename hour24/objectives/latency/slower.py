"""Whether an endpoint is slower than at hour 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hour24.evidence import Distribution, Evidence
from hour24.objectives.base import Kinds, Objective, pick
from hour24.objectives.latency.findings import MOST_LATE, REMEDY, unsampled
from hour24.statistics import rates, shift
from hour24.text import format_count, format_factor, format_percent
from hour24.verdict import Outcome, Scale, Verdict


class NotSlower(Objective, frozen=True, kw_only=True):
    """An endpoint is not slower than at hour 0: neither its median nor its tail.

    Args:
        max_ratio: allowed factor of the median.
        max_tail: allowed factor of the p95.
    """

    needs: ClassVar[Kinds] = {"now": Distribution, "baseline": Distribution}

    max_ratio: float = 1.2
    max_tail: float = 1.5

    def limit_text(self) -> str:
        return f"below {format_factor(self.max_ratio)}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        now, baseline = (pick(evidence, name, Distribution) for name in self.needs)
        for name, each in (("now", now), ("at hour 0", baseline)):
            sent = each.n + each.censored
            if each.sent_late > MOST_LATE * sent:
                return self.unmeasured(
                    "sent_late",
                    f"Of {format_count(sent)} requests {name}, {format_count(each.sent_late)} "
                    "were sent late: "
                    "the prober was the bottleneck",
                )
        lost = unsampled(now)
        failed = rates.judge_sample(now.censored, now.n + now.censored, shift.TAIL_SHARE)
        if failed.standing == "beyond":
            return self._verdict(
                Outcome.FAIL,
                lost.code,
                f"Of {format_count(failed.total)} requests, {lost.text()}, at least "
                f"{format_percent(failed.lower)}: slower than anything at hour 0",
                None,
                {"censored": float(failed.bad), "n": float(failed.total)},
            )
        if not now.n and (lost.refused or lost.limited):
            code = "source_refused" if lost.refused else "source_limited"
            return self.unmeasured(code, f"No request succeeded: {lost.text()}; {REMEDY[code]}")
        after, before = _blocks(now), _blocks(baseline)
        medians, base = shift.block_medians(after), shift.block_medians(before)
        fewest = min(len(medians), len(base))
        if fewest < shift.LEAST_BLOCKS:
            when = "since then" if len(medians) == fewest else "at hour 0"
            return self.unmeasured(
                "too_few_samples",
                f"{format_count(fewest)} blocks of 10 min have {shift.LEAST_IN_BLOCK} "
                "samples or "
                f"more {when}: expected at least {format_count(shift.LEAST_BLOCKS)}",
            )
        moved, tail = shift.shift(medians, base), shift.tail(after, before)
        detectable = shift.visible(medians, base, self.max_ratio)
        figures = {
            "factor": moved.factor,
            "lower": moved.lower,
            "upper": moved.upper,
            "tail_share": tail.share,
            "tail_lower": tail.lower,
            "tail_ratio": tail.ratio,
            "visible": detectable,
            "n": float(now.n),
            "n_baseline": float(baseline.n),
        }
        medians_text = (
            f"median at {format_factor(moved.factor)} of hour 0 "
            f"({format_factor(moved.lower)} to "
            f"{format_factor(moved.upper)}), p95 at {format_factor(tail.ratio)}"
        )
        suffix = f"; too small to detect: a rise below {format_factor(detectable)}"
        if lost.text():
            suffix += f"; not included: {lost.text()}"
        if moved.lower > self.max_ratio:
            return self._verdict(
                Outcome.FAIL,
                "slower",
                f"Slower: {medians_text}: expected below {format_factor(self.max_ratio)}",
                moved,
                figures,
            )
        if tail.lower > shift.TAIL_SHARE and tail.ratio > self.max_tail:
            return self._verdict(
                Outcome.FAIL,
                "slower_tail",
                f"Slower tail: {format_percent(tail.share)} of the samples are above the p95 of "
                f"hour 0, at least {format_percent(tail.lower)}; {medians_text}",
                moved,
                figures,
            )
        if moved.upper < self.max_ratio and tail.ratio < self.max_tail:
            return self._verdict(
                Outcome.PASS,
                "",
                medians_text[:1].upper() + medians_text[1:] + suffix,
                moved,
                figures,
            )
        return self._verdict(
            Outcome.INCONCLUSIVE,
            "too_few_samples",
            f"Undecided: {medians_text}: expected both bounds on one side of "
            f"{format_factor(self.max_ratio)}, and p95 below "
            f"{format_factor(self.max_tail)}{suffix}",
            moved,
            figures,
        )

    def _verdict(
        self,
        outcome: Outcome,
        code: str,
        reason: str,
        moved: shift.Shift | None,
        figures: dict[str, float],
    ) -> Verdict:
        if moved is None:
            return Verdict(
                outcome=outcome,
                code=code,
                reason=reason,
                observed="no answer",
                limit=self.limit_text(),
                figures=figures,
            )
        fails = outcome == Outcome.FAIL
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed=format_factor(moved.factor),
            bound=f"at least {format_factor(moved.lower)}"
            if fails
            else f"at most {format_factor(moved.upper)}",
            limit=self.limit_text(),
            scale=Scale(
                unit="times hour 0",
                limit=self.max_ratio,
                origin=1.0,
                observed=moved.factor,
                lower=moved.lower,
                upper=moved.upper,
            ),
            figures=figures,
        )


def _blocks(found: Distribution) -> list[dict[int, int]]:
    return [
        {int(index): n for index, n in block.counts.items()}
        for block in found.blocks
        if block.counts
    ]
