"""Real engines on loopback, with samples that a test states."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.answering import free_port

READY_S = 60.0
Labels = Mapping[str, str]


@dataclass
class Known:
    """One series with its samples: (epoch seconds, value)."""

    name: str
    labels: Labels
    samples: list[tuple[float, float]] = field(default_factory=list)


def openmetrics(series: Iterable[Known]) -> str:
    """The series as OpenMetrics text, all of a metric together."""
    by_name: dict[str, list[Known]] = {}
    for each in series:
        by_name.setdefault(each.name, []).append(each)
    lines = []
    for name, group in by_name.items():
        lines.append(f"# TYPE {name} unknown")
        for each in group:
            labels = ",".join(f"{k}={json.dumps(v)}" for k, v in each.labels.items())
            lines += [f"{name}{{{labels}}} {value!r} {at:.3f}" for at, value in each.samples]
    return "\n".join([*lines, "# EOF", ""])


@contextlib.contextmanager
def prometheus(folder: Path, series: Sequence[Known], port: int = 0) -> Iterator[str]:
    """Debian's Prometheus with these series in its blocks: its address."""
    data = folder / "prometheus"
    data.mkdir(parents=True, exist_ok=True)
    if series:
        text = folder / "series.om"
        text.write_text(openmetrics(series))
        made = subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", "-q", str(text), str(data)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
    settings = folder / "prometheus.yml"
    if not settings.exists():
        settings.write_text("global: {scrape_interval: 15s}\n")
    port = port or free_port()
    command = [
        "prometheus",
        f"--config.file={settings}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=400d",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    with _running(command, f"http://127.0.0.1:{port}", "/-/ready", folder):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def victoria_metrics(
    folder: Path, series: Sequence[Known], *, port: int | None = None
) -> Iterator[str]:
    """Debian's VictoriaMetrics with these series; it scrapes what the folder's file says."""
    port = port or free_port()
    command = [
        "victoria-metrics",
        f"-storageDataPath={folder / 'victoria'}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=2y",
        "-loggerLevel=ERROR",
    ]
    if (settings := folder / "prometheus.yml").exists():
        command.append(f"-promscrape.config={settings}")
    url = f"http://127.0.0.1:{port}"
    with _running(command, url, "/health", folder):
        lines = [
            json.dumps(
                {
                    "metric": {"__name__": each.name, **each.labels},
                    "values": [value for _, value in each.samples],
                    "timestamps": [round(at * 1000) for at, _ in each.samples],
                }
            )
            for each in series
        ]
        if lines:
            body = "\n".join(lines).encode()
            urllib.request.urlopen(
                urllib.request.Request(f"{url}/api/v1/import", body), timeout=60
            ).read()
            urllib.request.urlopen(f"{url}/internal/force_flush", timeout=60).read()
        yield url


@contextlib.contextmanager
def _running(command: Sequence[str], url: str, ready: str, folder: Path) -> Iterator[None]:
    log = folder / "engine.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL
        ) as process,
    ):
        try:
            until = time.monotonic() + READY_S
            while not _answers(url + ready):
                assert process.poll() is None, log.read_text()[-2000:]
                assert time.monotonic() < until, f"{command[0]} is not ready after {READY_S:g} s"
                time.sleep(0.05)
            yield
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(folder / "prometheus", ignore_errors=True)
            shutil.rmtree(folder / "victoria", ignore_errors=True)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def asked(url: str, query: str, at: float) -> list[dict[str, object]]:
    """What the engine says to an instant query: its result, as it comes."""
    text = urllib.parse.urlencode({"query": query, "time": f"{at:.3f}"})
    with urllib.request.urlopen(f"{url}/api/v1/query?{text}", timeout=30) as answer:
        found = json.load(answer)["data"]["result"]
    assert isinstance(found, list)
    return found
