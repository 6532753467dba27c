"""The week after a watch: daily checks, one run a day, in a separate ledger.

Rules of this module:

- ``reports/WATCH-daily`` is a ledger like any other. It has the T0 of the watch and so its
  baseline; its hours are one per day after the last hour of the watch: 48, 72, ...
- A run of the daily checks judges only its day and may start until the next one is due. A missed
  day is INCONCLUSIVE.
- The ledger of the watch is only read, so that a signed-off watch never changes.
- Criteria keep their ids and sentences; ``criteria.DAILY`` lists those that run daily.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import structs

from hour24 import config
from hour24.config import Production
from hour24.criteria import DAILY, Criterion, known
from hour24.errors import ConfigurationError
from hour24.ledger.book import Genesis, Ledger, plan_of
from hour24.targets import watches
from hour24.targets.context import Context, Target
from hour24.targets.request import Request
from hour24.versions import FORMAT, JUDGES
from hour24.watch import Checkpoint, Watch

SUFFIX = "-daily"
LONGEST_NAME = 64
DAY_H = 24
DAY_S = 86_400.0
DAYS = 7
MOST_DAYS = 28
"""Platforms keep metrics for 30 days; beyond that nothing could be compared."""


def criteria(hours: tuple[int, ...]) -> dict[str, Criterion]:
    """Returns the criteria of the daily checks, due at these hours."""
    return {each.id: structs.replace(each, hours=hours) for each in map(known, DAILY) if each}


def daily_hours(watch: Watch, until: datetime | None) -> tuple[int, ...]:
    """Returns the hours of the daily checks that follow this watch.

    Args:
        until: ``[service] daily_until``; None: for a week. Its last day is judged whole.
    Raises: ConfigurationError, if no day is left or there are too many.
    """
    last = watch.hours[-1]
    end = watch.whole.end
    days = DAYS if until is None else math.ceil((until - end).total_seconds() / DAY_S)
    if not 1 <= days <= MOST_DAYS:
        raise ConfigurationError(
            [
                f"production.toml: service.daily_until: expected within {MOST_DAYS} days after "
                f"watch {watch.name} ends at {end:%Y-%m-%d %H:%M}Z, got {until:%Y-%m-%d %H:%M}Z"
            ]
        )
    return tuple(last + DAY_H * day for day in range(1, days + 1))


def genesis(
    of: Genesis, watch: Watch, production: Production, limits: str, now: datetime
) -> Genesis:
    """Returns the first entry of the ledger of the week after.

    Args:
        of, watch: first entry and plan of the watch before it.
        limits: digest of the limits in force now.
    Raises: ConfigurationError, see :func:`daily_hours`.
    """
    service = production.service
    return structs.replace(
        of,
        name=of.name[: LONGEST_NAME - len(SUFFIX)] + SUFFIX,
        hours=(0, watch.hours[-1], *daily_hours(watch, service.daily_until)),
        tolerance_s=DAY_S,
        service={
            "name": service.name,
            "environment": service.environment,
            "release": service.release,
        },
        limits=limits,
        watched={},
        opened=now,
        follows=of.name,
        version=FORMAT,
        judges=JUDGES,
    )


def find_week(
    reports: Path, of: Ledger, production: Production, limits: str, now: datetime
) -> tuple[Ledger | None, Genesis]:
    """Returns the ledger of the week after this watch, if there is one, and its first entry.

    Args:
        of: the ledger of the watch, or of its week after.
    Raises: ConfigurationError; LedgerError, if it cannot be read.
    """
    if of.genesis.daily:
        return of, of.genesis
    first = genesis(of.genesis, of.watch, production, limits, now)
    known = Ledger.find(reports, first.name)
    return known, first if known is None else known.genesis


def watch_before(reports: Path, ledger: Ledger) -> Ledger:
    """Returns the watch before this week after. Raises: ConfigurationError, if it is missing."""
    name = ledger.genesis.follows
    found = Ledger.find(reports, name) if name else None
    if found is None:
        raise ConfigurationError(
            [
                f"watch {ledger.genesis.name}: follows: expected watch {name!r} in {reports}, "
                "got none"
            ]
        )
    return found


def due_hour(watch: Watch, now: datetime) -> int:
    """Returns the hour of the newest daily checks that are due.

    Args:
        watch: the week after.
    Raises: ConfigurationError, before the first one is due and after the last one's day.
    """
    days = [hour for hour in watch.hours if hour > watch.hours[1]]
    passed = [hour for hour in days if watch.t0 + timedelta(hours=hour) <= now]
    first = watch.t0 + timedelta(hours=days[0])
    end = watch.t0 + timedelta(hours=days[-1] + DAY_H)
    if not passed:
        raise ConfigurationError(
            [
                f"watch {watch.name}: expected the first daily checks from {first:%Y-%m-%d %H:%M}Z "
                f"on, when a day has passed since the watch, got {now:%Y-%m-%d %H:%M}Z"
            ]
        )
    if now >= end:
        raise ConfigurationError(
            [
                f"watch {watch.name}: expected the daily checks before {end:%Y-%m-%d %H:%M}Z, got "
                f"{now:%Y-%m-%d %H:%M}Z: it is over; see [service] daily_until"
            ]
        )
    return passed[-1]


def checkpoint(watch: Watch, hour: int) -> Checkpoint:
    """Returns the daily checks at this hour; its since-T0 window is its own day."""
    point = watch.checkpoint(hour)
    return structs.replace(point, since_t0=point.window)


def open_context(request: Request, target: Target, resources: ExitStack) -> Context:
    """Returns the context of the daily checks that are due.

    Raises: ConfigurationError; LedgerError.
    """
    named = watches.find_newest(request)
    watch = watch_before(request.reports, named) if named.genesis.daily else named
    base = target.context_of_watch(request, watch, resources)
    limits = config.limits_digest(base.production)
    known, first = find_week(request.reports, named, base.production, limits, base.clock.now())
    plan = plan_of(first)
    days = [hour for hour in plan.hours if hour > watch.watch.hours[-1]]
    ahead = [hour for hour in days if known is None or not known.records(hour)] or days[-1:]
    base.step_clock_to(plan.checkpoint(ahead[0]).due)
    due = due_hour(plan, base.clock.now())  # refused before anything is written
    ledger = known or Ledger.create(request.reports, first)
    return replace(
        base,
        production=watches.with_classes(base.production, ledger),
        ledger=ledger,
        baseline=watch,
        checkpoint=checkpoint(plan, due),
        criteria=criteria(tuple(days)),
        finished="last daily checks done",
        opened=False,
    )
