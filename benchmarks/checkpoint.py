"""What a checkpoint costs beyond its slowest source.

    python benchmarks/checkpoint.py [--runs 5] [--delay 0.4]

A proxy in front of each of Sentry, Render and Supabase holds back every answer for a known time
and writes down when it was first asked and last answered: the longest of these spans is the
slowest source. A checkpoint's whole process (start, collection, questions, judgement, record,
pages) less that span is what hour24 itself costs. The spans together say what asking one source
after another would have taken. The machine's other work only adds: the cheapest run is judged.

For comparison pytest runs one empty test that imports the same packages of others: those that a
checkpoint of this run imported. The ratio of the two medians is printed.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import Figure, load, tell  # noqa: E402  in the same folder, not installed

if TYPE_CHECKING:
    from hour24.rehearsal.client import Rehearsal

EMPTY = """import contextlib
import importlib

for name in {}:
    with contextlib.suppress(ImportError):  # an optional part of a package
        importlib.import_module(name)


def test_nothing() -> None:
    pass
"""
RATIO = 1.0
T0 = datetime(2026, 3, 2, 6, tzinfo=UTC)
BEYOND_S = 1.5
DELAYED = ("sentry", "render", "supabase")
EARLIER = (0, 4, 8)
HOUR = 12


Change = Callable[["Proxy", str, bytes], tuple[bytes, dict[str, str]] | None]


class Proxy(ThreadingHTTPServer):
    """In front of one vendor; holds each answer back for ``delay_s``.

    ``change`` gets the proxy, the path and the body of a good answer: another body and more
    headers, or nothing.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Held)
        self.behind = behind
        self.delay_s = 0.0
        self.change: Change | None = None
        self.kept: dict[str, Any] = {}
        self.asked: list[tuple[float, float]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """host:port"""
        return f"127.0.0.1:{self.server_address[1]}"

    def span_s(self) -> float:
        """From the first question to the last answer, seconds; forgets them."""
        asked, self.asked = self.asked, []
        return max(b for _, b in asked) - min(a for a, _ in asked) if asked else 0.0


class _Held(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Proxy

    def _pass(self) -> None:
        began = time.perf_counter()
        size = int(self.headers.get("Content-Length") or 0)
        behind = HTTPConnection(self.server.behind)
        behind.request(self.command, self.path, self.rfile.read(size), dict(self.headers))
        answer = behind.getresponse()
        data = answer.read()
        behind.close()
        time.sleep(self.server.delay_s)
        headers = dict(answer.getheaders())
        if self.server.change is not None and answer.status == 200:
            changed = self.server.change(self.server, self.path, data)
            if changed is not None:
                data, more = changed
                headers |= {"Content-Length": str(len(data)), **more}
        head = [f"HTTP/1.1 {answer.status} {answer.reason}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + data)
        self.server.asked.append((began, time.perf_counter()))

    do_GET = do_POST = do_PATCH = _pass  # noqa: N815  names that http.server wants

    def log_message(self, format: str, *args: object) -> None:
        """The spans are kept, and nothing else."""


def behind_proxies(served: Rehearsal, folder: Path) -> tuple[Rehearsal, dict[str, Proxy]]:
    """The same rehearsal, its vendors asked through a proxy each."""
    from hour24.rehearsal.client import Rehearsal

    text = Path(served.toml).read_text(encoding="utf-8")
    result = tomllib.loads(text)
    proxies = {}
    for name in DELAYED:
        address = urlsplit(result[name]["url"]).netloc
        proxies[name] = Proxy(address)
        text = text.replace(address, proxies[name].address)
    shutil.copy(Path(served.toml).parent / result["health"]["schema"], folder)
    toml = folder / "production.toml"
    toml.write_text(text, encoding="utf-8")
    return Rehearsal(str(toml), served.environ, served.control), proxies


def measured(runs: int, delay_s: float) -> dict[str, list[float]]:
    """Of each run: wall and CPU seconds, its slowest source's span and all spans together."""
    from hour24.rehearsal.client import Rehearsal
    from hour24.rehearsal.run import PROCESS_EXITS, RunPlan, run_checkpoints

    found: dict[str, list[float]] = {
        "wall": [], "cpu": [], "slowest": [], "together": [], "empty": []
    }  # fmt: skip
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with (
        tempfile.TemporaryDirectory(prefix="hour24-bench-") as name,
        Rehearsal.start(seed=1, faults=(), t0=T0) as started,
    ):
        folder = Path(name)
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        served, proxies = behind_proxies(started, folder)

        def run(*hours: int) -> float:
            script = RunPlan(t0=T0, hours=hours, reports=folder / "reports", watch="bench")
            took = 0.0
            for each in run_checkpoints(script, served=served):
                if each.exit_code not in PROCESS_EXITS:
                    raise RuntimeError(f"hour {each.hour}: exit {each.exit_code}\n{each.output}")
                took = each.took_s
            return took

        run(*EARLIER, HOUR)  # a rehearsal's prober is played once, and a production's never
        empty = folder / "test_empty.py"
        names = imported(folder)
        empty.write_text(EMPTY.format(names), "utf-8")
        for proxy in proxies.values():
            proxy.delay_s = delay_s
            proxy.span_s()
        for _ in range(runs):
            for path in (folder / "reports").rglob(f"hour{HOUR:02d}*"):
                path.unlink()  # each run is the first attempt
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            found["wall"].append(run(HOUR))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            found["cpu"].append(used)
            spans = [proxy.span_s() for proxy in proxies.values()]
            found["slowest"].append(max(spans))
            found["together"].append(sum(spans))
            found["empty"].append(alone(empty))
    return found


def imported(folder: Path) -> list[str]:
    """Modules of other packages that a checkpoint of this folder imports, by its bytecode.

    The bytecode that the runs before have written is there for each module that was imported.
    """
    cached = folder / "bytecode"
    site = {Path(each) for each in sys.path if each.endswith("site-packages")}
    found = set()
    for root in site:
        below = cached / root.relative_to("/")
        for path in below.rglob("*.pyc"):
            parts = list(path.relative_to(below).parts)
            parts[-1] = parts[-1].partition(".")[0]
            if parts[-1] == "__init__":
                parts.pop()
            name = ".".join(parts)
            if not name.startswith(("_pytest", "pytest", "pluggy", "_virtualenv", "hour24")):
                found.add(name)
    return sorted(found)


def alone(test: Path) -> float:
    """Wall seconds of pytest with one test that does nothing."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    environ = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=test.parent, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return time.perf_counter() - begun


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--delay", type=float, default=0.4, help="of every answer, seconds")
    options = parser.parse_args()
    found = measured(options.runs, options.delay)
    beyond = [a - b for a, b in zip(found["wall"], found["slowest"], strict=True)]
    ratio = median(beyond) / median(found["empty"])
    return tell(
        [
            load(),
            Figure("pytest on an empty test with the same imports", median(found["empty"]), "s"),
            Figure("a checkpoint beyond its slowest source, over that", ratio, "", most=RATIO),
            Figure("a checkpoint, whole process", median(found["wall"]), "s"),
            Figure("CPU of it and its children", min(found["cpu"]), "s"),
            Figure("the slowest source of it", median(found["slowest"]), "s"),
            Figure("three sources, one after another", median(found["together"]), "s"),
            Figure("a checkpoint beyond its slowest source, median run", median(beyond), "s"),
            Figure("a checkpoint beyond its slowest source", min(beyond), "s", most=BEYOND_S),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
