"""The health probes of a window: sent, failed, and the gaps between them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from hour24 import evidence as ev
from hour24.ledger.record import Judged, Record
from hour24.report.axes import LONG_S, Picture, between, clock_ticks, ends_of, hour_ticks
from hour24.report.charts import Plot
from hour24.report.times import Times
from hour24.text import count_of, format_count, format_duration, one_line


def draw(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    probes = next((a for a in answers.values() if isinstance(a, ev.Probes)), None)
    if probes is None:
        return
    if not probes.vantages:
        yield _strip(probes, judged, record, times, "")
    for name, each in probes.vantages.items():
        if isinstance(each, ev.Probes):
            yield _strip(each, judged, record, times, name)


def _strip(probes: ev.Probes, judged: Judged, record: Record, times: Times, name: str) -> Picture:
    """Return the probes of one vantage, without a name where there is only one."""
    ends = ends_of(probes, (g for gap in probes.gaps for g in gap))
    plot = Plot(ends, (0, 1), 50, narrowest=300)
    plot.bars(((a, b, 1.0) for a, b in between(probes.gaps, ends)), "br")
    for start, end in probes.gaps[:500]:
        plot.gap(start, end)
    plot.crosses((failure.at, 0.5) for failure in probes.failures[:500])
    length = ends[1] - ends[0]
    if length > LONG_S:
        plot.ticks_x(hour_ticks(record, ends, times))
    else:
        step = next(s for s in (900, 1800, 3600) if length / s <= 8)
        plot.ticks_x(clock_ticks(ends[0], ends[1], step, times))
    longest = max(probes.gaps, key=lambda g: g[1] - g[0], default=None)
    gap = ""
    if longest is not None:
        at = datetime.fromtimestamp(0, UTC) + timedelta(seconds=longest[0])
        lasted = format_duration(longest[1] - longest[0])
        gap = f"; longest gap {lasted}, at {times.clock(at)}"
    failed = f"{format_count(probes.bad)} failed" if probes.bad else "none failed"
    counted = judged.figures.get("counted")
    if probes.bad and counted is not None and not name:
        failed += f", {format_count(counted) if counted else 'none'} of them counted"
    says = f"{count_of(probes.kept, probes.due)} probes sent, {failed}{gap}"
    named = f" from {one_line(name, 60)}" if name else ""
    title = f"Health probes{named} over {format_duration(length)}; hatched: no data"
    return Picture(
        title=title,
        says=says,
        svg=plot.svg(title, says, "strip"),
        wide=True,
        outcome=judged.outcome,
    )
