"""The baseline: the measures that later checkpoints compare with.

Rules of this module:

- A measure is needed if at least one criterion that compares with it applies.
- A measure with an empty answer is missing. Where several witnesses provide it, each must have
  answered, except those that do not hold it or are a second opinion.
- A health document that fails its check is a missing measure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hour24.criteria import CRITERIA
from hour24.evidence import (
    ByProvider,
    Counts,
    Distribution,
    Document,
    Evidence,
    Listing,
    Question,
    Unanswered,
)
from hour24.objectives.health import HealthDocument
from hour24.verdict import Outcome

One = Evidence | ByProvider
Answered = One | Mapping[str, One]


def collect(
    answers: Mapping[str, Answered],
    applies: Callable[[str], bool],
    agreed: HealthDocument,
    question: Question,
    *,
    no_network: bool = False,
) -> dict[str, One]:
    """Returns the evidence of the baseline by name, with ``measures``: which are complete.

    Args:
        answers: measure -> its answer, or the answers of all endpoints.
        applies: whether a criterion applies.
        agreed: the check of the health document.
        question: the question of the listing ``measures``.
        no_network: whether the control address did not answer, so that our own network may be down.
    """
    items = []
    for name, answer in answers.items():
        if any(map(applies, needed_for(name))):
            code, reason = _missing_reason(name, answer, agreed)
            code = "no_network" if no_network and code == "no_answer" else code
            items.append({"name": name, "taken": not code, "code": code, "reason": reason})
    measures = Listing(question=question, what="measures", items=tuple(items))
    kept = {name: each for name, each in answers.items() if isinstance(each, One)}
    return {"measures": measures, **kept}


def needed_for(measure: str) -> tuple[str, ...]:
    """Returns the ids of the criteria that compare with this measure of the baseline."""
    return tuple(one.id for one in CRITERIA.values() if measure in one.baseline)


def _missing_reason(name: str, answer: Answered, agreed: HealthDocument) -> tuple[str, str]:
    """Returns code and reason why a measure is missing; empty if it is complete."""
    if isinstance(answer, Mapping):
        if not answer:
            return "not_described", "no endpoint is described"
        each = ((one, _missing_reason(name, got, agreed)) for one, got in answer.items())
        return next(((code, f"{one}: {why}") for one, (code, why) in each if code), ("", ""))
    if isinstance(answer, ByProvider):
        reasons = [_missing_reason(name, one, agreed) for one in _that_count(answer)]
        return next((reason for reason in reasons if reason[0]), ("", ""))
    if name == "health" and isinstance(answer, Document):
        verdict = agreed.judge({"health": answer})
        passed = verdict.outcome == Outcome.PASS
        return ("", "") if passed else (verdict.code, verdict.reason)
    if name == "responses" and isinstance(answer, Counts) and not answer.total:
        return "too_little_traffic", "no request was counted"
    return _empty_reason(answer)


def _that_count(answer: ByProvider) -> list[Evidence]:
    """Returns the answers without optional ones; all if none is left."""
    every = list(answer.answers.values())
    return [
        one
        for one in every
        if not one.question.second_opinion
        and not (isinstance(one, Unanswered) and one.not_provided)
    ] or every


def _empty_reason(answer: Evidence) -> tuple[str, str]:
    """Returns code and reason why an answer has no data; empty if it has."""
    if isinstance(answer, Unanswered):
        return answer.code, answer.reason
    if isinstance(answer, Distribution) and not answer.n:
        if answer.censored:
            return "no_answer", f"none of {answer.censored} requests was answered"
        if answer.refused:
            return "source_refused", f"our credential was refused by {answer.refused} requests"
        if answer.limited:
            return "source_limited", f"{answer.limited} requests were answered 429"
        return "no_data", "no request was sent"
    return "", ""
