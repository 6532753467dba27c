"""Turns replies into the line of a minute.

Rules of this module:

- This module uses neither clock nor network: a transport answers each slot. The real prober and the
  rehearsal's simulation share this code.
- A probe is good if its answer is as expected. A good probe sent later than half its interval after
  its slot is recorded as missed; a late failure is a failure.
- A cached answer, an old document and an answer that our client cannot read say nothing about the
  service: they are recorded as missed, and counted by kind.
- 429 is neither good nor failed, and no sample. A failure is no latency sample either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from hour24 import histogram
from hour24.asking.exchange import Reply
from hour24.asking.freshness import Dates, header_of
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
from hour24.sources.health import read_health
from hour24.watch import Window

BATCH = 600


@dataclass(frozen=True)
class Held:
    """The results of the WebSocket connections in one minute.

    Args:
        opened: connections established.
        dropped: connections that ended abnormally.
        refused: handshakes that failed.
        closed: connections that the server closed early but normally.
        held_s: connection seconds.
    """

    opened: int = 0
    dropped: tuple[Drop, ...] = ()
    refused: int = 0
    closed: int = 0
    held_s: float = 0.0


class Transport(Protocol):
    """Answers the probes."""

    def reply(self, plan: Plan, at: float) -> Reply:
        """Returns the reply to the probe due at ``at`` (epoch seconds)."""

    def held(self, plan: Plan, minute: float) -> Held:
        """Returns the WebSocket results of the minute that starts at ``minute``."""


@dataclass(frozen=True)
class Result:
    """The result of one probe.

    Args:
        failed: why it failed; "" if it is good.
        status: HTTP status as text, or the reason why there is none.
        limited: whether it was a 429.
        late: whether it was sent too late to count as good.
        uptime: seconds and instance, if the document has them.
        no_sample: whether it says nothing about the service: a cached answer, or one that our
            client cannot read.
    """

    failed: str
    status: str
    limited: bool = False
    late: bool = False
    uptime: tuple[float, str] | None = None
    no_sample: bool = False

    @property
    def answered(self) -> bool:
        """Whether there was an HTTP answer."""
        return self.status not in NO_ANSWER

    @property
    def bad_response(self) -> bool:
        """Whether it counts against the error rate: 5xx or no answer."""
        return not self.answered or self.status[:1] == "5"


def read_reply(
    plan: Plan,
    reply: Reply,
    at: float | None = None,
    dates: Dates | None = None,
    read_at: float | None = None,
) -> Result:
    """Returns the result of a reply: good, failed, limited, late.

    Args:
        at: time of the answer, epoch seconds; None: the age of its document is not judged.
        dates: of earlier answers to this plan.
        read_at: when its document was made, on a clock that does not jump; None: ``at``.
    """
    status = str(reply.status) if reply.status else reply.reason or "closed"
    late = reply.late_ms > plan.interval_s * 500
    if not reply.status:
        return Result(status, status, late=late)
    if plan.kind == "control":
        return Result("", status, late=late)
    if reply.status == 429 and 429 not in plan.expect:
        return Result("", status, limited=True, late=late)
    if reply.status not in plan.expect and (plan.expect or not 200 <= reply.status < 300):
        return Result(status, status, late=late)
    if plan.health is None:
        return Result("", status, late=late)
    took_s = (reply.took_ms - reply.late_ms) / 1000
    document = read_health(
        plan.health, reply.data, reply.headers, at, took_s=took_s, dates=dates, steady_at=read_at
    )
    if document.stale:
        return Result("", STALE + header_of(document.stale), late=late, no_sample=True)
    if document.not_taken:
        coding = reply.headers.get("content-encoding", "")[:20]
        return Result("", NOT_TAKEN + (coding or "too long"), late=late, no_sample=True)
    return Result(document.problem, status, late=late, uptime=document.uptime)


@dataclass
class Tally:
    """One minute of one probe, so far.

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
        """Record that no probe was sent."""
        if slot not in self.settled:
            self.settled.add(slot)
            self.missed.append(slot)

    def take(self, slot: int, reply: Reply, result: Result, at: float | None = None) -> None:
        """Add a reply.

        Args:
            at: time at which the uptime was read, epoch seconds on a clock that does not jump;
                None: midway between request and answer.
        """
        if slot in self.settled:
            return
        self.settled.add(slot)
        self.statuses[result.status] = self.statuses.get(result.status, 0) + 1
        if result.limited:
            self.limited.append(slot)
            return
        if result.no_sample:
            self.missed.append(slot)
            return
        if result.failed:
            self.failed.setdefault(result.failed, []).append(slot)
        elif result.late:
            self.missed.append(slot)
            self.late += 1
        else:
            bucket = histogram.bucket(max(0.0, reply.took_ms))
            self.latency[bucket] = self.latency.get(bucket, 0) + 1
        if result.uptime is not None:
            if at is None:
                at = self.at(slot) + (reply.late_ms + reply.took_ms) / 2000
            self.uptimes.append(
                (round(at - self.minute, 2), round(result.uptime[0], 3), result.uptime[1])
            )

    def line(self) -> Minute:
        """Returns the minute's line; due slots that are not settled were missed."""
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
        """Add the WebSocket results; a minute without a connection has failed."""
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
    results: list[tuple[float, Plan, Result]] | None = None,
    dates: Dates | None = None,
) -> Minute:
    """Returns one probe's whole minute, with the transport's reply to each slot.

    Args:
        minute: its start, epoch seconds, a whole minute.
        results: if given, every result is added to it.
        dates: of the plan's answers before this minute.
    """
    tally = Tally(plan, minute, simulated=simulated, vantage=vantage)
    dates = dates or Dates()
    if plan.kind == "websocket":
        tally.hold(transport.held(plan, minute))
        return tally.line()
    for slot in range(tally.due):
        at = tally.at(slot)
        reply = transport.reply(plan, at)
        result = read_reply(plan, reply, at + reply.took_ms / 1000, dates)
        tally.take(slot, reply, result)
        if results is not None:
            results.append((at, plan, result))
    return tally.line()


def inform(runbook: Runbook, at: float, plan: Plan, result: Result) -> None:
    """Pass a result to the runbook's rules."""
    nothing = result.limited or result.no_sample
    runbook.observe(plan.kind, at, result.failed, result.answered, result.bad_response, nothing)


def simulate(
    plans: Iterable[Plan],
    window: Window,
    transport: Transport,
    writer: LineWriter | None = None,
    *,
    vantage: str = "",
) -> Iterator[Minute]:
    """Yields a prober's lines over a window, with a simulated transport and without waiting.

    Args:
        window: whole minutes.
        writer: writes lines and alarms, several hundred at a time.
    """
    chosen = tuple(plans)
    batch: list[Minute] = []
    alarms: list[Alarm] = []
    runbook = Runbook(alarms.append, simulated=True)
    dates = {plan.name: Dates() for plan in chosen}
    minute = window.start
    while minute < window.end:
        results: list[tuple[float, Plan, Result]] = []
        for plan in chosen:
            line = minute_line(
                plan,
                minute.timestamp(),
                transport,
                simulated=True,
                vantage=vantage,
                results=results,
                dates=dates[plan.name],
            )
            batch.append(line)
            yield line
        for at, plan, result in sorted(results, key=lambda each: each[0]):
            inform(runbook, at, plan, result)
        minute += timedelta(minutes=1)
        if writer is not None and (len(batch) >= BATCH or minute >= window.end):
            writer.write(*batch)
            for alarm in alarms:
                writer.alarm(alarm)
            batch.clear()
            alarms.clear()
