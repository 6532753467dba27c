"""A made-up watch on disk: real ledger, sample records."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hour24.ledger.book import Genesis, Ledger
from hour24.ledger.record import Record
from tests.pages.sample import T0, WATCH


def recorded(reports: Path, records: Iterable[Record], **changes: Any) -> Ledger:
    """A new watch that holds these records, in this order."""
    fields: dict[str, Any] = {
        "name": WATCH.name,
        "t0": T0,
        "zone": WATCH.zone,
        "hours": WATCH.hours,
        "tolerance_s": WATCH.tolerance_s,
        "settle_s": WATCH.settle_s,
        "follows": "",
        "target": "production.toml",
        "rehearsal": None,
        "service": {
            "name": "voxanne-backend",
            "environment": "production",
            "release": "7c1e2fa",
        },
        "limits": "9233e73752b50573" * 4,
        "opened": T0,
    }
    fields.update(changes)
    ledger = Ledger.create(reports, Genesis(**fields))
    for record in records:
        ledger.write(record)
    return ledger
