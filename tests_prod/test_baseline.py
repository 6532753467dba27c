"""The baseline: every measure that later checkpoints compare with."""

from hour24.objectives.signoff import AllTaken
from hour24.plugin import criterion


@criterion("BASELINE-RECORDED")
def test_baseline(
    health_document,
    latency_samples,
    error_events,
    issues,
    transactions,
    responses,
    watched_lines,
    memory,
    database_row,
    statements,
    disk,
    control,
    taken,
    conclude,
):
    """The baseline is complete: every measure that later checkpoints compare with was taken"""
    conclude(
        AllTaken(),
        **taken(
            health=health_document,
            latencies=latency_samples,
            events=error_events,
            issues=issues,
            transactions=transactions,
            responses=responses,
            watched_lines=watched_lines,
            memory=memory,
            row=database_row,
            statements=statements,
            disk=disk,
            control=control,
        ),
    )
