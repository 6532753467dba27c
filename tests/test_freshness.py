"""Answers that a cache gave: at a checkpoint, between them, and for the doctor."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from hour24.asking.exchange import Reply
from hour24.asking.freshness import Dates, cached_by
from hour24.clock import SteppingClock
from hour24.config import Health
from hour24.evidence import Document, Probes, Question, Uptime
from hour24.objectives.database import DatabaseAnswers
from hour24.objectives.health import HealthDocument
from hour24.objectives.probes import AlwaysUp
from hour24.objectives.restarts import NoRestart
from hour24.prober import Plan, minute_line
from hour24.prober.tally import read_reply
from hour24.sources.health import HealthSource
from hour24.verdict import Outcome
from hour24.watch import Window
from tests.answering import Answer, Server
from tests.evidence_of import AT

SCHEMA = {"type": "object", "required": ["status"], "properties": {"status": {"const": "ok"}}}
OLD = {"Age": "7200", "X-Cache": "Hit from cloudfront"}
MINUTE = datetime(2026, 11, 24, 6, 17, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Age", "7200"),
        ("Age", "1"),
        ("Age", "9" * 400),
        ("X-Cache", "Hit from cloudfront"),
        ("X-Cache", "TCP_MEM_HIT from a23-1 (AkamaiGHost/10)"),
        ("X-Cache", "MISS, HIT"),
        ("X-Cache-Hits", "0, 3"),
        ("X-Cache-Status", "HIT"),
        ("X-Cache-Status", "STALE"),
        ("X-Proxy-Cache", "HIT"),
        ("X-Vercel-Cache", "STALE"),
        ("X-Vercel-Cache", "PRERENDER"),
        ("X-Rack-Cache", "fresh"),
        ("CF-Cache-Status", "HIT"),
        ("CF-Cache-Status", "UPDATING"),
        ("CDN-Cache", "HIT"),
        ("Cache-Status", '"Netlify Edge"; hit'),
        ("Cache-Status", "Example; hit; ttl=-412"),
        ("X-Varnish", "32770 3"),
        ("X-Varnish-Cache", "HIT"),
        ("X-Cached", "true"),
        ("X-From-Cache", "1"),
        ("Via", "http/1.1 edge (ApacheTrafficServer/9.1 [cHs f ])"),
        ("Warning", '110 anderson/1.3.37 "Response is stale"'),
        ("Server-Timing", "cdn-cache; desc=HIT, edge; dur=1"),
    ],
)
def test_a_cache_is_recognised_by_its_header(name, value):
    """Each form, and the header is named."""
    found = cached_by({name.lower(): value})
    assert found.lower().startswith(name.lower())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Age", "0"),
        ("Age", "old"),
        ("X-Cache", "Miss from cloudfront"),
        ("X-Cache", "RefreshHit from cloudfront"),
        ("X-Cache", "TCP_REFRESH_HIT from a23-1"),
        ("X-Cache", "Error from cloudfront"),
        ("X-Cache", "hit-for-pass"),
        ("X-Cache-Hits", "0, 0"),
        ("X-Cache-Status", "BYPASS"),
        ("X-Cache-Status", "EXPIRED"),
        ("X-Cache-Key", "/health/hit"),
        ("CF-Cache-Status", "DYNAMIC"),
        ("CF-Cache-Status", "MISS"),
        ("CF-Cache-Status", "REVALIDATED"),
        ("Cache-Status", "Example; fwd=stale; stored"),
        ("Cache-Status", "Example; fwd=uri-miss"),
        ("Cache-Control", "no-cache"),
        ("Cache-Control", "stale-while-revalidate=60"),
        ("X-Varnish", "32770"),
        ("Via", "1.1 varnish, 1.1 hit.example.org"),
        ("Via", "http/1.1 edge (ApacheTrafficServer/9.1 [cMsSf ])"),
        ("Warning", '299 - "Deprecated"'),
        ("Server-Timing", "cdn-cache; desc=MISS"),
        ("Server", "whitehit"),
    ],
)
def test_a_service_that_was_asked_is_no_cache(name, value):
    """A miss, a bypass, an expired copy and a revalidation reach the service."""
    assert cached_by({name.lower(): value}) == ""


def dated(at: float) -> dict[str, str]:
    return {"date": format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True)}


@pytest.mark.parametrize(
    ("offset_s", "step_s"),
    [(0, 10.0), (7200, 10.0), (7200, 4.0), (-7200, 10.0), (86_400, 10.4), (59, 1.0)],
)
def test_a_clock_that_is_wrong_by_a_constant_is_no_stored_answer(offset_s, step_s):
    """The first answer of such a clock is in doubt, and no other."""
    dates = Dates()
    found = [
        dates.stored_since(dated(MINUTE + n * step_s - offset_s), at, at + 0.3)
        for n in range(30)
        for at in [MINUTE + n * step_s]
    ]
    assert not any(found[1:])
    assert bool(found[0]) == (offset_s > 60)


def test_two_instances_whose_clocks_differ_are_no_cache():
    """Each is constant by itself."""
    dates = Dates()
    found = [
        dates.stored_since(dated(at - (n % 2) * 3600), at, at + 0.1)
        for n in range(40)
        for at in [MINUTE + 10.0 * n]
    ]
    assert not any(found[2:])


@pytest.mark.parametrize("lives_s", [300, 7200, 10**9])
def test_a_date_that_stands_still_is_a_stored_answer(lives_s):
    """Each answer of a copy but the one that filled the cache."""
    dates = Dates()
    for n in range(100):
        at = MINUTE + 10.0 * n
        made = at - (at - MINUTE) % lives_s
        assert bool(dates.stored_since(dated(made), at, at + 0.1)) == (made != at), n


def test_copies_of_several_caches_are_stored_answers():
    """Each began at a time of its own, hours before the request."""
    dates = Dates()
    made = [MINUTE - 3600 - 977 * n for n in range(4)]
    found = [
        dates.stored_since(dated(made[n % 4]), MINUTE + 10.0 * n, MINUTE + 10.0 * n + 0.1)
        for n in range(40)
    ]
    assert all(found)


def test_answers_that_overlap_may_have_one_date():
    """Slow answers to requests of the same second; and what is no date shows nothing."""
    dates = Dates()
    assert dates.stored_since(dated(MINUTE), MINUTE, MINUTE + 9.0) == ""
    assert dates.stored_since(dated(MINUTE), MINUTE + 0.5, MINUTE + 9.5) == ""
    for text in (
        "",
        "yesterday",
        "Tue, 24 Nov 99999 06:00:00 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
    ):
        for after in (60, 120):
            assert dates.stored_since({"date": text}, MINUTE + after, MINUTE + after) == ""


def asked(answer: Any) -> tuple[Document, Any]:
    with Server(answer) as server:
        at = Health(url=f"{server.url}/health", schema=SCHEMA, timestamp="", uptime="")
        source = HealthSource(at, server.url, SteppingClock(datetime.now(UTC)))
        return source.document(), server.asked


AGREED = HealthDocument(schema=SCHEMA, timestamp="", uptime="", database="")


def test_a_cached_document_is_asked_for_once_more_and_then_inconclusive():
    """The header is named; the schema is not judged, whatever the copy says."""
    for body in (b'{"status":"ok"}', b'{"status":"down"}'):
        document, requests = asked(Answer(200, body, OLD))
        assert len(requests) == 2
        assert requests[0].headers["cache-control"] == "no-cache"
        verdict = AGREED.judge({"health": document})
        assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "stale")
        assert "Age: 7200" in verdict.reason


def test_the_service_s_own_answer_after_a_copy_counts():
    """Both attempts are kept."""
    answers = [Answer(200, b'{"status":"ok"}', OLD), Answer(200, b'{"status":"ok"}', {"Age": "0"})]
    document, _ = asked(lambda request: answers.pop(0))
    assert AGREED.judge({"health": document}).outcome == Outcome.PASS
    assert [each.result for each in document.question.attempts] == [
        "200, from a cache (Age: 7200)",
        "200",
    ]


def test_an_old_date_is_explained_by_a_second_request():
    """A stored answer without another header is INCONCLUSIVE; a wrong clock is not."""
    clock = SteppingClock(datetime.now(UTC))

    def behind(request: Any) -> Answer:
        return Answer(200, b'{"status":"ok"}', dated(clock.now().timestamp() - 7200))

    stored = dated(clock.now().timestamp() - 7200)
    for answer, outcome in (
        (Answer(200, b'{"status":"ok"}', stored), Outcome.INCONCLUSIVE),
        (Answer(200, b'{"status":"down"}', stored), Outcome.INCONCLUSIVE),
        (behind, Outcome.PASS),
    ):
        with Server(answer) as server:
            # no retry is configured: the request that explains a date is sent all the same
            at = Health(
                url=f"{server.url}/health", schema=SCHEMA, timestamp="", uptime="",
                retry_after_s=5.0, give_up_after_s=1.0,
            )  # fmt: skip
            document = HealthSource(at, server.url, clock).document()
            assert len(server.asked) == 2
        verdict = AGREED.judge({"health": document})
        assert verdict.outcome == outcome
        if outcome == Outcome.INCONCLUSIVE:
            assert verdict.code == "stale"
            assert "Date: 7,20" in verdict.reason


def test_a_cached_document_calls_no_database_up():
    """Nor down."""
    document, _ = asked(Answer(200, b'{"status":"ok","database":true}', OLD))
    verdict = DatabaseAnswers(database="/database").judge({"health": document})
    assert verdict.outcome == Outcome.INCONCLUSIVE


HEALTH = Health(url="http://127.0.0.1/health", schema=SCHEMA, interval_s=10.0)
PLAN = Plan(name="health", kind="health", url=HEALTH.url, interval_s=10.0, health=HEALTH)


def reply(age_s: float | None = None, headers: Any = None, **body: Any) -> Reply:
    result = {"status": "ok", "uptime": 17.0, **body}
    if age_s is not None:
        result["timestamp"] = datetime.fromtimestamp(MINUTE - age_s, UTC).isoformat()
    return Reply(200, data=json.dumps(result).encode(), headers=headers or {}, took_ms=5.0)


class Always:
    """A transport that always gives the same reply."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def reply(self, plan: Plan, at: float) -> Reply:
        return self._reply

    def held(self, plan: Plan, minute: float) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (reply(headers={"age": "7200"}), "stale: Age"),
        (reply(headers={"x-cache": "HIT"}, status="down"), "stale: X-Cache"),
        (reply(age_s=7200.0), "stale: timestamp"),
        (reply(headers={"content-encoding": "zstd"}), "not taken: zstd"),
    ],
)
def test_a_probe_that_a_cache_answered_is_no_look(answer, status):
    """Not good, not failed: its slot was missed, and the line says why; no uptime is taken."""
    line = minute_line(PLAN, MINUTE, Always(answer))
    assert line.statuses == {status: 6}
    assert (line.missed, line.failed, line.latency, line.uptimes) == ([*range(6)], {}, {}, [])


def test_a_prober_takes_no_date_that_stands_still():
    """A service that is dead behind a cache without a header; a wrong clock costs one slot."""

    class Behind:
        def __init__(self, stands: bool) -> None:
            self._stands = stands

        def reply(self, plan: Plan, at: float) -> Reply:
            return reply(headers=dated(MINUTE - 600 if self._stands else at - 600))

        def held(self, plan: Plan, minute: float) -> Any:
            raise NotImplementedError

    assert minute_line(PLAN, MINUTE, Behind(stands=True)).statuses == {"stale: Date": 6}
    running = minute_line(PLAN, MINUTE, Behind(stands=False))
    assert running.statuses == {"stale: Date": 1, "200": 5}
    dates = Dates()
    minute_line(PLAN, MINUTE - 60, Behind(stands=False), dates=dates)
    assert minute_line(PLAN, MINUTE, Behind(stands=False), dates=dates).statuses == {"200": 6}


def test_a_clock_that_differs_is_no_old_document():
    """The server's own clock agrees with the document: one of two clocks is wrong, no more."""
    date = datetime.fromtimestamp(MINUTE - 7200, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    result = read_reply(PLAN, reply(age_s=7200.0, headers={"date": date}), MINUTE)
    assert (result.no_sample, result.failed) == (False, "")


def probes(uptimes: Any = (), hours: float = 4.0, **more: Any) -> Probes:
    window = Window(AT, AT + timedelta(hours=hours))
    due = round(hours * 360)
    fields: dict[str, Any] = {"due": due, "kept": due, **more}
    return Probes(
        question=Question(source="prober", asked="probes", at=window.end, window=window),
        basis="sample",
        target="health",
        interval_s=10.0,
        uptimes=tuple(Uptime(AT.timestamp() + at, up) for at, up in uptimes),
        **fields,
    )


@pytest.mark.parametrize("objective", [AlwaysUp(), NoRestart()])
def test_a_day_behind_a_cache_is_not_none_failed(objective):
    """INCONCLUSIVE, naming the header; a few copies among many looks are no matter."""
    behind = probes(kept=0, statuses={"stale: X-Cache": 1440}, gaps=((AT.timestamp(), 1e12),))
    verdict = objective.judge({"probes": behind})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "stale")
    assert "1,440 of 1,440 probes were answered by a cache" in verdict.reason
    assert "X-Cache" in verdict.reason
    grows = [(at, 9000.0 + at) for at in range(3, 14400, 10)]
    few = probes(grows, kept=1438, statuses={"200": 1438, "stale: Age": 2})
    assert objective.judge({"probes": few}).outcome == Outcome.PASS


@pytest.mark.parametrize("objective", [AlwaysUp(), NoRestart()])
def test_an_uptime_that_stands_still_is_no_life(objective):
    """A copy without any header: neither up all the time, nor restarted at every reading."""
    frozen = probes([(at, 1234.5) for at in range(3, 14400, 10)])
    verdict = objective.judge({"probes": frozen})
    assert verdict.outcome == Outcome.INCONCLUSIVE
    assert "stayed" in verdict.reason


def test_ten_minutes_of_copies_are_no_starts():
    """The process before and after them is the same."""
    ups = [(at, 9000.0 + (at if not 5000 < at < 5600 else 5000)) for at in range(3, 14400, 10)]
    verdict = NoRestart().judge({"probes": probes(ups)})
    assert verdict.outcome == Outcome.PASS, verdict.reason
