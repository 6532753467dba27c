"""Which objectives may judge each criterion."""

from __future__ import annotations

from pathlib import Path

import pytest

from hour24.criteria import CRITERIA, signoff
from hour24.criteria.judges import refusal, subjects
from hour24.objectives.own import ValueBelow
from hour24.objectives.rates import RateBelow
from hour24.objectives.signoff import HeldThroughout
from tests.checkpoints import Project, judged

SOLD = '''
from hour24.objectives.own import ValueBelow

@criterion("DB-POOL")
def test_pool(ask, conclude):
    """{sentence}"""
    conclude(ValueBelow(limit=1e9), value=ask.sql("SELECT 1"))
'''


@pytest.mark.parametrize(
    ("name", "subject", "hour", "objective", "says"),
    [
        ("ERRORS-RATE", "", 4, RateBelow(limit=0.01), ""),
        ("QUEUE-SHORT", "", 4, ValueBelow(limit=1e9), ""),
        ("SIGNOFF-DATABASE", "", 24, HeldThroughout(criteria=signoff.DATABASE.rests_on), ""),
        ("SIGNOFF-ERROR-RATE", "24 hours", 24, RateBelow(limit=0.01), ""),
        (
            "ERRORS-RATE",
            "",
            4,
            ValueBelow(limit=1e9),
            "objective: expected RateBelow, got ValueBelow",
        ),
        (
            "ERRORS-RATE",
            "",
            4,
            RateBelow(limit=0.05),
            "objective: RateBelow: limit: expected 0.01, got 0.05",
        ),
        (
            "SIGNOFF-ERROR-RATE",
            "",
            24,
            RateBelow(limit=0.01),
            "subject: expected '24 hours' of RateBelow, got ''",
        ),
        (
            "SIGNOFF-JOBS",
            "",
            24,
            HeldThroughout(criteria=()),
            "objective: HeldThroughout: criteria: expected ('JOBS-RUNNING',), got ()",
        ),
    ],
)
def test_a_wrong_objective_is_refused(
    name: str, subject: str, hour: int, objective: object, says: str
) -> None:
    """Another objective, limit or subject is refused; custom criteria accept any."""
    assert refusal(name, subject, hour, objective.to_plain()) == says  # type: ignore[attr-defined]


def test_hour_0_has_limits_of_its_own() -> None:
    """There a p90 is judged, and no growth of the disk; later both are refused."""
    for name, fields in (("LATENCY-TARGET", {"q": 0.9}), ("DB-SIZE", {"days": 0.0})):
        objective = {"name": CRITERIA[name].judges[0].objective, **fields}
        assert refusal(name, "", 0, objective) == ""
        assert "expected" in refusal(name, "", 4, objective)


def test_the_subjects_of_a_criterion() -> None:
    """Each endpoint; the whole watch and its checkpoints for the sign-off; otherwise none."""
    assert subjects("LATENCY-TARGET", ("calls", "health")) == ("calls", "health")
    assert subjects("SIGNOFF-JOBS", ()) == ("24 hours", "")
    assert subjects("DB-POOL", ("calls",)) == subjects("SIGNOFF-DATABASE", ()) == ("",)


def test_a_test_that_judges_by_another_objective_is_no_verdict(tmp_path: Path) -> None:
    """The id is refused, and the line says what was expected."""
    project = Project(tmp_path, own=SOLD.format(sentence=CRITERIA["DB-POOL"].sentence))
    done = project.rehearsed()
    one = judged(project.record(), "DB-POOL")
    assert (str(one.outcome), one.code) == ("INCONCLUSIVE", "harness_error"), done.stdout
    assert "DB-POOL: objective: expected PoolBelow, got ValueBelow" in one.reason
