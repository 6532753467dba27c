"""Finds the watch that a checkpoint belongs to, or opens a new one.

Rules of this module:

- Without ``--watch``, a checkpoint continues the open watch of this target; hour 0 opens one.
- A later hour opens a watch only with ``--t0``; a rehearsal also if no watch is open and none is
  named. ``--watch`` with an unknown name is an error, because it is most likely a typo.
- ``--t0`` must match an existing watch.
- A rehearsal and a production never share a watch.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from hour24 import config
from hour24.config import Production
from hour24.criteria import CRITERIA, Criterion, own_criterion
from hour24.errors import ConfigurationError, did_you_mean
from hour24.ledger.book import Genesis, Ledger
from hour24.targets.request import TARGET, Request
from hour24.text import format_duration
from hour24.versions import JUDGES
from hour24.watch import Checkpoint, Watch, to_minute

MOST_LISTED = 6


def find_continued(request: Request, production: Production, now: datetime) -> Ledger | None:
    """Returns the production's watch to continue; None if a new one is to be opened.

    Raises: ConfigurationError, if the command line allows neither.
    """
    known = None
    if not request.follows:
        known = Ledger.find(request.reports, request.watch, request.target)
    if known is not None and request.hour == 0 and not request.watch:
        # A second hour 0 within the tolerance is another attempt; later it opens a new watch.
        late = known.watch.checkpoint(0).late_s(now) > production.schedule.tolerance_s
        again = request.t0 is not None and bool(known.records(0))
        known = None if late or again else known
    if known is not None:
        problems = t0_problems(request, known)
        if problems:
            raise ConfigurationError(problems)
    elif request.hour != 0:
        refuse_opening(request)
    return known


def find_newest(request: Request) -> Ledger:
    """Returns the watch before the daily checks: the one named, or the newest, signed off or not.

    Raises: ConfigurationError, if there is none.
    """
    names = [request.watch] if request.watch else watches_in(request.reports)
    found = [Ledger.find(request.reports, name, request.target) for name in names]
    ledgers = [one for one in found if one is not None and (request.watch or not one.genesis.daily)]
    last = max(ledgers, key=lambda one: one.genesis.opened, default=None)
    if last is None:
        remedy = "daily checks follow a watch"
        raise ConfigurationError([_describe_missing(request, "a watch", remedy)])
    return last


def begin(
    request: Request,
    production: Production,
    t0: datetime,
    now: datetime,
    *,
    name: str,
    addresses: Mapping[str, str],
    rehearsal: dict[str, Any] | None = None,
) -> Ledger:
    """Creates a watch and returns its ledger.

    Args:
        name: prefix of its name if the command line gives none.
        addresses: the addresses of production.
        rehearsal: seed and faults; None for a production.
    Raises: ConfigurationError, before anything is written; LedgerError, if it cannot be written.
    """
    plan, service, reports = production.schedule, production.service, request.reports
    if request.hour not in plan.checkpoints:
        raise ConfigurationError(
            [f"-m: hour: expected one of {plan.checkpoints}, got {request.hour}"]
        )
    if request.follows and Ledger.find(reports, request.follows) is None:
        names = watches_in(reports)
        raise ConfigurationError(
            [
                f"--follows: expected a watch in {reports}, got {request.follows!r}"
                f"{list_watches(names)}{did_you_mean(request.follows, names)}"
            ]
        )
    if request.watch and (reports / request.watch).exists():
        raise ConfigurationError(
            [f"--watch: expected a new name in {reports}, got {request.watch!r}"]
        )
    t0 = to_minute(t0)
    return Ledger.create(
        reports,
        Genesis(
            name=request.watch or _free_name(reports, name, t0),
            t0=t0,
            zone=service.time_zone,
            hours=plan.checkpoints,
            tolerance_s=plan.tolerance_s,
            settle_s=plan.settle_s,
            follows=request.follows,
            target=request.target,
            rehearsal=rehearsal,
            service={
                "name": service.name,
                "environment": service.environment,
                "release": service.release,
            },
            limits=config.limits_digest(production),
            watched=dict(addresses),
            opened=now,
            judges=JUDGES,
        ),
    )


def _free_name(reports: Path, begins: str, t0: datetime) -> str:
    stem = f"{name_of_folder(begins)}-{t0:%Y%m%d-%H%M}"
    names = (stem if n == 1 else f"{stem}-{n}" for n in range(1, 10_000))
    return next(name for name in names if not (reports / name).exists())


def name_of_folder(service: str) -> str:
    """Returns how the names of this service's watches begin."""
    return re.sub(r"[^a-z0-9]+", "-", service.lower()).strip("-")[:40] or "watch"


def checkpoint(watch: Watch, hour: int) -> Checkpoint:
    """Returns the checkpoint at this hour. Raises: ConfigurationError, if there is none."""
    if hour not in watch.hours:
        raise ConfigurationError(
            [f"watch {watch.name}: hour: expected one of {watch.hours}, got {hour}"]
        )
    return watch.checkpoint(hour)


def all_criteria(production: Production, ledger: Ledger) -> dict[str, Criterion]:
    """Returns every criterion: of the table, of production.toml and of earlier records."""
    plan = dict(CRITERIA)
    for name, stated in production.criteria.items():
        if name not in plan and stated.sentence:
            plan[name] = own_criterion(name, stated.sentence, stated.hours)
    for record in ledger.records():
        apart = {name: one.hours for name, one in record.advisory_plan.items()}
        for name, hours in {**record.plan, **apart}.items():
            if name not in plan:
                sentence = next((e.sentence for e in record.verdicts if e.id == name), name)
                plan[name] = own_criterion(name, sentence, hours)
    return plan


def watch_options(request: Request, ledger: Ledger) -> str:
    """Returns the command line options that select this watch, as this run was given them."""
    named = f" --watch {shlex.quote(ledger.genesis.name)}" if request.watch else ""
    return f"{request.target_options}{named}"


def t0_problems(request: Request, known: Ledger) -> list[str]:
    """Returns a refusal if ``--t0`` differs from the T0 of this watch."""
    if request.t0 is None or to_minute(request.t0) == known.watch.t0:
        return []
    return [
        f"--t0: expected {known.watch.t0:%Y-%m-%dT%H:%MZ} as in watch {known.watch.name}, "
        f"got {to_minute(request.t0):%Y-%m-%dT%H:%MZ}"
    ]


def refuse_opening(request: Request) -> None:
    """Raises: ConfigurationError, unless ``--t0`` allows a watch without hour 0."""
    if request.t0 is None:
        where = "" if request.target == TARGET else f" --target {request.target}"
        remedy = (
            f"start one with `pytest -m hour0{where}`, or give --t0 to continue without a baseline"
        )
        raise ConfigurationError([_describe_missing(request, "an open watch", remedy)])


def refuse_before(request: Request, t0: datetime, now: datetime) -> None:
    """Raises: ConfigurationError, if the requested hour is not due yet, without ``--early``."""
    refuse_early(
        request.hour, to_minute(t0) + timedelta(hours=request.hour), now, allowed=request.early
    )


def refuse_early(hour: int, due: datetime, now: datetime, *, allowed: bool) -> None:
    """Raises: ConfigurationError, if it is not due yet, without ``--early``."""
    if now < due and not allowed:
        wait = (due - now).total_seconds() / 60
        raise ConfigurationError(
            [
                f"hour {hour}: expected to run at {due:%Y-%m-%d %H:%M}Z or later, "
                f"got {now:%H:%M}Z, {format_duration(60 * wait)} early; "
                "--early runs it now, but the run does not count"
            ]
        )


def _describe_missing(request: Request, what: str, remedy: str) -> str:
    return describe_missing(what, request.reports, request.watch, request.target, remedy)


def describe_missing(what: str, reports: Path, watch: str, target: str, remedy: str) -> str:
    """Returns the refusal for a missing watch, with the existing watches and the remedy.

    Args:
        watch: the name that was given, if any.
    """
    names = watches_in(reports)
    if not watch:
        got = f"none of {target}" if names else "none"
        return f"{reports}: expected {what} of {target}, got {got}{list_watches(names)}; {remedy}"
    owner, hint = "", did_you_mean(watch, names)
    if watch in names:
        owner, hint = f", which is of {Ledger(reports / watch).genesis.target}", ""
    return (
        f"--watch: expected {what} of {target} in {reports}, "
        f"got {watch!r}{owner}{list_watches(names)}; {remedy}{hint}"
    )


def watches_in(reports: Path) -> list[str]:
    """Returns the names of the watches in a folder."""
    return sorted(path.parent.name for path in reports.glob("*/watch.json"))


def list_watches(names: Sequence[str]) -> str:
    """Returns `` (there are launch-1, launch-2)`` for a refusal, or "" without names."""
    more = len(names) - MOST_LISTED
    text = ", ".join(names[-MOST_LISTED:]) + (f" and {more} more" if more > 0 else "")
    return f" (there {'is' if len(names) == 1 else 'are'} {text})" if names else ""


def with_classes(production: Production, ledger: Ledger) -> Production:
    """Returns the production with the classes of errors that people added to the ledger."""
    normal, critical = ledger.classes()
    return msgspec.structs.replace(
        production,
        normal=(*production.normal, *normal),
        critical=(*production.critical, *critical),
    )
