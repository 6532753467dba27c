"""Margins and plots as SVG."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from hour24.report import charts
from hour24.report.charts import Plot
from hour24.verdict import Outcome, Scale
from tests.pages.sample import HOSTILE


@pytest.mark.parametrize(
    ("scale", "outcome", "text"),
    [
        (Scale(unit="ratio", limit=0.01, observed=0.002, upper=0.0057), Outcome.PASS, "43 % left"),
        (Scale(unit="ms", limit=1000, observed=1595, lower=1413), Outcome.FAIL, "41 % over"),
        (Scale(unit="events", limit=0, observed=0), Outcome.PASS, "none observed"),
        (Scale(unit="events", limit=0, observed=3), Outcome.FAIL, "over"),
        (Scale(unit="ratio", limit=0.9, observed=0.95, better="above"), Outcome.PASS, "50 % left"),
        (Scale(unit="days", limit=7, observed=70, better="above"), Outcome.PASS, "90 % left"),
        (Scale(unit="ms", limit=10, observed=5), Outcome.INCONCLUSIVE, "not known"),
        (None, Outcome.PASS, "–"),
    ],
)
def test_the_margin_says_what_the_bound_leaves(
    scale: Scale | None, outcome: Outcome, text: str
) -> None:
    """The bound on the limit's side decides what is left, not what was observed."""
    assert charts.margin_text(scale, outcome) == text


def test_the_margin_is_drawn_at_its_share_of_the_limit() -> None:
    """Half of the limit is drawn at half of 62.5 %, where the limit is."""
    drawn = charts.margin(Scale(unit="ms", limit=100, observed=50), Outcome.PASS, "X")
    assert drawn is not None
    assert 'cx="31.25%"' in drawn


def test_an_open_range_past_the_scale_ends_in_an_arrow() -> None:
    """INCONCLUSIVE is a range; where it leaves the scale it says so."""
    scale = Scale(unit="ms", limit=100, lower=50, upper=900)
    drawn = charts.margin(scale, Outcome.INCONCLUSIVE, "X")
    assert drawn is not None
    assert "M-7 -4 0 0-7 4" in drawn
    assert "mg-inc" in drawn


def test_a_gap_in_time_is_a_gap_in_the_line() -> None:
    """A missing value breaks the line; nothing is drawn across it, not even a zero."""
    plot = Plot((0, 4), (0, 10))
    plot.line([(0, 5), (1, 5), (2, None), (3, 5), (4, 5)])
    path = plot.svg("t", "d").split('class="ln" d="')[1].split('"')[0]
    assert path.count("M") == 2
    assert "1000 1000" not in path


def test_a_long_step_parts_the_line_too() -> None:
    """Values far apart in time are not joined when their source had a usual step."""
    plot = Plot((0, 100), (0, 10))
    plot.line([(0, 5), (1, 5), (90, 5)], longest_step=3)
    assert plot.svg("t", "d").split('class="ln" d="')[1].split('"')[0].count("M") == 2


def test_hostile_words_in_a_chart_stay_words() -> None:
    """A title from outside cannot open an element or an attribute; the picture stays XML."""
    plot = Plot((0, 1), (0, 1))
    plot.level(0.5, HOSTILE)
    plot.mark(0.5, HOSTILE)
    plot.gap(0.1, 0.9, HOSTILE)
    svg = plot.svg(HOSTILE, HOSTILE)
    tree = ElementTree.fromstring(svg)
    assert {e.tag for e in tree.iter()} <= {"svg", "title", "desc", "path", "rect", "text", "line"}
    assert "<script" not in svg
    scale = Scale(unit="x", limit=1, observed=0.5)
    ElementTree.fromstring(charts.margin(scale, Outcome.FAIL, HOSTILE) or "")
    ElementTree.fromstring(charts.spark([(0, 0.5, Outcome.PASS), (1, 2, Outcome.FAIL)], HOSTILE))


@pytest.mark.parametrize("ends", [(0.0, 0.0), (5.0, 5.0), (-1.0, -1.0)])
def test_an_axis_without_length_is_drawn_all_the_same(ends: tuple[float, float]) -> None:
    """One value, or all equal, divides by nothing."""
    plot = Plot(ends, ends)
    plot.line([(ends[0], ends[0]), (ends[0], float("nan"))])
    assert "nan" not in plot.svg("t", "d")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 100, [0, 50, 100]), (0, 1, [0, 0.5, 1]), (3, 3, []), (0, float("nan"), [])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    """Axes are labelled with round values within their ends."""
    assert charts.steps(low, high) == expected


@pytest.mark.parametrize(
    ("observed", "outcome", "text", "share"),
    [(7, Outcome.PASS, "none short", 0.0), (5, Outcome.FAIL, "2 short", math.inf)],
)
def test_all_of_a_number_is_not_a_margin(
    observed: float, outcome: Outcome, text: str, share: float
) -> None:
    """Seven of seven checkpoints are not at the edge of their limit: none is missing."""
    scale = Scale(unit="checkpoints", limit=7, observed=observed, better="above")
    assert charts.margin_text(scale, outcome) == text
    assert charts.share(scale.observed, scale) == share


@pytest.mark.parametrize(("low", "high"), [(151, 249), (0.9, 1.4), (18, 23)])
def test_an_axis_has_two_words_at_least(low: float, high: float) -> None:
    """One round value alone shows no height."""
    assert len(charts.steps(low, high)) > 1


def test_words_below_a_narrow_chart_do_not_touch() -> None:
    """Of two that would, the last one of the axis stays."""
    plot = Plot((-1, 24), (0, 1))
    plot.ticks_x((h, "T0" if h == 0 else f"{h} h") for h in (0, 4, 8, 12, 16, 20, 22, 24))
    words = re.findall(r">([^<]+)</text>", plot.svg("t", "d"))
    assert words == ["T0", "4 h", "8 h", "12 h", "16 h", "20 h", "24 h"]


def test_a_label_below_a_chart_is_centred_on_its_value() -> None:
    """At both ends too, so that equal steps look equal."""
    plot = Plot((0, 24), (0, 1))
    plot.ticks_x((h, str(h)) for h in (0, 12, 24))
    drawn = re.findall(r'x="([^"]+)" y="100%" dy="17" text-anchor="(\w+)"', plot.svg("t", "d"))
    assert drawn == [("0%", "middle"), ("50%", "middle"), ("100%", "middle")]


def test_a_name_inside_a_chart_fits_the_narrowest_one() -> None:
    """A limit of a hundred letters would run out of the picture."""
    plot = Plot((0, 1), (0, 1))
    plot.level(0.5, "below " + "x" * 100)
    words = re.findall(r">([^<]+)</text>", plot.svg("t", "d"))
    assert len(words[0]) * charts.LETTER <= 220
    assert words[0].startswith("below xxx")
    assert words[0].endswith("…")


def test_an_axis_of_counts_has_whole_numbers() -> None:
    """Two and a half events do not exist."""
    assert charts.steps(0, 7, whole=True) == [0.0, 5.0]
    assert 2.5 in charts.steps(0, 7)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 1.2, 3.0, 1e9])
@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.FAIL])
def test_a_mark_stays_in_its_own_row(share: float, outcome: Outcome) -> None:
    """A value far beyond the limit is an arrow at the top, not a mark in the row above."""
    drawn = charts.spark([(0, 0.1, Outcome.PASS), (1, share, outcome)], "MEMORY-STABLE")
    heights = [float(y) for y in re.findall(r'<svg x="[^"]+" y="([^"]+)"', drawn)]
    assert all(5 <= y <= 26 for y in heights)
    assert f"{share:.0%}".replace("%", "") in drawn or share > 1e6  # a long number is grouped
