"""The service's log, read page by page.

Rules of this room:

- There is no cursor: while ``hasMore``, the ``nextStartTime`` and ``nextEndTime`` of a page are
  asked for next, as they were told. A stretch that was asked before never ends, and is refused.
- A line counts once, by its id, however many pages hold it.
- Filters are asked one at a time: whether several mean "and" or "or" is not documented. What a
  filter lets through is looked at again, and what it should have found among the newest lines
  is looked for: a filter that hides a line is misread.
- Past the page cap there is no answer; whoever can use a part asks for the first lines.
- Lines of requests (type ``request``) are the platform's own, not the service's messages.

Source: ``GET /logs``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from hour24.asking.answers import (
    SLACK_S,
    holds,
    member,
    misread,
    moment,
    object_of,
    objects,
    stamp,
    text,
)
from hour24.asking.client import Asking
from hour24.errors import SourceEmpty, SourceTooMany
from hour24.watch import Window
from hour24.witnesses.render.place import PAGE, Place

MOST_PAGES = 100


class LogLine(NamedTuple):
    """One line: ``at`` epoch seconds; level, instance and type are empty where not told."""

    at: float
    id: str
    message: str
    level: str
    instance: str
    type: str

    @property
    def is_message(self) -> bool:
        """Whether the service wrote it, and not the platform of a request."""
        return self.type != "request"


def lines(
    place: Place,
    asking: Asking,
    window: Window,
    *filters: tuple[str, str],
    most_pages: int = MOST_PAGES,
) -> list[LogLine]:
    """The lines of the window that pass the filters, oldest first.

    Raises: SourceTooMany, when they are more than ``most_pages`` hold.
    """
    found, whole = first_lines(place, asking, window, *filters, most_pages=most_pages)
    if not whole:
        asking.refuse(SourceTooMany, f"expected at most {most_pages * PAGE} lines, got more")
    return found


def first_lines(
    place: Place,
    asking: Asking,
    window: Window,
    *filters: tuple[str, str],
    most_pages: int = MOST_PAGES,
) -> tuple[list[LogLine], bool]:
    """The first lines of the window that pass the filters, and whether these are all."""
    found: dict[str, LogLine] = {}
    stretch = (stamp(window.start), stamp(window.end))
    asked: set[tuple[str, str]] = set()
    for number in range(1, most_pages + 1):
        asked.add(stretch)
        where = f"{asking.where}: page {number}"
        page = _page(place, asking, where, stretch, "forward", filters)
        for line in _lines(page, where, window):
            found.setdefault(line.id, line)
        if not member(page, "hasMore", where, _yes_or_no):
            return sorted(found.values()), True
        stretch = _next(page, where, window)
        if stretch in asked:
            told = " to ".join(stretch)
            raise misread(f"{where}: nextStartTime, nextEndTime", "a new stretch", told)
    return sorted(found.values()), False


def newest(
    place: Place,
    asking: Asking,
    window: Window,
    known: Collection[LogLine],
    sought: Callable[[LogLine], bool],
) -> list[LogLine]:
    """The newest lines of the window, whatever they say: that the log was kept, and is searched.

    Args:
        known: what the filters found.
        sought: whether a line is one that they should have found.

    Raises: SourceEmpty, when there is no line at all: then nothing that was not found proves
        anything; SourceMisread, when one of these was sought and is not known.
    """
    where = f"{asking.where}: newest"
    stretch = (stamp(window.start), stamp(window.end))
    page = _page(place, asking, where, stretch, "backward", ())
    found = sorted(_lines(page, where, window))
    if not found:
        asking.refuse(SourceEmpty, "expected a line of any kind in the window, got none")
    ids = {line.id for line in known}
    hidden = [line for line in found if sought(line) and line.id not in ids]
    if hidden:
        raise misread(where, "lines that its own filters find", f"another, {hidden[0].id}")
    return found


def _page(
    place: Place,
    asking: Asking,
    where: str,
    stretch: tuple[str, str],
    direction: str,
    filters: tuple[tuple[str, str], ...],
) -> dict[str, Any]:
    params = [
        ("ownerId", place.at.owner),
        ("resource", place.at.service),
        *filters,
        ("startTime", stretch[0]),
        ("endTime", stretch[1]),
        ("direction", direction),
        ("limit", str(PAGE)),
    ]
    return object_of(place.document(asking, "/logs", params), where)


def _lines(page: dict[str, Any], where: str, window: Window) -> list[LogLine]:
    """The page's lines that lie in the window."""
    told = member(page, "logs", where, lambda value, at: list(objects(value, at)))
    found = [(at, _line(each, at)) for at, each in told]
    return [line for at, line in found if holds(window, line.at, f"{at}.timestamp")]


def _line(told: dict[str, Any], where: str) -> LogLine:
    labels = {
        member(label, "name", at, text): member(label, "value", at, text)
        for at, label in member(told, "labels", where, objects)
    }
    return LogLine(
        at=member(told, "timestamp", where, moment),
        id=member(told, "id", where, text),
        message=member(told, "message", where, text),
        level=labels.get("level", "").lower(),
        instance=labels.get("instance", ""),
        type=labels.get("type", ""),
    )


def _next(page: dict[str, Any], where: str, window: Window) -> tuple[str, str]:
    """The stretch to ask for next, as it was told."""
    start = member(page, "nextStartTime", where, moment)
    end = member(page, "nextEndTime", where, moment)
    if start > end or (
        start < window.start.timestamp() - SLACK_S or end > window.end.timestamp() + SLACK_S
    ):
        raise misread(
            f"{where}: nextStartTime, nextEndTime",
            "a stretch of the window",
            f"{page['nextStartTime']} to {page['nextEndTime']}",
        )
    return page["nextStartTime"], page["nextEndTime"]


def _yes_or_no(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise misread(where, "true or false", value)
    return value
