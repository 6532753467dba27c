"""Every criterion has been seen to fail, and seen blind: the whole table, played."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from hour24.criteria import CRITERIA
from hour24.rehearsal.faults import FAULTS, parsed
from hour24.rehearsal.proving import Proved, Story, played, stories
from hour24.verdict import Outcome

SIDE_BY_SIDE = 2


@pytest.fixture(scope="module")
def proved() -> dict[tuple[str, Outcome], Proved]:
    """What became of each criterion under its faults, and in its silence."""
    told = stories(CRITERIA)
    longest_first = sorted(told, key=lambda story: -len(story.hours))

    def play(story: Story) -> list[Proved]:
        return list(played(story, told[story], seed=1))

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        found = [each for many in pool.map(play, longest_first) for each in many]
    return {(each.criterion, each.wanted): each for each in found}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("wanted", [Outcome.FAIL, Outcome.INCONCLUSIVE])
@pytest.mark.parametrize("name", sorted(CRITERIA))
def test_each_criterion_was_seen_to_fail_and_seen_blind(
    name: str, wanted: Outcome, proved: dict[tuple[str, Outcome], Proved]
) -> None:
    """A green line is worth something only when it could have been another."""
    seen = proved[name, wanted]
    assert seen.found == wanted, f"{seen.faults}: {seen.code}: {seen.reason}"


def test_silences_are_of_witnesses_and_faults_of_the_system() -> None:
    """An outage of a witness never turns a criterion red by its proof."""
    for name, criterion in CRITERIA.items():
        proof = criterion.proof
        assert proof is not None, name
        for fault in parsed(proof.faults):
            told = fault.name in ("sentry_deaf", "sentry_dropping")  # it is Sentry that is watched
            assert told or not FAULTS[fault.name].witness, name
        silent = [FAULTS[fault.name] for fault in parsed(proof.silence)]
        assert any(kind.witness for kind in silent) or name == "ERRORS-TOP", name
