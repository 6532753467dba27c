"""Which database a connection string leads to, so that another one in its place is seen.

Rules of this module:

- The role of the login may name the database (a pooler's does): it has a fingerprint.
- A connection string is read by libpq itself, as the login reads it: a password may hold every
  character there is. What cannot be read without doubt is not told, not even in part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hour24.config.addresses import UNREADABLE, fingerprint
from hour24.witnesses.database import DatabaseAt

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
LEADS = {
    "host": r"[^\s@=?#]*",
    "hostaddr": r"[0-9A-Fa-f.:,%]*",
    "port": r"\d{0,5}(,\d{0,5})*",
    "dbname": r"[^\s@=?#:/]*",
    "service": r"[^\s@=?#:/]*",
}
"""What of a connection string says which database is meant, and what it may look like.

A password that was not escaped would stand there with other characters."""


def addresses(at: DatabaseAt) -> Iterator[tuple[str, str]]:
    """Which database a connection string leads to, in either of its two forms."""
    asked = _read(at.dsn.reveal())
    if asked is None:
        yield "database", UNREADABLE
        return
    # not as it stands there: what a connection string begins with is scrubbed as its head
    yield "database", ", ".join(f"{name} {asked[name]}" for name in LEADS if asked.get(name))
    if role := asked.get("user"):
        yield "database.role", fingerprint(role)


def miswritten(dsn: str) -> str:
    """What keeps a connection string from meaning what its owner meant; empty when nothing does.

    It repeats no part of it but a parameter's name or value that is no secret.
    """
    if re.search(r"\[?YOUR[-_ ]?PASSWORD\]?", dsn, re.IGNORECASE):
        return "the placeholder [YOUR-PASSWORD], which stands for the password"
    if dsn[:1] in "\"'" and dsn[:1]:
        return "quotes around it, which belong to a shell"
    if dsn.startswith("jdbc:"):
        return "JDBC's form: write postgresql://role:password@host:5432/database"
    driver = re.match(r"(postgres(?:ql)?\+\w+)://", dsn)
    if driver:
        return f"another driver's scheme {driver[1]}: write postgresql://"
    if not dsn.startswith(("postgres://", "postgresql://")):
        return ""
    rest = dsn.partition("://")[2]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    login = authority.rpartition("@")[0]
    if "@" in login:
        return "a password that holds @, to be written %40"
    is_place = re.fullmatch(r"[^:]*:\d{1,5}", authority)  # a host and a port: no login at all
    if "@" not in authority and ":" in authority and "@" in rest and not is_place:
        sign = rest[len(authority)]
        return f"a password that holds {sign}, to be written %{ord(sign):02X}"
    if re.search(r"%(?![0-9A-Fa-f]{2})", login):
        return "a password that holds %, to be written %25"
    mode = re.search(r"[?&]sslmode=([\w-]{1,20})", rest)
    if mode and mode[1] not in SSL_MODES:
        return f"sslmode={mode[1]}, where libpq knows {', '.join(SSL_MODES)}"
    return ""


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
