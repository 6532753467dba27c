"""Which watch a checkpoint belongs to: the one that is continued, or a new one.

Rules of this module:

- Without ``--watch`` the watch still open for this target is meant; hour 0 opens one.
- A later hour opens one only where that was asked for, with ``--t0``; of a rehearsal also where
  none is open and none was named. Whoever names a watch that is not there has mistyped it.
- What the command line says of a watch that is there already (``--t0``) must be what it was opened
  with.
- A rehearsal and a production never share a watch.
"""

from __future__ import annotations

import re
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


def continued(request: Request, production: Production, now: datetime) -> Ledger | None:
    """The production's watch that is continued; none where one is opened.

    Raises: ConfigurationError, when neither is meant.
    """
    known = None
    if not request.follows:
        known = Ledger.find(request.reports, request.watch, request.target)
    if known is not None and request.hour == 0 and not request.watch:
        # A second hour 0 soon after the first is another attempt; later it is another watch.
        late = known.watch.checkpoint(0).late_s(now) > production.schedule.tolerance_s
        again = request.t0 is not None and bool(known.records(0))
        known = None if late or again else known
    if known is not None:
        problems = other_t0(request, known)
        if problems:
            raise ConfigurationError(problems)
    elif request.hour != 0:
        refuse_opening(request)
    return known


def newest(request: Request) -> Ledger:
    """The watch that a daily look follows: the one named, or the newest, signed off or not.

    Raises: ConfigurationError, when there is none.
    """
    names = [request.watch] if request.watch else watches_in(request.reports)
    found = [Ledger.find(request.reports, name, request.target) for name in names]
    ledgers = [one for one in found if one is not None and (request.watch or not one.genesis.daily)]
    last = max(ledgers, key=lambda one: one.genesis.opened, default=None)
    if last is None:
        remedy = "a daily look follows a watch"
        problem = absent("a watch", request.reports, request.watch, request.target, remedy)
        raise ConfigurationError([problem])
    return last


def begun(
    request: Request,
    production: Production,
    t0: datetime,
    now: datetime,
    *,
    name: str,
    addresses: Mapping[str, str],
    rehearsal: dict[str, Any] | None = None,
) -> Ledger:
    """A new watch.

    Args:
        name: what its name begins with where the command line gives none.
        addresses: where production is found.
        rehearsal: seed and faults; none of a production.
    Raises: ConfigurationError; LedgerError, when it cannot be written.
    """
    plan, service, reports = production.schedule, production.service, request.reports
    if request.follows and Ledger.find(reports, request.follows) is None:
        names = watches_in(reports)
        raise ConfigurationError(
            [
                f"--follows: expected a watch in {reports}, got {request.follows!r}"
                f"{listed(names)}{did_you_mean(request.follows, names)}"
            ]
        )
    if request.watch and (reports / request.watch).exists():
        raise ConfigurationError(
            [f"--watch: expected a name not taken in {reports}, got {request.watch!r}"]
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
    plain = re.sub(r"[^a-z0-9]+", "-", begins.lower()).strip("-")[:40] or "watch"
    stem = f"{plain}-{t0:%Y%m%d-%H%M}"
    names = (stem if n == 1 else f"{stem}-{n}" for n in range(1, 10_000))
    return next(name for name in names if not (reports / name).exists())


def checkpoint(watch: Watch, hour: int) -> Checkpoint:
    """The checkpoint at this hour. Raises: ConfigurationError, when this watch has none there."""
    if hour not in watch.hours:
        raise ConfigurationError(
            [f"watch {watch.name}: hour: expected one of {watch.hours}, got {hour}"]
        )
    return watch.checkpoint(hour)


def planned(production: Production, ledger: Ledger) -> dict[str, Criterion]:
    """Every criterion of a watch: the table's, production.toml's own, earlier records'."""
    plan = dict(CRITERIA)
    for name, stated in production.criteria.items():
        if name not in plan and stated.sentence:
            plan[name] = own_criterion(name, stated.sentence, stated.hours)
    for record in ledger.records():
        for name, hours in record.plan.items():
            if name not in plan:
                sentence = next((e.sentence for e in record.criteria if e.id == name), name)
                plan[name] = own_criterion(name, sentence, hours)
    return plan


def watch_options(request: Request, ledger: Ledger) -> str:
    """The options that lead a command to this watch; its name where it was given."""
    named = f" --watch {ledger.genesis.name}" if request.watch else ""
    return f"{request.target_options}{named}"


def other_t0(request: Request, known: Ledger) -> list[str]:
    """The refusal of a ``--t0`` that is not this watch's."""
    if request.t0 is None or to_minute(request.t0) == known.watch.t0:
        return []
    return [
        f"--t0: expected {known.watch.t0:%Y-%m-%dT%H:%MZ} as in watch {known.watch.name}, "
        f"got {to_minute(request.t0):%Y-%m-%dT%H:%MZ}"
    ]


def refuse_opening(request: Request) -> None:
    """Raises: ConfigurationError, unless ``--t0`` says that a watch is to begin without hour 0."""
    if request.t0 is None:
        where = "" if request.target == TARGET else f" --target {request.target}"
        remedy = (
            f"start one with `pytest -m hour0{where}`, or give --t0 to go on without a baseline"
        )
        problem = absent("an open watch", request.reports, request.watch, request.target, remedy)
        raise ConfigurationError([problem])


def refuse_before(request: Request, t0: datetime, now: datetime) -> None:
    """Raises: ConfigurationError, before the hour asked for is due, without ``--early``."""
    refuse_early(
        request.hour, to_minute(t0) + timedelta(hours=request.hour), now, allowed=request.early
    )


def refuse_early(hour: int, due: datetime, now: datetime, *, allowed: bool) -> None:
    """Raises: ConfigurationError, before the due time, unless ``--early`` is given."""
    if now < due and not allowed:
        wait = (due - now).total_seconds() / 60
        raise ConfigurationError(
            [
                f"hour {hour}: expected to run from {due:%Y-%m-%d %H:%M}Z on, "
                f"got {now:%H:%M}Z, {format_duration(60 * wait)} early; "
                "--early runs it all the same, and it then does not count"
            ]
        )


def absent(what: str, reports: Path, watch: str, target: str, remedy: str) -> str:
    """The refusal where a watch is not there: which ones are, and what to do.

    Args:
        watch: the name that was given; empty: none.
    """
    names = watches_in(reports)
    if not watch:
        told = f"none of {target}" if names else "none"
        return f"{reports}: expected {what} of {target}, got {told}{listed(names)}; {remedy}"
    whose, hint = "", did_you_mean(watch, names)
    if watch in names:
        whose, hint = f", which is of {Ledger(reports / watch).genesis.target}", ""
    return (
        f"--watch: expected {what} of {target} in {reports}, "
        f"got {watch!r}{whose}{listed(names)}; {remedy}{hint}"
    )


def watches_in(reports: Path) -> list[str]:
    """The names of the watches in a folder."""
    return sorted(path.parent.name for path in reports.glob("*/watch.json"))


def listed(names: Sequence[str]) -> str:
    """`` (there are launch-1, launch-2)``, for a refusal; empty where there are none."""
    more = len(names) - MOST_LISTED
    told = ", ".join(names[-MOST_LISTED:]) + (f" and {more} more" if more > 0 else "")
    return f" (there {'is' if len(names) == 1 else 'are'} {told})" if names else ""


def with_classes(production: Production, ledger: Ledger) -> Production:
    """The production with the classes that people added to the ledger."""
    normal, critical = ledger.classes()
    return msgspec.structs.replace(
        production,
        normal=(*production.normal, *normal),
        critical=(*production.critical, *critical),
    )
