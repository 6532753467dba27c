"""The file with the service's lines, up to the rehearsal's time.

Rules of this module:

- The lines are those of the platform's log, with their times: the two never contradict each other.
- It begins two hours before T0, so that hour 0's window is whole.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hour24.rehearsal.lines import Lines
from hour24.rehearsal.scenario import HOUR_S
from hour24.rehearsal.vendors.part import Part, Section
from hour24.rehearsal.world import World, stamp

BEFORE_S = 2 * HOUR_S


class LogFile(Part):
    """The service's log."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._folder = Path(tempfile.mkdtemp(prefix="hour24-rehearsal-log-"))
        self._path = self._folder / "service.log"
        self._written: tuple[Lines | None, float] = (None, 0.0)
        self.apply()

    def section(self) -> Section:
        return {"file": str(self._path)}

    def apply(self) -> None:
        """Append the lines up to now; start over if the scenario or the time was changed."""
        lines, now = self.world.lines, self.world.now
        written, until = self._written
        append = written is lines and now >= until
        start = until if append else self.world.t0.timestamp() - BEFORE_S
        with self._path.open("a" if append else "w", encoding="utf-8") as file:
            for each in lines.between(start, now):
                file.write(f"{stamp(each.at, 'microseconds')} {each.message}\n")
        os.utime(self._path, (now, now))
        self._written = (lines, now)

    def stop(self) -> None:
        """Remove it."""
        shutil.rmtree(self._folder, ignore_errors=True)
