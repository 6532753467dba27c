"""The verdict on a list: something in it counts, nothing does, or the list is incomplete.

Rules of this module:

- An incomplete list can be FAIL but never PASS: its items exist, whatever is missing.
- Neither can a list that lacks what the same source counts elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from hour24.evidence import UNLISTED, Listing
from hour24.objectives.base import Objective
from hour24.text import plural
from hour24.verdict import Outcome, Scale, Verdict

INCOMPLETE = "the list is incomplete: the answer was truncated"
Coded = tuple[str, str]
"""A code, and the reason in a sentence."""


def judge_listing(
    objective: Objective,
    answer: Listing,
    *,
    clean: str,
    bad: Coded | None,
    unknown: Coded | None = None,
    suffix: str = "",
    observed: str,
    scale: Scale,
    figures: Mapping[str, float],
) -> Verdict:
    """The verdict on a list.

    Args:
        clean: the reason when nothing in it counts.
        bad: code and reason, when something counts.
        unknown: code and reason, when the list is complete but needs a person's decision.
        suffix: text after any reason.
    """
    outcome, code, reason = Outcome.PASS, "", clean
    if bad is not None:
        outcome, (code, reason) = Outcome.FAIL, bad
    elif not answer.complete:
        outcome, code = Outcome.INCONCLUSIVE, "source_incomplete"
        reason = f"{clean}; but {INCOMPLETE}"
    elif unlisted := int(float(answer.about.get(UNLISTED) or 0)):
        outcome, code = Outcome.INCONCLUSIVE, "source_misread"
        reason = (
            f"{clean}; but {answer.question.who} also counts {plural(unlisted, 'error event')} "
            f"that none of its {answer.what} explains: the two answers contradict each other"
        )
    elif unknown is not None:
        outcome, (code, reason) = Outcome.INCONCLUSIVE, unknown
    return Verdict(
        outcome=outcome,
        code=code,
        reason=reason + suffix,
        observed=observed,
        limit=objective.limit_text(),
        scale=scale,
        figures=dict(figures),
    )
