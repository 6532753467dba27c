"""What goes wrong in the story: kinds of errors, as Sentry and the logs tell of them.

Rules of this room:

- A kind with ``first_h`` far before T0 is an old acquaintance; the healthy story knows only
  kinds that production.toml calls normal.
- A failed request, its Sentry event and its log line are one happening, told three times.
"""

from __future__ import annotations

from msgspec import Struct


class Kind(Struct, frozen=True, kw_only=True):
    """A kind of error.

    Args:
        key: its name in the story.
        type, value: as in an exception; ``{n}`` becomes a number, ``{id}`` an id.
        culprit: where.
        level: Sentry's.
        status: HTTP status of the request it failed; 0 when it failed none.
        line: the log line; empty when it leaves none.
        line_level: of that line.
        first_h: when Sentry first saw it, hours since T0; a fault's kind begins with its fault.
        unhandled: whether nobody caught it.
        per_hour: how often it happens by itself, beside the requests it fails.
        fault: the fault that brings it; empty: it is always there.
    """

    key: str
    type: str
    value: str
    culprit: str
    level: str = "error"
    status: int = 0
    line: str = ""
    line_level: str = "error"
    first_h: float = -700.0
    unhandled: bool = False
    per_hour: float = 0.0
    fault: str = ""

    @property
    def title(self) -> str:
        return f"{self.type}: {self.value}"


KINDS: dict[str, Kind] = {
    kind.key: kind
    for kind in (
        Kind(
            key="vapi",
            type="VapiTimeoutError",
            value="Vapi API timeout after 20000 ms",
            culprit="POST /api/calls",
            status=504,
            line="ERROR calls: Vapi API timeout after 20000 ms, call {id}",
            first_h=-812.4,
        ),
        Kind(
            key="reset",
            type="OperationalError",
            value="connection reset by database, retried once",
            culprit="jobs.sync_calls",
            status=500,
            line="ERROR db: connection reset by database, retried once, request {id}",
            first_h=-1430.0,
        ),
        Kind(
            key="missing",
            type="NotFoundError",
            value="404 Not Found: unknown route",
            culprit="router.dispatch",
            level="warning",
            line="INFO router: 404 Not Found: unknown route /wp-{n}.php",
            line_level="info",
            first_h=-2010.7,
            per_hour=2.0,
        ),
        Kind(
            key="limited",
            type="RateLimitError",
            value="429 Too Many Requests: rate limit of the plan",
            culprit="POST /api/webhooks/vapi",
            level="warning",
            line="INFO limiter: 429 Too Many Requests, tenant {n}",
            line_level="info",
            first_h=-955.1,
            per_hour=1.0,
        ),
        Kind(
            key="spike",
            type="TypeError",
            value="Cannot read properties of undefined (reading 'assistantId')",
            culprit="POST /api/calls",
            status=500,
            line="ERROR calls: TypeError: Cannot read properties of undefined (reading "
            "'assistantId'), call {id}",
            unhandled=True,
            fault="error_spike",
        ),
        Kind(
            key="down",
            type="DatabaseConnectionError",
            value="database connection failed: connection refused",
            culprit="db.pool",
            status=500,
            line="ERROR db: database connection failed: connection refused, request {id}",
            fault="database_down",
        ),
        Kind(
            key="rejection",
            type="UnhandledPromiseRejection",
            value="Error: call session lost",
            culprit="calls.session",
            level="fatal",
            line="ERROR process: Unhandled promise rejection: Error: call session lost, call {id}",
            unhandled=True,
            per_hour=4.0,
            fault="new_critical_issue",
        ),
        Kind(
            key="lazy",
            type="UnhandledPromiseRejection",
            value="Error: session is not loaded",
            culprit="calls.session",
            level="fatal",
            status=500,
            line="ERROR process: Unhandled promise rejection: Error: session is not loaded, {id}",
            unhandled=True,
            fault="bad_deploy",
        ),
        Kind(
            key="new",
            type="KeyError",
            value="'transcript_url'",
            culprit="POST /api/webhooks/vapi",
            per_hour=2.0,
            fault="new_issue",
        ),
        Kind(
            key="old",
            type="ValueError",
            value="unexpected webhook payload",
            culprit="POST /api/webhooks/vapi",
            first_h=-480.0,
            per_hour=3.0,
            fault="top_unclassified",
        ),
    )
}

UNHEARD = (
    "ERROR mailer: smtp relay closed the conversation early",
    "ERROR billing: invoice without a customer was skipped",
    "ERROR cache: eviction ran out of its budget",
    "ERROR exports: column count differs from the header",
    "ERROR storage: recording has no audio track",
    "ERROR search: index is older than its alias",
    "ERROR audit: entry refused by the schema",
    "ERROR i18n: no plural form for this language",
    "ERROR avatars: image is not square enough",
    "ERROR quotas: usage is negative for one tenant",
    "ERROR invites: link was opened twice at once",
    "ERROR flags: variant without any weight",
)
"""ERROR lines of the fault ``log_errors``: each another pattern."""
