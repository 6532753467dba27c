"""How replies become a minute's line.

Rules of this module:

- The core knows neither clock nor network: a transport is asked for each slot's reply. The
  real prober and a rehearsal's simulation fold replies by the same code.
- A probe is good when it was answered as agreed. A good one that was sent later than half its
  interval after its slot is recorded as missed, never as fine; a late failure is a failure.
- An answer that a cache gave, an old document, and one that our client cannot read are no looks:
  they are recorded as missed, and counted by what they were.
- 429 is neither good nor failed, and no sample. A failure is no latency sample either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from hour24 import histogram
from hour24.asking.exchange import Reply
from hour24.asking.freshness import header_of
from hour24.evidence import NOT_TAKEN, STALE
from hour24.prober.plan import Plan
from hour24.prober.rules import Runbook
from hour24.probes.lines import (
    NO_ANSWER,
    NOT_CONNECTED,
    Alarm,
    Drop,
    LineWriter,
    Minute,
    slots_in,
)
from hour24.sources.health import reading
from hour24.watch import Window

BATCH = 600


@dataclass(frozen=True)
class Held:
    """What became of the WebSocket connections in one minute.

    Args:
        opened: established in it.
        dropped: ended abnormally in it.
        refused: handshakes that failed.
        closed: ended early by the server, but normally.
        held_s: connection seconds.
    """

    opened: int = 0
    dropped: tuple[Drop, ...] = ()
    refused: int = 0
    closed: int = 0
    held_s: float = 0.0


class Transport(Protocol):
    """Whom a probe asks."""

    def reply(self, plan: Plan, at: float) -> Reply:
        """The reply to the probe that was due at ``at`` (epoch seconds)."""

    def held(self, plan: Plan, minute: float) -> Held:
        """What became of the WebSocket connections in the minute that starts at ``minute``."""


@dataclass(frozen=True)
class Look:
    """How one reply is read.

    Args:
        failed: why it is not good; else empty.
        status: HTTP status as text, or the reason why there was none.
        limited: whether it was a 429.
        late: whether it was sent too late to count as fine.
        uptime: seconds and instance, when the document tells.
        no_look: whether it says nothing of the service: a cache's answer, or one that our own
            client cannot read.
    """

    failed: str
    status: str
    limited: bool = False
    late: bool = False
    uptime: tuple[float, str] | None = None
    no_look: bool = False

    @property
    def answered(self) -> bool:
        """Whether there was an HTTP answer."""
        return self.status not in NO_ANSWER

    @property
    def bad_response(self) -> bool:
        """Whether it counts against the error rate: 5xx or no answer."""
        return not self.answered or self.status[:1] == "5"


def look(plan: Plan, reply: Reply, at: float | None = None) -> Look:
    """How a reply is read: good, failed, limited, late.

    Args:
        at: when it was answered, epoch seconds; none: its document's age is not judged.
    """
    status = str(reply.status) if reply.status else reply.reason or "closed"
    late = reply.late_ms > plan.interval_s * 500
    if not reply.status:
        return Look(status, status, late=late)
    if plan.kind == "control":
        return Look("", status, late=late)
    if reply.status == 429 and 429 not in plan.expect:
        return Look("", status, limited=True, late=late)
    if reply.status not in plan.expect and (plan.expect or not 200 <= reply.status < 300):
        return Look(status, status, late=late)
    if plan.health is None:
        return Look("", status, late=late)
    told = reading(plan.health, reply.data, reply.headers, at)
    if told.stale:
        return Look("", STALE + header_of(told.stale), late=late, no_look=True)
    if told.not_taken:
        coding = reply.headers.get("content-encoding", "")[:20]
        return Look("", NOT_TAKEN + (coding or "too long"), late=late, no_look=True)
    return Look(told.problem, status, late=late, uptime=told.uptime)


@dataclass
class Tally:
    """One minute of one probe, as far as it has come.

    Args:
        minute: its start, epoch seconds.
        first, due: the slots that are due, as in the line.
    """

    plan: Plan
    minute: float
    first: int = 0
    due: int = -1
    simulated: bool = False
    vantage: str = ""
    round_trip_ms: float = 0.0
    note: str = ""
    settled: set[int] = field(default_factory=set)
    late: int = 0
    missed: list[int] = field(default_factory=list)
    limited: list[int] = field(default_factory=list)
    failed: dict[str, list[int]] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    latency: dict[int, int] = field(default_factory=dict)
    uptimes: list[tuple[float, float, str]] = field(default_factory=list)
    held: Held = Held()

    def __post_init__(self) -> None:
        self.slots = slots_in(self.minute, self.plan.interval_s, self.plan.phase_s)
        if self.due < 0:
            self.due = max(0, len(self.slots) - self.first)

    @property
    def complete(self) -> bool:
        """Whether every due slot is settled."""
        return len(self.settled) >= self.due

    def at(self, slot: int) -> float:
        """When a slot is due, epoch seconds."""
        return self.slots[slot] * self.plan.interval_s + self.plan.phase_s

    def miss(self, slot: int) -> None:
        """No probe was sent."""
        if slot not in self.settled:
            self.settled.add(slot)
            self.missed.append(slot)

    def take(self, slot: int, reply: Reply, seen: Look, at: float | None = None) -> None:
        """Add a reply.

        Args:
            at: the moment an uptime was read at, epoch seconds on a clock that does not jump;
                none: midway between sent and answered.
        """
        if slot in self.settled:
            return
        self.settled.add(slot)
        self.statuses[seen.status] = self.statuses.get(seen.status, 0) + 1
        if seen.limited:
            self.limited.append(slot)
            return
        if seen.no_look:
            self.missed.append(slot)
            return
        if seen.failed:
            self.failed.setdefault(seen.failed, []).append(slot)
        elif seen.late:
            self.missed.append(slot)
            self.late += 1
        else:
            bucket = histogram.bucket(max(0.0, reply.took_ms))
            self.latency[bucket] = self.latency.get(bucket, 0) + 1
        if seen.uptime is not None:
            if at is None:
                at = self.at(slot) + (reply.late_ms + reply.took_ms) / 2000
            self.uptimes.append(
                (round(at - self.minute, 2), round(seen.uptime[0], 3), seen.uptime[1])
            )

    def line(self) -> Minute:
        """The minute's line; what is due and not settled was missed."""
        plan, held = self.plan, self.held
        for slot in range(self.first, self.first + self.due):
            self.miss(slot)
        line = Minute(
            probe=plan.name,
            kind=plan.kind,
            minute=datetime.fromtimestamp(self.minute, UTC),
            interval_s=plan.interval_s,
            phase_s=plan.phase_s,
            first=self.first,
            due=self.due,
            missed=sorted(self.missed),
            late=self.late,
            limited=sorted(self.limited),
            failed={name: sorted(slots) for name, slots in sorted(self.failed.items())},
            statuses=dict(sorted(self.statuses.items())),
            latency={str(bucket): n for bucket, n in sorted(self.latency.items())},
            uptimes=sorted(self.uptimes),
            simulated=self.simulated,
            vantage=self.vantage,
            note=self.note,
        )
        if self.round_trip_ms:
            line.round_trip_ms = round(self.round_trip_ms, 3)
        if plan.kind == "websocket":
            line.opened, line.refused, line.closed = held.opened, held.refused, held.closed
            line.dropped, line.held_s = list(held.dropped), round(held.held_s, 3)
        return line

    def hold(self, held: Held) -> None:
        """Add what became of the WebSocket connections; a minute without any has failed."""
        self.held = held
        for slot in range(self.first, self.first + self.due):
            self.settled.add(slot)
            if held.held_s <= 0 and not held.opened:
                self.failed.setdefault(NOT_CONNECTED, []).append(slot)


def minute_line(
    plan: Plan,
    minute: float,
    transport: Transport,
    *,
    simulated: bool = False,
    vantage: str = "",
    looks: list[tuple[float, Plan, Look]] | None = None,
) -> Minute:
    """One probe's whole minute, each slot's reply asked of the transport.

    Args:
        minute: its start, epoch seconds, a whole minute.
        looks: each look is added to it, when given.
    """
    tally = Tally(plan, minute, simulated=simulated, vantage=vantage)
    if plan.kind == "websocket":
        tally.hold(transport.held(plan, minute))
        return tally.line()
    for slot in range(tally.due):
        at = tally.at(slot)
        reply = transport.reply(plan, at)
        seen = look(plan, reply, at + reply.took_ms / 1000)
        tally.take(slot, reply, seen)
        if looks is not None:
            looks.append((at, plan, seen))
    return tally.line()


def show_to(runbook: Runbook, at: float, plan: Plan, seen: Look) -> None:
    """Let the runbook's rules see a look."""
    nothing = seen.limited or seen.no_look
    runbook.saw(plan.kind, at, seen.failed, seen.answered, seen.bad_response, nothing)


def simulate(
    plans: Iterable[Plan],
    window: Window,
    transport: Transport,
    writer: LineWriter | None = None,
    *,
    vantage: str = "",
) -> Iterator[Minute]:
    """A prober's lines over a window, on an injected transport, without waiting.

    Args:
        window: whole minutes.
        writer: what lines and alarms are written with, some hundred at a time.
    """
    chosen = tuple(plans)
    batch: list[Minute] = []
    alarms: list[Alarm] = []
    runbook = Runbook(alarms.append, simulated=True)
    minute = window.start
    while minute < window.end:
        looks: list[tuple[float, Plan, Look]] = []
        for plan in chosen:
            line = minute_line(
                plan, minute.timestamp(), transport, simulated=True, vantage=vantage, looks=looks
            )
            batch.append(line)
            yield line
        for at, plan, seen in sorted(looks, key=lambda each: each[0]):
            show_to(runbook, at, plan, seen)
        minute += timedelta(minutes=1)
        if writer is not None and (len(batch) >= BATCH or minute >= window.end):
            writer.write(*batch)
            for alarm in alarms:
                writer.alarm(alarm)
            batch.clear()
            alarms.clear()
