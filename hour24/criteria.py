"""Every criterion: its id, its sentence, its hours. What is due is computed from here.

Rules of this module:

- This table, not the collected tests, says what is due: a test file that does not import or
  was not selected leaves its criteria INCONCLUSIVE, not absent.
- ``span`` is the stretch of time a verdict speaks of: ``window`` (since the checkpoint
  before), ``since_t0`` (since the start of hour 0's window), or ``now``.
- Ids are stable. The docstring of each test in tests_prod/ is the sentence here.
- What may judge a criterion stands in :mod:`hour24.judging`.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hour24.watch import CHECKPOINTS

ALL = CHECKPOINTS
FROM_4 = CHECKPOINTS[1:]
FROM_8 = CHECKPOINTS[2:]
Span = Literal["window", "since_t0", "now"]


class Criterion(Struct, frozen=True, kw_only=True):
    """One sentence that production must satisfy.

    Args:
        id: stable name.
        sentence: what must hold.
        hours: when it falls due.
        group: heading on the page.
        span: the stretch its verdict speaks of.
        means: what stands in a table cell beside the id, a few words.
    """

    id: str
    sentence: str
    hours: tuple[int, ...]
    group: str
    span: Span
    means: str


def _criteria(*rows: tuple[str, str, str, tuple[int, ...], Span, str]) -> dict[str, Criterion]:
    return {
        name: Criterion(
            id=name, sentence=sentence, hours=hours, group=group, span=span, means=means
        )
        for group, name, sentence, hours, span, means in rows
    }


CRITERIA = _criteria(
    (
        "Health",
        "HEALTH-SCHEMA",
        'The health endpoint answers with the agreed document: status "ok", database, supabase '
        "and backgroundJobs true, a fresh timestamp, an uptime",
        ALL,
        "now",
        "the document",
    ),
    (
        "Health",
        "HEALTH-ALWAYS",
        "No health check failed since the last checkpoint (a failed probe counts when the one "
        "30 s later fails too)",
        FROM_4,
        "window",
        "failed probes",
    ),
    (
        "Errors",
        "SENTRY-RECEIVES",
        "An event sent now is stored by Sentry",
        (0,),
        "now",
        "read back",
    ),
    (
        "Errors",
        "SENTRY-FEED",
        "Sentry dropped no errors in the window (rate limits, quota, filters)",
        ALL,
        "window",
        "dropped events",
    ),
    (
        "Errors",
        "ERRORS-COUNT",
        "Fewer than 5 error events in every hour of the window, classes known as normal aside",
        ALL,
        "window",
        "worst hour",
    ),
    (
        "Errors",
        "ERRORS-RATE",
        "Fewer than 1 % of requests fail (5xx or no answer)",
        ALL,
        "window",
        "failed requests",
    ),
    (
        "Errors",
        "ERRORS-NEW",
        "No new issue appeared, except of a class known as normal",
        FROM_4,
        "window",
        "new issues",
    ),
    (
        "Errors",
        "ERRORS-CRITICAL",
        "No issue of a critical class had events in the window",
        ALL,
        "window",
        "critical events",
    ),
    (
        "Errors",
        "ERRORS-TOP",
        "The three most frequent errors are of a known class",
        FROM_4,
        "window",
        "known of the top",
    ),
    (
        "Errors",
        "ERRORS-TREND",
        "The error rate does not rise, and no hour spikes",
        FROM_8,
        "since_t0",
        "change",
    ),
    (
        "Logs",
        "LOGS-ERRORS",
        "The logs hold no ERROR message, except of a class known as normal",
        ALL,
        "window",
        "other ERROR lines",
    ),
    (
        "Logs",
        "LOGS-PATTERNS",
        "No error pattern repeats (5 in an hour or 10 in 24 h; normal classes aside)",
        FROM_4,
        "since_t0",
        "most of a pattern",
    ),
    (
        "Logs",
        "LOGS-WATCHED",
        "Messages with WARN, database or timeout stay at their hour-0 level",
        FROM_4,
        "window",
        "against hour 0",
    ),
    (
        "Process",
        "JOBS-RUNNING",
        "Background jobs beat every 30 seconds, with no gap over 75 seconds",
        ALL,
        "window",
        "longest gap",
    ),
    (
        "Process",
        "RESTARTS",
        "The service did not restart, except for a declared deploy",
        FROM_4,
        "window",
        "undeclared",
    ),
    ("Process", "MEMORY-STABLE", "Memory does not leak", FROM_8, "since_t0", "MB/h"),
    (
        "Process",
        "MEMORY-HEADROOM",
        "Memory stays below 85 % of its limit",
        ALL,
        "window",
        "peak",
    ),
    (
        "Latency",
        "LATENCY-TARGET",
        "Each endpoint's p99 is below its target: health 100 ms, calls 500 ms, webhooks 200 ms, "
        "assistants 1000 ms",
        ALL,
        "since_t0",
        "p99 of its target",
    ),
    (
        "Latency",
        "LATENCY-MOST",
        "At least 90 % of transactions in Sentry have a p99 below 1000 ms",
        ALL,
        "since_t0",
        "fast enough",
    ),
    (
        "Latency",
        "LATENCY-STABLE",
        "No endpoint is slower than at hour 0",
        FROM_4,
        "window",
        "worst shift",
    ),
    (
        "Database",
        "DB-ONLINE",
        "The database answers the runbook's query, and Supabase calls its services healthy",
        ALL,
        "now",
        "answered in",
    ),
    (
        "Database",
        "DB-SLOW",
        "No statement averaged, set a new record or is running above 1000 ms (platform roles "
        "aside; what this cannot see is said)",
        FROM_4,
        "window",
        "slowest",
    ),
    (
        "Database",
        "DB-POOL",
        "Connections below 80 % of what is available, nobody idle in a transaction over 60 s, "
        "no lock wait over 10 s",
        ALL,
        "now",
        "in use",
    ),
    (
        "Database",
        "DB-SIZE",
        "Disk below 80 %; from hour 4 on, at least 7 days left at the present growth",
        ALL,
        "now",
        "disk",
    ),
    (
        "WebSocket",
        "WS-STABLE",
        "Fewer than 10 % of WebSocket connections drop",
        ALL,
        "since_t0",
        "dropped",
    ),
    (
        "Baseline",
        "BASELINE-RECORDED",
        "The baseline is complete: every measure that later checkpoints compare with was taken",
        (0,),
        "window",
        "measures taken",
    ),
    (
        "Sign-off",
        "SIGNOFF-ERROR-RATE",
        "The error rate stayed below 1 % throughout 24 hours",
        (24,),
        "since_t0",
        "failed requests",
    ),
    (
        "Sign-off",
        "SIGNOFF-CRITICAL",
        "Sentry shows no critical issue",
        (24,),
        "since_t0",
        "critical events",
    ),
    (
        "Sign-off",
        "SIGNOFF-HEALTH",
        "Health checks always passed",
        (24,),
        "since_t0",
        "failed probes",
    ),
    (
        "Sign-off",
        "SIGNOFF-DATABASE",
        "The database performed normally",
        (24,),
        "since_t0",
        "checkpoints held",
    ),
    (
        "Sign-off",
        "SIGNOFF-RESTARTS",
        "There was no unexpected restart",
        (24,),
        "since_t0",
        "undeclared",
    ),
    (
        "Sign-off",
        "SIGNOFF-LATENCY",
        "Response times were stable",
        (24,),
        "since_t0",
        "checkpoints held",
    ),
    ("Sign-off", "SIGNOFF-JOBS", "Background jobs ran", (24,), "since_t0", "longest gap"),
    (
        "Sign-off",
        "SIGNOFF-WEBSOCKETS",
        "WebSocket connections were stable",
        (24,),
        "since_t0",
        "dropped",
    ),
)


def due(hour: int) -> tuple[Criterion, ...]:
    """The criteria that fall due at ``hour``, in the order of the table."""
    return tuple(criterion for criterion in CRITERIA.values() if hour in criterion.hours)


def own_criterion(name: str, sentence: str, hours: tuple[int, ...]) -> Criterion:
    """A criterion of somebody's own."""
    return Criterion(
        id=name, sentence=sentence, hours=tuple(hours), group="Your own", span="now", means="value"
    )


LEVEL = Criterion(
    id="MEMORY-LEVEL",
    sentence="Memory's floor stands where it stood during the watch",
    hours=(),
    group="Process",
    span="window",
    means="of the watch's",
)
"""Looked at in the week after alone."""
DAILY = (
    "SENTRY-FEED",
    "ERRORS-COUNT",
    "ERRORS-NEW",
    "ERRORS-CRITICAL",
    "ERRORS-TOP",
    "MEMORY-STABLE",
    "MEMORY-HEADROOM",
    "MEMORY-LEVEL",
    "LATENCY-TARGET",
    "LATENCY-MOST",
    "LATENCY-STABLE",
)
"""What `pytest -m daily` looks at, in the week after."""


def known(name: str) -> Criterion | None:
    """The criterion of this id, of a checkpoint or of a daily look; none when it is neither."""
    return LEVEL if name == LEVEL.id else CRITERIA.get(name)
