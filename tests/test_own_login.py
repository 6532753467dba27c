"""Our login to the database: refused once, and whether it worked before in this watch."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hour24.checkpoint.addresses import addresses
from hour24.checkpoint.custom import Ask
from hour24.checkpoint.inquiry import Inquiry
from hour24.checkpoint.questions import database_before
from hour24.clock import SteppingClock
from hour24.config import Described, Health, Production, Service, load
from hour24.evidence import Listing, Unanswered
from hour24.objectives.database import DatabaseAnswers
from hour24.secrets import Secret
from hour24.verdict import Outcome
from hour24.witnesses.database import WITNESS, DatabaseAt
from tests import small_watch as small
from tests.peers import Peer
from tests.test_config import SMALLEST, VARIABLES, written

REFUSAL = b"SFATAL\0C28P01\0Mpassword authentication failed\0\0"


def test_a_refused_login_is_tried_once() -> None:
    """Supabase bans an address that tries a wrong password again and again."""
    with Peer(refuse) as server:
        answers, logins = three_questions(server.port), server.connections
    assert all(isinstance(each, Unanswered) for each in answers)
    assert logins == 1


def refuse(peer: socket.socket) -> None:
    peer.recv(4096)
    peer.sendall(b"E" + (len(REFUSAL) + 4).to_bytes(4, "big") + REFUSAL)
    peer.shutdown(socket.SHUT_RDWR)


def three_questions(port: int) -> list:
    dsn = f"host=127.0.0.1 port={port} user=u password=p dbname=d sslmode=disable"
    at = DatabaseAt(dsn=Secret("DATABASE_URL", f"{dsn} gssencmode=disable"))
    point = small.WATCH.checkpoint(8)
    production = Production(
        path="",
        service=Service(name="", environment="", time_zone="UTC", control_url=""),
        health=Health(url="", schema={}),
        described={"database": Described(WITNESS, at)},
    )
    clock = SteppingClock(point.due)
    inquiry = Inquiry(production, small.WATCH, point, clock, None)  # type: ignore[arg-type]
    return [Ask(inquiry).sql("SELECT 1") for _ in range(3)]


ROW = Listing(
    question=small.asked(0, "database"),
    what="rows",
    items=({"datname": "x", "numbackends": 3, "size_bytes": 1},),
)
REFUSED = Unanswered(question=small.asked(0, "database"), code="login_refused", reason="refused")


DATABASE = """
[database]
dsn_env = "DATABASE_URL"
"""
HERE = "postgresql://watch:open-sesame-1@db.internal.net:5432/postgres"


def production_at(folder: Path, dsn: str) -> Production:
    return load(written(folder, SMALLEST + DATABASE), {**VARIABLES, "DATABASE_URL": dsn})


def before(folder: Path, hour: int, recorded: list, dsn: str = HERE) -> Listing:
    """Returns what the ledger says about earlier logins, with ``dsn`` as today's."""
    there = addresses(production_at(folder, HERE))
    records = [
        small.record(
            at,
            small.judged("DB-ONLINE", at, {"row": row}, DatabaseAnswers()),
            attempt=n,
            watched=there,
        )
        for at, n, row in recorded
    ]
    ledger = small.watch_of(folder, *records)
    point = small.WATCH.checkpoint(hour)
    now = production_at(folder, dsn)
    return database_before(Inquiry(now, small.WATCH, point, SteppingClock(point.due), ledger))


@pytest.mark.parametrize(
    ("recorded", "hour", "outcome"),
    [
        ([], 0, Outcome.INCONCLUSIVE),
        ([(0, 1, REFUSED)], 0, Outcome.INCONCLUSIVE),
        ([(0, 1, ROW)], 0, Outcome.FAIL),
        ([(0, 1, REFUSED)], 4, Outcome.INCONCLUSIVE),
        ([(0, 1, REFUSED), (0, 2, ROW)], 4, Outcome.FAIL),
        ([(0, 1, ROW), (4, 1, REFUSED)], 8, Outcome.FAIL),
    ],
)
def test_a_refused_login_fails_where_it_worked_before_in_this_watch(
    tmp_path: Path, recorded: list, hour: int, outcome: Outcome
) -> None:
    """At an earlier checkpoint or attempt; before the first one it may be our own credential."""
    verdict = DatabaseAnswers().judge({"row": REFUSED, "before": before(tmp_path, hour, recorded)})
    assert (verdict.outcome, verdict.code) == (outcome, "login_refused")


@pytest.mark.parametrize(
    ("dsn", "outcome"),
    [
        (HERE.replace("sesame-1", "sesame-2"), Outcome.FAIL),
        (HERE.replace("watch:", "wacht:"), Outcome.INCONCLUSIVE),
        (HERE.replace("/postgres", "/other"), Outcome.INCONCLUSIVE),
    ],
)
def test_a_login_that_is_another_one_now_did_not_work_before(
    tmp_path: Path, dsn: str, outcome: Outcome
) -> None:
    """Another role or database is our mistake; a new password of the same role is not detected."""
    given = before(tmp_path, 8, [(0, 1, ROW), (4, 1, ROW)], dsn)
    assert DatabaseAnswers().judge({"row": REFUSED, "before": given}).outcome == outcome
