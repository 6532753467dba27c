"""Who is told, when, and in which words; and the sign of life for somebody outside.

Rules of this module:

- Told is a decision's change, a reminder of it, and its end; not every run. What was told before
  follows from the decisions in the ledger, so that a run on another machine tells no double.
- What the system under watch wrote cannot act in a chat: no markup, no mention, no link, no
  control character, and no more of it than a few lines.
- An alert that cannot be sent becomes a line of text, and fails nothing. No text holds an address.
- The sign of life follows healthchecks.io: ``/start``, the address itself, ``/fail``.

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
from hour24.asking.exchange import ask
from hour24.ledger.record import Record
from hour24.probes.lines import Alarm
from hour24.secrets import Secret
from hour24.text import blank_controls, escape_for_chat, format_percent

CALLING = frozenset({"HOLD", "ALERT", "ROLL BACK"})
"""Actions for which a person is told."""
QUIET = frozenset({"RETRY", ""})
"""Actions that neither call nor end a call: nothing more is known."""
REMIND_AFTER = timedelta(hours=1)
SEND_WITHIN_S = 20.0
BEAT_WITHIN_S = 5.0
MOST_LINES = 6
Signal = Literal["start", "success", "fail"]


class Message(Struct, frozen=True, kw_only=True):
    """What is sent.

    Args:
        kind: ``failure``, ``warning``, ``success``, ``info``: the colour of it.
    """

    title: str
    body: str
    kind: Literal["failure", "warning", "success", "info"]


class Told(Struct, frozen=True, kw_only=True):
    """What the people know: the decision they were told of last, and when; none after its end."""

    action: str = ""
    rule: str = ""
    at: datetime | None = None


def due(
    record: Record, before: Sequence[Record], remind_after: timedelta = REMIND_AFTER
) -> Message | None:
    """What is to be told after this record; none when there is nothing new.

    Args:
        before: the ledger's earlier records, this one not among them.
    """
    told = Told()
    earlier = [each for each in before if not each.early]
    for each in sorted(earlier, key=lambda each: each.ended):
        told, _ = _next(told, each, remind_after)
    if record.early:
        return None
    _, what = _next(told, record, remind_after)
    return None if what is None else message(record, what)


def _next(told: Told, record: Record, remind_after: timedelta) -> tuple[Told, str | None]:
    """What is known after this record, and what was told for it."""
    decision = record.decision or {}
    action, rule = str(decision.get("action") or ""), str(decision.get("rule") or "")
    if action in QUIET:
        return told, None
    if action not in CALLING:
        return Told(), "over" if told.action else None
    now = Told(action=action, rule=rule, at=record.ended)
    if not told.action:
        return now, "new"
    if (told.action, told.rule) != (action, rule):
        return now, "changed"
    if told.at is not None and record.ended - told.at >= remind_after:
        return now, "reminder"
    return told, None


def message(record: Record, what: str = "new") -> Message:
    """The words for a record's decision.

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
    lines = [f"Rule: {escape_for_chat(decision.get('rule'))}", escape_for_chat(decision.get("why"))]
    causes = [
        f"{escape_for_chat(cause.get('cause'), 40)} "
        f"{format_percent(float(cause.get('share') or 0), 0)}"
        for cause in _some(decision.get("causes"))
    ]
    if causes:
        lines.append("Causes: " + ", ".join(causes))
    lines += [
        f"{escape_for_chat(each.get('severity'), 20)}: {escape_for_chat(each.get('issue'), 40)} "
        f"{escape_for_chat(each.get('title'), 120)}"
        for each in _some(decision.get("severities"))
    ]
    lines += [f"Status: {escape_for_chat(each, 160)}" for each in _some(decision.get("status"))]
    lines += [
        f"{number}. {escape_for_chat(step.get('text'), 200)}"
        for number, step in enumerate(_some(decision.get("steps")), start=1)
    ]
    lines += [
        f"Call {escape_for_chat(who.get('role'), 40)}: {escape_for_chat(who.get('name'), 80)}, "
        f"{_reach(who.get('reach'))}"
        for who in _some(decision.get("call"))
    ]
    return Message(
        title=f"{prefix}{rehearsal}{action}: {service}, {where}",
        body="\n".join(line for line in lines if line.strip()),
        kind="warning" if action == "HOLD" else "failure",
    )


def alarm_message(alarm: Alarm, service: str, call: Sequence[dict[str, str]] = ()) -> Message:
    """The words for a rule that broke between checkpoints, or for its end.

    Args:
        service: its name and environment.
        call: ``{role, name, reach}`` of who is on call.
    """
    rehearsal = "REHEARSAL " if alarm.simulated else ""
    lines = [
        escape_for_chat(alarm.says),
        f"Since {alarm.since:%Y-%m-%d %H:%M:%S}Z, seen at {alarm.at:%H:%M:%S}Z by the prober",
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


def trial(service: str) -> Message:
    """What ``doctor --alert`` sends."""
    return Message(
        title=f"test: {escape_for_chat(service, 120)}",
        body="hour24 can reach you. Nothing is wrong; somebody is trying the alerts.",
        kind="info",
    )


def sent(message: Message, urls: Sequence[Secret]) -> tuple[str, ...]:
    """Send it to every address, side by side.

    Returns: one line for each that it could not be sent to; empty when all went well.
    """
    problems: list[str | None] = ["alerts: expected an answer in time, got none"] * len(urls)

    def to(place: int, url: Secret) -> None:
        problems[place] = _sent(message, url)

    threads = [
        threading.Thread(target=to, args=(place, url), name="hour24 alert", daemon=True)
        for place, url in enumerate(urls)
    ]
    until = time.monotonic() + SEND_WITHIN_S
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # apprise's own; under pytest they would be errors
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
    return tuple(
        f"{problem} ({url.name}, address {place} of {len(urls)})"
        for place, (problem, url) in enumerate(zip(list(problems), urls, strict=True), start=1)
        if problem is not None
    )


class Caller:
    """Sends messages one after another in the background: whoever tells it never waits.

    Args:
        came_of_it: called, in the background, with each message once it was sent or given up, and
            with a line for each address that it could not be sent to.
    """

    def __init__(
        self, urls: Sequence[Secret], came_of_it: Callable[[Message, tuple[str, ...]], None]
    ) -> None:
        self._urls = urls
        self._came_of_it = came_of_it
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="hour24 caller", daemon=True)
        self._thread.start()

    def tell(self, message: Message) -> None:
        """Have it sent."""
        self._messages.put(message)

    def close(self) -> bool:
        """Wait, for a bounded time, until all is sent. Returns: whether it is."""
        self._messages.put(None)
        self._thread.join(SEND_WITHIN_S + 1.0)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (message := self._messages.get()) is not None:
            self._came_of_it(message, sent(message, self._urls))


def _sent(message: Message, url: Secret) -> str | None:
    """Why it could not be sent; none when it was."""
    import logging

    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its lines hold addresses
    asset = apprise.AppriseAsset(
        app_id="hour24",
        app_desc="hour24",
        async_mode=False,
        service_timeout=0.0,  # its own thread would keep this process from ending; ours does not
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
    except Exception as problem:  # noqa: BLE001  one of a hundred services' own; fails nothing
        return f"alerts: expected the message to be taken, got {type(problem).__name__}"
    return "alerts: expected the message to be taken, got it refused or nobody there"


def signal_of(exit_code: int) -> Signal | None:
    """What a run's end is to the outside: INCONCLUSIVE has run; 13 is somebody else's run."""
    if exit_code == 13:
        return None
    return "success" if exit_code in (0, 10) else "fail"


def beat(url: Secret | None, signal: Signal) -> str:
    """Give the sign of life. Returns: why it could not be given; empty when it was."""
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


def _some(items: Any) -> list[Any]:
    return list(items or ())[:MOST_LINES]


def _reach(text: object) -> str:
    """A contact's own number or address, from production.toml: only kept on its line."""
    return " ".join(blank_controls(str(text or "")).split())[:160]
