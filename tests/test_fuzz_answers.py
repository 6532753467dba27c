"""Mutated answers of every witness: no crash, no secret, and no PASS that they did not give.

``pytest tests/test_fuzz_answers.py --full --examples 10000`` plays 10,000 a source.
"""

from __future__ import annotations

import json
from contextlib import ExitStack

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hour24.verdict import Outcome
from hour24.witnesses import registry
from hour24.witnesses.port import Measure
from tests import mutated
from tests.mutated import HEALTH, Tape, improved, mutations, outcomes, played

TROUBLE = (
    "bad_deploy@1", "new_critical_issue@1", "log_errors@1", "memory_leak@0", "pool_exhausted@3",
    "slow_statement@3", "supabase_degraded@3", "sentry_dropping@1", "jobs_stalled@2", "restart@2",
    "disk_filling@1", "health_degraded@3",
)  # fmt: skip
"""Something that each source has to tell."""
UNTAPED = dict.fromkeys(
    ("prometheus", "logs", "loki"), "a rehearsal serves none; tests/test_fuzz_stores.py plays it"
)
"""Witness -> why its answers are not on tape."""
SLOWER = {"render-trouble": 20, "render-healthy": 4, "sentry-trouble": 8, "database-trouble": 4}
"""A tape of many log lines or issues takes longer, and is played less often, by this factor."""
SOURCES = (*(name for name in registry.own() if name not in UNTAPED), HEALTH)


@pytest.fixture(scope="module")
def tapes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tape]:
    """A production in trouble, and a healthy one."""
    found = {}
    for name, faults in (("trouble", TROUBLE), ("healthy", ())):
        with ExitStack() as serving:
            reports = tmp_path_factory.mktemp(name)
            found[name] = mutated.record(reports, *faults, resources=serving)
    return found


def test_every_witness_is_on_the_tape(tapes: dict[str, Tape]) -> None:
    """A new one is played too, as it asks through the port; or it is named here with a reason."""
    for tape in tapes.values():
        assert tape.sections == {*SOURCES}
    assert UNTAPED.keys() <= {*registry.own()}
    asked = {one.measure for one in mutated.QUESTIONS.values() if one.measure is not None}
    # of a custom criterion; asked within health_probes, by prometheus alone
    assert {*Measure} - asked == {Measure.NUMBER, Measure.VANTAGE_PROBES}


def test_the_tape_gives_each_verdict(tapes: dict[str, Tape]) -> None:
    """Played unchanged: what is wrong fails, and a healthy production passes."""
    found = outcomes(played(tapes["trouble"]))
    assert sum(each == Outcome.FAIL for each in found.values()) >= 8
    healthy = outcomes(played(tapes["healthy"]))
    assert sum(each == Outcome.PASS for each in healthy.values()) >= 15


@pytest.mark.suite("fuzz")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["trouble", "healthy"])
@pytest.mark.parametrize("section", SOURCES)
def test_no_mutated_answer_breaks_or_betrays(
    tapes: dict[str, Tape], section: str, name: str
) -> None:
    """Whatever a source answers, each criterion has a verdict that a record can hold."""
    tape = tapes[name]
    base = outcomes(played(tape, [section]))
    places = tape.of(section)
    secrets = [each.reveal() for each in tape.context.production.secrets if len(each.reveal()) > 9]

    examples = max(10, settings.default.max_examples // SLOWER.get(f"{section}-{name}", 1))

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def mutate(data: st.DataObject) -> None:
        at = places[data.draw(st.integers(0, len(places) - 1))]
        secret = data.draw(st.sampled_from(secrets))
        malformed, value = mutations(data.draw, tape.answers[at].value, secret)
        found = played(tape, [section], at, value)
        assert outcomes(found).keys() >= base.keys()
        stored = json.dumps(msgspec.to_builtins(found))
        assert secret not in stored
        if malformed:
            assert improved(base, found) == set()

    mutate()
