"""Every criterion, and the tables computed from them: what is due, and what runs daily.

Rules of this package:

- One module per group; one frozen :class:`~hour24.criteria.criterion.Criterion` per criterion, and
  nothing keyed by a criterion's id outside it.
- An id is a literal in one module of hour24; every other module imports the value.
- These values, not the collected tests, define what is due: a test file that does not import or
  was not selected leaves its criteria INCONCLUSIVE, not absent.
- Ids are stable. The docstring of each test in tests_prod/ equals the sentence here.
"""

from __future__ import annotations

from hour24.criteria import (
    baseline,
    daily,
    database,
    errors,
    health,
    latency,
    logs,
    process,
    signoff,
    tls,
    websocket,
)
from hour24.criteria.criterion import Criterion, own_criterion

__all__ = [
    "CRITERIA",
    "DAILY",
    "EIGHT",
    "IMPORTED",
    "MAY_BE_ADVISORY",
    "Criterion",
    "due",
    "known",
    "may_be_advisory",
    "own_criterion",
]

_OF_A_CHECKPOINT = (
    health,
    tls,
    errors,
    logs,
    process,
    latency,
    database,
    websocket,
    baseline,
    signoff,
)
CRITERIA = {one.id: one for group in _OF_A_CHECKPOINT for one in group.CRITERIA}
"""Id -> criterion, in the order of the page."""
_DAILY_ONLY = {one.id: one for one in daily.CRITERIA}
EIGHT = tuple(one.id for one in signoff.CRITERIA)
"""Ids of the sign-off's criteria: only their verdicts may rest on the ledger alone."""

MAY_BE_ADVISORY = (tls.EXPIRY.id,)
"""Ids that production.toml may take out of the sum: the sign-off rests on none of them."""
IMPORTED = "CRITERIA-IMPORT"
"""Id of the criterion for files that do not import."""


def _daily() -> tuple[str, ...]:
    """Ids of the daily checks, grouped as on the page."""
    groups = {one.group: None for one in CRITERIA.values()}
    every = [*CRITERIA.values(), *_DAILY_ONLY.values()]
    return tuple(one.id for group in groups for one in every if one.daily and one.group == group)


DAILY = _daily()
"""Ids of what ``pytest -m daily`` runs, in the week after launch."""


def due(hour: int) -> tuple[Criterion, ...]:
    """The criteria that fall due at ``hour``, in the order of the page."""
    return tuple(criterion for criterion in CRITERIA.values() if hour in criterion.hours)


def known(name: str) -> Criterion | None:
    """The criterion with this id, of a checkpoint or the daily checks; None for an unknown id."""
    return CRITERIA.get(name) or _DAILY_ONLY.get(name)


def may_be_advisory(name: str) -> bool:
    """Whether the criterion with this id may be measured without being counted."""
    return name in MAY_BE_ADVISORY or (known(name) is None and name != IMPORTED)
