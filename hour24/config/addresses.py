"""Where production is found, so that another one in its place is seen.

Rules of this module:

- In it is every address that evidence comes from, and what is said there to be let in or to be
  shown one's own part: organisation, project, service, database.
- Written so that a person reads it, and that nothing secret is in it: no login, no query, no
  header, no body. Of these there is a fingerprint where production.toml states them, and none
  where they come from the environment: a token may be renewed.
- The role of the database's login may name the database (a pooler's does): it has a fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from hour24.config.production import Endpoint, Health, Production, WebSocketTarget

DIGITS = 16
DSN = re.compile(r"(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S+))")
LEADS = ("host", "hostaddr", "port", "dbname", "service")
"""What of a connection string says which database is meant."""


def watched(production: Production) -> dict[str, str]:
    """What is watched: place in production.toml -> address, or part, or fingerprint."""
    return dict(sorted(_places(production)))


def _places(production: Production) -> Iterator[tuple[str, str]]:
    yield from _address("service.control_url", production.service.control_url)
    yield from _asked("health", production.health)
    for name, endpoint in production.endpoints.items():
        yield from _asked(f"endpoints.{name}", endpoint)
    if production.websocket is not None:
        yield from _asked("websocket", production.websocket)
    if (sentry := production.sentry) is not None:
        yield from _address("sentry.url", sentry.url)
        yield "sentry.organization", sentry.organization
        yield "sentry.project", sentry.project
        if sentry.dsn is not None:
            yield from _address("sentry.dsn", sentry.dsn.reveal())
    if (render := production.render) is not None:
        yield from _address("render.url", render.url)
        yield "render.service", render.service
        yield "render.owner", render.owner
    if (supabase := production.supabase) is not None:
        yield from _address("supabase.url", supabase.url)
        yield "supabase.project_ref", supabase.project_ref
    if production.database is not None:
        yield from _database(production.database.dsn.reveal())


def _asked(place: str, at: Health | Endpoint | WebSocketTarget) -> Iterator[tuple[str, str]]:
    yield from _address(f"{place}.url", at.url)
    stated = {
        name: value if isinstance(value, str) else value.name for name, value in at.headers.items()
    }
    if stated:
        yield f"{place}.headers", _fingerprint(stated)
    if isinstance(at, Endpoint) and at.body:
        yield f"{place}.body", _fingerprint(at.body)


def _address(place: str, url: str) -> Iterator[tuple[str, str]]:
    """An address without its login and its query; the query has a fingerprint beside it."""
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("#")[0].partition("?")
    host, slash, path = rest.partition("/")
    yield place, f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
    if query:
        yield f"{place}.query", _fingerprint(query)


def _database(dsn: str) -> Iterator[tuple[str, str]]:
    """Which database a connection string leads to, in either of its two forms."""
    if "://" in dsn:
        parts = urlsplit(dsn)
        login, _, hosts = parts.netloc.rpartition("@")
        role = unquote(login.partition(":")[0])
        asked = dict(parse_qsl(parts.query))
        lead = hosts + parts.path
    else:
        asked = {name: quoted or plain for name, quoted, plain in DSN.findall(dsn)}
        role, lead = "", ""
    named = " ".join(f"{name}={asked[name]}" for name in LEADS if name in asked)
    yield "database", " ".join(filter(None, (lead, named)))
    if role := asked.get("user", role):
        yield "database.role", _fingerprint(role)


def _fingerprint(value: str | Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True)
    return f"sha256 {hashlib.sha256(text.encode()).hexdigest()[:DIGITS]}"
