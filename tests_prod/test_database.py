"""The database: availability, slow statements, connections and disk."""

from hour24.objectives.database import DatabaseAnswers, DiskBelow, PoolBelow
from hour24.objectives.statements import NoSlowStatement
from hour24.plugin import criterion


@criterion("DB-ONLINE")
def test_online(database_row, health_document, services, database_before, production, conclude):
    """The database answers the runbook's query, and no source reports it down"""
    conclude(
        DatabaseAnswers(database=production.health.database),
        row=database_row,
        health=health_document,
        services=services,
        before=database_before,
    )


@criterion("DB-SLOW")
def test_slow(statements, statements_before, running, production, conclude):
    """No statement averaged, set a new maximum or is running above 1000 ms (excluding platform
    roles; blind spots are listed)"""
    at = production.witnesses.get("database")
    limits = {"slow_ms": at.slow_ms, "platform_roles": at.platform_roles} if at else {}
    conclude(
        NoSlowStatement(**limits), statements=statements, running=running, before=statements_before
    )


@criterion("DB-POOL")
def test_pool(connections, production, conclude):
    """Connections below 80 % of the available ones, no session idle in a transaction over 60 s,
    no lock wait over 10 s"""
    at = production.witnesses.get("database")
    limits = (
        {
            "share": at.max_share,
            "idle_in_transaction_s": at.idle_in_transaction_s,
            "lock_wait_s": at.lock_wait_s,
        }
        if at
        else {}
    )
    conclude(PoolBelow(**limits), connections=connections)


@criterion("DB-SIZE")
def test_size(disk, disk_before, checkpoint, production, conclude):
    """Disk below 80 %; from hour 4 on, at least 7 days left at the present growth"""
    at = production.witnesses.get("database")
    share = at.max_share if at else 0.8
    below = DiskBelow(share=share, days=7.0 if checkpoint.hour else 0.0)
    conclude(below, disk=disk, before=disk_before)
