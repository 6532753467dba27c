"""The disk of the database, with the limit that was judged."""

from __future__ import annotations

from collections.abc import Iterator

from hour24 import evidence as ev
from hour24.ledger.record import Judged, Record
from hour24.report.axes import Picture, hour_ticks
from hour24.report.charts import Plot, steps
from hour24.report.times import Times
from hour24.text import format_number, plural


def draw(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    readings: list[tuple[float, float]] = []
    size = judged.figures.get("size_bytes", 0.0)
    for name in ("before", "disk"):
        answer = answers.get(name)
        for item in answer.items if isinstance(answer, ev.Listing) else ():
            at, used = item.get("at"), item.get("used_bytes")
            if isinstance(at, int | float) and isinstance(used, int | float):
                readings.append((float(at), float(used)))
    if len(readings) < 2:
        return
    readings.sort()
    top = size or max(used for _, used in readings)
    begin = min(readings[0][0], record.t0.timestamp())
    plot = Plot((begin, max(readings[-1][0], begin + 3600)), (0, top * 1.05), 150)
    plot.line(list(readings), "ln")
    plot.dots(list(readings), "dt2")
    if size and judged.scale is not None:
        limit = judged.scale.limit
        plot.level(limit / 100 * size, f"limit {limit:g} %", judged={"limit": limit})
        plot.beyond(above=limit / 100 * size)
    plot.ticks_x(hour_ticks(record, (begin, readings[-1][0]), times))
    plot.ticks_y((v, f"{format_number(v / 1e9)} GB") for v in steps(0, top))
    says = f"{format_number(readings[-1][1] / 1e9)} GB used, {plural(len(readings), 'reading')}"
    title = "Disk of the database"
    yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)
