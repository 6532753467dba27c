"""ERROR lines, and how many lines hold a watched word.

Rules of this room:

- An ERROR line has the level ``error``, or the word ERROR in it, whatever its level: lines of a
  deploy have none. Both are asked for.
- A traceback that a process prints is one line each without a level of its own: only a line
  with the word counts. That is said beside the answer.
- None found is believed when the window holds a line of any kind.
- Of watched words only counts are kept. Case does not matter; a line with two of them counts
  for both.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hour24.evidence import Counts, Listing
from hour24.watch import Window
from hour24.witnesses.render.logs import LogLine, first_lines, lines, newest
from hour24.witnesses.render.place import Place

WATCHED = ("WARN", "database", "timeout")
MOST = 50
"""Pages of ERROR lines that are read, of each kind."""
LONGEST = 2000
"""So many characters of a message are kept: more than anybody looks at."""
_ERROR = re.compile(r"\bERROR\b")


def error_lines(place: Place, window: Window) -> Listing:
    """``{id, at, message, level, instance}``, oldest first; ``seen`` lines were looked at.

    Past the page cap these are the first ones, and the listing is not complete: what is there
    was logged.

    Raises: SourceEmpty, when the log holds no line at all.
    """
    with place.asking("error lines", window) as asking:
        by_level, whole = first_lines(place, asking, window, ("level", "error"), most_pages=MOST)
        by_word, all_of_it = first_lines(
            place, asking, window, ("text", "*ERROR*"), most_pages=MOST
        )
        complete = whole and all_of_it
        seen = {line.id: line for line in (*by_level, *by_word)}
        sought = _is_error if complete else _nothing
        last = newest(place, asking, window, seen.values(), sought)
        found = sorted(line for line in seen.values() if _is_error(line))
        return Listing(
            question=asking.question(),
            what="ERROR lines",
            items=tuple(
                {
                    "id": line.id,
                    "at": line.at,
                    "message": line.message[:LONGEST],
                    "level": line.level,
                    "instance": line.instance,
                }
                for line in found
            ),
            complete=complete,
            seen=len(seen),
            note="lines of level error and lines with the word ERROR, lines of requests aside; "
            "a traceback without the word, and other levels such as fatal, are not seen; "
            + _until(last),
        )


def watched_lines(place: Place, window: Window) -> Counts:
    """How many lines hold each watched word: ``parts``, word -> lines; none of them is bad.

    ``total`` is how many lines were read, the newest ones of any kind among them; the window is
    the exposure.

    Raises: SourceTooMany, past the page cap; SourceEmpty, when the log holds no line at all.
    """
    with place.asking("watched lines", window) as asking:
        found = {word: lines(place, asking, window, ("text", f"*{word}*")) for word in WATCHED}
        seen = {line.id: line for each in found.values() for line in each}
        last = newest(place, asking, window, seen.values(), _is_watched)
        return Counts(
            question=asking.question(),
            what="lines read",
            total=len({*seen, *(line.id for line in last)}),
            bad=0,
            parts={word: sum(_holds(line, word) for line in each) for word, each in found.items()},
            note=f"lines with each word in {window.hours:g} h, lines of requests aside; "
            + _until(last),
        )


def _is_error(line: LogLine) -> bool:
    return line.is_message and (line.level == "error" or bool(_ERROR.search(line.message)))


def _holds(line: LogLine, word: str) -> bool:
    return line.is_message and word.casefold() in line.message.casefold()


def _is_watched(line: LogLine) -> bool:
    """Whether a search for the words as they are written must find it."""
    return line.is_message and any(word in line.message for word in WATCHED)


def _nothing(line: LogLine) -> bool:
    return False


def _until(last: list[LogLine]) -> str:
    at = datetime.fromtimestamp(last[-1].at, UTC)
    return f"the newest line of any kind is from {at:%Y-%m-%d %H:%M:%S}Z"
