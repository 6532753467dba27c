"""finalise: completes what killed runs left open."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from hour24 import config
from hour24.commands import say
from hour24.commands.line import command
from hour24.commands.watches import chosen, reports_option, watch_argument
from hour24.errors import ConfigurationError, LedgerLocked
from hour24.ledger import chain
from hour24.ledger.book import Ledger
from hour24.ledger.record import Record, name_of
from hour24.ledger.room import sweep
from hour24.targets.request import REPORTS


@command(
    "Completes killed runs: records from their journals, decisions, pages, and the alert of the "
    "newest. Exits 0 when there is nothing to do.",
    "launch-1",
)
@watch_argument
@reports_option
def finalise(watch: str, reports: Path) -> int:
    """Rebuild the record of each killed run, and write what it left open."""
    from hour24.checkpoint import completing, killed
    from hour24.commands.deciding import _now as now_of
    from hour24.secrets.redactor import Redactor

    try:
        ledger = chosen(watch, reports)
    except ConfigurationError:
        if watch:
            raise
        say.line("no watch, nothing to rebuild")
        return 0
    sweep(ledger.folder)
    production = _production(ledger)
    elsewhere = "" if reports.absolute() == Path(REPORTS).absolute() else str(reports)
    rebuilt: list[str] = []

    def decided(record: Record) -> Record:
        found = completing.decision(ledger, record, production, now_of(ledger), elsewhere)
        return msgspec.structs.replace(record, decision=Redactor(()).plain(found))

    def rebuild(path: Path) -> None:
        record = killed.finalise(ledger, path, decided)
        if record is not None:
            rebuilt.append(path.stem)
            say.line(f"{path.stem}.json: rebuilt from its journal: {record.outcome}", "yellow")

    def complete(record: Record, stem: str) -> None:
        for problem in completing.complete(ledger, record, urls, now_of(ledger), production):
            say.line(problem, "yellow")
        if stem not in rebuilt:
            say.line(f"{stem}.html: written, as its run was killed before it", "yellow")

    for path in sorted((ledger.folder / "journal").glob("hour*.jsonl")):
        if not (ledger.folder / f"{path.stem}.json").exists():
            _unless_running(ledger, path.stem, partial(rebuild, path))
    urls = config.alert_urls() if ledger.genesis.target_kind.lasting else ()
    left = list(completing.unfinished(ledger))
    for record in left:
        stem = name_of(record.hour, record.attempt).removesuffix(".json")
        _unless_running(ledger, stem, partial(complete, record, stem))
    if not rebuilt and not left:
        say.line(f"{ledger.folder}: nothing to rebuild")
    return 0


def _production(ledger: Ledger) -> config.Production | None:
    """Return the production of a watch, for the people to call; None when it cannot be read."""
    if not ledger.genesis.target_kind.lasting:
        return None
    try:
        return config.load(Path(ledger.genesis.target), secrets=False)
    except ConfigurationError:
        return None


def _unless_running(ledger: Ledger, stem: str, do: Callable[[], None]) -> None:
    """Hold the lock of a checkpoint while ``do`` runs; a run that holds it is left alone."""
    hour, _ = chain.hour_of(f"{stem}.json")
    try:
        with ledger.locked(hour):
            do()
    except LedgerLocked as problem:
        say.line(f"{problem}: left alone", "yellow")
