"""The uptime of a process as text, and from the time at which it started."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hour24.asking.exchange import Reply
from hour24.clock import WallClock
from hour24.config import Health, limits_digest, load
from hour24.errors import ConfigurationError
from hour24.evidence import Attempt, Document, Probes, Question, Uptime
from hour24.objectives.health import HealthDocument, impossible_uptime
from hour24.objectives.restarts import NoRestart
from hour24.prober.plan import Plan
from hour24.prober.tally import Tally, read_reply
from hour24.sources.health import HealthSource, read_health
from hour24.statistics.restarts import growth
from hour24.uptime import number_in, uptime_in
from hour24.verdict import Outcome, Verdict
from tests import needs
from tests.engines import Known, prometheus, victoria_metrics
from tests.test_config import SMALLEST, written

AT = datetime(2026, 12, 1, 6, tzinfo=UTC)
STARTED = AT - timedelta(hours=5)
SCHEMA: dict[str, Any] = {"type": "object"}


def judged(body: Any, **fields: Any) -> Verdict:
    """The verdict on a health document that was answered at ``AT``."""
    question = Question(
        source="health",
        asked="GET /health",
        at=AT,
        attempts=(Attempt(at=AT, took_ms=0.0, result="200"),),
    )
    stated = {"schema": SCHEMA, "timestamp": "", "uptime": "", **fields}
    return HealthDocument(**stated).judge(
        {"health": Document(question=question, status=200, body=body)}
    )


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"uptime": 18_000}, {"uptime": "/uptime"}),
        ({"uptime": "18000.0"}, {"uptime": "/uptime", "as_text": True}),
        ({"uptime": " 1.8e4 "}, {"uptime": "/uptime", "as_text": True}),
        ({"start": STARTED.timestamp()}, {"started": "/start"}),
        ({"start": STARTED.timestamp() * 1000}, {"started": "/start"}),
        ({"start": str(STARTED.timestamp())}, {"started": "/start", "as_text": True}),
        ({"start": "2026-12-01T01:00:00Z"}, {"started": "/start"}),
        ({"start": "2026-12-01T02:00:00.000+01:00"}, {"started": "/start"}),
        ({"start": "2026-12-01T01:00:00Z"}, {"started": "/start", "as_text": True}),
    ],
)
def test_an_uptime_is_read_in_each_form(body: Any, fields: dict[str, Any]) -> None:
    """Seconds, seconds as text, and a start time as a number, as text and as ISO 8601."""
    found = judged(body, **fields)
    assert (found.outcome, found.figures["uptime_s"]) == (Outcome.PASS, 18_000.0)


@pytest.mark.parametrize(
    ("body", "fields", "says"),
    [
        (
            {"uptime": "18000.5"},
            {"uptime": "/uptime"},
            '/uptime: expected seconds of at least 0, got "18000.5"; if a number as text is right, '
            "set health.numbers_as_text = true",
        ),
        (
            {"start": "1764547200"},
            {"started": "/start"},
            '/start: expected a time, got "1764547200"; if a number as text is right, set '
            "health.numbers_as_text = true",
        ),
        (
            {"uptime": "2026-12-01T01:00:00Z"},
            {"uptime": "/uptime"},
            '/uptime: expected seconds of at least 0, got "2026-12-01T01:00:00Z"; if it is when '
            "the process started, name it in health.started",
        ),
        (
            {"uptime": "5 hours"},
            {"uptime": "/uptime", "as_text": True},
            '/uptime: expected seconds of at least 0, got "5 hours"',
        ),
        (
            {"uptime": "-3"},
            {"uptime": "/uptime", "as_text": True},
            '/uptime: expected seconds of at least 0, got "-3"',
        ),
        (
            {"uptime": True},
            {"uptime": "/uptime", "as_text": True},
            "/uptime: expected seconds of at least 0, got true",
        ),
        ({"start": None}, {"started": "/start"}, "/start: expected a time, got null"),
        ({}, {"started": "/start"}, "/start: expected a time, got nothing"),
        (
            {"time": "1764568800"},
            {"timestamp": "/time"},
            '/time: expected a time, got "1764568800"; if a number as text is right, set '
            "health.numbers_as_text = true",
        ),
    ],
)
def test_what_is_no_uptime_is_refused_with_the_remedy(
    body: Any, fields: dict[str, Any], says: str
) -> None:
    """A number as text is read only where production.toml says so, and the refusal says how."""
    found = judged(body, **fields)
    assert (found.outcome, found.code) == (Outcome.FAIL, "schema")
    assert found.reason == f"The health document differs from the expected one: {says}"


def test_a_timestamp_as_text_is_compared_where_allowed() -> None:
    """Epoch seconds as text are fresh or stale as a number is."""
    fresh = judged({"time": str(AT.timestamp())}, timestamp="/time", as_text=True)
    old = judged({"time": str(AT.timestamp() - 600)}, timestamp="/time", as_text=True)
    assert (fresh.outcome, old.outcome, old.code) == (Outcome.PASS, Outcome.FAIL, "stale")


def test_a_start_in_the_future_is_inconclusive() -> None:
    """Another unit or a wrong clock proves nothing about the service; a small skew is taken."""
    late = judged({"start": AT.timestamp() + 3600}, started="/start")
    assert (late.outcome, late.code) == (Outcome.INCONCLUSIVE, "uptime_unit")
    assert "health.started (/start)" in late.reason
    skewed = judged({"start": AT.timestamp() + 5}, started="/start")
    assert (skewed.outcome, skewed.figures["uptime_s"]) == (Outcome.PASS, 0.0)


def test_an_impossible_uptime_that_is_a_time_names_the_setting() -> None:
    """Epoch seconds named as an uptime are recognised."""
    assert "name it in health.started" in impossible_uptime(AT.timestamp(), STARTED.timestamp())
    assert "health.started" not in impossible_uptime(AT.timestamp(), 9e8)


@pytest.mark.parametrize("text", ["", "nan", "inf", "0x10", "1_000", "12,5", "1 2", "9" * 41])
def test_a_text_that_is_no_plain_number_stays_a_text(text: str) -> None:
    """Only decimal notation is a number."""
    assert number_in(text, as_text=True) == text


def health_of(**fields: Any) -> Health:
    stated = {"schema": SCHEMA, "timestamp": "", "uptime": "", **fields}
    return Health(url="http://127.0.0.1:9/", **stated)


def test_the_prober_takes_the_start_on_its_steady_clock() -> None:
    """A jump of the wall clock moves no start: the uptime is that at the time of the reading."""
    plan = Plan(
        name="health",
        kind="health",
        url="http://127.0.0.1:9/",
        interval_s=10.0,
        health=health_of(started="/start"),
    )
    body = json.dumps({"start": STARTED.timestamp()}).encode()
    reply = Reply(status=200, data=body, took_ms=4.0)
    tally = Tally(plan, AT.timestamp())
    for slot, jump_s in enumerate((0.0, 3600.0, -3600.0)):
        steady = AT.timestamp() + 10 * slot
        result = read_reply(plan, reply, steady + jump_s, None, steady)
        tally.take(slot, reply, result, steady)
    starts = [tally.minute + at - up for at, up, _ in tally.uptimes]
    assert starts == pytest.approx([STARTED.timestamp()] * 3, abs=0.02)


def test_a_start_ahead_of_our_clock_is_no_reading() -> None:
    """It would be a negative uptime, which no line has."""
    data = json.dumps({"start": AT.timestamp() + 9}).encode()
    health = health_of(started="/start")
    assert read_health(health, data, None, AT.timestamp()).uptime is None
    assert read_health(health, data, None, AT.timestamp() + 10).uptime == (1.0, "")


def test_without_a_time_a_start_gives_no_uptime() -> None:
    """It is a difference from the time of the answer."""
    data = json.dumps({"start": STARTED.timestamp()}).encode()
    assert read_health(health_of(started="/start"), data).uptime is None


def readings(body_at: Any, **fields: Any) -> tuple[Uptime, ...]:
    """What a prober reads over an hour from a document that depends on the time."""
    found = []
    for number in range(360):
        at = AT.timestamp() + 10.0 * number
        body = body_at(at)
        up = uptime_in(
            body, fields.get("uptime", ""), fields.get("started", ""), as_text=True, at=at
        )
        if up is not None and up >= 0:
            found.append(Uptime(at, up, ""))
    return tuple(found)


@pytest.mark.parametrize(
    ("body_at", "fields"),
    [
        (lambda at: {"start": at}, {"started": "/start"}),
        (lambda at: {"start": at - 0.25}, {"started": "/start"}),
        (lambda at: {"up": str((at - STARTED.timestamp()) * 1000)}, {"uptime": "/up"}),
        (lambda at: {"up": "18000"}, {"uptime": "/up"}),
    ],
)
def test_a_figure_that_does_not_behave_as_its_unit_is_inconclusive(
    body_at: Any, fields: dict[str, Any]
) -> None:
    """The present time named as a start, milliseconds as text, a text that does not change."""
    found = restarts(readings(body_at, **fields))
    assert (found.outcome, found.code) == (Outcome.INCONCLUSIVE, "uptime_unit"), found.reason


def restarts(uptimes: tuple[Uptime, ...]) -> Verdict:
    probes = Probes(
        question=Question(source="prober", asked="health", at=AT + timedelta(hours=1)),
        target="health",
        interval_s=10.0,
        due=360,
        kept=360,
        uptimes=uptimes,
    )
    return NoRestart().judge({"probes": probes})


def test_a_start_that_stays_is_no_restart_and_one_that_moves_is() -> None:
    """The same start is one process; a new one is a restart."""
    same = readings(lambda at: {"start": STARTED.timestamp()}, started="/start")
    assert growth([(u.at, u.uptime_s, u.instance) for u in same], 1.0) is None
    assert restarts(same).outcome == Outcome.PASS
    moved = AT.timestamp() + 1800
    new = readings(
        lambda at: {"start": moved if at > moved else STARTED.timestamp()}, started="/start"
    )
    assert restarts(new).outcome == Outcome.FAIL


def health_toml(tmp_path: Path, more: str) -> Any:
    return load(written(tmp_path, SMALLEST.replace("[health]", f"[health]\n{more}")), {})


def test_a_start_replaces_the_uptime_in_production_toml(tmp_path: Path) -> None:
    """Without an uptime of its own, `started` alone is read; both together are refused."""
    found = health_toml(tmp_path, 'started = "/start"').health
    assert (found.uptime, found.started) == ("", "/start")
    with pytest.raises(ConfigurationError) as raised:
        health_toml(tmp_path, 'started = "/start"\nuptime = "/up"')
    assert raised.value.problems[0].split(": ", 1)[1] == (
        'health.uptime: expected "", since health.started is given, got "/up"'
    )


def test_the_digest_is_that_of_before_without_the_settings(tmp_path: Path) -> None:
    """An open watch is not said to have other limits."""
    plain = health_toml(tmp_path, "")
    same = health_toml(tmp_path, "numbers_as_text = false")
    other = health_toml(tmp_path, "numbers_as_text = true")
    assert limits_digest(plain) == limits_digest(same) != limits_digest(other)


# --- real engines -----------------------------------------------------------------------------


def read_from(url: str, **fields: Any) -> Verdict:
    """The verdict of HEALTH-SCHEMA on a real document."""
    health = Health(url=url, schema=SCHEMA, **{"timestamp": "", "uptime": "", **fields})
    document = HealthSource(health, "http://127.0.0.1:9/", WallClock()).document()
    agreed = HealthDocument(
        schema=SCHEMA,
        timestamp=health.timestamp,
        uptime=health.uptime,
        started=health.started,
        as_text=health.numbers_as_text,
    )
    return agreed.judge({"health": document})


def test_a_real_prometheus_says_when_it_started(tmp_path: Path) -> None:
    """The example in docs/examples reads its runtime information."""
    need = needs.NEEDS["prometheus"]
    if not need.here():
        pytest.skip(need.absent)
    example = Path(__file__).parents[1] / "docs" / "examples" / "prometheus" / "production.toml"
    health = load(example, {}).health
    assert (health.uptime, health.started) == ("", "/data/startTime")
    with prometheus(tmp_path, []) as url:
        found = read_from(f"{url}/api/v1/status/runtimeinfo", started=health.started)
    assert found.outcome == Outcome.PASS, found.reason
    assert 0 <= found.figures["uptime_s"] < 120


def test_a_real_victoria_metrics_states_numbers_as_text(tmp_path: Path) -> None:
    """Its answer to a query has the time as epoch seconds and each value as text."""
    need = needs.NEEDS["victoria-metrics"]
    if not need.here():
        pytest.skip(need.absent)
    now = time.time()
    series = [Known("app_start_seconds", {}, [(now - 5, round(now) - 900.0)])]
    fields = {"timestamp": "/data/result/0/value/0", "started": "/data/result/0/value/1"}
    with victoria_metrics(tmp_path, series) as url:
        asked = f"{url}/api/v1/query?query=app_start_seconds&nocache=1"
        until = time.monotonic() + 60.0
        while (found := read_from(asked, **fields, numbers_as_text=True)).outcome != Outcome.PASS:
            assert time.monotonic() < until, found.reason
            time.sleep(0.5)
        refused = read_from(asked, **fields)
    assert found.figures["uptime_s"] == pytest.approx(900, abs=60)
    assert refused.reason.endswith("set health.numbers_as_text = true")
