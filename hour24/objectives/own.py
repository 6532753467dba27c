"""Limits for custom criteria: one number compared with one limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hour24.evidence import Evidence, Total
from hour24.objectives.base import Kinds, Objective, pick
from hour24.text import format_number
from hour24.verdict import Outcome, Scale, Verdict


class ValueBelow(Objective, frozen=True, kw_only=True):
    """The value is below the limit.

    Args:
        limit: in the value's own unit.
    """

    needs: ClassVar[Kinds] = {"value": Total}

    limit: float

    def limit_text(self) -> str:
        return f"below {format_number(self.limit, 6)}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        value = pick(evidence, "value", Total)
        return _verdict(self, value, self.limit, "below", value.value < self.limit)


class ValueAtLeast(Objective, frozen=True, kw_only=True):
    """The value reaches the limit.

    Args:
        limit: in the value's own unit.
    """

    needs: ClassVar[Kinds] = {"value": Total}

    limit: float

    def limit_text(self) -> str:
        return f"at least {format_number(self.limit, 6)}"

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        value = pick(evidence, "value", Total)
        return _verdict(self, value, self.limit, "above", value.value >= self.limit)


def _verdict(
    objective: Objective, value: Total, limit: float, better: str, passes: bool
) -> Verdict:
    observed = f"{format_number(value.value, 6)} {value.unit}".strip()
    return Verdict(
        outcome=Outcome.PASS if passes else Outcome.FAIL,
        code="" if passes else "beyond_limit",
        reason=f"The value is {observed}; expected {objective.limit_text()}",
        observed=observed,
        limit=objective.limit_text(),
        scale=Scale(unit=value.unit, limit=limit, observed=value.value, better=better),
        figures={"value": value.value},
    )
