"""Sends a message or defers it, and records either in the ledger.

Rules of this module:

- What waits is an entry of the ledger at once, so that no process that dies loses it; whoever comes
  first after the quiet hours sends one message that sums up: prober, watch or checkpoint.
- Sending comes before its entry: a process that dies in between sends twice, never not at all.
- A message updates only the one that its topic began with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from hour24.alerts import messages
from hour24.alerts.messages import Message
from hour24.alerts.quiet import QuietHours
from hour24.alerts.sending import send_or_update
from hour24.errors import LedgerError, LedgerLocked
from hour24.ledger.book import Entry, Ledger
from hour24.secrets import Secret

LONGEST_LINE = 200
"""Characters of a deferred message in the one that sums up."""


class Delivery:
    """Delivers messages about one watch.

    Args:
        service: name and environment of the service.
        quiet: as in ``[alerts]``; empty: no quiet hours.
        clean: redacts secrets.
        by: the command that sends.
    """

    def __init__(
        self,
        ledger: Ledger,
        urls: Sequence[Secret],
        service: str,
        clean: Callable[[str], str],
        by: str,
        quiet: str = "",
    ) -> None:
        self._ledger = ledger
        self._urls = urls
        self._service = service
        self._clean = clean
        self._by = by
        watch = ledger.watch
        self._quiet = QuietHours(stated=quiet, zone=watch.zone, until=watch.whole.end)

    def deliver(
        self, message: Message, now: datetime, more: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Send a message, or defer it in quiet hours, and record which.

        Args:
            more: what else its entry holds: of which attempt.
        Returns: what went wrong.
        """
        about = {"topic": message.topic, "what": message.what} if message.topic else {}
        entry = {**about, **(more or {})}
        if message.can_wait and self._quiet.end(now) is not None:
            line = message.body.partition("\n")[0][:LONGEST_LINE]
            problems = self._record(message, now, [], {**entry, "deferred": self._clean(line)})
            if not problems:
                return []
            # What the ledger does not have would be lost.
            return [*problems, *self._send(message, now, entry)]
        return self._send(message, now, entry)

    def release(self, now: datetime) -> list[str]:
        """Send what was deferred, in one message, once the quiet hours are over.

        Returns: what went wrong.
        """
        if not self._urls or self._quiet.end(now) is not None:
            return []
        try:
            if not self._deferred():
                return []
            self._ledger.refresh()
            with self._ledger.locked(0, "alerts"):
                deferred = self._deferred()
                if not deferred:
                    return []
                lines = [(_time_of(each), *_text_of(each)) for each in deferred]
                message = messages.summary_message(self._service, lines)
                return self._send(message, now, {"sums": [each.file for each in deferred]})
        except LedgerLocked:
            return []  # another process sends it
        except LedgerError as problem:
            return [f"what was deferred in quiet hours is not sent: {problem}"]

    # --- inside -------------------------------------------------------------------------------

    def _send(self, message: Message, now: datetime, more: Mapping[str, Any]) -> list[str]:
        earlier: dict[str, str] = {}
        if message.updates:
            earlier, began = self._earlier(message.topic)
            if earlier:
                message = replace(message, body=f"{message.body}\n{began}")
        sent = send_or_update(message, self._urls, earlier)
        ids = {"messages": sent.ids} if sent.ids and message.topic else {}
        return self._record(message, now, sent.problems, {**more, **ids})

    def _record(
        self, message: Message, now: datetime, problems: Sequence[str], more: Mapping[str, Any]
    ) -> list[str]:
        entry = {
            "at": now,
            "by": self._by,
            "because": self._clean(message.title),
            "addresses": len(self._urls),
            "problems": [self._clean(problem) for problem in problems],
            **more,
        }
        try:
            self._ledger.append("alert", entry)
        except LedgerError as problem:
            return [*problems, f"the alert is not in the ledger: {problem}"]
        return list(problems)

    def _alerts(self) -> list[Entry]:
        entries = self._ledger.entries()
        return [each for each in entries if each.kind == "alert" and not each.problem]

    def _deferred(self) -> list[Entry]:
        alerts = self._alerts()
        summed = {file for each in alerts for file in each.content.get("sums", ())}
        return [each for each in alerts if "deferred" in each.content and each.file not in summed]

    def _earlier(self, topic: str) -> tuple[dict[str, str], str]:
        """Return address -> id of the message that a topic began with, and how it began."""
        found: dict[str, str] = {}
        try:
            alerts = self._alerts()
        except LedgerError:
            return {}, ""  # a ledger that cannot be read must not stop the message
        for each in reversed(alerts):
            if not topic or each.content.get("topic") != topic:
                continue
            for number, message in each.content.get("messages", {}).items():
                found.setdefault(number, message)
            if each.content.get("what") not in messages.UPDATES:
                return found, f"Sent {_time_of(each):%H:%M}Z as: {each.content['because']}"
        return {}, ""


def _time_of(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry.content["at"])


def _text_of(entry: Entry) -> tuple[str, str]:
    return entry.content["because"], entry.content["deferred"]
