"""Charts over a whole watch, from its records: each measured criterion against its limit.

Rules of this module:

- All charts share the x axis, hours after T0, and the height of the limit.
- A bar is as wide as the window of its checkpoint; its band is the confidence interval. An hour
  without a value is hatched, never zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from hour24 import evidence as ev
from hour24.criteria import health
from hour24.ledger.record import Judged, Record
from hour24.report import charts
from hour24.report.axes import Picture
from hour24.report.charts import Plot
from hour24.report.exhibits import read
from hour24.report.times import Times
from hour24.text import (
    count_of,
    format_count,
    format_duration,
    format_number,
    format_percent,
    one_line,
)
from hour24.verdict import Outcome, worst

if TYPE_CHECKING:
    from hour24.ledger.book import Ledger

MOST = 24
TOP = 1.6


def draw(ledger: Ledger, times: Times) -> tuple[list[Picture], list[str]]:
    """Return the charts of a watch, and the names of what stayed at 0 of its limit.

    Each criterion with a scale at two checkpoints or more has a chart, those that did not always
    pass first; then the health probes.
    """
    records = [r for hour in ledger.watch.hours if (r := ledger.latest(hour)) is not None]
    over: dict[tuple[str, str], list[tuple[Record, Judged]]] = {}
    for record in records:
        for judged in record.criteria:
            if judged.scale is not None and judged.scale.limit > 0:
                over.setdefault((judged.id, judged.subject), []).append((record, judged))
    changing, at_zero = [], []
    for (name, subject), points in over.items():
        if len(points) < 2:
            continue
        if all(_at_zero(judged) for _, judged in points):
            at_zero.append(f"{name} {one_line(subject, 60)}".strip())
        else:
            changing.append(_trend(ledger, name, subject, points))
    changing.sort(key=lambda picture: _WEIGHT.get(picture.outcome, 2))
    return [*changing[:MOST], *_health(ledger, records, times)], at_zero


_WEIGHT = {Outcome.FAIL: 0, Outcome.INCONCLUSIVE: 1}


def _at_zero(judged: Judged) -> bool:
    """Return True if neither the value nor its bounds use any of the limit."""
    assert judged.scale is not None
    low, high = charts.bounds(judged.scale)
    known = [v for v in (charts.share(judged.scale.observed, judged.scale), low, high) if v]
    return judged.outcome == Outcome.PASS and not known


def _trend(
    ledger: Ledger, name: str, subject: str, points: Sequence[tuple[Record, Judged]]
) -> Picture:
    hours = ledger.watch.hours
    plot = Plot((-1, hours[-1]), (0, TOP), 130)
    plot.beyond(above=1.0)
    values: list[float] = []
    failures: list[tuple[float, float | None]] = []
    outcomes = []
    for record, judged in points:
        assert judged.scale is not None
        start = (record.window.start - record.t0) / timedelta(hours=1)
        end = (record.window.end - record.t0) / timedelta(hours=1)
        observed = charts.share(judged.scale.observed, judged.scale)
        low, high = charts.bounds(judged.scale)
        known = [v for v in (observed, low, high) if v is not None]
        outcomes.append(judged.outcome)
        if not known:
            plot.gap(start, end)
            continue
        scale = judged.scale
        of = {"limit": scale.limit, "observed": scale.observed}
        of |= {"lower": scale.lower, "upper": scale.upper}
        drawn = {name: value for name, value in of.items() if value is not None}
        plot.band([(start, min(known), max(known)), (end, min(known), max(known))], judged=drawn)
        if observed is not None:
            plot.line([(start, observed), (end, observed)], "wk")
            if judged.scale.observed is not None:
                values.append(judged.scale.observed)
            if judged.outcome == Outcome.FAIL:
                failures.append(((start + end) / 2, min(observed, TOP * 0.97)))
    plot.crosses(failures)
    last = points[-1][1]
    assert last.scale is not None
    name_of_limit = one_line(last.limit, 40) or "limit"
    plot.level(1.0, name_of_limit, judged={"limit": last.scale.limit})
    plot.ticks_y((part, format_percent(part)) for part in (0.0, 0.5, 1.0))
    plot.ticks_x((h, "T0" if h == 0 else str(h)) for h in hours)
    title = f"{name} {one_line(subject, 60)}".strip()
    says = _first_and_last(values, last.scale.unit)
    if last.scale.better == "above" and last.scale.limit < 1:
        says += "; the chart shows what is missing"
    return Picture(title=title, says=says, svg=plot.svg(title, says), outcome=worst(outcomes))


def _first_and_last(values: Sequence[float], unit: str) -> str:
    """Return the values in the order of time: ``first 11.6, last 10.3 MB/h, highest 12.1``."""
    if not values:
        return "no value observed"
    suffix = "" if unit in ("", "1", "ratio") else f" {one_line(unit, 20)}"
    shown = [format_percent(v, 2) if unit == "ratio" else format_number(v) for v in values]
    if len(set(shown)) == 1:
        return f"{shown[0]}{suffix} throughout"
    text = f"first {shown[0]}, last {shown[-1]}{suffix}"
    highest = shown[values.index(max(values))]
    return text if highest in (shown[0], shown[-1]) else f"{text}, highest {highest}"


def probes_of(record: Record) -> ev.Probes | None:
    """Return the health probes in the window of this checkpoint, as stored in the record."""
    for judged in record.criteria:
        for plain in judged.evidence.values() if judged.id == health.ALWAYS.id else ():
            answer = read(plain)
            if isinstance(answer, ev.Probes):
                return answer
    return None


def _health(ledger: Ledger, records: Sequence[Record], times: Times) -> Iterator[Picture]:
    probed = [(r, p) for r in records if (p := probes_of(r)) is not None and p.due]
    if not probed:
        return
    t0 = ledger.watch.t0.timestamp()
    end = t0 + ledger.watch.hours[-1] * 3600
    plot = Plot((t0, end), (0, 1), 50, narrowest=300)
    plot.gap(t0, end)
    for record, probes in probed:
        window = probes.question.window or record.window
        at = window.start.timestamp()
        for left, right in sorted(probes.gaps):
            plot.bars([(at, left, 1.0)], "br")
            at = max(at, right)
        plot.bars([(at, window.end.timestamp(), 1.0)], "br")
        plot.crosses((failure.at, 0.5) for failure in probes.failures[:200])
    plot.ticks_x((t0 + h * 3600, "T0" if h == 0 else str(h)) for h in ledger.watch.hours)
    due, kept, bad = (sum(getattr(p, name) for _, p in probed) for name in ("due", "kept", "bad"))
    longest = max((b - a for _, p in probed for a, b in p.gaps), default=0.0)
    says = (
        f"{count_of(kept, due)} sent, "
        f"{format_count(bad) if bad else 'none'} failed; "
        f"longest gap {format_duration(longest) if longest else 'below one interval'}"
    )
    title = "Health probes; hatched: no data, or not yet due"
    yield Picture(title=title, says=says, svg=plot.svg(title, says, "strip"), wide=True)
