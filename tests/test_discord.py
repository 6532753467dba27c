"""Discord's webhooks: one message that is updated, and a new one for a new failure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from hour24.alerts import Delivery, Message, alarm_message, discord, next_message, send
from hour24.ledger.book import Ledger
from hour24.ledger.verify import verify
from hour24.probes.lines import Alarm
from hour24.secrets import Secret
from tests import small_watch as small
from tests.answering import Answer, Asked, Server
from tests.evidence_of import judged, record

NUMBER = "1199887766554433221"
TOKEN = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9-bC2dF4gH6jK8mN0pR2tV4xZ6_aB8cD0eF2g"
ADDRESS = f"discord://{NUMBER}/{TOKEN}"
AT = datetime(2025, 12, 21, 12, tzinfo=UTC)


ALERTED = {"action": "ALERT", "rule": "a rule", "why": "numbers"}


class Channel:
    """A channel of Discord, as its documentation has it.

    Args:
        refusals: status codes of the next answers, before it serves again.
    """

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.notifications: list[str] = []
        self.refusals: list[Answer] = []
        self.server = Server(self._answer)
        self._next = 1_200_000_000_000_000_000

    def _answer(self, asked: Asked) -> Answer:
        parts = urlsplit(asked.path)
        query = parse_qs(parts.query)
        known = f"/api/webhooks/{NUMBER}/{TOKEN}"
        if self.refusals:
            return self.refusals.pop(0)
        if not asked.headers.get("user-agent", "").startswith("hour24/"):
            return _error(403, 40333, "internal network error")
        if asked.headers.get("content-type") != "application/json":
            return _error(400, 50109, "The request body contains invalid JSON.")
        content = json.loads(asked.body)
        too_long = len(content["content"]) > 2000 or any(
            len(each["description"]) > 4096 for each in content["embeds"]
        )
        if too_long or not (content["content"] or content["embeds"]):
            return _error(400, 50035, "Invalid Form Body")
        if asked.method == "POST" and parts.path == known:
            self._next += 1
            number = str(self._next)
            self.messages[number] = content
            self.notifications.append(content["content"])
            if query.get("wait") != ["true"]:
                return Answer(status=204, body=b"")
            return _json(200, {"id": number, "type": 0, "content": content["content"]})
        number = parts.path.removeprefix(f"{known}/messages/")
        if asked.method == "PATCH" and number in self.messages:
            if "username" in content:
                return _error(400, 50035, "Invalid Form Body")
            self.messages[number] |= content
            return _json(200, {"id": number, "content": content["content"]})
        if parts.path.startswith(known):
            return _error(404, 10008, "Unknown Message")
        return _error(404, 10015, "Unknown Webhook")

    def shown(self) -> list[str]:
        """The titles in the channel, oldest first."""
        return [each["content"] for _, each in sorted(self.messages.items())]


def _json(status: int, content: dict[str, Any]) -> Answer:
    headers = {"Content-Type": "application/json"}
    return Answer(status=status, body=json.dumps(content).encode(), headers=headers)


def _error(status: int, code: int, text: str) -> Answer:
    return _json(status, {"message": text, "code": code})


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Channel]:
    made = Channel()
    monkeypatch.setattr(discord, "API", f"{made.server.url}/api/webhooks")
    yield made
    made.server.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return small.watch_of(tmp_path, t0=AT, opened=AT, zone="UTC")


def delivery(ledger: Ledger, *more: str, quiet: str = "") -> Delivery:
    urls = [Secret("HOUR24_ALERT_URLS", each) for each in (ADDRESS, *more)]
    return Delivery(ledger, urls, "voice production", lambda text: text, "hour24", quiet)


def alerts(ledger: Ledger) -> list[dict[str, Any]]:
    return [each.content for each in ledger.entries() if each.kind == "alert"]


def run_watch(sender: Delivery, *decisions: tuple[str, str]) -> None:
    """Deliver what each checkpoint of a watch sends."""
    records: list[Any] = []
    for number, (action, failed) in enumerate(decisions):
        each = [
            judged(name, "FAIL" if name in failed.split() else "PASS", "x")
            for name in ("DB-POOL", "DB-SIZE")
        ]
        decision = {"action": action, "rule": "a rule", "why": "numbers"}
        records.append(record(*each, hour=4 * number, decision=decision))
        made = next_message(records[-1], records[:-1])
        if made is not None:
            assert sender.deliver(made, AT + timedelta(hours=number)) == []


def test_a_reminder_and_the_end_update_the_message(channel: Channel, ledger: Ledger) -> None:
    """One message, one notification, and the chain is whole."""
    run_watch(delivery(ledger), ("ALERT", "DB-POOL"), ("ALERT", "DB-POOL"), ("PROCEED", ""))
    assert channel.notifications == ["ALERT: voice-backend production, hour 0 of launch-1"]
    assert channel.shown() == ["over: voice-backend production, hour 8 of launch-1"]
    (shown,) = channel.messages.values()
    assert shown["embeds"][0]["description"].splitlines()[-1] == (
        "Sent 12:00Z as: ALERT: voice-backend production, hour 0 of launch-1"
    )
    assert [each["messages"] for each in alerts(ledger)] == [{"1": sorted(channel.messages)[0]}] * 3
    assert all(each.ok for each in verify(ledger.folder))


def test_a_new_failure_is_a_new_message_and_later_updates_are_of_it(
    channel: Channel, ledger: Ledger
) -> None:
    """An update notifies no one, so it replaces no notification of a failure."""
    run_watch(
        delivery(ledger),
        ("ALERT", "DB-POOL"),
        ("ALERT", "DB-POOL DB-SIZE"),
        ("ALERT", "DB-POOL DB-SIZE"),
        ("ROLL BACK", "DB-POOL DB-SIZE"),
        ("PROCEED", ""),
        ("ALERT", "DB-POOL"),
    )
    where = "voice-backend production, hour"
    assert channel.notifications == [
        f"ALERT: {where} 0 of launch-1",
        f"new failure: ALERT: {where} 4 of launch-1",
        f"changed: ROLL BACK: {where} 12 of launch-1",
        f"ALERT: {where} 20 of launch-1",
    ]
    assert channel.shown() == [
        f"ALERT: {where} 0 of launch-1",
        f"reminder: ALERT: {where} 8 of launch-1",
        f"over: {where} 16 of launch-1",
        f"ALERT: {where} 20 of launch-1",
    ]


def test_a_message_that_was_deleted_is_sent_anew(channel: Channel, ledger: Ledger) -> None:
    """Discord answers 404; the next update is of the new one."""
    sender = delivery(ledger)
    going_on = [record(judged("DB-POOL", "FAIL", "x"), hour=n, decision=ALERTED) for n in (0, 4, 8)]
    for number, each in enumerate(going_on):
        made = next_message(each, going_on[:number])
        assert made is not None
        assert sender.deliver(made, AT + timedelta(hours=number)) == []
        if not number:
            channel.messages.clear()
    assert channel.shown() == ["reminder: ALERT: voice-backend production, hour 8 of launch-1"]
    assert len(channel.notifications) == 2


@pytest.mark.parametrize("status", [400, 403, 429, 500])
def test_an_update_that_is_refused_is_sent_as_a_new_message(
    channel: Channel, ledger: Ledger, status: int
) -> None:
    """It is not lost."""
    sender = delivery(ledger)
    run_watch(sender, ("ALERT", "DB-POOL"))
    channel.refusals = [_error(status, 0, "no")]
    assert sender.deliver(_reminder(), AT) == []
    assert channel.shown() == ["ALERT: voice-backend production, hour 0 of launch-1", "reminder"]


def _reminder() -> Message:
    return Message(
        title="reminder", body="b", kind="warning", what="reminder", topic="decision", can_wait=True
    )


def test_an_alarm_is_updated_by_its_own_end_alone(channel: Channel, ledger: Ledger) -> None:
    """Two probers may see one outage: the end of one alarm says nothing of the other."""
    sender = delivery(ledger)
    for since, over in ((AT, False), (AT + timedelta(seconds=1), False), (AT, True)):
        alarm = Alarm(at=AT, rule="health_failing", since=since, says="no answer", over=over)
        assert sender.deliver(alarm_message(alarm, "voice"), AT) == []
    assert channel.shown() == ["over: voice, health failing", "ALERT: voice, health failing"]


def test_what_was_deferred_leaves_no_message_to_update(channel: Channel, ledger: Ledger) -> None:
    """The reminder after the quiet hours is a message of its own, not an update of an older one."""
    sender = delivery(ledger, quiet="22:00-07:00")
    run_watch(sender, ("ALERT", "DB-POOL"))
    night = AT.replace(hour=23)
    waiting = Message(
        title="HOLD", body="b", kind="warning", what="new", topic="decision", can_wait=True
    )
    assert sender.deliver(waiting, night) == []
    assert sender.deliver(_reminder(), night + timedelta(hours=9)) == []
    assert channel.shown()[-1] == "reminder"
    assert len(channel.shown()) == 2


def test_each_address_has_its_own_message(channel: Channel, ledger: Ledger) -> None:
    """One that cannot update gets a message each time."""
    with Server(Answer()) as other:
        sender = delivery(ledger, f"json://127.0.0.1:{other.port}/hook")
        run_watch(sender, ("ALERT", "DB-POOL"), ("ALERT", "DB-POOL"))
        assert len(other.asked) == 2
    assert len(channel.shown()) == 1
    assert alerts(ledger)[-1]["messages"].keys() == {"1"}


def test_no_token_is_kept_or_shown(
    channel: Channel, ledger: Ledger, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither in the ledger nor in a problem; a webhook that is gone is one line."""
    sender = delivery(ledger)
    run_watch(sender, ("ALERT", "DB-POOL"))
    channel.refusals = [_error(404, 10015, "Unknown Webhook")] * 2
    (problem,) = sender.deliver(_reminder(), AT)
    assert problem == (
        "alerts: expected 2xx of Discord, got 404 (HOUR24_ALERT_URLS, address 1 of 1)"
    )
    written = "".join(path.read_text("utf-8") for path in ledger.folder.glob("*.json"))
    assert NUMBER not in written
    assert TOKEN not in written + problem + repr(discord.webhook_of(ADDRESS))
    assert TOKEN not in "".join(capfd.readouterr())


def test_too_many_requests_are_waited_out_once(channel: Channel) -> None:
    """If the wait is short; a long one is a problem."""
    url = Secret("HOUR24_ALERT_URLS", ADDRESS)
    message = Message(title="t", body="b", kind="info")
    limited = _error(429, 0, "You are being rate limited.")
    channel.refusals = [Answer(**{**vars(limited), "headers": {"Retry-After": "0.05"}})]
    assert send(message, [url]) == ()
    for wait in ("600", "-1", "nan", "soon"):
        channel.refusals = [Answer(**{**vars(limited), "headers": {"Retry-After": wait}})]
        assert "got 429" in send(message, [url])[0]
    assert channel.notifications == ["t"]


def test_the_addresses_are_those_of_the_api() -> None:
    webhook = discord.Webhook(number=NUMBER, token=TOKEN)
    stem = f"{discord.API}/{NUMBER}/{TOKEN}"
    assert webhook.address() == f"{stem}?wait=true"
    assert webhook.address("77") == f"{stem}/messages/77"
    threaded = discord.Webhook(number=NUMBER, token=TOKEN, thread="5")
    assert threaded.address("77") == f"{stem}/messages/77?thread_id=5"


def test_a_reminder_without_an_earlier_message_is_sent_as_it_is(
    channel: Channel, ledger: Ledger
) -> None:
    assert delivery(ledger).deliver(_reminder(), AT) == []
    (shown,) = channel.messages.values()
    assert shown["embeds"][0]["description"] == "b"


def test_a_message_about_nothing_in_particular_is_not_kept_for_updates(
    channel: Channel, ledger: Ledger
) -> None:
    assert delivery(ledger).deliver(Message(title="t", body="b", kind="info"), AT) == []
    assert "messages" not in alerts(ledger)[0]


def test_a_long_message_is_cut_to_what_discord_takes(channel: Channel) -> None:
    """And nothing in it can mention anyone."""
    message = Message(title="t" * 3000, body="b" * 9000, kind="failure")
    assert send(message, [Secret("HOUR24_ALERT_URLS", ADDRESS)]) == ()
    (shown,) = channel.messages.values()
    assert shown["allowed_mentions"] == {"parse": []}
    assert shown["username"] == "hour24"


@pytest.mark.parametrize(
    ("address", "path"),
    [
        (f"discord://{NUMBER}/{TOKEN}", f"{NUMBER}/{TOKEN}?wait=true"),
        (f"discord://hour24@{NUMBER}/{TOKEN}/", f"{NUMBER}/{TOKEN}?wait=true"),
        (f"https://discord.com/api/webhooks/{NUMBER}/{TOKEN}", f"{NUMBER}/{TOKEN}?wait=true"),
        (f"https://discordapp.com/api/webhooks/{NUMBER}/{TOKEN}", f"{NUMBER}/{TOKEN}?wait=true"),
        (f"discord://{NUMBER}/{TOKEN}?thread=77", f"{NUMBER}/{TOKEN}?thread_id=77&wait=true"),
        (f"discord://{NUMBER}/{TOKEN}?format=markdown", ""),
        (f"discord://{NUMBER}", ""),
        (f"https://evil.example/api/webhooks/{NUMBER}/{TOKEN}", ""),
        ("slack://a/b/c", ""),
        ("json://127.0.0.1/hook", ""),
        ("discord://[::1", ""),
    ],
)
def test_an_address_is_discord_s_or_left_to_apprise(address: str, path: str) -> None:
    """With the id and token of its webhook, and its thread."""
    found = discord.webhook_of(address)
    assert (found.address() if found is not None else "") == (
        f"https://discord.com/api/webhooks/{path}" if path else ""
    )
