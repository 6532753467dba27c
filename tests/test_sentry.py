"""The Sentry source: sight, pages, strictness, usage, units, the canary; and the rehearsal's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from msgspec import structs

from hour24.clock import SteppingClock
from hour24.config import load
from hour24.errors import (
    NotProvided,
    SourceEmpty,
    SourceError,
    SourceFailed,
    SourceIncomplete,
    SourceLacks,
    SourceLimited,
    SourceMisread,
    SourceRefused,
)
from hour24.evidence import Listing, Question, from_plain, to_plain
from hour24.objectives.errors import EventsBelow
from hour24.objectives.errors.issues import NoNewIssue
from hour24.objectives.feed import EventStored, NothingDropped
from hour24.rehearsal.client import Rehearsal
from hour24.rehearsal.clock import RehearsalClock
from hour24.secrets import Secret
from hour24.verdict import Outcome
from hour24.watch import Watch, Window
from hour24.witnesses.sentry import SentryAt, access, canary, rows
from hour24.witnesses.sentry.source import NoDsn, Sentry
from tests.answering import Answer, Asked, Server
from tests.played import pytest_

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(hours=4, minutes=5), NOW - timedelta(minutes=5))
TOKEN = "sntryu_0123456789"
KEY = "b1946ac92492d2347c6235b4d2611184"
PROJECT = {"id": "17", "slug": "orders", "hasAccess": True}
ENVIRONMENTS = [{"id": "1", "name": "production"}, {"id": "2", "name": "hour24"}]
Answering = Callable[[Asked], Answer]


def as_json(body: Any, status: int = 200, **headers: str) -> Answer:
    """A JSON answer; ``X_Name`` becomes ``X-Name``."""
    return Answer(
        status,
        json.dumps(body).encode(),
        {name.replace("_", "-"): value for name, value in headers.items()},
    )


told = as_json  # the name by which the shared field cases import it


def links(following: str = "") -> str:
    """Both links, as Sentry sends them; the previous one of a first page has no results."""
    return (
        '<http://s/?cursor=0:0:1>; rel="previous"; results="false"; cursor="0:0:1", '
        f'<http://s/?cursor={following}>; rel="next"; '
        f'results="{"true" if following else "false"}"; cursor="{following or "0:9:0"}"'
    )


def page(body: Any, following: str = "") -> Answer:
    return as_json(body, Link=links(following))


class Vendor:
    """A Sentry that answers by path; what is not said is as it should be."""

    def __init__(self, **by: Answer | Answering) -> None:
        self.by = by

    def __call__(self, asked: Asked) -> Answer:
        path = urlsplit(asked.path).path
        name = {
            "/api/0/projects/acme/orders/": "project",
            "/api/0/organizations/acme/environments/": "environments",
            "/api/0/organizations/acme/issues/": "issues",
            "/api/0/organizations/acme/events/": "events",
            "/api/0/organizations/acme/stats_v2/": "stats",
            "/api/17/envelope/": "envelope",
        }.get(path, "event" if "/projects/acme/orders/events/" in path else "")
        usual: dict[str, Any] = {"project": PROJECT, "environments": ENVIRONMENTS}
        usual_answer = self.by.get(name, as_json(usual[name]) if name in usual else Answer(404))
        return usual_answer(asked) if callable(usual_answer) else usual_answer


@pytest.fixture
def ask() -> Iterator[Callable[..., tuple[Sentry, Server]]]:
    """Makes a Sentry source and its server."""
    servers: list[Server] = []

    def make(at: dict[str, Any] | None = None, **by: Answer | Answering) -> tuple[Sentry, Server]:
        server = Server(Vendor(**by))
        servers.append(server)
        fields: dict[str, Any] = {
            "url": server.url,
            "organization": "acme",
            "project": "orders",
            "environment": "production",
            "token": Secret("SENTRY_TOKEN", TOKEN),
            "dsn": Secret("SENTRY_DSN", f"http://{KEY}@127.0.0.1:{server.port}/17"),
            "timeout_s": 2.0,
            **(at or {}),
        }
        return Sentry(SentryAt(**fields), SteppingClock(NOW)), server

    yield make
    for server in servers:
        server.close()


def params(asked: Asked) -> dict[str, list[str]]:
    return parse_qs(urlsplit(asked.path).query, keep_blank_values=True)


def asked_of(server: Server, part: str) -> list[Asked]:
    return [asked for asked in server.asked if part in asked.path]


def issue(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "shortId": f"ORDERS-{number}",
        "title": f"ValueError: number {number}",
        "culprit": "orders.total",
        "level": "error",
        "status": "unresolved",
        "issueCategory": "error",
        "metadata": {"type": "ValueError", "value": f"number {number}"},
        "isUnhandled": True,
        "count": "3",
        "userCount": 2,
        "firstSeen": "2026-11-24T06:10:00Z",
        "lastSeen": "2026-11-24T09:00:00Z",
        "lifetime": {"count": "900", "firstSeen": "2026-01-01T00:00:00Z"},
        **more,
    }


def event(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{number:032x}",
        "timestamp": "2026-11-24T08:00:00+00:00",
        "title": f"ValueError: number {number}",
        "message": f"number {number}",
        "culprit": "orders.total",
        "level": "error",
        "error.type": ["ValueError"],
        "issue.id": 17,
        "issue": "ORDERS-17",
        "environment": "production",
        **more,
    }


def table(*data: dict[str, Any], **meta: Any) -> dict[str, Any]:
    return {"data": list(data), "meta": {"fields": {}, "units": {}, "dataset": "errors", **meta}}


def span(name: str, ms: float = 100.0, count: float = 400) -> dict[str, Any]:
    values = {f"{q}(span.duration)": ms * (1 + n) for n, q in enumerate(rows.QUANTILES)}
    return {"transaction": name, "count()": count, **values}


def spans(*data: dict[str, Any], unit: Any = "millisecond", **meta: Any) -> dict[str, Any]:
    units = {f"{q}(span.duration)": unit for q in rows.QUANTILES}
    return table(*data, **{"units": {"transaction": None, **units}, "dataset": "spans", **meta})


def usage(*groups: tuple[str, str | None, list[Any]], first: int = 5) -> dict[str, Any]:
    size = len(groups[0][2]) if groups else 5
    return {
        "start": f"2026-11-24T{first:02}:00:00Z",
        "end": "2026-11-24T10:00:00Z",
        "intervals": [f"2026-11-24T{first + n:02}:00:00Z" for n in range(size)],
        "groups": [
            {
                "by": {"outcome": outcome, "reason": reason},
                "totals": {"sum(quantity)": 0},
                "series": {"sum(quantity)": series},
            }
            for outcome, reason, series in groups
        ],
    }


QUESTIONS: dict[str, Callable[[Sentry], Any]] = {
    "issues": lambda source: source.issues(WINDOW),
    "error_events": lambda source: source.error_events(WINDOW),
    "transactions": lambda source: source.transactions(WINDOW),
    "outcomes": lambda source: source.outcomes(WINDOW),
    "accepted": lambda source: source.accepted(WINDOW),
}
PATHS = {
    "issues": "issues",
    "error_events": "events",
    "transactions": "events",
    "outcomes": "stats",
    "accepted": "stats",
}
GOOD = {
    "issues": page([issue(1)]),
    "error_events": page(table(event(1))),
    "transactions": page(spans(span("GET /orders"))),
    "outcomes": as_json(usage(("accepted", "", [1, 2, 3, 4, 5]))),
    "accepted": as_json(usage(("accepted", "", [1, 2, 3, 4, 5]))),
}


# --- what is sent -----------------------------------------------------------------------------


def test_issues_are_asked_for_whole(ask):
    """Start and end in UTC, the project's id, the environment, every status, no canary."""
    source, server = ask(issues=GOOD["issues"])
    listing = source.issues(WINDOW)
    (asked,) = asked_of(server, "/issues/")
    assert params(asked) == {
        "project": ["17"],
        "environment": ["production"],
        "start": ["2026-11-24T05:55:00Z"],
        "end": ["2026-11-24T09:55:00Z"],
        "query": ["!hour24:canary"],
        "sort": ["new"],
        "limit": ["100"],
    }
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert (listing.what, listing.basis, listing.complete) == ("issues", "census", True)
    assert listing.question.window == WINDOW
    assert TOKEN not in str(to_plain(listing))
    assert from_plain(to_plain(listing)) == listing


def test_tables_ask_for_few_fields_and_sort_by_one_of_them(ask):
    """At most 20 fields; spans are only those that are transactions."""
    for name, terms in (
        ("error_events", "!hour24:canary"),
        ("transactions", "is_transaction:true"),
    ):
        source, server = ask(events=GOOD[name])
        QUESTIONS[name](source)
        sent = params(asked_of(server, "/events/")[0])
        assert len(sent["field"]) <= 20
        assert sent["sort"][0].removeprefix("-") in sent["field"]
        assert sent["query"] == [terms]
        assert sent["project"] == ["17"]
        assert sent["environment"] == ["production"]


def test_the_project_and_the_environment_are_read_once(ask):
    """Sight is proved before the first answer, and not for every question."""
    source, server = ask(issues=GOOD["issues"], events=GOOD["error_events"])
    source.issues(WINDOW)
    source.error_events(WINDOW)
    source.issues(WINDOW)
    paths = [urlsplit(asked.path).path for asked in server.asked]
    assert paths[0] == "/api/0/projects/acme/orders/"
    assert paths[1] == "/api/0/organizations/acme/environments/"
    assert len(paths) == 5


# --- silence ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_empty_answer_to_a_token_without_rights_is_no_answer(ask, name):
    """200 and nothing, from a token that sees no project, is a refusal and not health."""
    nothing = {
        "issues": page([]),
        "error_events": page(table()),
        "transactions": page(spans()),
        "outcomes": as_json(usage()),
        "accepted": as_json(usage()),
    }
    for no_access in (Answer(404), Answer(403), as_json({**PROJECT, "hasAccess": False})):
        source, server = ask(project=no_access, **{PATHS[name]: nothing[name]})
        with pytest.raises(SourceRefused, match=r"^sentry: project: expected "):
            QUESTIONS[name](source)
        assert len(server.asked) == 1


@pytest.mark.parametrize("name", ["issues", "error_events"])
def test_an_empty_answer_to_a_token_that_sees_is_one(ask, name):
    """No issue and no event, where there could be some."""
    source, _ = ask(issues=page([]), events=page(table()))
    assert QUESTIONS[name](source).items == ()


def test_an_environment_that_nothing_comes_from_is_no_answer(ask):
    """A misspelt environment is empty whatever happens."""
    source, _ = ask({"environment": "prod"}, issues=page([]))
    with pytest.raises(SourceEmpty, match="expected one named 'prod', got hour24, production"):
        source.issues(WINDOW)


def test_a_server_that_lists_no_environments_is_believed(ask):
    """An older server without that endpoint still answers the other questions."""
    source, _ = ask(environments=Answer(404), issues=GOOD["issues"])
    assert len(source.issues(WINDOW).items) == 1


@pytest.mark.parametrize(("ahead_s", "says"), [(3600, "ahead of ours"), (-3600, "behind ours")])
def test_an_answer_with_another_clock_is_refused(ask, ahead_s, says):
    """Its window would be another one than ours; five minutes apart it is still taken."""

    def dated(seconds: float) -> Answer:
        date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
        return as_json([issue(1)], Date=date, Link=links())

    source, _ = ask(issues=dated(ahead_s))
    with pytest.raises(SourceMisread, match=f"its clock is 3600 s {says}, expected at most 300 s"):
        source.issues(WINDOW)
    source, _ = ask(issues=dated(ahead_s / 12))
    assert len(source.issues(WINDOW).items) == 1


@pytest.mark.parametrize(
    ("age", "refused"),
    [("301", True), ("300", False), ("0", False), ("soon", False), ("9" * 400, True)],
)
def test_an_old_copy_of_a_cache_is_refused(ask, age, refused):
    """Its list would end before the window does; five minutes are what a clock may be wrong."""
    source, _ = ask(issues=as_json([issue(1)], Age=age, Link=links()))
    if refused:
        with pytest.raises(
            SourceMisread, match=r"a cache answered with a copy that is [0-9,]+ s old"
        ):
            source.issues(WINDOW)
    else:
        assert len(source.issues(WINDOW).items) == 1


def test_a_server_without_an_endpoint_lacks_only_that(ask):
    """Usage is not there: SourceLacks by its name; issues are answered."""
    source, _ = ask(issues=GOOD["issues"], events=as_json({"detail": "no spans"}, 400))
    with pytest.raises(SourceLacks, match=r"^sentry: outcomes: this server has no such endpoint"):
        source.outcomes(WINDOW)
    with pytest.raises(SourceLacks, match=r"^sentry: transactions: .*no spans"):
        source.transactions(WINDOW)
    assert len(source.issues(WINDOW).items) == 1


def test_no_transactions_are_no_fast_ones(ask):
    """Without traces nothing is known of times."""
    source, _ = ask(events=page(spans()))
    with pytest.raises(SourceEmpty) as raised:
        source.transactions(WINDOW)
    assert raised.value.code == "no_data"


# --- refusals and nonsense --------------------------------------------------------------------


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(401), SourceRefused),
        (Answer(403), SourceRefused),
        (as_json({}, 429, Retry_After="3600"), SourceLimited),
        (Answer(502), SourceFailed),
        (Answer(404), SourceLacks),
        (Answer(body=b"<!doctype html><title>Sign in</title>"), SourceMisread),
        (Answer(body=b"null", headers={"Link": links()}), SourceMisread),
        (Answer(body=b"{}", headers={"Link": links()}), SourceMisread),
        (Answer(body=b'{"data": [NaN]}', headers={"Link": links()}), SourceMisread),
        (Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n[{"), SourceMisread),
        (Answer(raw=b""), SourceError),
    ],
)
def test_what_is_no_answer(ask, name, answer, kind):
    """Refused, limited, failing, absent, HTML, null, NaN, cut off: an error that keeps its try."""
    source, _ = ask(**{PATHS[name]: answer})
    with pytest.raises(kind, match=r"^sentry: ") as raised:
        QUESTIONS[name](source)
    question = raised.value.question
    assert isinstance(question, Question)
    assert question.attempts
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "answer", "says"),
    [
        ("issues", [issue(1, count=None)], r"\[0\].count: expected a number, got null"),
        ("issues", [issue(1, count="many")], r"\[0\].count: expected a whole number as text"),
        ("issues", [issue(1, userCount="2")], r"userCount: expected a number, got \"2\""),
        ("issues", [issue(1, lifetime=None)], r"lifetime: expected an object, got null"),
        (
            "issues",
            [issue(1, lifetime={"firstSeen": None})],
            r"lifetime.firstSeen: expected a time with its zone",
        ),
        ("issues", [issue(1, lastSeen="2026-11-24T09:00:00")], r"lastSeen: expected a time with"),
        ("issues", [issue(1, lastSeen="2026-11-20T09:00:00Z")], r"in the window asked for"),
        ("issues", [issue(1, title=7)], r"title: expected text, got 7"),
        ("issues", [issue(1, isUnhandled="yes")], r"isUnhandled: expected true or false"),
        ("error_events", table(event(1, timestamp=1795499803)), r"timestamp: expected a time"),
        ("error_events", table(event(1, timestamp="2026-11-20T09:00:00Z")), r"as asked"),
        ("error_events", table(event(1, title=None)), r"title: expected text, got null"),
        ("error_events", table(event(1), dataset="discover"), r"meta.dataset: expected \"?errors"),
        ("error_events", {"data": []}, r"meta: expected to be there"),
        ("transactions", spans({**span("a"), "count()": "400"}), r"count\(\): expected a number"),
        (
            "transactions",
            spans({**span("a"), "p99(span.duration)": None}),
            r"p99\(span.duration\): expected a number, got null",
        ),
        (
            "transactions",
            spans({**span("a"), "p50(span.duration)": "12.5"}),
            r"p50\(span.duration\): expected a number, got \"12.5\"",
        ),
        ("transactions", spans(span("a", -1.0)), r"expected a duration"),
        ("transactions", spans(span("a"), unit=None), r"units.p50.*: expected text, got null"),
        ("transactions", spans(span("a"), unit="byte"), r"expected one of nanosecond, .*\"byte\""),
        ("transactions", spans(span("a"), units={}), r"units.p50.*: expected to be there"),
    ],
)
def test_a_row_that_is_not_as_documented(ask, name, answer, says):
    """Null, text for a number, a time without a zone, another window: misread, never 0."""
    source, _ = ask(**{PATHS[name]: page(answer)})
    with pytest.raises(SourceMisread, match=says):
        QUESTIONS[name](source)


# --- pages ------------------------------------------------------------------------------------


def paged(pages: dict[str, Answer]) -> Answering:
    """Answers by cursor; the first page has none."""
    return lambda asked: pages[params(asked).get("cursor", [""])[0]]


def test_every_page_is_read(ask):
    """Three pages, the middle one short, an issue on two of them: all of them, once."""
    source, server = ask(
        issues=paged(
            {
                "": page([issue(n) for n in range(100)], "0:100:0"),
                "0:100:0": page([issue(99)], "0:200:0"),
                "0:200:0": page([issue(n, count="7") for n in range(100, 103)]),
            }
        )
    )
    listing = source.issues(WINDOW)
    assert len(listing.items) == 103
    assert (listing.seen, listing.question.pages, listing.items[0]["count"]) == (104, 3, 7)
    sent = [dict(parse_qsl(urlsplit(a.path).query)) for a in asked_of(server, "/issues/")]
    assert [each.pop("cursor", "") for each in sent] == ["", "0:100:0", "0:200:0"]
    assert sent[0] == sent[1] == sent[2]
    assert "+ cursor=0%3A200%3A0" in listing.question.asked.splitlines()


@pytest.mark.parametrize("name", ["issues", "error_events", "transactions"])
@pytest.mark.parametrize(
    "second",
    [
        Answer(502),
        Answer(403),
        as_json({}, 429, Retry_After="3600"),
        Answer(body=b"<html>"),
        Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n[{"),
        as_json([]),
    ],
)
def test_a_later_page_that_fails_is_not_a_short_list(ask, name, second):
    """What was read so far is not all there is; of errors it is answered, as a part."""
    first = page(json.loads(GOOD[name].body), "0:100:0")
    source, _ = ask(**{PATHS[name]: paged({"": first, "0:100:0": second})})
    says = rf"^sentry: {name.replace('_', ' ')}: page 2: "
    if name == "transactions":
        with pytest.raises(SourceIncomplete, match=says):
            QUESTIONS[name](source)
        return
    found = QUESTIONS[name](source)
    assert isinstance(found, Listing)
    assert found.items
    assert not found.complete
    assert re.match(says, found.note)


def test_links_that_say_nothing_are_not_an_end(ask):
    """No next link, or one without its results: whether that was all is unknown."""
    for link in (
        "",
        '<http://s/>; rel="previous"; results="false"; cursor="0:0:1"',
        '<http://s/>; rel="next"; cursor="0:100:0"',
        '<http://s/>; rel="next"; results="true"',
    ):
        source, _ = ask(issues=as_json([issue(1)], Link=link))
        with pytest.raises(SourceMisread, match="Link: expected"):
            source.issues(WINDOW)


def test_there_is_an_end_to_pages(ask, monkeypatch):
    """Beyond the cap it is too many; the same page again and again is misread."""
    monkeypatch.setattr(access, "MOST_PAGES", 3)

    def endless(asked: Asked) -> Answer:
        number = int(params(asked).get("cursor", ["0:0:0"])[0].split(":")[1]) + 100
        return page([issue(number)], f"0:{number}:0")

    source, server = ask(issues=endless)
    found = source.issues(WINDOW)
    assert (len(found.items), found.complete) == (3, False)
    assert "expected at most 3 pages of 100, got more" in found.note
    assert len(asked_of(server, "/issues/")) == 3
    source, _ = ask(issues=page([issue(1)], "0:100:0"))
    with pytest.raises(SourceMisread, match="the same again"):
        source.issues(WINDOW)


def test_a_storm_of_errors_is_seen(ask, monkeypatch):
    """Beyond the cap the newest events stand, and are said not to be all: FAIL, never PASS."""
    monkeypatch.setattr(access, "MOST_PAGES", 2)
    pages = {
        "": page(table(event(1), event(2)), "0:100:0"),
        "0:100:0": page(table(event(3), event(4)), "0:200:0"),
    }
    source, server = ask(events=paged(pages))
    listing = source.error_events(WINDOW)
    assert (len(listing.items), listing.complete, listing.seen) == (4, False, 4)
    assert len(asked_of(server, "/events/")) == 2
    assert EventsBelow(per_hour=4).judge({"events": listing}).outcome == Outcome.FAIL
    judged = EventsBelow(per_hour=5).judge({"events": listing})
    assert judged.outcome == Outcome.INCONCLUSIVE


# --- what is read -----------------------------------------------------------------------------


def test_an_issue(ask):
    """First seen is of all time; count, which is text, and users are of the window."""
    source, _ = ask(issues=GOOD["issues"])
    (item,) = source.issues(WINDOW).items
    assert item == {
        "short_id": "ORDERS-1",
        "title": "ValueError: number 1",
        "level": "error",
        "count": 3,
        "users": 2,
        "first_seen": datetime(2026, 1, 1, tzinfo=UTC).timestamp(),
        "last_seen": datetime(2026, 11, 24, 9, tzinfo=UTC).timestamp(),
        "culprit": "orders.total",
        "type": "ValueError",
        "message": "number 1",
        "unhandled": True,
        "status": "unresolved",
        "category": "error",
        "id": "1",
    }


def test_error_events_are_those_of_the_window(ask):
    """Half open; a minute outside is dropped, oldest first, each once."""
    source, _ = ask(
        events=page(
            table(
                event(1, timestamp="2026-11-24T09:55:00+00:00"),
                event(2, timestamp="2026-11-24T09:54:59.900+00:00", message=None),
                event(2, timestamp="2026-11-24T09:54:59.900+00:00", message=None),
                event(3, timestamp="2026-11-24T05:55:00+00:00"),
                event(4, timestamp="2026-11-24T05:54:59+00:00"),
            )
        )
    )
    listing = source.error_events(WINDOW)
    assert [item["id"][-1] for item in listing.items] == ["3", "2"]
    assert listing.items[0]["at"] == WINDOW.start.timestamp()
    assert listing.items[0]["type"] == "ValueError"
    assert listing.items[1]["message"] == ""
    assert listing.seen == 5


def test_the_canary_is_left_out_here_too(ask):
    """A server that does not heed the search term shows ours; a namesake of production stays."""
    source, _ = ask(
        issues=page([issue(1), issue(2, title=canary.TITLE)]),
        events=page(
            table(
                event(1),
                event(2, title=canary.TITLE, environment=canary.ENVIRONMENT),
                event(3, title=canary.TITLE),
            )
        ),
    )
    assert [item["id"] for item in source.issues(WINDOW).items] == ["1"]
    assert [item["id"][-1] for item in source.error_events(WINDOW).items] == ["1", "3"]


@pytest.mark.parametrize(
    ("unit", "value"),
    [("millisecond", 250.0), ("second", 0.25), ("microsecond", 250_000.0), ("nanosecond", 2.5e8)],
)
def test_a_transaction_is_in_milliseconds(ask, unit, value):
    """Whatever the unit that Sentry names."""
    source, _ = ask({"traces_sample_rate": 1.0}, events=page(spans(span("a", value), unit=unit)))
    listing = source.transactions(WINDOW)
    (item,) = listing.items
    assert item["p50"] == pytest.approx(250.0)
    assert item["p100"] == pytest.approx(1500.0)
    assert (item["transaction"], item["count"], listing.basis) == ("a", 400, "census")


@pytest.mark.parametrize(("rate", "count"), [(None, 400), (0.1, 40), (0.29, 116)])
def test_a_sampled_transaction_counts_what_was_sent(ask, rate, count):
    """Sentry extrapolates its counts; an interval rests on the spans that were there."""
    source, _ = ask({"traces_sample_rate": rate}, events=page(spans(span("a"))))
    listing = source.transactions(WINDOW)
    assert (listing.items[0]["count"], listing.basis) == (count, "sample")
    assert listing.note


@pytest.mark.parametrize("name", ["transactions", "error_events"])
def test_a_partial_scan_is_incomplete(ask, name):
    """What it left out is unknown."""
    body = json.loads(GOOD[name].body)
    body["meta"]["dataScanned"] = "partial"
    source, _ = ask(events=page(body))
    with pytest.raises(SourceIncomplete, match="expected a full scan of the data, got 'partial'"):
        QUESTIONS[name](source)


# --- usage ------------------------------------------------------------------------------------


def test_usage_is_counted_by_outcome_and_reason(ask):
    """Whole hours around the window; an hour outside of them does not count."""
    source, server = ask(
        stats=as_json(
            usage(
                ("accepted", "", [100, 1, 2, 3, 4, 5, 100]),
                ("rate_limited", "key_quota", [9, 0, 0, 20, 0, 0, 9]),
                ("filtered", "localhost", [0, 0, 4, 0, 0, 0, 0]),
                ("invalid", None, [0, 0, 0, 0, 0, 1, 0]),
                ("client_discard", "network_error", [0, 0, 0, 0, 0, 2, 0]),
                ("client_discard", "before_send", [0, 0, 0, 0, 0, 6, 0]),
                ("client_discard", "ignored", [0, 3, 0, 0, 9, 0, 0]),
                ("client_discard", "sample_rate", [0, 3, 0, 0, 0, 0, 0]),
                ("abuse", "", [3, 0, 0, 0, 0, 0, 3]),
                first=4,
            )
        )
    )
    counts = source.outcomes(WINDOW)
    assert counts.parts == {
        "accepted": 15,
        "rate_limited: key_quota": 20,
        "invalid": 1,
        "client_discard: network_error": 2,
        "client_discard: sample_rate": 3,
        "by settings, filtered: localhost": 4,
        "by settings, client_discard: before_send": 6,
        "by settings, client_discard: ignored": 12,
    }
    assert (counts.total, counts.bad, counts.what) == (41, 26, "error events")
    verdict = NothingDropped().judge({"outcomes": counts})
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "dropped")
    assert "dropped 26 of 41 error events" in verdict.reason
    assert "22 excluded by your own settings (6 client_discard: before_send" in (verdict.reason)
    assert counts.question.window == Window(NOW.replace(hour=5), NOW)
    sent = params(asked_of(server, "/stats_v2/")[0])
    assert (sent["start"], sent["end"]) == (["2026-11-24T05:00:00Z"], ["2026-11-24T10:00:00Z"])
    assert sent["groupBy"] == ["outcome", "reason"]
    assert sent["category"] == ["error"]
    assert "environment" not in sent


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("client_discard", "ignored"),
        ("client_discard", "before_send"),
        ("filtered", "error-message"),
        ("filtered", "browser-extensions"),
        ("filtered", "discarded-hash"),
    ],
)
def test_what_a_team_leaves_out_itself_is_shown_and_is_no_drop(ask, outcome, reason):
    """Its own ignoreErrors and inbound filters; unknown reasons of the same outcome are drops."""
    own = [("accepted", "", [1, 2, 3, 4, 5]), (outcome, reason, [0, 3, 0, 0, 9])]
    source, _ = ask(stats=as_json(usage(*own)))
    verdict = NothingDropped().judge({"outcomes": source.outcomes(WINDOW)})
    assert verdict.outcome == Outcome.PASS
    assert f"12 excluded by your own settings (12 {outcome}: {reason})" in (verdict.reason)
    lost, _ = ask(stats=as_json(usage(*own, (outcome, "queue_overflow", [0, 0, 1, 0, 0]))))
    dropped = NothingDropped().judge({"outcomes": lost.outcomes(WINDOW)})
    assert (dropped.outcome, dropped.figures["dropped"]) == (Outcome.FAIL, 1.0)


@pytest.mark.parametrize(
    "first_seen",
    ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2099-01-01T00:00Z"],
)
def test_an_impossible_first_sight_is_unknown(ask, first_seen):
    """It may be new: INCONCLUSIVE for that issue; another new one is a FAIL."""
    odd = issue(1, lifetime={"count": "3", "firstSeen": first_seen})
    source, _ = ask(issues=page([odd]))
    found = source.issues(WINDOW)
    assert found.items[0]["first_seen"] is None
    verdict = NoNewIssue().judge({"issues": found})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "source_misread")
    assert "first seen at an unknown time" in verdict.reason
    stored = structs.replace(found, items=({**found.items[0], "first_seen": 0.0},))
    assert NoNewIssue().judge({"issues": stored}).outcome == Outcome.INCONCLUSIVE
    fresh = {**found.items[0], "first_seen": WINDOW.start.timestamp() + 60}
    both = structs.replace(found, items=(found.items[0], fresh))
    assert NoNewIssue().judge({"issues": both}).outcome == Outcome.FAIL


def test_accepted_events_are_returned_by_the_hour(ask):
    """Groups of one hour are summed; what was not accepted does not count."""
    source, server = ask(
        stats=as_json(
            usage(
                ("accepted", "", [1, 0, 3, 4, 5]),
                ("accepted", "other", [0, 0, 10, 0, 0]),
                ("filtered", "localhost", [9, 9, 9, 9, 9]),
            )
        )
    )
    (line,) = source.accepted(WINDOW).lines
    assert line.values == (1.0, 0.0, 13.0, 4.0, 5.0)
    assert line.times[0] == NOW.replace(hour=5).timestamp()
    assert params(asked_of(server, "/stats_v2/")[0])["category"] == ["error"]


def test_an_hour_that_is_none_is_misread(ask):
    """An interval between two hours belongs to neither."""
    body = usage(("accepted", "", [1, 1, 1, 1, 1, 1]))
    body["intervals"] = [*body["intervals"][:5], "2026-11-24T07:30:00Z"]
    source, _ = ask(stats=as_json(body))
    for question in (source.accepted, source.outcomes):
        with pytest.raises(SourceMisread, match="expected whole hours"):
            question(WINDOW)


def test_no_usage_at_all_is_zero_of_zero(ask):
    """Nothing sent, nothing dropped; the hours are there."""
    source, _ = ask(stats=as_json(usage()))
    counts = source.outcomes(WINDOW)
    assert (counts.total, counts.bad, counts.parts) == (0, 0, {})


def test_an_hour_that_has_not_begun_may_be_absent(ask):
    """Asked in the middle of an hour, the hours that have begun must be there."""
    source, _ = ask(stats=as_json(usage(("accepted", "", [1, 1, 1, 1, 1]))))
    window = Window(WINDOW.start, NOW + timedelta(minutes=20))
    assert source.outcomes(window).total == 5


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (usage(("accepted", "", [1, 2, 3])), SourceIncomplete, "expected 5 hours, got 3"),
        (usage(("accepted", "", [1, 2, None, 4, 5])), SourceMisread, "expected a number, got null"),
        (usage(("accepted", "", [1, 2, "3", 4, 5])), SourceMisread, 'got "3"'),
        (usage(("accepted", "", [1, 2, -3, 4, 5])), SourceMisread, "at least 0"),
        (usage(("mislaid", "", [1, 2, 3, 4, 5])), SourceMisread, "an outcome that is documented"),
        (
            {**usage(("accepted", "", [1] * 5)), "groups": None},
            SourceMisread,
            "groups: expected a list, got null",
        ),
        (
            {
                **usage(),
                "groups": [{"by": {"outcome": "accepted"}, "series": {"sum(quantity)": [1]}}],
            },
            SourceMisread,
            "expected 5 numbers",
        ),
    ],
)
def test_usage_that_is_not_whole(ask, body, kind, says):
    """Hours that are absent, null, text, unknown words: no answer."""
    source, _ = ask(stats=as_json(body))
    with pytest.raises(kind, match=says):
        source.outcomes(WINDOW)


# --- the canary -------------------------------------------------------------------------------


def accepted(asked: Asked) -> Answer:
    return as_json({"id": json.loads(asked.body.split(b"\n")[0])["event_id"]})


def stored(after: int) -> Answering:
    """The event is there from the ``after``-th poll on."""
    polls: list[str] = []

    def answer(asked: Asked) -> Answer:
        event_id = urlsplit(asked.path).path.split("/")[-2]
        polls.append(event_id)
        if len(polls) < after:
            return as_json({"detail": "Event not found"}, 404)
        return as_json({"eventID": event_id, "groupID": "9", "tags": [], "contexts": {"x": 1}})

    return answer


def test_the_canary_is_read_back(ask):
    """An envelope to the DSN's host, its key but not the token; polled until it is there."""
    source, server = ask(envelope=accepted, event=stored(3))
    document = source.receipt()
    sent = asked_of(server, "/envelope/")
    assert len(sent) == 1
    assert f"sentry_key={KEY}" in sent[0].headers["x-sentry-auth"]
    assert "authorization" not in sent[0].headers
    header, about, payload, rest = sent[0].body.split(b"\n")
    assert rest == b""
    assert json.loads(about) == {
        "type": "event",
        "length": len(payload),
        "content_type": "application/json",
    }
    event_id = json.loads(header)["event_id"]
    assert json.loads(header) == {"event_id": event_id, "sent_at": "2026-11-24T10:00:00Z"}
    usual_answer = json.loads(payload)
    assert (usual_answer["event_id"], usual_answer["fingerprint"]) == (event_id, ["hour24-canary"])
    assert (usual_answer["environment"], usual_answer["tags"]) == ("hour24", {"hour24": "canary"})
    assert (document.status, document.body) == (
        200,
        {"eventID": event_id, "groupID": "9", "tags": []},
    )
    assert [a.result for a in document.question.attempts] == ["200", "404", "404", "200"]
    assert source.clock.now() == NOW + timedelta(seconds=6)
    verdict = EventStored().judge({"event": document})
    assert verdict.outcome == Outcome.PASS
    assert verdict.figures["took_s"] >= 6.0
    for secret in (TOKEN, KEY):
        assert secret not in str(to_plain(document))


def test_two_canaries_are_one_issue_and_two_events(ask):
    """The fingerprint stays, the id is new: 32 digits, lower case."""
    source, _ = ask(envelope=accepted, event=stored(1))
    first, second = source.receipt(), source.receipt()
    assert first.body["eventID"] != second.body["eventID"]
    assert len(bytes.fromhex(first.body["eventID"])) == 16
    assert first.body["eventID"] == first.body["eventID"].lower()


def counted(*accepted_: int) -> Answering:
    """Usage, asked once before and once after: so many accepted events each time."""
    left = list(accepted_)

    def answer(asked: Asked) -> Answer:
        begun = parse_qs(urlsplit(asked.path).query)["start"][0]
        group = {
            "by": {"outcome": "accepted", "reason": None},
            "series": {"sum(quantity)": [left.pop(0)]},
        }
        return as_json({"intervals": [begun], "groups": [group]})

    return answer


@pytest.mark.parametrize(
    ("stats", "outcome", "code"),
    [
        (counted(7, 7), Outcome.FAIL, "not_stored"),
        (counted(7, 8), Outcome.INCONCLUSIVE, "source_timeout"),
        (Answer(404), Outcome.FAIL, "not_stored"),
        (Answer(503), Outcome.INCONCLUSIVE, "source_failed"),
    ],
)
def test_a_canary_that_never_appears(ask, stats, outcome, code):
    """Accepted, and 404 for five minutes: not stored, unless Sentry counted one meanwhile."""
    source, server = ask(envelope=accepted, event=stored(1000), stats=stats)
    document = source.receipt(300.0)
    assert (document.status, document.problem) == (404, "not stored within 300 s")
    passed = (source.clock.now() - NOW).total_seconds()
    assert 285 <= passed <= 310
    assert len(asked_of(server, "/orders/events/")) < 35
    verdict = EventStored().judge({"event": document})
    assert (verdict.outcome, verdict.code) == (outcome, code)


def test_a_canary_that_is_late_is_still_received(ask):
    """It appears after two minutes: PASS, and it says how long that took."""
    source, _ = ask(envelope=accepted, event=stored(20), stats=counted(7))
    verdict = EventStored().judge({"event": source.receipt(300.0)})
    assert verdict.outcome == Outcome.PASS
    assert 100 < verdict.figures["took_s"] < 200


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ("60::organization", 429),
        ("60:error:key", 429),
        ("60:transaction;default:organization:quota", 429),
        ("60:transaction:organization, 2700:default;error;security:organization:quota", 429),
        ("60", 429),
        ("60:transaction:organization, 60:attachment:key", 200),
        ("", 200),
    ],
)
def test_a_limit_on_a_200_is_no_acceptance(ask, limits, status):
    """Of the categories only those that an error is in."""
    source, server = ask(
        envelope=lambda asked: Answer(
            200, accepted(asked).body, {"X-Sentry-Rate-Limits": limits} if limits else {}
        ),
        event=stored(1),
    )
    document = source.receipt()
    assert document.status == status
    if status == 429:
        assert document.problem.startswith("not accepted: 200 came with the limit ")
        assert not asked_of(server, "/orders/events/")
        verdict = EventStored().judge({"event": document})
        assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "not_accepted")


def test_a_429_of_the_ingest_is_refused_by_its_limit_alone(ask):
    """With a limit on errors Sentry says that it takes none; without one it only limits us."""
    limit = {"X-Sentry-Rate-Limits": "60:error:organization:quota"}
    source, server = ask(envelope=Answer(429, b"", limit))
    document = source.receipt()
    assert (document.status, document.body) == (429, {"limit": limit["X-Sentry-Rate-Limits"]})
    assert len(asked_of(server, "/envelope/")) == 1


@pytest.mark.parametrize(
    ("envelope", "kind"),
    [
        (Answer(403), SourceRefused),
        (Answer(401), SourceRefused),
        (Answer(429), SourceLimited),
        (Answer(503), SourceFailed),
        (Answer(400), SourceLacks),
        (Answer(body=b"<html>"), SourceMisread),
        (Answer(body=b"null"), SourceMisread),
        (as_json({"id": "0" * 32}), SourceMisread),
        (Answer(raw=b""), SourceError),
    ],
)
def test_a_canary_that_is_not_accepted(ask, envelope, kind):
    """It is sent once, whatever is answered, and nothing is said of what is stored."""
    source, server = ask(envelope=envelope)
    with pytest.raises(kind, match=r"^sentry: canary"):
        source.receipt()
    assert len(asked_of(server, "/envelope/")) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(403), SourceRefused),
        (Answer(401), SourceRefused),
        (Answer(502), SourceFailed),
        (as_json({}, 429, Retry_After="3600"), SourceLimited),
        (Answer(body=b"<html>"), SourceMisread),
        (as_json({}), SourceMisread),
        (as_json({"eventID": "0" * 32}), SourceMisread),
    ],
)
def test_a_canary_that_may_not_be_read_back(ask, answer, kind):
    """Accepted, but reading back is refused: neither stored nor lost."""
    source, server = ask(envelope=accepted, event=answer)
    with pytest.raises(kind, match=r"^sentry: canary"):
        source.receipt()
    assert len(asked_of(server, "/envelope/")) == 1


def test_nothing_is_sent_where_nothing_could_be_read_back(ask):
    """A token without rights, another project's DSN, an invalid DSN: reported, and nothing sent."""
    source, server = ask(project=Answer(404), envelope=accepted)
    with pytest.raises(SourceRefused, match=r"that sees project .*, got none"):
        source.receipt()
    assert not asked_of(server, "/envelope/")
    for dsn, says in (
        (f"http://{KEY}@127.0.0.1:9/18", "expected the DSN of project 17, got one of project 18"),
        ("https://sentry.example/17", "expected SCHEME://KEY@HOST/PROJECT"),
        (f"http://{KEY}@[::1/17", "expected SCHEME://KEY@HOST/PROJECT"),
        (f"ftp://{KEY}@127.0.0.1/17", "expected SCHEME://KEY@HOST/PROJECT"),
    ):
        source, server = ask({"dsn": Secret("SENTRY_DSN", dsn)}, envelope=accepted)
        with pytest.raises(SourceRefused, match=f"SENTRY_DSN: {says}") as raised:
            source.receipt()
        assert KEY not in str(raised.value)
    source, server = ask({"dsn": None})
    with pytest.raises(NoDsn) as raised:
        source.receipt()
    assert raised.value.code == "not_described"
    assert not server.asked


@pytest.mark.parametrize(
    ("dsn", "envelope"),
    [
        (
            "https://key@o1.ingest.de.sentry.io/42",
            "https://o1.ingest.de.sentry.io/api/42/envelope/",
        ),
        ("https://key:secret@sentry.acme/42", "https://sentry.acme/api/42/envelope/"),
        ("http://key@acme:9000/sub/path/42", "http://acme:9000/sub/path/api/42/envelope/"),
        ("http://key@[::1]:9000/42", "http://[::1]:9000/api/42/envelope/"),
    ],
)
def test_where_a_dsn_sends(dsn, envelope):
    """The path before the project stays; a secret part is not needed."""
    at = canary.ingest(Secret("DSN", dsn))
    assert at is not None
    assert (at.envelope, at.key.reveal(), at.project) == (envelope, "key", "42")


# --- the rehearsal's Sentry -------------------------------------------------------------------

T0 = datetime(2026, 11, 24, 6, tzinfo=UTC)
CHECKPOINT = Watch(name="rehearsal", t0=T0).checkpoint(4)


def test_the_rehearsals_sentry():
    """Every question to the rehearsal's server, healthy and with each of its faults."""
    with Rehearsal.start(7, [], T0, 4) as rehearsal:
        at = load(Path(rehearsal.toml), rehearsal.environ).witnesses["sentry"]
        assert at is not None
        clock = RehearsalClock(rehearsal.control, CHECKPOINT.due)

        def source(*faults: str) -> Sentry:
            rehearsal.set_faults(*faults)
            return Sentry(at, clock)

        healthy = source()
        assert EventStored().judge({"event": healthy.receipt()}).outcome == Outcome.PASS
        assert healthy.outcomes(CHECKPOINT.settled).bad == 0
        recent = Window(CHECKPOINT.window.start, clock.now() + timedelta(minutes=1))
        events, issues = healthy.error_events(recent), healthy.issues(recent)
        assert sum(item["count"] for item in issues.items) == len(events.items) > 0
        assert all(item["first_seen"] < T0.timestamp() for item in issues.items)
        assert all(item["title"] != canary.TITLE for item in (*issues.items, *events.items))
        transactions = healthy.transactions(CHECKPOINT.settled_since_t0)
        assert all(0 < item["p50"] <= item["p99"] <= item["p100"] for item in transactions.items)
        assert transactions.basis == "census"

        spike = source("error_spike@2.5", "sentry_dropping@2")
        events, issues = (
            spike.error_events(CHECKPOINT.settled),
            spike.issues(CHECKPOINT.settled),
        )
        assert events.question.pages > 3
        assert sum(item["count"] for item in issues.items) == len(events.items)
        assert issues.items[0]["first_seen"] >= CHECKPOINT.settled.start.timestamp()
        dropped = spike.outcomes(CHECKPOINT.settled)
        assert dropped.parts["rate_limited: key_quota"] == dropped.bad == 240
        assert NothingDropped().judge({"outcomes": dropped}).outcome == Outcome.FAIL

        deaf = EventStored().judge({"event": source("sentry_deaf@3").receipt(300.0)})
        assert (deaf.outcome, deaf.code) == (Outcome.FAIL, "not_stored")
        assert not source("sentry_deaf@-1").issues(CHECKPOINT.settled).items
        day = Window(T0 - timedelta(hours=25), T0 - timedelta(hours=1))
        before = healthy.accepted(day)
        silent = source("sentry_deaf@-1").outcomes(CHECKPOINT.settled)
        silent = NothingDropped().judge({"outcomes": silent, "day_before": before})
        assert (silent.outcome, silent.code) == (Outcome.INCONCLUSIVE, "feed_silent")
        for way, code in (
            ("empty", "source_refused"),
            ("refused", "source_refused"),
            ("malformed", "source_misread"),
            ("rate_limited", "source_limited"),
            ("failing", "source_failed"),
            ("unreachable", "source_unreachable"),
        ):
            no_access = source(f"sentry_{way}@3")
            for question in (
                lambda b: b.receipt(),
                lambda b: b.issues(CHECKPOINT.settled),
                lambda b: b.outcomes(CHECKPOINT.settled),
            ):
                with pytest.raises(SourceError) as raised:
                    question(no_access)
                assert raised.value.code == code


def test_a_sentry_that_went_deaf_is_seen_by_the_checkpoint(tmp_path):
    """From the question of the day before to the verdict."""
    feed = "tests_prod/test_errors.py::test_feed"
    on = ("-m", "hour4", "--target", "rehearsal", "--reports", tmp_path)
    as_json = pytest_(*on, "--fault", "sentry_deaf@-1", feed)
    assert as_json.returncode == 10, as_json.stdout
    assert "feed_silent: Sentry counted 0 error events in 5 h" in as_json.stdout


# --- without tracing ----------------------------------------------------------------------------


def in_days(*earlier: dict[str, Any]) -> Answering:
    """No transaction in the window, and these in the days before."""

    def answer(asked: Asked) -> Answer:
        before = params(asked)["end"][0] <= params_of_window()
        return page(table(*earlier) if before else spans())

    return answer


def params_of_window() -> str:
    return f"{WINDOW.start:%Y-%m-%dT%H:%M:%S}Z"


@pytest.mark.parametrize(
    ("project", "earlier", "provides"),
    [
        ({"firstTransactionEvent": False}, (), False),
        ({"firstTransactionEvent": True}, (), False),
        ({}, (), False),
        ({"firstTransactionEvent": True}, ({"transaction": "/calls", "count()": 3.0},), True),
    ],
)
def test_no_tracing_is_told_from_no_traffic(ask, project, earlier, provides):
    """Sentry says so of the project, or has no transaction of the environment in 14 days."""
    source, _ = ask(project=as_json({**PROJECT, **project}), events=in_days(*earlier))
    with pytest.raises(SourceEmpty) as refused:
        source.transactions(WINDOW)
    assert isinstance(refused.value, NotProvided) != provides
    assert ("no tracing" in str(refused.value)) != provides


def test_days_that_cannot_be_read_are_no_proof_of_no_tracing(ask):
    """Then the witness is silent, whatever is missing in the window."""

    def answer(asked: Asked) -> Answer:
        return Answer(502) if params(asked)["end"][0] <= params_of_window() else page(spans())

    source, _ = ask(events=answer)
    with pytest.raises(SourceFailed):
        source.transactions(WINDOW)
