"""ERROR lines, and how many lines hold a watched word.

Rules of this room:

- An ERROR line has the level ``error``, or the word ERROR in it, whatever its level: lines of a
  deploy have none. Both are asked for.
- A traceback that a process prints is one line each without a level of its own: only a line
  with the word counts. That is said beside the answer.
- None found is believed when the window holds a line of any kind.
- Of watched words only counts are kept, by clock hour (UTC) and word; case does not matter. A
  line with two of them counts for both.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from hour24.evidence import Listing
from hour24.sources.render.logs import LogLine, lines, newest
from hour24.sources.render.place import Place
from hour24.watch import Window

WATCHED = ("WARN", "database", "timeout")
LONGEST = 2000
"""So many characters of a message are kept: more than anybody looks at."""
HOUR_S = 3600
_ERROR = re.compile(r"\bERROR\b")


def error_lines(place: Place, window: Window) -> Listing:
    """``{id, at, message, level, instance}``, oldest first; ``seen`` lines were looked at.

    Raises: SourceTooMany, past the page cap; SourceEmpty, when the log holds no line at all.
    """
    with place.asking("error lines", window) as asking:
        by_level = lines(place, asking, window, ("level", "error"))
        by_word = lines(place, asking, window, ("text", "*ERROR*"))
        last = newest(place, asking, window)
        seen = {line.id: line for line in (*by_level, *by_word)}
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
            seen=len(seen),
            about={"newest_line": last.at},
            note="lines of level error and lines with the word ERROR, lines of requests aside; "
            "a traceback without the word, and other levels such as fatal, are not seen; "
            f"the newest line of any kind is from {_clock(last.at)}",
        )


def watched_lines(place: Place, window: Window) -> Listing:
    """``{at, hours, word, count}``: how many lines hold the word, in this part of the window.

    ``hours`` is the length of that part. ``about`` tells ``hours`` of the whole, ``lines`` (each
    line once) and each word's count.

    Raises: SourceTooMany, past the page cap; SourceEmpty, when the log holds no line at all.
    """
    with place.asking("watched lines", window) as asking:
        found = {
            word: _with_word(lines(place, asking, window, _text(word)), word) for word in WATCHED
        }
        last = newest(place, asking, window)
        items = tuple(_by_hour(window, found))
        distinct = {line.id for each in found.values() for line in each}
        return Listing(
            question=asking.question(),
            what="hours and words",
            items=items,
            seen=len(items),
            about={
                "hours": window.hours,
                "lines": float(len(distinct)),
                **{word: float(len(each)) for word, each in found.items()},
            },
            note=f"{len(distinct)} lines in {window.hours:g} h, lines of requests aside; "
            f"the newest line of any kind is from {_clock(last.at)}",
        )


def _is_error(line: LogLine) -> bool:
    return line.is_message and (line.level == "error" or bool(_ERROR.search(line.message)))


def _text(word: str) -> tuple[str, str]:
    return ("text", f"*{word}*")


def _with_word(found: list[LogLine], word: str) -> list[LogLine]:
    return [
        line for line in found if line.is_message and word.casefold() in line.message.casefold()
    ]


def _by_hour(window: Window, found: dict[str, list[LogLine]]) -> Iterator[dict[str, float | str]]:
    start, end = window.start.timestamp(), window.end.timestamp()
    counts = {
        word: Counter(math.floor(line.at / HOUR_S) for line in each) for word, each in found.items()
    }
    for hour in range(math.floor(start / HOUR_S), math.ceil(end / HOUR_S)):
        begin, until = max(start, hour * HOUR_S), min(end, (hour + 1) * HOUR_S)
        for word in WATCHED:
            hours = (until - begin) / HOUR_S
            yield {"at": begin, "hours": hours, "word": word, "count": counts[word][hour]}


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"
