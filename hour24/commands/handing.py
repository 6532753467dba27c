"""lines, handover: probers that run in jobs of bounded length.

Rules of this module:

- A chain is a sequence of jobs, each of which starts the next one. There are two, which end their
  jobs at different times, so that each probes during the handover of the other.
- The ends of a chain's jobs follow from T0 alone: a job that starts late, or in place of a dead
  one, moves neither chain to the times of the other.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import click

from hour24.clock import WallClock
from hour24.commands import say
from hour24.commands.line import DURATION, TIME, OneOf, command
from hour24.commands.watches import reports_option
from hour24.commands.watching import open_watch_option
from hour24.errors import ConfigurationError
from hour24.ledger import chain as files
from hour24.ledger.book import Ledger
from hour24.text import plural
from hour24.watch import NAME, Watch

REFUSED = 12
"""Lines were refused: their file is no longer that of its prober."""
CHAINS = ("a", "b")
JOB = timedelta(minutes=330)
"""Half an hour less than a hosted job may last, for its set-up and its last push."""
OVERLAP = timedelta(minutes=20)
"""More than the slowest start of a runner that was simulated, and its set-up."""


@command(
    "Takes lines that probers on other machines published (`probe --publish`) from a folder, such "
    "as a checkout of their branch, into the watches in --reports. Lines that are here already are "
    "not taken twice. A file that does not go on from the one here is refused (exit code 12), "
    "and the others are taken.",
    "published --reports reports",
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="FOLDER")
@reports_option
def lines(folder: Path, reports: Path) -> int:
    """Take what is there for each open watch."""
    from hour24.probes.taking import take

    if not folder.is_dir():
        raise ConfigurationError([f"FOLDER: expected a folder, got {str(folder)!r}"])
    refused = 0
    for each in sorted(folder.iterdir()):
        here = reports / each.name
        if not NAME.fullmatch(each.name) or not (here / files.FIRST).is_file():
            continue
        if (here / files.SIGNOFF).exists():
            continue
        taken = take(each / "probe", here / "probe")
        added = f"{plural(taken.lines, 'new line')} in {plural(taken.files, 'file')}"
        say.line(f"{each.name}: {added}")
        for problem in taken.refused:
            say.problem(problem)
        refused += len(taken.refused)
    return REFUSED if refused else 0


class Handover(NamedTuple):
    """When a job hands over.

    Args:
        at: when its successor is to be started; that of the watch's end: never.
        ends: when it ends, if its successor probes by then.
        last: when the watch ends.
    """

    at: datetime
    ends: datetime
    last: datetime


def handover_of(
    watch: Watch, chain: str, now: datetime, job: timedelta, overlap: timedelta
) -> Handover | None:
    """Return when a job that starts now hands over; None when the watch is over."""
    last = watch.whole.end
    if now >= last:
        return None
    first = watch.t0 + (job / 2 if chain == CHAINS[1] else job)
    ends = first + ((now + overlap - first) // job + 1) * job
    if ends >= last:
        return Handover(last, last, last)
    return Handover(ends - overlap, ends, last)


@command(
    "Prints, for a job of a CI that probes, its watch and when it starts its successor and ends, "
    "as NAME=VALUE with seconds since 1970. It prints nothing when no watch is left to probe.",
    "--chain a --reports reports",
)
@open_watch_option
@reports_option
@click.option("--chain", type=OneOf(CHAINS), required=True, help="which of the two chains: a or b")
@click.option("--job", type=DURATION, default=JOB, help="from end to end (default: 5h30m)")
@click.option(
    "--overlap",
    type=DURATION,
    default=OVERLAP,
    help="how long before its end a job starts its successor (default: 20m)",
)
@click.option("--now", type=TIME, default=None, help="as of this time (default: now)")
def handover(
    watch: str,
    reports: Path,
    chain: str,
    job: timedelta,
    overlap: timedelta,
    now: datetime | None,
) -> int:
    """Print it for the open watch, or the one that is named."""
    if overlap >= job / 2:
        raise ConfigurationError(
            [f"--overlap: expected less than half of --job ({job / 2}), got {overlap}"]
        )
    ledger = Ledger.find(reports, watch)
    if ledger is None or (ledger.folder / files.SIGNOFF).exists():
        return 0
    times = handover_of(ledger.watch, chain, now or WallClock().now(), job, overlap)
    if times is None:
        return 0
    for name, value in (("watch", ledger.watch.name), *_epochs(times)):
        sys.stdout.write(f"{name}={value}\n")
    return 0


def _epochs(times: Handover) -> list[tuple[str, int]]:
    return [(name, int(at.timestamp())) for name, at in times._asdict().items()]
