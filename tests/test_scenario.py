"""The rehearsal's scenario: reproducible, and healthy for every seed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hour24.classes import IssueClass, class_of
from hour24.errors import ConfigurationError
from hour24.rehearsal.faults import FAULTS, FOREVER, Fault, parse_faults
from hour24.rehearsal.incidents import KINDS, LOG_ERRORS
from hour24.rehearsal.lines import WORKERS, Lines
from hour24.rehearsal.scenario import Scenario
from hour24.rehearsal.settings import CRITICAL, NORMAL
from hour24.rehearsal.timing import ENDPOINTS, Service
from hour24.rehearsal.vendors.counterpart import counterparts
from hour24.statistics import beats, counts, memory, patterns, rates

T0 = datetime(2026, 11, 24, 6, tzinfo=UTC)
SEEDS = range(1, 9)
REHEARSAL = Path(__file__).parents[1] / "hour24" / "rehearsal"
CLASSES = [IssueClass(**each) for each in (*NORMAL, *CRITICAL)]


def minutes(scenario: Scenario, first_h: float, last_h: float) -> list[dict[int, int]]:
    """Requests by status, minute by minute."""
    return [scenario.requests(minute) for minute in range(int(first_h * 60), int(last_h * 60))]


def failing(requests: list[dict[int, int]]) -> tuple[int, int]:
    """Failed requests and all requests."""
    bad = sum(n for minute in requests for status, n in minute.items() if status >= 500)
    return bad, sum(n for minute in requests for n in minute.values())


def snapshot(scenario: Scenario) -> list[object]:
    """A bit of everything in a scenario, times as seconds since its T0."""
    zero = scenario.at(0)
    service = Service(scenario)
    return [
        minutes(scenario, -1, 6),
        [
            (round(e.at - zero, 3), e.id, e.kind.key)
            for e in scenario.events(scenario.at(-1), scenario.at(6))
        ],
        [
            (round(each.at - zero, 4), each.id, each.message)
            for each in Lines(scenario).between(scenario.at(-1), scenario.at(3))
        ],
        [round(scenario.machines.memory_mb(life, 2.25), 6) for life in scenario.machines.lives],
        [round(service.took_ms("calls", scenario.at(3), n), 9) for n in range(9)],
        [(t.count, t.quantile(0.99)) for t in service.transactions(scenario.at(0), scenario.at(5))],
        scenario.disk(scenario.at(4)),
    ]


def test_a_seed_gives_one_scenario_whatever_the_date():
    """Everything depends on the seed and the hours since T0, nothing on the date."""
    faults = ["restart@1", "error_spike@2", "deploy@3"]
    first = snapshot(Scenario(7, faults, T0))
    assert snapshot(Scenario(7, faults, T0)) == first
    assert snapshot(Scenario(7, faults, T0 + timedelta(days=400))) == first
    another = snapshot(Scenario(8, faults, T0))
    assert [a == b for a, b in zip(another, first, strict=True)] == [False] * 6 + [True]


def test_any_hour_can_be_computed_alone():
    """An hour asked alone is the same as in a scenario asked for all hours."""
    whole = Lines(Scenario(3, ["log_pattern@2"], T0))
    everything = whole.between(T0.timestamp() - 3600, T0.timestamp() + 6 * 3600)
    alone = Lines(Scenario(3, ["log_pattern@2"], T0))
    start, end = T0.timestamp() + 4 * 3600, T0.timestamp() + 5 * 3600
    assert alone.between(start, end) == [line for line in everything if start <= line.at < end]


@pytest.mark.parametrize("seed", SEEDS)
def test_healthy_is_well_inside_the_limits_on_errors(seed: int):
    """Below 0.3 % of requests fail in any window, without trend or spike, and all are known."""
    scenario = Scenario(seed, [], T0)
    for start in (-1, 0, 4, 8, 12, 16, 20):
        bad, total = failing(minutes(scenario, start, start + (1 if start < 0 else 4)))
        assert total > 1000
        assert rates.judge_census(bad, total, 0.01).standing == "inside"
        assert bad / total < 0.003
    blocks = [failing(minutes(scenario, i / 12, (i + 1) / 12)) for i in range(-12, 24 * 12)]
    assert counts.spikes([b for b, _ in blocks], [n for _, n in blocks]) == []
    by_hour = [failing(minutes(scenario, hour, hour + 1)) for hour in range(24)]
    rise = counts.rise([b for b, _ in by_hour], [n for _, n in by_hour])
    assert rise is not None
    assert rise.p_value > 0.2
    events = scenario.events(scenario.at(-1.2), scenario.at(24))
    for event in events:
        kind = event.kind
        found = class_of({"title": kind.title, "type": kind.type}, CLASSES)
        assert found is not None
        assert found.name in {each["name"] for each in NORMAL}
        assert scenario.first_seen(kind) < scenario.at(-100)
    resets = Counter(int(scenario.hour(e.at) // 1) for e in events if e.kind.key == "reset")
    assert max(resets.values()) <= 2


@pytest.mark.parametrize("seed", SEEDS)
def test_healthy_memory_is_flat(seed: int):
    """No instance leaks at any checkpoint that judges it, and none comes near its limit."""
    scenario = Scenario(seed, [], T0)
    assert len(scenario.machines.up(12.0)) == 2
    for hour in (8, 24):
        for life in scenario.machines.lives:
            hours = [minute / 60 for minute in range(-65, hour * 60 - 5)]
            values = [scenario.machines.memory_mb(life, each) for each in hours]
            load = [scenario.rate(each) / 60 for each in hours]
            found = memory.trend(hours, values, load=load, metric="rss", limit=512.0)
            assert found.standing == "flat", found
            assert max(values) < 0.6 * 512


@pytest.mark.parametrize("seed", SEEDS)
def test_healthy_beats_have_no_gap(seed: int):
    """Both workers beat through 24 hours with no gap over 45 s."""
    lines = Lines(Scenario(seed, [], T0)).between(T0.timestamp(), T0.timestamp() + 86400)
    for worker in WORKERS:
        times = [line.at for line in lines if line.message == f"INFO heartbeat worker={worker}"]
        assert len(times) == 2880
        assert beats.gaps(times, T0.timestamp(), T0.timestamp() + 86400, 45.0) == []


def test_healthy_words_that_are_watched_keep_their_level():
    """Lines with WARN, database or timeout come as often in any window as at hour 0."""
    lines = Lines(Scenario(5, [], T0))
    for word in ("WARN", "database", "timeout"):

        def rate(start: int, end: int, word: str = word) -> float:
            found = lines.between(T0.timestamp() + start * 3600, T0.timestamp() + end * 3600)
            return sum(word in line.message for line in found) / (end - start)

        assert rate(-1, 0) >= 29
        for start in range(0, 24, 4):
            assert 0.8 < rate(start, start + 4) / rate(-1, 0) < 1.25


def test_a_failed_request_is_reported_three_times():
    """Each 5xx of the platform is an event in Sentry and an ERROR line in the logs."""
    scenario = Scenario(11, ["error_spike@2"], T0)
    bad, _ = failing(minutes(scenario, 0, 4))
    events = [e for e in scenario.events(scenario.at(0), scenario.at(4)) if e.kind.status]
    lines = Lines(scenario).between(scenario.at(0), scenario.at(4) + 1)
    assert bad == len(events) > 500
    assert sum(line.level == "error" for line in lines) == len(events)


def test_leaks_are_leaks():
    """Memory that leaks from T0 on is called a leak at hour 12, from hour 6 on at hour 24."""
    for seed in (1, 7, 30):
        for fault, last in (("memory_leak", 12), ("memory_leak@6", 24)):
            scenario = Scenario(seed, [fault], T0)
            hours = [minute / 60 for minute in range(-65, last * 60 - 5)]
            values = [
                scenario.machines.memory_mb(scenario.machines.lives[0], each) for each in hours
            ]
            assert memory.trend(hours, values, metric="rss", limit=512.0).standing == "leaks"


def test_unheard_lines_are_patterns_of_their_own():
    """The fault log_errors repeats no pattern: no two of its lines are grouped together."""
    groups, _ = patterns.group_lines(LOG_ERRORS)
    assert len(set(groups)) == len(LOG_ERRORS)
    assert not any(class_of({"message": line}, CLASSES) for line in LOG_ERRORS)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_each_fault_can_be_computed(name: str):
    """A scenario with any one fault can be computed before, during and after it."""
    scenario = Scenario(2, [f"{name}@1..2"], T0)
    service = Service(scenario)
    for hour in (0.5, 1.2, 1.9, 2.5):
        at = scenario.at(hour)
        assert scenario.has_fault(name, at) == (1 <= hour < 2)
        for endpoint in ENDPOINTS:
            assert service.answer(endpoint, at, 1).status in (0, 200, 500, 503)
    assert Lines(scenario).between(scenario.at(0), scenario.at(3))
    assert snapshot(scenario)


def test_faults_are_parsed():
    """A fault has a name, perhaps an hour, perhaps an end; some end by themselves."""
    faults = parse_faults(["memory_leak@6", "error_spike@2, new_issue", "jobs_stalled@-1..0.5"])
    assert faults == (
        Fault("memory_leak", 6.0, FOREVER),
        Fault("error_spike", 2.0, 3.0),
        Fault("new_issue", 0.0, FOREVER),
        Fault("jobs_stalled", -1.0, 0.5),
    )
    assert parse_faults(str(fault) for fault in faults) == faults


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "memroy_leak@6",
            "fault: expected a name of the table, got 'memroy_leak'; did you mean memory_leak?",
        ),
        ("memory_leak@six", "fault: expected NAME@HOUR or NAME@HOUR..HOUR, got 'memory_leak@six'"),
        ("restart@5..4", "fault: restart: expected an end after 5, got 4"),
    ],
)
def test_a_fault_that_is_none_is_refused(text: str, says: str):
    """Each mistake in a fault is named, with the nearest name there is."""
    with pytest.raises(ConfigurationError) as refused:
        parse_faults([text])
    assert str(refused.value) == says


def test_every_kind_that_a_fault_brings_has_its_fault():
    """Kinds of errors name faults of the table."""
    assert {kind.fault for kind in KINDS.values() if kind.fault} <= set(FAULTS)


def test_each_fault_of_the_table_is_acted_out() -> None:
    """A module of the rehearsal, or a row of its data, names each fault; a vendor has its ways."""
    files = [path for path in REHEARSAL.rglob("*") if path.suffix in {".py", ".toml"}]
    tables = ("faults.py", "__init__.py")
    acted = "\n".join(p.read_text("utf-8") for p in files if p.name not in tables)
    ways = {
        f"{name}_{way}"
        for name, each in counterparts().items()
        for way in each.ways
        if not each.apart
    }
    missing = [name for name in FAULTS if name not in ways and f'"{name}"' not in acted]
    assert missing == []
