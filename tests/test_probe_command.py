"""``python -m hour24 probe`` on a served rehearsal, as a production from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from hour24.commands.line import DURATION
from hour24.commands.probing import end_of
from hour24.errors import ConfigurationError
from hour24.ledger.book import Ledger
from hour24.rehearsal.client import Rehearsal
from tests.clocks import Clocked, offset
from tests.played import ROOT, T0, hour24


@pytest.fixture(scope="module")
def served() -> Iterator[Rehearsal]:
    """A production that answers."""
    with Rehearsal.start(seed=1, faults=(), t0=datetime.now(UTC)) as rehearsal:
        yield rehearsal


def test_a_prober_may_begin_before_hour_0(served: Rehearsal, tmp_path: Path) -> None:
    """With --t0 it opens the watch; stopped, it leaves its minute, and hour 0 finds both."""
    t0 = (datetime.now(UTC) + timedelta(hours=1)).replace(second=0, microsecond=0)
    toml = Path(served.toml).with_name("each_second.toml")
    text = Path(served.toml).read_text("utf-8")
    toml.write_text(text.replace("[health]", "[health]\ninterval_s = 1", 1), "utf-8")
    command = [sys.executable, "-m", "hour24", "probe", "--target", str(toml)]
    command += ["--reports", str(tmp_path), "--watch", "ahead", "--t0", t0.isoformat()]
    prober = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **served.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        until = time.monotonic() + 30
        while not list(tmp_path.glob("ahead/probe/*.jsonl")) and time.monotonic() < until:
            time.sleep(0.2)
        time.sleep(3)  # the health probe is due every second
    finally:
        prober.send_signal(signal.SIGTERM)
        output, _ = prober.communicate(timeout=60)
    assert prober.returncode == 0, output
    assert Ledger(tmp_path / "ahead").watch.t0 == t0
    (path,) = tmp_path.glob("ahead/probe/*.jsonl")
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert sum(line["due"] for line in lines if line["probe"] == "health") >= 1
    early = hour24("due", "--reports", tmp_path, "--watch", "ahead")
    assert "next: hour 0" in early.stdout
    _elsewhere_is_refused(served, toml, tmp_path)


def test_a_prober_ends_by_itself_at_the_time_it_is_given(served: Rehearsal, tmp_path: Path) -> None:
    """Its last minute is written and published, and it says that the watch goes on."""
    t0 = (datetime.now(UTC) + timedelta(hours=1)).replace(second=0, microsecond=0)
    toml = Path(served.toml).with_name("every_second.toml")
    text = Path(served.toml).read_text("utf-8")
    toml.write_text(text.replace("[health]", "[health]\ninterval_s = 1", 1), "utf-8")
    command = ["probe", "--target", toml, "--reports", tmp_path, "--watch", "bounded"]
    published = ("--publish", tmp_path / "lines")
    before = datetime.now(UTC)
    ended = hour24(*command, "--t0", t0.isoformat(), "--for", "10s", *published, **served.environ)
    assert ended.returncode == 0, ended.stdout
    assert datetime.now(UTC) - before >= timedelta(seconds=10)
    watch_end = t0 + timedelta(hours=24)
    assert f"ended as asked; the watch goes on until {watch_end:%Y-%m-%dT%H:%MZ}" in ended.stdout
    (path,) = tmp_path.glob("bounded/probe/*.jsonl")
    data = path.read_bytes()
    assert data.endswith(b"\n")
    (copy,) = (tmp_path / "lines" / "bounded" / "probe").glob("*.jsonl")
    assert copy.read_bytes() == data
    lines = [json.loads(line) for line in data.splitlines()]
    assert 1 <= sum(line["due"] for line in lines if line["probe"] == "health") <= 11
    over = hour24(*command, "--until", "2026-01-01T00:00Z", **served.environ)
    assert over.returncode == 4
    assert "--until: expected a time to come, got 2026-01-01T00:00:00+00:00" in over.stdout


@pytest.mark.parametrize(
    ("text", "seconds"), [("5h30m", 19_800), ("90s", 90), ("1h2m3s", 3_723), ("20m", 1_200)]
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    """Hours, minutes and seconds, in this order."""
    assert DURATION.convert(text, None, None) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "0s", "30", "-5m", "5m1h", "1.5h", "soon"])
def test_another_duration_is_refused(text: str) -> None:
    """So that no job probes for another time than its author meant."""
    with pytest.raises(click.BadParameter, match="expected a duration such as 5h30m, got"):
        DURATION.convert(text, None, None)


def test_an_end_is_stated_once() -> None:
    """By --for or by --until."""
    now = datetime(2026, 12, 1, 6, tzinfo=UTC)
    assert end_of(None, None, now) is None
    assert end_of(timedelta(hours=1), None, now) == now + timedelta(hours=1)
    assert end_of(None, now + timedelta(hours=2), now) == now + timedelta(hours=2)
    with pytest.raises(ConfigurationError, match="expected no --for with it, got both"):
        end_of(timedelta(hours=1), now + timedelta(hours=2), now)


def _elsewhere_is_refused(served: Rehearsal, toml: Path, reports: Path) -> None:
    """Of a prober that asks another address than its watch, no line is written."""
    kept = toml.read_text("utf-8")
    toml.write_text(kept.replace("/health", "/healthz", 1), "utf-8")
    try:
        command = ("probe", "--target", toml, "--reports", reports, "--watch", "ahead")
        refused = hour24(*command, **served.environ)
    finally:
        toml.write_text(kept, "utf-8")
    assert refused.returncode == 4, refused.stdout
    assert "health.url: expected http://127.0.0.1:" in refused.stdout
    assert "other addresses than those of ahead" in refused.stdout
    assert len(list(reports.glob("ahead/probe/*.jsonl"))) == 1


def test_the_same_command_after_hour_0_goes_on_with_its_watch(tmp_path: Path) -> None:
    """Also later than the tolerance: a container that starts again opens no second watch."""
    with Rehearsal.start(seed=1, faults=(), t0=T0) as rehearsal:
        clocked = Clocked(rehearsal, tmp_path / "reports")
        command = [sys.executable, "-m", "hour24", "watch", f"--t0={T0.isoformat()}", "--port=-1"]
        command += ["--target", str(clocked.toml), "--reports", str(clocked.reports)]
        names = []
        for minutes in (-30, 90):
            now = T0 + timedelta(minutes=minutes)
            rehearsal.set_time(now)
            watching = clocked.start(command, offset(now))
            try:
                clocked.until(watching, lambda: "Z watch " in clocked.log)
            finally:
                watching.send_signal(signal.SIGTERM)
                watching.wait(60)
            names.append(clocked.log.partition("Z watch ")[2].partition(":")[0])
            folders = [path.name for path in clocked.reports.iterdir() if path.is_dir()]
            assert folders == names[:1]
        assert names[0] == names[1]


def test_without_a_watch_it_says_how_to_open_one(served: Rehearsal, tmp_path: Path) -> None:
    """Exit 4, both ways named."""
    refused = hour24("probe", "--target", served.toml, "--reports", tmp_path, **served.environ)
    assert refused.returncode == 4
    assert "pytest -m hour0" in refused.stdout
    assert "--t0" in refused.stdout
