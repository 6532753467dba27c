"""The database, judged: whether it answers, its pool, its disk, its statements."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from hour24.evidence import Listing
from hour24.objectives.base import from_plain
from hour24.objectives.database import DatabaseAnswers, DiskBelow, PoolBelow
from hour24.objectives.statements import NoSlowStatement
from hour24.verdict import Outcome
from tests.evidence_of import AT, document, listing, unanswered

ROW = listing({"datname": "postgres", "numbackends": 12, "size_bytes": 2_500_000_000})
UP = document({"database": True})
WELL = listing(
    {"name": "db", "status": "ACTIVE_HEALTHY", "error": ""},
    {"name": "auth", "status": "ACTIVE_HEALTHY", "error": ""},
)
ANSWERED_BEFORE = listing({"hour": 0, "answered": True})


def services(status: str) -> Listing:
    return listing(WELL.items[1], {"name": "db", "status": status, "error": "no route"})


@pytest.mark.parametrize(
    ("evidence", "outcome", "code"),
    [
        ({"row": ROW, "health": UP, "services": WELL}, Outcome.PASS, ""),
        ({"row": ROW}, Outcome.PASS, ""),
        ({"row": ROW, "health": document(None, 503), "services": WELL}, Outcome.PASS, ""),
        ({"row": ROW, "health": document({"database": "degraded"})}, Outcome.PASS, ""),
        ({"row": ROW, "health": document({"database": False}, 503)}, Outcome.FAIL, "database_down"),
        ({"row": ROW, "health": document({"database": "down"})}, Outcome.FAIL, "database_down"),
        ({"row": ROW, "services": services("UNHEALTHY")}, Outcome.FAIL, "services_unhealthy"),
        ({"row": ROW, "services": services("COMING_UP")}, Outcome.FAIL, "services_unhealthy"),
        ({"row": ROW, "services": services("FINE")}, Outcome.INCONCLUSIVE, "source_misread"),
        ({"row": ROW, "services": listing()}, Outcome.INCONCLUSIVE, "source_misread"),
        (
            {"row": ROW, "services": unanswered("source_limited")},
            Outcome.INCONCLUSIVE,
            "source_limited",
        ),
        (
            {"row": unanswered(), "health": UP, "services": WELL},
            Outcome.INCONCLUSIVE,
            "source_unreachable",
        ),
        (
            {"row": unanswered(), "before": ANSWERED_BEFORE},
            Outcome.INCONCLUSIVE,
            "source_unreachable",
        ),
        (
            {"row": unanswered(), "health": document({"database": False})},
            Outcome.FAIL,
            "database_down",
        ),
        ({"row": listing()}, Outcome.INCONCLUSIVE, "no_data"),
        ({"services": WELL, "health": UP}, Outcome.INCONCLUSIVE, "not_described"),
        ({}, Outcome.INCONCLUSIVE, "not_described"),
    ],
)
def test_the_database_is_both_service_and_source(evidence, outcome, code):
    """Health document and Supabase may report it down; our own connection alone shows nothing."""
    verdict = DatabaseAnswers().judge(evidence)
    assert (verdict.outcome, verdict.code) == (outcome, code)


@pytest.mark.parametrize("code", ["login_refused", "too_many_connections", "not_accepting"])
def test_a_refusal_fails_only_where_a_login_worked_before(code):
    """Otherwise our own credential may be wrong."""
    row = unanswered(code, "the given reason")
    first = DatabaseAnswers().judge({"row": row})
    assert (first.outcome, first.code) == (Outcome.INCONCLUSIVE, code)
    assert "no login has worked in this watch yet" in first.reason
    never = listing({"hour": 0, "answered": False})
    assert DatabaseAnswers().judge({"row": row, "before": never}).outcome == Outcome.INCONCLUSIVE
    later = DatabaseAnswers().judge({"row": row, "before": ANSWERED_BEFORE, "health": UP})
    assert (later.outcome, later.code) == (Outcome.FAIL, code)
    assert "the given reason" in later.reason
    assert later.reason.endswith("; the health document reports it up")


@pytest.mark.parametrize("code", ["source_refused", "source_unreachable", "source_timeout"])
def test_an_answer_that_is_no_refusal_of_the_login_never_fails(code):
    """Our address, our network or a timeout may be the cause; the database may be healthy."""
    row = unanswered(code)
    verdict = DatabaseAnswers().judge({"row": row, "before": ANSWERED_BEFORE, "health": UP})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, code)
    assert "no login has worked" not in verdict.reason


def test_every_report_of_an_outage_is_in_the_reason():
    """The reason has the health document's state, the platform's state and its error."""
    verdict = DatabaseAnswers().judge(
        {"row": ROW, "health": document({"database": False}), "services": services("UNHEALTHY")}
    )
    assert "the health document reports it down; test reports db UNHEALTHY (no route)" in (
        verdict.reason
    )
    assert "our own query was answered in 12 ms" in verdict.reason


def test_another_pointer_reads_another_document():
    """An IETF health document nests the state; an empty pointer reads none."""
    nested = document({"checks": {"postgres:up": [{"status": "fail"}]}}, 503)
    objective = DatabaseAnswers(database="/checks/postgres:up/0/status")
    assert objective.judge({"row": ROW, "health": nested}).outcome == Outcome.FAIL
    silent = DatabaseAnswers(database="")
    down = document({"database": False})
    assert silent.judge({"row": ROW, "health": down}).outcome == Outcome.PASS


# --- the pool ---------------------------------------------------------------------------------


def pool(objective: dict[str, Any] | None = None, **changed: Any) -> Any:
    item = {
        "in_use": 12,
        "available": 37,
        "oldest_idle_in_transaction_s": 0.0,
        "oldest_lock_wait_s": 0.0,
        "limits": [],
        **changed,
    }
    return PoolBelow(**(objective or {})).judge({"connections": listing(item)})


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, ""),
        ({"in_use": 29}, ""),
        ({"in_use": 30}, "pool_full"),
        ({"in_use": 4, "available": 5}, "pool_full"),
        ({"available": 0}, "pool_full"),
        ({"oldest_idle_in_transaction_s": 60.0}, ""),
        ({"oldest_idle_in_transaction_s": 60.5}, "idle_in_transaction"),
        ({"oldest_lock_wait_s": 10.5}, "lock_wait"),
        ({"limits": [{"what": "connections of role app", "in_use": 8, "limit": 10}]}, "pool_full"),
        ({"limits": [{"what": "connections of role app", "in_use": 7, "limit": 10}]}, ""),
    ],
)
def test_the_pool_has_free_connections_and_no_long_waits(changed, code):
    """Limits of the server, of the database and of each role count."""
    verdict = pool(**changed)
    assert verdict.code == code
    assert verdict.outcome == (Outcome.FAIL if code else Outcome.PASS)


def test_every_problem_of_the_pool_is_reported():
    """The reason has three findings, each with its numbers."""
    verdict = pool(
        in_use=37,
        oldest_idle_in_transaction_s=75.2,
        oldest_lock_wait_s=14.0,
        lock_wait_by="app, pid 9, blocked by {7}",
    )
    assert "37 of 37 connections are in use, 100 %" in verdict.reason
    assert "for 1 min 15 s" in verdict.reason
    assert "(app, pid 9, blocked by {7}) has waited for a lock for 14 s" in verdict.reason


@pytest.mark.parametrize("item", [None, {}, {"in_use": None, "available": 3}])
def test_a_pool_without_numbers_is_inconclusive(item):
    """A missing number is not zero."""
    evidence = listing(*([item] if item is not None else []))
    assert PoolBelow().judge({"connections": evidence}).code == "no_data"


@pytest.mark.parametrize("name", ["oldest_idle_in_transaction_s", "oldest_lock_wait_s"])
def test_a_wait_that_was_not_reported_is_not_zero(name):
    """Free connections alone are no PASS; too many in use still fail."""
    verdict = pool(**{name: None})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "no_data")
    assert pool(in_use=37, **{name: None}).outcome == Outcome.FAIL


def test_the_pool_is_drawn_against_its_limit_in_percent():
    """The scale and the figures are those of the reason; no platform session is assumed."""
    verdict = pool()
    assert (verdict.scale.limit, round(verdict.scale.observed, 1)) == (80.0, 32.4)
    assert "excluded" not in pool(objective={"idle_in_transaction_s": 0.5}).reason


# --- the disk ---------------------------------------------------------------------------------

GB = 1e9


def reading(hours: float, used: float, size: float | None = 8 * GB) -> dict[str, Any]:
    return {"size_bytes": size, "used_bytes": used, "at": AT.timestamp() + 3600 * hours}


def disk(now: dict[str, Any], *before: dict[str, Any], objective: Any = None) -> Any:
    evidence: dict[str, Any] = {"disk": listing(now)}
    if before:
        evidence["before"] = listing(*before)
    return (objective or DiskBelow(days=7.0)).judge(evidence)


@pytest.mark.parametrize(
    ("now", "before", "outcome", "code"),
    [
        (reading(4, 2.0 * GB), (reading(0, 1.99 * GB),), Outcome.PASS, ""),
        (reading(4, 6.4 * GB), (reading(0, 6.4 * GB),), Outcome.FAIL, "disk_full"),
        (reading(4, 6.39 * GB), (reading(0, 6.39 * GB),), Outcome.PASS, ""),
        (reading(4, 3.2 * GB), (reading(0, 2.0 * GB),), Outcome.FAIL, "disk_growing"),
        (reading(4, 2.0 * GB), (reading(0, 2.5 * GB),), Outcome.PASS, ""),
        (reading(4, 2.0 * GB), (), Outcome.INCONCLUSIVE, "too_early"),
        (reading(4, 2.0 * GB), (reading(3.5, 2.0 * GB),), Outcome.INCONCLUSIVE, "too_early"),
        (reading(4, 7.0 * GB), (), Outcome.FAIL, "disk_full"),
        (reading(4, 2.0 * GB, None), (reading(0, 2.0 * GB),), Outcome.INCONCLUSIVE, "no_data"),
        (reading(4, 2.0 * GB, 0.0), (reading(0, 2.0 * GB),), Outcome.INCONCLUSIVE, "no_data"),
    ],
)
def test_the_disk_has_space_now_and_later(now, before, outcome, code):
    """It is below 80 % now, and not full within a week."""
    verdict = disk(now, *before)
    assert (verdict.outcome, verdict.code) == (outcome, code)


def test_days_left_are_computed_from_the_growth():
    """6 GB free at 1 GB a day are six days; at 0.75 GB a day, eight."""
    six = disk(reading(24, 2 * GB), reading(0, 1 * GB))
    assert six.figures["days_left"] == pytest.approx(6.0)
    assert six.bound == "6.0 days left"
    assert six.figures["growth_bytes_per_day"] == pytest.approx(1 * GB)
    assert "it grows by 1.00 GB a day" in six.reason
    assert (six.scale.limit, six.scale.observed) == (80.0, 25.0)
    eight = disk(reading(24, 2 * GB), reading(0, 1.25 * GB))
    assert eight.outcome == Outcome.PASS
    assert eight.figures["days_left"] == pytest.approx(8.0)


def test_one_outlier_makes_no_trend():
    """The median slope of all pairs is robust."""
    readings = [reading(hour, 2 * GB + hour * 1e6) for hour in range(0, 24, 4)]
    readings[3]["used_bytes"] += 1.5 * GB
    verdict = disk(reading(24, 2 * GB + 24e6), *readings)
    assert verdict.outcome == Outcome.PASS
    assert verdict.figures["growth_bytes_per_day"] == pytest.approx(24e6, rel=0.01)


def test_at_hour_0_growth_is_not_judged():
    """With ``days=0`` no earlier reading is needed."""
    verdict = disk(reading(0, 2 * GB), objective=DiskBelow(days=0))
    assert (verdict.outcome, verdict.limit) == (Outcome.PASS, "below 80 %")
    unknown = DiskBelow(days=7.0).judge({"disk": listing(reading(0, GB)), "before": unanswered()})
    assert unknown.code == "too_early"


# --- statements -------------------------------------------------------------------------------

READ_AT = AT.timestamp()


def statement(key: str = "app/1/t", **changed: Any) -> dict[str, Any]:
    plain = {"role": "app", "query": "SELECT $1", "calls": 100, "total_ms": 5000.0}
    return {"key": key, **plain, "max_ms": 1500.0, "stats_since": None, **changed}


def snapshot(*items: dict[str, Any], later_s: float = 0.0, **about: Any) -> Listing:
    counters = {"stats_reset": READ_AT - 1e6, "dealloc": 0, "slow_ms": 1000.0, **about}
    return listing(*items, **{"read_at": READ_AT + later_s, **counters})


BEFORE = snapshot(statement())
NONE_RUNS = listing()


def slow(now: Listing, before: Any = BEFORE, runs: Listing = NONE_RUNS, **options: Any) -> Any:
    evidence = {"statements": now, "running": runs}
    if before is not None:
        evidence["before"] = before
    return NoSlowStatement(**options).judge(evidence)


def later(*items: dict[str, Any], **about: Any) -> Listing:
    return snapshot(*items, later_s=14400.0, **about)


@pytest.mark.parametrize(
    ("now", "outcome", "code"),
    [
        (later(statement()), Outcome.PASS, ""),
        (later(statement(calls=200, total_ms=6000.0)), Outcome.PASS, ""),
        (later(statement(calls=102, total_ms=7200.0)), Outcome.FAIL, "slow_statement"),
        (later(statement(calls=101, max_ms=1501.0)), Outcome.FAIL, "slow_statement"),
        (later(statement(), statement("app/2/t", calls=1)), Outcome.FAIL, "slow_statement"),
        (later(statement(), statement("app/2/t", max_ms=1000.0)), Outcome.PASS, ""),
        (later(statement(calls=3)), Outcome.FAIL, "slow_statement"),
        (later(statement(stats_since=READ_AT + 60)), Outcome.FAIL, "slow_statement"),
        (later(statement(stats_since=READ_AT - 60)), Outcome.PASS, ""),
        (later(statement(minmax_since=READ_AT + 60)), Outcome.FAIL, "slow_statement"),
        (later(), Outcome.INCONCLUSIVE, "statistics_evicted"),
        (later(statement(), dealloc=2), Outcome.INCONCLUSIVE, "statistics_evicted"),
        (later(statement(), dealloc=1), Outcome.INCONCLUSIVE, "statistics_evicted"),
        (
            later(statement(), stats_reset=READ_AT + 60),
            Outcome.INCONCLUSIVE,
            "statistics_reset",
        ),
        (
            later(statement(), stats_reset=READ_AT - 2e6),
            Outcome.INCONCLUSIVE,
            "statistics_reset",
        ),
        (
            later(statement("app/2/t"), stats_reset=READ_AT + 60),
            Outcome.FAIL,
            "slow_statement",
        ),
    ],
)
def test_two_snapshots_show_what_was_slow_in_between(now, outcome, code):
    """A mean, a new maximum and a reset entry count; resets and evictions are INCONCLUSIVE."""
    verdict = slow(now)
    assert (verdict.outcome, verdict.code) == (outcome, code)


def test_the_mean_is_that_of_the_calls_in_between():
    """It is 1,100 ms over the last two calls, whatever the mean of all calls."""
    verdict = slow(later(statement(calls=102, total_ms=7200.0)))
    assert verdict.figures["longest_ms"] == pytest.approx(1100.0)
    assert "SELECT $1 (app) averaged 1,100 ms over 2 calls" in verdict.reason


def test_blind_spots_are_listed():
    """A statement that was slower before may hide a single slow call."""
    reason = slow(later(statement(calls=200, total_ms=6000.0))).reason
    assert "a single slow call of the 1 statements that were slower before" in reason
    assert "cancelled calls" in reason


def test_what_is_running_too_long_fails_also_without_a_snapshot_before():
    """The age of a running statement is its time so far."""
    runs = listing({"pid": 7, "role": "app", "state": "active", "age_s": 2.5, "query": "SELECT"})
    verdict = slow(later(), None, runs)
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "slow_statement")
    assert "has been running for 2.5 s" in verdict.reason
    brief = listing({**runs.items[0], "age_s": 1.0})
    assert slow(later(statement()), BEFORE, brief).outcome == Outcome.PASS


@pytest.mark.parametrize("before", [None, unanswered("baseline_absent", "no hour 0")])
def test_without_a_snapshot_before_nothing_is_shown(before):
    """A difference needs two snapshots."""
    verdict = slow(later(statement()), before)
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "baseline_absent")


def test_a_snapshot_with_a_higher_limit_is_no_baseline():
    """It lacks statements that are slow by today's limit."""
    assert slow(later(statement()), snapshot(slow_ms=2000.0)).code == "baseline_absent"


def test_the_slowest_of_too_many_statements_can_fail_and_never_pass():
    """What is not among them before may have been slow before, beyond the part that was read."""
    cut = {"complete": False, "note": "database: expected at most 1000 of them, got more"}
    many = structs.replace(later(statement()), **cut)
    verdict = slow(many)
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "source_incomplete")
    assert "expected at most 1000" in verdict.reason
    worse = structs.replace(later(statement(calls=101, max_ms=1501.0)), **cut)
    assert slow(worse).outcome == Outcome.FAIL
    unknown = later(statement(), statement("app/2/t", calls=1))
    assert slow(unknown, structs.replace(BEFORE, **cut)).outcome == Outcome.INCONCLUSIVE


def test_the_platform_s_own_roles_are_excluded():
    """This applies to running, averaging and missing statements."""
    own = {"role": "supabase_admin"}
    runs = listing({"pid": 7, "state": "active", "age_s": 99.0, "query": "VACUUM", **own})
    verdict = slow(
        later(statement("a/2/t", calls=9, **own)),
        snapshot(statement("a/1/t", **own)),
        runs,
        platform_roles=("supabase_admin",),
    )
    assert verdict.outcome == Outcome.PASS


@pytest.mark.parametrize(
    ("objective", "evidence"),
    [
        (
            NoSlowStatement(),
            {
                "statements": later(statement(calls=102, total_ms=7200.0)),
                "running": NONE_RUNS,
                "before": BEFORE,
            },
        ),
        (
            DiskBelow(days=7.0),
            {"disk": listing(reading(4, GB)), "before": listing(reading(0, 0.9 * GB))},
        ),
        (DatabaseAnswers(), {"row": ROW}),
    ],
)
def test_a_verdict_is_recomputed_from_json(objective, evidence):
    """Fields and evidence load back equal."""
    from hour24.evidence import from_plain as evidence_from
    from hour24.evidence import to_plain

    again = from_plain(json.loads(json.dumps(objective.to_plain())))
    stored = {
        name: evidence_from(json.loads(json.dumps(to_plain(e)))) for name, e in evidence.items()
    }
    assert again.judge(stored) == objective.judge(evidence)
