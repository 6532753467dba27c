"""Numbers as a broken or hostile service may send them: nothing of ours ends by them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hour24.asking import answers
from hour24.asking.exchange import Reply
from hour24.clock import SteppingClock
from hour24.config import Health
from hour24.documents import is_number
from hour24.errors import SourceMisread
from hour24.evidence import from_plain, to_plain
from hour24.ledger import canonical
from hour24.objectives.health import HealthDocument
from hour24.prober import Plan
from hour24.prober.tally import read_reply
from hour24.sources.health import HealthSource
from hour24.text import parse_epoch, parse_stated_time
from hour24.verdict import Outcome
from tests.answering import Answer, Server

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"uptime": {"type": "number", "minimum": 0, "multipleOf": 0.5}},
}
DIGITS = [
    "1" + "0" * 400,
    "-1" + "0" * 400,
    "9" * 4000,
    "9" * 6000,
    "1e308",
    "1e999",
    "1e-999",
    "0." + "3" * 5000,
    "-0",
    "18446744073709551616",
]


@pytest.mark.parametrize("digits", DIGITS)
@pytest.mark.parametrize("member", ["uptime", "timestamp"])
def test_a_health_document_of_any_number_is_read(digits: str, member: str) -> None:
    """By the prober, at a checkpoint, in a record: a verdict, and no PASS for what is no time."""
    data = f'{{"uptime":1,"timestamp":1,"{member}":{digits}}}'.encode()
    agreed = HealthDocument(schema=SCHEMA, database="")
    with Server(Answer(200, data, {"Date": "Mon, 01 Jan 0001 00:00:00 +1400"})) as server:
        health = Health(url=server.url, schema=SCHEMA, give_up_after_s=0.0)
        clock = SteppingClock(datetime.now(UTC))
        document = HealthSource(health, server.url, clock).document()
    plan = Plan(name="health", kind="health", url=health.url, interval_s=10.0, health=health)
    read_reply(plan, Reply(200, data=data), datetime.now(UTC).timestamp())
    verdict = agreed.judge({"health": document})
    assert verdict.outcome == Outcome.FAIL
    stored = canonical.from_bytes(canonical.to_bytes(to_plain(document), "record"), "record")
    assert agreed.judge({"health": from_plain(stored)}) == verdict


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), float("inf"), float("nan"), True, "7", None]
)
def test_what_is_no_number_is_none(value: Any) -> None:
    """And a source that sends it is misread."""
    assert not is_number(value)
    assert parse_stated_time(value) is None or isinstance(value, str)
    assert parse_epoch(value) is None
    with pytest.raises(SourceMisread):
        answers.number(value, "here")
    with pytest.raises(SourceMisread):
        answers.count(value, "here")
