"""What ``doctor`` asks of the engine about the last hour."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hour24.clock import Clock
from hour24.config import Production
from hour24.errors import SourceEmpty
from hour24.evidence import Buckets, Evidence, Probes, Unanswered
from hour24.watch import Window
from hour24.witnesses.port import Trial, last_hour
from hour24.witnesses.prometheus import PrometheusAt
from hour24.witnesses.prometheus.source import Prometheus


def trials(at: PrometheusAt, production: Production, clock: Clock) -> list[Trial]:
    """What a checkpoint will ask."""
    source = Prometheus(at, clock, budget_s=production.schedule.source_budget_s)
    window = last_hour(clock.now(), production.schedule.settle_s)
    endpoints = production.endpoints
    selects = "check that [prometheus] labels select the service, and preset its exporter"
    questions: list[tuple[str, Callable[[], str], str]] = [
        (
            "responses",
            lambda: f"{source.responses(window).total} requests in the last hour",
            selects,
        ),
        (
            "server times",
            lambda: _timed(source.server_times(window, endpoints)),
            "check endpoints.NAME.transaction against the label of the route",
        ),
        ("memory", lambda: f"{len(source.memory(window).lines)} instances", selects),
        (
            "memory limit",
            lambda: f"{len(source.memory_limit(window).lines)} stated",
            "state memory_limit_mb",
        ),
        (
            "events",
            lambda: f"{len(source.platform_events(window).items)} in the last hour",
            selects,
        ),
    ]
    if at.disk:
        questions.append(("disk", lambda: f"{len(source.disk().items)} reading", selects))
    for name in at.vantages or {}:
        questions.append(
            (
                f"probes from {name}",
                partial(_probed, source, name, window),
                f"check the labels of prometheus.vantages.{name}",
            )
        )
    credential = next((one.name for one in (at.token, at.password, at.header) if one), "")
    right = f"check {credential}" if credential else "state token_env, or user and password_env"
    return [
        Trial(name=f"prometheus: {what}", asked=asked, address=at.url, right=right, empty=empty)
        for what, asked, empty in questions
    ]


def _probed(source: Prometheus, name: str, window: Window) -> str:
    found = source.vantage_probes(window)[name]
    if isinstance(found, Unanswered):
        raise SourceEmpty(found.reason)
    assert isinstance(found, Probes)
    return f"{found.kept} probes in the last hour"


def _timed(found: dict[str, Evidence]) -> str:
    without = [name for name, each in found.items() if not isinstance(each, Buckets)]
    if without:
        raise SourceEmpty(f"prometheus: server times: expected a route of {without[0]}, got none")
    return f"{len(found)} endpoints"
