"""What a PostgreSQL's error means, by its SQLSTATE, or by its words where there is none.

Rules of this module:

- libpq tells no SQLSTATE of a login that failed: its words are read, the server's and those of
  poolers in front of it.
- A refused login speaks of role, password or database; a refused address speaks of where we are,
  which changes from one machine to the next.
- An error text of ours never repeats a connection string, nor the server's own words, in which
  user, host and statement stand.

Source: PostgreSQL, Appendix A; the messages of PgBouncer and Supavisor.
"""

from __future__ import annotations

import re

from hour24.errors import (
    SourceError,
    SourceFailed,
    SourceLacks,
    SourceMisread,
    SourceRefused,
    SourceTimeout,
    SourceUnreachable,
)


class LoginRefused(SourceRefused):
    """The server, or the pooler before it, answered and refused the login."""

    code = "login_refused"


class TooManyConnections(SourceRefused):
    """The server answered that every connection is taken."""

    code = "too_many_connections"


class NotAccepting(SourceFailed):
    """The server answered that it is starting, stopping or recovering."""

    code = "not_accepting"


class UpstreamDown(SourceFailed):
    """The pooler answered that it cannot reach the database behind it."""

    code = "upstream_down"


_WORDS: tuple[tuple[str, type[SourceError], str], ...] = (
    # a pooler's, before the server's: some hold the server's words inside
    (
        r"circuit ?breaker|too many authentication errors",
        LoginRefused,
        "expected the login to be accepted, got the pooler blocking logins after failed ones: "
        "correct the password, then wait some minutes",
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
        "expected to be let in, got a secure connection asked for: add sslmode=require",
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
        "expected our address to be let in, got it refused",
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
        "expected its host name to be known, got no address",
    ),
    (
        r"Network is unreachable|No route to host|Cannot assign requested address",
        SourceUnreachable,
        "expected a way to its host, got none; some platforms' direct address is IPv6 only",
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
        "expected a secure connection, got none agreed on; see sslmode",
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
    ("55P03", SourceTimeout, "expected an answer in time, got a lock that is not to be had"),
    ("25P", SourceTimeout, "expected an answer in time, got the transaction ended"),
    ("42501", SourceRefused, "expected our role to have the right to read it, got it denied"),
    ("55000", SourceLacks, "expected it to be loaded, got it installed only"),
    ("0A", SourceLacks, "expected it to be there, got it not supported"),
    ("42", SourceLacks, "expected it to be there, got a server without it"),
    ("3F", SourceLacks, "expected its schema to be there, got none"),
    ("08", SourceUnreachable, "expected an answer, got the connection cut off"),
    ("53", SourceFailed, "expected an answer, got a server short of memory or disk"),
)


def of_login(words: str) -> tuple[type[SourceError], str]:
    """The kind of error that libpq's words tell of, and how we say it."""
    for pattern, kind, told in _WORDS:
        if re.search(pattern, words, re.IGNORECASE):
            return kind, told
    if "FATAL" in words:
        return SourceRefused, "expected the login to be accepted, got another refusal"
    return SourceUnreachable, "expected a connection, got none"


def of_state(state: str | None, words: str) -> tuple[type[SourceError], str]:
    """The kind of error that a statement's SQLSTATE tells of, and how we say it."""
    if not state:
        kind, told = of_login(words)
        lost = kind in (SourceUnreachable, SourceRefused)
        return (
            (SourceUnreachable, "expected an answer, got the connection cut off")
            if lost
            else (
                kind,
                told,
            )
        )
    for begin, kind, told in _STATES:
        if state.startswith(begin):
            return kind, f"{told} (SQLSTATE {state})"
    return SourceFailed, f"expected an answer, got an error (SQLSTATE {state})"
