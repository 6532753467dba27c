"""Health: the current document, and every probe since the last checkpoint."""

from hour24.criteria.criterion import ALL, COVERAGE, FROM_4, Criterion, Judge, Proof

GROUP = "Health"

SCHEMA = Criterion(
    id="HEALTH-SCHEMA",
    sentence=(
        "The health endpoint returns the document that production.toml describes, freshly made"
    ),
    stated="The health endpoint returns {document}",
    hours=ALL,
    span="now",
    group=GROUP,
    means="the document",
    asks=("health_document", "control"),
    needs=("health_document",),
    judges=(Judge(objective="HealthDocument", configured={"fresh_s": "health.fresh_s"}),),
    baseline=("health",),
    no_chart="it is a single document",
    proof=Proof(faults=("health_degraded@3",), silence=("network_down@3.9",)),
    state=True,
)
ALWAYS = Criterion(
    id="HEALTH-ALWAYS",
    sentence=(
        "No health check failed since the last checkpoint (a failed probe counts if the one 30 s "
        "later fails too)"
    ),
    stated=(
        "No health check failed since the last checkpoint (a failed probe counts if the one "
        "{health.retry_after_s:g} s later fails too{health.vantages_needed:vantages})"
    ),
    hours=FROM_4,
    span="window",
    group=GROUP,
    means="failed probes",
    asks=("health_probes",),
    needs=("health_probes",),
    judges=(
        Judge(
            objective="AlwaysUp",
            fixed=COVERAGE,
            configured={
                "retry_after_s": "health.retry_after_s",
                "vantages_needed": "health.vantages_needed",
            },
        ),
    ),
    chart="probes",
    proof=Proof(faults=("backend_down@2",), silence=("no_prober@0",)),
)
CRITERIA = (SCHEMA, ALWAYS)
