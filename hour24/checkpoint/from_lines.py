"""Error events and issues where no error tracker is described: the ERROR lines of the logs.

Rules of this module:

- Each error of the logs is one event; a trace is part of its error. Errors of one class and one
  pattern are one issue, named by a digest of its first line.
- An issue's first time is the first of its lines since the day before hour 0's window. Where the
  log does not reach back that far, an issue that it does not show earlier has no known first time:
  it may be new, and that is said.
- What the log does not show of the window, and lines without a level, pass on to the verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs

from hour24.classes import IssueClass, class_of
from hour24.errors import SourceError
from hour24.evidence import BASELINE_SHORT, RESTS_ON, Listing
from hour24.text import one_line
from hour24.watch import Window

BEFORE = timedelta(hours=24)
"""How long before hour 0's window a pattern must not have occurred to be new."""
TITLE = 200
Item = dict[str, Any]
About = dict[str, float | str | None]


def events(lines: Listing) -> Listing:
    """Return each error of these lines as an error event: ``{id, at, title, message}``."""
    from hour24.lines.traces import entries  # its patterns are compiled where a line is read

    found, unknown = entries(lines.items)
    items = tuple(
        {
            "id": each["id"],
            "at": each["at"],
            "title": one_line(_first_line(each), TITLE),
            "message": each["message"],
        }
        for each in found
    )
    return _listing(lines, "error events", items, _rests_on(lines, unknown))


def issues(
    lines: Listing,
    window: Window,
    since: datetime,
    earlier: Callable[[Window], Listing],
    classes: Sequence[IssueClass],
) -> Listing:
    """Return the errors of these lines by class and pattern, the most frequent first.

    Args:
        lines: of the window.
        since: start of hour 0's window.
        earlier: reads the ERROR lines of another window.
        classes: critical ones before normal ones.
    """
    from hour24.lines.traces import entries  # its patterns are compiled where a line is read
    from hour24.statistics.patterns import group_lines, mask_line

    found, unknown = entries(lines.items)
    history = Window(since - BEFORE, window.start)
    before, whole = _history(history, earlier) if found else ([], True)
    every = [*before, *found]
    groups, _ = group_lines(str(each["message"]) for each in every)
    kinds: dict[tuple[str, int], list[Item]] = {}
    for each, group in zip(every, groups, strict=True):
        known = class_of({"message": each["message"], "title": _first_line(each)}, classes)
        kinds.setdefault((known.name if known else "", group), []).append(each)
    start = window.start.timestamp()
    items = []
    for (name, _), members in kinds.items():
        inside = [each for each in members if float(each["at"]) >= start]
        if not inside:
            continue
        first = min(float(each["at"]) for each in members)
        digest = hashlib.sha256(
            f"{name}\n{mask_line(_first_line(members[0]))}".encode("utf-8", "replace")
        )
        dated = first < start or whole
        items.append(
            {
                "id": f"LOG-{digest.hexdigest()[:8]}",
                "title": one_line(mask_line(_first_line(members[0])), TITLE),
                "message": inside[-1]["message"],
                "count": len(inside),
                "first_seen": first if dated else None,
                "last_seen": max(float(each["at"]) for each in inside),
            }
        )
    items.sort(key=lambda item: (-item["count"], item["id"]))
    text = _rests_on(lines, unknown) + f", grouped by pattern; new: not since {_day(history.start)}"
    about: About = {} if whole else {BASELINE_SHORT: _day(history.start)}
    return _listing(lines, "issues", tuple(items), text, about)


def _history(window: Window, earlier: Callable[[Window], Listing]) -> tuple[list[Item], bool]:
    """Return the errors before the window, and whether they are all."""
    from hour24.lines.traces import entries  # its patterns are compiled where a line is read

    try:
        found = earlier(window)
    except SourceError:
        return [], False
    return entries(found.items)[0], found.complete


def _listing(
    lines: Listing,
    what: str,
    items: tuple[Item, ...],
    rests_on: str,
    about: About | None = None,
) -> Listing:
    return structs.replace(
        lines,
        what=what,
        items=items,
        about={**lines.about, RESTS_ON: rests_on, **(about or {})},
    )


def _rests_on(lines: Listing, unknown: int) -> str:
    text = f"the ERROR lines of {lines.question.who}"
    if unknown:
        text += f" (no level recognised in {unknown:,} more with an error word)"
    return text


def _first_line(item: Item) -> str:
    return str(item["message"]).strip().partition("\n")[0]


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
