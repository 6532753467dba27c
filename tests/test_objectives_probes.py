"""Health probes over a window, judged."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hour24.evidence import Failure, Probes, Question
from hour24.objectives.base import from_plain
from hour24.objectives.probes import AlwaysUp, measure_coverage
from hour24.verdict import Outcome
from hour24.watch import Window
from tests.evidence_of import AT, unanswered

START = AT.timestamp()


def probes(
    *failures: Failure, interval_s: float = 30.0, hours: float = 24.0, **more: Any
) -> Probes:
    """A window of probes; all due ones ran, unless ``more`` says otherwise."""
    due = round(hours * 3600 / interval_s)
    window = Window(AT, AT + timedelta(hours=hours))
    fields: dict[str, Any] = {"due": due, "kept": due, "bad": len(failures), "failures": failures}
    return Probes(
        question=Question(source="prober", asked="probes", at=window.end, window=window),
        basis="sample",
        target="health",
        interval_s=interval_s,
        **(fields | more),
    )


def failure(at_s: float, reason: str = "503", lasted_s: float = 0.0, **more: Any) -> Failure:
    return Failure(at=START + at_s, reason=reason, lasted_s=lasted_s, **more)


def judged(evidence: Any, **limits: Any) -> Any:
    return AlwaysUp(**limits).judge({"probes": evidence})


def test_a_clean_window_passes_and_says_what_could_be_missed():
    """The published example: 2,872 of 2,880, longest gap 4 min 30 s, 5 s outages 0.83."""
    gap = (START + 3600.0, START + 3870.0)
    verdict = judged(probes(kept=2872, gaps=(gap,)))
    assert verdict.outcome == Outcome.PASS
    assert verdict.reason == (
        "2,872 of 2,880 probes ran (99.7 %), none failed; longest gap 4 min 30 s "
        "(11:00 UTC to 11:04 UTC), so any outage over 4 min 30 s is excluded; a 5 s outage would "
        "be missed with probability 0.83; up to 16 of them are compatible with this at 95 %"
    )
    assert verdict.figures["coverage"] == pytest.approx(2872 / 2880)
    assert (verdict.scale.limit, verdict.scale.observed) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("lasted_s", "outcome"), [(0.0, Outcome.PASS), (30.0, Outcome.PASS), (40.0, Outcome.FAIL)]
)
def test_a_failure_counts_when_the_probe_30_s_later_fails_too(lasted_s, outcome):
    """A shorter failure is only reported."""
    verdict = judged(probes(failure(600, lasted_s=lasted_s), interval_s=10.0))
    assert verdict.outcome == outcome
    if outcome == Outcome.PASS:
        assert "1 failed and the next ones were good" in verdict.reason


def test_a_good_probe_in_between_does_not_save_a_service_that_flaps():
    """The probe 30 s later failed; the probes in between do not matter."""
    verdict = judged(probes(failure(600), failure(630), interval_s=10.0))
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "health_failed")


def test_no_answer_is_the_services_fault_while_the_control_answers():
    """One outage is reported with start, length and reason."""
    down = [failure(600 + 10 * n, "timeout", 120.0 - 10 * n, control=True) for n in range(12)]
    verdict = judged(probes(*down, interval_s=10.0))
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "no_answer")
    assert "timeout from 2026-11-24 10:10:00Z for 2 min" in verdict.reason
    assert verdict.reason.count("timeout") == 1


def test_no_answer_shows_nothing_without_the_control_address():
    """It may be our own network."""
    verdict = judged(probes(failure(600, "timeout", 300.0)))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "no_control")


def test_probes_lost_by_our_own_network_are_gaps_and_no_failures():
    """A short gap allows a PASS, a long one is too little coverage."""
    short = [failure(600 + 30 * n, "timeout", 90.0, control=False) for n in range(3)]
    verdict = judged(probes(*short))
    assert verdict.outcome == Outcome.PASS
    assert "3 got no answer while the control address did not answer either" in verdict.reason
    long = [failure(600 + 30 * n, "timeout", 90.0, control=False) for n in range(12)]
    verdict = judged(probes(*long))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "coverage_too_low")
    assert measure_coverage(probes(*long)).longest_s == pytest.approx(390)


def test_many_short_gaps_of_our_own_network_add_up():
    """None is long, but more than 1 % of the probes are missing."""
    short = [failure(600 + 1800 * n, "timeout", control=False) for n in range(40)]
    verdict = judged(probes(*short))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "coverage_too_low")
    assert verdict.reason.startswith("Only 2,840 of 2,880 probes ran (98.6 %)")


@pytest.mark.parametrize("reason", ["401", "403"])
def test_a_refused_credential_says_nothing_about_health(reason):
    """The credential must be corrected first."""
    verdict = judged(probes(failure(600, reason, 300.0, control=True)))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "source_refused")


@pytest.mark.parametrize(
    "lacking",
    [
        {"kept": 2800},
        {"kept": 2870, "gaps": ((START + 60, START + 420),)},
        {"kept": 0, "gaps": ((START, START + 86400),)},
        {"due": 0, "kept": 0},
    ],
)
def test_too_few_probes_prevent_a_pass(lacking):
    """PASS needs 99 % of the probes, and no gap over 5 minutes."""
    verdict = judged(probes(**lacking))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "coverage_too_low")


def test_a_failure_counts_however_low_the_coverage():
    """Low coverage prevents PASS, not FAIL."""
    verdict = judged(probes(failure(600, lasted_s=90.0), kept=100))
    assert verdict.outcome == Outcome.FAIL


def test_a_failure_at_the_very_end_is_undecided():
    """Its retry belongs to the next window."""
    verdict = judged(probes(failure(86400 - 10, lasted_s=10.0), interval_s=10.0))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "too_early")


def test_hostile_reasons_are_made_harmless():
    """A reason comes from the service."""
    text = "schema: \x1b[2J\u202egnp"
    verdict = judged(probes(failure(600, text, 90.0)))
    assert verdict.outcome == Outcome.FAIL
    assert verdict.reason.isprintable()


def test_no_prober_is_inconclusive_and_the_objective_loads_back_equal():
    """The code is the source's."""
    assert judged(unanswered("no_prober")).code == "no_prober"
    objective = AlwaysUp(retry_after_s=20.0)
    assert from_plain(objective.to_plain()) == objective
