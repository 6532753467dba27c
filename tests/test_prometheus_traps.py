"""The traps against real engines: no false green and no false red, whatever they answer."""

from __future__ import annotations

import math
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from hour24.clock import WallClock
from hour24.config import load
from hour24.evidence import Buckets, Probes, Series
from hour24.objectives.probes import AlwaysUp
from hour24.watch import Window
from hour24.witnesses.prometheus.source import Prometheus
from tests import needs
from tests.answering import free_port
from tests.engines import Known, asked, prometheus, victoria_metrics
from tests.traps import (
    END,
    EVERY_S,
    HOUR,
    START,
    TRAPS,
    WINDOW,
    Trap,
    Value,
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


PLACES: dict[str, tuple[Value, Value]] = {
    "well": (lambda t: 1, lambda t: 1),
    "blocked": (lambda t: not HOUR <= t < HOUR + 180, lambda t: 1),
    "offline": (lambda t: not HOUR <= t < HOUR + 900, lambda t: not HOUR <= t < HOUR + 900),
}
"""Vantage -> probe_success of the service and of the control address, by seconds of the window."""


def probed() -> list[Known]:
    """Blackbox exporters in three places, each of them scraped all the time."""
    return [
        each
        for place, (service, control) in PLACES.items()
        for each in (
            series("up", lambda t: 1, "api", place=place),
            series("probe_success", service, "api", place=place),
            series("probe_success", control, "control", place=place),
        )
    ]


EXTRA = {
    "probed": probed,
    "tail": tail,
    "killed": lambda: killed(True),
    "spared": lambda: killed(False),
}


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


@pytest.mark.parametrize(
    ("place", "outcome", "code"),
    [
        ("well", "PASS", ""),
        ("blocked", "FAIL", "no_answer"),
        ("offline", "INCONCLUSIVE", "coverage_too_low"),
    ],
)
def test_what_another_place_saw_is_read_probe_by_probe(
    place: str, outcome: str, code: str, engine: str
) -> None:
    """``up`` is 1 while the probe failed, and ``increase(probe_success)`` is 0 (trap 25)."""
    labels = {
        what: {"job": "probed", "place": place, "instance": instance}
        for what, instance in (("probe", "api"), ("control", "control"))
    }
    source = source_of(engine, "probed", vantages={place: labels})
    found = source.vantage_probes(WINDOW)[place]
    assert isinstance(found, Probes)
    assert (found.question.vantage, found.due) == (place, 960)
    verdict = AlwaysUp().judge({"probes": found})
    assert (str(verdict.outcome), verdict.code) == (outcome, code), verdict.reason
    naive = asked(engine, f'min_over_time(up{{job="probed",place="{place}"}}[4h])', END)
    assert naive[0]["value"][1] == "1"  # type: ignore[index]


def test_adjacent_windows_add_up(engine: str) -> None:
    """To what the whole has, sample by sample, whichever ends a range includes (11)."""
    source = source_of(engine, TRAPS[0].job)
    pieces = 0
    for index in range(8):
        start = WINDOW.start + timedelta(minutes=30 * index)
        pieces += source.responses(Window(start, start + timedelta(minutes=30))).total
    assert pieces == source.responses(WINDOW).total == 407
    assert math.isclose(EVERY_S * 960, 4 * HOUR)
    assert steady(100)(4 * HOUR) == 1400
    assert requests(steady(100)).labels["code"] == "200"


SCRAPED = """
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: ["127.0.0.1:PORT"]}]
"""


RUNTIME = 'prometheus_http_request_duration_seconds_count{handler="/api/v1/status/runtimeinfo"}'


def scraped(url: str, query: str, value: float) -> None:
    """Wait until a scrape has brought this value."""
    until = time.monotonic() + 30.0
    while time.monotonic() < until:
        found = asked(url, query, time.time())
        if found and float(found[0]["value"][1]) == value:  # type: ignore[index]
            return
        time.sleep(0.3)
    raise AssertionError(f"{query}: expected {value:g} within 30 s, got {found}")


def test_a_real_process_that_is_scraped_is_counted_exactly(tmp_path: Path) -> None:
    """Prometheus scrapes itself, as in docs/examples: each of 40 requests, none estimated."""
    need = needs.NEEDS["prometheus"]
    if not need.here():
        pytest.skip(need.absent)
    port = free_port()
    (tmp_path / "prometheus.yml").write_text(SCRAPED.replace("PORT", str(port)))
    example = Path(__file__).parents[1] / "docs" / "examples" / "prometheus" / "production.toml"
    production = load(example, {})
    with prometheus(tmp_path, [], port=port) as url:
        scraped(url, 'up{job="prometheus"}', 1.0)
        time.sleep(1.5)
        begun = datetime.now(UTC)
        for _ in range(40):
            with urllib.request.urlopen(f"{url}/api/v1/status/runtimeinfo", timeout=5) as answer:
                assert answer.status == 200
        scraped(url, RUNTIME, 40.0)
        time.sleep(6.0)
        window = Window(begun, datetime.now(UTC) - timedelta(seconds=1))
        at = structs.replace(production.witnesses["prometheus"], url=url)
        source = Prometheus(at, WallClock(), budget_s=30.0)
        found = source.server_times(window, production.endpoints)["runtime"]
        assert isinstance(found, Buckets)
        assert found.total == (40, 40)
        assert source.responses(window).bad == 0
        assert len(source.memory(window).lines) == 1
