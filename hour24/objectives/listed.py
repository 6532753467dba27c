"""What a listing shows, as a verdict: something that counts, nothing of it, or not all there was.

Rules of this module:

- What was seen stands: a listing that is not complete can show FAIL, and never PASS.
"""

from __future__ import annotations

from collections.abc import Mapping

from hour24.evidence import Listing
from hour24.objectives.base import Objective
from hour24.verdict import Outcome, Scale, Verdict

NOT_ALL = "these are not all there were: the answer was cut off"
Coded = tuple[str, str]
"""A code, and the reason in a sentence."""


def listed(
    objective: Objective,
    answer: Listing,
    *,
    clean: str,
    bad: Coded | None,
    unknown: Coded | None = None,
    beside: str = "",
    observed: str,
    scale: Scale,
    figures: Mapping[str, float],
) -> Verdict:
    """The verdict on a listing.

    Args:
        clean: the reason when nothing in it counts.
        bad: what counts, when something does.
        unknown: what of it can only be told by a person, when nothing counts and all is there.
        beside: said after any reason.
    """
    outcome, code, reason = Outcome.PASS, "", clean
    if bad is not None:
        outcome, (code, reason) = Outcome.FAIL, bad
    elif not answer.complete:
        outcome, code = Outcome.INCONCLUSIVE, "source_incomplete"
        reason = f"{clean}; but {NOT_ALL}"
    elif unknown is not None:
        outcome, (code, reason) = Outcome.INCONCLUSIVE, unknown
    return Verdict(
        outcome=outcome,
        code=code,
        reason=reason + beside,
        observed=observed,
        limit=objective.limit_text(),
        scale=scale,
        figures=dict(figures),
    )
