"""Every criterion has been seen to fail, and seen blind: the whole table, played."""

from __future__ import annotations

from functools import cache

import pytest

from hour24.criteria import CRITERIA
from hour24.incidents import of_record
from hour24.rehearsal.faults import FAULTS, parsed
from hour24.rehearsal.proving import Proved, Story, played, stories
from hour24.verdict import Outcome

STORIES = stories(CRITERIA)


@cache
def proved(story: Story) -> dict[tuple[str, Outcome], Proved]:
    """What became of the criteria that share this story."""
    return {(each.criterion, each.wanted): each for each in played(story, STORIES[story], seed=1)}


PLAYS = [
    # one worker plays a story for all criteria that share it: tests/conftest.py reads play3
    pytest.param(story, *each, id=f"play{number} {'-'.join(each)}")
    for number, story in enumerate(sorted(STORIES, key=lambda story: -len(story.hours)))
    for each in STORIES[story]
]


@pytest.mark.suite("proof", short=12)
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("story", "name", "wanted"), PLAYS)
def test_each_criterion_was_seen_to_fail_and_seen_blind(
    story: Story, name: str, wanted: Outcome
) -> None:
    """A green line is worth something only when it could have been another."""
    seen = proved(story)[name, wanted]
    assert seen.found == wanted, f"{seen.faults}: {seen.code}: {seen.reason}"


@pytest.mark.suite("incidents", short=4)
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("story", "name", "wanted"), PLAYS)
def test_each_fault_is_one_incident(story: Story, name: str, wanted: Outcome) -> None:
    """All that one fault makes fail is one incident; so is all that one silence leaves open."""
    record = proved(story)[name, wanted].record
    assert record is not None
    found = of_record(record)
    # a watch of hours 0 and 24 also lacks the checkpoints between them
    missed = [each for each in found if story.hours == (0, 24) and each.outcome != Outcome.FAIL]
    faults = [each for each in found if each not in missed]
    assert len(missed) <= 1
    assert len(faults) == len(story.faults) or (len(story.faults) > 1 and faults[0].doubt)


def test_each_criterion_has_a_play_for_each_of_the_two() -> None:
    """The full form leaves no criterion out."""
    assert sorted((play.values[1], play.values[2]) for play in PLAYS) == sorted(
        (name, wanted) for name in CRITERIA for wanted in (Outcome.FAIL, Outcome.INCONCLUSIVE)
    )


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
