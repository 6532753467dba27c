"""Latency now against hour 0: the share of samples slower than a given time."""

from __future__ import annotations

from collections.abc import Iterator

from hour24 import evidence as ev
from hour24.histogram import merged, middle, quantile
from hour24.ledger.record import Judged, Record
from hour24.report.axes import Picture
from hour24.report.charts import Plot
from hour24.report.times import Times
from hour24.text import format_count, format_factor, format_number, format_percent, one_line


def draw(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    """Yield the share of samples slower than a given time, now and (dashed) at hour 0."""
    now, before = answers.get("now"), answers.get("baseline")
    if not isinstance(now, ev.Distribution) or not now.n:
        return
    drawn = [now]
    if isinstance(before, ev.Distribution) and before.n:
        drawn.append(before)
    whole = merged(d.merged() for d in drawn)
    low, high = quantile(whole, 0.0), quantile(whole, 1.0)
    least = 1 / max(d.n for d in drawn)
    start, lowest = low * 0.95, least * 0.8
    plot = Plot((start, high * 1.05), (lowest, 1.0), 150, log_x=True, log_y=True)
    if len(drawn) > 1:
        plot.line(_tail(drawn[1], start, lowest), "hour0")
    plot.line(_tail(now, start, lowest), "ln")
    share = judged.figures.get("tail_share")
    if share is not None and share > lowest:
        text = f"{format_percent(share)} above hour 0's p95"
        plot.level(share, text, "base", judged={"tail_share": share})
    plot.ticks_x((v, format_number(v)) for v in _round(low, high))
    plot.ticks_y((v, format_percent(v, 2)) for v in (1.0, 0.1, 0.01, 0.001) if v >= least)
    name = one_line(judged.subject or judged.id, 60)
    title = f"{name}: share slower than a given time, {now.unit}"
    p50 = format_number(quantile(now.merged(), 0.5))
    caption = f"now: median {p50} {now.unit} of {format_count(now.n)}"
    if len(drawn) > 1:
        base = format_number(quantile(drawn[1].merged(), 0.5))
        caption += f"; dashed, hour 0: median {base} {now.unit} of {format_count(drawn[1].n)}"
    factor, ratio = judged.figures.get("factor"), judged.figures.get("tail_ratio")
    if factor is not None and ratio is not None:
        caption += (
            f"; judged: medians {format_factor(factor)}, p95 {format_factor(ratio)} of hour 0"
        )
    says = f"{caption}; log scales"
    yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)


def _tail(found: ev.Distribution, low: float, lowest: float) -> list[tuple[float, float | None]]:
    """Return the share of samples slower than each value of the histogram.

    It goes from 1 at ``low`` down to ``lowest``, the bottom of the chart, at the slowest.
    """
    counts = found.merged()
    left, n = found.n, found.n
    points: list[tuple[float, float | None]] = [(low, 1.0)]
    for index in sorted(counts):
        points.append((middle(index), left / n))
        left -= counts[index]
        points.append((middle(index), left / n if left > 0 else lowest))
    return points


def _round(low: float, high: float) -> list[float]:
    """Return round values for a logarithmic axis: 1, 2 and 5, or all digits if these are few."""
    for digits in ((1, 2, 5), range(1, 10)):
        wanted = [v * 10.0**p for p in range(-2, 6) for v in digits]
        found = [v for v in wanted if low <= v <= high]
        if len(found) > 2:
            break
    return found
