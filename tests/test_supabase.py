"""The Supabase source: services, disk, strictness; and the rehearsal's."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from hour24.clock import SteppingClock
from hour24.config import load
from hour24.errors import (
    SourceError,
    SourceFailed,
    SourceIncomplete,
    SourceLacks,
    SourceLimited,
    SourceMisread,
    SourceRefused,
)
from hour24.evidence import Listing, Question, from_plain, to_plain
from hour24.objectives.database import DatabaseAnswers, DiskBelow
from hour24.rehearsal.client import Rehearsal
from hour24.rehearsal.clock import RehearsalClock
from hour24.secrets import Secret
from hour24.verdict import Outcome
from hour24.witnesses.supabase import SupabaseAt
from hour24.witnesses.supabase.source import Supabase
from tests.answering import Answer, Server
from tests.evidence_of import listing

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
REF = "abcdefghijklmnopqrst"
TOKEN = "sbp_0123456789"
ROW = listing({"datname": "postgres", "numbackends": 12, "size_bytes": 2_500_000_000})
QUESTIONS: dict[str, Callable[[Supabase], Listing]] = {
    "services": Supabase.services,
    "disk": Supabase.disk,
}


def source(server: Server, *services: str) -> Supabase:
    return Supabase(
        SupabaseAt(
            url=server.url,
            project_ref=REF,
            token=Secret("SUPABASE_ACCESS_TOKEN", TOKEN),
            services=services or ("auth", "db"),
            timeout_s=2.0,
        ),
        SteppingClock(NOW),
    )


def as_json(body: Any) -> Answer:
    return Answer(body=json.dumps(body).encode())


def health(**statuses: str | None) -> Answer:
    return as_json([{"name": name, "status": status} for name, status in statuses.items()])


def util(at: str = "2026-11-24T09:59:00Z", **metrics: Any) -> Answer:
    usual = {
        "fs_size_bytes": 8_000_000_000,
        "fs_used_bytes": 2_000_000_000,
        "fs_avail_bytes": 5_500_000_000,
    }
    return as_json({"timestamp": at, "metrics": {**usual, **metrics}})


def test_services_are_asked_for_by_name():
    """One repeated key a service; what Supabase calls each, with its error."""
    rows = [
        {"name": "auth", "healthy": True, "status": "ACTIVE_HEALTHY"},
        {"name": "db", "healthy": False, "status": "UNHEALTHY", "error": "connection refused"},
    ]
    with Server(as_json(rows)) as server:
        found = source(server).services()
        (asked,) = server.asked
    parts = urlsplit(asked.path)
    assert parts.path == f"/v1/projects/{REF}/health"
    assert parse_qsl(parts.query) == [("services", "auth"), ("services", "db")]
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert found.items == (
        {"name": "auth", "status": "ACTIVE_HEALTHY", "error": ""},
        {"name": "db", "status": "UNHEALTHY", "error": "connection refused"},
    )
    assert TOKEN not in str(to_plain(found))
    assert from_plain(to_plain(found)) == found
    verdict = DatabaseAnswers().judge({"row": ROW, "services": found})
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "services_unhealthy")


@pytest.mark.parametrize("answer", [as_json([]), health(auth="ACTIVE_HEALTHY")])
def test_a_service_left_out_is_not_healthy(answer):
    """Nothing, or fewer than were asked for: incomplete."""
    with (
        Server(answer) as server,
        pytest.raises(SourceIncomplete, match=r"expected 2 services, got none of the name .*db"),
    ):
        source(server).services()


def test_a_word_that_is_unknown_is_passed_on():
    """It is judged, and it is neither up nor down."""
    with Server(health(auth="ACTIVE_HEALTHY", db="NAPPING")) as server:
        found = source(server).services()
    verdict = DatabaseAnswers().judge({"row": ROW, "services": found})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "source_misread")


def test_the_disk_and_when_it_was_read():
    """Bytes as Supabase reports them, and the time of the reading."""
    with Server(util()) as server:
        found = source(server).disk()
        (asked,) = server.asked
    assert asked.path == f"/v1/projects/{REF}/config/disk/util"
    assert found.items == (
        {
            "at": (NOW - timedelta(minutes=1)).timestamp(),
            "size_bytes": 8_000_000_000,
            "used_bytes": 2_000_000_000,
            "available_bytes": 5_500_000_000,
        },
    )
    assert from_plain(to_plain(found)) == found
    verdict = DiskBelow(days=0.0).judge({"disk": found})
    assert verdict.figures["share"] == 0.25


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (util(fs_size_bytes=None), "fs_size_bytes: expected a number, got null"),
        (util(fs_used_bytes="2000000000"), 'fs_used_bytes: expected a number, got "2000000000"'),
        (util(fs_used_bytes=-1), "expected a whole number, at least 0"),
        (util(fs_used_bytes=True), "expected a number, got true"),
        (util(fs_size_bytes=0, fs_used_bytes=0), "expected at most its size of 0"),
        (util(fs_used_bytes=9_000_000_000), "expected at most its size of 8000000000"),
        (util(at="2026-11-24T10:00:00"), "timestamp: expected a time with its zone"),
        (util(at="2026-11-24T08:30:00Z"), "expected a reading of the last hour"),
        (util(at="2026-11-25T10:00:00Z"), "expected a reading of the last hour"),
        (as_json({"timestamp": "2026-11-24T10:00:00Z"}), "metrics: expected to be there"),
        (as_json({"timestamp": "2026-11-24T10:00:00Z", "metrics": {}}), "expected to be there"),
        (as_json([]), "expected an object, got a list of 0"),
    ],
)
def test_a_disk_that_is_not_as_documented(answer, says):
    """Null, text, more used than there is, a reading of another hour: misread, never 0."""
    with Server(answer) as server, pytest.raises(SourceMisread, match=says):
        source(server).disk()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (health(auth=None, db="ACTIVE_HEALTHY"), r"\[0\].status: expected text, got null"),
        (as_json([{"status": "ACTIVE_HEALTHY"}]), "name: expected to be there"),
        (as_json({"result": []}), "expected a list, got an object"),
        (as_json(["auth", "db"]), r"\[0\]: expected an object"),
    ],
)
def test_services_that_are_not_as_documented(answer, says):
    """A service without its word is not a healthy one."""
    with Server(answer) as server, pytest.raises(SourceMisread, match=says):
        source(server).services()


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(401, b'{"message": "Unauthorized"}'), SourceRefused),
        (Answer(403), SourceRefused),
        (Answer(404, b'{"message": "Project not found"}'), SourceRefused),
        (Answer(429, headers={"X-RateLimit-Reset": "3600"}), SourceLimited),
        (Answer(500), SourceFailed),
        (Answer(400, b'{"message": "services: Required"}'), SourceLacks),
        (Answer(body=b"<!doctype html>"), SourceMisread),
        (Answer(body=b"null"), SourceMisread),
        (Answer(body=b'[{"name": NaN}]'), SourceMisread),
        (Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n[{"), SourceMisread),
        (Answer(raw=b""), SourceError),
    ],
)
def test_what_is_no_answer(name, answer, kind):
    """Refused, limited, failing, HTML, null, NaN, cut off: an error that keeps its tries."""
    with (
        Server(answer) as server,
        pytest.raises(kind, match=rf"^supabase: {name}") as raised,
    ):
        QUESTIONS[name](source(server))
    question = raised.value.question
    assert isinstance(question, Question)
    assert question.attempts
    assert TOKEN not in str(raised.value)


def test_a_limit_that_ends_soon_is_waited_for():
    """Its reset is seconds from now; both tries are kept."""
    limited = Answer(429, headers={"X-RateLimit-Reset": "41"})
    with Server(lambda asked: limited if len(server.asked) == 1 else util()) as server:
        supabase = source(server)
        found = supabase.disk()
    assert [attempt.result for attempt in found.question.attempts] == ["429", "200"]
    assert supabase.clock.now() == NOW + timedelta(seconds=41)


def test_the_rehearsals_supabase():
    """Healthy, down and filling, and each way in which it fails as a witness."""
    t0 = datetime(2026, 11, 24, 6, tzinfo=UTC)
    with Rehearsal.start(7, [], t0, 4) as rehearsal:
        at = load(Path(rehearsal.toml), rehearsal.environ).witnesses["supabase"]
        assert at is not None
        clock = RehearsalClock(rehearsal.control, t0 + timedelta(hours=4))
        healthy = Supabase(at, clock)
        services, disk = healthy.services(), healthy.disk()
        assert {item["name"] for item in services.items} == set(at.services)
        judged = DatabaseAnswers().judge({"row": ROW, "services": services})
        assert judged.outcome == Outcome.PASS
        assert disk.items[0]["at"] == clock.now().timestamp()
        assert DiskBelow(days=0.0).judge({"disk": disk}).outcome == Outcome.PASS
        rehearsal.set_faults("database_down@3.9")
        down = {i["name"]: i for i in Supabase(at, clock).services().items}["db"]
        assert (down["status"], down["error"]) == ("UNHEALTHY", "connection refused")
        for way, code in (
            ("refused", "source_refused"),
            ("rate_limited", "source_limited"),
            ("failing", "source_failed"),
            ("malformed", "source_misread"),
            ("unreachable", "source_unreachable"),
        ):
            rehearsal.set_faults(f"supabase_{way}@3")
            for question in QUESTIONS.values():
                with pytest.raises(SourceError) as raised:
                    question(Supabase(at, clock))
                assert raised.value.code == code
        rehearsal.set_faults("supabase_empty@3")
        for question in QUESTIONS.values():
            with pytest.raises((SourceIncomplete, SourceMisread)):
                question(Supabase(at, clock))
