"""The certificates of the service's addresses, as a client that checks them sees them.

Rules of this module:

- One handshake for each host and port; no request is sent. The chain and the host are checked
  against the roots of this machine, those of the HTTP library, and those that [tls] adds.
- A refused certificate is the server's; a connection that does not come about, and a handshake that
  ends otherwise, say nothing about the certificate. Both are tried again.
- The control address is asked too, where it is https: if its certificate is refused for the same
  reason, the reason is on this machine.
- Only the server's own certificate has dates here; those of its issuers are checked as of now.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from hour24.clock import Clock
from hour24.config import Production
from hour24.evidence import Attempt, Listing, Question
from hour24.text import one_line

TRIES = 3
WAIT_S = 1.0
TIMEOUT_S = 10.0
CONTROL = "control"
PORTS = {"https": 443, "wss": 443}
PROBLEMS = {
    9: "not_yet_valid",
    10: "expired",
    62: "wrong_host",
    64: "wrong_host",
}
"""OpenSSL's reasons; every other one is a chain that leads to no known root."""


class Asked(Struct, frozen=True):
    """A host and port, and the keys of production.toml that lead to it."""

    host: str
    port: int
    names: tuple[str, ...]


def addresses(production: Production) -> list[Asked]:
    """Return each host and port of the service that is reached by TLS, with its keys."""
    stated = {"health": production.health.url}
    stated |= {f"endpoints.{name}": each.url for name, each in production.endpoints.items()}
    if production.websocket is not None:
        stated["websocket"] = production.websocket.url
    stated |= {f"tls.addresses[{n}]": url for n, url in enumerate(production.tls.addresses, 1)}
    return _grouped(stated)


def _grouped(stated: Mapping[str, str]) -> list[Asked]:
    found: dict[tuple[str, int], list[str]] = {}
    for name, url in stated.items():
        parts = urlsplit(url)
        if parts.scheme in PORTS and parts.hostname:
            found.setdefault((parts.hostname, parts.port or PORTS[parts.scheme]), []).append(name)
    return [Asked(host, port, tuple(names)) for (host, port), names in found.items()]


def certificates(production: Production, clock: Clock) -> Listing:
    """Return what a handshake with each address showed.

    Returns: ``{address, of, problem, says, not_before, not_after, issuer, at}``; ``problem`` is
        empty for a valid certificate.
    """
    at = clock.now()
    asked = [*addresses(production), *_grouped({CONTROL: production.service.control_url})]
    attempts: list[Attempt] = []
    items = tuple(_ask(each, production.tls.ca, clock, attempts) for each in asked)
    return Listing(
        question=Question(
            source="tls",
            asked="\n".join(f"TLS handshake with {each.host}:{each.port}" for each in asked),
            at=at,
            attempts=tuple(attempts),
        ),
        what="certificates",
        items=items,
        seen=len(items),
    )


def _ask(asked: Asked, ca: str, clock: Clock, attempts: list[Attempt]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number in range(TRIES):
        at = clock.now()
        found = _handshake(asked.host, asked.port, ca, at)
        result = found["problem"] or "ok"
        attempts.append(Attempt(at=at, took_ms=0.0, result=f"{asked.host}: {result}"))
        if found["problem"] not in ("unreachable", "not_taken"):
            break
        if number + 1 < TRIES:
            clock.sleep(WAIT_S)
    return {"address": f"{asked.host}:{asked.port}", "of": ", ".join(asked.names), **found}


def _handshake(host: str, port: int, ca: str, at: datetime) -> dict[str, Any]:
    found: dict[str, Any] = {
        "problem": "",
        "says": "",
        "not_before": None,
        "not_after": None,
        "issuer": "",
        "at": at.timestamp(),
    }
    try:
        context = _context(ca)
        with (
            socket.create_connection((host, port), timeout=TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            certificate = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as problem:
        kind = PROBLEMS.get(problem.verify_code, "untrusted")
        return {**found, "problem": kind, "says": one_line(problem.verify_message, 200)}
    except ssl.SSLError as problem:
        return {**found, "problem": "not_taken", "says": one_line(problem.reason or problem, 200)}
    except OSError as problem:
        says = problem.strerror or type(problem).__name__
        return {**found, "problem": "unreachable", "says": one_line(says, 200)}
    return {
        **found,
        "not_before": float(ssl.cert_time_to_seconds(str(certificate["notBefore"]))),
        "not_after": float(ssl.cert_time_to_seconds(str(certificate["notAfter"]))),
        "issuer": _name(certificate.get("issuer", ())),  # type: ignore[arg-type]
    }


def _context(ca: str) -> ssl.SSLContext:
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(cafile=certifi.where())
    if ca:
        context.load_verify_locations(cafile=ca)
    return context


def _name(parts: Sequence[Sequence[tuple[str, str]]]) -> str:
    fields = {key: value for part in parts for key, value in part}
    return one_line(fields.get("organizationName") or fields.get("commonName") or "", 100)
