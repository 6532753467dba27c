"""Loki's answers: requests as its API states them, pages, traps, silence; on loopback."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from hour24.clock import SteppingClock
from hour24.config import Jobs, load
from hour24.errors import (
    ConfigurationError,
    SourceEmpty,
    SourceError,
    SourceFailed,
    SourceIncomplete,
    SourceLacks,
    SourceMisread,
    SourceRefused,
    SourceTooMany,
)
from hour24.evidence import Evidence, Listing, from_plain, to_plain
from hour24.objectives.logs import NoErrorLine
from hour24.rehearsal.vendors.loki.server import SELECTOR, TENANT, TOKEN
from hour24.rehearsal.vendors.loki.server import Loki as Server_
from hour24.rehearsal.world import World
from hour24.secrets import Secret
from hour24.verdict import Outcome
from hour24.watch import Watch
from hour24.witnesses.loki import LokiAt, source
from hour24.witnesses.loki.source import Loki
from tests.answering import Answer, Asked, Server
from tests.test_witnesses import SMALLEST

T0 = datetime(2026, 12, 1, 6, tzinfo=UTC)
HOUR_4 = Watch(name="launch", t0=T0).checkpoint(4)
WINDOW = HOUR_4.settled
START = round(WINDOW.start.timestamp()) * 10**9
END = round(WINDOW.end.timestamp()) * 10**9
HOUR = 3600 * 10**9
JOBS = Jobs(pattern=r"heartbeat worker=(?P<worker>\w+)")
METHODS: dict[str, Callable[[Loki], Evidence]] = {
    "error_lines": lambda loki: loki.error_lines(WINDOW),
    "watched_lines": lambda loki: loki.watched_lines(WINDOW),
    "beats": lambda loki: loki.beats(WINDOW, JOBS),
}
PARAMETERS = {
    "query_range": {"query", "start", "end", "limit", "direction"},
    "query": {"query", "time"},
}
LEVELLED = re.compile(r'detected_level=~"\(\?i\)([^"]*)"')


def sent(body: Any, status: int = 200) -> Answer:
    """An answer as Loki sends it, at the time of the checkpoint."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    date = format_datetime(HOUR_4.due, usegmt=True)
    kind = "application/json" if status == 200 else "text/plain; charset=utf-8"
    return Answer(status, data, {"Content-Type": kind, "Date": date})


def success(kind: str, result: Any, **more: Any) -> dict[str, Any]:
    data = {"resultType": kind, "result": result, "stats": {"summary": {"totalEntriesReturned": 1}}}
    return {"status": "success", "data": data, **more}


class Fake:
    """A Loki that holds lines: (ns after the window's start, text, labels).

    ``change`` may put another answer in the place of one: it gets path, parameters, answer.
    """

    def __init__(
        self,
        lines: list[tuple[int, str, dict[str, str]]],
        change: Callable[[str, dict[str, str], dict[str, Any]], Any] = lambda path, params, ok: ok,
        metadata: bool = False,
    ) -> None:
        self.lines = sorted(lines, key=lambda each: each[0])
        self.change = change
        self.metadata = metadata
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.server = Server(self.answer)

    def answer(self, asked: Asked) -> Answer:
        parts = urlsplit(asked.path)
        path = parts.path.removeprefix("/loki/api/v1/")
        params = dict(parse_qsl(parts.query))
        self.asked.append((path, params, asked.headers))
        assert asked.method == "GET"
        assert set(params) == PARAMETERS[path]
        made = self._range(params) if path == "query_range" else self._count(params)
        changed = self.change(path, params, made)
        return changed if isinstance(changed, Answer) else sent(changed)

    def _range(self, params: dict[str, str]) -> dict[str, Any]:
        import re2

        start, end = int(params["start"]), int(params["end"])
        found = [each for each in self.lines if start <= START + each[0] < end]
        if text := re.search(r"\|~ `([^`]*)`", params["query"]):
            sought = re2.compile(text[1])
            found = [each for each in found if sought.search(each[1])]
        if levels := LEVELLED.search(params["query"]):
            named = levels[1].split("|")
            found = [
                each
                for each in found
                if any(each[2].get(key, "").lower() in named for key in ("detected_level", "level"))
            ]
        assert params["direction"] in ("forward", "backward")
        if params["direction"] == "backward":
            found.reverse()
        streams: dict[str, list[list[Any]]] = {}
        for ns, text_, labels in found[: int(params["limit"])]:
            stream = {} if self.metadata else labels
            value: list[Any] = [str(START + ns), text_]
            if self.metadata:
                value.append({"structuredMetadata": labels})
            streams.setdefault(json.dumps(stream), []).append(value)
        return success(
            "streams", [{"stream": json.loads(k), "values": v} for k, v in streams.items()]
        )

    def _count(self, params: dict[str, str]) -> dict[str, Any]:
        query = re.fullmatch(
            r'sum\(count_over_time\(\{service_name="voice"\}\[(\d+)s\]\)\)', params["query"]
        )
        assert query is not None
        end = int(params["time"])
        start = end - int(query[1]) * 10**9
        n = sum(start <= START + each[0] < end for each in self.lines)
        return success("vector", [{"metric": {}, "value": [end / 1e9, str(n)]}] if n else None)


STEADY = [
    (60 * i * 10**9, f"INFO request {i} answered", {"detected_level": "info", "pod": "voice-1"})
    for i in range(-60, 244)
]


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[Loki, Fake]]]:
    """Makes a Loki on loopback; all of them end with the test."""
    made: list[Fake] = []

    def make(*lines: Any, steady: bool = True, **more: Any) -> tuple[Loki, Fake]:
        at = {name: more.pop(name) for name in list(more) if name in LokiAt.__struct_fields__}
        fake = Fake([*lines, *(STEADY if steady else ())], **more)
        made.append(fake)
        place = LokiAt(url=fake.server.url, selector='{service_name="voice"}', timeout_s=2, **at)
        return Loki(place, SteppingClock(HOUR_4.due)), fake

    yield make
    for each in made:
        each.server.close()


def line(seconds: float, text: str, **labels: str) -> tuple[int, str, dict[str, str]]:
    return round(seconds * 1e9), text, {"pod": "voice-1", **labels}


def messages(found: Evidence) -> list[str]:
    assert isinstance(found, Listing)
    return [each["message"] for each in found.items]


# --- lines ------------------------------------------------------------------------------------


@pytest.mark.parametrize("metadata", [False, True])
def test_exactly_the_windows_errors_are_found(serve: Any, metadata: bool) -> None:
    """Start inclusive, end exclusive; by a line's own level, then by a label that states one."""
    loki, fake = serve(
        line(-1, "ERROR before"),
        line(0, "ERROR first"),
        line(1, "no word of it", level="error"),
        line(2, "INFO 0 ERROR", level="error"),
        line(3, "nothing wrong, error budget is fine", detected_level="error"),
        line(WINDOW.seconds, "ERROR after"),
        metadata=metadata,
    )
    found = loki.error_lines(WINDOW)
    verdict = NoErrorLine().judge({"lines": found})
    assert verdict.figures["counted"] == 2
    assert messages(found)[:2] == ["ERROR first", "no word of it"]
    assert found.items[0]["instance"] == "voice-1"
    assert found.complete
    assert from_plain(to_plain(found)) == found
    spans = {(p["start"], p["end"]) for path, p, _ in fake.asked if path == "query_range"}
    assert spans == {(str(START), str(END))}


@pytest.mark.parametrize("count", [9, 10, 11, 20, 57])
def test_pages_hold_each_line_once(serve: Any, count: int) -> None:
    """A full page is never taken for the last; lines of one time on two pages are two."""
    lines = [line(60 + i // 3, f"ERROR number {i}") for i in range(count)]
    loki, fake = serve(*lines, page=10)
    found = loki.error_lines(WINDOW)
    assert messages(found) == sorted(
        (each[1] for each in lines), key=lambda m: messages(found).index(m)
    )
    assert len(found.items) == count
    assert found.complete
    assert {p["limit"] for path, p, _ in fake.asked if path == "query_range"} == {"10"}


def test_the_same_words_in_two_streams_are_two_lines(serve: Any) -> None:
    """Two pods log the same at the same nanosecond."""
    loki, _ = serve(line(60, "ERROR boom", pod="a"), line(60, "ERROR boom", pod="b"))
    assert len(loki.error_lines(WINDOW).items) == 2


def test_a_page_of_one_time_cannot_be_passed(serve: Any) -> None:
    """More lines of one nanosecond than a page holds: what follows is not known."""
    loki, _ = serve(*(line(60, f"ERROR number {i}") for i in range(12)), page=10)
    with pytest.raises(SourceIncomplete, match=r"raise loki\.page"):
        loki.error_lines(WINDOW)


def test_past_the_cap_what_was_read_still_counts(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAIL with at least so many lines; a count of words is refused."""
    monkeypatch.setattr(source, "MOST", 20)
    monkeypatch.setattr(source, "MOST_COUNTED", 20)
    loki, _ = serve(*(line(60 + i, f"ERROR timeout {i}") for i in range(80)), page=10)
    found = loki.error_lines(WINDOW)
    verdict = NoErrorLine().judge({"lines": found})
    assert (verdict.outcome, found.complete) == (Outcome.FAIL, False)
    assert "At least 2" in verdict.reason
    with pytest.raises(SourceTooMany):
        loki.watched_lines(WINDOW)


def test_words_and_beats_are_counted(serve: Any) -> None:
    """In any case and with colours; a beat has its line's time and worker."""
    loki, _ = serve(
        line(1, "WARN pool is full"),
        line(2, "INFO Database timeout"),
        line(3, "\x1b[33mwarning\x1b[0m slow"),
        *(line(30 * i, f"INFO heartbeat worker={name}") for i in range(9) for name in "ab"),
    )
    words = loki.watched_lines(WINDOW)
    assert words.parts == {"WARN": 2, "database": 1, "timeout": 1}
    assert words.total == 240 + 3 + 18
    beats = loki.beats(WINDOW, JOBS)
    assert {each.labels["worker"]: len(each.times) for each in beats.lines} == {"a": 9, "b": 9}


# --- silence ----------------------------------------------------------------------------------


def test_none_is_an_answer_only_beside_other_lines(serve: Any) -> None:
    """``"result": null`` and ``[]`` alone prove nothing; with a positive count they do."""
    loki, _ = serve()
    assert NoErrorLine().judge({"lines": loki.error_lines(WINDOW)}).outcome == Outcome.PASS
    for method in METHODS.values():
        loki, _ = serve(steady=False)
        with pytest.raises(SourceEmpty, match="expected a line of any kind"):
            method(loki)


def test_silence_between_an_older_and_a_younger_line_is_an_answer(serve: Any) -> None:
    """The log's life is seen on both sides."""
    loki, _ = serve(line(-60, "INFO x"), line(WINDOW.seconds + 60, "INFO x"), steady=False)
    found = loki.error_lines(WINDOW)
    assert (found.items, found.complete) == ((), True)


@pytest.mark.parametrize(
    ("keep", "says"),
    [
        (lambda ns: ns > 3_000 * 10**9, "no line before the window nor at its start"),
        (lambda ns: ns < 9_000 * 10**9, "no line in the window's last part, nor after it"),
    ],
)
def test_a_part_of_the_window_without_lines_is_named(
    serve: Any, keep: Callable[[int], bool], says: str
) -> None:
    """Retention, an agent that died, lines that have not arrived: no proof of silence."""
    loki, _ = serve(*(each for each in STEADY if keep(each[0])), steady=False)
    found = loki.error_lines(WINDOW)
    verdict = NoErrorLine().judge({"lines": found})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "source_incomplete")
    assert says in verdict.reason
    with pytest.raises(SourceIncomplete, match=says):
        loki.watched_lines(WINDOW)


def test_levels_that_nothing_states_prove_nothing(serve: Any) -> None:
    """Loki's own ``unknown`` is no level."""
    lines = [line(60 * i, f"said {i}", detected_level="unknown") for i in range(-60, 244)]
    loki, _ = serve(*lines, steady=False)
    verdict = NoErrorLine().judge({"lines": loki.error_lines(WINDOW)})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "levels_unknown")


# --- traps ------------------------------------------------------------------------------------


def on(path: str, change: Callable[[dict[str, Any]], Any]) -> Callable[..., Any]:
    return lambda asked, params, made: change(made) if asked == path else made


def data(**more: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda made: {**made, "data": {**made["data"], **more}}


TRAPS: dict[str, tuple[Callable[..., Any], type[SourceError], str]] = {
    "a warning in a 200": (
        on("query_range", lambda made: {**made, "warnings": ["maximum of series reached"]}),
        SourceIncomplete,
        "got a warning: maximum of series reached",
    ),
    "a warning with a count": (
        on("query", lambda made: {**made, "warnings": ["partial results"]}),
        SourceIncomplete,
        "got a warning",
    ),
    "an error in a 200": (
        on("query_range", lambda made: {**made, "status": "error"}),
        SourceMisread,
        "status: expected success",
    ),
    "another kind of result": (
        on("query_range", data(resultType="matrix", result=[])),
        SourceMisread,
        "resultType: expected streams",
    ),
    "more lines than asked for": (
        on(
            "query_range",
            data(result=[{"stream": {}, "values": [[str(START + i), "x"] for i in range(1001)]}]),
        ),
        SourceMisread,
        "at most",
    ),
    "a line of another window": (
        on("query_range", data(result=[{"stream": {}, "values": [[str(END + HOUR), "x"]]}])),
        SourceMisread,
        "its clock or its filter is wrong",
    ),
    "a time in seconds": (
        on("query_range", data(result=[{"stream": {}, "values": [["1796104800", "x"]]}])),
        SourceMisread,
        "its clock or its filter is wrong",
    ),
    "a time that is a number": (
        on("query_range", data(result=[{"stream": {}, "values": [[START, "x"]]}])),
        SourceMisread,
        "a time and a line",
    ),
    "a line without its time": (
        on("query_range", data(result=[{"stream": {}, "values": [["x"]]}])),
        SourceMisread,
        "a time and a line",
    ),
    "a stream without labels": (
        on("query_range", data(result=[{"values": []}])),
        SourceMisread,
        "stream",
    ),
    "a count that is no number": (
        on("query", data(result=[{"metric": {}, "value": [1, "NaN"]}])),
        SourceMisread,
        "one whole number as text",
    ),
    "two counts": (
        on("query", data(result=[{"value": [1, "4"]}, {"value": [1, "5"]}])),
        SourceMisread,
        "one whole number as text",
    ),
    "a count without lines": (
        on("query_range", data(result=None)),
        SourceMisread,
        "expected a count that its lines agree with",
    ),
    "no member data": (on("query", lambda made: {"status": "success"}), SourceMisread, "data"),
    "HTML": (on("query", lambda made: sent(b"<html>login</html>")), SourceMisread, "got HTML"),
    "too many series": (
        on("query", lambda made: sent(b"maximum number of series (500) reached", 400)),
        SourceLacks,
        "maximum number of series",
    ),
    "a limit above the server's": (
        on("query_range", lambda made: sent(b"max entries limit per query exceeded", 400)),
        SourceLacks,
        "max entries limit",
    ),
    "no org id": (
        on("query_range", lambda made: sent(b"no org id", 401)),
        SourceRefused,
        "401",
    ),
    "a time-out": (
        on("query_range", lambda made: sent(b"context deadline exceeded", 504)),
        SourceFailed,
        "504",
    ),
}


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("method", METHODS)
def test_each_trap_has_its_code(serve: Any, trap: str, method: str) -> None:
    """Nothing of it becomes a number, an empty list or a PASS; the question goes with it."""
    change, kind, says = TRAPS[trap]
    loki, _ = serve(line(60, "INFO timeout"), change=change)
    with pytest.raises(kind, match=re.escape(says)) as refused:
        METHODS[method](loki)
    assert refused.value.question is not None


def test_a_filter_that_hides_an_error_is_refused(serve: Any) -> None:
    """The newest lines are read without one."""

    def hide(path: str, params: dict[str, str], made: dict[str, Any]) -> Any:
        filtered = "|" in params.get("query", "")
        return success("streams", []) if path == "query_range" and filtered else made

    loki, _ = serve(line(60, "ERROR boom"), change=hide)
    with pytest.raises(SourceMisread, match="expected its own filter to find each error"):
        loki.error_lines(WINDOW)


# --- who asks ---------------------------------------------------------------------------------


def test_tenant_and_credential_go_in_headers(serve: Any) -> None:
    """A token as Bearer, with a user as basic authentication; never in the evidence."""
    token = Secret("LOKI_TOKEN", "glc_s3cret-token")
    loki, fake = serve(tenant="voice", token=token)
    found = loki.error_lines(WINDOW)
    assert {headers["x-scope-orgid"] for _, _, headers in fake.asked} == {"voice"}
    assert {headers["authorization"] for _, _, headers in fake.asked} == {"Bearer glc_s3cret-token"}
    assert "s3cret" not in json.dumps(to_plain(found))
    loki, fake = serve(user="123456", token=token)
    found = loki.error_lines(WINDOW)
    pair = base64.b64encode(b"123456:glc_s3cret-token").decode()
    assert {headers["authorization"] for _, _, headers in fake.asked} == {f"Basic {pair}"}
    assert all("x-own-credential" not in headers for _, _, headers in fake.asked)
    assert pair not in json.dumps(to_plain(found))
    loki, fake = serve()
    loki.error_lines(WINDOW)
    assert all("authorization" not in headers for _, _, headers in fake.asked)


# --- the rehearsal's counterpart --------------------------------------------------------------


@pytest.fixture
def rehearsed() -> Iterator[Callable[..., Loki]]:
    """The rehearsal's Loki at hour 4."""
    made: list[Server_] = []

    def make(*faults: str) -> Loki:
        server = Server_(World(1, faults, T0, T0 + timedelta(hours=4)))
        made.append(server)
        place = LokiAt(
            url=server.url,
            selector=SELECTOR,
            tenant=TENANT,
            token=Secret("T", TOKEN),
            timeout_s=2,
        )
        return Loki(place, SteppingClock(HOUR_4.due))

    yield make
    for each in made:
        each.stop()


def test_the_rehearsals_lines_are_read_whole(rehearsed: Callable[..., Loki]) -> None:
    """Each question is answered, and an error of the scenario is found."""
    loki = rehearsed()
    assert loki.error_lines(WINDOW).complete
    assert len(loki.beats(WINDOW, JOBS).lines) == 2
    assert loki.watched_lines(WINDOW).parts["WARN"] > 0
    wrong = rehearsed("log_errors@1").error_lines(WINDOW)
    assert NoErrorLine().judge({"lines": wrong}).outcome == Outcome.FAIL


# --- its section ------------------------------------------------------------------------------

SECTION = '[loki]\nurl = "http://loki.internal.net:3100"\nselector = \'{service_name="voice"}\'\n'


def test_a_secret_is_not_sent_in_clear_and_a_selector_is_one(tmp_path: Path) -> None:
    """Plain http is for a Loki without credentials, as many are inside a network."""
    path = tmp_path / "production.toml"
    path.write_text(SMALLEST + SECTION)
    assert load(path, {}).witnesses["loki"].token is None
    path.write_text(SMALLEST + SECTION + 'token_env = "LOKI_TOKEN"\n')
    with pytest.raises(ConfigurationError, match="expected https, since a secret is sent there"):
        load(path, {"LOKI_TOKEN": "glc_some-token-of-ours"})
    path.write_text(SMALLEST + SECTION.replace("{", "").replace("}", ""))
    with pytest.raises(ConfigurationError, match=r"loki\.selector: expected a stream selector"):
        load(path, {})
