"""The health endpoint, asked with retries, and the control address.

Rules of this module:

- A failed attempt is retried after ``retry_after_s`` and then every 30 s until
  ``give_up_after_s``. Every attempt is recorded with its result.
- An attempt fails without an answer, without a 2xx, or when the document does not match the
  agreed schema. A redirect is an answer and is not followed.
- An answer from a cache does not come from the service: it is requested once more, then recorded
  with the header that shows the cache. An old ``Date`` is requested once more in any case: the
  second answer shows whether it is a stored answer or a wrong clock.
- JSON is read strictly, up to a megabyte: no NaN, nothing cut off, whatever its content type.
- ``silent`` means that no attempt got any HTTP answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import hour24
from hour24.asking.exchange import LARGEST_BYTES, Address, Reply, ask
from hour24.asking.freshness import NO_CACHE, Dates, cached_by, date_of
from hour24.clock import Clock
from hour24.config import Health
from hour24.documents import DocumentError, differences, pointer_to, read_json, value_at
from hour24.evidence import Attempt, Document, Question
from hour24.secrets import Secret
from hour24.text import cut, parse_stated_time
from hour24.uptime import number_in, uptime_in

SECOND_DATE_S = 4.0
"""Between an old ``Date`` and the request that explains it."""
RETRY_S = 30.0
"""Between later attempts, so that a service that is starting is not hammered."""
CONTROL_TIMEOUT_S = 10.0
"""The control address is chosen to be fast; slower counts as no network."""
LONGEST = 120
"""Characters of a difference from the schema that are shown."""
NO_ANSWER = {
    "timeout": "no answer in time",
    "refused": "connection refused",
    "reset": "the connection broke",
    "closed": "the connection was closed without an answer",
    "dns": "its host name cannot be resolved",
    "unreachable": "its host cannot be reached",
    "tls": "no secure connection (TLS)",
    "malformed": "its answer is not HTTP",
    "cut off": "its answer was cut off",
}


@dataclass(frozen=True)
class Reading:
    """A health answer, read.

    Args:
        body: the JSON document; ``None`` when it is not JSON.
        problem: how it differs from the agreed schema; empty when it does not. It quotes nothing
            from the document, so that few different problems exist.
        uptime: seconds and instance, when it states an uptime.
        is_json: whether it is JSON.
        stale: why it does not show the present state of the service: the header of a cache, or
            ``timestamp``; empty when it does.
        not_taken: why our client cannot read it; empty when it can.
    """

    body: Any
    problem: str = ""
    uptime: tuple[float, str] | None = None
    is_json: bool = True
    stale: str = ""
    not_taken: str = ""


def read_health(
    health: Health,
    data: bytes,
    headers: Mapping[str, str] | None = None,
    at: float | None = None,
    *,
    took_s: float = 0.0,
    dates: Dates | None = None,
    steady_at: float | None = None,
) -> Reading:
    """Read an answer of the health endpoint and compare it with the agreed schema.

    Args:
        headers: the answer's, names in lower case.
        at: when it was received, epoch seconds; None: its timestamp is not compared.
        took_s: how long before that it was requested.
        dates: of earlier answers of this address; its own is added.
        steady_at: as ``at``, on a clock that does not jump: an uptime from a start time is that
            at this time. None: at ``at``.
    """
    received = headers or {}
    cached = cached_by(received)
    if dates is not None and at is not None:
        stored = dates.stored_since(received, at - took_s, at)
        cached = cached or stored
    refusal = why_unreadable(data, received)
    if refusal:
        return Reading(None, "", is_json=False, stale=cached, not_taken=refusal)
    problem, body = parse_body(data)
    if problem:
        return Reading(None, problem, is_json=False, stale=cached)
    read_at = at if steady_at is None else steady_at
    uptime = None
    if read_at is not None or not health.started:
        uptime = uptime_in(
            body,
            health.uptime,
            health.started,
            as_text=health.numbers_as_text,
            at=read_at or 0.0,
        )
    seconds_and_instance = None
    if uptime is not None and uptime >= 0:
        instance = value_at(body, health.instance, None) if health.instance else ""
        seconds_and_instance = (
            uptime,
            instance if isinstance(instance, str) else str(instance or ""),
        )
    broken = first_difference(health.schema, body)
    stale = cached or _old(health, body, received, at)
    return Reading(body, f"schema: {broken}" if broken else "", seconds_and_instance, stale=stale)


def why_unreadable(data: bytes, headers: Mapping[str, str]) -> str:
    """Return why our client cannot read an answer that a browser may; empty when it can."""
    coding = headers.get("content-encoding", "")
    if coding:
        return f"its Content-Encoding is {coding[:40]}, which was not asked for"
    if len(data) > LARGEST_BYTES:
        return f"it is longer than {LARGEST_BYTES // 1000:,} kB"
    return ""


def _old(health: Health, body: Any, headers: Mapping[str, str], at: float | None) -> str:
    """Return ``timestamp`` if it is old by both our clock and its server's; else empty."""
    stated = value_at(body, health.timestamp, None) if health.timestamp else None
    made = parse_stated_time(number_in(stated, as_text=health.numbers_as_text))
    if made is None or at is None:
        return ""
    date = date_of(headers)
    clocks = [at] if date is None else [at, date.timestamp()]
    old = all(abs(each - made.timestamp()) > health.fresh_s for each in clocks)
    return "timestamp" if old else ""


def parse_body(data: bytes) -> tuple[str, Any]:
    """Return why ``data`` is not JSON, or empty; and the document."""
    try:
        return "", read_json(data)
    except DocumentError:
        start = data.lstrip()[:1]
        got = "HTML" if start == b"<" else "something else" if start else "nothing"
        return f"expected a JSON document, got {got}", None


def first_difference(schema: Mapping[str, Any], body: Any) -> str:
    """Return the first difference of ``body`` from ``schema``: the path and what was expected."""
    found = differences(body, schema)
    if not found:
        return ""
    return cut(f"{pointer_to(found[0].path) or '/'}: expected {found[0].expected}", LONGEST)


class HealthSource:
    """The health endpoint and the control address."""

    def __init__(self, health: Health, control_url: str, clock: Clock) -> None:
        self.health = health
        self.control_url = control_url
        self.clock = clock

    def document(self) -> Document:
        """Return the document of the last attempt, with all attempts."""
        health = self.health
        at = began = self.clock.now()
        attempts: list[Attempt] = []
        answered = False
        wait = health.retry_after_s
        copies = 0
        dates = Dates()
        while True:
            reply = ask(health.url, self._headers(), health.timeout_s)
            answer = self._read(reply, at, dates) if reply.status else Reading(None, is_json=False)
            problem = describe_failure(reply) or answer.problem
            copies += bool(answer.stale)
            unusable = f"from a cache ({answer.stale})" if answer.stale else answer.not_taken
            answered = answered or reply.status > 0
            attempts.append(
                Attempt(
                    at=at,
                    took_ms=round(reply.took_ms, 3),
                    result=_result(reply, unusable or answer.problem),
                )
            )
            passed_s = (self.clock.now() - began).total_seconds()
            done = copies > 1 if answer.stale else not problem
            if answer.stale.startswith("Date:") and copies == 1:
                self.clock.sleep(SECOND_DATE_S)
                at = self.clock.now()
                continue
            if done or passed_s + wait > health.give_up_after_s:
                break
            self.clock.sleep(wait)
            wait = RETRY_S
            at = self.clock.now()
        return self._document(
            health.url,
            began,
            attempts,
            reply,
            body=answer.body,
            problem="" if answer.is_json or answer.not_taken else problem,
            silent=not answered,
            cached=answer.stale,
            not_taken=answer.not_taken,
        )

    def _read(self, reply: Reply, sent: datetime, dates: Dates) -> Reading:
        """Read an answer; its document's age is judged from the evidence, not here."""
        took_s = reply.took_ms / 1000
        received = sent.timestamp() + took_s
        stored = dates.stored_since(reply.headers, sent.timestamp(), received)
        answer = read_health(self.health, reply.data, reply.headers)
        return replace(answer, stale=answer.stale or stored)

    def control(self) -> Document:
        """Ask the control address once; any HTTP answer shows that our network is up."""
        began = self.clock.now()
        reply = ask(self.control_url, {"User-Agent": _AGENT, "Accept": "*/*"}, CONTROL_TIMEOUT_S)
        result = str(reply.status) if reply.status else describe_failure(reply)
        attempt = Attempt(at=began, took_ms=round(reply.took_ms, 3), result=result)
        problem, body = parse_body(reply.data) if reply.status else (describe_failure(reply), None)
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
        return request_headers(self.health)

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
            server_date=date_of(reply.headers),
            silent=silent,
            cached=cached,
            not_taken=not_taken,
        )


def request_headers(health: Health) -> dict[str, str]:
    """Return the headers sent to the health endpoint, here and by the prober."""
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


def describe_failure(reply: Reply) -> str:
    """Return why a reply is not a 2xx, in words; empty when it is."""
    if not reply.status:
        return NO_ANSWER.get(reply.reason, reply.reason)
    if 200 <= reply.status < 300:
        return ""
    if 300 <= reply.status < 400:
        return f"expected 2xx, got {reply.status}, a redirect that is not followed"
    return f"expected 2xx, got {reply.status}"


def _result(reply: Reply, problem: str) -> str:
    if not reply.status:
        return describe_failure(reply)
    ok = 200 <= reply.status < 300
    return f"{reply.status}, {problem}" if ok and problem else str(reply.status)


_AGENT = f"hour24/{hour24.__version__}"
