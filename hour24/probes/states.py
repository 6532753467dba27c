"""The state of each slot: one byte, so that a day of 100 probes a second takes 8.6 MB.

Rules of this module:

- Codes are ordered by how much they say, and merging two probers takes the larger one:
  nothing < limited < failed while our own network was down < good < failed. So a slot is probed if
  any prober probed it, and failed if it failed for any prober: a second prober cannot turn red into
  green. A prober with a silent control address cannot turn green into red.
- Limited (429) is no sample: it says nothing about the service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from hour24.probes.lines import NO_ANSWER, first_slot

NOTHING, LIMITED, NO_NETWORK, GOOD, FAILED = 0, 1, 2, 64, 65
SILENCES = tuple(sorted(NO_ANSWER))
UNPROBED = re.compile(rb"[\x00\x01]+")
BAD = re.compile(rb"[\x02-\x3f\x41-\xff]")
KNOWN_OTHERWISE = re.compile(rb"[\x02-\x40]")
FAILING = re.compile(rb"[\x41-\xff]")
OTHER = "other"
REACH = 2.0
"""A control probe is valid for at most this many of its intervals."""


class Grid(NamedTuple):
    """The times of slots: ``k * interval_s + phase_s``."""

    interval_s: float
    phase_s: float

    def at(self, k: int) -> float:
        """Returns when slot ``k`` is due, epoch seconds."""
        return k * self.interval_s + self.phase_s

    def first(self, time: float) -> int:
        """Returns the first slot at or after ``time``."""
        return first_slot(time, self.interval_s, self.phase_s)


class Reasons:
    """Numbers the names of failures: 190 distinct ones, the others are ``other``."""

    def __init__(self) -> None:
        self.names: list[str] = list(SILENCES)
        self._codes = {name: FAILED + i for i, name in enumerate(self.names)}

    def code(self, name: str) -> int:
        """Returns the code of a slot that failed for this reason."""
        known = self._codes.get(name)
        if known is None:
            if len(self.names) >= 255 - FAILED:
                return FAILED + len(self.names) if name == OTHER else self.code(OTHER)
            self.names.append(name)
            known = self._codes[name] = FAILED + len(self.names) - 1
        return known

    def name(self, code: int) -> str:
        """Returns the reason of a code."""
        index = code - FAILED if code >= FAILED else code - NO_NETWORK
        return self.names[index] if index < len(self.names) else OTHER


class States:
    """The codes of consecutive slots from ``base``; it grows as needed."""

    def __init__(self, grid: Grid, base: int, length: int = 0) -> None:
        self.grid = grid
        self.base = base
        self.codes = bytearray(length)

    def put(self, k: int, codes: bytes | bytearray) -> None:
        """Merge ``codes``, beginning at slot ``k``."""
        here = k - self.base
        if here < 0:
            self.codes[:0] = bytes(-here)
            self.base, here = k, 0
        end, size = here + len(codes), len(self.codes)
        if here >= size:
            self.codes += bytes(here - size)
            self.codes += codes
            return
        if end > size:
            self.codes += bytes(end - size)
        old = self.codes[here:end]
        if old.count(0) != len(old):
            codes = bytes(map(max, old, codes))
        self.codes[here:end] = codes

    def within(self, first: int, end: int) -> bytearray:
        """Returns the codes of slots ``first <= k < end``; NOTHING for unwritten slots."""
        low, high = max(0, first - self.base), max(0, end - self.base)
        inside = self.codes[low:high]
        before = max(0, min(self.base, end) - first)
        return bytearray(before) + inside + bytes(max(0, end - first - before - len(inside)))

    def mark_no_network(self, periods: list[tuple[float, float]]) -> None:
        """Mark probes without an answer in these periods as failures of our own network."""
        for start, end in periods:
            low = max(0, self.grid.first(start) - self.base)
            high = max(low, self.grid.first(end) - self.base)
            self.codes[low:high] = self.codes[low:high].translate(_TO_NO_NETWORK)

    def mapped(self, grid: Grid) -> States:
        """Returns the states on another grid, each code in the slot that contains its time."""
        found: dict[int, int] = {}
        for i, code in enumerate(self.codes):
            if code:
                k = grid.first(self.grid.at(self.base + i) + 1e-6) - 1
                found[k] = max(code, found.get(k, 0))
        first = min(found, default=0)
        states = States(grid, first, max(found, default=first - 1) + 1 - first)
        for k, code in found.items():
            states.codes[k - first] = code
        return states


def silent_periods(control: States) -> list[tuple[float, float]]:
    """Returns when a prober's control address did not answer, as [start, end) epoch seconds.

    A time belongs to the nearest control probe, at most two of its intervals away.
    """
    grid, reach = control.grid, REACH * control.grid.interval_s
    probes = [
        (grid.at(control.base + match.start()), match.group()[0] != GOOD)
        for match in re.finditer(rb"[\x02-\xff]", bytes(control.codes))
    ]
    if not any(silent for _, silent in probes):
        return []
    periods: list[tuple[float, float]] = []
    for i, (at, silent) in enumerate(probes):
        if not silent:
            continue
        start, end = at - reach, at + reach
        if i > 0:
            start = max(start, (probes[i - 1][0] + at) / 2)
        if i + 1 < len(probes):
            end = min(end, (probes[i + 1][0] + at) / 2)
        if periods and start <= periods[-1][1]:
            periods[-1] = (periods[-1][0], end)
        else:
            periods.append((start, end))
    return periods


def failures(codes: bytes | bytearray) -> Iterator[tuple[int, int, int]]:
    """Yields each failed slot: its index, its code, and how many slots the failure lasted.

    It lasts until the first good slot; 0 if the next probed slot is good. While the control address
    is silent, the service may answer: a failure does not last into that time.
    """
    data = bytes(codes)
    for match in BAD.finditer(data):
        i = match.start()
        if data[i] >= FAILED:
            ended = KNOWN_OTHERWISE.search(data, i + 1)
            end = ended.start() if ended else len(data)
            yield i, data[i], end - i if FAILING.search(data, i + 1, end) or not ended else 0
            continue
        good = data.find(GOOD, i + 1)
        again = BAD.search(data, i + 1)
        following = again.start() if again else len(data)
        if 0 <= good < following:
            yield i, data[i], 0
        else:
            yield i, data[i], (good if good >= 0 else len(data)) - i


def gaps(
    codes: bytes | bytearray, grid: Grid, k: int, start: float, end: float
) -> list[tuple[float, float]]:
    """Returns periods without a probe that are longer than an interval, including the edges.

    Args:
        k: number of the first slot.
        start, end: the window, epoch seconds.
    """
    if not codes:
        return [(start, end)] if end - start > grid.interval_s else []
    found = []
    for match in UNPROBED.finditer(bytes(codes)):
        since = start if match.start() == 0 else grid.at(k + match.start() - 1)
        until = end if match.end() == len(codes) else grid.at(k + match.end())
        if until - since > grid.interval_s * (1 + 1e-9):
            found.append((since, until))
    return found


def counts(codes: bytes | bytearray) -> Mapping[int, int]:
    """Returns code -> number of slots."""
    return {code: codes.count(code) for code in set(codes)}


_TO_NO_NETWORK = bytes(
    NO_NETWORK + (code - FAILED) if FAILED <= code < FAILED + len(SILENCES) else code
    for code in range(256)
)
