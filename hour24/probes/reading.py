"""Adds up the probers' files.

Rules of this module:

- Lines are streamed: one byte per slot is kept, and one sum per target and ten minutes.
- One file is one prober: its own control probes show whether its network was down, before its
  results are merged with those of others.
"""

from __future__ import annotations

from hour24.errors import SourceMisread
from hour24.probes.lines import MINUTE_S, Minute
from hour24.probes.states import (
    FAILED,
    GOOD,
    LIMITED,
    NO_NETWORK,
    SILENCES,
    Grid,
    Reasons,
    States,
    counts,
    silent_periods,
)

BLOCK_S = 600
NOTICED_S = 35.0
"""Longest delay until a broken connection is noticed; a silent one is noticed at its end."""
Target = tuple[str, str]
"""Kind and name: an endpoint may be called ``health`` too."""


class Block:
    """The sums of ten minutes of one target."""

    __slots__ = (
        "failed",
        "held",
        "late",
        "latency",
        "limited",
        "no_network",
        "statuses",
        "trips",
        "ws",
    )

    def __init__(self) -> None:
        self.latency: dict[str, int] = {}
        self.statuses: dict[str, int] = {}
        self.trips: list[float] = []
        self.late = 0
        self.failed: dict[str, int] = {}
        self.limited = 0
        self.no_network = 0
        self.held = 0.0
        self.ws = [0, 0, 0, 0]  # opened, dropped, refused, closed early


class Totals:
    """The sums of all files of a window.

    Args:
        start, end: the window, epoch seconds.
    """

    def __init__(self, start: float, end: float) -> None:
        self.start = start
        self.end = end
        self.grids: dict[Target, dict[Grid, States]] = {}
        self.newest: dict[Target, tuple[float, Grid]] = {}
        self.blocks: dict[Target, dict[int, Block]] = {}
        self.uptimes: dict[Target, list[tuple[float, float, str]]] = {}
        self.reasons = Reasons()
        self.vantages: set[str] = set()
        self.notes: tuple[str, ...] = ()
        self.simulated = False


class FileReader:
    """Adds one file to :class:`Totals`."""

    def __init__(self, totals: Totals, name: str) -> None:
        self.totals = totals
        self.name = name
        self.states: dict[Target, dict[Grid, States]] = {}
        self.ended: list[tuple[float, float, int, Block]] = []

    def take(self, number: int, line: Minute) -> None:
        """Add one line; lines outside the window are ignored."""
        totals = self.totals
        minute = line.minute.timestamp()
        key = (line.kind, line.probe)
        if minute + MINUTE_S <= totals.start or minute >= totals.end:
            return
        grid = Grid(line.interval_s, line.phase_s)
        known = totals.newest.get(key)
        if known is None or minute >= known[0]:
            totals.newest[key] = (minute, grid)
        k = grid.first(minute) + line.first
        states = self.states.setdefault(key, {}).get(grid)
        if states is None:
            states = self.states[key][grid] = States(grid, k)
        states.put(k, self._codes(number, line))
        if minute < totals.start:
            return  # its slots may overlap the window, but its sums cannot be split
        blocks = totals.blocks.get(key)
        if blocks is None:
            blocks = totals.blocks[key] = {}
        index = int((minute - totals.start) // BLOCK_S)
        block = blocks.get(index)
        if block is None:
            block = blocks[index] = Block()
        add(block.statuses, line.statuses)
        latency, known_counts = block.latency, block.latency.get
        for bucket, count in line.latency.items():
            latency[bucket] = known_counts(bucket, 0) + count
        block.late += line.late
        if line.round_trip_ms:
            block.trips.append(line.round_trip_ms)
        if line.kind == "websocket":
            block.held += line.held_s
            for i, n in enumerate((line.opened, len(line.dropped), line.refused, line.closed)):
                block.ws[i] += n
            self.ended += [
                # noticed at the end of a session, however long before it the connection was lost
                (minute + drop.at_s, -max(NOTICED_S, drop.after_s), 1, block)
                for drop in line.dropped
            ]
            self.ended += [(minute, MINUTE_S, 2, block)] * line.refused
        if line.uptimes:
            readings = totals.uptimes.setdefault(key, [])
            readings += [
                (round(minute + offset, 3), up, instance) for offset, up, instance in line.uptimes
            ]
        if line.simulated:
            totals.simulated = True
        if line.vantage:
            totals.vantages.add(line.vantage)
        if line.note and len(totals.notes) < 20:
            totals.notes = (*totals.notes, f"{line.minute:%H:%M} {line.probe}: {line.note}")

    def _codes(self, number: int, line: Minute) -> bytes | bytearray:
        if not (line.missed or line.limited or line.failed):
            return _GOODS[: line.due] if line.due <= len(_GOODS) else bytes([GOOD]) * line.due
        codes = bytearray([GOOD]) * line.due
        marks = [(0, line.missed), (LIMITED, line.limited)]
        marks += [(self.totals.reasons.code(name), slots) for name, slots in line.failed.items()]
        for code, slots in marks:
            for slot in slots:
                if not line.first <= slot < line.first + line.due:
                    raise SourceMisread(
                        f"probe/{self.name}: line {number}: {line.probe}: expected slots from "
                        f"{line.first} to {line.first + line.due - 1}, got {slot}"
                    )
                codes[slot - line.first] = code
        return codes

    def close(self) -> None:
        """Mark the failures of our own network and merge with the other files."""
        controls = self.states.get(("control", "control"), {})
        silent = [period for each in controls.values() for period in silent_periods(each)]
        for key, grids in self.states.items():
            for grid, states in grids.items():
                if silent and key[0] != "control":
                    states.mark_no_network(silent)
                self._count_failures(key, states)
                merged = self.totals.grids.setdefault(key, {})
                if grid in merged:
                    merged[grid].put(states.base, states.codes)
                else:
                    merged[grid] = states
        self._discard_own_drops(silent)

    def _discard_own_drops(self, silent: list[tuple[float, float]]) -> None:
        """Discard WebSocket drops and refusals that our own network caused."""
        if not silent:
            return
        discarded = 0
        for at, lasts, which, block in self.ended:
            begun, ended = (at, at + lasts) if lasts > 0 else (at + lasts, at)
            if any(a <= ended and begun < b for a, b in silent):
                block.ws[which] -= 1
                discarded += 1
        if discarded:
            note = f"{discarded} WebSocket drops and refusals while our own network was down"
            self.totals.notes = (*self.totals.notes, f"{note} are not counted")

    def _count_failures(self, key: Target, states: States) -> None:
        """Count failed, limited and no-network probes per block."""
        totals, grid = self.totals, states.grid
        if not states.codes.translate(None, _FINE):
            return
        for index, block in totals.blocks.get(key, {}).items():
            start = totals.start + index * BLOCK_S
            codes = states.within(grid.first(start), grid.first(start + BLOCK_S))
            for code, n in counts(codes).items():
                if code == LIMITED:
                    block.limited += n
                elif code >= FAILED:
                    add(block.failed, {totals.reasons.name(code): n})
                elif NO_NETWORK <= code < GOOD:
                    block.no_network += n
                    name = totals.reasons.name(code)
                    block.statuses[name] = max(0, block.statuses.get(name, 0) - n)


def add(total: dict[str, int], part: dict[str, int]) -> None:
    """Add the counts of ``part`` to ``total``."""
    for name, count in part.items():
        total[name] = total.get(name, 0) + count


_GOODS = bytes([GOOD]) * 3600
_FINE = bytes([0, GOOD])
assert len(SILENCES) < GOOD - NO_NETWORK
