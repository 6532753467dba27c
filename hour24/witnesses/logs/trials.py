"""What ``doctor`` asks of the logs about the last hour."""

from __future__ import annotations

from hour24.clock import Clock
from hour24.config import Production
from hour24.witnesses.logged import questions_of_doctor
from hour24.witnesses.logs import LogsAt
from hour24.witnesses.logs.source import Logs
from hour24.witnesses.port import Trial, last_hour


def trials(at: LogsAt, production: Production, clock: Clock) -> list[Trial]:
    """What a checkpoint will ask."""
    source = Logs(at, clock)
    window = last_hour(clock.now(), production.schedule.settle_s)
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
        for what, asked in questions_of_doctor("logs", source, window, production.jobs)
    ]
