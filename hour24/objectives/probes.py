"""Whether the service was up whenever somebody looked, and how much was looked at.

Rules of this module:

- A failed probe counts when the one ``retry_after_s`` later fails too; one that is good again by
  then is told and no more.
- What failed while the control address was silent too is our network's: it is no look, and its
  stretch is unobserved. Silence whose control was not asked shows nothing either way.
- 401 and 403 speak of our credential, not of the service's health.
- Too few looks, or too long a stretch without one, keep PASS away; a FAIL stands.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from hour24.evidence import NOT_TAKEN, STALE, Evidence, Failure, Probes
from hour24.objectives.base import Kinds, Objective, given
from hour24.statistics import coverage as looks
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
"""The outage whose chance to be missed is told."""
REFUSALS = frozenset({"401", "403"})


class Look(NamedTuple):
    """How much of a window was looked at.

    ``kept`` leaves out what our own network kept from us. ``stretches`` are those without a look,
    longer than an interval, as (from, to) epoch seconds. All lengths in seconds.
    """

    due: int
    kept: int
    interval_s: float
    window_s: float
    stretches: tuple[tuple[float, float], ...]

    @property
    def share(self) -> float:
        """``kept / due``; 0 when none was due."""
        return self.kept / self.due if self.due else 0.0

    @property
    def longest_s(self) -> float:
        """The longest stretch without a look; an interval when none was missed."""
        return max((b - a for a, b in self.stretches), default=self.interval_s)

    def steps(self) -> list[float]:
        """Every stretch between two looks, the usual ones too."""
        lost = [b - a for a, b in self.stretches]
        usual = round(max(0.0, self.window_s - sum(lost)) / self.interval_s)
        return [*lost, *([self.interval_s] * usual)]

    def missed(self, outage_s: float) -> float:
        """The probability that an outage of this length fell between two looks."""
        return looks.miss_probability(self.steps(), outage_s, self.window_s)

    def ran(self) -> str:
        """``2,872 of 2,880 probes ran (99.7 %)``."""
        return f"{count_of(self.kept, self.due)} probes ran ({format_coverage(self.share)})"

    def unseen(self) -> str:
        """``longest unobserved stretch 270 s (10:03 UTC to 10:08 UTC)``."""
        longest = max(self.stretches, key=lambda s: s[1] - s[0], default=None)
        where = (
            ""
            if longest is None
            else f" ({format_clock(longest[0])} to {format_clock(longest[1])})"
        )
        return f"longest unobserved stretch {format_duration(self.longest_s)}{where}"

    def wanting(self, least: float, max_gap_s: float) -> str:
        """What keeps these looks from showing that nothing happened; empty when nothing does."""
        if self.share < least:
            return f"expected at least {format_coverage(least)} of the probes"
        if self.longest_s > max_gap_s:
            return f"expected no unobserved stretch over {format_duration(max_gap_s)}"
        return ""

    def figures(self) -> dict[str, float]:
        """The numbers behind it."""
        return {
            "due": float(self.due),
            "kept": float(self.kept),
            "coverage": self.share,
            "longest_gap_s": self.longest_s,
        }


def looked(probes: Probes) -> Look:
    """How much of its window these probes looked at."""
    window = probes.question.window
    blind = sorted(f.at for f in probes.failures if f.control is False)
    lost = [*probes.gaps, *((at - probes.interval_s, at + probes.interval_s) for at in blind)]
    if window is not None:
        start, end = window.start.timestamp(), window.end.timestamp()
        lost = [(max(a, start), min(b, end)) for a, b in lost]
    merged: list[tuple[float, float]] = []
    for a, b in sorted(lost):
        if merged and a < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
        else:
            merged.append((a, b))
    return Look(
        due=probes.due,
        kept=probes.kept - len(blind),
        interval_s=probes.interval_s,
        window_s=window.seconds if window is not None else probes.due * probes.interval_s,
        stretches=tuple(merged),
    )


def answered(reason: str) -> bool:
    """Whether a failure with this reason was an answer all the same: a status, or a document."""
    return reason[:3].isdigit() or reason.startswith("schema")


def not_looked(probes: Probes, wanting: str) -> tuple[str, str] | None:
    """Code and reason, when answers that are no look at the service leave too few looks.

    Args:
        wanting: why there are too few; empty when there are enough.
    """
    if not wanting:
        return None
    for code, kind, told in (
        ("stale", STALE, "were answered by a cache or with an old document"),
        ("not_taken", NOT_TAKEN, "had an answer that our client cannot read"),
    ):
        found = {k.removeprefix(kind): n for k, n in probes.statuses.items() if k.startswith(kind)}
        if found:
            by = join_some(sorted(found))
            return code, (
                f"{format_count(sum(found.values()))} of {format_count(probes.due)} probes {told} "
                f"({by}), and say nothing of the service: {wanting}"
            )
    return None


class AlwaysUp(Objective, frozen=True, kw_only=True):
    """No health check failed.

    Args:
        retry_after_s: a failed probe counts when the one so much later fails too, in seconds.
        coverage: share of the due probes that must have run, 0 to 1.
        max_gap_s: longest stretch without a look, in seconds.
    """

    needs: ClassVar[Kinds] = {"probes": Probes}

    retry_after_s: float = 30.0
    coverage: float = REQUIRED
    max_gap_s: float = LONGEST_GAP_S

    def limit_text(self) -> str:
        return "none allowed"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        probes = given(evidence, "probes", Probes)
        look = looked(probes)
        theirs = sorted((f for f in probes.failures if f.control is not False), key=lambda f: f.at)
        lasting = [f for f in theirs if self._lasts(f, theirs, probes.interval_s)]
        refused = [f for f in lasting if f.reason in REFUSALS]
        known = [f for f in lasting if f.reason not in REFUSALS]
        down = [f for f in known if _is_theirs(f)]
        unknown = [f for f in known if not _is_theirs(f)]
        figures = {
            **look.figures(),
            "failed": float(len(theirs)),
            "counted": float(len(down)),
            "no_network": float(probes.bad - len(theirs)),
            "longest_outage_s": max((f.lasted_s for f in down), default=0.0),
        }
        blind = probes.bad - len(theirs)
        beside = (
            f"; {format_count(blind)} had no answer while the control had none" if blind else ""
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
                "health_failed" if answered(down[0].reason) else "no_answer",
                f"{count_of(len(down), look.kept)} health probes failed, "
                "and the ones "
                f"{self.retry_after_s:g} s later too: {_outages(down)}{beside}; {look.unseen()}",
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
                "control address was not asked, so that it may be our own network",
            )
        wanting = look.wanting(self.coverage, self.max_gap_s)
        unread = not_looked(probes, wanting) or _frozen(probes, self.max_gap_s)
        if unread is not None:
            return verdict(Outcome.INCONCLUSIVE, *unread)
        if wanting:
            return verdict(
                Outcome.INCONCLUSIVE,
                "coverage_too_low",
                f"Only {look.ran()}; {look.unseen()}: {wanting}{beside}"
                + ("; of what ran, nothing failed for long" if theirs else ""),
            )
        pending = self._pending(probes, theirs)
        if pending is not None:
            return verdict(
                Outcome.INCONCLUSIVE,
                "too_early",
                f"The probe of {format_time(pending.at)} failed ({pending.reason}), and the one "
                f"{self.retry_after_s:g} s later is not of this window",
            )
        return verdict(Outcome.PASS, "", self._clean(look, theirs) + beside)

    def _lasts(self, failure: Failure, all_: Sequence[Failure], interval_s: float) -> bool:
        """Whether the probe ``retry_after_s`` after this one failed too."""
        if failure.lasted_s > self.retry_after_s:
            return True
        due = failure.at + self.retry_after_s
        first = bisect_left(all_, due - interval_s / 2, key=lambda other: other.at)
        return first < len(all_) and all_[first].at < due + interval_s / 2

    def _pending(self, probes: Probes, failures: Sequence[Failure]) -> Failure | None:
        """A failure at the window's end that may yet last; none when there is none."""
        window = probes.question.window
        if window is None or not failures:
            return None
        last = max(failures, key=lambda f: f.at)
        rest = window.end.timestamp() - last.at
        ended = last.lasted_s == 0 and rest > probes.interval_s * (1 + 1e-9)
        return None if ended or rest > self.retry_after_s else last

    def _clean(self, look: Look, failures: Sequence[Failure]) -> str:
        """What was seen and what could have hidden, when nothing that failed lasted."""
        parts = [
            f"{look.ran()}, "
            + (
                f"{format_count(len(failures))} failed and the next ones were good"
                if failures
                else "none failed"
            ),
            f"{look.unseen()}, so any outage over {format_duration(look.longest_s)} is excluded",
        ]
        if look.longest_s > SHORT_S:
            chance = look.missed(SHORT_S)
            hidden = looks.compatible_outages(chance)
            parts.append(
                f"a {SHORT_S:g} s outage would be missed with probability {chance:.2f}"
                + (f", and up to {hidden:.0f} such are compatible at 95 %" if hidden >= 1 else "")
            )
        return "; ".join(parts)


def _frozen(probes: Probes, longest_s: float) -> tuple[str, str] | None:
    """Code and reason, when the uptime stood still for longer: one answer was given again."""
    first: dict[str, tuple[float, float]] = {}
    for each in probes.uptimes:
        since, before = first.get(each.instance, (each.at, each.uptime_s))
        if each.uptime_s != before:
            since = each.at
        elif each.at - since > longest_s and each.uptime_s > 0:
            return "stale", (
                f"The uptime stood at {format_number(each.uptime_s)} from {format_time(since)} to "
                f"{format_time(each.at)}: the same document was given again, by a cache or by a "
                "service that no longer makes a new one"
            )
        first[each.instance] = since, each.uptime_s
    return None


def _is_theirs(failure: Failure) -> bool:
    """Whether it is the service's failure: it answered, or the control address did."""
    return failure.control is True or answered(failure.reason)


def _outages(failures: Sequence[Failure]) -> str:
    """Each outage with its start, its length and its reason."""
    told: list[str] = []
    until = float("-inf")
    for each in sorted(failures, key=lambda f: f.at):
        if each.at >= until:
            lasted = f" for {format_duration(each.lasted_s)}" if each.lasted_s else ""
            told.append(f"{one_line(each.reason, 60)} from {format_time(each.at)}{lasted}")
        until = max(until, each.at + each.lasted_s)
    return join_some(told)
