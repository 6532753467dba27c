"""Latency over time against its target."""

from __future__ import annotations

import math
from collections.abc import Iterator

from hour24 import evidence as ev
from hour24.histogram import quantile, round_trip
from hour24.ledger.record import Judged, Record
from hour24.report.axes import Picture, between, ends_of, hour_ticks
from hour24.report.charts import Plot, decades, steps
from hour24.report.times import Times
from hour24.text import count_of, format_count, format_number, one_line
from hour24.verdict import Outcome

FAR = 5.0
"""A target this many times the slowest answer presses a linear line on the floor."""


def draw(
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
    lowest = min((mid for *_, mid, _ in spread if mid > 0), default=0.0)
    far = limit is not None and lowest > 0 and limit > FAR * max(high for *_, high in spread)
    bottom = 10.0 ** math.floor(math.log10(lowest / 2)) if far else 0.0
    plot = Plot(ends, (bottom, top * (1.2 if found.censored else 1.0)), 150, log_y=far)
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
    marks = decades(bottom, top) if far else steps(0, top)
    plot.ticks_y((v, format_number(v)) for v in marks)
    title = f"Latency of {one_line(judged.subject or judged.id, 60)}, {found.unit}"
    if judged.outcome == Outcome.FAIL and judged.code != "slow":
        title += "; failed because of bad answers"
    says = (
        f"{_quantile_judged(judged, by, found.unit)}; drawn: {source}"
        + (f", less a round trip of {format_number(trip)} {found.unit}" if trip else "")
        + (f"; {bad}" if found.censored else "")
        + "; line: median; band: up to the slowest of each block"
        + ("; log scale" if far else "")
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
