"""One piece of work done by hour24 and by its peers: wall time, CPU, and how true the p99 is.

    python benchmarks/peers.py [--rounds 3] [--per-s 50] [--npm]

The work: the health document checked against its schema, 300 requests to each of four endpoints at
the same pace with a p99, one SQL query. A server on loopback writes down how long each answer took
it. The peers are locust, and plain pytest with requests in threads; with ``--npm`` also artillery
and newman, which neither check the schema nor ask the database. They are installed into an
environment that is removed at the end. hour24 runs its whole checkpoint at hour 0: it samples the
endpoints, writes its record and its pages, and finds other criteria not configured.

Rules of this module:

- The tools take turns in each round; the median of the rounds is printed.
- The p99's error is the largest over the endpoints, against the server's log of that very run.
- newman cannot keep a pace: it asks one request after another, so its wall time compares to
  nothing and only its CPU gets a ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import Figure, load, tell  # noqa: E402  in the same folder, not installed

SAMPLES = 300
SERVICE_S = {"calls": 0.005, "webhooks": 0.002, "assistants": 0.02, "agents": 0.01}
SLOW_EVERY = 40
"""One request in 40 takes five times as long: 7 of 300, counted as they arrive.

The p99 is the fourth slowest, well within these 7, so that no tool's choice of rank decides it."""
PIP = (
    "locust==2.47.0",
    "requests==2.34.2",
    "pytest==9.2.0",
    "psycopg2-binary==2.9.13",
    "jsonschema==4.26.0",
)
NPM = ("artillery@2.0.34", "newman@6.2.2")
LOCUST = "locust"
WALL, CPU = 0.9, 1.2
"""At most so many times locust's wall time and CPU."""
RUN_S = 240.0
SCHEMA = {
    "type": "object",
    "required": ["status", "timestamp", "uptime"],
    "properties": {"status": {"const": "ok"}, "uptime": {"type": "number"}},
}

PRODUCTION = """\
[service]
name = "work"
environment = "production"
control_url = "{url}/control"

[health]
url = "{url}/health"
schema = "health.schema.json"
database = ""

{endpoints}
[database]
dsn_env = "WORK_DSN"

[schedule]
latency_samples = {samples}
latency_per_s = {per_s}
"""
ENDPOINT = '[endpoints.{name}]\nurl = "{url}/{name}"\ntarget_ms = 1000\nmax_per_s = {most}\n'

CHECKS = """\
import json, os, time
import jsonschema, psycopg2, requests

URL, PER_S, SAMPLES = os.environ["WORK_URL"], float(os.environ["WORK_PER_S"]), {samples}
NAMES, SCHEMA = {names!r}, json.loads('''{schema}''')

def check_the_rest():
    jsonschema.validate(requests.get(URL + "/health", timeout=5).json(), SCHEMA)
    connection = psycopg2.connect(os.environ["WORK_DSN"])
    cursor = connection.cursor()
    cursor.execute("SELECT 1")
    assert cursor.fetchone() == (1,)
    connection.close()

def keep(p99):
    with open(os.environ["WORK_OUT"], "w") as file:
        json.dump(p99, file)
"""

LOCUSTFILE = """\
from locust import HttpUser, constant_throughput, events, task
from locust.exception import StopUser
from checks import *

USERS = 4  # of each endpoint, so that a slow answer delays no other request

@events.test_start.add_listener
def start(environment, **_):
    check_the_rest()

@events.quitting.add_listener
def quit(environment, **_):
    keep({n: environment.stats.get("/" + n, "GET").get_response_time_percentile(0.99)
          for n in NAMES})

def user(name):
    class Each(HttpUser):
        host = URL
        fixed_count = USERS
        wait_time = constant_throughput(PER_S / USERS)
        left = SAMPLES // USERS

        @task
        def ask(self):
            if not self.left:
                if self.environment.stats.total.num_requests >= SAMPLES * len(NAMES):
                    self.environment.runner.quit()
                raise StopUser
            self.left -= 1
            self.client.get("/" + name)
    Each.__name__ = name
    return Each

for name in NAMES:
    globals()[name] = user(name)
"""

TEST = """\
import math, threading
from concurrent.futures import ThreadPoolExecutor
from checks import *

def test_work():
    check_the_rest()
    local, took = threading.local(), {n: [] for n in NAMES}

    def ask(name, due):
        if not hasattr(local, "session"):
            local.session = requests.Session()
        answer = local.session.get(f"{URL}/{name}", timeout=5)
        took[name].append((time.perf_counter() - due) * 1000)
        assert answer.status_code == 200

    with ThreadPoolExecutor(32) as pool:
        start, sent = time.perf_counter() + 0.05, []
        for n in range(SAMPLES):
            due = start + n / PER_S
            time.sleep(max(0.0, due - time.perf_counter()))
            sent += [pool.submit(ask, name, due) for name in NAMES]
        for each in sent:
            each.result()
    p99 = {n: sorted(v)[math.ceil(0.99 * len(v)) - 1] for n, v in took.items()}
    assert all(value < 1000 for value in p99.values())
    keep(p99)
"""


class Service:
    """The server that is measured, in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._out = self._process.stdout
        self.url = f"http://127.0.0.1:{self._out.readline().strip()}"

    def p99(self) -> dict[str, tuple[int, float]]:
        """Endpoint -> requests since the last call, and the p99 of its answers in ms."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        took: dict[str, list[float]] = json.loads(self._out.readline())
        return {name: (len(took.get(name, [])), p99_of(took.get(name, []))) for name in SERVICE_S}

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def p99_of(values: list[float]) -> float:
    """The 99th percentile, by rank; not a number of no values."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1] if values else math.nan


def serve() -> None:
    """Answer on loopback; for each line of standard input, print what answers took since."""
    took: dict[str, list[float]] = {}
    arrived: dict[str, int] = {}
    began = time.time()

    def body(name: str) -> bytes:
        now = time.time()
        at = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03}Z"
        return json.dumps({"status": "ok", "timestamp": at, "uptime": now - began + 900}).encode()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                name = (await reader.readuntil(b"\r\n\r\n")).split(None, 2)[1].decode()[1:]
                begun = time.perf_counter()
                if name in SERVICE_S:
                    values = took.setdefault(name, [])
                    arrived[name] = arrived.get(name, 0) + 1
                    slow = 1 if arrived[name] % SLOW_EVERY else 5
                    await asyncio.sleep(slow * SERVICE_S[name])
                    values.append((time.perf_counter() - begun) * 1000)
                data = body(name)
                date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
                head = f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: application/json\r\n"
                writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps(took), flush=True)
            took.clear()
            arrived.clear()
        os._exit(0)

    asyncio.run(run())


class Job(NamedTuple):
    """One tool at its work: its command, its folder, and how its p99s are read."""

    command: list[str]
    folder: Path
    p99: Callable[[], dict[str, float]]


class Run(NamedTuple):
    """What one run took: seconds of wall and CPU, and the largest error of a p99 in ms."""

    wall: float
    cpu: float
    error_ms: float


def run_job(job: Job, service: Service, environ: dict[str, str]) -> Run:
    """Run it once. Raises: RuntimeError, when it failed or did not send every request."""
    service.p99()  # forget what came before
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(
        job.command,
        cwd=job.folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    logged = service.p99()
    sent = {name: count for name, (count, _) in logged.items()}
    if set(sent.values()) != {SAMPLES}:
        text = (ended.stdout + ended.stderr)[-3000:]
        raise RuntimeError(f"{job.command[0]}: requests: expected {SAMPLES} each, got {sent}{text}")
    found = job.p99()
    return Run(wall, cpu, max(abs(found[name] - p99) for name, (_, p99) in logged.items()))


def hour24_job(folder: Path, service: Service, per_s: float) -> Job:
    """A checkpoint at hour 0 against a production that describes this work alone."""
    from hour24 import histogram

    (folder / "health.schema.json").write_text(json.dumps(SCHEMA))
    endpoints = "\n".join(
        ENDPOINT.format(name=name, url=service.url, most=2 * per_s) for name in SERVICE_S
    )
    text = PRODUCTION.format(url=service.url, endpoints=endpoints, samples=SAMPLES, per_s=per_s)
    (folder / "production.toml").write_text(text)
    reports = folder / "reports"
    command = [sys.executable, "-m", "pytest", "-m", "hour0", f"--reports={reports}"]
    command += [f"--target={folder / 'production.toml'}"]

    def p99() -> dict[str, float]:
        (path,) = reports.glob("*/hour00.a1.json")
        found = {}
        for answer in json.loads(path.read_text())["answers"]:
            name = answer["question"]["asked"].partition(",")[0].rpartition("/")[2]
            if answer["kind"] == "distribution" and name in SERVICE_S:
                parts = [block["counts"] for block in answer["blocks"]]
                counts = histogram.merged({int(k): v for k, v in part.items()} for part in parts)
                found[name] = histogram.quantile(counts, 0.99)
        shutil.rmtree(reports)  # each run opens a watch of its own
        return found

    return Job(command, ROOT, p99)


def python_jobs(folder: Path) -> Iterator[tuple[str, Job]]:
    """locust, and plain pytest, in an environment of their own."""
    venv.create(folder / "environment", with_pip=True)
    python = folder / "environment" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "-q", "install", *PIP], check=True, capture_output=True)
    checks = CHECKS.format(samples=SAMPLES, names=list(SERVICE_S), schema=json.dumps(SCHEMA))
    (folder / "checks.py").write_text(checks)
    (folder / "locustfile.py").write_text(LOCUSTFILE)
    (folder / "test_work.py").write_text(TEST)
    out = folder / "out.json"

    def kept() -> dict[str, float]:
        return dict(json.loads(out.read_text()))

    locust = [str(python), "-m", "locust", "--headless", "--only-summary", "--users=16"]
    yield LOCUST, Job([*locust, "--spawn-rate=100"], folder, kept)
    pytest = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_work.py"]
    yield "pytest with requests", Job(pytest, folder, kept)


def npm_jobs(folder: Path, service: Service, per_s: float) -> Iterator[tuple[str, Job]]:
    """artillery and newman, from npm."""
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", *NPM]
    subprocess.run(npm, cwd=folder, check=True, capture_output=True)
    flow = [{"parallel": [{"get": {"url": f"/{name}"}} for name in SERVICE_S]}]
    work = {
        "config": {
            "target": service.url,
            "plugins": {"metrics-by-endpoint": {}},
            "phases": [{"duration": SAMPLES / per_s, "arrivalCount": SAMPLES}],
        },
        "scenarios": [{"flow": flow}],
    }
    (folder / "work.json").write_text(json.dumps(work))
    out = folder / "artillery.json"

    def artillery() -> dict[str, float]:
        found = json.loads(out.read_text())["aggregate"]["summaries"]
        prefix = "plugins.metrics-by-endpoint.response_time./"
        return {name: found[f"{prefix}{name}"]["p99"] for name in SERVICE_S}

    binaries = folder / "node_modules" / ".bin"
    command = [str(binaries / "artillery"), "run", "--quiet", f"--output={out}", "work.json"]
    yield "artillery", Job(command, folder, artillery)
    items = [{"name": name, "request": f"{service.url}/{name}"} for name in SERVICE_S]
    schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
    collection = {"info": {"name": "work", "schema": schema}, "item": items}
    (folder / "collection.json").write_text(json.dumps(collection))
    kept = folder / "newman.json"

    def newman() -> dict[str, float]:
        took: dict[str, list[float]] = {}
        for each in json.loads(kept.read_text())["run"]["executions"]:
            took.setdefault(each["item"]["name"], []).append(each["response"]["responseTime"])
        return {name: p99_of(values) for name, values in took.items()}

    command = [str(binaries / "newman"), "run", "collection.json", f"--iteration-count={SAMPLES}"]
    command += ["--reporters=json", f"--reporter-json-export={kept}"]
    yield "newman", Job(command, folder, newman)


@contextmanager
def everything(per_s: float, npm: bool) -> Iterator[dict[str, Callable[[], Run]]]:
    """The server, the database and the tools; yields what runs each tool, by its name."""
    from hour24.rehearsal.postgres import PostgresServer

    with (
        tempfile.TemporaryDirectory(prefix="hour24-peers-") as name,
        PostgresServer.start() as database,
    ):
        folder, service = Path(name), Service()
        try:
            jobs = {"hour24": hour24_job(folder, service, per_s), **dict(python_jobs(folder))}
            if npm:
                jobs |= dict(npm_jobs(folder, service, per_s))
            environ: dict[str, str] = {**os.environ, "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}
            environ |= {"WORK_URL": service.url, "WORK_PER_S": str(per_s)}
            environ |= {"WORK_DSN": database.dsn(), "WORK_OUT": str(folder / "out.json")}
            environ.pop("PYTHONDONTWRITEBYTECODE", None)

            yield {tool: partial(run_job, job, service, environ) for tool, job in jobs.items()}
        finally:
            service.stop()


def figures(found: dict[str, list[Run]]) -> Iterator[Figure]:
    """Each tool's medians, and their ratios to locust's."""
    middle = {
        tool: Run(*(median(run[field] for run in runs) for field in range(3)))
        for tool, runs in found.items()
    }
    locust = middle[LOCUST]
    for tool, run in middle.items():
        ours = tool == "hour24"
        yield Figure(f"{tool}: wall time", run.wall, "s")
        yield Figure(f"{tool}: CPU", run.cpu, "s")
        if tool != LOCUST:
            wall, cpu = run.wall / locust.wall, run.cpu / locust.cpu
            if tool != "newman":
                yield Figure(f"{tool}: wall over locust's", wall, "x", most=WALL if ours else None)
            yield Figure(f"{tool}: CPU over locust's", cpu, "x", most=CPU if ours else None)
        others = min(each.error_ms for name, each in middle.items() if name != tool)
        name = f"{tool}: error of the p99 against the server's log"
        yield Figure(name, run.error_ms, "ms", most=others if ours else None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--per-s", type=float, default=50.0, help="requests to each endpoint")
    parser.add_argument("--npm", action="store_true", help="also artillery and newman")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
    busy = load()
    with everything(options.per_s, options.npm) as tools:
        found: dict[str, list[Run]] = {tool: [] for tool in tools}
        for number in range(options.rounds + 1):
            for tool, run in tools.items():
                took = run()
                if number:  # the first warms the bytecode
                    found[tool].append(took)
    return tell([busy, *figures(found)])


if __name__ == "__main__":
    sys.exit(main())
