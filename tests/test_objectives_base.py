"""The evidence of an objective is of the kinds that it declares."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from hour24.evidence import Counts, Evidence, Listing, Question, Samples, Total, Unanswered
from hour24.objectives.base import Kinds, Objective, given
from hour24.verdict import Outcome, Verdict

ASKED = Question(source="test", asked="x", at=datetime(2026, 3, 2, tzinfo=UTC))
TOTAL = Total(question=ASKED, value=1.0, unit="1")
LISTING = Listing(question=ASKED, items=(), what="things")
NOBODY = Unanswered(question=ASKED, code="source_limited", reason="429")


class Declared(Objective, frozen=True, kw_only=True):
    """Passes on any evidence of the declared kinds."""

    needs: ClassVar[Kinds] = {"value": Total}
    may: ClassVar[Kinds] = {"before": Counts | Samples}

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        value = given(evidence, "value", Total)
        return Verdict(outcome=Outcome.PASS, reason=f"{value.value:g}", observed="", limit="")


@pytest.mark.parametrize(
    ("evidence", "says"),
    [
        ({"value": LISTING}, "value: expected a Total, got Listing"),
        ({"value": TOTAL, "before": LISTING}, "before: expected Counts or Samples, got Listing"),
        ({}, r"evidence: expected \('value',\) and perhaps \('before',\), got \(\)"),
        ({"value": TOTAL, "other": TOTAL}, r"Declared: evidence: expected \('value',\)"),
    ],
)
def test_evidence_of_another_kind_is_our_own_mistake(
    evidence: dict[str, Evidence], says: str
) -> None:
    """It is found before anything is concluded, whichever name it came by."""
    with pytest.raises(TypeError, match=says):
        Declared().judge(evidence)


def test_an_unanswered_question_has_no_kind() -> None:
    """Needed, it makes the verdict INCONCLUSIVE; else the objective says what it means."""
    verdict = Declared().judge({"value": NOBODY})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "source_limited")
    assert Declared().judge({"value": TOTAL, "before": NOBODY}).outcome == Outcome.PASS
