"""``hour24 watch`` killed at random times of a day: no record is missing, none is there twice."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.json import Decoder

from hour24.ledger.verify import verify
from hour24.probes.lines import Minute, decode_lines
from hour24.rehearsal.client import Rehearsal
from tests.clocks import Clocked, offset
from tests.played import T0

HOURS = (0, 4, 8, 12, 16, 20, 24)
KILLS = {"short": 6, "full": 50}
PROBED_S = 11.0
"""Time for one health probe, which is due every 10 s."""
RESTART_S = 10.0
"""Longest time from a kill until the next process probes, on a slow machine."""


@pytest.fixture(scope="module")
def served() -> Iterator[Rehearsal]:
    with Rehearsal.start(seed=1, faults=(), t0=T0) as rehearsal:
        yield rehearsal


class Day(Clocked):
    """A watch that ``hour24 watch`` runs, around each due time."""

    def watch_hour(self, hour: int, kills: Sequence[float]) -> float:
        """Let it pass a due time, killed after each of these seconds. Returns: seconds it took."""
        point = self.ledger.watch.checkpoint(hour)
        self.simulate(hour)
        self.served.set_time(point.due)
        clock, began = offset(point.due - timedelta(seconds=4)), time.monotonic()
        for after_s in kills:
            process = self.started(clock)
            time.sleep(after_s)
            process.kill()
            process.wait()
        process = self.started(clock)
        self.until(process, lambda: "watch w: " in self.log)
        self.until(process, lambda: any(not one.interrupted for one in self.ledger.records(hour)))
        time.sleep(PROBED_S)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (0, 1), self.log
        return time.monotonic() - began

    def started(self, clock: str, *more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "hour24", "watch", "--reports", str(self.reports)]
        command += ["--watch", "w", "--port=-1", *more]
        return self.start(command, clock)


def played(day: Day, hours: Sequence[int], kills: int, seed: int) -> float:
    """Run a day with so many kills at random times. Returns: seconds that were watched."""
    chance = random.Random(seed)
    day.open()
    each = [[] for _ in hours]
    for number in range(kills):
        each[number % len(hours)].append(chance.uniform(0.1, 7.0))
    return sum(day.watch_hour(hour, own) for hour, own in zip(hours, each, strict=True))


@pytest.mark.timeout(1800)
def test_kills_at_random_times_cost_no_record_and_change_no_verdict(
    served: Rehearsal, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """At random times: starting, probing, asking, judging, writing."""
    full = pytestconfig.option.full
    hours, kills = (HOURS, KILLS["full"]) if full else (HOURS[:2], KILLS["short"])
    calm, killed = Day(served, tmp_path / "calm"), Day(served, tmp_path / "killed")
    played(calm, hours, 0, 0)
    watched_s = played(killed, hours, kills, pytestconfig.option.sample)
    for hour in hours:
        whole = [one for one in killed.ledger.records(hour) if not one.interrupted]
        assert len(whole) == 1, hour
        assert killed.verdicts(hour) == calm.verdicts(hour), hour
    assert not [each for each in verify(killed.reports / "w") if not each.ok]
    # the watch and its probes end when hour 24 is due: a process started after that probes nothing
    holes = _holes(killed, [hour for hour in hours if hour < 24])
    assert sum(holes) <= kills * (60.0 + RESTART_S) + watched_s / len(hours)


def _holes(day: Day, hours: Sequence[int]) -> list[float]:
    """Seconds without a health probe around each due time, by the real probers' lines."""
    found = []
    for hour in hours:
        due = day.ledger.watch.checkpoint(hour).due.timestamp()
        lines = [
            line
            for path in (day.reports / "w" / "probe").glob("*.jsonl")
            if not path.name.startswith("rehearsal-")
            for _, line in decode_lines(path, Decoder(Minute))
            if line.kind == "health" and abs(line.minute.timestamp() - due) < 900
        ]
        assert lines, hour
        starts = sorted(line.minute.timestamp() + line.first * line.interval_s for line in lines)
        ends = sorted(
            line.minute.timestamp() + (line.first + line.due) * line.interval_s for line in lines
        )
        found.append(max(0.0, ends[-1] - due - sum(line.due * line.interval_s for line in lines)))
        assert starts[0] <= ends[-1]
    return found


def test_a_second_one_takes_over_within_seconds_and_records_nothing_twice(
    served: Rehearsal, tmp_path: Path
) -> None:
    """The first is killed while hour 0 is being recorded; the second one waits until then."""
    day = Day(served, tmp_path)
    day.open()
    day.simulate(0)
    due = day.ledger.watch.checkpoint(0).due
    served.set_time(due)
    clock = offset(due - timedelta(seconds=3))
    first = day.started(clock)
    day.until(first, lambda: "watch w: " in day.log)
    second = day.started(clock)
    day.until(second, lambda: f"is run by process {first.pid}" in day.log)
    day.until(second, lambda: any((day.reports / "w" / "journal").glob("hour00*")))
    first.kill()
    first.wait()
    killed_at = time.monotonic()
    day.until(second, lambda: "watch w: " in day.log)
    assert time.monotonic() - killed_at < RESTART_S
    day.until(second, lambda: any(not one.interrupted for one in day.ledger.records(0)))
    second.send_signal(signal.SIGTERM)
    assert second.wait(60) == 0
    assert len([one for one in day.ledger.records(0) if not one.interrupted]) == 1


def test_its_page_is_live(served: Rehearsal, tmp_path: Path) -> None:
    """With the grid, the probes and the next checkpoint, while hour 0 is being recorded."""
    day = Day(served, tmp_path)
    day.open()
    due = day.ledger.watch.checkpoint(0).due
    served.set_time(due)
    process = day.started(offset(due - timedelta(seconds=2)), "--port=0")
    try:
        day.until(process, lambda: "live page: http://127.0.0.1:" in day.log)
        url = day.log.partition("live page: ")[2].split()[0]
        day.until(process, lambda: any(day.ledger.records(0)))
        with urllib.request.urlopen(url, timeout=20) as response:
            html = response.read().decode()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert "hour 4, " in html
    assert "BASELINE-RECORDED" in html
