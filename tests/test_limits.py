"""No PASS has a value or a bound beyond the limit that it names, for any objective."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hour24.objectives  # noqa: F401  registers every objective
from hour24 import histogram
from hour24.evidence import (
    Block,
    Counts,
    Distribution,
    Evidence,
    Line,
    Listing,
    Probes,
    Question,
    Series,
    Total,
    Uptime,
)
from hour24.objectives.base import _BY_NAME, Objective
from hour24.objectives.beats import BeatsKept
from hour24.objectives.certificates import CertificatesValid
from hour24.objectives.database import DiskBelow, PoolBelow
from hour24.objectives.errors import EventsBelow, NoCriticalIssue, NoNewIssue, NoRise, TopKnown
from hour24.objectives.feed import NothingDropped
from hour24.objectives.latency import MostBelow, NotSlower, QuantileBelow
from hour24.objectives.level import FloorKept
from hour24.objectives.logs import LevelKept, NoErrorLine, NoPattern
from hour24.objectives.memory import HeadroomKept
from hour24.objectives.own import ValueAtLeast, ValueBelow
from hour24.objectives.probes import AlwaysUp
from hour24.objectives.rates import RateBelow
from hour24.objectives.restarts import NoRestart
from hour24.objectives.signoff import AllTaken, HeldThroughout
from hour24.objectives.statements import NoSlowStatement
from hour24.objectives.websocket import DropsBelow
from hour24.verdict import Outcome, Verdict
from hour24.watch import Window

T0 = datetime(2026, 11, 24, 6, tzinfo=UTC)
WINDOW = Window(T0, T0 + timedelta(hours=4))
START = T0.timestamp()
ASKED = Question(source="test", asked="x", at=WINDOW.end, window=WINDOW)
Case = tuple[Objective, dict[str, Evidence]]
Draw = Callable[[Any], Any]
TOLD_ELSEWHERE = {
    "NoLeak": "test_objectives_memory.py: test_no_pass_has_a_bound_beyond_the_limit_it_names",
    "EventStored": "one event, read back or not",
    "DatabaseAnswers": "answers or not",
    "HealthDocument": "the document or not",
}
"""Objectives without a case here -> why."""
few, many = st.integers(0, 12), st.integers(0, 20_000)
ms = st.floats(0.5, 3000)


def listing(*items: dict[str, Any], what: str = "things", **more: Any) -> Listing:
    return Listing(question=ASKED, what=what, items=items, seen=len(items), **more)


def counts(total: int, bad: int = 0, basis: str = "census", **parts: int) -> Counts:
    return Counts(
        question=ASKED,
        basis=basis,  # type: ignore[arg-type]
        total=total,
        bad=min(bad, total),
        what="requests",
        parts=parts,
    )


def series(unit: str, *lines: tuple[dict[str, str], list[float]], every_s: float = 60.0) -> Series:
    return Series(
        question=ASKED,
        unit=unit,
        lines=tuple(
            Line(
                labels=labels,
                times=tuple(START + every_s * n for n in range(len(values))),
                values=tuple(values),
            )
            for labels, values in lines
        ),
    )


def distribution(draw: Draw, typical: float) -> Distribution:
    """Up to 24 blocks of 10 minutes; each has its own mixture of times."""
    blocks = []
    spread = draw(st.sampled_from([1.05, 4.0]))
    for n in range(draw(st.sampled_from([0, 3, 24]))):
        found: dict[str, int] = {}
        for factor in draw(st.lists(st.floats(0.9, spread), min_size=1, max_size=3)):
            found[str(histogram.bucket(typical * factor))] = draw(st.integers(30, 200))
        blocks.append(Block(START + 600.0 * n, 600.0, found))
    return Distribution(question=ASKED, basis="sample", unit="ms", blocks=tuple(blocks))


def probes(draw: Draw, **more: Any) -> Probes:
    due = 1440
    return Probes(question=ASKED, target="health", interval_s=10.0, due=due, kept=due, **more)


def heap(draw: Draw, hours: int = 4) -> list[float]:
    level, step = draw(st.floats(10, 600)), draw(st.floats(-1, 1))
    return [max(1.0, level + step * n + n % 23) for n in range(60 * hours)]


def issue(draw: Draw, n: int) -> dict[str, Any]:
    first = START + draw(st.sampled_from([-9e5, 60.0]))
    title = draw(st.sampled_from(["KeyError", "timeout", "oom"]))
    return {
        "id": str(n),
        "title": title,
        "count": draw(few),
        "first_seen": first,
        "last_seen": START + 90.0,
    }


def issues(draw: Draw) -> Listing:
    return listing(*(issue(draw, n) for n in range(draw(st.integers(0, 5)))), what="issues")


def lines(draw: Draw) -> Listing:
    at = sorted(draw(st.lists(st.floats(0, 14_399), max_size=12)))
    texts = st.sampled_from(["ERROR one", "ERROR two", "INFO fine"])
    return listing(
        *({"id": str(n), "at": START + t, "message": draw(texts)} for n, t in enumerate(at)),
        what="ERROR lines",
    )


def statement(draw: Draw, key: str) -> dict[str, Any]:
    calls = draw(st.integers(1, 500))
    return {
        "key": key,
        "role": "app",
        "query": "SELECT $1",
        "calls": calls,
        "total_ms": calls * draw(ms),
        "max_ms": draw(ms),
    }


def statements(draw: Draw) -> Case:
    about = {"read_at": START, "stats_reset": START - 1e6, "dealloc": 0, "slow_ms": 1000.0}
    before = [statement(draw, str(n)) for n in range(draw(st.integers(0, 3)))]
    now = [statement(draw, str(n)) for n in range(draw(st.integers(0, 4)))]
    runs = [
        {"pid": 1, "role": "app", "query": "SELECT 1", "age_s": draw(st.floats(0, 3))}
        for _ in range(draw(st.integers(0, 1)))
    ]
    return NoSlowStatement(), {
        "statements": listing(*now, about=about),
        "before": listing(*before, about=about),
        "running": listing(*runs),
    }


def level(draw: Draw) -> Case:
    hour = Question(source="test", asked="x", at=T0, window=Window(T0 - timedelta(hours=1), T0))
    before = Counts(
        question=hour, total=900, bad=0, what="lines", parts={"WARN": draw(few), "x": draw(few)}
    )
    now = counts(900, WARN=draw(st.integers(0, 60)), x=draw(st.integers(0, 60)))
    return LevelKept(), {"now": now, "baseline": before}


def restarts(draw: Draw) -> Case:
    begun = [-draw(st.floats(100, 90_000)), draw(st.sampled_from([1e9, 3000.0, 9000.0]))]
    uptimes = []
    for n in range(1440):
        at = 10.0 * n + 3
        since = max((each for each in begun if each <= at), default=None)
        if since is not None:
            uptimes.append(Uptime(START + at, float(int(at - since)), ""))
    plan = draw(st.sampled_from([0.0, 1200.0, 7200.0]))
    return NoRestart(recycles_every_s=plan), {"probes": probes(draw, uptimes=tuple(uptimes))}


def beats(draw: Draw) -> Case:
    at, times = 0.0, []
    while at < 14_400:
        times.append(START + at)
        at += draw(st.sampled_from([30.0] * 200 + [60.0, 74.0, 76.0, 200.0]))
    line = Line(labels={"worker": "a"}, times=tuple(times), values=(None,) * len(times))
    return BeatsKept(), {"beats": Series(question=ASKED, unit="s", lines=(line,))}


def rise(draw: Draw) -> Case:
    every = [float(draw(st.integers(0, 300))) for _ in range(4)]
    bad = [float(draw(few)) for _ in range(4)]
    good = ({"status": "200"}, [value for value in every for _ in range(12)])
    failed = ({"status": "500"}, [value / 12 for value in bad for _ in range(12)])
    return NoRise(), {"responses": series("requests", good, failed, every_s=300.0)}


def standings(draw: Draw) -> Case:
    outcome = st.sampled_from(["PASS", "FAIL", "INCONCLUSIVE"])
    items = [
        {
            "hour": hour,
            "id": "DB-POOL",
            "subject": "",
            "outcome": draw(outcome),
            "code": "",
            "settled": "",
            "waived": draw(st.sampled_from(["", "Mara Lind"])),
        }
        for hour in (0, 4, 8)
    ]
    return HeldThroughout(criteria=("DB-POOL",)), {"standings": listing(*items)}


def taken(draw: Draw) -> Case:
    items = [{"name": n, "taken": draw(st.booleans()), "code": "x"} for n in ("memory", "disk")]
    return AllTaken(), {"measures": listing(*items)}


def disk(draw: Draw) -> Case:
    def reading(hours: float) -> dict[str, Any]:
        return {
            "at": START + 3600 * hours,
            "used_bytes": draw(st.floats(1e9, 9e9)),
            "size_bytes": 1e10,
        }

    below = DiskBelow(days=draw(st.sampled_from([0.0, 7.0])))
    return below, {"disk": listing(reading(4)), "before": listing(reading(0), reading(2))}


def pool(draw: Draw) -> Case:
    item = {
        "in_use": draw(few),
        "available": draw(few),
        "oldest_idle_in_transaction_s": draw(st.floats(0, 90)),
        "oldest_lock_wait_s": draw(st.floats(0, 20)),
    }
    return PoolBelow(), {"connections": listing(item)}


def transactions(draw: Draw) -> Case:
    basis = draw(st.sampled_from(["census", "sample"]))
    items = [
        {"transaction": str(n), "count": draw(many), **dict.fromkeys(("p50", "p90"), 10.0)}
        | {"p95": 20.0, "p99": draw(ms), "p100": 3000.0}
        for n in range(draw(st.integers(0, 12)))
    ]
    found = listing(*items, what="transactions", basis=basis)
    return MostBelow(share=0.9, limit_ms=1000.0), {"transactions": found}


def headroom(draw: Draw) -> Case:
    memory = series("MB", ({"instance": "a"}, heap(draw)))
    return HeadroomKept(), {"memory": memory, "limit": series("MB", ({"instance": "a"}, [512.0]))}


def floor(draw: Draw) -> Case:
    now, before = (series("MB", ({"instance": "a"}, heap(draw, 24))) for _ in range(2))
    return FloorKept(), {"now": now, "baseline": before}


def certificates(draw: Draw) -> Case:
    item = {
        "of": "health",
        "address": "https://a.net",
        "problem": "",
        "says": "",
        "at": START,
        "not_before": START - 1e6,
        "not_after": START + 86_400 * draw(st.floats(0, 30)),
    }
    until = CertificatesValid(until=START, days=14.0)
    return until, {"certificates": listing(item)}


CASES: dict[str, Callable[[Draw], Case]] = {
    "RateBelow": lambda draw: (
        RateBelow(limit=0.01),
        {
            "platform": counts(draw(many), draw(few)),
            "probe": counts(draw(many), draw(few), "sample"),
        },
    ),
    "DropsBelow": lambda draw: (
        DropsBelow(),
        {
            "held": counts(draw(st.integers(0, 60)), draw(few), "sample"),
            "probes": probes(
                draw, connections=draw(st.integers(0, 900)), drops=draw(st.integers(0, 120))
            ),
        },
    ),
    "QuantileBelow": lambda draw: (
        QuantileBelow(target_ms=draw(ms), q=draw(st.sampled_from([0.9, 0.99]))),
        {"probes": distribution(draw, 200.0)},
    ),
    "NotSlower": lambda draw: (
        NotSlower(),
        {"now": distribution(draw, 200.0), "baseline": distribution(draw, 200.0)},
    ),
    "LevelKept": level,
    "MostBelow": transactions,
    "DiskBelow": disk,
    "PoolBelow": pool,
    "HeadroomKept": headroom,
    "FloorKept": floor,
    "NoSlowStatement": statements,
    "EventsBelow": lambda draw: (EventsBelow(per_hour=5), {"events": lines(draw)}),
    "NoErrorLine": lambda draw: (NoErrorLine(), {"lines": lines(draw)}),
    "NoPattern": lambda draw: (NoPattern(per_hour=5, per_day=10), {"lines": lines(draw)}),
    "NoNewIssue": lambda draw: (NoNewIssue(), {"issues": issues(draw)}),
    "NoCriticalIssue": lambda draw: (NoCriticalIssue(), {"issues": issues(draw)}),
    "TopKnown": lambda draw: (TopKnown(top=3), {"issues": issues(draw)}),
    "NoRise": rise,
    "BeatsKept": beats,
    "NoRestart": restarts,
    "AlwaysUp": lambda draw: (AlwaysUp(), {"probes": probes(draw)}),
    "NothingDropped": lambda draw: (
        NothingDropped(),
        {"outcomes": counts(draw(many), draw(few), accepted=1)},
    ),
    "AllTaken": taken,
    "CertificatesValid": certificates,
    "HeldThroughout": standings,
    "ValueBelow": lambda draw: (
        ValueBelow(limit=draw(ms)),
        {"value": Total(question=ASKED, value=draw(ms), unit="ms")},
    ),
    "ValueAtLeast": lambda draw: (
        ValueAtLeast(limit=draw(ms)),
        {"value": Total(question=ASKED, value=draw(ms), unit="ms")},
    ),
}


def test_every_objective_is_tried() -> None:
    """A new one needs a case, or the reason why it has none."""
    ours = {name for name, each in _BY_NAME.items() if each.__module__.startswith("hour24.")}
    assert ours == {*CASES, *TOLD_ELSEWHERE}


def beyond(verdict: Verdict) -> list[str]:
    """What a PASS shows beyond the limit that it names."""
    scale = verdict.scale
    if scale is None:
        return []
    worst = scale.upper if scale.better == "below" else scale.lower
    shown = {"observed": scale.observed, "bound": worst}
    sign = 1 if scale.better == "below" else -1
    slack = 1e-9 * max(1.0, abs(scale.limit))
    found = [
        f"{name} {value:g} {scale.unit}, limit {scale.limit:g}"
        for name, value in shown.items()
        if value is not None and sign * (value - scale.limit) > slack
    ]
    factors = [re.search(r"×([\d.]+)", text) for text in (verdict.observed, verdict.limit)]
    if all(factors):
        said, limit = (float(each[1]) for each in factors if each)
        found += [f"{verdict.observed} against {verdict.limit}"] * (said > limit)
    return found


@pytest.mark.parametrize("name", CASES)
def test_no_pass_is_beyond_its_own_limit(name: str) -> None:
    """Neither the value nor the bound that decides; and some of the cases do pass."""
    passed = 0

    @settings(max_examples=300, deadline=None, database=None)
    @given(data=st.data())
    def judge(data: st.DataObject) -> None:
        nonlocal passed
        objective, evidence = CASES[name](data.draw)
        verdict = objective.judge(evidence)
        if verdict.outcome == Outcome.PASS:
            passed += 1
            assert beyond(verdict) == [], verdict

    judge()
    assert passed
