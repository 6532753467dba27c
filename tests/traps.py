"""The traps of engines that speak Prometheus' API: samples, the truth, and two readers of them.

Rules of this module:

- A trap states what really happened (``good``, ``bad``, or ``unknown`` where no one can say), the
  samples that an engine then holds, and what a verdict must be.
- The naive reader takes the engine's number as it comes: ``increase``, ``histogram_quantile``, the
  last of several series; nothing is no alarm. Its queries are those of dashboards and alerts.
- Traps of engines that are not here are servers with their documented answers.

Source: the vendors' documentation and issues, as far as each trap names them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from hour24.clock import WallClock
from hour24.config import Endpoint
from hour24.errors import SourceError
from hour24.evidence import Evidence, Listing, Probes, Question, Unanswered, Uptime
from hour24.objectives.latency.target import QuantileBelow
from hour24.objectives.rates import RateBelow
from hour24.objectives.restarts import NoRestart
from hour24.verdict import Verdict
from hour24.watch import Window
from hour24.witnesses.prometheus import PrometheusAt
from hour24.witnesses.prometheus.source import Prometheus
from tests.engines import Known, asked

Truth = Literal["good", "bad", "unknown"]
END = math.floor(time.time() / 7200) * 7200.0 - 600.0
"""The end of every window: complete, and the same for all traps of a run."""
HOUR = 3600.0
START = END - 4 * HOUR
FROM = START - HOUR
WINDOW = Window(datetime.fromtimestamp(START, UTC), datetime.fromtimestamp(END, UTC))
EVERY_S = 15.0
Value = Callable[[float], float | None]
"""Seconds since the window began -> the value; none: no sample."""


@dataclass(frozen=True)
class Trap:
    """One trap.

    Args:
        number: of the list that the witness is tested by.
        truth: what really happened.
        right: the verdict that it deserves, with the code of an INCONCLUSIVE.
        series: what the engine holds, without the label ``job``.
        ours: asks the source and judges.
        naive: asks the engine at this address about this job: PASS, FAIL or nothing.
    """

    number: int
    name: str
    truth: Truth
    right: str
    series: Callable[[], Iterable[Known]]
    ours: Callable[[Prometheus], str]
    naive: Callable[[str, str], str]

    @property
    def job(self) -> str:
        """The label that keeps it apart from the others."""
        return f"trap-{self.number}-{self.name.replace(' ', '-')}"

    def known(self) -> list[Known]:
        """Its series, of its own job."""
        return [Known(s.name, {"job": self.job, **s.labels}, s.samples) for s in self.series()]

    def wrong(self, verdict: str) -> str:
        """Return ``false green`` or ``false red``; empty where the verdict is neither."""
        if verdict == "PASS" and self.truth != "good":
            return "false green"
        return "false red" if verdict == "FAIL" and self.truth != "bad" else ""


def source_of(url: str, job: str, preset: str = "prometheus-client", **more: Any) -> Prometheus:
    """The witness, asking about one trap."""
    at = PrometheusAt(url=url, preset=preset, labels={"job": job}, **more)  # type: ignore[arg-type]
    return Prometheus(at, WallClock(), budget_s=60.0)


# --- series -----------------------------------------------------------------------------------


def series(name: str, value: Value, instance: str = "a:1", **labels: str) -> Known:
    """A series with a sample every 15 seconds, from an hour before the window on."""
    samples = []
    for index in range(int((END - FROM) / EVERY_S) + 1):
        at = FROM + EVERY_S * index
        known = value(at - START)
        if known is not None:
            samples.append((at, float(known)))
    return Known(name, {"instance": instance, **labels}, samples)


def steady(per_hour: float) -> Value:
    """A counter that has counted since long before."""
    return lambda t: math.floor((t + 10 * HOUR) / HOUR * per_hour)


def alive(instance: str = "a:1", since: float = -9 * HOUR, until: float = math.inf) -> list[Known]:
    """A target that is up, and when its process began."""

    def within(value: float) -> Value:
        return lambda t: value if since <= t < until else None

    return [
        series("up", within(1.0), instance),
        series("process_start_time_seconds", within(START + since), instance),
        series("process_resident_memory_bytes", within(2e8), instance),
    ]


def requests(value: Value, code: str = "200", instance: str = "a:1", **labels: str) -> Known:
    return series("http_requests_total", value, instance, code=code, **labels)


def histogram(
    shares: dict[float, float], per_hour: float = 3600.0, instance: str = "a:1", **labels: str
) -> list[Known]:
    """Buckets of one route: bound in seconds -> the share of requests within it."""
    return [
        series(
            "http_request_duration_seconds_bucket",
            lambda t, share=share: math.floor(steady(per_hour)(t) * share),  # type: ignore[misc]
            instance,
            handler="/a",
            le="+Inf" if bound == math.inf else f"{bound:g}",
            **labels,
        )
        for bound, share in shares.items()
    ]


# --- readers ----------------------------------------------------------------------------------


def said(verdict: Verdict) -> str:
    return str(verdict.outcome) + (f" {verdict.code}" if verdict.outcome == "INCONCLUSIVE" else "")


def answered(ask: Callable[[], Evidence]) -> Evidence:
    """The answer, or the missing one with its code."""
    try:
        return ask()
    except SourceError as problem:
        question = Question(source="prometheus", asked="", at=WINDOW.end, window=WINDOW)
        return Unanswered(question=question, code=problem.code, reason=str(problem))


def error_rate(window: Window = WINDOW) -> Callable[[Prometheus], str]:
    """ERRORS-RATE: fewer than 1 % fail."""

    def judge(source: Prometheus) -> str:
        answer = answered(lambda: source.responses(window))
        return said(RateBelow(limit=0.01).judge({"platform": answer}))

    return judge


def latency(target_ms: float) -> Callable[[Prometheus], str]:
    """LATENCY-TARGET: p99 below a target."""

    def judge(source: Prometheus) -> str:
        endpoint = Endpoint(name="a", url="http://x/a", target_ms=target_ms)
        answer = answered(lambda: source.server_times(WINDOW, {"a": endpoint})["a"])
        return said(QuantileBelow(target_ms=target_ms, q=0.99).judge({"spans": answer}))

    return judge


def restarts(source: Prometheus) -> str:
    """RESTARTS, beside probes that saw none."""
    answer = answered(lambda: source.platform_events(WINDOW))
    question = Question(source="prober", asked="", at=WINDOW.end, window=WINDOW)
    ups = tuple(Uptime(START + 10 * i, 36_000.0 + 10 * i, "a") for i in range(1440))
    probes = Probes(
        question=question, target="health", interval_s=10, due=1440, kept=1440, uptimes=ups
    )
    assert isinstance(answer, Listing | Unanswered)
    return said(NoRestart().judge({"probes": probes, "events": answer}))


def number(url: str, query: str, at: float = END) -> float | None:
    """The engine's number; the last of several, as a dashboard's single stat has it."""
    found = asked(url, query, at)
    if not found:
        return None
    value = found[-1]["value"]
    assert isinstance(value, list)
    return float(value[1])


def below(value: float | None, limit: float) -> str:
    """What an alert on ``value >= limit`` says: nothing and NaN are silent."""
    return "FAIL" if value is not None and value >= limit else "PASS"


def naive_rate(length: str = "4h", at: float = END) -> Callable[[str, str], str]:
    def read(url: str, job: str) -> str:
        bad = f'sum(increase(http_requests_total{{job="{job}",code=~"5.."}}[{length}]))'
        every = f'sum(increase(http_requests_total{{job="{job}"}}[{length}]))'
        return below(number(url, f"{bad} / {every}", at), 0.01)

    return read


def naive_p99(target_ms: float) -> Callable[[str, str], str]:
    def read(url: str, job: str) -> str:
        rate = f'rate(http_request_duration_seconds_bucket{{job="{job}"}}[4h])'
        p99 = number(url, f"histogram_quantile(0.99, sum by (le) ({rate}))")
        return below(None if p99 is None else p99 * 1000, target_ms)

    return read


def naive_average(target_ms: float) -> Callable[[str, str], str]:
    def read(url: str, job: str) -> str:
        rate = f'rate(http_request_duration_seconds_bucket{{job="{job}"}}[4h])'
        p99 = number(url, f"avg(histogram_quantile(0.99, sum by (le, instance) ({rate})))")
        return below(None if p99 is None else p99 * 1000, target_ms)

    return read


def naive_starts(url: str, job: str) -> str:
    value = number(url, f'sum(changes(process_start_time_seconds{{job="{job}"}}[4h]))')
    return below(value, 1.0)


def naive_or_zero(url: str, job: str) -> str:
    bad = f'sum(increase(http_requests_total{{job="{job}",code=~"5.."}}[4h]))'
    return below(number(url, f"{bad} or vector(0)"), 5.0)


# --- the traps --------------------------------------------------------------------------------


def _born() -> list[Known]:
    return [
        *alive(),
        requests(steady(100)),
        requests(lambda t: 7 if t >= HOUR else None, "500"),
    ]


def _until(value: Value, end: float) -> Value:
    return lambda t: value(t) if t < end else None


def _holed(value: Value, start: float, end: float) -> Value:
    return lambda t: None if start <= t < end else value(t)


def _gap(seen: Known, start: float, end: float) -> Known:
    kept = [(at, v) for at, v in seen.samples if not start <= at - START < end]
    return Known(seen.name, seen.labels, kept)


def _upgraded() -> list[Known]:
    """``le="1"`` until an upgrade at two hours, ``le="1.0"`` from then on: 2 % are slower."""
    total = steady(1800)
    slow = {"+Inf": 1.0, "0.5": 0.5}

    def bucket(text: str, share: float, since: float, until: float) -> Known:
        def value(t: float) -> float | None:
            if not since <= t < until:
                return None
            counted = total(t)
            assert counted is not None
            return math.floor(counted * share)

        return series("http_request_duration_seconds_bucket", value, handler="/a", le=text)

    return [
        *alive(),
        *(bucket(text, share, -9 * HOUR, math.inf) for text, share in slow.items()),
        bucket("1", 0.98, -9 * HOUR, 2 * HOUR),
        bucket("1.0", 0.98, 2 * HOUR, math.inf),
    ]


def _moved() -> list[Known]:
    """A pod that crashed after an hour, and the one that took its place."""
    return [*alive("pod-a", until=HOUR), *alive("pod-b", since=HOUR + 30)]


def _renamed() -> list[Known]:
    """Two pods: one was upgraded, and its errors have another name."""
    return [
        *alive("a:1"),
        *alive("b:1"),
        requests(steady(1000)),
        requests(_until(steady(1000), -HOUR / 2), instance="b:1"),
        series("http_server_hits_total", steady(1000), "b:1", code="500"),
    ]


def _edge() -> list[Known]:
    """Six errors of 300 that the sample at the end of the window counts: the next one's."""
    return [
        *alive(),
        requests(steady(75)),
        requests(lambda t: 100 + (6 if t >= 2 * HOUR else 0), "500"),
    ]


HALF = Window(WINDOW.start, datetime.fromtimestamp(START + 2 * HOUR, UTC))
LATER = Window(HALF.end, WINDOW.end)
TRAPS: tuple[Trap, ...] = (
    Trap(1, "birth", "bad", "FAIL", _born, error_rate(), naive_rate()),
    Trap(
        2,
        "no series of that status",
        "good",
        "PASS",
        lambda: [*alive(), requests(steady(1000))],
        error_rate(),
        naive_rate(),
    ),
    Trap(
        3,
        "a metric that does not exist",
        "unknown",
        "INCONCLUSIVE no_data",
        alive,
        error_rate(),
        naive_or_zero,
    ),
    Trap(
        3,
        "a target gone for two hours",
        "unknown",
        "INCONCLUSIVE coverage_too_low",
        lambda: [_gap(each, 2 * HOUR, 9 * HOUR) for each in [*alive(), requests(steady(1000))]],
        error_rate(),
        naive_or_zero,
    ),
    Trap(
        4,
        "a gap with 50 errors",
        "bad",
        "INCONCLUSIVE coverage_too_low",
        lambda: [
            _gap(each, 1.5 * HOUR, 2.5 * HOUR)
            for each in [
                *alive(),
                requests(steady(1000)),
                requests(lambda t: 10 + (50 if t >= 2.2 * HOUR else 0), "500"),
            ]
        ],
        error_rate(LATER),
        naive_rate("2h"),
    ),
    Trap(
        5,
        "the last bucket",
        "bad",
        "INCONCLUSIVE no_bucket",
        lambda: [*alive(), *histogram({0.5: 0.9, 1.0: 0.95, math.inf: 1.0})],
        latency(1200),
        naive_p99(1200),
    ),
    Trap(
        6,
        "slow between two buckets",
        "bad",
        "INCONCLUSIVE no_bucket",
        lambda: [*alive(), *histogram({0.1: 0.9895, 0.25: 1.0, math.inf: 1.0})],
        latency(200),
        naive_p99(200),
    ),
    Trap(
        6,
        "fast between two buckets",
        "good",
        "INCONCLUSIVE no_bucket",
        lambda: [*alive(), *histogram({0.1: 0.94, 0.25: 1.0, math.inf: 1.0})],
        latency(200),
        naive_p99(200),
    ),
    Trap(
        6,
        "exact at a bound",
        "good",
        "PASS",
        lambda: [*alive(), *histogram({0.1: 0.94, 0.25: 0.995, math.inf: 1.0})],
        latency(250),
        naive_p99(250),
    ),
    Trap(
        7,
        "no traffic",
        "unknown",
        "INCONCLUSIVE too_little_traffic",
        lambda: [*alive(), requests(lambda t: 5000), requests(lambda t: 9, "500")],
        error_rate(),
        naive_rate(),
    ),
    Trap(
        8,
        "averaged percentiles",
        "bad",
        "FAIL",
        lambda: [
            *alive("a:1"),
            *alive("b:1"),
            *histogram({0.1: 1.0, 3.0: 1.0, 5.0: 1.0, math.inf: 1.0}, 3600, "a:1"),
            *histogram({0.1: 0.4, 3.0: 0.5, 5.0: 1.0, math.inf: 1.0}, 360, "b:1"),
        ],
        latency(3000),
        naive_average(3000),
    ),
    Trap(9, "a restart under a new name", "bad", "FAIL", _moved, restarts, naive_starts),
    Trap(
        10,
        "a reset",
        "bad",
        "FAIL",
        lambda: [
            *alive(),
            requests(lambda t: 3000 + math.floor((t + HOUR) / HOUR * 247.5)),
            requests(
                lambda t: None if t < 60 else 6 if t < 2 * HOUR else 4,
                "500",
            ),
        ],
        error_rate(),
        naive_rate(),
    ),
    Trap(
        11,
        "a sample at the edge of two windows",
        "good",
        "PASS",
        _edge,
        error_rate(HALF),
        naive_rate("2h", START + 2 * HOUR),
    ),
    Trap(
        19,
        "deltas",
        "unknown",
        "INCONCLUSIVE source_misread",
        lambda: [*alive(), requests(lambda t: (int(t) // 15 * 7) % 11)],
        error_rate(),
        naive_rate(),
    ),
    Trap(20, "le 1 becomes 1.0", "bad", "FAIL", _upgraded, latency(1000), naive_p99(1000)),
    Trap(
        21,
        "buckets that fall",
        "unknown",
        "INCONCLUSIVE source_misread",
        lambda: [*alive(), *histogram({0.1: 1.0, 0.25: 0.6, math.inf: 1.0})],
        latency(250),
        naive_p99(250),
    ),
    Trap(
        26,
        "renamed by an upgrade",
        "bad",
        "INCONCLUSIVE source_incomplete",
        _renamed,
        error_rate(),
        naive_rate(),
    ),
)
"""What real engines can show; 12 and 22 are about samples, 24 and 25 about their own metrics."""
