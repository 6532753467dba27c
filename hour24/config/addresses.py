"""The addresses of production, so that a change of them during a watch is noticed.

Rules of this module:

- They are every address that evidence comes from, and the names that select data there:
  organisation, project, service, database.
- They are readable and contain no secret: no login, query, header or body. Those have a fingerprint
  if production.toml states them, and none if they come from the environment: a token may be
  renewed.
- For a witness, they are the fields of role WHERE, or what the witness itself returns.
- A random part of a path may be a token, and may distinguish two hooks: it has a fingerprint. Such
  text is too long to be guessed from it.
- An ambiguous address is not stored, not even in part.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from hour24.config.production import Production
from hour24.config.service import Endpoint, Health, WebSocketTarget
from hour24.secrets import Secret
from hour24.secrets.shapes import looks_random, looks_secret
from hour24.witnesses import sections
from hour24.witnesses.port import Role, import_lazy

DIGITS = 16
UNREADABLE = "unreadable"
MIXED = re.compile(r"[A-Za-z][0-9]+[A-Za-z]|[0-9][A-Za-z]+[0-9]")
MIXED_FROM = 10
"""Length from which a word that mixes letters and digits counts as random."""


def watched(production: Production) -> dict[str, str]:
    """Return path in production.toml -> address, name or fingerprint."""
    return dict(sorted(_addresses(production)))


def _addresses(production: Production) -> Iterator[tuple[str, str]]:
    yield from address("service.control_url", production.service.control_url)
    yield from _of_request("health", production.health)
    for name, endpoint in production.endpoints.items():
        yield from _of_request(f"endpoints.{name}", endpoint)
    if production.websocket is not None:
        yield from _of_request("websocket", production.websocket)
    for number, url in enumerate(production.tls.addresses, 1):
        yield from address(f"tls.addresses[{number}]", url)
    for section, (witness, at) in production.described.items():
        if witness.addresses:
            yield from import_lazy(witness.addresses)(at)
            continue
        for number, each in enumerate(at if witness.many else (at,), 1):
            key_path = f"{section}[{number}]" if witness.many else section
            for name, field in sections.fields_of(witness.at).items():
                if Role.WHERE in field.roles and (value := getattr(each, name)) is not None:
                    yield from _of_field(f"{key_path}.{name}", value)


def _of_field(key_path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield an address, or a name such as an organization; a secret is a DSN."""
    if isinstance(value, Secret):
        yield from address(key_path, value.reveal(), UNREADABLE)
    elif isinstance(value, str) and "://" in value:
        yield from address(key_path, value)
    else:
        yield key_path, str(value)


def _of_request(
    key_path: str, at: Health | Endpoint | WebSocketTarget
) -> Iterator[tuple[str, str]]:
    yield from address(f"{key_path}.url", at.url)
    stated = {
        name: value if isinstance(value, str) else value.name for name, value in at.headers.items()
    }
    if stated:
        yield f"{key_path}.headers", fingerprint(stated)
    if isinstance(at, Endpoint) and at.body:
        yield f"{key_path}.body", fingerprint(at.body)


def address(key_path: str, url: str, doubtful: str = "") -> Iterator[tuple[str, str]]:
    """Yield an address without login and query; the query has its own fingerprint.

    Args:
        doubtful: returned when a login may end inside the path; empty: a fingerprint of the whole.
    """
    scheme, _, rest = url.partition("://")
    login, _, rest = rest.rpartition("@")
    if re.search(r"[/?#]", login):
        yield key_path, doubtful or fingerprint(url)
        return
    rest, _, query = rest.partition("#")[0].partition("?")
    host, *path = rest.split("/")
    shown = [f"~{fingerprint(part)}" if _is_random(part) else part for part in path]
    yield key_path, f"{scheme}://{'/'.join((host, *shown))}"
    if query:
        yield f"{key_path}.query", fingerprint(query)


def _is_random(part: str) -> bool:
    """Return whether a part of a path looks random, as a token does.

    Its fingerprint may be stored: there are too many such texts to try them all.
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
