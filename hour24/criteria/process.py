"""The process: its background jobs, its restarts, its memory."""

from hour24.criteria.criterion import (
    ALL,
    COVERAGE,
    FROM_4,
    FROM_8,
    Criterion,
    Judge,
    Proof,
    RunbookClass,
)

GROUP = "Process"
_SILENCE = ("render_unreachable@0.5",)

JOBS = Criterion(
    id="JOBS-RUNNING",
    sentence="Background jobs beat every 30 seconds, with no gap over 75 seconds",
    stated=(
        "Background jobs beat every {jobs.every_s:g} seconds, with no gap over "
        "{jobs.max_gap_s:g} seconds"
    ),
    hours=ALL,
    span="window",
    group=GROUP,
    means="longest gap",
    asks=("beats", "beats_baseline"),
    needs=("beats",),
    judges=(
        Judge(
            objective="BeatsKept",
            configured={"every_s": "jobs.every_s", "max_gap_s": "jobs.max_gap_s"},
        ),
    ),
    chart="beats",
    proof=Proof(faults=("jobs_stalled@2",), silence=_SILENCE),
)
RESTARTS = Criterion(
    id="RESTARTS",
    sentence="The service did not restart, except for a declared deploy",
    hours=FROM_4,
    span="window",
    group=GROUP,
    means="undeclared",
    asks=("health_probes", "platform_events", "deploys", "declared"),
    needs=("health_probes",),
    judges=(Judge(objective="NoRestart", fixed=COVERAGE),),
    no_chart="restarts are listed with their times",
    proof=Proof(faults=("restart@2",), silence=("no_prober@0",)),
    state=True,
)
MEMORY = Criterion(
    id="MEMORY-STABLE",
    sentence="Memory does not leak",
    hours=FROM_8,
    span="since_t0",
    group=GROUP,
    means="MB/h",
    asks=("memory", "memory_limit", "load", "deploys", "declared"),
    needs=("memory",),
    judges=(Judge(objective="NoLeak"),),
    baseline=("memory",),
    daily=True,
    chart="memory",
    proof=Proof(
        faults=("memory_leak@-1",),
        silence=("render_unreachable@5",),
        hour=8,
        before=(0, 4),
        fail_hour=12,
        fail_before=(0, 4, 8),
    ),
    runbook_class=RunbookClass(severity="critical", name="memory leaks"),
)
HEADROOM = Criterion(
    id="MEMORY-HEADROOM",
    sentence="Memory stays below 85 % of its limit",
    stated="Memory stays below {memory.max_share:share} of its limit",
    hours=ALL,
    span="window",
    group=GROUP,
    means="peak",
    asks=("memory_window", "memory_limit"),
    needs=("memory_window",),
    judges=(Judge(objective="HeadroomKept", configured={"max_share": "memory.max_share"}),),
    baseline=("memory",),
    daily=True,
    no_chart="the same memory is drawn, since T0, by MEMORY-STABLE",
    proof=Proof(faults=("memory_high@1",), silence=_SILENCE),
    state=True,
)
CRITERIA = (JOBS, RESTARTS, MEMORY, HEADROOM)
