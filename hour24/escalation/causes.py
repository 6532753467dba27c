"""The causes of errors and the severity of issues.

Rules of this module:

- Classes come from the objectives in the record, as they were when it was judged.
- Critical classes are matched before normal ones. An error of no class counts as the service's
  until a person classifies it.
- Shares are of the error events; without events, of the counts of the issues. Failed requests
  that no error event explains are a separate cause: a few events do not explain a thousand
  failed requests.
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
    """The number of errors with one cause; ``share`` is 0 to 1."""

    cause: str
    count: int
    share: float


class Issue(Struct, frozen=True, kw_only=True):
    """An issue with events in the window.

    Args:
        severity: ``critical`` blocks calls, ``high`` affects some users, ``medium``, ``low``.
        new: True if it first occurred in the window of this checkpoint.
        known: ``critical``, or "" without a critical class.
    """

    issue: str
    title: str
    severity: str
    cause: str
    new: bool
    known: str


def evidence_named(judged: Judged, name: str) -> ev.Evidence | None:
    """Return one piece of evidence; None if it is missing or cannot be read."""
    plain = judged.answer(name)
    if plain is None:
        return None
    try:
        return ev.from_plain(plain)
    except (msgspec.ValidationError, ValueError):
        return None


def error_listing(record: Record, name: str) -> ev.Listing | None:
    """Return the first listing of this name in the evidence of an ERRORS criterion; or None.

    Events of the platform, from which restarts are judged, are not errors.
    """
    for judged in record.criteria:
        if name in judged.evidence and judged.id.startswith("ERRORS-"):
            found = evidence_named(judged, name)
            if isinstance(found, ev.Listing):
                return found
    return None


def classes(record: Record, kind: str) -> tuple[IssueClass, ...]:
    """Return the classes of this kind (``normal``, ``critical``) used for the record."""
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
    """Return the causes of the failures in the window with their shares, the largest first."""
    kinds = (*classes(record, "critical"), *classes(record, "normal"))
    events = error_listing(record, "events")
    if events is not None:
        weighted: Iterable[tuple[Mapping[str, Any], int]] = ((item, 1) for item in events.items)
    else:
        issues = error_listing(record, "issues")
        weighted = ((i, _as_count(i.get("count"))) for i in issues.items) if issues else ()
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
    """Return the number of failed requests as counted by the platform; 0 without a count."""
    for judged in record.criteria:
        if judged.id == errors.RATE.id and "platform" in judged.evidence:
            platform = evidence_named(judged, "platform")
            return platform.bad if isinstance(platform, ev.Counts) else 0
    return 0


def issues(record: Record) -> tuple[Issue, ...]:
    """Return the issues in the window that are of no normal class, the most severe first."""
    listing = error_listing(record, "issues")
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
        first_seen = item.get("first_seen")
        found.append(
            Issue(
                issue=str(item.get("short_id") or item.get("id") or "")[:LONGEST],
                title=str(item.get("title") or "")[:LONGEST],
                severity=kind.severity if kind else _severity(item),
                cause=kind.cause if kind else NOT_CLASSIFIED,
                new=isinstance(first_seen, int | float) and first_seen >= start,
                known="critical" if kind else "",
            )
        )
    return tuple(sorted(found, key=lambda each: (SEVERITIES.index(each.severity), each.issue)))


def live_deploy(record: Record) -> str:
    """Return the id of the deploy that the platform reported live; "" if none did."""
    for judged in record.criteria:
        listing = evidence_named(judged, "deploys")
        if isinstance(listing, ev.Listing) and listing.about.get("live"):
            return str(listing.about["live"])
    return ""


def status_pages(record: Record) -> Iterator[str]:
    """Yield the problems on the status pages of the vendors, one line each."""
    for plain in record.advisory:
        try:
            page = ev.from_plain(plain)
        except (msgspec.ValidationError, ValueError):
            continue
        if not isinstance(page, ev.Listing):
            continue
        for item in page.items:
            parts = [
                str(item[name])
                for name in ("page", "vendor", "name", "title", "component", "status", "impact")
                if item.get(name)
            ]
            yield ": ".join(dict.fromkeys(parts))[:LONGEST]


def _severity(item: Mapping[str, Any]) -> str:
    """Return the severity of an unclassified issue, by its level and whether users were affected.

    Only a person classifies an issue as critical.
    """
    level = str(item.get("level") or "")
    if level == "fatal":
        return "high"
    if level in ("info", "debug", "sample"):
        return "low"
    if level == "warning":
        return "medium"
    return "high" if item.get("unhandled") is True or _as_count(item.get("users")) > 0 else "medium"


def _as_count(value: Any) -> int:
    try:
        return max(0, int(value))
    except (TypeError, ValueError, OverflowError):
        return 0
