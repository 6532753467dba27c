"""Where production is found, so that another one in its place is seen.

Rules of this module:

- In it is every address that evidence comes from, and what is said there to be let in or to be
  shown one's own part: organisation, project, service, database.
- Written so that a person reads it, and that nothing secret is in it: no login, no query, no
  header, no body. Of these there is a fingerprint where production.toml states them, and none
  where they come from the environment: a token may be renewed.
- The role of the database's login may name the database (a pooler's does): it has a fingerprint.
- A part of a path that looks drawn at random may be a token, and one that tells two hooks apart:
  it has a fingerprint. Nobody finds such a text by trying, as one would find a word.
- A connection string is read by libpq itself, as the login reads it: a password may hold every
  character there is. What cannot be read without doubt is not told, not even in part.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from hour24.config.production import Endpoint, Health, Production, WebSocketTarget
from hour24.secrets.shapes import looks_random, looks_secret

DIGITS = 16
UNREADABLE = "unreadable"
LEADS = {
    "host": r"[^\s@=?#]*",
    "hostaddr": r"[0-9A-Fa-f.:,%]*",
    "port": r"\d{0,5}(,\d{0,5})*",
    "dbname": r"[^\s@=?#:/]*",
    "service": r"[^\s@=?#:/]*",
}
"""What of a connection string says which database is meant, and what it may look like.

A password that was not escaped would stand there with other characters."""
MIXED = re.compile(r"[A-Za-z][0-9]+[A-Za-z]|[0-9][A-Za-z]+[0-9]")
MIXED_FROM = 10
"""Characters from which on a word of letters with digits in between is nobody's choice."""


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
            yield from _address("sentry.dsn", sentry.dsn.reveal(), UNREADABLE)
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


def _address(place: str, url: str, doubtful: str = "") -> Iterator[tuple[str, str]]:
    """An address without its login and its query; the query has a fingerprint beside it.

    Args:
        doubtful: told where a login may end inside the path; empty: a fingerprint of the whole.
    """
    scheme, _, rest = url.partition("://")
    login, _, rest = rest.rpartition("@")
    if re.search(r"[/?#]", login):
        yield place, doubtful or _fingerprint(url)
        return
    rest, _, query = rest.partition("#")[0].partition("?")
    host, *path = rest.split("/")
    shown = [f"~{_fingerprint(part)}" if _is_drawn(part) else part for part in path]
    yield place, f"{scheme}://{'/'.join((host, *shown))}"
    if query:
        yield f"{place}.query", _fingerprint(query)


def _is_drawn(part: str) -> bool:
    """Whether a part of a path looks drawn at random, as a token is.

    Its fingerprint may then be told: there are too many such texts to try them all.
    """
    text = unquote(part)
    return (
        looks_secret(text)
        or any(looks_random(run) for run in re.findall(r"[A-Za-z0-9+=_.~-]+", text))
        or any(
            len(word) >= MIXED_FROM and MIXED.search(word) is not None
            for word in re.findall(r"[A-Za-z0-9]+", text)
        )
    )


def _database(dsn: str) -> Iterator[tuple[str, str]]:
    """Which database a connection string leads to, in either of its two forms."""
    asked = _read(dsn)
    if asked is None:
        yield "database", UNREADABLE
        return
    # not as it stands there: what a connection string begins with is scrubbed as its head
    yield "database", ", ".join(f"{name} {asked[name]}" for name in LEADS if asked.get(name))
    if role := asked.get("user"):
        yield "database.role", _fingerprint(role)


def _read(dsn: str) -> dict[str, str] | None:
    """What a connection string says, as libpq reads it; None where that may not be what it means.

    libpq ends a login at the first ``@`` before a ``/``. Where a password holds one of them as it
    is, its rest would be told as a host, a port or a name.
    """
    if not dsn:
        return {}
    from psycopg2 import Error  # late: listing what is due must be quick
    from psycopg2.extensions import parse_dsn  # it reads, and connects to nothing

    if dsn.startswith(("postgres://", "postgresql://")):
        login = dsn.partition("://")[2].rpartition("@")[0]
        if re.search("[/@]", login):
            return None
    try:
        asked: dict[str, str] = parse_dsn(dsn)
    except (Error, ValueError):
        return None
    told = {name: asked.get(name, "") for name in LEADS}
    plain = all(
        text.isprintable() and re.fullmatch(LEADS[name], text) for name, text in told.items()
    )
    return asked if plain else None


def _fingerprint(value: str | Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True)
    return f"sha256 {hashlib.sha256(text.encode()).hexdigest()[:DIGITS]}"
