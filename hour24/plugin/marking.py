"""Marks tests as criteria, and returns the criterion of a test."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from hour24.criteria import DAILY, Criterion, known, own_criterion
from hour24.watch import CHECKPOINTS

DAILY_MARKER = "daily"
ID = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)*")
OWN: dict[str, Criterion] = {}
"""Your own checks, as their tests declare them."""


def criterion(name: str, *, hours: tuple[int, ...] = ()) -> Callable[[Any], Any]:
    """Marks a test as a criterion that runs once at each of its hours.

    Args:
        name: an id of :data:`hour24.criteria.CRITERIA`, or a new one for your own check.
        hours: the hours of your own check; those of the table have their own.
    """
    listed = known(name)
    if not ID.fullmatch(name):
        raise ValueError(f"criterion: id: expected one such as QUEUE-SHORT, got {name!r}")
    if listed is not None and hours:
        raise ValueError(f"criterion {name}: hours: expected none (the table has them), {hours}")
    at = listed.hours if listed is not None else hours
    if name not in DAILY and (not at or not set(at) <= set(CHECKPOINTS)):
        raise ValueError(f"criterion {name}: hours: expected some of {CHECKPOINTS}, got {at}")
    params = [_at(f"hour{hour}", hour) for hour in at]
    params += [_at(DAILY_MARKER, DAILY_MARKER)] if name in DAILY else []

    def mark(test: Any) -> Any:
        if listed is None:
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
    """Returns the criterion of this test."""
    name = item.get_closest_marker("criterion").args[0]
    return known(name) or OWN[name]
