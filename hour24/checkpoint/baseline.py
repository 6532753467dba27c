"""The baseline: which measures later checkpoints compare with, and whether they were taken.

Rules of this module:

- A measure counts as long as one of the criteria that need it applies.
- A measure that was answered and says nothing was not taken.
- A health document that is not as agreed is a measure that the system itself did not give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hour24.criteria import CRITERIA
from hour24.evidence import Counts, Distribution, Document, Evidence, Listing, Question, Unanswered
from hour24.objectives.health import HealthDocument
from hour24.verdict import Outcome

Answered = Evidence | Mapping[str, Evidence]


def taken(
    answers: Mapping[str, Answered],
    applies: Callable[[str], bool],
    agreed: HealthDocument,
    question: Question,
    *,
    no_network: bool = False,
) -> dict[str, Evidence]:
    """What is kept of the baseline, by name, and beside it ``measures``: what was taken.

    Args:
        answers: measure -> its answer; where every endpoint has its own, all of them.
        applies: whether a criterion applies.
        agreed: what the health document must be.
        question: in whose name the measures are listed.
        no_network: whether the control address was silent: then so may have been our network.
    """
    items = []
    for name, answer in answers.items():
        if any(map(applies, needed_for(name))):
            code, reason = _absent(name, answer, agreed)
            code = "no_network" if no_network and code == "no_answer" else code
            items.append({"name": name, "taken": not code, "code": code, "reason": reason})
    measures = Listing(question=question, what="measures", items=tuple(items))
    kept = {name: each for name, each in answers.items() if isinstance(each, Evidence)}
    return {"measures": measures, **kept}


def needed_for(measure: str) -> tuple[str, ...]:
    """Ids of the criteria that compare with this measure of the baseline."""
    return tuple(one.id for one in CRITERIA.values() if measure in one.baseline)


def _absent(name: str, answer: Answered, agreed: HealthDocument) -> tuple[str, str]:
    """Why a measure was not taken: code and reason; empty when it was."""
    if isinstance(answer, Mapping):
        if not answer:
            return "not_described", "no endpoint is described"
        each = ((one, _unsaid(got)) for one, got in answer.items())
        return next(((code, f"{one}: {why}") for one, (code, why) in each if code), ("", ""))
    if name == "health" and isinstance(answer, Document):
        verdict = agreed.judge({"health": answer})
        passed = verdict.outcome == Outcome.PASS
        return ("", "") if passed else (verdict.code, verdict.reason)
    if name == "responses" and isinstance(answer, Counts) and not answer.total:
        return "too_little_traffic", "no request was counted"
    return _unsaid(answer)


def _unsaid(answer: Evidence) -> tuple[str, str]:
    """Why an answer says nothing; empty when it says something."""
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
