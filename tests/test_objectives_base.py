"""The evidence of an objective has the declared types."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from hour24.evidence import Counts, Evidence, Listing, Question, Samples, Total, Unanswered
from hour24.objectives.base import Kinds, Objective, pick
from hour24.verdict import Outcome, Verdict

ASKED = Question(source="test", asked="x", at=datetime(2026, 3, 2, tzinfo=UTC))
TOTAL = Total(question=ASKED, value=1.0, unit="1")
LISTING = Listing(question=ASKED, items=(), what="things")
NO_ANSWER = Unanswered(question=ASKED, code="source_limited", reason="429")


class Declared(Objective, frozen=True, kw_only=True):
    """Passes on any evidence of the declared types."""

    needs: ClassVar[Kinds] = {"value": Total}
    may: ClassVar[Kinds] = {"before": Counts | Samples}

    def conclude(self, evidence: Mapping[str, Evidence]) -> Verdict:
        value = pick(evidence, "value", Total)
        return Verdict(outcome=Outcome.PASS, reason=f"{value.value:g}", observed="", limit="")


class Sparing(Declared, frozen=True, kw_only=True):
    """Passes whether or not its second answer is there."""

    spared: ClassVar[Mapping[str, str]] = {"before": "it is only shown"}


@pytest.mark.parametrize(
    ("evidence", "says"),
    [
        ({"value": LISTING}, "value: expected a Total, got Listing"),
        ({"value": TOTAL, "before": LISTING}, "before: expected Counts or Samples, got Listing"),
        ({}, r"evidence: expected \('value',\) and perhaps \('before',\), got \(\)"),
        ({"value": TOTAL, "other": TOTAL}, r"Declared: evidence: expected \('value',\)"),
    ],
)
def test_evidence_of_another_type_is_our_own_bug(evidence: dict[str, Evidence], says: str) -> None:
    """It is found before anything is concluded, whatever its name."""
    with pytest.raises(TypeError, match=says):
        Declared().judge(evidence)


def test_an_unanswered_question_has_no_type() -> None:
    """The verdict is INCONCLUSIVE, unless the objective says why that silence hides no FAIL."""
    for evidence in ({"value": NO_ANSWER}, {"value": TOTAL, "before": NO_ANSWER}):
        verdict = Declared().judge(evidence)
        assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "source_limited")
    assert Sparing().judge({"value": TOTAL, "before": NO_ANSWER}).outcome == Outcome.PASS
