"""Memory as processes have it, for tests: a floor, a collector's saw-tooth, and what is added."""

from __future__ import annotations

import math
from collections.abc import Callable


def heap(
    hours: float,
    grows: Callable[[float], float] = lambda hour: 0.0,
    *,
    floor: float = 180.0,
    height: float = 30.0,
    every_min: int = 20,
) -> list[float]:
    """A reading a minute, in MB; ``grows`` is what lies on the floor at an hour."""
    found = []
    for minute in range(round(hours * 60)):
        into = minute % every_min / every_min
        wobble = 0.3 * math.sin(1.7 * minute) + 0.2 * math.sin(0.37 * minute)
        found.append(floor + grows(minute / 60) + height * into + wobble)
    return found


def leak(mb_h: float) -> Callable[[float], float]:
    """So many MB an hour, from the start."""
    return lambda hour: mb_h * hour


def cache(mb: float) -> Callable[[float], float]:
    """A cache that fills within the first hours and then is full."""
    return lambda hour: mb * (1 - math.exp(-hour / 2))


def day(mb: float) -> Callable[[float], float]:
    """Up and down once in 24 hours."""
    return lambda hour: mb * (1 - math.cos(2 * math.pi * hour / 24))
