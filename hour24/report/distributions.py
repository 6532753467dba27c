"""Latency charts: over time against its target, and now against hour 0."""

from __future__ import annotations

from collections.abc import Iterator

from hour24 import evidence as ev
from hour24.histogram import merged, middle, quantile, round_trip
from hour24.ledger.record import Judged, Record
from hour24.report.axes import Picture, between, ends_of, hour_ticks
from hour24.report.charts import Plot, steps
from hour24.report.times import Times
from hour24.text import (
    count_of,
    format_count,
    format_factor,
    format_number,
    format_percent,
    one_line,
)
from hour24.verdict import Outcome


def over_time(
    judged: Judged, answers: dict[str, ev.Evidence], record: Record, times: Times
) -> Iterator[Picture]:
    """Yield the median and slowest of each block against the target; gaps are hatched.

    Times are server times, as judged: without the round trip. Requests without a good answer
    have no time; they are a band at the top.
    """
    measured = {n: a for n, a in answers.items() if isinstance(a, ev.Distribution) and a.n}
    if not measured:
        return
    n = judged.figures.get("n")
    by = next((name for name, each in measured.items() if each.n + each.censored == n), "")
    source = by or next(iter(measured))
    found = measured[source]
    limit = judged.scale.limit if judged.scale else None
    trip = round_trip(found.merged(), found.round_trip_ms)
    spread = []
    for block in found.blocks:
        if block.counts:
            counts = {int(k): n for k, n in block.counts.items()}
            mid, high = (max(0.0, quantile(counts, q) - trip) for q in (0.5, 1.0))
            spread.append((block.start, block.start + block.seconds, mid, high))
    top = max([*(high for *_, high in spread), limit or 0.0]) * 1.12
    ends = ends_of(found, (at for a, b, *_ in spread for at in (a, b)))
    bad = f"no good answer: {count_of(found.censored, found.n + found.censored)}"
    plot = Plot(ends, (0, top * (1.2 if found.censored else 1.0)), 150)
    plot.bars(((a, b, high) for a, b, _, high in spread), "bd")
    for a, b, mid, _ in spread:
        plot.line([(a, mid), (b, mid)], "wk")
    for left, right in between([(a, b) for a, b, *_ in spread], ends):
        plot.gap(left, right)
    if found.censored:
        plot.band([(at, top * 1.06, top * 1.2) for at in ends], "lost")
        plot.text(500, 0, bad, "middle", dy=12)
    if limit is not None:
        plot.level(limit, f"target {format_number(limit)} {found.unit}", judged={"limit": limit})
        plot.beyond(above=limit)
    plot.ticks_x(hour_ticks(record, ends, times))
    plot.ticks_y((v, format_number(v)) for v in steps(0, top))
    title = f"Latency of {one_line(judged.subject or judged.id, 60)}, {found.unit}"
    if judged.outcome == Outcome.FAIL and judged.code != "slow":
        title += "; failed because of bad answers"
    says = (
        f"{_quantile_judged(judged, by, found.unit)}; drawn: {source}"
        + (f", less a round trip of {format_number(trip)} {found.unit}" if trip else "")
        + (f"; {bad}" if found.censored else "")
        + "; line: median; band: up to the slowest of each block"
    )
    yield Picture(title=title, says=says, svg=plot.svg(title, says), outcome=judged.outcome)


def _quantile_judged(judged: Judged, by: str, unit: str) -> str:
    """Return the quantile that was judged, the number of requests, and how many miss the target."""
    figures = judged.figures
    q, observed, n = figures.get("q"), figures.get("observed_ms"), figures.get("n")
    if q is None or n is None:
        return "not measured"
    value = "is not known" if observed is None else f"{format_number(observed)} {unit}"
    if observed is None and figures.get("no_good_answer"):
        value = "is among the bad answers,"
    over = figures.get("at_or_above", 0.0)
    past = f", {format_count(over)} not below the target" if over else ""
    return f"p{100 * q:g} {value} of {format_count(n)}{past}" + ("" if by else " (another source)")


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


def against_hour0(judged: Judged, answers: dict[str, ev.Evidence]) -> Iterator[Picture]:
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
