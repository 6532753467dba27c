"""Thanos, Mimir, VictoriaMetrics in a cluster, CloudWatch: servers that answer in their shapes.

Each holds a good and a bad service, answers whole or leaves out the failures, and is judged: what
it leaves out is never a PASS, what it adds is never a FAIL. Only documented shapes are asserted; an
undocumented one is answered in every way that is thinkable.

Source: Thanos' query.md; Mimir's error catalogue; VictoriaMetrics' cluster documentation; AWS'
QueryMetrics.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from hour24.clock import SteppingClock
from hour24.errors import SourceError
from hour24.evidence import Unanswered
from hour24.objectives.rates import RateBelow
from hour24.witnesses.prometheus.source import Prometheus
from tests.answering import Answer, Asked, Server
from tests.engines import Known
from tests.test_prometheus import (
    END,
    ENDPOINTS,
    HOUR,
    NOW,
    WINDOW,
    Fake,
    at_of,
    healthy,
    series,
)

Shape = Callable[[Fake], Callable[[Asked], Answer]]
"""The engine that holds the samples -> the server that answers in a vendor's way."""


def service(*, bad: bool) -> list[Known]:
    """A service of which nothing failed, or 2 % from the second hour on."""
    failed = (lambda i: 300 + max(0, i - 480) // 25) if bad else (lambda i: 300)
    return [*healthy(), series("http_requests_total", failed, code="500")]


def path_of(asked: Asked) -> str:
    return urlsplit(asked.path).path


def query_of(asked: Asked) -> dict[str, list[str]]:
    return parse_qs(urlsplit(asked.path).query)


def is_raw(asked: Asked) -> bool:
    """Whether raw samples are asked for."""
    return query_of(asked).get("query", [""])[0].endswith("ms]")


def error(status: int, kind: str, text: str) -> Answer:
    body = json.dumps({"status": "error", "errorType": kind, "error": text}).encode()
    return Answer(status=status, body=body, headers={"Content-Type": "application/json"})


def without_failures(engine: Fake) -> Fake:
    """The same engine without one of its stores: the one with the failures."""
    return Fake([each for each in engine.known if each.labels.get("code") != "500"])


def added(answer: Answer, **more: Any) -> Answer:
    """An answer with more members beside its data."""
    return Answer(body=json.dumps(json.loads(answer.body) | more).encode(), headers=answer.headers)


# --- Thanos -----------------------------------------------------------------------------------

STORE_AWAY = "receive series from Addr: 10.0.0.7:10901: rpc error: code = Unavailable"


def thanos_whole(engine: Fake) -> Callable[[Asked], Answer]:
    """Every answer has its ``warnings`` and ``analysis``, empty."""
    return lambda asked: added(engine(asked), warnings=None, analysis={})


def thanos_partial(engine: Fake) -> Callable[[Asked], Answer]:
    """The parameter against partial answers is ignored: one store is away, one line says it."""
    left = without_failures(engine)
    return lambda asked: added(left(asked), warnings=[STORE_AWAY])


def thanos_strict(engine: Fake) -> Callable[[Asked], Answer]:
    """The parameter is heard: the query fails."""

    def answer(asked: Asked) -> Answer:
        partial = query_of(asked).get("partial_response") != ["false"]
        if is_raw(asked) and not partial:
            return error(422, "execution", f"expanding series: {STORE_AWAY}")
        return engine(asked)

    return answer


def thanos_no_store(engine: Fake) -> Callable[[Asked], Answer]:
    """No store has the labels: an empty answer with a warning."""
    empty = Fake([])
    return lambda asked: added(empty(asked), warnings=["No StoreAPIs matched for this query"])


# --- Mimir ------------------------------------------------------------------------------------

CHUNKS = (
    "the query exceeded the maximum number of chunks (limit: 2000000 chunks) "
    "(err-mimir-max-chunks-per-query). To adjust the related per-tenant limit, configure "
    "-querier.max-fetched-chunks-per-query, or contact your service administrator."
)
LENGTH = (
    "expanding series: the query time range exceeds the limit (query length: 1h10m0s, limit: "
    "5m0s) (err-mimir-max-query-length)"
)


def mimir(engine: Fake) -> Callable[[Asked], Answer]:
    """The tenant ``acme`` has the service; another has nothing; none is refused."""

    def answer(asked: Asked) -> Answer:
        tenant = asked.headers.get("x-scope-orgid", "")
        if not tenant:
            plain = {"Content-Type": "text/plain; charset=utf-8"}
            return Answer(status=401, body=b"no org id\n", headers=plain)
        return (engine if tenant == "acme" else Fake([]))(asked)

    return answer


def mimir_limited(text: str, longest_s: float) -> Shape:
    """Raw samples of more than this many seconds are past a limit of the tenant."""

    def shape(engine: Fake) -> Callable[[Asked], Answer]:
        def answer(asked: Asked) -> Answer:
            if is_raw(asked):
                length = re.search(r"\[(\d+)ms\]", query_of(asked)["query"][0])
                if length and int(length[1]) > longest_s * 1000:
                    return error(422, "execution", text)
            return mimir(engine)(asked)

        return answer

    return shape


def mimir_series_limit(engine: Fake) -> Callable[[Asked], Answer]:
    """A list of series is past a limit of the tenant."""

    def answer(asked: Asked) -> Answer:
        if path_of(asked).endswith("/series"):
            text = CHUNKS.replace("chunks", "series")
            return error(422, "execution", text)
        return mimir(engine)(asked)

    return answer


# --- VictoriaMetrics in a cluster -------------------------------------------------------------


def victoria(engine: Fake, *, partial: bool = False) -> Callable[[Asked], Answer]:
    """Every answer says whether a storage node was away, lists of series too."""

    def answer(asked: Asked) -> Answer:
        from_nodes = query_of(asked).get("query") != ["time()"]
        away = partial and from_nodes
        return added(engine(asked), isPartial=away, stats={"seriesFetched": "1"})

    return answer


def victoria_partial(engine: Fake) -> Callable[[Asked], Answer]:
    return victoria(without_failures(engine), partial=True)


def victoria_denied(engine: Fake) -> Callable[[Asked], Answer]:
    """``deny_partial_response=1`` is heard: the query fails while a node is away."""

    def answer(asked: Asked) -> Answer:
        if query_of(asked).get("deny_partial_response") == ["1"]:
            text = "cannot fetch query results from vmstorage nodes: cannot connect to 10.0.0.9"
            return error(503, "503", text)
        return victoria_partial(engine)(asked)

    return answer


# --- CloudWatch -------------------------------------------------------------------------------


def cloudwatch(engine: Fake) -> Callable[[Asked], Answer]:
    """No metadata; a metric must be named."""

    def answer(asked: Asked) -> Answer:
        if path_of(asked).endswith("/metadata"):
            return Answer(status=404, body=b"<UnknownOperationException/>")
        if query_of(asked).get("match[]", [""])[0].startswith("{"):
            return error(400, "bad_data", "a metric name is required")
        return engine(asked)

    return answer


def cloudwatch_capped(engine: Fake) -> Callable[[Asked], Answer]:
    """At most 500 series, and not a word about the others: the failures among them."""
    labels = {"job": "api", "instance": "a:1", "code": "200"}
    samples = next(each.samples for each in engine.known if each.name == "http_requests_total")
    many = [Known("http_requests_total", {**labels, "n": str(n)}, samples) for n in range(500)]
    others = [each for each in engine.known if each.name != "http_requests_total"]
    return cloudwatch(Fake([*others, *many]))


def last_only(engine: Fake) -> Callable[[Asked], Answer]:
    """A range selector is answered by the last sample of each series: no raw samples."""

    def answer(asked: Asked) -> Answer:
        whole = engine(asked)
        if not is_raw(asked):
            return whole
        found = json.loads(whole.body)["data"]["result"]
        last = [{"metric": each["metric"], "value": each["values"][-1]} for each in found]
        return Fake.answer({"resultType": "vector", "result": last})

    return answer


def no_ranges(engine: Fake) -> Callable[[Asked], Answer]:
    """A range selector is refused as an expression."""
    return lambda asked: (
        error(400, "bad_data", "invalid expression type range vector")
        if is_raw(asked)
        else cloudwatch(engine)(asked)
    )


def no_clock(engine: Fake) -> Callable[[Asked], Answer]:
    """An expression without a metric is refused, ``time()`` too."""
    return lambda asked: (
        error(400, "bad_data", "a metric name is required")
        if query_of(asked).get("query") == ["time()"]
        else cloudwatch(engine)(asked)
    )


def deltas(engine: Fake) -> Callable[[Asked], Answer]:
    """Counters are kept as what came since the last sample."""
    changed = [
        Known(s.name, s.labels, [(at, float(n * 7 % 11)) for n, (at, _) in enumerate(s.samples)])
        if s.name == "http_requests_total"
        else s
        for s in engine.known
    ]
    return cloudwatch(Fake(changed))


OPEN = "INCONCLUSIVE"
ACME = {"tenant": "acme"}
SHAPES: dict[str, tuple[Shape, dict[str, Any], str, str]] = {
    # name: shape, what production.toml states, the verdict (empty: the true one), what it says
    "Thanos": (thanos_whole, {}, "", ""),
    "Thanos, partial": (thanos_partial, {}, f"{OPEN} source_incomplete", STORE_AWAY),
    "Thanos, strict": (thanos_strict, {}, f"{OPEN} source_lacks", "expanding series"),
    "Thanos, no store": (thanos_no_store, {}, f"{OPEN} source_incomplete", "No StoreAPIs"),
    "Mimir": (mimir, ACME, "", ""),
    "Mimir, no tenant": (mimir, {}, f"{OPEN} source_refused", "state [prometheus] tenant"),
    "Mimir, another tenant": (
        mimir,
        {"tenant": "globex"},
        f"{OPEN} no_data",
        'http_requests_total{job="api"} or http_server_requests_total{job="api"} of tenant globex',
    ),
    "Mimir, chunks of an hour": (mimir_limited(CHUNKS, HOUR), ACME, "", ""),
    "Mimir, ranges of five minutes": (mimir_limited(LENGTH, 300.0), ACME, "", ""),
    "Mimir, no chunks": (
        mimir_limited(CHUNKS, 1.0),
        ACME,
        f"{OPEN} source_incomplete",
        "err-mimir-max-chunks-per-query",
    ),
    "Mimir, too many series": (
        mimir_series_limit,
        ACME,
        f"{OPEN} source_incomplete",
        "maximum number of series",
    ),
    "VictoriaMetrics cluster": (victoria, {}, "", ""),
    "VictoriaMetrics cluster, partial": (
        victoria_partial,
        {},
        f"{OPEN} source_incomplete",
        "isPartial",
    ),
    "VictoriaMetrics cluster, denied": (
        victoria_denied,
        {},
        f"{OPEN} source_failed",
        "cannot fetch query results",
    ),
    "CloudWatch": (cloudwatch, {}, "", ""),
    "CloudWatch, 500 series": (
        cloudwatch_capped,
        {},
        f"{OPEN} source_incomplete",
        "an engine's cap",
    ),
    "CloudWatch, deltas": (deltas, {}, f"{OPEN} source_misread", "deltas instead of a sum"),
    "no raw samples": (last_only, {}, f"{OPEN} source_lacks", "an unknown dialect"),
    "no range selector": (no_ranges, {}, f"{OPEN} source_lacks", "invalid expression type"),
    "no time()": (no_clock, {}, f"{OPEN} source_lacks", "a metric name is required"),
}


def judged(shape: Shape, *, bad: bool, **stated: Any) -> tuple[str, str]:
    """ERRORS-RATE of a service behind such an engine: its verdict, and why."""
    with Server(shape(Fake(service(bad=bad)))) as server:
        source = Prometheus(at_of(server.url, **stated), SteppingClock(NOW), budget_s=60.0)
        try:
            answer: Any = source.responses(WINDOW)
        except SourceError as problem:
            question: Any = problem.question
            answer = Unanswered(question=question, code=problem.code, reason=str(problem))
    verdict = RateBelow(limit=0.01).judge({"platform": answer})
    said = f"{verdict.outcome} {verdict.code}" if verdict.outcome == OPEN else verdict.outcome
    return str(said), verdict.reason


@pytest.mark.parametrize("bad", [False, True], ids=["good", "bad"])
@pytest.mark.parametrize("name", SHAPES)
def test_no_vendors_shape_makes_a_false_green_or_a_false_red(name: str, bad: bool) -> None:
    """A whole answer gives the true verdict, every other one its own code and words."""
    shape, stated, expected, says = SHAPES[name]
    verdict, reason = judged(shape, bad=bad, **stated)
    assert verdict == (expected or ("FAIL" if bad else "PASS")), reason
    assert says in reason


def naive(shape: Shape, *, bad: bool, tenant: str = "") -> str:
    """What an alert on the answer's data says: a warning is not read, no answer is no alarm."""
    with Server(shape(Fake(service(bad=bad)))) as server:
        text = urlencode({"query": 'http_requests_total{job="api"}[14400000ms]', "time": END})
        headers = {"X-Scope-OrgID": tenant} if tenant else {}
        request = urllib.request.Request(f"{server.url}/api/v1/query?{text}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                found = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError:
            return "PASS"
    counts: dict[str, float] = {}
    for each in found:
        values = each.get("values") or [each["value"]]
        code = each["metric"]["code"]
        counts[code] = counts.get(code, 0.0) + float(values[-1][1]) - float(values[0][1])
    total = sum(counts.values())
    return "FAIL" if total and counts.get("500", 0.0) / total >= 0.01 else "PASS"


def test_a_reader_that_takes_the_data_as_it_comes_is_fooled() -> None:
    """By the same servers: 12 false greens and a false red, of which hour24 has none."""
    wrong = []
    for name, (shape, stated, _, _) in SHAPES.items():
        for bad in (False, True):
            verdict = naive(shape, bad=bad, tenant=stated.get("tenant", ""))
            if verdict != ("FAIL" if bad else "PASS"):
                wrong.append((name, verdict))
    assert [verdict for _, verdict in wrong].count("PASS") == 12, wrong
    assert [name for name, verdict in wrong if verdict == "FAIL"] == ["CloudWatch, deltas"]


MEASURES: dict[str, tuple[Any, ...]] = {
    "responses": (WINDOW,),
    "responses_over_time": (WINDOW,),
    "load": (WINDOW,),
    "server_times": (WINDOW, ENDPOINTS),
    "transactions": (WINDOW,),
    "memory": (WINDOW,),
    "platform_events": (WINDOW,),
    "disk": (),
}


@pytest.mark.parametrize("shape", [mimir, lambda engine: cloudwatch(Fake([]))], ids=["Mimir", "CW"])
@pytest.mark.parametrize("measure", MEASURES)
def test_labels_that_match_nothing_are_no_zero(measure: str, shape: Shape) -> None:
    """Another tenant, or a selector that is wrong: each measure is refused, and none is empty."""
    with Server(shape(Fake(service(bad=True)))) as server:
        at = at_of(server.url, tenant="globex", disk={"mountpoint": "/data"})
        source = Prometheus(at, SteppingClock(NOW), budget_s=60.0)
        with pytest.raises(SourceError, match="got none") as refused:
            getattr(source, measure)(*MEASURES[measure])
    assert refused.value.code == "no_data"
    if measure != "platform_events":
        assert "of tenant globex" in str(refused.value)


def test_a_service_that_answers_under_one_tenant_is_read_whole() -> None:
    """The same engine, the right header: each failure is counted."""
    with Server(mimir(Fake(service(bad=True)))) as server:
        at = at_of(server.url, tenant="acme")
        counts = Prometheus(at, SteppingClock(NOW), budget_s=60.0).responses(WINDOW)
    expected = sum(1 for i in range(240, 1200) if i > 480 and (i - 480) % 25 == 0)
    assert (counts.bad, counts.bad_most) == (expected, None)
