"""The database: availability, slow statements, connections and disk."""

from hour24.criteria.criterion import ALL, FROM_4, Criterion, Judge, Proof, RunbookClass

GROUP = "Database"
DAYS_LEFT = 7.0
"""Days that the disk must last at its present growth: a week is enough to enlarge it."""
_SILENCE = ("database_unreachable@0.5",)

ONLINE = Criterion(
    id="DB-ONLINE",
    sentence="The database answers the runbook's query, and no source reports it down",
    hours=ALL,
    span="now",
    group=GROUP,
    means="answered in",
    asks=("database_row", "health_document", "services", "database_before"),
    judges=(Judge(objective="DatabaseAnswers"),),
    no_chart="it is a single answer",
    proof=Proof(faults=("database_down@3.5",), silence=_SILENCE),
    runbook_class=RunbookClass(severity="critical", name="database connection failures"),
    state=True,
)
SLOW = Criterion(
    id="DB-SLOW",
    sentence=(
        "No statement averaged, set a new maximum or is running above 1000 ms (excluding platform "
        "roles; blind spots are listed)"
    ),
    stated=(
        "No statement averaged, set a new maximum or is running above {database.slow_ms:g} ms "
        "(excluding platform roles; blind spots are listed)"
    ),
    hours=FROM_4,
    span="window",
    group=GROUP,
    means="slowest",
    asks=("statements", "statements_before", "running"),
    needs=("statements",),
    judges=(Judge(objective="NoSlowStatement", configured={"slow_ms": "database.slow_ms"}),),
    baseline=("row", "statements"),
    no_chart="statements are listed with their times",
    proof=Proof(faults=("slow_statement@1",), silence=_SILENCE),
)
POOL = Criterion(
    id="DB-POOL",
    sentence=(
        "Connections below 80 % of the available ones, no session idle in a transaction over 60 s, "
        "no lock wait over 10 s"
    ),
    stated=(
        "Connections below {database.max_share:share} of the available ones, no session idle in a "
        "transaction over {database.idle_in_transaction_s:g} s, no lock wait over "
        "{database.lock_wait_s:g} s"
    ),
    hours=ALL,
    span="now",
    group=GROUP,
    means="in use",
    asks=("connections",),
    needs=("connections",),
    judges=(
        Judge(
            objective="PoolBelow",
            configured={
                "share": "database.max_share",
                "idle_in_transaction_s": "database.idle_in_transaction_s",
                "lock_wait_s": "database.lock_wait_s",
            },
        ),
    ),
    baseline=("row",),
    no_chart="connections are counted once per checkpoint",
    proof=Proof(faults=("pool_exhausted@3",), silence=_SILENCE),
    state=True,
)
SIZE = Criterion(
    id="DB-SIZE",
    sentence=(
        f"Disk below 80 %; from hour 4 on, at least {DAYS_LEFT:g} days left at the present growth"
    ),
    stated=(
        "Disk below {database.max_share:share}; from hour 4 on, at least "
        f"{DAYS_LEFT:g} days left at the present growth"
    ),
    hours=ALL,
    span="now",
    group=GROUP,
    means="disk",
    asks=("disk", "disk_before"),
    needs=("disk",),
    judges=(
        Judge(
            objective="DiskBelow",
            limits={"days": DAYS_LEFT},
            limits_at_0={"days": 0.0},
            configured={"share": "database.max_share"},
        ),
    ),
    baseline=("disk",),
    chart="disk",
    proof=Proof(faults=("disk_filling@1",), silence=("supabase_unreachable@0.5",)),
    state=True,
)
CRITERIA = (ONLINE, SLOW, POOL, SIZE)
