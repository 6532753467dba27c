"""The addresses of production, as its ledger records them.

Rules of this module:

- A host that production.toml states in plain text is not a secret, even if a secret address has the
  same host: a new alert address on that host does not count as moving production. The login, the
  path and the query of the secret address are redacted.
- A host that only the environment names, such as a database's, is redacted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hour24 import config
from hour24.config import Production
from hour24.secrets.redactor import Redactor

KEPT = ("http", "https", "postgres", "postgresql")
"""Schemes of addresses with a bare host that the redactor never treats as a secret."""


def addresses(production: Production) -> dict[str, str]:
    """Returns the addresses of production (:func:`hour24.config.watched`), without secrets."""
    found = config.watched(production)
    in_plain_text = {_host(address) for where, address in found.items() if where.endswith("url")}
    redacted: dict[str, str] = Redactor(_secrets(production, in_plain_text)).plain(found)
    return redacted


def _secrets(production: Production, in_plain_text: set[str]) -> Iterator[tuple[str, str]]:
    """All secrets, minus bare hostnames that production.toml states in plain text."""
    known = [(each.name, each.reveal()) for each in production.secrets]
    shared = {_host(value) for _, value in known if "://" in value} & in_plain_text - {""}
    for name, value in known:
        scheme, separator, rest = value.partition("://")
        if _without_port(value) in shared:
            continue
        if separator and _host(value) in shared and scheme not in KEPT:
            yield name, f"https://{rest}"
        else:
            yield name, value


def _host(address: str) -> str:
    """Returns the host of an address, without login and port; "" if it has none."""
    authority = re.split(r"[/?#]", address.partition("://")[2])[0]
    return _without_port(authority.rpartition("@")[2])


def _without_port(host: str) -> str:
    return re.sub(r":\d*$", "", host).lower()
