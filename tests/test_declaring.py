"""A declared deploy: its entry, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hour24.checkpoint.inquiry import Inquiry
from hour24.checkpoint.questions import declared
from hour24.clock import SteppingClock
from hour24.config import Health, Production
from hour24.config.service import Service
from hour24.errors import ConfigurationError
from hour24.ledger import chain
from hour24.ledger.declaring import declare_deploy
from tests.small_watch import T0, watch_of

HOUR = timedelta(hours=1)
NOW = T0 + 6 * HOUR
PRODUCTION = Production(
    path="production.toml",
    service=Service(
        name="voice", environment="production", time_zone="UTC", control_url="http://c"
    ),
    health=Health(url="http://h", schema={}),
)


def declare(tmp_path, start=NOW - HOUR, end=NOW, by="Mara Lind", because="fixes the calls", **more):
    ledger = watch_of(tmp_path)
    return ledger, declare_deploy(ledger, start, end, by, because, now=NOW, **more)


def test_a_declared_deploy_is_what_restarts_are_excused_by(tmp_path):
    """By name, with a reason, in the chain; the criterion of restarts gets its period."""
    ledger, path = declare(tmp_path, commit="1a2b3c", release="7c1e2fb")
    assert path.name == "deploy.1.json"
    assert list(chain.breaks(ledger.entries())) == []
    entry = ledger.entries()[-1].content
    assert (entry["by"], entry["because"]) == ("Mara Lind", "fixes the calls")
    assert (entry["commit"], entry["release"], entry["deploy"]) == ("1a2b3c", "7c1e2fb", "")
    inquiry = Inquiry(
        PRODUCTION, ledger.watch, ledger.watch.checkpoint(8), SteppingClock(NOW), ledger
    )
    assert [dict(each) for each in declared(inquiry).items] == [
        {
            "start": (NOW - HOUR).timestamp(),
            "end": NOW.timestamp(),
            "because": "fixes the calls",
        }
    ]


@pytest.mark.parametrize(
    ("change", "output"),
    [
        (
            {"by": "NAME"},
            "--by: expected the name of a person, such as \"Mara Example\", got 'NAME'",
        ),
        ({"because": ""}, "--because: expected a reason, got nothing"),
        ({"because": "a\x1b[31mb"}, "--because: expected a reason, without control characters"),
        ({"because": "x" * 600}, "--because: expected a reason, got 'xxx"),
        ({"by": "N" * 101}, "on one line of at most 100 characters, got 'NNN"),
        ({"by": "Ma\nra"}, "on one line of at most 100 characters, got 'Ma\\nra'"),
        ({"by": "Ma\udcffra"}, "without control characters, got 'Ma\\udcffra'"),
        ({"start": NOW, "end": NOW}, "--end: expected it after"),
        ({"start": NOW - 3 * HOUR}, "--end: expected at most 2 h after --start, got 3.0 h"),
        ({"start": NOW.replace(tzinfo=None)}, "--start: expected a time such as"),
        ({"end": "tomorrow"}, "--end: expected a time such as 2026-12-01T06:00Z, got 'tomorrow'"),
        ({"start": T0 - 3 * HOUR, "end": T0 - 2 * HOUR}, "expected it in watch launch"),
        ({"start": NOW + 25 * HOUR, "end": NOW + 26 * HOUR}, "expected it within a day from now"),
    ],
)
def test_what_cannot_be_declared(tmp_path, change, output):
    """No name, no reason, no length, hours of it, another time than the watch's."""
    with pytest.raises(ConfigurationError) as refusal:
        declare(tmp_path, **change)
    assert output in str(refusal.value)
    assert [path.name for path in (tmp_path / "launch").glob("deploy*")] == []


def test_the_usual_deploy_begins_now(tmp_path):
    """Without times it is the quarter of an hour from now on; texts are ISO 8601."""
    ledger, _ = declare(tmp_path, start="", end="")
    content = ledger.entries()[-1].content
    assert (content["start"], content["end"]) == (NOW.timestamp(), NOW.timestamp() + 900)
    declare_deploy(ledger, "2025-12-21T15:00Z", "", "Ada", "again", now=NOW)
    content = ledger.entries()[-1].content
    assert (content["end"] - content["start"]) == 900
