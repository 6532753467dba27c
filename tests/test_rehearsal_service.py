"""The rehearsal's service, database and clock, all real; and that nothing of it stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import psycopg2
import pytest
import requests
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from hour24 import config
from hour24.errors import ConfigurationError, SourceUnreachable
from hour24.rehearsal import run, serve
from hour24.rehearsal.client import Rehearsal
from hour24.rehearsal.clock import RehearsalClock
from hour24.rehearsal.postgres import PostgresServer, find_postgres
from hour24.rehearsal.vendors.counterpart import served as served_counterparts

T0 = datetime(2026, 11, 24, 6, tzinfo=UTC)
NOW = T0 + timedelta(hours=4)
DSN = "HOUR24_REHEARSAL_DATABASE_DSN"


@pytest.fixture(scope="module")
def served() -> Iterator[Rehearsal]:
    with Rehearsal.start(7, [], T0, 4) as rehearsal:
        yield rehearsal


@pytest.fixture
def rehearsal(served: Rehearsal) -> Rehearsal:
    """The rehearsal at hour 4 with nothing wrong."""
    served.set_faults()
    served.set_time(NOW)
    return served


@pytest.fixture
def production(rehearsal: Rehearsal) -> config.Production:
    """Its production.toml, read as any other."""
    return config.load(Path(rehearsal.toml), rehearsal.environ)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def rows(rehearsal: Rehearsal, query: str) -> list[Any]:
    """What the database answers the role of a checkpoint."""
    with (
        contextlib.closing(psycopg2.connect(rehearsal.environ[DSN])) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(query)
        found: list[Any] = cursor.fetchall()
    return found


def alive(pid: int) -> bool:
    """Whether the process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def descendants(pid: int) -> list[int]:
    """Every process below this one."""
    output = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in output.stdout.splitlines()[1:]]
    found, ahead = [], [pid]
    while ahead:
        parent = ahead.pop()
        below = [child for child, above in pairs if above == parent]
        found += below
        ahead += below
    return found


def gone_within(seconds: float, pids: list[int]) -> bool:
    """Whether all of them end in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.02)
    return False


def test_its_production_toml_is_whole(production: config.Production):
    """The generated file loads, and leaves no section out."""
    assert set(production.endpoints) == {"health", "calls", "webhooks", "assistants"}
    assert production.websocket is not None
    assert production.jobs is not None
    assert set(production.described) == set(served_counterparts())
    assert len(production.normal) == len(production.critical) == 4
    assert len(production.witnesses["status_pages"]) == 4
    assert production.contacts


def test_the_health_document_is_the_agreed_one(
    rehearsal: Rehearsal, production: config.Production, session: requests.Session
):
    """Health answers as its schema says, at the rehearsal's time, from both instances."""
    output = [session.get(production.health.url, timeout=5) for _ in range(4)]
    for answer in output:
        jsonschema.Draft202012Validator(production.health.schema).validate(answer.json())
        assert answer.json()["timestamp"] == "2026-11-24T10:00:00.000Z"
        assert answer.headers["Date"] == "Tue, 24 Nov 2026 10:00:00 GMT"
    assert len({answer.json()["instance"] for answer in output}) == 2
    assert {answer.json()["uptime"] for answer in output} == {80 * 3600, 80 * 3600 - 45}


def test_service_times_are_real(production: config.Production, session: requests.Session):
    """What a request took is at least what the service says it took, and not much more."""
    session.get(production.endpoints["assistants"].url, timeout=5)
    for _ in range(20):
        begun = time.perf_counter()
        answer = session.get(production.endpoints["assistants"].url, timeout=5)
        took = (time.perf_counter() - begun) * 1000
        served = float(answer.headers["Server-Timing"].partition("dur=")[2])
        assert 4 < served < took < served + 50


@pytest.mark.parametrize(
    ("fault", "status", "database", "fresh"),
    [
        ("health_degraded", 200, False, True),
        ("database_down", 503, False, True),
        ("bad_timestamp", 200, True, False),
        ("slow_endpoint", 200, True, True),
    ],
)
def test_health_under_a_fault(
    rehearsal: Rehearsal,
    production: config.Production,
    session: requests.Session,
    fault: str,
    status: int,
    database: bool,
    fresh: bool,
):
    """Each fault shows in the health document, and only where it should."""
    rehearsal.set_faults(f"{fault}@3.5")
    answer = session.get(production.health.url, timeout=5)
    assert answer.status_code == status
    assert answer.json()["database"] is database
    assert (answer.json()["timestamp"] == "2026-11-24T10:00:00.000Z") is fresh


def test_kinds_of_silence_are_distinguished(
    rehearsal: Rehearsal, production: config.Production, session: requests.Session
):
    """When the backend is down the control address answers; when the network is, it does not."""
    control = production.service.control_url
    session.get(production.health.url, timeout=5)
    rehearsal.set_faults("backend_down@3.9")
    with pytest.raises(requests.ConnectionError):
        session.get(production.health.url, timeout=5)
    assert session.get(control, timeout=5).status_code == 200
    rehearsal.set_faults("network_down@3.9")
    for url in (control, production.health.url):
        with pytest.raises(requests.ConnectionError):
            session.get(url, timeout=5)
    rehearsal.set_faults()
    assert session.get(production.health.url, timeout=5).status_code == 200


def test_a_slow_endpoint_is_slow(
    rehearsal: Rehearsal, production: config.Production, session: requests.Session
):
    """Under slow_endpoint calls really take longer than their target, the others do not."""
    rehearsal.set_faults("slow_endpoint@4")
    calls = session.get(production.endpoints["calls"].url, timeout=5)
    webhooks = session.get(production.endpoints["webhooks"].url, timeout=5)
    assert calls.elapsed.total_seconds() > 0.6
    assert webhooks.elapsed.total_seconds() < 0.2


def test_websockets_hold_or_flap(rehearsal: Rehearsal, production: config.Production):
    """Healthy connections hold; under websocket_flap two of five are dropped without a word."""
    assert production.websocket is not None
    url = production.websocket.url

    async def dropped() -> bool:
        async with connect(url, proxy=None) as connection:
            assert await connection.recv() == '{"type":"hello"}'
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    await connection.recv()
            await (await connection.ping())
            return False

    async def drops(count: int) -> int:
        async def one() -> bool:
            try:
                return await dropped()
            except ConnectionClosed as closed:
                return closed.rcvd is None

        return sum(await asyncio.gather(*(one() for _ in range(count))))

    assert asyncio.run(drops(5)) == 0
    rehearsal.set_faults("websocket_flap@3")
    assert asyncio.run(drops(20)) == 8


def test_the_database_answers_the_runbook(rehearsal: Rehearsal):
    """The role of a checkpoint may ask what it needs, and no more."""
    query = (
        "SELECT datname, numbackends, pg_database_size(datname) FROM pg_stat_database "
        "WHERE datname = current_database()"
    )
    [(name, backends, size)] = rows(rehearsal, query)
    assert (name, backends > 5, size > 1_000_000) == ("postgres", True, True)
    assert rows(rehearsal, "SELECT pg_has_role('pg_read_all_stats', 'USAGE')") == [(True,)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        rows(rehearsal, "SELECT * FROM public.calls")


def test_statements_come_from_the_scenario(rehearsal: Rehearsal):
    """Statements grow with the hours; a slow one appears with its fault, and one is running."""
    query = (
        "SELECT queryid, calls, mean_exec_time, max_exec_time, query "
        "FROM extensions.pg_stat_statements WHERE userid = 'platform_app'::regrole "
        "ORDER BY max_exec_time DESC"
    )
    before = {row[0]: row for row in rows(rehearsal, query)}
    reset = "SELECT dealloc, stats_reset FROM extensions.pg_stat_statements_info"
    assert rows(rehearsal, reset) == [(0, T0 - timedelta(days=40))]
    rehearsal.set_time(NOW + timedelta(hours=4))
    after = {row[0]: row for row in rows(rehearsal, query)}
    assert before.keys() == after.keys()
    assert all(after[key][1] > before[key][1] for key in before)
    assert max(row[3] for row in after.values()) < 1000
    rehearsal.set_faults("slow_statement@3")
    slow = rows(rehearsal, query)[0]
    assert slow[2] == 1800.0
    running = rows(
        rehearsal,
        "SELECT extract(epoch FROM clock_timestamp() - query_start) FROM pg_stat_activity "
        "WHERE state = 'active' AND query LIKE '%%pg_sleep%%' AND pid <> pg_backend_pid()",
    )
    assert [float(age) > 1 for (age,) in running] == [True]


def test_sessions_are_real(rehearsal: Rehearsal):
    """Connections, open transactions and lock waits come with their faults and go with them."""
    query = (
        "SELECT count(*), count(*) FILTER (WHERE state LIKE 'idle in transaction%' AND "
        "clock_timestamp() - state_change > interval '1 s'), "
        "count(*) FILTER (WHERE wait_event_type = 'Lock') "
        "FROM pg_stat_activity WHERE usename = 'platform_app'"
    )
    assert rows(rehearsal, query) == [(5, 0, 0)]
    rehearsal.set_faults("pool_exhausted@3", "idle_in_transaction@3", "lock_wait@3")
    assert rows(rehearsal, query) == [(34, 2, 1)]
    rehearsal.set_faults()
    assert rows(rehearsal, query) == [(5, 0, 0)]


def test_a_database_that_is_down_comes_back(rehearsal: Rehearsal):
    """A stopped server refuses, a closed way too, a changed password is refused by the server."""
    for fault, says in (
        ("database_down", "closed the connection|refused"),
        ("database_unreachable", "closed the connection|refused"),
        ("login_refused", "password authentication failed"),
    ):
        rehearsal.set_faults(f"{fault}@3.5")
        with pytest.raises(psycopg2.OperationalError, match=says):
            rows(rehearsal, "SELECT 1")
        rehearsal.set_faults()
        assert rows(rehearsal, "SELECT 1") == [(1,)]


def test_waiting_takes_the_servers_along(
    rehearsal: Rehearsal, production: config.Production, session: requests.Session
):
    """A wait on the rehearsal's clock takes no time, and every server stands where it ends."""
    clock = RehearsalClock(rehearsal.control, NOW)
    begun = time.perf_counter()
    clock.sleep(30)
    assert time.perf_counter() - begun < 1.0
    assert clock.now() == NOW + timedelta(seconds=30)
    output = session.get(production.health.url, timeout=5).json()
    assert output["timestamp"] == "2026-11-24T10:00:30.000Z"
    clock.step_to(NOW)
    assert rehearsal.state()["now"] == "2026-11-24T10:00:30.000Z"
    assert RehearsalClock(rehearsal.control, T0).now() == T0
    assert rehearsal.state()["now"] == "2026-11-24T06:00:00.000Z"


def test_others_may_use_a_rehearsal_that_is_served(rehearsal: Rehearsal, tmp_path: Path):
    """What a rehearsal prints, kept in a file, leads others to it; they do not stop it."""
    path = tmp_path / "served.json"
    path.write_text(rehearsal.to_json())
    other = Rehearsal.from_file(path)
    assert other.state()["seed"] == 7
    other.stop()
    assert rehearsal.state()["seed"] == 7
    with pytest.raises(ConfigurationError, match="expected what a rehearsal prints"):
        Rehearsal.from_file(tmp_path / "absent.json")


def test_what_the_control_refuses(rehearsal: Rehearsal):
    """An unknown fault is refused with its name, and changes nothing."""
    with pytest.raises(SourceUnreachable, match="no_such_fault"):
        rehearsal.set_faults("no_such_fault")
    assert rehearsal.state()["faults"] == []


def test_an_unknown_fault_is_refused_before_anything_starts():
    """The command names what it does not know, with exit code 4."""
    command = [sys.executable, "-m", "hour24.rehearsal.serve", "--faults", "memory_lek@6"]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 4
    assert "did you mean memory_leak" in done.stderr


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None])
def test_nothing_stays_behind(end: signal.Signals | None):
    """Killed, terminated or left alone: every process ends and the folder goes."""
    rehearsal = Rehearsal.start(3, [], T0, 0, packaged=end is signal.SIGKILL)
    process = rehearsal._process
    assert process is not None
    below = descendants(process.pid)
    home = Path(rehearsal.toml).parent
    assert len(below) > 5
    assert home.is_dir()
    if end is None:
        rehearsal.stop()
    else:
        os.kill(process.pid, end)
        assert process.wait(10) == (-end if end is signal.SIGKILL else 0)
    assert gone_within(10, below)
    until = time.monotonic() + 5
    while home.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not home.exists()
    rehearsal.stop()


def test_the_packaged_postgres_starts_stops_and_starts():
    """The server that comes with a package keeps its data over a stop, and goes at the end."""
    with PostgresServer.start(find_postgres(packaged=True)) as server:
        with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept AS SELECT 17 AS n")
        server.down()
        with pytest.raises(psycopg2.OperationalError):
            server.connect()
        server.up()
        with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT n FROM kept")
            assert cursor.fetchall() == [(17,)]
    assert not server.home.exists()


# --- what does not come up ------------------------------------------------------------------------


def test_a_postgres_that_does_not_start_leaves_nothing(monkeypatch):
    """Neither its folder nor a process."""
    made: list[PostgresServer] = []

    def refused(server: PostgresServer) -> None:
        made.append(server)
        raise KeyboardInterrupt

    monkeypatch.setattr(PostgresServer, "_up_somewhere", refused)
    with pytest.raises(KeyboardInterrupt):
        PostgresServer.start()
    assert not made[0].home.exists()


@pytest.mark.parametrize(
    ("part", "stopped"),
    [("second", ["first", "backend"]), ("Backend.ready", ["second", "first", "backend"])],
)
def test_what_came_up_before_is_stopped(monkeypatch, part, stopped):
    """The newest first, whatever the reason."""
    ended: list[str] = []

    def fails(*_: object) -> None:
        raise KeyboardInterrupt

    def part_of(name: str) -> SimpleNamespace:
        ready = fails if part == "Backend.ready" else lambda: None
        return SimpleNamespace(stop=lambda: ended.append(name), ready=ready)

    monkeypatch.setattr(serve, "Backend", lambda world: part_of("backend"))
    monkeypatch.setattr(serve, "served", lambda: {"first": "first", "second": "second"})
    monkeypatch.setattr(
        serve,
        "server_of",
        lambda name: fails if part == name else lambda world: part_of(name),
    )
    with pytest.raises(KeyboardInterrupt):
        serve.Production(1, [], T0, T0)
    assert ended == stopped


def test_a_checkpoint_that_is_broken_off_is_ended(tmp_path, served, monkeypatch):
    """Ctrl-C at a rehearsal leaves no pytest behind."""
    begun: list[subprocess.Popen[bytes]] = []

    def interrupted(process: subprocess.Popen[bytes]) -> None:
        begun.append(process)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    plan = run.RunPlan(seed=7, faults=(), hours=(0,), reports=tmp_path, t0=T0)
    with pytest.raises(KeyboardInterrupt):
        list(run.run_checkpoints(plan, served=served))
    (process,) = begun
    assert process.poll() not in (None, 0)  # undisturbed, it would have held
    assert process.stdout is not None
    process.stdout.close()
