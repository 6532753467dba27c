"""Sentry's tables: events of errors, spans by transaction, usage by outcome.

Rules of this room:

- Keys of a row are the fields exactly as they were asked for; an unknown field is refused.
- Units are in ``meta.units``: times in milliseconds.
- A sort must be one of the fields.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from hour24.rehearsal.scenario import Scenario
from hour24.rehearsal.timing import Transaction
from hour24.rehearsal.vendors.sentry.shapes import matches_query
from hour24.rehearsal.world import stamp

Table = dict[str, Any]
AGGREGATE = re.compile(r"([a-z0-9_]+)\((.*)\)")
DROPPED_PER_HOUR = 120
ERROR_FIELDS = frozenset(
    [
        "id",
        "timestamp",
        "title",
        "message",
        "level",
        "event.type",
        "error.type",
        "error.value",
        "error.unhandled",
        "error.handled",
        "culprit",
        "transaction",
        "issue.id",
        "issue",
        "environment",
        "project",
        "project.name",
        "release",
        "user",
        "platform",
    ]
)
TYPES = {"timestamp": "date", "issue.id": "integer", "error.type": "array", "error.value": "array"}


def errors_table(fields: list[str], rows: list[Table], query: str, sort: str) -> Table:
    """``dataset=errors``. Raises: ValueError, for a field that is not there."""
    rows = [row for row in rows if matches_query(row, query)]
    plain = [field for field in fields if field in ERROR_FIELDS]
    aggregates = [field for field in fields if field not in ERROR_FIELDS]
    for field in aggregates:
        if field not in ("count()", "count_unique(user)", "last_seen()", "epm()"):
            raise ValueError(f"Unknown field: {field}")
    if aggregates:
        groups: dict[str, list[Table]] = {}
        for row in rows:
            groups.setdefault(repr([row.get(field) for field in plain]), []).append(row)
        found = [
            {
                **{field: members[0].get(field) for field in plain},
                **{field: _counted(field, members) for field in aggregates},
            }
            for members in groups.values()
        ]
        if not found and not plain:
            found = [dict.fromkeys(aggregates, 0)]
    else:
        found = [
            {field: row.get(field) for field in ("id", "project.name", *plain)} for row in rows
        ]
    types = {field: TYPES.get(field, "string") for field in plain}
    types |= dict.fromkeys(aggregates, "integer")
    return _table(_sorted(found, fields, sort), types, {}, "errors")


def _counted(field: str, members: list[Table]) -> Any:
    if field == "count()":
        return len(members)
    if field == "last_seen()":
        return members[0]["timestamp"]
    return len({row.get("user") for row in members})


def spans_table(fields: list[str], times: list[Transaction], query: str, sort: str) -> Table:
    """``dataset=spans``, by transaction. Raises: ValueError, for a field that is not there."""
    known = {field: _of_span(field) for field in fields}
    if "is_transaction:" not in query:
        # without it, every span counts; the share of those that fail means something else
        times = [*times, Transaction("db.query", 40_000, 0.0001, ((1.0, 3.0, 0.0),))]
    rows = [
        {field: read(each) for field, read in known.items()}
        for each in times
        if matches_query({"transaction": each.name, "title": each.name}, query)
    ]
    types, units = {}, {}
    for field in fields:
        types[field] = (
            "string"
            if field == "transaction"
            else "duration"
            if "(span.duration)" in field
            else "percentage"
            if field == "failure_rate()"
            else "integer"
        )
        units[field] = "millisecond" if types[field] == "duration" else None
    return _table(_sorted(rows, fields, sort), types, units, "spans")


def _of_span(field: str) -> Callable[[Transaction], Any]:
    if field == "transaction":
        return lambda each: each.name
    if field == "is_transaction":
        return lambda each: True
    match = AGGREGATE.fullmatch(field)
    if match is None:
        raise ValueError(f"Unknown field: {field}")
    name, of = match.groups()
    if name == "count" and of in ("", "span.duration"):
        return lambda each: each.count
    if name == "failure_rate" and not of:
        return lambda each: each.failure_rate
    if name == "failure_count" and not of:
        return lambda each: round(each.failure_rate * each.count)
    if of == "span.duration":
        if name == "avg":
            return lambda each: round(each.mean(), 3)
        if name in ("p50", "p75", "p90", "p95", "p99", "p100", "max"):
            q = 1.0 if name == "max" else int(name[1:]) / 100
            return lambda each: round(each.quantile(q), 3)
    raise ValueError(f"Unknown function: {field}")


def _sorted(rows: list[Table], fields: list[str], sort: str) -> list[Table]:
    if not sort:
        return rows
    key = sort.removeprefix("-")
    if key not in fields:
        raise ValueError(f"Cannot sort by a field that is not selected: {key}")
    return sorted(rows, key=lambda row: row[key] or 0, reverse=sort.startswith("-"))


def _table(
    rows: list[Table], types: dict[str, str], units: dict[str, str | None], dataset: str
) -> Table:
    return {
        "data": rows,
        "meta": {
            "fields": types,
            "units": {field: units.get(field) for field in types},
            "dataset": dataset,
            "dataScanned": "full",
        },
    }


def outcomes(
    scenario: Scenario,
    start: float,
    end: float,
    seconds: int,
    group_by: list[str],
    fields: list[str],
    categories: list[str],
) -> Table:
    """``stats_v2``: whole intervals that hold the window; accepted errors and dropped ones."""
    first = math.floor(start / seconds) * seconds
    last = math.ceil(end / seconds) * seconds
    starts = list(range(first, last, seconds))
    counted: dict[tuple[str, str, str], list[int]] = {}
    for i, begin in enumerate(starts):
        until = min(begin + seconds, end)
        hours = max(0.0, until - begin) / 3600
        amounts = {
            ("accepted", "error", ""): len(scenario.stored_events(begin, until)),
            ("accepted", "transaction", ""): int(hours * 60 * scenario.rate(scenario.hour(begin))),
        }
        if scenario.has_fault("sentry_dropping", begin + seconds / 2):
            dropped = round(DROPPED_PER_HOUR * hours)
            amounts["rate_limited", "error", "key_quota"] = dropped
        for key, amount in amounts.items():
            counted.setdefault(key, [0] * len(starts))[i] += amount
    groups: dict[str, Table] = {}
    for (outcome, category, reason), series in counted.items():
        if categories and category not in categories:
            continue
        labels = {"outcome": outcome, "category": category, "reason": reason, "project": 0}
        by = {name: labels[name] for name in group_by if name in labels}
        group = groups.setdefault(
            repr(by),
            {
                "by": by,
                "totals": dict.fromkeys(fields, 0),
                "series": {field: [0] * len(starts) for field in fields},
            },
        )
        for field in fields:
            group["totals"][field] += sum(series)
            both = zip(group["series"][field], series, strict=True)
            group["series"][field] = [a + b for a, b in both]
    return {
        "start": stamp(first, "seconds"),
        "end": stamp(last, "seconds"),
        "intervals": [stamp(begin, "seconds") for begin in starts],
        "groups": list(groups.values()),
    }
