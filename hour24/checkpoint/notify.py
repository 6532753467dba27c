"""Sends alerts to people and heartbeats to the dead man's switch.

Rules of this module:

- A target that sends no alerts shows the alert that it would have sent.
- A notification that fails is reported at the end; it changes no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hour24.checkpoint.attempt import Attempt
from hour24.ledger.record import Record

if TYPE_CHECKING:
    from hour24.alerts import Delivery, Message, Signal
    from hour24.probes.lines import Alarm


def alert(run: Attempt) -> None:
    """Send an alert if the decision changed, and what quiet hours deferred."""
    from hour24 import alerts

    assert run.record is not None
    before = [r for r in run.ledger.records() if _order(r) != _order(run.record)]
    message = alerts.next_message(run.record, before, run.production.alerts)
    delivery = _delivery(run, "hour24")
    if delivery is not None:
        run.trouble += delivery.release(run.context.clock.now())
    if message is not None:
        more = {"hour": run.checkpoint.hour, "attempt": run.attempt}
        _deliver(run, delivery, message, more)


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
    _deliver(run, _delivery(run, "hour24 probe"), message, {})


def _delivery(run: Attempt, by: str) -> Delivery | None:
    """Return what delivers the messages of this run; None where none are sent."""
    from hour24 import alerts

    calls, service = run.context.calls, run.production.service
    if not calls.alert_urls or calls.withheld:
        return None
    return alerts.Delivery(
        run.ledger,
        calls.alert_urls,
        f"{service.name} {service.environment}",
        run.redactor.text,
        by,
        run.production.alerts.quiet,
    )


def _deliver(
    run: Attempt, delivery: Delivery | None, message: Message, more: Mapping[str, Any]
) -> None:
    """Deliver a message; where none are sent, say which it would be."""
    if delivery is not None:
        run.trouble += delivery.deliver(message, run.context.clock.now(), more)
    elif run.context.calls.alert_urls:
        run.trouble.append(f"{run.context.calls.withheld}; this would be sent: {message.title}")


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
