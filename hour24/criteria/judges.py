"""Which objectives may judge a criterion, and on which subjects it has verdicts.

Rules of this module:

- A criterion is judged only by one of its own objectives: its id defines what was judged, whoever
  wrote the test. A custom criterion accepts any objective.
- The limits that a criterion sets, and how it is judged, are the same in every production.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hour24.criteria import known
from hour24.criteria.criterion import WHOLE, Judge


def subjects(name: str, endpoints: tuple[str, ...]) -> tuple[str, ...]:
    """The subjects of a criterion's verdicts; one nameless subject where it has only one."""
    criterion = known(name)
    if criterion is None:
        return ("",)
    if criterion.each_endpoint:
        return endpoints or ("",)
    return (WHOLE, "") if len(criterion.judges) > 1 else ("",)


def refusal(name: str, subject: str, hour: int, objective: Mapping[str, Any]) -> str:
    """The reason why an objective may not judge this criterion; "" when it may.

    Args:
        objective: its name, and its fields.
    """
    criterion = known(name)
    if criterion is None:
        return ""  # a custom criterion
    given = str(objective.get("name"))
    judge = next((one for one in criterion.judges if one.objective == given), None)
    if judge is None:
        allowed = " or ".join(one.objective for one in criterion.judges)
        return f"objective: expected {allowed}, got {given}"
    if judge.subject not in (None, subject):
        return f"subject: expected {judge.subject!r} of {given}, got {subject!r}"
    for field, expected in (judge.limits_at(hour) | _fixed_fields(judge)).items():
        got = objective.get(field)
        got = tuple(got) if isinstance(got, list) else got
        if got != expected:
            return f"objective: {given}: {field}: expected {expected}, got {got}"
    return ""


def _fixed_fields(judge: Judge) -> dict[str, Any]:
    """The objective's defaults of the fields that must not be changed."""
    if not judge.fixed:
        return {}
    import hour24.objectives  # noqa: F401  registers every objective; heavy, so late
    from hour24.objectives.base import defaults

    every = defaults(judge.objective)
    return {field: every[field] for field in judge.fixed}
