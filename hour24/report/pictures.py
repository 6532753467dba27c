"""Which evidence is drawn, and how: memory, responses, latency, health, jobs, disk.

Rules of this module:

- A chart stands where a line says more than a number; the caption says its figures.
- Charts of one kind share their axes; the limit is drawn, hour 0 is dashed, a deploy dotted.
- A chart is drawn from the evidence in the record alone; without evidence there is none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
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
GAP = 3.5
"""Usual steps between two values from which nobody saw what was between them."""
LONG_S = 5.5 * 3600
"""A strip longer than this, in seconds, is marked by checkpoints."""


def of(record: Record, answers: Answers, times: Times) -> tuple[list[Picture], int]:
    """The charts of a checkpoint, those of failed criteria first; and how many were left out.

    The first few failed ones take the whole width. Where there are more charts than a page
    holds, those furthest from their limits are left out.
    """
    found: list[tuple[float, Picture]] = []
    for judged in record.criteria:
        near = (deciding(judged.scale, judged.outcome) if judged.scale else None) or 0.0
        found.extend(
            (near, picture) for picture in _of_one(judged, answers.of(judged), record, times)
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


def _of_one(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
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
            yield from distributions.beside_hour0(judged, answers)
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
    """Some ``most`` points: of each stretch the least and the largest, so that peaks stay.

    A missing value, or a step of more than ``GAP`` usual ones, parts the line.
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
    """The stretches of a line without a gap."""
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
    """The usual time between two values of a line, in seconds."""
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
    limit = answers.get("limit")
    tops = _values(limit.lines) if isinstance(limit, ev.Series) else []
    values = _values(memory.lines)
    reach = max(values) - min(values) or max(values) * 0.05 or 1.0
    low, top = max(0.0, min(values) - 0.6 * reach), max(values) + 0.6 * reach
    shown = bool(tops) and max(tops) < top + 2 * reach
    if shown:
        top = max(tops) * 1.04
    ends = ends_of(memory, (t for line in memory.lines for t in line.times))
    plot = Plot(ends, (low, top), 190)
    slope = _figure(judged, "slope")
    told = ""
    if slope is not None and math.isfinite(slope):
        _trend(plot, values, ends, slope, _figure(judged, "lower"), _figure(judged, "upper"))
        told = f"; trend {format_number(slope)} {memory.unit}/h, dashed, its bounds pale"
    for line in memory.lines[:8]:
        plot.line(_thinned(line), "ln" if len(memory.lines) == 1 else "ln2")
    if tops:
        limited = f"limit {format_number(max(tops))} {memory.unit}"
        plot.level(max(tops), limited)
        plot.beyond(above=max(tops))
        told += "" if shown else f"; {limited}, above the picture"
    _deploys(plot, answers)
    plot.ticks_x(hour_ticks(record, ends, times))
    plot.ticks_y((v, format_number(v)) for v in steps(low, top))
    largest = f"largest {format_number(max(values))} {memory.unit}"
    says = f"{plural(len(memory.lines), 'instance')}, {largest}{told}"
    title = f"Memory, {memory.unit}"
    yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)


def _figure(judged: Judged, stem: str) -> float | None:
    """The figure of this name, or the first whose name begins with it."""
    names = [name for name in judged.figures if name == stem or name.startswith(f"{stem}_")]
    return judged.figures[min(names, key=len)] if names else None


def _trend(
    plot: Plot,
    values: Sequence[float],
    ends: tuple[float, float],
    slope: float,
    low: float | None,
    high: float | None,
) -> None:
    """The trend through the middle of what was seen, and the fan of its bounds."""
    start, end = ends
    pivot = (start + end) / 2
    centre = median(values)
    if low is not None and high is not None and math.isfinite(low) and math.isfinite(high):
        edge = []
        for at in (start, pivot, end):
            hours = (at - pivot) / 3600
            both = sorted((centre + low * hours, centre + high * hours))
            edge.append((at, both[0], both[1]))
        plot.band(edge, "bd")
    hours = (end - pivot) / 3600
    plot.line([(start, centre - slope * hours), (end, centre + slope * hours)], "base")


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
    step = max(_step(series.lines[0]) or 300.0, 300.0 * math.ceil((ends[1] - ends[0]) / 12000))
    good, bad = _stepped(good, step), _stepped(bad, step)
    every = {at: good.get(at, 0) + bad.get(at, 0) for at in {*good, *bad}}
    rate = {at: bad.get(at, 0) / total for at, total in every.items() if total}
    top = max([0.02, *rate.values()])
    plot = Plot(ends, (0, top * 1.1), 150)
    plot.bars(((at, at + step, value) for at, value in sorted(rate.items())), "br")
    plot.level(0.01, "limit 1 %")
    plot.beyond(above=0.01)
    plot.ticks_x(hour_ticks(record, ends, times))
    plot.ticks_y((v, format_percent(v)) for v in steps(0, top))
    told = f"{format_count(round(sum(bad.values())))} of {format_count(round(sum(every.values())))}"
    says = f"{told} with a status of 500 or above, in steps of {format_duration(step)}"
    title = "Failed responses, share"
    yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)
    plot = Plot(ends, (0, max(every.values()) * 1.12 or 1), 150)
    plot.bars(((at, at + step, float(total)) for at, total in sorted(every.items())), "br2")
    plot.ticks_x(hour_ticks(record, ends, times))
    plot.ticks_y((v, format_number(v)) for v in steps(0, max(every.values()) or 1, whole=True))
    whole = format_count(sum(every.values()))
    says = f"{whole} {series.unit}, in steps of {format_duration(step)}"
    yield Picture(title="Responses", says=says, svg=plot.svg("Responses", says))


def _summed(series: ev.Series, bad: bool) -> dict[float, float]:
    total: dict[float, float] = {}
    for line in series.lines:
        if _is_bad(line.labels) == bad:
            for at, value in zip(line.times, line.values, strict=False):
                if value is not None:
                    total[at] = total.get(at, 0.0) + value
    return total


def _stepped(total: dict[float, float], step: float) -> dict[float, float]:
    """Sums over ``step`` seconds."""
    sums: dict[float, float] = {}
    for at, value in total.items():
        start = math.floor(at / step) * step
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
    moments = [(i, float(i["at"])) for i in events.items if isinstance(i.get("at"), int | float)]
    counted = _counted(moments, _normal(judged))
    every = [(h, h + 3600, sum(h <= at < h + 3600 for _, at in moments)) for h in hours]
    bars = [(h, h + 3600, sum(h <= at < h + 3600 for at in counted)) for h in hours]
    top = max([6, *(n for _, _, n in every)])
    plot = Plot(ends, (0, top * 1.1), 150)
    plot.bars(((a + 60, b - 60, float(n)) for a, b, n in every), "bd")
    plot.bars(((a + 60, b - 60, float(n)) for a, b, n in bars), "br")
    limit = judged.scale.limit if judged.scale else 5.0
    plot.level(limit, f"limit: {judged.limit}")
    plot.ticks_x(hour_ticks(record, ends, times))
    plot.ticks_y((v, format_number(v)) for v in steps(0, top, whole=True))
    pale = f"{plural(len(moments) - len(counted), 'event')} of normal classes, not counted"
    says = f"dark: {plural(len(counted), 'event')}; pale: {pale}"
    title = "Error events in each clock hour"
    yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)


def _counted(
    moments: Sequence[tuple[dict[str, Any], float]], normal: Sequence[IssueClass]
) -> list[float]:
    """When events happened that are of no normal class, or above what their class may have."""
    in_hour: Counter[tuple[str, int]] = Counter()
    found = []
    for item, at in sorted(moments, key=lambda one: one[1]):
        kind = class_of(item, normal)
        if kind is not None:
            hour = kind.name, math.floor(at / 3600)
            in_hour[hour] += 1
            if kind.at_most_per_hour is None or in_hour[hour] <= kind.at_most_per_hour:
                continue
        found.append(at)
    return found


def _normal(judged: Judged) -> list[IssueClass]:
    """The normal classes that the verdict set aside; none where they cannot be read."""
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
        plot.hole(start, end)
    plot.crosses((failure.at, 0.5) for failure in probes.failures[:500])
    length = ends[1] - ends[0]
    if length > LONG_S:
        plot.ticks_x(hour_ticks(record, ends, times))
    else:
        step = next(s for s in (900, 1800, 3600) if length / s <= 8)
        plot.ticks_x(clock_ticks(ends[0], ends[1], step, times))
    longest = max(probes.gaps, key=lambda g: g[1] - g[0], default=None)
    hole = ""
    if longest is not None:
        at = datetime.fromtimestamp(0, UTC) + timedelta(seconds=longest[0])
        lasted = format_duration(longest[1] - longest[0])
        hole = f"; longest stretch unseen {lasted}, at {times.clock(at)}"
    failed = f"{format_count(probes.bad)} failed" if probes.bad else "none failed"
    says = f"{count_of(probes.kept, probes.due)} probes sent, {failed}{hole}"
    title = f"Health probes over {format_duration(length)}; hatched is a stretch that nobody saw"
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
    gaps = [
        (b, b - a)
        for line in series.lines
        for a, b in zip(line.times, line.times[1:], strict=False)
    ]
    limit = judged.scale.limit if judged.scale else 75.0
    top = max([limit, *(gap for _, gap in gaps)]) * 1.12
    plot = Plot(ends, (0, top), 150)
    plot.dots(sorted(gaps, key=lambda g: -g[1])[:600])
    plot.level(limit, f"limit {format_number(limit)} s")
    plot.beyond(above=limit)
    plot.ticks_x(clock_ticks(*ends, 3600 if ends[1] - ends[0] < 6 * 3600 else 14400, times))
    plot.ticks_y((v, format_number(v)) for v in steps(0, top))
    longest = max(gap for _, gap in gaps)
    says = f"{plural(len(gaps), 'step')} from beat to beat, the longest {format_number(longest)} s"
    title = "Background jobs: time between beats, s"
    yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)


def _disk(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    readings: list[tuple[float, float]] = []
    size = 0.0
    for name in ("before", "disk"):
        answer = answers.get(name)
        for item in answer.items if isinstance(answer, ev.Listing) else ():
            at, used = item.get("at"), item.get("used_bytes")
            if isinstance(at, int | float) and isinstance(used, int | float):
                readings.append((float(at), float(used)))
            if isinstance(item.get("size_bytes"), int | float):
                size = float(item["size_bytes"])
    if len(readings) < 2:
        return
    readings.sort()
    top = size or max(used for _, used in readings)
    begin = min(readings[0][0], record.t0.timestamp())
    plot = Plot((begin, max(readings[-1][0], begin + 3600)), (0, top * 1.05), 150)
    plot.line(list(readings), "ln")
    plot.dots(list(readings), "dt2")
    if size:
        plot.level(0.8 * size, "limit 80 %")
        plot.beyond(above=0.8 * size)
    plot.ticks_x(hour_ticks(record, (begin, readings[-1][0]), times))
    plot.ticks_y((v, f"{format_number(v / 1e9)} GB") for v in steps(0, top))
    says = f"{format_number(readings[-1][1] / 1e9)} GB used, {plural(len(readings), 'reading')}"
    title = "Disk of the database"
    yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)


def _series(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    """Every series among a criterion's evidence, in a chart of its own."""
    for name, series in answers.items():
        if not isinstance(series, ev.Series) or not _values(series.lines):
            continue
        values = _values(series.lines)
        ends = ends_of(series, (t for line in series.lines for t in line.times))
        plot = Plot(ends, (min(0.0, *values), max(values) * 1.12 or 1), 150)
        for line in series.lines[:8]:
            plot.line(_thinned(line), "ln")
        if judged.scale and judged.scale.unit == series.unit:
            plot.level(judged.scale.limit, f"limit {format_number(judged.scale.limit)}")
        plot.ticks_x(hour_ticks(record, ends, times))
        plot.ticks_y((v, format_number(v)) for v in steps(0, max(values) or 1))
        title = f"{judged.id}: {name.replace('_', ' ')}, {series.unit}"
        largest = f"largest {format_number(max(values))} {series.unit}"
        says = f"{largest}, {plural(len(series.lines), 'line')}"
        yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)
