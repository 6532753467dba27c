"""Sets the wall clock of hour24 in a process of a test: HOUR24_TEST_CLOCK names it.

A number is the seconds that are added to the machine's clock; a path is a file with that number,
read again each time, so that the clock can jump. Steady clocks stay as they are.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

CLOCK = os.environ.get("HOUR24_TEST_CLOCK", "")

if CLOCK:
    from hour24.clock import WallClock

    def now(self: WallClock) -> datetime:
        """The machine's time, moved."""
        stated = Path(CLOCK).read_text("utf-8") if CLOCK.startswith("/") else CLOCK
        return datetime.now(UTC) + timedelta(seconds=float(stated))

    WallClock.now = now  # type: ignore[method-assign]
