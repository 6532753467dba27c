"""Real engines that scrape a real process: a scrape that fails, an engine that has just begun."""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from hour24.clock import WallClock
from hour24.config import load
from hour24.doctor import Finding, examine
from hour24.evidence import Series
from hour24.watch import Window
from hour24.witnesses.prometheus import PrometheusAt
from hour24.witnesses.prometheus.source import Prometheus
from tests import needs
from tests.answering import Answer, Asked, Server, free_port
from tests.engines import Known, asked, prometheus, victoria_metrics

ENGINES = {"prometheus": prometheus, "victoria-metrics": victoria_metrics}
SCRAPED = """
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: api
    static_configs: [{targets: ["127.0.0.1:PORT"]}]
"""
LABELS = {"job": "api"}


class Exporter:
    """A process that answers three requests before each scrape, one of a hundred with a 500."""

    def __init__(self) -> None:
        self.requests = 0
        self.scrapes = 0
        self.fails_at: int | None = None

    def __call__(self, request: Asked) -> Answer:
        self.scrapes += 1
        self.requests += 3
        if self.scrapes == self.fails_at:
            return Answer(status=500)
        lines = [
            "# TYPE http_requests_total counter",
            f'http_requests_total{{code="200"}} {self.requests}',
            'http_requests_total{code="500"} 7',
            "process_start_time_seconds 1796000000",
            "process_resident_memory_bytes 2e8",
        ]
        text = "\n".join([*lines, ""]).encode()
        return Answer(body=text, headers={"Content-Type": "text/plain; version=0.0.4"})


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + 60.0
    while not is_so():
        assert time.monotonic() < until, f"{what}: expected within 60 s, got nothing"
        time.sleep(0.2)


@contextmanager
def scraping(name: str, folder: Path, exporter: Exporter) -> Iterator[str]:
    """An engine that scrapes this exporter once a second: its address."""
    need = needs.NEEDS[name]
    if not need.here():
        pytest.skip(need.absent)
    with Server(exporter) as server:
        (folder / "prometheus.yml").write_text(SCRAPED.replace("PORT", str(server.port)))
        with ENGINES[name](folder, []) as url:
            yield url


def values(url: str) -> list[tuple[float, float]]:
    """The numbers that the engine has of the successful requests."""
    found = asked(url, 'http_requests_total{job="api",code="200"}[10m]', time.time())
    samples = found[0]["values"] if found else []
    assert isinstance(samples, list)
    return [(at, float(text)) for at, text in samples if text != "NaN"]


def one_failed(url: str, exporter: Exporter) -> list[tuple[float, float]]:
    """Samples around one scrape that failed, none of which is late for another reason.

    An engine on a busy machine scrapes late; then another scrape fails.
    """
    for _ in range(20):
        known = len(values(url))
        exporter.fails_at = exporter.scrapes + 1
        wait_until(lambda known=known: len(values(url)) >= known + 6, "six more scrapes")  # type: ignore[misc]
        samples = values(url)[known - 1 :]
        steps = [(later[0] - at, later[1] - n) for (at, n), later in pairwise(samples)]
        if any(n > 4.0 for _, n in steps) and all(seconds < 2.4 for seconds, _ in steps):
            return samples
    raise AssertionError("expected scrapes a second apart, got late ones in 20 attempts")


@pytest.mark.parametrize("name", ENGINES)
def test_a_scrape_that_failed_is_a_gap_and_no_misreading(name: str, tmp_path: Path) -> None:
    """VictoriaMetrics marks it by a sample of NaN, which is no count and no end of a process."""
    exporter = Exporter()
    with scraping(name, tmp_path, exporter) as url:
        wait_until(lambda: len(values(url)) >= 3, "three scrapes")
        samples = one_failed(url, exporter)
        start, end = samples[0][0] + 0.5, samples[-1][0] + 0.5
        window = Window(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))
        at = PrometheusAt(url=url, preset="prometheus-client", labels=LABELS)
        source = Prometheus(at, WallClock(), budget_s=30.0)
        counts = source.responses(window)
        assert (counts.total, counts.total_most) == (samples[-1][1] - samples[0][1], None)
        assert (counts.bad, counts.bad_most) == (0, None)
        assert isinstance(source.memory(window), Series)
        assert source.platform_events(window).items == ()


DESCRIBED = """
[service]
name = "calls"
environment = "production"
url = "{service}"
control_url = "{service}/control"

[health]
url = "/health"
schema = "health.schema.json"

[prometheus]
url = "{engine}"
preset = "prometheus-client"
labels = {{ job = "api" }}
"""


def scraped_for(seconds: float) -> list[Known]:
    """A service that answers four requests a minute, and has been scraped for so long."""
    now = time.time()
    times = [now - seconds + 15.0 * i for i in range(int(seconds // 15) + 1)]

    def series(name: str, value: Callable[[int], float], **more: str) -> Known:
        samples = [(at, value(i)) for i, at in enumerate(times)]
        return Known(name, {**LABELS, "instance": "a:1", **more}, samples)

    return [
        series("up", lambda i: 1.0),
        series("process_start_time_seconds", lambda i: 1_796_000_000.0),
        series("process_resident_memory_bytes", lambda i: 2e8),
        series("http_requests_total", lambda i: i + 5000.0, code="200"),
    ]


def doctor(folder: Path, url: str) -> dict[str, Finding]:
    """What doctor finds of the engine."""
    with Server(Answer()) as service:
        path = folder / "production.toml"
        path.write_text(DESCRIBED.format(service=service.url, engine=url), "utf-8")
        (folder / "health.schema.json").write_text(json.dumps({"type": "array"}), "utf-8")
        found = examine(load(path, {}), WallClock())
        return {each.name: each for each in found if each.name.startswith("prometheus: ")}


@pytest.mark.parametrize("name", ENGINES)
def test_doctor_accepts_an_engine_that_has_just_begun(name: str, tmp_path: Path) -> None:
    """It says since when there are samples, and that a checkpoint needs them of a whole window."""
    if not needs.NEEDS[name].here():
        pytest.skip(needs.NEEDS[name].absent)
    with ENGINES[name](tmp_path, scraped_for(1200.0)) as url:
        found = doctor(tmp_path, url)
    for question in ("responses", "memory"):
        finding = found[f"prometheus: {question}"]
        assert finding.ok, finding
        assert " since 20" in finding.says
        assert "a checkpoint needs the whole of its window" in finding.says
    assert "1 instance since" in found["prometheus: memory"].says
    lacking = found["prometheus: server times"]
    assert not lacking.ok
    assert "state the metric in [prometheus.names]; where the service has none" in lacking.remedy
    counted, since = found["prometheus: responses"].says.split(" requests since ")
    assert int(counted) in (59, 60), since


def test_doctor_counts_the_last_hour(tmp_path: Path) -> None:
    """And an engine that has begun within the time that settles shows nothing yet."""
    if not needs.NEEDS["victoria-metrics"].here():
        pytest.skip(needs.NEEDS["victoria-metrics"].absent)
    (tmp_path / "old").mkdir()
    with victoria_metrics(tmp_path / "old", scraped_for(9000.0)) as url:
        says = doctor(tmp_path, url)["prometheus: responses"].says
    assert re.fullmatch(r"(239|240|241) requests in the last hour", says)
    (tmp_path / "new").mkdir()
    with victoria_metrics(tmp_path / "new", scraped_for(60.0)) as url:
        finding = doctor(tmp_path, url)["prometheus: responses"]
    assert not finding.ok
    assert "an engine that has just begun shows nothing for 5 min" in finding.remedy


ITSELF = {"prometheus": "prometheus", "victoria-metrics": "victoriametrics"}
"""Engine -> its example in docs/examples, and the job that scrapes it."""


@pytest.mark.parametrize("name", ENGINES)
def test_the_examples_agree_with_the_real_servers(name: str, tmp_path: Path) -> None:
    """Doctor accepts health, endpoints and metrics of each, with the addresses changed alone."""
    if not needs.NEEDS[name].here():
        pytest.skip(needs.NEEDS[name].absent)
    example, port = ITSELF[name], free_port()
    scrapes = SCRAPED.replace("api", example).replace("PORT", str(port)).replace("1s", "5s")
    (tmp_path / "prometheus.yml").write_text(scrapes)
    source = Path(__file__).parents[1] / "docs" / "examples" / example
    shutil.copy(source / "health.schema.json", tmp_path)
    with Server(Answer()) as control, ENGINES[name](tmp_path, [], port=port) as url:
        text = (source / "production.toml").read_text("utf-8")
        text = re.sub(r"http://127\.0\.0\.1:\d+", url, text)
        text = re.sub(r'control_url = ".*"', f'control_url = "{control.url}"', text)
        text += "\n[schedule]\nsettle_s = 0\n"
        (tmp_path / "production.toml").write_text(text, "utf-8")
        stated = load(tmp_path / "production.toml", {})
        for each in stated.endpoints.values():  # a route has no series before its first request
            urllib.request.urlopen(each.url, timeout=10).close()
        wait_until(lambda: scraped_often(url, example), "three scrapes")
        found = examine(stated, WallClock())
        asked_of_it = {each.name: each for each in found if each.name not in PEOPLE}
    assert {name: each.says for name, each in asked_of_it.items() if not each.ok} == {}
    assert len(asked_of_it) >= 4


PEOPLE = ("contacts", "alerts", "rollback")


def scraped_often(url: str, job: str) -> bool:
    found = asked(url, f'up{{job="{job}"}}[1m]', time.time())
    values_of_it = found[0]["values"] if found else []
    assert isinstance(values_of_it, list)
    return len([text for _, text in values_of_it if text == "1"]) >= 3
