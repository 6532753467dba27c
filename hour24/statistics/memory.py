"""Whether a process leaks memory: low points between collections, their slope, its persistence.

Rules of this module:

- A garbage collector makes memory a sawtooth, so the low points are judged: the least value of each
  of twelve blocks. The first hour after each start is left out. Each run of a process has its own
  level; all share one slope. The part that follows the load is subtracted when the load is known.
- A slope is not yet a leak. It must continue through every third of the time on the envelope that
  memory never returns below again, and collections must have been seen. Warm-up, filling caches and
  the shape of a day fail this test.
- A slope that a warm-up explains equally well is not a leak: with log(time) as another term, the
  curve along which heaps and allocators settle, 40 % of the slope must remain.
- A leak per request follows requests: where the load is known and its running sum explains the low
  points better than the hours do, the running sum is used as the clock.
- A resident set does not shrink with the load, so its slope must hold with and without the load.
- Before 20 h a leak is called only when it is very steep or the limit is near; at 4 h no reliable
  verdict is possible.
- A leak that begins later is found from the break in the slope, and is called under the rule for
  less than 20 h: very steep, for 12 h.
- A leak that was called stays called until the process restarts or its late half is flat.
- A cache that fills for longer than the watch looks like a leak to any method. A step after hour 16
  stays undecided. Do not judge a JVM by its resident set.

Source: trend tests of Kendall's kind call 40 to 70 % of healthy 24-hour traces leaking, because
healthy traces have trends. Block minima: Ganek's GC floors. Envelope: measured on 16 generators
and 19 recorded runs of Node and OpenJDK.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WARM_UP_H = 1.0
"""Heaps and allocators settle in their first hour."""
LEAST_POINTS = 120
"""Two hours of minutes: fewer cannot contain both a warm-up and a slope."""
BLOCKS = 12
"""Two hours each in a day: long enough for a collection, and enough of them for a slope."""
LEAST_IN_BLOCK = 5
"""The minimum of fewer values is mostly noise."""
LEAST_LOW_POINTS = 4
"""Fewer leave too little scatter to judge a line by."""
LOAD_MINUTES = 30
"""Memory follows the load of the last half hour, not of the minute."""
MOST_CORRELATION = 0.7
"""Cap on the estimated autocorrelation: above it twelve points say nothing."""
LEAK_MB_H = 0.3
"""Smallest slope that is called a leak of a heap: 7 MB a day."""
LEAK_RSS_MB_H = 1.0
"""The same for a resident set, which creeps up through fragmentation."""
HARMLESS_MB_H = 1.0
"""A slope whose upper bound is below this passes: 24 MB a day."""
LEAST_GROWTH_MB = 4.0
"""Allocators keep back as much without any leak."""
LEAST_GROWTH_SIGMA = 1.5
"""Growth must exceed the scatter of the low points by this factor."""
WHOLE_H = 19.9
"""From here on the daily load curve no longer looks like a slope."""
EARLY_H = 11.9
"""Earliest time at which a very steep slope is called a leak."""
EARLY_SHARE_PER_H = 0.02
"""Very steep: 2 % of the level an hour, half as much again in a day."""
NEAR_LIMIT = 0.6
"""Above this share of the limit a heap is collected fully, so what remains is in use."""
NEAR_LIMIT_RSS = 0.85
"""The same for a resident set, which is not returned to the system below it."""
HIGH = 0.9
"""Above this share of the limit no slope is harmless."""
EXHAUSTED_WITHIN_H = 24.0
"""Near the limit a leak is called early when it would reach it within a day."""
LEAST_DROPS = 4
"""Fewer deep collections do not show where the low points are."""
GROWN_SHARE = 0.6
"""Growth by this share of the level counts as a leak even without collections."""
LASTING = 0.4
"""Share of the rate of the first third that must remain in the last: caches slow down more."""
LASTING_RSS = 0.6
"""The same for a resident set, which slows down later."""
LASTING_EARLY = 0.7
"""The same before :data:`WHOLE_H`, when warm-ups still run."""
ONSET_AFTER_H = 2.0
"""A break sooner after the start belongs to the warm-up."""
ONSET_LASTS_H = 5.4
"""How long a slope after a break must last: 6 h less the settle time of a checkpoint."""
ONSET_BLOCK_H = 0.5
"""Block length in the search for a break: locates the break to half an hour."""
CHECKPOINT_SPACING_H = 4.0
"""Hours between checkpoints: an earlier one may already have called the leak."""

Standing = Literal["leaks", "flat", "open"]


class Line(NamedTuple):
    """A fitted slope in MB/h with its 99 % lower and 95 % upper bound, and its standard error."""

    slope: float
    lower: float
    upper: float
    sigma: float
    error: float
    t_lower: float


class LowPoint(NamedTuple):
    """The lowest value of a block.

    Args:
        hour: when it was measured.
        value: MB.
        life: number of the process run it belongs to.
        load: mean load before it.
        served: the hour by requests served; by the clock where the load is not known.
    """

    hour: float
    value: float
    life: int
    load: float
    served: float


class Heap(NamedTuple):
    """The memory of one process over time.

    Args:
        t: hours, ascending.
        y: MB; NaN where nothing was measured.
        x: requests a second at the same hours; None: not known.
        starts: hours at which the process restarted.
        rss: whether it is the resident set.
        limit: MB at which it is killed.
    """

    t: Floats
    y: Floats
    x: Floats | None
    starts: Sequence[float]
    rss: bool
    limit: float | None

    def where(self, kept: Any) -> Heap:
        """Return the hours that a mask keeps."""
        load = None if self.x is None else self.x[kept]
        return self._replace(t=self.t[kept], y=self.y[kept], x=load)


class Trend(NamedTuple):
    """The trend of the low points.

    ``why`` is one word for an open standing: ``too_early`` (not enough hours), ``suspect`` (a
    trend that must continue to be called a leak), ``unsteady`` (growth that slows or is not
    steady), ``no_collection`` (too few collections), ``near_limit``, ``wide`` (the interval
    includes both).

    ``levelled_off``: the late half is flat, with ``late_slope`` and its 95 % bound ``late_upper``.
    ``onset_h``: the hour from which it rises; 0: from the beginning. ``steep``: more than 2 % of
    the level an hour, at 99 %. ``called_h``: the earlier hour at which a leak was called that
    has not ended since; 0: it is called now.
    """

    standing: Standing
    why: str
    hours: float
    slope: float = 0.0
    lower: float = 0.0
    upper: float = 0.0
    level: float = 0.0
    growth: float = 0.0
    visible: float = 0.0
    exhausted_h: float | None = None
    drops: int = 0
    low_points: tuple[LowPoint, ...] = ()
    origin_h: float = 0.0
    intercept: float = 0.0
    late_slope: float = 0.0
    late_upper: float = float("inf")
    levelled_off: bool = False
    onset_h: float = 0.0
    steep: bool = False
    called_h: float = 0.0


def trend(
    hours: Sequence[float],
    values: Sequence[float | None],
    *,
    load: Sequence[float | None] | None = None,
    starts: Sequence[float] = (),
    metric: str = "heap_used",
    limit: float | None = None,
) -> Trend:
    """Whether one process leaks, from the beginning or from a break in its slope.

    Args:
        hours: ascending, about one a minute.
        values: MB; ``None`` where nothing was measured.
        load: requests a second at the same hours.
        starts: hours at which the process restarted.
        metric: ``heap_used`` or ``rss``.
        limit: MB at which it is killed.
    """
    import numpy as np

    t = np.asarray(hours, dtype=float)
    y = np.asarray([np.nan if v is None else v for v in values], dtype=float)
    if len(t) == 0 or not np.isfinite(y).any():
        return Trend("open", "too_early", 0.0)
    x = _fill_gaps(load) if load is not None else None
    heap = Heap(t, y, x, starts, metric == "rss", limit)
    found = _with_onset(heap)
    if found.standing == "leaks" or found.levelled_off:
        return found
    return _still_called(found, heap)


def _still_called(found: Trend, heap: Heap) -> Trend:
    """The leak that an earlier checkpoint called, unless the process restarted since."""
    import numpy as np

    t = heap.t
    cut = float(t[-1]) - CHECKPOINT_SPACING_H
    while cut - t[0] >= EARLY_H and not any(cut < start <= t[-1] for start in heap.starts):
        known = heap.where(t <= cut)
        if np.isfinite(known.y).any():
            before = _with_onset(known)
            if before.standing == "leaks" and before.steep:
                return before._replace(called_h=float(cut - t[0]))
        cut -= CHECKPOINT_SPACING_H
    return found


def _with_onset(heap: Heap) -> Trend:
    """The trend of the whole time, or since a break in the slope if that is worse."""
    t = heap.t
    whole = _trend(heap)
    onset = None if whole.standing == "leaks" else _onset(t, heap.y)
    if onset is None:
        return whole
    # the time before the break is the warm-up of the time after it
    later = heap.where(t >= onset - WARM_UP_H)
    since = _trend(later._replace(starts=[start for start in heap.starts if start > onset]))
    if not since.steep or (since.standing != "leaks" and since.why != "suspect"):
        return whole
    standing: Standing = "leaks" if since.hours >= EARLY_H else "open"
    return since._replace(
        standing=standing,
        why="" if standing == "leaks" else "suspect",
        onset_h=float(onset - t[0]),
        levelled_off=False,
    )


def _onset(t: Floats, y: Floats) -> float | None:
    """The hour of the break that fits the low points best: level before it, a slope after it."""
    import numpy as np

    edges = np.arange(t[0] + WARM_UP_H, t[-1] + 1e-9, ONSET_BLOCK_H)
    at, low = [], []
    for begin, end in pairwise(edges):
        block = np.flatnonzero((t >= begin) & (t < end) & np.isfinite(y))
        if len(block) >= LEAST_IN_BLOCK:
            least = block[int(np.argmin(y[block]))]
            at.append(float(t[least]))
            low.append(float(y[least]))
    if not at:
        return None
    hour, value = np.array(at), np.array(low)
    best, found = float("inf"), None
    for onset in np.arange(hour[0] + ONSET_AFTER_H, hour[-1] - ONSET_LASTS_H, ONSET_BLOCK_H):
        columns = np.column_stack([np.ones(len(hour)), np.maximum(0.0, hour - onset)])
        rest = value - columns @ np.linalg.lstsq(columns, value, rcond=None)[0]
        if float(rest @ rest) < best:
            best, found = float(rest @ rest), float(onset)
    return found


def _trend(heap: Heap) -> Trend:
    """The trend over all of this time."""
    import numpy as np

    span = float(heap.t[-1] - heap.t[0])
    lives = _lives(heap.t, heap.y, heap.starts)
    low_points = _low_points(heap.t, heap.y, heap.x, lives) if lives else []
    if len(low_points) < LEAST_LOW_POINTS:
        return Trend("open", "too_early", span, low_points=tuple(low_points))
    longest = max(range(len(lives)), key=lambda i: int(lives[i].sum()))
    course = _course(heap, low_points, longest, span)
    drops = sum(_deep_drops(_present(heap.y[life])) for life in lives)
    grown = course.line.slope * (low_points[-1].hour - low_points[0].hour)
    level, few = _collections(_present(heap.y[lives[longest]]), drops, grown, heap.rss)
    if not few and not course.rises:
        course = _course_by_requests(heap, low_points, longest, span, course)
    line = course.line
    headroom = _headroom(heap, low_points[-1].value)
    exhausted = None
    if headroom.left is not None and line.lower > 0:
        exhausted = headroom.left / line.lower
    steep = line.lower > EARLY_SHARE_PER_H * level
    levelled_off = course.late_upper < HARMLESS_MB_H and line.slope > 0 and not course.persists
    standing: Standing = "open"
    why = ""
    if course.rises and not few:
        soon = headroom.near and exhausted is not None and exhausted < EXHAUSTED_WITHIN_H
        called = span >= WHOLE_H or (span >= EARLY_H and steep) or soon
        standing, why = ("leaks", "") if called else ("open", "suspect")
    elif not few and not headroom.high and (line.upper < HARMLESS_MB_H or levelled_off):
        standing = "flat"
    else:
        hour = np.array([f.hour for f in low_points])
        slows = not course.steady or _slope_after_warm_up(low_points, hour) < LASTING * line.slope
        why = _why(span, headroom.high, few, line.slope > 0 and slows)
    own = [f for f in low_points if f.life == longest]
    across = max(own[-1].hour - own[0].hour, 1e-9)
    return Trend(
        standing,
        why,
        span,
        slope=line.slope,
        lower=line.lower,
        upper=line.upper,
        level=level,
        growth=line.slope * (low_points[-1].hour - low_points[0].hour),
        visible=max(_leak(heap.rss) + line.t_lower * line.error, _least_growth(line) / across),
        exhausted_h=exhausted,
        drops=drops,
        low_points=tuple(low_points),
        origin_h=float(np.mean([f.hour for f in own])),
        intercept=float(np.mean([f.value for f in own])),
        late_slope=course.late_slope,
        late_upper=course.late_upper,
        levelled_off=standing == "flat" and levelled_off and line.upper >= HARMLESS_MB_H,
        steep=steep,
    )


def _leak(rss: bool) -> float:
    """The smallest slope that is called a leak, in MB/h."""
    return LEAK_RSS_MB_H if rss else LEAK_MB_H


class _Course(NamedTuple):
    """How the low points run.

    Args:
        line: the slope over all process runs.
        persists: the longest run grew in every third of its time.
        steady: the same, for a resident set also without the load's share subtracted.
        rises: the slope is a leak's, as far as the low points say.
        late_slope: of the late half of the longest run, with its upper bound ``late_upper``.
    """

    line: Line
    persists: bool
    steady: bool
    rises: bool
    late_slope: float
    late_upper: float


def _course(heap: Heap, low_points: Sequence[LowPoint], longest: int, span: float) -> _Course:
    """How they run by the hour."""
    import numpy as np

    hour = np.array([f.hour for f in low_points])
    line, adjusted = _fit(low_points, hour)
    persists, late = _persistence(low_points, hour, adjusted, longest, span, heap.rss)
    steady = persists
    if heap.rss:
        raw = np.array([f.value for f in low_points])
        steady = persists and _persistence(low_points, hour, raw, longest, span, heap.rss)[0]
    rises = steady and _rises(low_points, hour, line, _leak(heap.rss))
    return _Course(line, persists, steady, rises, *late)


def _course_by_requests(
    heap: Heap, low_points: Sequence[LowPoint], longest: int, span: float, by_hour: _Course
) -> _Course:
    """The course by requests served, if a heap rises with them and they explain it better."""
    import numpy as np

    if heap.rss or heap.x is None:
        return by_hour
    served = np.array([f.served for f in low_points])
    line, rest = _fit(low_points, served)
    if line.sigma >= by_hour.line.sigma or not _rises(low_points, served, line, LEAK_MB_H):
        return by_hour
    rises, _ = _persistence(low_points, served, rest, longest, span, rss=False)
    return by_hour._replace(line=line, rises=True) if rises else by_hour


class _Headroom(NamedTuple):
    """How far a process is from its limit.

    Args:
        left: MB between the highest value and the limit; None without a limit.
        near: the last low point is so near that collections no longer help.
        high: recent values are so near that no slope is harmless.
    """

    left: float | None
    near: bool
    high: bool


def _headroom(heap: Heap, last_low: float) -> _Headroom:
    import numpy as np

    if heap.limit is None:
        return _Headroom(None, near=False, high=False)
    recent = heap.y[-max(10, len(heap.y) // 8) :]
    high = bool(np.isfinite(recent).any()) and float(np.nanquantile(recent, 0.95)) > (
        HIGH * heap.limit
    )
    return _Headroom(
        left=heap.limit - float(np.nanmax(heap.y)),
        near=last_low > (NEAR_LIMIT_RSS if heap.rss else NEAR_LIMIT) * heap.limit,
        high=high,
    )


def _why(span: float, high: bool, few: bool, unsteady: bool) -> str:
    if high:
        return "near_limit"
    if span < WHOLE_H:
        return "too_early"
    if few:
        return "no_collection"
    return "unsteady" if unsteady else "wide"


def _lives(t: Floats, y: Floats, starts: Sequence[float]) -> list[Any]:
    """Masks of the points of each process run, without its first hour; short runs are left out."""
    edges = [float(t[0]), *sorted(s for s in starts if t[0] < s < t[-1]), float(t[-1]) + 1e-9]
    lives = []
    for begin, end in pairwise(edges):
        life = (t >= begin + WARM_UP_H) & (t < end)
        if int(life.sum()) >= LEAST_POINTS:
            lives.append(life)
    return lives


def _fill_gaps(load: Sequence[float | None]) -> Floats | None:
    """The load with gaps interpolated; None when it is not known at all."""
    import numpy as np

    x = np.asarray([np.nan if v is None else v for v in load], dtype=float)
    known = np.isfinite(x)
    if not known.any():
        return None
    where = np.arange(len(x))
    filled: Floats = np.interp(where, where[known], x[known])
    return filled


def _present(y: Floats) -> Floats:
    """The values with gaps filled by the previous value; used only to find steps."""
    import numpy as np

    known = np.isfinite(y)
    if known.all() or not known.any():
        return y
    last = np.maximum.accumulate(np.where(known, np.arange(len(y)), -1))
    filled: Floats = y[np.where(last < 0, int(np.argmax(known)), last)]
    return filled


def _deep_drops(y: Floats) -> int:
    """The number of large collections: drops of more than a third of the usual range."""
    import numpy as np

    n = len(y)
    if n < 8 or not np.isfinite(y).all():
        return 0
    edge = n // 4 + 1
    flat = y - np.linspace(np.median(y[:edge]), np.median(y[-edge:]), n)
    spread = float(np.subtract(*np.percentile(flat, [97, 3])))
    one = np.diff(y, prepend=y[0])
    two = np.concatenate([[0.0, 0.0], y[2:] - y[:-2]])
    found = np.flatnonzero(np.minimum(one, two) < -max(4.0, 0.35 * spread))
    if len(found) == 0:
        return 0
    # a drop that takes two samples is one collection
    return 1 + int((np.diff(found) > 2).sum())


def _low_points(t: Floats, y: Floats, x: Floats | None, lives: list[Any]) -> list[LowPoint]:
    """The lowest value of each block; twelve blocks, divided among the runs by their length."""
    import numpy as np

    total = sum(int(life.sum()) for life in lives)
    served = t
    if x is not None and float(x.mean()) > 0:
        served = np.cumsum(np.diff(t, prepend=t[0]) * x) / float(x.mean())
    low_points = []
    for number, life in enumerate(lives):
        ts, ys = t[life], y[life]
        xs = None if x is None else x[life]
        share = max(4, round(BLOCKS * len(ts) / total)) if len(lives) > 1 else BLOCKS
        for block in np.array_split(np.arange(len(ts)), share):
            if int(np.isfinite(ys[block]).sum()) < LEAST_IN_BLOCK:
                continue
            least = int(block[int(np.nanargmin(ys[block]))])
            around = 0.0
            if xs is not None:
                around = float(np.mean(xs[max(0, least - LOAD_MINUTES) : least + 1]))
            clock = float(served[life][least])
            low_points.append(LowPoint(float(ts[least]), float(ys[least]), number, around, clock))
    return low_points


def _fit(low_points: Sequence[LowPoint], t: Floats) -> tuple[Line, Floats]:
    """One slope over all runs without the load's share, and the low points without that share.

    Args:
        t: the time of each low point, in hours or in requests served.
    """
    import numpy as np

    y = np.array([f.value for f in low_points])
    x = np.array([f.load for f in low_points])
    levels = _levels(low_points)
    centred = t - t.mean()
    if _load_varies(x):
        both = np.column_stack([*levels, centred, x - x.mean()])
        share = float(np.linalg.lstsq(both, y, rcond=None)[0][-1])
        if share > 0:
            # memory for requests rises with the load, never against it
            fit = _line(t, y, np.column_stack([*levels, x - x.mean(), centred]))
            return fit, y - share * (x - x.mean())
    return _line(t, y, np.column_stack([*levels, centred])), y


def _levels(low_points: Sequence[LowPoint]) -> list[Floats]:
    """A column of ones and zeros for each run: its own level."""
    import numpy as np

    life = np.array([f.life for f in low_points])
    return [(life == number).astype(float) for number in np.unique(life)]


def _load_varies(x: Floats) -> bool:
    """True if the load varies enough around the low points to estimate its share."""
    import numpy as np

    return len(x) >= 8 and float(np.std(x)) > 0.03 * float(np.mean(x))


def _least_growth(line: Line) -> float:
    """The smallest growth that exceeds the scatter of the low points, in MB."""
    return max(LEAST_GROWTH_MB, LEAST_GROWTH_SIGMA * line.sigma)


def _rises(low_points: Sequence[LowPoint], t: Floats, line: Line, leak: float) -> bool:
    """True if the slope is steep enough for a leak, exceeds the scatter, and is not a warm-up."""
    growth = line.slope * float(t[-1] - t[0])
    return (
        line.lower > leak
        and growth > _least_growth(line)
        and _slope_after_warm_up(low_points, t) > max(leak, LASTING * line.slope)
    )


def _slope_after_warm_up(low_points: Sequence[LowPoint], t: Floats) -> float:
    """The slope that remains next to a term in log(hours since the run began)."""
    import numpy as np

    hour = np.array([f.hour for f in low_points])
    y = np.array([f.value for f in low_points])
    x = np.array([f.load for f in low_points])
    began = {f.life: f.hour for f in reversed(low_points)}
    since = hour - np.array([began[f.life] for f in low_points]) + WARM_UP_H
    columns = [*_levels(low_points), np.log(since), t - t.mean()]
    if _load_varies(x):
        columns.insert(0, x - x.mean())
    return float(np.linalg.lstsq(np.column_stack(columns), y, rcond=None)[0][-1])


def _line(t: Floats, y: Floats, columns: Floats) -> Line:
    """Least squares on ``columns`` (the last is time), errors widened by autocorrelation.

    The standard error grows by sqrt((1 + r) / (1 - r)), r the residuals' first
    autocorrelation, corrected for bias and at most 0.7; degrees of freedom shrink alike.
    """
    import numpy as np
    from scipy.special import stdtrit

    n, p = columns.shape
    fitted = np.linalg.lstsq(columns, y, rcond=None)[0]
    rest = y - columns @ fitted
    freedom = max(n - p, 1)
    variance = float(rest @ rest) / freedom
    r = float(rest[1:] @ rest[:-1]) / max(float(rest @ rest), 1e-12)
    r = min(max(r + (1 + 3 * r) / n, 0.0), MOST_CORRELATION)
    widening = (1 + r) / (1 - r)
    error = float(np.sqrt(variance * np.linalg.pinv(columns.T @ columns)[-1, -1] * widening))
    effective = max(2.5, (n - p) / widening)
    low, high = float(stdtrit(effective, 0.99)), float(stdtrit(effective, 0.95))
    slope = float(fitted[-1])
    return Line(slope, slope - low * error, slope + high * error, variance**0.5, error, low)


def _persistence(
    low_points: Sequence[LowPoint],
    t: Floats,
    adjusted: Floats,
    longest: int,
    span: float,
    rss: bool,
) -> tuple[bool, tuple[float, float]]:
    """Whether the longest run grew in every third; the slope and upper bound of its late half."""
    import numpy as np

    own = np.array([f.life == longest for f in low_points])
    t, y = t[own], adjusted[own]
    if len(t) < 2:
        return False, (0.0, float("inf"))
    envelope = np.minimum.accumulate(y[::-1])[::-1]
    edges = np.linspace(t[0], t[-1], 4)
    at_edges = np.interp(edges, t, envelope)
    rates = np.diff(at_edges) / np.maximum(np.diff(edges), 1e-9)
    mean = (at_edges[-1] - at_edges[0]) / max(edges[-1] - edges[0], 1e-9)
    lasting = LASTING_EARLY if span < WHOLE_H else (LASTING_RSS if rss else LASTING)
    persists = bool(mean > 0 and (rates >= 0.25 * mean).all() and rates[2] >= lasting * rates[0])
    half = t >= (t[0] + t[-1]) / 2
    late = (0.0, float("inf"))
    if int(half.sum()) >= 5:
        th = t[half]
        line = _line(th, y[half], np.column_stack([np.ones(len(th)), th - th.mean()]))
        late = (line.slope, line.upper)
    return persists, late


def _collections(y: Floats, drops: int, growth: float, rss: bool) -> tuple[float, bool]:
    """The level at the start, and whether there were too few collections to decide.

    A climb that returns less than half of itself is a heap before its first collection, unless
    it has grown by 60 % of its first level.
    """
    import numpy as np

    low_points = [float(np.nanmin(part)) for part in np.array_split(y, max(6, len(y) // 10))]
    level = min(low_points[:6])
    if rss:
        return level, False
    few = drops < LEAST_DROPS
    if growth > 0:
        given_back = sum(max(0.0, a - b) for a, b in pairwise(low_points))
        few = (few or given_back < 0.5 * growth) and growth < GROWN_SHARE * level
    return level, few
