"""The baseline: every measure that later checkpoints compare with."""

from hour24.criteria.criterion import Criterion, Judge, Proof

RECORDED = Criterion(
    id="BASELINE-RECORDED",
    sentence=(
        "The baseline is complete: every measure that later checkpoints compare with was taken"
    ),
    hours=(0,),
    span="window",
    group="Baseline",
    means="measures taken",
    asks=(
        "health_document",
        "latency_samples",
        "error_events",
        "issues",
        "transactions",
        "responses",
        "watched_lines",
        "memory",
        "database_row",
        "statements",
        "disk",
        "control",
    ),
    judges=(Judge(objective="AllTaken"),),
    chart="series",
    proof=Proof(
        faults=("baseline_gone@-1",), silence=("sentry_unreachable@-1",), hour=0, before=()
    ),
)
CRITERIA = (RECORDED,)
