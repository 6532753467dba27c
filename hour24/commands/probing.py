"""probe: probes between the checkpoints."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import click

from hour24 import config
from hour24.clock import WallClock
from hour24.commands import say
from hour24.commands.line import DURATION, TIME, command
from hour24.commands.several import run_each
from hour24.commands.watches import reports_option
from hour24.commands.watching import (
    Unsent,
    alerting,
    asking_command,
    asking_folder,
    open_watch_option,
    shared_options,
    t0_option,
    vantage_of,
    vantage_option,
    watch_target_option,
    watch_to_probe,
)
from hour24.errors import ConfigurationError
from hour24.targets.several import is_several

NOT_PUBLISHED = 12
"""A line is not published: it could not be written, or there is a secret in it."""


@command(
    "Probes health, every endpoint and the WebSocket at their intervals, and writes a line a "
    "minute to reports/WATCH/probe/. When a checkpoint is due it asks what a late run could not "
    "ask any more, and alerts people to what has failed. Run it on a machine that stays up; you "
    "can run two for redundancy, or one in each of several places (--vantage). Ctrl-C stops it "
    "cleanly; --for and --until end it before the watch does, in a job of bounded length. With "
    "--t0 it opens the watch before hour 0, so that the hour before T0 is measured too.",
    "--t0 2026-12-01T06:00Z",
    "--for 5h30m --publish lines",
)
@watch_target_option
@open_watch_option
@reports_option
@vantage_option
@t0_option
@click.option(
    "--for", "lasts", type=DURATION, default=None, help="end after so long, such as 5h30m"
)
@click.option("--until", type=TIME, default=None, help="end at this time")
@click.option(
    "--publish",
    type=click.Path(path_type=Path),
    default=None,
    metavar="DIR",
    help="copy its lines there while it runs, without secrets, to be pushed by another process",
)
def probe(
    target: str,
    watch: str,
    reports: Path,
    vantage: str,
    t0: datetime | None,
    lasts: timedelta | None,
    until: datetime | None,
    publish: Path | None,
) -> int:
    """Probe until the watch ends, or until the time that is stated."""
    from hour24.prober import Asker, Outbox, run_probe
    from hour24.secrets.redactor import Redactor

    until = end_of(lasts, until, WallClock().now())
    if is_several(target):
        options = shared_options(reports, vantage, t0)
        options += [f"--for={lasts.total_seconds():.0f}s"] if lasts else []
        options += [f"--until={until.isoformat()}"] if until and not lasts else []
        options += [f"--publish={publish}"] if publish else []
        return run_each("probe", target, watch, options)
    ledger, target = watch_to_probe(target, watch, reports, t0)
    production = config.load(Path(target))
    vantage = vantage_of(production, vantage)
    say.hide(production.secrets)
    plan, clock = ledger.watch, WallClock()
    unsent = Unsent()
    folder = ledger.folder / "probe"
    outbox = None
    if publish:
        redactor = Redactor((each.name, each.reveal()) for each in production.secrets)
        outbox = Outbox(folder, publish, redactor, say.problem)
    with alerting(ledger, production, "hour24 probe", unsent) as send_alarm:
        asker = Asker(
            plan, ledger, clock, asking_command(ledger, target), asking_folder(), say.line
        )
        try:
            code = run_probe(production, plan, folder, send_alarm, vantage, until)
            if clock.now() >= plan.whole.end:
                asker.finish()
        finally:
            asker.close()
            if outbox is not None:
                outbox.close()
    if unsent.count:
        say.problem(f"{unsent.count} alerts did not reach every address; the ledger lists them")
    if outbox is not None and outbox.incomplete:
        return NOT_PUBLISHED
    return code


def end_of(lasts: timedelta | None, until: datetime | None, now: datetime) -> datetime | None:
    """Return when a prober ends by --for or --until; None without them.

    Raises: ConfigurationError, when both are stated, or the time is over.
    """
    if lasts is not None and until is not None:
        raise ConfigurationError(["--until: expected no --for with it, got both"])
    if lasts is not None:
        return now + lasts
    if until is not None and until <= now:
        raise ConfigurationError([f"--until: expected a time to come, got {until.isoformat()}"])
    return until
