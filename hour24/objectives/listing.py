"""The verdict on a list: something in it counts, nothing does, or the list is incomplete.

Rules of this module:

- An incomplete list can be FAIL but never PASS: its items exist, whatever is missing.
- Neither can a list that lacks what the same source counts elsewhere.
- A list of lines that says of too many lines that their level was not recognised is no PASS: an
  error may be among them.
"""

from __future__ import annotations

from collections.abc import Mapping

from hour24.evidence import RESTS_ON, UNLISTED, Listing
from hour24.objectives.base import Objective
from hour24.text import format_count, one_line, plural
from hour24.verdict import Outcome, Scale, Verdict


def least(answer: Listing) -> str:
    """``at least `` where the list is incomplete: its counts are lower bounds."""
    return "" if answer.complete else "at least "


INCOMPLETE = "the list is incomplete: the answer was truncated"
MOST_UNLEVELLED = 0.5
"""Share of lines without a recognisable level from which a log proves nothing: more than half of
what was sampled could be an error."""
LEAST_SAMPLED = 20
"""Lines that must have been sampled before their share says something."""
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
        reason = f"{clean}; but {_incomplete(answer)}"
    elif unlisted := int(float(answer.about.get(UNLISTED) or 0)):
        outcome, code = Outcome.INCONCLUSIVE, "source_misread"
        reason = (
            f"{clean}; but {answer.question.who} also counts {plural(unlisted, 'error event')} "
            f"that none of its {answer.what} explains: the two answers contradict each other"
        )
    elif (unlevelled := _levels_unknown(answer)) is not None:
        outcome, (code, reason) = Outcome.INCONCLUSIVE, unlevelled
    elif unknown is not None:
        outcome, (code, reason) = Outcome.INCONCLUSIVE, unknown
    return Verdict(
        outcome=outcome,
        code=code,
        reason=reason + suffix + _rests_on(answer),
        observed=observed,
        limit=objective.limit_text(),
        scale=scale,
        figures=dict(figures),
    )


def _rests_on(answer: Listing) -> str:
    """What the list was made from, where its source is not the usual one."""
    found = answer.about.get(RESTS_ON)
    return f"; judged by {one_line(found, 300)}" if found else ""


def _incomplete(answer: Listing) -> str:
    """Why the list is incomplete, by name where its source says so."""
    missing = answer.about.get("missing")
    return f"the list is incomplete: {one_line(missing, 400)}" if missing else INCOMPLETE


def _levels_unknown(answer: Listing) -> Coded | None:
    """Code and reason where the level of too many lines was not recognised."""
    sampled, without = answer.about.get("sampled"), answer.about.get("unlevelled")
    if not isinstance(sampled, float) or not isinstance(without, float):
        return None
    if sampled < LEAST_SAMPLED or without <= MOST_UNLEVELLED * sampled:
        return None
    return (
        "levels_unknown",
        f"No level was recognised in {format_count(int(without))} of {format_count(int(sampled))} "
        "sampled lines, so an error may be among them",
    )
