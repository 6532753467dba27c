"""``hour24 watch``: its page, its lock, and which checkpoint it runs."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hour24.clock import SteppingClock
from hour24.ledger.journal import Journal
from hour24.live.checkpoints import Checkpoints
from hour24.live.server import LivePage
from hour24.live.taking_over import running
from hour24.report import live
from tests import small_watch
from tests.small_watch import T0, record, watch_of


@pytest.fixture
def page(tmp_path: Path) -> Iterator[LivePage]:
    (tmp_path / "index.html").write_text("<p>the grid</p>", "utf-8")
    (tmp_path / "watch.json").write_text("{}", "utf-8")
    server = LivePage(lambda: "<p>live</p>", tmp_path)
    yield server
    server.close()


def fetched(page: LivePage, path: str = "/", method: str = "GET", **headers: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Host": f"127.0.0.1:{page.port}", **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response, body


def test_the_page_reloads_itself_without_javascript(page: LivePage) -> None:
    """By its header; its policy allows no script and no other origin."""
    response, body = fetched(page)
    assert (response.status, body) == (200, "<p>live</p>")
    assert response.getheader("Refresh") == "5"
    assert "default-src 'none'" in response.getheader("Content-Security-Policy")
    assert "script" not in response.getheader("Content-Security-Policy")
    assert response.getheader("Cache-Control") == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:2424", "", "127.0.0.1", "[::1]:80"])
def test_a_name_that_was_rebound_to_loopback_is_refused(page: LivePage, host: str) -> None:
    """Only this server's own address may be the Host of a request."""
    response, body = fetched(page, Host=host)
    assert response.status == 421
    assert "live" not in body


def test_localhost_is_its_own_address(page: LivePage) -> None:
    assert fetched(page, Host=f"localhost:{page.port}")[0].status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_sent_to_it(page: LivePage, method: str) -> None:
    assert fetched(page, method=method)[0].status == 501


@pytest.mark.parametrize(
    "path",
    ["/watch.json", "/../watch.json", "/hour08.a1.json", "/%2e%2e/index.html", "/x/index.html",
     "/hour08.a1.html/../watch.json", "/index.html?x=1"],
)  # fmt: skip
def test_only_pages_of_the_watch_are_served(page: LivePage, path: str) -> None:
    assert fetched(page, path)[0].status == 404


def test_a_page_of_the_watch_is_served_as_it_is(page: LivePage) -> None:
    assert fetched(page, "/index.html")[1] == "<p>the grid</p>"


def test_it_listens_on_loopback_alone(page: LivePage) -> None:
    assert page._server.server_address[0] == "127.0.0.1"


def test_a_page_that_cannot_be_made_ends_nothing(tmp_path: Path) -> None:
    def fails() -> str:
        raise ValueError("secret detail")

    server = LivePage(fails, tmp_path)
    try:
        for _ in range(2):
            response, body = fetched(server)
            assert response.status == 500
            assert "ValueError" in body
            assert "secret detail" not in body
    finally:
        server.close()


def test_it_shows_the_grid_the_next_checkpoint_and_what_is_being_asked(tmp_path: Path) -> None:
    """And what a service under watch wrote is text."""
    ledger = watch_of(tmp_path, record(0))
    progress = live.Progress(
        doing=("running hour 4",),
        probes=("health 5/6 (1 x <script>alert(1)</script>)",),
        said=((T0, "hour 0: PASS"),),
        next_hour=4,
    )
    html = live.text(ledger, T0 + timedelta(hours=1), progress)
    assert "running hour 4" in html
    assert "hour 4, " in html
    assert "3.0 h" in html or "3 h" in html
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "ERRORS-COUNT" in html
    assert 'href="hour00.a1.html"' in html


# --- one at a time ----------------------------------------------------------------------------


def _hold(folder: str, ready: Any) -> None:
    with running(Path(folder)) as holder:
        ready.put(holder)
        time.sleep(60)


def test_a_second_one_waits_and_takes_over_when_the_first_is_killed(tmp_path: Path) -> None:
    """The kernel frees the lock of whoever dies."""
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    first = context.Process(target=_hold, args=(str(tmp_path), ready), daemon=True)
    first.start()
    assert ready.get(timeout=30) == ""
    with running(tmp_path) as holder:
        assert holder.startswith(f"process {first.pid} on ")
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    first.join(10)
    with running(tmp_path) as holder:
        assert holder == ""


# --- which checkpoint -------------------------------------------------------------------------

WRITES = """
import sys
sys.path.insert(0, {root!r})
from tests.small_watch import record
from hour24.ledger.book import Ledger
from pathlib import Path
hour = int(sys.argv[1])
ledger = Ledger(Path({folder!r}))
ledger.write(record(hour, attempt=ledger.next_attempt(hour)))
"""


def checkpoints(folder: Path, clock: SteppingClock, script: str, said: list[str]) -> Checkpoints:
    ledger = watch_of(folder)
    text = script.format(root=str(Path(__file__).parents[1]), folder=str(ledger.folder))

    def command(hour: int, once: bool) -> list[str]:
        return [sys.executable, "-c", text, str(hour), str(once)]

    return Checkpoints(ledger, clock, command, str(folder), said.append)


def test_each_checkpoint_is_run_when_it_is_due_and_missed_ones_oldest_first(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    clock = SteppingClock(T0 - timedelta(minutes=1))
    live_ones = checkpoints(tmp_path, clock, WRITES, said)
    assert live_ones.attend()
    assert said == []
    clock.step_to(T0 + timedelta(hours=9))
    while (hour := live_ones.next_due()) is not None and hour <= 9:
        live_ones.attend()
    assert [line.partition(":")[0] for line in said] == ["hour 0", "hour 4", "hour 8"]
    assert live_ones.next_due() == 12
    assert [(one.hour, one.attempt) for one in live_ones.ledger.records()] == [
        (0, 1),
        (4, 1),
        (8, 1),
    ]


def test_a_run_without_a_record_is_tried_again_after_pauses_that_grow(tmp_path: Path) -> None:
    said: list[str] = []
    clock = SteppingClock(T0)
    live_ones = checkpoints(tmp_path, clock, "import sys; sys.exit('no room')", said)
    for _ in range(200):
        live_ones.attend()
        clock.sleep(1)
    assert len(said) == 4  # at 0, 15, 75 and 195 s
    assert "hour 0: no record (exit code 1): no room; again in 15 s" in said[0]


def test_a_checkpoint_that_another_process_records_is_left_to_it(tmp_path: Path) -> None:
    said: list[str] = []
    live_ones = checkpoints(tmp_path, SteppingClock(T0), WRITES, said)
    with live_ones.ledger.locked(0):
        live_ones.attend()
    assert said == []


def test_a_killed_run_gets_its_record_and_is_run_again(tmp_path: Path) -> None:
    """Its journal is rebuilt as the first attempt; the second one is whole."""
    said: list[str] = []
    live_ones = checkpoints(tmp_path, SteppingClock(T0), WRITES, said)
    begun = json.loads(__import__("msgspec").json.encode(record(0)))
    journal = Journal(live_ones.ledger.folder / "journal" / "hour00.a1.jsonl")
    journal.write({"kind": "begin", "record": begun, "at": 0})
    journal.close()
    live_ones._rebuild()
    assert live_ones.ledger.records(0)[0].interrupted
    live_ones.attend()
    assert [bool(one.interrupted) for one in live_ones.ledger.records(0)] == [True, False]
    assert live_ones.next_due() == 4


def test_a_decision_to_run_again_is_followed_once(tmp_path: Path) -> None:
    said: list[str] = []
    clock = SteppingClock(T0)
    script = WRITES.replace(
        "attempt=ledger.next_attempt(hour)",
        "attempt=ledger.next_attempt(hour), decision={{'action': 'RETRY', 'rule': 'r'}}",
    )
    live_ones = checkpoints(tmp_path, clock, script, said)
    for _ in range(20):
        live_ones.attend()
        clock.sleep(60)
    assert len(live_ones.ledger.records(0)) == 2


def test_it_is_finished_when_every_checkpoint_is_recorded(tmp_path: Path) -> None:
    said: list[str] = []
    clock = SteppingClock(T0 + timedelta(hours=25))
    live_ones = checkpoints(tmp_path, clock, WRITES, said)
    for _ in small_watch.WATCH.hours:
        assert live_ones.attend()
    assert not live_ones.attend()
    assert len(said) == 7
