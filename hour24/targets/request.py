"""The command line of a checkpoint."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hour24.errors import ConfigurationError
from hour24.watch import to_minute

TARGET = "production.toml"
REPORTS = "reports"
DAILY = "daily"


@dataclass(frozen=True)
class Request:
    """The options of the command line.

    Args:
        marker: the marker in ``-m``: ``hour8``, or ``daily`` for the daily checks that are due.
        target: path of a production.toml, or the word ``rehearsal``.
        watch: name of the watch; empty: the open one.
        seed, faults: of the rehearsal; None: those of the watch, or else seed 1 without a fault.
        once: whether an hour that is recorded already is refused.
        rehearsal_at: a file with the addresses of a rehearsal that is already being served.
    """

    marker: str = "hour0"
    target: str = TARGET
    reports: Path = Path(REPORTS)
    watch: str = ""
    t0: datetime | None = None
    early: bool = False
    follows: str = ""
    seed: int | None = None
    faults: tuple[str, ...] = ()
    rehearsal_at: Path | None = None
    once: bool = False

    @property
    def hour(self) -> int:
        """Hour of the checkpoint; 0 for the daily checks, which compute their hour later."""
        return 0 if self.marker == DAILY else int(self.marker.removeprefix("hour"))

    @property
    def reports_elsewhere(self) -> str:
        """The folder of the watches, if commands must name it; empty for ``./reports``."""
        here = self.reports.absolute() == Path(REPORTS).absolute()
        return "" if here else str(self.reports)

    @property
    def target_options(self) -> str:
        """The command line options that select this target and this folder of reports."""
        named = "" if self.target == TARGET else f" --target {shlex.quote(str(self.target))}"
        reports = self.reports_elsewhere
        return f"{named} --reports {shlex.quote(reports)}" if reports else named


def read_time(text: str, where: str) -> datetime:
    """Returns an ISO 8601 time with offset or Z, truncated to the minute.

    Raises: ConfigurationError.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise ConfigurationError(
            [f"{where}: expected a time such as 2026-12-01T06:00Z, got {text!r}"]
        )
    return to_minute(read)
