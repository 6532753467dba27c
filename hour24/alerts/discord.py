"""Discord's webhooks: the channel that can update a message.

Rules of this module:

- ``POST /webhooks/ID/TOKEN?wait=true`` answers with the message and its id;
  ``PATCH /webhooks/ID/TOKEN/messages/MESSAGE`` replaces it and notifies no one.
- A message that is gone (404), or cannot be updated for another reason, is sent as a new one.
- 429 is obeyed once, if the wait is short.
- An address with options other than its thread is left to apprise, which knows them.
- Nothing in a message mentions anyone (``allowed_mentions``).

Source: https://discord.com/developers/docs/resources/webhook.
"""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from msgspec import Struct

import hour24
from hour24.asking.exchange import Reply, ask
from hour24.documents import DocumentError, read_json

API = "https://discord.com/api/webhooks"
HOSTS = frozenset({"discord.com", "discordapp.com"})
ANSWER_WITHIN_S = 5.0
"""Three requests and a wait fit into the timeout of one message."""
MOST_WAIT_S = 3.0
LONGEST_TITLE = 2000
LONGEST_BODY = 4000
"""Characters that Discord takes: 2,000 in a message, 4,096 in the box below it."""
LONGEST_ID = 24
COLOURS = {"failure": 0xC0392B, "warning": 0xC77700, "success": 0x1E7F43, "info": 0x3B6EA8}


class Webhook(Struct, frozen=True, kw_only=True):
    """A webhook of a channel. Its token is a secret and is not in its repr."""

    number: str
    token: str
    thread: str = ""

    def __repr__(self) -> str:
        return "Webhook()"

    def address(self, message: str = "") -> str:
        """Return the address of a new message, or of this one."""
        path = f"{API}/{self.number}/{self.token}"
        query = {"thread_id": self.thread} if self.thread else {}
        if message:
            path += f"/messages/{message}"
        else:
            query["wait"] = "true"
        return f"{path}?{urlencode(query)}" if query else path


def webhook_of(url: str) -> Webhook | None:
    """Return the webhook of an address of apprise; None if it is none, or has more options."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    words = [word for word in parts.path.split("/") if word]
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme == "discord" and host:
        words = [host, *words]
    elif parts.scheme == "https" and host in HOSTS and words[:2] == ["api", "webhooks"]:
        words = words[2:]
    else:
        return None
    thread = options.pop("thread", "") or options.pop("thread_id", "")
    if options or len(words) != 2 or not _is_id(words[0]) or (thread and not _is_id(thread)):
        return None
    return Webhook(number=words[0], token=words[1], thread=thread)


def post(
    webhook: Webhook, title: str, body: str, kind: str, message: str = ""
) -> tuple[str | None, str]:
    """Send a message, or update an earlier one.

    Args:
        message: id of the message to update; empty: none.
    Returns: why it failed, None if it did not; the id of the message, empty if it is not known.
    """
    content = {
        "content": title[:LONGEST_TITLE],
        "embeds": [{"description": body[:LONGEST_BODY], "color": COLOURS[kind]}] if body else [],
        "allowed_mentions": {"parse": []},
    }
    if message and _is_good(_request("PATCH", webhook.address(message), content)):
        return None, message
    content["username"] = "hour24"
    reply = _request("POST", webhook.address(), content)
    wait_s = _number(reply.headers.get("retry-after", ""))
    if reply.status == 429 and wait_s <= MOST_WAIT_S:
        time.sleep(wait_s)
        reply = _request("POST", webhook.address(), content)
    if reply.status == 0:
        return f"alerts: expected an answer of Discord, got {reply.reason}", ""
    if not _is_good(reply):
        return f"alerts: expected 2xx of Discord, got {reply.status}", ""
    return None, _id_of(reply)


def _request(method: str, address: str, content: dict[str, Any]) -> Reply:
    headers = {
        "User-Agent": f"hour24/{hour24.__version__}",
        "Content-Type": "application/json",
    }
    return ask(address, headers, ANSWER_WITHIN_S, method, json.dumps(content).encode())


def _is_good(reply: Reply) -> bool:
    return 200 <= reply.status < 300


def _number(text: str) -> float:
    """Return a number of seconds; infinite if it is none."""
    try:
        value = float(text)
    except ValueError:
        return float("inf")
    return value if value >= 0 else float("inf")


def _id_of(reply: Reply) -> str:
    try:
        found = read_json(reply.data)
    except DocumentError:
        return ""
    number = found.get("id") if isinstance(found, dict) else None
    return number if isinstance(number, str) and _is_id(number) else ""


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_ID
