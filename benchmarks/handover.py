"""Simulated: how jobs of bounded length on hosted runners cover a watch of 24 hours.

    python benchmarks/handover.py [--every S]

No job is run. Four ways to hand over are played with runner starts of 20 s, 2 min and 10 min,
without a kill and with one job killed at every time of a grid; of the kills the worst is shown.

Rules of this module:

- By ``needs``, a job starts when its predecessor has ended, however it ended. By dispatch, it is
  started ``OVERLAP_S`` before the end of its predecessor, which waits for it.
- Two chains end their jobs at different times. A job that starts late ends no later, so that a
  kill does not move its chain to the other's times.
- After a kill, a chain by dispatch is started again by the other chain, or where there is
  none by the schedule.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import Figure, tell
from hour24.statistics import coverage

WATCH_S = 24 * 3600.0
JOB_S = 330 * 60.0
"""Half an hour less than a hosted job may last, for its set-up and its last push."""
SET_UP_S = 60.0
"""Assumed: fetch and install, before the first probe."""
OVERLAP_S = 20 * 60.0
"""More than the slowest start here and its set-up."""
NOTICED_S = 180.0
"""Assumed: after so long without lines of the other chain, its job counts as dead."""
REVIVED_S = 189 * 60.0
"""The least of the late starts of a schedule that were seen."""
STARTS_S = (20.0, 120.0, 600.0)
WAYS = {
    "one chain by needs": (False, 1),
    "two chains by needs": (False, 2),
    "one chain by dispatch": (True, 1),
    "two chains by dispatch": (True, 2),
}
"""Name -> whether successors are dispatched, and the number of chains."""
CHOSEN = "two chains by dispatch"
Spans = list[tuple[float, float]]


def probed(dispatch: bool, chains: int, chain: int, start_s: float, killed: float) -> Spans:
    """The times during which a chain probes.

    Args:
        chain: 0 or 1; the second ends its jobs half a job later than the first.
        killed: when its job is killed; infinite for never.
    """
    until = start_s + SET_UP_S
    spans: Spans = []
    begin = 0.0
    end = JOB_S / 2 if chain else JOB_S
    while begin < WATCH_S:
        handover = max(begin, end - OVERLAP_S) if dispatch else end
        following = handover + until
        stop = max(end, following) if dispatch else end
        if begin <= killed < min(stop, WATCH_S):
            stop = killed
            if not dispatch:
                following = killed + until
            elif killed < handover:  # no successor was started yet
                following = killed + (NOTICED_S if chains > 1 else REVIVED_S) + until
        spans.append((begin, min(stop, WATCH_S)))
        if stop == killed:
            killed = math.inf
            if following < end:
                begin = following  # it takes what is left of the killed job
                continue
        begin, end = following, end + JOB_S
    return spans


def gaps(spans: Spans) -> list[float]:
    """The times of the watch that no span covers, in seconds."""
    found, reached = [], 0.0
    for begin, end in sorted(spans):
        if begin > reached:
            found.append(begin - reached)
        reached = max(reached, end)
    return [*found, WATCH_S - reached] if reached < WATCH_S else found


class Outcome:
    """Coverage, longest gap in seconds and runner minutes of one simulated watch."""

    def __init__(self, way: str, start_s: float, killed: float = math.inf, of: int = 0) -> None:
        dispatch, chains = WAYS[way]
        each = [
            probed(dispatch, chains, n, start_s, killed if n == of else math.inf)
            for n in range(chains)
        ]
        spans = [span for chain in each for span in chain]
        missing = gaps(spans)
        self.coverage = 1 - math.fsum(missing) / WATCH_S
        self.gap_s = max(missing, default=0.0)
        self.minutes = math.fsum(end - begin + SET_UP_S for begin, end in spans) / 60


def worst(way: str, start_s: float, every_s: float) -> Outcome:
    """Return the outcome with the longest gap of all that one kill can have."""
    kills = [
        Outcome(way, start_s, n * every_s, of)
        for of in range(WAYS[way][1])
        for n in range(1, math.ceil(WATCH_S / every_s))
    ]
    return max(kills, key=lambda outcome: (outcome.gap_s, -outcome.coverage))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--every", type=float, default=60.0, metavar="S", help="grid of the kills")
    every_s = parser.parse_args().every
    figures = []
    for way in WAYS:
        for start_s in STARTS_S:
            for kill, outcome in (
                ("no kill", Outcome(way, start_s)),
                ("worst kill", worst(way, start_s, every_s)),
            ):
                name = f"simulated, {way}, start {start_s:g} s, {kill}"
                limited = way == CHOSEN
                least = 100 * coverage.REQUIRED if limited else None
                most = coverage.LONGEST_GAP_S if limited else None
                figures += [
                    Figure(f"{name}: coverage", 100 * outcome.coverage, "%", least=least),
                    Figure(f"{name}: longest gap", outcome.gap_s, "s", most=most),
                    Figure(f"{name}: runner minutes", outcome.minutes, "min"),
                ]
    return tell(figures)


if __name__ == "__main__":
    sys.exit(main())
