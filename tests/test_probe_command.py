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

import pytest

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
