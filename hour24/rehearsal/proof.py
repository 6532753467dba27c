"""Each criterion seen to fail: which faults turn it red, which silence turns it INCONCLUSIVE.

Rules of this module:

- Every criterion of the table has a row. ``hour`` is a checkpoint at which both show;
  ``before`` are those that must have been taken first.
- Faults begin in time for the windows of that checkpoint.
"""

from __future__ import annotations

from msgspec import Struct


class Proof(Struct, frozen=True):
    """How a criterion is seen to fail.

    Args:
        red: faults under which it is FAIL.
        silent: faults under which it is INCONCLUSIVE.
        hour: the checkpoint at which.
        before: checkpoints that are taken before it.
        red_hour: the checkpoint for ``red`` where it is another one; none: ``hour``.
        red_before: what is taken before that.
    """

    red: tuple[str, ...]
    silent: tuple[str, ...]
    hour: int = 4
    before: tuple[int, ...] = (0,)
    red_hour: int | None = None
    red_before: tuple[int, ...] = ()


_ALL_BEFORE_24 = (0, 4, 8, 12, 16, 20)
_RENDER, _SENTRY = ("render_unreachable@0.5",), ("sentry_unreachable@0.5",)
_DATABASE = ("database_unreachable@0.5",)
_BOTH_GONE = ("sentry_unreachable@21", "database_unreachable@21")
_NO_COUNTS = ("render_unreachable@21", "no_prober@20")
"""A whole watch each: criteria of different witnesses share one."""

PROOF: dict[str, Proof] = {
    "HEALTH-SCHEMA": Proof(("health_degraded@3",), ("network_down@3.9",)),
    "HEALTH-ALWAYS": Proof(("backend_down@2",), ("no_prober@0",)),
    "SENTRY-RECEIVES": Proof(("sentry_deaf@-1",), ("sentry_unreachable@-1",), 0, ()),
    "SENTRY-FEED": Proof(("sentry_dropping@1",), _SENTRY),
    "ERRORS-COUNT": Proof(("error_spike@2",), _SENTRY),
    "ERRORS-RATE": Proof(("error_spike@2",), ("render_unreachable@0.5", "no_prober@-1")),
    "ERRORS-NEW": Proof(("new_issue@1",), _SENTRY),
    "ERRORS-CRITICAL": Proof(("new_critical_issue@1",), _SENTRY),
    "ERRORS-TOP": Proof(("new_critical_issue@0",), ("top_unclassified@-1",)),
    "ERRORS-TREND": Proof(("error_spike@6",), ("render_unreachable@5",), 8, (0, 4)),
    "LOGS-ERRORS": Proof(("log_errors@1",), _RENDER),
    "LOGS-PATTERNS": Proof(("log_pattern@0",), _RENDER),
    "LOGS-WATCHED": Proof(("log_warnings@0",), _RENDER),
    "JOBS-RUNNING": Proof(("jobs_stalled@2",), _RENDER),
    "RESTARTS": Proof(("restart@2",), ("no_prober@0",)),
    "MEMORY-STABLE": Proof(
        ("memory_leak@-1",), ("render_unreachable@5",), 8, (0, 4), 12, (0, 4, 8)
    ),
    "MEMORY-HEADROOM": Proof(("memory_high@1",), _RENDER),
    "LATENCY-TARGET": Proof(("slow_endpoint@1",), ("no_prober@-1", "sentry_unreachable@-1")),
    "LATENCY-MOST": Proof(("slow_transactions@0",), _SENTRY),
    "LATENCY-STABLE": Proof(("slow_endpoint@1",), ("no_prober@0",)),
    "DB-ONLINE": Proof(("database_down@3.5",), _DATABASE),
    "DB-SLOW": Proof(("slow_statement@1",), _DATABASE),
    "DB-POOL": Proof(("pool_exhausted@3",), _DATABASE),
    "DB-SIZE": Proof(("disk_filling@1",), ("supabase_unreachable@0.5",)),
    "WS-STABLE": Proof(("websocket_flap@1",), ("no_prober@-1", "network_down@3.9")),
    "BASELINE-RECORDED": Proof(("baseline_gone@-1",), ("sentry_unreachable@-1",), 0, ()),
    "SIGNOFF-ERROR-RATE": Proof(("error_spike@22",), _NO_COUNTS, 24, _ALL_BEFORE_24, 24, (0,)),
    "SIGNOFF-CRITICAL": Proof(("new_critical_issue@22",), _BOTH_GONE, 24, _ALL_BEFORE_24, 24, (0,)),
    "SIGNOFF-HEALTH": Proof(("backend_down@22",), ("no_prober@20",), 24, _ALL_BEFORE_24, 24, (0,)),
    "SIGNOFF-DATABASE": Proof(("database_down@23.5",), _BOTH_GONE, 24, _ALL_BEFORE_24, 24, (0,)),
    "SIGNOFF-RESTARTS": Proof(("restart@22",), ("no_prober@20",), 24, _ALL_BEFORE_24, 24, (0,)),
    "SIGNOFF-LATENCY": Proof(
        ("slow_endpoint@20",), ("no_prober@20",), 24, _ALL_BEFORE_24, 24, (0,)
    ),
    "SIGNOFF-JOBS": Proof(("jobs_stalled@22",), _NO_COUNTS, 24, _ALL_BEFORE_24, 24, (0,)),
    "SIGNOFF-WEBSOCKETS": Proof(
        ("websocket_flap@20",), ("no_prober@0", "network_down@23.9"), 24, _ALL_BEFORE_24, 24, (0,)
    ),
}
"""Criterion -> how it is seen to fail and to be silent."""
