"""A production in trouble: who is notified and when, the rollback, and the next watch."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hour24.ledger.book import Genesis, Ledger
from hour24.rehearsal.client import Rehearsal
from tests.answering import Answer, Asked, Server, free_port
from tests.outside import Outside, Ran
from tests.played import ROOT, T0, hour24, rehearsed

pytestmark = pytest.mark.suite("outside", short=14)

SECRET = "q7Zk2Wd9Xr4T"
DOES = ("--by", "Mara Lind", "--because", "sessions are lost")


class Receiver:
    """Takes what apprise sends, and signs of life."""

    def __init__(self) -> None:
        self.server = Server(Answer(body=b"OK"))

    @property
    def variables(self) -> dict[str, str]:
        return {
            "HOUR24_ALERT_URLS": f"json://mara:{SECRET}@127.0.0.1:{self.server.port}/hook",
            "HOUR24_HEARTBEAT_URL": f"{self.server.url}/ping/{SECRET}",
        }

    def taken(self) -> tuple[list[dict[str, Any]], list[str]]:
        """Return the messages and heartbeats since the last call."""
        asked, self.server.asked = self.server.asked, []
        signs = [each.path for each in asked if each.path.startswith("/ping/")]
        return [json.loads(each.body) for each in asked if each.method == "POST"], [
            path.removeprefix(f"/ping/{SECRET}") for path in signs
        ]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.close()


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Outside]:
    """A production that gets a faulty deploy at hour 1."""
    folder = tmp_path_factory.mktemp("production")
    made = Outside(folder, "bad_deploy@1", **receiver.variables)
    yield made
    made.close()


@pytest.fixture(scope="module")
def begun(
    production: Outside, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Its watch at hour 0: only two heartbeats were sent, for the start and the good end."""
    reports = tmp_path_factory.mktemp("reports")
    _, done = production.checkpoint(reports, 0)
    assert done.returncode == 0, done.stdout
    assert receiver.taken() == ([], ["/start", ""])
    return reports / "w"


def nothing_leaked(folder: Path, *text: Ran) -> None:
    """No secret in the terminal, in the ledger, on the pages."""
    assert all(SECRET not in done.stdout for done in text)
    for path in folder.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
    assert list(folder.rglob("*.quarantined")) == []


def entries(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [each.content for each in Ledger(folder).entries() if each.kind == kind]


def test_a_fault_is_rolled_back_and_followed_by_a_new_watch(
    production: Outside, receiver: Receiver, begun: Path, tmp_path: Path
) -> None:
    """An alert, the rollback, another decision; the new watch knows the old one."""
    watch = Path(shutil.copytree(begun, tmp_path / "w"))
    record, done = production.checkpoint(tmp_path, 4)
    assert (done.returncode, (record.decision or {})["action"]) == (1, "ROLL BACK")
    (message,), beats = receiver.taken()
    assert beats == ["/start", "/fail"]
    assert message["title"] == "ROLL BACK: platform-api production, hour 4 of w"
    assert "Causes: code 9" in message["message"]
    assert "Call on call: The rehearsal's engineer, across the room" in message["message"]

    production.at(4.1)
    plan = production.hour24("rollback", watch)
    assert plan.returncode == 0, plan.stdout
    assert "Nothing was changed" in plan.stdout
    refused = production.hour24("rollback", watch, "--yes", "another")
    assert refused.returncode == 4
    for text in ("--by: ", "--because: ", "--yes: expected the watch's name w, got another"):
        assert text in refused.stdout
    assert entries(watch, "rollback") == []
    back = production.hour24("rollback", watch, "--yes", "w", *DOES)
    assert back.returncode == 0, back.stdout
    assert "is live; health PASS" in back.stdout
    begin, end = entries(watch, "rollback")
    assert (begin["result"], end["result"]) == ("begun", "done")
    assert end["by"] == "Mara Lind"
    assert end["end"] - end["start"] == pytest.approx(300, abs=30)  # the runbook's five minutes
    assert production.served.state()["auto_deploy"] is False

    record, done = production.checkpoint(tmp_path, 8)
    restarts = [each for each in record.criteria if each.id == "RESTARTS"]
    assert [str(each.outcome) for each in restarts] == ["PASS"], restarts
    assert "declared" in restarts[0].reason
    assert (record.decision or {})["action"] in ("HOLD", "ALERT")
    (message,), beats = receiver.taken()
    assert message["title"].startswith("changed: ")
    assert [each["problems"] for each in entries(watch, "alert")] == [[], []]

    production.at(8.5)
    followed = production.pytest(
        "-m", "hour0", "--watch=x", "--follows=w", f"--reports={tmp_path}", "--no-header"
    )
    assert followed.returncode == 0, followed.stdout
    new = Ledger(tmp_path / "x")
    assert (new.genesis.follows, new.genesis.t0) == ("w", production.now)
    assert str(new.records(0)[0].outcome) == "PASS", followed.stdout
    assert receiver.taken() == ([], ["/start", ""])
    assert "w" in (tmp_path / "x" / "index.html").read_text("utf-8")
    nothing_leaked(tmp_path, plan, back, done, followed)
    verified = production.hour24("verify", watch)
    assert verified.returncode == 0, verified.stdout


def test_the_end_is_sent_even_if_the_alert_did_not_arrive(
    production: Outside, receiver: Receiver, begun: Path, tmp_path: Path
) -> None:
    """No connection, a refusal, a timeout: each is recorded and fails nothing."""
    watch = Path(shutil.copytree(begun, tmp_path / "w"))
    production.set_faults("log_errors@1..7")

    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/refuses"):
            return Answer(status=500)
        if asked.path.startswith("/slow"):
            time.sleep(6.0)  # apprise waits for 4 s
        return Answer(body=b"OK")

    with Server(answer) as server:
        here = f"mara:{SECRET}@127.0.0.1:{server.port}"
        closed = f"json://mara:{SECRET}@127.0.0.1:{free_port()}/"
        addresses = [closed, f"json://{here}/refuses", f"json://{here}/slow", f"json://{here}/good"]
        record, first = production.checkpoint(
            tmp_path,
            4,
            HOUR24_ALERT_URLS=" ".join(addresses),
            HOUR24_HEARTBEAT_URL=f"http://127.0.0.1:{free_port()}/{SECRET}",
        )
        assert len([each for each in server.asked if each.path.startswith("/good")]) == 1
    assert (first.returncode, (record.decision or {})["action"]) == (1, "HOLD")
    (entry,) = entries(watch, "alert")
    assert entry["addresses"] == 4
    assert [problem.rpartition(", ")[2] for problem in entry["problems"]] == [
        "address 1 of 4)", "address 2 of 4)", "address 3 of 4)",
    ]  # fmt: skip
    shown = " ".join(first.stdout.split())
    for text in ("address 1 of 4", "address 2 of 4", "address 3 of 4"):
        assert text in shown
    for beat in ("start", "fail"):
        assert f"heartbeat: {beat}: expect" in shown
    assert receiver.taken() == ([], [])

    _, second = production.checkpoint(tmp_path, 8)
    (message,), beats = receiver.taken()
    assert message["title"] == "reminder: HOLD: platform-api production, hour 8 of w"
    assert beats == ["/start", "/fail"]
    record, third = production.checkpoint(tmp_path, 12)
    assert (record.decision or {})["action"] == "PROCEED", third.stdout
    (message,), beats = receiver.taken()
    assert (message["title"], beats) == (
        "over: platform-api production, hour 12 of w",
        ["/start", ""],
    )
    assert "still open from earlier checkpoints: LOGS-ERRORS at hour 4" in message["message"]
    nothing_leaked(tmp_path, first, second, third)
    verified = production.hour24("verify", watch)
    assert verified.returncode == 0, verified.stdout


# --- between the checkpoints ----------------------------------------------------------------------

TOML = """
[service]
name = "voice"
environment = "production"
time_zone = "UTC"
control_url = "{url}/control"
[health]
url = "{url}/health"
schema = "health.schema.json"
interval_s = 1
timeout_s = 1.0
[[contacts]]
role = "on call"
name = "Cy Li"
reach = "+49 3"
"""


def small(folder: Path, url: str) -> Path:
    """A production with only a health endpoint and a watch that began a minute ago."""
    shutil.copy(ROOT / "schemas" / "health.schema.json", folder)
    path = folder / "production.toml"
    path.write_text(TOML.format(url=url), "utf-8")
    return path


def test_the_prober_alerts_at_once_and_is_not_delayed_by_it(tmp_path: Path) -> None:
    """Five seconds of 503; one receiver answers at once, the other one slowly."""

    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/slow"):
            time.sleep(3.0)
        bad = asked.path == "/health"
        return Answer(status=503 if bad else 200, body=b'{"status": "@everyone"}')

    with Server(answer) as server:
        toml = small(tmp_path, server.url)
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        service = {"name": "voice", "environment": "production", "release": ""}
        ledger = Ledger.create(tmp_path, Genesis(
            name="w", t0=now, zone="UTC", hours=(0, 4, 8, 12, 16, 20, 24), tolerance_s=1800.0,
            settle_s=300.0, target=str(toml), service=service, limits="0" * 64, opened=now,
        ))  # fmt: skip
        here = f"json://mara:{SECRET}@127.0.0.1:{server.port}"
        closed = f"json://mara:{SECRET}@127.0.0.1:{free_port()}/"
        prober = subprocess.Popen(
            [sys.executable, "-m", "hour24", "probe", "--target", toml, "--reports", tmp_path],
            cwd=ROOT,
            env={**os.environ, "HOUR24_ALERT_URLS": f"{here}/slow {here}/good {closed}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        began = time.monotonic()
        while not any(each.path == "/good" for each in server.asked):
            assert time.monotonic() - began < 30
            time.sleep(0.1)
        time.sleep(4.0)
        prober.send_signal(signal.SIGINT)
        output, _ = prober.communicate(timeout=40)
    (text,) = [json.loads(each.body) for each in server.asked if each.path == "/good"]
    assert text["title"] == "ALERT: voice production, error rate"
    assert "Call on call: Cy Li, +49 3" in text["message"]
    health = [each.at for each in server.asked if each.path == "/health"]
    assert max(b - a for a, b in pairwise(health)) < 2.0
    (entry,) = entries(ledger.folder, "alert")
    assert (entry["by"], entry["because"]) == ("hour24 probe", text["title"])
    assert [problem[-15:] for problem in entry["problems"]] == ["address 3 of 3)"]
    assert "address 3 of 3" in output
    assert "1 alerts did not reach every address" in output
    assert SECRET not in output
    assert b"@everyone" not in b"".join(each.body for each in server.asked)
    nothing_leaked(ledger.folder)


def test_the_doctor_tries_the_alerts(tmp_path: Path) -> None:
    """Sent; or a line, and one more problem, for each address that does not take it."""
    with Server(Answer(body=b"{}")) as server:
        command = ("doctor", "--target", small(tmp_path, server.url), "--alert")
        address = f"json://mara:{SECRET}@127.0.0.1"
        good = hour24(*command, HOUR24_ALERT_URLS=f"{address}:{server.port}/hook")
        assert "ok   alerts" in good.stdout
        (hook,) = [each for each in server.asked if each.path == "/hook"]
        assert json.loads(hook.body)["title"] == "test: voice production"
        bad = hour24(*command, HOUR24_ALERT_URLS=f"{address}:{free_port()}/hook")
    assert bad.returncode == 1
    assert "NOT  alerts" in bad.stdout
    assert "address 1 of 1" in bad.stdout
    wrong = [int(done.stdout.split(" problem")[-2].split()[-1]) for done in (good, bad)]
    assert wrong[1] == wrong[0] + 1
    assert SECRET not in good.stdout + bad.stdout


# --- a rehearsal ----------------------------------------------------------------------------------


def test_a_rehearsal_that_is_served_can_be_rolled_back(tmp_path: Path) -> None:
    """Its clock goes along with the wait; a watch of one that is gone says what it needs."""
    assert rehearsed(tmp_path, (0,), "bad_deploy@1").returncode == 0
    gone = hour24("rollback", tmp_path / "w")
    assert gone.returncode == 4
    assert "--rehearsal-at" in gone.stdout
    with Rehearsal.start(1, ["bad_deploy@1"], T0, hour=4) as served:
        where = tmp_path / "rehearsal.json"
        where.write_text(served.to_json(), "utf-8")
        done = hour24("rollback", tmp_path / "w", "--rehearsal-at", where, "--yes", "w", *DOES)
        assert done.returncode == 0, done.stdout
        assert "REHEARSAL: rollback of platform-api" in done.stdout
        assert "is live; health PASS" in done.stdout
        now = datetime.fromisoformat(served.state()["now"])
        assert now >= T0 + timedelta(hours=4, seconds=300)
    assert [each["result"] for each in entries(tmp_path / "w", "rollback")] == ["begun", "done"]
