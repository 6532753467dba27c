"""doctor, due, probe, rollback: the commands that query a production or, on request, change it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hour24 import config
from hour24.checkpoint.addresses import addresses
from hour24.checkpoint.kept import FOLDER
from hour24.clock import Clock, WallClock, steady_s
from hour24.commands import say
from hour24.commands.line import TIME, OneOf, command
from hour24.commands.watches import (
    chosen,
    production_of,
    reports_option,
    watch_argument,
)
from hour24.config.lines import line_of, lines_of
from hour24.errors import ConfigurationError, did_you_mean
from hour24.ledger import moved
from hour24.ledger.book import Ledger
from hour24.secrets.redactor import Redactor
from hour24.shipped import COMMAND, TOP, is_used_in
from hour24.targets.production import open_before_hour_0
from hour24.targets.request import REPORTS, TARGET, Request
from hour24.targets.watches import describe_missing
from hour24.text import format_duration, format_local

if TYPE_CHECKING:
    from hour24.config import Production
    from hour24.probes import Alarm

REFUSED = 1


target_option = click.option(
    "--target", default=TARGET, metavar="FILE", help=f"a production.toml (default: {TARGET})"
)
watch_target_option = click.option(
    "--target",
    default="",
    metavar="FILE",
    help="a production.toml (default: that of the watch), or a pattern for one run a file",
)
open_watch_option = click.option(
    "--watch", default="", metavar="NAME", help="name of the watch (default: the open one)"
)


@command(
    "Tries every query that a checkpoint needs, over the last hour, and judges nothing. It sends "
    "one test event to the error tracker, as hour 0 does.",
    "--target production.toml --alert",
)
@target_option
@click.option("--alert", is_flag=True, help="send a test alert to HOUR24_ALERT_URLS")
def doctor(target: str, alert: bool) -> int:
    """Print one line for each finding. Returns: 1 when there is a problem."""
    from hour24.doctor import examine

    production = _with_lines(Path(target))
    say.hide(production.secrets)
    wrong = 0
    for finding in examine(production, WallClock()):
        wrong += not finding.ok
        mark = "ok  " if finding.ok else "NOT "
        say.line(f"{mark} {finding.name:<24} {finding.says}", "" if finding.ok else "bold red")
        if finding.remedy:
            say.line(f"     {'':<24} -> {finding.remedy}", "yellow")
    if alert:
        wrong += _alert(production)
    problems = "1 problem" if wrong == 1 else f"{wrong} problems"
    say.line(problems if wrong else "No problems.", "bold red" if wrong else "green")
    return REFUSED if wrong else 0


def _with_lines(path: Path) -> Production:
    """Load the production. Raises: ConfigurationError, each problem with its line."""
    try:
        return config.load(path)
    except ConfigurationError as refusal:
        text = path.read_text("utf-8", "replace") if path.is_file() else ""
        found, numbered = lines_of(text), []
        for problem in refusal.problems:
            dotted = problem.removeprefix(f"{path}: ").partition(": ")[0]
            number = line_of(dotted, found) if problem.startswith(f"{path}: ") else 0
            where = f"{path}:{number}" if number else str(path)
            numbered.append(problem.replace(str(path), where, 1))
        raise ConfigurationError(numbered) from None


def _alert(production: Production) -> int:
    from hour24 import alerts

    if not production.alert_urls:
        say.line("NOT  alerts                   HOUR24_ALERT_URLS is not set", "bold red")
        return 1
    service = f"{production.service.name} {production.service.environment}"
    problems = alerts.send(alerts.trial_message(service), production.alert_urls)
    for problem in problems:
        say.line(f"NOT  alerts                   {problem}", "bold red")
    if not problems:
        say.line(f"ok   alerts                   sent to {len(production.alert_urls)} addresses")
    return len(problems)


@command(
    "Prints the checkpoint of the open watch that is due and not yet recorded.",
    "--hour-only",
)
@open_watch_option
@reports_option
@click.option("--target", default="", metavar="FILE", help="only watches of this target")
@click.option("--hour-only", is_flag=True, help="print only the hour, or nothing (for scripts)")
@click.option("--now", type=TIME, default=None, help="as of this time (default: now)")
def due(watch: str, reports: Path, target: str, hour_only: bool, now: datetime | None) -> int:
    """Print the newest checkpoint that is due and has no record, then those missed before."""
    ledger = Ledger.find(reports, watch, target)
    if ledger is None:
        if watch:
            of, remedy = target or "any target", "`pytest -m hour0` opens one"
            problem = describe_missing("a watch", reports, watch, of, remedy)
            raise ConfigurationError([problem])
        if not hour_only:
            say.line("no watch is open; `pytest -m hour0` starts one")
        return 0
    at = now or WallClock().now()
    plan = ledger.watch
    open_ones = [
        hour
        for hour in plan.hours
        if plan.checkpoint(hour).due <= at and all(r.early for r in ledger.records(hour))
    ]
    hour = _first_of(ledger, open_ones, at)
    if hour_only:
        if hour is not None:
            sys.stdout.write(f"{hour}\n")
        return 0
    if hour is None:
        ahead = [h for h in plan.hours if all(r.early for r in ledger.records(h))]
        then = f"{COMMAND} signoff {shlex.quote(str(ledger.folder))}"
        if ahead:
            then = f"hour {ahead[0]} at {format_local(plan.checkpoint(ahead[0]).due, plan.zone)}"
        say.line(f"{plan.name}: nothing is due; next: {then}")
        return 0
    late = at - plan.checkpoint(hour).due
    say.line(f"{plan.name}: hour {hour} has been due for {_minutes(late)}: {run_of(ledger, hour)}")
    for missed in open_ones:
        if missed != hour:
            say.line(f"  hour {missed} is due too; it can be run late", "yellow")
    return 0


def _first_of(ledger: Ledger, open_ones: Sequence[int], now: datetime) -> int | None:
    """Return which of these checkpoints to run first.

    The oldest, since later ones compare with it; but the newest while it can still ask what exists
    only now, and that was not asked yet.
    """
    if not open_ones:
        return None
    newest = ledger.watch.checkpoint(open_ones[-1])
    in_time = newest.late_s(now) <= newest.tolerance_s
    asked = any((ledger.folder / "probe" / FOLDER).glob(f"hour{newest.hour:02d}.*.jsonl"))
    return open_ones[-1] if in_time and not asked else open_ones[0]


def run_of(ledger: Ledger, hour: int) -> str:
    """Return the command that runs this checkpoint of this watch, from the folder we are in."""
    parts = ["pytest", "-m", f"hour{hour}"]
    if ledger.genesis.target != TARGET:
        parts.append(f"--target={ledger.genesis.target}")
    if ledger.folder.parent.absolute() != Path(REPORTS).absolute():
        parts.append(f"--reports={ledger.folder.parent}")
    return shlex.join([*parts, f"--watch={ledger.genesis.name}"])


def _minutes(late: timedelta) -> str:
    return format_duration(late.total_seconds())


t0_option = click.option(
    "--t0", type=TIME, default=None, help="when the 24 hours begin; opens the watch before then"
)
vantage_option = click.option(
    "--vantage",
    default="",
    metavar="NAME",
    help="which of health.vantages this prober is (default: the only one)",
)


def shared_options(reports: Path, vantage: str, t0: datetime | None) -> list[str]:
    """Return the options that the probers of several services share."""
    named = {"reports": str(reports), "vantage": vantage, "t0": t0.isoformat() if t0 else ""}
    return [f"--{name}={value}" for name, value in named.items() if value]


def vantage_of(production: Production, vantage: str) -> str:
    """Return which of the vantages in production.toml this prober is; empty if it states none.

    Raises: ConfigurationError, if it is none of them.
    """
    stated = production.health.vantages
    if len(stated) == 1 and not vantage:
        return stated[0]
    if vantage in (stated or ("",)):
        return vantage
    one_of = " or ".join(stated) or "no name, since health.vantages states none"
    problem = f"--vantage: expected {one_of}, got {vantage or 'nothing'}"
    raise ConfigurationError([problem + did_you_mean(vantage, stated)])


def watch_to_probe(
    target: str, watch: str, reports: Path, t0: datetime | None
) -> tuple[Ledger, str]:
    """Return the open watch, opened if ``t0`` is given, and its target.

    Args:
        target: empty: that of the watch, or production.toml.
    Raises: ConfigurationError, when there is none, or it watches other addresses.
    """
    ledger = Ledger.find(reports, watch, target)
    if ledger is not None and t0 is None:
        target = ledger.genesis.target
    target = target or TARGET
    production = config.load(Path(target))
    if t0:
        ahead = Request(
            target=target,
            reports=reports,
            watch=watch,
            t0=t0,
            early=True,
        )
        ledger = open_before_hour_0(ahead, production)
    if ledger is None:
        remedy = "start one with `pytest -m hour0`, or before hour 0 with --t0"
        problem = describe_missing("an open watch", reports, watch, target, remedy)
        raise ConfigurationError([problem])
    if changed := moved.probe_differences(ledger, addresses(production)):
        remedy = (
            f"{target}: other addresses than those of {ledger.watch.name}; if production moved, "
        )
        remedy += "run the next checkpoint first, then start the prober again"
        raise ConfigurationError([*changed, remedy])
    return ledger, target


class Unsent:
    """Counts alerts that did not reach every address."""

    count = 0


@contextmanager
def alerting(
    ledger: Ledger, production: Production, by: str, unsent: Unsent | None = None
) -> Iterator[Callable[[Alarm], None]]:
    """Yield a function that alerts people to an alarm in the background, on the record."""
    from hour24 import alerts

    failed = unsent or Unsent()
    service = f"{production.service.name} {production.service.environment}"
    on_call = [
        {"role": each.role, "name": each.name, "reach": each.reach}
        for each in production.contacts
        if "call" in each.role
    ]
    clock = WallClock()
    redactor = Redactor((each.name, each.reveal()) for each in production.secrets)
    delivery = alerts.Delivery(
        ledger, production.alert_urls, service, redactor.text, by, production.alerts.quiet
    )

    def report(problems: Sequence[str]) -> None:
        failed.count += bool(problems)
        for problem in problems:
            say.problem(problem)

    caller = alerts.Caller(
        lambda message: report(delivery.deliver(message, clock.now())),
        lambda: report(delivery.release(clock.now())),
    )

    def send_alarm(alarm: Alarm) -> None:
        if production.alert_urls:
            caller.send(alerts.alarm_message(alarm, service, on_call))

    try:
        yield send_alarm
    finally:
        failed.count += not caller.close()


def asking_folder() -> str:
    """Return the folder of the criteria to ask: this one, or that of the shipped ones."""
    here = Path.cwd()
    return str(here if is_used_in(here) else TOP)


def chosen_options(ledger: Ledger, target: str) -> list[str]:
    """Return the options of pytest that select this watch, from :func:`asking_folder`."""
    stated = target if is_used_in(Path.cwd()) else Path(target).resolve()
    return [
        f"--target={stated}",
        f"--reports={ledger.folder.parent.resolve()}",
        f"--watch={ledger.watch.name}",
    ]


def asking_command(ledger: Ledger, target: str) -> Callable[[int], list[str]]:
    """Return hour -> the command that asks what exists only now, and keeps the answers."""
    offset = WallClock().now().timestamp() - steady_s()
    begin = [sys.executable, "-m", "pytest", "-q", "--ask-only", f"--clock-offset={offset:.3f}"]
    begin += chosen_options(ledger, target)
    return lambda hour: [*begin, "-m", f"hour{hour}"]


@command(
    "Prints the plan and changes nothing. With --yes and the watch's name it rolls back, waits for "
    "the deploy, verifies health, and records all of it in the ledger.",
    'launch-1 --yes launch-1 --by "Mara Example" --because "5 % of calls fail"',
)
@watch_argument
@reports_option
@click.option("--target", default="", metavar="FILE", help="default: that of the watch")
@click.option(
    "--rehearsal-at",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="file that `python -m hour24.rehearsal.serve` printed, for a rehearsal being served",
)
@click.option(
    "--way",
    type=OneOf(("platform", "git")),
    default="platform",
    help="redeploy on the platform, or revert the commit (default: platform)",
)
@click.option(
    "--yes", default="", metavar="WATCH", help="name of the watch: carry the rollback out"
)
@click.option("--by", default="", metavar="NAME", help="your name, with --yes")
@click.option("--because", default="", metavar="WHY", help="the reason, with --yes")
def rollback(
    watch: str,
    reports: Path,
    target: str,
    rehearsal_at: Path | None,
    way: str,
    yes: str,
    by: str,
    because: str,
) -> int:
    """Show the plan; do it only with ``--yes`` and the watch's name."""
    from hour24 import rollback as rolling

    ledger = chosen(watch, reports)
    production, clock = _watch_target(ledger, target, rehearsal_at)
    say.hide(production.secrets)
    try:
        plan = rolling.plan(production, ledger, clock, way)
    except rolling.Refused as refusal:
        say.line(f"{ledger.watch.name}: no rollback:", "bold red")
        for one in refusal.reasons:
            say.line(f"  - {one}")
        return REFUSED
    for text in plan.lines():
        say.line(text)
    if not yes:
        name = ledger.watch.name
        say.line("Nothing was changed. To roll back:", "bold")
        say.line(
            f"  {COMMAND} rollback {shlex.quote(str(ledger.folder))} --way {way} "
            f"--yes {shlex.quote(name)} --by NAME --because REASON",
            "bold",
        )
        return 0
    problems = [
        f"--{name}: expected who does it and why, got nothing"
        for name, value in (("by", by), ("because", because))
        if not value.strip()
    ]
    if yes != ledger.watch.name:
        problems.append(f"--yes: expected the watch's name {ledger.watch.name}, got {yes}")
    if problems:
        raise ConfigurationError(problems)
    done = rolling.carry_out(plan, ledger, clock, by, because, say.line)
    say.line(done.says, "green" if done.ok else "bold red")
    return 0 if done.ok else REFUSED


def _watch_target(
    ledger: Ledger, target: str, rehearsal_at: Path | None
) -> tuple[Production, Clock]:
    """Return the watch's production and clock; a rehearsal's clock also moves its servers.

    Raises: ConfigurationError.
    """
    if rehearsal_at is None:
        return production_of(ledger, target), WallClock()
    from hour24.targets import rehearsal

    return rehearsal.attach(rehearsal_at)
