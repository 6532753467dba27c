"""The last outcome of each advisory check, which counts in no sum.

Rules of this module:

- What an advisory check found is said in words: it never counts as passed.
- Without data it says so, with the code.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hour24.ledger.record import Judged, Record
from hour24.verdict import Outcome, worst


class Reported(Struct, frozen=True, kw_only=True):
    """One advisory check, and what it found last.

    Args:
        because: why it does not count.
        last: ``FAIL at hour 24``; ``not run yet`` before its first checkpoint.
        found: the reasons of that outcome, one for each subject.
    """

    id: str
    sentence: str
    because: str
    last: str
    found: tuple[str, ...]


def reported(records: Sequence[Record]) -> tuple[Reported, ...]:
    """Return the advisory checks of the watch, each with its last outcome in these records.

    Args:
        records: all attempts; those that ran early do not count.
    """
    counted = sorted(
        (one for one in records if not one.early), key=lambda one: (one.hour, one.attempt)
    )
    plan = {name: one for record in records for name, one in record.advisory_plan.items()}
    found = []
    for name, planned in plan.items():
        hour = 0
        many: tuple[Judged, ...] = ()
        for record in counted:
            own = tuple(one for one in record.advisory_checks if one.id == name)
            hour, many = (record.hour, own) if own else (hour, many)
        found.append(
            Reported(
                id=name,
                sentence=many[0].sentence if many else "",
                because=planned.because,
                last=f"{advisory_word(many)} at hour {hour}" if many else "not run yet",
                found=tuple(
                    f"{one.subject}: {one.reason}" if one.subject else one.reason for one in many
                ),
            )
        )
    return tuple(found)


def advisory_word(many: Sequence[Judged]) -> str:
    """Return what one check found, over its subjects: ``FAIL``, ``no data (late)``."""
    outcome = worst(one.outcome for one in many)
    codes = dict.fromkeys(one.code for one in many if one.outcome == outcome and one.code)
    if outcome == Outcome.INCONCLUSIVE:
        return f"no data ({', '.join(codes) or 'no code'})"
    return outcome.value.replace("_", " ")
