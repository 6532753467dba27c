"""What ``doctor`` asks of the logs about the last hour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hour24.clock import Clock
from hour24.config import Production
from hour24.errors import SourceEmpty, SourceIncomplete
from hour24.witnesses.logs import LogsAt
from hour24.witnesses.logs.source import Logs
from hour24.witnesses.port import Trial, last_hour


def trials(at: LogsAt, production: Production, clock: Clock) -> list[Trial]:
    """What a checkpoint will ask."""
    source = Logs(at, clock)
    window = last_hour(clock.now(), production.schedule.settle_s)
    questions: list[tuple[str, Callable[[], str]]] = [
        ("error lines", lambda: _errors(source.error_lines(window))),
        ("watched lines", lambda: f"{source.watched_lines(window).total} lines in the last hour"),
    ]
    jobs = production.jobs
    if jobs is not None:
        questions.append(("beats", lambda: _workers(source.beats(window, jobs))))
    right = "run hour24 as a user that may read the log"
    empty = "check logs.file: the service must write to it"
    return [
        Trial(
            name=f"logs: {what}",
            asked=asked,
            address=at.file or at.journal,
            right=right,
            empty=empty,
            misread="see that each line begins with a date and a time; state logs.time_zone where "
            "they have no zone",
            lacks="check logs.file or logs.journal",
        )
        for what, asked in questions
    ]


def _errors(found: Any) -> str:
    missing = found.about.get("missing")
    if missing:
        raise SourceIncomplete(f"logs: error lines: expected the last hour, got a part: {missing}")
    sampled, unlevelled = found.about["sampled"], found.about["unlevelled"]
    return (
        f"{len(found.items)} in the last hour; a level in {sampled - unlevelled:,.0f} of "
        f"{sampled:,.0f} lines"
    )


def _workers(found: Any) -> str:
    if not found.lines:
        raise SourceEmpty("logs: beats: expected a beat in the last hour, got none")
    return f"{len(found.lines)} workers"
