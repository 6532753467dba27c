"""Sentry's rows, read strictly: an issue, an error event, a transaction, usage.

Rules of this module:

- ``lifetime.firstSeen`` says whether an issue is new; its ``count`` is of the window.
- ``count`` of an issue is text; no other number is.
- A duration is in the unit that ``meta.units`` names, and is returned in milliseconds.
- A partial scan is no answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

from msgspec import UNSET, Struct, field

from hour24.asking.answers import (
    Count,
    Number,
    TextCount,
    Time,
    misread,
    read_answer,
    read_answers,
    stamp,
)
from hour24.errors import SourceIncomplete
from hour24.watch import Window

Item = dict[str, Any]
MS_IN = {
    "nanosecond": 1e-6,
    "microsecond": 1e-3,
    "millisecond": 1.0,
    "second": 1e3,
    "minute": 6e4,
    "hour": 3.6e6,
    "day": 8.64e7,
}
QUANTILES = ("p50", "p75", "p90", "p95", "p99", "p100")
EVENT_FIELDS = (
    "id",
    "timestamp",
    "title",
    "message",
    "culprit",
    "level",
    "error.type",
    "issue.id",
    "issue",
    "environment",
)
SPAN_FIELDS = ("transaction", "count()", *(f"{name}(span.duration)" for name in QUANTILES))
QUANTITY = "sum(quantity)"
LOST_OUTCOMES = frozenset({"filtered", "rate_limited", "invalid", "abuse", "cardinality_limited"})
BY_SETTINGS = {
    "client_discard": frozenset({"before_send", "event_processor", "ignored"}),
    "filtered": frozenset(
        {
            "browser-extensions",
            "chunk-load-error",
            "cors",
            "delete-and-discard",
            "discarded-hash",
            "error-message",
            "ip-address",
            "legacy-browsers",
            "localhost",
            "react-hydration-errors",
            "release-version",
            "web-crawlers",
        }
    ),
}
"""Reasons that mean the team's own settings, in its client or project, left an event out."""
SETTINGS = "by settings, "
"""Prefix of the name of such a part."""
EARLIEST = 946_684_800.0
"""1 January 2000, in epoch seconds: nothing was first seen before; an earlier time is an error."""
LONGEST = 2000


Row = TypeVar("Row")


class Lifetime(Struct, frozen=True, rename="camel"):
    """An issue over its whole lifetime."""

    first_seen: Time


class Issue(Struct, frozen=True, rename="camel"):
    """An issue; its metadata depend on its kind."""

    id: str
    short_id: str
    title: str
    level: str
    status: str
    count: TextCount
    user_count: Count
    last_seen: Time
    lifetime: Lifetime
    metadata: dict[str, Any]
    culprit: str | None = None
    is_unhandled: bool | None = None
    issue_category: str | None = None


class Event(Struct, frozen=True):
    """A row of ``dataset=errors``; the members are :data:`EVENT_FIELDS`."""

    id: str
    timestamp: Time
    title: str
    message: str | None = None
    culprit: str | None = None
    level: str | None = None
    kinds: Any = field(name="error.type", default=None)
    issue_id: Any = field(name="issue.id", default=None)
    issue: str | None = None
    environment: str | None = None


class Span(Struct, frozen=True):
    """A row of ``dataset=spans``; the members are :data:`SPAN_FIELDS`."""

    transaction: str
    count: Number = field(name="count()")
    p50: Number = field(name="p50(span.duration)")
    p75: Number = field(name="p75(span.duration)")
    p90: Number = field(name="p90(span.duration)")
    p95: Number = field(name="p95(span.duration)")
    p99: Number = field(name="p99(span.duration)")
    p100: Number = field(name="p100(span.duration)")


class DurationUnits(Struct, frozen=True):
    """The unit of each duration."""

    p50: str = field(name="p50(span.duration)")
    p75: str = field(name="p75(span.duration)")
    p90: str = field(name="p90(span.duration)")
    p95: str = field(name="p95(span.duration)")
    p99: str = field(name="p99(span.duration)")
    p100: str = field(name="p100(span.duration)")


class Meta(Struct, frozen=True, rename="camel"):
    """What a table says of its data."""

    dataset: Any = UNSET
    data_scanned: Any = "full"
    units: Any = None


class Table(Struct, frozen=True):
    """A page of ``GET /organizations/{o}/events/``."""

    data: list[Any]
    meta: Meta


class Group(Struct, frozen=True):
    """What a group of usage has in common."""

    outcome: str
    reason: str | None = None


class Quantities(Struct, frozen=True):
    """The events of a group, by the hour."""

    events: list[Count] = field(name=QUANTITY)


class UsageGroup(Struct, frozen=True):
    """Usage with one outcome and one reason."""

    by: Group
    series: Quantities


class Usage(Struct, frozen=True):
    """``GET /organizations/{o}/stats_v2/``."""

    intervals: list[Time]
    groups: list[UsageGroup]


def issue(row: Issue, where: str, window: Window) -> Item:
    """Return an issue; ``first_seen`` is of all time, the rest of the window.

    ``first_seen`` is None where it is impossible: before 2000, or after the issue was last seen.

    Times are epoch seconds. Raises: SourceMisread, also when it was last seen before the window.
    """
    if row.last_seen < window.start.timestamp() - 60.0:
        last = stamp(datetime.fromtimestamp(row.last_seen, UTC))
        raise misread(f"{where}.lastSeen", "a time in the window asked for", last)
    first = row.lifetime.first_seen
    return {
        "short_id": row.short_id,
        "title": row.title[:LONGEST],
        "level": row.level,
        "count": row.count,
        "users": row.user_count,
        "first_seen": first if EARLIEST <= first <= row.last_seen + 60.0 else None,
        "last_seen": row.last_seen,
        "culprit": (row.culprit or "")[:LONGEST],
        "type": _text_of(row.metadata, "type"),
        "message": _text_of(row.metadata, "value") or _text_of(row.metadata, "title"),
        "unhandled": row.is_unhandled,
        "status": row.status,
        "category": row.issue_category or "",
        "id": row.id,
    }


def event(row: Event) -> Item:
    """Return an error event: ``at`` in epoch seconds, and the texts that identify its class."""
    kinds = row.kinds
    return {
        "at": row.timestamp,
        "title": row.title[:LONGEST],
        "level": row.level or "",
        "culprit": (row.culprit or "")[:LONGEST],
        "message": (row.message or "")[:LONGEST],
        "type": ", ".join(str(kind) for kind in kinds if kind)
        if isinstance(kinds, list)
        else str(kinds or ""),
        "issue": row.issue or "",
        "issue_id": str(row.issue_id or ""),
        "environment": row.environment or "",
        "id": row.id,
    }


def transaction(row: Span, where: str, units: dict[str, float], share: float) -> Item:
    """Return a transaction: how many spans were measured, and quantiles of their durations in ms.

    Args:
        units: of each duration's field, how many milliseconds it is.
        share: of the spans that was sent, 0 to 1; Sentry's count is extrapolated by it.
    """
    item: Item = {
        "transaction": row.transaction[:LONGEST],
        "count": int(row.count * share + 1e-6),
    }
    for name in QUANTILES:
        member = f"{name}(span.duration)"
        value: float = getattr(row, name)
        if value < 0:
            raise misread(f"{where}.{member}", "a duration", value)
        item[name] = value * units[member]
    return item


def durations(meta: Meta, where: str) -> dict[str, float]:
    """Return how many milliseconds one unit of each duration's field is, by field.

    Raises: SourceMisread, when a unit is absent or unknown.
    """
    units = read_answer(meta.units, DurationUnits, f"{where}.units")
    found = {}
    for name in QUANTILES:
        unit = getattr(units, name)
        if unit not in MS_IN:
            raise misread(
                f"{where}.units.{name}(span.duration)", f"one of {', '.join(MS_IN)}", unit
            )
        found[f"{name}(span.duration)"] = MS_IN[unit]
    return found


def table(body: Any, where: str, dataset: str, form: type[Row]) -> tuple[list[Row], Meta]:
    """Return the rows of an events table, and what it says of them.

    Raises: SourceIncomplete, when the scan was not full; SourceMisread, when it is of another
        dataset than was asked for.
    """
    found = read_answer(body, Table, where)
    meta = found.meta
    if meta.dataset not in (UNSET, dataset):
        raise misread(f"{where}.meta.dataset", dataset, meta.dataset)
    if meta.data_scanned != "full":
        raise SourceIncomplete(
            f"{where}: expected a full scan of the data, got {str(meta.data_scanned)[:40]!r}: what "
            "it left out is unknown"
        )
    return read_answers(found.data, form, f"{where}.data"), meta


def usage(
    body: Any, where: str, hours: Window, until: float
) -> tuple[dict[str, int], dict[str, int]]:
    """Return error events by outcome, and those left out by the team's own settings.

    Args:
        hours: whole hours; only these count.
        until: hours from here on (epoch seconds) have not begun and may be absent.

    Returns: twice ``accepted`` or ``OUTCOME: REASON`` -> events, without zeros.
    Raises: SourceIncomplete, when an hour is absent; SourceMisread.
    """
    found: dict[str, int] = {}
    left_out: dict[str, int] = {}
    for path, outcome, reason, counted in _usage(body, where, hours, until):
        events = sum(counted.values())
        if not events:
            continue
        if reason in BY_SETTINGS.get(outcome, ()):
            name = f"{outcome}: {reason}"
            left_out[name] = left_out.get(name, 0) + events
        elif outcome == "accepted":
            found["accepted"] = found.get("accepted", 0) + events
        elif outcome in LOST_OUTCOMES or outcome == "client_discard":
            name = f"{outcome}: {reason[:80]}" if reason else outcome
            found[name] = found.get(name, 0) + events
        else:
            raise misread(f"{path}.by.outcome", "an outcome that is documented", outcome)
    return found, left_out


def accepted(body: Any, where: str, hours: Window, until: float) -> dict[float, int]:
    """Return the error events that were accepted, by the start of the hour (epoch seconds).

    Raises: SourceIncomplete, when an hour is absent; SourceMisread.
    """
    first = hours.start.timestamp()
    found = {first + 3600.0 * n: 0 for n in range(int(hours.hours))}
    for _, outcome, _, counted in _usage(body, where, hours, until):
        for at, events in counted.items():
            if outcome == "accepted":
                found[at] += events
    return found


def _usage(
    body: Any, where: str, hours: Window, until: float
) -> Iterator[tuple[str, str, str, dict[float, int]]]:
    """Yield each group's path, outcome, reason, and events by the hour."""
    found = read_answer(body, Usage, where)
    times = found.intervals
    first, last = hours.start.timestamp(), hours.end.timestamp()
    whole = {first + 3600.0 * n for n in range(int(hours.hours))}
    wanted = {at for at in whole if at < until}
    absent = wanted - set(times)
    if absent:
        raise SourceIncomplete(
            f"{where}.intervals: expected {len(wanted)} hours, got {len(wanted) - len(absent)}"
        )
    odd = {at for at in times if first <= at < last} - whole
    if odd:
        raise misread(f"{where}.intervals", "whole hours", sorted(odd)[0])
    for index, group in enumerate(found.groups):
        path = f"{where}.groups[{index}]"
        counts = group.series.events
        if len(counts) != len(times):
            raise misread(f"{path}.series", f"{len(times)} numbers", counts)
        by_hour = {at: n for at, n in zip(times, counts, strict=True) if first <= at < last}
        yield path, group.by.outcome, group.by.reason or "", by_hour


def _text_of(metadata: Item, key: str) -> str:
    """Return a text of an issue's metadata; empty where its kind of issue has none."""
    value = metadata.get(key)
    return value[:LONGEST] if isinstance(value, str) else ""
