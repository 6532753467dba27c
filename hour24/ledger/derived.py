"""Recomputes every verdict from the objective and evidence stored with it.

Rules of this module:

- The stored objective judges the stored evidence; outcome, code and the figures to six significant
  digits must be the same.
- A criterion of hour24 must have its own objective.
- In a record of earlier judges, a difference may be explained by a rule that changed since
  (:mod:`hour24.versions`).
- A verdict without an objective needs a code that allows that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hour24 import evidence, versions
from hour24.codes import UNJUDGED
from hour24.criteria.judges import refusal
from hour24.ledger import record as record_form
from hour24.ledger.record import Judged, Record
from hour24.verdict import Outcome

DIGITS = 1e-6
UNREADABLE = "expected a readable objective and evidence, got"


class Difference(Struct, frozen=True, kw_only=True):
    """One difference between a stored verdict and what today's judges derive from its evidence.

    Args:
        what: ``outcome``, ``code``, ``figures.NAME``, ``objective``, ``evidence`` or ``unjudged``.
        says: where, what was expected and what was found.
        now, was: what today's judges derive, and what is stored; empty when not a single word.
        rule: the rule that changed since the record was judged; empty when none explains it.
    """

    what: str
    says: str
    now: str = ""
    was: str = ""
    rule: str = ""


def differing(records: Sequence[Record]) -> Iterator[Difference]:
    """Yield every difference in these records, each with the rule that explains it."""
    for record in records:
        name = record_form.name_of(record.hour, record.attempt)
        for judged in record.verdicts:
            where = f"{name}: {judged.id} {judged.subject}".rstrip()
            of = str((judged.objective or {}).get("name"))
            found = [
                one
                for one in _differences_of(judged, record.hour)
                if not _only_added(one, of, judged, record.judges)
            ]
            rules = [versions.explanation(of, one.what, record.judges) for one in found]
            if not all(rules):  # one difference that no rule explains makes the others suspect
                rules = ["" for _ in rules]
            for one, rule in zip(found, rules, strict=True):
                yield replace(one, says=f"{where}: {one.says}", rule=rule)


def _only_added(one: Difference, of: str, judged: Judged, judges: int) -> bool:
    """True for a figure that the record lacks because its judges did not have it yet."""
    name = one.what.removeprefix("figures.")
    absent = one.what.startswith("figures.") and name not in judged.figures
    return absent and versions.is_added_figure(of, name, judges)


def _differences_of(judged: Judged, hour: int) -> Iterator[Difference]:
    if judged.objective is not None:
        wrong = refusal(judged.id, judged.subject, hour, judged.objective)
        if wrong:
            yield Difference(what="objective", says=wrong)
    yield from differences(judged)


def differences(judged: Judged) -> Iterator[Difference]:
    """Yield how a verdict differs from what its objective derives from its evidence."""
    if judged.objective is None:
        for says in _unjudged(judged):
            yield Difference(what="unjudged", says=says)
        return
    import hour24.objectives  # noqa: F401  registers every objective; heavy, so late
    from hour24.objectives.base import from_plain

    try:
        objective = from_plain(judged.objective)
    except KeyError:
        got = judged.objective.get("name")
        says = f"objective: expected one that is known, got {got!r}"
        yield Difference(what="objective", says=says)
        return
    except (msgspec.ValidationError, ValueError, TypeError) as problem:
        yield Difference(what="objective", says=f"{UNREADABLE}: {problem}")
        return
    try:
        answers = {name: evidence.from_plain(each) for name, each in judged.evidence.items()}
    except (msgspec.ValidationError, ValueError, TypeError) as problem:
        yield Difference(what="evidence", says=f"{UNREADABLE}: {problem}")
        return
    for name, answer in answers.items():
        if not _includes(evidence.to_plain(answer), judged.evidence[name]):
            says = f"evidence: {name}: expected only members of its kind, got more"
            yield Difference(what="evidence", says=says)
    try:
        again = objective.judge(answers)
    except Exception as problem:  # noqa: BLE001  tampered evidence may break any objective
        says = f"expected a verdict, got {type(problem).__name__}: {problem}"
        yield Difference(what="evidence", says=says)
        return
    for what, derived, stored in (
        ("outcome", str(again.outcome), str(judged.outcome)),
        ("code", again.code, judged.code),
    ):
        if derived != stored:
            now, was = derived or "none", stored or "none"
            says = f"{what}: expected {now} by its evidence, got {was}"
            yield Difference(what=what, says=says, now=now, was=was)
    yield from _differing_figures(again.figures, judged.figures)


def _includes(read: Any, stored: Any) -> bool:
    """Return whether all stored members were read; others have their default."""
    if read == stored:
        return True
    if isinstance(stored, dict):
        if not isinstance(read, dict):
            return False
        return all(key in read and _includes(read[key], each) for key, each in stored.items())
    if isinstance(stored, list | tuple):
        if not isinstance(read, list | tuple) or len(read) != len(stored):
            return False
        return all(_includes(a, b) for a, b in zip(read, stored, strict=True))
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


def _differing_figures(
    derived: Mapping[str, float], stored: Mapping[str, float]
) -> Iterator[Difference]:
    for name in sorted({*derived, *stored}):
        a, b = derived.get(name), stored.get(name)
        if a is None or b is None or not math.isclose(a, b, rel_tol=DIGITS, abs_tol=1e-12):
            now, was = ("none" if value is None else f"{value:.6g}" for value in (a, b))
            says = f"figures: {name}: expected {now} by its evidence, got {was}"
            yield Difference(what=f"figures.{name}", says=says, now=now, was=was)
