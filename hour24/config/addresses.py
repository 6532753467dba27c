"""Where production is found, so that another one in its place is seen.

Rules of this module:

- In it is every address that evidence comes from, and what is said there to be let in or to be
  shown one's own part: organisation, project, service, database.
- Written so that a person reads it, and that nothing secret is in it: no login, no query, no
  header, no body. Of these there is a fingerprint where production.toml states them, and none
  where they come from the environment: a token may be renewed.
- Of a witness, it is the fields of role WHERE, or what the witness itself says of them.
- A part of a path that looks drawn at random may be a token, and one that tells two hooks apart:
  it has a fingerprint. Nobody finds such a text by trying, as one would find a word.
- What cannot be read without doubt is not told, not even in part.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from hour24.config.production import Endpoint, Health, Production, WebSocketTarget
from hour24.secrets import Secret
from hour24.secrets.shapes import looks_random, looks_secret
from hour24.witnesses import sections
from hour24.witnesses.port import Role, found

DIGITS = 16
UNREADABLE = "unreadable"
MIXED = re.compile(r"[A-Za-z][0-9]+[A-Za-z]|[0-9][A-Za-z]+[0-9]")
MIXED_FROM = 10
"""Characters from which on a word of letters with digits in between is nobody's choice."""


def watched(production: Production) -> dict[str, str]:
    """What is watched: place in production.toml -> address, or part, or fingerprint."""
    return dict(sorted(_places(production)))


def _places(production: Production) -> Iterator[tuple[str, str]]:
    yield from address("service.control_url", production.service.control_url)
    yield from _asked("health", production.health)
    for name, endpoint in production.endpoints.items():
        yield from _asked(f"endpoints.{name}", endpoint)
    if production.websocket is not None:
        yield from _asked("websocket", production.websocket)
    for section, (witness, at) in production.described.items():
        if witness.addresses:
            yield from found(witness.addresses)(at)
            continue
        for number, each in enumerate(at if witness.many else (at,), 1):
            place = f"{section}[{number}]" if witness.many else section
            for name, field in sections.fields_of(witness.at).items():
                if Role.WHERE in field.roles and (value := getattr(each, name)) is not None:
                    yield from _stated(f"{place}.{name}", value)


def _stated(place: str, value: Any) -> Iterator[tuple[str, str]]:
    """An address, or a part such as an organization; a secret is one whose login is a key."""
    if isinstance(value, Secret):
        yield from address(place, value.reveal(), UNREADABLE)
    elif isinstance(value, str) and "://" in value:
        yield from address(place, value)
    else:
        yield place, str(value)


def _asked(place: str, at: Health | Endpoint | WebSocketTarget) -> Iterator[tuple[str, str]]:
    yield from address(f"{place}.url", at.url)
    stated = {
        name: value if isinstance(value, str) else value.name for name, value in at.headers.items()
    }
    if stated:
        yield f"{place}.headers", fingerprint(stated)
    if isinstance(at, Endpoint) and at.body:
        yield f"{place}.body", fingerprint(at.body)


def address(place: str, url: str, doubtful: str = "") -> Iterator[tuple[str, str]]:
    """An address without its login and its query; the query has a fingerprint beside it.

    Args:
        doubtful: told where a login may end inside the path; empty: a fingerprint of the whole.
    """
    scheme, _, rest = url.partition("://")
    login, _, rest = rest.rpartition("@")
    if re.search(r"[/?#]", login):
        yield place, doubtful or fingerprint(url)
        return
    rest, _, query = rest.partition("#")[0].partition("?")
    host, *path = rest.split("/")
    shown = [f"~{fingerprint(part)}" if _is_drawn(part) else part for part in path]
    yield place, f"{scheme}://{'/'.join((host, *shown))}"
    if query:
        yield f"{place}.query", fingerprint(query)


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


def fingerprint(value: str | Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True)
    return f"sha256 {hashlib.sha256(text.encode()).hexdigest()[:DIGITS]}"
