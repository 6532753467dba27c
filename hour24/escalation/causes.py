"""Whose errors these are, and how severe an issue is.

Rules of this module:

- Classes come from the record's own objectives, as they were in force when it was made.
- A critical class is looked up before a normal one. An error of no class is the service's own
  until a person says otherwise.
- Shares are of the error events; where those were not answered, of the issues' counts. Requests
  that failed beyond what all error events can explain are a cause of their own: a handful of
  events does not tell why a thousand requests failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from hour24 import evidence as ev
from hour24.classes import IssueClass, class_of
from hour24.criteria import errors
from hour24.ledger.record import Judged, Record

NOT_CLASSIFIED = "not classified"
NO_EVENT = "no error event"
SEVERITIES = ("critical", "high", "medium", "low")
LONGEST = 200


class Cause(Struct, frozen=True, kw_only=True):
    """How many of the errors have this cause; ``share`` is 0 to 1."""

    cause: str
    count: int
    share: float


class Issue(Struct, frozen=True, kw_only=True):
    """An issue with events in the window.

    Args:
        severity: ``critical`` blocks calls, ``high`` hits some users, ``medium``, ``low``.
        new: whether it was first seen in this checkpoint's window.
        known: ``critical``, ``normal`` or "" for no class.
    """

    issue: str
    title: str
    severity: str
    cause: str
    new: bool
    known: str


def answer(judged: Judged, name: str) -> ev.Evidence | None:
    """One piece of its evidence; none when it is not there or cannot be read."""
    plain = judged.evidence.get(name)
    if plain is None:
        return None
    try:
        return ev.from_plain(plain)
    except (msgspec.ValidationError, ValueError):
        return None


def listed(record: Record, name: str) -> ev.Listing | None:
    """The first answered listing of this name that a criterion of errors rests on; or none.

    The platform's own events, which restarts are read from, are no errors.
    """
    for judged in record.criteria:
        if name in judged.evidence and judged.id.startswith("ERRORS-"):
            found = answer(judged, name)
            if isinstance(found, ev.Listing):
                return found
    return None


def classes(record: Record, kind: str) -> tuple[IssueClass, ...]:
    """The classes of this kind (``normal``, ``critical``) that the record was judged with."""
    found: dict[str, IssueClass] = {}
    for judged in record.criteria:
        for plain in (judged.objective or {}).get(kind) or ():
            try:
                each = msgspec.convert(plain, type=IssueClass)
            except msgspec.ValidationError:
                continue
            found.setdefault(each.name, each)
    return tuple(found.values())


def causes(record: Record) -> tuple[Cause, ...]:
    """The causes of what failed in the window with their shares, the largest first."""
    kinds = (*classes(record, "critical"), *classes(record, "normal"))
    events = listed(record, "events")
    if events is not None:
        weighted: Iterable[tuple[Mapping[str, Any], int]] = ((item, 1) for item in events.items)
    else:
        issues = listed(record, "issues")
        weighted = ((i, _whole(i.get("count"))) for i in issues.items) if issues else ()
    counted: Counter[str] = Counter()
    for item, weight in weighted:
        kind = class_of(item, kinds)
        counted[kind.cause if kind else NOT_CLASSIFIED] += weight
    if events is not None and events.complete:
        counted[NO_EVENT] = max(0, _failed_requests(record) - sum(counted.values()))
    total = sum(counted.values())
    return tuple(
        Cause(cause=cause, count=count, share=count / total)
        for cause, count in sorted(counted.items(), key=lambda each: (-each[1], each[0]))
        if count
    )


def _failed_requests(record: Record) -> int:
    """How many requests failed by the platform's count; 0 when it did not count them."""
    for judged in record.criteria:
        if judged.id == errors.RATE.id and "platform" in judged.evidence:
            platform = answer(judged, "platform")
            return platform.bad if isinstance(platform, ev.Counts) else 0
    return 0


def issues(record: Record) -> tuple[Issue, ...]:
    """The window's issues that are not of a normal class, the most severe first."""
    listing = listed(record, "issues")
    if listing is None:
        return ()
    window = listing.question.window or record.window
    start = window.start.timestamp()
    critical, normal = classes(record, "critical"), classes(record, "normal")
    found = []
    for item in listing.items:
        kind = class_of(item, critical)
        if kind is None and class_of(item, normal) is not None:
            continue
        seen = item.get("first_seen")
        found.append(
            Issue(
                issue=str(item.get("short_id") or item.get("id") or "")[:LONGEST],
                title=str(item.get("title") or "")[:LONGEST],
                severity=kind.severity if kind else _severity(item),
                cause=kind.cause if kind else NOT_CLASSIFIED,
                new=isinstance(seen, int | float) and seen >= start,
                known="critical" if kind else "",
            )
        )
    return tuple(sorted(found, key=lambda each: (SEVERITIES.index(each.severity), each.issue)))


def status_pages(record: Record) -> Iterator[str]:
    """What the vendors' status pages say that is not well; one line each."""
    for plain in record.advisory:
        try:
            page = ev.from_plain(plain)
        except (msgspec.ValidationError, ValueError):
            continue
        if not isinstance(page, ev.Listing):
            continue
        for item in page.items:
            told = [
                str(item[name])
                for name in ("page", "vendor", "name", "title", "component", "status", "impact")
                if item.get(name)
            ]
            yield ": ".join(dict.fromkeys(told))[:LONGEST]


def _severity(item: Mapping[str, Any]) -> str:
    """Of an issue that no class knows: by its level, and by whether it hit anybody.

    Critical is only what a person called so.
    """
    level = str(item.get("level") or "")
    if level == "fatal":
        return "high"
    if level in ("info", "debug", "sample"):
        return "low"
    if level == "warning":
        return "medium"
    return "high" if item.get("unhandled") is True or _whole(item.get("users")) > 0 else "medium"


def _whole(value: Any) -> int:
    try:
        return max(0, int(value))
    except (TypeError, ValueError, OverflowError):
        return 0
