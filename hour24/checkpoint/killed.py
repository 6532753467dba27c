"""Rebuilds the record of a killed run from its journal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from hour24.errors import LedgerError
from hour24.ledger.book import Ledger
from hour24.ledger.record import Judged, Record, absent, split
from hour24.verdict import worst


def finalise(
    ledger: Ledger, path: Path, decided: Callable[[Record], Record] = lambda record: record
) -> Record | None:
    """Rebuilds and returns the record of a killed run; None if it has a record already.

    Args:
        decided: returns the record with the decision of the runbook.
    Raises: LedgerError, if the journal has no ``begin`` line.
    """
    from hour24.ledger import journal

    lines = journal.read(path)
    if any(line.get("kind") == "written" for line in lines):
        return None
    begin = next((line for line in reversed(lines) if line.get("kind") == "begin"), None)
    if begin is None:
        raise LedgerError(f"{path}: expected a first line that begins the run, got none")
    judged = [
        msgspec.convert(line["judged"], type=Judged)
        for line in lines
        if line.get("kind") == "judged"
    ]
    record = msgspec.convert(begin["record"], type=Record)
    due = {each.id: each for each in record.verdicts}
    missing = [
        msgspec.structs.replace(
            due[name], subject=subject, code="interrupted", reason="the run was killed before it"
        )
        for name, subject in absent(due, judged, record.subjects)
    ]
    counted, apart = split((*judged, *missing), record.advisory_plan)
    whole = msgspec.structs.replace(
        record,
        criteria=counted,
        advisory_checks=apart,
        outcome=worst(each.outcome for each in counted),
        interrupted="the process was killed; rebuilt from its journal",
        notes=(*record.notes, f"rebuilt at {datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}"),
    )
    whole = decided(whole)
    ledger.write(whole)
    return whole
