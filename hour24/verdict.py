"""Outcome, Verdict and the worst of many.

Rules of this module:

- PASS: the evidence shows that the objective is met. FAIL: it shows that it is not. INCONCLUSIVE:
  it shows neither, and a code gives the cause. NOT_APPLICABLE: production.toml leaves the
  criterion out, with the reason.
- Worst of many: FAIL > INCONCLUSIVE > PASS > NOT_APPLICABLE; the worst of none is INCONCLUSIVE.
- A verdict is not a truth value: ``if verdict:`` raises.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NoReturn

from msgspec import Struct


class Outcome(StrEnum):
    """What the evidence shows."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_APPLICABLE = "NOT_APPLICABLE"

    def __bool__(self) -> NoReturn:
        raise TypeError("an outcome is not a truth value: compare it with Outcome.PASS")


class Scale(Struct, frozen=True, kw_only=True):
    """The figures of a verdict on one axis, for drawing its margin.

    All are in ``unit``. ``better`` is the good side of ``limit``; ``origin`` is the value of no
    change: 1 where the value is a factor.
    """

    unit: str
    limit: float
    observed: float | None = None
    lower: float | None = None
    upper: float | None = None
    better: str = "below"
    origin: float = 0.0


class Verdict(Struct, frozen=True, kw_only=True):
    """An outcome with its reason in one sentence.

    ``observed``, ``bound`` and ``limit`` are short texts for a table ("0.22 %",
    "at most 0.57 %", "below 1 %"); ``figures`` are the numbers behind them, by name, which
    ``verify`` recomputes and compares to six significant digits. ``by`` is the section of the
    witness that decided, where several answered; empty for the first of them.
    """

    outcome: Outcome
    reason: str
    code: str = ""
    observed: str = ""
    bound: str = ""
    limit: str = ""
    scale: Scale | None = None
    figures: dict[str, float] = {}
    by: str = ""

    def __bool__(self) -> NoReturn:
        raise TypeError("a verdict is not a truth value: compare its outcome")


_ORDER = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS, Outcome.NOT_APPLICABLE)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of these outcomes; INCONCLUSIVE when there are none.

    When every outcome is NOT_APPLICABLE the worst is NOT_APPLICABLE too.
    """
    present = set(outcomes)
    for outcome in _ORDER:
        if outcome in present:
            return outcome
    return Outcome.INCONCLUSIVE
