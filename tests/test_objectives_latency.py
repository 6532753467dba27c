"""Latency, judged: by targets, over transactions, and compared with hour 0."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import structs

from hour24 import histogram
from hour24.asking.exchange import Address, ConnectionPool
from hour24.evidence import (
    Block,
    Buckets,
    Distribution,
    Evidence,
    Listing,
    Quantiles,
    Question,
    Samples,
)
from hour24.objectives.base import from_plain
from hour24.objectives.latency import MostBelow, NotSlower, QuantileBelow
from hour24.objectives.latency.findings import missing_bucket
from hour24.verdict import Outcome
from tests.evidence_of import AT, document, question, unanswered

START = AT.timestamp()


def distribution(*blocks: Sequence[float], **more: Any) -> Distribution:
    """A distribution of milliseconds, in blocks of ten minutes."""
    vantage = more.pop("vantage", "")
    return Distribution(
        question=Question(source="prober", asked="latencies", at=AT, vantage=vantage),
        basis="sample",
        unit="ms",
        blocks=tuple(
            Block(
                START + 600 * n, 600.0, {str(i): c for i, c in histogram.count_values(each).items()}
            )
            for n, each in enumerate(blocks)
        ),
        **more,
    )


def spans(n: int, basis: str = "census", **values: float) -> Quantiles:
    known = {name.replace("p", "0.") if name != "p100" else "1": v for name, v in values.items()}
    return Quantiles(question=question("200"), basis=basis, n=n, unit="ms", values=known)  # type: ignore[arg-type]


def samples(*values: float, **more: Any) -> Samples:
    return Samples(question=question(), basis="sample", values=values, unit="ms", **more)


def target(
    q: float = 0.99, target_ms: float = 500.0, known_slow: str = "", **evidence: Evidence
) -> Any:
    return QuantileBelow(target_ms=target_ms, q=q, known_slow=known_slow).judge(evidence)


# --- the target ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "slow", "q", "outcome"),
    [
        (298, 0, 0.99, Outcome.INCONCLUSIVE),
        (299, 0, 0.99, Outcome.PASS),
        (480, 2, 0.99, Outcome.INCONCLUSIVE),
        (480, 20, 0.99, Outcome.FAIL),
        (30, 0, 0.9, Outcome.PASS),
        (28, 0, 0.9, Outcome.INCONCLUSIVE),
        (5, 1, 0.9, Outcome.INCONCLUSIVE),
        (0, 0, 0.99, Outcome.INCONCLUSIVE),
    ],
)
def test_a_sample_is_judged_by_how_many_are_slow(n, slow, q, outcome):
    """299 for p99 and 29 for p90, as published; values and histograms agree."""
    values = [100.0] * (n - slow) + [900.0] * slow
    for evidence in (samples(*values), distribution(values)):
        verdict = target(q, samples=evidence)
        assert verdict.outcome == outcome
        if outcome == Outcome.INCONCLUSIVE:
            assert verdict.code == "too_few_samples"
    if n == 298:
        assert "299 requests with no more slow ones would pass" in verdict.reason


def test_the_target_itself_is_not_below():
    """A quarter at exactly 500 ms fails; the bucket with the target does not pass."""
    exact = [100.0] * 300 + [500.0] * 100
    assert target(samples=samples(*exact)).outcome == Outcome.FAIL
    assert target(samples=distribution(exact)).outcome == Outcome.INCONCLUSIVE


def test_failed_requests_are_beyond_any_target():
    """If they alone are more than may be slow, the endpoint fails with their code."""
    silence = target(probes=distribution([100.0] * 400, censored=20, bad={"timeout": 20}))
    assert (silence.outcome, silence.code) == (Outcome.FAIL, "no_answer")
    assert silence.reason == (
        "20 of 420 probes failed (20 × timeout), at least 2.66 %; at most 1 % may fail or be slow"
    )
    answered = target(probes=distribution(censored=20, bad={"503": 18, "timeout": 2}))
    assert (answered.outcome, answered.code) == (Outcome.FAIL, "bad_status")
    assert answered.observed == "no good answer"


def test_a_prober_that_sent_late_excuses_no_refused_connection():
    """Timeouts may be the late prober's fault; a reset connection is not."""
    late = {"censored": 30, "sent_late": 30}
    reset = target(samples=distribution(bad={"reset": 28, "timeout": 2}, **late), control=ANSWERS)
    assert (reset.outcome, reset.code) == (Outcome.FAIL, "no_answer")
    slow = target(samples=distribution(bad={"timeout": 30}, **late), control=ANSWERS)
    assert (slow.outcome, slow.code) == (Outcome.INCONCLUSIVE, "sent_late")


DEAD = {"censored": 30, "bad": {"timeout": 30}}
FAST = spans(2000, p5=40, p99=120, p100=300)
ANSWERS, SILENT = document(status=204), document(status=0, silent=True)


@pytest.mark.parametrize(
    ("own", "outcome", "code"),
    [
        ({"samples": distribution(**DEAD), "control": ANSWERS}, Outcome.FAIL, "no_answer"),
        ({"probes": distribution(**DEAD)}, Outcome.FAIL, "no_answer"),
        (
            {
                "probes": distribution([100.0] * 2850),
                "samples": distribution(censored=30, bad={"503": 30}),
            },
            Outcome.FAIL,
            "bad_status",
        ),
        (
            {"samples": distribution(**DEAD), "control": SILENT},
            Outcome.INCONCLUSIVE,
            "no_network",
        ),
        (
            {"samples": distribution(**DEAD), "control": unanswered("source_timeout")},
            Outcome.INCONCLUSIVE,
            "no_control",
        ),
        (
            {
                "probes": distribution([100.0] * 400),
                "samples": distribution(**DEAD),
                "control": SILENT,
            },
            Outcome.PASS,
            "",
        ),
        ({"probes": distribution(refused=400)}, Outcome.INCONCLUSIVE, "source_refused"),
        ({"samples": distribution(limited=30)}, Outcome.INCONCLUSIVE, "source_limited"),
        ({"samples": distribution(censored=1)}, Outcome.INCONCLUSIVE, "no_control"),
        ({"probes": distribution(censored=1)}, Outcome.INCONCLUSIVE, "too_few_samples"),
        ({"probes": unanswered("no_prober"), "samples": unanswered("late")}, Outcome.PASS, ""),
        ({"probes": distribution()}, Outcome.PASS, ""),
        ({}, Outcome.PASS, ""),
    ],
)
def test_spans_alone_do_not_pass_an_endpoint_that_failed_our_requests(own, outcome, code):
    """No answer is FAIL; our own network, credential or rate is INCONCLUSIVE."""
    verdict = target(spans=FAST, **own)
    assert (verdict.outcome, verdict.code) == (outcome, code)
    assert "0 of 2,000 took 500 ms or more" in verdict.reason


@pytest.mark.parametrize(
    ("bad", "probes", "outcome"),
    [
        (3, 2880, Outcome.PASS),
        (15, 2880, Outcome.PASS),
        (16, 2880, Outcome.FAIL),
        (3, 0, Outcome.FAIL),
    ],
)
def test_a_few_failed_samples_do_not_outvote_the_probes(bad, probes, outcome):
    """They decide if they are the majority, or if there are no probes."""
    taken = distribution([100.0] * (30 - bad), censored=bad, bad={"refused": bad})
    own = {"probes": distribution([100.0] * probes)} if probes else {}
    verdict = target(samples=taken, control=ANSWERS, **own)
    assert verdict.outcome == outcome
    if verdict.outcome == Outcome.PASS:
        assert f"{bad} failed" in verdict.reason


@pytest.mark.parametrize(
    ("good", "bad", "outcome", "code"),
    [
        (29, {"timeout": 1}, Outcome.PASS, ""),
        (0, {"503": 29, "timeout": 1}, Outcome.FAIL, "bad_status"),
        (0, {"timeout": 30}, Outcome.INCONCLUSIVE, "no_network"),
    ],
)
def test_a_silent_control_excuses_only_samples_without_any_answer(good, bad, outcome, code):
    """One answer shows that our network worked."""
    taken = distribution([100.0] * good, censored=sum(bad.values()), bad=bad)
    verdict = target(spans=FAST, samples=taken, control=SILENT)
    assert (verdict.outcome, verdict.code) == (outcome, code)


def test_a_refusal_of_our_credential_shows_nothing_about_the_endpoint():
    """The reason says what to do; slow spans still fail."""
    refused = target(samples=distribution(refused=30), control=ANSWERS)
    assert (refused.outcome, refused.code) == (Outcome.INCONCLUSIVE, "source_refused")
    assert refused.reason == (
        "Of our own 30 requests, 30 were refused (401 or 403), and none succeeded: "
        "expected our credential to be accepted; see the endpoint's headers and expect_status in "
        "production.toml"
    )
    slow = target(spans=spans(2000, p5=600, p99=900), samples=distribution(refused=30))
    assert (slow.outcome, slow.code) == (Outcome.FAIL, "slow")
    later = target(probes=distribution([100.0] * 400, refused=80))
    assert later.outcome == Outcome.PASS
    assert "80 were refused (401 or 403)" in later.reason


def test_partial_answers_are_reported():
    """Sentry's spans decide; our own failed requests are added."""
    probes = distribution([100.0] * 478, censored=2, bad={"503": 2}, limited=5)
    verdict = target(spans=FAST, probes=probes, samples=distribution([90.0] * 30))
    assert verdict.outcome == Outcome.PASS
    assert verdict.reason.endswith(
        "; of 485 probes, 2 failed (2 × HTTP 503), 5 were rate-limited (429)"
    )


def test_the_round_trip_is_subtracted_and_the_vantage_reported():
    """The target is for the server's time."""
    far = distribution([130.0] * 400, round_trip_ms=60.0, vantage="ci-runner")
    verdict = target(target_ms=100.0, probes=far)
    assert verdict.outcome == Outcome.PASS
    assert verdict.figures["observed_ms"] == pytest.approx(70, rel=0.03)
    assert "a round trip of 60 ms subtracted from 130 ms, from ci-runner" in verdict.reason
    assert target(target_ms=60.0, probes=far).outcome == Outcome.FAIL


@pytest.mark.parametrize("trip", [401.0, 1000.0, 3050.0])
def test_a_slow_connect_is_no_round_trip(trip):
    """A round trip longer than the fastest answer is a lost packet: nothing is subtracted."""
    verdict = target(target_ms=100.0, probes=distribution([390.0] * 400, round_trip_ms=trip))
    assert verdict.outcome == Outcome.FAIL
    assert verdict.figures["observed_ms"] == pytest.approx(390, rel=0.02)
    assert "longer than the fastest answer" in verdict.reason


def test_the_round_trip_is_the_fastest_connection():
    """One slow connection is not subtracted."""
    pool = ConnectionPool(Address("http://127.0.0.1:1/"))
    pool._connects = [3000.0, 12.0, 15.0]
    assert pool.round_trip_ms() == 12.0


def test_a_prober_that_sent_late_shows_nothing():
    """More than 1 % late requests are INCONCLUSIVE."""
    verdict = target(probes=distribution([900.0] * 400, sent_late=5))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "sent_late")
    assert target(probes=distribution([900.0] * 400, sent_late=4)).outcome == Outcome.FAIL


def test_sentrys_spans_come_first_and_disagreement_is_reported():
    """Server time is preferred over client time."""
    slow = distribution([900.0] * 400)
    verdict = target(spans=spans(2000, p5=40, p99=120, p100=300), probes=slow)
    assert verdict.outcome == Outcome.PASS
    assert verdict.observed == "120 ms"
    assert "probes differ: 400 of 400 took 500 ms or more" in verdict.reason


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (spans(2000, p5=40, p99=499.0), Outcome.PASS),
        (spans(2000, p5=40, p99=500.0), Outcome.FAIL),
        (spans(150, p5=40, p99=700.0, p100=900.0), Outcome.INCONCLUSIVE),
        (spans(50, p5=40, p99=120.0, p100=300.0), Outcome.INCONCLUSIVE),
        (spans(2000, "sample", p5=40, p95=90, p99=120.0, p100=300.0), Outcome.PASS),
        (spans(2000, "sample", p5=40, p95=90, p99=120.0), Outcome.INCONCLUSIVE),
        (spans(200, "sample", p5=40, p95=90, p99=120.0, p100=300.0), Outcome.INCONCLUSIVE),
        (spans(2000, "sample", p5=40, p95=600, p99=700.0), Outcome.FAIL),
        (spans(0), Outcome.INCONCLUSIVE),
    ],
)
def test_quantiles_are_exact_in_a_census_and_bounds_in_a_sample(given, outcome):
    """One slow request alone is no quantile; in a sample the bounds decide."""
    assert target(spans=given).outcome == outcome


def test_spans_too_few_leave_it_to_the_probes():
    """The next source with enough data decides; it acquits nothing that silent spans could show."""
    few = spans(20, "sample", p5=40, p99=90, p100=90)
    verdict = target(spans=few, probes=distribution([100.0] * 400))
    assert verdict.outcome == Outcome.PASS
    silent = unanswered(reason="sentry: 503")
    verdict = target(spans=silent, probes=distribution([100.0] * 400))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, silent.code)
    assert "no answer: sentry: 503" in verdict.reason
    assert target(spans=silent, probes=distribution([900.0] * 400)).outcome == Outcome.FAIL
    untraced = structs.replace(silent, not_provided=True, reason="sentry: no tracing")
    verdict = target(spans=untraced, probes=distribution([100.0] * 400))
    assert verdict.outcome == Outcome.PASS
    assert "not provided: sentry: no tracing" in verdict.reason


def test_no_measurement_is_inconclusive_with_the_first_code():
    """Missing data never passes."""
    verdict = target(spans=unanswered("source_failed"), probes=unanswered("no_prober"))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "source_failed")
    assert target().code == "not_described"


def test_an_endpoint_known_to_be_slow_is_judged_all_the_same():
    """The known reason is added to the verdict's reason."""
    verdict = target(known_slow="waits for Vapi", probes=distribution([900.0] * 400))
    assert verdict.outcome == Outcome.FAIL
    assert verdict.reason.endswith("known to be slow: waits for Vapi")


# --- most transactions --------------------------------------------------------------------------


def transactions(*p99s: float, n: int = 400, basis: str = "sample", **more: Any) -> Listing:
    items = tuple(
        {"transaction": f"GET /{i}", "count": n, "p50": ms / 2, "p99": ms, "p100": ms * 1.2}
        for i, ms in enumerate(p99s)
    )
    return Listing(question=question("200"), basis=basis, what="transactions", items=items, **more)  # type: ignore[arg-type]


def most(listing: Listing) -> Any:
    return MostBelow(share=0.9, limit_ms=1000.0).judge({"transactions": listing})


def test_nine_of_ten_pass_and_eight_fail():
    """The slow ones are named."""
    assert most(transactions(*[80.0] * 9, 5000.0)).outcome == Outcome.PASS
    verdict = most(transactions(*[80.0] * 8, 5000.0, 6000.0))
    assert verdict.outcome == Outcome.FAIL
    assert "above: GET /8 5,000 ms; GET /9 6,000 ms" in verdict.reason


def test_the_verdict_is_the_same_whatever_the_unknown_ones_are():
    """7 of 12 with too few calls are INCONCLUSIVE; in a census each p99 is exact."""
    rare = transactions(*[80.0] * 7, n=100)
    often = transactions(*[80.0] * 5)
    both = Listing(
        question=question(),
        basis="sample",
        what="transactions",
        items=tuple(
            {**item, "transaction": str(i)} for i, item in enumerate(rare.items + often.items)
        ),
    )
    verdict = most(both)
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "too_little_traffic")
    assert "7 have too few calls to decide (a sample needs 299)" in verdict.reason
    assert (verdict.figures["share_at_least"], verdict.figures["share_at_most"]) == (5 / 12, 1.0)
    assert most(transactions(*[80.0] * 7, n=20, basis="census")).outcome == Outcome.PASS


@pytest.mark.parametrize(
    ("listing", "code"),
    [(transactions(), "no_data"), (transactions(80.0, complete=False), "source_incomplete")],
)
def test_none_and_not_all_are_inconclusive(listing, code):
    """90 % of no transactions is nothing."""
    assert (most(listing).outcome, most(listing).code) == (Outcome.INCONCLUSIVE, code)


# --- compared with hour 0--------------------------------------------------------------------------


def drawn(blocks: int, factor: float = 1.0, tail: float = 0.0, seed: int = 3) -> Distribution:
    chance = random.Random(seed)
    return distribution(
        *[
            [
                100 * factor * chance.lognormvariate(0, 0.25) * (5 if chance.random() < tail else 1)
                for _ in range(20)
            ]
            for _ in range(blocks)
        ]
    )


def stable(now: Evidence, baseline: Evidence) -> Any:
    return NotSlower().judge({"now": now, "baseline": baseline})


@pytest.mark.parametrize(
    ("now", "outcome", "code"),
    [
        (drawn(24), Outcome.PASS, ""),
        (drawn(24, 0.7), Outcome.PASS, ""),
        (drawn(24, 1.05), Outcome.PASS, ""),
        (drawn(24, 2.0), Outcome.FAIL, "slower"),
        (drawn(24, tail=0.2), Outcome.FAIL, "slower_tail"),
        (drawn(24, 1.2), Outcome.INCONCLUSIVE, "too_few_samples"),
        (drawn(5), Outcome.INCONCLUSIVE, "too_few_samples"),
        (distribution(), Outcome.INCONCLUSIVE, "too_few_samples"),
    ],
    ids=["same", "faster", "5 %", "twice", "tail", "20 %", "5 blocks", "none"],
)
def test_a_shift_is_judged_by_block_medians_and_the_tail_separately(now, outcome, code):
    """FAIL needs a shift beyond 20 %, or a tail that is twice as thick."""
    verdict = stable(now, drawn(6, seed=8))
    assert (verdict.outcome, verdict.code) == (outcome, code)


def test_a_pass_reports_the_smallest_detectable_rise():
    """It has both bounds, too."""
    verdict = stable(drawn(24), drawn(6, seed=8))
    assert "too small to detect: a rise below" in verdict.reason
    assert verdict.figures["lower"] <= verdict.figures["factor"] <= verdict.figures["upper"] < 1.2
    assert verdict.figures["visible"] > 1.2


def test_identical_values_are_not_slower():
    """Without any spread the factor is 1."""
    same = distribution(*[[100.0] * 10] * 8)
    verdict = stable(same, same)
    assert (verdict.outcome, verdict.observed) == (Outcome.PASS, "×1")


def test_failed_requests_are_slower_than_any_value():
    """A quarter without an answer fails; a refused credential does not."""
    now = distribution(*[[100.0] * 15] * 24, censored=120)
    hour_0 = distribution(*[[100.0] * 20] * 6)
    verdict = stable(now, hour_0)
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "no_answer")
    refused = stable(distribution(refused=480), hour_0)
    assert (refused.outcome, refused.code) == (Outcome.INCONCLUSIVE, "source_refused")
    assert "see the endpoint's headers" in refused.reason
    partly = stable(distribution(*[[100.0] * 15] * 24, refused=120), hour_0)
    assert partly.outcome == Outcome.PASS
    assert "not included: 120 were refused (401 or 403)" in partly.reason


@pytest.mark.parametrize("side", ["now", "baseline"])
def test_a_bottleneck_in_the_prober_shows_nothing_on_either_side(side):
    """Late requests lengthen latencies."""
    sides = {"now": drawn(24, 2.0), "baseline": drawn(6)}
    blocks = sides[side].blocks
    late = Distribution(question=question(), unit="ms", blocks=blocks, sent_late=20)
    verdict = NotSlower().judge({**sides, side: late})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "sent_late")


def test_without_a_baseline_nothing_is_compared():
    """The code is the baseline's."""
    assert stable(drawn(24), unanswered("baseline_absent")).code == "baseline_absent"


@pytest.mark.parametrize(
    "objective",
    [
        QuantileBelow(target_ms=200.0, q=0.9),
        MostBelow(share=0.8, limit_ms=1000.0),
        NotSlower(max_ratio=1.5),
    ],
)
def test_the_objectives_load_back_equal(objective):
    """The record stores their names and fields."""
    assert from_plain(objective.to_plain()) == objective


def buckets(total: int, **above: int) -> Buckets:
    """A histogram with so many requests above each bound, in ms."""
    at = {bound.removeprefix("over_"): (many, many) for bound, many in above.items()}
    return Buckets(question=spans(1).question, unit="ms", total=(total, total), above=at)


def test_the_quantile_lies_between_the_bounds_that_decide():
    """1 % of 1,000 requests may take longer: the smallest bound with at most ten beyond it."""
    found = target(spans=buckets(1000, over_100=40, over_250=10, over_500=0))
    assert found.bound == "at most 250 ms"
    assert (
        target(spans=buckets(1000, over_100=40, over_250=11, over_500=0)).bound == "at most 500 ms"
    )
    none = target(spans=buckets(0, over_100=0, over_250=0))
    assert (none.outcome, none.bound) == (Outcome.INCONCLUSIVE, "")


def test_the_bucket_to_add_is_named_by_its_neighbours():
    """Above the largest one there is no upper neighbour."""
    assert missing_bucket({"100": (1, 1), "500": (0, 0)}, 250).endswith("between 100 and 500 ms")
    assert missing_bucket({"100": (1, 1)}, 250).endswith("above 100 ms")
