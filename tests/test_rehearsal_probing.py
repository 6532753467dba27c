"""The lines of the rehearsal's simulated prober, read like any prober's lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hour24 import config, histogram, probes
from hour24.probes import NoProber, Observations, alarms
from hour24.rehearsal import probing, settings
from hour24.rehearsal.timing import ENDPOINTS
from hour24.statistics import quantiles, restarts, shift
from hour24.watch import Watch

T0 = datetime(2026, 11, 24, 6, tzinfo=UTC)
WATCH = Watch(name="rehearsal", t0=T0)
SCHEMA = Path(__file__).parents[1] / "schemas" / "health.schema.json"


def toml(folder: Path) -> Path:
    """A rehearsal's production.toml, its addresses never asked."""
    urls = {name: f"http://127.0.0.1:9{each.path}" for name, each in ENDPOINTS.items()}
    urls |= {"control": "http://127.0.0.1:9/", "websocket": "ws://127.0.0.1:9/ws"}
    urls["tls"] = "https://127.0.0.1:9/"
    path = folder / "production.toml"
    path.write_text(settings.production_toml(urls, str(SCHEMA), {}))
    return path


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> config.Production:
    return config.load(toml(tmp_path_factory.mktemp("production")), {})


def seen(production: config.Production, folder: Path, *faults: str, seed: int = 7) -> Observations:
    """Hours -1 to 4, probed."""
    for hour in (0, 4):
        window = WATCH.checkpoint(hour).window
        probing.simulate(production, WATCH, folder, window, seed=seed, faults=faults)
    return probes.read(folder, WATCH.checkpoint(4).since_t0)


def test_a_healthy_service_looks_healthy(production: config.Production, tmp_path: Path):
    """Every slot is kept and good, nothing drops, and every line says that it is simulated."""
    found = seen(production, tmp_path)
    window = WATCH.checkpoint(4).window
    health = found.probes("health", window)
    assert (health.due, health.kept, health.bad, health.gaps) == (1440, 1440, 0, ())
    assert health.simulated
    sockets = found.probes("websocket", window)
    assert sockets.connections > 29
    assert (sockets.drops, sockets.refused, sockets.bad) == (0, 0, 0)
    responses = found.responses(window)
    assert (responses.bad, responses.total) == (0, 1440 + 3 * 480)


@pytest.mark.parametrize("seed", range(1, 7))
def test_healthy_latencies_are_steady(production: config.Production, tmp_path: Path, seed: int):
    """For every seed no endpoint is slower than at hour 0, and each p99 is below its target."""
    found = seen(production, tmp_path, seed=seed)
    for name, endpoint in production.endpoints.items():
        now = found.latencies(name, WATCH.checkpoint(4).window)
        before = found.latencies(name, WATCH.checkpoint(0).window)
        blocks = [
            [{int(k): n for k, n in block.counts.items()} for block in each.blocks]
            for each in (now, before)
        ]
        moved = shift.shift(*(shift.block_medians(each) for each in blocks))
        assert moved.upper < 1.2
        assert shift.tail(*blocks).ratio < 1.5
        whole = found.latencies(name, WATCH.checkpoint(4).since_t0)
        assert whole.n >= quantiles.least_samples(0.99)
        assert histogram.quantile(whole.merged(), 1.0) < endpoint.target_ms / 3


def test_a_restart_shows_in_the_uptimes(production: config.Production, tmp_path: Path):
    """Uptimes show two processes normally, and a third one after a restart."""
    window = WATCH.checkpoint(4).window
    for faults, lives in (((), 2), (("restart@2",), 3)):
        folder = tmp_path / str(lives)
        health = seen(production, folder, *faults).probes("health", window)
        readings = [(u.at, u.uptime_s, u.instance) for u in health.uptimes]
        assert len(restarts.incarnations(readings, 1.0)) == lives


def test_a_backend_that_is_down_fails_every_probe(production: config.Production, tmp_path: Path):
    """While it is down every probe fails, control answers, and the runbook's alarm is written."""
    health = seen(production, tmp_path, "backend_down@2").probes(
        "health", WATCH.checkpoint(4).window
    )
    assert health.bad == 180
    assert {failure.reason for failure in health.failures} == {"refused"}
    assert all(failure.control for failure in health.failures)
    assert "health_failing" in {alarm.rule for alarm in alarms(tmp_path)}


def test_a_network_that_is_down_is_our_own(production: config.Production, tmp_path: Path):
    """When control is silent too, no failure is the service's."""
    health = seen(production, tmp_path, "network_down@2..2.5").probes(
        "health", WATCH.checkpoint(4).window
    )
    assert not any(failure.control for failure in health.failures)
    assert len(health.failures) == 180


def test_flapping_drops_are_counted(production: config.Production, tmp_path: Path):
    """Under websocket_flap two of five connections drop abnormally."""
    sockets = seen(production, tmp_path, "websocket_flap@0").probes(
        "websocket", WATCH.checkpoint(4).window
    )
    assert sockets.drops / sockets.connections == pytest.approx(0.4)


def test_without_a_prober_there_is_no_line(production: config.Production, tmp_path: Path):
    """A gap of the prober is a gap in its lines; without a prober there is no file at all."""
    health = seen(production, tmp_path / "gap", "prober_gap@1").probes(
        "health", WATCH.checkpoint(4).window
    )
    [(start, end)] = health.gaps
    assert 2300 < end - start < 2500
    with pytest.raises(NoProber):
        seen(production, tmp_path / "none", "no_prober@-1")


def test_a_window_is_simulated_once(production: config.Production, tmp_path: Path):
    """A second simulation of a window finds the first one's file and adds nothing."""
    window = WATCH.checkpoint(0).window
    first = probing.simulate(production, WATCH, tmp_path, window, seed=1)
    assert first is not None
    data = first.read_bytes()
    assert probing.simulate(production, WATCH, tmp_path, window, seed=1) == first
    assert first.read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == [first.name]


def test_what_was_begun_and_not_finished_is_not_left(
    production: config.Production, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a window of lines would read as a prober that stopped."""

    def interrupted(*_: object, **__: object) -> Iterator[None]:
        assert list(tmp_path.glob("*.part"))
        yield
        raise KeyboardInterrupt

    monkeypatch.setattr(probing, "probed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        seen(production, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
