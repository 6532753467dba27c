"""The eight success criteria of the sign-off: over 24 hours as a whole, and at every checkpoint."""

from hour24.criteria import database, errors, health, latency, process, websocket
from hour24.criteria.criterion import COVERAGE, HELD, LAST, WHOLE, Criterion, Judge, Proof
from hour24.text import format_percent

GROUP = "Sign-off"
_BEFORE = (0, 4, 8, 12, 16, 20)
_TRACKER_AND_DATABASE = ("sentry_unreachable@21", "database_unreachable@21")
_COUNTS = ("render_unreachable@21", "no_prober@20")
"""Outages of different witnesses that are checked in one whole watch."""


def _proof(fault: str, silence: tuple[str, ...]) -> Proof:
    """Proof at hour 24: its fault in a watch of hours 0 and 24, its silence in a whole watch."""
    return Proof(
        faults=(fault,),
        silence=silence,
        hour=LAST,
        before=_BEFORE,
        fail_hour=LAST,
        fail_before=(0,),
    )


def _passed_everywhere(*of: Criterion) -> Judge:
    """The judge that requires these criteria to have passed at every checkpoint."""
    return Judge(objective=HELD, subject="", limits={"criteria": tuple(one.id for one in of)})


ERROR_RATE = Criterion(
    id="SIGNOFF-ERROR-RATE",
    sentence=f"The error rate stayed below {format_percent(errors.ERROR_RATE)} throughout 24 hours",
    hours=(LAST,),
    span="since_t0",
    group=GROUP,
    means="failed requests",
    asks=("responses_whole", "probed_responses_whole"),
    judges=(
        Judge(objective="RateBelow", subject=WHOLE, limits={"limit": errors.ERROR_RATE}),
        _passed_everywhere(errors.RATE),
    ),
    rests_on=(errors.RATE.id,),
    settles=errors.RATE.id,
    no_chart=f"the same responses are drawn over time by {errors.TREND.id}",
    proof=_proof("error_spike@22", _COUNTS),
)
CRITICAL = Criterion(
    id="SIGNOFF-CRITICAL",
    sentence="Sentry shows no critical issue",
    stated="{who} {shows} no critical issue",
    hours=(LAST,),
    span="since_t0",
    group=GROUP,
    means="critical events",
    asks=("issues_whole",),
    needs=("issues_whole",),
    judges=(
        Judge(objective="NoCriticalIssue", subject=WHOLE),
        _passed_everywhere(errors.CRITICAL, errors.FEED),
    ),
    rests_on=(errors.CRITICAL.id, errors.FEED.id),
    settles=errors.CRITICAL.id,
    no_chart="issues are listed by name",
    proof=_proof("new_critical_issue@22", _TRACKER_AND_DATABASE),
)
HEALTH = Criterion(
    id="SIGNOFF-HEALTH",
    sentence="Health checks always passed",
    hours=(LAST,),
    span="since_t0",
    group=GROUP,
    means="failed probes",
    asks=("health_probes_whole",),
    needs=("health_probes_whole",),
    judges=(
        Judge(objective="AlwaysUp", subject=WHOLE, fixed=COVERAGE),
        _passed_everywhere(health.SCHEMA, health.ALWAYS),
    ),
    rests_on=(health.SCHEMA.id, health.ALWAYS.id),
    settles=health.ALWAYS.id,
    chart="probes",
    proof=_proof("backend_down@22", ("no_prober@20",)),
)
DATABASE = Criterion(
    id="SIGNOFF-DATABASE",
    sentence="The database performed normally",
    hours=(LAST,),
    span="since_t0",
    group=GROUP,
    means="checkpoints passed",
    judges=(_passed_everywhere(database.ONLINE, database.SLOW, database.POOL, database.SIZE),),
    rests_on=(database.ONLINE.id, database.SLOW.id, database.POOL.id, database.SIZE.id),
    no_chart="it depends on the checkpoints, which the grid shows",
    proof=_proof("database_down@23.5", _TRACKER_AND_DATABASE),
)
RESTARTS = Criterion(
    id="SIGNOFF-RESTARTS",
    sentence="There was no unexpected restart",
    hours=(LAST,),
    span="since_t0",
    group=GROUP,
    means="undeclared",
    asks=("health_probes_whole", "platform_events_whole", "deploys", "declared"),
    needs=("health_probes_whole",),
    judges=(
        Judge(objective="NoRestart", subject=WHOLE, fixed=COVERAGE),
        _passed_everywhere(process.RESTARTS),
    ),
    rests_on=(process.RESTARTS.id,),
    settles=process.RESTARTS.id,
    no_chart="restarts are listed with their times",
    proof=_proof("restart@22", ("no_prober@20",)),
)
LATENCY = Criterion(
    id="SIGNOFF-LATENCY",
    sentence="Response times were stable",
    hours=(LAST,),
    span="since_t0",
    group=GROUP,
    means="checkpoints passed",
    judges=(_passed_everywhere(latency.TARGET, latency.MOST, latency.STABLE),),
    rests_on=(latency.TARGET.id, latency.MOST.id, latency.STABLE.id),
    no_chart="it depends on the checkpoints, which the grid shows",
    proof=_proof("slow_endpoint@20", ("no_prober@20",)),
)
JOBS = Criterion(
    id="SIGNOFF-JOBS",
    sentence="Background jobs ran",
    hours=(LAST,),
    span="since_t0",
    group=GROUP,
    means="longest gap",
    asks=("beats_whole",),
    needs=("beats_whole",),
    judges=(Judge(objective="BeatsKept", subject=WHOLE), _passed_everywhere(process.JOBS)),
    rests_on=(process.JOBS.id,),
    settles=process.JOBS.id,
    no_chart="each checkpoint draws its own beats",
    proof=_proof("jobs_stalled@22", _COUNTS),
)
WEBSOCKETS = Criterion(
    id="SIGNOFF-WEBSOCKETS",
    sentence="WebSocket connections were stable",
    hours=(LAST,),
    span="since_t0",
    group=GROUP,
    means="dropped",
    asks=("websocket_probes",),
    needs=("websocket_probes",),
    judges=(
        Judge(objective="DropsBelow", subject=WHOLE, fixed=COVERAGE),
        _passed_everywhere(websocket.STABLE),
    ),
    rests_on=(websocket.STABLE.id,),
    settles=websocket.STABLE.id,
    no_chart="a share of connections is one number",
    proof=_proof("websocket_flap@20", ("no_prober@0", "network_down@23.9")),
)
CRITERIA = (ERROR_RATE, CRITICAL, HEALTH, DATABASE, RESTARTS, LATENCY, JOBS, WEBSOCKETS)
