"""Every verdict derived again from what was stored with it.

Rules of this module:

- The stored objective judges the stored evidence; outcome, code and the figures to six significant
  digits must be the same.
- A criterion of the table is judged by an objective of the table.
- What was never judged must say why, by a code that allows it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from hour24 import evidence
from hour24.codes import UNJUDGED
from hour24.criteria.judges import refusal
from hour24.ledger import record as record_form
from hour24.ledger.record import Judged, Record
from hour24.verdict import Outcome

DIGITS = 1e-6


def differing(records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        name = record_form.name_of(record.hour, record.attempt)
        for judged in record.criteria:
            where = f"{name}: {judged.id} {judged.subject}".rstrip()
            if judged.objective is not None and (
                wrong := refusal(judged.id, judged.subject, record.hour, judged.objective)
            ):
                yield f"{where}: {wrong}"
            yield from (f"{where}: {problem}" for problem in differences(judged))


def differences(judged: Judged) -> Iterator[str]:
    """How a verdict differs from what its own objective and evidence say; nothing: it holds."""
    if judged.objective is None:
        yield from _unjudged(judged)
        return
    import hour24.objectives  # noqa: F401  registers every objective; heavy, so late
    from hour24.objectives.base import from_plain

    try:
        objective = from_plain(judged.objective)
        answers = {name: evidence.from_plain(each) for name, each in judged.evidence.items()}
    except KeyError:
        yield f"objective: expected one that is known, got {judged.objective.get('name')!r}"
        return
    except (msgspec.ValidationError, ValueError, TypeError) as problem:
        yield f"expected an objective and evidence that can be read, got: {problem}"
        return
    for name, answer in answers.items():
        if not _holds(evidence.to_plain(answer), judged.evidence[name]):
            yield f"evidence: {name}: expected what its kind holds, got more"
    try:
        again = objective.judge(answers)
    except Exception as problem:  # noqa: BLE001  tampered evidence may break any objective
        yield f"expected a verdict, got {type(problem).__name__}: {problem}"
        return
    for what, derived, stored in (
        ("outcome", str(again.outcome), str(judged.outcome)),
        ("code", again.code, judged.code),
    ):
        if derived != stored:
            yield f"{what}: expected {derived or 'none'} by its evidence, got {stored or 'none'}"
    yield from _differing_figures(again.figures, judged.figures)


def _holds(read: Any, stored: Any) -> bool:
    """Whether all that was stored was read; what was not stored had its default."""
    if read == stored:
        return True
    if isinstance(stored, dict):
        if not isinstance(read, dict):
            return False
        return all(key in read and _holds(read[key], each) for key, each in stored.items())
    if isinstance(stored, list | tuple):
        if not isinstance(read, list | tuple) or len(read) != len(stored):
            return False
        return all(_holds(a, b) for a, b in zip(read, stored, strict=True))
    return False


def _unjudged(judged: Judged) -> Iterator[str]:
    if judged.outcome == Outcome.NOT_APPLICABLE:
        if judged.code != "not_applicable" or not judged.reason.strip():
            yield f"code: expected not_applicable and its reason, got {judged.code or 'none'}"
    elif judged.outcome != Outcome.INCONCLUSIVE:
        yield f"outcome: expected INCONCLUSIVE without an objective, got {judged.outcome.value}"
    elif judged.code not in UNJUDGED:
        allowed = ", ".join(sorted(UNJUDGED))
        yield f"code: expected one of {allowed} without an objective, got {judged.code or 'none'}"


def _differing_figures(derived: Mapping[str, float], stored: Mapping[str, float]) -> Iterator[str]:
    for name in sorted({*derived, *stored}):
        a, b = derived.get(name), stored.get(name)
        if a is None or b is None or not math.isclose(a, b, rel_tol=DIGITS, abs_tol=1e-12):
            told = ["none" if value is None else f"{value:.6g}" for value in (a, b)]
            yield f"figures: {name}: expected {told[0]} by its evidence, got {told[1]}"
