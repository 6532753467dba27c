"""A clock that jumps forwards and back while ``hour24 watch`` runs."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from hour24.clock import SteppingClock
from hour24.live import own_clock
from hour24.live.own_clock import OwnClock
from hour24.rehearsal.client import Rehearsal
from tests.answering import Answer, Server
from tests.clocks import Clocked, offset
from tests.played import T0
from tests.test_kept import WATCH, Asker, Book

NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)


@pytest.fixture
def control() -> Iterator[Server]:
    with Server(Answer(headers={"Date": format_datetime(NOW, usegmt=True)})) as server:
        yield server


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_clock, "ASK_EVERY_S", 0.0)


@pytest.mark.parametrize(
    ("apart_s", "says"),
    [
        (7200, "the clock of this machine is 2 h ahead of the control address's: correct it; "),
        (-600, "the clock of this machine is 10 min behind the control address's: correct it; "),
        (299, ""),
        (-299, ""),
    ],
)
def test_a_clock_is_compared_with_the_control_address(
    control: Server, apart_s: float, says: str
) -> None:
    """Five minutes apart, as for every source."""
    clock = SteppingClock(NOW + timedelta(seconds=apart_s))
    found = OwnClock(control.url, clock).problem()
    assert found.startswith(says) if says else not found


@pytest.mark.parametrize(
    "headers", [{}, {"Date": "soon"}, {"Date": format_datetime(NOW, usegmt=True), "Age": "7200"}]
)
def test_a_control_address_that_states_no_time_delays_nothing(headers: dict[str, str]) -> None:
    """Nor does one with a stored answer, or without any."""
    clock = SteppingClock(NOW + timedelta(hours=2))
    with Server(Answer(headers=headers)) as server:
        assert OwnClock(server.url, clock).problem() == ""
    assert OwnClock(server.url, clock).problem() == ""


def test_a_checkpoint_waits_for_the_clock_for_half_an_hour_at_most(
    control: Server, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control address may be the wrong one."""
    steady = [0.0]
    monkeypatch.setattr(own_clock, "steady_s", lambda: steady[0])
    ours = OwnClock(control.url, SteppingClock(NOW + timedelta(hours=2)))
    found = []
    for steady[0] in (0.0, 1799.0, 1800.0):
        found.append(bool(ours.problem()))
    assert found == [True, True, False]


class Jumping(SteppingClock):
    """A clock that can go back."""

    def jump_to(self, time: datetime) -> None:
        self._now = time


def test_a_checkpoint_that_the_clock_jumped_over_is_asked_for_when_it_is_back(
    tmp_path: Path,
) -> None:
    """It was too late only by the wrong clock."""
    said: list[str] = []
    clock = Jumping(WATCH.t0 - timedelta(minutes=5))
    command = [sys.executable, "-c", "pass"]
    asker = Asker(WATCH, Book(), clock, lambda hour: command, str(tmp_path), said.append)
    asker.close()  # its thread: each time is handled here
    clock.jump_to(WATCH.t0 + timedelta(hours=30))
    assert not asker.attend()
    clock.jump_to(WATCH.t0)
    assert asker.attend()
    assert said == ["hour 0: asked what exists only now, and kept the answers"]


def test_a_watch_survives_a_clock_that_jumps_over_hours_and_comes_back(tmp_path: Path) -> None:
    """No checkpoint is recorded at the wrong time; the one that is due is recorded at its own."""
    with Rehearsal.start(seed=1, faults=(), t0=T0) as served:
        clocked = Clocked(served, tmp_path / "reports")
        clocked.open()
        clocked.simulate(0)
        due = clocked.ledger.watch.checkpoint(0).due
        served.set_time(due)
        clock, before = tmp_path / "clock", due - timedelta(seconds=100)
        right = offset(before)
        clock.write_text(right, "utf-8")
        process = clocked.start(
            [sys.executable, "-m", "hour24", "watch", "--reports", str(clocked.reports),
             "--watch", "w", "--port=-1"],
            str(clock),
        )  # fmt: skip
        clocked.until(process, lambda: "watch w: " in clocked.log)
        clock.write_text(f"{float(right) + 5 * 3600:.3f}", "utf-8")
        clocked.until(process, lambda: "ahead of the control address's" in clocked.log)
        assert "the clock of this machine is 4 h 5" in clocked.log
        assert clocked.ledger.records() == ()
        clock.write_text(offset(due - timedelta(seconds=1)), "utf-8")
        clocked.until(process, lambda: bool(clocked.ledger.records(0)))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, clocked.log
        verdicts = clocked.verdicts(0)
        assert "INCONCLUSIVE source_clock" not in verdicts.values()
        assert verdicts["DB-ONLINE"] == "PASS"
        assert clocked.ledger.records(4) == ()
