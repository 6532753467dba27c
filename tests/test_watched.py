"""Where production is found: readable, without a secret, and another one is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from hour24.checkpoint.place import place
from hour24.config import load, watched
from hour24.ledger.moved import elsewhere
from tests import small_watch as small
from tests.test_config import SMALLEST, VARIABLES, written

WHOLE = (
    SMALLEST.replace('.net/health"', '.net/health?full=1"')
    + """
headers = { "X-Tenant" = "acme" }

[endpoints.calls]
url = "https://orders.internal.net/api/calls"
target_ms = 500
method = "POST"
body = "{}"
headers = { Authorization = { env = "CALLS_AUTH" } }

[websocket]
url = "wss://orders.internal.net/ws"

[database]
dsn_env = "DATABASE_URL"
"""
)
DATABASE = "postgresql://watch:open%20sesame@db.internal.net:5432/postgres"


def found(folder: Path, text: str = WHOLE, **variables: str) -> dict[str, str]:
    return watched(load(written(folder, text), {**VARIABLES, **variables}))


def test_addresses_are_told_without_login_query_body_and_header(tmp_path: Path) -> None:
    """Of these there are fingerprints; a secret leaves no trace at all."""
    told = found(tmp_path)
    marked = {"health.url.query", "health.headers", "endpoints.calls.body", "database.role"}
    marked |= {"endpoints.calls.headers"}
    assert {place for place, at in told.items() if at.startswith("sha256 ")} == marked
    assert {place: at for place, at in told.items() if place not in marked} == {
        "database": "db.internal.net:5432/postgres",
        "endpoints.calls.url": "https://orders.internal.net/api/calls",
        "health.url": "https://orders.internal.net/health",
        "service.control_url": "https://status.net",
        "websocket.url": "wss://orders.internal.net/ws",
    }


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ("orders.internal.net/api", "orders.other.net/api", "endpoints.calls.url"),
        ("full=1", "full=2", "health.url.query"),
        ('"acme"', '"other"', "health.headers"),
        ('"{}"', '"[]"', "endpoints.calls.body"),
        ("//status.net", "//status.org", "service.control_url"),
        ("/ws", "/socket", "websocket.url"),
    ],
)
def test_another_address_is_seen_where_it_is(
    tmp_path: Path, before: str, after: str, place: str
) -> None:
    """And nothing else is said to be another."""
    assert before in WHOLE
    first, then = found(tmp_path), found(tmp_path, WHOLE.replace(before, after))
    assert [name for name in {*first, *then} if first.get(name) != then.get(name)] == [place]


@pytest.mark.parametrize(
    ("dsn", "differs"),
    [
        (DATABASE.replace("open%20sesame", "renewed-since"), set()),
        (DATABASE + "?sslmode=require", set()),
        (DATABASE.replace("db.", "db2."), {"database"}),
        (DATABASE.replace("/postgres", "/other"), {"database"}),
        (DATABASE + "?host=elsewhere.net", {"database"}),
        (DATABASE.replace("watch:", "watch.otherproject:"), {"database.role"}),
    ],
)
def test_a_renewed_password_is_no_other_database(
    tmp_path: Path, dsn: str, differs: set[str]
) -> None:
    """Another host, name or role is."""
    first, then = found(tmp_path), found(tmp_path, DATABASE_URL=dsn)
    assert {name for name in {*first, *then} if first.get(name) != then.get(name)} == differs


def test_a_connection_string_of_words_says_the_same(tmp_path: Path) -> None:
    """``host=... dbname=...``, quoted or not, without its password."""
    dsn = "host=db.internal.net port=5432 dbname='postgres' user=watch password='open sesame'"
    told = found(tmp_path, DATABASE_URL=dsn)
    assert told["database"] == "host=db.internal.net port=5432 dbname=postgres"
    assert told["database.role"] == found(tmp_path)["database.role"]
    assert "sesame" not in str(told)


def test_what_a_ledger_says_of_it_is_scrubbed_and_no_rehearsals(tmp_path: Path) -> None:
    """A secret that stands in an address as well is taken out of it."""
    text = WHOLE.replace("/api/calls", "/api/a-header-of-ours")
    production = load(written(tmp_path, text), VARIABLES)
    told = place(production, None)["endpoints.calls.url"]
    assert told == "https://orders.internal.net/api/[redacted:CALLS_AUTH]"
    assert place(production, {"seed": 1, "faults": []}) == {}


def test_a_prober_asks_what_its_watch_asks(tmp_path: Path) -> None:
    """Another address of what it probes is told, until a record has found production there."""
    there = {**small.WATCHED, "health.url": "https://other.net/health"}
    ledger = small.watch_of(tmp_path, small.record(0))
    assert elsewhere(ledger, small.WATCHED) == ()
    assert elsewhere(ledger, {**small.WATCHED, "render.service": "srv-other"}) == ()
    (told,) = elsewhere(ledger, there)
    assert told.startswith("health.url: expected ")
    assert told.endswith("got https://other.net/health")
    ledger.write(small.record(4, watched=there))
    assert elsewhere(ledger, there) == ()
