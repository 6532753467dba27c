"""Translates PostgreSQL's errors, by SQLSTATE or, without one, by their text.

Rules of this module:

- libpq gives no SQLSTATE for a failed login, so its text is read: the server's, or that of a
  pooler in front of it.
- A refused login is about role, password or database. A refused address is about this machine,
  and may differ on the next one.
- Our error texts never repeat a connection string, nor the server's own text, which contains user,
  host and statement.

Source: PostgreSQL, Appendix A; the messages of PgBouncer and Supavisor.
"""

from __future__ import annotations

import re
from functools import cache

from hour24.errors import (
    SourceError,
    SourceFailed,
    SourceLacks,
    SourceMisread,
    SourceRefused,
    SourceTimeout,
    SourceUnreachable,
)
from hour24.linear import shipped


class LoginRefused(SourceRefused):
    """The server, or a pooler in front of it, refused the login."""

    code = "login_refused"


class TooManyConnections(SourceRefused):
    """The server has no free connection."""

    code = "too_many_connections"


class NotAccepting(SourceFailed):
    """The server is starting, stopping or recovering."""

    code = "not_accepting"


class UpstreamDown(SourceFailed):
    """The pooler cannot reach the database behind it."""

    code = "upstream_down"


LONGEST = 4_000
"""Characters of a message that are read; the reason is at its beginning."""
_WORDS: tuple[tuple[str, type[SourceError], str], ...] = (
    # poolers first: some of their messages quote the server's
    (
        r"circuit ?breaker|too many authentication errors",
        LoginRefused,
        "expected the login to be accepted, got the pooler blocking logins after failed ones: "
        "correct the password, then wait a few minutes",
    ),
    (
        r"EAUTHQUERY|authentication query failed|server login has been failing"
        r"|server_login_retry|cannot connect to server|client_login_timeout|DbHandler exited"
        r"|db_termination|connection to database not available",
        UpstreamDown,
        "expected the pooler to reach its database, got the database behind it down",
    ),
    (
        r"ECHECKOUTTIMEOUT|unable to check out connection|query_wait_timeout|pool size limit"
        r"|max clients (are )?(limited|reached)|EMAXCONN|MaxClientsInSessionMode",
        TooManyConnections,
        "expected a free connection of the pooler, got all of its pool taken: raise the pool's "
        "size or close sessions",
    ),
    (
        r"unsupported startup parameter",
        SourceMisread,
        "expected our connection's parameters to be accepted, got one refused by the pooler: "
        "remove it from the connection string, or add it to ignore_startup_parameters",
    ),
    (
        r"endpoint is in transition|control plane request failed",
        NotAccepting,
        "expected it to accept connections, got its platform still starting it",
    ),
    (
        r"(endpoint|compute) (has been |is )?(disabled|suspended)",
        SourceRefused,
        "expected a running database, got it disabled by its owner: enable it at its platform",
    ),
    (
        r"exceeded the .{0,40}quota|quota exceeded",
        SourceRefused,
        "expected a running database, got the platform's quota used up: raise it there",
    ),
    (
        r"project is paused|is paused",
        SourceRefused,
        "expected a running database, got its project paused: restore it at its platform",
    ),
    (
        r"authentication method requirement|channel binding required",
        SourceRefused,
        "expected the server to take our password by scram-sha-256, got another method asked for: "
        "set password_encryption = 'scram-sha-256' there and the role's password again, or state "
        "require_auth=md5 (password, none) in the connection string if you trust the way to it",
    ),
    (
        r"password is required",
        LoginRefused,
        "expected the login to be accepted, got no password in the connection string",
    ),
    (
        r"ETENANTNOTFOUND|ENOTFOUND|Tenant not found|Tenant or user not found"
        r"|tenant/user \S+ not found",
        LoginRefused,
        "expected the login to be accepted, got its role unknown to the pooler: behind one, the "
        "role names the project (role.project), and a paused project is not found",
    ),
    (
        r"SSL (connection is )?required",
        SourceRefused,
        "expected the login to be accepted, got a demand for TLS: add sslmode=require",
    ),
    (
        r"password authentication failed|SASL authentication failed|Wrong password|no password "
        r"supplied|authentication failed",
        LoginRefused,
        "expected the login to be accepted, got its password refused",
    ),
    (
        r"no pg_hba\.conf entry|pg_hba\.conf rejects|address not in tenant allow_list",
        SourceRefused,
        "expected our address to be allowed, got it refused",
    ),
    (
        r"is not permitted to log in",
        LoginRefused,
        "expected the login to be accepted, got its role refused",
    ),
    (
        r"role \S+ does not exist|no such user",
        LoginRefused,
        "expected the login to be accepted, got its role unknown",
    ),
    (
        r"database \S+ does not exist|no such database",
        LoginRefused,
        "expected the login to be accepted, got its database unknown",
    ),
    (
        r"too many clients|remaining connection slots|too many connections|no more connections "
        r"allowed|max clients? (connections )?reached|Max client connections|EMAXCONN",
        TooManyConnections,
        "expected a free connection, got all of them taken",
    ),
    (
        r"is starting up|is shutting down|in recovery mode|not yet accepting|not accepting "
        r"connections|terminating connection due to administrator",
        NotAccepting,
        "expected it to accept connections, got starting, stopping or recovering",
    ),
    (
        r"could not translate host name|Name or service not known|nodename nor servname"
        r"|Temporary failure in name",
        SourceUnreachable,
        "expected its host name to resolve, got no address",
    ),
    (
        r"Network is unreachable|No route to host|Cannot assign requested address",
        SourceUnreachable,
        "expected a route to its host, got none; some platforms' direct address is IPv6 only",
    ),
    (r"Connection refused", SourceUnreachable, "expected a connection, got it refused"),
    (r"timeout expired|timed out", SourceUnreachable, "expected a connection, got no answer"),
    (
        r"closed the connection|Connection reset|EOF detected|Broken pipe|lost synchronization"
        r"|unexpected(ly)? closed|connection not open|terminated abnormally",
        SourceUnreachable,
        "expected an answer, got the connection cut off",
    ),
    (
        r"SSL|certificate|GSSAPI",
        SourceRefused,
        "expected a TLS connection, got none; check sslmode",
    ),
    (
        r"unexpected response|expected authentication request|received invalid response"
        r"|invalid (message|response)|protocol",
        SourceMisread,
        "expected PostgreSQL's protocol, got something else",
    ),
)
_STATES: tuple[tuple[str, type[SourceError], str], ...] = (
    ("28", LoginRefused, "expected the login to be accepted, got it refused"),
    ("3D000", LoginRefused, "expected the login to be accepted, got its database unknown"),
    ("53300", TooManyConnections, "expected a free connection, got all of them taken"),
    (
        "57P",
        NotAccepting,
        "expected it to accept connections, got starting, stopping or recovering",
    ),
    ("57014", SourceTimeout, "expected an answer in time, got the statement cancelled"),
    ("55P03", SourceTimeout, "expected an answer in time, got a lock wait that was cancelled"),
    ("25P", SourceTimeout, "expected an answer in time, got the transaction terminated"),
    ("42501", SourceRefused, "expected our role to be allowed to read it, got permission denied"),
    ("55000", SourceLacks, "expected it to be loaded, got it installed but not loaded"),
    ("0A", SourceLacks, "expected a supported feature, got one the server does not support"),
    ("42", SourceLacks, "expected it to exist, got a server without it"),
    ("3F", SourceLacks, "expected its schema to exist, got none"),
    ("08", SourceUnreachable, "expected an answer, got the connection cut off"),
    ("53", SourceFailed, "expected an answer, got a server short of memory or disk"),
)


@cache
def _patterns() -> list[tuple[re.Pattern[str], type[SourceError], str]]:
    """Return the patterns compiled, which takes some milliseconds and is needed after a failure."""
    return [
        (shipped(pattern, re.IGNORECASE, longest=LONGEST), kind, message)
        for pattern, kind, message in _WORDS
    ]


def explain_login_failure(words: str) -> tuple[type[SourceError], str]:
    """Return the error and our message for the text of a failed login."""
    for pattern, kind, message in _patterns():
        if pattern.search(words[:LONGEST]):
            return kind, message
    if "FATAL" in words:
        return SourceRefused, "expected the login to be accepted, got another refusal"
    return SourceUnreachable, "expected a connection, got none"


def explain_sqlstate(state: str | None, words: str) -> tuple[type[SourceError], str]:
    """Return the error and our message for a failed statement."""
    if not state:
        kind, message = explain_login_failure(words)
        lost = kind in (SourceUnreachable, SourceRefused)
        return (
            (SourceUnreachable, "expected an answer, got the connection cut off")
            if lost
            else (
                kind,
                message,
            )
        )
    for begin, kind, message in _STATES:
        if state.startswith(begin):
            return kind, f"{message} (SQLSTATE {state})"
    return SourceFailed, f"expected an answer, got an error (SQLSTATE {state})"
