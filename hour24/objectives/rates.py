"""The share of requests that fail: the platform's full count, and our own probes.

Rules of this module:

- The platform's counters are a census: the window's share is exact. It needs 1 / limit requests
  (100 for 1 %), below which one failure alone would exceed the limit; a FAIL needs two failures,
  however few the requests.
- Probes are a sample of the service's answers, whatever their basis says: exact bounds, FAIL at
  99 %, PASS at 95 %, else the number of probes that would decide.
- FAIL when either shows it. Where both have data and disagree, the reason says so.
- PASS by probes alone, labelled ``probe``, where there are too few users' requests: no platform is
  described, or its count is clean and too small.
- A described platform that did not answer may have counted failures on paths that are not probed:
  good probes do not replace it, and the verdict is INCONCLUSIVE with its code. Its counters remain;
  another attempt asks for the same window. Bad probes still FAIL.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from hour24.evidence import Counts, Evidence, Unanswered
from hour24.objectives.base import Kinds, Objective
from hour24.statistics.rates import (
    LEAST_BAD,
    Share,
    judge_census,
    judge_sample,
    needed_total,
    upper,
)
from hour24.text import count_of, format_count, format_percent, in_window, one_line
from hour24.verdict import Outcome, Scale, Verdict

MOST_PARTS = 4
"""Parts named in a reason: more do not fit on a line."""


OTHERS = {
    "platform": ("the platform", "agrees", "disagrees"),
    "probe": ("our own probes", "agree", "disagree"),
}
"""Source -> its name next to another one, with the verb for both cases."""


class Finding(NamedTuple):
    """One source's count compared with the limit.

    Args:
        by: the source, ``platform`` or ``probe``.
        share: the count.
        text: its result, part of a sentence.
        bound: the bound that decides, a few words; empty when there is none.
        lower, upper: the bound as numbers; None when there is none.
    """

    by: str
    share: Share
    text: str
    bound: str
    lower: float | None
    upper: float | None

    def figures(self) -> dict[str, float]:
        """Its numbers, by name."""
        share = self.share
        found = {f"{self.by}_bad": float(share.bad), f"{self.by}_total": float(share.total)}
        if share.total:
            found[f"{self.by}_share"] = share.share
        for name, value in (("lower", self.lower), ("upper", self.upper)):
            if value is not None:
                found[f"{self.by}_{name}"] = value
        return found


class RateBelow(Objective, frozen=True, kw_only=True):
    """Fewer than ``limit`` of the requests fail.

    Args:
        limit: a share, above 0 and below 1.
    """

    needs: ClassVar[Kinds] = {}
    may: ClassVar[Kinds] = {"platform": Counts, "probe": Counts}
    spared: ClassVar[Mapping[str, str]] = {
        "platform": "its silence is judged in conclude",
        "probe": "our own requests; a criterion of its own reports a prober that is off",
    }

    limit: float

    def limit_text(self) -> str:
        return f"below {format_percent(self.limit)}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        platform, probe = (
            _described_answer(evidence, "platform"),
            _described_answer(evidence, "probe"),
        )
        findings = {
            name: self._examine(name, answer)
            for name, answer in (("platform", platform), ("probe", probe))
            if isinstance(answer, Counts)
        }
        for finding in findings.values():
            if finding.share.standing == "beyond":
                return self._verdict(
                    Outcome.FAIL, "beyond_limit", finding, findings, (platform, probe)
                )
        if isinstance(platform, Unanswered):
            return self._without_answer(platform, findings)
        if "platform" in findings:
            return self._by_platform(findings, (platform, probe))
        if isinstance(probe, Unanswered):
            return self._without_answer(probe, findings)
        if "probe" not in findings:
            return self.unmeasured(
                "not_described",
                "No source counts requests: production.toml describes no platform, and "
                "nothing was probed",
            )
        return self._by_probe(findings, (platform, probe))

    def _by_platform(
        self, findings: Mapping[str, Finding], answers: tuple[Evidence | None, ...]
    ) -> Verdict:
        """The verdict when the platform answered and no count exceeds the limit."""
        census = findings["platform"]
        if census.share.standing == "inside":
            return self._verdict(Outcome.PASS, "", census, findings, answers)
        probe = findings.get("probe")
        if census.share.bad == 0 and probe is not None and probe.share.standing == "inside":
            return self._verdict(Outcome.PASS, "", probe, findings, answers)
        if any(isinstance(each, Counts) and _bracket(each) for each in answers):
            return self._verdict(
                Outcome.INCONCLUSIVE, "source_incomplete", census, findings, answers
            )
        return self._verdict(
            Outcome.INCONCLUSIVE,
            "too_little_traffic",
            census,
            findings,
            answers,
            self._enough(census),
        )

    def _by_probe(
        self, findings: Mapping[str, Finding], answers: tuple[Evidence | None, ...]
    ) -> Verdict:
        """The verdict by probes alone, when they do not exceed the limit."""
        probe = findings["probe"]
        if probe.share.standing == "inside":
            return self._verdict(Outcome.PASS, "", probe, findings, answers)
        return self._verdict(
            Outcome.INCONCLUSIVE, "too_few_samples", probe, findings, answers, self._enough(probe)
        )

    def _examine(self, name: str, answer: Counts) -> Finding:
        if name == "platform" and answer.basis == "census":
            return self._census(answer)
        share = judge_sample(answer.bad, answer.total, self.limit)
        text = f"{_failed(answer)}{in_window(answer.question.window)}{_parts(answer)}"
        if share.total == 0:
            return Finding(name, share, text, "", None, None)
        high, low = f"{format_percent(share.upper)}", f"{format_percent(share.lower)}"
        text += {
            "inside": f"; 95 % upper bound {high}",
            "beyond": f"; 99 % lower bound {low}",
            "open": f"; the true share may be up to {high}",
        }[share.standing]
        bound = {"inside": f"at most {high}", "beyond": f"at least {low}"}.get(
            share.standing, f"{low} to {high}"
        )
        return Finding(name, share, text, bound, share.lower, share.upper)

    def _census(self, answer: Counts) -> Finding:
        """The platform's full count; too few requests leave it open.

        Its bound as a sample is reported, too, where that is inside the limit.
        """
        share = _of_bracket(answer, self.limit)
        if share.standing == "inside" and share.total < self._least():
            share = share._replace(standing="open")
        text = f"{_failed(answer)}{in_window(answer.question.window)}{_parts(answer)}"
        text += _bracket(answer)
        if share.standing == "inside":
            high = upper(share.bad, share.total)
            if high < self.limit:
                text += f"; 95 % upper bound {format_percent(high)}"
                return Finding(
                    "platform", share, text, f"at most {format_percent(high)}", None, high
                )
        return Finding("platform", share, text, "", None, None)

    def _least(self) -> int:
        """The number of requests from which one failure is not beyond the limit."""
        return math.ceil(1 / self.limit - 1e-9)

    def _enough(self, finding: Finding) -> int:
        """The total number that would show a share below the limit."""
        if finding.by == "probe" or finding.lower is not None:
            return needed_total(finding.share.bad, self.limit)
        return max(self._least(), math.floor(finding.share.bad / self.limit + 1e-9) + 1)

    def _without_answer(self, answer: Unanswered, findings: Mapping[str, Finding]) -> Verdict:
        suffix = "".join(f"; {OTHERS[each.by][0]}: {each.text}" for each in findings.values())
        probes = findings.get("probe")
        if probes is not None and probes.share.standing == "inside":
            suffix += ", which says nothing about paths that are not probed"
        return self.unmeasured(
            answer.code,
            answer.reason + suffix,
            {name: v for finding in findings.values() for name, v in finding.figures().items()},
        )

    def _verdict(
        self,
        outcome: Outcome,
        code: str,
        by: Finding,
        findings: Mapping[str, Finding],
        answers: tuple[Evidence | None, ...],
        enough: int = 0,
    ) -> Verdict:
        """The verdict by one finding; the others are added to its reason."""
        figures = {
            name: v for finding in findings.values() for name, v in finding.figures().items()
        }
        reason = by.text
        if by.by == "probe" and outcome == Outcome.PASS:
            reason += " (probe: hour24's own requests)"
        if enough:
            figures["needed"] = float(enough)
            what = "probes" if by.by == "probe" else "requests"
            reason += (
                f"; {format_count(enough)} {what} with no further failure would decide it"
                if by.share.bad or by.by == "probe"
                else f"; below {format_count(enough)} {what} a share of "
                f"{format_percent(self.limit)} cannot be distinguished from one failure"
            )
        reason += "".join(
            f"; {self._compare_probes(by, finding)}: {finding.text}"
            for finding in findings.values()
            if finding is not by
        )
        reason += "".join(
            f"; not answered: {answer.reason}"
            for answer in answers
            if isinstance(answer, Unanswered)
        )
        share = by.share
        observed = "no requests" if share.total == 0 else format_percent(share.share)
        if by.by == "probe" and share.total:
            observed += " (probe)"
        return Verdict(
            outcome=outcome,
            code=code,
            reason=reason,
            observed=observed,
            bound=by.bound,
            limit=self.limit_text(),
            scale=Scale(
                unit="ratio",
                limit=self.limit,
                observed=share.share,
                lower=by.lower,
                upper=by.upper,
            )
            if share.total
            else None,
            figures=figures,
        )

    def _compare_probes(self, by: Finding, other: Finding) -> str:
        """``our own probes agree``: whether both counts are on the same side of the limit."""
        name, agree, disagree = OTHERS[other.by]
        if by.share.total == 0 or other.share.total == 0:
            return name
        if (by.share.share < self.limit) == (other.share.share < self.limit):
            return f"{name} {agree}"
        few = other.share.bad < LEAST_BAD and other.share.standing == "open"
        return f"{name} {disagree}" + (", by a single failure" if few else "")


def _of_bracket(answer: Counts, limit: float) -> Share:
    """The count against the limit: beyond at the least that failed, inside at the most."""
    bad_most = answer.bad if answer.bad_most is None else answer.bad_most
    total_most = answer.total if answer.total_most is None else answer.total_most
    unsure = bad_most - answer.bad
    best = judge_census(answer.bad, max(answer.total, total_most - unsure), limit)
    if best.standing == "beyond" or not (unsure or total_most - answer.total):
        return best
    worst = judge_census(bad_most, answer.total + unsure, limit)
    return worst._replace(standing="inside" if worst.standing == "inside" else "open")


def _bracket(answer: Counts) -> str:
    """``; at most 9 of them failed``; empty where the count of failures is exact."""
    if answer.bad_most is None or answer.bad_most == answer.bad:
        return ""
    return (
        f"; up to {format_count(answer.bad_most)} may have failed in the window: counters that "
        "appeared in it may be older"
    )


def _described_answer(evidence: Mapping[str, Evidence], name: str) -> Evidence | None:
    """The answer with this name; None where production.toml does not describe its source."""
    answer = evidence.get(name)
    if isinstance(answer, Unanswered) and answer.code == "not_described":
        return None
    return answer


def _failed(answer: Counts) -> str:
    what = one_line(answer.what, 40)
    if answer.total == 0:
        return f"No {what} were counted"
    share = format_percent(answer.bad / answer.total)
    return f"{count_of(answer.bad, answer.total)} {what} failed ({share})"


def _parts(answer: Counts) -> str:
    """How they failed: `` (3 × HTTP 502, 1 × timeout)``; empty when none did."""
    bad = [
        (name, n)
        for name, n in answer.parts.items()
        if n and (name.startswith("5") or not name[:1].isdigit())
    ]
    if not answer.bad or not bad:
        return ""
    bad.sort(key=lambda part: (-part[1], part[0]))
    return (
        " ("
        + ", ".join(f"{format_count(n)} × {_answer_name(name)}" for name, n in bad[:MOST_PARTS])
        + ")"
    )


def _answer_name(name: str) -> str:
    """Return ``HTTP 503`` for a status, and any other kind of answer by its own name."""
    return f"HTTP {name}" if name.isdigit() else one_line(name, 40)
