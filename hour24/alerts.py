"""Notifications: who gets one, when, with which text; and the heartbeat.

Rules of this module:

- A message is sent if the decision changes, as a reminder of it, and at its end; not at each run.
  What was sent before follows from the decisions in the ledger, so that a run on another machine
  sends no duplicate.
- What the system under watch wrote cannot act in a chat: no markup, no mention, no link, no
  control character, and only a few lines of it.
- An alert that cannot be sent becomes a line of text and fails nothing. No text contains an
  address.
- The heartbeat follows healthchecks.io: ``/start``, the address itself, ``/fail``.

Source: https://healthchecks.io/docs/http_api/, the wiki of apprise (caronc/apprise).
"""

from __future__ import annotations

import queue
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

import hour24
from hour24 import incidents
from hour24.asking.exchange import ask
from hour24.ledger.record import Record
from hour24.probes.lines import Alarm
from hour24.secrets import Secret
from hour24.text import blank_controls, escape_for_chat, format_percent
from hour24.verdict import Outcome

CALLING = frozenset({"HOLD", "ALERT", "ROLL BACK"})
"""Actions for which people are notified."""
QUIET = frozenset({"RETRY", ""})
"""Actions that neither start nor end an alert: they add no information."""
REMIND_AFTER = timedelta(hours=1)
"""At every checkpoint, which are four hours apart, and not at a retry."""
SEND_WITHIN_S = 20.0
"""The timeout of one message to all addresses; apprise waits 4 s for each."""
BEAT_WITHIN_S = 5.0
"""The timeout of a heartbeat; a checkpoint waits for it."""
MOST_LINES = 6
"""Lines of one list in a message, so that a telephone shows the whole."""
MOST_INCIDENTS = 3
Signal = Literal["start", "success", "fail"]


class Message(Struct, frozen=True, kw_only=True):
    """A message to send.

    Args:
        kind: ``failure``, ``warning``, ``success``, ``info``: its colour.
    """

    title: str
    body: str
    kind: Literal["failure", "warning", "success", "info"]


class LastAlert(Struct, frozen=True, kw_only=True):
    """The decision of the last alert and its time; empty after its end."""

    action: str = ""
    rule: str = ""
    at: datetime | None = None


def next_message(
    record: Record, before: Sequence[Record], remind_after: timedelta = REMIND_AFTER
) -> Message | None:
    """Return the message to send after this record; None if there is nothing new.

    Args:
        before: the earlier records of the ledger, without this one.
    """
    last = LastAlert()
    earlier = [each for each in before if not each.early]
    for each in sorted(earlier, key=lambda each: each.ended):
        last, _ = _next(last, each, remind_after)
    if record.early:
        return None
    _, what = _next(last, record, remind_after)
    return None if what is None else message(record, what)


def _next(last: LastAlert, record: Record, remind_after: timedelta) -> tuple[LastAlert, str | None]:
    """Return the last alert after this record, and what is sent for the record."""
    decision = record.decision or {}
    action, rule = str(decision.get("action") or ""), str(decision.get("rule") or "")
    if action in QUIET:
        return last, None
    if action not in CALLING:
        return LastAlert(), "over" if last.action else None
    now = LastAlert(action=action, rule=rule, at=record.ended)
    if not last.action:
        return now, "new"
    if (last.action, last.rule) != (action, rule):
        return now, "changed"
    if last.at is not None and record.ended - last.at >= remind_after:
        return now, "reminder"
    return last, None


def message(record: Record, what: str = "new") -> Message:
    """Return the message for the decision of a record.

    Args:
        what: ``new``, ``changed``, ``reminder`` or ``over``.
    """
    decision: dict[str, Any] = record.decision or {}
    action = str(decision.get("action") or "PROCEED")
    rehearsal = record.target_kind.prefix
    service = escape_for_chat(
        f"{record.service.get('name', '')} {record.service.get('environment', '')}"
    )
    where = f"hour {record.hour} of {escape_for_chat(record.watch)}"
    if what == "over":
        return Message(
            title=f"{rehearsal}over: {service}, {where}",
            body="\n".join(
                [
                    f"{escape_for_chat(decision.get('why') or 'Nothing fails any more.')}",
                    "The checkpoint's page shows what was measured.",
                ]
            ),
            kind="success",
        )
    prefix = {"reminder": "reminder: ", "changed": "changed: "}.get(what, "")
    lines = [
        escape_for_chat(each.summary())
        for each in incidents.of_record(record)[:MOST_INCIDENTS]
        if each.outcome == Outcome.FAIL
    ]
    lines += [
        f"Rule: {escape_for_chat(decision.get('rule'))}",
        escape_for_chat(decision.get("why")),
    ]
    causes = [
        f"{escape_for_chat(cause.get('cause'), 40)} "
        f"{format_percent(float(cause.get('share') or 0), 0)}"
        for cause in _first_lines(decision.get("causes"))
    ]
    if causes:
        lines.append("Causes: " + ", ".join(causes))
    lines += [
        f"{escape_for_chat(each.get('severity'), 20)}: {escape_for_chat(each.get('issue'), 40)} "
        f"{escape_for_chat(each.get('title'), 120)}"
        for each in _first_lines(decision.get("severities"))
    ]
    lines += [
        f"Status: {escape_for_chat(each, 160)}" for each in _first_lines(decision.get("status"))
    ]
    lines += [
        f"{number}. {escape_for_chat(step.get('text'), 200)}"
        for number, step in enumerate(_first_lines(decision.get("steps")), start=1)
    ]
    lines += [
        f"Call {escape_for_chat(who.get('role'), 40)}: {escape_for_chat(who.get('name'), 80)}, "
        f"{_reach(who.get('reach'))}"
        for who in _first_lines(decision.get("call"))
    ]
    return Message(
        title=f"{prefix}{rehearsal}{action}: {service}, {where}",
        body="\n".join(line for line in lines if line.strip()),
        kind="warning" if action == "HOLD" else "failure",
    )


def alarm_message(alarm: Alarm, service: str, call: Sequence[dict[str, str]] = ()) -> Message:
    """Return the message for an alarm between checkpoints, or for its end.

    Args:
        service: name and environment of the service.
        call: ``{role, name, reach}`` of each person on call.
    """
    rehearsal = "REHEARSAL " if alarm.simulated else ""
    lines = [
        escape_for_chat(alarm.says),
        f"Since {alarm.since:%Y-%m-%d %H:%M:%S}Z, observed at {alarm.at:%H:%M:%S}Z by the prober",
    ]
    if not alarm.over:
        lines += [
            f"Call {escape_for_chat(who.get('role'), 40)}: {escape_for_chat(who.get('name'), 80)}, "
            f"{_reach(who.get('reach'))}"
            for who in call
        ]
    rule = escape_for_chat(alarm.rule.replace("_", " "), 60)
    word = "over" if alarm.over else "ALERT"
    return Message(
        title=f"{rehearsal}{word}: {escape_for_chat(service, 120)}, {rule}",
        body="\n".join(lines),
        kind="success" if alarm.over else "failure",
    )


def trial_message(service: str) -> Message:
    """Return the message that ``doctor --alert`` sends."""
    return Message(
        title=f"test: {escape_for_chat(service, 120)}",
        body="hour24 can reach you. Nothing is wrong; this is a test of the alerts.",
        kind="info",
    )


def send(message: Message, urls: Sequence[Secret]) -> tuple[str, ...]:
    """Send a message to all addresses in parallel.

    Returns: one line for each address that could not be reached; empty if all were.
    """
    problems: list[str | None] = ["alerts: expected an answer in time, got none"] * len(urls)

    def to(index: int, url: Secret) -> None:
        problems[index] = _send_to(message, url)

    threads = [
        threading.Thread(target=to, args=(index, url), name="hour24 alert", daemon=True)
        for index, url in enumerate(urls)
    ]
    until = time.monotonic() + SEND_WITHIN_S
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # apprise's own; under pytest they would be errors
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
    return tuple(
        f"{problem} ({url.name}, address {number} of {len(urls)})"
        for number, (problem, url) in enumerate(zip(list(problems), urls, strict=True), start=1)
        if problem is not None
    )


class Caller:
    """Sends messages one after another in the background; the caller never waits.

    Args:
        after: called in the background with each message after it was sent or given up, and with
            a line for each address that could not be reached.
    """

    def __init__(
        self, urls: Sequence[Secret], after: Callable[[Message, tuple[str, ...]], None]
    ) -> None:
        self._urls = urls
        self._after = after
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="hour24 caller", daemon=True)
        self._thread.start()

    def send(self, message: Message) -> None:
        """Queue a message."""
        self._messages.put(message)

    def close(self) -> bool:
        """Wait, with a timeout, until all messages are sent. Returns: True if they are."""
        self._messages.put(None)
        self._thread.join(SEND_WITHIN_S + 1.0)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (message := self._messages.get()) is not None:
            self._after(message, send(message, self._urls))


def _send_to(message: Message, url: Secret) -> str | None:
    """Send a message to one address. Returns: why it failed; None if it did not."""
    import logging

    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its log lines contain addresses
    asset = apprise.AppriseAsset(
        app_id="hour24",
        app_desc="hour24",
        async_mode=False,
        service_timeout=0.0,  # no thread of apprise, which would keep the process alive
    )
    service = apprise.Apprise(asset=asset)
    try:
        if not service.add(url.reveal()):
            return "alerts: expected an address that apprise knows, got another one"
        if service.notify(
            title=message.title,
            body=message.body,
            notify_type=message.kind,
            body_format=apprise.NotifyFormat.TEXT,
            interpret_escapes=False,
        ):
            return None
    except Exception as problem:  # noqa: BLE001  each service of apprise raises its own
        return f"alerts: expected the message to be accepted, got {type(problem).__name__}"
    return "alerts: expected the message to be accepted, got a refusal or no answer"


def heartbeat_signal(exit_code: int) -> Signal | None:
    """Return the signal for an exit code: INCONCLUSIVE is a success; None for another run (13)."""
    if exit_code == 13:
        return None
    return "success" if exit_code in (0, 10) else "fail"


def send_heartbeat(url: Secret | None, signal: Signal) -> str:
    """Send the heartbeat. Returns: why it failed; empty if it did not."""
    if url is None:
        return ""
    where = f"heartbeat: {signal}"
    try:
        parts = urlsplit(url.reveal())
        tail = {"start": "/start", "success": "", "fail": "/fail"}[signal]
        address = urlunsplit(parts._replace(path=parts.path.rstrip("/") + tail))
        agent = {"User-Agent": f"hour24/{hour24.__version__}"}
        reply = ask(address, agent, BEAT_WITHIN_S)
    except ValueError:
        return f"{where}: expected an address in {url.name}, got something else"
    if reply.status == 0:
        return f"{where}: expected an answer within {BEAT_WITHIN_S:g} s, got {reply.reason}"
    if not 200 <= reply.status < 300:
        return f"{where}: expected 2xx, got {reply.status}"
    return ""


def _first_lines(items: Any) -> list[Any]:
    return list(items or ())[:MOST_LINES]


def _reach(text: object) -> str:
    """Return the number or address of a contact in production.toml, on one line."""
    return " ".join(blank_controls(str(text or "")).split())[:160]
