"""Where a run finds production, as its ledger says it.

Rules of this module:

- A host that stands in production.toml as it is, is no secret, though it stand in an address of the
  environment as well: another alert address on it does not move production. Everything else of that
  address stays one: the whole, its login, its path, its query.
- A host that only the environment tells, a database's, is scrubbed like everything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hour24 import config
from hour24.config import Production
from hour24.secrets.redactor import Redactor

KEPT = ("http", "https", "postgres", "postgresql")
"""Schemes of addresses whose host by itself a redactor never takes for a secret."""


def place(production: Production, rehearsal: dict[str, Any] | None) -> dict[str, str]:
    """Where production is found (:func:`hour24.config.watched`), without secrets.

    Returns: nothing for a rehearsal: its servers are others every time.
    """
    if rehearsal is not None:
        return {}
    told = config.watched(production)
    in_clear = {_host(address) for where, address in told.items() if where.endswith("url")}
    found: dict[str, str] = Redactor(_secrets(production, in_clear)).plain(told)
    return found


def _secrets(production: Production, in_clear: set[str]) -> Iterator[tuple[str, str]]:
    """Every secret, but of an address on a host told in clear not the host by itself."""
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
