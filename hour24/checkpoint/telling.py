"""People are told, and whoever watches from outside hears that this run lives.

Rules of this module:

- A rehearsal calls nobody.
- What cannot be told is trouble in the exit message; it changes no verdict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hour24.errors import LedgerError
from hour24.ledger.record import Record

if TYPE_CHECKING:
    from hour24.alerts import Signal
    from hour24.checkpoint.run import Run


def alert(run: Run) -> None:
    """Tell people when the decision changed; what came of it goes into the ledger.

    A rehearsal calls nobody.
    """
    from hour24 import alerts

    assert run.record is not None
    before = [r for r in run.ledger.records() if _place(r) != _place(run.record)]
    message = alerts.due(run.record, before)
    urls = run.production.alert_urls
    if message is None or not urls:
        return
    if run.stage.rehearsal is not None:
        run.trouble.append(f"a rehearsal calls nobody; this would be sent: {message.title}")
        return
    problems = alerts.sent(message, urls)
    run.trouble += problems
    entry = {
        "at": run.stage.clock.now(),
        "by": "hour24",
        "because": message.title,
        "hour": run.checkpoint.hour,
        "attempt": run.attempt,
        "addresses": len(urls),
        "problems": [run.redactor.text(problem) for problem in problems],
    }
    try:
        run.ledger.append("alert", entry)
    except LedgerError as problem:
        run.trouble.append(f"the alert is not in the ledger: {problem}")


def sign_of_life(run: Run, signal: Signal) -> str:
    """Tell whoever watches from outside that this run starts, or how it ended.

    Returns: why it could not be told; empty when it was.
    """
    from hour24 import alerts

    if run.stage.rehearsal is not None:
        return ""
    problem = alerts.beat(run.production.heartbeat_url, signal)
    if problem:
        run.trouble.append(problem)
    return problem


def farewell(run: Run, exit_code: int) -> str:
    """The last sign of life, when everything is written. Returns: why it was not given."""
    from hour24 import alerts

    signal = alerts.signal_of(exit_code)
    if signal is not None:
        return sign_of_life(run, signal)
    return ""


def _place(record: Record) -> tuple[int, int]:
    return record.hour, record.attempt
