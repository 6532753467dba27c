"""Quiet hours: what can wait is deferred in the ledger and summed up at their end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hour24.alerts import Delivery, Message, alarm_message, next_message
from hour24.alerts.quiet import QuietHours
from hour24.ledger.book import Ledger
from hour24.ledger.verify import verify
from hour24.probes.lines import Alarm
from hour24.rehearsal.client import Rehearsal
from hour24.secrets import Secret
from tests import small_watch as small
from tests.answering import Answer, Server, free_port
from tests.clocks import Clocked, offset
from tests.evidence_of import judged, record
from tests.played import ROOT
from tests.played import T0 as REHEARSED

T0 = datetime(2026, 11, 24, 12, tzinfo=UTC)
NIGHT = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
MORNING = datetime(2026, 11, 25, 7, 0, tzinfo=UTC)
BERLIN = "Europe/Berlin"


# --- which hours they are -----------------------------------------------------------------------


def quiet_minutes(stated: str, zone: str, first: datetime, hours: int) -> list[str]:
    """Return the beginnings and ends of the quiet hours in these hours, in UTC."""
    quiet = QuietHours(stated=stated, zone=zone, until=first + timedelta(days=9))
    edges, before = [], quiet.end(first) is not None
    for minute in range(60 * hours):
        at = first + timedelta(minutes=minute)
        if (quiet.end(at) is not None) is not before:
            before = not before
            edges.append(f"{at:%d %H:%M}")
    return edges


@pytest.mark.parametrize(
    ("stated", "edges"),
    [
        ("22:00-07:00", ["24 22:00", "25 07:00"]),
        ("01:00-05:30", ["25 01:00", "25 05:30"]),
        ("", []),
    ],
)
def test_quiet_hours_begin_and_end_once_a_night(stated: str, edges: list[str]) -> None:
    """Across midnight, after it, or not at all."""
    assert quiet_minutes(stated, "UTC", T0, 24) == edges


@pytest.mark.parametrize(
    ("stated", "day", "edges"),
    [
        # 02:00 to 03:00 is left out in the night to 29 March: 01:00Z is 03:00
        ("22:00-07:00", datetime(2026, 3, 28, 12, tzinfo=UTC), ["28 21:00", "29 05:00"]),
        ("22:00-02:30", datetime(2026, 3, 28, 12, tzinfo=UTC), ["28 21:00", "29 01:00"]),
        ("02:30-06:00", datetime(2026, 3, 28, 12, tzinfo=UTC), ["29 01:00", "29 04:00"]),
        # 02:00 to 03:00 comes twice in the night to 25 October, at 00:00Z and at 01:00Z
        ("22:00-07:00", datetime(2026, 10, 24, 12, tzinfo=UTC), ["24 20:00", "25 06:00"]),
        ("22:00-02:30", datetime(2026, 10, 24, 12, tzinfo=UTC), ["24 20:00", "25 01:30"]),
        ("02:30-06:00", datetime(2026, 10, 24, 12, tzinfo=UTC), ["25 00:30", "25 05:00"]),
    ],
)
def test_quiet_hours_follow_the_clock_on_the_wall_when_it_changes(
    stated: str, day: datetime, edges: list[str]
) -> None:
    """Once a night, also where an hour is left out or comes twice."""
    assert quiet_minutes(stated, BERLIN, day, 24) == edges


def test_nothing_waits_once_the_watch_has_ended() -> None:
    """No process would be left to send it."""
    quiet = QuietHours(stated="22:00-07:00", zone="UTC", until=NIGHT)
    assert quiet.end(NIGHT - timedelta(minutes=1)) == NIGHT
    assert quiet.end(NIGHT) is None


# --- what waits ---------------------------------------------------------------------------------


def alarm(rule: str = "health_failing", *, over: bool = False) -> Message:
    made = Alarm(at=NIGHT, rule=rule, since=NIGHT, says="health has failed for 130 s", over=over)
    return alarm_message(made, "voice production")


def decided(action: str, outcome: str, hour: int = 4, **more: Any) -> Any:
    decision = {"action": action, "rule": "a rule", "why": "numbers"}
    return record(judged("DB-POOL", outcome, "pool"), hour=hour, decision=decision, **more)


def test_a_new_failure_never_waits() -> None:
    """What is INCONCLUSIVE, a reminder, a recovery and our own network's outage can."""
    failing, unknown = decided("HOLD", "FAIL"), decided("HOLD", "INCONCLUSIVE")
    later, over = decided("HOLD", "FAIL", 8), decided("PROCEED", "PASS", 12)
    found = [
        next_message(failing, []),
        next_message(decided("ALERT", "INCONCLUSIVE"), []),
        next_message(later, [unknown]),
        alarm(),
        next_message(unknown, []),
        next_message(later, [failing]),
        next_message(over, [failing, later]),
        alarm(over=True),
        alarm("no_network"),
    ]
    assert [each is not None and each.can_wait for each in found] == [False] * 4 + [True] * 5


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return small.watch_of(tmp_path, t0=T0, opened=T0, zone="UTC")


@pytest.fixture
def chat() -> Iterator[Server]:
    with Server(Answer()) as server:
        yield server


def delivery(ledger: Ledger, chat: Server | None, quiet: str = "22:00-07:00") -> Delivery:
    port = chat.port if chat is not None else free_port()
    urls = [Secret("HOUR24_ALERT_URLS", f"json://127.0.0.1:{port}/hook")]
    return Delivery(ledger, urls, "voice production", lambda text: text, "hour24 probe", quiet)


def titles(chat: Server) -> list[str]:
    return [json.loads(each.body)["title"] for each in chat.asked]


def alerts(ledger: Ledger) -> list[dict[str, Any]]:
    return [each.content for each in ledger.entries() if each.kind == "alert"]


def test_a_failure_in_quiet_hours_is_sent_at_once(ledger: Ledger, chat: Server) -> None:
    """Its end waits for the morning."""
    assert delivery(ledger, chat).deliver(alarm(), NIGHT) == []
    assert delivery(ledger, chat).deliver(alarm(over=True), NIGHT) == []
    assert titles(chat) == ["ALERT: voice production, health failing"]


def test_what_waited_is_summed_up_once_at_the_end(ledger: Ledger, chat: Server) -> None:
    """One message with the time, title and first line of each."""
    sender = delivery(ledger, chat)
    for minutes in (0, 90):
        sender.deliver(alarm(over=True), NIGHT + timedelta(minutes=minutes))
    assert sender.release(MORNING - timedelta(minutes=1)) == []
    assert titles(chat) == []
    assert sender.release(MORNING) == sender.release(MORNING) == []
    assert titles(chat) == ["quiet hours: 2 messages: voice production"]
    assert json.loads(chat.asked[0].body)["message"].splitlines() == [
        "23:30Z over: voice production, health failing",
        "    health has failed for 130 s",
        "01:00Z over: voice production, health failing",
        "    health has failed for 130 s",
    ]
    assert alerts(ledger)[-1]["sums"] == ["alert.1.json", "alert.2.json"]
    assert all(each.ok for each in verify(ledger.folder))


def test_without_quiet_hours_nothing_waits(ledger: Ledger, chat: Server) -> None:
    """As before."""
    delivery(ledger, chat, quiet="").deliver(alarm(over=True), NIGHT)
    assert titles(chat) == ["over: voice production, health failing"]


def test_a_summary_that_cannot_be_sent_is_in_the_ledger_with_its_problem(ledger: Ledger) -> None:
    """As any alert that reached no one."""
    sender = delivery(ledger, None)
    sender.deliver(alarm(over=True), NIGHT)
    (problem,) = sender.release(MORNING)
    assert "expected the message to be accepted" in problem
    assert alerts(ledger)[-1]["problems"] == [problem]


def test_what_waited_is_sent_by_another_process_when_the_first_one_is_killed(
    ledger: Ledger, chat: Server
) -> None:
    """It is in the ledger before anything else happens."""
    code = (
        "import os, signal, sys; from datetime import datetime; from pathlib import Path\n"
        "from hour24.ledger.book import Ledger; from tests.test_quiet_hours import *\n"
        "delivery(Ledger(Path(sys.argv[1])), None).deliver(alarm(over=True), NIGHT)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", code, str(ledger.folder)]
    done = subprocess.run(command, cwd=ROOT, check=False, timeout=120)
    assert done.returncode == -9
    assert delivery(ledger, chat).release(MORNING) == []
    assert titles(chat) == ["quiet hours: 1 message: voice production"]


def test_another_process_that_sends_the_summary_is_left_to_it(ledger: Ledger, chat: Server) -> None:
    """It comes once."""
    sender = delivery(ledger, chat)
    sender.deliver(alarm(over=True), NIGHT)
    with Ledger(ledger.folder).locked(0, "alerts"):
        assert sender.release(MORNING) == []
    assert titles(chat) == []


def test_what_another_process_sent_meanwhile_is_not_sent_again(
    ledger: Ledger, chat: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there before this process has the lock, and gone when it has."""
    sender = delivery(ledger, chat)
    sender.deliver(alarm(over=True), NIGHT)
    found = [sender._deferred(), []]
    monkeypatch.setattr(sender, "_deferred", lambda: found.pop(0))
    assert sender.release(MORNING) == []
    assert (titles(chat), found) == ([], [])


def test_what_cannot_be_entered_in_the_ledger_does_not_wait(ledger: Ledger, chat: Server) -> None:
    """Another machine's clock is 20 minutes ahead: the entry is refused, the message is sent."""
    delivery(ledger, chat).deliver(alarm(), NIGHT + timedelta(minutes=20))
    problems = delivery(ledger, chat).deliver(alarm(over=True), NIGHT)
    assert titles(chat)[1:] == ["over: voice production, health failing"]
    assert "the clock of one machine is wrong: set it and try again" in problems[0]


def test_a_ledger_that_cannot_be_read_stops_no_alert(
    ledger: Ledger, chat: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message goes out; the problem is a line."""
    sender = delivery(ledger, chat)
    ledger.folder.rename(ledger.folder.with_name("away"))
    problems = sender.deliver(alarm(), NIGHT)
    assert titles(chat) == ["ALERT: voice production, health failing"]
    assert len(problems) == 1
    assert "not in the ledger" in problems[0]
    assert "is not sent" in sender.release(MORNING)[0]


def test_the_prober_sends_what_waited_when_the_quiet_hours_end(
    tmp_path: Path, chat: Server
) -> None:
    """The real process, which was not there when it was deferred."""
    with Rehearsal.start(seed=1, faults=(), t0=REHEARSED) as served:
        clocked = Clocked(served, tmp_path / "reports")
        text = clocked.toml.read_text("utf-8")
        clocked.toml.write_text(f'{text}\n[alerts]\nquiet = "22:00-07:00"\n', "utf-8")
        clocked.open()
        due = clocked.ledger.watch.checkpoint(0).due
        assert due == REHEARSED
        delivery(clocked.ledger, None).deliver(alarm(over=True), due + timedelta(minutes=5))
        served.set_time(due + timedelta(minutes=58))
        prober = clocked.start(
            [sys.executable, "-m", "hour24", "probe", "--target", str(clocked.toml),
             "--reports", str(clocked.reports), "--watch", "w"],
            offset(due + timedelta(minutes=59, seconds=50)),
            HOUR24_ALERT_URLS=f"json://127.0.0.1:{chat.port}/hook",
        )  # fmt: skip
        clocked.until(prober, lambda: bool(chat.asked))
        clocked.stop(prober)
        assert titles(chat)[0].startswith("quiet hours: 1 message: ")
        (entry,) = [each for each in alerts(clocked.ledger) if "sums" in each]
        assert datetime.fromisoformat(entry["at"]) >= due + timedelta(hours=1)
