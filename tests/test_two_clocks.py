"""Two machines with clocks ten minutes apart share one ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from hour24.ledger.verify import verify
from hour24.rehearsal.client import Rehearsal
from tests.clocks import Clocked, offset
from tests.played import T0, hour24

OF_NOW = {"HEALTH-SCHEMA", "DB-ONLINE", "DB-POOL", "DB-SIZE", "DB-SLOW", "WS-STABLE"}
APART = timedelta(minutes=10)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Clocked, Clocked]]:
    """The right one, and one that is ahead; the right one has recorded hour 0."""
    folder = tmp_path_factory.mktemp("machines")
    with Rehearsal.start(seed=1, faults=(), t0=T0) as served:
        right, ahead = (Clocked(served, folder / name) for name in ("right", "ahead"))
        right.open()
        for each in (right, ahead):
            shared = hour24("share", "w", "--at", str(folder / "store"), "--reports", each.reports)
            assert shared.returncode == 0, shared.stdout
        right.run(0)
        yield right, ahead


def test_a_wrong_clock_is_named_and_settled_by_the_machine_with_the_right_one(
    machines: tuple[Clocked, Clocked],
) -> None:
    """No verdict is FAIL or rests on windows that are not ours; the other machine asks again."""
    right, ahead = machines
    due = right.ledger.watch.checkpoint(4).due
    right.simulate(4)
    said = ahead.run(4, HOUR24_TEST_CLOCK=offset(due + APART + timedelta(seconds=1)))
    record = ahead.record(4)
    # the servers' clock stands still here, which HEALTH-SCHEMA takes for a cache's
    others = [one for one in record.criteria if one.id != "HEALTH-SCHEMA"]
    open_ones = [one for one in others if str(one.outcome) != "PASS"]
    assert {str(one.outcome) for one in open_ones} == {"INCONCLUSIVE"}
    assert {one.code for one in open_ones} == {"source_clock"}
    assert all("clock" in one.reason for one in open_ones)
    assert "The clock of this machine and other clocks differ: 16 checks not measured" in said
    assert "The clock of this machine and other clocks differ: correct the wrong one" in said

    said = right.run(8)
    assert "asking hour 4 again" in said
    assert "source_clock" in said
    # what exists only now was asked at the wrong time, and is late for a second attempt
    left = {name: each for name, each in right.verdicts(4).items() if each != "PASS"}
    assert set(left.values()) == {"INCONCLUSIVE late"}, left
    assert {name.split()[0] for name in left} <= OF_NOW
    assert right.record(4).attempt == 2
    for each in machines:
        assert all(found.ok for found in verify(each.ledger.folder))


def test_an_entry_before_the_newest_one_is_refused_and_names_the_clock(
    machines: tuple[Clocked, Clocked],
) -> None:
    """Beyond ten minutes; nothing is written, and both times are there."""
    right, _ = machines
    before = len(right.ledger.entries())
    newest = max(record.ended for record in right.ledger.records())
    done = hour24(
        "waive", "DB-SIZE", "w", "--hour", "4", "--by", "Mara Lind", "--because", "known",
        "--until", "2026-03-09", "--reports", right.reports,
        **{**right.environ, "HOUR24_TEST_CLOCK": offset(newest - timedelta(minutes=11))},
    )  # fmt: skip
    assert done.returncode != 0
    assert "nothing was written; the clock of one machine is wrong" in done.stdout
    assert len(right.ledger.entries()) == before
