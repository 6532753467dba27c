"""Where production is found, as its ledger records it.

Rules of this module:

- A host that production.toml states in plain text is not a secret, even when an address of the
  environment has it too: another alert address on that host does not move production. The rest of
  that address stays secret: its login, its path, its query.
- A host that only the environment names, such as a database's, is redacted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hour24 import config
from hour24.config import Production
from hour24.secrets.redactor import Redactor

KEPT = ("http", "https", "postgres", "postgresql")
"""Schemes of addresses whose host by itself a redactor never takes for a secret."""


def addresses(production: Production) -> dict[str, str]:
    """Where production is found (:func:`hour24.config.watched`), without secrets."""
    found = config.watched(production)
    in_clear = {_host(address) for where, address in found.items() if where.endswith("url")}
    redacted: dict[str, str] = Redactor(_secrets(production, in_clear)).plain(found)
    return redacted


def _secrets(production: Production, in_clear: set[str]) -> Iterator[tuple[str, str]]:
    """All secrets, minus bare hostnames that production.toml states in plain text."""
    known = [(each.name, each.reveal()) for each in production.secrets]
    shared = {_host(value) for _, value in known if "://" in value} & in_clear - {""}
    for name, value in known:
        scheme, apart, rest = value.partition("://")
        if _named(value) in shared:
            continue
        if apart and _host(value) in shared and scheme not in KEPT:
            yield name, f"https://{rest}"
        else:
            yield name, value


def _host(address: str) -> str:
    """The host of an address, without its login and its port; empty where there is none."""
    authority = re.split(r"[/?#]", address.partition("://")[2])[0]
    return _named(authority.rpartition("@")[2])


def _named(host: str) -> str:
    return re.sub(r":\d*$", "", host).lower()
