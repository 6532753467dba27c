"""Requests and memory, as the platform measures them.

Rules of this module:

- The answer is a bare list of series; each names its unit, and an unknown unit is refused. An
  empty list, and one without any value, is no answer. Null is no value, never 0.
- A value belongs to the window that its time lies in, so that adjacent windows neither share
  nor lose one. Values outside are left out.
- Memory and load are read per minute: the leak statistics expect that, and 25 h are 1,500
  values per instance. Requests are summed over minutes, and charted in steps of five.
- A request count is a census when every minute of the window has a value, otherwise a sample.
- MB are 2^20 bytes, GB 2^30, as the platform's plans count.

Source: ``GET /metrics/http-requests``, ``/metrics/memory``, ``/metrics/memory-limit``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from msgspec import Struct

from hour24.asking.answers import Number, Time, is_within, misread, read_answer, stamp
from hour24.asking.client import Asking
from hour24.errors import SourceEmpty, SourceMisread
from hour24.evidence import Counts, Line, Series
from hour24.linear import shipped
from hour24.watch import Window
from hour24.witnesses.render.api import ServiceApi

MINUTE_S = 60
STEP_S = 300
DIGITS = 4
"""Decimals of a value; in MB they resolve about a hundred bytes."""
MB = {
    **dict.fromkeys(("b", "byte", "bytes"), 2.0**-20),
    **dict.fromkeys(("kb", "kib", "kilobytes"), 2.0**-10),
    **dict.fromkeys(("mb", "mib", "megabytes"), 1.0),
    **dict.fromkeys(("gb", "gib", "gigabytes"), 2.0**10),
}
"""Unit, in lower case -> MB."""
REQUESTS = dict.fromkeys(("request", "requests", "count"), 1.0)
_STATUS = shipped(r"[1-5](?:\d\d|xx)")


class Label(Struct, frozen=True):
    """A label of a series."""

    field: str
    value: str


class Point(Struct, frozen=True):
    """A value of a series; null is no value."""

    timestamp: Time
    value: Number | None


class Metric(Struct, frozen=True):
    """A series of an answer."""

    labels: list[Label]
    unit: str
    values: list[Point]


class Measured(NamedTuple):
    """One series: its labels, and its values by time, ascending, in the requested unit."""

    labels: dict[str, str]
    values: dict[float, float | None]


def responses(api: ServiceApi, window: Window) -> Counts:
    """Return the requests of the window by status; ``bad`` are those of 500 and above.

    Raises: SourceEmpty, when no value is given.
    """
    with api.asking("responses", window) as asking:
        found = _requests(api, asking, window, MINUTE_S, by_status=True)
        parts: dict[str, float] = {}
        for each in found:
            status = each.labels["statusCode"]
            known = (value for value in each.values.values() if value is not None)
            parts[status] = parts.get(status, 0.0) + sum(known)
        counted = {status: round(parts[status]) for status in sorted(parts)}
        minutes = math.ceil(window.seconds / MINUTE_S)
        measured = len({at for each in found for at, v in each.values.items() if v is not None})
        gaps = sum(value is None for each in found for value in each.values.values())
        return Counts(
            question=asking.question(),
            basis="census" if measured >= minutes and not gaps else "sample",
            total=sum(counted.values()),
            bad=sum(count for status, count in counted.items() if status.startswith("5")),
            what="requests",
            parts=counted,
            note=f"{measured} of {minutes} minutes have a value"
            + (f"; {gaps} values are null and counted as unknown" if gaps else "")
            + "; a value belongs to the window that its time lies in",
        )


def responses_over_time(api: ServiceApi, window: Window) -> Series:
    """Return the requests in steps of five minutes, one line per status."""
    with api.asking("responses over time", window) as asking:
        found = _requests(api, asking, window, STEP_S, by_status=True)
        by_status: dict[str, list[Measured]] = {}
        for each in found:
            by_status.setdefault(each.labels["statusCode"], []).append(each)
        return Series(
            question=asking.question(),
            unit="requests",
            lines=tuple(
                _line({"status": status}, _sum_series(each))
                for status, each in sorted(by_status.items())
            ),
            note=f"in steps of {STEP_S} s that begin in the window",
        )


def load(api: ServiceApi, window: Window) -> Series:
    """Return the requests per second of each minute.

    Raises: SourceMisread, when the steps are not of the minute asked for.
    """
    with api.asking("load", window) as asking:
        summed = _sum_series(_requests(api, asking, window, MINUTE_S, by_status=False))
        steps = [b - a for a, b in pairwise(summed)]
        if steps and min(steps) != MINUTE_S:
            raise misread(f"{asking.where}: values", f"one every {MINUTE_S} s", min(steps))
        rate = {at: None if v is None else round(v / MINUTE_S, DIGITS) for at, v in summed.items()}
        return Series(question=asking.question(), unit="requests/s", lines=(_line({}, rate),))


def memory(api: ServiceApi, window: Window) -> Series:
    """Return the memory of each minute in MB, one line per instance."""
    return _memory(api, window, "memory", "memory")


def memory_limit(api: ServiceApi, window: Window) -> Series:
    """Return the memory limit of each minute in MB, one line per instance."""
    return _memory(api, window, "memory limit", "memory-limit")


def _memory(api: ServiceApi, window: Window, what: str, name: str) -> Series:
    with api.asking(what, window) as asking:
        found = _measured_series(api, asking, window, name, MINUTE_S, MB)
        return Series(
            question=asking.question(),
            unit="MB",
            lines=tuple(
                _line({k: v for k, v in each.labels.items() if k == "instance"}, each.values)
                for each in sorted(found, key=lambda one: one.labels.get("instance", ""))
            ),
            note="MB of 2^20 bytes",
        )


def _requests(
    api: ServiceApi, asking: Asking, window: Window, step_s: int, *, by_status: bool
) -> list[Measured]:
    more = [("aggregateBy", "statusCode")] if by_status else []
    found = _measured_series(api, asking, window, "http-requests", step_s, REQUESTS, *more)
    for index, each in enumerate(found if by_status else []):
        status = each.labels.get("statusCode")
        if status is None or not _STATUS.fullmatch(status):
            raise misread(
                f"{asking.where}: series[{index}].labels.statusCode", "an HTTP status", status
            )
    return found


def _measured_series(
    api: ServiceApi,
    asking: Asking,
    window: Window,
    name: str,
    step_s: int,
    units: Mapping[str, float],
    *more: tuple[str, str],
) -> list[Measured]:
    """Return the series of a metric that have a value in the window.

    Args:
        step_s: at least 30.
        units: each known unit in lower case, and the factor of its values.
    Raises: SourceEmpty, when there is none.
    """
    params = [
        ("resource", api.at.service),
        *more,
        ("startTime", stamp(window.start)),
        ("endTime", stamp(window.end)),
        ("resolutionSeconds", str(step_s)),
    ]
    document = api.document(asking, f"/metrics/{name}", params)
    found: dict[tuple[tuple[str, str], ...], Measured] = {}
    answered = read_answer(document, list[Metric], f"{asking.where}: series")
    for index, metric in enumerate(answered):
        where = f"{asking.where}: series[{index}]"
        labels = _labels(api, metric, where)
        scale = _scale(metric.unit, units, f"{where}.unit")
        values = _values(metric, where, window, step_s, scale)
        key = tuple(sorted(labels.items()))
        if key in found:
            raise misread(f"{where}.labels", "those of no other series", labels)
        found[key] = Measured(labels, values)
    if not any(value is not None for each in found.values() for value in each.values.values()):
        got = "an empty list" if not found else f"{len(found)} series without one"
        asking.refuse(SourceEmpty, f"expected values of {api.at.service} in the window, got {got}")
    return [each for each in found.values() if each.values]


def _labels(api: ServiceApi, metric: Metric, where: str) -> dict[str, str]:
    """Return the labels of a series, without the service's own."""
    labels = {label.field: label.value for label in metric.labels}
    for field in ("resource", "service"):
        if labels.pop(field, api.at.service) != api.at.service:
            raise SourceMisread(f"{where}.labels: expected {field} {api.at.service}, got another")
    return labels


def _scale(unit: str, units: Mapping[str, float], where: str) -> float:
    if unit.lower() not in units:
        raise misread(where, f"one of {', '.join(units)}", unit)
    return units[unit.lower()]


def _values(
    metric: Metric, where: str, window: Window, step_s: int, scale: float
) -> dict[float, float | None]:
    # the step that the window begins in may begin before it
    step = timedelta(seconds=step_s)
    near = Window(window.start - step, window.end + step)
    start, end = window.start.timestamp(), window.end.timestamp()
    values: dict[float, float | None] = {}
    for index, point in enumerate(metric.values):
        at, value = point.timestamp, point.value
        if value is not None and value < 0:
            raise misread(f"{where}.values[{index}].value", "at least 0", value)
        if not is_within(near, at, f"{where}.values[{index}].timestamp") or not start <= at < end:
            continue
        if at in values:
            twice = stamp(datetime.fromtimestamp(at, UTC))
            raise misread(f"{where}.values[{index}].timestamp", "a time of its own", twice)
        values[at] = None if value is None else round(value * scale, DIGITS)
    return dict(sorted(values.items()))


def _sum_series(found: list[Measured]) -> dict[float, float | None]:
    """Add the series up by time; a null makes the sum of its time unknown."""
    total: dict[float, float | None] = {}
    for each in found:
        for at, value in each.values.items():
            before = total.get(at, 0.0)
            total[at] = None if value is None or before is None else before + value
    return dict(sorted(total.items()))


def _line(labels: dict[str, str], values: Mapping[float, float | None]) -> Line:
    return Line(labels=labels, times=tuple(values), values=tuple(values.values()))
