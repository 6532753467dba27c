"""Memory of each instance, with its limit, the trend that was judged, and deploys."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from msgspec import structs

from hour24 import evidence as ev
from hour24.ledger.record import Judged, Record
from hour24.report.axes import Picture, ends_of, hour_ticks, thinned, values_of
from hour24.report.charts import Plot, steps
from hour24.report.times import Times
from hour24.text import format_number, one_line, plural, shorten_ids

MOST_NAMED = 3
"""Instances with their values in the caption."""


def draw(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    memory = answers.get("memory")
    if not isinstance(memory, ev.Series) or not values_of(memory.lines):
        return
    figures = judged.figures
    factor = figures.get("unit_mb", 1.0)
    unit = "MB" if "unit_mb" in figures else memory.unit
    lines = [_rescale(line, factor) for line in memory.lines]
    values = values_of(lines)
    reach = max(values) - min(values) or max(values) * 0.05 or 1.0
    low, top = max(0.0, min(values) - 0.6 * reach), max(values) + 0.6 * reach
    limit = figures.get("limit_mb")
    shown = limit is not None and limit < top + 2 * reach
    if limit is not None and shown:
        top = limit * 1.04
    ends = ends_of(memory, (t for line in lines for t in line.times))
    plot = Plot(ends, (low, top), 190)
    fitted = _leak_trend(plot, judged, memory, ends)
    for n, line in enumerate(lines[:8]):
        judged_line = len(lines) == 1 or (fitted and n == int(figures["instance"]))
        plot.line(thinned(line), "ln" if judged_line else "ln2")
    dark = figures["instance"] if fitted and len(lines) > 1 else -1
    caption = ""
    if fitted:
        drawn = "trend of the dark one" if len(lines) > 1 else "trend"
        slope = format_number(figures["slope"])
        caption = f"; dashed: {drawn}, {slope} {unit}/h; pale: its bounds"
    if limit is not None:
        limited = f"limit {format_number(limit)} {unit}"
        plot.level(limit, limited, judged={"limit_mb": limit})
        plot.beyond(above=limit)
        caption += "" if shown else f"; {limited}, above the chart"
    _deploys(plot, answers)
    plot.ticks_x(hour_ticks(record, ends, times))
    plot.ticks_y((v, format_number(v)) for v in steps(low, top))
    largest = f"largest {format_number(max(values))} {unit}"
    named = "".join(f"; {each}" for each in _ends(lines[:MOST_NAMED], int(dark), unit))
    says = f"{plural(len(lines), 'instance')}, {largest}{named}{caption}"
    title = f"Memory, {unit}"
    yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)


def _ends(lines: Sequence[ev.Line], dark: int, unit: str) -> Iterator[str]:
    """Yield the first and last value of each instance, with its name.

    The values are read here; in the chart the lines lie close together.

    Args:
        dark: the instance with the trend.
    """
    for number, line in enumerate(lines):
        known = values_of([line])
        if not known:
            continue
        name = shorten_ids(one_line(line.labels.get("instance", ""), 60)) or f"no. {number + 1}"
        shade = {dark: " (dark)"}.get(number, "")
        ends = f"first {format_number(known[0])}, last {format_number(known[-1])} {unit}"
        yield f"{name}{shade}: {ends}"


def _deploys(plot: Plot, answers: dict[str, ev.Evidence]) -> None:
    deploys = answers.get("deploys")
    if isinstance(deploys, ev.Listing):
        for item in deploys.items[:20]:
            at = item.get("finished") or item.get("started") or item.get("created")
            if isinstance(at, int | float):
                plot.mark(float(at), "deploy")


def _rescale(line: ev.Line, factor: float) -> ev.Line:
    """Return the line in another unit."""
    if factor == 1.0:
        return line
    values = tuple(None if v is None else v * factor for v in line.values)
    return structs.replace(line, values=values)


def _leak_trend(plot: Plot, judged: Judged, memory: ev.Series, ends: tuple[float, float]) -> bool:
    """Draw the trend that was judged with its bounds; return False if none was fitted.

    It is the trend of one instance and runs through the middle of its longest run, as far to both
    sides as the chart allows.
    """
    names = ("instance", "slope", "lower", "upper", "pivot_h", "pivot_mb")
    known = {name: judged.figures[name] for name in names if name in judged.figures}
    if len(known) < len(names) or not all(map(math.isfinite, known.values())):
        return False
    times = memory.lines[int(known["instance"])].times
    pivot, centre = times[0] + 3600 * known["pivot_h"], known["pivot_mb"]
    half = max(0.0, min(pivot - ends[0], ends[1] - pivot))
    edge = []
    for at in (pivot - half, pivot, pivot + half):
        hours = (at - pivot) / 3600
        both = sorted((centre + known["lower"] * hours, centre + known["upper"] * hours))
        edge.append((at, both[0], both[1]))
    plot.band(edge, "bd", judged=known)
    rise = known["slope"] * half / 3600
    plot.line([(pivot - half, centre - rise), (pivot + half, centre + rise)], "base", judged=known)
    return True
