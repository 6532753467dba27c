"""Error events in each clock hour; those of known-normal classes apart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from hour24 import evidence as ev
from hour24.classes import IssueClass, class_of
from hour24.ledger.record import Judged, Record
from hour24.report.axes import Picture, ends_of, hour_ticks
from hour24.report.charts import Plot, steps
from hour24.report.times import Times
from hour24.text import format_number, plural


def draw(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    events = next((a for a in answers.values() if isinstance(a, ev.Listing)), None)
    if events is None or events.question.window is None or not events.items:
        return
    ends = ends_of(events, ())
    first = math.floor(ends[0] / 3600) * 3600
    hours = [first + 3600 * k for k in range(math.ceil((ends[1] - first) / 3600))]
    timed = [(i, float(i["at"])) for i in events.items if isinstance(i.get("at"), int | float)]
    counted = _counted_times(timed, _normal(judged))
    bars = [(h, h + 3600, sum(h <= at < h + 3600 for at in counted)) for h in hours]
    excluded = [(h, b, sum(h <= at < b for _, at in timed) - n) for h, b, n in bars]
    limit = judged.scale.limit if judged.scale else None
    top = max([6, limit or 0, *(n for _, _, n in bars)])
    plot = Plot(ends, (0, top * 1.1), 150)
    plot.bars(((a + 60, b - 60, float(n)) for a, b, n in bars), "br")
    if limit is not None:
        plot.level(limit, f"limit: {judged.limit}", judged={"limit": limit})
    plot.ticks_x(hour_ticks(record, ends, times))
    plot.ticks_y((v, format_number(v)) for v in steps(0, top, whole=True))
    says = f"{plural(len(counted), 'event')} counted"
    title = "Error events in each clock hour"
    yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)
    if len(timed) > len(counted):
        most = max(n for _, _, n in excluded)
        plot = Plot(ends, (0, most * 1.1), 70)
        plot.bars(((a + 60, b - 60, float(n)) for a, b, n in excluded), "br2")
        plot.ticks_x(hour_ticks(record, ends, times))
        plot.ticks_y([(float(most), format_number(most))])
        says = f"{plural(len(timed) - len(counted), 'known-normal event')}; no limit applies"
        title = "Known-normal events, not counted, in each clock hour"
        yield Picture(title=title, says=says, svg=plot.svg(title, says))


def _counted_times(
    timed: Sequence[tuple[dict[str, Any], float]], normal: Sequence[IssueClass]
) -> list[float]:
    """Return the times of events of no normal class, or above the limit of their class."""
    in_hour: Counter[tuple[str, int]] = Counter()
    found = []
    for item, at in sorted(timed, key=lambda one: one[1]):
        kind = class_of(item, normal)
        if kind is not None:
            hour = kind.name, math.floor(at / 3600)
            in_hour[hour] += 1
            if kind.at_most_per_hour is None or in_hour[hour] <= kind.at_most_per_hour:
                continue
        found.append(at)
    return found


def _normal(judged: Judged) -> list[IssueClass]:
    """Return the normal classes that the verdict excluded; empty if they cannot be read."""
    try:
        return msgspec.convert((judged.objective or {}).get("normal") or [], list[IssueClass])
    except msgspec.ValidationError:
        return []
