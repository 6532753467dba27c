"""Sentry's rows, read strictly: an issue, an error event, a transaction, usage.

Rules of this module:

- Whether an issue is new is ``lifetime.firstSeen``; what stands beside ``count`` is of the window.
- ``count`` of an issue is text; no other number is.
- A duration is in the unit that ``meta.units`` names, and comes out in milliseconds.
- Nothing cut or partial: a scan that was not full is no answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hour24.asking.answers import (
    count,
    count_as_text,
    list_of,
    member,
    misread,
    moment,
    number,
    object_of,
    objects,
    perhaps,
    text,
)
from hour24.errors import SourceIncomplete, SourceMisread
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
"""Why events are left out by the team's own settings, in its client and in its project."""
SETTINGS = "by settings, "
"""How the name of such a part begins."""
EARLIEST = 946_684_800.0
"""1 January 2000, in epoch seconds: nothing was first seen before it."""
LONGEST = 2000


def issue(row: Item, where: str, window: Window) -> Item:
    """An issue: ``first_seen`` of all time, ``last_seen``, ``count`` and ``users`` of the window.

    ``first_seen`` is none where it cannot be: before 2000, or after the issue was last seen.

    Moments are epoch seconds. Raises: SourceMisread, also when it was last seen before the window.
    """
    about = member(row, "metadata", where, object_of)
    lifetime = member(row, "lifetime", where, object_of)
    last_seen = member(row, "lastSeen", where, moment)
    if last_seen < window.start.timestamp() - 60.0:
        raise misread(f"{where}.lastSeen", "a moment in the window asked for", row["lastSeen"])
    return {
        "short_id": member(row, "shortId", where, text),
        "title": member(row, "title", where, text)[:LONGEST],
        "level": member(row, "level", where, text),
        "count": member(row, "count", where, count_as_text),
        "users": member(row, "userCount", where, count),
        "first_seen": _first_seen(lifetime, where, last_seen),
        "last_seen": last_seen,
        "culprit": (perhaps(row, "culprit", where, text) or "")[:LONGEST],
        "type": _said(about, "type"),
        "message": _said(about, "value") or _said(about, "title"),
        "unhandled": perhaps(row, "isUnhandled", where, _flag),
        "status": member(row, "status", where, text),
        "category": perhaps(row, "issueCategory", where, text) or "",
        "id": member(row, "id", where, text),
    }


def event(row: Item, where: str) -> Item:
    """An error event: ``at`` epoch seconds, and what its class is known by."""
    kinds = row.get("error.type")
    return {
        "at": member(row, "timestamp", where, moment),
        "title": member(row, "title", where, text)[:LONGEST],
        "level": perhaps(row, "level", where, text) or "",
        "culprit": (perhaps(row, "culprit", where, text) or "")[:LONGEST],
        "message": (perhaps(row, "message", where, text) or "")[:LONGEST],
        "type": ", ".join(str(kind) for kind in kinds if kind)
        if isinstance(kinds, list)
        else str(kinds or ""),
        "issue": perhaps(row, "issue", where, text) or "",
        "issue_id": str(row.get("issue.id") or ""),
        "environment": perhaps(row, "environment", where, text) or "",
        "id": member(row, "id", where, text),
    }


def transaction(row: Item, where: str, units: dict[str, float], share: float) -> Item:
    """A transaction: how many spans were measured, and quantiles of their durations in ms.

    Args:
        units: of each duration's field, how many milliseconds it is.
        share: of the spans that was sent, 0 to 1; Sentry's count is extrapolated by it.
    """
    told = member(row, "count()", where, number)
    item: Item = {
        "transaction": member(row, "transaction", where, text)[:LONGEST],
        "count": int(told * share + 1e-6),
    }
    for name in QUANTILES:
        field = f"{name}(span.duration)"
        value = member(row, field, where, number)
        if value < 0:
            raise misread(f"{where}.{field}", "a duration", value)
        item[name] = value * units[field]
    return item


def durations(meta: Any, where: str) -> dict[str, float]:
    """How many milliseconds one unit of each duration's field is, by field.

    Raises: SourceMisread, when a unit is absent or none that we know.
    """
    units = member(object_of(meta, where), "units", where, object_of)
    found = {}
    for field in SPAN_FIELDS[2:]:
        unit = member(units, field, f"{where}.units", text)
        if unit not in MS_IN:
            raise misread(f"{where}.units.{field}", f"one of {', '.join(MS_IN)}", unit)
        found[field] = MS_IN[unit]
    return found


def table(body: Any, where: str, dataset: str) -> list[tuple[str, Item]]:
    """The rows of an events table, each with its place.

    Raises: SourceIncomplete, when the scan was not full; SourceMisread, when it is of another
        dataset than was asked for.
    """
    told = object_of(body, where)
    meta = member(told, "meta", where, object_of)
    if meta.get("dataset", dataset) != dataset:
        raise misread(f"{where}.meta.dataset", dataset, meta["dataset"])
    scanned = meta.get("dataScanned", "full")
    if scanned != "full":
        raise SourceIncomplete(
            f"{where}: expected a full scan of the data, got {str(scanned)[:40]!r}: what it left "
            "out is unknown"
        )
    return list(objects(member(told, "data", where, list_of), f"{where}.data"))


def _first_seen(lifetime: Item, where: str, last_seen: float) -> float | None:
    found = member(lifetime, "firstSeen", f"{where}.lifetime", moment)
    return found if EARLIEST <= found <= last_seen + 60.0 else None


def usage(
    body: Any, where: str, hours: Window, until: float
) -> tuple[dict[str, int], dict[str, int]]:
    """Error events by what became of them, and those left out by the team's own settings.

    Args:
        hours: whole hours; of what the answer tells, only these count.
        until: hours from here on (epoch seconds) have not begun and may be absent.

    Returns: ``accepted`` and ``OUTCOME: REASON`` -> events, zeros left out, both.
    Raises: SourceIncomplete, when an hour is absent; SourceMisread.
    """
    found: dict[str, int] = {}
    left_out: dict[str, int] = {}
    for place, outcome, reason, counted in _usage(body, where, hours, until):
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
            raise misread(f"{place}.by.outcome", "an outcome that is documented", outcome)
    return found, left_out


def accepted(body: Any, where: str, hours: Window, until: float) -> dict[float, int]:
    """Error events that were accepted, by the hour (epoch seconds of its begin), ascending.

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
    """Each group's place, outcome, reason, and events by the hour."""
    told = object_of(body, where)
    moments = [
        moment(each, f"{where}.intervals[{i}]")
        for i, each in enumerate(member(told, "intervals", where, list_of))
    ]
    first, last = hours.start.timestamp(), hours.end.timestamp()
    wanted = {first + 3600.0 * n for n in range(int(hours.hours)) if first + 3600.0 * n < until}
    absent = wanted - set(moments)
    if absent:
        raise SourceIncomplete(
            f"{where}.intervals: expected {len(wanted)} hours, got {len(wanted) - len(absent)}"
        )
    odd = {at for at in moments if first <= at < last} - {
        first + 3600.0 * n for n in range(int(hours.hours))
    }
    if odd:
        raise misread(f"{where}.intervals", "whole hours", sorted(odd)[0])
    for place, group in objects(member(told, "groups", where, list_of), f"{where}.groups"):
        by = member(group, "by", place, object_of)
        outcome = member(by, "outcome", f"{place}.by", text)
        reason = perhaps(by, "reason", f"{place}.by", text) or ""
        series = member(group, "series", place, object_of)
        values = member(series, QUANTITY, f"{place}.series", list_of)
        if len(values) != len(moments):
            raise misread(f"{place}.series", f"{len(moments)} numbers", values)
        counts = [count(v, f"{place}.series[{i}]") for i, v in enumerate(values)]
        told_of = {at: n for at, n in zip(moments, counts, strict=True) if first <= at < last}
        yield place, outcome, reason, told_of


def _said(about: Item, key: str) -> str:
    """A text that depends on the kind of issue; empty where it has none."""
    value = about.get(key)
    return value[:LONGEST] if isinstance(value, str) else ""


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise SourceMisread(f"{where}: expected true or false, got {type(value).__name__}")
    return value
