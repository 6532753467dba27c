"""Every criterion: its id, its sentence, its hours. What is due is computed from here.

Rules of this module:

- This table, not the collected tests, says what is due: a test file that does not import or
  was not selected leaves its criteria INCONCLUSIVE, not absent.
- ``span`` is the stretch of time a verdict speaks of: ``window`` (since the checkpoint
  before), ``since_t0`` (since the start of hour 0's window), or ``now``.
- Ids are stable. The docstring of each test in tests_prod/ is the sentence here.
- Which objective may judge a criterion, and the limits that its sentence states, stand here too:
  an id says what was judged, whoever wrote the test. A criterion of one's own is free.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

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


# --- what may judge them --------------------------------------------------------------------------

WHOLE = "24 hours"
"""Subject of a sign-off criterion's own look at the whole watch."""
EACH_ENDPOINT = frozenset({"LATENCY-TARGET", "LATENCY-STABLE"})
"""Criteria that have a verdict on each endpoint."""
HELD = "HeldThroughout"
JUDGED_BY: dict[str, tuple[str, ...]] = {
    "HEALTH-SCHEMA": ("HealthDocument",),
    "HEALTH-ALWAYS": ("AlwaysUp",),
    "SENTRY-RECEIVES": ("EventStored",),
    "SENTRY-FEED": ("NothingDropped",),
    "ERRORS-COUNT": ("EventsBelow",),
    "ERRORS-RATE": ("RateBelow",),
    "ERRORS-NEW": ("NoNewIssue",),
    "ERRORS-CRITICAL": ("NoCriticalIssue",),
    "ERRORS-TOP": ("TopKnown",),
    "ERRORS-TREND": ("NoRise",),
    "LOGS-ERRORS": ("NoErrorLine",),
    "LOGS-PATTERNS": ("NoPattern",),
    "LOGS-WATCHED": ("LevelKept",),
    "JOBS-RUNNING": ("BeatsKept",),
    "RESTARTS": ("NoRestart",),
    "MEMORY-STABLE": ("NoLeak",),
    "MEMORY-HEADROOM": ("HeadroomKept",),
    "MEMORY-LEVEL": ("FloorKept",),
    "LATENCY-TARGET": ("QuantileBelow",),
    "LATENCY-MOST": ("MostBelow",),
    "LATENCY-STABLE": ("NotSlower",),
    "DB-ONLINE": ("DatabaseAnswers",),
    "DB-SLOW": ("NoSlowStatement",),
    "DB-POOL": ("PoolBelow",),
    "DB-SIZE": ("DiskBelow",),
    "WS-STABLE": ("DropsBelow",),
    "BASELINE-RECORDED": ("AllTaken",),
    "SIGNOFF-ERROR-RATE": ("RateBelow", HELD),
    "SIGNOFF-CRITICAL": ("NoCriticalIssue", HELD),
    "SIGNOFF-HEALTH": ("AlwaysUp", HELD),
    "SIGNOFF-DATABASE": (HELD,),
    "SIGNOFF-RESTARTS": ("NoRestart", HELD),
    "SIGNOFF-LATENCY": (HELD,),
    "SIGNOFF-JOBS": ("BeatsKept", HELD),
    "SIGNOFF-WEBSOCKETS": ("DropsBelow", HELD),
}
"""The objectives that may judge each criterion, by name; of the sign-off's, the look at all 24
hours first, then what it rests on."""
RESTS_ON = {
    "SIGNOFF-ERROR-RATE": ("ERRORS-RATE",),
    "SIGNOFF-CRITICAL": ("ERRORS-CRITICAL", "SENTRY-FEED"),
    "SIGNOFF-HEALTH": ("HEALTH-SCHEMA", "HEALTH-ALWAYS"),
    "SIGNOFF-DATABASE": ("DB-ONLINE", "DB-SLOW", "DB-POOL", "DB-SIZE"),
    "SIGNOFF-RESTARTS": ("RESTARTS",),
    "SIGNOFF-LATENCY": ("LATENCY-TARGET", "LATENCY-MOST", "LATENCY-STABLE"),
    "SIGNOFF-JOBS": ("JOBS-RUNNING",),
    "SIGNOFF-WEBSOCKETS": ("WS-STABLE",),
}
"""The criteria that each of the sign-off's asks to have held at every checkpoint."""
STATED: dict[str, dict[str, float]] = {
    "AlwaysUp": {"coverage": 0.99, "max_gap_s": 300.0},
    "EventsBelow": {"per_hour": 5},
    "RateBelow": {"limit": 0.01},
    "TopKnown": {"top": 3},
    "NoRise": {"rise": 2.0, "spike": 3.0, "least": 0.001, "visible": 0.05, "coverage": 0.95},
    "NoPattern": {"per_hour": 5, "per_day": 10},
    "LevelKept": {"factor": 2.0, "clumping": 3.0},
    "NoRestart": {"coverage": 0.99, "max_gap_s": 300.0},
    "FloorKept": {"limit": 1.25},
    "QuantileBelow": {"q": 0.99},
    "MostBelow": {"share": 0.9, "limit_ms": 1000.0},
    "NotSlower": {"max_ratio": 1.2, "max_tail": 1.5},
    "DiskBelow": {"days": 7.0},
    "DropsBelow": {"coverage": 0.99, "max_gap_s": 300.0},
}
"""Limits that are the criterion's own, by objective; every other is production.toml's."""
STATED_AT_0 = {"QuantileBelow": {"q": 0.9}, "DiskBelow": {"days": 0.0}}
"""Those that are others at hour 0, where little was seen yet."""


def subjects(name: str, endpoints: tuple[str, ...]) -> tuple[str, ...]:
    """What a criterion has a verdict on each; one nameless subject where it has no several."""
    if name in EACH_ENDPOINT:
        return endpoints or ("",)
    if len(JUDGED_BY.get(name, ())) > 1:
        return (WHOLE, "")
    return ("",)


def unfit(name: str, subject: str, hour: int, objective: Mapping[str, Any]) -> str:
    """Why an objective may not judge this criterion: ``what: expected X, got Y``; or "".

    Args:
        objective: its name, and its fields.
    """
    may = JUDGED_BY.get(name)
    if may is None:
        return ""  # of one's own
    own = str(objective.get("name"))
    if own not in may:
        return f"objective: expected {' or '.join(may)}, got {own}"
    wanted = {may[0]: WHOLE, HELD: ""}.get(own, subject) if HELD in may else subject
    if subject != wanted:
        return f"subject: expected {wanted!r} of {own}, got {subject!r}"
    stated: dict[str, Any] = dict(STATED.get(own, {}))
    if hour == 0:
        stated |= STATED_AT_0.get(own, {})
    if own == HELD and name in RESTS_ON:
        stated["criteria"] = RESTS_ON[name]
    for field, expected in stated.items():
        got = objective.get(field)
        got = tuple(got) if isinstance(got, list) else got
        if got != expected:
            return f"objective: {own}: {field}: expected {expected}, got {got}"
    return ""
