"""What ``doctor`` asks of the engine about the last hour."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from hour24.clock import Clock
from hour24.config import Production
from hour24.errors import NotProvided, SourceEmpty, SourceLacks
from hour24.evidence import Buckets, Evidence, Probes, Unanswered
from hour24.text import format_duration, format_time, plural
from hour24.watch import Window
from hour24.witnesses.port import Trial, last_hour
from hour24.witnesses.prometheus import PrometheusAt
from hour24.witnesses.prometheus.reading import CoverageTooLow, SeenTooLate
from hour24.witnesses.prometheus.source import Prometheus


def trials(at: PrometheusAt, production: Production, clock: Clock) -> list[Trial]:
    """What a checkpoint will ask."""
    source = Prometheus(at, clock, budget_s=production.schedule.source_budget_s)
    window = last_hour(clock.now(), production.schedule.settle_s)
    endpoints = production.endpoints
    selects = (
        "check that [prometheus] labels select the service, and preset its exporter; an engine "
        f"that has just begun shows nothing for {format_duration(production.schedule.settle_s)}"
    )
    questions: list[tuple[str, Callable[[], str], str]] = [
        (
            "responses",
            partial(_since_seen, lambda each: f"{source.responses(each).total} requests", window),
            selects,
        ),
        (
            "server times",
            partial(_since_seen, lambda each: _timed(source.server_times(each, endpoints)), window),
            "check endpoints.NAME.transaction against the label of the route",
        ),
        (
            "memory",
            partial(
                _since_seen, lambda each: plural(len(source.memory(each).lines), "instance"), window
            ),
            selects,
        ),
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
        Trial(
            name=f"prometheus: {what}",
            asked=asked,
            address=at.url,
            right=right,
            empty=empty,
            lacks=(
                "state the metric in [prometheus.names]; where the service has none, state "
                'applies = false, because = "..." for the criteria that need it'
            ),
        )
        for what, asked, empty in questions
    ]


def _since_seen(ask: Callable[[Window], str], window: Window) -> str:
    """Ask about the window; where no instance was seen when it began, about the time since."""
    try:
        return f"{ask(window)} in the last hour"
    except SeenTooLate as young:
        since = datetime.fromtimestamp(young.since, UTC)
        return (
            f"{ask(Window(since, window.end))} since {format_time(young.since)}; no instance was "
            "seen before, and a checkpoint needs the whole of its window"
        )
    except CoverageTooLow as problem:
        raise SourceEmpty(str(problem)) from None
    except NotProvided as problem:  # the service is known, and has no such metric
        raise SourceLacks(str(problem)) from None


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
