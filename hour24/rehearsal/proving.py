"""Each criterion seen to fail and seen blind: its faults and its silence, played.

Rules of this module:

- What is played is what an engineer runs: pytest, on a rehearsal, with the criterion's own test
  and what it compares with; the watch is thrown away.
- SIGNOFF criteria rest on the standings of all others, so their watches are played whole.
- Criteria whose story is the same share one play.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hour24.criteria import CRITERIA
from hour24.ledger.record import Record
from hour24.rehearsal.play import Played, Script, play
from hour24.verdict import Outcome, worst


@dataclass(frozen=True)
class Proved:
    """What became of one criterion under its faults, or in its silence."""

    criterion: str
    faults: tuple[str, ...]
    hour: int
    wanted: Outcome
    found: Outcome
    code: str
    reason: str
    record: Record | None = None


@dataclass(frozen=True)
class Story:
    """What is played: faults, and the checkpoints."""

    faults: tuple[str, ...]
    hours: tuple[int, ...]


def stories(names: Iterable[str]) -> dict[Story, list[tuple[str, Outcome]]]:
    """Each story once, with the criteria that are to show in it and how."""
    told: dict[Story, list[tuple[str, Outcome]]] = {}
    for name in names:
        proof = CRITERIA[name].proof
        assert proof is not None, f"{name}: proof: expected one, got none"
        failing = Story(proof.faults, proof.failing)
        told.setdefault(failing, []).append((name, Outcome.FAIL))
        silent = Story(proof.silence, proof.silent)
        told.setdefault(silent, []).append((name, Outcome.INCONCLUSIVE))
    return told


def prove(names: Iterable[str], seed: int = 1) -> Iterator[Proved]:
    """Play every story of these criteria, one after another."""
    for story, shown in stories(names).items():
        yield from played(story, shown, seed)


def played(story: Story, shown: Iterable[tuple[str, Outcome]], seed: int) -> Iterator[Proved]:
    """Play one story, and see what became of its criteria at its last checkpoint."""
    with tempfile.TemporaryDirectory(prefix="hour24-proof-") as folder:
        script = Script(
            seed=seed,
            faults=story.faults,
            hours=story.hours,
            reports=Path(folder),
            watch="proof",
        )
        *_, last = play(script)
        for name, wanted in shown:
            yield _proved(story, name, wanted, last)


def _proved(story: Story, name: str, wanted: Outcome, last: Played) -> Proved:
    criteria = last.record.criteria if last.record is not None else ()
    judged = [each for each in criteria if each.id == name]
    found = worst(each.outcome for each in judged)
    told = next((each for each in judged if each.outcome == found), None)
    return Proved(
        criterion=name,
        faults=story.faults,
        hour=last.hour,
        wanted=wanted,
        found=found,
        code=told.code if told else "not_recorded",
        reason=f"{told.subject} {told.reason}".strip() if told else last.output[-300:],
        record=last.record,
    )
