"""The command line of a checkpoint, read once."""

from __future__ import annotations

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
    """What the command line asks for.

    Args:
        marker: what ``-m`` selects: ``hour8``, or ``daily``, which means the day that is due.
        target: path of a production.toml, or the word ``rehearsal``.
        watch: empty: the one still open.
        seed, faults: of the rehearsal; none: the watch's own, else seed 1 without a fault.
        rehearsal_at: a file that says where a rehearsal is already being served.
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

    @property
    def hour(self) -> int:
        """The checkpoint; 0 for a daily look, whose hour follows from the day."""
        return 0 if self.marker == DAILY else int(self.marker.removeprefix("hour"))

    @property
    def reports_elsewhere(self) -> str:
        """Where watches are kept, if a command must name it; empty for ``reports`` here."""
        here = self.reports.absolute() == Path(REPORTS).absolute()
        return "" if here else str(self.reports)

    @property
    def target_options(self) -> str:
        """The options that lead a command to the same target and the same reports."""
        named = "" if self.target == TARGET else f" --target {self.target}"
        reports = self.reports_elsewhere
        return f"{named} --reports {reports}" if reports else named


def moment(text: str, where: str) -> datetime:
    """The moment in ISO 8601 that a person typed, with its offset or Z, cut to the minute.

    Raises: ConfigurationError.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise ConfigurationError(
            [f"{where}: expected a moment such as 2026-12-01T06:00Z, got {text!r}"]
        )
    return to_minute(read)
