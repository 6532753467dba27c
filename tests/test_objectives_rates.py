"""The share of requests that fail, by census and by sample."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from hour24 import evidence as ev
from hour24.evidence import Counts
from hour24.objectives.base import from_plain
from hour24.objectives.rates import RateBelow
from hour24.verdict import Outcome
from tests.evidence_of import WATCH, counts, question, unanswered

OBJECTIVE = RateBelow(limit=0.01)
ASKED = msgspec.structs.replace(question("200"), window=WATCH.checkpoint(8).settled)
PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def platform(total: int, bad: int, **more: Any) -> Counts:
    """A full count by the platform."""
    found = counts(total, bad, "requests", **more)
    return msgspec.structs.replace(found, question=ASKED)


def probe(total: int, bad: int, **more: Any) -> Counts:
    """The prober's count."""
    found = counts(total, bad, "probes", **more)
    return msgspec.structs.replace(found, question=ASKED, basis="sample")


def judged(objective: RateBelow = OBJECTIVE, **evidence: ev.Evidence) -> Any:
    verdict = objective.judge(evidence)
    again = from_plain(json.loads(json.dumps(objective.to_plain())))
    stored = {
        name: ev.from_plain(json.loads(json.dumps(ev.to_plain(each))))
        for name, each in evidence.items()
    }
    assert again == objective
    assert again.judge(stored) == verdict
    assert verdict.reason.isprintable()
    return verdict


def test_a_census_is_compared_and_reported_with_its_window():
    """3 of 1,354 is 0.22 %, and the reason has the window."""
    verdict = judged(platform=platform(1354, 3, **{"200": 1351, "502": 2, "504": 1}))
    assert (verdict.outcome, verdict.code) == (PASS, "")
    assert verdict.reason == (
        "3 of 1,354 requests failed (0.22 %) in the 4 h until 09:55 UTC "
        "(2 × HTTP 502, 1 × HTTP 504); 95 % upper bound 0.57 %"
    )
    assert (verdict.observed, verdict.bound, verdict.limit) == (
        "0.22 %",
        "at most 0.57 %",
        "below 1 %",
    )
    assert verdict.scale.unit == "ratio"
    assert verdict.scale.limit == 0.01
    assert verdict.scale.observed == pytest.approx(3 / 1354)
    assert verdict.figures["platform_share"] == pytest.approx(3 / 1354)
    assert verdict.figures["platform_bad"] == 3.0


@pytest.mark.parametrize(
    ("total", "bad", "outcome", "code"),
    [
        (150, 1, PASS, ""),
        (100, 0, PASS, ""),
        (99, 0, OPEN, "too_little_traffic"),
        (0, 0, OPEN, "too_little_traffic"),
        (100, 1, OPEN, "too_little_traffic"),
        (50, 1, OPEN, "too_little_traffic"),
        (1, 1, OPEN, "too_little_traffic"),
        (2, 2, FAIL, "beyond_limit"),
        (200, 2, FAIL, "beyond_limit"),
        (201, 2, PASS, ""),
        (100000, 999, PASS, ""),
        (100000, 1000, FAIL, "beyond_limit"),
    ],
)
def test_a_census_needs_no_bound_but_two_failures_and_some_traffic(total, bad, outcome, code):
    """Below 100 requests one failure alone would be 1 %: a clean count shows nothing."""
    verdict = judged(platform=platform(total, bad))
    assert (verdict.outcome, verdict.code) == (outcome, code)


def test_too_little_traffic_says_how_much_is_needed():
    """None of 12 needs 100; one of 50 needs 101."""
    clean, once = judged(platform=platform(12, 0)), judged(platform=platform(50, 1))
    assert clean.figures["needed"] == 100
    assert "below 100 requests" in clean.reason
    assert once.figures["needed"] == 101
    assert judged(platform=platform(101, 1)).outcome == PASS


@pytest.mark.parametrize(
    ("total", "bad", "outcome"),
    [
        (299, 0, PASS),
        (298, 0, OPEN),
        (473, 1, PASS),
        (480, 1, PASS),
        (480, 2, OPEN),
        (480, 11, OPEN),
        (480, 12, FAIL),
        (20, 0, OPEN),
        (20, 2, OPEN),
        (20, 3, FAIL),
        (5, 1, OPEN),
        (0, 0, OPEN),
    ],
)
def test_a_sample_needs_its_bounds(total, bad, outcome):
    """FAIL at 99 %, PASS at 95 %, otherwise the number that would decide."""
    verdict = judged(probe=probe(total, bad))
    assert verdict.outcome == outcome
    if outcome == OPEN:
        assert verdict.code == "too_few_samples"
        enough = int(verdict.figures["needed"])
        assert judged(probe=probe(enough, bad)).outcome == PASS
        assert judged(probe=probe(enough - 1, bad)).outcome == OPEN


def test_a_sample_reports_its_bound():
    """PASS has the upper bound, FAIL the lower one, INCONCLUSIVE the possible maximum."""
    passes = judged(probe=probe(480, 0))
    assert "95 % upper bound 0.62 %" in passes.reason
    assert passes.bound == "at most 0.62 %"
    assert passes.observed == "0 % (probe)"
    assert "probe: hour24's own requests" in passes.reason
    fails = judged(probe=probe(20, 3, timeout=3))
    assert "(3 × timeout); 99 % lower bound" in fails.reason
    assert fails.scale.lower > 0.01
    assert "may be up to 13.9 %" in judged(probe=probe(20, 0)).reason


def test_a_probe_is_never_a_census():
    """Whatever its basis says, 1 of 150 probes does not show less than 1 %."""
    given = msgspec.structs.replace(probe(150, 1), basis="census")
    assert judged(probe=given).outcome == OPEN


def test_a_platform_that_lost_minutes_is_a_sample():
    """Its count is not complete."""
    part = msgspec.structs.replace(platform(150, 1), basis="sample")
    assert judged(platform=part).outcome == OPEN
    assert judged(platform=platform(150, 1)).outcome == PASS


@pytest.mark.parametrize(
    ("census", "sample", "outcome", "code"),
    [
        ((5000, 3), (480, 0), PASS, ""),
        ((5000, 3), (480, 2), PASS, ""),
        ((5000, 3), (480, 12), FAIL, "beyond_limit"),
        ((5000, 90), (480, 0), FAIL, "beyond_limit"),
        ((12, 0), (480, 0), PASS, ""),
        ((0, 0), (480, 0), PASS, ""),
        ((12, 0), (20, 0), OPEN, "too_little_traffic"),
        ((50, 1), (480, 0), OPEN, "too_little_traffic"),
        ((12, 2), (480, 0), FAIL, "beyond_limit"),
    ],
)
def test_both_are_shown_and_a_failure_of_either_counts(census, sample, outcome, code):
    """Probes replace users only where these are few and none of them failed."""
    verdict = judged(platform=platform(*census), probe=probe(*sample))
    assert (verdict.outcome, verdict.code) == (outcome, code)
    assert "requests" in verdict.reason
    assert "probes" in verdict.reason
    assert verdict.figures["platform_total"] == census[0]
    assert verdict.figures["probe_total"] == sample[0]


def test_a_pass_by_probes_with_few_users_is_labelled():
    """The observed share is that of probes."""
    verdict = judged(platform=platform(12, 0), probe=probe(480, 0))
    assert verdict.observed == "0 % (probe)"
    assert "the platform agrees: 0 of 12 requests failed" in verdict.reason


@pytest.mark.parametrize(
    ("census", "sample", "says"),
    [
        ((5000, 3), (480, 12), "the platform disagrees: 3 of 5,000"),
        ((5000, 90), (480, 0), "our own probes disagree: 0 of 480"),
        ((5000, 3), (80, 1), "our own probes disagree, by a single failure: 1 of 80"),
        ((5000, 3), (480, 1), "our own probes agree: 1 of 480"),
        ((5000, 90), (480, 30), "our own probes agree: 30 of 480"),
        ((0, 0), (480, 0), "; the platform: "),
    ],
)
def test_disagreement_is_reported(census, sample, says):
    """The two counts are on different sides of the limit."""
    reason = judged(platform=platform(*census), probe=probe(*sample)).reason
    assert says in reason
    assert ("disagree" in reason) is ("disagree" in says)


def test_good_probes_do_not_replace_a_platform_that_did_not_answer():
    """It may have counted failures on paths that are not probed; its code is reported."""
    verdict = judged(platform=unanswered("source_failed", "render: 503"), probe=probe(480, 0))
    assert (verdict.outcome, verdict.code) == (OPEN, "source_failed")
    assert verdict.reason.startswith("render: 503; our own probes: 0 of 480 probes failed")
    assert "paths that are not probed" in verdict.reason
    assert verdict.figures["probe_total"] == 480.0


def test_bad_probes_fail_even_if_the_platform_did_not_answer():
    """The service failed, whatever the platform reports."""
    verdict = judged(platform=unanswered("source_failed", "render: 503"), probe=probe(480, 40))
    assert (verdict.outcome, verdict.code) == (FAIL, "beyond_limit")
    assert "not answered: render: 503" in verdict.reason


def test_the_census_is_enough_without_a_prober():
    """The reason says that there was no prober."""
    verdict = judged(platform=platform(5000, 3), probe=unanswered("no_prober", "no prober ran"))
    assert verdict.outcome == PASS
    assert verdict.reason.endswith("not answered: no prober ran")
    few = judged(platform=platform(12, 0), probe=unanswered("no_prober", "no prober ran"))
    assert (few.outcome, few.code) == (OPEN, "too_little_traffic")


@pytest.mark.parametrize(
    ("evidence", "code"),
    [
        ({}, "not_described"),
        ({"platform": unanswered("not_described")}, "not_described"),
        ({"platform": unanswered("not_described"), "probe": unanswered("no_prober")}, "no_prober"),
        ({"probe": unanswered("no_prober")}, "no_prober"),
        (
            {"platform": unanswered("source_unreachable"), "probe": unanswered("no_prober")},
            "source_unreachable",
        ),
    ],
)
def test_missing_data_is_never_green(evidence, code):
    """Neither a platform nor a prober counted."""
    verdict = judged(**evidence)
    assert (verdict.outcome, verdict.code) == (OPEN, code)
    assert verdict.observed == "not measured"


def test_a_platform_that_is_not_described_leaves_it_to_the_probes():
    """A system without users yet can still be judged."""
    verdict = judged(platform=unanswered("not_described"), probe=probe(480, 0))
    assert verdict.outcome == PASS
    assert "not answered" not in verdict.reason


def test_hostile_names_of_parts_are_data():
    """They are one line, truncated, without control characters."""
    verdict = judged(probe=probe(20, 3, **{"5\x1b[2J\u202e\n" + "x" * 500: 3}))
    assert len(verdict.reason) < 300


def test_other_evidence_is_our_own_bug():
    """A listing is no count."""
    listing = ev.Listing(question=ASKED, what="issues", items=())
    with pytest.raises(TypeError, match="platform: expected Counts, got Listing"):
        OBJECTIVE.judge({"platform": listing})
