"""Health: the current document, and every probe since the last checkpoint."""

from hour24.objectives.health import HealthDocument
from hour24.objectives.probes import AlwaysUp
from hour24.plugin import criterion


@criterion("HEALTH-SCHEMA")
def test_document(health_document, control, production, conclude):
    """The health endpoint returns the document that production.toml describes, freshly made"""
    at = production.health
    agreed = HealthDocument(
        schema=at.schema,
        timestamp=at.timestamp,
        uptime=at.uptime,
        database=at.database,
        fresh_s=at.fresh_s,
        started=at.started,
        as_text=at.numbers_as_text,
    )
    conclude(agreed, health=health_document, control=control)


@criterion("HEALTH-ALWAYS")
def test_always(health_probes, production, conclude):
    """No health check failed since the last checkpoint (a failed probe counts if the one 30 s
    later fails too)"""
    at = production.health
    always = AlwaysUp(retry_after_s=at.retry_after_s, vantages_needed=at.vantages_needed)
    conclude(always, probes=health_probes)
