"""Where a checkpoint plays: the production described, its clock, its watch's ledger.

Rules of this module:

- ``--target`` is a production.toml, or the word ``rehearsal``: then the embedded production is
  started (or found where it is being served), and its clock stands at the checkpoint's due time.
- Without ``--watch`` the watch still open for this target is meant; hour 0 opens one.
- A later hour opens one only where that was asked for, with ``--t0``; of a rehearsal also where
  none is open and none was named. Whoever names a watch that is not there has mistyped it.
- What the command line says of a watch that is there already (``--t0``, and of a rehearsal its
  story) must be what the watch was opened with.
- A rehearsal and a production never share a watch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from hour24 import config
from hour24.checkpoint.place import place
from hour24.clock import Clock, WallClock
from hour24.config import Production
from hour24.errors import ConfigurationError, did_you_mean
from hour24.ledger.book import Genesis, Ledger
from hour24.rehearsal.faults import parsed
from hour24.text import cut, format_duration
from hour24.versions import JUDGES
from hour24.watch import NAME, to_minute

REHEARSAL = "rehearsal"
TARGET = "production.toml"
REPORTS = "reports"
MOST_LISTED = 6
LONGEST = 80


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Args:
        hour: the checkpoint; of a daily look none is given, the day that is due is meant.
        seed: the rehearsal's story; none: the watch's own, else 1.
        rehearsal_at: a file that tells where a rehearsal is already being served.
    """

    hour: int
    daily: bool = False
    target: str = TARGET
    reports: Path = Path(REPORTS)
    watch: str = ""
    t0: datetime | None = None
    early: bool = False
    follows: str = ""
    seed: int | None = None
    faults: tuple[str, ...] = ()
    rehearsal_at: Path | None = None

    @property
    def elsewhere(self) -> str:
        """Where watches are kept, if a command must be told; empty for ``reports`` here."""
        here = self.reports.absolute() == Path(REPORTS).absolute()
        return "" if here else str(self.reports)


@dataclass
class Stage:
    """Where a checkpoint plays: the production described, its clock, its ledger.

    Args:
        of: of a daily look, the watch's own ledger.
        opened: whether this run opened the watch.
    """

    production: Production
    clock: Clock
    ledger: Ledger
    rehearsal: dict[str, Any] | None = None
    of: Ledger | None = None
    opened: bool = False


def set_stage(options: Options, resources: ExitStack) -> Stage:
    """Find or open the watch, and load the production it watches.

    Raises: ConfigurationError; then no watch was opened.
    """
    if options.watch and not NAME.fullmatch(options.watch):
        raise ConfigurationError(
            [
                "--watch: expected a name such as launch-1 (small letters, digits, dots, - and _, "
                f"at most 64), got {cut(options.watch, LONGEST)!r}"
            ]
        )
    if options.follows and options.hour != 0:
        raise ConfigurationError(
            [f"--follows: expected it with hour 0, which opens a watch, got hour {options.hour}"]
        )
    if options.target == REHEARSAL:
        return _rehearsal_stage(options, resources)
    path = Path(options.target)
    production = config.load(path)
    if options.daily:
        of = _watch_before(options, str(path))
        return _daily_stage(options, production, WallClock(), of)
    now = WallClock().now()
    known = _known(options, str(path), production, now)
    ledger = known or _new(options, str(path), production, now, None)
    production = _with_classes(production, ledger)
    problem = config.launch_problem(production, ledger.watch.t0)
    if problem:
        raise ConfigurationError([problem])
    return Stage(production, WallClock(), ledger, opened=known is None)


def open_watch(options: Options, production: Production) -> Ledger:
    """The watch that hour 0 will find; opened ahead of it where there is none.

    Raises: ConfigurationError; LedgerError, when it cannot be read or written.
    """
    now = WallClock().now()
    known = _known(options, options.target, production, now)
    return known or _new(options, options.target, production, now, None)


def _rehearsal_stage(options: Options, resources: ExitStack) -> Stage:
    from hour24.rehearsal.client import Rehearsal
    from hour24.rehearsal.clock import RehearsalClock

    if options.daily:
        known: Ledger | None = _watch_before(options, REHEARSAL)
    else:
        known = _rehearsed(options)
    if known is not None and known.genesis.rehearsal is not None:
        seed, faults = known.genesis.rehearsal["seed"], tuple(known.genesis.rehearsal["faults"])
        t0 = known.genesis.t0
    else:
        seed, faults = 1 if options.seed is None else options.seed, options.faults
        parsed(faults)
        t0 = options.t0 or datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0)
    if options.rehearsal_at is not None:
        served = Rehearsal.served(options.rehearsal_at)
    else:
        served = Rehearsal.start(seed=seed, faults=faults, t0=t0, hour=options.hour)
        resources.callback(served.stop)
    production = config.load(Path(served.toml), {**os.environ, **served.environ})
    due = t0 + timedelta(hours=options.hour)
    clock = RehearsalClock(served.control, due)
    told = {"seed": seed, "faults": list(faults)}
    if options.daily and known is not None:
        stage = _daily_stage(options, production, clock, known)
        days = [hour for hour in stage.ledger.watch.hours if hour > known.watch.hours[-1]]
        ahead = [hour for hour in days if not stage.ledger.records(hour)] or days[-1:]
        clock.step_to(stage.ledger.watch.checkpoint(ahead[0]).due)
        return stage
    clock.step_to(due)
    ledger = known or _new(options, REHEARSAL, production, t0, told)
    playing = _with_classes(production, ledger)
    return Stage(playing, clock, ledger, told, opened=known is None)


def _rehearsed(options: Options) -> Ledger | None:
    """The rehearsal's watch that goes on; none where one is opened."""
    if options.follows:
        return None
    known = Ledger.find(options.reports, options.watch, REHEARSAL)
    if options.hour == 0 and not options.watch:
        another = known is not None and (known.records() or _another_story(options, known))
        return None if another else known
    if known is None:
        if options.watch:
            _refuse_opening(options, REHEARSAL)
        return None
    problems = _another_story(options, known)
    if problems:
        raise ConfigurationError(problems)
    return known


def _another_story(options: Options, known: Ledger) -> list[str]:
    """What the command line says of the rehearsal that this watch was not opened with."""
    name, story = known.watch.name, known.genesis.rehearsal or {}
    problems = _another_t0(options, known)
    if options.seed not in (None, story["seed"]):
        problems.append(f"--seed: expected {story['seed']} as in watch {name}, got {options.seed}")
    if options.faults and parsed(options.faults) != parsed(story["faults"]):
        plays = ", ".join(story["faults"]) or "none"
        problems.append(
            f"--fault: expected {plays} as in watch {name}, got {', '.join(options.faults)}; "
            "a new watch, opened by hour 0, has a story of its own"
        )
    return problems


def _another_t0(options: Options, known: Ledger) -> list[str]:
    if options.t0 is None or to_minute(options.t0) == known.watch.t0:
        return []
    return [
        f"--t0: expected {known.watch.t0:%Y-%m-%dT%H:%MZ} as in watch {known.watch.name}, "
        f"got {to_minute(options.t0):%Y-%m-%dT%H:%MZ}"
    ]


def _watch_before(options: Options, target: str) -> Ledger:
    """The watch that a daily look follows: the one named, or the newest, signed off or not."""
    if options.watch:
        found = [Ledger.find(options.reports, options.watch, target)]
    else:
        paths = sorted(options.reports.glob("*/watch.json"))
        found = [Ledger.find(options.reports, path.parent.name, target) for path in paths]
    ledgers = [each for each in found if each is not None and (options.watch or _is_watch(each))]
    newest = max(ledgers, key=lambda each: each.genesis.opened, default=None)
    if newest is None:
        raise ConfigurationError(
            [absent("a watch", options, target, "a daily look follows a watch")]
        )
    return newest


def _is_watch(ledger: Ledger) -> bool:
    return not ledger.genesis.daily


def _daily_stage(options: Options, production: Production, clock: Clock, of: Ledger) -> Stage:
    """A look of the week after ``of``."""
    from hour24.checkpoint import daily

    ledger = daily.opened(
        options.reports, of, production, config.limits_digest(production), clock.now()
    )
    before = daily.followed(options.reports, ledger)
    known = _with_classes(_with_classes(production, before), ledger)
    return Stage(known, clock, ledger, ledger.genesis.rehearsal, before)


def _known(options: Options, target: str, production: Production, now: datetime) -> Ledger | None:
    """The production's watch that goes on; none where one is opened."""
    known = None
    if not options.follows:
        known = Ledger.find(options.reports, options.watch, target)
    if known is not None and options.hour == 0 and not options.watch:
        # A second hour 0 soon after the first is another attempt; later it is another watch.
        late = known.watch.checkpoint(0).late_s(now) > production.schedule.tolerance_s
        again = options.t0 is not None and bool(known.records(0))
        known = None if late or again else known
    if known is not None:
        problems = _another_t0(options, known)
        if problems:
            raise ConfigurationError(problems)
    elif options.hour != 0:
        _refuse_opening(options, target)
    return known


def _refuse_opening(options: Options, target: str) -> None:
    """Raises: ConfigurationError, unless ``--t0`` says that a watch is to begin without hour 0."""
    if options.t0 is None:
        where = "" if target == TARGET else f" --target {target}"
        raise ConfigurationError(
            [
                absent(
                    "an open watch",
                    options,
                    target,
                    f"start one with `pytest -m hour0{where}`, or give --t0 to go on without a "
                    "baseline",
                )
            ]
        )


def absent(what: str, options: Options, target: str, remedy: str) -> str:
    """The watch that was meant is not there; which ones are, and what to do."""
    names = watches_in(options.reports)
    if not options.watch:
        told = f"none of {target}" if names else "none"
        return (
            f"{options.reports}: expected {what} of {target}, got {told}{listed(names)}; {remedy}"
        )
    whose, hint = "", did_you_mean(options.watch, names)
    if options.watch in names:
        whose, hint = f", which is of {Ledger(options.reports / options.watch).genesis.target}", ""
    return (
        f"--watch: expected {what} of {target} in {options.reports}, "
        f"got {options.watch!r}{whose}{listed(names)}; {remedy}{hint}"
    )


def watches_in(reports: Path) -> list[str]:
    """The names of the watches in a folder."""
    return sorted(path.parent.name for path in reports.glob("*/watch.json"))


def listed(names: Sequence[str]) -> str:
    """`` (there are launch-1, launch-2)``, for a refusal; empty where there are none."""
    more = len(names) - MOST_LISTED
    told = ", ".join(names[-MOST_LISTED:]) + (f" and {more} more" if more > 0 else "")
    return f" (there {'is' if len(names) == 1 else 'are'} {told})" if names else ""


def _new(
    options: Options,
    target: str,
    production: Production,
    now: datetime,
    rehearsal: dict[str, Any] | None,
) -> Ledger:
    plan = production.schedule
    if options.follows and Ledger.find(options.reports, options.follows) is None:
        names = watches_in(options.reports)
        raise ConfigurationError(
            [
                f"--follows: expected a watch in {options.reports}, got {options.follows!r}"
                f"{listed(names)}{did_you_mean(options.follows, names)}"
            ]
        )
    if options.watch and (options.reports / options.watch).exists():
        raise ConfigurationError(
            [f"--watch: expected a name not taken in {options.reports}, got {options.watch!r}"]
        )
    t0 = to_minute(options.t0 or now)
    service = production.service
    if rehearsal is None:
        refuse_early(options, t0 + timedelta(hours=options.hour), now)
        problem = config.launch_problem(production, t0)
        if problem:
            raise ConfigurationError([problem])
    return Ledger.create(
        options.reports,
        Genesis(
            name=options.watch or _fresh_name(options.reports, service.name, t0, rehearsal),
            t0=t0,
            zone=service.time_zone,
            hours=plan.checkpoints,
            tolerance_s=plan.tolerance_s,
            settle_s=plan.settle_s,
            follows=options.follows,
            target=target,
            rehearsal=rehearsal,
            service={
                "name": service.name,
                "environment": service.environment,
                "release": service.release,
            },
            limits=config.limits_digest(production),
            watched=place(production, rehearsal),
            opened=now,
            judges=JUDGES,
        ),
    )


def refuse_early(options: Options, due: datetime, now: datetime) -> None:
    """Raises: ConfigurationError, before the due time, unless ``--early`` is given."""
    if now < due and not options.early:
        wait = (due - now).total_seconds() / 60
        raise ConfigurationError(
            [
                f"hour {options.hour}: expected to run from {due:%Y-%m-%d %H:%M}Z on, "
                f"got {now:%H:%M}Z, {format_duration(60 * wait)} early; "
                "--early runs it all the same, and it then does not count"
            ]
        )


def _fresh_name(reports: Path, service: str, t0: datetime, rehearsal: Any) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", service.lower()).strip("-")[:40] or "watch"
    stem = f"{'rehearsal' if rehearsal else plain}-{t0:%Y%m%d-%H%M}"
    names = (stem if n == 1 else f"{stem}-{n}" for n in range(1, 10_000))
    return next(name for name in names if not (reports / name).exists())


def _with_classes(production: Production, ledger: Ledger) -> Production:
    """The production with the classes that people added to the ledger."""
    normal, critical = ledger.classes()
    return msgspec.structs.replace(
        production,
        normal=(*production.normal, *normal),
        critical=(*production.critical, *critical),
    )


def moment(text: str, where: str) -> datetime:
    """A moment as people type it: ISO 8601, with its offset or Z.

    Raises: ConfigurationError.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise ConfigurationError(
            [f"{where}: expected a moment such as 2026-12-01T06:00Z, got {text!r}"]
        )
    return to_minute(read)
