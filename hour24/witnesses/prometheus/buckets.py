"""The share of requests above a time, from a histogram's buckets.

Rules of this module:

- Bounds are numbers: ``1`` and ``1.0`` are the same. Nothing is interpolated: a share is known at a
  bound, and between two bounds it is a bracket.
- Buckets of all instances are added before anything is compared.
- Buckets are cumulative: one that holds more than a larger one is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from hour24.asking.answers import misread
from hour24.errors import SourceMisread
from hour24.witnesses.prometheus.counters import Counter

SLACK = 2.0
"""An exporter that is read while it counts is out of step by a request or two at each end."""
SLACK_SHARE = 0.001


class Above(NamedTuple):
    """Requests of a window: how many, and how many took longer than each bound.

    Args:
        total: at least and at most.
        above: bound in the metric's unit -> at least and at most.
    """

    total: tuple[int, int]
    above: dict[float, tuple[int, int]]


def bound_of(text: str, where: str) -> float:
    """Return the bound that a bucket's label states. Raises: SourceMisread."""
    try:
        value = float(text)
    except ValueError:
        raise misread(f"{where}: a bucket's le", "a number", text) from None
    if math.isnan(value):
        raise misread(f"{where}: a bucket's le", "a number", text)
    return value


def around(bounds: Iterable[float], target: float) -> list[float]:
    """Return the bounds that decide about a target: itself, or those on both sides of it.

    The next smaller one is always there: it shows whether the buckets grow with their bounds.
    """
    finite = sorted({each for each in bounds if math.isfinite(each)})
    exact = [each for each in finite if math.isclose(each, target, rel_tol=1e-9)]
    below = [each for each in finite if each < target and each not in exact]
    beyond = [each for each in finite if each > target and each not in exact]
    return below[-1:] + (exact or beyond[:1])


def merged(groups: Sequence[dict[float, list[Counter]]], where: str) -> Above:
    """Add the buckets of all instances.

    Args:
        groups: per set of labels, bound -> its counters; two where a bound is spelled twice.
    Raises: SourceMisread, when a bucket holds more than a larger one, or there is no ``+Inf``.
    """
    bounds = sorted({bound for group in groups for bound in group if math.isfinite(bound)})
    total_least = total_most = 0.0
    least, most = dict.fromkeys(bounds, 0.0), dict.fromkeys(bounds, 0.0)
    for group in groups:
        if math.inf not in group:
            raise SourceMisread(f'{where}: expected a bucket le="+Inf", got none')
        low, high = _sum(group[math.inf])
        total_least += low
        total_most += high
        _check_order(group, where)
        for bound in bounds:
            if bound not in group:  # of another version of the exporter
                larger = [x for x in group if math.inf > x > bound]
                smaller = [x for x in group if x < bound]
                least[bound] += _between(group, min(larger))[0] if larger else 0.0
                most[bound] += _between(group, max(smaller))[1] if smaller else high
                continue
            below, beyond = _between(group, bound)
            least[bound] += below
            most[bound] += beyond
    return Above(
        (round(total_least), round(total_most)),
        {bound: (round(least[bound]), round(most[bound])) for bound in bounds},
    )


def _between(group: dict[float, list[Counter]], bound: float) -> tuple[float, float]:
    """Return how many are above a bound, without and with the values of birth."""
    low, high = _sum(group[math.inf])
    in_low, in_high = _sum(group[bound])
    both = (max(0.0, low - in_low), max(0.0, high - in_high))
    return min(both), max(both)


def _sum(counters: Sequence[Counter]) -> tuple[float, float]:
    return sum(each.least for each in counters), sum(each.most for each in counters)


def _check_order(group: dict[float, list[Counter]], where: str) -> None:
    ordered = sorted(group)
    for smaller, larger in pairwise(ordered):
        for what, a, b in (
            ("counted", _sum(group[smaller])[0], _sum(group[larger])[0]),
            (
                "holds",
                max(group[smaller], key=lambda each: each.last_t).last_v,
                max(group[larger], key=lambda each: each.last_t).last_v,
            ),
        ):
            if a > b + max(SLACK, SLACK_SHARE * b):
                raise SourceMisread(
                    f"{where}: expected buckets that grow with their bound, got one of "
                    f"le={smaller:g} that {what} {a:g}, and one of le={larger:g} that {what} {b:g}"
                )
