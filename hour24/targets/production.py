"""A production in real time: the target that a production.toml describes."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path

from hour24 import config
from hour24.checkpoint.addresses import addresses
from hour24.clock import WallClock
from hour24.config import Production
from hour24.errors import ConfigurationError
from hour24.ledger.book import Ledger
from hour24.shipped import COMMAND
from hour24.targets import watches
from hour24.targets.context import Calls, Context
from hour24.targets.request import Request
from hour24.watch import to_minute


def open_context(request: Request, resources: ExitStack) -> Context:
    """Returns the context of a checkpoint, after finding or opening its watch.

    Raises: ConfigurationError; no watch has been opened then.
    """
    production = config.load(Path(request.target))
    ledger, new = _find_or_open(request, production)
    problem = config.launch_problem(production, ledger.watch.t0)
    if problem:
        raise ConfigurationError([problem])
    return _context(request, production, ledger, new)


def context_of_watch(request: Request, ledger: Ledger, resources: ExitStack) -> Context:
    """Returns the context of an existing watch."""
    return _context(request, config.load(Path(request.target)), ledger, new=False)


def open_before_hour_0(request: Request, production: Production) -> Ledger:
    """Returns the watch that hour 0 will find, opening it if there is none.

    Raises: ConfigurationError; LedgerError, if it cannot be read or written.
    """
    known = Ledger.find(request.reports, request.watch, request.target)
    if known is not None and request.t0 is not None and known.watch.t0 == to_minute(request.t0):
        return known  # the same command, started again at any time, goes on
    return _find_or_open(request, production)[0]


def _find_or_open(request: Request, production: Production) -> tuple[Ledger, bool]:
    """Returns the watch to continue, or a new one; and whether it is new."""
    now = WallClock().now()
    known = watches.find_continued(request, production, now)
    if known is not None:
        return known, False
    t0 = request.t0 or now
    watches.refuse_before(request, t0, now)
    problem = config.launch_problem(production, to_minute(t0))
    if problem:
        raise ConfigurationError([problem])
    found = addresses(production)
    name = production.service.name
    return watches.begin(request, production, t0, now, name=name, addresses=found), True


def _context(request: Request, production: Production, ledger: Ledger, new: bool) -> Context:
    known = watches.with_classes(production, ledger)
    return Context(
        production=known,
        clock=WallClock(),
        ledger=ledger,
        baseline=ledger,
        checkpoint=watches.checkpoint(ledger.watch, request.hour),
        marker=request.marker,
        criteria=watches.all_criteria(known, ledger),
        addresses=addresses(known),
        calls=Calls(known.alert_urls, known.heartbeat_url),
        finished=f"last checkpoint done. Next: {COMMAND} signoff {shlex.quote(str(ledger.folder))}",
        opened=new,
        reports=request.reports_elsewhere,
        target_options=request.target_options,
        watch_options=watches.watch_options(request, ledger),
    )
