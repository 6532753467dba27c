"""Logs: ERROR lines, repeating patterns, and watched words."""

from hour24.criteria.criterion import ALL, FROM_4, Criterion, Judge, Proof

GROUP = "Logs"
REPEATS_PER_HOUR, REPEATS_PER_DAY = 5, 10
"""Counts from which a pattern repeats: the runbook's numbers."""
_SILENCE = ("render_unreachable@0.5",)

ERRORS = Criterion(
    id="LOGS-ERRORS",
    sentence="The logs contain no ERROR message, excluding known-normal errors",
    hours=ALL,
    span="window",
    group=GROUP,
    means="other ERROR lines",
    asks=("error_lines",),
    needs=("error_lines",),
    judges=(Judge(objective="NoErrorLine"),),
    no_chart="its limit is zero, and the lines are quoted",
    proof=Proof(faults=("log_errors@1",), silence=_SILENCE),
)
PATTERNS = Criterion(
    id="LOGS-PATTERNS",
    sentence=(
        f"No error pattern repeats ({REPEATS_PER_HOUR} in an hour or {REPEATS_PER_DAY} in 24 h; "
        "excluding known-normal errors)"
    ),
    hours=FROM_4,
    span="since_t0",
    group=GROUP,
    means="most of a pattern",
    asks=("error_lines_since_t0",),
    needs=("error_lines_since_t0",),
    judges=(
        Judge(
            objective="NoPattern", limits={"per_hour": REPEATS_PER_HOUR, "per_day": REPEATS_PER_DAY}
        ),
    ),
    no_chart="patterns are listed with their counts",
    proof=Proof(faults=("log_pattern@0",), silence=_SILENCE),
)
WATCHED = Criterion(
    id="LOGS-WATCHED",
    sentence="Messages with WARN, database or timeout stay at their hour-0 level",
    hours=FROM_4,
    span="window",
    group=GROUP,
    means="compared with hour 0",
    asks=("watched_lines", "watched_lines_baseline"),
    needs=("watched_lines",),
    judges=(Judge(objective="LevelKept", fixed=("factor", "clumping")),),
    baseline=("watched_lines",),
    no_chart="it is the ratio of two counts",
    proof=Proof(faults=("log_warnings@0",), silence=_SILENCE),
)
CRITERIA = (ERRORS, PATTERNS, WATCHED)
