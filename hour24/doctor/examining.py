"""Everything that production.toml describes, tried.

Rules of this module:

- What is not described is told first, with the criteria that cannot be judged without it.
- Systems are asked side by side; findings come in the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterator

from hour24.clock import Clock
from hour24.config import Production
from hour24.criteria import CRITERIA
from hour24.doctor import accused, people, witnesses
from hour24.doctor.trial import Finding, Lane, listed

NEEDED_BY = {
    "endpoints": ("LATENCY-TARGET", "LATENCY-STABLE", "SIGNOFF-LATENCY"),
    "websocket": ("WS-STABLE", "SIGNOFF-WEBSOCKETS"),
    "sentry": (
        "SENTRY-RECEIVES",
        "SENTRY-FEED",
        "ERRORS-COUNT",
        "ERRORS-NEW",
        "ERRORS-CRITICAL",
        "ERRORS-TOP",
        "LATENCY-MOST",
        "SIGNOFF-CRITICAL",
    ),
    "render": (
        "ERRORS-TREND",
        "LOGS-ERRORS",
        "LOGS-PATTERNS",
        "LOGS-WATCHED",
        "JOBS-RUNNING",
        "MEMORY-STABLE",
        "MEMORY-HEADROOM",
        "SIGNOFF-JOBS",
    ),
    "supabase": ("DB-SIZE",),
    "database": ("DB-SLOW", "DB-POOL"),
    "jobs": ("JOBS-RUNNING", "SIGNOFF-JOBS"),
}


def examine(production: Production, clock: Clock) -> Iterator[Finding]:
    """Try everything that ``production`` describes; one finding a question, as they come."""
    yield from _described(production)
    lanes = [
        Lane(name, trials)
        for name, trials in (
            ("control", accused.control(production, clock)),
            ("health", accused.health(production)),
            ("endpoints", accused.endpoints(production)),
            ("websocket", accused.websocket(production, clock)),
            ("sentry", witnesses.sentry(production, clock)),
            ("render", witnesses.render(production, clock)),
            ("supabase", witnesses.supabase(production, clock)),
            ("database", witnesses.database(production, clock)),
            ("status pages", witnesses.status_pages(production, clock)),
            ("people", people.people(production)),
        )
        if trials
    ]
    for lane in lanes:
        yield from lane.findings()


def _described(production: Production) -> Iterator[Finding]:
    """Which criteria cannot be judged, because nothing is described that they ask."""
    for section, ids in NEEDED_BY.items():
        left = [name for name in ids if _applies(production, name)]
        if getattr(production, section) or not left:
            continue
        assert all(name in CRITERIA for name in left)
        yield Finding(
            name=section,
            ok=False,
            says=f"not described, so {listed(left)} will be INCONCLUSIVE",
            remedy=f"describe [{section}] in {production.path}, or state for each of them "
            f'[criteria.{left[0]}] applies = false, because = "..."',
        )


def _applies(production: Production, name: str) -> bool:
    stated = production.criteria.get(name)
    return stated is None or stated.applies
