"""Process starts from uptime readings, also behind a load balancer.

Rules of this module:

- A reading at t with uptime u means that some process started at t - u. Readings of one
  incarnation agree within the tolerance; sorted starts are split where neighbours differ by more
  (single linkage, so a slowly drifting clock is harmless).
- "The uptime became smaller" is not a restart: with two instances behind a balancer it happens
  hundreds of times a day.
- An uptime grows by one second per second. One that does not has another unit, or is no uptime.
- A process that lived for less than a probe interval is missed: counts are "at least".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

LEAST_TOLERANCE_S = 5.0
"""Network delay and rounding move a start by a few seconds."""
UNIT_DIFFERS = 0.05
"""Clocks drift by less, and units of time differ by more."""
LEAST_PAIRS = 5
"""Fewer readings cannot show a slope."""
LEAST_RUN = 6
"""A shorter run may be two processes that took turns."""
LEAST_SPAN_S = 45.0
"""Shorter runs of whole seconds cannot show a slope to within :data:`UNIT_DIFFERS`."""
NEXT_FEW = 12
"""Of this many readings one is of the same process when up to 12 instances take turns."""
UNITS = {
    1e9: "nanoseconds",
    1e6: "microseconds",
    1000.0: "milliseconds",
    1.0: "seconds",
    1 / 60: "minutes",
    1 / 3600: "hours",
    1 / 86_400: "days",
}
"""Growth of an uptime per second -> its unit."""
MOSTLY = 0.75
"""Instances that take turns make about half of the readings fall."""
REACHED = 0.999
"""Confidence that every instance was probed at least once."""


class Incarnation(NamedTuple):
    """One run of one process: start (seconds), first and last reading, number of readings."""

    start: float
    first: float
    last: float
    readings: int
    instance: str


def tolerance(resolution_s: float) -> float:
    """The largest difference between readings of one incarnation, in seconds."""
    return max(LEAST_TOLERANCE_S, 1.5 * resolution_s)


def incarnations(
    readings: Sequence[tuple[float, float, str]], resolution_s: float
) -> list[Incarnation]:
    """The process runs behind these readings, by start.

    Args:
        readings: (time of the reading, uptime, instance or ""), in seconds.
        resolution_s: of the uptime; readings are rounded down to it.
    """
    apart = tolerance(resolution_s)
    found: list[Incarnation] = []
    for instance in sorted({name for _, _, name in readings}):
        starts = sorted((at - up, at) for at, up, name in readings if name == instance)
        group: list[tuple[float, float]] = []
        for reading in starts:
            if group and reading[0] - group[-1][0] > apart:
                found.append(_incarnation(group, instance))
                group = []
            group.append(reading)
        if group:
            found.append(_incarnation(group, instance))
    return sorted(found)


def growth(readings: Sequence[tuple[float, float, str]], resolution_s: float) -> float | None:
    """The growth of the uptime per second; None when the readings are compatible with 1.

    NaN when most readings are of no process: they fall, or come from a process of which no other
    reading exists although it ran before the first of them.
    The growth is measured on runs of readings that do not fall, where these contain half of the
    readings. Several processes behind one name alternate; then neighbouring readings decide: those
    of one process agree with the unit, others with none.
    """
    if len(readings) <= LEAST_PAIRS:
        return None
    runs = [
        run
        for own in _by_instance(readings)
        for run in _rising(own)
        if len(run) >= LEAST_RUN and run[-1][0] - run[0][0] >= max(LEAST_SPAN_S, 20 * resolution_s)
    ]
    if 2 * sum(map(len, runs)) >= len(readings):
        weighted = sorted(slope for run in runs for slope in [_slope(run)] * len(run))
        slope = weighted[len(weighted) // 2]
        return None if abs(slope - 1) <= UNIT_DIFFERS else slope
    if _of_no_process(readings, resolution_s):
        return math.nan
    fits = _agreeing(readings, lambda dt, du: abs(du - dt) <= 1.5 * resolution_s + 1 + 0.05 * dt)
    for unit in UNITS:
        alike = _agreeing(readings, partial(_grows_by, unit))
        if alike > 3 * fits and 10 * alike > len(readings):
            return unit
    return None


def drop_copies(
    readings: Sequence[tuple[float, float, str]], resolution_s: float
) -> list[tuple[float, float, str]]:
    """The readings without those that repeat the previous uptime: a cached copy is no reading."""
    apart = tolerance(resolution_s)
    found: list[tuple[float, float, str]] = []
    first: dict[str, tuple[float, float]] = {}
    for at, up, name in sorted(readings):
        since, before = first.get(name, (at, math.nan))
        if up != before:
            first[name] = at, up
        elif at - since > apart:
            continue
        found.append((at, up, name))
    return found


def unit_of(slope: float, within: float = UNIT_DIFFERS) -> str:
    """The unit that grows by this much per second: ``milliseconds``; empty when there is none.

    Args:
        within: tolerance, as a share of the unit.
    """
    for unit, name in UNITS.items():
        if unit and abs(slope / unit - 1) <= within:
            return name
    return ""


def most_alive(lives: Sequence[Incarnation]) -> int:
    """The largest number of incarnations that were alive at the same time."""
    edges = sorted([(life.first, 0) for life in lives] + [(life.last, 1) for life in lives])
    most = alive = 0
    for _, ends in edges:
        alive += -1 if ends else 1
        most = max(most, alive)
    return most


def probes_needed(instances: int) -> int:
    """The number of random probes that reach a given one of ``instances`` with 99.9 % confidence.

    10, 18, 31, 66, 135 for 2, 3, 5, 10, 20.
    """
    if instances <= 1:
        return 1
    return math.ceil(math.log(1 - REACHED) / math.log(1 - 1 / instances))


def _by_instance(readings: Sequence[tuple[float, float, str]]) -> list[list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for at, up, name in sorted(readings):
        found.setdefault(name, []).append((at, up))
    return list(found.values())


def _agreeing(
    readings: Sequence[tuple[float, float, str]], agree: Callable[[float, float], bool]
) -> int:
    """The number of readings that agree with one of the next few, perhaps of the same process."""
    return sum(
        any(agree(t2 - t1, u2 - u1) for t2, u2 in own[i + 1 : i + 1 + NEXT_FEW])
        for own in _by_instance(readings)
        for i, (t1, u1) in enumerate(own)
    )


def _of_no_process(readings: Sequence[tuple[float, float, str]], resolution_s: float) -> bool:
    """Whether most readings fall without a start, or share their start with no other reading."""
    falls = single = 0
    for own in _by_instance(readings):
        # a process that started in between is younger than the time in between
        falls += sum(u2 < u1 and u2 > t2 - t1 for (t1, u1), (t2, u2) in pairwise(own))
        starts = sorted((at - up, at) for at, up in own)
        bounds = [-math.inf, *(start for start, _ in starts), math.inf]
        apart = tolerance(resolution_s)
        single += sum(
            start < own[0][0] and before + apart < start < after - apart
            for before, (start, _), after in zip(bounds, starts, bounds[2:], strict=False)
        )
    return falls > MOSTLY * len(readings) or 2 * single > len(readings)


def _grows_by(unit: float, dt: float, du: float) -> bool:
    return abs(du - unit * dt) <= 0.02 * unit * dt


def _rising(own: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Runs of readings in which the uptime does not fall."""
    runs: list[list[tuple[float, float]]] = []
    for each in own:
        if runs and each[1] >= runs[-1][-1][1]:
            runs[-1].append(each)
        else:
            runs.append([each])
    return runs


def _slope(run: Sequence[tuple[float, float]]) -> float:
    return (run[-1][1] - run[0][1]) / (run[-1][0] - run[0][0])


def _incarnation(group: Sequence[tuple[float, float]], instance: str) -> Incarnation:
    starts = [start for start, _ in group]
    seen = [at for _, at in group]
    # the earliest start is the least rounded one: an uptime is rounded down, never up
    return Incarnation(starts[0], min(seen), max(seen), len(group), instance)
