"""Render's answers: pages, units, times, silence, refusals; on loopback and in a rehearsal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from hour24 import config
from hour24.clock import SteppingClock
from hour24.config import Jobs
from hour24.errors import (
    SourceEmpty,
    SourceError,
    SourceFailed,
    SourceLimited,
    SourceMisread,
    SourceRefused,
    SourceTooMany,
    SourceUnreachable,
)
from hour24.evidence import Counts, Evidence, Listing, Series, from_plain, to_plain
from hour24.objectives.logs import NoErrorLine
from hour24.rehearsal.client import Rehearsal
from hour24.secrets import Secret
from hour24.watch import Watch, Window
from hour24.witnesses.render import RenderAt
from hour24.witnesses.render.beats import plain_text
from hour24.witnesses.render.source import Render
from tests.answering import Answer, Asked, Server

T0 = datetime(2026, 11, 24, 6, tzinfo=UTC)
WATCH = Watch(name="launch", t0=T0)
HOUR_4 = WATCH.checkpoint(4)
WINDOW = HOUR_4.settled
SERVICE, OWNER, TOKEN = "srv-1", "tea-1", "rnd_s3cret"
JOBS = Jobs(pattern=r"heartbeat worker=(?P<worker>\w+)")
METHODS: dict[str, Callable[[Render], Evidence]] = {
    "responses": lambda render: render.responses(WINDOW),
    "responses_over_time": lambda render: render.responses_over_time(WINDOW),
    "memory": lambda render: render.memory(WINDOW),
    "memory_limit": lambda render: render.memory_limit(WINDOW),
    "load": lambda render: render.load(WINDOW),
    "platform_events": lambda render: render.platform_events(WINDOW),
    "deploys": lambda render: render.deploys(WINDOW),
    "error_lines": lambda render: render.error_lines(WINDOW),
    "watched_lines": lambda render: render.watched_lines(WINDOW),
    "beats": lambda render: render.beats(WINDOW, JOBS),
}
METRICS = ("responses", "responses_over_time", "memory", "memory_limit", "load")
LOGS = ("error_lines", "watched_lines", "beats")


def at(seconds: float) -> str:
    """RFC 3339, so many seconds into the window."""
    time_ = WINDOW.start + timedelta(seconds=seconds)
    return time_.isoformat().replace("+00:00", "Z")


def epoch(seconds: float) -> float:
    return WINDOW.start.timestamp() + seconds


def as_json(body: Any, status: int = 200, **headers: str) -> Answer:
    """An answer as Render's server sends it, at the time of the checkpoint."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    date = format_datetime(HOUR_4.due, usegmt=True)
    return Answer(status, data, {"Content-Type": "application/json", "Date": date, **headers})


told = as_json  # the name by which the shared field cases import it


def line(number: int, message: str = "INFO hello", seconds: float | None = None, **labels: str):
    labels = {"resource": SERVICE, "type": "app", "level": "info", "instance": "i-1", **labels}
    return {
        "id": f"log-{number}",
        "message": message,
        "timestamp": at(float(number) if seconds is None else seconds),
        "labels": [{"name": k, "value": v} for k, v in labels.items() if v],
    }


def page(*lines: Any, more: bool = False, start: str = "", end: str = "") -> dict[str, Any]:
    return {
        "hasMore": more,
        "nextStartTime": start or at(0),
        "nextEndTime": end or at(WINDOW.seconds),
        "logs": list(lines),
    }


def series(values: Any, unit: str, **labels: str) -> dict[str, Any]:
    """``values``: (seconds into the window, value) pairs."""
    return {
        "labels": [{"field": k, "value": v} for k, v in {"resource": SERVICE, **labels}.items()],
        "unit": unit,
        "values": [{"timestamp": at(s), "value": v} for s, v in values],
    }


class Asking:
    """A Render on loopback; ``answers`` gets path and parameters of each request."""

    def __init__(self, answers: Callable[[str, dict[str, str]], Answer] | Answer) -> None:
        def answer(asked: Asked) -> Answer:
            parts = urlsplit(asked.path)
            params = parse_qsl(parts.query)
            self.asked.append((parts.path, dict(params)))
            if isinstance(answers, Answer):
                return answers
            return answers(parts.path, dict(params))

        self.asked: list[tuple[str, dict[str, str]]] = []
        self.server = Server(answer)
        self.clock = SteppingClock(HOUR_4.due)
        place = RenderAt(
            url=self.server.url,
            service=SERVICE,
            owner=OWNER,
            token=Secret("RENDER_API_KEY", TOKEN),
            timeout_s=1.0,
        )
        self.render = Render(place, self.clock)


@pytest.fixture
def asking() -> Iterator[Callable[..., Asking]]:
    """Makes a loopback Render; all of them end with the test."""
    made: list[Asking] = []

    def make(answers: Callable[[str, dict[str, str]], Answer] | Answer) -> Asking:
        made.append(Asking(answers))
        return made[-1]

    yield make
    for each in made:
        each.server.close()


def metric(*found: Any) -> Answer:
    return as_json(list(found))


def every_minute(value: float = 50.0, minutes: int = 240) -> list[tuple[float, float | None]]:
    return [(60.0 * n, value) for n in range(minutes)]


# --- logs: pages ------------------------------------------------------------------------------


def paged(*pages: dict[str, Any]) -> Callable[[str, dict[str, str]], Answer]:
    """Answers a filtered question page by page, and any other with one line."""
    starts = {at(0): 0, **{each["nextStartTime"]: n + 1 for n, each in enumerate(pages[:-1])}}

    def answer(path: str, params: dict[str, str]) -> Answer:
        if params["direction"] == "backward":
            return as_json(page(line(9000)))
        if "error" not in params.get("level", ""):
            return as_json(page())
        return as_json(pages[starts[params["startTime"]]])

    return answer


def test_pages_are_followed_and_a_line_counts_once(asking):
    """The next page starts and ends at the times given; a line on both pages counts once."""
    one = page(
        line(1, "it broke", level="error"),
        line(2, "it broke", level="error"),
        more=True,
        start=at(2),
    )
    two = page(
        line(2, "it broke", level="error"),
        line(3, "it broke", level="error"),
        more=True,
        start=at(3),
    )
    three = page(line(4, "it broke", level="error", instance="i-2"))
    render = asking(paged(one, two, three))
    found = render.render.error_lines(WINDOW)
    assert [item["id"] for item in found.items] == ["log-1", "log-2", "log-3", "log-4"]
    assert found.items[3] == {
        "id": "log-4",
        "at": epoch(4),
        "message": "it broke",
        "level": "error",
        "instance": "i-2",
    }
    assert found.what == "ERROR lines"
    assert found.complete
    assert found.question.window == WINDOW
    assert found.question.pages == 5
    sent = [params for path, params in render.asked if "error" in params.get("level", "")]
    assert [(each["startTime"], each["endTime"]) for each in sent] == [
        (at(0), at(WINDOW.seconds)),
        (at(2), at(WINDOW.seconds)),
        (at(3), at(WINDOW.seconds)),
    ]
    for _, each in render.asked:
        assert (each["ownerId"], each["resource"], each["limit"]) == (OWNER, SERVICE, "100")
    assert TOKEN not in str(to_plain(found))
    assert from_plain(to_plain(found)) == found


def test_a_later_page_that_fails_leaves_a_part(asking):
    """The lines of the first page were logged; what the second holds is not known."""
    one = page(line(1, "ERROR it broke", level="error"), more=True, start=at(2))

    def answer(path: str, params: dict[str, str]) -> Answer:
        return as_json(one) if params["startTime"] == at(0) else as_json({"message": "busy"}, 503)

    found = asking(answer).render.error_lines(WINDOW)
    assert [item["message"] for item in found.items] == ["ERROR it broke"]
    assert not found.complete
    assert found.note.startswith("render: error lines: page 2: 503, 3 attempts")
    assert [each.result for each in found.question.attempts][:4] == ["200"] + ["503"] * 3


def endless(message: str) -> Callable[[str, dict[str, str]], Answer]:
    """A log that always has another page."""
    number = iter(range(1, 100_000))

    def answer(path: str, params: dict[str, str]) -> Answer:
        n = next(number) / 10
        each = {**line(1, message, n, level="error"), "id": f"log-{n}"}
        return as_json(page(each, more=True, start=at(n)))

    return answer


def test_past_the_page_cap_there_are_no_beats(asking):
    """A rhythm of a part is no rhythm: too_many_lines."""
    render = asking(endless("heartbeat worker=a timeout"))
    with pytest.raises(SourceTooMany, match="at most 20000 lines, got more") as refused:
        METHODS["beats"](render.render)
    assert refused.value.code == "too_many_lines"
    assert len(render.asked) == 200


def test_past_the_page_cap_watched_lines_are_a_lower_bound(asking):
    """The count says that it is one, and why."""
    render = asking(endless("database timeout WARN"))
    found = render.render.watched_lines(WINDOW)
    assert found.cut == "too_many_lines"
    assert "at most 10000 lines, got more" in found.note
    assert set(found.parts.values()) == {100}


def broken_after(pages: int, good: Callable[[str, dict[str, str]], Answer]) -> Any:
    """A server whose pages fail after these."""
    number = iter(range(100_000))

    def answer(path: str, params: dict[str, str]) -> Answer:
        return good(path, params) if next(number) < pages else Answer(503)

    return answer


def test_events_whose_second_page_fails_are_a_part(asking):
    """A failure on the first page is one; that there was no other is not known."""
    first = as_json([event(1, 60.0)])
    found = asking(broken_after(1, lambda path, params: first)).render.platform_events(WINDOW)
    assert [item["id"] for item in found.items] == ["evt-1"]
    assert not found.complete
    assert found.note.startswith("render: events: page 2: ")


def test_past_the_page_cap_the_first_error_lines_stand(asking):
    """They were logged; the listing says that it is not complete."""
    render = asking(endless("ERROR it broke"))
    found = render.render.error_lines(WINDOW)
    assert not found.complete
    assert len(found.items) == found.seen == 100
    assert len(render.asked) == 101


def test_pages_that_never_end_are_refused(asking):
    """A page that sends us to a period already asked is misread, at once."""
    render = asking(as_json(page(line(1, level="error"), more=True)))
    with pytest.raises(SourceMisread, match=r"page 1: nextStartTime.*expected a new period"):
        render.render.error_lines(WINDOW)
    assert len(render.asked) == 1


@pytest.mark.parametrize(("start", "end"), [(90_000.0, 90_001.0), (20.0, 10.0), (-90.0, 10.0)])
def test_pages_that_lead_elsewhere_are_refused(asking, start, end):
    """The next period lies in the window and does not run backwards."""
    render = asking(as_json(page(line(1), more=True, start=at(start), end=at(end))))
    with pytest.raises(SourceMisread, match="expected a period of the window"):
        render.render.error_lines(WINDOW)


# --- logs: which lines ------------------------------------------------------------------------


def holding(
    *lines: dict[str, Any], levels_unknown: bool = False, expressions: bool = True
) -> Callable[[str, dict[str, str]], Answer]:
    """A log with these lines, filtered by level and text as Render does; or never finding any.

    Args:
        expressions: whether it knows regular expressions.
    """

    def passes(each: dict[str, Any], params: dict[str, str]) -> bool:
        if levels_unknown and ("level" in params or "text" in params):
            return False
        labels = {label["name"]: label["value"] for label in each["labels"]}
        inside = params["startTime"] <= each["timestamp"] < params["endTime"]
        return inside and all(
            wanted(params.get(name, ""), text)
            for name, text in (("level", labels.get("level", "")), ("text", each["message"]))
        )

    def wanted(value: str, text: str) -> bool:
        if expressions and value.startswith("/"):
            return re.search(value[1:-1], text) is not None
        return not value or value.strip("*").lower() in text.lower()

    return lambda path, params: as_json(page(*(one for one in lines if passes(one, params))))


@pytest.mark.parametrize("expressions", [True, False])
def test_error_lines_by_their_own_level_or_the_label(asking, expressions):
    """A word inside a line is no level; requests are the platform's; words are asked for singly
    where regular expressions find nothing."""
    render = asking(
        holding(
            line(1, "it broke", level="critical"),
            line(2, "ERROR while deploying", level="", instance=""),
            line(3, "INFO finished, 0 ERROR"),
            line(4, "TERROR of the seas"),
            line(5, "GET /x 500", level="error", type="request"),
            line(6, '{"level":50,"msg":"it broke"}'),
            line(7, "INFO not at all", level="error"),
            line(8, "the ERROR was handled", level=""),
            expressions=expressions,
        )
    )
    found = render.render.error_lines(WINDOW)
    assert [item["id"] for item in found.items] == ["log-1", "log-2", "log-6", "log-8"]
    assert found.items[1]["level"] == found.items[1]["instance"] == ""
    assert "a line's own level overrides its label" in found.note
    assert f"newest line of any kind is from {WINDOW.start + timedelta(seconds=8):%Y-%m-%d}" in (
        found.note
    )


ESC = "\x1b"
COLOURED = {
    "winston": f"{ESC}[31mERROR{ESC}[0m: cannot connect to database",
    "tracing": f"2026-11-24T06:10:00Z {ESC}[31mERROR{ESC}[0m app::db: pool timed out",
    "loguru": f"06:10:00.000 | {ESC}[31m{ESC}[1mERROR   {ESC}[0m | app:run:12 - boom",
    "pino-pretty": f"[06:10:00] {ESC}[31mERROR{ESC}[39m (25): boom",
    "ESC lost": "[31mERROR[0m: cannot connect",
    "C1": "\x9b31mERROR\x9b0m: cannot connect",
    "caret": "^[[31mERROR^[[0m: cannot connect",
    "syslog": "#033[31mERROR#033[0m: cannot connect",
    "JSON": '{"level":"\\u001b[31merror\\u001b[39m","message":"cannot connect"}',
    "zero-width": "ERR\u200bOR: cannot connect",
    "byte order mark": "\ufeffERROR: cannot connect",
}


@pytest.mark.parametrize("name", COLOURED)
def test_a_coloured_error_is_found(asking, name):
    """Labelled info by the platform, as everything on standard output."""
    render = asking(holding(line(1, COLOURED[name], level="info"), line(2)))
    found = render.render.error_lines(WINDOW)
    assert [item["message"] for item in found.items] == [COLOURED[name]]
    assert NoErrorLine().judge({"lines": found}).code == "error_lines"


def test_a_coloured_beat_and_a_coloured_word_are_seen(asking):
    """Rust's tracing colours each field's name, its sign and its value by themselves."""
    beat = (
        f"{ESC}[32m INFO{ESC}[0m {ESC}[2mjobs{ESC}[0m: heartbeat {ESC}[3mworker{ESC}[0m"
        f"{ESC}[2m={ESC}[0mdialer"
    )
    held = holding(line(1, beat), line(2, f"{ESC}[33mWAR{ESC}[1mN{ESC}[0m pool"), line(3))
    (found,) = asking(held).render.beats(WINDOW, JOBS).lines
    assert (found.labels, found.times) == ({"worker": "dialer"}, (epoch(1),))
    with pytest.raises(SourceMisread, match="lines that its own filters find"):
        asking(held).render.watched_lines(WINDOW)  # a word that the platform cannot find


def test_a_filter_that_does_not_filter_adds_no_error(asking):
    """Lines that the filter should not have let through are no ERROR lines."""
    render = asking(as_json(page(line(1), line(2, "ERROR it broke"))))
    assert [item["id"] for item in render.render.error_lines(WINDOW).items] == ["log-2"]


@pytest.mark.parametrize("method", LOGS)
def test_a_filter_that_hides_lines_is_misread(asking, method):
    """None found where the newest lines hold one proves nothing."""
    lines = (line(1, "ERROR database"), line(2, "INFO heartbeat worker=dialer"))
    render = asking(holding(*lines, levels_unknown=True))
    with pytest.raises(SourceMisread, match="newest: expected lines that its own filters find"):
        METHODS[method](render.render)


def test_no_error_line_is_an_answer_only_of_a_log_that_holds_something(asking):
    """A clean log is an empty listing; an empty log is no data."""
    clean = asking(holding(line(1))).render.error_lines(WINDOW)
    assert (clean.items, clean.complete) == ((), True)
    for method in LOGS:
        with pytest.raises(SourceEmpty, match="expected a line of any kind in the window"):
            METHODS[method](asking(as_json(page())).render)


def test_watched_lines_are_counted_by_word(asking):
    """Whatever the case; a line with two words counts for both; its window is the exposure."""
    found = asking(
        holding(
            line(1, "WARN pool"),
            line(2, "warning: Database timeout"),
            line(3, "database ok"),
            line(4, "GET /timeout", type="request"),
            line(5, "hello"),
        )
    ).render.watched_lines(WINDOW)
    assert found.parts == {"WARN": 2, "database": 2, "timeout": 1}
    assert (found.total, found.bad, found.what) == (5, 0, "lines read")
    assert found.question.window == WINDOW
    quiet = asking(holding(line(5, "hello"))).render.watched_lines(WINDOW)
    assert quiet.parts == {"WARN": 0, "database": 0, "timeout": 0}


def test_beats_are_returned_by_worker_with_their_times(asking):
    """One line a worker, ascending; arrivals are not known; the platform is asked for the text."""
    render = asking(
        holding(
            line(1, "INFO heartbeat worker=dialer", 30.0),
            line(2, "INFO heartbeat worker=syncer", 31.5),
            line(3, "INFO heartbeat worker=dialer", 60.25),
            line(4, "INFO heartbeat of nobody", 61.0),
            line(5, "GET /heartbeat worker=x", 62.0, type="request"),
        )
    )
    found = render.render.beats(WINDOW, JOBS)
    assert found.unit == "s"
    assert [(each.labels, each.times, each.values) for each in found.lines] == [
        ({"worker": "dialer"}, (epoch(30), epoch(60.25)), (None, None)),
        ({"worker": "syncer"}, (epoch(31.5),), (None,)),
    ]
    assert render.asked[0][1]["text"] == "*heartbeat*"
    unnamed = render.render.beats(WINDOW, Jobs(pattern="heartbeat worker"))
    assert [(each.labels, len(each.times)) for each in unnamed.lines] == [({}, 3)]


def test_a_beat_on_two_pages_is_one(asking):
    """A line counts once by its id, however many pages hold it."""
    beats = [line(n, "heartbeat worker=a", 30.0 * n) for n in range(1, 4)]

    def answer(path: str, params: dict[str, str]) -> Answer:
        if params["startTime"] == at(0) and params["direction"] == "forward":
            return as_json(page(*beats[:2], more=True, start=at(60)))
        return as_json(page(*beats[1:]))

    (found,) = asking(answer).render.beats(WINDOW, JOBS).lines
    assert found.times == (epoch(30), epoch(60), epoch(90))


def test_no_beat_is_reported_only_after_an_unfiltered_query(asking):
    """A log without a beat has no line; a beat that only shows without the filter is misread."""
    silent = asking(holding(line(1)))
    assert silent.render.beats(WINDOW, JOBS).lines == ()
    assert "text" not in silent.asked[-1][1]
    end = WINDOW.seconds
    later = [line(n, seconds=end - 1 + n / 1000) for n in range(2, 4)]
    beat = line(1, "Heartbeat worker=a", end - 60)
    whole = holding(beat, *later)

    def answer(path: str, params: dict[str, str]) -> Answer:
        if "text" in params:
            return as_json(page())
        if params["direction"] == "backward":
            return as_json(page(*later))
        return whole(path, params)

    with pytest.raises(SourceMisread, match="expected beats by the filter too"):
        asking(answer).render.beats(WINDOW, JOBS)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"heartbeat worker=(?P<worker>dialer|syncer)", "heartbeat"),
        (r"^\[beat\] ok$", "beat"),
        (r"beats? of \w+ ran", "beat"),
        (r"(?i)tick\d+ of the clock", "clock"),
        (r"worker [a-z(|]+ is alive", "worker"),
        (r"beat{1,2}x alive", "alive"),
        (r"(a|b)(c\)|d) pulse", "pulse"),
        (r"beat|pulse", ""),
        (r"(?x) b e a t", ""),
        (r"\x41larm rings", ""),
        (r"\d+ \w+", ""),
    ],
)
def test_the_text_a_pattern_must_hold(pattern, text):
    """Nothing optional, repeated or one of several is in it; too short a text is none."""
    assert plain_text(pattern) == text


# --- metrics ----------------------------------------------------------------------------------


def test_responses_are_counted_by_status(asking):
    """All minutes of the window, by status; 5xx are bad; a complete count is a census."""
    render = asking(
        metric(
            series(every_minute(50.0), "requests", statusCode="200"),
            series([(60.0, 2.0), (120.0, 1.0)], "requests", statusCode="502"),
            series([(60.0, 4.0)], "requests", statusCode="404"),
        )
    )
    found = render.render.responses(WINDOW)
    assert (found.total, found.bad, found.basis) == (12_007, 3, "census")
    assert found.parts == {"200": 12_000, "404": 4, "502": 3}
    assert found.what == "requests"
    assert "240 of 240 minutes" in found.note
    path, params = render.asked[0]
    assert path == "/metrics/http-requests"
    assert params == {
        "resource": SERVICE,
        "aggregateBy": "statusCode",
        "startTime": at(0),
        "endTime": at(WINDOW.seconds),
        "resolutionSeconds": "60",
    }


def test_neighbouring_windows_share_no_value_and_lose_none(asking):
    """The value at the common edge belongs to the later window, once."""
    edge = [(-60.0, 1.0), (0.0, 10.0), (60.0, 100.0), (WINDOW.seconds, 1000.0)]
    render = asking(metric(series(edge, "requests", statusCode="200"))).render
    before = Window(WINDOW.start - timedelta(seconds=60), WINDOW.start)
    after = Window(WINDOW.end, WINDOW.end + timedelta(seconds=60))
    assert render.responses(WINDOW).total == 110
    with pytest.raises(SourceMisread, match="expected a time from"):
        render.responses(before)
    near = asking(metric(series(edge[:3], "requests", statusCode="200"))).render
    assert near.responses(before).total == 1
    last = asking(metric(series(edge[3:], "requests", statusCode="200"))).render
    assert last.responses(after).total == 1000


def test_null_is_no_value_and_never_zero(asking):
    """A null leaves a gap: the count is a sample, the line has a gap."""
    values = [(0.0, 5.0), (60.0, None), (120.0, 7.0)]
    answer = metric(series([*values, *every_minute()[3:]], "requests", statusCode="200"))
    found = asking(answer).render.responses(WINDOW)
    assert found.basis == "sample"
    assert "239 of 240 minutes have a value; 1 values are null" in found.note
    memory = asking(metric(series(values, "MB", instance="i-1"))).render.memory(WINDOW)
    assert memory.lines[0].values == (5.0, None, 7.0)
    load = asking(metric(series(values, "requests"))).render.load(WINDOW)
    assert load.lines[0].values == (round(5 / 60, 4), None, round(7 / 60, 4))


def test_one_null_among_the_statuses_makes_a_sample(asking):
    """A minute with unknown failures is not counted at all."""
    good = series(every_minute(), "requests", statusCode="200")
    answer = metric(good, series([(60.0, None)], "requests", statusCode="500"))
    assert asking(answer).render.responses(WINDOW).basis == "sample"


def test_a_minute_without_any_value_makes_a_sample(asking):
    """What the platform did not tell of, it did not count."""
    answer = metric(series(every_minute(minutes=239), "requests", statusCode="200"))
    assert asking(answer).render.responses(WINDOW).basis == "sample"


@pytest.mark.parametrize("method", METRICS)
@pytest.mark.parametrize("nothing", ["list", "values", "nulls"])
def test_nothing_measured_is_no_data(asking, method, nothing):
    """An empty list, a series without values, and one of nulls only are no answer."""
    unit = "bytes" if "memory" in method else "requests"
    found: list[Any] = []
    if nothing != "list":
        values = [(0.0, None)] if nothing == "nulls" else []
        found = [series(values, unit, statusCode="200", instance="i-1")]
    with pytest.raises(SourceEmpty, match="expected values of srv-1 in the window") as refused:
        METHODS[method](asking(as_json(found)).render)
    assert refused.value.code == "no_data"
    assert refused.value.question.attempts[0].result == "200"


@pytest.mark.parametrize(
    ("unit", "value", "mb"),
    [
        ("bytes", 268_435_456, 256.0),
        ("MB", 256, 256.0),
        ("MiB", 256.5, 256.5),
        ("GB", 0.25, 256.0),
        ("GiB", 0.25, 256.0),
    ],
)
def test_memory_is_in_mb_whatever_its_unit(asking, unit, value, mb):
    """The unit is read from the answer, of memory and of its limit alike."""
    answer = metric(
        series([(60.0, value), (0.0, value)], unit, instance="i-2"),
        series([(0.0, value)], unit, instance="i-1"),
    )
    for found in (asking(answer).render.memory(WINDOW), asking(answer).render.memory_limit(WINDOW)):
        assert found.unit == "MB"
        assert [(each.labels, each.times, each.values) for each in found.lines] == [
            ({"instance": "i-1"}, (epoch(0),), (mb,)),
            ({"instance": "i-2"}, (epoch(0), epoch(60)), (mb, mb)),
        ]


@pytest.mark.parametrize(
    ("method", "unit"),
    [("memory", "percent"), ("memory", "seconds"), ("memory", ""), ("responses", "requests/s")],
)
def test_an_unknown_unit_is_misread(asking, method, unit):
    """A number with an unknown unit is refused."""
    answer = metric(series([(0.0, 1.0)], unit, instance="i-1", statusCode="200"))
    with pytest.raises(SourceMisread, match=r"\[0\]\.unit: expected one of"):
        METHODS[method](asking(answer).render)


def test_responses_over_time_have_a_line_a_status(asking):
    """In steps of five minutes; the status is its label."""
    render = asking(
        metric(
            series([(0.0, 90.0), (300.0, 95.0)], "requests", statusCode="200"),
            series([(300.0, 3.0)], "requests", statusCode="500"),
        )
    )
    found = render.render.responses_over_time(WINDOW)
    assert found.unit == "requests"
    assert [(each.labels, each.times, each.values) for each in found.lines] == [
        ({"status": "200"}, (epoch(0), epoch(300)), (90.0, 95.0)),
        ({"status": "500"}, (epoch(300),), (3.0,)),
    ]
    assert render.asked[0][1]["resolutionSeconds"] == "300"


def test_load_is_requests_a_second(asking):
    """A minute's requests over sixty; steps longer than asked are misread, not divided wrongly."""
    found = asking(metric(series(every_minute(90.0), "requests"))).render.load(WINDOW)
    assert set(found.lines[0].values) == {1.5}
    assert found.unit == "requests/s"
    coarse = metric(series([(0.0, 90.0), (300.0, 90.0)], "requests"))
    with pytest.raises(SourceMisread, match=r"expected one every 60 s, got 300"):
        asking(coarse).render.load(WINDOW)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (lambda: series([(0.0, "12")], "requests", statusCode="200"), 'a number, got "12"'),
        (lambda: series([(0.0, -1)], "requests", statusCode="200"), "at least 0, got -1"),
        (lambda: series([(0.0, True)], "requests", statusCode="200"), "a number, got true"),
        (lambda: series([(0.0, 1)], "requests"), "an HTTP status, got null"),
        (lambda: series([(0.0, 1)], "requests", statusCode="ok"), 'an HTTP status, got "ok"'),
        (lambda: series([(0.0, 1), (0.0, 1)], "requests", statusCode="200"), "time of its own"),
        (lambda: series([(-90_000.0, 1)], "requests", statusCode="200"), "its clock or its filter"),
        (lambda: series([(0.0, 1)], "requests", statusCode="200", resource="srv-2"), "got another"),
        (lambda: {"labels": [], "values": []}, "unit: expected to be there"),
        (
            lambda: {**series([], "requests"), "values": [{"timestamp": "2026-11-24T06:00:00"}]},
            "a time with its zone",
        ),
        (lambda: "nonsense", "an object"),
    ],
)
def test_a_series_that_is_not_as_documented_is_misread(asking, body, says):
    """Text for numbers, negative counts, foreign services and distant times are refused."""
    with pytest.raises(SourceMisread) as refused:
        asking(metric(body())).render.responses(WINDOW)
    assert says in str(refused.value)
    assert str(refused.value).startswith("render: responses: series")


def test_one_label_set_twice_is_misread(asking):
    """Counted twice it would be wrong, and which one holds is not known."""
    twice = [series([(0.0, 1)], "requests", statusCode="200")] * 2
    with pytest.raises(SourceMisread, match="expected those of no other series"):
        asking(metric(*twice)).render.responses(WINDOW)


# --- events and deploys -----------------------------------------------------------------------


def event(number: int, seconds: float, type_: str = "server_failed", **details: Any) -> Any:
    return {
        "event": {
            "id": f"evt-{number}",
            "timestamp": at(seconds),
            "serviceId": SERVICE,
            "type": type_,
            "details": details,
        },
        "cursor": f"c{number}",
    }


def listed(*items: dict[str, Any], size: int = 2) -> Callable[[str, dict[str, str]], Answer]:
    """A list that is paged by cursor, and the service itself."""

    def answer(path: str, params: dict[str, str]) -> Answer:
        if path == f"/services/{SERVICE}":
            return as_json({"id": SERVICE})
        cursors = [item["cursor"] for item in items]
        start = cursors.index(params["cursor"]) + 1 if "cursor" in params else 0
        return as_json(list(items[start : start + size]))

    return answer


def test_events_are_paged_and_returned_in_words(asking):
    """Oldest first, with the same start on every page; unknown types are taken as they are."""
    render = asking(
        listed(
            event(4, 400.0, "server_restarted", triggeredByUser=None),
            event(3, 300.0, "moon_phase_changed", deep={"list": [1, "two"], "no": False}),
            event(
                2,
                200.0,
                instanceID="i-1",
                reason={"evicted": False, "oomKilled": {"memoryLimit": "512Mi"}, "earlyExit": True},
            ),
            event(1, 100.0, "deploy_ended", deployId="dep-1", deployStatus="succeeded", reason={}),
        )
    )
    found = render.render.platform_events(WINDOW)
    assert [(item["id"], item["at"], item["type"]) for item in found.items] == [
        ("evt-1", epoch(100), "deploy_ended"),
        ("evt-2", epoch(200), "server_failed"),
        ("evt-3", epoch(300), "moon_phase_changed"),
        ("evt-4", epoch(400), "server_restarted"),
    ]
    assert [item["details"] for item in found.items] == [
        "deployId dep-1, deployStatus succeeded",
        "instanceID i-1, reason oomKilled memoryLimit 512Mi, reason earlyExit",
        "deep list 1, deep list two",
        "",
    ]
    assert [(item["instance"], item["deploy"]) for item in found.items][:2] == [
        ("", "dep-1"),
        ("i-1", ""),
    ]
    assert [params.get("cursor") for _, params in render.asked] == [None, "c3", "c1"]
    assert {params["startTime"] for _, params in render.asked} == {at(0)}


def test_no_event_is_an_answer_of_a_service_that_is_seen(asking):
    """Without events the service is asked for; unseen, its silence is no answer."""
    render = asking(listed())
    assert render.render.platform_events(WINDOW).items == ()
    assert render.asked[-1][0] == f"/services/{SERVICE}"

    def unseen(path: str, params: dict[str, str]) -> Answer:
        return as_json([]) if path.endswith("/events") else as_json({"message": "not found"}, 404)

    with pytest.raises(SourceRefused, match="expected service srv-1 of tea-1"):
        asking(unseen).render.platform_events(WINDOW)
    with pytest.raises(SourceMisread, match=r"service\.id: expected to be there"):
        asking(
            lambda path, _: as_json([] if path.endswith("/events") else {})
        ).render.platform_events(WINDOW)


def test_lists_that_never_end_are_refused(asking):
    """A cursor that comes again is misread; of more pages than the cap the first are a part."""
    with pytest.raises(SourceMisread, match='cursor: expected one that leads on, got "c1"'):
        asking(as_json([event(1, 1.0)])).render.platform_events(WINDOW)
    number = iter(range(1000))
    render = asking(lambda path, params: as_json([event(next(number), 1.0)]))
    found = render.render.platform_events(WINDOW)
    assert (len(found.items), found.complete) == (20, False)
    assert "expected at most 2000 events, got more" in found.note


def test_an_event_far_outside_the_window_is_misread(asking):
    """A minute outside is left out; a day outside says that the window was not heeded."""
    near = asking(listed(event(1, -30.0), event(2, 10.0))).render.platform_events(WINDOW)
    assert [item["id"] for item in near.items] == ["evt-2"]
    with pytest.raises(SourceMisread, match="its clock or its filter is wrong"):
        asking(listed(event(1, -86_400.0))).render.platform_events(WINDOW)


def deploy(number: int, created: float | None = None, **more: Any) -> dict[str, Any]:
    text = {"id": f"dep-{number}", **more}
    if created is not None:
        text |= {
            "createdAt": at(created),
            "startedAt": at(created),
            "finishedAt": at(created + 90),
        }
    return {"deploy": text, "cursor": f"c{number}"}


def test_deploys_of_the_window_and_the_live_one(asking):
    """Oldest first; the live one whenever it was; older ones are left out."""
    commit = {"id": "abc", "message": "fix"}
    found = asking(
        listed(
            deploy(5, 600.0, status="update_in_progress", trigger="manual"),
            deploy(4, 300.0, status="build_failed"),
            deploy(3, -500_000.0, status="live", trigger="new_commit", commit=commit),
            deploy(2, -600_000.0, status="deactivated"),
            deploy(1, -700_000.0, status="deactivated"),
        )
    ).render.deploys(WINDOW)
    assert [item["id"] for item in found.items] == ["dep-3", "dep-4", "dep-5"]
    assert found.items[0] == {
        "id": "dep-3",
        "status": "live",
        "served": True,
        "trigger": "new_commit",
        "commit": "abc",
        "created": epoch(-500_000),
        "started": epoch(-500_000),
        "finished": epoch(-499_910),
    }
    assert found.about == {"live": "dep-3"}
    assert found.what == "deploys"


def test_of_a_deploy_only_the_id_is_promised(asking):
    """One that says nothing cannot be said to lie outside; one under way has not ended."""
    begun = {"status": "build_in_progress", "createdAt": at(-3000)}
    found = asking(
        listed(deploy(3), deploy(2, **begun), deploy(1, status="live", finishedAt=None))
    ).render.deploys(WINDOW)
    assert {item["id"] for item in found.items} == {"dep-1", "dep-2", "dep-3"}
    assert found.items[0]["created"] is None
    with pytest.raises(SourceMisread, match=r"deploy\.id: expected to be there"):
        asking(as_json([{"deploy": {}, "cursor": "c"}])).render.deploys(WINDOW)


def test_a_service_without_any_deploy_is_no_data(asking):
    """What runs was deployed once."""
    with pytest.raises(SourceEmpty, match="expected at least the deploy that runs"):
        asking(listed()).render.deploys(WINDOW)


# --- what any question may meet ---------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (as_json({"message": "no"}, 401), SourceRefused),
        (as_json({"message": "no"}, 403), SourceRefused),
        (as_json({"message": "not found"}, 404), SourceRefused),
        (as_json({"message": "limit"}, 429, **{"Ratelimit-Reset": "3600"}), SourceLimited),
        (as_json({"message": "busy"}, 503), SourceFailed),
        (as_json(b"<!doctype html><html></html>"), SourceMisread),
        (as_json(b"null"), SourceMisread),
        (as_json(b'[{"value": NaN}]'), SourceMisread),
        (as_json(b'[{"labels": [], "unit": "byt'), SourceMisread),
        (as_json(b'"text"'), SourceMisread),
        (Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n[{"), SourceMisread),
        (Answer(raw=b""), SourceUnreachable),
    ],
    ids=[
        "401",
        "403",
        "404",
        "429",
        "503",
        "html",
        "null",
        "nan",
        "cut",
        "text",
        "short",
        "broken",
    ],
)
def test_what_is_no_answer_is_an_error_with_its_question(asking, method, answer, kind):
    """Refusals, limits, failures and nonsense are never an answer, and show no secret."""
    render = asking(answer)
    with pytest.raises(SourceError) as refused:
        METHODS[method](render.render)
    assert type(refused.value) is kind
    asked = method.removeprefix("platform_").replace("_", " ")
    assert str(refused.value).startswith(f"render: {asked}: ")
    assert TOKEN not in str(refused.value)
    assert refused.value.question.source == "render"
    assert refused.value.question.attempts


def test_a_short_limit_is_waited_for(asking):
    """Ratelimit-Reset below a billion is seconds from now."""
    answers = iter([as_json({}, 429, **{"Ratelimit-Reset": "7"})])
    good = metric(series(every_minute(), "requests", statusCode="200"))
    render = asking(lambda path, params: next(answers, good))
    found = render.render.responses(WINDOW)
    assert [each.result for each in found.question.attempts] == ["429", "200"]
    assert render.clock.now() == HOUR_4.due + timedelta(seconds=7)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"timestamp": 1_795_500_000}, "timestamp: expected a time with its zone"),
        ({"timestamp": at(-90_000)}, "its clock or its filter is wrong"),
        ({"message": None}, "message: expected text, got null"),
        ({"labels": None}, "labels: expected a list, got null"),
        ({"id": 7}, "id: expected text, got 7"),
    ],
)
def test_a_line_that_is_not_as_documented_is_misread(asking, change, says):
    """A line without time, message, labels or id is refused, with its path."""
    with pytest.raises(SourceMisread) as refused:
        asking(as_json(page({**line(1), **change}))).render.error_lines(WINDOW)
    assert says in str(refused.value)
    assert "page 1.logs[0]" in str(refused.value)


@pytest.mark.parametrize("change", [{"hasMore": "false"}, {"hasMore": None}, {"logs": None}])
def test_a_page_that_is_not_as_documented_is_misread(asking, change):
    """Whether there is more is said by true or false and nothing else."""
    with pytest.raises(SourceMisread, match=r"page 1\.(hasMore|logs): expected"):
        asking(as_json({**page(line(1)), **change})).render.error_lines(WINDOW)


# --- the rehearsal's own Render ---------------------------------------------------------------


@pytest.fixture(scope="module")
def served() -> Iterator[Rehearsal]:
    with Rehearsal.start(7, [], T0, 4) as rehearsal:
        yield rehearsal


class RehearsedRender:
    """A rehearsal's Render, asked at hour 4."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal
        production = config.load(Path(rehearsal.toml), rehearsal.environ)
        assert production.jobs is not None
        self.at, self.jobs = production.witnesses["render"], production.jobs

    def __call__(self, method: str, window: Window = WINDOW) -> Any:
        more = [self.jobs] if method == "beats" else []
        return getattr(Render(self.at, SteppingClock(HOUR_4.due)), method)(window, *more)


@pytest.fixture
def rehearsed(served: Rehearsal) -> RehearsedRender:
    served.set_faults()
    served.set_time(HOUR_4.due)
    return RehearsedRender(served)


def test_a_healthy_rehearsal_answers_every_question(rehearsed):
    """Each question has its answer, which goes through the record unchanged."""
    for method in METHODS:
        found = rehearsed(method)
        assert from_plain(to_plain(found)) == found
        assert found.question.window == WINDOW
    responses: Counts = rehearsed("responses")
    assert responses.basis == "census"
    assert 8_000 < responses.total < 20_000
    assert 0 < responses.bad < 0.01 * responses.total
    memory: Series = rehearsed("memory", HOUR_4.settled_since_t0)
    assert [len(each.values) for each in memory.lines] == [300, 300]
    assert all(150 < value < 300 for each in memory.lines for value in each.values)
    assert {v for each in rehearsed("memory_limit").lines for v in each.values} == {512.0}
    (load,) = rehearsed("load", HOUR_4.settled_since_t0).lines
    assert len(load.values) == 300
    assert sum(load.values) * 60 == pytest.approx(
        rehearsed("responses", HOUR_4.settled_since_t0).total, rel=0.001
    )
    errors: Listing = rehearsed("error_lines")
    assert len(errors.items) == responses.bad
    assert all(item["message"].startswith("ERROR ") for item in errors.items)
    watched: Counts = rehearsed("watched_lines")
    assert watched.parts["WARN"] == 120
    beats: Series = rehearsed("beats")
    assert [each.labels["worker"] for each in beats.lines] == ["dialer", "syncer"]
    assert [len(each.times) for each in beats.lines] == [480, 480]
    assert rehearsed("platform_events").items == ()
    assert [item["status"] for item in rehearsed("deploys").items] == ["live"]


def test_windows_of_a_rehearsal_add_up(rehearsed):
    """What two halves count is what the whole counts."""
    half = WINDOW.start + (WINDOW.end - WINDOW.start) / 2
    halves = (Window(WINDOW.start, half), Window(half, WINDOW.end))
    assert rehearsed("responses").total == sum(
        rehearsed("responses", each).total for each in halves
    )
    whole = [item["id"] for item in rehearsed("error_lines").items]
    assert whole == [i["id"] for each in halves for i in rehearsed("error_lines", each).items]


def test_what_goes_wrong_in_a_rehearsal_is_seen(rehearsed):
    """A restart, a deploy, stalled jobs, errors and warnings show where they should."""
    rehearsed.rehearsal.set_faults("restart@1", "jobs_stalled@2", "log_errors@1", "log_warnings@0")
    types = [item["type"] for item in rehearsed("platform_events").items]
    assert types == ["server_failed", "server_available"]
    failed = rehearsed("platform_events").items[0]
    assert failed["instance"].startswith(rehearsed.at.service)
    assert "reason nonZeroExit 137" in failed["details"]
    beats = {each.labels["worker"]: each.times for each in rehearsed("beats").lines}
    assert max(beats["dialer"]) < (T0 + timedelta(hours=2)).timestamp()
    assert len(beats["syncer"]) == 480
    messages = {item["message"] for item in rehearsed("error_lines").items}
    assert "ERROR mailer: smtp relay closed the conversation early" in messages
    assert rehearsed("watched_lines").parts["WARN"] > 400
    rehearsed.rehearsal.set_faults("deploy@2")
    deploys = rehearsed("deploys").items
    assert [item["status"] for item in deploys] == ["live"]
    assert [item["type"] for item in rehearsed("platform_events").items] == [
        "deploy_started",
        "deploy_ended",
    ]
    assert rehearsed("platform_events").items[0]["deploy"] == deploys[0]["id"]
    assert len(rehearsed("memory").lines) == 4


@pytest.mark.parametrize(
    ("way", "codes"),
    [
        ("unreachable", {"source_unreachable"}),
        ("rate_limited", {"source_limited"}),
        ("malformed", {"source_misread"}),
        ("empty", {"no_data", "source_misread"}),
        ("refused", {"source_refused"}),
        ("failing", {"source_failed"}),
        ("slow", {"source_unreachable"}),
    ],
)
def test_a_rehearsal_with_a_failing_render_answers_nothing(rehearsed, way, codes):
    """Whatever the way, every question is refused with its code."""
    rehearsed.rehearsal.set_faults(f"render_{way}@3")
    methods = ["memory"] if way == "slow" else list(METHODS)
    found = set()
    for method in methods:
        with pytest.raises(SourceError) as refused:
            rehearsed(method)
        found.add(refused.value.code)
    assert found <= codes
