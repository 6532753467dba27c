"""Each series in the evidence of a criterion, with the limit if it has the same unit."""

from __future__ import annotations

from collections.abc import Iterator

from hour24 import evidence as ev
from hour24.ledger.record import Judged, Record
from hour24.report.axes import Picture, ends_of, hour_ticks, thinned, values_of
from hour24.report.charts import Plot, steps
from hour24.report.times import Times
from hour24.text import format_number, plural


def draw(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    """Yield a chart for each series in the evidence of a criterion."""
    for name, series in answers.items():
        if not isinstance(series, ev.Series) or not values_of(series.lines):
            continue
        values = values_of(series.lines)
        ends = ends_of(series, (t for line in series.lines for t in line.times))
        plot = Plot(ends, (min(0.0, *values), max(values) * 1.12 or 1), 150)
        for line in series.lines[:8]:
            plot.line(thinned(line), "ln")
        if judged.scale and judged.scale.unit == series.unit:
            limit = judged.scale.limit
            plot.level(limit, f"limit {format_number(limit)}", judged={"limit": limit})
        plot.ticks_x(hour_ticks(record, ends, times))
        plot.ticks_y((v, format_number(v)) for v in steps(0, max(values) or 1))
        title = f"{judged.id}: {name.replace('_', ' ')}, {series.unit}"
        largest = f"largest {format_number(max(values))} {series.unit}"
        says = f"{largest}, {plural(len(series.lines), 'line')}"
        yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)
