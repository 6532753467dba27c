"""What ``doctor`` asks of Loki about the last hour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hour24.clock import Clock
from hour24.config import Production
from hour24.errors import SourceEmpty, SourceIncomplete
from hour24.witnesses.loki import LokiAt
from hour24.witnesses.loki.source import Loki
from hour24.witnesses.port import Trial, last_hour


def trials(at: LokiAt, production: Production, clock: Clock) -> list[Trial]:
    """What a checkpoint will ask."""
    source = Loki(at, clock)
    window = last_hour(clock.now(), production.schedule.settle_s)
    questions: list[tuple[str, Callable[[], str]]] = [
        ("error lines", lambda: _errors(source.error_lines(window))),
        ("watched lines", lambda: f"{source.watched_lines(window).total} lines in the last hour"),
    ]
    jobs = production.jobs
    if jobs is not None:
        questions.append(("beats", lambda: _workers(source.beats(window, jobs))))
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
        for what, asked in questions
    ]


def _errors(found: Any) -> str:
    missing = found.about.get("missing")
    if missing:
        raise SourceIncomplete(f"loki: error lines: expected the last hour, got a part: {missing}")
    return f"{len(found.items)} in the last hour"


def _workers(found: Any) -> str:
    if not found.lines:
        raise SourceEmpty("loki: beats: expected a beat in the last hour, got none")
    return f"{len(found.lines)} workers"
