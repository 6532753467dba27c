"""Which watch a command works on."""

from __future__ import annotations

from pathlib import Path

import click

from hour24 import config
from hour24.commands import say
from hour24.config import Production
from hour24.errors import ConfigurationError, LedgerError, did_you_mean
from hour24.ledger import chain
from hour24.ledger.book import Ledger
from hour24.targets.request import REPORTS
from hour24.targets.watches import list_watches, watches_in

reports_option = click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default=Path(REPORTS),
    metavar="DIR",
    help=f"where watches are kept (default: {REPORTS})",
)
watch_argument = click.argument(
    "watch",
    default="",
    metavar="[WATCH]",
    help="folder or name of the watch (default: the newest in --reports)",
)


def chosen(text: str, reports: Path, *, daily: bool = True) -> Ledger:
    """Return the watch of this folder or name; without one the newest in ``reports``.

    The first line that is printed names it.

    Args:
        daily: whether the newest may be the daily watch of the week after launch.
    Raises: ConfigurationError, when there is none.
    """
    ledger = _find(text, reports, daily)
    try:
        ledger.refresh()
    except LedgerError as problem:  # what is here can still be read
        say.problem(str(problem))
    genesis = ledger.genesis
    named = genesis.target_kind.banner or genesis.target
    which = "watch" if text else "using the newest watch:"
    say.line(f"{which} {genesis.name} ({named}) in {ledger.folder}", "dim")
    return ledger


def _find(text: str, reports: Path, daily: bool) -> Ledger:
    if text:
        for folder in (Path(text), reports / text):
            if (folder / chain.FIRST).is_file():
                return Ledger(folder)
        names = watches_in(reports)
        raise ConfigurationError(
            [
                f"watch: expected a folder with {chain.FIRST}, or a name in {reports}, "
                f"got {text!r}{list_watches(names)}{did_you_mean(text, names)}"
            ]
        )
    ledgers = [Ledger(path.parent) for path in sorted(reports.glob(f"*/{chain.FIRST}"))]
    meant = (each for each in ledgers if daily or not each.genesis.daily)
    newest = max(meant, key=lambda each: each.genesis.opened, default=None)
    if newest is None:
        raise ConfigurationError(
            [f"{reports}: expected a watch, got none; start one with `pytest -m hour0`"]
        )
    return newest


def production_of(ledger: Ledger, target: str) -> Production:
    """Return the production of this watch.

    Args:
        target: a production.toml; empty: the one that the watch was opened with.
    Raises: ConfigurationError.
    """
    if not ledger.genesis.target_kind.lasting:
        raise ConfigurationError(
            [
                f"watch {ledger.watch.name}: expected a watch of a production, got a "
                "rehearsal: its servers are gone, so there is nothing to roll back; for one that "
                "is being served, state --rehearsal-at with the file it printed"
            ]
        )
    return config.load(Path(target or ledger.genesis.target))
