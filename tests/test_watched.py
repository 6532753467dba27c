"""Where production is found: readable, without a secret, and another one is seen."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from msgspec import structs

from hour24.checkpoint.addresses import addresses
from hour24.config import Described, load, watched
from hour24.config.addresses import UNREADABLE, address
from hour24.ledger.moved import probe_differences
from hour24.report.signoff import _local
from hour24.secrets import Secret
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


def test_addresses_are_shown_without_login_query_body_and_header(tmp_path: Path) -> None:
    """Of these there are fingerprints; a secret leaves no trace at all."""
    output = found(tmp_path)
    marked = {"health.url.query", "health.headers", "endpoints.calls.body", "database.role"}
    marked |= {"endpoints.calls.headers"}
    assert {place for place, at in output.items() if at.startswith("sha256 ")} == marked
    assert {place: at for place, at in output.items() if place not in marked} == {
        "database": "host db.internal.net, port 5432, dbname postgres",
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
    output = found(tmp_path, DATABASE_URL=dsn)
    assert output["database"] == "host db.internal.net, port 5432, dbname postgres"
    assert output["database.role"] == found(tmp_path)["database.role"]
    assert "sesame" not in str(output)
    production = load(written(tmp_path, WHOLE), {**VARIABLES, "DATABASE_URL": dsn})
    assert addresses(production)["database"] == output["database"]


PASSWORDS = (
    "Sommer?2025xy",
    "Sommer#2025xy",
    "Sommer@2025xy",
    "Sommer/2025xy",
    "Sommer[2025xy",
    "Sommer]2025xy",
    "Sommer%2025xy",
    "Sommer:2025xy",
    "Sommer 2025xy",
    "Sömmér2025ßxy",
    "Som\\ host=2025",
    "1234/5678@90ab?cdef#ghij",
    "1234/5678?user=abcd",
    "1234?port=5678&host=zzzz",
    "[somm]:2025",
    "\udce9sommer2025",
)
STRINGS = (
    "postgresql://svc:{}@db.acme.org:5432/app",
    "postgresql://svc:{}@db.acme.org,db2.acme.org:5433/app",
    "postgresql://svc:{}@[::1]:5432/app",
    "postgresql://svc:{}@/app?host=/tmp",
    "postgresql://svc@db.acme.org/app?password={}",
    "postgres://svc:{}@db.acme.org:notaport/app",
    "host=db.acme.org dbname=app user=svc password={}",
    "host=/tmp password='{}' dbname=app",
    "password={} host=db.acme.org,db2.acme.org",
)


def address_of(tmp_path: Path, dsn: str) -> dict[str, str]:
    """Where production is found, with a database of this connection string."""
    production = load(written(tmp_path, WHOLE), VARIABLES)
    witness, at = production.described["database"]
    at = structs.replace(at, dsn=Secret("DATABASE_URL", dsn))
    described = production.described | {"database": Described(witness, at)}
    return watched(structs.replace(production, described=described))


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("string", STRINGS)
def test_no_part_of_a_password_is_shown(tmp_path: Path, string: str, password: str) -> None:
    """Whatever characters it holds, as it is or escaped, and wherever it stands."""
    quoted = quote(password, safe="", errors="replace")
    escaped = re.sub(r"([\\'\s])", r"\\\1", password)
    for form in (password, quoted, escaped):
        output = address_of(tmp_path, string.format(form))
        values = re.sub(r"\b(host|port|dbname) ", "", " ".join(output.values()))
        assert output["database"]
        for text in (password, quoted, escaped):
            pieces = {text[at : at + 4] for at in range(len(text) - 3)}
            assert not [piece for piece in pieces if piece in values]


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("postgresql://svc:Winter?2025@db.acme.org/app", "host db.acme.org, dbname app"),
        ("postgresql://svc:Winter#2025@db.acme.org/app", "host db.acme.org, dbname app"),
        ("postgresql://svc:Win[ter2025@db.acme.org/app", "host db.acme.org, dbname app"),
        ("postgresql://svc:a@[::1]:5432,db2:5433/app", "host ::1,db2, port 5432,5433, dbname app"),
        ("postgresql://%2Ftmp/app", "host /tmp, dbname app"),
        ("host=/tmp user=svc", "host /tmp"),
        ("host=h dbname=d password=a\\ host=zz", "host h, dbname d"),
        ("", ""),
        ("postgresql://svc:aa/bb12345@db.acme.org/app", UNREADABLE),
        ("postgresql://svc:aa@bb12345@db.acme.org/app", UNREADABLE),
        ("host=h password=Winter 2025", UNREADABLE),
        ("dbname=postgresql://svc:Winter2025@h/app", UNREADABLE),
        ("host= password=Winter2025", UNREADABLE),
        ("Winter2025", UNREADABLE),
    ],
)
def test_a_connection_string_is_read_as_libpq_reads_it(tmp_path: Path, dsn: str, said: str) -> None:
    """A doubtful address is not shown at all, and the watch goes on."""
    assert address_of(tmp_path, dsn)["database"] == said


@pytest.mark.parametrize(
    "token",
    [
        "8f3kT0kenQz91LmXw77Ab",
        "bot123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11",
        "5b0c8f9e-1f1d-4bfe-9c3a-0d8d9d1f2a3b",
        "key;8f3kT0kenQz9",
        "%38f3kT0kenQz91LmXw77Ab",
    ],
)
def test_a_token_in_a_path_has_a_fingerprint(tmp_path: Path, token: str) -> None:
    """It is written nowhere; another one is another address; plain words are shown."""
    first = found(tmp_path, WHOLE.replace("/ws", f"/hook/{token}/v2"))["websocket.url"]
    then = found(tmp_path, WHOLE.replace("/ws", f"/hook/{token}x/v2"))["websocket.url"]
    assert re.fullmatch(r"wss://orders\.internal\.net/hook/~sha256 \w{16}/v2", first)
    assert first != then


def test_a_login_that_ends_in_a_path_is_not_shown() -> None:
    """Of production.toml a fingerprint shows that it is another, of the environment nothing."""
    for url in ("https://svc:Win/ter2025@h/x", "https://svc:Win?ter2025@h", "https://a/b@c#d@h"):
        (output,) = dict(address("health.url", url)).values()
        assert re.fullmatch(r"sha256 \w{16}", output)
        assert dict(address("sentry.dsn", url, UNREADABLE)) == {"sentry.dsn": UNREADABLE}


def test_an_alert_on_the_host_of_production_moves_nothing(tmp_path: Path) -> None:
    """The host is in production.toml in plain text; the rest of the alert's address is redacted."""
    text = WHOLE.replace("orders.internal.net", "api2.voice-platform.com")
    text = text.replace("/ws", "/mail-for-team-7-of-ours")
    before = addresses(load(written(tmp_path, text), VARIABLES))
    assert before["health.url"] == "https://api2.voice-platform.com/health"
    for alert in (
        "json://api2.voice-platform.com/alert?to=a@b.org",
        "jsons://API2.voice-platform.com:8443",
    ):
        variables = {**VARIABLES, "HOUR24_ALERT_URLS": alert}
        assert addresses(load(written(tmp_path, text), variables)) == before


def test_what_else_an_alert_holds_stays_a_secret(tmp_path: Path) -> None:
    """Its login, its path, and its token where a host would stand."""
    alert = "json://svc:wint-er25@api2.voice-platform.com/team-seven-of-ours-7"
    text = WHOLE.replace("orders.internal.net", "api2.voice-platform.com")
    text = text.replace("/api/calls", "/wint-er25/a-slack-11-token")
    variables = {**VARIABLES, "HOUR24_ALERT_URLS": f"{alert} slack://a-slack-11-token/b/c"}
    variables["HOUR24_ALERT_URLS"] += " xmpp://a-chat-123-token/room@api2.voice-platform.com"
    text = text.replace("/ws", "/a-chat-123-token")
    output = addresses(load(written(tmp_path, text), variables))
    assert output["websocket.url"].endswith("/[redacted:HOUR24_ALERT_URLS 3]")
    assert output["endpoints.calls.url"] == (
        "https://api2.voice-platform.com/[redacted:HOUR24_ALERT_URLS 1]/"
        "[redacted:HOUR24_ALERT_URLS 2]"
    )


def test_a_secret_of_undecodable_bytes_does_not_end_a_run(tmp_path: Path) -> None:
    """As a shell of another encoding leaves them; the database is shown as unreadable."""
    dsn = "postgresql://svc:sommer\udce92025@db.acme.org/app"
    production = load(written(tmp_path, WHOLE), {**VARIABLES, "DATABASE_URL": dsn})
    assert addresses(production)["database"] == UNREADABLE


def test_a_scrubbed_host_is_not_this_machines_own() -> None:
    """The sign-off page is written all the same."""
    assert _local({"health.url": "http://127.0.0.1:80/health"})
    assert not _local({"health.url": "https://[redacted:NAME]/health"})


def test_what_a_ledger_says_of_it_is_scrubbed_and_no_rehearsals(tmp_path: Path) -> None:
    """A secret that stands in an address as well is taken out of it."""
    text = WHOLE.replace("/api/calls", "/api/a-header-of-ours")
    production = load(written(tmp_path, text), VARIABLES)
    output = addresses(production)["endpoints.calls.url"]
    assert output == "https://orders.internal.net/api/[redacted:CALLS_AUTH]"


def test_a_prober_asks_what_its_watch_asks(tmp_path: Path) -> None:
    """A changed address is reported, until a record has found production there."""
    there = {**small.WATCHED, "health.url": "https://other.net/health"}
    ledger = small.watch_of(tmp_path, small.record(0))
    assert probe_differences(ledger, small.WATCHED) == ()
    assert probe_differences(ledger, {**small.WATCHED, "render.service": "srv-other"}) == ()
    (output,) = probe_differences(ledger, there)
    assert output.startswith("health.url: expected ")
    assert output.endswith("got https://other.net/health")
    ledger.write(small.record(4, watched=there))
    assert probe_differences(ledger, there) == ()
