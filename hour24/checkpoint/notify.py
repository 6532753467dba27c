"""Sends alerts to people and heartbeats to the dead man's switch.

Rules of this module:

- A target that sends no alerts shows the alert that it would have sent.
- A notification that fails is reported at the end; it changes no verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hour24.checkpoint.attempt import Attempt
from hour24.errors import LedgerError
from hour24.ledger.book import Ledger
from hour24.ledger.record import Record
from hour24.secrets import Secret

if TYPE_CHECKING:
    from hour24.alerts import Message, Signal
    from hour24.probes.lines import Alarm


def alert(run: Attempt) -> None:
    """Send an alert if the decision changed, and record the result in the ledger."""
    from hour24 import alerts

    assert run.record is not None
    before = [r for r in run.ledger.records() if _order(r) != _order(run.record)]
    message = alerts.next_message(run.record, before)
    if message is not None:
        more = {"hour": run.checkpoint.hour, "attempt": run.attempt}
        _send(run, message, "hour24", more)


def send_alarm(run: Attempt, alarm: Alarm) -> None:
    """Send an alarm to people, and record the result in the ledger."""
    from hour24 import alerts

    service = run.production.service
    on_call = [
        {"role": each.role, "name": each.name, "reach": each.reach}
        for each in run.production.contacts
        if "call" in each.role
    ]
    message = alerts.alarm_message(alarm, f"{service.name} {service.environment}", on_call)
    _send(run, message, "hour24 probe", {})


def _send(run: Attempt, message: Message, by: str, more: Mapping[str, Any]) -> None:
    """Send a message to the addresses of this context, and record the result in the ledger."""
    calls = run.context.calls
    if not calls.alert_urls:
        return
    if calls.withheld:
        run.trouble.append(f"{calls.withheld}; this would be sent: {message.title}")
        return
    now, clean = run.context.clock.now(), run.redactor.text
    run.trouble += send(run.ledger, message, calls.alert_urls, now, clean, {"by": by, **more})


def send(
    ledger: Ledger,
    message: Message,
    urls: Sequence[Secret],
    now: datetime,
    clean: Callable[[str], str],
    more: Mapping[str, Any],
) -> list[str]:
    """Send a message, and record the result in the ledger.

    Args:
        clean: redacts secrets.
        more: what else its entry holds: by whom, of which attempt.
    Returns: what went wrong.
    """
    from hour24 import alerts

    problems = alerts.send(message, urls)
    entry = {
        "at": now,
        "because": message.title,
        "addresses": len(urls),
        "problems": [clean(problem) for problem in problems],
        **more,
    }
    try:
        ledger.append("alert", entry)
    except LedgerError as problem:
        return [*problems, f"the alert is not in the ledger: {problem}"]
    return list(problems)


def heartbeat(run: Attempt, signal: Signal) -> str:
    """Signal the dead man's switch that this run starts, or how it ended.

    Returns: why the signal failed; "" if it was sent.
    """
    from hour24 import alerts

    url = run.context.calls.heartbeat_url
    problem = alerts.send_heartbeat(url, signal) if url is not None else ""
    if problem:
        run.trouble.append(problem)
    return problem


def last_heartbeat(run: Attempt, exit_code: int) -> str:
    """Signal how the run ended, after everything is written. Returns: why the signal failed."""
    from hour24 import alerts

    signal = alerts.heartbeat_signal(exit_code)
    return heartbeat(run, signal) if signal is not None else ""


def _order(record: Record) -> tuple[int, int]:
    return record.hour, record.attempt
