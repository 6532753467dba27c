"""Memory, judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from hour24.evidence import Line, Question, Series
from hour24.objectives.base import from_plain
from hour24.objectives.memory import HeadroomKept, NoLeak
from hour24.verdict import Outcome
from hour24.watch import Window
from tests.evidence_of import AT, listing, unanswered
from tests.memory_of import heap, leak

START = AT.timestamp()


def series(
    lines: dict[str, Sequence[float | None]],
    hours: float = 24.0,
    unit: str = "MB",
    first_min: int = 0,
) -> Series:
    window = Window(AT, AT + timedelta(hours=hours))
    return Series(
        question=Question(source="render", asked="memory", at=window.end, window=window),
        unit=unit,
        lines=tuple(
            Line(
                times=tuple(START + 60 * (first_min + n) for n in range(len(values))),
                values=tuple(values),
                labels={"instance": name} if name else {},
            )
            for name, values in lines.items()
        ),
    )


def limit(mb: float = 512.0, *names: str) -> Series:
    return series({name: [mb] for name in names or ("a", "b")})


def leaking(lines: dict[str, Sequence[float | None]], hours: float = 24.0, **more: Any) -> Any:
    metric = more.pop("metric", "heap_used")
    return NoLeak(metric=metric).judge({"memory": series(lines, hours), **more})


def test_flat_instances_pass_with_the_bound_and_the_smallest_leak():
    """The verdict has the slope, its bounds and the smallest detectable leak."""
    load = series({"": [10.0] * 1440}, unit="requests/s")
    verdict = leaking({"a": heap(24), "b": heap(24, floor=150)}, limit=limit(), load=load)
    assert verdict.outcome == Outcome.PASS
    assert "the steepest of 2 instances" in verdict.reason
    assert "MB/h are undetectable" in verdict.reason
    assert "load" not in verdict.reason
    assert {"slope", "lower", "upper", "visible"} <= set(verdict.figures)
    assert verdict.scale.upper == verdict.figures["upper"] < verdict.scale.limit == 1.0
    assert verdict.bound.startswith("at most")


def test_one_leaking_instance_of_three_fails_with_the_time_left():
    """The other instances do not hide it."""
    lines = {"a": heap(24), "b": heap(24, leak(5)), "c": heap(24)}
    verdict = leaking(lines, limit=limit(512.0, "a", "b", "c"))
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "leak")
    assert verdict.reason.startswith("Memory leak on b: +5")
    assert "512 MB limit reached in 3" in verdict.reason
    assert verdict.figures["exhausted_h"] > 24
    assert verdict.bound.startswith("at least")


@pytest.mark.parametrize("hours", [4, 8, 12])
def test_early_hours_say_too_early(hours):
    """A slow rise is suspected, not called; a later PASS may resolve it."""
    verdict = leaking({"a": heap(hours, leak(3))}, hours)
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "too_early")


def test_an_instance_without_a_name_is_inconclusive():
    """One line for several instances can hide a leak."""
    verdict = leaking({"": heap(24)})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "mixed_instances")


@pytest.mark.parametrize("lines", [{}, {"a": [None] * 1440}])
def test_no_value_is_no_leak_and_no_pass(lines):
    """Missing data never passes."""
    verdict = leaking(lines)
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "no_data")


def test_missing_minutes_prevent_a_pass_but_not_a_fail():
    """PASS needs 95 % of the window."""
    gaps: list[float | None] = list(heap(24))
    gaps[600:700] = [None] * 100
    verdict = leaking({"a": gaps})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "coverage_too_low")
    worse: list[float | None] = list(heap(24, leak(10)))
    worse[600:700] = [None] * 100
    assert leaking({"a": worse}).outcome == Outcome.FAIL


def test_a_series_that_ends_early_is_not_covered():
    """Without values at the end it is not known to be flat."""
    verdict = leaking({"a": heap(20)})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "coverage_too_low")


def test_a_new_instance_is_open_and_a_short_lived_one_is_reported():
    """An older instance says nothing about a new one."""
    old = series({"a": heap(24)}).lines[0]
    new = series({"new": heap(1.5)}, first_min=22 * 60 + 30).lines[0]
    gone = series({"gone": heap(1.5)}, first_min=60).lines[0]
    both = series({})
    for young, outcome in ((new, Outcome.INCONCLUSIVE), (gone, Outcome.PASS)):
        memory = Series(question=both.question, unit="MB", lines=(old, young))
        verdict = NoLeak(metric="heap_used").judge({"memory": memory})
        assert verdict.outcome == outcome
        if outcome == Outcome.PASS:
            assert "gone ended before it could be judged" in verdict.reason


@pytest.mark.parametrize(
    "name", [{"finished": START + 43200.0, "status": "live"}, {"start": "2026-11-24T22:00:00Z"}]
)
def test_deploys_begin_a_new_run(name):
    """Otherwise the step between two levels is a trend; a failed deploy begins none."""
    lines = {"a": [*heap(12, floor=150), *heap(12, floor=200)]}
    kind = "declared" if "start" in name else "deploys"
    assert abs(leaking(lines, **{kind: listing(name)}).figures["slope"]) < 0.3
    failed = listing({"finished": START + 43200.0, "status": "build_failed", "served": False})
    assert leaking(lines, deploys=failed).figures["slope"] > 1


def test_an_unknown_load_is_reported():
    """It weakens the verdict."""
    verdict = leaking({"a": heap(24)}, load=unanswered(reason="render: 503"))
    assert "the load is not known (render: 503)" in verdict.reason


def test_another_unit_is_converted():
    """GB and MB give the same slope."""
    in_gb = series({"a": [v / 1024 for v in heap(24, leak(5))]}, unit="GB")
    verdict = NoLeak(metric="heap_used").judge({"memory": in_gb})
    assert verdict.figures["slope"] == pytest.approx(5, rel=0.05)
    with pytest.raises(TypeError, match="unit: expected one of"):
        NoLeak().judge({"memory": series({"a": [1.0]}, unit="percent")})


def headroom(lines: dict[str, Sequence[float | None]], top: Series, hours: float = 4.0) -> Any:
    return HeadroomKept().judge({"memory": series(lines, hours), "limit": top})


def test_each_instance_is_compared_with_its_own_limit():
    """The one nearest to its limit decides, with its peak and time."""
    tops = series({"a": [1024.0], "b": [256.0]}, 4)
    verdict = headroom({"a": [400.0] * 240, "b": [100.0] * 100 + [210.0] + [100.0] * 139}, tops)
    assert verdict.outcome == Outcome.PASS
    assert verdict.reason == (
        "b reached 210 of 256 MB, 82 %, at 2026-11-24 11:40:00Z, the highest of 2 instances"
    )
    assert verdict.scale.observed == pytest.approx(82.03, abs=0.01)


@pytest.mark.parametrize(("peak", "outcome"), [(435.0, Outcome.PASS), (435.2, Outcome.FAIL)])
def test_the_limit_itself_is_beyond(peak, outcome):
    """85 % of 512 MB are 435.2."""
    assert headroom({"a": [peak] * 240}, limit()).outcome == outcome


def test_a_peak_fails_and_half_a_window_does_not_pass():
    """FAIL needs one minute; PASS needs 95 % of them."""
    verdict = headroom({"a": [100.0] * 120}, limit())
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "coverage_too_low")
    assert headroom({"a": [500.0] * 120}, limit()).code == "memory_high"


def test_an_instance_without_a_limit_is_inconclusive_unless_all_are_alike():
    """Another instance's limit is used only if all limits are equal."""
    lines = {"c": [100.0] * 240}
    assert headroom(lines, limit()).outcome == Outcome.PASS
    verdict = headroom(lines, series({"a": [512.0], "b": [256.0]}, 4))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "no_data")
    assert headroom(lines, series({}, 4)).code == "no_data"
    assert headroom({"c": [None] * 240}, limit()).code == "no_data"


@pytest.mark.parametrize("objective", [NoLeak(metric="heap_used"), HeadroomKept(max_share=0.7)])
def test_the_objectives_load_back_equal(objective):
    """The record stores their names and fields."""
    assert from_plain(objective.to_plain()) == objective


SHAPES = {
    "flat": heap(24),
    "warm-up": heap(24, lambda hour: 60 * math.log1p(hour) / math.log1p(24)),
    "levels off": heap(24, lambda hour: 9.2 * min(hour, 10.0)),
    "slow leak": heap(24, leak(0.6)),
    "late leak": heap(24, lambda hour: 6.0 * max(0.0, hour - 9.0)),
}


@pytest.mark.parametrize("hours", [8, 12, 16, 20, 24])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_pass_has_a_bound_beyond_the_limit_it_names(shape: str, hours: int) -> None:
    """Where the late half clears a heap, its slope and bound are shown."""
    verdict = leaking({"a": SHAPES[shape][: 60 * hours]}, hours)
    if verdict.outcome == Outcome.PASS:
        assert verdict.scale.upper <= verdict.scale.limit
        assert float(verdict.bound.removeprefix("at most ").replace("−", "-")) <= 1.0


def test_a_heap_that_levelled_off_says_so() -> None:
    """9.2 MB/h over the whole time next to a limit of 1 would look like a mistake."""
    verdict = leaking({"a": SHAPES["levels off"]})
    assert verdict.outcome == Outcome.PASS
    assert "levelled off" in verdict.reason
    assert verdict.figures["late_upper"] == verdict.scale.upper < 1.0
