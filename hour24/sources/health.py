"""The health endpoint, asked now and asked again; and the control address.

Rules of this module:

- Asked once; when that failed, again after ``retry_after_s`` and then every 30 s until
  ``give_up_after_s``. Every attempt is kept, and says how it ended.
- It failed when there was no answer, no 2xx, or no document of the agreed schema. A redirect is
  an answer like any other and is not followed.
- An answer that a cache gave is no answer of the service: it is asked for once more, then kept
  with the header that says so.
- JSON is read strictly, up to a megabyte: no NaN, nothing cut off, whatever its content type.
- ``silent`` says that no attempt got any HTTP answer at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import hour24
from hour24.asking.exchange import LARGEST_BYTES, Address, Reply, ask
from hour24.asking.freshness import NO_CACHE, cached_by
from hour24.clock import Clock
from hour24.config import Health
from hour24.documents import DocumentError, differences, is_number, pointer_to, read_json, value_at
from hour24.evidence import Attempt, Document, Question
from hour24.secrets import Secret
from hour24.text import cut, parse_stated_time

AGAIN_S = 30.0
CONTROL_TIMEOUT_S = 10.0
LONGEST = 120
NO_ANSWER = {
    "timeout": "no answer in time",
    "refused": "connection refused",
    "reset": "the connection broke",
    "closed": "the connection was closed without an answer",
    "dns": "its host name cannot be resolved",
    "unreachable": "its host cannot be reached",
    "tls": "no secure connection (TLS)",
    "malformed": "what it answered is no HTTP",
    "cut off": "its answer was cut off",
}


@dataclass(frozen=True)
class Reading:
    """What a health answer says.

    Args:
        body: the JSON document; ``None`` when it was none.
        problem: how it differs from what was agreed; empty when it does not. It holds none of
            the document's own text, and so stays one of a few.
        uptime: seconds and instance, when it tells an uptime.
        is_json: whether it was JSON at all.
        stale: why it does not tell how the service is now: the header of a cache, or its own
            timestamp; empty when it does.
        not_taken: why our own client cannot read it; empty when it can.
    """

    body: Any
    problem: str = ""
    uptime: tuple[float, str] | None = None
    is_json: bool = True
    stale: str = ""
    not_taken: str = ""


def reading(
    health: Health,
    data: bytes,
    headers: Mapping[str, str] | None = None,
    at: float | None = None,
) -> Reading:
    """How an answer is read, against what ``health`` agreed.

    Args:
        headers: the answer's, names in lower case.
        at: when it was answered, epoch seconds; none: its timestamp is not compared.
    """
    received = headers or {}
    cached = cached_by(received)
    refusal = not_taken(data, received)
    if refusal:
        return Reading(None, "", is_json=False, stale=cached, not_taken=refusal)
    problem, body = parsed(data)
    if problem:
        return Reading(None, problem, is_json=False, stale=cached)
    uptime = value_at(body, health.uptime, None) if health.uptime else None
    told = None
    if is_number(uptime) and uptime >= 0:
        instance = value_at(body, health.instance, None) if health.instance else ""
        told = (float(uptime), instance if isinstance(instance, str) else str(instance or ""))
    broken = unmet(health.schema, body)
    stale = cached or _old(health, body, received, at)
    return Reading(body, f"schema: {broken}" if broken else "", told, stale=stale)


def not_taken(data: bytes, headers: Mapping[str, str]) -> str:
    """Why our own client cannot read an answer that a browser may; empty when it can."""
    coding = headers.get("content-encoding", "")
    if coding:
        return f"its Content-Encoding is {coding[:40]}, which was not asked for"
    if len(data) > LARGEST_BYTES:
        return f"it is longer than {LARGEST_BYTES // 1000:,} kB"
    return ""


def _old(health: Health, body: Any, headers: Mapping[str, str], at: float | None) -> str:
    """``timestamp`` if the document is old by our clock and by its server's; else empty."""
    made = parse_stated_time(value_at(body, health.timestamp, None)) if health.timestamp else None
    if made is None or at is None:
        return ""
    date = _date(headers)
    clocks = [at] if date is None else [at, date.timestamp()]
    old = all(abs(each - made.timestamp()) > health.fresh_s for each in clocks)
    return "timestamp" if old else ""


def parsed(data: bytes) -> tuple[str, Any]:
    """What kept ``data`` from being a JSON document, or empty; and the document."""
    try:
        return "", read_json(data)
    except DocumentError:
        start = data.lstrip()[:1]
        got = "HTML" if start == b"<" else "something else" if start else "nothing"
        return f"expected a JSON document, got {got}", None


def unmet(schema: Mapping[str, Any], body: Any) -> str:
    """The first thing in which ``body`` differs from ``schema``: where, and what was expected."""
    found = differences(body, schema)
    if not found:
        return ""
    return cut(f"{pointer_to(found[0].path) or '/'}: expected {found[0].expected}", LONGEST)


class HealthSource:
    """The health endpoint and the control address, as they answer now."""

    def __init__(self, health: Health, control_url: str, clock: Clock) -> None:
        self.health = health
        self.control_url = control_url
        self.clock = clock

    def document(self) -> Document:
        """The health document of the last attempt, with all attempts."""
        health = self.health
        at = began = self.clock.now()
        attempts: list[Attempt] = []
        answered = False
        wait = health.retry_after_s
        copies = 0
        while True:
            reply = ask(health.url, self._headers(), health.timeout_s)
            told = (
                reading(health, reply.data, reply.headers)
                if reply.status
                else Reading(None, is_json=False)
            )
            problem = said(reply) or told.problem
            copies += bool(told.stale)
            unlike = f"from a cache ({told.stale})" if told.stale else told.not_taken
            answered = answered or reply.status > 0
            attempts.append(
                Attempt(
                    at=at,
                    took_ms=round(reply.took_ms, 3),
                    result=_result(reply, unlike or told.problem),
                )
            )
            passed_s = (self.clock.now() - began).total_seconds()
            done = copies > 1 if told.stale else not problem
            if done or passed_s + wait > health.give_up_after_s:
                break
            self.clock.sleep(wait)
            wait = AGAIN_S
            at = self.clock.now()
        return self._document(
            health.url,
            began,
            attempts,
            reply,
            body=told.body,
            problem="" if told.is_json or told.not_taken else problem,
            silent=not answered,
            cached=told.stale,
            not_taken=told.not_taken,
        )

    def control(self) -> Document:
        """One answer of the control address; any HTTP answer shows that our network is up."""
        began = self.clock.now()
        reply = ask(self.control_url, {"User-Agent": _AGENT, "Accept": "*/*"}, CONTROL_TIMEOUT_S)
        result = str(reply.status) if reply.status else said(reply)
        attempt = Attempt(at=began, took_ms=round(reply.took_ms, 3), result=result)
        problem, body = parsed(reply.data) if reply.status else (said(reply), None)
        return self._document(
            self.control_url,
            began,
            [attempt],
            reply,
            body=body,
            problem=problem,
            silent=not reply.status,
        )

    def _headers(self) -> dict[str, str]:
        return as_asked(self.health)

    def _document(
        self,
        url: str,
        began: datetime,
        attempts: list[Attempt],
        reply: Reply,
        *,
        body: Any,
        problem: str,
        silent: bool,
        cached: str = "",
        not_taken: str = "",
    ) -> Document:
        return Document(
            question=Question(
                source="health",
                asked=f"GET {Address(url).shown}",
                at=began,
                attempts=tuple(attempts),
                digest=hashlib.sha256(reply.data).hexdigest() if reply.status else "",
            ),
            status=reply.status,
            body=body,
            problem=problem,
            took_ms=round(reply.took_ms, 3),
            server_date=_date(reply.headers),
            silent=silent,
            cached=cached,
            not_taken=not_taken,
        )


def as_asked(health: Health) -> dict[str, str]:
    """The headers with which the health endpoint is asked, wherever its document is read."""
    headers = {
        "User-Agent": _AGENT,
        "Accept": "application/json, */*",
        "Accept-Encoding": "identity",
        **NO_CACHE,
    }
    for name, value in health.headers.items():
        for known in [each for each in headers if each.lower() == name.lower()]:
            del headers[known]
        headers[name] = value.reveal() if isinstance(value, Secret) else value
    return headers


def said(reply: Reply) -> str:
    """Why a reply is no 2xx, in words; empty when it is one."""
    if not reply.status:
        return NO_ANSWER.get(reply.reason, reply.reason)
    if 200 <= reply.status < 300:
        return ""
    if 300 <= reply.status < 400:
        return f"expected 2xx, got {reply.status}, a redirect that is not followed"
    return f"expected 2xx, got {reply.status}"


def _result(reply: Reply, problem: str) -> str:
    if not reply.status:
        return said(reply)
    ok = 200 <= reply.status < 300
    return f"{reply.status}, {problem}" if ok and problem else str(reply.status)


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
        return date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_AGENT = f"hour24/{hour24.__version__}"
