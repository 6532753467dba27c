"""Sends a message to every address, in parallel, within a timeout."""

from __future__ import annotations

import queue
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from hour24.alerts import discord
from hour24.alerts.messages import Message
from hour24.secrets import Secret

SEND_WITHIN_S = 20.0
"""The timeout of one message to all addresses; apprise waits 4 s for each."""
IDLE_S = 15.0
"""Between two calls of what is due without a message."""


class Sent(Struct, frozen=True, kw_only=True):
    """How a message was sent.

    Args:
        problems: a line for each address that could not be reached.
        ids: number of the address -> id of the message there, where it can be updated.
    """

    problems: tuple[str, ...] = ()
    ids: dict[str, str] = {}


def send(message: Message, urls: Sequence[Secret]) -> tuple[str, ...]:
    """Send a message to all addresses.

    Returns: one line for each address that could not be reached; empty if all were.
    """
    return send_or_update(message, urls, {}).problems


def send_or_update(message: Message, urls: Sequence[Secret], earlier: Mapping[str, str]) -> Sent:
    """Send a message to all addresses in parallel.

    Args:
        earlier: number of an address -> id of the message that this one replaces there.
    """
    results: list[tuple[str | None, str]]
    results = [("alerts: expected an answer in time, got none", "")] * len(urls)

    def to(index: int, url: Secret) -> None:
        results[index] = _send_to(message, url, earlier.get(str(index + 1), ""))

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
    ended = list(enumerate(zip(list(results), urls, strict=True), start=1))
    return Sent(
        problems=tuple(
            f"{problem} ({url.name}, address {number} of {len(urls)})"
            for number, ((problem, _), url) in ended
            if problem is not None
        ),
        ids={str(number): found for number, ((_, found), _) in ended if found},
    )


class Caller:
    """Does one thing after another in the background; the caller never waits.

    Args:
        deliver: called in the background with each message.
        attend: called in the background every few seconds without a message, and at the end.
    """

    def __init__(self, deliver: Callable[[Message], None], attend: Callable[[], None]) -> None:
        self._deliver = deliver
        self._attend = attend
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="hour24 caller", daemon=True)
        self._thread.start()

    def send(self, message: Message) -> None:
        """Queue a message."""
        self._messages.put(message)

    def close(self) -> bool:
        """Wait, with a timeout, until all messages are sent. Returns: True if they are."""
        self._messages.put(None)
        self._thread.join(2 * SEND_WITHIN_S + 1.0)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            try:
                message = self._messages.get(timeout=IDLE_S)
            except queue.Empty:
                self._attend()
                continue
            if message is None:
                break
            self._deliver(message)
        self._attend()


def _send_to(message: Message, url: Secret, earlier: str) -> tuple[str | None, str]:
    """Send a message to one address, or update an earlier one there.

    Returns: why it failed, None if it did not; the message's id, where it can be updated.
    """
    webhook = discord.webhook_of(url.reveal())
    if webhook is not None:
        return discord.post(webhook, message.title, message.body, message.kind, earlier)
    return _send_by_apprise(message, url), ""


def _send_by_apprise(message: Message, url: Secret) -> str | None:
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
