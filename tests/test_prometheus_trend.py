"""ERRORS-TREND from counters: what they show, and what makes them blind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hour24.clock import SteppingClock
from hour24.errors import SourceError
from hour24.evidence import Series, Unanswered
from hour24.objectives.errors.trend import NoRise
from hour24.objectives.rates import RateBelow
from hour24.watch import Window
from hour24.witnesses.prometheus.lives import Life, uncounted
from hour24.witnesses.prometheus.source import Prometheus
from tests.answering import Server
from tests.engines import Known
from tests.test_prometheus import HOUR, QUESTION, START, Fake, at_of

HOURS = 12
WINDOW = Window(
    datetime.fromtimestamp(START, UTC), datetime.fromtimestamp(START + HOURS * HOUR, UTC)
)
EVERY_S = 60.0
TIMES = [START - 2 * HOUR + EVERY_S * i for i in range(round((HOURS + 2) * HOUR / EVERY_S) + 1)]
Rate = Callable[[float], float]
"""Hours of the window -> requests an hour."""


def counted(rate: Rate) -> list[tuple[float, float]]:
    """A counter that has run since long before."""
    value, samples = 5000.0, []
    for at in TIMES:
        value += rate((at - START) / HOUR) * EVERY_S / HOUR
        samples.append((at, math.floor(value)))
    return samples


def instance(name: str, good: Rate, bad: Rate, began: float = START - 9 * HOUR) -> list[Known]:
    """One instance, scraped throughout."""
    of = {"job": "api", "instance": name}
    return [
        Known("up", of, [(at, 1.0) for at in TIMES]),
        Known("process_start_time_seconds", of, [(at, began) for at in TIMES]),
        Known("http_requests_total", {**of, "code": "200"}, counted(good)),
        Known("http_requests_total", {**of, "code": "500"}, counted(bad)),
    ]


def steady(hour: float) -> float:
    return 3600.0


def few(hour: float) -> float:
    return 4.0


def rising(hour: float) -> float:
    return max(0.0, 4.0 + 3.0 * hour)


def spiking(hour: float) -> float:
    """Half of the requests fail for a quarter of an hour."""
    return 1800.0 if 6.25 <= hour < 6.5 else 4.0


def cut(known: Sequence[Known], first_h: float, last_h: float) -> list[Known]:
    """Scrapes that were lost between these hours of the window."""
    a, b = START + first_h * HOUR, START + last_h * HOUR
    return [Known(s.name, s.labels, [x for x in s.samples if not a <= x[0] < b]) for s in known]


def restarted(known: Sequence[Known], *hours: float) -> list[Known]:
    """The process ends and begins again at these hours: counters begin at zero."""
    starts = [START + hour * HOUR for hour in hours]
    changed = []
    for each in known:
        samples, lost = [], 0.0
        for i, (at, value) in enumerate(each.samples):
            since = [one for one in starts if one <= at]
            before = [one for one in starts if i and one <= each.samples[i - 1][0]]
            if len(since) > len(before) and each.name == "http_requests_total":
                lost = value  # whatever was counted since the last sample, and until now
            if each.name == "process_start_time_seconds" and since:
                value = since[-1]
            samples.append((at, value - lost))
        changed.append(Known(each.name, each.labels, samples))
    return changed


def moved(known: Sequence[Known], hour: float) -> list[Known]:
    """Counters go on under another label from this hour on, as after an exporter's upgrade."""
    at = START + hour * HOUR
    others = [each for each in known if each.name != "http_requests_total"]
    for each in known:
        if each.name == "http_requests_total":
            before = [x for x in each.samples if x[0] < at]
            after = [x for x in each.samples if x[0] >= at]
            others += [Known(each.name, each.labels, before)]
            others += [Known(each.name, {**each.labels, "zone": "eu"}, after)]
    return others


def answer(known: Sequence[Known], measure: str = "responses_over_time", **stated: Any) -> Any:
    with Server(Fake(list(known), skew_s=(HOURS - 4) * HOUR)) as server:
        now = WINDOW.end + timedelta(minutes=5)
        source = Prometheus(at_of(server.url, **stated), SteppingClock(now), budget_s=60.0)
        try:
            return getattr(source, measure)(WINDOW)
        except SourceError as problem:
            return Unanswered(question=QUESTION, code=problem.code, reason=str(problem))


def judged(found: Any) -> tuple[str, str]:
    verdict = NoRise().judge({"responses": found})
    return str(verdict.outcome), verdict.code


ONE = instance("a:1", steady, few)
BLIND = "INCONCLUSIVE"
CASES: dict[str, tuple[list[Known], tuple[str, str], str]] = {
    # name: series, verdict, what an answer that is missing says
    "healthy": (ONE, ("PASS", ""), ""),
    "no failures": (ONE[:3], ("PASS", ""), ""),
    "rise": (instance("a:1", steady, rising), ("FAIL", "rise"), ""),
    "spike": (instance("a:1", steady, spiking), ("FAIL", "spike"), ""),
    "rise in one of two": (
        [*ONE, *instance("b:1", steady, lambda hour: 4 * rising(hour))],
        ("FAIL", "rise"),
        "",
    ),
    "restart": (restarted(ONE, 5.01), ("PASS", ""), ""),
    "spike after a restart": (
        restarted(instance("a:1", steady, spiking), 6.26),
        ("FAIL", "spike"),
        "",
    ),
    "spike in a gap": (
        cut(instance("a:1", steady, spiking), 6.2, 6.55),
        ("FAIL", "spike"),
        "",
    ),
    "spike in a gap with a restart": (
        restarted(cut(instance("a:1", steady, spiking), 6.2, 6.55), 6.54),
        (BLIND, "coverage_too_low"),
        "a:1 was not seen from",
    ),
    "restart in a gap that no metric shows": (
        restarted(cut(instance("a:1", steady, spiking), 6.2, 6.55), 6.54)[2:],
        (BLIND, "coverage_too_low"),
        "its process ended in that time",
    ),
    "crash loop": (
        restarted(ONE, *(i / 20 + 0.011 for i in range(20, 220))),
        (BLIND, "coverage_too_low"),
        "the process of a:1 ended 200 times",
    ),
    "scrapes lost for two hours": (
        cut(ONE, 6.0, 8.0),
        (BLIND, "coverage_too_low"),
        "of its life",
    ),
    "counters under other labels": (
        moved(instance("a:1", steady, spiking), 6.4),
        (BLIND, "source_incomplete"),
        "they may be older",
    ),
    "deltas": (
        [
            *ONE[:2],
            *(
                Known(s.name, s.labels, [(at, i * 7 % 11) for i, (at, _) in enumerate(s.samples)])
                for s in ONE[2:]
            ),
        ],
        (BLIND, "source_misread"),
        "deltas instead of a sum",
    ),
    "gauge": (
        [
            *ONE[:2],
            Known(
                "http_requests_total",
                ONE[2].labels,
                [(at, 5 + (i * 5) % 3) for i, (at, _) in enumerate(ONE[2].samples)],
            ),
        ],
        (BLIND, "source_misread"),
        "a gauge",
    ),
    "another tenant": ([], (BLIND, "no_data"), "got none"),
}


@pytest.mark.parametrize("name", CASES)
def test_counters_show_a_rise_or_say_why_they_cannot(name: str) -> None:
    """Resets, gaps and other labels that could hide failures are never a PASS nor a FAIL."""
    known, verdict, says = CASES[name]
    found = answer(known)
    assert judged(found) == verdict, found
    assert says in (found.reason if isinstance(found, Unanswered) else "")


def test_the_answer_says_what_it_rests_on() -> None:
    """The counter, its label, and how much of each instance's life was seen."""
    found = answer([*ONE, *instance("b:1", steady, few)])
    assert isinstance(found, Series)
    assert found.note == (
        "in steps of 300 s; the counter http_requests_total by code: raw samples of 2 instances, "
        "each seen for at least 100 % of its life; a value belongs to the window of its sample"
    )


def test_a_step_without_samples_is_no_zero() -> None:
    """What was counted in a gap is in the step after it, failures and all requests alike."""
    found = answer(cut(ONE, 6.0, 6.5))
    assert isinstance(found, Series)
    for line in found.lines:
        gap = line.values[72:78]
        assert gap == (None,) * 6, line.labels
        assert line.values[78] in ((2100.0,) if line.labels["status"] == "200" else (2.0, 3.0))


def test_a_count_of_failures_needs_few_lost_processes() -> None:
    """ERRORS-RATE too: what ended processes had counted since their last sample is lost."""
    loop = CASES["crash loop"][0]
    found = answer(loop, "responses")
    assert isinstance(found, Unanswered)
    verdict = RateBelow(limit=0.01).judge({"platform": found})
    assert (str(verdict.outcome), verdict.code) == (BLIND, "coverage_too_low")
    assert not isinstance(answer(restarted(ONE, 2.01, 5.01), "responses"), Unanswered)


LIFE = Life("a:1", 0.0, 36_000.0, 60.0, 1.0)


@pytest.mark.parametrize(
    ("resets", "began", "gap", "says"),
    [
        ([], [], (0, 0), ""),
        ([600.0], [], (0, 0), ""),
        ([600.0], [], (600, 900), ""),
        ([600.0], [], (600, 1000), "was not seen from"),
        ([], [990.0], (600, 1000), "was not seen from"),
        ([600.0], [620.0], (600, 1000), ""),
        ([60.0 * i for i in range(100, 129)], [], (0, 0), ""),
        ([60.0 * i for i in range(100, 132)], [], (0, 0), "ended 32 times"),
    ],
)
def test_time_that_a_process_took_with_it_is_counted(
    resets: list[float], began: list[float], gap: tuple[float, float], says: str
) -> None:
    """From its last sample to the next one, or to the start of the next process."""
    times = [60.0 * i for i in range(601) if not gap[0] < 60.0 * i < gap[1]]
    found = uncounted(LIFE, 0.0, resets, began, times, longest_s=300.0)
    assert says in found if says else found == ""
