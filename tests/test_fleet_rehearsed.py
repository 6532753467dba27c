"""150 rehearsed services on one page: each seeded fault is in its place, and nowhere else."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from hour24.criteria import CRITERIA
from hour24.ledger.book import Ledger
from hour24.ledger.record import Record
from hour24.rehearsal.faults import parse_faults
from hour24.rehearsal.run import RunPlan, run_checkpoints
from hour24.report import fleet
from hour24.verdict import Outcome
from tests import small_watch as small
from tests.played import hour24

SERVICES, FAULTS = 150, 30


class Seeded(NamedTuple):
    """One fault: which service has it, what it must turn red, and at which checkpoint."""

    number: int
    criterion: str
    hour: int
    faults: tuple[str, ...]

    @property
    def watch(self) -> str:
        return f"w{self.number:03d}"


def _seeded() -> list[Seeded]:
    """Each fault that a criterion is proven with at hour 4, there or four hours later."""
    names = [
        name
        for name, one in CRITERIA.items()
        if one.proof is not None and one.proof.failing == (0, 4)
    ]
    found = []
    for number in range(FAULTS):
        name = names[number % len(names)]
        hour = 4 if (number + number // len(names)) % 2 else 8
        proof = CRITERIA[name].proof
        assert proof is not None
        faults = tuple(
            str(replace(each, start_h=each.start_h + hour - 4, end_h=each.end_h + hour - 4))
            for each in parse_faults(proof.faults)
        )
        found.append(Seeded(number * (SERVICES // FAULTS) + 2, name, hour, faults))
    return found


SEEDED = _seeded()


class Rehearsed(NamedTuple):
    """What a rehearsal left: its records, and their pages by name."""

    records: tuple[Record, ...]
    pages: Mapping[str, bytes]


@cache
def rehearsed(faults: tuple[str, ...], hour: int, folder: Path) -> Rehearsed:
    """Hours 0 and ``hour`` of a service with these faults."""
    plan = RunPlan(
        seed=1, faults=faults, t0=small.T0, hours=(0, hour), reports=folder, watch="rehearsed"
    )
    ran = list(run_checkpoints(plan))
    assert all(each.record is not None for each in ran), ran[-1].output
    made = folder / "rehearsed"
    pages = {
        path.name: path.read_bytes()
        for path in made.glob("*.html")
        if not path.name.endswith(".pytest.html")
    }
    shutil.rmtree(made)
    return Rehearsed(tuple(each.record for each in ran if each.record is not None), pages)


class Fleet(NamedTuple):
    """A folder with a watch of each service, and those that have a fault."""

    reports: Path
    faulty: dict[str, tuple[Seeded, Rehearsed]]
    rows: dict[str, fleet.Row]


@pytest.fixture(scope="module")
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """The fleet with every fault that is tested in this form; the other services are well."""
    chosen = {
        item.callspec.params["seeded"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and hasattr(item, "callspec")
        and item.path == Path(__file__)
        and "seeded" in item.callspec.params
    }
    by_watch = {each.watch: each for each in chosen}
    scratch, reports = tmp_path_factory.mktemp("scratch"), tmp_path_factory.mktemp("fleet")
    faulty = {}
    for number in range(SERVICES):
        watch = f"w{number:03d}"
        seeded = by_watch.get(watch)
        ran = rehearsed(*(((), 4) if seeded is None else (seeded.faults, seeded.hour)), scratch)
        service = {"name": f"service-{number:03d}", "environment": "production", "release": "1"}
        ledger = Ledger.create(reports, small.genesis(name=watch, service=service))
        for record in ran.records:
            ledger.write(replace(record, watch=watch, service=service))
        for name, page in ran.pages.items():
            (reports / watch / name).write_bytes(page)
        if seeded is not None:
            faulty[watch] = seeded, ran
    ledgers = [Ledger(each.parent) for each in sorted(reports.glob("*/watch.json"))]
    found = fleet.rows(ledgers, reports, lambda ledger: small.T0)
    return Fleet(reports, faulty, {row.watch: row for row in found})


@pytest.mark.suite("fleet", short=2)
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seeded", SEEDED, ids=lambda one: f"{one.watch}-{one.criterion}")
def test_each_rehearsed_fault_is_in_its_place(seeded: Seeded, drawn: Fleet) -> None:
    """Its service, its criterion, its hour; the link leads to the evidence on a page that is."""
    row = drawn.rows[seeded.watch]
    cell = row.cells[seeded.criterion]
    assert cell.state == "fail"
    assert [hour for hour, _ in cell.hours] == [seeded.hour]
    _, link = cell.hours[0]
    path, _, anchor = link.partition("#")
    assert f'id="{anchor}"' in (drawn.reports / path).read_text("utf-8")
    _, ran = drawn.faulty[seeded.watch]
    failing = {
        one.id for record in ran.records for one in record.criteria if one.outcome == Outcome.FAIL
    }
    assert {name for name, each in row.cells.items() if each.state == "fail"} == failing


@pytest.mark.timeout(1200)
def test_the_rehearsed_fleet_is_one_page_with_the_faults_first(drawn: Fleet) -> None:
    """150 rows: those with a fault before those without, and no healthy one is red or open."""
    assert len(drawn.rows) == SERVICES
    order = list(drawn.rows)
    assert set(order[: len(drawn.faulty)]) == set(drawn.faulty)
    for watch in order[len(drawn.faulty) :]:
        assert drawn.rows[watch].open == (0, 0, 0), watch
    done = hour24("fleet", drawn.reports)
    assert done.returncode == 0, done.stdout
    page = (drawn.reports / "fleet.html").read_text("utf-8")
    assert len(re.findall(r'<th scope="row"', page)) == SERVICES
    assert f"{SERVICES} services" in done.stdout


def test_thirty_faults_are_thirty_places() -> None:
    """No two services share a place, and every fault is one of the rehearsal's."""
    assert len(SEEDED) == FAULTS
    assert len({each.watch for each in SEEDED}) == FAULTS
    assert len({(each.criterion, each.hour) for each in SEEDED}) == FAULTS
