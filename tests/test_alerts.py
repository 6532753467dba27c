"""Who is notified, when and with which text; and the heartbeat."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hour24.alerts import (
    Message,
    alarm_message,
    heartbeat,
    heartbeat_signal,
    message,
    next_message,
    send,
    send_heartbeat,
    sending,
    trial_message,
)
from hour24.config import Alerts
from hour24.ledger.record import Record
from hour24.probes.lines import Alarm
from hour24.secrets import Secret
from hour24.text import escape_for_chat
from tests.answering import Answer, Server, free_port
from tests.evidence_of import judged, record

HOSTILE = "@everyone <!channel> *b* [x](http://evil.example) `rm`\x1b[2J\u202e\n# h\r\x00 |_~\\"


def decided(
    action: str, hour: int = 4, rule: str = "a rule", attempt: int = 1, **more: Any
) -> Record:
    decision = {"action": action, "rule": rule, "why": "numbers"}
    return record(judged("DB-POOL"), hour=hour, attempt=attempt, decision=decision, **more)


def notifications(*records: Record) -> list[str]:
    """Return what is sent after each record in turn, as one word."""
    words = []
    for index, each in enumerate(records):
        found = next_message(each, records[:index])
        words.append("" if found is None else found.title.split(":")[0])
    return words


def test_a_message_is_sent_when_a_decision_changes_and_when_it_is_over():
    """Not at every run; a run without answers in between ends nothing."""
    assert notifications(
        decided("PROCEED", 0),
        decided("HOLD", 4),
        decided("RETRY", 8),
        decided("ALERT", 8, attempt=2),
        decided("PROCEED", 12),
        decided("PROCEED", 16),
        decided("HOLD", 20),
    ) == ["", "HOLD", "", "changed", "over", "", "HOLD"]


def test_another_rule_is_a_change_and_the_same_one_a_reminder():
    """A reminder comes an hour later at the earliest."""
    assert notifications(
        decided("HOLD", 4),
        decided("HOLD", 4, attempt=2),
        decided("HOLD", 4, attempt=3, rule="another"),
        decided("HOLD", 8, rule="another"),
        decided("HOLD", 8, attempt=2, rule="another"),
    ) == ["HOLD", "", "changed", "reminder", ""]


def going_on(*hours: int) -> list[Record]:
    return [decided("HOLD", hour) for hour in hours]


def test_after_so_many_reminders_the_last_one_says_that_no_more_follow():
    """And what would start them again."""
    records = going_on(0, 4, 8, 12, 16, 20)
    assert notifications(*records) == [
        "HOLD",
        "reminder",
        "reminder",
        "last reminder",
        "",
        "",
    ]
    last = next_message(records[3], records[:3])
    assert last is not None
    assert last.body.splitlines()[-1] == (
        "No more reminders of this follow ([alerts] reminders = 3). Another failure or another "
        "decision is sent and starts them again; its end is sent too."
    )
    earlier = next_message(records[2], records[:2])
    assert earlier is not None
    assert "No more reminders" not in earlier.body


def test_another_decision_and_its_end_are_sent_after_the_last_reminder():
    """Reminders start again."""
    before = going_on(0, 4, 8, 12, 16)
    assert notifications(*before, decided("ALERT", 20), decided("ALERT", 24))[-2:] == [
        "changed",
        "reminder",
    ]
    assert notifications(*before, decided("PROCEED", 20))[-1] == "over"


def test_without_reminders_the_first_message_says_so():
    """[alerts] reminders = 0."""
    records = going_on(0, 4)
    first = next_message(records[0], [], Alerts(reminders=0))
    assert first is not None
    assert "No more reminders of this follow ([alerts] reminders = 0)" in first.body
    assert next_message(records[1], records[:1], Alerts(reminders=0)) is None


def failing(hour: int, *failed: str, attempt: int = 1) -> Record:
    names = ("DB-POOL", "DB-SIZE", "TLS-EXPIRY")
    each = [judged(name, "FAIL" if name in failed else "PASS", "x") for name in names]
    decision = {"action": "ALERT", "rule": "a rule", "why": "numbers"}
    return record(*each, hour=hour, attempt=attempt, decision=decision)


def test_another_failure_under_the_same_rule_is_a_message_of_its_own():
    """Also within the hour, and after the last reminder; the message names it."""
    records = [
        *(failing(hour, "DB-POOL") for hour in (0, 4, 8, 12, 16)),
        failing(20, "DB-POOL", "DB-SIZE"),
        failing(20, "DB-POOL", "DB-SIZE", "TLS-EXPIRY", attempt=2),
        failing(24, "DB-POOL"),
    ]
    found = notifications(*records)
    assert found == [
        "ALERT",
        *["reminder"] * 2,
        "last reminder",
        "",
        *["new failure"] * 2,
        "reminder",
    ]
    made = next_message(records[6], records[:6])
    assert made is not None
    assert made.body.splitlines()[0] == "Newly failed: TLS-EXPIRY"
    assert not made.updates
    assert not made.can_wait


def test_a_check_that_failed_again_after_it_passed_is_a_new_failure():
    """While another one went on failing; without an answer in between, it is the same."""
    known = judged("DB-SIZE", "FAIL", "x")
    decision = {"action": "ALERT", "rule": "a rule", "why": "numbers"}
    blind = record(judged("DB-POOL", "INCONCLUSIVE", "late"), known, hour=4, decision=decision)
    assert notifications(failing(0, "DB-POOL", "DB-SIZE"), blind, failing(8, "DB-POOL"))[-1] == (
        "reminder"
    )
    assert notifications(
        failing(0, "DB-POOL", "DB-SIZE"), failing(4, "DB-SIZE"), failing(8, "DB-POOL", "DB-SIZE")
    ) == ["ALERT", "reminder", "new failure"]


def test_what_was_sent_follows_from_the_ledger_alone():
    """Reminders count from the last message; the order of the records does not matter."""
    records = [decided("HOLD", 4, attempt=n) for n in (1, 2)]
    records[1] = record(
        judged("DB-POOL"),
        hour=4,
        attempt=2,
        decision=records[0].decision,
        ended=records[0].ended + timedelta(minutes=50),
    )
    last = record(
        judged("DB-POOL"),
        hour=4,
        attempt=3,
        decision=records[0].decision,
        ended=records[0].ended + timedelta(minutes=61),
    )
    assert next_message(records[1], records[:1]) is None
    assert next_message(last, records) == next_message(last, records[::-1])
    assert next_message(last, records) is not None


def test_an_early_run_sends_nothing():
    """It does not count, before or now."""
    early = decided("ALERT", 4, early=True)
    assert next_message(early, []) is None
    assert next_message(decided("PROCEED", 8), [early]) is None


def test_a_record_without_a_decision_sends_nothing():
    """Nothing is known of it."""
    assert next_message(record(judged("DB-POOL")), []) is None


def hostile() -> Record:
    decision = {
        "action": "ALERT",
        "rule": HOSTILE,
        "why": HOSTILE,
        "causes": [{"cause": HOSTILE, "count": 3, "share": 0.75}],
        "severities": [{"issue": HOSTILE, "severity": HOSTILE, "title": HOSTILE * 50}] * 20,
        "steps": [{"text": HOSTILE, "command": "rm -rf"}],
        "call": [{"role": "on call", "name": "Cy Li", "reach": "cy@ops.internal"}],
        "status": [HOSTILE],
    }
    return record(judged("DB-POOL"), decision=decision, service={"name": HOSTILE})


def test_hostile_text_cannot_act():
    """No markup, no mention, no link, no control character, and not much of it."""
    made = message(hostile())
    words = made.title + made.body.replace("cy@ops.internal", "").replace("\n", "")
    assert words.isprintable()
    for mark in ("@", "<", ">", "*", "_", "`", "[", "]", "|", "~", "\\", "://", "#", "&"):
        assert mark not in words, mark
    assert len(made.body) < 4000
    assert "rm -rf" not in made.body
    assert "Call on call: Cy Li, cy@ops.internal" in made.body


def test_foreign_text_is_cut_and_stays_readable():
    """What is harmless stays as it is."""
    assert (
        escape_for_chat("p99 is 912 ms (limit 500 ms): calls")
        == "p99 is 912 ms (limit 500 ms): calls"
    )
    assert escape_for_chat("ü" * 500) == "ü" * 399 + "…"
    assert escape_for_chat(None) == ""


def test_a_rehearsal_says_so():
    """It wakes no one."""
    made = message(decided("ALERT", rehearsal={"seed": 7, "faults": []}))
    assert made.title.startswith("REHEARSAL ALERT: voice-backend production, hour 4")


@pytest.mark.parametrize("over", [False, True])
def test_an_alarm_of_the_prober_names_who_is_on_call(over):
    """At the minute the rule broke, and when it is over."""
    at = datetime(2026, 11, 24, 10, tzinfo=UTC)
    alarm = Alarm(
        at=at,
        rule="health_failing",
        since=at - timedelta(seconds=130),
        says="health has failed for 130 s: " + HOSTILE,
        over=over,
    )
    call = [{"role": "on call", "name": "Cy Li", "reach": "+49 3"}]
    made = alarm_message(alarm, "voice-backend production", call)
    assert made.kind == ("success" if over else "failure")
    assert ("Call on call: Cy Li, +49 3" in made.body) is not over
    assert "@" not in made.body
    assert "Since 2026-11-24 09:57:50Z" in made.body


# --- sending ----------------------------------------------------------------------------------


def address(server: Server, name: str = "HOUR24_ALERT_URLS") -> Secret:
    return Secret(name, f"json://user:the-secret@127.0.0.1:{server.port}/hook")


def test_a_message_arrives_as_it_was_made():
    """Through apprise, to each address once."""
    with Server(Answer()) as first, Server(Answer()) as second:
        made = message(hostile())
        assert send(made, [address(first), address(second)]) == ()
        for server in (first, second):
            assert len(server.asked) == 1
            body = json.loads(server.asked[0].body)
            assert body["title"] == made.title
            assert body["message"] == made.body
            assert body["type"] == "failure"


def test_an_alert_that_cannot_be_sent_is_a_line_without_an_address(caplog, capfd):
    """The other addresses are served all the same, and nothing is printed."""
    with Server(Answer(status=500)) as failing, Server(Answer()) as good:
        gone = Secret("HOUR24_ALERT_URLS", f"json://u:the-secret@127.0.0.1:{free_port()}/")
        odd = Secret("HOUR24_ALERT_URLS", "nonsense://the-secret")
        problems = send(trial_message("voice"), [address(failing), address(good), gone, odd])
        assert len(good.asked) == 1
    assert [line.rpartition(" (")[2] for line in problems] == [
        f"HOUR24_ALERT_URLS, address {n} of 4)" for n in (1, 3, 4)
    ]
    assert "apprise knows" in problems[2]
    expected = "".join(problems) + caplog.text + "".join(capfd.readouterr())
    assert "the-secret" not in expected


def test_an_address_that_does_not_answer_costs_a_bounded_time(monkeypatch):
    """The line says so, and the run goes on."""
    monkeypatch.setattr(sending, "SEND_WITHIN_S", 0.3)
    monkeypatch.setattr(sending, "_send_to", lambda *_: time.sleep(5))
    found = send(trial_message("voice"), [Secret("HOUR24_ALERT_URLS", "json://127.0.0.1")])
    assert found == (
        "alerts: expected an answer in time, got none (HOUR24_ALERT_URLS, address 1 of 1)",
    )


def test_an_answer_that_never_ends_does_not_keep_the_process():
    """Given up after its time, and the process ends with it."""
    code = (
        "import sys; from hour24 import alerts; from hour24.alerts import sending\n"
        "from hour24.secrets import Secret; sending.SEND_WITHIN_S = 0.5\n"
        "print(*alerts.send(alerts.trial_message('x'), [Secret('A', sys.argv[1])]))"
    )
    with Server(Answer(raw=b"HTTP/1.1 200 OK\r\n" * 40, drip_s=0.05)) as server:
        command = [sys.executable, "-c", code, f"json://127.0.0.1:{server.port}/"]
        done = subprocess.run(command, check=True, capture_output=True, timeout=20, text=True)
    assert done.stdout.startswith("alerts: expected an answer in time, got none")


def test_no_address_is_no_problem():
    """Alerts are optional."""
    assert send(Message(title="t", body="b", kind="info"), []) == ()


def test_apprise_is_imported_only_to_send():
    """It takes a third of a second."""
    code = "import sys, hour24.alerts; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- the sign of life -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signal", "path"),
    [
        ("start", "/ping/uuid/start?a=1"),
        ("success", "/ping/uuid?a=1"),
        ("fail", "/ping/uuid/fail?a=1"),
    ],
)
def test_the_sign_of_life_follows_the_convention(signal, path):
    """Start, success and failure, a query kept where it is."""
    with Server(Answer(body=b"OK")) as server:
        url = Secret("HOUR24_HEARTBEAT_URL", f"{server.url}/ping/uuid/?a=1")
        assert send_heartbeat(url, signal) == ""
        assert [(each.method, each.path) for each in server.asked] == [("GET", path)]


@pytest.mark.parametrize(
    ("answer", "expected"), [(Answer(status=404), "expected 2xx, got 404"), (None, "refused")]
)
def test_a_heartbeat_that_fails_is_one_line(answer, expected):
    """Without the address, which is a secret."""
    with Server(answer or Answer()) as server:
        base = server.url if answer else f"http://127.0.0.1:{free_port()}"
        found = send_heartbeat(Secret("HOUR24_HEARTBEAT_URL", base + "/the-secret"), "start")
    assert expected in found
    assert "the-secret" not in found


@pytest.mark.parametrize("address", ["no address", "ftp://x/y", "http://[::1"])
def test_an_invalid_address_is_reported(address):
    """By the variable's name."""
    found = send_heartbeat(Secret("HOUR24_HEARTBEAT_URL", address), "fail")
    assert (
        found == "heartbeat: fail: expected an address in HOUR24_HEARTBEAT_URL, got something else"
    )
    assert send_heartbeat(None, "fail") == ""


def test_a_heartbeat_that_hangs_is_left(monkeypatch):
    """A tarpit costs a bounded time."""
    monkeypatch.setattr(heartbeat, "BEAT_WITHIN_S", 0.3)
    with Server(Answer(raw=b"HTTP/1.1 200 OK\r\n" * 9, drip_s=0.1)) as server:
        assert "got timeout" in send_heartbeat(Secret("H", server.url), "success")


@pytest.mark.parametrize(
    ("code", "signal"),
    [
        (0, "success"),
        (10, "success"),
        (1, "fail"),
        (11, "fail"),
        (12, "fail"),
        (2, "fail"),
        (13, None),
    ],
)
def test_what_a_run_s_end_means_outside(code, signal):
    """An INCONCLUSIVE run is a success; the run of another process is not reported."""
    assert heartbeat_signal(code) == signal
