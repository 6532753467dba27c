"""Charts as SVG text: a plot with axes, the margin of a verdict, a time strip.

Rules of this module:

- Text keeps its size and the plot takes the width: an outer SVG in px and per cent, an inner
  one stretched, strokes that do not scale. No chart needs a script or a font.
- Colours are CSS variables, so that dark mode and print need nothing here.
- Every chart has a title and a description with its figures.
- Missing data is hatched or empty, never zero; a gap in time is a gap in the line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from markupsafe import Markup, escape

from hour24.text import format_percent, one_line
from hour24.verdict import Outcome, Scale

SHARE_END = 1.6
"""Margins are drawn from 0 to this many times the limit."""
LETTER = 6.0
"""Width in px of a letter in a chart, an upper bound of the average."""
NOTHING: Mapping[str, float] = MappingProxyType({})
Point = tuple[float, float | None]
ALL = frozenset({"checkpoints", "measures"})
"""Units of scales whose limit is the total: none may be missing."""


def fig(value: float) -> str:
    """Return a coordinate with at most two decimals, never an exponent."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


class Plot:
    """One chart: draw in the units of the data, then call :meth:`svg`.

    Args:
        x, y: the ends of both axes, ``low < high``.
        height: in px.
        log_x, log_y: logarithmic axes; values at or below 0 are drawn at the low end.
        narrowest: width in px on the narrowest screen, for the labels.
    """

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        height: int = 150,
        *,
        log_x: bool = False,
        log_y: bool = False,
        narrowest: int = 220,
    ) -> None:
        self._x, self._y = _open(x), _open(y)
        self._height = height
        self._log = (log_x, log_y)
        self._narrowest = narrowest
        self._under: list[str] = []
        self._inner: list[str] = []
        self._text: list[str] = []

    def _at(self, value: float, ends: tuple[float, float], log: bool) -> float:
        low, high = ends
        if log:
            value = math.log(max(value, low))
            low, high = math.log(low), math.log(high)
        share = (value - low) / (high - low)
        return min(1.05, max(-0.05, share))

    def x(self, value: float) -> float:
        """Return ``value`` from 0 (left) to 1000 (right)."""
        return 1000 * self._at(value, self._x, self._log[0])

    def y(self, value: float) -> float:
        """Return ``value`` from 0 (top) to 1000 (bottom)."""
        return 1000 - 1000 * self._at(value, self._y, self._log[1])

    def line(
        self,
        points: Iterable[Point],
        kind: str = "ln",
        longest_step: float = 0,
        judged: Mapping[str, float] = NOTHING,
    ) -> None:
        """Draw joined points; a missing value, or a step above ``longest_step``, breaks the line.

        Args:
            judged: figures of the verdict that it is drawn from, by name.
        """
        parts: list[str] = []
        before: float | None = None
        for at, value in points:
            if value is None or not math.isfinite(value):
                before = None
                continue
            far = before is not None and 0 < longest_step < at - before
            command = "M" if before is None or far else "L"
            parts.append(f"{command}{fig(self.x(at))} {fig(self.y(value))}")
            if command == "M":
                parts.append("h0")
            before = at
        if parts:
            self._inner.append(f'<path class="{kind}"{_data(judged)} d="{"".join(parts)}"/>')

    def dots(self, points: Iterable[Point], kind: str = "dt") -> None:
        """Draw points that are not joined."""
        drawn = "".join(
            f"M{fig(self.x(at))} {fig(self.y(value))}h0"
            for at, value in points
            if value is not None and math.isfinite(value)
        )
        if drawn:
            self._inner.append(f'<path class="{kind}" d="{drawn}"/>')

    def crosses(self, points: Iterable[Point]) -> None:
        """Draw failures as crosses of constant size in px."""
        for at, value in points:
            if value is not None and math.isfinite(value):
                self._text.append(
                    f'<svg class="xx" x="{fig(self.x(at) / 10)}%" y="{fig(self.y(value) / 10)}%" '
                    'width="1" height="1"><path class="halo" d="M-4 -4 4 4M4 -4-4 4"/>'
                    '<path d="M-4 -4 4 4M4 -4-4 4"/></svg>'
                )

    def bars(self, spans: Iterable[tuple[float, float, float]], kind: str = "br") -> None:
        """Draw bars from the low end: ``(start, end, value)``."""
        bottom = fig(self.y(self._y[0]))
        drawn = "".join(
            f"M{fig(self.x(start))} {bottom}V{fig(self.y(value))}H{fig(self.x(end))}V{bottom}Z"
            for start, end, value in spans
            if math.isfinite(value) and value > self._y[0]
        )
        if drawn:
            self._inner.append(f'<path class="{kind}" d="{drawn}"/>')

    def band(
        self,
        edge: Sequence[tuple[float, float, float]],
        kind: str = "bd",
        judged: Mapping[str, float] = NOTHING,
    ) -> None:
        """Draw the area between two lines: ``(at, lower, upper)``.

        Args:
            judged: figures of the verdict that it is drawn from, by name.
        """
        if len(edge) < 2:
            return
        there = "L".join(f"{fig(self.x(at))} {fig(self.y(high))}" for at, _, high in edge)
        back = "L".join(f"{fig(self.x(at))} {fig(self.y(low))}" for at, low, _ in reversed(edge))
        self._inner.append(f'<path class="{kind}"{_data(judged)} d="M{there}L{back}Z"/>')

    def beyond(self, above: float | None = None, below: float | None = None) -> None:
        """Shade the area past a limit."""
        top = 0.0 if above is not None else self.y(below or 0)
        foot = self.y(above) if above is not None else 1000.0
        if foot > top:
            self._under.append(
                f'<rect class="bey" x="0" width="100%" y="{fig(top / 10)}%" '
                f'height="{fig((foot - top) / 10)}%"/>'
            )

    def gap(self, start: float, end: float, text: str = "") -> None:
        """Hatch a period without data."""
        left, right = max(0.0, self.x(start)), min(1000.0, self.x(end))
        if right <= left:
            return
        width = max(right - left, 2.0)
        self._under.append(
            f'<rect class="gap" x="{fig(left / 10)}%" width="{fig(width / 10)}%" '
            'y="0" height="100%"/>'
        )
        if text and width > 120:
            self.text((left + right) / 2, 950, text, "middle")

    def level(
        self,
        value: float,
        text: str = "",
        kind: str = "lim",
        above: bool = True,
        judged: Mapping[str, float] = NOTHING,
    ) -> None:
        """Draw a horizontal line with its name: a limit, or (``base``) the value of hour 0.

        Args:
            judged: figures of the verdict that it is drawn from, by name.
        """
        y = self.y(value)
        if not 0 <= y <= 1000:
            return
        self._inner.append(f'<path class="{kind}"{_data(judged)} d="M0 {fig(y)}H1000"/>')
        if text:
            shift = -5 if above and y > 90 else 14
            name = "t tb" if kind == "lim" else "t"
            self._text.append(
                f'<text class="{name}" x="3" y="{fig(y / 10)}%" dy="{shift}">'
                f"{escape(self._fitting(text))}</text>"
            )

    def mark(self, at: float, text: str = "", kind: str = "dep") -> None:
        """Draw a vertical line: a deploy, T0."""
        x = self.x(at)
        if 0 <= x <= 1000:
            self._inner.append(f'<path class="{kind}" d="M{fig(x)} 0V1000"/>')
            if text:
                self.text(x, 0, text, "end" if x > 700 else "start", dy=10)

    def text(self, x: float, y: float, text: str, anchor: str = "start", dy: int = 0) -> None:
        """Draw text at 0..1000."""
        self._text.append(
            f'<text class="t" x="{fig(x / 10)}%" y="{fig(y / 10)}%" dy="{dy}" '
            f'text-anchor="{anchor}">{escape(self._fitting(text))}</text>'
        )

    def _fitting(self, text: str) -> str:
        """Return ``text`` cut to the narrowest plot; the caption has the whole."""
        most = int(self._narrowest / LETTER)
        whole = one_line(text)
        return whole if len(whole) <= most else f"{whole[: most - 1]}…"

    def ticks_x(self, ticks: Iterable[tuple[float, str]]) -> None:
        """Draw labels below the plot, each centred on its value, ascending: ``(value, text)``.

        Of two that would overlap the first is kept; the last label of the axis is always kept.
        """
        kept: list[tuple[float, float, str]] = []
        for value, text in ticks:
            x = self.x(value)
            if not -1 <= x <= 1001:
                continue
            width = 1000 * (len(text) * LETTER + 4) / self._narrowest
            left = x - width / 2
            if x > 960:
                while kept and kept[-1][1] > left:
                    kept.pop()
            if not kept or kept[-1][1] <= left:
                kept.append((x, left + width, text))
        self._text.extend(
            f'<text class="t" x="{fig(x / 10)}%" y="100%" dy="17" '
            f'text-anchor="middle">{escape(text)}</text>'
            for x, _, text in kept
        )

    def ticks_y(self, ticks: Iterable[tuple[float, str]]) -> None:
        """Draw labels at the left: ``(value, text)``."""
        for value, text in ticks:
            y = self.y(value)
            if -1 <= y <= 1001:
                self._text.append(
                    f'<text class="t" x="-6" y="{fig(y / 10)}%" dy="4" text-anchor="end">'
                    f"{escape(text)}</text>"
                )

    def svg(self, title: str, says: str, kind: str = "") -> Markup:
        """Return the chart; a screen reader reads ``title`` and ``says``."""
        name, words = escape(one_line(title)), escape(one_line(says, 600))
        return _picture(
            f'<svg class="plot {kind}" role="img" aria-label="{name}: {words}" '
            f'style="height:{self._height}px"><title>{name}</title><desc>{words}</desc>'
            + "".join(self._under)
            + '<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" width="100%" height="100%">'
            + "".join(self._inner)
            + '<path class="ax" d="M0 1000H1000"/></svg>'
            + "".join(self._text)
            + "</svg>"
        )


def _data(judged: Mapping[str, float]) -> str:
    """Return the figures of a shape as attributes, so that it can be compared with the verdict."""
    return "".join(f' data-{name.replace("_", "-")}="{value!r}"' for name, value in judged.items())


def _picture(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704 - all words in it went through escape(), the rest is numbers


def _open(ends: tuple[float, float]) -> tuple[float, float]:
    low, high = ends
    return (low, high) if high > low else (low, low + 1.0)


def steps(low: float, high: float, most: int = 3, *, whole: bool = False) -> list[float]:
    """Return round values within ``low..high``, at least two and some ``most``, ascending.

    Args:
        whole: whole numbers only, for what is counted.
    """
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return []
    for finer in range(most, most + 6):
        found = _steps(low, high, finer)
        if whole:
            found = [value for value in found if value == int(value)]
        if len(found) > 1:
            return found
    return found


def decades(low: float, high: float) -> list[float]:
    """Return the powers of ten within ``low..high``, for a logarithmic axis."""
    if not 0 < low < high < math.inf:
        return []
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return [10.0**power for power in range(first, last + 1)]


def _steps(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [
        round(k * step, 12) for k in range(first, first + most + 2) if k * step <= high * 1.0001
    ]


# -- the margin of a verdict -------------------------------------------------------------------


def share(value: float | None, scale: Scale) -> float | None:
    """Return ``value`` as a share of its limit: 1 is the limit, more is over it; None: no scale.

    A factor counts from 1, which is no change: half of ×1.2 is ×1.1. For "at least" the share
    is what is missing: 92 % with a limit of 90 % uses 0.8 of what may be missing.
    """
    limit = scale.limit
    if value is None or not (math.isfinite(value) and math.isfinite(limit)):
        return None
    if scale.unit in ALL:
        return 0.0 if value >= limit else math.inf
    if scale.better == "above":
        if 0 < limit < 1 and value <= 1:
            return (1 - value) / (1 - limit)
        if limit <= 0:
            return None
        return limit / value if value > 0 else math.inf
    if limit <= 0:
        return 0.0 if value <= limit else math.inf
    if scale.origin < limit:
        return max(0.0, value - scale.origin) / (limit - scale.origin)
    return max(0.0, value) / limit


def bounds(scale: Scale) -> tuple[float | None, float | None]:
    """Return the lower and upper bound as shares, the smaller first."""
    low, high = share(scale.lower, scale), share(scale.upper, scale)
    if scale.better == "above":
        low, high = high, low
    return low, high


def deciding(scale: Scale, outcome: Outcome) -> float | None:
    """Return the deciding share: the bound towards the limit; without one, the observed value."""
    low, high = bounds(scale)
    observed = share(scale.observed, scale)
    if outcome == Outcome.FAIL:
        return low if low is not None and low > 1 else observed
    return high if high is not None else observed


def margin_text(scale: Scale | None, outcome: Outcome) -> str:
    """Return the margin as text: ``43 % left``, ``41 % over``, ``none observed``, ``not known``."""
    if outcome == Outcome.INCONCLUSIVE:
        return "not known"
    if scale is None or outcome == Outcome.NOT_APPLICABLE:
        return "–"
    at = deciding(scale, outcome)
    if at is None:
        return "–"
    if scale.unit in ALL:
        missing = round(scale.limit - (scale.observed or 0.0))
        return f"{missing} short" if missing > 0 else "none short"
    if scale.limit == 0 and scale.better == "below":
        return "none observed" if at == 0 else "over"
    if outcome == Outcome.FAIL:
        if math.isinf(at) or at > 10:
            return "far over"
        return f"{math.floor((at - 1) * 100 + 1e-9)} % over" if at >= 1.01 else "over"
    left = math.floor((1 - at) * 100 + 1e-9)
    return f"{left} % left" if left >= 0 else "–"


def margin(
    scale: Scale | None, outcome: Outcome, name: str, hour0: float | None = None
) -> Markup | None:
    """Return the margin on the scale that all criteria share; None if there is nothing to draw.

    FAIL is drawn from the lower bound, PASS to the upper, INCONCLUSIVE as a range; an arrow
    marks what is off the scale. ``hour0``: the share at hour 0.
    """
    if scale is None:
        return None
    observed = share(scale.observed, scale)
    low, high = bounds(scale)
    ends = [part for part in (observed, low, high) if part is not None]
    if not ends:
        return None
    drawn: list[str] = []
    if hour0 is not None:
        drawn.append(_stroke("mb", hour0, hour0, 5, 17))
    start, stop = _reach(outcome, observed, low, high, ends)
    if stop > start:
        drawn.append(_stroke("mw", start, stop, 11, 11))
        for end in {start, stop}:
            if end != observed and end < SHARE_END:
                drawn.append(_stroke("mw", end, end, 7, 15))
        if stop > SHARE_END:
            drawn.append(_glyph("mw", SHARE_END, "M-7 -4 0 0-7 4"))
    if outcome == Outcome.FAIL:
        at = observed if observed is not None else start
        drawn.append(
            _glyph("mf", min(at, SHARE_END - 0.03), "M-6.5 -6.5H6.5V6.5H-6.5Z")
            + _glyph("mfx", min(at, SHARE_END - 0.03), "M-3 -3 3 3M3 -3-3 3")
        )
    elif observed is not None:
        drawn.append(
            f'<circle class="md" cx="{_percent(observed)}" cy="11" r="3.6"/>'
            if observed <= SHARE_END
            else _glyph("mw", SHARE_END, "M-7 -4 0 0-7 4")
        )
    kind = {Outcome.FAIL: "fail", Outcome.INCONCLUSIVE: "inc"}.get(outcome, "pass")
    title = escape(one_line(f"{name}: {margin_text(scale, outcome)}", 120))
    return _picture(
        f'<svg class="mg mg-{kind}" role="img" width="100%" height="22"><title>{title}</title>'
        + "".join(drawn)
        + "</svg>"
    )


def _reach(
    outcome: Outcome,
    observed: float | None,
    low: float | None,
    high: float | None,
    ends: Sequence[float],
) -> tuple[float, float]:
    if outcome == Outcome.FAIL:
        start, stop = (
            (low if low is not None else min(ends)),
            (observed if observed is not None else 0),
        )
    elif outcome == Outcome.INCONCLUSIVE:
        start, stop = min(ends), max(ends)
    else:
        start, stop = (observed if observed is not None else min(ends)), max(ends)
    return start, stop


def _percent(at: float) -> str:
    return f"{fig(100 * min(max(at, 0.0), SHARE_END) / SHARE_END)}%"


def _stroke(kind: str, start: float, stop: float, top: float, foot: float) -> str:
    return (
        f'<line class="{kind}" x1="{_percent(start)}" x2="{_percent(stop)}" '
        f'y1="{fig(top)}" y2="{fig(foot)}"/>'
    )


def _glyph(kind: str, at: float, path: str) -> str:
    return (
        f'<svg x="{_percent(at)}" y="11" width="1" height="1" overflow="visible">'
        f'<path class="{kind}" d="{path}"/></svg>'
    )


SPARK_TOP = 6.0
"""Highest y of a mark, in px: a mark of 5 px each way stays inside its row."""


def spark(points: Sequence[tuple[float, float | None, Outcome]], name: str) -> Markup:
    """Return shares of the limit over the watch: ``(0..1 of the width, share or None, outcome)``.

    A value off the scale is drawn at its end; a failed one as an arrow up.
    """
    drawn: list[str] = [
        '<rect class="spb" x="0" width="100%" y="0" height="7"/>',
        '<line class="spl" x1="0" x2="100%" y1="7" y2="7"/>',
    ]
    last: tuple[str, str] | None = None
    for at, value, outcome in points:
        if value is None:
            last = None
            continue
        y = fig(max(SPARK_TOP, 24 - 17 * value))
        above = 24 - 17 * value < SPARK_TOP
        x = f"{fig(2 + 96 * at)}%"
        if last:
            drawn.append(f'<line class="spn" x1="{last[0]}" y1="{last[1]}" x2="{x}" y2="{y}"/>')
        failed = outcome == Outcome.FAIL
        drawn.append(
            f'<svg x="{x}" y="{y}" width="1" height="1" overflow="visible">'
            + (
                '<path class="mf" d="M-5 -5H5V5H-5Z"/><path class="mfx" d="M-2.4 -2.4 2.4 2.4'
                'M2.4 -2.4-2.4 2.4"/></svg>'
                if failed and not above
                else '<path class="mf" d="M-5 5 0 -5 5 5Z"/></svg>'
                if failed
                else '<circle class="spd" r="1.9"/></svg>'
            )
        )
        last = (x, y)
    shares = ", ".join("none" if v is None else format_percent(v) for _, v, _ in points)
    title = escape(one_line(f"{name}: share of its limit at each checkpoint: {shares}", 200))
    return _picture(
        f'<svg class="spk" role="img" width="100%" height="26"><title>{title}</title>'
        + "".join(drawn)
        + "</svg>"
    )
