"""Heartbeats of the background jobs, read from the log.

Rules of this module:

- The platform filters by the longest word of the pattern: a colour code may stand between two
  words, hardly within one. The pattern itself is matched here, on the visible text and without
  regard to case, since the platform may not understand it.
- A beat has the time of its line. The platform does not say when the line arrived, so the value
  is None.
- No beat is an answer when the window holds other lines; the log cannot say whether the jobs
  stopped or the pattern is wrong.
"""

from __future__ import annotations

from datetime import timedelta

from hour24.asking.answers import misread
from hour24.config import Jobs
from hour24.evidence import Series
from hour24.linear import stated
from hour24.lines import visible
from hour24.watch import Window
from hour24.witnesses.logged import beats_series, plain_text
from hour24.witnesses.render.api import ServiceApi
from hour24.witnesses.render.logs import LogLine, lines, newest

MOST_PAGES = 200
"""Three workers for 24 h are 87 pages."""
PERIODS = 3
"""Beat periods that are read without a filter when the filter found no beat."""


def beats(api: ServiceApi, window: Window, jobs: Jobs) -> Series:
    """Return one line per worker: ``times`` are its beats, ``values`` their unknown arrivals.

    There is no line when no worker sent a beat.

    Raises: SourceTooMany, past the page cap; SourceEmpty, when the log holds no line at all.
    """
    expression = stated(jobs.pattern)
    plain = plain_text(jobs.pattern)

    def beat(line: LogLine) -> dict[str, str] | None:
        """Return the named groups of a line that is a beat; None for another line."""
        return expression.groups(visible(line.message)) if line.is_message else None

    with api.asking("beats", window) as asking:
        filters = [("text", f"*{plain}*")] if plain else []
        found = lines(api, asking, window, *filters, most_pages=MOST_PAGES)
        newest(api, asking, window, found, lambda line: beat(line) is not None)
        times: dict[str, list[float]] = {}
        for line in found:
            match = beat(line)
            if match is not None:
                times.setdefault(match.get("worker", ""), []).append(line.at)
        if not times and plain:
            # before a report that jobs stopped: the filter may hide their beats
            since = window.end - timedelta(seconds=PERIODS * jobs.every_s)
            last = Window(max(window.start, since), window.end)
            if any(beat(line) for line in lines(api, asking, last)):
                raise misread(asking.where, "beats by the filter too", f"*{plain}*")
        return beats_series(asking.question(), times)
