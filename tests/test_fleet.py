"""One page of many services: the worst first, each fault in its place."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from hour24.criteria import CRITERIA, due
from hour24.ledger.book import Ledger
from hour24.report import fleet
from tests import small_watch as small
from tests.played import hour24

SERVICES, FAULTS = 150, 30
NOW = small.AFTER


def service(number: int) -> dict[str, str]:
    return {"name": f"service-{number:03d}", "environment": "production", "release": "7c1e2fa"}


def place_of(number: int) -> tuple[str, int]:
    """Where the fault of a service is: a criterion that is due at that hour."""
    hour = (4, 8, 12, 16, 20)[number % 5]
    names = [one.id for one in due(hour) if not one.each_endpoint]
    return names[number % len(names)], hour


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 watches up to hour 20; each fifth has one fault."""
    folder = tmp_path_factory.mktemp("fleet")
    for number in range(SERVICES):
        named = {"service": service(number), "name": f"w{number:03d}"}
        ledger = Ledger.create(folder, small.genesis(**named))
        faulty = number % (SERVICES // FAULTS) == 0
        name, at = place_of(number)
        for hour in (at,) if not faulty else (0, at):
            others = []
            if faulty and hour == at:
                others = [small.judged(name, hour, small.counts(hour, bad=90))]
            ledger.write(
                small.record(hour, *others, service=service(number), watch=f"w{number:03d}")
            )
    return folder


def test_each_seeded_fault_is_in_its_place(reports: Path) -> None:
    """30 of 150: the first rows, each with its criterion and hour, linked to the evidence."""
    at = small.T0 + timedelta(hours=3)
    ledgers = [Ledger(each.parent) for each in sorted(reports.glob("*/watch.json"))]
    found = fleet.rows(ledgers, reports, lambda ledger: at)
    assert len(found) == SERVICES
    assert all(row.open[0] == 1 for row in found[:FAULTS])
    assert all(row.open[0] == 0 for row in found[FAULTS:])
    for row in found[:FAULTS]:
        number = int(row.watch[1:])
        name, hour = place_of(number)
        cell = row.cells[name]
        assert cell.state == "fail"
        assert [at for at, _ in cell.hours] == [hour]
        assert cell.hours[0][1] == f"w{number:03d}/hour{hour:02d}.a1.html#e-{name}"


def test_the_command_writes_one_page(reports: Path) -> None:
    """With every service once, and every criterion that any of them has."""
    done = hour24("fleet", reports)
    assert done.returncode == 0, done.stdout
    assert f"{SERVICES} services" in done.stdout
    page = (reports / "fleet.html").read_text("utf-8")
    assert len(re.findall(r'<th scope="row"', page)) == SERVICES
    assert "30 services failing" in page
    for one in CRITERIA.values():
        if 4 in one.hours:
            assert f'<span class="id">{one.id}</span>' in page


def test_a_watch_that_cannot_be_read_is_the_first_row(tmp_path: Path) -> None:
    """And says why."""
    small.watch_of(tmp_path, small.record(0))
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "watch.json").write_text("{")
    ledgers = [Ledger(each.parent) for each in sorted(tmp_path.glob("*/watch.json"))]
    found = fleet.rows(ledgers, tmp_path, lambda ledger: NOW)
    assert (found[0].watch, bool(found[0].problem)) == ("broken", True)
    assert "cannot be read" in fleet.text(found, NOW)
