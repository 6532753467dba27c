"""The files of the prober, and the observations that they contain."""

from hour24.probes.lines import (
    Alarm,
    Drop,
    LineWriter,
    Minute,
    NoProber,
    alarms,
    is_written,
    last_line,
)
from hour24.probes.observations import Observations, read

__all__ = [
    "Alarm",
    "Drop",
    "LineWriter",
    "Minute",
    "NoProber",
    "Observations",
    "alarms",
    "is_written",
    "last_line",
    "read",
]
