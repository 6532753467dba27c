"""`hour24 init --from URL` on small real HTTP servers: what is found, bound, left out, refused."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hour24 import config
from hour24.__main__ import main
from hour24.criteria import CRITERIA
from hour24.doctor.examining import undescribed
from hour24.starter import service
from hour24.starter.origin import Origin
from hour24.starter.settings import header

Answers = Mapping[str, Callable[[], object]]
START = time.time()
OPENAPI = {
    "openapi": "3.1.0",
    "servers": [{"url": "/api"}],
    "paths": {
        "/orders": {"get": {}},
        "/orders/{id}": {"get": {}},
        "/search": {"get": {"parameters": [{"name": "q", "in": "query", "required": True}]}},
        "/logout": {"get": {}},
        "/secret": {"get": {}},
        "/new": {"post": {}},
    },
}
METRICS = """# HELP x y
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 1
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="1"} 1
# TYPE go_goroutines gauge
"""


def document() -> dict[str, object]:
    now = datetime.now(UTC).isoformat()
    return {
        "status": "ok",
        "version": "2.1",
        "timestamp": now,
        "uptime": time.time() - START,
        "checks": {"database": True, "queue": 3},
        "started": "2026-01-01T00:00:00Z",
    }


class Server:
    """Answers GET requests from a table, and keeps what was asked and when."""

    def __init__(self, answers: Answers) -> None:
        self.asked: list[tuple[float, str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                token = self.headers.get("Authorization", "")
                outer.asked.append((time.monotonic(), self.path, token))
                answer = answers[self.path]() if self.path in answers else None
                coded = isinstance(answer, int) and not isinstance(answer, bool)
                status = answer if coded else 404 if answer is None else 200
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *ignored: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


Serve = Callable[[Answers], Server]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start servers; the pace of two requests a second is for others' servers."""
    monkeypatch.setattr(service, "PACE_S", 0.01)
    started: list[Server] = []

    def start(answers: Answers) -> Server:
        started.append(Server(answers))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, dict[str, Any]]]:
    """`hour24 init --from ...` in an empty folder: exit code and what production.toml says."""
    monkeypatch.chdir(tmp_path)
    origin = Origin("https://example.org/hour24-0.1.0-py3-none-any.whl", "ab" * 32)
    monkeypatch.setattr("hour24.commands.init.origin", lambda: origin)

    def run(url: str, *options: str) -> tuple[int, dict[str, Any]]:
        code = main(["init", "--no-lock", "--from", url, *options])
        path = tmp_path / "production.toml"
        return code, tomllib.loads(path.read_text()) if path.exists() else {}

    return run


Init = Callable[..., tuple[int, dict[str, Any]]]


def test_service_is_described(serve: Serve, init: Init, tmp_path: Path) -> None:
    """Health document, time, uptime, database, version, endpoints and metrics are found."""
    answers: dict[str, Callable[[], object]] = {
        "/healthz": document,
        "/openapi.json": lambda: OPENAPI,
        "/api/orders": list,
        "/api/secret": lambda: 401,
        "/metrics": METRICS.encode,
    }
    server = serve(answers)
    code, found = init(server.url, "--name", "shop")
    assert code == 0
    assert found["service"] | {"control_url": ""} == {
        "name": "shop",
        "environment": "production",
        "url": server.url,
        "time_zone": "UTC",
        "release": "2.1",
        "control_url": "",
    }
    assert found["health"] == {
        "url": "/healthz",
        "schema": "schemas/health.schema.json",
        "timestamp": "/timestamp",
        "uptime": "/uptime",
        "database": "/checks/database",
    }
    assert list(found["endpoints"]) == ["health", "api_orders"]
    assert found["endpoints"]["api_orders"]["url"] == "/api/orders"
    schema = json.loads((tmp_path / "schemas" / "health.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    valid = Draft202012Validator(schema)
    assert valid.is_valid(document())
    assert not valid.is_valid(document() | {"status": "degraded"})
    assert not valid.is_valid(document() | {"checks": {"database": False, "queue": 3}})
    text = (tmp_path / "production.toml").read_text()
    for reason in (
        "/api/orders/{id}: its path has parameters",
        "/api/search: it may need parameters",
        "/api/logout: its name says",
        "/api/secret: answered 401, expected 200: it needs a credential",
        "#   http_request_duration_seconds\n",
        "#   process_resident_memory_bytes\n",
    ):
        assert reason in text
    asked = {path for _, path, _ in server.asked}
    assert "/api/logout" not in asked
    assert "/api/new" not in asked


LISTED = {"/health": {"get": {}}, "/orders": {"get": {}}}


@pytest.mark.parametrize(
    ("where", "stated", "health", "orders"),
    [
        ("/openapi.json", {}, "/health", "/orders"),
        ("/openapi.json", {}, "/api/health", "/api/orders"),  # mounted, its paths without /api
        ("/shop/openapi.json", {}, "/shop/health", "/shop/orders"),
        ("/openapi.json", {"servers": [{"url": "/v2/"}]}, "/health", "/v2/orders"),
        ("/openapi.json", {"servers": [{"url": "https://a.example/v2"}]}, "/health", "/v2/orders"),
        ("/openapi.json", {"basePath": "/v1"}, "/health", "/v1/orders"),
        ("/api/openapi.json", {"servers": [{"url": "v3"}]}, "/health", "/api/v3/orders"),
        (
            "/openapi.json",
            {"servers": [{"url": "{at}/x", "variables": {"at": {"default": "/api"}}}]},
            "/health",
            "/api/x/orders",
        ),
        ("/api/openapi.json", {}, "/healthz", "/api/orders"),  # /orders itself is not there
        ("/api/openapi.json", {}, "/healthz", "/orders"),
    ],
)
def test_paths_of_openapi_below_a_prefix(
    serve: Serve, init: Init, where: str, stated: dict[str, Any], health: str, orders: str
) -> None:
    """The document states the prefix; else the health document's address or an answer shows it."""
    answers: dict[str, Callable[[], object]] = {
        health: document,
        where: lambda: {"openapi": "3.1.0", "paths": LISTED, **stated},
        orders: lambda: [1],
    }
    mounted = health.removesuffix("/health") if health.startswith("/shop") else ""
    code, found = init(serve(answers).url + mounted)
    assert code == 0
    assert found["health"]["url"] == health
    assert [each["url"] for each in found["endpoints"].values()] == [health, orders]


def test_every_criterion_is_bound_or_left_out(serve: Serve, init: Init, tmp_path: Path) -> None:
    """What doctor calls undescribed stands in the file with its reason, and nothing else does."""
    code, found = init(serve({"/health": document}).url)
    assert code == 0
    path = tmp_path / "production.toml"
    path.write_text(path.read_text().replace('"CHANGE-ME"', '"Mara Lind, desk 4"'))
    production = config.load(path, {}, secrets=False)
    stated = found["criteria"]
    assert all(each["applies"] is False and each["because"] for each in stated.values())
    bound = CRITERIA.keys() - stated.keys()
    assert {"HEALTH-SCHEMA", "HEALTH-ALWAYS", "ERRORS-RATE", "LATENCY-TARGET"} <= bound
    assert {"RESTARTS", "SIGNOFF-RESTARTS", "BASELINE-RECORDED"} <= bound
    assert {"DB-ONLINE", "WS-STABLE", "JOBS-RUNNING", "MEMORY-STABLE"} <= stated.keys()
    assert "production.toml describes no [websocket]" in stated["WS-STABLE"]["because"]
    assert list(undescribed(production)) == []


def test_collecting_needs_no_more(serve: Serve, init: Init, tmp_path: Path) -> None:
    """`pytest -m hour8 --collect-only` works on what was written."""
    assert init(serve({"/health": document}).url)[0] == 0
    root = str(Path(__file__).parents[1])
    command = [sys.executable, "-m", "pytest", "-p", "hour24.plugin", "-m", "hour8", "--co", "-q"]
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": root, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "test_database.py::test_online[hour8]" in ran.stdout


def test_no_uptime_leaves_restarts_out(serve: Serve, init: Init) -> None:
    """An uptime that stands still, or in milliseconds, is none."""
    still = {"ok": True, "uptime": 5, "uptime_ms": 0}

    def answer() -> dict[str, object]:
        return still | {"uptime_ms": int((time.time() - START) * 1000)}

    code, found = init(serve({"/health": answer}).url)
    assert code == 0
    assert found["health"]["uptime"] == ""
    assert found["criteria"]["RESTARTS"]["because"] == "the health document has no uptime"
    assert "SIGNOFF-RESTARTS" in found["criteria"]


def test_time_that_stands_still_is_none(serve: Serve, init: Init) -> None:
    """Only a member that moves with the clock is the service's time."""
    now = datetime.now(UTC).isoformat()
    code, found = init(serve({"/health": lambda: {"status": "UP", "time": now}}).url)
    assert code == 0
    assert found["health"]["timestamp"] == ""


def test_credential_stays_in_the_environment(
    serve: Serve, init: Init, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent, and only its variable's name is written."""
    monkeypatch.setenv("SHOP_TOKEN", "s3cr3t-t0k3n-value")
    server = serve({"/health": document})
    code, found = init(server.url + "/health", "--header", "Authorization: Bearer $SHOP_TOKEN")
    assert code == 0
    assert {token for _, _, token in server.asked} == {"Bearer s3cr3t-t0k3n-value"}
    sent = {"Authorization": {"env": "SHOP_TOKEN", "prefix": "Bearer "}}
    assert found["health"]["headers"] == found["endpoints"]["health"]["headers"] == sent
    assert all(b"s3cr3t" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_bare_true_is_a_document(serve: Serve, init: Init, tmp_path: Path) -> None:
    """The schema then accepts nothing else."""
    assert init(serve({"/health": lambda: True}).url)[0] == 0
    schema = json.loads((tmp_path / "schemas" / "health.schema.json").read_text())
    assert schema["const"] is True


HOSTILE = '"]\n[service]\nname = "owned" \u202e\x1b[31m<script>`rm`$(x)\\'


def test_hostile_answers_are_data(
    serve: Serve, init: Init, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Quotes, control characters and markup change neither the file's form nor the terminal."""
    body = {
        "status": HOSTILE,
        "version": HOSTILE,
        HOSTILE: HOSTILE,
        f"{HOSTILE}uptime": 1,
        "deep": json.loads("[" * 90 + "]" * 90),
    }
    paths = {f"/{HOSTILE}": {"get": {}}, "/a\nb": {"get": {}}, "/ok": {"get": {}}}
    spec = {"swagger": "2.0", "basePath": HOSTILE, "paths": paths}
    metrics = b"# TYPE http_\x1b[31m histogram\n# TYPE http_x histogram\n" + b"\xff" * 1000
    answers: dict[str, Callable[[], object]] = {
        "/health": lambda: body,
        "/swagger.json": lambda: spec,
        "/ok": dict,
        "/metrics": lambda: metrics,
    }
    code, found = init(serve(answers).url)
    assert code == 0
    assert found["service"]["name"] == "127.0.0.1"
    assert set(found["endpoints"]) <= {"health", "ok"}
    written = (tmp_path / "production.toml").read_text()
    output = capsys.readouterr().out
    assert all(" " <= char <= "~" or char == "\n" for char in written + output)
    schema = json.loads((tmp_path / "schemas" / "health.schema.json").read_text())
    assert Draft202012Validator(schema).is_valid(body)


@pytest.mark.parametrize(
    "answer",
    [
        b"[" * 100_000,
        b'{"a": ' * 50_000 + b"1" + b"}" * 50_000,
        b"x" * 3_000_000,
        b"<html>",
        b"",
        b"\xff\xfe",
        b"NaN",
        {},
        [],
    ],
    ids=["deep", "deeper", "large", "html", "empty", "bytes", "nan", "object", "list"],
)
def test_no_health_document_is_refused(
    answer: object, serve: Serve, init: Init, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line names what each address answered, and nothing is written."""
    code, found = init(serve({"/health": lambda: answer}).url)
    assert (code, found) == (4, {})
    output = capsys.readouterr().err
    reason = "expected a health document in JSON, got /health no JSON document, /healthz 404"
    assert reason in output
    assert not Path("pytest.ini").exists()


@pytest.mark.parametrize(
    ("url", "got"),
    [
        ("ftp://example.org", "ftp://example.org"),
        ("example.org", "example.org"),
        ("http://joe:pass@example.org", "one with a credential"),
        ("http://exa mple.org", "http://exa mple.org"),
        ("http://[", "http://["),
    ],
)
def test_other_addresses_are_refused(
    url: str, got: str, init: Init, capsys: pytest.CaptureFixture[str]
) -> None:
    """No request is made for them."""
    assert init(url)[0] == 4
    output = capsys.readouterr().err
    assert output.startswith("hour24: --from: expected an http or https address, got ")
    assert "pass" not in output


def test_an_address_without_a_server_is_refused_at_once(
    serve: Serve, init: Init, capsys: pytest.CaptureFixture[str]
) -> None:
    """One refused connection is enough."""
    server = serve({})
    server.close()
    assert init(server.url)[0] == 4
    assert "got /health refused" in capsys.readouterr().err


def test_requests_are_spaced_out(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most two a second, whatever is found."""
    monkeypatch.setattr(service, "PACE_S", 0.5)
    monkeypatch.setattr(service, "OPENAPI_PATHS", ())
    monkeypatch.setattr(service, "SAMPLES", 1)
    server = serve({"/health": document})
    service.read(server.url, {}, lambda line: None)
    moments = [at for at, _, _ in server.asked]
    assert min(b - a for a, b in pairwise(moments)) > 0.45


def test_number_of_requests_is_bounded(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """An OpenAPI document of thousands of paths is read in part."""
    monkeypatch.setattr(service, "MOST_REQUESTS", 30)
    paths = {f"/p{n}": {"get": {}} for n in range(3000)}
    answers: dict[str, Callable[[], object]] = {
        "/health": document,
        "/openapi.json": lambda: {"openapi": "3.0.0", "paths": paths},
    }
    server = serve(answers)
    found = service.read(server.url, {}, lambda line: None)
    assert len(server.asked) <= 30
    assert len(found.left_out) <= 40


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Authorization: Bearer $TOKEN", ("Authorization", "Bearer ", "TOKEN")),
        ("X-Key: ${KEY}", ("X-Key", "", "KEY")),
    ],
)
def test_header_names_its_variable(text: str, found: tuple[str, str, str]) -> None:
    assert header(text) == found


@pytest.mark.parametrize("text", ["Authorization: Bearer abc", "$X", "A b: $X", "A: $X $Y"])
def test_other_headers_are_refused(text: str) -> None:
    """A value that is no variable may be a secret."""
    with pytest.raises(ValueError, match=r"expected 'NAME: PREFIX \$VARIABLE'"):
        header(text)
