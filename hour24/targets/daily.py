"""The week after a watch: one look a day, in a ledger of its own beside the watch's.

Rules of this module:

- ``reports/WATCH-daily`` is a ledger like every other. Its T0 is the watch's own, so that its
  baseline is the launch's; its hours are one a day past the watch's last: 48, 72, ...
- A look judges its own day alone, and may be taken at any time until the next is due. A day
  without a look is missed, and stands as INCONCLUSIVE.
- The watch's ledger is read, never written: what was signed off stays as it was.
- Criteria keep their ids and sentences; which of them are looked at daily stands here.
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
from hour24.ledger.book import Genesis, Ledger
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
"""Further back the platform keeps no metrics (30 days)."""


def criteria(hours: tuple[int, ...]) -> dict[str, Criterion]:
    """The criteria of a daily look, at these hours."""
    return {each.id: structs.replace(each, hours=hours) for each in map(known, DAILY) if each}


def looks(watch: Watch, until: datetime | None) -> tuple[int, ...]:
    """The hours of the daily looks that follow this watch.

    Args:
        until: ``[service] daily_until``; none: for a week. A day that it cuts is looked at whole.
    Raises: ConfigurationError, when no day is left, or there are too many.
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
    """What the ledger of the week after begins with.

    Args:
        of, watch: of the watch that it follows.
        limits: digest of the limits in force now.
    Raises: ConfigurationError, see :func:`looks`.
    """
    service = production.service
    return structs.replace(
        of,
        name=of.name[: LONGEST_NAME - len(SUFFIX)] + SUFFIX,
        hours=(0, watch.hours[-1], *looks(watch, service.daily_until)),
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


def week_after(
    reports: Path, of: Ledger, production: Production, limits: str, now: datetime
) -> Ledger:
    """The ledger of the week after this watch; it is made where there is none yet.

    Args:
        of: the watch's ledger, or already that of its week after.
    Raises: ConfigurationError; LedgerError, when it cannot be read or written.
    """
    if of.genesis.daily:
        return of
    first = genesis(of.genesis, of.watch, production, limits, now)
    return Ledger.find(reports, first.name) or Ledger.create(reports, first)


def followed(reports: Path, ledger: Ledger) -> Ledger:
    """The watch that this week after follows. Raises: ConfigurationError, when it is not there."""
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


def due(watch: Watch, now: datetime) -> int:
    """The hour of the look that is due now: the newest.

    Args:
        watch: the week after.
    Raises: ConfigurationError, when the first is not due yet, or the last one's day is over.
    """
    days = [hour for hour in watch.hours if hour > watch.hours[1]]
    passed = [hour for hour in days if watch.t0 + timedelta(hours=hour) <= now]
    first = watch.t0 + timedelta(hours=days[0])
    end = watch.t0 + timedelta(hours=days[-1] + DAY_H)
    if not passed:
        raise ConfigurationError(
            [
                f"watch {watch.name}: expected the first daily look from {first:%Y-%m-%d %H:%M}Z "
                f"on, when a day has passed since the watch, got {now:%Y-%m-%d %H:%M}Z"
            ]
        )
    if now >= end:
        raise ConfigurationError(
            [
                f"watch {watch.name}: expected a daily look before {end:%Y-%m-%d %H:%M}Z, got "
                f"{now:%Y-%m-%d %H:%M}Z: it is over; see [service] daily_until"
            ]
        )
    return passed[-1]


def checkpoint(watch: Watch, hour: int) -> Checkpoint:
    """The look at this hour: what a criterion says since T0, it says here of the day."""
    point = watch.checkpoint(hour)
    return structs.replace(point, since_t0=point.window)


def opened(request: Request, target: Target, resources: ExitStack) -> Context:
    """The context of the daily look that is due, at the target whose watch it follows.

    Raises: ConfigurationError; LedgerError.
    """
    named = watches.newest(request)
    watch = followed(request.reports, named) if named.genesis.daily else named
    base = target.around(request, watch, resources)
    limits = config.limits_digest(base.production)
    ledger = week_after(request.reports, named, base.production, limits, base.clock.now())
    days = [hour for hour in ledger.watch.hours if hour > watch.watch.hours[-1]]
    ahead = [hour for hour in days if not ledger.records(hour)] or days[-1:]
    base.stand_at(ledger.watch.checkpoint(ahead[0]).due)
    return replace(
        base,
        production=watches.with_classes(base.production, ledger),
        ledger=ledger,
        baseline=watch,
        checkpoint=checkpoint(ledger.watch, due(ledger.watch, base.clock.now())),
        criteria=criteria(tuple(days)),
        finished="that was the last daily look",
        opened=False,
    )
