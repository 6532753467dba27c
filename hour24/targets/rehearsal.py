"""A rehearsal: an embedded production on loopback, with its clock set to each due time.

Rules of this module:

- This is the only target that imports :mod:`hour24.rehearsal`; it is imported only when named.
- Its watch keeps its seed, faults and T0; a command line with others is refused.
- It sends no alerts, its prober is simulated, and its watch is never approved.
"""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hour24 import config
from hour24.clock import Clock
from hour24.config import Production
from hour24.errors import ConfigurationError
from hour24.ledger.book import Ledger
from hour24.rehearsal import probing
from hour24.rehearsal.client import Rehearsal
from hour24.rehearsal.clock import RehearsalClock
from hour24.rehearsal.faults import parse_faults
from hour24.shipped import COMMAND
from hour24.targets import watches
from hour24.targets.context import Calls, Context
from hour24.targets.request import Request

NAME = "rehearsal"
BANNER = "REHEARSAL"
PER_S = 100.0
"""Latency samples per second and endpoint; its own server has no rate limit."""
BEGINS_AT = 6
"""Hour of the day, UTC, at which a rehearsal begins when no T0 is given."""


def open_context(request: Request, resources: ExitStack) -> Context:
    """Returns the context of a checkpoint, after finding or opening its watch.

    Raises: ConfigurationError; no watch has been opened then.
    """
    known = _find_continued(request)
    if known is not None:
        return context_of_watch(request, known, resources)
    faults = request.faults
    parse_faults(faults)
    scenario = {"seed": 1 if request.seed is None else request.seed, "faults": list(faults)}
    t0 = request.t0 or datetime.now(UTC).replace(hour=BEGINS_AT, minute=0, second=0, microsecond=0)
    production, clock = _serve(request, scenario, t0, resources)
    ledger = watches.begin(request, production, t0, t0, name=NAME, addresses={}, rehearsal=scenario)
    return _context(request, production, clock, ledger, new=True)


def context_of_watch(request: Request, ledger: Ledger, resources: ExitStack) -> Context:
    """Returns the context of an existing watch."""
    scenario = ledger.genesis.rehearsal or {"seed": 1, "faults": []}
    production, clock = _serve(request, scenario, ledger.genesis.t0, resources)
    return _context(request, production, clock, ledger, new=False)


def attach(served_at: Path) -> tuple[Production, Clock]:
    """Returns the production and the clock of a rehearsal that is being served.

    Raises: ConfigurationError.
    """
    served = Rehearsal.from_file(served_at)
    now = datetime.fromisoformat(served.state()["now"])
    return _production(served), RehearsalClock(served.control, now)


def _serve(
    request: Request, scenario: dict[str, Any], t0: datetime, resources: ExitStack
) -> tuple[Production, RehearsalClock]:
    """Returns its production, started unless already served, and its clock at the due time."""
    if request.rehearsal_at is not None:
        served = Rehearsal.from_file(request.rehearsal_at)
    else:
        served = Rehearsal.start(
            seed=scenario["seed"], faults=tuple(scenario["faults"]), t0=t0, hour=request.hour
        )
        resources.callback(served.stop)
    production = probing.with_vantages(_production(served), scenario["faults"])
    due = t0 + timedelta(hours=request.hour)
    clock = RehearsalClock(served.control, due)
    clock.step_to(due)
    return production, clock


def _production(served: Rehearsal) -> Production:
    return config.load(Path(served.toml), {**os.environ, **served.environ})


def _context(
    request: Request, production: Production, clock: RehearsalClock, ledger: Ledger, new: bool
) -> Context:
    known = watches.with_classes(production, ledger)
    return Context(
        production=known,
        clock=clock,
        ledger=ledger,
        baseline=ledger,
        checkpoint=watches.checkpoint(ledger.watch, request.hour),
        marker=request.marker,
        criteria=watches.all_criteria(known, ledger),
        addresses={},  # its ports differ in every run
        calls=Calls(known.alert_urls, None, withheld="a rehearsal sends no alerts"),
        finished=(
            "last checkpoint done. A rehearsal cannot be approved; list what is missing: "
            f"{COMMAND} signoff {shlex.quote(str(ledger.folder))}"
        ),
        per_s=PER_S,
        banner=BANNER,
        rehearsal=ledger.genesis.rehearsal,
        approvable=False,
        prober="the rehearsal's prober is simulated",
        simulate_probes=_simulate_probes,
        step_clock_to=clock.step_to,
        opened=new,
        reports=request.reports_elsewhere,
        target_options=request.target_options,
        watch_options=watches.watch_options(request, ledger),
    )


def _simulate_probes(context: Context) -> None:
    scenario = context.rehearsal or {}
    probing.simulate(
        context.production,
        context.ledger.watch,
        context.ledger.folder / "probe",
        context.checkpoint.window,
        seed=scenario["seed"],
        faults=tuple(scenario["faults"]),
    )


def _find_continued(request: Request) -> Ledger | None:
    """Returns the rehearsal's watch to continue; None if a new one is to be opened.

    Raises: ConfigurationError.
    """
    if request.follows:
        return None
    known = Ledger.find(request.reports, request.watch, NAME)
    if request.hour == 0 and not request.watch:
        another = known is not None and (known.records() or _contradictions(request, known))
        return None if another else known
    if known is None:
        if request.watch:
            watches.refuse_opening(request)
        return None
    problems = _contradictions(request, known)
    if problems:
        raise ConfigurationError(problems)
    return known


def _contradictions(request: Request, known: Ledger) -> list[str]:
    """Returns the options that differ from those the watch was opened with, as refusals."""
    name, scenario = known.watch.name, known.genesis.rehearsal or {}
    problems = watches.t0_problems(request, known)
    if request.seed not in (None, scenario["seed"]):
        problems.append(
            f"--seed: expected {scenario['seed']} as in watch {name}, got {request.seed}"
        )
    if request.faults and parse_faults(request.faults) != parse_faults(scenario["faults"]):
        has = ", ".join(scenario["faults"]) or "none"
        problems.append(
            f"--fault: expected {has} as in watch {name}, got {', '.join(request.faults)}; "
            "to use other faults, open a new watch with hour 0"
        )
    return problems
