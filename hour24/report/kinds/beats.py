"""The time between the beats of background jobs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from hour24 import evidence as ev
from hour24.ledger.record import Judged, Record
from hour24.report.axes import Picture, clock_ticks, ends_of
from hour24.report.charts import Plot, steps
from hour24.report.times import Times
from hour24.text import format_number, plural


def draw(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    series = answers.get("beats")
    if not isinstance(series, ev.Series) or not any(len(line.times) > 1 for line in series.lines):
        return
    ends = ends_of(series, (t for line in series.lines for t in line.times))
    inside = [{*ends, *(t for t in line.times if ends[0] <= t <= ends[1])} for line in series.lines]
    gaps = [(b, b - a) for times_ in inside for a, b in pairwise(sorted(times_))]
    limit = judged.scale.limit if judged.scale else None
    top = max([limit or 0.0, *(gap for _, gap in gaps)]) * 1.12
    plot = Plot(ends, (0, top), 150)
    plot.dots(sorted(gaps, key=lambda g: -g[1])[:600])
    if limit is not None:
        plot.level(limit, f"limit {format_number(limit)} s", judged={"limit": limit})
        plot.beyond(above=limit)
    plot.ticks_x(clock_ticks(*ends, 3600 if ends[1] - ends[0] < 6 * 3600 else 14400, times))
    plot.ticks_y((v, format_number(v)) for v in steps(0, top))
    says = f"{plural(len(gaps), 'step')} from beat to beat"
    longest = judged.figures.get("longest_gap_s")
    if longest is not None:
        says += f", the longest {format_number(longest)} s"
    title = "Background jobs: time between beats, s"
    yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)
