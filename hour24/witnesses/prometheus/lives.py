"""When each instance was seen, and whether all of them were.

Rules of this module:

- An instance is covered where its samples follow one another; it needs 95 % of its own life.
- An end is explained by a successor within five minutes. Fewer instances than the minimum, for
  longer than that, is no evidence about the ones that are missing.
- Where two engines of a pair hold the same series, the better covered one is read, whole.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from hour24.text import format_coverage, format_duration, format_time, plural

COVERAGE = 0.95
"""The share of an instance's life, and of the window, that must have been seen."""
GRACE_S = 300.0
"""A successor may take this long: a deploy that stops the old instance first."""
LATE = 2.5
"""A sample this many intervals after the one before it is a gap."""
USUAL_S = 60.0
"""The interval of an instance with too few samples to have one."""
SILENT_S = 900.0
"""An instance that lived this long has had a request, if the others had."""


class Life(NamedTuple):
    """One instance in a window.

    Args:
        first, last: its first and last sample, epoch seconds; the first may lie before the window.
        every_s: seconds between two samples.
        covered: the share of its life in the window that was seen, 0 to 1.
    """

    name: str
    first: float
    last: float
    every_s: float
    covered: float

    @property
    def ends(self) -> float:
        """When it counts as gone, unless it is still there at the end of the window."""
        return self.last + LATE * self.every_s


def life_of(name: str, times: Iterable[float], start: float, end: float) -> Life | None:
    """Return one instance's life; None where no sample lies in the window."""
    ordered = sorted(times)
    if not ordered or ordered[-1] < start:
        return None
    steps = [b - a for a, b in pairwise(ordered)]
    every_s = median(steps) if len(steps) >= 3 else USUAL_S
    began = max(start, ordered[0])
    lost = sum(
        b - max(a, start) - every_s
        for a, b in pairwise(ordered)
        if b > start and b - a > LATE * every_s and b - max(a, start) > every_s
    )
    lived = ordered[-1] - began + every_s
    return Life(name, ordered[0], ordered[-1], every_s, max(0.0, 1.0 - lost / lived))


def missing(lives: Sequence[Life], start: float, end: float, least: int) -> str:
    """Return what was not seen, in a few words; empty where nothing is missing.

    Args:
        least: fewest instances that are normal; 0: those of the window's beginning.
    """
    if not lives:
        return "no instance was seen"
    worst = min(lives, key=lambda life: life.covered)
    if worst.covered < COVERAGE:
        return (
            f"{worst.name or 'the instance'} was seen for {format_coverage(worst.covered)} of its "
            f"life: expected at least {format_coverage(COVERAGE)}"
        )
    at_start = sum(life.first <= start + GRACE_S for life in lives)
    stated, least = least > 0, least or max(1, at_start)
    short_s, since = _short(lives, start, end, least)
    at_end = sum(life.ends + GRACE_S >= end for life in lives)
    if at_end >= least and short_s <= (1 - COVERAGE) * (end - start):
        return ""
    gone = [life for life in lives if life.ends + GRACE_S < end]
    names = (
        f"; {gone[-1].name or 'one'} was last seen at {format_time(gone[-1].last)}" if gone else ""
    )
    remedy = "" if stated else "; if fewer are normal, state min_instances"
    return (
        f"fewer than {plural(least, 'instance')} from {format_time(since)} on: expected "
        f"{'min_instances' if stated else 'those that ran when the window began'}{names}{remedy}"
    )


def uncounted(
    life: Life,
    start: float,
    resets: Iterable[float],
    began: Iterable[float],
    times: Iterable[float],
    *,
    longest_s: float,
) -> str:
    """Return how much of what an instance counted was lost, in a few words; empty where little was.

    What a process counts after its last sample is lost when it ends, until the next one begins.

    Args:
        start: of the window.
        resets: when a counter had its last sample before it fell.
        began: when the instance's processes began.
        times: of all its samples.
        longest_s: the longest time without a sample in which a process may have ended.
    """
    ordered, starts = sorted(times), sorted(began)
    ended = {ordered[i - 1] for at in starts if (i := bisect_left(ordered, at)) > 0} | {*resets}
    gaps = []
    for at in sorted(ended):
        later = [each[i] for each in (ordered, starts) if (i := bisect_right(each, at)) < len(each)]
        if later and min(later) > start:
            gaps.append((max(at, start), min(later)))
    name = life.name or "the instance"
    if longer := [(a, b) for a, b in gaps if b - a > longest_s]:
        a, b = longer[0]
        return (
            f"{name} was not seen from {format_time(a)} to {format_time(b)}, and its process ended "
            "in that time: what it had counted until then is lost"
        )
    lost_s = sum(b - a for a, b in gaps)
    lived_s = life.last - max(start, life.first)
    if lost_s > max(GRACE_S, (1 - COVERAGE) * lived_s):
        return (
            f"the process of {name} ended {len(gaps)} times: what it had counted since its last "
            f"sample is lost, of {format_duration(lost_s)} in {format_duration(lived_s)}"
        )
    return ""


def _short(lives: Sequence[Life], start: float, end: float, least: int) -> tuple[float, float]:
    """Return for how many seconds there were fewer than ``least``, and from when first."""
    edges = sorted(
        {start, end}
        | {
            min(end, max(start, edge))
            for life in lives
            for edge in (life.first, life.ends + GRACE_S)
        }
    )
    short_s, since = 0.0, end
    for a, b in pairwise(edges):
        alive = sum(life.first <= a and b <= life.ends + GRACE_S for life in lives)
        if alive < least:
            short_s += b - a
            since = min(since, a)
    return short_s, since


def best_replicas(times: Mapping[tuple[str, str], Sequence[float] | set[float]]) -> dict[str, str]:
    """Return instance -> the replica of the engine that saw most of it.

    Args:
        times: (instance, replica) -> times of its samples.
    """
    best: dict[str, str] = {}
    for name, replica in sorted(times):
        if name not in best or len(times[name, replica]) > len(times[name, best[name]]):
            best[name] = replica
    return best


class Change(NamedTuple):
    """An instance that came or went.

    Args:
        at: epoch seconds.
        kind: ``added`` to all the others, ``replaced`` one that went, ``gone``.
        name: of the instance.
        other: of the one that it replaced.
    """

    at: float
    kind: str
    name: str
    other: str = ""


def changes(lives: Sequence[Life], start: float, end: float) -> list[Change]:
    """Return which instances came and went in the window, oldest first.

    Each new instance replaces at most one that went within five minutes of it.
    """
    gone = sorted((x for x in lives if x.ends + GRACE_S < end), key=lambda x: x.last)
    came = sorted((x for x in lives if x.first > start + x.every_s), key=lambda x: x.first)
    found = []
    left = list(gone)
    for life in came:
        near = [x for x in left if abs(x.last - life.first) <= GRACE_S and x.name != life.name]
        if near:
            old = min(near, key=lambda x: abs(x.last - life.first))
            left.remove(old)
            found.append(Change(life.first, "replaced", life.name, old.name))
        else:
            found.append(Change(life.first, "added", life.name))
    found += [Change(life.last, "gone", life.name) for life in left]
    return sorted(found)
