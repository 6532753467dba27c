"""The traps against real engines: no false green and no false red, whatever they answer."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from hour24.evidence import Series
from tests import needs
from tests.engines import Known, asked, prometheus, victoria_metrics
from tests.traps import (
    END,
    EVERY_S,
    HOUR,
    START,
    TRAPS,
    WINDOW,
    Trap,
    alive,
    requests,
    restarts,
    series,
    source_of,
    steady,
)

ENGINES = {"prometheus": prometheus, "victoria-metrics": victoria_metrics}


def tail() -> list[Known]:
    """A series that ended 44 minutes before the window does, and a pod that takes its place."""
    ended = END - START - 44 * 60
    return [*alive("a:1", until=ended), *alive("b:1", since=ended + 30)]


def killed(window: bool) -> list[Known]:
    """A pod that was once killed for its memory; again in the window, or not."""
    count = (lambda t: 1 + (t >= HOUR)) if window else (lambda t: 1)
    labels = {"namespace": "prod", "container": "api", "pod": "api-1"}
    return [
        Known(s.name, {**s.labels, **labels}, s.samples)
        for s in (
            *alive("api-1"),
            series("kube_pod_container_status_restarts_total", count, "ksm:8080"),
            series(
                "kube_pod_container_status_last_terminated_reason",
                lambda t: 1,
                "ksm:8080",
                reason="OOMKilled",
            ),
        )
    ]


EXTRA = {"tail": tail, "killed": lambda: killed(True), "spared": lambda: killed(False)}


@pytest.fixture(scope="module", params=ENGINES)
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A real engine that holds the series of every trap."""
    need = needs.NEEDS[request.param]
    if not need.here():
        pytest.skip(need.absent)
    known = [each for trap in TRAPS for each in trap.known()]
    known += [
        Known(s.name, {"job": name, **s.labels}, s.samples)
        for name, made in EXTRA.items()
        for s in made()
    ]
    with ENGINES[request.param](tmp_path_factory.mktemp(request.param), known) as url:
        yield url


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.job)
def test_no_trap_makes_a_false_green_or_a_false_red(trap: Trap, engine: str) -> None:
    """The verdict is the one that the samples deserve, in every engine alike."""
    verdict = trap.ours(source_of(engine, trap.job))
    assert verdict == trap.right
    assert not trap.wrong(verdict)


def test_the_end_of_a_series_is_its_last_sample(engine: str) -> None:
    """An engine repeats it for minutes; a flat tail would hide a leak (traps 12 and 22)."""
    memory = source_of(engine, "tail").memory(WINDOW)
    assert isinstance(memory, Series)
    ended = next(line for line in memory.lines if line.labels == {"instance": "a:1"})
    assert ended.times[-1] <= END - 44 * 60
    assert asked(engine, 'process_resident_memory_bytes{job="tail",instance="a:1"}', END - 41 * 60)


@pytest.mark.parametrize(("job", "right"), [("killed", "FAIL"), ("spared", "PASS")])
def test_an_old_kill_is_no_new_one(job: str, right: str, engine: str) -> None:
    """The gauge of the last kill stays 1 for ever; only a restart in the window counts (24)."""
    assert restarts(source_of(engine, job, "kubernetes")) == right


def test_adjacent_windows_add_up(engine: str) -> None:
    """To what the whole has, sample by sample, whichever ends a range includes (11)."""
    from datetime import timedelta

    from hour24.watch import Window

    source = source_of(engine, TRAPS[0].job)
    pieces = 0
    for index in range(8):
        start = WINDOW.start + timedelta(minutes=30 * index)
        pieces += source.responses(Window(start, start + timedelta(minutes=30))).total
    assert pieces == source.responses(WINDOW).total == 407
    assert math.isclose(EVERY_S * 960, 4 * HOUR)
    assert steady(100)(4 * HOUR) == 1400
    assert requests(steady(100)).labels["code"] == "200"
