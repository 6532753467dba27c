"""The database, asked: a real PostgreSQL with the real extension, and servers that misbehave."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from msgspec import structs
from psycopg2.extensions import libpq_version

from hour24.clock import SteppingClock, WallClock
from hour24.errors import (
    SourceError,
    SourceFailed,
    SourceLacks,
    SourceMisread,
    SourceRefused,
    SourceTimeout,
    SourceUnreachable,
)
from hour24.evidence import from_plain, to_plain
from hour24.objectives.database import DatabaseAnswers, PoolBelow
from hour24.objectives.statements import NoSlowStatement
from hour24.rehearsal.postgres import PostgresServer, find_postgres
from hour24.secrets import Secret
from hour24.verdict import Outcome
from hour24.witnesses.database import DatabaseAt
from hour24.witnesses.database.refusals import UpstreamDown
from hour24.witnesses.database.session import SINCE_REQUIRE_AUTH, _required_auth
from hour24.witnesses.database.source import (
    LoginRefused,
    NotAccepting,
    Postgres,
    TooManyConnections,
    _is_maintenance,
)
from tests.peers import Peer, silent

PASSWORD = "a-secret-of-the-reader"
SLOW_MS = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    binaries = find_postgres()
    preloaded = {"shared_preload_libraries": "pg_stat_statements"}
    started = PostgresServer.start(binaries, preloaded if binaries.has_statements else {})
    connection = started.connect()
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'; GRANT pg_monitor TO reader;"
            f"CREATE ROLE weak LOGIN PASSWORD '{PASSWORD}';"
            f"CREATE ROLE full_up LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 0;"
            f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 8;"
            'CREATE SCHEMA "odd ""schema%"; GRANT USAGE ON SCHEMA "odd ""schema%" TO reader;'
            "CREATE TABLE calls (id int PRIMARY KEY, tenant int); INSERT INTO calls VALUES (1, 1);"
            "GRANT ALL ON calls TO app"
        )
        cursor.execute("CREATE DATABASE bare")
        if binaries.has_statements:
            cursor.execute('CREATE EXTENSION pg_stat_statements SCHEMA "odd ""schema%"')
    connection.close()
    try:
        yield started
    finally:
        started.stop()


def asked(server: PostgresServer, role: str = "reader", **options: object) -> Postgres:
    """The source, as production.toml would describe it."""
    port = int(str(options.pop("port", 0)))
    database = str(options.pop("database", "postgres"))
    password = str(options.pop("password", PASSWORD))
    dsn = server.dsn(role, password, port).rpartition("/")[0] + f"/{database}"
    return at(dsn, **options)


def at(dsn: str, **options: object) -> Postgres:
    clock = options.pop("clock", None) or WallClock()
    settings = {"slow_ms": SLOW_MS, "connect_timeout_s": 2.0, "statement_timeout_s": 2.0, **options}
    return Postgres(DatabaseAt(dsn=Secret("DATABASE_URL", dsn), **settings), clock)  # type: ignore[arg-type]


class Wire(Peer):
    """A port before the server; keeps what the client sends, and can cut or hold the answers."""

    def __init__(self, to: int) -> None:
        self.to = to
        self.sent: list[bytes] = []
        self.held = threading.Event()
        self.cut_after: int | None = None
        super().__init__(self._between)

    def _between(self, client: socket.socket) -> None:
        there = self.keep(socket.create_connection(("127.0.0.1", self.to), timeout=10))
        there.settimeout(None)
        self.run(self._pump, there, client, False)
        self._pump(client, there, True)

    def _pump(self, here: socket.socket, there: socket.socket, ours: bool) -> None:
        with contextlib.suppress(OSError):
            while data := here.recv(65536):
                if ours:
                    self.sent.append(data)
                elif self.held.is_set():
                    continue
                elif self.cut_after is not None:
                    there.sendall(data[: self.cut_after])
                    there.shutdown(socket.SHUT_RDWR)
                    return
                there.sendall(data)


def answering(content: bytes) -> Peer:
    """Says the same to whoever speaks first, and hangs up."""

    def answer(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(content)
        client.shutdown(socket.SHUT_RDWR)

    return Peer(answer)


@pytest.fixture
def wire(server: PostgresServer) -> Iterator[Wire]:
    with Wire(server.port) as made:
        yield made


def without_tls(peer: Peer) -> Postgres:
    """The source at a peer that speaks at once."""
    dsn = f"postgresql://reader:{PASSWORD}@127.0.0.1:{peer.port}/x?sslmode=disable"
    return at(dsn, clock=SteppingClock(WallClock().now()))


def refusal(state: str, words: str) -> bytes:
    """A server's error, as the answer to a login."""
    fields = f"SFATAL\0VFATAL\0C{state}\0M{words}\0\0".encode()
    return b"E" + struct.pack("!i", len(fields) + 4) + fields


def test_the_runbook_s_row_tells_name_connections_and_size(server):
    """The row is the database's own, and comes back equal from JSON."""
    listing = asked(server).database_row()
    assert listing.items[0]["datname"] == "postgres"
    assert listing.items[0]["numbackends"] >= 1
    assert listing.items[0]["size_bytes"] > 5_000_000
    assert "pg_stat_database" in listing.question.asked
    assert [each.result for each in listing.question.attempts] == ["ok: connected", "ok"]
    assert len(listing.question.digest) == 64
    assert from_plain(to_plain(listing)) == listing


def test_without_the_right_to_read_all_nothing_about_others_is_answered(server):
    """A role that would see NULL for others is refused; the runbook's row it may have."""
    source = asked(server, "weak")
    assert source.database_row().items
    for question in (source.statements, source.running, source.connections):
        with pytest.raises(SourceRefused, match="GRANT pg_monitor TO the role in DATABASE_URL"):
            question()
    assert source.rights().items[0]["reads_all_stats"] is False
    assert asked(server).rights().items[0]["monitors"] is True


@pytest.mark.usefixtures("pg_stat_statements")
def test_a_slow_statement_is_found_in_whatever_schema_the_extension_is(server):
    """The call is there with its times, and its literals are not."""
    source = asked(server)
    before = source.statements()
    app = server.connect("app", PASSWORD)
    with app.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.1), 'user''s data' AS shown")
        cursor.execute("SELECT 'fast'")
    app.close()
    now = source.statements()
    new = [item for item in now.items if item["key"] not in {i["key"] for i in before.items}]
    assert [item["role"] for item in new] == ["app"]
    assert new[0]["calls"] == 1
    assert new[0]["max_ms"] == new[0]["total_ms"] > 100
    assert new[0]["query"] == "SELECT pg_sleep($1), $2 AS shown"
    assert new[0]["key"].startswith("app/")
    assert now.seen > len(now.items)
    assert now.about["dealloc"] == 0
    assert now.about["stats_reset"] == before.about["stats_reset"]
    assert before.about["read_at"] < now.about["read_at"]


def test_a_table_of_the_same_shape_in_schema_extensions_serves_too(server):
    """Where the extension is none, a relation of its name in Supabase's schema is read."""
    dsn = server.dsn().rpartition("/")[0] + "/bare"
    import psycopg2

    admin = psycopg2.connect(dsn)
    admin.autocommit = True
    with admin.cursor() as cursor:
        with pytest.raises(SourceLacks, match="CREATE EXTENSION pg_stat_statements"):
            asked(server, database="bare").statements()
        cursor.execute(
            "CREATE SCHEMA extensions; CREATE TABLE extensions.pg_stat_statements AS SELECT "
            "r.oid AS userid, d.oid AS dbid, 7::bigint AS queryid, 'SELECT 1'::text AS query, "
            "3::bigint AS calls, 300.0::float8 AS total_exec_time, 200.0::float8 AS max_exec_time, "
            "now() AS stats_since FROM pg_roles r, pg_database d "
            "WHERE r.rolname = 'app' AND d.datname = 'bare'"
        )
        with pytest.raises(SourceRefused, match="allowed to read it"):
            asked(server, database="bare").statements()
        cursor.execute(
            "GRANT USAGE ON SCHEMA extensions TO reader;"
            "GRANT SELECT ON extensions.pg_stat_statements TO reader"
        )
        found = asked(server, database="bare").statements()
        assert [(i["key"], i["calls"], i["max_ms"]) for i in found.items] == [("app/7/t", 3, 200)]
        assert found.items[0]["stats_since"] == pytest.approx(time.time(), abs=60)
        assert found.about["stats_reset"] is None
        cursor.execute("UPDATE extensions.pg_stat_statements SET max_exec_time = 'NaN'")
        with pytest.raises(SourceMisread, match="max_ms: expected a number, got nan"):
            asked(server, database="bare").statements()
        cursor.execute("ALTER TABLE extensions.pg_stat_statements RENAME calls TO renamed")
        with pytest.raises(SourceLacks, match="got none called calls"):
            asked(server, database="bare").statements()
    admin.close()


def test_a_running_statement_is_seen_with_its_age(server):
    """What has been running for longer than the limit is listed, masked, excluding our own."""
    from psycopg2.extensions import POLL_OK

    busy = server.connect("app", PASSWORD, async_=True)
    while busy.poll() != POLL_OK:
        time.sleep(0.002)
    cursor = busy.cursor()
    cursor.execute("SELECT pg_sleep(20), 'private' AS x")
    idle = server.connect("app", PASSWORD)
    idle.cursor().execute("SELECT 'long over'")
    time.sleep(SLOW_MS / 1000 + 0.05)
    found = asked(server).running()
    with server.connect().cursor() as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", (busy.info.backend_pid,))
    busy.close()
    idle.close()
    assert found.seen == 1
    assert [(item["role"], item["state"]) for item in found.items] == [("app", "active")]
    assert found.items[0]["query"] == "SELECT pg_sleep(?), ? AS x"
    assert SLOW_MS / 1000 < found.items[0]["age_s"] < 5


def test_connections_tell_what_is_left_and_who_holds_others_up(server):
    """Open transactions, lock waits with their blocker, and the limits of roles and database."""
    holder = server.connect("app", PASSWORD)
    waiter = server.connect("app", PASSWORD)
    with holder.cursor() as first, server.connect().cursor() as admin:
        first.execute("BEGIN; UPDATE calls SET tenant = 2")

        def wait() -> None:
            with waiter.cursor() as second:
                second.execute("UPDATE calls SET tenant = 3")

        thread = threading.Thread(target=wait)
        thread.start()
        admin.execute("ALTER DATABASE postgres CONNECTION LIMIT 35")
        time.sleep(0.15)
        item = asked(server).connections().items[0]
        admin.execute("ALTER DATABASE postgres CONNECTION LIMIT -1")
        first.execute("ROLLBACK")
        thread.join(5)
    blocker = holder.info.backend_pid
    holder.close()
    waiter.close()
    assert (item["max_connections"], item["reserved"], item["available"]) == (40, 3, 37)
    assert 4 <= item["in_use"] < 20
    assert item["idle_in_transaction"] == 1
    assert item["lock_waits"] == 1
    assert 0.1 < item["oldest_idle_in_transaction_s"] < 5
    assert 0.1 < item["oldest_lock_wait_s"] < 5
    assert item["idle_in_transaction_by"].startswith("app, pid ")
    assert item["lock_wait_by"].endswith(f"blocked by {{{blocker}}}")
    limits = {each["what"]: (each["in_use"], each["limit"]) for each in item["limits"]}
    assert limits["connections of role app"] == (2, 8)
    assert limits["connections to this database"][1] == 35


def test_platform_roles_and_maintenance_are_excluded_everywhere(server):
    """Idle in a transaction, waiting, running or slow: not judged, and named."""
    index = "CREATE INDEX CONCURRENTLY aside ON calls (tenant)"
    before = structs.replace(asked(server).statements(), items=())
    held = server.connect("app", PASSWORD)
    held.cursor().execute("BEGIN; SELECT 1")
    dump = server.connect("app", PASSWORD)
    dump.cursor().execute("BEGIN")
    with contextlib.suppress(Exception), open(os.devnull, "w") as out:
        dump.cursor().copy_expert("COPY calls TO STDOUT", out)
    time.sleep(0.15)
    judged = asked(server).connections().items[0]
    excluded = asked(server, platform_roles=("app",)).connections()
    held.close()
    dump.close()
    assert judged["idle_in_transaction_by"].startswith("app, pid ")
    assert judged["aside_by"].startswith("app, pid ")  # the dump's session
    item = excluded.items[0]
    assert item["idle_in_transaction_by"] == ""
    assert (item["oldest_idle_in_transaction_s"], item["aside_idle_s"] > 0.1) == (0.0, True)
    verdict = PoolBelow(idle_in_transaction_s=0.05).judge({"connections": excluded})
    assert verdict.outcome == Outcome.PASS
    assert "excluded: a session (app, pid " in verdict.reason
    slow = {"key": "app/1/t", "role": "app", "calls": 1, "total_ms": 9e3, "max_ms": 9e3}
    slow |= {"stats_since": None, "minmax_since": None}
    for query, mine in ((index, True), ("COPY (SELECT 1) TO STDOUT", False), ("SELECT 1", False)):
        content = {**slow, "query": query, "maintenance": _is_maintenance(query)}
        now = structs.replace(before, items=(content,))
        running = structs.replace(before, what="running statements", items=())
        evidence = {"statements": now, "running": running, "before": before}
        verdict = NoSlowStatement(slow_ms=1000.0).judge(evidence)
        assert (verdict.outcome == Outcome.FAIL) is not mine, query
        assert ("excluded (platform or maintenance): CREATE INDEX" in verdict.reason) is (mine)


@pytest.mark.parametrize(
    ("query", "is_maintenance"),
    [
        ("COPY public.calls (id, tenant) TO stdout", True),
        ("/* nightly */ VACUUM (ANALYZE) calls", True),
        ("create unique index concurrently i on calls (id)", True),
        ("REINDEX TABLE calls", True),
        ("ANALYZE", True),
        ("CLUSTER calls", True),
        ("autovacuum: VACUUM public.calls", True),
        ("COPY calls FROM STDIN", False),
        ("SELECT 'VACUUM calls'", False),
        ("CREATE TABLE vacuum_log (id int)", False),
        ("UPDATE calls SET note = 'create index x'", False),
        ("analyzed()", False),
    ],
)
def test_maintenance_is_recognised_by_its_statement(query, is_maintenance):
    """Dumps, index builds and clean-up; a word inside a statement is none."""
    assert _is_maintenance(query) is is_maintenance


@pytest.mark.parametrize(
    ("setting", "outcome"),
    [
        ("ALTER SYSTEM SET default_transaction_read_only = on", Outcome.FAIL),
        ("ALTER DATABASE postgres SET default_transaction_read_only = on", Outcome.FAIL),
        ("ALTER ROLE reader SET default_transaction_read_only = on", Outcome.PASS),
    ],
)
def test_a_database_that_takes_no_writes_is_not_online(server, setting, outcome):
    """Set for everybody; what is set for our own role says nothing of the service."""
    undo = setting.replace(" SET ", " RESET ").removesuffix(" = on")
    admin = server.connect()
    admin.autocommit = True
    with admin.cursor() as cursor:
        try:
            cursor.execute(setting)
            cursor.execute("SELECT pg_reload_conf()")
            time.sleep(0.2)
            row = asked(server).database_row()
            reads = asked(server, writes=False).database_row()
        finally:
            cursor.execute("SET default_transaction_read_only = off")
            cursor.execute(undo)
            cursor.execute("SELECT pg_reload_conf()")
            admin.close()
    time.sleep(0.1)
    verdict = DatabaseAnswers(database="").judge({"row": row})
    assert verdict.outcome == outcome
    assert (verdict.code == "read_only") is (outcome == Outcome.FAIL)
    assert DatabaseAnswers(database="").judge({"row": reads}).outcome == Outcome.PASS


def test_a_standby_is_not_online_where_the_service_writes(server):
    """It may be that our own connection string names a replica."""
    row = asked(server).database_row()
    standby = structs.replace(row, items=({**row.items[0], "read_only": "recovery"},))
    verdict = DatabaseAnswers(database="").judge({"row": standby})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "read_only")


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        ("postgresql://u:pa@hidden@127.0.0.1/db", "an @ in the password: write %40"),
        (
            "postgresql://u:Super@Hidden@db.example.invalid:5432/db",
            "an @ in the password: write %40",
        ),
        ("postgresql://u:pa/hidden@127.0.0.1/db", "a / in the password: write %2F"),
        ("postgresql://u:pa?hidden@127.0.0.1/db", "a ? in the password: write %3F"),
        ("postgresql://u:pa#hidden@127.0.0.1/db", "a # in the password: write %23"),
        ("postgresql://u:pa%hidden@127.0.0.1/db", "a % in the password: write %25"),
        ("postgresql://u:[YOUR-PASSWORD]@127.0.0.1/db", "the placeholder [YOUR-PASSWORD]"),
        ("jdbc:postgresql://127.0.0.1/db?user=u&password=hidden", "JDBC's form"),
        ("postgresql+asyncpg://u:hidden@127.0.0.1/db", "scheme postgresql+asyncpg"),
        ("postgresql://u:hidden@127.0.0.1/db?sslmode=no-verify", "sslmode=no-verify, where libpq"),
        ('"postgresql://u:hidden@127.0.0.1/db"', "quotes around it"),
    ],
)
def test_a_connection_string_as_people_write_it_is_refused_with_its_remedy(dsn, says):
    """The character and how to write it; never the password."""
    with pytest.raises(SourceMisread) as refused:
        at(dsn).database_row()
    assert says in str(refused.value)
    assert "idden" not in str(refused.value)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:pa:ss@127.0.0.1:1/db",
        "postgresql://u:pa%40ss@127.0.0.1:1/db?options=-c%20x%3Da@b",
        "postgresql://127.0.0.1:1/db?user=u&password=a@b",
        "host=127.0.0.1 port=1 user=u password='a@b/c?d' dbname=db",
    ],
)
def test_a_connection_string_that_libpq_reads_is_tried(dsn):
    """A colon in a password, an @ behind the address, and the other form."""
    with pytest.raises(SourceUnreachable):
        at(dsn, clock=SteppingClock(WallClock().now())).database_row()


def test_size_is_this_database_alone(server):
    """The disk's size is not known to the database, and is null."""
    reading = asked(server).size().items[0]
    assert reading["used_bytes"] > 5_000_000
    assert reading["size_bytes"] is None


@pytest.mark.usefixtures("pg_stat_statements")
def test_nothing_is_ever_set_for_a_session(server, wire):
    """On the wire stand transactions that set what they need for themselves, and their ends."""
    source = asked(server, port=wire.port)
    for question in (
        *(source.database_row, source.rights, source.statements),
        *(source.running, source.connections, source.size),
    ):
        question()
    messages = [data for data in wire.sent if data[:1] == b"Q"]
    assert len(messages) >= 2 * 7
    for message in messages:
        words = message[5:].rstrip(b"\0").decode()
        assert words == "ROLLBACK" or words.startswith("BEGIN READ ONLY; SET LOCAL ")
        statements = [part.strip().upper() for part in words.split(";")]
        assert not any(s.startswith("SET ") and not s.startswith("SET LOCAL") for s in statements)
    assert wire.connections == 1
    assert not any(data[:1] in (b"P", b"B") for data in wire.sent), "no prepared statement"


def test_a_question_cannot_write(server):
    """The transaction is read-only, whatever our role may."""
    source = asked(server, "rehearsal_admin", password=server.password)
    with pytest.raises(SourceFailed, match="SQLSTATE 25006"):
        source._session.rows("writing", "CREATE TABLE ours (id int)")
    assert source.database_row().items


def test_a_statement_ends_when_its_time_is_up(server):
    """The server cancels it, and the next question is answered on the same connection."""
    source = asked(server, statement_timeout_s=0.2)
    begun = time.monotonic()
    with pytest.raises(SourceTimeout, match="got the statement cancelled"):
        source._session.rows("sleeping", "SELECT pg_sleep(20)")
    assert time.monotonic() - begun < 1.5
    assert source.database_row().question.attempts[0].result == "ok"


def test_a_server_that_does_not_keep_its_timeout_is_left(server, wire, monkeypatch):
    """Our own deadline ends the wait when the server never answers."""
    monkeypatch.setattr("hour24.witnesses.database.session.GRACE_S", 0.2)
    monkeypatch.setattr("hour24.witnesses.database.session.ROLLBACK_S", 0.2)
    source = asked(server, port=wire.port, statement_timeout_s=0.2)
    source.database_row()
    wire.held.set()
    begun = time.monotonic()
    with pytest.raises(SourceTimeout, match=r"expected an answer within 0\.2 s, got none"):
        source.database_row()
    assert time.monotonic() - begun < 1.5
    wire.held.clear()
    assert source.database_row().items


def test_a_tarpit_is_left_in_time():
    """A port that accepts and says nothing costs two tries, and later questions nothing."""
    with silent() as tarpit:
        source = at(
            f"postgresql://reader:{PASSWORD}@127.0.0.1:{tarpit.port}/x",
            connect_timeout_s=0.2,
            clock=SteppingClock(WallClock().now()),
        )
        begun = time.monotonic()
        for _ in range(3):
            with pytest.raises(SourceUnreachable) as refused:
                source.database_row()
        assert time.monotonic() - begun < 1.5
        assert tarpit.connections == 2
        assert PASSWORD not in str(refused.value)


def test_an_answer_cut_off_in_the_middle_is_none(server, wire):
    """Half an answer is not read, also when a second try is cut off as well."""
    source = asked(server, port=wire.port)
    source.database_row()
    wire.cut_after = 40
    with pytest.raises(SourceUnreachable, match="cut off"):
        source.statements()


def test_a_kept_connection_that_a_pooler_closed_is_made_again(server):
    """The second attempt shows."""
    source = asked(server)
    source.database_row()
    with server.connect().cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'hour24' AND usename = 'reader'"
        )
    results = [each.result for each in source.database_row().question.attempts]
    assert results[-2:] == ["ok: connected", "ok"]
    assert len(results) == 3
    assert results[0] != "ok"


def test_a_refused_login_is_tried_once(server, wire):
    """Supabase bans an address that keeps trying a wrong password."""
    source = asked(server, port=wire.port, password="wrong-and-secret")
    for question in (source.database_row, source.statements, source.connections):
        with pytest.raises(LoginRefused) as refused:
            question()
        assert "wrong-and-secret" not in str(refused.value)
        assert refused.value.question.source == "database"
    assert refused.value.code == "login_refused"
    assert wire.connections == 1


@pytest.mark.parametrize(
    ("words", "tries"),
    [
        ("the database system is starting up", 2),
        ("sorry, too many clients already", 2),
        ('database "x" does not exist', 1),
        ('no pg_hba.conf entry for host "10.0.0.1"', 1),
    ],
)
def test_a_temporary_refusal_is_tried_twice(words, tries):
    """Starting up and a full pool; a refusal stays one."""
    with answering(refusal("XX000", words)) as pooler:
        source = without_tls(pooler)
        for _ in range(2):
            with pytest.raises(SourceError):
                source.database_row()
        assert pooler.connections == tries


def test_a_role_at_its_connection_limit_is_reported(server):
    """The server's own words for it are read."""
    with pytest.raises(TooManyConnections):
        asked(server, "full_up").database_row()


@pytest.mark.parametrize(
    ("state", "words", "kind"),
    [
        ("57P03", "the database system is starting up", NotAccepting),
        ("57P03", "the database system is shutting down", NotAccepting),
        ("53300", "sorry, too many clients already", TooManyConnections),
        ("53300", "remaining connection slots are reserved for roles", TooManyConnections),
        ("08P01", "no more connections allowed (max_client_conn)", TooManyConnections),
        ("XX000", "Max client connections reached", TooManyConnections),
        ("XX000", "Tenant or user not found", LoginRefused),
        ("28000", 'no pg_hba.conf entry for host "10.0.0.1", no encryption', SourceRefused),
        ("XX000", "address not in tenant allow_list: {10, 0, 0, 1}", SourceRefused),
        ("28000", 'role "reader" is not permitted to log in', LoginRefused),
        ("3D000", 'database "x" does not exist', LoginRefused),
        ("XX000", "(EMAXCONNSESSION) max clients reached in session mode", TooManyConnections),
        ("XX000", "(ECHECKOUTTIMEOUT) unable to check out connection", TooManyConnections),
        ("08P01", "query_wait_timeout", TooManyConnections),
        ("XX000", "(ECIRCUITBREAKER) failed to retrieve database credentials", LoginRefused),
        ("XX000", "Circuit breaker open: Too many authentication errors", LoginRefused),
        ("XX000", "(EAUTHQUERY) authentication query failed: connection", UpstreamDown),
        ("08P01", "server login has been failing (server_login_retry)", UpstreamDown),
        ("08P01", "pgbouncer cannot connect to server", UpstreamDown),
        ("08P01", "client_login_timeout (server down)", UpstreamDown),
        ("XX000", "DbHandler exited", UpstreamDown),
        ("XX000", "{:shutdown, :db_termination}", UpstreamDown),
        ("XX000", "(ENOTFOUND) tenant/user postgres.abc not found", LoginRefused),
        ("XX000", "(ETENANTNOTFOUND) Tenant not found", LoginRefused),
        ("08P01", "unsupported startup parameter: options", SourceMisread),
        ("XX000", "SSL connection is required. Please specify SSL options", SourceRefused),
        ("XX000", "Control plane request failed: endpoint is in transition", NotAccepting),
        ("XX000", "The endpoint has been disabled. Enable it and retry.", SourceRefused),
        ("XX000", "Your project has exceeded the compute time quota.", SourceRefused),
        ("XX000", "connection to server was lost, project is paused", SourceRefused),
        ("XX000", "password is required", LoginRefused),
        ("XX000", "something of its own about reader and its host", SourceRefused),
    ],
)
def test_refusals_of_a_server_and_a_pooler_are_distinguished(state, words, kind):
    """Each refusal has its own kind, and none repeats the server's words."""
    with answering(refusal(state, words)) as pooler, pytest.raises(SourceError) as refused:
        without_tls(pooler).database_row()
    assert type(refused.value) is kind
    assert words not in str(refused.value)
    assert ("got another refusal" in str(refused.value)) == words.startswith("something")
    assert "127.0.0.1" not in str(refused.value)


def authentication(number: int, more: bytes = b"") -> bytes:
    """A server's request for a password: 0 none, 3 in clear, 5 as an MD5 hash."""
    return b"R" + struct.pack("!ii", 8 + len(more), number) + more


@pytest.mark.parametrize("asks", [authentication(3), authentication(5, b"salt")])
@pytest.mark.parametrize("login", [f"reader:{PASSWORD}", "reader"])
def test_a_password_is_not_given_in_clear_or_as_an_md5_hash(asks, login):
    """The server may be another one; the refusal says what to do about a server that is ours."""
    sent: list[bytes] = []

    def answer(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(asks)
        with contextlib.suppress(OSError):
            sent.append(client.recv(65536))

    with Peer(answer) as peer:
        dsn = f"postgresql://{login}@127.0.0.1:{peer.port}/x?sslmode=disable"
        with pytest.raises(SourceRefused, match="by scram-sha-256, got another method") as refused:
            at(dsn).database_row()
    assert "require_auth=md5" in str(refused.value)
    assert PASSWORD.encode() not in b"".join(sent)


@pytest.mark.parametrize(
    ("dsn", "required"),
    [
        ("postgresql://u:p@db.example.net/x", "scram-sha-256"),
        ("host=db.example.net user=u password=p", "scram-sha-256"),
        ("postgresql://u:p@db.example.net/x?sslcert=c.pem", "scram-sha-256,none"),
        ("postgresql://u@db.example.net/x", "!password,!md5"),
        ("postgresql://u:p@127.0.0.1/x", "!password,!md5"),
        ("postgresql://u:p@127.0.0.1,db.example.net/x", "scram-sha-256"),
        ("postgresql://u:p@db.example.net/x?require_auth=md5", None),
        ("no connection string", None),
    ],
)
def test_what_a_server_may_ask_is_required_of_libpq(dsn, required):
    """A person's own require_auth is kept."""
    assert libpq_version() >= SINCE_REQUIRE_AUTH, "the libpq that psycopg2-binary brings"
    assert _required_auth(dsn).get("require_auth") == required


def test_a_server_that_never_ends_its_answer_is_left():
    """What it may send is bounded, and so is our memory."""
    said = (b"server_version\x0017.0\0", b"client_encoding\0UTF8\0")
    ready = authentication(0)
    ready += b"".join(b"S" + struct.pack("!i", len(each) + 4) + each for each in said)
    ready += b"Z" + struct.pack("!i", 5) + b"I"
    row = b"x" * 100_000
    column = struct.pack("!h", 1) + b"a\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0)
    content = struct.pack("!hi", 1, len(row)) + row
    endless = b"D" + struct.pack("!i", len(content) + 4) + content

    def answer(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(ready)
        client.recv(65536)
        client.sendall(b"T" + struct.pack("!i", len(column) + 4) + column)
        with contextlib.suppress(OSError):
            while True:
                client.sendall(endless)

    with (
        Peer(answer) as peer,
        pytest.raises(SourceMisread, match="expected at most 64 MiB, got more"),
    ):
        without_tls(peer).database_row()


def test_what_speaks_another_protocol_is_no_database():
    """A web server at the database's port is misread or unreachable, in time."""
    content = b"HTTP/1.1 400 Bad Request\r\n\r\n<html>"
    with answering(content) as web, pytest.raises(SourceError) as refused:
        without_tls(web).database_row()
    assert isinstance(refused.value, SourceMisread | SourceUnreachable)


@pytest.mark.parametrize(
    ("dsn", "content"),
    [
        ("postgresql://a:hidden@h/d?pgbouncer=true", "got the unknown parameter pgbouncer"),
        ("hidden nonsense", "got another form"),
        ("postgresql://a:hidden@[::1/d", "got another form"),
    ],
)
def test_a_connection_string_that_is_none_is_refused_without_showing_it(dsn, content):
    """The variable is named, its content is not."""
    with pytest.raises(SourceMisread) as refused:
        at(dsn).database_row()
    assert str(refused.value) == (
        f"database: DATABASE_URL: expected a connection string that libpq knows, {content}"
    )
