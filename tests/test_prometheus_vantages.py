"""Blackbox exporters as vantages: what their samples show, and what they cannot."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hour24.evidence import Probes, Unanswered
from hour24.objectives.probes import AlwaysUp
from hour24.witnesses.prometheus import blackbox
from tests.engines import Known
from tests.test_prometheus import END, HOUR, QUESTION, START, WINDOW, Fake, asked_of

SERVICE = {"job": "blackbox", "instance": "api"}
CONTROL = {"job": "blackbox", "instance": "control"}
VANTAGES = {"iad": {"probe": SERVICE, "control": CONTROL}}


def samples(every_s: float = 15.0, **failing: tuple[float, float]) -> list[tuple[float, float]]:
    """Good probes but in this time, by seconds of the window."""
    start, end = failing.get("failing", (0.0, 0.0))
    count = round(4 * HOUR / every_s)
    return [(START + i * every_s, float(not start <= i * every_s < end)) for i in range(count)]


def seen(*known: Known, **changes: Any) -> Any:
    """What the vantage saw, or why it did not."""
    stated = {"vantages": VANTAGES} | changes
    return asked_of(Fake(list(known)), "vantage_probes", **stated)["iad"]


def probe(every_s: float = 15.0, **more: Any) -> Known:
    return Known("probe_success", SERVICE, samples(every_s, **more))


def control(**more: Any) -> Known:
    return Known("probe_success", CONTROL, samples(**more))


def verdict(answer: Any) -> tuple[str, str]:
    found = AlwaysUp().judge({"probes": answer})
    return str(found.outcome), found.code


FAILING = (HOUR, HOUR + 120.0)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([probe(), control()], ("PASS", "")),
        ([probe(failing=FAILING), control()], ("FAIL", "no_answer")),
        ([probe(failing=(HOUR, HOUR + 15)), control()], ("PASS", "")),
        ([probe(failing=FAILING)], ("INCONCLUSIVE", "no_data")),
        ([control()], ("INCONCLUSIVE", "no_data")),
        ([probe(every_s=300.0), control()], ("INCONCLUSIVE", "coverage_too_low")),
        (
            [probe(failing=(HOUR, 2 * HOUR)), control(failing=(HOUR, 2 * HOUR))],
            ("INCONCLUSIVE", "coverage_too_low"),
        ),
        (
            [Known("probe_success", SERVICE, samples()[:500]), control()],
            ("INCONCLUSIVE", "coverage_too_low"),
        ),
        (
            [Known("probe_success", SERVICE, [(t, 0.5) for t, _ in samples()]), control()],
            ("INCONCLUSIVE", "source_misread"),
        ),
        (
            [Known("probe_success", {**SERVICE, "target": "b"}, samples()), probe(), control()],
            ("INCONCLUSIVE", "source_misread"),
        ),
    ],
    ids=[
        "well", "down", "one-retry", "no-control", "no-probe", "too-rare", "offline", "half",
        "no-gauge-of-1", "two-series",
    ],
)  # fmt: skip
def test_what_an_exporter_saw_is_one_verdict(known: list[Known], expected: Any) -> None:
    """A failure only with its control address, a PASS only with every probe."""
    answer = seen(*known)
    assert verdict(answer) == expected, getattr(answer, "reason", "")


def test_up_is_no_probe() -> None:
    """It is 1 while the exporter is scraped, whatever its probe found."""
    up = Known("up", SERVICE, samples())
    answer = seen(up, control(), names={"probe": "up"})
    assert isinstance(answer, Unanswered)
    assert answer.code == "source_misread"
    assert "expected probe_success, got up" in answer.reason


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (503.0, ("FAIL", "health_failed")),
        (401.0, ("INCONCLUSIVE", "source_refused")),
        (429.0, ("INCONCLUSIVE", "coverage_too_low")),
    ],
)
def test_the_status_of_a_failed_probe_counts_as_a_probers_own(
    status: float, expected: tuple[str, str]
) -> None:
    """A refused credential and a rate limit say nothing about the service."""
    failing = (HOUR, HOUR + 600.0)
    codes = Known(
        "probe_http_status_code",
        SERVICE,
        [(at, 200.0 if good else status) for at, good in samples(failing=failing)],
    )
    assert verdict(seen(probe(failing=failing), control(), codes)) == expected


def test_an_engine_that_holds_a_pair_is_read_once() -> None:
    """Two Prometheus servers that scrape one exporter are not two vantages, nor twice as many."""
    halves = [
        Known("probe_success", {**labels, "prometheus_replica": name}, samples())
        for name in ("a", "b")
        for labels in (SERVICE, CONTROL)
    ]
    answer = seen(*halves)
    assert isinstance(answer, Probes)
    assert (answer.due, answer.kept) == (960, 960)


def test_the_edge_of_an_offline_time_is_no_failure_of_the_service() -> None:
    """The control probe before it was good, the one after it was not: the cause is unknown."""
    at = [START + 15.0 * i for i in range(960)]
    success = {t: float(not HOUR <= t - START < HOUR + 600) for t in at}
    later = {t + 7.0: float(not HOUR <= t + 7.0 - START < HOUR + 600) for t in at}
    for controls in (later, {t - 14.0: value for t, value in later.items()}):
        found = blackbox.probes(QUESTION, WINDOW, success, controls, {})
        assert [each.control for each in found.failures] == [False] * 40
    assert END - START == 4 * HOUR


def test_without_a_control_address_a_failure_is_not_the_services() -> None:
    """It may be the exporter's own network."""
    stated = {"iad": {"probe": SERVICE}}
    assert verdict(seen(probe(failing=FAILING), vantages=stated)) == ("INCONCLUSIVE", "no_control")
    assert verdict(seen(probe(), vantages=stated)) == ("PASS", "")


def test_a_nan_is_no_probe() -> None:
    """VictoriaMetrics ends a series by one: a short gap passes, nothing but NaN does not."""
    marked = [(at, math.nan if i == 300 else value) for i, (at, value) in enumerate(samples())]
    found = seen(Known("probe_success", SERVICE, marked), control())
    assert (found.kept, found.bad, verdict(found)) == (959, 0, ("PASS", ""))
    never = [(at, math.nan) for at, _ in samples()]
    assert verdict(seen(Known("probe_success", SERVICE, never), control()))[0] == "INCONCLUSIVE"
