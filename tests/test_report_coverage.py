"""Coverage: planned samples that were received."""

from __future__ import annotations

from datetime import timedelta

from hour24 import evidence as ev
from hour24.report import coverage
from hour24.watch import Window
from tests.pages.sample import T0, epoch, question

HOURS4 = Window(T0, T0 + timedelta(hours=4))


def series(*values: list[float | None], window: Window = HOURS4, step: float = 60.0) -> ev.Series:
    start = epoch(window.start)
    lines = tuple(
        ev.Line(
            labels={"instance": str(n)},
            times=tuple(start + step * k for k in range(len(one))),
            values=tuple(one),
        )
        for n, one in enumerate(values)
    )
    asked = question("render", "GET https://render.example/v1/memory", window, window.end)
    return ev.Series(question=asked, unit="MB", lines=lines)


def measured(*answers: tuple[str, ev.Evidence]) -> list[tuple[str, int, int, str]]:
    found = coverage.measure(answers, HOURS4.seconds)
    return [(one.what, one.got, one.planned, one.longest_gap) for one in found]


def test_two_instances_are_one_measure() -> None:
    """A minute counts if one of them has a sample."""
    whole: list[float | None] = [200.0] * 240
    assert measured(("memory", series(whole, whole))) == [("memory, Render", 240, 240, "none")]


def test_a_series_that_stops_early_has_missing_samples() -> None:
    """Values that are not there at the end of the window count like missing ones."""
    half: list[float | None] = [200.0] * 120
    assert measured(("memory", series(half))) == [("memory, Render", 120, 240, "2 h")]


def test_a_missing_value_is_a_gap_with_its_length() -> None:
    """Ten minutes without a value are ten minutes."""
    gapped: list[float | None] = [None if 30 <= k < 40 else 1.0 for k in range(240)]
    assert measured(("load", series(gapped))) == [
        ("requests, for the load, Render", 230, 240, "10 min")
    ]


def test_another_window_is_named() -> None:
    """The day before the watch is not of this window."""
    day: list[float | None] = [6.0] * 24
    ((what, got, planned, _),) = measured(("day_before", series(day, step=600.0)))
    assert what == "errors of the day before the watch, Render"
    assert (got, planned) == (24, 24)


def test_beats_are_not_planned() -> None:
    """A line of timestamps without values is not a series with missing samples."""
    start = epoch(T0)
    times = tuple(start + 30.0 * k + (k * 7 % 5) for k in range(480))
    line = ev.Line(labels={"worker": "dialer"}, times=times, values=(None,) * 480)
    asked = question("render", "GET https://render.example/v1/logs", HOURS4, HOURS4.end)
    assert measured(("beats", ev.Series(question=asked, unit="s", lines=(line,)))) == []


def test_one_thing_over_two_windows_is_one_line_over_the_longer() -> None:
    """And a window that is not the usual one is named."""
    day = Window(T0 - timedelta(hours=20), T0 + timedelta(hours=4))
    long: list[float | None] = [1.0] * 1440
    short: list[float | None] = [1.0] * 240
    answers = ("memory", series(long, window=day)), ("memory", series(short))
    assert measured(*answers) == [("memory, Render, over 24 h", 1440, 1440, "none")]
