"""Who is notified, when, and with which text.

Rules of this module:

- A message is sent if the decision changes or another check fails, as a reminder, and at its end;
  not at each run. What was sent before follows from the records in the ledger, so that a run on
  another machine sends no duplicate.
- After so many reminders (``[alerts] reminders``) the last one says that no more follow.
- A message with a new failure never waits for the end of quiet hours.
- What the system under watch wrote cannot act in a chat: no markup, no mention, no link, no
  control character, and only a few lines of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from hour24 import incidents
from hour24.config import Alerts
from hour24.ledger.record import Record
from hour24.probes.lines import Alarm
from hour24.text import blank_controls, escape_for_chat, format_percent, plural
from hour24.verdict import Outcome

CALLING = frozenset({"HOLD", "ALERT", "ROLL BACK"})
"""Actions for which people are notified."""
QUIET = frozenset({"RETRY", ""})
"""Actions that neither start nor end an alert: they add no information."""
REMIND_AFTER = timedelta(hours=1)
"""At every checkpoint, which are four hours apart, and not at a retry."""
MOST_LINES = 6
"""Lines of one list in a message, so that a telephone shows the whole."""
MOST_INCIDENTS = 3
MOST_DEFERRED = 12
"""Messages that one summary shows; a chat takes some 2,000 characters."""
OWN_NETWORK = "no_network"
"""The rule of the prober that says nothing about the service."""
DECISION = "decision"
"""The topic of what a checkpoint decides."""
Kind = Literal["failure", "warning", "success", "info"]
What = Literal["new", "changed", "new failure", "reminder", "last reminder", "over"]
UPDATES = frozenset({"reminder", "last reminder", "over"})
"""What may replace the message that its topic began with: an update notifies no one."""
PREFIXES: dict[str, str] = {
    "changed": "changed: ",
    "new failure": "new failure: ",
    "reminder": "reminder: ",
    "last reminder": "last reminder: ",
}


class Message(Struct, frozen=True, kw_only=True):
    """A message to send.

    Args:
        kind: its colour.
        what: what it says about its topic; those of :data:`UPDATES` may replace an earlier message.
        topic: what it is about, so that a later message may update it; empty: nothing.
        can_wait: whether it may wait until quiet hours are over.
    """

    title: str
    body: str
    kind: Kind
    what: What = "new"
    topic: str = ""
    can_wait: bool = False

    @property
    def updates(self) -> bool:
        """Whether it may replace the message that its topic began with."""
        return self.what in UPDATES


class LastAlert(Struct, frozen=True, kw_only=True):
    """The decision of the last alert; empty after its end.

    Args:
        failed: id and subject of each failed check that was sent.
        reminders: how many were sent since.
    """

    action: str = ""
    rule: str = ""
    at: datetime | None = None
    failed: frozenset[tuple[str, str]] = frozenset()
    reminders: int = 0


def next_message(
    record: Record,
    before: Sequence[Record],
    policy: Alerts = Alerts(),  # noqa: B008  frozen
    remind_after: timedelta = REMIND_AFTER,
) -> Message | None:
    """Return the message to send after this record; None if there is nothing new.

    Args:
        before: the earlier records of the ledger, without this one.
    """
    last = LastAlert()
    earlier = [each for each in before if not each.early]
    for each in sorted(earlier, key=lambda each: each.ended):
        last, _ = _next(last, each, policy.reminders, remind_after)
    if record.early:
        return None
    now, what = _next(last, record, policy.reminders, remind_after)
    if what is None:
        return None
    fresh = sorted(_failed(record) - last.failed) if what in ("changed", "new failure") else []
    made = message(record, what, [f"{name} {subject}".strip() for name, subject in fresh])
    last_one = what == "last reminder" or (what != "over" and not policy.reminders)
    return _with_no_more(made, now.reminders) if last_one else made


def _next(
    last: LastAlert, record: Record, reminders: int, remind_after: timedelta
) -> tuple[LastAlert, What | None]:
    """Return the last alert after this record, and what is sent for the record."""
    decision = record.decision or {}
    action, rule = str(decision.get("action") or ""), str(decision.get("rule") or "")
    if action in QUIET:
        return last, None
    if action not in CALLING:
        return LastAlert(), "over" if last.action else None
    failed = _failed(record)
    passed = {(one.id, one.subject) for one in record.criteria if one.outcome == Outcome.PASS}
    known = last.failed - passed
    now = LastAlert(action=action, rule=rule, at=record.ended, failed=known | failed)
    if not last.action:
        return now, "new"
    if (last.action, last.rule) != (action, rule):
        return now, "changed"
    if failed - known:
        return now, "new failure"
    if last.at is None or record.ended - last.at < remind_after or last.reminders >= reminders:
        return replace(last, failed=now.failed), None
    now = replace(now, reminders=last.reminders + 1)
    return now, "last reminder" if now.reminders == reminders else "reminder"


def _failed(record: Record) -> frozenset[tuple[str, str]]:
    failed = (one for one in record.criteria if one.outcome == Outcome.FAIL)
    return frozenset((one.id, one.subject) for one in failed)


def _with_no_more(made: Message, sent: int) -> Message:
    """Return a message that says that no reminders follow, and what would start them again."""
    line = (
        f"No more reminders of this follow ([alerts] reminders = {sent}). Another failure or "
        "another decision is sent and starts them again; its end is sent too."
    )
    return replace(made, body=f"{made.body}\n{line}")


def message(record: Record, what: What = "new", fresh: Sequence[str] = ()) -> Message:
    """Return the message for the decision of a record.

    Args:
        fresh: the checks that failed since the last message.
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
            what=what,
            topic=DECISION,
            can_wait=True,
        )
    lines = [f"Newly failed: {escape_for_chat(', '.join(fresh[:MOST_LINES]))}"] if fresh else []
    lines += [
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
        title=f"{PREFIXES.get(what, '')}{rehearsal}{action}: {service}, {where}",
        body="\n".join(line for line in lines if line.strip()),
        kind="warning" if action == "HOLD" else "failure",
        what=what,
        topic=DECISION,
        can_wait=what in ("reminder", "last reminder")
        or (action == "HOLD" and record.outcome != Outcome.FAIL and not _failed(record)),
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
        what="over" if alarm.over else "new",
        # of this prober alone: another one's alarm is not over with it
        topic=f"{escape_for_chat(alarm.rule, 60)} {alarm.since:%Y-%m-%dT%H:%M:%S.%f}Z",
        can_wait=alarm.over or alarm.rule == OWN_NETWORK,
    )


def summary_message(service: str, deferred: Sequence[tuple[datetime, str, str]]) -> Message:
    """Return the message that sums up what waited during quiet hours.

    Args:
        deferred: time, title and first line of each message that waited, oldest first.
    """
    shown = deferred[-MOST_DEFERRED:]
    lines = [f"{len(deferred) - len(shown)} earlier messages are only in the ledger"]
    lines = lines if len(shown) < len(deferred) else []
    for at, title, line in shown:
        lines.append(f"{at:%H:%M}Z {title}")
        lines += [f"    {line}"] if line else []
    many = plural(len(deferred), "message")
    return Message(
        title=f"quiet hours: {many}: {escape_for_chat(service, 120)}",
        body="\n".join(lines),
        kind="info",
    )


def trial_message(service: str) -> Message:
    """Return the message that ``doctor --alert`` sends."""
    return Message(
        title=f"test: {escape_for_chat(service, 120)}",
        body="hour24 can reach you. Nothing is wrong; this is a test of the alerts.",
        kind="info",
    )


def _first_lines(items: Any) -> list[Any]:
    return list(items or ())[:MOST_LINES]


def _reach(text: object) -> str:
    """Return the number or address of a contact in production.toml, on one line."""
    return " ".join(blank_controls(str(text or "")).split())[:160]
