"""The requests by which ``doctor`` tries Sentry: each right of the token, and a stored event."""

from __future__ import annotations

from typing import Any

from hour24.clock import Clock
from hour24.config import Production
from hour24.criteria import latency
from hour24.errors import SourceEmpty
from hour24.witnesses.port import Trial, last_hour
from hour24.witnesses.sentry import SentryAt
from hour24.witnesses.sentry.source import Sentry


def trials(at: SentryAt, production: Production, clock: Clock) -> list[Trial]:
    """Return one trial for each request that a checkpoint will send."""
    source = Sentry(at, clock)
    window = last_hour(clock.now(), production.schedule.settle_s)
    token = at.token.name
    trials = [
        Trial(
            name=f"sentry: {what}",
            asked=asked,
            address=at.url,
            right=f"give the token in {token} the right {right}, and access to "
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
                empty="check whether Sentry drops events: quota, rate limits, inbound filters",
            )
        )
    return trials


def _canary(found: Any) -> str:
    if found.status != 200:
        raise SourceEmpty(f"sentry: canary: expected the event to be stored, got {found.problem}")
    return "an event sent now is stored"
