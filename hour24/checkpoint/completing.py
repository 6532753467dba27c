"""Completes what a run left open when it was killed: decision, pages, alert and digests.

Rules of this module:

- The last thing that a run does is to enter its files in the chain: a record without that entry is
  of a run that was killed, or that had no room for its pages.
- An alert is sent for the newest record only, and once: its entry in the ledger says that it was.
- A run that still holds the lock of its checkpoint is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from hour24.config import Alerts, Production
from hour24.criteria import EIGHT
from hour24.ledger import files
from hour24.ledger import record as record_form
from hour24.ledger.book import Ledger
from hour24.ledger.record import Record
from hour24.secrets import Secret
from hour24.secrets.redactor import Redactor

FIRST_FORMAT = 2
"""The first format of records whose files are entered in the chain."""


def decision(
    ledger: Ledger, record: Record, production: Production | None, now: datetime, reports: str
) -> dict[str, Any]:
    """Returns the decision of the runbook for a record that is not written yet.

    Args:
        production: where the people to call are; None: it cannot be read.
        reports: the folder of the watches, if commands must name it.
    """
    from hour24 import escalation

    before = [each for each in ledger.records() if each.attempt or each.hour]
    pages = production.witnesses.get("status_pages", ()) if production is not None else ()
    decided = escalation.decide(
        record,
        before,
        contacts=[
            {"role": each.role, "name": each.name, "reach": each.reach}
            for each in (production.contacts if production is not None else ())
        ],
        status_pages=[msgspec.to_builtins(each) for each in pages],
        open_before=[
            f"{each.id}{f' {each.subject}' if each.subject else ''} at hour {each.hour}"
            for each in ledger.standings(now, record)
            if each.is_open and each.hour < record.hour and each.id not in EIGHT
        ],
        reports=reports,
    )
    plain: dict[str, Any] = decided.to_plain()
    return plain


def unfinished(ledger: Ledger) -> Iterator[Record]:
    """Yields the records of runs that ended before they entered their files."""
    known = files.entered(ledger.entries())
    for record in ledger.records():
        name = record_form.name_of(record.hour, record.attempt)
        page = f"{name.removesuffix('.json')}.html"
        if record.version >= FIRST_FORMAT and page not in known:
            yield record


def complete(
    ledger: Ledger,
    record: Record,
    urls: Sequence[Secret],
    now: datetime,
    production: Production | None = None,
) -> list[str]:
    """Writes the pages of a record, sends its alert if that is due, and enters the files.

    Args:
        urls: where alerts are sent; empty: nowhere.
        production: its ``[alerts]``; None: the defaults.
    Returns: what went wrong.
    Raises: OSError, LedgerError, when pages or entries cannot be written.
    """
    from hour24.report import checkpoint, index, junit

    folder = ledger.folder
    stem = record_form.name_of(record.hour, record.attempt).removesuffix(".json")
    page, xml, whole = folder / f"{stem}.html", folder / f"{stem}.xml", folder / "index.html"
    checkpoint.write(record, ledger, page)
    junit.write(record, xml)
    problems = _alert(ledger, record, urls, now, production)
    index.write(ledger, whole)
    made = [page, xml, whole, folder / "journal" / f"{stem}.jsonl", *files.probes(folder)]
    companion = folder / f"{stem}.pytest.html"  # whole only if the run got that far
    files.enter(ledger, [*made, companion], now, "finalise")
    return problems


def _alert(
    ledger: Ledger,
    record: Record,
    urls: Sequence[Secret],
    now: datetime,
    production: Production | None,
) -> list[str]:
    from hour24 import alerts

    own = (record.hour, record.attempt)
    others = [one for one in ledger.records() if (one.hour, one.attempt) != own]
    newer = any(one.ended > record.ended for one in others)
    sent = any(
        (entry.kind, entry.content.get("hour"), entry.content.get("attempt")) == ("alert", *own)
        for entry in ledger.entries()
    )
    policy = production.alerts if production is not None else Alerts()
    message = alerts.next_message(record, others, policy)
    if message is None or newer or sent or not urls or record.rehearsal is not None:
        return []
    redactor = Redactor((each.name, each.reveal()) for each in urls)
    service = f"{record.service.get('name', '')} {record.service.get('environment', '')}"
    delivery = alerts.Delivery(ledger, urls, service, redactor.text, "hour24", policy.quiet)
    return delivery.deliver(message, now, {"hour": record.hour, "attempt": record.attempt})
