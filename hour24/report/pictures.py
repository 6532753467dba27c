"""The charts of a checkpoint: memory, responses, latency, health, jobs, disk.

Rules of this module:

- Only what reads better as a line than as a number is drawn; the caption has the figures.
- Charts of one kind share their axes; the limit is drawn, hour 0 is dashed, a deploy dotted.
- What was measured is drawn from the evidence in the record; without evidence there is no chart.
- Every limit, trend and bound in a chart is a figure of the verdict or of its scale: a page shows
  what was judged and nothing else. If the verdict has none, none is drawn.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import msgspec
from msgspec import structs

from hour24 import evidence as ev
from hour24.classes import IssueClass, class_of
from hour24.criteria import known
from hour24.criteria.criterion import OWN_CHART
from hour24.ledger.record import Judged, Record
from hour24.report import distributions
from hour24.report.axes import Picture, between, clock_ticks, ends_of, hour_ticks
from hour24.report.charts import Plot, deciding, steps
from hour24.report.exhibits import Answers
from hour24.report.times import Times
from hour24.text import (
    count_of,
    format_count,
    format_duration,
    format_number,
    format_percent,
    plural,
)
from hour24.verdict import Outcome

MOST = 32
WIDE = 4
HOUR_S = 3600.0
GAP = 3.5
"""Usual steps between two values from which the time between counts as a gap."""
LONG_S = 5.5 * 3600
"""A time axis longer than this, in seconds, has checkpoints as ticks."""


def draw(record: Record, answers: Answers, times: Times) -> tuple[list[Picture], int]:
    """Return the charts of a checkpoint, failed criteria first, and how many were left out.

    The first few failed ones take the whole width. If there are more charts than a page has
    room for, those furthest from their limits are left out.
    """
    found: list[tuple[float, Picture]] = []
    for judged in record.criteria:
        near = (deciding(judged.scale, judged.outcome) if judged.scale else None) or 0.0
        found.extend(
            (near, picture) for picture in draw_verdict(judged, answers.of(judged), record, times)
        )
    failed = [p for _, p in found if p.outcome == Outcome.FAIL]
    rest = [(near, p) for near, p in found if p.outcome != Outcome.FAIL]
    room = max(0, MOST - len(failed[:MOST]))
    least = sorted((near for near, _ in rest), reverse=True)[room - 1 : room] if room else []
    if len(rest) > room:
        rest = [one for one in rest if least and one[0] >= least[0]][:room]
    kept = [structs.replace(p, wide=n < WIDE) for n, p in enumerate(failed[:MOST])]
    kept += sorted((p for _, p in rest), key=lambda p: p.wide)
    return kept, len(found) - len(kept)


def draw_verdict(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    """Yield the charts of one verdict as its criterion defines; of a custom one, each series."""
    criterion = known(judged.id)
    match criterion.chart if criterion is not None else OWN_CHART:
        case "memory":
            yield from _memory(judged, answers, record, times)
        case "responses":
            yield from _responses(judged, answers, record, times)
        case "events":
            yield from _events(judged, answers, record, times)
        case "latency":
            yield from distributions.over_time(judged, answers, record, times)
        case "latency_baseline":
            yield from distributions.against_hour0(judged, answers)
        case "probes":
            yield from _health(judged, answers, record, times)
        case "beats":
            yield from _beats(judged, answers, times)
        case "disk":
            yield from _disk(judged, answers, record, times)
        case "series":
            yield from _series(judged, answers, record, times)


def _values(lines: Iterable[ev.Line]) -> list[float]:
    return [v for line in lines for v in line.values if v is not None and math.isfinite(v)]


def _thinned(line: ev.Line, most: int = 360) -> list[tuple[float, float | None]]:
    """Return some ``most`` points: the smallest and largest of each part, so that peaks stay.

    A missing value, or a step longer than ``GAP`` usual ones, interrupts the line.
    """
    size = math.ceil(2 * len(line.times) / most) if len(line.times) > most else 1
    kept: list[tuple[float, float | None]] = []
    for run in _runs(line):
        kept.append((run[0][0], None))
        for at in range(0, len(run), size):
            part = [(v, t) for t, v in run[at : at + size]]
            kept.extend(sorted({(t, v) for v, t in (min(part), max(part))}))
    return kept


def _runs(line: ev.Line) -> Iterator[list[tuple[float, float]]]:
    """Yield the parts of a line between its gaps."""
    longest = GAP * _step(line)
    run: list[tuple[float, float]] = []
    for at, value in zip(line.times, line.values, strict=False):
        if run and (value is None or at - run[-1][0] > longest):
            yield run
            run = []
        if value is not None:
            run.append((at, value))
    if run:
        yield run


def _step(line: ev.Line) -> float:
    """Return the usual time between two values of a line, in seconds."""
    gaps = [b - a for a, b in zip(line.times[:200], line.times[1:200], strict=False)]
    return median(gaps) if gaps else 0.0


def _deploys(plot: Plot, answers: dict[str, ev.Evidence]) -> None:
    deploys = answers.get("deploys")
    if isinstance(deploys, ev.Listing):
        for item in deploys.items[:20]:
            at = item.get("finished") or item.get("started") or item.get("created")
            if isinstance(at, int | float):
                plot.mark(float(at), "deploy")


def _memory(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    memory = answers.get("memory")
    if not isinstance(memory, ev.Series) or not _values(memory.lines):
        return
    figures = judged.figures
    factor = figures.get("unit_mb", 1.0)
    unit = "MB" if "unit_mb" in figures else memory.unit
    lines = [_scaled(line, factor) for line in memory.lines]
    values = _values(lines)
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
        dark = len(lines) == 1 or (fitted and n == int(figures["instance"]))
        plot.line(_thinned(line), "ln" if dark else "ln2")
    caption = ""
    if fitted:
        caption = f"; dashed: trend {format_number(figures['slope'])} {unit}/h; pale: its bounds"
        caption += "; of the dark instance" if len(lines) > 1 else ""
    if limit is not None:
        limited = f"limit {format_number(limit)} {unit}"
        plot.level(limit, limited, judged={"limit_mb": limit})
        plot.beyond(above=limit)
        caption += "" if shown else f"; {limited}, above the chart"
    _deploys(plot, answers)
    plot.ticks_x(hour_ticks(record, ends, times))
    plot.ticks_y((v, format_number(v)) for v in steps(low, top))
    largest = f"largest {format_number(max(values))} {unit}"
    says = f"{plural(len(lines), 'instance')}, {largest}{caption}"
    title = f"Memory, {unit}"
    yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)


def _scaled(line: ev.Line, factor: float) -> ev.Line:
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


def _is_bad(labels: dict[str, str]) -> bool:
    return labels.get("status", "").startswith("5")


def _responses(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    series = next((a for a in answers.values() if isinstance(a, ev.Series)), None)
    if series is None or not series.lines:
        return
    good, bad = _summed(series, False), _summed(series, True)
    if not good and not bad:
        return
    ends = ends_of(series, {*good, *bad})
    failed = _stepped(bad, HOUR_S, ends[0])  # the hours that were judged, from the window's start
    every = _stepped(good, HOUR_S, ends[0])
    every = {at: every.get(at, 0) + failed.get(at, 0) for at in {*every, *failed}}
    rate = {at: failed.get(at, 0) / n for at, n in sorted(every.items()) if n}
    figures = judged.figures
    shown = [figures[name] for name in ("first", "last", "worst_hour_share") if name in figures]
    top = max([*rate.values(), *shown]) or figures.get("smallest_rise_to", 0.0) or 1.0
    plot = Plot(ends, (0, top * 1.15), 150)
    plot.bars(((at, min(at + HOUR_S, ends[1]), value) for at, value in rate.items()), "br")
    caption = _error_trend(plot, judged, list(rate))
    plot.ticks_x(hour_ticks(record, ends, times))
    plot.ticks_y((v, format_percent(v)) for v in steps(0, top))
    says = (
        f"{count_of(round(sum(bad.values())), round(sum(every.values())))} with a status of 500 or "
        f"above, each hour of the window{caption}"
    )
    title = "Failed responses, share"
    yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)
    step = max(_step(series.lines[0]) or 300.0, 300.0 * math.ceil((ends[1] - ends[0]) / 12000))
    good, bad = _stepped(good, step), _stepped(bad, step)
    every = {at: good.get(at, 0) + bad.get(at, 0) for at in {*good, *bad}}
    plot = Plot(ends, (0, max(every.values()) * 1.12 or 1), 150)
    plot.bars(((at, at + step, float(total)) for at, total in sorted(every.items())), "br2")
    plot.ticks_x(hour_ticks(record, ends, times))
    plot.ticks_y((v, format_number(v)) for v in steps(0, max(every.values()) or 1, whole=True))
    says = (
        f"{format_count(round(sum(every.values())))} {series.unit}, in steps of "
        f"{format_duration(step)}"
    )
    yield Picture(title="Responses", says=says, svg=plot.svg("Responses", says))


def _error_trend(plot: Plot, judged: Judged, hours: Sequence[float]) -> str:
    """Draw the trend of the share that was judged; return it as text.

    If the verdict found a spike, the share of the worst one is drawn instead.
    """
    figures = judged.figures
    worst = figures.get("worst_hour_share")
    if worst is not None:
        text = f"worst spike {format_percent(worst)}"
        plot.level(worst, text, "base", judged={"worst_hour_share": worst})
        return f"; {text}, dashed"
    names: tuple[str, ...] = ("first", "last")
    fit = {name: figures[name] for name in names if name in figures}
    if len(fit) < 2 or not hours:
        return ""
    half = HOUR_S / 2
    points = [(hours[0] + half, fit["first"]), (hours[-1] + half, fit["last"])]
    plot.line(points, "base", judged=fit)
    return f"; trend from {format_percent(fit['first'])} to {format_percent(fit['last'])}, dashed"


def _summed(series: ev.Series, bad: bool) -> dict[float, float]:
    total: dict[float, float] = {}
    for line in series.lines:
        if _is_bad(line.labels) == bad:
            for at, value in zip(line.times, line.values, strict=False):
                if value is not None:
                    total[at] = total.get(at, 0.0) + value
    return total


def _stepped(total: dict[float, float], step: float, begin: float = 0.0) -> dict[float, float]:
    """Return sums over ``step`` seconds, the first step starting at ``begin``."""
    sums: dict[float, float] = {}
    for at, value in total.items():
        start = begin + math.floor((at - begin) / step) * step
        sums[start] = sums.get(start, 0.0) + value
    return sums


def _events(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    events = next((a for a in answers.values() if isinstance(a, ev.Listing)), None)
    if events is None or events.question.window is None or not events.items:
        return
    ends = ends_of(events, ())
    first = math.floor(ends[0] / 3600) * 3600
    hours = [first + 3600 * k for k in range(math.ceil((ends[1] - first) / 3600))]
    timed = [(i, float(i["at"])) for i in events.items if isinstance(i.get("at"), int | float)]
    counted = _counted(timed, _normal(judged))
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


def _counted(
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


def _health(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    probes = next((a for a in answers.values() if isinstance(a, ev.Probes)), None)
    if probes is None:
        return
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
    if probes.bad and counted is not None:
        failed += f", {format_count(counted) if counted else 'none'} of them counted"
    says = f"{count_of(probes.kept, probes.due)} probes sent, {failed}{gap}"
    title = f"Health probes over {format_duration(length)}; hatched: no data"
    yield Picture(
        title=title,
        says=says,
        svg=plot.svg(title, says, "strip"),
        wide=True,
        outcome=judged.outcome,
    )


def _beats(judged: Judged, answers: dict[str, ev.Evidence], times: Times) -> Iterator[Picture]:
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


def _disk(
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


def _series(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    """Yield a chart for each series in the evidence of a criterion."""
    for name, series in answers.items():
        if not isinstance(series, ev.Series) or not _values(series.lines):
            continue
        values = _values(series.lines)
        ends = ends_of(series, (t for line in series.lines for t in line.times))
        plot = Plot(ends, (min(0.0, *values), max(values) * 1.12 or 1), 150)
        for line in series.lines[:8]:
            plot.line(_thinned(line), "ln")
        if judged.scale and judged.scale.unit == series.unit:
            limit = judged.scale.limit
            plot.level(limit, f"limit {format_number(limit)}", judged={"limit": limit})
        plot.ticks_x(hour_ticks(record, ends, times))
        plot.ticks_y((v, format_number(v)) for v in steps(0, max(values) or 1))
        title = f"{judged.id}: {name.replace('_', ' ')}, {series.unit}"
        largest = f"largest {format_number(max(values))} {series.unit}"
        says = f"{largest}, {plural(len(series.lines), 'line')}"
        yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)
