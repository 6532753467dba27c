"""The requests by which ``doctor`` tries Render, over the last hour."""

from __future__ import annotations

from collections.abc import Callable

from hour24.clock import Clock
from hour24.config import Production
from hour24.witnesses.logged import count_workers
from hour24.witnesses.port import Trial, last_hour
from hour24.witnesses.render import RenderAt
from hour24.witnesses.render.source import Render


def trials(at: RenderAt, production: Production, clock: Clock) -> list[Trial]:
    """Return one trial for each request that a checkpoint will send."""
    source = Render(at, clock)
    window = last_hour(clock.now(), production.schedule.settle_s)
    right = f"check the API key in {at.token.name}: it must see {at.service} of {at.owner}"
    questions: list[tuple[str, Callable[[], str], str]] = [
        ("deploys", lambda: f"{len(source.deploys(window).items)} in the last hour", ""),
        ("events", lambda: f"{len(source.platform_events(window).items)} in the last hour", ""),
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
                lambda: count_workers("render", source.beats(window, jobs)),
                "check that the jobs log their beat and that jobs.pattern matches it",
            )
        )
    return [
        Trial(name=f"render: {what}", asked=asked, address=at.url, right=right, empty=empty)
        for what, asked, empty in questions
    ]
