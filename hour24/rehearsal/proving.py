"""Proves each criterion: a rehearsal makes it FAIL, another leaves it without data.

Rules of this module:

- Each case runs what an engineer runs: pytest, on a rehearsal, with the earlier checkpoints that
  the criterion compares with; the watch is deleted afterwards.
- SIGNOFF criteria rest on the standings of all others, so their watches run whole.
- Criteria with the same case share one run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hour24.criteria import CRITERIA
from hour24.ledger.record import Record
from hour24.rehearsal.run import CheckpointRun, RunPlan, run_checkpoints
from hour24.verdict import Outcome, worst


@dataclass(frozen=True)
class Proof:
    """The verdict of one criterion under its faults, or without data."""

    criterion: str
    faults: tuple[str, ...]
    hour: int
    wanted: Outcome
    found: Outcome
    code: str
    reason: str
    record: Record | None = None


@dataclass(frozen=True)
class Case:
    """What to run: the faults and the checkpoints."""

    faults: tuple[str, ...]
    hours: tuple[int, ...]


def cases(names: Iterable[str]) -> dict[Case, list[tuple[str, Outcome]]]:
    """Return each case once, with the criteria it proves and the outcome expected of each."""
    found_cases: dict[Case, list[tuple[str, Outcome]]] = {}
    for name in names:
        proof = CRITERIA[name].proof
        assert proof is not None, f"{name}: proof: expected one, got none"
        failing = Case(proof.faults, proof.failing)
        found_cases.setdefault(failing, []).append((name, Outcome.FAIL))
        silent = Case(proof.silence, proof.silent)
        found_cases.setdefault(silent, []).append((name, Outcome.INCONCLUSIVE))
    return found_cases


def prove(names: Iterable[str], seed: int = 1) -> Iterator[Proof]:
    """Run every case of these criteria, one after another."""
    for case, expected in cases(names).items():
        yield from run_case(case, expected, seed)


def run_case(case: Case, expected: Iterable[tuple[str, Outcome]], seed: int) -> Iterator[Proof]:
    """Run one case; yield the verdict of each criterion at its last checkpoint."""
    with tempfile.TemporaryDirectory(prefix="hour24-proof-") as folder:
        plan = RunPlan(
            seed=seed,
            faults=case.faults,
            hours=case.hours,
            reports=Path(folder),
            watch="proof",
        )
        *_, last = run_checkpoints(plan)
        for name, wanted in expected:
            yield _proof_of(case, name, wanted, last)


def _proof_of(case: Case, name: str, wanted: Outcome, last: CheckpointRun) -> Proof:
    criteria = last.record.criteria if last.record is not None else ()
    judged = [each for each in criteria if each.id == name]
    found = worst(each.outcome for each in judged)
    first = next((each for each in judged if each.outcome == found), None)
    return Proof(
        criterion=name,
        faults=case.faults,
        hour=last.hour,
        wanted=wanted,
        found=found,
        code=first.code if first else "not_recorded",
        reason=f"{first.subject} {first.reason}".strip() if first else last.output[-300:],
        record=last.record,
    )
