"""The table of what may judge each criterion, and what an objective may not."""

from __future__ import annotations

from pathlib import Path

import pytest

import hour24.objectives  # noqa: F401  registers every objective
from hour24.criteria import CRITERIA, LEVEL
from hour24.judging import JUDGED_BY, RESTS_ON, STATED, STATED_AT_0, subjects, unfit
from hour24.objectives.base import _BY_NAME, from_plain
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


def test_every_criterion_has_what_judges_it() -> None:
    """And every objective that is named is one."""
    assert {*JUDGED_BY} == {*CRITERIA, LEVEL.id}
    assert {*RESTS_ON} == {name for name in CRITERIA if name.startswith("SIGNOFF-")}
    named = {one for many in JUDGED_BY.values() for one in many}
    assert {*STATED, *STATED_AT_0} <= named <= {*_BY_NAME}


@pytest.mark.parametrize("name", sorted(STATED))
def test_the_limits_of_the_table_are_those_of_the_objectives(name: str) -> None:
    """Without words of its own an objective has the design's limits."""
    required = {"QuantileBelow": {"target_ms": 100.0}}
    plain = from_plain({"name": name, **required.get(name, {})}).to_plain()
    assert {field: plain[field] for field in STATED[name]} == STATED[name]


@pytest.mark.parametrize(
    ("name", "subject", "hour", "objective", "told"),
    [
        ("ERRORS-RATE", "", 4, RateBelow(limit=0.01), ""),
        ("QUEUE-SHORT", "", 4, ValueBelow(limit=1e9), ""),
        ("SIGNOFF-DATABASE", "", 24, HeldThroughout(criteria=RESTS_ON["SIGNOFF-DATABASE"]), ""),
        ("SIGNOFF-ERROR-RATE", "24 hours", 24, RateBelow(), ""),
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
            RateBelow(),
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
def test_what_may_not_judge_is_told(
    name: str, subject: str, hour: int, objective: object, told: str
) -> None:
    """Another objective, a limit that is not the sentence's, another part; one's own are free."""
    assert unfit(name, subject, hour, objective.to_plain()) == told  # type: ignore[attr-defined]


def test_hour_0_has_limits_of_its_own() -> None:
    """A p90 is judged there, and no growth of the disk; later that is refused."""
    for name, fields in (("LATENCY-TARGET", {"q": 0.9}), ("DB-SIZE", {"days": 0.0})):
        objective = {"name": JUDGED_BY[name][0], **fields}
        assert unfit(name, "", 0, objective) == ""
        assert "expected" in unfit(name, "", 4, objective)


def test_what_a_criterion_is_judged_of() -> None:
    """Each endpoint; of the sign-off all 24 hours, then what it rests on; else nothing by name."""
    assert subjects("LATENCY-TARGET", ("calls", "health")) == ("calls", "health")
    assert subjects("SIGNOFF-JOBS", ()) == ("24 hours", "")
    assert subjects("DB-POOL", ("calls",)) == subjects("SIGNOFF-DATABASE", ()) == ("",)


def test_a_test_that_judges_by_another_objective_is_no_verdict(tmp_path: Path) -> None:
    """Its own id is refused what its sentence does not say, and the line says what was expected."""
    project = Project(tmp_path, own=SOLD.format(sentence=CRITERIA["DB-POOL"].sentence))
    done = project.rehearsed()
    one = judged(project.record(), "DB-POOL")
    assert (str(one.outcome), one.code) == ("INCONCLUSIVE", "harness_error"), done.stdout
    assert "DB-POOL: objective: expected PoolBelow, got ValueBelow" in one.reason
