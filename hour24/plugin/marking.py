"""How a test becomes a criterion, and which criterion a test is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from hour24.criteria import DAILY, Criterion, known, own_criterion
from hour24.watch import CHECKPOINTS

DAILY_LOOK = "daily"
ID = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)*")
OWN: dict[str, Criterion] = {}
"""Criteria of somebody's own, as their tests declare them."""


def criterion(name: str, *, hours: tuple[int, ...] = ()) -> Callable[[Any], Any]:
    """Mark a test as a criterion; it is run once at each of its hours.

    Args:
        name: an id of :data:`hour24.criteria.CRITERIA`, or one of your own.
        hours: of a criterion of your own; the others' stand in the table.
    """
    told = known(name)
    if not ID.fullmatch(name):
        raise ValueError(f"criterion: id: expected one such as QUEUE-SHORT, got {name!r}")
    if told is not None and hours:
        raise ValueError(f"criterion {name}: hours: expected none (the table has them), {hours}")
    at = told.hours if told is not None else hours
    if name not in DAILY and (not at or not set(at) <= set(CHECKPOINTS)):
        raise ValueError(f"criterion {name}: hours: expected some of {CHECKPOINTS}, got {at}")
    params = [_at(f"hour{hour}", hour) for hour in at]
    params += [_at(DAILY_LOOK, DAILY_LOOK)] if name in DAILY else []

    def mark(test: Any) -> Any:
        if told is None:
            sentence = " ".join((test.__doc__ or "").split())
            if not sentence:
                raise ValueError(f"criterion {name}: docstring: expected its sentence, got none")
            own = own_criterion(name, sentence, tuple(at))
            if OWN.setdefault(name, own) != own:
                raise ValueError(
                    f"criterion {name}: expected it once, or each time with the same sentence and "
                    "hours, got it again with others"
                )
        for decorate in (
            pytest.mark.usefixtures("checkpoint"),
            pytest.mark.criterion(name),
            pytest.mark.parametrize("checkpoint", params, indirect=True),
        ):
            test = decorate(test)
        return test

    return mark


def _at(name: str, value: int | str) -> Any:
    return pytest.param(value, id=name, marks=getattr(pytest.mark, name))


def criterion_of(item: Any) -> Criterion:
    """The criterion that this test is."""
    name = item.get_closest_marker("criterion").args[0]
    return known(name) or OWN[name]
