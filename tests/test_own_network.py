"""Our own outage is no fault of the service: with a silent control address losses are unknown."""

from __future__ import annotations

from hour24.checkpoint.baseline import collect
from hour24.evidence import Counts, Distribution, Document, Line, Listing, Series, Unanswered
from hour24.objectives.beats import BeatsKept
from hour24.objectives.health import HealthDocument
from hour24.objectives.latency import QuantileBelow
from hour24.objectives.websocket import DropsBelow
from hour24.verdict import Outcome
from tests import small_watch as small

ASKED = small.asked(8)
SILENT = Document(question=ASKED, status=0, body=None, problem="timeout", silent=True)
ANSWERS = Document(question=ASKED, status=204, body=None)
LOST = Distribution(question=ASKED, basis="sample", unit="ms", blocks=(), censored=30)
DROPPED = Counts(question=ASKED, total=30, bad=30, what="connections", parts={"1006": 30})


def test_samples_that_had_no_answer() -> None:
    """Slow, while the control address answers; unknown while it does not."""
    target = QuantileBelow(target_ms=500, q=0.99)
    heard = target.judge({"samples": LOST, "control": ANSWERS})
    assert heard.outcome == Outcome.FAIL
    verdict = target.judge({"samples": LOST, "control": SILENT})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "no_network")


def test_connections_that_were_held() -> None:
    """Dropped, while the control address answers; unknown while it does not."""
    drops = DropsBelow()
    assert drops.judge({"held": DROPPED, "control": ANSWERS}).outcome == Outcome.FAIL
    verdict = drops.judge({"held": DROPPED, "control": SILENT})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "no_network")


def test_connections_that_the_server_closed_early_did_not_hold() -> None:
    """No drop, and no PASS either."""
    early = Counts(question=ASKED, total=60, bad=0, what="connections", parts={"closed early": 60})
    verdict = DropsBelow().judge({"held": early, "control": ANSWERS})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "closed_early")


def test_beats_without_the_first_ones_may_hide_a_dead_worker() -> None:
    """Hour 0 has no list of workers, so a missing worker cannot be detected."""
    window = ASKED.window
    assert window is not None
    start = window.start.timestamp()

    times = tuple(start + 30.0 * k for k in range(int(window.seconds // 30)))
    line = Line(times=times, values=(None,) * len(times), labels={"worker": "a"})
    beats = Series(question=ASKED, unit="s", lines=(line,))
    known = BeatsKept().judge({"beats": beats, "baseline": beats})
    assert known.outcome == Outcome.PASS, known.reason
    absent = Unanswered(question=ASKED, code="baseline_absent", reason="there is none")
    verdict = BeatsKept().judge({"beats": beats, "baseline": absent})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "baseline_absent")


def test_handshakes_that_all_fail_while_the_control_address_answers() -> None:
    """Only the service is silent: FAIL; without a control probe: unknown."""
    refused = Counts(
        question=ASKED,
        total=0,
        bad=0,
        what="connections",
        parts={"refused": 30, "refused: closed": 30},
    )
    heard = DropsBelow().judge({"held": refused, "control": ANSWERS})
    assert (heard.outcome, heard.code) == (Outcome.FAIL, "no_answer")
    alone = DropsBelow().judge({"held": refused})
    assert (alone.outcome, alone.code) == (Outcome.INCONCLUSIVE, "no_control")


def test_a_baseline_that_our_own_network_cost() -> None:
    """The measure is missing either way; the control address shows the cause."""
    for no_network, code in ((False, "no_answer"), (True, "no_network")):
        kept = collect(
            {"latencies": {"calls": LOST}},
            lambda name: True,
            HealthDocument(schema={"type": "object"}),
            ASKED,
            no_network=no_network,
        )
        measures = kept["measures"]
        assert isinstance(measures, Listing)
        assert measures.items[0]["code"] == code
