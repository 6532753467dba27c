"""Which database a connection string leads to, so that a changed one is noticed.

Rules of this module:

- The role of a login may name the database (behind a pooler): only its fingerprint is shown.
- libpq parses the connection string, as it does at login: a password may contain any character.
  A string that cannot be read without doubt is not shown, not even in part.
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
"""The parameters that say which database is meant, and their allowed characters.

Parts of a password that was not escaped would bring other characters."""


def addresses(at: DatabaseAt) -> Iterator[tuple[str, str]]:
    """Yield the database's address and the fingerprint of the role."""
    parameters = _parse_dsn(at.dsn.reveal())
    if parameters is None:
        yield "database", UNREADABLE
        return
    # not verbatim: the beginning of a connection string would be redacted as part of a secret
    yield (
        "database",
        ", ".join(f"{name} {parameters[name]}" for name in LEADS if parameters.get(name)),
    )
    if role := parameters.get("user"):
        yield "database.role", fingerprint(role)


def dsn_problem(dsn: str) -> str:
    """Return a common mistake in a connection string, or empty when there is none.

    It repeats no part of the string except parameters that are not secret.
    """
    if re.search(r"\[?YOUR[-_ ]?PASSWORD\]?", dsn, re.IGNORECASE):
        return "the placeholder [YOUR-PASSWORD] instead of the password"
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
        return "an @ in the password: write %40"
    is_host = re.fullmatch(r"[^:]*:\d{1,5}", authority)  # host and port only, no login
    if "@" not in authority and ":" in authority and "@" in rest and not is_host:
        sign = rest[len(authority)]
        return f"a {sign} in the password: write %{ord(sign):02X}"
    if re.search(r"%(?![0-9A-Fa-f]{2})", login):
        return "a % in the password: write %25"
    mode = re.search(r"[?&]sslmode=([\w-]{1,20})", rest)
    if mode and mode[1] not in SSL_MODES:
        return f"sslmode={mode[1]}, where libpq knows {', '.join(SSL_MODES)}"
    return ""


def _parse_dsn(dsn: str) -> dict[str, str] | None:
    """Return the parameters as libpq reads them; None if a password may be among them.

    libpq ends a login at the first ``@`` before a ``/``. If a password contains one of them
    unescaped, its rest would be shown as a host, a port or a name.
    """
    if not dsn:
        return {}
    from psycopg2 import Error  # here, not above: it would slow down collecting tests
    from psycopg2.extensions import parse_dsn  # parses only, does not connect

    if dsn.startswith(("postgres://", "postgresql://")):
        login = dsn.partition("://")[2].rpartition("@")[0]
        if re.search("[/@]", login):
            return None
    try:
        asked: dict[str, str] = parse_dsn(dsn)
    except (Error, ValueError):
        return None
    shown = {name: asked.get(name, "") for name in LEADS}
    plain = all(
        text.isprintable() and re.fullmatch(LEADS[name], text) for name, text in shown.items()
    )
    return asked if plain else None
