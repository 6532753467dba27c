"""share: one ledger on several machines."""

from __future__ import annotations

from pathlib import Path

import click

from hour24.commands import say
from hour24.commands.line import command
from hour24.commands.watches import reports_option
from hour24.errors import ConfigurationError
from hour24.ledger import chain
from hour24.ledger.book import Ledger
from hour24.watch import NAME


@command(
    "Keeps the ledger of a watch in a store that several machines share, or takes part in one: an "
    "s3://BUCKET/PREFIX, a git+URL#BRANCH, or a folder. Each entry is written once, in one order, "
    "whichever machine writes it; a store that cannot promise that is refused. Run it on each "
    "machine. Probes, journals and pages stay where they were made.",
    "launch-1 --at s3://ledgers/hour24",
    "launch-1 --at git+git@git.example.org:team/launches.git#ledgers",
)
@click.argument("watch", metavar="WATCH")
@click.option("--at", "address", required=True, metavar="STORE", help="where the ledger is kept")
@reports_option
def share(watch: str, address: str, reports: Path) -> int:
    """Push what is here, take over what is there, and name the store in the watch's folder."""
    from hour24.ledger.sharing import attach

    if not NAME.fullmatch(watch):
        raise ConfigurationError([f"WATCH: expected the name of a watch, got {watch!r}"])
    ledger = Ledger(reports / watch)
    there = (ledger.folder / chain.FIRST).is_file()
    before = len(ledger.entries()) if there else 0
    attach(ledger.folder, address, lambda: ledger.entries() if ledger.folder.is_dir() else ())
    count = len(ledger.entries())
    say.line(f"{watch}: {count} entries at {address}, {count - before} of them new here")
    return 0
