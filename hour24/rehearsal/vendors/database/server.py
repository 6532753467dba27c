"""The rehearsal's database: what the story says of it, and sessions that are real.

Rules of this module:

- Statements are the story's: a view of pg_stat_statements' shape in schema ``extensions``,
  where Supabase keeps it. The real extension would tell of our own asking.
- Connections, locks, transactions left open and running statements are real sessions. Their
  ages are real too: a rehearsal's limits are a second where a production's are a minute.
- The way to the database leads through a gate, so that it can be closed while all is well.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import Any

from hour24.rehearsal.postgres import MAX_CONNECTIONS, PostgresServer, found
from hour24.rehearsal.settings import TIMEOUT_S
from hour24.rehearsal.story import Story
from hour24.rehearsal.vendors.part import Part, Section
from hour24.rehearsal.world import World

READER = "hour24_reader"
READER_PASSWORD = "rehearsal-reader-5d41402abc4b"
APP = "platform_app"
PLATFORM = "supabase_admin"
DSN = "HOUR24_REHEARSAL_DATABASE_DSN"
AGED_S = 1.3
SETTLED_WITHIN_S = 3.0
POOL = 5
FULL = 31
"""Sessions at rest, and when the pool is exhausted: of 37 that are available."""
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
CREATE TABLE extensions.told (
  queryid bigint PRIMARY KEY, role name, query text, calls bigint,
  total double precision, longest double precision
);
"""  # noqa: S608  names of our own
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
FROM extensions.told t
JOIN pg_roles r ON r.rolname = t.role
JOIN pg_database d ON d.datname = current_database();
CREATE VIEW extensions.pg_stat_statements_info AS
SELECT 0::bigint AS dealloc, {since} AS stats_reset;
GRANT SELECT ON extensions.pg_stat_statements, extensions.pg_stat_statements_info TO {reader};
"""


class Database(Part):
    """The database of one world."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.server = PostgresServer.start(found(packaged=world.packaged))
        self._lock = threading.Lock()
        self._idle: list[Any] = []
        self._busy: dict[str, list[Any]] = {}
        self._password_changed = False
        self._told_of: tuple[float, Story] | None = None
        self._admin: Any = self.server.connect()
        modern = self.server.binaries.major >= 17
        # counted since a moment of the story: one that moved would be a reset
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
        """How a checkpoint connects."""
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
        return not self.world.story.now("database_unreachable", self.world.now)

    def stop(self) -> None:
        """Close everything and stop the server."""
        self.gate.stop()
        self._leave()
        self.server.stop()

    def apply(self) -> None:
        """Make the database what the story says of this moment."""
        with self._lock:
            story, now = self.world.story, self.world.now
            if story.now("database_down", now) or story.now("baseline_gone", now):
                self._leave()
                self.server.down()
                return
            self.server.up()
            if self._admin is None:
                self._admin = self.server.connect()
            self._refuse(story.now("login_refused", now))
            self._tell(story, now)
            self._rest(FULL if story.now("pool_exhausted", now) else POOL)
            begun = [
                self._session("idle_in_transaction", story, now),
                self._session("lock_wait", story, now),
                self._session("slow_statement", story, now),
            ]
            self._settle()
            if any(begun):
                time.sleep(AGED_S)

    def _settle(self) -> None:
        """Return once the sessions that were closed are gone."""
        wanted = len(self._idle) + sum(len(held) for held in self._busy.values())
        until = time.monotonic() + SETTLED_WITHIN_S
        while time.monotonic() < until:
            with self._admin.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", (APP,))
                if cursor.fetchone() == (wanted,):
                    return
            time.sleep(0.005)

    def _refuse(self, refused: bool) -> None:
        if refused != self._password_changed:
            secret = "another" if refused else READER_PASSWORD
            with self._admin.cursor() as cursor:
                cursor.execute(f"ALTER ROLE {READER} PASSWORD %s", (secret,))
            self._password_changed = refused

    def _tell(self, story: Story, now: float) -> None:
        key = (now // 60, story)
        if self._told_of == key:
            return
        self._told_of = key
        up_h = story.hour(now) + 960.0
        rows = [
            (number, role, query, int(up_h * calls), int(up_h * calls) * mean, longest)
            for number, (role, query, calls, mean, longest) in enumerate(STATEMENTS, 1)
        ]
        slow_h = story.since_h("slow_statement", now)
        if slow_h > 0 or story.now("slow_statement", now):
            calls = 1 + int(60 * slow_h)
            rows.append((99, APP, SLOW, calls, calls * 1800.0, 2600.0))
        with self._admin.cursor() as cursor:
            cursor.execute("DELETE FROM extensions.told")
            cursor.executemany("INSERT INTO extensions.told VALUES (%s, %s, %s, %s, %s, %s)", rows)

    def _rest(self, wanted: int) -> None:
        while len(self._idle) < wanted:
            self._idle.append(self.server.connect(APP, READER_PASSWORD))
        while len(self._idle) > wanted:
            self._idle.pop().close()

    def _session(self, fault: str, story: Story, now: float) -> bool:
        """Begin or end the sessions of a fault. Returns: whether they began."""
        active = story.now(fault, now)
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
        """A session in the middle of a statement."""
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

    def _leave(self) -> None:
        sessions = [*self._idle, *(each for held in self._busy.values() for each in held)]
        self._idle, self._busy, self._told_of = [], {}, None
        for connection in (*sessions, self._admin):
            with contextlib.suppress(Exception):  # the server may be gone already
                connection.close()
        self._admin = None


class Gate:
    """A port that leads to another one, as long as it is open.

    Args:
        to: the port it leads to.
        opened: asked for each new connection; a connection of the past stays.
    """

    def __init__(self, to: int, opened: Any) -> None:
        self._to = to
        self._opened = opened
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
        if not self._opened():
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
