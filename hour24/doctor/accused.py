"""Trials of the service under watch and of the control address, one request each.

Rules of this module:

- Requests are those of the prober: the same method, headers and body; redirects are not followed.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import msgspec

import hour24
from hour24.clock import Clock
from hour24.config import Endpoint, Health, Production
from hour24.doctor.trial import listed
from hour24.errors import (
    SourceEmpty,
    SourceError,
    SourceFailed,
    SourceLacks,
    SourceLimited,
    SourceMisread,
    SourceRefused,
    SourceTimeout,
    SourceUnreachable,
)
from hour24.secrets import Secret
from hour24.text import format_duration
from hour24.witnesses.port import Trial

SKEW_S = 30.0
"""NTP keeps clocks within a second; windows of a checkpoint tolerate half a minute."""
UPTIME_GAP_S = 1.0
"""Between two readings of an uptime: enough to distinguish milliseconds from seconds."""
WEBSOCKET_HOLD_S = 5.0
"""Seconds within which a server closes a socket that lacks a credential."""


def control(production: Production, clock: Clock) -> list[Trial]:
    from hour24.sources.health import HealthSource

    def ask() -> str:
        url = production.service.control_url
        found = HealthSource(production.health, url, clock).control()
        if found.silent:
            raise SourceUnreachable(f"control address: {found.problem}")
        if found.server_date is None:
            return "answers"
        skew_s = (found.server_date - clock.now()).total_seconds()
        if abs(skew_s) > SKEW_S:
            raise SourceMisread(
                f"control address: expected its clock and ours to agree, got {skew_s:+.0f} s: "
                "windows would cover another time"
            )
        return "answers, and its clock agrees with ours"

    return [
        Trial(
            name="control address",
            asked=ask,
            address=production.service.control_url,
            misread="set this machine's clock, for instance with timedatectl set-ntp true",
        )
    ]


def health(production: Production, clock: Clock) -> list[Trial]:
    health = production.health

    def ask() -> str:
        from hour24.documents import value_at
        from hour24.objectives.health import HealthDocument
        from hour24.sources.health import HealthSource, read_health
        from hour24.verdict import Outcome

        once = msgspec.structs.replace(health, retry_after_s=1.0, give_up_after_s=0.5)
        source = HealthSource(once, production.service.control_url, clock)
        agreed = HealthDocument(
            schema=health.schema,
            timestamp=health.timestamp,
            uptime=health.uptime,
            database=health.database,
            fresh_s=health.fresh_s,
            started=health.started,
            as_text=health.numbers_as_text,
        )
        began = clock.now().timestamp()
        reply = _reply_to("health", _as_endpoint(health))
        current = read_health(health, reply.data, reply.headers, steady_at=began)
        if current.problem:
            raise SourceMisread(f"health: {current.problem}")
        for key in ("timestamp", "uptime", "started", "instance", "database"):
            pointer = getattr(health, key)
            if pointer and value_at(current.body, pointer, None) is None:
                raise SourceEmpty(f"health: {key}: expected a member at {pointer}, got none")
        verdict = agreed.judge({"health": source.document()})
        if verdict.outcome != Outcome.PASS:
            raise SourceMisread(f"health: {verdict.reason}")
        if current.uptime is not None:
            time.sleep(UPTIME_GAP_S)
            later = read_health(
                health,
                _reply_to("health", _as_endpoint(health)).data,
                steady_at=clock.now().timestamp(),
            )
            _check_unit(current.uptime, later.uptime, clock.now().timestamp() - began, began)
        recycled = production.process.recycles_every_s
        if recycled and current.uptime is None:
            raise SourceEmpty(
                "health: uptime: expected one, since process.recycles_every_s is judged by it, "
                "got none"
            )
        plan = f"; workers may restart after {format_duration(recycled)} by plan"
        return "returns the expected document" + (plan if recycled else "")

    return [
        Trial(
            name="health",
            asked=ask,
            address=health.url,
            right=_header_remedy("health", health.headers),
            misread="fix the service, or state another schema in health.schema",
            empty='name the right member in [health], or "" if the document has none',
        )
    ]


def _check_unit(
    first: tuple[float, str], second: tuple[float, str] | None, apart_s: float, at: float
) -> None:
    """Check by two readings that the uptime is in seconds.

    Behind a balancer they may be of two processes, so only a known other unit is refused.

    Raises: SourceMisread.
    """
    from hour24.objectives.health import impossible_uptime
    from hour24.statistics.restarts import unit_of

    if strange := impossible_uptime(at, first[0]):
        raise SourceMisread(f"health: uptime: {strange}")
    slope = 0.0 if second is None else (second[0] - first[0]) / apart_s
    unit = unit_of(slope, within=0.3)
    if slope > 10 and unit:
        raise SourceMisread(
            f"health: uptime: expected seconds since the process started, got {unit}"
        )


def _as_endpoint(health: Health) -> Endpoint:
    return Endpoint(
        name="health",
        url=health.url,
        target_ms=1.0,
        headers=health.headers,
        timeout_s=health.timeout_s,
        expect_status=tuple(range(200, 300)),
    )


def endpoints(production: Production) -> list[Trial]:
    def trial(name: str, endpoint: Endpoint) -> Trial:
        def ask() -> str:
            reply = _reply_to(f"endpoint {name}", endpoint)
            return f"{reply.status} in {reply.took_ms:.0f} ms"

        return Trial(
            name=f"endpoint {name}",
            asked=ask,
            address=endpoint.url,
            right=_header_remedy(f"endpoints.{name}", endpoint.headers),
            lacks=f"check the address {endpoint.url}: the service has no such route for "
            f"{endpoint.method}",
            misread=f"check endpoints.{name}: url, method, body and expect_status",
        )

    return [trial(name, endpoint) for name, endpoint in production.endpoints.items()]


def _header_remedy(section: str, headers: dict[str, Secret | str]) -> str:
    named = [value.name for value in headers.values() if isinstance(value, Secret)]
    if named:
        return f"check the value of {listed(named)}, and {section}.headers"
    return f'give it a credential: {section}.headers = {{ Authorization = {{ env = "NAME" }} }}'


def _reply_to(where: str, endpoint: Endpoint) -> Any:
    """Return the reply to one request. Raises: SourceError, of the kind that its failure is."""
    from hour24.asking.exchange import Address, ConnectionPool, Request
    from hour24.asking.freshness import NO_CACHE
    from hour24.sources.health import describe_failure

    headers = {"User-Agent": f"hour24/{hour24.__version__}", "Accept": "*/*"}
    headers |= NO_CACHE if endpoint.name == "health" else {}
    for name, value in endpoint.headers.items():
        headers[name] = value.reveal() if isinstance(value, Secret) else value
    pool = ConnectionPool(Address(endpoint.url))
    request = Request(endpoint.method, headers, endpoint.body.encode())
    exchange = pool.exchange(request, time.perf_counter(), endpoint.timeout_s)
    thread = threading.Thread(target=exchange.send, daemon=True)
    thread.start()
    thread.join(endpoint.timeout_s)
    reply = exchange.expire()
    pool.close()
    if not reply.status:
        raise SourceUnreachable(f"{where}: {describe_failure(reply)}")
    if reply.status in endpoint.expect_status:
        return reply
    expected = "2xx" if len(endpoint.expect_status) > 10 else listed(endpoint.expect_status)
    kinds: dict[int, type[SourceError]] = {
        401: SourceRefused,
        403: SourceRefused,
        404: SourceLacks,
        405: SourceLacks,
        429: SourceLimited,
    }
    kind = kinds.get(reply.status, SourceFailed if reply.status >= 500 else SourceMisread)
    raise kind(f"{where}: expected {expected}, got {reply.status}")


def websocket(production: Production, clock: Clock) -> list[Trial]:
    target = production.websocket
    if target is None:
        return []
    open_s = min(target.hold_s, WEBSOCKET_HOLD_S)
    one = msgspec.structs.replace(target, connections=1, hold_s=open_s)

    def ask() -> str:
        from hour24.sources.websocket import NO_FIRST_ANSWER, WRONG_ANSWER_TEXT, WebSocketSource

        found = WebSocketSource(one, clock).held()
        refused = [name for name in found.parts if name.startswith("refused: ")]
        if refused:
            why = refused[0].removeprefix("refused: ")
            if why == NO_FIRST_ANSWER:
                raise SourceTimeout(
                    f"websocket: expected an answer within {target.timeout_s:g} s, got none; see "
                    "websocket.first_message and websocket.expects"
                )
            kind = SourceRefused if why in ("401", "403") else SourceUnreachable
            raise kind(f"websocket: expected a handshake, got {why}")
        if found.parts.get(WRONG_ANSWER_TEXT):
            raise SourceMisread(
                f"websocket: expected an answer with websocket.expects within {target.timeout_s:g} "
                "s, got others only"
            )
        if found.bad:
            raise SourceFailed(f"websocket: the connection dropped within {open_s:g} s")
        if found.parts.get("closed early"):
            raise SourceFailed(
                f"websocket: the server closed the connection, normally, within {open_s:g} s: "
                "a checkpoint could not keep it open either"
            )
        return "opens and stays open"

    return [
        Trial(
            name="websocket",
            asked=ask,
            address=target.url,
            right=_header_remedy("websocket", target.headers),
        )
    ]
