"""The complete baseline and what passed throughout, judged."""

from __future__ import annotations

from typing import Any

import pytest

from hour24.objectives.signoff import AllTaken, HeldThroughout
from hour24.verdict import Outcome
from tests.evidence_of import listing, unanswered


def measure(name: str, code: str = "") -> dict[str, Any]:
    return {"name": name, "taken": not code, "code": code, "reason": code and f"because {code}"}


def standing(hour: int, outcome: str = "PASS", id: str = "DB-POOL", **more: str) -> dict[str, Any]:
    plain = {"code": "", "settled": "", "waived": "", "subject": ""}
    return {"hour": hour, "id": id, "outcome": outcome, **plain, **more}


HOURS = (0, 4, 8, 12, 16, 20, 24)
HELD = HeldThroughout(criteria=("DB-POOL",))


def held(*changed: dict[str, Any], objective: HeldThroughout = HELD) -> Any:
    """The verdict when every hour passes except the changed ones."""
    other = {item["hour"] for item in changed}
    items = [standing(hour) for hour in HOURS if hour not in other]
    return objective.judge({"standings": listing(*items, *changed)})


def test_a_complete_baseline_passes():
    """All of its measures were taken."""
    verdict = AllTaken().judge({"measures": listing(measure("memory"), measure("latency"))})
    assert (verdict.outcome, verdict.observed) == (Outcome.PASS, "2 of 2")


@pytest.mark.parametrize(
    ("codes", "outcome", "code"),
    [
        (("source_unreachable",), Outcome.INCONCLUSIVE, "baseline_incomplete"),
        (("no_answer",), Outcome.FAIL, "baseline_failed"),
        (("source_unreachable", "no_answer"), Outcome.FAIL, "baseline_failed"),
        (("not_known_to_anybody",), Outcome.INCONCLUSIVE, "baseline_incomplete"),
    ],
)
def test_a_missing_measure_is_a_failure_only_by_the_system_s_own_fault(codes, outcome, code):
    """A source that did not provide it is not the system's fault."""
    items = [measure("first"), *(measure(each, each) for each in codes)]
    verdict = AllTaken().judge({"measures": listing(*items)})
    assert (verdict.outcome, verdict.code) == (outcome, code)
    assert f"because {codes[-1]}" in verdict.reason


def test_no_measure_at_all_is_inconclusive():
    """No measure was requested."""
    assert AllTaken().judge({"measures": listing()}).code == "no_data"


def test_the_measures_themselves_are_stored_with_their_list():
    """An unanswered one among them is not judged a second time."""
    verdict = AllTaken().judge(
        {"measures": listing(measure("memory")), "statements": unanswered("source_lacks")}
    )
    assert verdict.outcome == Outcome.PASS


def test_a_pass_at_every_checkpoint_passes():
    """Other criteria's standings do not count."""
    verdict = held(standing(4, "FAIL", "LATENCY-TARGET"), standing(4))
    assert (verdict.outcome, verdict.observed) == (Outcome.PASS, "7 of 7 passed")


def test_a_failure_counts_until_it_is_waived():
    """The reason names the waiver."""
    verdict = held(standing(8, "FAIL", code="pool_full", subject="app"))
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "did_not_hold")
    assert "DB-POOL app at hour 8 failed" in verdict.reason
    waived = held(standing(8, "FAIL", code="pool_full", waived="Ada Ny"))
    assert waived.outcome == Outcome.PASS
    assert "passed at 6 of 7 checkpoints; 1 waived (by Ada Ny)" in waived.reason
    assert (waived.observed, waived.figures["held"]) == ("6 of 7 passed, 1 waived", 6.0)


def test_unresolved_is_inconclusive_and_resolved_is_not():
    """This is rule 7, as the ledger applies it."""
    verdict = held(standing(8, "INCONCLUSIVE", code="source_unreachable"))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "unsettled")
    assert "DB-POOL at hour 8 (source_unreachable)" in verdict.reason
    settled = held(standing(8, "INCONCLUSIVE", code="too_few_samples", settled="hour 12"))
    assert settled.outcome == Outcome.PASS
    assert "1 resolved by later evidence" in settled.reason


def test_a_failure_outweighs_an_unresolved_verdict():
    """FAIL comes before INCONCLUSIVE."""
    both = held(standing(8, "INCONCLUSIVE", code="late"), standing(12, "FAIL"))
    assert both.outcome == Outcome.FAIL


def test_a_criterion_left_out_everywhere_does_not_pass():
    """There is no evidence; the criterion must be left out as well."""
    verdict = held(*(standing(hour, "NOT_APPLICABLE") for hour in HOURS))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "nothing_judged")
    once = held(standing(0, "NOT_APPLICABLE"))
    assert (once.outcome, once.observed) == (Outcome.PASS, "6 of 6 passed")


def test_a_criterion_that_was_never_measured_does_not_pass_if_waived():
    """All of it, one criterion, one endpoint, or a part of every checkpoint may be missing."""
    missing = {"code": "source_unreachable", "waived": "Ada Ny"}

    def waived(hours: Any, name: str = "DB-POOL", **more: str) -> list[dict[str, Any]]:
        return [standing(hour, "INCONCLUSIVE", name, **{**missing, **more}) for hour in hours]

    everywhere = held(*waived(HOURS))
    assert (everywhere.outcome, everywhere.code) == (Outcome.INCONCLUSIVE, "nothing_measured")
    assert everywhere.observed == "0 of 7 passed, 7 waived"
    assert everywhere.reason.startswith(
        "DB-POOL: not measured at any checkpoint; 7 waived (by Ada Ny)"
    )
    two = HeldThroughout(criteria=("DB-POOL", "DB-SLOW"))
    online = [standing(hour) for hour in HOURS]
    of_two = held(*online, *waived(HOURS[1:], "DB-SLOW"), objective=two)
    assert (of_two.outcome, of_two.code) == (Outcome.INCONCLUSIVE, "nothing_measured")
    assert of_two.reason.startswith("DB-SLOW: not measured")
    endpoints = [standing(hour, subject="calls") for hour in HOURS]
    assert held(*endpoints, *waived(HOURS, subject="login")).code == "nothing_measured"
    halves = [*waived(HOURS[:4]), *waived(HOURS[4:], "DB-SLOW")]
    rest = [standing(h) for h in HOURS[4:]] + [standing(h, id="DB-SLOW") for h in HOURS[:4]]
    none_whole = held(*halves, *rest, objective=two)
    assert none_whole.reason.startswith("No checkpoint measured all of DB-POOL, DB-SLOW")


def test_a_criterion_measured_once_may_be_waived_elsewhere():
    """A FAIL is a measurement; a missed checkpoint has no subjects; resolved is measured."""
    assert held(*(standing(h, "FAIL", waived="Ada Ny") for h in HOURS)).outcome == Outcome.PASS
    endpoints = [standing(hour, subject="calls") for hour in HOURS if hour != 8]
    missed = standing(8, "INCONCLUSIVE", code="missed", waived="Ada Ny")
    assert held(*endpoints, missed).outcome == Outcome.PASS
    early = {"code": "too_early", "settled": "hour 24", "waived": "Ada Ny"}
    assert held(*(standing(h, "INCONCLUSIVE", **early) for h in HOURS)).outcome == Outcome.PASS


def test_a_criterion_without_a_standing_is_inconclusive():
    """This is so even if the other one passed everywhere."""
    two = HeldThroughout(criteria=("DB-POOL", "DB-SIZE"))
    assert held(objective=two).code == "no_data"
    assert HELD.judge({"standings": listing()}).code == "no_data"
    assert HELD.judge({"standings": unanswered("ledger_torn")}).code == "ledger_torn"


def test_each_criterion_is_counted_by_its_own_checkpoints() -> None:
    """A criterion that is due from hour 4 on passes at 6, not at 7."""
    both = HeldThroughout(criteria=("DB-POOL", "DB-SLOW"))
    slow = [standing(hour, id="DB-SLOW") for hour in HOURS[1:]]
    pool = [standing(hour) for hour in HOURS]
    found = held(*pool, *slow, objective=both)
    assert found.reason == "DB-POOL passed at all 7 checkpoints, DB-SLOW at all 6"
