"""A rehearsal: an embedded production on loopback, whose clock stands at each due time.

Rules of this module:

- It is the only target that imports :mod:`hour24.rehearsal`, and is imported only when named.
- Its watch keeps the seed, the faults and the T0 that it was opened with; a command line that says
  otherwise is refused.
- It calls nobody, its prober is simulated, and its watch is never approved.
"""

from __future__ import annotations

import os
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
from hour24.rehearsal.faults import parsed
from hour24.shipped import COMMAND
from hour24.targets import watches
from hour24.targets.context import Calls, Context
from hour24.targets.request import Request

NAME = "rehearsal"
BANNER = "REHEARSAL"
PER_S = 100.0
"""Latency samples a second and endpoint: it is its own server, and takes them at once."""
BEGINS_AT = 6
"""Hour of the day, UTC, at which a rehearsal begins when no T0 is given."""


def opened(request: Request, resources: ExitStack) -> Context:
    """The context of a checkpoint, whose watch is found or opened.

    Raises: ConfigurationError; then no watch was opened.
    """
    known = _continued(request)
    if known is not None:
        return around(request, known, resources)
    faults = request.faults
    parsed(faults)
    told = {"seed": 1 if request.seed is None else request.seed, "faults": list(faults)}
    t0 = request.t0 or datetime.now(UTC).replace(hour=BEGINS_AT, minute=0, second=0, microsecond=0)
    production, clock = _served(request, told, t0, resources)
    ledger = watches.begun(request, production, t0, t0, name=NAME, addresses={}, rehearsal=told)
    return _context(request, production, clock, ledger, new=True)


def around(request: Request, ledger: Ledger, resources: ExitStack) -> Context:
    """The context of a watch that is there already, for whatever follows it."""
    story = ledger.genesis.rehearsal or {"seed": 1, "faults": []}
    production, clock = _served(request, story, ledger.genesis.t0, resources)
    return _context(request, production, clock, ledger, new=False)


def attached(served_at: Path) -> tuple[Production, Clock]:
    """The production and clock of a rehearsal being served, at the moment where it stands.

    Raises: ConfigurationError.
    """
    served = Rehearsal.served(served_at)
    stands = datetime.fromisoformat(served.state()["now"])
    return _production(served), RehearsalClock(served.control, stands)


def _served(
    request: Request, story: dict[str, Any], t0: datetime, resources: ExitStack
) -> tuple[Production, RehearsalClock]:
    """Its production and clock, at the checkpoint's due time; started unless it is being served."""
    if request.rehearsal_at is not None:
        served = Rehearsal.served(request.rehearsal_at)
    else:
        served = Rehearsal.start(
            seed=story["seed"], faults=tuple(story["faults"]), t0=t0, hour=request.hour
        )
        resources.callback(served.stop)
    production = _production(served)
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
        criteria=watches.planned(known, ledger),
        addresses={},  # its servers are others every time
        calls=Calls(known.alert_urls, None, withheld="a rehearsal calls nobody"),
        finished=(
            "that was the last checkpoint; a rehearsal is never signed off, but told what is "
            f"missing: {COMMAND} signoff {ledger.folder}"
        ),
        per_s=PER_S,
        banner=BANNER,
        rehearsal=ledger.genesis.rehearsal,
        approvable=False,
        prober="the rehearsal's prober is simulated",
        simulate_probes=_simulate_probes,
        stand_at=clock.step_to,
        opened=new,
        reports=request.reports_elsewhere,
        target_options=request.target_options,
        watch_options=watches.watch_options(request, ledger),
    )


def _simulate_probes(context: Context) -> None:
    story = context.rehearsal or {}
    probing.simulate(
        context.production,
        context.ledger.watch,
        context.ledger.folder / "probe",
        context.checkpoint.window,
        seed=story["seed"],
        faults=tuple(story["faults"]),
    )


def _continued(request: Request) -> Ledger | None:
    """The rehearsal's watch that is continued; none where one is opened.

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
    """What the command line says of the rehearsal that its watch was not opened with."""
    name, story = known.watch.name, known.genesis.rehearsal or {}
    problems = watches.other_t0(request, known)
    if request.seed not in (None, story["seed"]):
        problems.append(f"--seed: expected {story['seed']} as in watch {name}, got {request.seed}")
    if request.faults and parsed(request.faults) != parsed(story["faults"]):
        has = ", ".join(story["faults"]) or "none"
        problems.append(
            f"--fault: expected {has} as in watch {name}, got {', '.join(request.faults)}; "
            "a new watch, opened by hour 0, has a story of its own"
        )
    return problems
