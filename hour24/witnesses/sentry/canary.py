"""The canary: the one event sent to Sentry, and how it differs from the service's events.

Rules of this module:

- Its fingerprint, environment and tag are fixed, so that every canary lands in one issue that
  is plainly not the service's.
- Of the DSN only the public key and the address are used; the secret part is obsolete.
- A limit named in an answer is a refusal, whatever the answer's status.

Source: Sentry's protocol of envelopes, authentication and rate limits.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

import hour24
from hour24.asking.answers import stamp
from hour24.asking.client import OWN_CREDENTIAL
from hour24.linear import shipped
from hour24.secrets import Secret

ENVIRONMENT = "hour24"
TAG = ("hour24", "canary")
TYPE = "Hour24Canary"
TITLE = f"{TYPE}: sent to see whether Sentry stores it"
NOT_CANARY = f"!{TAG[0]}:{TAG[1]}"
"""The search term that excludes every canary."""
ERRORS = frozenset({"", "error", "default"})
_WORD = shipped(r"[0-9A-Za-z_-]+")


class Ingest(Struct, frozen=True, kw_only=True):
    """The ingest address and key of a DSN.

    Args:
        envelope: the whole address, without the key.
        key: the public one.
        project: its id.
    """

    envelope: str
    key: Secret
    project: str


def ingest(dsn: Secret) -> Ingest | None:
    """Return the parts of ``SCHEME://KEY@HOST/PATH/PROJECT``; None for another form."""
    try:
        parts = urlsplit(dsn.reveal())
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2]
    path, _, project = parts.path.rstrip("/").rpartition("/")
    key = parts.username or ""
    if parts.scheme not in ("http", "https") or not host:
        return None
    if not _WORD.fullmatch(key) or not _WORD.fullmatch(project):
        return None
    return Ingest(
        envelope=f"{parts.scheme}://{host}{path}/api/{project}/envelope/",
        key=Secret(dsn.name, key),
        project=project,
    )


def headers(at: Ingest) -> dict[str, str]:
    """Return the headers of the envelope."""
    return {
        "X-Sentry-Auth": "Sentry sentry_version=7, "
        f"sentry_client=hour24/{hour24.__version__}, sentry_key={at.key.reveal()}",
        "Content-Type": "application/x-sentry-envelope",
        OWN_CREDENTIAL: "the key of the DSN",
    }


def event_id() -> str:
    """Return a new id: 32 hexadecimal digits, lower case, without dashes."""
    return uuid.uuid4().hex


def envelope(event: str, now: datetime) -> bytes:
    """Return the envelope that holds one error event."""
    kind, _, value = TITLE.partition(": ")
    payload = json.dumps(
        {
            "event_id": event,
            "timestamp": stamp(now),
            "platform": "other",
            "level": "error",
            "logger": "hour24",
            "environment": ENVIRONMENT,
            "fingerprint": ["hour24-canary"],
            "tags": dict([TAG]),
            "exception": {"values": [{"type": kind, "value": value}]},
        }
    ).encode()
    lines = (
        {"event_id": event, "sent_at": stamp(now)},
        {"type": "event", "length": len(payload), "content_type": "application/json"},
    )
    return b"\n".join([*(json.dumps(line).encode() for line in lines), payload, b""])


def refusal(answered: Mapping[str, str]) -> str:
    """Return the limit that an answer's headers set on error events; empty when there is none.

    ``X-Sentry-Rate-Limits: 60:error;security:organization:quota, ...``; no category is every one.
    """
    for limit in answered.get("X-Sentry-Rate-Limits", "").split(","):
        fields = limit.strip().split(":")
        if fields[0] and (len(fields) < 2 or ERRORS & set(fields[1].split(";"))):
            return limit.strip()
    return ""


def is_canary(title: str, environment: Any = ENVIRONMENT) -> bool:
    """True for a canary; needed when the server ignores the search term."""
    return title == TITLE and environment == ENVIRONMENT
