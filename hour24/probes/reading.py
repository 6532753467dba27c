"""The probers' files on their way into sums.

Rules of this module:

- Lines are streamed: what is kept is a byte a slot, and a sum per target and ten minutes.
- One file is one prober: whether its own network was down is told from its own control probes,
  before it is merged into what others saw.
"""

from __future__ import annotations

from hour24.errors import SourceMisread
from hour24.probes.lines import MINUTE_S, Minute
from hour24.probes.states import (
    BLIND,
    FAILED,
    GOOD,
    LIMITED,
    SILENCES,
    Grid,
    Reasons,
    States,
    counts,
    silent_stretches,
)

BLOCK_S = 600
NOTICED_S = 35.0
"""A broken connection may be noticed so much later at the least; one that is silent, at its end."""
Target = tuple[str, str]
"""Kind and name: an endpoint may well be called ``health``."""


class Block:
    """What ten minutes of one target add up to."""

    __slots__ = ("blind", "failed", "held", "late", "latency", "limited", "statuses", "trips", "ws")

    def __init__(self) -> None:
        self.latency: dict[str, int] = {}
        self.statuses: dict[str, int] = {}
        self.trips: list[float] = []
        self.late = 0
        self.failed: dict[str, int] = {}
        self.limited = 0
        self.blind = 0
        self.held = 0.0
        self.ws = [0, 0, 0, 0]  # opened, dropped, refused, closed early


class Gathered:
    """What all files of a window add up to.

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


class Reading:
    """One file on its way into :class:`Gathered`."""

    def __init__(self, gathered: Gathered, name: str) -> None:
        self.gathered = gathered
        self.name = name
        self.states: dict[Target, dict[Grid, States]] = {}
        self.ended: list[tuple[float, float, int, Block]] = []

    def take(self, number: int, line: Minute) -> None:
        """Add one line; one outside the window only counts as newest."""
        gathered = self.gathered
        minute = line.minute.timestamp()
        key = (line.kind, line.probe)
        if minute + MINUTE_S <= gathered.start or minute >= gathered.end:
            return
        grid = Grid(line.interval_s, line.phase_s)
        known = gathered.newest.get(key)
        if known is None or minute >= known[0]:
            gathered.newest[key] = (minute, grid)
        k = grid.from_(minute) + line.first
        states = self.states.setdefault(key, {}).get(grid)
        if states is None:
            states = self.states[key][grid] = States(grid, k)
        states.put(k, self._codes(number, line))
        if minute < gathered.start:
            return  # its slots may reach into the window, its sums cannot be split
        blocks = gathered.blocks.get(key)
        if blocks is None:
            blocks = gathered.blocks[key] = {}
        index = int((minute - gathered.start) // BLOCK_S)
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
                # seen at the end of a hold alone, however long before it the connection was lost
                (minute + drop.at_s, -max(NOTICED_S, drop.after_s), 1, block)
                for drop in line.dropped
            ]
            self.ended += [(minute, MINUTE_S, 2, block)] * line.refused
        if line.uptimes:
            readings = gathered.uptimes.setdefault(key, [])
            readings += [
                (round(minute + offset, 3), up, instance) for offset, up, instance in line.uptimes
            ]
        if line.simulated:
            gathered.simulated = True
        if line.vantage:
            gathered.vantages.add(line.vantage)
        if line.note and len(gathered.notes) < 20:
            gathered.notes = (*gathered.notes, f"{line.minute:%H:%M} {line.probe}: {line.note}")

    def _codes(self, number: int, line: Minute) -> bytes | bytearray:
        if not (line.missed or line.limited or line.failed):
            return _GOODS[: line.due] if line.due <= len(_GOODS) else bytes([GOOD]) * line.due
        codes = bytearray([GOOD]) * line.due
        marks = [(0, line.missed), (LIMITED, line.limited)]
        marks += [(self.gathered.reasons.code(name), slots) for name, slots in line.failed.items()]
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
        """Tell our own network's failures apart and merge into what others saw."""
        controls = self.states.get(("control", "control"), {})
        silent = [stretch for each in controls.values() for stretch in silent_stretches(each)]
        for key, grids in self.states.items():
            for grid, states in grids.items():
                if silent and key[0] != "control":
                    states.blind(silent)
                self._censor(key, states)
                merged = self.gathered.grids.setdefault(key, {})
                if grid in merged:
                    merged[grid].put(states.base, states.codes)
                else:
                    merged[grid] = states
        self._forgive(silent)

    def _forgive(self, silent: list[tuple[float, float]]) -> None:
        """What our own network's failure did to WebSockets is no drop and no refusal of theirs."""
        if not silent:
            return
        forgiven = 0
        for at, lasts, which, block in self.ended:
            begun, ended = (at, at + lasts) if lasts > 0 else (at + lasts, at)
            if any(a <= ended and begun < b for a, b in silent):
                block.ws[which] -= 1
                forgiven += 1
        if forgiven:
            note = f"{forgiven} WebSocket drops and refusals while our own network was down"
            self.gathered.notes = (*self.gathered.notes, f"{note} are not counted")

    def _censor(self, key: Target, states: States) -> None:
        """Count what failed, what was limited and what was blind, per block."""
        gathered, grid = self.gathered, states.grid
        if not states.codes.translate(None, _FINE):
            return
        for index, block in gathered.blocks.get(key, {}).items():
            start = gathered.start + index * BLOCK_S
            codes = states.within(grid.from_(start), grid.from_(start + BLOCK_S))
            for code, n in counts(codes).items():
                if code == LIMITED:
                    block.limited += n
                elif code >= FAILED:
                    add(block.failed, {gathered.reasons.name(code): n})
                elif BLIND <= code < GOOD:
                    block.blind += n
                    name = gathered.reasons.name(code)
                    block.statuses[name] = max(0, block.statuses.get(name, 0) - n)


def add(total: dict[str, int], part: dict[str, int]) -> None:
    """Add counts by name."""
    for name, count in part.items():
        total[name] = total.get(name, 0) + count


_GOODS = bytes([GOOD]) * 3600
_FINE = bytes([0, GOOD])
assert len(SILENCES) < GOOD - BLIND
