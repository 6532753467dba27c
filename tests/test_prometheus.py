"""The PromQL witness: what raw samples say, and one clear code for what cannot be relied on."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from hour24.clock import SteppingClock
from hour24.codes import CODES
from hour24.config import Endpoint
from hour24.errors import SourceError, SourceMisread
from hour24.evidence import Buckets, Counts, Listing, Question, Unanswered
from hour24.objectives.latency.target import QuantileBelow
from hour24.objectives.latency.transactions import MostBelow
from hour24.objectives.rates import RateBelow
from hour24.secrets import Secret
from hour24.verdict import Outcome
from hour24.watch import Window
from hour24.witnesses.prometheus import PrometheusAt, buckets
from hour24.witnesses.prometheus.counters import Counter, check_counters
from hour24.witnesses.prometheus.engine import selector
from hour24.witnesses.prometheus.lives import Life, changes, life_of, missing
from hour24.witnesses.prometheus.presets import PRESETS, WHAT, Names
from hour24.witnesses.prometheus.source import Prometheus
from tests.answering import Answer, Asked, Server
from tests.engines import Known

START = 1_796_000_400.0
HOUR = 3600.0
END = START + 4 * HOUR
WINDOW = Window(datetime.fromtimestamp(START, UTC), datetime.fromtimestamp(END, UTC))
NOW = WINDOW.end + timedelta(minutes=5)
QUESTION = Question(source="prometheus", asked="x", at=NOW, window=WINDOW)


def as_text(value: float) -> str:
    """A value as engines write it."""
    return "NaN" if math.isnan(value) else f"{value:.15g}"


def counter(*samples: tuple[float, float], step_s: float = 0.0) -> Counter:
    made = Counter(START, END, step_s)
    made.add([(START + at, as_text(value)) for at, value in samples], "here")
    return made


# --- counters ---------------------------------------------------------------------------------


def test_an_increment_belongs_to_the_window_of_its_sample() -> None:
    """Adjacent windows neither share nor lose one, whatever the engine does at an edge."""
    samples = [(START + 60.0 * i, f"{(i + 5) * 3}") for i in range(-5, 500)]
    middle = START + 2 * HOUR
    first, second, both = Counter(START, middle), Counter(middle, END), Counter(START, END)
    for each in (first, second, both):
        each.add(samples, "here")
    assert first.least + second.least == both.least == 3 * 240


def test_samples_at_the_edge_of_two_pieces_count_once() -> None:
    """An engine that includes both ends of a range sends one twice."""
    made = counter((-60, 0), (0, 5), (60, 9))
    made.add([(START + 60, "9"), (START + 120, "12")], "here")
    assert made.least == 12


def test_a_reset_counts_from_zero() -> None:
    """300 before it, 40 after it: 340, with no estimate."""
    assert counter((-60, 0), (60, 300), (120, 40)).least == 340


@pytest.mark.parametrize(
    ("seen", "began", "least", "most"),
    [
        (START - 600, None, 7, 7),
        (START + 60, START + 30, 7, 7),
        (START + 60, START - 9000, 0, 7),
        (START + 60, None, 0, 7),
        (None, None, 0, 7),
    ],
)
def test_the_value_of_birth_counts_where_it_is_known_to_be_new(
    seen: float | None, began: float | None, least: float, most: float
) -> None:
    """Its target was seen before without it, or its process began in the window."""
    made = counter((60, 7), (120, 7))
    made.settle(seen, began)
    assert (made.least, made.most) == (least, most)


@pytest.mark.parametrize("text", ["NaN", "-1", "+Inf", "seven", ""])
def test_a_value_that_is_no_count_is_refused(text: str) -> None:
    """By its place, and as it came; a NaN from the second on."""
    with pytest.raises(SourceMisread, match=r"here: a sample's value: expected a "):
        Counter(START, END).add([(START, text), (START + 60, text)], "here")


@pytest.mark.parametrize("leading", [(), ((-120, math.nan),)])
def test_a_single_nan_is_no_sample(leading: tuple[tuple[float, float], ...]) -> None:
    """It loses no increment, and the number after it is no birth and no reset."""
    made = counter(*leading, (-60, 5), (0, math.nan), (60, 9), (120, 9), (180, math.nan), (240, 9))
    assert (made.least, made.most, made.falls) == (4, 4, 0)
    born = counter(*leading, (60, 9), (120, math.nan), (180, 12))
    assert (born.least, born.most) == (3, 12)


def test_a_gauge_in_place_of_a_counter_is_refused() -> None:
    """So are deltas; a counter with a restart or two is none."""
    gauge = counter(*((60 * i, 5 + (i * 7) % 4) for i in range(50)))
    with pytest.raises(SourceMisread, match="expected a counter that only grows"):
        check_counters([gauge], "x", "here", whole=True)
    restarts = counter((0, 5), (60, 9), (120, 1), (180, 4), (240, 2), (300, 8), (360, 9))
    check_counters([restarts], "x", "here", whole=True)
    with pytest.raises(SourceMisread, match="a counter of whole things"):
        check_counters([counter((-60, 0), (60, 1.5))], "x", "here", whole=True)


# --- lives ------------------------------------------------------------------------------------


def times(start: float, end: float, every: float = 15.0) -> list[float]:
    return [start + every * i for i in range(int((end - start) / every) + 1)]


def lives(*spans: tuple[float, float]) -> list[Life]:
    found = [
        life_of(f"pod-{i}", times(START + a, START + b), START, END)
        for i, (a, b) in enumerate(spans)
    ]
    return [each for each in found if each is not None]


ALL = (-HOUR, 4 * HOUR)


@pytest.mark.parametrize(
    ("spans", "least", "says"),
    [
        ([ALL, ALL], 0, ""),
        ([ALL, (HOUR, 4 * HOUR), (HOUR, 4 * HOUR)], 0, ""),
        ([(-HOUR, HOUR), ALL, (HOUR + 60, 4 * HOUR)], 0, ""),
        ([ALL, (-HOUR, HOUR)], 0, "fewer than 2 instances"),
        ([ALL, (-HOUR, HOUR)], 1, ""),
        ([ALL], 2, "expected min_instances"),
        ([(-HOUR, 2 * HOUR)], 0, "fewer than 1 instance"),
        ([(2 * HOUR, 4 * HOUR)], 0, "fewer than 1 instance"),
        ([], 0, "no instance was seen"),
    ],
)
def test_instances_that_are_missing_are_said(
    spans: list[tuple[float, float]], least: int, says: str
) -> None:
    """Scaling out and rolling deploys are normal life; one that vanished is not."""
    found = missing(lives(*spans), START, END, least)
    assert says in found if says else found == ""


def test_a_gap_in_a_life_is_uncovered() -> None:
    """An hour of four: 75 %."""
    holed = times(START - 600, START + HOUR) + times(START + 2 * HOUR, END)
    life = life_of("a", holed, START, END)
    assert life is not None
    assert life.covered == pytest.approx(0.75, abs=0.002)
    assert "expected at least 95 %" in missing([life], START, END, 0)


def test_a_replaced_instance_is_told_from_one_added() -> None:
    """A restart under a new name is one all the same."""
    found = changes(
        lives(ALL, (-HOUR, HOUR), (HOUR + 40, 4 * HOUR), (2 * HOUR, 4 * HOUR)), START, END
    )
    assert [(each.kind, each.name, each.other) for each in found] == [
        ("replaced", "pod-2", "pod-1"),
        ("added", "pod-3", ""),
    ]


# --- buckets ----------------------------------------------------------------------------------


def test_a_share_is_exact_at_a_bound_and_a_bracket_between_two() -> None:
    """Nothing is interpolated."""
    above = {"100": (40, 40), "250": (4, 4)}
    exact = Buckets(question=QUESTION, unit="ms", total=(1000, 1000), above=above)
    verdict = QuantileBelow(target_ms=250, q=0.99).judge({"spans": exact})
    assert verdict.outcome == Outcome.PASS
    assert "4 of 1,000 took 250 ms or more" in verdict.reason
    assert verdict.bound == "at most 250 ms"
    between = QuantileBelow(target_ms=200, q=0.99).judge({"spans": exact})
    assert (between.outcome, between.code) == (Outcome.INCONCLUSIVE, "no_bucket")
    assert "no bucket ends at 200 ms: add one between 100 and 250 ms" in between.reason
    slow = QuantileBelow(target_ms=100, q=0.99).judge({"spans": exact})
    assert (slow.outcome, slow.code) == (Outcome.FAIL, "slow")


def test_a_bracket_decides_where_both_its_ends_agree() -> None:
    """More than 1 % above the larger bound is slow; at most 1 % above the smaller is fast."""
    slow = Buckets(
        question=QUESTION, unit="ms", total=(1000, 1000), above={"100": (90, 90), "250": (30, 30)}
    )
    fast = Buckets(
        question=QUESTION, unit="ms", total=(1000, 1000), above={"100": (6, 6), "250": (0, 0)}
    )
    judge = QuantileBelow(target_ms=200, q=0.99)
    assert judge.judge({"spans": slow}).outcome == Outcome.FAIL
    assert judge.judge({"spans": fast}).outcome == Outcome.PASS


def test_routes_are_transactions_by_their_buckets() -> None:
    """A route with more than 1 % above a second is slow; which bucket lacks is said."""

    def listing(**above: list[int]) -> Listing:
        items = tuple(
            {"transaction": f"/{i}", "count": 1000, "count_most": 1000, "above": dict(above)}
            for i in range(10)
        )
        return Listing(question=QUESTION, what="transactions", items=items)

    judge = MostBelow(share=0.9, limit_ms=1000.0)
    assert judge.judge({"transactions": listing(**{"1000": [10, 10]})}).outcome == Outcome.PASS
    slow = judge.judge({"transactions": listing(**{"1000": [11, 11]})})
    assert slow.outcome == Outcome.FAIL
    assert "(11 of 1,000 above)" in slow.reason
    open_ = judge.judge({"transactions": listing(**{"500": [20, 20], "2500": [0, 0]})})
    assert (open_.outcome, open_.code) == (Outcome.INCONCLUSIVE, "no_bucket")
    assert "add one between 500 and 2,500 ms" in open_.reason


def test_bounds_are_numbers() -> None:
    """``1`` and ``1.0`` are one bucket, of an exporter before and after its upgrade."""
    grown = {
        buckets.bound_of(text, "here"): [counter((-60, 0), (60, n))]
        for text, n in (("1.0", 90), ("+Inf", 100))
    }
    old = {1.0: [counter((-60, 0), (60, 9))], math.inf: [counter((-60, 0), (60, 10))]}
    found = buckets.merged([grown, old], "here")
    assert found.above == {1.0: (11, 11)}
    assert buckets.around([0.1, 1.0, 0.25, math.inf], 0.2) == [0.1, 0.25]
    assert buckets.around([0.1, 0.5, 1.0, 2.0], 1) == [0.5, 1.0]


def test_buckets_that_fall_are_refused() -> None:
    """A smaller bucket cannot hold more than a larger one."""
    group = {
        0.1: [counter((-60, 0), (60, 50))],
        0.5: [counter((-60, 0), (60, 40))],
        math.inf: [counter((-60, 0), (60, 60))],
    }
    with pytest.raises(SourceMisread, match="expected buckets that grow with their bound"):
        buckets.merged([group], "here")


# --- the bracket of a count -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "bad_most", "outcome"),
    [
        (0, 0, Outcome.PASS),
        (5, 9, Outcome.PASS),
        (5, 20, Outcome.INCONCLUSIVE),
        (20, 30, Outcome.FAIL),
    ],
)
def test_a_count_that_is_a_bracket_decides_where_both_ends_agree(
    bad: int, bad_most: int, outcome: Outcome
) -> None:
    """FAIL by the least that failed, PASS by the most."""
    answer = Counts(
        question=QUESTION, total=1000, total_most=1030, bad=bad, bad_most=bad_most, what="requests"
    )
    verdict = RateBelow(limit=0.01).judge({"platform": answer})
    assert verdict.outcome == outcome
    if outcome == Outcome.INCONCLUSIVE:
        assert verdict.code == "source_incomplete"
        assert "up to 20 may have failed" in verdict.reason


# --- an engine with canned answers -------------------------------------------------------------

JOB = {"job": "api", "instance": "a:1"}
SCRAPES = times(START - HOUR, END)


def series(name: str, value: Callable[[int], float], **labels: str) -> Known:
    """A series with a sample a scrape."""
    samples = [(at, float(value(i))) for i, at in enumerate(SCRAPES)]
    return Known(name, {**JOB, **labels}, samples)


def healthy() -> list[Known]:
    return [
        series("up", lambda i: 1),
        series("process_start_time_seconds", lambda i: START - 9000),
        series("process_resident_memory_bytes", lambda i: 2e8),
        series("http_requests_total", lambda i: i, code="200"),
        series("http_request_duration_seconds_bucket", lambda i: i, le="0.5", handler="/a"),
        series("http_request_duration_seconds_bucket", lambda i: i, le="+Inf", handler="/a"),
    ]


class Fake:
    """An engine with these series, and what is changed of its answers."""

    def __init__(
        self,
        known: Sequence[Known],
        *,
        extra: dict[str, Any] | None = None,
        raw: Callable[[Asked], Answer | None] = lambda asked: None,
        skew_s: float = 0.0,
        metadata: dict[str, Any] | None = None,
        labels: dict[str, str] | None = None,
    ) -> None:
        self.labels = labels or {"job": "api"}
        self.known, self.extra, self.raw, self.skew_s = known, extra or {}, raw, skew_s
        self.metadata = metadata or {}

    def __call__(self, asked: Asked) -> Answer:
        if engine := self.raw(asked):
            return engine
        path, query = urlsplit(asked.path).path, parse_qs(urlsplit(asked.path).query)
        if path.endswith("/series"):
            return self.answer([self.named(s) for s in self.chosen(query["match[]"][0])])
        if path.endswith("/values"):
            label = path.split("/")[-2]
            found = {s.labels.get(label, "") for s in self.chosen(query["match[]"][0])}
            return self.answer(sorted(found))
        if path.endswith("/metadata"):
            return self.answer(self.metadata)
        if query["query"] == ["time()"]:
            now = NOW.timestamp() + self.skew_s
            return self.answer({"resultType": "scalar", "result": [now, str(now)]})
        expression, _, length = query["query"][0].rpartition("[")
        end = float(query["time"][0])
        start = end - float(length.rstrip("ms]")) / 1000
        result = []
        for each in self.chosen(expression):
            values = [[t, as_text(v)] for t, v in each.samples if start < t <= end]
            if values:
                result.append({"metric": self.named(each), "values": values})
        return self.answer({"resultType": "matrix", "result": result}, **self.extra)

    def chosen(self, expression: str) -> list[Known]:
        name, _, labels = expression.partition("{")
        found = [s for s in self.known if s.name == name]
        for label, how, value in re.findall(r'(\w+)(=~|!=|=)"((?:[^"\\]|\\.)*)"', labels):
            text = value.replace("\\\\", "\\")
            test = re.compile(text if how == "=~" else re.escape(text))
            found = [
                s for s in found if bool(test.fullmatch(s.labels.get(label, ""))) is (how != "!=")
            ]
        return found

    @staticmethod
    def named(one: Known) -> dict[str, str]:
        return {"__name__": one.name, **one.labels}

    @staticmethod
    def answer(data: Any, **more: Any) -> Answer:
        body = json.dumps({"status": "success", "data": data, **more}).encode()
        return Answer(body=body, headers={"Content-Type": "application/json"})


def at_of(url: str, **changes: Any) -> PrometheusAt:
    fields = {"url": url, "preset": "prometheus-client", "labels": {"job": "api"}}
    return PrometheusAt(**{**fields, **changes})


ENDPOINTS = {"a": Endpoint(name="a", url="https://api.example/a", target_ms=500.0)}


def asked_of(engine: Fake, what: str = "responses", **changes: Any) -> Any:
    """The answer to one question, or its code."""
    with Server(engine) as server:
        at = at_of(server.url, labels=engine.labels, **changes)
        source = Prometheus(at, SteppingClock(NOW), budget_s=60.0)
        more = (ENDPOINTS,) if what == "server_times" else ()
        try:
            return getattr(source, what)(WINDOW, *more)
        except SourceError as problem:
            return problem.code, str(problem)


def without(*names: str) -> list[Known]:
    return [each for each in healthy() if each.name not in names]


def changed(name: str, value: Callable[[int], float], **labels: str) -> list[Known]:
    """The healthy service, with other samples of one metric."""
    return [*without(name), series(name, value, **({"code": "200"} | labels))]


def gone(name: str, start: float, end: float) -> list[Known]:
    """The healthy service, with a gap in the samples of a metric; of all, where it is empty."""
    return [
        Known(s.name, s.labels, [(t, v) for t, v in s.samples if not start <= t < end])
        if name in ("", s.name)
        else s
        for s in healthy()
    ]


def large(asked: Asked) -> Answer | None:
    """An answer that never ends, whatever is asked for."""
    if "%5B" not in asked.path.partition("query=")[2]:
        return None
    return Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 500000000\r\n\r\n" + b" " * 21_000_000)


def refused(status: int, error: str) -> Callable[[Asked], Answer | None]:
    def answer(asked: Asked) -> Answer | None:
        if "ms%5D" not in asked.path:
            return None
        return Answer(status=status, body=json.dumps({"status": "error", "error": error}).encode())

    return answer


def instant(asked: Asked) -> Answer | None:
    """A dialect without raw samples: the last sample of each series."""
    if "ms%5D" not in asked.path:
        return None
    value = {"metric": {"__name__": "http_requests_total", **JOB}, "value": [END, "7"]}
    return Fake.answer({"resultType": "vector", "result": [value]})


TWO = [
    Known(s.name, {**s.labels, "job": job, "team": "us"}, s.samples)
    for s in healthy()
    for job in ("api", "web")
]
CAPPED = [
    Known("http_requests_total", {**JOB, "code": "200", "n": str(i)}, [(END - 60, 1.0)])
    for i in range(500)
]
HALF = 2 * HOUR
BAD: dict[str, tuple[Fake, str, str, str]] = {
    # name: engine, question, code, what its reason says
    "no such metric": (
        Fake(without("http_requests_total")),
        "responses",
        "no_data",
        "got none",
    ),
    "another tenant": (Fake([]), "responses", "no_data", 'http_requests_total{job="api"}'),
    "401": (
        Fake([], raw=lambda asked: Answer(status=401)),
        "responses",
        "source_refused",
        "401",
    ),
    "gauge by its samples": (
        Fake(changed("http_requests_total", lambda i: 5 + (i * 7) % 4)),
        "responses",
        "source_misread",
        "falls in",
    ),
    "gauge by its type": (
        Fake(healthy(), metadata={"http_requests_total": [{"type": "gauge"}]}),
        "responses",
        "source_misread",
        "expected a counter, got a gauge",
    ),
    "deltas": (
        Fake(changed("http_requests_total", lambda i: (i * i) % 11)),
        "responses",
        "source_misread",
        "deltas instead of a sum",
    ),
    "fractions": (
        Fake(changed("http_requests_total", lambda i: i / 3)),
        "responses",
        "source_misread",
        "whole things",
    ),
    "NaN": (
        Fake(changed("http_requests_total", lambda i: math.nan)),
        "responses",
        "source_misread",
        "expected a count",
    ),
    "no status": (
        Fake([*without("http_requests_total"), series("http_requests_total", lambda i: i)]),
        "responses",
        "source_misread",
        "state names.status",
    ),
    "status is a word": (
        Fake(changed("http_requests_total", lambda i: i, code="bad")),
        "responses",
        "source_misread",
        "an HTTP status",
    ),
    "falling buckets": (
        Fake(
            [
                *without("http_request_duration_seconds_bucket"),
                series(
                    "http_request_duration_seconds_bucket", lambda i: 2 * i, le="0.5", handler="/a"
                ),
                series(
                    "http_request_duration_seconds_bucket", lambda i: i, le="+Inf", handler="/a"
                ),
            ]
        ),
        "server_times",
        "source_misread",
        "expected buckets that grow",
    ),
    "no such route": (
        Fake(
            [
                *without("http_request_duration_seconds_bucket"),
                series(
                    "http_request_duration_seconds_bucket", lambda i: i, le="+Inf", handler="/b"
                ),
            ]
        ),
        "server_times",
        "no_data",
        "state endpoints.a.transaction",
    ),
    "two services": (
        Fake(TWO, labels={"team": "us"}),
        "responses",
        "source_misread",
        "expected the series of one service",
    ),
    "warning": (
        Fake(healthy(), extra={"warnings": ["store 10.0.0.7:10901 is unavailable"]}),
        "responses",
        "source_incomplete",
        "store 10.0.0.7:10901 is unavailable",
    ),
    "isPartial": (
        Fake(healthy(), extra={"isPartial": True}),
        "responses",
        "source_incomplete",
        "isPartial",
    ),
    "info": (
        Fake(healthy(), extra={"infos": ["input to histogram_quantile needed to be fixed"]}),
        "responses",
        "source_misread",
        "without infos",
    ),
    "exactly 500 series": (
        Fake(CAPPED),
        "responses",
        "source_incomplete",
        "an engine's cap",
    ),
    "unknown dialect": (
        Fake(healthy(), raw=instant),
        "responses",
        "source_lacks",
        "an unknown dialect",
    ),
    "clock an hour wrong": (
        Fake(healthy(), skew_s=-3600.0),
        "responses",
        "source_clock",
        "-3600 s off",
    ),
    "500 MB": (
        Fake(healthy(), raw=large),
        "responses",
        "source_incomplete",
        "more than 20 MB",
    ),
    "too many samples": (
        Fake(healthy(), raw=refused(422, "query processing would load too many samples")),
        "responses",
        "source_incomplete",
        "would load too many samples",
    ),
    "maxSamplesPerQuery": (
        Fake(healthy(), raw=refused(422, "cannot select more than -search.maxSamplesPerQuery")),
        "responses",
        "source_incomplete",
        "-search.maxSamplesPerQuery",
    ),
    "parse error": (
        Fake(healthy(), raw=refused(400, "invalid parameter query")),
        "responses",
        "source_lacks",
        "invalid parameter query",
    ),
    "gap of two hours": (
        Fake(gone("", START + HOUR, START + HOUR + HALF)),
        "responses",
        "coverage_too_low",
        "of its life",
    ),
    "nothing for the last two hours": (
        Fake(gone("", START + HALF, END + 60)),
        "responses",
        "coverage_too_low",
        "fewer than 1 instance",
    ),
    "one of two vanished": (
        Fake(
            [
                *healthy(),
                *(
                    Known(s.name, {**s.labels, "instance": "b:1"}, s.samples[: len(s.samples) // 2])
                    for s in healthy()
                ),
            ]
        ),
        "responses",
        "coverage_too_low",
        "b:1 was last seen",
    ),
    "renamed by an upgrade": (
        Fake(
            [
                *healthy(),
                *(
                    Known(s.name, {**s.labels, "instance": "b:1"}, s.samples)
                    for s in without("http_requests_total")
                ),
            ]
        ),
        "responses",
        "source_incomplete",
        "got none of b:1",
    ),
    "start in milliseconds": (
        Fake(changed("process_start_time_seconds", lambda i: START * 1000)),
        "responses",
        "source_misread",
        "in epoch seconds",
    ),
    "nested without an end": (
        Fake(healthy(), raw=lambda asked: Answer(body=b'{"data":' + b"[" * 9_000)),
        "responses",
        "source_misread",
        "expected a JSON document",
    ),
    "nested samples": (
        Fake(
            healthy(),
            raw=lambda asked: Answer(body=b"[" * 9_000) if "ms%5D" in asked.path else None,
        ),
        "responses",
        "source_misread",
        "expected a JSON document",
    ),
    "no limit of memory": (Fake(healthy()), "memory_limit", "no_data", "memory_limit_mb"),
}


@pytest.mark.parametrize("name", BAD)
def test_each_bad_input_has_one_clear_code(name: str) -> None:
    """No number is made of it, and the reason says what was found."""
    engine, what, code, says = BAD[name]
    found = asked_of(engine, what)
    if what == "server_times" and isinstance(found, dict):
        answer = found["a"]
        assert isinstance(answer, Unanswered)
        found = answer.code, answer.reason
    assert isinstance(found, tuple), found
    assert found[1].startswith("prometheus: ")
    assert found[0] == code
    assert code in CODES
    assert says in found[1]


def test_a_healthy_service_is_read() -> None:
    """Whole, and exactly."""
    engine = Fake(healthy())
    counts = asked_of(engine)
    assert isinstance(counts, Counts)
    assert (counts.total, counts.bad, counts.total_most) == (960, 0, None)
    times_ = asked_of(engine, "server_times")["a"]
    assert (times_.total, times_.above) == ((960, 960), {"500": (0, 0)})
    memory = asked_of(engine, "memory")
    assert len(memory.lines[0].times) == 240
    assert memory.lines[0].labels == {"instance": "a:1"}
    assert sum(asked_of(engine, "load").lines[0].values) * 60 == pytest.approx(960, abs=1)
    assert asked_of(engine, "platform_events").items == ()
    assert asked_of(engine, "memory_limit", memory_limit_mb=512.0).lines[0].values == (512.0,)


def test_a_pair_of_engines_is_read_once() -> None:
    """The replica that saw more; the other's samples are not added."""
    pair = [
        Known(s.name, {**s.labels, "prometheus_replica": name}, s.samples[cut:])
        for s in healthy()
        for name, cut in (("p-0", 40), ("p-1", 0))
    ]
    counts = asked_of(Fake(pair))
    assert (counts.total, counts.bad) == (960, 0)


def test_a_restart_in_place_and_one_under_a_new_name_are_events() -> None:
    """By start times and by names; the platform's kill is named."""
    before = [
        series(
            "process_start_time_seconds",
            lambda i: START - 9000 if SCRAPES[i] < START + HOUR else START + HOUR - 5,
        ),
        *without("process_start_time_seconds"),
    ]
    found = asked_of(Fake(before), "platform_events")
    assert [(each["type"], each["process"]) for each in found.items] == [
        ("process_restarted", "ended")
    ]
    moved = [
        Known(s.name, {**s.labels, "instance": name}, [x for x in s.samples if keep(x[0])])
        for s in healthy()
        for name, keep in (
            ("a:1", lambda t: t < START + HOUR),
            ("b:1", lambda t: t >= START + HOUR + 30),
        )
    ]
    found = asked_of(Fake(moved), "platform_events")
    assert [(each["type"], each["process"]) for each in found.items] == [
        ("instance_replaced", "ended")
    ]


def test_credentials_stand_in_headers_and_nowhere_else() -> None:
    """Basic, bearer with its own scheme, a tenant and one more header."""
    secret = Secret("PROM_TOKEN", "a-token-of-mine")
    for credential, header, value in (
        ({"token": secret}, "authorization", "Bearer a-token-of-mine"),
        ({"token": secret, "scheme": "FlyV1"}, "authorization", "FlyV1 a-token-of-mine"),
        ({"user": "u", "password": secret}, "authorization", "Basic dTphLXRva2VuLW9mLW1pbmU="),
        ({"tenant": "acme"}, "x-scope-orgid", "acme"),
        ({"header_name": "X-Query-Key", "header": secret}, "x-query-key", "a-token-of-mine"),
    ):
        with Server(Fake(healthy())) as server:
            at = at_of(server.url, **credential)
            counts = Prometheus(at, SteppingClock(NOW), budget_s=30.0).responses(WINDOW)
            assert {asked.headers.get(header) for asked in server.asked} == {value}
        assert "a-token-of-mine" not in repr(counts)
        assert "partial_response=false" in server.asked[-1].path
        assert "deny_partial_response=1" in server.asked[-1].path


def test_only_raw_samples_are_asked_for() -> None:
    """No function of the engine but its clock is in any query."""
    with Server(Fake(healthy())) as server:
        source = Prometheus(at_of(server.url), SteppingClock(NOW), budget_s=30.0)
        source.responses(WINDOW)
        source.server_times(WINDOW, ENDPOINTS)
        source.transactions(WINDOW)
        source.memory(WINDOW)
        source.platform_events(WINDOW)
        queries = [
            query
            for asked in server.asked
            for query in parse_qs(urlsplit(asked.path).query).get("query", [])
        ]
    assert queries
    for query in queries:
        assert query == "time()" or re.fullmatch(r"[\w:]+\{[^()]*\}\[\d+ms\]", query), query


def test_a_selector_quotes_what_it_is_given() -> None:
    """Names outside the old alphabet, too."""
    assert selector("up", {"job": 'a"b\\', "x!": ""}, {}) == 'up{job="a\\"b\\\\",x!=""}'
    assert selector("http.count", {}, {"le": "1"}) == '{__name__="http.count",le=~"1"}'


def test_every_preset_names_what_selects_a_service() -> None:
    """And no name that a Names does not have."""
    for preset, names in PRESETS.items():
        assert isinstance(names, Names), preset
        assert names.service, preset
        assert names.responses, preset
    assert set(WHAT) == set(Names.__struct_fields__)


def test_a_series_under_new_labels_is_no_birth() -> None:
    """Its first value is what the old one had counted: a bracket, not 960 failures at once."""
    moved = [
        *without("http_requests_total"),
        *(
            Known(
                "http_requests_total",
                {**JOB, "code": code, "zone": zone},
                [(t, v) for t, v in series("x", lambda i: i + 5000).samples if keep(t)],
            )
            for code in ("200", "500")
            for zone, keep in (
                ("", lambda t: t < START + HOUR),
                ("eu", lambda t: t >= START + HOUR),
            )
        ),
    ]
    counts = asked_of(Fake(moved))
    assert counts.bad < 960 < counts.bad_most
