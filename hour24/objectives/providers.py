"""Combines what several witnesses answered to the same question: rule 2 of the design, once.

Rules of this module:

- Each witness is judged by itself, with its own answers where it has any and the first other
  answer where it has none. Every function here is pure: answers and verdicts in, verdict out.
- FAIL if any witness proves it. A list read in part proves at least what was read.
- Two censuses of the same population, one that passes and one that fails, cannot both be true:
  INCONCLUSIVE (``source_misread``), unless another witness proves the FAIL.
- Otherwise the worst counts: no PASS while a witness is silent, partial or undecided.
- A witness that answered in full that it does not hold a measure is left out and named. The
  silence of a second opinion is named and blocks nothing.
- The reason names every witness, and says who disagrees.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from hour24.evidence import (
    PROVIDER,
    Counts,
    Evidence,
    Listing,
    Quantiles,
    Series,
    Unanswered,
)
from hour24.text import join_some
from hour24.verdict import Outcome, Verdict

FIRST = ""
"""The provider of answers with a plain name: the first in production.toml."""
SAME_POPULATION = 0.02
"""Two totals this near to each other count the same things: clocks and edges of a window differ."""


class View(NamedTuple):
    """What one witness makes of the question.

    Args:
        evidence: every answer by its plain name, as this witness's verdict needs it.
        own: of these, the answers that this witness gave, where others gave one too.
    """

    evidence: dict[str, Evidence]
    own: dict[str, Evidence]

    @property
    def who(self) -> str:
        """The witness's name for people."""
        return next((each.question.who for each in self.own.values()), "")

    @property
    def absent(self) -> bool:
        """True if the witness holds none of what it was asked for."""
        return bool(self.own) and all(map(is_not_provided, self._asked))

    @property
    def second(self) -> bool:
        """True if the witness is only a second opinion."""
        return bool(self.own) and all(each.question.second_opinion for each in self._asked)

    @property
    def _asked(self) -> list[Evidence]:
        """Its answers now: without earlier evidence, which the ledger may lack."""
        return [each for each in self.own.values() if each.question.measure] or [*self.own.values()]


def views(evidence: Mapping[str, Evidence]) -> dict[str, View]:
    """Each provider -> its view; one view without a name where no question had two answers."""
    by_name: dict[str, dict[str, Evidence]] = {}
    for key, answer in evidence.items():
        name, _, by = key.partition(PROVIDER)
        by_name.setdefault(name, {})[by] = answer
    providers = dict.fromkeys([FIRST, *(by for each in by_name.values() for by in each)])
    return {
        by: View(
            evidence={name: _answer_for(by, answers) for name, answers in by_name.items()},
            own={
                name: answers[by]
                for name, answers in by_name.items()
                if len(answers) > 1 and by in answers
            },
        )
        for by in providers
    }


def _answer_for(by: str, answers: Mapping[str, Evidence]) -> Evidence:
    """The provider's own answer; the first of another where it has none or does not hold it."""
    ranked = [answers[by]] if by in answers else []
    ranked += list(answers.values())
    return next((each for each in ranked if not is_not_provided(each)), ranked[0])


def combine(verdicts: Mapping[str, Verdict], seen: Mapping[str, View]) -> Verdict:
    """The verdict on the answers of all providers.

    Args:
        verdicts: provider -> the verdict on its view.
        seen: provider -> its view.
    """
    present = [by for by in verdicts if not seen[by].absent]
    if not present:
        return next(iter(verdicts.values()))
    first = [by for by in present if not seen[by].second] or present
    failing = [by for by in present if verdicts[by].outcome == Outcome.FAIL]
    passing = [by for by in present if verdicts[by].outcome == Outcome.PASS]
    refuted = {
        bad: good
        for bad in failing
        for good in passing
        if contradict(seen[bad].own, seen[good].own)
    }
    proven = [by for by in failing if by not in refuted]
    unsettled = [by for by in first if verdicts[by].outcome == Outcome.INCONCLUSIVE]
    if proven:
        decider = proven[0]
    elif refuted:
        return _contradictory(*next(iter(refuted.items())), verdicts, seen)
    elif unsettled:
        decider = unsettled[0]
    else:
        decider = first[0]
    return _decided(decider, verdicts, seen)


def contradict(one: Mapping[str, Evidence], other: Mapping[str, Evidence]) -> bool:
    """True if both are censuses of the same population in the same window."""
    for name in one.keys() & other.keys():
        a, b = one[name], other[name]
        sizes = population(a), population(b)
        if min(sizes) > 0 and a.question.window == b.question.window:
            difference = abs(sizes[0] - sizes[1]) / max(sizes)
            if difference <= SAME_POPULATION:
                return True
    return False


def population(answer: Evidence) -> float:
    """How many things a census counted, or the size of the disk; 0 where it is no census."""
    if answer.basis != "census":
        return 0.0
    if isinstance(answer, Counts):
        return float(answer.total)
    if isinstance(answer, Quantiles):
        return float(answer.n)
    if isinstance(answer, Series) and answer.unit == "requests":
        return sum(value or 0.0 for line in answer.lines for value in line.values)
    if isinstance(answer, Listing) and answer.items:
        size = answer.items[0].get("size_bytes")
        return float(size) if isinstance(size, int | float) else 0.0
    return 0.0


def _contradictory(
    bad: str, good: str, verdicts: Mapping[str, Verdict], seen: Mapping[str, View]
) -> Verdict:
    accuser, other = verdicts[bad], verdicts[good]
    reason = (
        f"{seen[bad].who} and {seen[good].who} counted the same in the same window and cannot both "
        f"be right: {seen[bad].who}: {accuser.reason}; {seen[good].who}: {other.reason}"
    )
    rest = _others({bad, good}, Outcome.INCONCLUSIVE, verdicts, seen)
    return replace(
        accuser,
        outcome=Outcome.INCONCLUSIVE,
        code="source_misread",
        reason=reason + rest,
        by=bad,
    )


def _decided(decider: str, verdicts: Mapping[str, Verdict], seen: Mapping[str, View]) -> Verdict:
    """The decider's verdict, with what every other witness says."""
    by = verdicts[decider]
    rest = _others({decider}, by.outcome, verdicts, seen)
    return replace(by, reason=f"With {seen[decider].who}: {by.reason}{rest}", by=decider)


def _others(
    left_out: set[str], outcome: Outcome, verdicts: Mapping[str, Verdict], seen: Mapping[str, View]
) -> str:
    return "".join(
        f"; {_said(seen[by], verdict, outcome)}"
        for by, verdict in verdicts.items()
        if by not in left_out
    )


def _said(view: View, verdict: Verdict, outcome: Outcome) -> str:
    """``the edge disagrees: 3 of 1,000 requests failed``."""
    if view.absent:
        return f"{view.who} does not provide it: {_reasons(view)}"
    name = f"{view.who} (a second opinion)" if view.second else view.who
    silence = _reasons(view)
    if verdict.outcome == Outcome.INCONCLUSIVE:
        word = "does not decide it"
    else:
        word = "agrees" if verdict.outcome == outcome else "disagrees"
    added = f"; no answer: {silence}" if silence and silence not in verdict.reason else ""
    return f"{name} {word}: {verdict.reason}{added}"


def _reasons(view: View) -> str:
    """Why this witness gave no answer to what it was asked; empty if it answered everything."""
    reasons = [each.reason for each in view.own.values() if isinstance(each, Unanswered)]
    return join_some(list(dict.fromkeys(reasons)))


def is_not_provided(answer: Evidence) -> bool:
    """True if the source answered in full that it never held this measure."""
    return isinstance(answer, Unanswered) and answer.not_provided


def missing_part(answer: Evidence) -> tuple[str, str] | None:
    """Code and reason if the answer is silent or partial, so that no PASS is allowed."""
    if answer.question.second_opinion or is_not_provided(answer):
        return None
    if isinstance(answer, Unanswered):
        return answer.code, answer.reason
    code = answer.cut if isinstance(answer, Counts) else ""
    if isinstance(answer, Listing) and not answer.complete:
        code = "source_incomplete"
    if not code:
        return None
    return code, (
        f"{answer.question.who} answered only in part: {answer.note or 'its list was cut off'}"
    )
