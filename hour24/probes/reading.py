"""Adds up the probers' files.

Rules of this module:

- Lines are streamed: one byte per slot is kept, and one sum per target and ten minutes.
- One file is one prober: its own control probes show whether its network was down, before its
  results are merged with those of others.
"""

from __future__ import annotations

from collections.abc import Sequence

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
        self.by_vantage: dict[str, dict[Target, dict[Grid, States]]] | None = None
        self.notes: tuple[str, ...] = ()
        self.simulated = False


class FileReader:
    """Adds one file to :class:`Totals`."""

    def __init__(self, totals: Totals, name: str) -> None:
        self.totals = totals
        self.name = name
        self.states: dict[Target, dict[Grid, States]] = {}
        self.vantage = ""
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
            self.vantage = line.vantage
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
                if self.totals.by_vantage is not None:
                    known = self.totals.by_vantage.setdefault(self.vantage, {}).setdefault(key, {})
                    if grid not in known:
                        known[grid] = States(grid, states.base)
                    known[grid].put(states.base, states.codes)
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


def leave_out_lone_silences(totals: Totals, vantages: Sequence[str], needed: int) -> int:
    """Leave out probes without an answer that too few vantages can have seen.

    A probe is left out only where so many other vantages got a good answer in the same slot that
    fewer than ``needed`` can have seen a failure. Returns: how many were left out.
    """
    by_vantage = totals.by_vantage or {}
    spared = len(vantages) - needed + 1
    found = 0
    for name in vantages:
        for key, grids in by_vantage.get(name, {}).items():
            if key[0] not in ("health", "endpoint"):
                continue
            for grid, states in grids.items():
                others = [
                    each
                    for other in vantages
                    if other != name
                    and (each := by_vantage.get(other, {}).get(key, {}).get(grid)) is not None
                ]
                for i, code in enumerate(states.codes):
                    if not FAILED <= code < FAILED + len(SILENCES):
                        continue
                    k = states.base + i
                    if sum(each.within(k, k + 1)[0] == GOOD for each in others) >= spared:
                        found += _take_out(totals, key, grid.at(k), totals.reasons.name(code))
    return found


def _take_out(totals: Totals, key: Target, at: float, reason: str) -> int:
    """Take one probe without an answer out of its block; return 1 if it was counted there."""
    block = totals.blocks.get(key, {}).get(int((at - totals.start) // BLOCK_S))
    if block is None or not block.failed.get(reason) or not block.statuses.get(reason):
        return 0
    block.failed[reason] -= 1
    block.statuses[reason] -= 1
    return 1


def add(total: dict[str, int], part: dict[str, int]) -> None:
    """Add the counts of ``part`` to ``total``."""
    for name, count in part.items():
        total[name] = total.get(name, 0) + count


_GOODS = bytes([GOOD]) * 3600
_FINE = bytes([0, GOOD])
assert len(SILENCES) < GOOD - NO_NETWORK
