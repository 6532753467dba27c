"""Runs the prober: slots, workers, minutes and files.

Rules of this module:

- Open-loop: a probe is sent when it is due, even if the previous one is still unanswered; its
  latency counts from the due time. A probe that could not be sent in time is recorded as missed.
- Latency and schedule use ``time.perf_counter``; the wall clock only numbers the slots. If it
  jumps, the skipped slots are missed, and the jump is noted in the line.
- A minute's line is written as soon as its last slot is settled, by a separate thread: the disk
  never delays a probe. A line that cannot be written is kept and retried.
- 429 is obeyed: the target is not probed for ``Retry-After``, or else for one minute, then two.
- On a stop, later slots are not due, and pending answers are awaited briefly.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from types import FrameType

from hour24.asking.exchange import Address, ConnectionPool, Exchange, Reply
from hour24.asking.freshness import Dates
from hour24.asking.workers import Timetable, Workers
from hour24.clock import Clock, WallClock, steady_s
from hour24.config import Production
from hour24.prober.disk import BackgroundWriter
from hour24.prober.elsewhere import Elsewhere
from hour24.prober.plan import Plan, plans
from hour24.prober.rules import Runbook
from hour24.prober.show import Display
from hour24.prober.sockets import Sockets
from hour24.prober.tally import Held, Tally, Transport, inform, read_reply
from hour24.probes.lines import MINUTE_S, Alarm, LineWriter, Minute, first_slot
from hour24.watch import Watch

AHEAD_S = 1.0
JUMP_S = 0.5
CLOSE_WITHIN_S = 2.0
PAUSES_S = (60.0, 120.0, 300.0)
LONGEST_PAUSE_S = 3600.0
UNWRITTEN = 12


@dataclass
class _Target:
    """The state of one probe."""

    plan: Plan
    pool: ConnectionPool | None
    next: int = 0
    paused_until: float = 0.0
    limited: int = 0
    dates: Dates = field(default_factory=Dates)


class Prober:
    """Probes a production until it is stopped.

    Args:
        clock: the wall clock; durations are measured otherwise.
        transport: answers the probes; None: the network.
        on_alarm: called with each alarm after it is written; must return quickly.
        on_line: called with each complete line.
    """

    def __init__(
        self,
        production: Production,
        clock: Clock,
        writer: LineWriter,
        *,
        transport: Transport | None = None,
        on_alarm: Callable[[Alarm], None] = lambda alarm: None,
        on_line: Callable[[Minute], None] = lambda line: None,
        vantage: str = "",
    ) -> None:
        self.clock = clock
        self.vantage = vantage or socket.gethostname()
        self._transport = transport
        self._on_alarm = on_alarm
        self._on_line = on_line
        self._writer = BackgroundWriter(writer)
        others = Elsewhere.of(production, writer.path.parent, self.vantage)
        self._runbook = Runbook(self._alarmed, agree=others.agree)
        self._table = Timetable()
        self._workers = Workers()
        self._lock = threading.RLock()
        self._tallies: dict[tuple[str, str, float], Tally] = {}
        self._targets = [
            _Target(plan, ConnectionPool(Address(plan.url)) if plan.kind != "websocket" else None)
            for plan in plans(production)
        ]
        self._sockets: Sockets | None = None
        self._asking = 0
        self._exchanges: dict[Exchange, Callable[[], None]] = {}
        self._stopped = threading.Event()
        self._until = float("inf")
        self._offset = self._wall() - time.perf_counter()
        self._steady = self._wall() - steady_s()

    @property
    def unwritten(self) -> int:
        """Number of lines that could not be written so far."""
        return self._writer.unwritten

    def stop(self) -> None:
        """End soon; safe in a signal handler and from any thread."""
        self._stopped.set()
        self._table.end()

    def run(self, until: datetime) -> None:
        """Probe until ``until`` or :meth:`stop`, then write the open minutes."""
        self._until = until.timestamp()
        begun = self._wall()
        for target in self._targets:
            plan = target.plan
            if plan.websocket is not None and self._transport is None:
                self._sockets = Sockets(plan.websocket)
            if plan.kind == "websocket":
                self._open_minute(target, begun // MINUTE_S * MINUTE_S, after=begun)
                self._at(begun // MINUTE_S * MINUTE_S + MINUTE_S, partial(self._hold, target))
            else:
                self._schedule(target, begun)
        self._at(self._until, self._table.end)
        self._table.at(time.perf_counter() + 1.0, self._watch_clock)
        try:
            if not self._stopped.is_set():
                self._table.run()
        finally:
            self._finish()

    # --- slots ------------------------------------------------------------------------------

    def _wall(self) -> float:
        return self.clock.now().timestamp()

    def _at(self, time: float, call: Callable[[], None]) -> None:
        """Call at a time of the wall clock, epoch seconds."""
        self._table.at(time - self._offset, call)

    def _schedule(self, target: _Target, after: float) -> None:
        """Schedule the first slot at or after ``after``."""
        plan = target.plan
        target.next = first_slot(after, plan.interval_s, plan.phase_s)
        at = target.next * plan.interval_s + plan.phase_s
        if at >= self._until:
            return
        ahead = min(AHEAD_S, plan.interval_s / 2)
        if target.pool is not None and self._transport is None:
            self._at(at - ahead, partial(self._prepare, target))
        self._at(at, partial(self._due, target, target.next, self._offset))

    def _prepare(self, target: _Target) -> None:
        """Open a connection before the slot is due."""
        pool, plan = target.pool, target.plan
        if pool is not None and not pool.idle and target.paused_until <= self._wall():
            self._workers.do(partial(pool.prepare_one, plan.timeout_s))

    def _due(self, target: _Target, k: int, offset: float) -> None:
        """Send the probe of slot ``k``, and schedule the next."""
        plan = target.plan
        if k != target.next or offset != self._offset:
            return  # the clock jumped, and the slots were scheduled anew
        at = k * plan.interval_s + plan.phase_s
        tally, slot = self._slot(target, at)
        self._schedule(target, at + plan.interval_s / 2)
        due = at - self._offset
        late_s = time.perf_counter() - due
        if at < target.paused_until or late_s > plan.interval_s / 2:
            self._miss(tally, slot)
            return
        if self._transport is not None:
            call = partial(self._ask, target, tally, slot, at, self._transport)
        else:
            assert target.pool is not None
            exchange = target.pool.exchange(plan.request, due, plan.timeout_s)
            call = partial(self._settle, target, tally, slot, exchange.send)
            give_up = partial(self._give_up, target, tally, slot, exchange)
            with self._lock:
                self._exchanges[exchange] = give_up
            self._table.at(exchange.until, give_up)
        if not self._workers.do(call):
            self._miss(tally, slot)

    def _ask(
        self, target: _Target, tally: Tally, slot: int, at: float, transport: Transport
    ) -> None:
        self._settle(target, tally, slot, partial(transport.reply, target.plan, at))

    def _give_up(self, target: _Target, tally: Tally, slot: int, exchange: Exchange) -> None:
        """The timeout is over: settle the slot without an answer."""
        with self._lock:
            self._exchanges.pop(exchange, None)
        self._settle(target, tally, slot, exchange.expire)

    def _settle(
        self, target: _Target, tally: Tally, slot: int, receive: Callable[[], Reply]
    ) -> None:
        """Receive a reply and settle the slot; the first of two replies counts."""
        if slot in tally.settled:
            return
        with self._lock:
            self._asking += 1
        try:
            reply = receive()
            read_at = self._steady + steady_s() - (reply.took_ms - reply.late_ms) / 2000
            result = read_reply(target.plan, reply, self._wall(), target.dates, read_at)
            with self._lock:
                if slot in tally.settled:
                    return
                tally.take(slot, reply, result, read_at)
                if target.pool is not None:
                    tally.round_trip_ms = target.pool.round_trip_ms()
                self._pause_if_limited(target, tally, reply, result.limited)
                inform(self._runbook, tally.at(slot), target.plan, result)
                self._write_if_complete(tally)
        finally:
            with self._lock:
                self._asking -= 1

    def _miss(self, tally: Tally, slot: int) -> None:
        with self._lock:
            tally.miss(slot)
            self._write_if_complete(tally)

    def _pause_if_limited(self, target: _Target, tally: Tally, reply: Reply, limited: bool) -> None:
        """Pause a target that answers 429."""
        if not limited:
            target.limited = 0
            return
        asked = reply.headers.get("retry-after", "")
        pause = PAUSES_S[min(target.limited, len(PAUSES_S) - 1)]
        if asked.isascii() and asked.isdigit():
            pause = float(asked)
        target.limited += 1
        pause = min(pause, LONGEST_PAUSE_S)
        target.paused_until = max(target.paused_until, self._wall() + pause)
        tally.note = f"limited (429), left alone for {pause:g} s"

    # --- minutes ----------------------------------------------------------------------------

    def _slot(self, target: _Target, at: float) -> tuple[Tally, int]:
        """Returns the minute's tally and the slot's number in it."""
        minute = at // MINUTE_S * MINUTE_S
        tally = self._open_minute(target, minute, after=at)
        k = first_slot(at, target.plan.interval_s, target.plan.phase_s)
        return tally, k - tally.slots.start

    def _open_minute(self, target: _Target, minute: float, after: float) -> Tally:
        """Returns the tally of this minute, created at its first slot at or after ``after``."""
        plan = target.plan
        key = (plan.kind, plan.name, minute)
        with self._lock:
            tally = self._tallies.get(key)
            if tally is None:
                tally = Tally(plan, minute, vantage=self.vantage)
                first = first_slot(after, plan.interval_s, plan.phase_s)
                end = first_slot(min(minute + MINUTE_S, self._until), plan.interval_s, plan.phase_s)
                tally.first = max(0, first - tally.slots.start)
                tally.due = max(0, end - tally.slots.start - tally.first)
                self._tallies[key] = tally
        return tally

    def _write_if_complete(self, tally: Tally) -> None:
        if tally.complete:
            self._write(tally)

    def _write(self, tally: Tally) -> None:
        plan = tally.plan
        if self._tallies.pop((plan.kind, plan.name, tally.minute), None) is not None:
            line = tally.line()
            self._writer.line(line)
            self._on_line(line)

    def _hold(self, target: _Target, last: bool = False) -> None:
        """Close a minute of the WebSocket connections and begin the next one."""
        now = min(self._wall(), self._until)
        minute = (now - (1e-3 if last else MINUTE_S / 2)) // MINUTE_S * MINUTE_S
        tally = self._open_minute(target, minute, after=minute)
        held = Held()
        if self._transport is not None:
            held = self._transport.held(target.plan, minute)
        elif self._sockets is not None:
            held = self._sockets.take_minute(now - minute)
        with self._lock:
            tally.hold(held)
            self._write(tally)
        if not last:
            self._open_minute(target, minute + MINUTE_S, after=minute + MINUTE_S)
            self._at(minute + 2 * MINUTE_S, partial(self._hold, target))

    # --- the clock --------------------------------------------------------------------------

    def _watch_clock(self) -> None:
        """Detect jumps of the wall clock against ``time.perf_counter``."""
        self._table.at(time.perf_counter() + 1.0, self._watch_clock)
        offset = self._wall() - time.perf_counter()
        by = offset - self._offset
        if abs(by) <= JUMP_S:
            return
        before = self._wall() - by
        self._offset = offset
        after = before + by
        note = f"the clock jumped by {by:+.1f} s"
        for target in self._targets:
            if target.plan.kind == "websocket":
                self._note(target, after, note)
                continue
            plan = target.plan
            at = target.next * plan.interval_s + plan.phase_s
            while by > 0 and at < min(after, self._until):
                tally, slot = self._slot(target, at)
                tally.note = note
                self._miss(tally, slot)
                target.next += 1
                at = target.next * plan.interval_s + plan.phase_s
            if by < 0:
                self._cut(target, before)
            self._schedule(target, after)
            self._note(target, after, note)

    def _cut(self, target: _Target, at: float) -> None:
        """The clock went back: of the open minute only slots before ``at`` were due."""
        plan = target.plan
        with self._lock:
            for tally in [t for t in self._tallies.values() if t.plan is plan]:
                end = first_slot(at, plan.interval_s, plan.phase_s) - tally.slots.start
                tally.due = max(0, min(tally.due, end - tally.first))
                for slot in range(tally.first, tally.first + tally.due):
                    tally.miss(slot)
                self._write(tally)

    def _note(self, target: _Target, at: float, note: str) -> None:
        if at < self._until:
            self._open_minute(target, at // MINUTE_S * MINUTE_S, after=at).note = note

    # --- the end ----------------------------------------------------------------------------

    def _finish(self) -> None:
        """Write the open minutes: slots after the stop are not due."""
        ended = min(self._wall(), self._until)
        self._table.clear()
        deadline = time.perf_counter() + CLOSE_WITHIN_S
        while time.perf_counter() < deadline:
            with self._lock:
                exchanges = dict(self._exchanges)
                if not self._asking:
                    break
            for exchange, give_up in exchanges.items():
                if exchange.until <= time.perf_counter():
                    give_up()
            time.sleep(0.01)
        for target in self._targets:
            if target.plan.kind == "websocket":
                self._hold(target, last=True)
        with self._lock:
            for tally in list(self._tallies.values()):
                plan = tally.plan
                end = first_slot(ended, plan.interval_s, plan.phase_s) - tally.slots.start
                tally.due = max(0, min(tally.due, end - tally.first))
                if tally.due:
                    self._write(tally)
            self._tallies.clear()
            for exchange in self._exchanges:
                exchange.expire()  # still pending: missed
        if self._sockets is not None:
            self._sockets.close()
        for target in self._targets:
            if target.pool is not None:
                target.pool.close()
        self._writer.close()

    def _alarmed(self, alarm: Alarm) -> None:
        self._writer.alarm(alarm)
        self._on_alarm(alarm)


def run_probe(
    production: Production,
    watch: Watch,
    folder: Path,
    on_alarm: Callable[[Alarm], None] = lambda alarm: None,
    vantage: str = "",
    until: datetime | None = None,
) -> int:
    """Probe until the watch's last checkpoint, until a given time, or until stopped.

    Args:
        folder: ``reports/<watch>/probe``.
        on_alarm: called with each alarm, in addition to the display.
        vantage: its name in health.vantages; empty: the host's name.
        until: when to end, if that is before the watch's last checkpoint.

    Returns: 0; 4 if the watch has ended; 12 if lines could not be written.
    """
    clock = WallClock()
    last = watch.whole.end
    until = min(last, until or last)
    if clock.now() >= last:
        print(f"watch {watch.name}: it ended at {last:%Y-%m-%dT%H:%MZ}", file=sys.stderr)  # noqa: T201
        return 4
    try:
        writer = LineWriter.of_this_process(folder)
    except OSError as problem:
        print(f"{folder}: cannot be written: {problem.strerror}", file=sys.stderr)  # noqa: T201
        return UNWRITTEN
    with Display.on(sys.stdout, watch, until, len(plans(production))) as display:

        def alarmed(alarm: Alarm) -> None:
            display.alarm(alarm)
            on_alarm(alarm)

        prober = Prober(
            production, clock, writer, on_alarm=alarmed, on_line=display.line, vantage=vantage
        )
        with _signals(prober.stop):
            prober.run(until)
        display.end(prober.unwritten, stopped=clock.now() < until, goes_on_until=last)
    return UNWRITTEN if prober.unwritten else 0


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and SIGINT stop the prober cleanly; a second one kills it."""
    before = {}

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        # the handler runs in the thread that may hold the timetable's lock
        threading.Thread(target=stop, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
