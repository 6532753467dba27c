"""One hash over all limits, so that a change of them during a watch is noticed.

Rules of this module:

- It covers what decides between PASS and FAIL, and which parts of production are described; of a
  witness, its fields of role LIMIT.
- It does not cover addresses, names, secrets, contacts and timeouts.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec

from hour24.config.production import Production
from hour24.config.service import Process
from hour24.witnesses import sections
from hour24.witnesses.port import Role

LIMITS = {
    "health": (
        "schema timestamp uptime instance database fresh_s retry_after_s give_up_after_s "
        "interval_s uptime_resolution_s"
    ),
    "endpoints": "method expect_status target_ms known_slow transaction",
    "websocket": "connections hold_s max_drop_ratio probe_connections probe_hold_s",
    "jobs": "pattern every_s max_gap_s",
    "memory": "metric max_share",
    "tls": "renews_itself",
    "schedule": "checkpoints tolerance_s settle_s",
}

JUDGING = ("normal", "critical", "criteria")
"""What judges answers and never asks for them."""


def limits_digest(production: Production) -> str:
    """Return the SHA-256 over every limit, 64 hexadecimal digits."""
    text = json.dumps(limits(production), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def asking_digest(production: Production) -> str:
    """Return the SHA-256 over what decides how production is asked, 64 hexadecimal digits.

    It covers the limits but the classes of errors and the criteria, which only judge answers.
    """
    asking = {name: each for name, each in limits(production).items() if name not in JUDGING}
    text = json.dumps(asking, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def limits(production: Production) -> dict[str, Any]:
    """Return every limit as plain data."""
    found: dict[str, Any] = {
        name: _of(getattr(production, name), fields.split())
        for name, fields in LIMITS.items()
        if name != "endpoints"
    }
    found["endpoints"] = {
        name: _of(endpoint, LIMITS["endpoints"].split())
        for name, endpoint in production.endpoints.items()
    }
    for section, (witness, at) in production.described.items():
        if not witness.advisory:
            limiting = [
                name
                for name, field in sections.fields_of(witness.at).items()
                if Role.LIMIT in field.roles
            ]
            many = [_of(each, limiting) for each in (at if witness.many else (at,))]
            found[section] = many if witness.many else many[0]
    health = production.health
    if health.vantages or health.vantages_needed != 1:  # as for [process] below
        found["vantages"] = _of(health, ["vantages", "vantages_needed"])
    if health.started or health.numbers_as_text:
        found["health"] |= _of(health, ["started", "numbers_as_text"]) or {}
    socket = production.websocket
    if socket is not None and socket.expects:
        found["websocket"]["expects"] = msgspec.to_builtins(socket.expects)
    if production.process != Process():  # a file without it has the digest that it always had
        found["process"] = msgspec.to_builtins(production.process)
    for name in JUDGING:
        found[name] = msgspec.to_builtins(getattr(production, name))
    for stated in found["criteria"].values():
        if not stated["advisory"]:  # as for [process] above
            del stated["advisory"]
    return found


def _of(section: Any, fields: list[str]) -> dict[str, Any] | None:
    if section is None:
        return None
    return {name: msgspec.to_builtins(getattr(section, name)) for name in fields}
