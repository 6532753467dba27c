"""Whether a process leaks memory: low points between collections, their slope, its persistence.

Rules of this module:

- A garbage collector makes memory a sawtooth, so the low points are judged: the least value of each
  of twelve blocks. The first hour after each start is left out. Each run of a process has its own
  level; all share one slope. The part that follows the load is subtracted when the load is known.
- A slope is not yet a leak. It must continue through every third of the time on the envelope that
  memory never returns below again, and collections must have been seen. Warm-up, filling caches and
  the shape of a day fail this test.
- Nor is a slope that a warm-up explains as well: with log(time) as another term, the curve in which
  heaps and allocators settle, 40 % of the slope must remain.
- A leak per request follows requests: where the load is known and its running sum explains the low
  points better than the hours do, the running sum is used as the clock.
- A resident set does not shrink with the load, so its slope must hold with and without the load.
- Before 20 h a leak is called only when it is very steep or the limit is near; at 4 h no honest
  verdict exists.
- A leak that begins later is found from the break in the slope, and is called under the rule for
  less than 20 h: very steep, for 12 h.
- A leak that was called stays called until the process restarts or its late half is flat.
- A cache that fills for longer than the watch looks like a leak to any method. A step after hour 16
  stays undecided. Do not judge a JVM by its resident set.

Source: trend tests of Kendall's kind call 40 to 70 % of healthy 24-hour traces leaking, because
healthy traces have trends. Block minima: Ganek's GC floors. Envelope: measured on 16 generators and
19 recorded runs of Node and OpenJDK.
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
"""Two hours of minutes: less cannot hold a warm-up and a slope."""
BLOCKS = 12
"""Two hours each in a day: long enough to hold a collection, enough of them for a slope."""
LEAST_IN_BLOCK = 5
"""A minimum of fewer values is chance."""
LOAD_MINUTES = 30
"""Memory follows the load of the last half hour, not of the minute."""
MOST_CORRELATION = 0.7
"""Cap on the estimated autocorrelation: above it twelve points say nothing."""
LEAK_MB_H = 0.3
"""Smallest slope that is called a leak of a heap: 7 MB a day."""
LEAK_RSS_MB_H = 1.0
"""The same of a resident set, which creeps by fragmentation."""
HARMLESS_MB_H = 1.0
"""A slope that is certainly below this passes: 24 MB a day."""
LEAST_GROWTH_MB = 4.0
"""A smaller growth is within what allocators hold back."""
LEAST_GROWTH_SIGMA = 1.5
"""Growth must exceed the scatter of the low points by this factor."""
WHOLE_H = 19.9
"""From here on a day's shape no longer looks like a slope."""
EARLY_H = 11.9
"""Earliest time at which a very steep slope is called a leak."""
EARLY_SHARE_PER_H = 0.02
"""Very steep: 2 % of the level an hour, half as much again in a day."""
NEAR_LIMIT = 0.6
"""Above this share of the limit a heap is collected hard, and what is left is really held."""
NEAR_LIMIT_RSS = 0.85
"""The same of a resident set, which is not given back below it."""
HIGH = 0.9
"""Above this share of the limit no slope is harmless."""
EXHAUSTED_WITHIN_H = 24.0
"""Near the limit a leak is called early when it would reach it within a day."""
LEAST_DROPS = 4
"""Fewer deep collections do not show where the low points are."""
GROWN_SHARE = 0.6
"""Growth by this share of the level is a leak even without collections."""
LASTING = 0.4
"""Share of the rate of the first third that must remain in the last: caches slow down more."""
LASTING_RSS = 0.6
"""The same of a resident set, which slows down later."""
LASTING_EARLY = 0.7
"""The same before :data:`WHOLE_H`, when warm-ups still run."""
ONSET_AFTER_H = 2.0
"""A break this soon after the start is the warm-up's."""
ONSET_LASTS_H = 5.4
"""A slope after a break must last so long, the settle time of a checkpoint allowed for."""
ONSET_BLOCK_H = 0.5
"""Blocks of the search for a break: short, so that the break is found to half an hour."""
LOOKED_EVERY_H = 4.0
"""Hours between checkpoints, at which an alarm may have been given before."""

Standing = Literal["leaks", "flat", "open"]


class Line(NamedTuple):
    """A fitted slope in MB/h with its 99 % lower and 95 % upper bound, and its standard error."""

    slope: float
    lower: float
    upper: float
    sigma: float
    error: float
    t_lower: float


class Floor(NamedTuple):
    """The least value of a block: hour, MB, which life, the load around it, and the hour by the
    requests served until then (by the clock, where the load is not known)."""

    hour: float
    value: float
    life: int
    load: float
    served: float


class Trend(NamedTuple):
    """What the floors say.

    ``why`` is one word for an open standing: ``too_early`` (not enough hours), ``suspect`` (a
    trend that must go on to be called a leak), ``unsteady`` (growth that slows or is not
    steady), ``no_collection`` (too few collections seen), ``near_limit``, ``wide`` (the
    interval holds both).

    ``levelled_off``: the late half is flat, with ``late_slope`` and its 95 % bound ``late_upper``.
    ``onset_h``: the hour from which it rises; 0: from the beginning. ``steep``: more than 2 % of
    the level an hour, at 99 %. ``called_h``: the earlier hour at which a leak was called that
    nothing has ended since; 0: it is called now.
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
    floors: tuple[Floor, ...] = ()
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
        starts: hours at which the process was started anew.
        metric: ``heap_used`` or ``rss``.
        limit: MB at which it is killed.
    """
    import numpy as np

    t = np.asarray(hours, dtype=float)
    y = np.asarray([np.nan if v is None else v for v in values], dtype=float)
    if len(t) == 0 or not np.isfinite(y).any():
        return Trend("open", "too_early", 0.0)
    x = _filled(load) if load is not None else None
    rss = metric == "rss"
    found = _with_onset(t, y, x, starts, rss, limit)
    if found.standing == "leaks" or found.levelled_off:
        return found
    return _still_called(found, t, y, x, starts, rss, limit)


def _still_called(
    found: Trend,
    t: Floats,
    y: Floats,
    x: Floats | None,
    starts: Sequence[float],
    rss: bool,
    limit: float | None,
) -> Trend:
    """The leak that an earlier checkpoint called, unless the process restarted since."""
    import numpy as np

    cut = float(t[-1]) - LOOKED_EVERY_H
    while cut - t[0] >= EARLY_H and not any(cut < start <= t[-1] for start in starts):
        known = t <= cut
        if np.isfinite(y[known]).any():
            load = None if x is None else x[known]
            before = _with_onset(t[known], y[known], load, starts, rss, limit)
            if before.standing == "leaks" and before.steep:
                return before._replace(called_h=float(cut - t[0]))
        cut -= LOOKED_EVERY_H
    return found


def _with_onset(
    t: Floats,
    y: Floats,
    x: Floats | None,
    starts: Sequence[float],
    rss: bool,
    limit: float | None,
) -> Trend:
    """The trend of the whole time, or of the time since a break in the slope if that is worse."""
    whole = _trend(t, y, x, starts, rss, limit)
    onset = None if whole.standing == "leaks" else _onset(t, y)
    if onset is None:
        return whole
    # what came before the break counts as the warm-up of what comes after it
    later = t >= onset - WARM_UP_H
    since = _trend(
        t[later],
        y[later],
        None if x is None else x[later],
        [start for start in starts if start > onset],
        rss,
        limit,
    )
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


def _trend(
    t: Floats,
    y: Floats,
    x: Floats | None,
    starts: Sequence[float],
    rss: bool,
    limit: float | None,
) -> Trend:
    """The trend over all of this time."""
    import numpy as np

    span = float(t[-1] - t[0])
    lives = _lives(t, y, starts)
    if not lives:
        return Trend("open", "too_early", span)
    drops = sum(_deep_drops(_present(y[life])) for life in lives)
    floors = _floors(t, y, x, lives)
    if len(floors) < 4:
        return Trend("open", "too_early", span, floors=tuple(floors))
    hour = np.array([f.hour for f in floors])
    line, adjusted = _fit(floors, hour)
    longest = max(range(len(lives)), key=lambda i: int(lives[i].sum()))
    persists, late = _persistence(floors, hour, adjusted, longest, span, rss)
    late_slope, late_upper = late
    own = [f for f in floors if f.life == longest]
    growth = line.slope * (floors[-1].hour - floors[0].hour)
    level, few = _collections(_present(y[lives[longest]]), drops, growth, rss)
    head = None if limit is None else limit - float(np.nanmax(y))
    near = limit is not None and floors[-1].value > (NEAR_LIMIT_RSS if rss else NEAR_LIMIT) * limit
    recent = y[-max(10, len(y) // 8) :]
    high = (
        limit is not None
        and bool(np.isfinite(recent).any())
        and float(np.nanquantile(recent, 0.95)) > HIGH * limit
    )
    leak = LEAK_RSS_MB_H if rss else LEAK_MB_H
    steady = persists
    if rss:
        raw = np.array([f.value for f in floors])
        steady = persists and _persistence(floors, hour, raw, longest, span, rss)[0]
    rises = not few and steady and _rises(floors, hour, line, leak)
    if not rss and not few and not rises and x is not None:
        served = np.array([f.served for f in floors])
        by_requests, rest = _fit(floors, served)
        if by_requests.sigma < line.sigma and _rises(floors, served, by_requests, leak):
            rises, _ = _persistence(floors, served, rest, longest, span, rss)
            line = by_requests if rises else line
    growth = line.slope * (floors[-1].hour - floors[0].hour)
    exhausted = head / line.lower if head is not None and line.lower > 0 else None
    levelled_off = late_upper < HARMLESS_MB_H and line.slope > 0 and not persists
    steep = line.lower > EARLY_SHARE_PER_H * level
    standing: Standing = "open"
    why = ""
    if rises:
        called = (
            span >= WHOLE_H
            or (span >= EARLY_H and steep)
            or (near and exhausted is not None and exhausted < EXHAUSTED_WITHIN_H)
        )
        standing, why = ("leaks", "") if called else ("open", "suspect")
    elif not few and not high and (line.upper < HARMLESS_MB_H or levelled_off):
        standing = "flat"
    else:
        slows = not steady or _beside_warm_up(floors, hour) < LASTING * line.slope
        why = _why(span, high, few, line.slope > 0 and slows)
    across = max(own[-1].hour - own[0].hour, 1e-9)
    return Trend(
        standing,
        why,
        span,
        slope=line.slope,
        lower=line.lower,
        upper=line.upper,
        level=level,
        growth=growth,
        visible=max(leak + line.t_lower * line.error, _least_growth(line) / across),
        exhausted_h=exhausted,
        drops=drops,
        floors=tuple(floors),
        origin_h=float(np.mean([f.hour for f in own])),
        intercept=float(np.mean([f.value for f in own])),
        late_slope=late_slope,
        late_upper=late_upper,
        levelled_off=standing == "flat" and levelled_off and line.upper >= HARMLESS_MB_H,
        steep=steep,
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
    """Which points belong to each life, its first hour left out; short ones left out whole."""
    edges = [float(t[0]), *sorted(s for s in starts if t[0] < s < t[-1]), float(t[-1]) + 1e-9]
    lives = []
    for begin, end in pairwise(edges):
        life = (t >= begin + WARM_UP_H) & (t < end)
        if int(life.sum()) >= LEAST_POINTS:
            lives.append(life)
    return lives


def _filled(load: Sequence[float | None]) -> Floats | None:
    """The load with holes filled from their neighbours; none when it is not known at all."""
    import numpy as np

    x = np.asarray([np.nan if v is None else v for v in load], dtype=float)
    known = np.isfinite(x)
    if not known.any():
        return None
    where = np.arange(len(x))
    filled: Floats = np.interp(where, where[known], x[known])
    return filled


def _present(y: Floats) -> Floats:
    """The values with holes filled by the last one before, for looking at steps only."""
    import numpy as np

    known = np.isfinite(y)
    if known.all() or not known.any():
        return y
    last = np.maximum.accumulate(np.where(known, np.arange(len(y)), -1))
    filled: Floats = y[np.where(last < 0, int(np.argmax(known)), last)]
    return filled


def _deep_drops(y: Floats) -> int:
    """How many large collections there were: drops of more than a third of the usual range."""
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


def _floors(t: Floats, y: Floats, x: Floats | None, lives: list[Any]) -> list[Floor]:
    """The least value of each block; twelve blocks, shared among the lives by their length."""
    import numpy as np

    total = sum(int(life.sum()) for life in lives)
    served = t
    if x is not None and float(x.mean()) > 0:
        served = np.cumsum(np.diff(t, prepend=t[0]) * x) / float(x.mean())
    floors = []
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
            floors.append(Floor(float(ts[least]), float(ys[least]), number, around, clock))
    return floors


def _fit(floors: Sequence[Floor], t: Floats) -> tuple[Line, Floats]:
    """One slope over all lives, the load's share taken off; and the floors without that share.

    Args:
        t: when each floor was, by the hour or by the requests served.
    """
    import numpy as np

    y = np.array([f.value for f in floors])
    x = np.array([f.load for f in floors])
    levels = _levels(floors)
    centred = t - t.mean()
    if _load_varies(x):
        both = np.column_stack([*levels, centred, x - x.mean()])
        share = float(np.linalg.lstsq(both, y, rcond=None)[0][-1])
        if share > 0:
            # memory held for requests goes with the load, never against it
            fit = _line(t, y, np.column_stack([*levels, x - x.mean(), centred]))
            return fit, y - share * (x - x.mean())
    return _line(t, y, np.column_stack([*levels, centred])), y


def _levels(floors: Sequence[Floor]) -> list[Floats]:
    """A column of ones and zeros for each life: its own level."""
    import numpy as np

    life = np.array([f.life for f in floors])
    return [(life == number).astype(float) for number in np.unique(life)]


def _load_varies(x: Floats) -> bool:
    """Whether the load around the floors can tell its share."""
    import numpy as np

    return len(x) >= 8 and float(np.std(x)) > 0.03 * float(np.mean(x))


def _least_growth(line: Line) -> float:
    """The least growth that is more than the floors' own scatter, in MB."""
    return max(LEAST_GROWTH_MB, LEAST_GROWTH_SIGMA * line.sigma)


def _rises(floors: Sequence[Floor], t: Floats, line: Line, leak: float) -> bool:
    """Whether the slope is a leak's, large beside the scatter, and no warm-up's."""
    growth = line.slope * float(t[-1] - t[0])
    return (
        line.lower > leak
        and growth > _least_growth(line)
        and _beside_warm_up(floors, t) > max(leak, LASTING * line.slope)
    )


def _beside_warm_up(floors: Sequence[Floor], t: Floats) -> float:
    """The slope that is left when each floor may also go with log(hours since its life began)."""
    import numpy as np

    hour = np.array([f.hour for f in floors])
    y = np.array([f.value for f in floors])
    x = np.array([f.load for f in floors])
    began = {f.life: f.hour for f in reversed(floors)}
    since = hour - np.array([began[f.life] for f in floors]) + WARM_UP_H
    columns = [*_levels(floors), np.log(since), t - t.mean()]
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
    floors: Sequence[Floor], t: Floats, adjusted: Floats, longest: int, span: float, rss: bool
) -> tuple[bool, tuple[float, float]]:
    """Whether the longest run grew in every third; and the late half's slope and upper bound."""
    import numpy as np

    own = np.array([f.life == longest for f in floors])
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
    """The level at the start, and whether too few collections were seen to tell.

    A climb that gives back less than half of itself is a heap before its first collection,
    unless it has grown by 60 % of where it began.
    """
    import numpy as np

    floors = [float(np.nanmin(part)) for part in np.array_split(y, max(6, len(y) // 10))]
    level = min(floors[:6])
    if rss:
        return level, False
    few = drops < LEAST_DROPS
    if growth > 0:
        given_back = sum(max(0.0, a - b) for a, b in pairwise(floors))
        few = (few or given_back < 0.5 * growth) and growth < GROWN_SHARE * level
    return level, few
