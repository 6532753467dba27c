"""Sentry, Render, Supabase, the database and the status pages, asked about the last hour.

Rules of this module:

- Every right of a credential is tried by the question that needs it.
- One event is sent to Sentry, the one that hour 0 sends as well.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hour24.clock import Clock
from hour24.config import Production
from hour24.criteria import latency
from hour24.doctor.trial import Trial
from hour24.errors import SourceEmpty
from hour24.text import format_percent
from hour24.watch import Window


def _last_hour(production: Production, clock: Clock) -> Window:
    now = clock.now()
    hour = Window(now - timedelta(hours=1), now)
    return hour.shifted(-production.schedule.settle_s)


def sentry(production: Production, clock: Clock) -> list[Trial]:
    at = production.sentry
    if at is None:
        return []
    from hour24.witnesses.sentry.source import Sentry

    source, window = Sentry(at, clock), _last_hour(production, clock)
    token = at.token.name
    trials = [
        Trial(
            name=f"sentry: {what}",
            asked=asked,
            address=at.url,
            right=f"give the token in {token} the right {right}, and see that it may read "
            f"project {at.project} of {at.organization}",
            empty=empty,
        )
        for what, right, asked, empty in (
            (
                "issues",
                "event:read",
                lambda: f"{len(source.issues(window).items)} in the last hour",
                "",
            ),
            (
                "error events",
                "org:read",
                lambda: f"{len(source.error_events(window).items)} in the last hour",
                "",
            ),
            ("outcomes", "org:read", lambda: f"{source.outcomes(window).total} events", ""),
            (
                "transactions",
                "org:read",
                lambda: f"{len(source.transactions(window).items)} in the last hour",
                "have the service send transactions (traces_sample_rate above 0), or leave "
                f"{latency.MOST.id} out with a reason",
            ),
        )
    ]
    if at.dsn is not None:
        trials.append(
            Trial(
                name="sentry: canary",
                asked=lambda: _canary(source.receipt()),
                address=at.url,
                right=f"check the DSN in {at.dsn.name}, and project:read of the token in {token}",
                empty="see whether Sentry drops events: quota, rate limits, inbound filters",
            )
        )
    return trials


def _canary(found: Any) -> str:
    if found.status != 200:
        raise SourceEmpty(f"sentry: canary: expected the event to be stored, got {found.problem}")
    return "an event sent now is stored"


def render(production: Production, clock: Clock) -> list[Trial]:
    at = production.render
    if at is None:
        return []
    from hour24.witnesses.render.source import Render

    source, window = Render(at, clock), _last_hour(production, clock)
    right = f"check the API key in {at.token.name}: it must see {at.service} of {at.owner}"
    questions: list[tuple[str, Callable[[], str], str]] = [
        ("deploys", lambda: f"{len(source.deploys(window).items)} in the last hour", ""),
        ("events", lambda: f"{len(source.events(window).items)} in the last hour", ""),
        (
            "responses",
            lambda: f"{source.responses(window).total} requests in the last hour",
            "HTTP metrics need a workspace plan that has them, and traffic",
        ),
        (
            "memory",
            lambda: f"{len(source.memory(window).lines)} instances",
            "check that render.service is the service that runs",
        ),
        ("memory limit", lambda: f"{len(source.memory_limit(window).lines)} instances", ""),
        (
            "error lines",
            lambda: f"{len(source.error_lines(window).items)} in the last hour",
            "",
        ),
    ]
    jobs = production.jobs
    if jobs is not None:
        questions.append(
            (
                "beats",
                lambda: _workers(source.beats(window, jobs)),
                "see that the jobs log their beat, and that jobs.pattern finds it",
            )
        )
    return [
        Trial(name=f"render: {what}", asked=asked, address=at.url, right=right, empty=empty)
        for what, asked, empty in questions
    ]


def _workers(found: Any) -> str:
    if not found.lines:
        raise SourceEmpty("render: beats: expected a beat in the last hour, got none")
    return f"{len(found.lines)} workers"


def supabase(production: Production, clock: Clock) -> list[Trial]:
    at = production.supabase
    if at is None:
        return []
    from hour24.witnesses.supabase.source import Supabase

    source = Supabase(at, clock)
    right = f"check the token in {at.token.name}: it must see project {at.project_ref}"
    return [
        Trial(
            name="supabase: services",
            asked=lambda: f"{len(source.services().items)} services",
            address=at.url,
            right=right,
        ),
        Trial(
            name="supabase: disk",
            asked=lambda: _disk(source.disk().items[0]),
            address=at.url,
            right=right,
        ),
    ]


def _disk(reading: dict[str, Any]) -> str:
    return f"{format_percent(reading['used_bytes'] / reading['size_bytes'], 0)} used"


def database(production: Production, clock: Clock) -> list[Trial]:
    at = production.database
    if at is None:
        return []
    from hour24.witnesses.database.source import Postgres

    source, variable = Postgres(at, clock), at.dsn.name
    rights = f"grant pg_monitor to the role in {variable}: GRANT pg_monitor TO the_role"
    return [
        Trial(
            name=f"database: {what}",
            asked=asked,
            right=right,
            empty=empty,
        )
        for what, asked, right, empty in (
            (
                "login",
                lambda: f"database {source.runbook_row().items[0]['datname']} answers",
                f"check role, password and host in {variable}; do not try a wrong password "
                "again and again, Supabase bans the address",
                "",
            ),
            (
                "connections",
                lambda: f"{source.connections().items[0]['in_use']} in use",
                rights,
                "",
            ),
            (
                "statements",
                lambda: f"{len(source.statements().items)} above {at.slow_ms:g} ms",
                rights + "; on Supabase also GRANT USAGE ON SCHEMA extensions TO the_role",
                "create extension pg_stat_statements",
            ),
        )
    ]


def status_pages(production: Production, clock: Clock) -> list[Trial]:
    if not production.status_pages:
        return []
    from hour24.witnesses.status_pages.source import StatusPages

    def trial(page: Any) -> Trial:
        def asked() -> str:
            StatusPages((page,), clock).incidents()
            return "readable"

        return Trial(
            name=f"status page {page.name}",
            asked=asked,
            address=page.url,
            lacks=f"check the address {page.url} and its form, statuspage or betterstack",
        )

    return [trial(page) for page in production.status_pages]
