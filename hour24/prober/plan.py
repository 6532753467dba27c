"""What is probed, how often and when, from production.toml.

Rules of this module:

- Slots are at epoch multiples of the interval, shifted by a phase computed from the probe's name:
  probers on several machines probe at the same times, and targets at different times.
- At most ``max_per_s`` requests per second and endpoint (2 by default).
- An endpoint named ``health`` with the address of the health document is not probed twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import hour24
from hour24.asking.exchange import Request
from hour24.asking.freshness import NO_CACHE
from hour24.config import Health, Production, WebSocketTarget
from hour24.probes.lines import Kind
from hour24.secrets import Secret

CONTROL_INTERVAL_S = 10.0
USER_AGENT = f"hour24/{hour24.__version__} (prober)"


@dataclass(frozen=True)
class Plan:
    """One probe.

    Args:
        name: ``health``, ``control``, ``websocket`` or the endpoint's name.
        expect: good statuses; empty: any 2xx. Every answer of the control address is good.
        health: the health document, for the health probe.
        websocket: the connections, for the WebSocket probe.
    """

    name: str
    kind: Kind
    url: str
    interval_s: float
    phase_s: float = 0.0
    timeout_s: float = 10.0
    request: Request = field(default_factory=Request)
    expect: tuple[int, ...] = ()
    health: Health | None = None
    websocket: WebSocketTarget | None = None


def plans(production: Production) -> tuple[Plan, ...]:
    """Returns the probes of a production, health first."""
    health = production.health
    interval = production.health_every_s
    found = [
        Plan(
            name="health",
            kind="health",
            url=health.url,
            interval_s=interval,
            phase_s=phase_s("health", interval),
            timeout_s=health.timeout_s,
            request=Request(
                headers=headers(health.headers, "application/json, */*") | _no_cache_headers(health)
            ),
            health=health,
        )
    ]
    for name, endpoint in production.endpoints.items():
        if production.is_health(endpoint):
            continue
        interval = production.probed_every_s(endpoint)
        found.append(
            Plan(
                name=name,
                kind="endpoint",
                url=endpoint.url,
                interval_s=interval,
                phase_s=phase_s(name, interval),
                timeout_s=endpoint.timeout_s,
                request=Request(
                    endpoint.method, headers(endpoint.headers), endpoint.body.encode("utf-8")
                ),
                expect=endpoint.expect_status,
            )
        )
    interval = max(CONTROL_INTERVAL_S, health.interval_s)
    found.append(
        Plan(
            name="control",
            kind="control",
            url=production.service.control_url,
            interval_s=interval,
            phase_s=phase_s("control", interval),
            timeout_s=min(10.0, health.timeout_s),
            request=Request(headers=headers({})),
        )
    )
    if production.websocket is not None:
        found.append(
            Plan(
                name="websocket",
                kind="websocket",
                url=production.websocket.url,
                interval_s=60.0,
                timeout_s=production.websocket.timeout_s,
                websocket=production.websocket,
            )
        )
    return tuple(found)


def _no_cache_headers(health: Health) -> dict[str, str]:
    """Returns headers that bypass caches, unless production.toml sets them."""
    own = {name.lower() for name in health.headers}
    return {name: value for name, value in NO_CACHE.items() if name.lower() not in own}


def phase_s(name: str, interval_s: float) -> float:
    """Returns a phase within the interval that depends only on the name, in whole milliseconds."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return int(number / 2**32 * interval_s * 1000) / 1000


def headers(own: dict[str, Secret | str], accept: str = "*/*") -> dict[str, str]:
    """Returns the headers as sent; secrets are revealed here and never printed."""
    sent = {"User-Agent": USER_AGENT, "Accept": accept, "Accept-Encoding": "identity"}
    for name, value in own.items():
        for known in [known for known in sent if known.lower() == name.lower()]:
            del sent[known]
        sent[name] = value.reveal() if isinstance(value, Secret) else value
    return sent
