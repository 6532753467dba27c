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


def test_flat_instances_pass_with_the_bound_and_what_could_not_be_seen():
    """Slope, bounds and the smallest visible leak."""
    load = series({"": [10.0] * 1440}, unit="requests/s")
    verdict = leaking({"a": heap(24), "b": heap(24, floor=150)}, limit=limit(), load=load)
    assert verdict.outcome == Outcome.PASS
    assert "the most of 2 instances" in verdict.reason
    assert "could not have been seen" in verdict.reason
    assert "load" not in verdict.reason
    assert {"slope", "lower", "upper", "visible"} <= set(verdict.figures)
    assert verdict.scale.upper == verdict.figures["upper"] < verdict.scale.limit == 1.0
    assert verdict.bound.startswith("at most")


def test_one_leaking_instance_of_three_fails_and_tells_when_memory_ends():
    """The others do not hide it."""
    lines = {"a": heap(24), "b": heap(24, leak(5)), "c": heap(24)}
    verdict = leaking(lines, limit=limit(512.0, "a", "b", "c"))
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "leak")
    assert verdict.reason.startswith("b leaks: between collections its memory rose by 5")
    assert "at this rate it reaches its 512 MB in 3" in verdict.reason
    assert verdict.figures["exhausted_h"] > 24
    assert verdict.bound.startswith("at least")


@pytest.mark.parametrize("hours", [4, 8, 12])
def test_early_hours_say_too_early(hours):
    """A slow rise is suspected, not called; a later PASS may settle it."""
    verdict = leaking({"a": heap(hours, leak(3))}, hours)
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "too_early")


def test_an_instance_without_a_name_is_inconclusive():
    """Several in one line hide one another's leak."""
    verdict = leaking({"": heap(24)})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "mixed_instances")


@pytest.mark.parametrize("lines", [{}, {"a": [None] * 1440}])
def test_no_value_is_no_leak_and_no_pass(lines):
    """Silence is never green."""
    verdict = leaking(lines)
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "no_data")


def test_missing_minutes_keep_pass_away_and_leave_a_leak():
    """Below 95 % of the window."""
    holes: list[float | None] = list(heap(24))
    holes[600:700] = [None] * 100
    verdict = leaking({"a": holes})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "coverage_too_low")
    worse: list[float | None] = list(heap(24, leak(10)))
    worse[600:700] = [None] * 100
    assert leaking({"a": worse}).outcome == Outcome.FAIL


def test_a_series_that_ends_early_is_not_covered():
    """What was not told at the end is not known to be flat."""
    verdict = leaking({"a": heap(20)})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "coverage_too_low")


def test_a_new_instance_is_open_and_one_that_ended_young_is_told():
    """Its like may not be judged by its elders."""
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
def test_deploys_begin_a_new_life(name):
    """Otherwise the step between two levels is a trend; a deploy that failed begins none."""
    lines = {"a": [*heap(12, floor=150), *heap(12, floor=200)]}
    kind = "declared" if "start" in name else "deploys"
    assert abs(leaking(lines, **{kind: listing(name)}).figures["slope"]) < 0.3
    failed = listing({"finished": START + 43200.0, "status": "build_failed", "served": False})
    assert leaking(lines, deploys=failed).figures["slope"] > 1


def test_an_unknown_load_is_said():
    """It makes the verdict weaker."""
    verdict = leaking({"a": heap(24)}, load=unanswered(reason="render: 503"))
    assert "the load is not known (render: 503)" in verdict.reason


def test_another_unit_is_converted():
    """GB and MB tell the same."""
    in_gb = series({"a": [v / 1024 for v in heap(24, leak(5))]}, unit="GB")
    verdict = NoLeak(metric="heap_used").judge({"memory": in_gb})
    assert verdict.figures["slope"] == pytest.approx(5, rel=0.05)
    with pytest.raises(TypeError, match="unit: expected one of"):
        NoLeak().judge({"memory": series({"a": [1.0]}, unit="percent")})


def headroom(lines: dict[str, Sequence[float | None]], top: Series, hours: float = 4.0) -> Any:
    return HeadroomKept().judge({"memory": series(lines, hours), "limit": top})


def test_each_instance_is_held_against_its_own_limit():
    """The nearest one decides, with its peak and when."""
    tops = series({"a": [1024.0], "b": [256.0]}, 4)
    verdict = headroom({"a": [400.0] * 240, "b": [100.0] * 100 + [210.0] + [100.0] * 139}, tops)
    assert verdict.outcome == Outcome.PASS
    assert verdict.reason == (
        "b reached 210 of 256 MB, 82 %, at 2026-11-24 11:40:00Z, the most of 2 instances"
    )
    assert verdict.scale.observed == pytest.approx(82.03, abs=0.01)


@pytest.mark.parametrize(("peak", "outcome"), [(435.0, Outcome.PASS), (435.2, Outcome.FAIL)])
def test_the_limit_itself_is_beyond(peak, outcome):
    """85 % of 512 MB are 435.2."""
    assert headroom({"a": [peak] * 240}, limit()).outcome == outcome


def test_a_peak_stands_and_half_a_window_passes_nothing():
    """FAIL needs one minute; PASS needs 95 % of them."""
    verdict = headroom({"a": [100.0] * 120}, limit())
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "coverage_too_low")
    assert headroom({"a": [500.0] * 120}, limit()).code == "memory_high"


def test_an_instance_without_a_limit_is_inconclusive_unless_all_are_alike():
    """Limits of another instance are only borrowed when there is but one."""
    lines = {"c": [100.0] * 240}
    assert headroom(lines, limit()).outcome == Outcome.PASS
    verdict = headroom(lines, series({"a": [512.0], "b": [256.0]}, 4))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "no_data")
    assert headroom(lines, series({}, 4)).code == "no_data"
    assert headroom({"c": [None] * 240}, limit()).code == "no_data"


@pytest.mark.parametrize("objective", [NoLeak(metric="heap_used"), HeadroomKept(max_share=0.7)])
def test_the_objectives_come_back_equal(objective):
    """From the record."""
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
    """Where the late half acquits a heap, its slope and bound are the ones that are shown."""
    verdict = leaking({"a": SHAPES[shape][: 60 * hours]}, hours)
    if verdict.outcome == Outcome.PASS:
        assert verdict.scale.upper <= verdict.scale.limit
        assert float(verdict.bound.removeprefix("at most ").replace("−", "-")) <= 1.0


def test_a_heap_that_levelled_off_says_so() -> None:
    """9.2 MB/h over the whole time beside a limit of 1 would read as a mistake."""
    verdict = leaking({"a": SHAPES["levels off"]})
    assert verdict.outcome == Outcome.PASS
    assert "levelled off" in verdict.reason
    assert verdict.figures["late_upper"] == verdict.scale.upper < 1.0
