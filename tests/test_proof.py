"""Every criterion can FAIL and can report missing data: the whole table, rehearsed."""

from __future__ import annotations

from functools import cache

import pytest

from hour24.criteria import CRITERIA
from hour24.incidents import of_record
from hour24.rehearsal.faults import FAULTS, parse_faults
from hour24.rehearsal.proving import Case, Proof, cases, run_case
from hour24.verdict import Outcome

CASES = cases(CRITERIA)


@cache
def proved(case: Case) -> dict[tuple[str, Outcome], Proof]:
    """What became of the criteria that share this case."""
    return {(each.criterion, each.wanted): each for each in run_case(case, CASES[case], seed=1)}


CASE_PARAMS = [
    # one worker runs a case for all criteria that share it: tests/conftest.py reads case3
    pytest.param(case, *each, id=f"case{number} {'-'.join(each)}")
    for number, case in enumerate(sorted(CASES, key=lambda case: -len(case.hours)))
    for each in CASES[case]
]


@pytest.mark.suite("proof", short=8)
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("case", "name", "wanted"), CASE_PARAMS)
def test_each_criterion_can_fail_and_can_report_missing_data(
    case: Case, name: str, wanted: Outcome
) -> None:
    """A green line is worth something only when it could have been another."""
    seen = proved(case)[name, wanted]
    assert seen.found == wanted, f"{seen.faults}: {seen.code}: {seen.reason}"


@pytest.mark.suite("incidents", short=4)
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("case", "name", "wanted"), CASE_PARAMS)
def test_each_fault_is_one_incident(case: Case, name: str, wanted: Outcome) -> None:
    """All that one fault makes fail is one incident; so is all that one silence leaves open."""
    record = proved(case)[name, wanted].record
    assert record is not None
    found = of_record(record)
    # a watch of hours 0 and 24 also lacks the checkpoints between them, and the probes of that time
    missed = [each for each in found if case.hours == (0, 24) and each.outcome != Outcome.FAIL]
    faults = [each for each in found if each not in missed]
    assert {each.outcome for each in missed} <= {Outcome.INCONCLUSIVE}
    assert len(missed) <= 2
    assert len(faults) == len(case.faults) or (len(case.faults) > 1 and faults[0].doubt)


def test_each_criterion_has_a_play_for_each_of_the_two() -> None:
    """The full form leaves no criterion out."""
    assert sorted((case.values[1], case.values[2]) for case in CASE_PARAMS) == sorted(
        (name, wanted) for name in CRITERIA for wanted in (Outcome.FAIL, Outcome.INCONCLUSIVE)
    )


def test_silences_are_of_witnesses_and_faults_of_the_system() -> None:
    """An outage of a witness never turns a criterion red by its proof."""
    for name, criterion in CRITERIA.items():
        proof = criterion.proof
        assert proof is not None, name
        for fault in parse_faults(proof.faults):
            result = fault.name in (
                "sentry_deaf",
                "sentry_dropping",
            )  # it is Sentry that is watched
            assert result or not FAULTS[fault.name].witness, name
        silent = [FAULTS[fault.name] for fault in parse_faults(proof.silence)]
        assert any(kind.witness for kind in silent) or name == "ERRORS-TOP", name
