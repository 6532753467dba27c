"""The prober: open-loop slots, minutes, rules, stops."""

from __future__ import annotations

import io
import math
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hour24 import probes
from hour24.asking.exchange import Reply
from hour24.clock import WallClock
from hour24.config import Endpoint, Health, Production, Service, WebSocketTarget
from hour24.prober import Held, Plan, Prober, Runbook, minute_line, plans, simulate
from hour24.prober.disk import BackgroundWriter
from hour24.prober.plan import phase_s
from hour24.prober.rules import is_error_rate_high, tail_probability
from hour24.prober.show import Display, format_alarm, format_minute
from hour24.probes import Alarm, Drop, LineWriter, Minute, read
from hour24.secrets import Secret
from hour24.statistics.rates import calls_for_a_person
from hour24.watch import Watch, Window
from tests.answering import Answer, Server, document, free_port

ROOT = Path(__file__).resolve().parents[1]
MINUTE = datetime(2026, 11, 24, 6, 17, tzinfo=UTC).timestamp()
SCHEMA = {
    "type": "object",
    "required": ["status", "database"],
    "properties": {"status": {"const": "ok"}, "database": {"const": True}},
}
FINE = document(status="ok", database=True, uptime=120.5)


def production(url: str, control: str = "", **more: object) -> Production:
    fields: dict = {
        "endpoints": {},
        "health": Health(url=f"{url}/health", schema=SCHEMA, interval_s=0.5, timeout_s=1.0),
        **more,
    }
    return Production(
        path="production.toml",
        service=Service(
            name="shop",
            environment="live",
            time_zone="UTC",
            control_url=control or f"{url}/control",
        ),
        **fields,
    )


class NearMinute(WallClock):
    """The wall clock, shifted so that a minute ends so many seconds from now."""

    def __init__(self, ends_in_s: float) -> None:
        now = time.time()
        self.shift = 60 - now % 60 - ends_in_s

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self.shift, UTC)


class Canned:
    """A transport that answers from a function, without a network."""

    def __init__(self, reply=lambda plan, at: Reply(200, data=FINE.body, took_ms=12.0)) -> None:
        self._reply = reply

    def reply(self, plan: Plan, at: float) -> Reply:
        return self._reply(plan, at)

    def held(self, plan: Plan, minute: float) -> Held:
        return Held(opened=3, dropped=(Drop(5.0, 1006, 60.0),), held_s=180.0)


def probe(chosen: Production, folder: Path, seconds: float, clock=None, **more) -> list[Minute]:
    """Run a real prober for some seconds; its lines."""
    clock = clock or WallClock()
    prober = Prober(chosen, clock, LineWriter(folder / "t-1.jsonl"), **more)
    timer = threading.Timer(seconds, prober.stop)
    timer.start()
    prober.run(clock.now() + timedelta(hours=1))
    timer.join()
    assert prober.unwritten == 0
    path = folder / "t-1.jsonl"
    return [line for _, line in probes.lines.decode_lines(path, msgspec.json.Decoder(Minute))]


RUNS: dict[str, Callable[[Path], Any]] = {}


def real_run(run: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """A period of real probing; all run in parallel, since they mostly wait."""
    RUNS[run.__name__] = run
    return run


@pytest.fixture(scope="module")
def real_runs(tmp_path_factory):
    with ThreadPoolExecutor(len(RUNS)) as pool:
        folders = {name: tmp_path_factory.mktemp(name) for name in RUNS}
        yield {name: pool.submit(run, folders[name]) for name, run in RUNS.items()}


def of(lines: list[Minute], name: str) -> Minute:
    return next(line for line in lines if line.probe == name)


# --- what is probed, and when ------------------------------------------------------------------


def test_the_plan_has_every_probe():
    """Health, each endpoint, the control address and the WebSockets, each at its interval."""
    chosen = plans(
        production(
            "https://shop.example",
            endpoints={
                "calls": Endpoint(
                    name="calls", url="https://shop.example/calls", target_ms=500, interval_s=30
                ),
                "fast": Endpoint(
                    name="fast", url="https://shop.example/f", target_ms=5, interval_s=0.01
                ),
                "bulk": Endpoint(
                    name="bulk",
                    url="https://shop.example/b",
                    target_ms=5,
                    interval_s=0.01,
                    max_per_s=50.0,
                ),
                "health": Endpoint(name="health", url="https://shop.example/health", target_ms=100),
            },
            websocket=WebSocketTarget(url="wss://shop.example/ws"),
        )
    )
    assert {plan.name: (plan.kind, plan.interval_s) for plan in chosen} == {
        "health": ("health", 0.5),
        "calls": ("endpoint", 30.0),
        "fast": ("endpoint", 0.5),
        "bulk": ("endpoint", 0.02),
        "control": ("control", 10.0),
        "websocket": ("websocket", 60.0),
    }
    assert all(0 <= plan.phase_s < plan.interval_s for plan in chosen)
    assert phase_s("calls", 30.0) == phase_s("calls", 30.0) != phase_s("webhooks", 30.0)


def test_a_plan_does_not_print_its_secrets():
    """A header's secret is sent and never shown."""
    health = Health(
        url="http://a/h", schema={}, headers={"accept": "x", "Authorization": Secret("T", "s3cret")}
    )
    plan = plans(production("http://a", health=health))[0]
    assert plan.request.headers["Authorization"] == "s3cret"
    assert "Accept" not in plan.request.headers
    assert "s3cret" not in repr(plan)
    assert "hour24" in plan.request.headers["User-Agent"]


# --- the core ----------------------------------------------------------------------------------


def test_a_minute_of_good_probes():
    """Six slots, six samples, six uptimes."""
    plan = plans(production("http://a", health=Health(url="http://a/h", schema=SCHEMA)))[0]
    line = minute_line(plan, MINUTE, Canned(), simulated=True, vantage="here")
    assert (line.due, line.missed, line.failed, line.statuses) == (6, [], {}, {"200": 6})
    assert sum(line.latency.values()) == 6
    assert [(round(at - plan.phase_s), up) for at, up, _ in line.uptimes] == [
        (10 * i, 120.5) for i in range(6)
    ]
    assert line.simulated
    assert line.vantage == "here"


@pytest.mark.parametrize(
    ("reply", "fate", "status"),
    [
        (Reply(200, data=FINE.body, took_ms=9), "good", "200"),
        (Reply(200, data=FINE.body, took_ms=5100, late_ms=5001), "missed", "200"),
        (Reply(503, took_ms=5100, late_ms=5001), "503", "503"),
        (Reply(429), "limited", "429"),
        (Reply(302), "302", "302"),
        (Reply(reason="timeout"), "timeout", "timeout"),
        (Reply(), "closed", "closed"),
        (Reply(200, data=b"<html>"), "expected a JSON document, got HTML", "200"),
        (Reply(200, data=b'{"a": NaN}'), "expected a JSON document, got something else", "200"),
        (
            Reply(200, data=b'{"status":"ok","database":false}'),
            "schema: /database: expected true",
            "200",
        ),
        (Reply(200, data=b'{"status":"ok"}'), "schema: /database: expected to be there", "200"),
    ],
)
def test_how_a_reply_is_read(reply, fate, status):
    """Good, failed with its reason, limited, or sent too late to count as fine."""
    plan = plans(production("http://a", health=Health(url="http://a/h", schema=SCHEMA)))[0]
    line = minute_line(plan, MINUTE, Canned(lambda plan, at: reply))
    fates = {
        "missed": len(line.missed),
        "limited": len(line.limited),
        "good": sum(line.latency.values()),
        **{name: len(slots) for name, slots in line.failed.items()},
    }
    assert {name: n for name, n in fates.items() if n} == {fate: 6}
    assert line.statuses == {status: 6}
    assert line.late == (6 if fate == "missed" else 0)


def test_an_endpoint_is_good_with_the_statuses_it_expects():
    """404 is good where the file says so, and 200 then is not."""
    endpoint = Endpoint(name="e", url="http://a/e", target_ms=5, expect_status=(404,))
    plan = plans(production("http://a", endpoints={"e": endpoint}))[1]
    assert minute_line(plan, MINUTE, Canned(lambda p, at: Reply(404))).failed == {}
    assert minute_line(plan, MINUTE, Canned(lambda p, at: Reply(200))).failed == {"200": [0, 1]}


def test_a_simulation_writes_lines_and_alarms(tmp_path):
    """Four hours without waiting; an outage of five minutes raises both alarms and ends them."""
    start = datetime.fromtimestamp(MINUTE, UTC)
    window = Window(start, start + timedelta(hours=4))
    down = Window(start + timedelta(hours=1), start + timedelta(hours=1, minutes=5))

    def reply(plan, at):
        if plan.kind != "control" and down.includes(datetime.fromtimestamp(at, UTC)):
            return Reply(503, took_ms=2.0)
        return Reply(200, data=FINE.body, took_ms=20.0)

    calls = Endpoint(name="calls", url="http://a/calls", target_ms=500)
    chosen = production(
        "http://a",
        health=Health(url="http://a/h", schema=SCHEMA),
        endpoints={"calls": calls},
        websocket=WebSocketTarget(url="ws://a/ws"),
    )
    writer = LineWriter(tmp_path / "s-1.jsonl")
    assert len(list(simulate(plans(chosen), window, Canned(reply), writer))) == 4 * 240
    seen = read(tmp_path, window)
    health = seen.probes("health", window)
    assert (health.due, health.kept, health.bad, health.simulated) == (1440, 1440, 30, True)
    assert health.failures[0].lasted_s == 300
    assert seen.responses(window).bad == 40
    assert seen.probes("websocket", window).drops == 240
    raised = probes.alarms(tmp_path)
    assert [(a.rule, a.over) for a in raised] == [
        ("error_rate", False),
        ("health_failing", False),
        ("health_failing", True),
        ("error_rate", True),
    ]
    assert raised[1].at - raised[1].since == timedelta(seconds=120)
    assert all(a.simulated for a in raised)


# --- the runbook's rules -----------------------------------------------------------------------


def test_the_error_rate_rule_is_the_exact_bound():
    """Without scipy the same answer as the Clopper-Pearson bound, for every small count."""
    for total in (*range(10, 120, 7), 500, 3000, 30_000):
        for bad in {*range(min(total, 40)), total // 20, total // 10, total}:
            assert is_error_rate_high(bad, total) == calls_for_a_person(bad, total), (bad, total)
    assert tail_probability(0, 10, 0.01) == 1.0
    assert tail_probability(3, 3, 0.5) == pytest.approx(0.125)


def test_few_requests_call_after_three_in_a_row():
    """With fewer than ten requests in five minutes, three failures in a row are enough."""
    assert is_error_rate_high(3, 5, last=3)
    assert not is_error_rate_high(2, 5, last=2)


def test_a_healthy_day_raises_nothing():
    """At an error rate of 0.5 % false alarms are rarer than one in sixty days."""
    rng = random.Random(24)
    raised: list[Alarm] = []
    for day in range(30):
        runbook = Runbook(raised.append)
        for second in range(0, 86_400, 5):
            bad = rng.random() < 0.005
            runbook.observe("endpoint", day * 86_400 + second, "503" * bad, True, bad, False)
    assert len([a for a in raised if not a.over]) <= 2


def test_health_failing_is_raised_once_and_ended():
    """An alarm is raised after two minutes, once, with its reason; its end is reported."""
    raised: list[Alarm] = []
    runbook = Runbook(raised.append)
    for i in range(30):
        runbook.observe("health", 1000 + 10 * i, "503" if 5 <= i < 25 else "", True, False, False)
    assert [(a.rule, a.at.timestamp(), a.over) for a in raised] == [
        ("health_failing", 1170.0, False),
        ("health_failing", 1250.0, True),
    ]
    assert "503" in raised[0].says


def test_our_own_dead_network_is_its_own_alarm():
    """While the control address is silent nothing is said of the service."""
    raised: list[Alarm] = []
    runbook = Runbook(raised.append)
    for i in range(40):
        runbook.observe("control", 1000 + 10 * i, "unreachable", False, True, False)
        runbook.observe("health", 1001 + 10 * i, "unreachable", False, True, False)
    assert [a.rule for a in raised] == ["no_network"]


# --- the prober itself -------------------------------------------------------------------------


@real_run
def stopped(folder: Path):
    with Server(FINE) as server:
        calls = Endpoint(name="calls", url=f"{server.url}/calls", target_ms=500, interval_s=0.5)
        lines = probe(production(server.url, endpoints={"calls": calls}), folder, 1.3)
        return lines, server


def test_it_probes_and_stops_in_order(real_runs):
    """Stopped in the middle of a minute, what was due until then is kept, and nothing more."""
    lines, server = real_runs["stopped"].result()
    sent = [asked for asked in server.asked if asked.path == "/health"]
    health = [line for line in lines if line.kind == "health"][-1]
    assert len(sent) in (2, 3)
    assert sum(len(line.missed) for line in lines) == 0
    assert sum(line.due for line in lines if line.probe == "health") == len(sent)
    assert health.latency
    assert health.round_trip_ms > 0
    assert all(up == 120.5 for _, up, _ in health.uptimes)
    assert {asked.headers["user-agent"].split("/")[0] for asked in server.asked} == {"hour24"}
    assert server.connections < len(server.asked)


@real_run
def stalled(folder: Path):
    def answer(asked):
        if asked.path == "/calls":
            time.sleep(0.9)
        return FINE

    with Server(answer) as server:
        calls = Endpoint(
            name="calls", url=f"{server.url}/calls", target_ms=500, interval_s=0.1, max_per_s=10
        )
        lines = probe(production(server.url, endpoints={"calls": calls}), folder, 1.6)
        return lines, [asked.at for asked in server.asked if asked.path == "/calls"]


def test_a_slow_answer_delays_no_other_probe(real_runs):
    """A stall of 0.9 s delays no other probe, and each latency counts from its slot."""
    lines, arrived = real_runs["stalled"].result()
    late = sorted((at - phase_s("calls", 0.1)) % 0.1 for at in arrived)
    assert len(arrived) >= 13
    assert late[len(late) // 2] < 0.05
    values = [int(bucket) for line in lines if line.probe == "calls" for bucket in line.latency]
    assert min(values) >= 340  # bucket 340 holds 898 ms


@real_run
def held_up(folder: Path):
    with Server(FINE) as server:
        calls = Endpoint(name="calls", url=f"{server.url}/calls", target_ms=500, interval_s=1.0)
        writer = LineWriter(folder / "t-1.jsonl")
        prober = Prober(production(server.url, endpoints={"calls": calls}), WallClock(), writer)
        slot = math.ceil(time.time() - phase_s("calls", 1.0) + 0.3) + phase_s("calls", 1.0)
        begin = time.perf_counter() + slot - time.time() - 0.05
        prober._table.at(begin, lambda: time.sleep(0.35))
        threading.Timer(slot - time.time() + 0.6, prober.stop).start()
        prober.run(WallClock().now() + timedelta(hours=1))
    return [
        line for _, line in probes.lines.decode_lines(writer.path, msgspec.json.Decoder(Minute))
    ]


def test_a_delay_of_the_prober_counts_as_latency(real_runs):
    """A prober that is itself 0.3 s late says 0.3 s: latency counts from the slot."""
    lines = real_runs["held_up"].result()
    slowest = max(int(b) for line in lines if line.probe == "calls" for b in line.latency)
    assert slowest >= 285  # bucket 285 holds 298 ms


@real_run
def hanging(folder: Path):
    def answer(asked):
        if asked.path == "/drip":
            return Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500, drip_s=0.05)
        if asked.path == "/hang":
            time.sleep(4)
        return FINE

    written: dict[str, datetime] = {}
    clock = NearMinute(0.8)
    end = datetime.fromtimestamp(clock.now().timestamp() // 60 * 60 + 60, UTC)

    def wrote(line: Minute) -> None:
        if line.minute < end:
            written[line.probe] = clock.now()

    with Server(answer) as server:
        dead = f"http://127.0.0.1:{free_port()}/"
        endpoints = {
            name: Endpoint(name=name, url=url, target_ms=5, interval_s=0.5, timeout_s=0.4)
            for name, url in (
                ("drip", f"{server.url}/drip"),
                ("hang", f"{server.url}/hang"),
                ("dead", dead),
            )
        }
        chosen = production(server.url, endpoints=endpoints)
        return probe(chosen, folder, 1.8, clock, on_line=wrote), written, end


def test_a_hanging_server_is_a_timeout(real_runs):
    """Silence, a drip of bytes and a refused connection end within the limit, each by name."""
    lines, written, end = real_runs["hanging"].result()
    reasons = {
        name: {why for line in lines if line.probe == name for why in line.failed}
        for name in ("drip", "hang", "dead")
    }
    assert reasons == {"drip": {"timeout"}, "hang": {"timeout"}, "dead": {"refused"}}
    assert max(written.values()) < end + timedelta(seconds=0.75)


@real_run
def limited(folder: Path):
    with Server(Answer(429, headers={"Retry-After": "60"})) as server:
        busy = Endpoint(name="busy", url=f"{server.url}/busy", target_ms=5, interval_s=0.5)
        chosen = production(server.url, endpoints={"busy": busy})
        lines = probe(chosen, folder, 1.6, NearMinute(30))
        return lines, sum(asked.path == "/busy" for asked in server.asked)


def test_a_limit_is_obeyed(real_runs):
    """After a 429 the target is left alone; those slots are missed, not fine."""
    lines, asked = real_runs["limited"].result()
    line = of(lines, "busy")
    assert asked == len(line.limited) == 1
    assert len(line.missed) == line.due - 1 >= 1
    assert "left alone for 60 s" in line.note


@real_run
def unsafe(folder: Path):
    with Server(FINE) as server:
        post = Endpoint(
            name="post",
            url=f"{server.url}/post",
            target_ms=5,
            method="POST",
            body='{"dry": true}',
            interval_s=0.5,
        )
        lines = probe(production(server.url, endpoints={"post": post}), folder, 1.3)
        return lines, [asked for asked in server.asked if asked.path == "/post"]


def test_unsafe_methods_are_sent_once(real_runs):
    """A POST goes out once a slot, with its body."""
    lines, asked = real_runs["unsafe"].result()
    assert {a.body for a in asked} == {b'{"dry": true}'}
    assert {a.method for a in asked} == {"POST"}
    assert sum(line.due for line in lines if line.probe == "post") == len(asked)


@real_run
def minute_over(folder: Path):
    with Server(FINE) as server:
        return probe(production(server.url), folder, 1.9, NearMinute(0.9)), folder


def test_a_minute_is_written_when_it_is_over(real_runs):
    """At the minute's end every probe's line is on the disk while the prober goes on."""
    lines, folder = real_runs["minute_over"].result()
    health = [line for line in lines if line.probe == "health"]
    assert len(health) == 2
    assert health[1].minute - health[0].minute == timedelta(minutes=1)
    assert health[0].first + health[0].due == 120
    assert health[1].first == 0
    seen = read(folder, Window(health[0].minute, health[1].minute + timedelta(minutes=1)))
    whole = seen.probes("health", seen.window)
    assert whole.kept == health[0].due + health[1].due
    assert max(b - a for a, b in whole.gaps) > 30


def jumped(folder: Path, by_s: float) -> list[Minute]:
    clock = NearMinute(30)
    timer = threading.Timer(0.7, lambda: setattr(clock, "shift", clock.shift + by_s))
    timer.start()
    with Server(lambda asked: document(status="ok", database=True, uptime=time.time())) as server:
        return probe(production(server.url), folder, 2.6, clock)


@real_run
def jumped_ahead(folder: Path):
    return jumped(folder, 125.0)


@real_run
def jumped_back(folder: Path):
    return jumped(folder, -125.0)


@pytest.mark.parametrize("which", ["jumped_ahead", "jumped_back"])
def test_the_clock_jumps(real_runs, which):
    """Slots that a jump skipped are missed, those it repeats are probed again; uptimes go on."""
    health = [line for line in real_runs[which].result() if line.probe == "health"]
    assert any("the clock jumped by" in line.note for line in health)
    kept = sum(line.due - len(line.missed) for line in health)
    missed = sum(len(line.missed) for line in health)
    assert 3 <= kept <= 6
    assert (missed >= 240) if which == "jumped_ahead" else (missed <= 3)
    starts = {
        round(line.minute.timestamp() + at - up, 1) for line in health for at, up, _ in line.uptimes
    }
    assert max(starts) - min(starts) < 0.5


@real_run
def ended(folder: Path):
    clock = NearMinute(1.1)
    until = datetime.fromtimestamp(clock.now().timestamp() // 60 * 60 + 60, UTC)
    with Server(FINE) as server:
        chosen = production(server.url, websocket=WebSocketTarget(url="ws://127.0.0.1:9/"))
        Prober(chosen, clock, LineWriter(folder / "t-1.jsonl")).run(until)
    return folder, until, clock.now()


def test_it_stops_by_itself(real_runs):
    """At the end of the watch the last minute is whole and the prober returns."""
    folder, until, at = real_runs["ended"].result()
    assert at < until + timedelta(seconds=3)
    seen = read(folder, Window(until - timedelta(minutes=1), until + timedelta(minutes=5)))
    assert seen.last_line == until
    health = seen.probes("health", Window(until - timedelta(seconds=1), until))
    assert (health.due, health.kept) == (2, 2)


def with_sockets(folder: Path, handler: Callable[[Any], Any]) -> list[Minute]:
    from websockets.sync.server import serve

    with serve(handler, "127.0.0.1", 0) as ws, Server(FINE) as server:
        threading.Thread(target=ws.serve_forever, daemon=True).start()
        port = ws.socket.getsockname()[1]
        target = WebSocketTarget(
            url=f"ws://127.0.0.1:{port}/", probe_connections=2, probe_hold_s=0.6
        )
        lines = probe(production(server.url, websocket=target), folder, 1.6)
        ws.shutdown()
    return [line for line in lines if line.probe == "websocket"]


@real_run
def sockets_that_break(folder: Path):
    def breaks(connection):
        time.sleep(0.4)
        connection.socket.shutdown(2)

    return with_sockets(folder, breaks)


@real_run
def sockets_that_hold(folder: Path):
    return with_sockets(folder, list)


@pytest.mark.parametrize(
    ("which", "codes"), [("sockets_that_break", {1006}), ("sockets_that_hold", set())]
)
def test_sockets_are_held_and_their_drops_counted(real_runs, which, codes):
    """A server that breaks its connections causes drops; one that keeps them causes none."""
    lines = real_runs[which].result()
    assert sum(line.opened for line in lines) >= 2
    assert {drop.code for line in lines for drop in line.dropped} == codes
    assert 0.3 < sum(line.held_s for line in lines) < 4.0


def test_a_disk_that_fails_for_a_while_loses_nothing(tmp_path):
    """Lines that cannot be written are kept and written later; alarms too."""
    writer = LineWriter(tmp_path / "t-1.jsonl")
    real, broken = writer.write, threading.Event()
    broken.set()

    def write(*lines):
        if broken.is_set():
            raise OSError(28, "No space left on device")
        real(*lines)

    writer.write = write
    background = BackgroundWriter(writer)
    plan = plans(production("http://a"))[0]
    for i in range(3):
        background.line(minute_line(plan, MINUTE + 60 * i, Canned()))
    time.sleep(0.3)
    assert background.unwritten == 3
    broken.clear()
    background.line(minute_line(plan, MINUTE + 180, Canned()))
    background.close()
    assert background.unwritten == 0
    assert len((tmp_path / "t-1.jsonl").read_bytes().splitlines()) == 4


# --- its process -------------------------------------------------------------------------------

PROBER = """
    import sys, time
    from datetime import UTC, datetime, timedelta
    from pathlib import Path
    from hour24.clock import WallClock
    from hour24.config import Health, Production, Service
    from hour24.prober import Prober, run_probe
    from hour24.probes import LineWriter
    from hour24.watch import Watch

    url, folder = sys.argv[1], Path(sys.argv[2])
    production = Production(
        path="p", service=Service(name="s", environment="e", time_zone="UTC", control_url=url),
        health=Health(url=url, schema={}, interval_s=0.5),
    )
    if sys.argv[3] == "run":
        watch = Watch(name="w", t0=datetime.now(UTC) - timedelta(hours=1))
        sys.exit(run_probe(production, watch, folder))
    shift = 60 - time.time() % 60 - 1.0
    class Near(WallClock):
        def now(self):
            return datetime.fromtimestamp(time.time() + shift, UTC)
    Prober(production, Near(), LineWriter.of_this_process(folder)).run(
        Near().now() + timedelta(hours=1)
    )
"""


def started(url: str, folder: Path, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROBER), url, str(folder), how],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_killed_prober_leaves_every_minute_it_finished(tmp_path):
    """SIGKILL after the minute's end: the minute is there, and a second prober joins on."""
    with Server(FINE) as server, started(server.url, tmp_path, "near") as first:
        deadline = time.monotonic() + 10
        while not probes.last_line(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        first.kill()
        first.communicate()
    (path,) = tmp_path.glob("*.jsonl")
    assert path.name.endswith(f"-{first.pid}.jsonl")
    end = probes.last_line(tmp_path)
    assert end is not None
    seen = read(tmp_path, Window(end - timedelta(minutes=1), end))
    assert seen.probes("health", Window(end - timedelta(seconds=1), end)).kept == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path, number):
    """It writes down the minute so far, says so and exits 0."""
    with Server(FINE) as server, started(server.url, tmp_path, "run") as process:
        deadline = time.monotonic() + 10
        while len(server.asked) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
        assert process.returncode == 0, err
        asked = len(server.asked)
    assert "probing until" in out
    assert "stopped" in out
    assert err == ""
    (path,) = tmp_path.glob("*.jsonl")
    lines = [line for _, line in probes.lines.decode_lines(path, msgspec.json.Decoder(Minute))]
    assert sum(line.due - len(line.missed) for line in lines) == asked


def test_a_prober_stays_small():
    """Neither numpy nor scipy nor requests comes in with the prober."""
    code = "import sys, hour24.prober; print(*sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"numpy", "scipy", "requests", "jsonschema", "rich", "websockets"} & set(
        done.stdout.split()
    )


# --- what it shows -----------------------------------------------------------------------------


def test_lines_as_text():
    """A minute in a few words; the service's own text is shown without control characters."""
    plan = plans(production("http://a", health=Health(url="http://a/h", schema=SCHEMA)))[0]
    line = minute_line(plan, MINUTE, Canned(lambda p, at: Reply(503)))
    assert format_minute(line) == "health 0/6 (6 x 503)"
    at = datetime.fromtimestamp(MINUTE, UTC)
    alarm = Alarm(at=at, rule="error_rate", since=at, says="\x1b[31mred\r")
    assert format_alarm(alarm) == "06:17:00Z ALARM: error_rate: ⟨ESC⟩[31mred⟨CR⟩"


@pytest.mark.parametrize("terminal", [True, False])
def test_what_it_shows(tmp_path, terminal):
    """On a terminal a table, elsewhere a plain line a minute; both show alarms."""

    class Out(io.StringIO):
        def isatty(self):
            return terminal

    out = Out()
    watch = Watch(name="friday", t0=datetime.fromtimestamp(MINUTE, UTC))
    chosen = plans(production("http://a", health=Health(url="http://a/h", schema=SCHEMA)))
    with Display.on(out, watch, watch.whole.end, len(chosen)) as display:
        for minute in range(3):
            for plan in chosen:
                display.line(minute_line(plan, MINUTE + 60 * minute, Canned()))
        at = datetime.fromtimestamp(MINUTE, UTC)
        display.alarm(Alarm(at=at, rule="health_failing", since=at, says="health has failed"))
        display.end(0, stopped=True, goes_on_until=watch.whole.end)
    shown = out.getvalue()
    assert "ALARM: health_failing: health has failed" in shown
    assert "friday" in shown
    assert ("06:18Z health 6/6, control 6/6" in shown) != terminal
