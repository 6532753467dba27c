"""Several vantages: who saw a failure, who had no data, and what follows for the service."""

from __future__ import annotations

import random
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from hour24 import config
from hour24.asking.exchange import Reply
from hour24.checkpoint import vantages
from hour24.checkpoint.inquiry import Inquiry
from hour24.commands.watching import vantage_of
from hour24.config.digest import limits
from hour24.errors import ConfigurationError
from hour24.evidence import Probes, Question, Unanswered, from_plain, to_plain
from hour24.ledger.record import Judged
from hour24.objectives.probes import AlwaysUp
from hour24.prober import Held, Plan, simulate
from hour24.probes import LineWriter, NoProber
from hour24.probes import read as read_lines
from hour24.probes.states import FAILED, GOOD, NO_NETWORK, failures
from hour24.rehearsal import probing
from hour24.report.exhibits import _probes, _vantages
from hour24.report.kinds.probes import draw
from hour24.report.times import Times
from hour24.verdict import Outcome, Verdict
from hour24.watch import Window
from tests.evidence_of import AT
from tests.small_watch import record
from tests.test_rehearsal_probing import WATCH, toml

HOUR = Window(AT, AT + timedelta(hours=1))
MINUTES = 60
UP, DOWN, OFFLINE, STOPPED = "up", "down", "offline", "stopped"
"""Of a minute: all answers; the service does not; nothing does; the prober does not run."""
PLANS = (
    Plan(name="health", kind="health", url="http://127.0.0.1:9/", interval_s=10.0),
    Plan(name="control", kind="control", url="http://127.0.0.1:9/", interval_s=10.0, phase_s=4.0),
)
HEALTHY = b'{"status": "ok"}'


class Scripted:
    """Answers a prober as the minutes of its vantage say."""

    def __init__(self, minutes: list[str]) -> None:
        self.minutes = minutes

    def reply(self, plan: Plan, at: float) -> Reply:
        state = self.minutes[int((at - AT.timestamp()) // 60)]
        if state == OFFLINE or (state == DOWN and plan.kind == "health"):
            return Reply(reason="timeout", took_ms=10_000.0)
        return Reply(status=200, data=HEALTHY, took_ms=5.0)

    def held(self, plan: Plan, minute: float) -> Held:
        raise AssertionError(plan)


def written(folder: Path, **minutes: list[str]) -> Path:
    """Write the lines of a prober for each vantage."""
    for name, states in minutes.items():
        with closing(LineWriter(folder / f"{name}.jsonl")) as writer:
            for number, state in enumerate(states):
                if state != STOPPED:
                    start = AT + timedelta(minutes=number)
                    each = Window(start, start + timedelta(minutes=1))
                    for _ in simulate(PLANS, each, Scripted(states), writer, vantage=name):
                        continue
    return folder


def asked(folder: Path, *stated: str, **others: Any) -> Any:
    """What a checkpoint asks about the vantages."""
    health = SimpleNamespace(vantages=stated)

    def observations() -> Any:
        return read_lines(folder, HOUR)

    class Asking:
        production = SimpleNamespace(
            health=health, health_every_s=10.0, providing=lambda measure: [others] * bool(others)
        )
        observations = property(lambda self: observations())

        def ask_of(self, described: Any, measure: str, window: Window) -> Any:
            assert measure == "vantage_probes"
            return described

        def question(self, what: str, source: str, window: Window) -> Question:
            return Question(source=source, asked=what, at=HOUR.end, window=window)

    return vantages.health_probes(cast(Inquiry, Asking()), HOUR)


def judged(evidence: Any, needed: int = 1) -> Verdict:
    """The verdict, also when it is derived again from what the record stores."""
    objective = AlwaysUp(vantages_needed=needed)
    verdict = objective.judge({"probes": evidence})
    assert objective.judge({"probes": from_plain(to_plain(evidence))}) == verdict
    return verdict


def minutes(**changes: tuple[int, int]) -> list[str]:
    """An hour that is up but for ``state=(from, to)``."""
    states = [UP] * MINUTES
    for state, (start, end) in changes.items():
        states[start:end] = [state] * (end - start)
    return states


def expected(seen: dict[str, list[str]], needed: int) -> Outcome:
    """What follows, minute by minute."""
    no_data = {name for name, each in seen.items() if OFFLINE in each or STOPPED in each}
    most = certain = 0
    for number in range(MINUTES):
        failing = {name for name, each in seen.items() if each[number] == DOWN}
        certain, most = max(certain, len(failing)), max(most, len(failing | no_data))
    if certain >= needed:
        return Outcome.FAIL
    return Outcome.INCONCLUSIVE if no_data and most >= needed else Outcome.PASS


@pytest.mark.suite("vantages", short=10)
@pytest.mark.parametrize("seed", range(120))
def test_any_mix_of_vantages_is_judged_by_what_each_saw(seed: int, tmp_path: Path) -> None:
    """FAIL where enough saw it at once; no PASS where one without data may have seen it too."""
    chosen = random.Random(seed)
    seen = {}
    for name in "abcd"[: chosen.randint(2, 4)]:
        states = [UP] * MINUTES
        for _ in range(chosen.choice([0, 0, 1, 1, 2])):
            start = 10 * chosen.randint(0, 4) + 2
            states[start : start + chosen.randint(2, 7)] = [
                chosen.choice([DOWN, DOWN, OFFLINE, STOPPED])
            ] * chosen.randint(2, 7)
        seen[name] = (states + [UP] * MINUTES)[:MINUTES]
    needed = chosen.randint(1, len(seen))
    evidence = asked(written(tmp_path, **seen), *seen)
    verdict = judged(evidence, needed)
    assert verdict.outcome == expected(seen, needed), (needed, verdict.reason)


def test_the_service_silent_from_one_place_is_a_failure_that_names_it(tmp_path: Path) -> None:
    """Its control address answers, so it is the service that cannot be reached from there."""
    folder = written(tmp_path, fra=minutes(), iad=minutes(down=(20, 25)))
    verdict = judged(asked(folder, "fra", "iad"))
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "no_answer")
    assert verdict.reason.startswith("A failure was seen from iad (1 of 2 vantages; 1 needed): ")
    assert "fra: 360 of 360 probes ran (100 %), none failed" in verdict.reason
    assert verdict.figures["vantages_failed"] == 1


def test_a_vantage_whose_own_network_is_down_says_nothing_of_the_service(tmp_path: Path) -> None:
    """It neither accuses nor acquits: with one needed, what it did not see may have been one."""
    folder = written(tmp_path, fra=minutes(), iad=minutes(offline=(20, 30)))
    evidence = asked(folder, "fra", "iad")
    verdict = judged(evidence)
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "coverage_too_low")
    assert "No data from iad" in verdict.reason
    assert judged(evidence, 2).outcome == Outcome.PASS  # it alone could not make two
    alone = judged(evidence.vantages["fra"])
    assert alone.outcome == Outcome.PASS  # of itself, the other one is as it was


def test_a_failure_counts_only_when_as_many_as_needed_see_it_at_once(tmp_path: Path) -> None:
    """Two that failed at different times did not see one failure."""
    apart = written(tmp_path / "apart", a=minutes(down=(5, 10)), b=minutes(down=(40, 45)))
    verdict = judged(asked(apart, "a", "b"), 2)
    assert verdict.outcome == Outcome.PASS
    assert verdict.figures["counted"] == 0
    both = written(tmp_path / "both", a=minutes(down=(5, 10)), b=minutes(down=(9, 14)))
    assert judged(asked(both, "a", "b"), 2).outcome == Outcome.FAIL


def test_a_vantage_that_never_wrote_a_line_is_no_pass(tmp_path: Path) -> None:
    """A prober that production.toml states and that was not started is missing, by name."""
    folder = written(tmp_path, fra=minutes())
    verdict = judged(asked(folder, "fra", "iad"))
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "no_prober")
    assert "probe --watch WATCH --vantage iad" in verdict.reason


def test_a_prober_of_an_unknown_name_accuses_too(tmp_path: Path) -> None:
    """A name that is misspelled does not hide what its prober saw."""
    folder = written(tmp_path, fra=minutes(), idad=minutes(down=(20, 25)))
    verdict = judged(asked(folder, "fra"))
    assert verdict.outcome == Outcome.FAIL
    assert "from idad" in verdict.reason


def test_another_place_accuses_where_our_own_prober_did_not_run(tmp_path: Path) -> None:
    """A proof of failure stays one, whoever else is silent."""
    folder = written(tmp_path / "own", iad=minutes(down=(20, 25)))
    iad = read_lines(folder, HOUR).probes("health", HOUR)
    evidence = asked(tmp_path / "none", iad=iad)
    verdict = judged(evidence)
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "no_answer")
    assert "prober: no data" in verdict.reason
    good = read_lines(written(tmp_path / "good", iad=minutes()), HOUR).probes("health", HOUR)
    assert judged(asked(tmp_path / "none", iad=good)).code == "no_prober"


def test_more_needed_than_there_are_is_all_of_them(tmp_path: Path) -> None:
    """A record with fewer vantages than its limit wants cannot pass by that."""
    folder = written(tmp_path, a=minutes(down=(5, 10)))
    assert judged(asked(folder, "a"), 5).outcome == Outcome.FAIL


def test_without_vantages_all_probers_are_one(tmp_path: Path) -> None:
    """As ever: two probers that follow each other cover a window together."""
    first = minutes(stopped=(30, 60))
    folder = written(tmp_path, one=first, two=minutes(stopped=(0, 29)))
    evidence = asked(folder)
    assert evidence.vantages == {}
    assert judged(evidence).outcome == Outcome.PASS
    with pytest.raises(NoProber):
        asked(tmp_path / "none")


def test_a_failure_does_not_last_into_a_time_without_a_network() -> None:
    """The probe before a silent control address is one failed probe, not a long outage."""
    codes = bytes([GOOD, FAILED, *[NO_NETWORK] * 60, GOOD])
    assert next(iter(failures(codes))) == (1, FAILED, 0)
    assert next(iter(failures(bytes([GOOD, FAILED, FAILED, NO_NETWORK])))) == (1, FAILED, 2)
    assert next(iter(failures(bytes([GOOD, FAILED, FAILED])))) == (1, FAILED, 2)
    assert next(iter(failures(bytes([FAILED, 0, FAILED, GOOD])))) == (0, FAILED, 3)


@pytest.mark.parametrize(
    ("needed", "other", "bad"),
    [(1, "up", 30), (2, "up", 0), (2, "down", 60), (2, "offline", 30), (2, "stopped", 30)],
)
def test_a_silence_that_too_few_can_have_seen_is_no_sample(
    needed: int, other: str, bad: int, tmp_path: Path
) -> None:
    """Only a good answer elsewhere at the same time takes it out; silence there does not."""
    folder = written(tmp_path, fra=minutes(**{other: (20, 25)}), iad=minutes(down=(20, 25)))
    both = read_lines(folder, HOUR, vantages=("fra", "iad"), needed=needed)
    assert both.responses(HOUR).bad == bad
    assert both.latencies("health", HOUR).censored == bad
    assert ("must see a failure" in both.responses(HOUR).note) == (bad == 0)
    third = read_lines(folder, HOUR, vantages=("fra", "iad", "sin"), needed=needed)
    assert third.responses(HOUR).bad == max(bad, 30)  # the third, unheard, may have seen it


# --- the rehearsal ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "outcome", "code"),
    [
        ("vantage_down@0.1", Outcome.FAIL, "no_answer"),
        ("vantage_offline@0.1", Outcome.INCONCLUSIVE, "coverage_too_low"),
        ("vantage_down@9", Outcome.PASS, ""),
    ],
)
def test_the_rehearsals_second_vantage_fails_and_has_no_data(
    fault: str, outcome: Outcome, code: str, tmp_path: Path
) -> None:
    """Seen to fail and seen without data: the second prober, through the prober's own code."""
    production = probing.with_vantages(config.load(toml(tmp_path), {}), [fault])
    window = WATCH.checkpoint(4).window
    window = Window(window.start, window.start + timedelta(hours=1))
    probing.simulate(production, WATCH, tmp_path / "probe", window, seed=1, faults=[fault])
    observations = read_lines(tmp_path / "probe", window)
    assert observations.vantages() == (probing.VANTAGE, probing.SECOND)
    by_name = {
        name: observations.of_vantage(name).probes("health", window)
        for name in production.health.vantages
    }
    whole = observations.probes("health", window)
    verdict = judged(msgspec.structs.replace(whole, vantages=by_name))
    assert (verdict.outcome, verdict.code) == (outcome, code), verdict.reason
    assert by_name[probing.VANTAGE].bad == 0


# --- production.toml, the command line, the page ----------------------------------------------


def test_a_prober_says_which_vantage_it_is(tmp_path: Path) -> None:
    """A name that production.toml does not state would be a vantage that nothing waits for."""
    one = config.load(toml(tmp_path), {})
    health = msgspec.structs.replace(one.health, vantages=("fra", "iad"))
    two = msgspec.structs.replace(one, health=health)
    assert (vantage_of(one, ""), vantage_of(two, "iad")) == ("", "iad")
    for production, name in ((one, "fra"), (two, ""), (two, "fre")):
        with pytest.raises(ConfigurationError, match="--vantage: expected "):
            vantage_of(production, name)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("vantages_needed = 2", "health.vantages_needed: expected at most 1, as many as"),
        ('vantages = ["a", "b"]\nvantages_needed = 3', "expected at most 2, as many as"),
        ('vantages = ["a", "a"]', "health.vantages: "),
        ('vantages = ["a b"]', "health.vantages[1]: expected a name of letters"),
    ],
)
def test_vantages_that_cannot_be_are_refused(lines: str, problem: str, tmp_path: Path) -> None:
    """More needed than there are would make every failure too small."""
    path = toml(tmp_path)
    path.write_text(path.read_text().replace("[health]", f"[health]\n{lines}"))
    with pytest.raises(ConfigurationError) as refused:
        config.load(path, {})
    assert problem in str(refused.value)


def test_the_limits_of_a_production_without_vantages_are_as_they_were(tmp_path: Path) -> None:
    """A new setting alone does not change the limits of an open watch."""
    production = config.load(toml(tmp_path), {})
    stated = msgspec.structs.replace(production.health, vantages=("a", "b"), vantages_needed=2)
    changed = msgspec.structs.replace(production, health=stated)
    assert "vantages" not in limits(production)
    assert limits(changed)["vantages"] == {"vantages": ("a", "b"), "vantages_needed": 2}


def test_no_tile_of_a_vantage_contradicts_the_sum(tmp_path: Path) -> None:
    """Each vantage is drawn by itself, with what it saw and not with a verdict."""
    folder = written(tmp_path, fra=minutes(), iad=minutes(down=(20, 25)))
    evidence = asked(folder, "fra", "iad")
    times = Times("UTC", HOUR.start, HOUR.end)
    verdict = judged(evidence)
    one = Judged(
        id="HEALTH-ALWAYS",
        sentence="No health check failed",
        group="Health",
        reason=verdict.reason,
        outcome=verdict.outcome,
        code=verdict.code,
        figures=verdict.figures,
        evidence={"probes": to_plain(evidence)},
    )
    says = {p.title: p.says for p in draw(one, {"probes": evidence}, record(4), times)}
    assert [title.partition(" over ")[0] for title in says] == [
        "Health probes from fra",
        "Health probes from iad",
    ]
    assert [text.partition("; ")[0] for text in says.values()] == [
        "360 of 360 probes sent, none failed",
        "360 of 360 probes sent, 30 failed",
    ]
    _, tables, _ = _probes(evidence, times)
    rows = next(table.rows for table in tables if table.title == "By vantage")
    assert rows == (("fra", "360 of 360", "0", "0"), ("iad", "360 of 360", "30", "0"))


def test_a_vantage_without_an_answer_is_shown_as_that() -> None:
    """Silence has a row of its own, and no zero that reads as no failure."""
    silent = Unanswered(
        question=Question(source="prober", asked="x", at=AT), code="no_prober", reason="no lines"
    )
    evidence = Probes(
        question=silent.question,
        target="health",
        interval_s=10.0,
        due=1,
        kept=1,
        vantages={"iad": silent},
    )
    assert _vantages(evidence).rows == (("iad", "no answer: no lines", "-", "-"),)
