"""Writes what a prober would have measured between two checkpoints of a rehearsal.

Rules of this module:

- The prober's own code folds the probes; only clock and transport are the scenario's. Every line
  says that it is simulated.
- A window is simulated once: its file exists completely or not at all, even after an interrupt.
- While no prober runs in the scenario, no line is written.
- A second vantage costs as much as the first: it probes health and the control address, and only
  where one of its faults is named.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from hour24.asking.exchange import Reply
from hour24.config import Production
from hour24.prober import Held, Plan, plans
from hour24.prober import simulate as probed
from hour24.probes import Drop, LineWriter
from hour24.rehearsal.backend import FLAPPING, OF
from hour24.rehearsal.faults import parse_faults
from hour24.rehearsal.scenario import Scenario
from hour24.rehearsal.timing import Service, ServiceReply
from hour24.watch import Watch, Window

VANTAGE = "rehearsal"
SECOND = "rehearsal-second"
SECOND_FAULTS = frozenset({"vantage_down", "vantage_offline"})
WIRE_MS = 0.25
GAP_AFTER_H = 0.5


class ScenarioTransport:
    """Answers the prober from the scenario."""

    def __init__(self, scenario: Scenario, vantage: str = VANTAGE) -> None:
        self._scenario = scenario
        self._service = Service(scenario)
        self._second = vantage == SECOND

    def reply(self, plan: Plan, at: float) -> Reply:
        """Return the reply to the probe due at ``at``."""
        number = int(at // plan.interval_s)
        if self._scenario.has_fault("network_down", at):
            return Reply(reason="unreachable", took_ms=1.0)
        if self._second and self._scenario.has_fault("vantage_offline", at):
            return Reply(reason="unreachable", took_ms=1.0)
        if plan.kind == "control":
            return Reply(status=200, data=b"{}", took_ms=WIRE_MS)
        if self._second and self._scenario.has_fault("vantage_down", at):
            return Reply(reason="timeout", took_ms=plan.timeout_s * 1000)
        name = "health" if plan.kind == "health" else plan.name
        answer: ServiceReply = self._service.answer(name, at, number)
        if answer.status == 0:
            return Reply(reason="refused", took_ms=WIRE_MS)
        took = answer.took_ms + WIRE_MS
        if took > plan.timeout_s * 1000:
            return Reply(reason="timeout", took_ms=plan.timeout_s * 1000)
        data = json.dumps(answer.body).encode()
        return Reply(status=answer.status, data=data, took_ms=took)

    def held(self, plan: Plan, minute: float) -> Held:
        """Return what happens to the WebSocket connections in the minute from ``minute`` on."""
        assert plan.websocket is not None
        scenario, count = self._scenario, plan.websocket.probe_connections
        if scenario.is_silent(minute) or scenario.has_fault("network_down", minute):
            return Held(refused=count)
        turns = max(1, round(plan.websocket.probe_hold_s / 60))
        number = round((minute - scenario.at(0)) / 60)
        opened = sum((number + each) % turns == 0 for each in range(count))
        if not scenario.has_fault("websocket_flap", minute):
            return Held(opened=opened, held_s=60.0 * count)
        # a dropped connection is opened again, as the next of five
        drops = tuple(
            Drop(round(60 * (i + 0.5) / OF, 2), 1006, 0.2)
            for i in range(OF)
            if (number * OF + i) % OF in FLAPPING
        )
        return Held(opened=OF, dropped=drops, held_s=60.0 * count - 2.0 * len(drops))


def with_vantages(production: Production, faults: Sequence[str]) -> Production:
    """Return the production, with a second vantage where these faults name one."""
    if not any(fault.name in SECOND_FAULTS for fault in parse_faults(faults)):
        return production
    health = replace(production.health, vantages=(VANTAGE, SECOND))
    return replace(production, health=health)


def simulate(
    production: Production,
    watch: Watch,
    folder: Path,
    window: Window,
    *,
    seed: int,
    faults: Sequence[str] = (),
) -> Path | None:
    """Write what a prober measured over a window.

    Args:
        folder: ``reports/<watch>/probe``.
        window: whole minutes.

    Returns: the file; None when no prober ran.
    """
    if SECOND in production.health.vantages:
        _simulate(production, watch, folder, window, seed, faults, SECOND)
    return _simulate(production, watch, folder, window, seed, faults, VANTAGE)


def _simulate(
    production: Production,
    watch: Watch,
    folder: Path,
    window: Window,
    seed: int,
    faults: Sequence[str],
    vantage: str,
) -> Path | None:
    """Write what the prober of this vantage measured; return the file."""
    path = folder / f"{vantage}-{window.start:%Y%m%dT%H%M}-{window.end:%H%M}.jsonl"
    if path.exists():
        return path
    scenario = Scenario(seed, faults, watch.t0)
    windows = list(_probed_windows(scenario, window))
    if not windows:
        return None
    partial = folder / f"{path.name}.{os.getpid()}.part"
    alarms = folder / "alarms"
    writer = LineWriter(partial)
    with contextlib.ExitStack() as undone:
        for each in (partial, alarms / partial.name):
            undone.callback(each.unlink, missing_ok=True)
        with contextlib.closing(writer):
            chosen, transport = plans(production), ScenarioTransport(scenario, vantage)
            if vantage == SECOND:
                chosen = tuple(plan for plan in chosen if plan.kind in ("health", "control"))
            for probed_window in windows:
                for _ in probed(chosen, probed_window, transport, writer, vantage=vantage):
                    continue
        undone.pop_all()
    with contextlib.suppress(FileNotFoundError):
        (alarms / partial.name).replace(alarms / path.name)
    partial.replace(path)
    return path


def _probed_windows(scenario: Scenario, window: Window) -> Iterator[Window]:
    """Yield the parts of the window in which a prober runs."""
    minute = timedelta(minutes=1)
    begin: datetime | None = None
    at = window.start
    while at < window.end:
        hour = scenario.hour(at.timestamp())
        unprobed = scenario.has_fault("no_prober", at.timestamp()) or any(
            fault.name == "prober_gap"
            and fault.start_h + GAP_AFTER_H <= hour < fault.end_h + GAP_AFTER_H
            for fault in scenario.faults
        )
        if unprobed and begin is not None:
            yield Window(begin, at)
            begin = None
        elif not unprobed and begin is None:
            begin = at
        at += minute
    if begin is not None:
        yield Window(begin, window.end)
