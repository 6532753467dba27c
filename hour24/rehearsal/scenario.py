"""The scenario of a rehearsal: what happens, when, and to which part.

Rules of this module:

- A pure function of seed, faults and hours since T0; times are epoch seconds.
- Healthy means well inside every limit, for every seed: counts are computed from what they depend
  on, not drawn, so that no seed is an outlier.
- Every vendor reports an event the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property, lru_cache

from msgspec import Struct

from hour24.rehearsal.faults import Fault, parse_faults
from hour24.rehearsal.incidents import KINDS, Kind
from hour24.rehearsal.machines import Machines
from hour24.rehearsal.seeded import SeededRandom

FAILING = 0.001
"""Share of requests that fail in the healthy scenario: the criterion allows ten times as much."""
SWING = 0.4
"""By this share traffic rises and falls over a day."""
SHAPE_H = 6.0
"""Hour since T0 at which traffic rises through its mean."""
HOUR_S = 3600.0
RESETS_EVERY = 12
"""Each twelfth failure is a connection reset, the others are of a vendor."""
FIRST_HOUR = -30
"""The oldest hour that has events: before it no checkpoint asks."""


class Event(Struct, frozen=True):
    """An error event; ``at`` is in epoch seconds."""

    at: float
    id: str
    kind: Kind
    number: int

    @property
    def user(self) -> str:
        return f"user-{self.number % 97}"

    def words(self, text: str) -> str:
        """Return ``text`` with this event's number and id filled in."""
        return text.replace("{n}", str(1000 + self.number % 8999)).replace("{id}", self.id[:12])


class Scenario:
    """What happens in one rehearsal.

    Args:
        seed: another seed gives other details and the same verdicts.
        faults: as written, ``NAME@HOUR``.
        t0: hour 0.
        rollbacks: (hour since T0, deploy id) of rollbacks requested so far.
    """

    def __init__(
        self,
        seed: int,
        faults: Iterable[str],
        t0: datetime,
        rollbacks: tuple[tuple[float, str], ...] = (),
    ) -> None:
        self.seed = seed
        self.t0 = t0
        self.rollbacks = rollbacks
        self.random = SeededRandom(seed)
        self.faults = tuple(self._end_at_rollback(fault) for fault in parse_faults(faults))
        self._t0 = t0.timestamp()
        self.machines = Machines(self.random, self.faults, rollbacks)
        self._events = lru_cache(maxsize=80)(self._events_of_hour)

    def _end_at_rollback(self, fault: Fault) -> Fault:
        """Return the fault; a bad deploy ends with the rollback that follows it."""
        later = [hour for hour, _ in self.rollbacks if hour >= fault.start_h]
        if fault.name != "bad_deploy" or not later:
            return fault
        return Fault(fault.name, fault.start_h, min(fault.end_h, min(later) + 0.05))

    def hour(self, at: float) -> float:
        """Return the hours since T0 of a time in epoch seconds."""
        return (at - self._t0) / HOUR_S

    def at(self, hour: float) -> float:
        """Return the epoch seconds of an hour since T0."""
        return self._t0 + hour * HOUR_S

    def tick(self, at: float) -> int:
        """Return whole milliseconds since T0, as purpose of random numbers: no date matters."""
        return round((at - self._t0) * 1000)

    def has_fault(self, name: str, at: float) -> bool:
        """True if a fault of this name is active at ``at``."""
        hour = self.hour(at)
        return any(fault.name == name and fault.active(hour) for fault in self.faults)

    def since_h(self, name: str, at: float) -> float:
        """Return hours since the fault began, at most until its end; 0 before it or without it."""
        hour = self.hour(at)
        for fault in self.faults:
            if fault.name == name and hour > fault.start_h:
                return min(hour, fault.end_h) - fault.start_h
        return 0.0

    # --- traffic ------------------------------------------------------------------------------

    @cached_property
    def _base(self) -> float:
        return self.random.between(56.0, 66.0, "traffic")

    def rate(self, hour: float) -> float:
        """Return requests per minute at this hour of the day's curve."""
        return self._base * (1.0 + SWING * math.sin(2 * math.pi * (hour - SHAPE_H) / 24))

    def _sum(self, hour: float) -> float:
        """Return the requests from a fixed time long before T0 until this hour."""
        turn = 24 / (2 * math.pi)
        swing = SWING * turn * math.cos(2 * math.pi * (hour - SHAPE_H) / 24)
        return self._base * 60 * (hour + 1000.0 - swing)

    def requests(self, minute: int) -> dict[int, int]:
        """Return requests by HTTP status in the minute that starts ``minute`` minutes after T0."""
        hour = minute / 60
        at = self.at(hour)
        if self.has_fault("no_traffic", at):
            return {}
        total = int(self.rate(hour) * (1 + 0.05 * self.random.normal("requests", minute)))
        found: dict[int, int] = {}
        for key, count in self._failures(minute).items():
            status = 502 if key == "gone" else KINDS[key].status
            found[status] = found.get(status, 0) + count
        rest = max(0, total - sum(found.values()))
        for status, share in ((404, 0.010), (401, 0.004), (429, 0.003), (201, 0.080)):
            found[status] = self.random.whole(rest * share, "status", status, minute)
            rest -= found[status]
        found[200] = max(0, rest)
        return {status: count for status, count in sorted(found.items()) if count}

    def _failures(self, minute: int) -> dict[str, int]:
        """Return failed requests by kind of error in that minute."""
        hour, random = minute / 60, self.random
        at = self.at(hour) + 30.0
        offset = random.uniform("failures")
        first = math.floor(FAILING * self._sum(hour) + offset)
        after = math.floor(FAILING * self._sum(hour + 1 / 60) + offset)
        found: dict[str, int] = {}
        for number in range(first, after):
            key = "reset" if number % RESETS_EVERY == 0 else "vapi"
            found[key] = found.get(key, 0) + 1
        rate = self.rate(hour)
        for name, key, share in (
            ("error_spike", "spike", 0.40),
            ("vapi_errors", "vapi", 0.08),
            ("database_down", "down", 0.90),
            ("bad_deploy", "lazy", 0.30),
        ):
            if self.has_fault(name, at):
                more = random.whole(rate * share, name, minute)
                found[key] = found.get(key, 0) + more
        rising = 0.00035 * self.since_h("error_trend", at)
        if rising:
            found["vapi"] = found.get("vapi", 0) + random.whole(rate * rising, "trend", minute)
        if self.is_silent(at):
            found = {"gone": int(rate)}
        elif self.has_fault("crash_loop", at):
            found["gone"] = int(rate * 0.05)
        return {key: count for key, count in found.items() if count}

    def is_silent(self, at: float) -> bool:
        """True if the service answers no request."""
        if self.has_fault("backend_down", at) or self.has_fault("baseline_gone", at):
            return True
        return not self.machines.up(self.hour(at))

    # --- errors -------------------------------------------------------------------------------

    def events(self, start: float, end: float) -> list[Event]:
        """Return error events with ``start <= at < end``, oldest first."""
        first, last = math.floor(self.hour(start)), math.ceil(self.hour(end))
        found = []
        for hour in range(max(first, FIRST_HOUR), last):
            found += [event for event in self._events(hour) if start <= event.at < end]
        return found

    def stored_events(self, start: float, end: float) -> list[Event]:
        """Return the events that Sentry has stored: none from while it stored nothing."""
        found = self.events(start, end)
        return [each for each in found if not self.has_fault("sentry_deaf", each.at)]

    def _events_of_hour(self, hour: int) -> tuple[Event, ...]:
        found: list[Event] = []
        begin = self.at(hour)

        def add(at: float, kind: Kind, *purpose: object) -> None:
            key = self.random.hex(32, "event", kind.key, hour, *purpose)
            found.append(Event(round(at, 3), key, kind, int(key[:6], 16)))

        for minute in range(60):
            start = begin + minute * 60
            for key, count in self._failures(hour * 60 + minute).items():
                for i in range(count if key != "gone" else 0):
                    spread = self.random.uniform("when", key, hour, minute, i)
                    add(start + 60 * (i + spread) / count, KINDS[key], minute, i)
        for kind in KINDS.values():
            count = int(kind.per_hour)
            for i in range(count):
                at = begin + HOUR_S * (i + self.random.uniform("when", kind.key, hour, i)) / count
                if (not kind.fault or self.has_fault(kind.fault, at)) and not self.is_silent(at):
                    add(at, kind, i)
        return tuple(sorted(found, key=lambda event: event.at))

    def first_seen(self, kind: Kind) -> float:
        """Return when Sentry first saw this kind, epoch seconds."""
        if not kind.fault or kind.first_h != -700.0:
            return self.at(kind.first_h)
        starts = [fault.start_h for fault in self.faults if fault.name == kind.fault]
        events = self.events(self.at(min(starts)), self.at(min(starts) + 2.0)) if starts else []
        return next((event.at for event in events if event.kind is kind), self.at(kind.first_h))

    # --- the database -------------------------------------------------------------------------

    def disk(self, at: float) -> tuple[int, int]:
        """Return size and used bytes of the database's disk."""
        size = 8_350_298_112
        used = 2_000_000_000 + 5_000_000 * (self.hour(at) + 30)
        used += 300_000_000 * self.since_h("disk_growing", at)
        if self.has_fault("disk_filling", at):
            used = 0.87 * size
        return size, int(min(used, size - 4096))
