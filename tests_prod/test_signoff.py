"""The eight success criteria of the sign-off: over 24 hours as a whole, and at every checkpoint."""

from hour24.objectives.beats import BeatsKept
from hour24.objectives.errors import NoCriticalIssue
from hour24.objectives.probes import AlwaysUp
from hour24.objectives.rates import RateBelow
from hour24.objectives.restarts import NoRestart
from hour24.objectives.signoff import HeldThroughout
from hour24.objectives.websocket import DropsBelow
from hour24.plugin import criterion

WHOLE = "24 hours"


@criterion("SIGNOFF-ERROR-RATE")
def test_error_rate(responses_whole, probed_responses_whole, standings, conclude):
    """The error rate stayed below 1 % throughout 24 hours"""
    conclude(
        RateBelow(limit=0.01),
        subject=WHOLE,
        platform=responses_whole,
        probe=probed_responses_whole,
    )
    conclude(HeldThroughout(criteria=("ERRORS-RATE",)), standings=standings)


@criterion("SIGNOFF-CRITICAL")
def test_critical(issues_whole, production, standings, conclude):
    """Sentry shows no critical issue"""
    known = {"normal": production.normal, "critical": production.critical}
    conclude(NoCriticalIssue(**known), subject=WHOLE, issues=issues_whole)
    held = HeldThroughout(criteria=("ERRORS-CRITICAL", "SENTRY-FEED"))
    conclude(held, standings=standings)


@criterion("SIGNOFF-HEALTH")
def test_health(health_probes_whole, production, standings, conclude):
    """Health checks always passed"""
    at = production.health
    always = AlwaysUp(retry_after_s=at.retry_after_s, vantages_needed=at.vantages_needed)
    conclude(always, subject=WHOLE, probes=health_probes_whole)
    held = HeldThroughout(criteria=("HEALTH-SCHEMA", "HEALTH-ALWAYS"))
    conclude(held, standings=standings)


@criterion("SIGNOFF-DATABASE")
def test_database(standings, conclude):
    """The database performed normally"""
    held = HeldThroughout(criteria=("DB-ONLINE", "DB-SLOW", "DB-POOL", "DB-SIZE"))
    conclude(held, standings=standings)


@criterion("SIGNOFF-RESTARTS")
def test_restarts(
    health_probes_whole, platform_events_whole, deploys, declared, production, standings, conclude
):
    """There was no unexpected restart"""
    conclude(
        NoRestart(
            resolution_s=production.health.uptime_resolution_s,
            recycles_every_s=production.process.recycles_every_s,
        ),
        subject=WHOLE,
        probes=health_probes_whole,
        events=platform_events_whole,
        deploys=deploys,
        declared=declared,
    )
    conclude(HeldThroughout(criteria=("RESTARTS",)), standings=standings)


@criterion("SIGNOFF-LATENCY")
def test_latency(standings, conclude):
    """Response times were stable"""
    held = HeldThroughout(criteria=("LATENCY-TARGET", "LATENCY-MOST", "LATENCY-STABLE"))
    conclude(held, standings=standings)


@criterion("SIGNOFF-JOBS")
def test_jobs(beats_whole, production, standings, conclude):
    """Background jobs ran"""
    plan = production.jobs
    every = {"every_s": plan.every_s, "max_gap_s": plan.max_gap_s} if plan else {}
    conclude(BeatsKept(**every), subject=WHOLE, beats=beats_whole)
    conclude(HeldThroughout(criteria=("JOBS-RUNNING",)), standings=standings)


@criterion("SIGNOFF-WEBSOCKETS")
def test_websockets(websocket_probes, production, standings, conclude):
    """WebSocket connections were stable"""
    at = production.websocket
    below = DropsBelow(limit=at.max_drop_ratio) if at else DropsBelow()
    conclude(below, subject=WHOLE, probes=websocket_probes)
    conclude(HeldThroughout(criteria=("WS-STABLE",)), standings=standings)
