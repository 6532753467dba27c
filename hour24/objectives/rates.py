"""The share of requests that fail: the platform's full count, our own probes beside it.

Rules of this module:

- The platform's counters are a census: the window's share is a fact, and is compared. It speaks
  from 1 / limit requests on (100 for 1 %), below which one failure alone would be beyond; to fail
  it needs two failures, however few the requests.
- Probes are a sample of the service's answers, whatever else is told of them: exact bounds, FAIL
  at 99 %, PASS at 95 %, else the number of probes that would settle it.
- FAIL when either shows it. Where both speak and differ, the reason says so.
- PASS by probes alone, labelled ``probe``, where there are no customers' requests to count: no
  platform is described, or its count is clean and too small to speak.
- A platform that is described and did not answer may have counted failures of paths that nobody
  probes: good probes do not replace it, and the verdict is INCONCLUSIVE with its code. Its
  counters keep; another attempt asks for the same window. Bad probes are FAIL all the same.
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


class Look(NamedTuple):
    """One witness's count against the limit.

    Args:
        told: what it found, part of a sentence.
        bound: the bound that matters, a few words; empty when there is none.
        lower, upper: the same on the axis; none where there is none.
    """

    by: str
    share: Share
    told: str
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

    limit: float

    def limit_text(self) -> str:
        return f"below {format_percent(self.limit)}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        platform, probe = _described(evidence, "platform"), _described(evidence, "probe")
        looks = {
            name: self._look(name, answer)
            for name, answer in (("platform", platform), ("probe", probe))
            if isinstance(answer, Counts)
        }
        for look in looks.values():
            if look.share.standing == "beyond":
                return self._verdict(Outcome.FAIL, "beyond_limit", look, looks, (platform, probe))
        if isinstance(platform, Unanswered):
            return self._unanswered(platform, looks)
        if "platform" in looks:
            return self._by_platform(looks, (platform, probe))
        if isinstance(probe, Unanswered):
            return self._unanswered(probe, looks)
        if "probe" not in looks:
            return self.unmeasured(
                "not_described",
                "Nobody counts requests: production.toml describes no platform, and "
                "nothing was probed",
            )
        return self._by_probe(looks, (platform, probe))

    def _by_platform(
        self, looks: Mapping[str, Look], answers: tuple[Evidence | None, ...]
    ) -> Verdict:
        """The verdict where the platform answered, and nothing is beyond the limit."""
        census = looks["platform"]
        if census.share.standing == "inside":
            return self._verdict(Outcome.PASS, "", census, looks, answers)
        probe = looks.get("probe")
        if census.share.bad == 0 and probe is not None and probe.share.standing == "inside":
            return self._verdict(Outcome.PASS, "", probe, looks, answers)
        return self._verdict(
            Outcome.INCONCLUSIVE, "too_little_traffic", census, looks, answers, self._enough(census)
        )

    def _by_probe(self, looks: Mapping[str, Look], answers: tuple[Evidence | None, ...]) -> Verdict:
        """The verdict where only probes speak, and are not beyond the limit."""
        probe = looks["probe"]
        if probe.share.standing == "inside":
            return self._verdict(Outcome.PASS, "", probe, looks, answers)
        return self._verdict(
            Outcome.INCONCLUSIVE, "too_few_samples", probe, looks, answers, self._enough(probe)
        )

    def _look(self, name: str, answer: Counts) -> Look:
        if name == "platform" and answer.basis == "census":
            return self._census(answer)
        share = judge_sample(answer.bad, answer.total, self.limit)
        told = f"{_failed(answer)}{in_window(answer.question.window)}{_parts(answer)}"
        if share.total == 0:
            return Look(name, share, told, "", None, None)
        high, low = f"{format_percent(share.upper)}", f"{format_percent(share.lower)}"
        told += {
            "inside": f"; 95 % upper bound {high}",
            "beyond": f"; 99 % lower bound {low}",
            "open": f"; the true share may be up to {high}",
        }[share.standing]
        bound = {"inside": f"at most {high}", "beyond": f"at least {low}"}.get(
            share.standing, f"{low} to {high}"
        )
        return Look(name, share, told, bound, share.lower, share.upper)

    def _census(self, answer: Counts) -> Look:
        """The platform's full count; too few requests leave it open.

        The bound it would have as a sample is told where it lies inside the limit too.
        """
        share = judge_census(answer.bad, answer.total, self.limit)
        if share.standing == "inside" and share.total < self._least():
            share = share._replace(standing="open")
        told = f"{_failed(answer)}{in_window(answer.question.window)}{_parts(answer)}"
        if share.standing == "inside":
            high = upper(share.bad, share.total)
            if high < self.limit:
                told += f"; 95 % upper bound {format_percent(high)}"
                return Look("platform", share, told, f"at most {format_percent(high)}", None, high)
        return Look("platform", share, told, "", None, None)

    def _least(self) -> int:
        """So many requests that one failure among them is not beyond the limit."""
        return math.ceil(1 / self.limit - 1e-9)

    def _enough(self, look: Look) -> int:
        """How many there must be in all to show a share below the limit."""
        if look.by == "probe" or look.lower is not None:
            return needed_total(look.share.bad, self.limit)
        return max(self._least(), math.floor(look.share.bad / self.limit + 1e-9) + 1)

    def _unanswered(self, answer: Unanswered, looks: Mapping[str, Look]) -> Verdict:
        beside = "".join(f"; beside it, {look.told}" for look in looks.values())
        probes = looks.get("probe")
        if probes is not None and probes.share.standing == "inside":
            beside += ", which says nothing of paths that are not probed"
        return self.unmeasured(
            answer.code,
            answer.reason + beside,
            {name: v for look in looks.values() for name, v in look.figures().items()},
        )

    def _verdict(
        self,
        outcome: Outcome,
        code: str,
        by: Look,
        looks: Mapping[str, Look],
        answers: tuple[Evidence | None, ...],
        enough: int = 0,
    ) -> Verdict:
        """The verdict by one look, the others told beside it."""
        figures = {name: v for look in looks.values() for name, v in look.figures().items()}
        reason = by.told
        if by.by == "probe" and outcome == Outcome.PASS:
            reason += " (probe: hour24's own requests)"
        if enough:
            figures["needed"] = float(enough)
            what = "probes" if by.by == "probe" else "requests"
            reason += (
                f"; {format_count(enough)} {what} with no further failure would settle it"
                if by.share.bad or by.by == "probe"
                else f"; below {format_count(enough)} {what} a share of "
                f"{format_percent(self.limit)} cannot be told from a single failure"
            )
        reason += "".join(
            f"; beside it, {look.told}{self._disagreeing(by, look)}"
            for look in looks.values()
            if look is not by
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

    def _disagreeing(self, by: Look, other: Look) -> str:
        """That two counts lie on different sides of the limit; empty when they do not."""
        if by.share.total == 0 or other.share.total == 0:
            return ""
        if (by.share.share < self.limit) == (other.share.share < self.limit):
            return ""
        few = other.share.bad < LEAST_BAD and other.share.standing == "open"
        return ": they disagree" + (", by a single failure" if few else "")


def _described(evidence: Mapping[str, Evidence], name: str) -> Evidence | None:
    """The answer of this name; none where production.toml does not describe whom to ask."""
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
    """How they failed: `` (502 3, timeout 1)``; empty when none did."""
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
        + ", ".join(f"{one_line(name, 40)} {format_count(n)}" for name, n in bad[:MOST_PARTS])
        + ")"
    )
