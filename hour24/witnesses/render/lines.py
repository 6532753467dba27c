"""ERROR lines, and counts of lines that hold a watched word.

Rules of this module:

- The queries are for lines with an error's label, and for lines whose text has a word, number or
  form of an error. The judge decides which are errors, by the line's own level
  (:mod:`hour24.lines.levels`); lines below that level are left out here.
- Both queries are regular expressions, which Render documents. If the newest lines hold an error
  that they missed, single words are queried; a filter that still hides a line is refused.
- Finding none is an answer when the window holds a line of any kind.
- Of watched words only counts are kept. Case does not matter; a line with two of them counts
  for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from hour24.asking.client import Asking
from hour24.errors import SourceError, SourceMisread
from hour24.evidence import Counts, Listing
from hour24.lines import visible
from hour24.watch import Window
from hour24.witnesses.logged import (
    ERROR_TEXT,
    WATCHED,
    Entry,
    error_listing,
    holds,
    is_error,
    is_kept,
)
from hour24.witnesses.render.api import ServiceApi
from hour24.witnesses.render.logs import LogLine, first_lines, newest

MOST = 50
"""Pages of ERROR lines that are read, of each kind."""
_LABELS = (
    "error", "err", "fatal", "critical", "crit", "alert", "emerg", "emergency", "panic", "severe",
)  # fmt: skip
_TEXTS = (
    "ERROR", "FATAL", "CRIT", "PANIC", "ALERT", "EMERG", "SEVERE", "ERR", "EROR", "FTL",
    "exception", "traceback", "uncaught", "unhandled", '"level":50', '"level":60', "fail:",
)  # fmt: skip
"""Queried one by one where regular expressions miss an error."""
_BY_LABEL = ("level", f"/^({'|'.join(_LABELS)})$/")
_BY_TEXT = ("text", f"/{ERROR_TEXT}/")


def error_lines(api: ServiceApi, window: Window) -> Listing:
    """Return ``{id, at, message, level, instance}``, oldest first; ``seen`` lines were read.

    Past the page cap these are the first lines, and the listing is not complete: they are
    evidence all the same.

    Raises: SourceEmpty, when the log holds no line at all.
    """
    with api.asking("error lines", window) as asking:
        seen, cut = _candidates(api, asking, window, (_BY_LABEL, _BY_TEXT))
        try:
            last = newest(api, asking, window, seen.values(), _nothing if cut else _is_error)
        except SourceMisread:
            single = [("level", each) for each in _LABELS] + [("text", f"*{t}*") for t in _TEXTS]
            more, cut = _candidates(api, asking, window, single)
            seen |= more
            last = newest(api, asking, window, seen.values(), _nothing if cut else _is_error)
        found = sorted(line for line in seen.values() if _is_kept(line))
        return error_listing(
            asking.question(),
            [Entry(each.at, each.id, each.message, each.level, each.instance) for each in found],
            complete=cut is None,
            seen=len(seen),
            note=(f"{cut}; " if cut else "")
            + "lines labelled an error or worse, and lines with a word or number of such a "
            "level, excluding request lines; a line's own level overrides its label; "
            + _up_to(last),
            about={},
        )


def watched_lines(api: ServiceApi, window: Window) -> Counts:
    """Return how many lines hold each watched word: ``parts``, word -> lines; none is bad.

    ``total`` counts the lines read, including the newest of any kind; the window is the exposure.

    Past the page cap, and where a later page fails, these are counts of the first lines; ``cut``
    says so.

    Raises: SourceEmpty, when the log holds no line at all.
    """
    with api.asking("watched lines", window) as asking:
        read = {word: first_lines(api, asking, window, ("text", f"*{word}*")) for word in WATCHED}
        found = {word: each for word, (each, _) in read.items()}
        cut = next((problem for _, problem in read.values() if problem is not None), None)
        seen = {line.id: line for each in found.values() for line in each}
        last = newest(api, asking, window, seen.values(), _nothing if cut else _is_watched)
        return Counts(
            question=asking.question(),
            what="lines read",
            total=len({*seen, *(line.id for line in last)}),
            bad=0,
            parts={word: sum(_holds(line, word) for line in each) for word, each in found.items()},
            cut=cut.code if cut else "",
            note=(f"{cut}; " if cut else "")
            + f"lines with each word in {window.hours:g} h, excluding request lines; "
            + _up_to(last),
        )


def _candidates(
    api: ServiceApi, asking: Asking, window: Window, filters: Sequence[tuple[str, str]]
) -> tuple[dict[str, LogLine], SourceError | None]:
    """Return the first lines that pass any of these filters, by id, and why they are not all."""
    seen: dict[str, LogLine] = {}
    cut: SourceError | None = None
    for each in filters:
        found, problem = first_lines(api, asking, window, each, most_pages=MOST)
        seen |= {line.id: line for line in found}
        cut = cut or problem
    return seen, cut


def _is_error(line: LogLine) -> bool:
    return line.is_message and is_error(line.message, line.level)


def _is_kept(line: LogLine) -> bool:
    return line.is_message and is_kept(line.message, line.level)


def _holds(line: LogLine, word: str) -> bool:
    return line.is_message and holds(line.message, word)


def _is_watched(line: LogLine) -> bool:
    """True if a case-sensitive search for the watched words must find the line."""
    return line.is_message and any(word in visible(line.message) for word in WATCHED)


def _nothing(line: LogLine) -> bool:
    return False


def _up_to(last: list[LogLine]) -> str:
    at = datetime.fromtimestamp(last[-1].at, UTC)
    return f"the newest line of any kind is from {at:%Y-%m-%d %H:%M:%S}Z"
