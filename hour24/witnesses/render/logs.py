"""The service's log, read page by page.

Rules of this module:

- There is no cursor: while a page has ``hasMore``, its ``nextStartTime`` and ``nextEndTime`` are
  asked for next, unchanged. A period asked for before would never end, and is refused.
- A line counts once, by its id, however many pages hold it.
- Filters are sent one at a time: whether several mean "and" or "or" is not documented. Matching
  lines are checked again here, and the newest lines are searched for any that the filter should
  have found: a filter that hides a line is refused.
- More pages than the cap are no answer, and neither is a later page that fails;
  :func:`first_lines` returns the part before.
- Request lines (type ``request``) are the platform's, not the service's messages.

Source: ``GET /logs``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from msgspec import Struct

from hour24.asking.answers import SLACK_S, Time, epoch_of, is_within, misread, read_answer, stamp
from hour24.asking.client import Asking
from hour24.errors import (
    SourceEmpty,
    SourceError,
    SourceIncomplete,
    SourceMisread,
    SourceTooMany,
)
from hour24.watch import Window
from hour24.witnesses.render.api import PAGE, ServiceApi

MOST_PAGES = 100
"""10,000 lines of one filter, at one request per page."""


class Label(Struct, frozen=True):
    """A label of a line."""

    name: str
    value: str


class Logged(Struct, frozen=True):
    """A line of an answer."""

    id: str
    timestamp: Time
    message: str
    labels: list[Label]


class Page(Struct, frozen=True, rename="camel"):
    """``GET /logs``; without ``hasMore`` the next period is not read."""

    logs: list[Logged]
    has_more: bool
    next_start_time: str | None = None
    next_end_time: str | None = None


class LogLine(NamedTuple):
    """One line: ``at`` epoch seconds; level, instance and type are empty where absent."""

    at: float
    id: str
    message: str
    level: str
    instance: str
    type: str

    @property
    def is_message(self) -> bool:
        """True if the service wrote it; False for the platform's line about a request."""
        return self.type != "request"


def lines(
    api: ServiceApi,
    asking: Asking,
    window: Window,
    *filters: tuple[str, str],
    most_pages: int = MOST_PAGES,
) -> list[LogLine]:
    """Return the lines of the window that pass the filters, oldest first.

    Raises: SourceTooMany, when they are more than ``most_pages`` hold.
    """
    found, problem = first_lines(api, asking, window, *filters, most_pages=most_pages)
    if problem is not None:
        raise problem
    return found


def first_lines(
    api: ServiceApi,
    asking: Asking,
    window: Window,
    *filters: tuple[str, str],
    most_pages: int = MOST_PAGES,
) -> tuple[list[LogLine], SourceError | None]:
    """Return the first lines of the window that pass the filters, and why they are not all."""
    found: dict[str, LogLine] = {}
    period = (stamp(window.start), stamp(window.end))
    asked: set[tuple[str, str]] = set()
    for number in range(1, most_pages + 1):
        asked.add(period)
        where = f"{asking.where}: page {number}"
        try:
            page = _page(api, asking, where, period, "forward", filters)
        except SourceMisread:
            raise
        except SourceError as problem:
            if number == 1:
                raise
            why = str(problem).removeprefix(f"{asking.where}: ")
            return sorted(found.values()), SourceIncomplete(f"{where}: {why}")
        for line in _lines(page, where, window):
            found.setdefault(line.id, line)
        if not page.has_more:
            return sorted(found.values()), None
        period = _next(page, where, window)
        if period in asked:
            raise misread(
                f"{where}: nextStartTime, nextEndTime", "a new period", " to ".join(period)
            )
    most = f"{asking.where}: expected at most {most_pages * PAGE} lines, got more"
    return sorted(found.values()), SourceTooMany(most)


def newest(
    api: ServiceApi,
    asking: Asking,
    window: Window,
    known: Collection[LogLine],
    sought: Callable[[LogLine], bool],
) -> list[LogLine]:
    """Return the newest lines of the window without a filter: proof that the log is kept.

    Args:
        known: the lines that the filters found.
        sought: True for a line that the filters have to find.

    Raises: SourceEmpty, when the window holds no line at all, since finding none then proves
        nothing; SourceMisread, when one of these is sought and not known.
    """
    where = f"{asking.where}: newest"
    period = (stamp(window.start), stamp(window.end))
    page = _page(api, asking, where, period, "backward", ())
    found = sorted(_lines(page, where, window))
    if not found:
        asking.refuse(SourceEmpty, "expected a line of any kind in the window, got none")
    ids = {line.id for line in known}
    hidden = [line for line in found if sought(line) and line.id not in ids]
    if hidden:
        raise misread(where, "lines that its own filters find", f"another, {hidden[0].id}")
    return found


def _page(
    api: ServiceApi,
    asking: Asking,
    where: str,
    period: tuple[str, str],
    direction: str,
    filters: tuple[tuple[str, str], ...],
) -> Page:
    params = [
        ("ownerId", api.at.owner),
        ("resource", api.at.service),
        *filters,
        ("startTime", period[0]),
        ("endTime", period[1]),
        ("direction", direction),
        ("limit", str(PAGE)),
    ]
    return read_answer(api.document(asking, "/logs", params), Page, where)


def _lines(page: Page, where: str, window: Window) -> list[LogLine]:
    """Return the page's lines that lie in the window."""
    return [
        _line(logged)
        for index, logged in enumerate(page.logs)
        if is_within(window, logged.timestamp, f"{where}.logs[{index}].timestamp")
    ]


def _line(logged: Logged) -> LogLine:
    labels = {label.name: label.value for label in logged.labels}
    return LogLine(
        at=logged.timestamp,
        id=logged.id,
        message=logged.message,
        level=labels.get("level", "").lower(),
        instance=labels.get("instance", ""),
        type=labels.get("type", ""),
    )


def _next(page: Page, where: str, window: Window) -> tuple[str, str]:
    """Return the period to ask for next, exactly as the page names it."""
    first, last = page.next_start_time or "", page.next_end_time or ""
    start = epoch_of(page.next_start_time, f"{where}.nextStartTime")
    end = epoch_of(page.next_end_time, f"{where}.nextEndTime")
    if start > end or (
        start < window.start.timestamp() - SLACK_S or end > window.end.timestamp() + SLACK_S
    ):
        raise misread(
            f"{where}: nextStartTime, nextEndTime", "a period of the window", f"{first} to {last}"
        )
    return first, last
