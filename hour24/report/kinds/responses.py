"""The share of failed responses in each hour of the window, and the responses themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from hour24 import evidence as ev
from hour24.ledger.record import Judged, Record
from hour24.report.axes import HOUR_S, Picture, ends_of, hour_ticks, usual_step
from hour24.report.charts import Plot, steps
from hour24.report.times import Times
from hour24.text import count_of, format_count, format_duration, format_number, format_percent


def draw(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    series = next((a for a in answers.values() if isinstance(a, ev.Series)), None)
    if series is None or not series.lines:
        return
    good, bad = _sum_up(series, False), _sum_up(series, True)
    if not good and not bad:
        return
    ends = ends_of(series, {*good, *bad})
    failed = _sum_by_step(
        bad, HOUR_S, ends[0]
    )  # the hours that were judged, from the window's start
    every = _sum_by_step(good, HOUR_S, ends[0])
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
    step = max(usual_step(series.lines[0]) or 300.0, 300.0 * math.ceil((ends[1] - ends[0]) / 12000))
    good, bad = _sum_by_step(good, step), _sum_by_step(bad, step)
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


def _is_bad(labels: dict[str, str]) -> bool:
    return labels.get("status", "").startswith("5")


def _sum_up(series: ev.Series, bad: bool) -> dict[float, float]:
    total: dict[float, float] = {}
    for line in series.lines:
        if _is_bad(line.labels) == bad:
            for at, value in zip(line.times, line.values, strict=False):
                if value is not None:
                    total[at] = total.get(at, 0.0) + value
    return total


def _sum_by_step(total: dict[float, float], step: float, begin: float = 0.0) -> dict[float, float]:
    """Return sums over ``step`` seconds, the first step starting at ``begin``."""
    sums: dict[float, float] = {}
    for at, value in total.items():
        start = begin + math.floor((at - begin) / step) * step
        sums[start] = sums.get(start, 0.0) + value
    return sums
