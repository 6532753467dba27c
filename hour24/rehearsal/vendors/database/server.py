"""The rehearsal's database: statements from the scenario, and real sessions.

Rules of this module:

- Statements come from the scenario: a view with the columns of pg_stat_statements in schema
  ``extensions``, where Supabase has it. The real extension would count our own queries.
- Connections, locks, open transactions and running statements are real sessions. Their ages are
  real too: a rehearsal's limits are a second where a production's are a minute.
- Connections go through a gate, so that the route can be closed while the database works.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import Any

from hour24.rehearsal.postgres import MAX_CONNECTIONS, PostgresServer, find_postgres
from hour24.rehearsal.scenario import Scenario
from hour24.rehearsal.settings import TIMEOUT_S
from hour24.rehearsal.vendors.part import Part, Section
from hour24.rehearsal.world import World

READER = "hour24_reader"
READER_PASSWORD = "rehearsal-reader-5d41402abc4b"
APP = "platform_app"
PLATFORM = "supabase_admin"
DSN = "HOUR24_REHEARSAL_DATABASE_DSN"
AGED_S = 1.3
"""Waited after sessions began: older than the rehearsal's limit of a second."""
CLOSED_WITHIN_S = 3.0
POOL = 5
FULL = 31
"""Idle sessions normally, and when the pool is exhausted; 37 are available."""
STATEMENTS: tuple[tuple[str, str, float, float, float], ...] = (
    (
        APP,
        "SELECT * FROM calls WHERE tenant_id = $1 ORDER BY created_at DESC LIMIT $2",
        5200,
        4.1,
        212,
    ),
    (APP, "INSERT INTO calls (id, tenant_id, assistant_id) VALUES ($1, $2, $3)", 900, 1.9, 95),
    (APP, "SELECT * FROM assistants WHERE id = $1", 8100, 0.6, 44),
    (APP, "UPDATE calls SET transcript = $1 WHERE id = $2", 850, 6.8, 388),
    (APP, "SELECT sum(seconds) FROM usage WHERE tenant_id = $1 AND day >= $2", 60, 84.0, 640),
    (PLATFORM, "SELECT * FROM storage.search($1, $2, $3)", 6, 2100.0, 4800),
)
"""Role, text, calls an hour, mean and longest in ms; the last one is the platform's own."""
SLOW = "SELECT t.* FROM transcripts t JOIN calls c ON c.id = t.call_id WHERE t.body LIKE $1"
_SINCE_17 = ", {since} AS stats_since, {since} AS minmax_stats_since"
_SCHEMA = f"""
CREATE ROLE {READER} LOGIN PASSWORD '{READER_PASSWORD}';
GRANT pg_monitor TO {READER};
CREATE ROLE {APP} LOGIN PASSWORD '{READER_PASSWORD}';
CREATE ROLE {PLATFORM} NOLOGIN;
CREATE SCHEMA extensions;
GRANT USAGE ON SCHEMA extensions TO {READER};
CREATE TABLE public.calls (id int PRIMARY KEY, tenant int);
INSERT INTO public.calls SELECT n, n % 7 FROM generate_series(1, 100) n;
GRANT SELECT, UPDATE ON public.calls TO {APP};
CREATE TABLE extensions.fake_statements (
  queryid bigint PRIMARY KEY, role name, query text, calls bigint,
  total double precision, longest double precision
);
"""  # noqa: S608  constants
_VIEWS = """
CREATE VIEW extensions.pg_stat_statements AS
SELECT r.oid AS userid, d.oid AS dbid, true AS toplevel, t.queryid, t.query,
  0::bigint AS plans, 0::double precision AS total_plan_time,
  0::double precision AS min_plan_time, 0::double precision AS max_plan_time,
  0::double precision AS mean_plan_time, 0::double precision AS stddev_plan_time,
  t.calls, t.total AS total_exec_time, least(0.1, t.longest) AS min_exec_time,
  t.longest AS max_exec_time, t.total / greatest(t.calls, 1) AS mean_exec_time,
  0::double precision AS stddev_exec_time, t.calls AS rows,
  0::bigint AS shared_blks_hit, 0::bigint AS shared_blks_read,
  0::bigint AS shared_blks_dirtied, 0::bigint AS shared_blks_written,
  0::bigint AS local_blks_hit, 0::bigint AS local_blks_read,
  0::bigint AS local_blks_dirtied, 0::bigint AS local_blks_written,
  0::bigint AS temp_blks_read, 0::bigint AS temp_blks_written,
  0::double precision AS {blk}_read_time, 0::double precision AS {blk}_write_time,
  0::double precision AS temp_blk_read_time, 0::double precision AS temp_blk_write_time,
  0::bigint AS wal_records, 0::bigint AS wal_fpi, 0::numeric AS wal_bytes,
  0::bigint AS jit_functions, 0::double precision AS jit_generation_time,
  0::bigint AS jit_inlining_count, 0::double precision AS jit_inlining_time,
  0::bigint AS jit_optimization_count, 0::double precision AS jit_optimization_time,
  0::bigint AS jit_emission_count, 0::double precision AS jit_emission_time{since_17}
FROM extensions.fake_statements t
JOIN pg_roles r ON r.rolname = t.role
JOIN pg_database d ON d.datname = current_database();
CREATE VIEW extensions.pg_stat_statements_info AS
SELECT 0::bigint AS dealloc, {since} AS stats_reset;
GRANT SELECT ON extensions.pg_stat_statements, extensions.pg_stat_statements_info TO {reader};
"""


class Database(Part):
    """The database of one rehearsal."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.server = PostgresServer.start(find_postgres(packaged=world.packaged))
        self._lock = threading.Lock()
        self._idle: list[Any] = []
        self._busy: dict[str, list[Any]] = {}
        self._password_changed = False
        self._written_for: tuple[float, Scenario] | None = None
        self._admin: Any = self.server.connect()
        modern = self.server.binaries.major >= 17
        # a fixed time: a moving one would look like a reset of the counters
        since = f"timestamptz '{world.t0.isoformat()}' - interval '40 days'"
        with self._admin.cursor() as cursor:
            cursor.execute(_SCHEMA)
            cursor.execute(
                _VIEWS.format(
                    since=since,
                    since_17=_SINCE_17.format(since=since) if modern else "",
                    blk="shared_blk" if modern else "blk",
                    reader=READER,
                )
            )
        self.gate = Gate(self.server.port, self._open)
        self.apply()

    @property
    def dsn(self) -> str:
        """The connection string that a checkpoint uses."""
        return self.server.dsn(READER, READER_PASSWORD, self.gate.port)

    def section(self) -> Section:
        return {
            "dsn_env": DSN,
            "idle_in_transaction_s": 1.0,
            "lock_wait_s": 1.0,
            "connect_timeout_s": TIMEOUT_S,
            "statement_timeout_s": TIMEOUT_S,
            "platform_roles": [PLATFORM],
        }

    def environ(self) -> dict[str, str]:
        return {DSN: self.dsn}

    def _open(self) -> bool:
        return not self.world.scenario.has_fault("database_unreachable", self.world.now)

    def stop(self) -> None:
        """Close everything and stop the server."""
        self.gate.stop()
        self._disconnect()
        self.server.stop()

    def apply(self) -> None:
        """Put the scenario's present state into effect."""
        with self._lock:
            scenario, now = self.world.scenario, self.world.now
            if scenario.has_fault("database_down", now) or scenario.has_fault("baseline_gone", now):
                self._disconnect()
                self.server.down()
                return
            self.server.up()
            if self._admin is None:
                self._admin = self.server.connect()
            self._set_password(scenario.has_fault("login_refused", now))
            self._write_statements(scenario, now)
            self._keep_idle(FULL if scenario.has_fault("pool_exhausted", now) else POOL)
            begun = [
                self._session("idle_in_transaction", scenario, now),
                self._session("lock_wait", scenario, now),
                self._session("slow_statement", scenario, now),
            ]
            self._await_closed()
            if any(begun):
                time.sleep(AGED_S)

    def _await_closed(self) -> None:
        """Wait until closed sessions are gone from the server."""
        wanted = len(self._idle) + sum(len(held) for held in self._busy.values())
        until = time.monotonic() + CLOSED_WITHIN_S
        while time.monotonic() < until:
            with self._admin.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", (APP,))
                if cursor.fetchone() == (wanted,):
                    return
            time.sleep(0.005)

    def _set_password(self, refused: bool) -> None:
        if refused != self._password_changed:
            secret = "another" if refused else READER_PASSWORD
            with self._admin.cursor() as cursor:
                cursor.execute(f"ALTER ROLE {READER} PASSWORD %s", (secret,))
            self._password_changed = refused

    def _write_statements(self, scenario: Scenario, now: float) -> None:
        key = (now // 60, scenario)
        if self._written_for == key:
            return
        self._written_for = key
        up_h = scenario.hour(now) + 960.0
        rows = [
            (number, role, query, int(up_h * calls), int(up_h * calls) * mean, longest)
            for number, (role, query, calls, mean, longest) in enumerate(STATEMENTS, 1)
        ]
        slow_h = scenario.since_h("slow_statement", now)
        if slow_h > 0 or scenario.has_fault("slow_statement", now):
            calls = 1 + int(60 * slow_h)
            rows.append((99, APP, SLOW, calls, calls * 1800.0, 2600.0))
        with self._admin.cursor() as cursor:
            cursor.execute("DELETE FROM extensions.fake_statements")
            cursor.executemany(
                "INSERT INTO extensions.fake_statements VALUES (%s, %s, %s, %s, %s, %s)", rows
            )

    def _keep_idle(self, wanted: int) -> None:
        while len(self._idle) < wanted:
            self._idle.append(self.server.connect(APP, READER_PASSWORD))
        while len(self._idle) > wanted:
            self._idle.pop().close()

    def _session(self, fault: str, scenario: Scenario, now: float) -> bool:
        """Begin or end the sessions of a fault; return True if they began."""
        active = scenario.has_fault(fault, now)
        if active == (fault in self._busy):
            return False
        if not active:
            for connection in self._busy.pop(fault):
                self._cancel(connection)
            return False
        held: list[Any] = []
        self._busy[fault] = held
        if fault in ("idle_in_transaction", "lock_wait"):
            first = self.server.connect(APP, READER_PASSWORD)
            held.append(first)
            statement = "UPDATE public.calls SET tenant = 1 WHERE id = %s"
            with first.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute(statement, (1 if fault == "lock_wait" else 2,))
        if fault == "lock_wait":
            held.append(self._running("UPDATE public.calls SET tenant = 2 WHERE id = 1"))
        if fault == "slow_statement":
            held.append(
                self._running("SELECT count(*), pg_sleep(3600) FROM public.calls WHERE id = 1")
            )
        return True

    def _running(self, statement: str) -> Any:
        """Return a session that is executing a statement."""
        from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE

        connection = self.server.connect(APP, READER_PASSWORD, async_=True)
        until = time.monotonic() + 10.0
        while time.monotonic() < until:
            state = connection.poll()
            if state == POLL_OK:
                break
            if state in (POLL_READ, POLL_WRITE):
                time.sleep(0.002)
        connection.cursor().execute(statement)
        return connection

    def _cancel(self, connection: Any) -> None:
        pid = connection.info.backend_pid
        with self._admin.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))
        with contextlib.suppress(Exception):
            connection.close()

    def _disconnect(self) -> None:
        sessions = [*self._idle, *(each for held in self._busy.values() for each in held)]
        self._idle, self._busy, self._written_for = [], {}, None
        for connection in (*sessions, self._admin):
            with contextlib.suppress(Exception):  # the server may have stopped
                connection.close()
        self._admin = None


class Gate:
    """A port that forwards to another one while it is open.

    Args:
        to: the port it forwards to.
        is_open: called for each new connection; existing ones stay.
    """

    def __init__(self, to: int, is_open: Any) -> None:
        self._to = to
        self._is_open = is_open
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._run, name="gate", daemon=True)
        self._thread.start()
        self._ready.wait(10.0)

    def stop(self) -> None:
        """Close it and every connection through it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(2.0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_open():
            writer.transport.abort()
            return
        try:
            there = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        try:
            await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
            there[1].transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


assert FULL < MAX_CONNECTIONS - 5, "the checkpoint's own sessions must still get in"
