"""The latency sampler: in its own process, open-loop, agreeing with the server's own timing."""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hour24 import histogram
from hour24.checkpoint.inquiry import Inquiry
from hour24.checkpoint.questions import latency_samples
from hour24.clock import SteppingClock
from hour24.config import Endpoint, Health, Production, Schedule, Service
from hour24.errors import SourceMisread
from hour24.evidence import from_plain, to_plain
from hour24.secrets import Secret
from hour24.sources import latency
from hour24.sources.latency import Pace, Sampler, paces
from tests import small_watch as small
from tests.answering import Answer, Server, free_port

ROOT = Path(__file__).resolve().parents[1]
START = datetime(2026, 11, 24, 6, tzinfo=UTC)
APART = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
from tests.answering import Answer, Server
def answer(asked):
    time.sleep(0.005 if "calls" in asked.path else 0.0005)
    return Answer(body=b"{}")
server = Server(answer)
print(server.url, flush=True)
sys.stdin.read()
print(*(f"{a.path} {a.took_ms}" for a in server.asked), sep="\\n", flush=True)
"""


def endpoint(name: str, url: str, **more: object) -> Endpoint:
    fields: dict = {"target_ms": 500.0, "timeout_s": 2.0, **more}
    return Endpoint(name=name, url=url, **fields)


def sampled(endpoints: dict[str, Endpoint], per_s: float = 100, samples: int = 30):
    paces = dict.fromkeys(endpoints, Pace(per_s, samples))
    return Sampler(endpoints, SteppingClock(START), paces).latencies()


@pytest.mark.parametrize(
    ("per_s", "target_ms", "late_ms"),
    [(100.0, 40.0, 5.0), (100.0, 500.0, 50.0), (2.0, 500.0, 250.0), (0.05, 500.0, 250.0)],
)
def test_a_slow_pace_excuses_no_late_request(per_s, target_ms, late_ms):
    """Half the interval, at most 250 ms, and no less than a tenth of the target."""
    calls = endpoint("calls", "http://127.0.0.1:9/", target_ms=target_ms)
    source = Sampler({"calls": calls}, SteppingClock(START), {"calls": Pace(per_s, 30)})
    assert source._late_ms(calls) == late_ms


def test_it_agrees_with_the_servers_own_timing():
    """Also while this process is busy, which in a thread of the same process would cost 60 ms.

    How closely it agrees is measured in benchmarks/latency.py.
    """
    with subprocess.Popen(
        [sys.executable, "-c", APART, str(ROOT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        ended = threading.Event()
        heavy = json.dumps([{"id": i, "text": "x" * 30} for i in range(40_000)])

        def busy() -> None:
            while not ended.is_set():
                json.loads(heavy)

        threading.Thread(target=busy, daemon=True).start()
        names = ("calls", "webhooks")
        found = sampled({n: endpoint(n, f"{url}/{n}") for n in names}, samples=150)
        ended.set()
        lines = server.communicate("")[0].split("\n")
    for name in names:
        own = sorted(float(each.split()[1]) for each in lines if each.startswith(f"/{name}"))
        counts = found[name].merged()
        assert found[name].n == len(own) == 150
        assert abs(histogram.quantile(counts, 0.5) - statistics.median(own)) < 15
        assert abs(histogram.quantile(counts, 0.99) - own[int(0.99 * 150)]) < 100
        assert 0 < found[name].round_trip_ms < 50
        assert found[name].sent_late < 15


def test_latency_counts_from_when_it_was_due():
    """A stall of 0.6 s is seen by every request that was due in it, not by one."""
    stalled = threading.Lock()
    count = itertools.count()

    def answer(asked):
        if next(count) == 10:
            with stalled:
                time.sleep(0.6)
        with stalled:
            return Answer()

    with Server(answer) as server:
        found = sampled({"a": endpoint("a", server.url)}, per_s=50, samples=60)["a"]
    assert found.n == 60
    slow = histogram.count_above(found.merged(), 100.0)
    assert 20 <= slow <= 32


def test_bad_answers_are_censored_and_limits_are_no_samples():
    """503, silence and a refused connection are censored; 401, 403 and 429 are only counted."""

    def answer(asked):
        if asked.path == "/hang":
            time.sleep(2.5)
        status = asked.path.strip("/")
        return Answer(int(status)) if status.isdigit() else Answer()

    with Server(answer) as server:
        endpoints = {
            name: endpoint(name, f"{server.url}/{name}", timeout_s=0.3 if name == "hang" else 5.0)
            for name in ("503", "429", "401", "403", "hang", "fine")
        }
        endpoints["404"] = endpoint("404", f"{server.url}/404", expect_status=(404,))
        endpoints["agreed"] = endpoint("agreed", f"{server.url}/401", expect_status=(401,))
        endpoints["dead"] = endpoint("dead", f"http://127.0.0.1:{free_port()}/")
        found = sampled(endpoints, samples=20)
    assert {name: (each.n, each.censored) for name, each in found.items()} == {
        "503": (0, 20),
        "429": (0, 0),
        "401": (0, 0),
        "403": (0, 0),
        "hang": (0, 20),
        "fine": (20, 0),
        "404": (20, 0),
        "agreed": (20, 0),
        "dead": (0, 20),
    }
    assert (found["503"].note, found["503"].bad) == ("20 x 503", {"503": 20})
    assert (found["401"].refused, found["403"].refused, found["429"].limited) == (20, 20, 20)
    assert found["401"].note == "20 x 401, no samples"
    assert found["hang"].note == "20 x timeout"
    assert found["dead"].note == "20 x refused"
    assert "20 answered 429" in found["429"].note
    assert found["fine"].question.asked.endswith("20 times, 100 a second")
    assert from_plain(to_plain(found["fine"])) == found["fine"]


@pytest.mark.parametrize(
    ("about", "schedule", "per_s", "samples"),
    [
        ({"interval_s": 30.0}, {}, 2 - 1 / 30, 30),
        ({"interval_s": 1.0}, {}, 1.0, 30),
        ({"interval_s": 30.0}, {"latency_per_s": 1.0}, 1.0, 30),
        ({"interval_s": 30.0}, {"latency_per_s": 50.0}, 2 - 1 / 30, 30),
        ({"interval_s": 30.0, "max_per_s": 50.0}, {"latency_per_s": 50.0}, 50 - 1 / 30, 30),
        ({"interval_s": 10.0, "max_per_s": 0.2}, {}, 0.1, 9),
        ({"interval_s": 0.1}, {}, 0.0, 0),
        ({"interval_s": 30.0, "max_per_s": 0.01}, {}, 0.0, 0),
    ],
)
def test_the_sampler_leaves_the_prober_its_requests(about, schedule, per_s, samples):
    """Both together send an endpoint at most its ``max_per_s``: 2 a second by default."""
    made = watched(endpoint("calls", "http://shop.example/calls", **about), **schedule)
    pace = paces(made)["calls"]
    assert pace == (pytest.approx(per_s), samples)
    together = pace.per_s + 1 / made.probed_every_s(made.endpoints["calls"])
    assert together <= made.endpoints["calls"].max_per_s + 1e-9


def test_the_health_document_has_the_probers_looks_at_health():
    """Every 10 s, whatever the endpoint of that name says."""
    made = watched(endpoint("health", "http://shop.example/health"))
    assert paces(made)["health"].per_s == pytest.approx(1.9)


def test_two_processes_of_one_watch_never_sample_together(tmp_path):
    """The second one waits until the first is done: together they would exceed max_per_s."""
    ledger = small.watch_of(tmp_path)
    made = watched(endpoint("calls", "http://shop.example/calls"))
    point = small.WATCH.checkpoint(8)
    first, second = (
        Inquiry(made, small.WATCH, point, SteppingClock(point.due), ledger) for _ in range(2)
    )
    began, waited = threading.Event(), []

    def sample() -> None:
        began.wait(10)
        asked_at = time.monotonic()
        with second.sampling_alone():
            waited.append(time.monotonic() - asked_at)

    thread = threading.Thread(target=sample)
    thread.start()
    with first.sampling_alone():
        began.set()
        time.sleep(0.6)
        assert waited == []
    thread.join(10)
    assert waited[0] > 0.3


def test_an_endpoint_without_room_for_samples_is_left_to_the_prober(tmp_path):
    """Its answer says so; the others are sampled, each at its own pace."""
    with Server(Answer()) as server:
        made = watched(
            endpoint("busy", f"{server.url}/busy", interval_s=0.1),
            endpoint("slow", f"{server.url}/slow", max_per_s=5.0),
            endpoint("fast", f"{server.url}/fast", max_per_s=50.0),
            latency_per_s=50.0,
            latency_samples=5,
        )
        point = small.WATCH.checkpoint(8)
        ledger = small.watch_of(tmp_path)
        inquiry = Inquiry(made, small.WATCH, point, SteppingClock(point.due), ledger)
        found = latency_samples(inquiry)
    assert {name: each.n for name, each in found.items() if name != "busy"} == {
        "slow": 5,
        "fast": 5,
    }
    assert found["busy"].code == "too_few_samples"
    assert found["slow"].question.asked.endswith("5 times, 4.967 a second")
    assert found["slow"].blocks[0].seconds == pytest.approx(5 / 4.967, rel=1e-3)


def watched(*endpoints: Endpoint, **schedule: object) -> Production:
    """A production with these endpoints."""
    return Production(
        path="production.toml",
        service=Service(
            name="shop",
            environment="production",
            time_zone="UTC",
            control_url="http://control.example",
        ),
        health=Health(url="http://shop.example/health", schema={}),
        endpoints={each.name: each for each in endpoints},
        schedule=Schedule(**schedule),
    )


def test_secrets_reach_the_server_and_nothing_else(monkeypatch):
    """A header's secret goes through standard input, not through the command line."""
    commands = []
    real = subprocess.run

    def run(command, **more):
        commands.append(command)
        return real(command, **more)

    monkeypatch.setattr(latency.subprocess, "run", run)
    with Server(Answer()) as server:
        headers = {"Authorization": Secret("TOKEN", "s3cret"), "X-Plain": "yes"}
        found = sampled({"a": endpoint("a", server.url, headers=headers)}, samples=3)
        sent = server.asked[-1].headers
    assert (sent["authorization"], sent["x-plain"]) == ("s3cret", "yes")
    assert "s3cret" not in str(commands) + str(to_plain(found["a"]))
    assert "hour24" in sent["user-agent"]


def test_a_sampler_that_fails_is_misread(monkeypatch):
    """A child that dies is no figure; its last line is the reason."""
    monkeypatch.setattr(latency.sys, "executable", "/bin/false")
    with pytest.raises(SourceMisread, match="latency: sampler: expected figures, got no message"):
        sampled({"a": endpoint("a", "http://127.0.0.1:9/")}, samples=2)


def test_nothing_to_sample():
    """Without endpoints nothing is started."""
    assert sampled({}) == {}


def test_the_sampler_is_small():
    """Its process loads neither numpy, scipy, requests nor a schema's validator."""
    code = "import sys, hour24.sources.latency; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ},
    )
    assert not {"numpy", "scipy", "requests", "jsonschema"} & set(found.stdout.split())
