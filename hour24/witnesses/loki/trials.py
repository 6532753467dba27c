"""What ``doctor`` asks of Loki about the last hour."""

from __future__ import annotations

from hour24.clock import Clock
from hour24.config import Production
from hour24.witnesses.logged import questions_of_doctor
from hour24.witnesses.loki import LokiAt
from hour24.witnesses.loki.source import Loki
from hour24.witnesses.port import Trial, last_hour


def trials(at: LokiAt, production: Production, clock: Clock) -> list[Trial]:
    """What a checkpoint will ask."""
    source = Loki(at, clock)
    window = last_hour(clock.now(), production.schedule.settle_s)
    right = "a token that may read the logs of this tenant (loki.tenant, loki.user)"
    if at.token is not None:
        right = f"check the token in {at.token.name}: {right}"
    return [
        Trial(
            name=f"loki: {what}",
            asked=asked,
            address=at.url,
            right=right,
            empty=f"check loki.selector: {at.selector} finds no line of the last hour",
            lacks="check loki.url, and that loki.page is at most the server's limit",
        )
        for what, asked in questions_of_doctor("loki", source, window, production.jobs)
    ]
