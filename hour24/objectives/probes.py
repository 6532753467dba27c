"""Whether every health probe passed, and how much of the window was probed.

Rules of this module:

- A failed probe counts when the one ``retry_after_s`` later fails too; a shorter failure is only
  reported.
- A probe that failed while the control address did not answer either failed because of our own
  network: its time is a gap. Without an answer about the control address, a missing answer shows
  nothing.
- 401 and 403 are caused by our credential, not by the service's health.
- Too few probes, or too long a gap, prevent a PASS but not a FAIL.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from hour24.evidence import NOT_TAKEN, STALE, Evidence, Failure, Probes
from hour24.objectives.base import Kinds, Objective, pick
from hour24.statistics import coverage as outages
from hour24.statistics.coverage import LONGEST_GAP_S, REQUIRED
from hour24.text import (
    count_of,
    format_clock,
    format_count,
    format_coverage,
    format_duration,
    format_number,
    format_time,
    join_some,
    one_line,
)
from hour24.verdict import Outcome, Scale, Verdict

SHORT_S = 5.0
"""The outage length whose probability of being missed is reported: a restart takes as long."""
REFUSALS = frozenset({"401", "403"})


class ProbeCoverage(NamedTuple):
    """The coverage of a window by probes.

    ``kept`` excludes probes that our own network lost. ``gaps`` are the times without a probe that
    are longer than an interval, as (from, to) epoch seconds. All lengths are in seconds.
    """

    due: int
    kept: int
    interval_s: float
    window_s: float
    gaps: tuple[tuple[float, float], ...]

    @property
    def share(self) -> float:
        """``kept / due``; 0 when none was due."""
        return self.kept / self.due if self.due else 0.0

    @property
    def longest_s(self) -> float:
        """The longest gap; an interval when no probe is missing."""
        return max((b - a for a, b in self.gaps), default=self.interval_s)

    def spacings(self) -> list[float]:
        """Every time between two probes, including the regular intervals."""
        lost = [b - a for a, b in self.gaps]
        usual = round(max(0.0, self.window_s - sum(lost)) / self.interval_s)
        return [*lost, *([self.interval_s] * usual)]

    def miss_probability(self, outage_s: float) -> float:
        """The probability that an outage of this length fell between two probes."""
        return outages.miss_probability(self.spacings(), outage_s, self.window_s)

    def ran_text(self) -> str:
        """``2,872 of 2,880 probes ran (99.7 %)``."""
        return f"{count_of(self.kept, self.due)} probes ran ({format_coverage(self.share)})"

    def longest_gap_text(self) -> str:
        """``longest gap 270 s (10:03 UTC to 10:08 UTC)``."""
        longest = max(self.gaps, key=lambda s: s[1] - s[0], default=None)
        where = (
            ""
            if longest is None
            else f" ({format_clock(longest[0])} to {format_clock(longest[1])})"
        )
        return f"longest gap {format_duration(self.longest_s)}{where}"

    def shortfall(self, least: float, max_gap_s: float) -> str:
        """What is missing for a PASS; empty when nothing is."""
        if self.share < least:
            return f"expected at least {format_coverage(least)} of the probes"
        if self.longest_s > max_gap_s:
            return f"expected no gap over {format_duration(max_gap_s)}"
        return ""

    def figures(self) -> dict[str, float]:
        """The numbers behind it."""
        return {
            "due": float(self.due),
            "kept": float(self.kept),
            "coverage": self.share,
            "longest_gap_s": self.longest_s,
        }


def measure_coverage(probes: Probes) -> ProbeCoverage:
    """The coverage of the window by these probes."""
    window = probes.question.window
    lost_to_network = sorted(f.at for f in probes.failures if f.control is False)
    lost = [
        *probes.gaps,
        *((at - probes.interval_s, at + probes.interval_s) for at in lost_to_network),
    ]
    if window is not None:
        start, end = window.start.timestamp(), window.end.timestamp()
        lost = [(max(a, start), min(b, end)) for a, b in lost]
    merged: list[tuple[float, float]] = []
    for a, b in sorted(lost):
        if merged and a < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
        else:
            merged.append((a, b))
    return ProbeCoverage(
        due=probes.due,
        kept=probes.kept - len(lost_to_network),
        interval_s=probes.interval_s,
        window_s=window.seconds if window is not None else probes.due * probes.interval_s,
        gaps=tuple(merged),
    )


def was_answered(reason: str) -> bool:
    """True if a failure with this reason was an answer: a status, or a document."""
    return reason[:3].isdigit() or reason.startswith("schema")


def unusable_answers(probes: Probes, shortfall: str) -> tuple[str, str] | None:
    """Code and reason, when cached or unreadable answers leave too few probes; else None.

    Args:
        shortfall: what is missing; empty when there are enough.
    """
    if not shortfall:
        return None
    for code, kind, how in (
        ("stale", STALE, "were answered by a cache or with an old document"),
        ("not_taken", NOT_TAKEN, "got an answer that hour24 cannot read"),
    ):
        found = {k.removeprefix(kind): n for k, n in probes.statuses.items() if k.startswith(kind)}
        if found:
            by = join_some(sorted(found))
            return code, (
                f"{format_count(sum(found.values()))} of {format_count(probes.due)} probes {how} "
                f"({by}), and say nothing about the service: {shortfall}"
            )
    return None


class AlwaysUp(Objective, frozen=True, kw_only=True):
    """No health check failed.

    Args:
        retry_after_s: a failed probe counts when the one this much later fails too, in seconds.
        coverage: share of the due probes that must have run, 0 to 1.
        max_gap_s: longest time without a probe, in seconds.
    """

    needs: ClassVar[Kinds] = {"probes": Probes}

    retry_after_s: float = 30.0
    coverage: float = REQUIRED
    max_gap_s: float = LONGEST_GAP_S

    def limit_text(self) -> str:
        return "none allowed"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        probes = pick(evidence, "probes", Probes)
        covered = measure_coverage(probes)
        counted = sorted((f for f in probes.failures if f.control is not False), key=lambda f: f.at)
        lasting = [f for f in counted if self._lasts(f, counted, probes.interval_s)]
        refused = [f for f in lasting if f.reason in REFUSALS]
        known = [f for f in lasting if f.reason not in REFUSALS]
        down = [f for f in known if _is_theirs(f)]
        unknown = [f for f in known if not _is_theirs(f)]
        figures = {
            **covered.figures(),
            "failed": float(len(counted)),
            "counted": float(len(down)),
            "no_network": float(probes.bad - len(counted)),
            "longest_outage_s": max((f.lasted_s for f in down), default=0.0),
        }
        lost_to_network = probes.bad - len(counted)
        suffix = (
            f"; {format_count(lost_to_network)} got no answer while the control address did not "
            "answer either"
            if lost_to_network
            else ""
        )

        def verdict(outcome: Outcome, code: str, reason: str) -> Verdict:
            return Verdict(
                outcome=outcome,
                code=code,
                reason=reason,
                observed=f"{format_count(len(down))} failed",
                limit=self.limit_text(),
                scale=Scale(unit="failed probes", limit=0.0, observed=float(len(down))),
                figures=figures,
            )

        if down:
            return verdict(
                Outcome.FAIL,
                "health_failed" if was_answered(down[0].reason) else "no_answer",
                f"{count_of(len(down), covered.kept)} health probes failed, "
                "and the ones "
                f"{self.retry_after_s:g} s later too: {_outages(down)}{suffix}; "
                f"{covered.longest_gap_text()}",
            )
        if refused:
            return verdict(
                Outcome.INCONCLUSIVE,
                "source_refused",
                f"{format_count(len(refused))} probes were answered {refused[0].reason} from "
                f"{format_time(refused[0].at)} on: expected our credential to be accepted; see "
                "health.headers in production.toml",
            )
        if unknown:
            return verdict(
                Outcome.INCONCLUSIVE,
                "no_control",
                f"{format_count(len(unknown))} probes had no answer ({_outages(unknown)}), and the "
                "control address was not asked, so it may be our own network",
            )
        shortfall = covered.shortfall(self.coverage, self.max_gap_s)
        unusable = unusable_answers(probes, shortfall) or _frozen(probes, self.max_gap_s)
        if unusable is not None:
            return verdict(Outcome.INCONCLUSIVE, *unusable)
        if shortfall:
            return verdict(
                Outcome.INCONCLUSIVE,
                "coverage_too_low",
                f"Only {covered.ran_text()}; {covered.longest_gap_text()}: {shortfall}{suffix}"
                + ("; no lasting failure in the probes that ran" if counted else ""),
            )
        pending = self._pending(probes, counted)
        if pending is not None:
            return verdict(
                Outcome.INCONCLUSIVE,
                "too_early",
                f"The probe of {format_time(pending.at)} failed ({pending.reason}), and the one "
                f"{self.retry_after_s:g} s later is outside this window",
            )
        return verdict(Outcome.PASS, "", self._clean(covered, counted) + suffix)

    def _lasts(self, failure: Failure, all_: Sequence[Failure], interval_s: float) -> bool:
        """True if the probe ``retry_after_s`` after this one failed too."""
        if failure.lasted_s > self.retry_after_s:
            return True
        due = failure.at + self.retry_after_s
        first = bisect_left(all_, due - interval_s / 2, key=lambda other: other.at)
        return first < len(all_) and all_[first].at < due + interval_s / 2

    def _pending(self, probes: Probes, failures: Sequence[Failure]) -> Failure | None:
        """A failure at the window's end that may still last; None when there is none."""
        window = probes.question.window
        if window is None or not failures:
            return None
        last = max(failures, key=lambda f: f.at)
        rest = window.end.timestamp() - last.at
        ended = last.lasted_s == 0 and rest > probes.interval_s * (1 + 1e-9)
        return None if ended or rest > self.retry_after_s else last

    def _clean(self, covered: ProbeCoverage, failures: Sequence[Failure]) -> str:
        """The reason of a PASS: what ran, and which outages could have been missed."""
        parts = [
            f"{covered.ran_text()}, "
            + (
                f"{format_count(len(failures))} failed and the next ones were good"
                if failures
                else "none failed"
            ),
            f"{covered.longest_gap_text()}, so any outage over "
            f"{format_duration(covered.longest_s)} is excluded",
        ]
        if covered.longest_s > SHORT_S:
            probability = covered.miss_probability(SHORT_S)
            hidden = outages.compatible_outages(probability)
            parts.append(
                f"a {SHORT_S:g} s outage would be missed with probability {probability:.2f}"
                + (
                    f"; up to {hidden:.0f} of them are compatible with this at 95 %"
                    if hidden >= 1
                    else ""
                )
            )
        return "; ".join(parts)


def _frozen(probes: Probes, longest_s: float) -> tuple[str, str] | None:
    """Code and reason, when the uptime did not change for longer: the answer was a copy."""
    first: dict[str, tuple[float, float]] = {}
    for each in probes.uptimes:
        since, before = first.get(each.instance, (each.at, each.uptime_s))
        if each.uptime_s != before:
            since = each.at
        elif each.at - since > longest_s and each.uptime_s > 0:
            return "stale", (
                f"The uptime stayed at {format_number(each.uptime_s)} from {format_time(since)} to "
                f"{format_time(each.at)}: the same document was returned again, by a cache or by a "
                "service that no longer updates it"
            )
        first[each.instance] = since, each.uptime_s
    return None


def _is_theirs(failure: Failure) -> bool:
    """True if it is the service's failure: it answered, or the control address did."""
    return failure.control is True or was_answered(failure.reason)


def _outages(failures: Sequence[Failure]) -> str:
    """Each outage with its start, its length and its reason."""
    outages_text: list[str] = []
    until = float("-inf")
    for each in sorted(failures, key=lambda f: f.at):
        if each.at >= until:
            lasted = f" for {format_duration(each.lasted_s)}" if each.lasted_s else ""
            outages_text.append(f"{one_line(each.reason, 60)} from {format_time(each.at)}{lasted}")
        until = max(until, each.at + each.lasted_s)
    return join_some(outages_text)
