"""Whether every health probe passed, and how much of the window was probed.

Rules of this module:

- A failed probe counts when the one ``retry_after_s`` later fails too; a shorter failure is only
  reported.
- A probe that failed while the control address did not answer either failed because of our own
  network: its time is a gap. Without an answer about the control address, a missing answer shows
  nothing.
- 401 and 403 are caused by our credential, not by the service's health.
- Too few probes, or too long a gap, prevent a PASS but not a FAIL.
- Of several vantages, each is read by itself, with its own control address. A vantage without data
  neither accuses nor acquits: it prevents a PASS where its failure could have decided.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from hour24.evidence import NOT_TAKEN, STALE, Evidence, Failure, Probes, Unanswered
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
    plural,
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


class VantageView(NamedTuple):
    """What one vantage saw of a window.

    Args:
        name: empty where there is only one.
        counted: its failures, except those of its own network.
        down: of these, the lasting failures of the service.
        lost: how many probes its own network lost.
        no_data: code and reason, when what it saw does not allow a PASS.
    """

    name: str
    covered: ProbeCoverage
    counted: tuple[Failure, ...]
    down: tuple[Failure, ...]
    lost: int
    no_data: tuple[str, str] | None

    @property
    def code(self) -> str:
        """The code of its first failure."""
        return "health_failed" if was_answered(self.down[0].reason) else "no_answer"

    def figures(self) -> dict[str, float]:
        """The numbers behind it."""
        return {
            **self.covered.figures(),
            "failed": float(len(self.counted)),
            "counted": float(len(self.down)),
            "no_network": float(self.lost),
            "longest_outage_s": max((f.lasted_s for f in self.down), default=0.0),
        }

    def lost_text(self) -> str:
        """What its own network lost, as the end of a sentence; empty when nothing was lost."""
        if not self.lost:
            return ""
        return (
            f"; {format_count(self.lost)} got no answer while the control address did not "
            "answer either"
        )

    def outages(self, retry_after_s: float) -> list[tuple[float, float]]:
        """From when to when it saw the service down, in epoch seconds."""
        return [(f.at, f.at + max(f.lasted_s, retry_after_s)) for f in self.down]

    def says(self, retry_after_s: float) -> str:
        """``virginia: 3 of 240 probes failed ...``."""
        parts = []
        if self.down:
            parts.append(
                f"{count_of(len(self.down), self.covered.kept)} probes failed, and the ones "
                f"{retry_after_s:g} s later too: {_outages(self.down)}"
            )
        if self.no_data is not None:
            parts.append(f"no data: {self.no_data[1]}")
        if not parts:
            failed = f"{len(self.counted)} failed and the next ones were good"
            parts.append(
                f"{self.covered.ran_text()}, {failed if self.counted else 'none failed'}"
                + self.lost_text()
            )
        return f"{one_line(self.name, 60)}: " + "; ".join(parts)


class AlwaysUp(Objective, frozen=True, kw_only=True):
    """No health check failed.

    Args:
        retry_after_s: a failed probe counts when the one this much later fails too, in seconds.
        coverage: share of the due probes that must have run, 0 to 1.
        max_gap_s: longest time without a probe, in seconds.
        vantages_needed: how many vantages must see a failure at the same time for it to count.
    """

    needs: ClassVar[Kinds] = {"probes": Probes}

    retry_after_s: float = 30.0
    coverage: float = REQUIRED
    max_gap_s: float = LONGEST_GAP_S
    vantages_needed: int = 1

    def limit_text(self) -> str:
        if self.vantages_needed > 1:
            return f"none seen from {self.vantages_needed} vantages"
        return "none allowed"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        probes = pick(evidence, "probes", Probes)
        if probes.vantages:
            return self._of_many([self._view(n, each) for n, each in probes.vantages.items()])
        view = self._view("", probes)
        covered, down = view.covered, view.down
        if down:
            return self._verdict(
                Outcome.FAIL,
                view.code,
                f"{count_of(len(down), covered.kept)} health probes failed, "
                "and the ones "
                f"{self.retry_after_s:g} s later too: {_outages(down)}{view.lost_text()}; "
                f"{covered.longest_gap_text()}",
                view.figures(),
                len(down),
            )
        if view.no_data is not None:
            return self._verdict(Outcome.INCONCLUSIVE, *view.no_data, view.figures(), 0)
        reason = self._clean(covered, view.counted) + view.lost_text()
        return self._verdict(Outcome.PASS, "", reason, view.figures(), 0)

    def _verdict(
        self, outcome: Outcome, code: str, reason: str, figures: dict[str, float], down: int
    ) -> Verdict:
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed=f"{format_count(down)} failed",
            limit=self.limit_text(),
            scale=Scale(unit="failed probes", limit=0.0, observed=float(down)),
            figures=figures,
        )

    def _view(self, name: str, answer: Evidence) -> VantageView:
        """What one vantage saw."""
        if not isinstance(answer, Probes):
            assert isinstance(answer, Unanswered), name
            none = ProbeCoverage(0, 0, 0.0, 0.0, ())
            return VantageView(name, none, (), (), 0, (answer.code, answer.reason))
        covered = measure_coverage(answer)
        counted = tuple(
            sorted((f for f in answer.failures if f.control is not False), key=lambda f: f.at)
        )
        lasting = [f for f in counted if self._lasts(f, counted, answer.interval_s)]
        known = [f for f in lasting if f.reason not in REFUSALS]
        view = VantageView(
            name,
            covered,
            counted,
            tuple(f for f in known if _is_theirs(f)),
            answer.bad - len(counted),
            None,
        )
        return view._replace(no_data=self._no_data(answer, view, lasting))

    def _no_data(
        self, probes: Probes, view: VantageView, lasting: Sequence[Failure]
    ) -> tuple[str, str] | None:
        """Code and reason, when what a vantage saw does not allow a PASS; else None."""
        covered = view.covered
        refused = [f for f in lasting if f.reason in REFUSALS]
        unknown = [f for f in lasting if f.reason not in REFUSALS and not _is_theirs(f)]
        if refused:
            return "source_refused", (
                f"{format_count(len(refused))} probes were answered {refused[0].reason} from "
                f"{format_time(refused[0].at)} on: expected our credential to be accepted; see "
                "health.headers in production.toml"
            )
        if unknown:
            return "no_control", (
                f"{format_count(len(unknown))} probes had no answer ({_outages(unknown)}), and the "
                "control address was not asked, so it may be our own network"
            )
        shortfall = covered.shortfall(self.coverage, self.max_gap_s)
        unusable = unusable_answers(probes, shortfall) or _frozen(probes, self.max_gap_s)
        if unusable is not None:
            return unusable
        if shortfall:
            return "coverage_too_low", (
                f"Only {covered.ran_text()}; {covered.longest_gap_text()}: {shortfall}"
                + view.lost_text()
                + ("; no lasting failure in the probes that ran" if view.counted else "")
            )
        pending = self._pending(probes, view.counted)
        if pending is not None:
            return "too_early", (
                f"The probe of {format_time(pending.at)} failed ({pending.reason}), and the one "
                f"{self.retry_after_s:g} s later is outside this window"
            )
        return None

    def _of_many(self, views: Sequence[VantageView]) -> Verdict:
        """The verdict on what several vantages saw.

        FAIL if as many as are needed saw a failure at the same time. No PASS if those that saw one
        and those without data, which may have seen it too, are as many together.
        """
        needed = min(self.vantages_needed, len(views))
        spans = {view.name: view.outages(self.retry_after_s) for view in views}
        seen_by = _seen_together(spans, needed)
        no_data = [view for view in views if view.no_data is not None]
        silent = {view.name for view in no_data}
        clear = {name: spans[name] for name in spans if name not in silent}
        possible = len(no_data) + max(
            (len(_seen_at(clear, start)) for each in clear.values() for start, _ in each), default=0
        )
        counted = sum(len(view.down) for view in views if view.name in seen_by)
        answered = [view for view in views if view.covered.due]
        figures = {
            "due": float(sum(view.covered.due for view in views)),
            "kept": float(sum(view.covered.kept for view in views)),
            "coverage": min(view.covered.share for view in views),
            "longest_gap_s": max((view.covered.longest_s for view in answered), default=0.0),
            "failed": float(sum(len(view.counted) for view in views)),
            "counted": float(counted),
            "no_network": float(sum(view.lost for view in views)),
            "longest_outage_s": max(
                (f.lasted_s for v in views if v.name in seen_by for f in v.down), default=0.0
            ),
            "vantages": float(len(views)),
            "vantages_failed": float(sum(bool(view.down) for view in views)),
            "vantages_no_data": float(len(no_data)),
            "vantages_needed": float(needed),
        }
        rest = "; ".join(view.says(self.retry_after_s) for view in views)
        if seen_by:
            first = next(view for view in views if view.name in seen_by)
            lead = f"A failure was seen from {join_some(sorted(seen_by))}"
            return self._verdict(
                Outcome.FAIL,
                first.code,
                f"{lead} ({len(seen_by)} of {len(views)} vantages; {needed} needed): {rest}",
                figures,
                counted,
            )
        if no_data and possible >= needed:
            code, _ = no_data[0].no_data or ("", "")
            names = join_some(sorted(silent))
            return self._verdict(
                Outcome.INCONCLUSIVE,
                code,
                f"No data from {names}, and a failure counts when {needed} of {len(views)} "
                f"vantages see it: {rest}",
                figures,
                0,
            )
        lead = f"No failure was seen from {plural(needed, 'vantage')} of {len(views)} at once"
        return self._verdict(Outcome.PASS, "", f"{lead}: {rest}", figures, 0)

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


def _seen_at(spans: Mapping[str, Sequence[tuple[float, float]]], at: float) -> set[str]:
    """The vantages that saw the service down at this time."""
    return {name for name, each in spans.items() if any(a <= at < b for a, b in each)}


def _seen_together(spans: Mapping[str, Sequence[tuple[float, float]]], needed: int) -> set[str]:
    """The vantages that saw an outage which at least ``needed`` of them saw at the same time."""
    found: set[str] = set()
    for start in {start for each in spans.values() for start, _ in each}:
        names = _seen_at(spans, start)
        if len(names) >= needed:
            found |= names
    return found


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
