"""What the prober writes down, and what its lines say of a window."""

from hour24.probes.lines import Alarm, Drop, LineWriter, Minute, NoProber, alarms, last_line
from hour24.probes.seen import Seen, read

__all__ = [
    "Alarm",
    "Drop",
    "LineWriter",
    "Minute",
    "NoProber",
    "Seen",
    "alarms",
    "last_line",
    "read",
]
