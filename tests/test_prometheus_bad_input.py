"""Bad input of an engine: each kind has one clear code, for every measure that it can reach."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from hour24.codes import CODES
from hour24.errors import SourceError
from hour24.evidence import Unanswered
from hour24.witnesses.prometheus.source import Prometheus
from tests.answering import Answer, Asked, Server
from tests.engines import Known
from tests.test_prometheus import (
    ENDPOINTS,
    HOUR,
    NOW,
    SCRAPES,
    START,
    TWO,
    WINDOW,
    Fake,
    SteppingClock,
    at_of,
    changed,
    healthy,
    large,
    series,
    without,
)

COUNTS = ("responses", "responses_over_time", "load")
BUCKETS = ("server_times", "transactions")
ALL = (*COUNTS, *BUCKETS, "memory", "platform_events")
COUNTER, BUCKET = "http_requests_total", "http_request_duration_seconds_bucket"
STARTED = "process_start_time_seconds"


def shifted(seconds: float) -> list[Known]:
    """Samples with the time of another clock."""
    return [Known(s.name, s.labels, [(t + seconds, v) for t, v in s.samples]) for s in healthy()]


def dated(seconds: float) -> Callable[[Asked], Answer | None]:
    """Answers with the Date of another clock."""
    whole = Fake(healthy())

    def answer(asked: Asked) -> Answer:
        found = whole(asked)
        date = datetime.fromtimestamp(NOW.timestamp() + seconds, UTC)
        found.headers["Date"] = format_datetime(date, usegmt=True)
        return found

    return answer


def restarted_behind() -> list[Known]:
    """A process that began again in the window, on a host with a clock an hour behind."""
    middle = START + 2 * HOUR

    def began(i: int) -> float:
        return START - 9000 if SCRAPES[i] < middle else middle - HOUR

    return [*without(STARTED), series(STARTED, began)]


def buckets(small: Callable[[int], float], **more: str) -> list[Known]:
    return [
        *without(BUCKET),
        series(BUCKET, small, le="0.5", handler="/a", **more),
        series(BUCKET, lambda i: i, le="+Inf", handler="/a", **more),
    ]


ROWS: dict[str, tuple[Fake, tuple[str, ...], str, str]] = {
    # kind: engine, measures that it reaches, code, what the reason says
    "a metric that does not exist": (Fake(without(COUNTER)), COUNTS, "no_data", "got none"),
    "a counter that is a gauge": (
        Fake(changed(COUNTER, lambda i: 5 + (i * 7) % 4)),
        COUNTS,
        "source_misread",
        "a gauge, or deltas",
    ),
    "a counter that says it is a gauge": (
        Fake(healthy(), metadata={COUNTER: [{"type": "gauge"}]}),
        COUNTS,
        "source_misread",
        "expected a counter, got a gauge",
    ),
    "buckets that say they are a gauge": (
        Fake(healthy(), metadata={BUCKET: [{"type": "gauge"}]}),
        BUCKETS,
        "source_misread",
        "expected a counter, got a gauge",
    ),
    "delta temporality": (
        Fake(changed(COUNTER, lambda i: (i * i) % 11)),
        COUNTS,
        "source_misread",
        "deltas instead of a sum",
    ),
    "delta temporality of buckets": (
        Fake([*without(BUCKET), series(BUCKET, lambda i: (i * i) % 11, le="+Inf", handler="/a")]),
        BUCKETS,
        "source_misread",
        "deltas instead of a sum",
    ),
    "buckets that fall": (
        Fake(buckets(lambda i: 2 * i)),
        BUCKETS,
        "source_misread",
        "expected buckets that grow with their bound",
    ),
    "a label that matches two services": (
        Fake(TWO, labels={"team": "us"}),
        ALL,
        "source_misread",
        "expected the series of one service",
    ),
    "an engine of another tenant": (Fake([]), ALL, "no_data", "got none"),
    "an answer of 500 MB": (
        Fake(healthy(), raw=large),
        ALL,
        "source_incomplete",
        "more than 20 MB",
    ),
    "an engine's clock an hour behind": (
        Fake(healthy(), skew_s=-HOUR),
        ALL,
        "source_clock",
        "-3600 s off",
    ),
    "an engine's clock an hour ahead": (
        Fake(healthy(), skew_s=HOUR),
        ALL,
        "source_clock",
        "+3600 s off",
    ),
    "a server's clock an hour wrong": (
        Fake(healthy(), raw=dated(HOUR)),
        ALL,
        "source_clock",
        "one of the two is wrong",
    ),
    "samples of an hour behind": (
        Fake(shifted(-HOUR)),
        (*COUNTS, *BUCKETS, "memory"),
        "coverage_too_low",
        "fewer than 1 instance",
    ),
    "a host's clock an hour behind": (
        Fake(restarted_behind()),
        (*COUNTS, *BUCKETS, "platform_events"),
        "source_misread",
        "a wrong clock on a:1",
    ),
}


def asked_of(engine: Fake, measure: str) -> tuple[str, str]:
    """The code and the reason of a refusal; empty where there is an answer."""
    with Server(engine) as server:
        at = at_of(server.url, labels=engine.labels)
        source = Prometheus(at, SteppingClock(NOW), budget_s=60.0)
        more: tuple[Any, ...] = (ENDPOINTS,) if measure == "server_times" else ()
        try:
            found = getattr(source, measure)(WINDOW, *more)
        except SourceError as problem:
            return problem.code, str(problem)
    answer = found["a"] if isinstance(found, dict) else found
    return (answer.code, answer.reason) if isinstance(answer, Unanswered) else ("", repr(answer))


@pytest.mark.parametrize("kind", ROWS)
def test_each_kind_of_bad_input_has_one_code_for_every_measure(kind: str) -> None:
    """No measure makes a number of it, and one that it cannot reach still has its answer."""
    engine, reached, code, says = ROWS[kind]
    assert code in CODES
    for measure in ALL:
        found, reason = asked_of(engine, measure)
        if measure in reached:
            assert found == code, (measure, reason)
            assert says in reason, measure
        else:
            assert not found, (measure, reason)


def test_the_good_service_of_the_table_is_answered_throughout() -> None:
    """Otherwise a row could be refused for another reason."""
    assert [asked_of(Fake(healthy()), measure)[0] for measure in ALL] == [""] * len(ALL)


def test_two_workers_that_are_scraped_in_turn_have_no_wrong_clock() -> None:
    """Nor has a process that began ten minutes before it took the place of another."""
    workers = [*without(STARTED), series(STARTED, lambda i: START - (9000, 20_000)[i % 2])]
    assert asked_of(Fake(workers), "platform_events")[0] == ""
    middle = START + 2 * HOUR

    def overlapping(i: int) -> float:
        return START - 9000 if SCRAPES[i] < middle else middle - 600

    found = asked_of(Fake([*without(STARTED), series(STARTED, overlapping)]), "platform_events")
    assert found[0] == ""
    assert "process_restarted" in found[1]
