"""Reads a running service by GET requests: its health document, OpenAPI and /metrics.

Rules of this module:

- Only GET, only addresses of the one host, one request at a time, at most two a second and
  :data:`MOST_REQUESTS` in all.
- A member is the service's time or uptime only if it moved with the clock between two answers.
- An answer is bounded in size and depth; text of it that is written to a file is filtered by
  :func:`plain` or is JSON.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from msgspec import Struct

import hour24
from hour24.asking.exchange import Reply, ask
from hour24.asking.fetching import Answer, fetch
from hour24.documents import read_json
from hour24.errors import ConfigurationError
from hour24.linear import shipped
from hour24.sources.health import parse_body
from hour24.text import parse_stated_time

TIMEOUT_S = 10.0
PACE_S = 0.5
MOVES_S = 1.1
"""Between two answers, so that at least one whole second passes."""
MOST_REQUESTS = 80
HEALTH_PATHS = (
    "/health", "/healthz", "/api/health", "/.well-known/health", "/health.json", "/server/health",
    "/actuator/health", "/_health", "/api/healthz", "/api/v1/health", "/status", "/api/status",
    "/api/v1/status", "/livez", "/readyz", "/-/healthy", "/-/ping", "/ping",
)  # fmt: skip
OPENAPI_PATHS = (
    "/openapi.json", "/swagger.json", "/v3/api-docs", "/api/openapi.json", "/api/swagger.json",
    "/swagger/v1/swagger.json", "/swagger.v1.json", "/docs/openapi.json", "/api-docs",
    "/api/schema.json", "/server/specs/oas",
)  # fmt: skip
MOST_BELOW = 4
"""Addresses of an OpenAPI document that are also tried below a mounted application."""
MOST_TRIED = 3
"""Paths that are tried below each prefix that a document may mean."""
OK_WORDS = {"ok", "okay", "up", "healthy", "pass", "passing", "green", "alive", "ready", "serving"}
STATUS_NAMES = {"status", "state", "health", "result"}
TRUE_NAMES = {"ok", "healthy", "alive", "up", "live", "ready", "database", "db", "connected"}
TIME_NAMES = {"timestamp", "time", "now", "date", "datetime", "servertime", "currenttime"}
DATABASE_NAMES = {"database", "db"}
DEEPEST = 5
MOST_MEMBERS = 60
MOST_ENDPOINTS = 6
SAMPLES = 3
TARGETS_MS = (100, 200, 300, 500, 1000, 2000, 3000, 5000, 10000)
SAFE_PATH = shipped(r"/[A-Za-z0-9._~/-]{0,150}")
UNSAFE_WORDS = shipped(
    r"log-?out|sign-?out|delete|remove|reset|shut-?down|restart|stop|kill|revoke|callback|oauth"
    r"|redirect|stream|events|subscribe|download|export|backup|dump|trigger|run\b|send",
    re.IGNORECASE,
)
VERSION = shipped(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,59}")
ODD = shipped(r"[^ !#-&(-\[\]-~]")
PRINTABLE = shipped(r"[\x21-\x7e]+")
WORDS = shipped(r"[a-z0-9]+")
FAMILY = shipped(r"# TYPE ([A-Za-z_:][A-Za-z0-9_:]{0,100}) (\w+)")


class Probed(Struct, frozen=True):
    """An endpoint that answered 200 each time.

    Args:
        slowest_ms: of the requests made.
    """

    name: str
    path: str
    slowest_ms: float

    @property
    def target_ms(self) -> int:
        """Three times the slowest answer, rounded up: a proposal."""
        wanted = 3 * self.slowest_ms
        return next((each for each in TARGETS_MS if each >= wanted), TARGETS_MS[-1])


class Service(Struct, frozen=True, kw_only=True):
    """The result of reading a service.

    Args:
        base: scheme and host.
        path: of the health document.
        document: the health document as answered.
        schema: its JSON Schema.
        timestamp, uptime, database: JSON pointers; empty: no such member.
        version: as stated in the document; empty: none.
        endpoints: those of its OpenAPI, and the health document.
        left_out: skipped paths with the reason.
        metrics: families of /metrics that a watch could use.
        notes: other remarks for a person.
    """

    base: str
    path: str
    document: Any
    schema: dict[str, Any]
    timestamp: str
    uptime: str
    database: str
    version: str
    endpoints: tuple[Probed, ...]
    left_out: tuple[str, ...]
    metrics: tuple[str, ...]
    notes: tuple[str, ...]


def plain(text: str, longest: int = 100) -> str:
    """Return text as ASCII without quotes and backslashes: safe in TOML and a terminal."""
    return ODD.sub("?", text)[:longest].strip()


def read(url: str, headers: Mapping[str, str], say: Callable[[str], None]) -> Service:
    """Read the service at ``url``: its base address, or its health document's own.

    Args:
        headers: sent with each request.
        say: called with each finding, one line each.
    Raises: ConfigurationError, when there is no health document.
    """
    base, path = _split(url)
    visit = _Visit(base, {"User-Agent": f"hour24/{hour24.__version__} (init)", **headers})
    path, document = _health(visit, path)
    say(f"health    {base}{path}")
    time.sleep(MOVES_S)
    first, again = document, visit.json(path)
    elapsed_s = visit.between_s
    notes: list[str] = []
    timestamp = _timestamp(first, again)
    uptime = _uptime(first, again, elapsed_s, notes)
    say(f"          its time: {timestamp or 'none'}; its uptime: {uptime or 'none'}")
    metrics = _metrics(visit)
    say(f"metrics   {', '.join(metrics) or 'none'}")
    endpoints, left_out = _endpoints(visit, path)
    for each in endpoints:
        say(f"endpoint  {each.path}  {each.slowest_ms:.0f} ms at most, of {SAMPLES}")
    pointers = [p for p, v in _leaves(document) if _last(p) in DATABASE_NAMES and _is_state(v)]
    versions = [v for p, v in _leaves(document) if _last(p) == "version" and isinstance(v, str)]
    return Service(
        base=base,
        path=path,
        document=document,
        schema={"$schema": "https://json-schema.org/draft/2020-12/schema", **schema_of(document)},
        timestamp=timestamp,
        uptime=uptime,
        database=pointers[0] if pointers else "",
        version=next((each for each in versions if VERSION.fullmatch(each)), ""),
        endpoints=endpoints,
        left_out=left_out,
        metrics=metrics,
        notes=tuple(notes),
    )


def schema_of(value: Any, name: str = "", depth: int = 0) -> dict[str, Any]:
    """Return a JSON Schema that accepts this value and rejects other forms."""
    if isinstance(value, dict) and depth < DEEPEST:
        members = list(value.items())[:MOST_MEMBERS]
        return {
            "type": "object",
            "required": [key for key, _ in members],
            "properties": {key: schema_of(each, key, depth + 1) for key, each in members},
        }
    if isinstance(value, bool):
        good = value and name.lower() in TRUE_NAMES
        return {"const": True} if good or depth == 0 else {"type": "boolean"}
    if isinstance(value, str) and name.lower() in STATUS_NAMES | TRUE_NAMES:
        return {"const": value} if value.lower() in OK_WORDS else {"type": "string"}
    if isinstance(value, list) and depth == 0:
        return {"type": "array", "minItems": min(1, len(value))}
    kinds: dict[type, str] = {dict: "object", list: "array", str: "string"}
    kinds |= {int: "number", float: "number"}
    kind = kinds.get(type(value))
    return {"type": kind} if kind else {}


class _Visit:
    """Requests to one host, spaced out and counted."""

    def __init__(self, base: str, headers: Mapping[str, str]) -> None:
        self.base = base
        self.headers = headers
        self.between_s = 0.0
        self._last_at = 0.0
        self._made = 0

    def get(self, path: str) -> Reply:
        """Return one answer of at most a megabyte; redirects are not followed."""
        self._wait()
        return ask(self.base + path, self.headers, TIMEOUT_S)

    def json(self, path: str) -> Any:
        """Return its JSON object or list; none for any other answer."""
        reply = self.get(path)
        if reply.status != 200:
            return None
        problem, body = parse_body(reply.data)
        return body if not problem and _is_document(body) else None

    def large(self, path: str) -> bytes:
        """Return a document of up to 20 MB, following redirects within the host; or empty."""
        self._wait()
        with requests.Session() as session:
            answer = fetch(session, self.base + path, None, dict(self.headers), TIMEOUT_S)
        return answer.data if isinstance(answer, Answer) and answer.status == 200 else b""

    def _wait(self) -> None:
        if self._made >= MOST_REQUESTS:
            raise ConfigurationError(
                [f"{self.base}: expected at most {MOST_REQUESTS} requests, got more"]
            )
        self._made += 1
        pause = self._last_at + PACE_S - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        self.between_s = time.monotonic() - self._last_at
        self._last_at = time.monotonic()


def _split(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        ok = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        ok = False
    if not ok or parts.username or parts.password or not PRINTABLE.fullmatch(url):
        got = "one with a credential" if "@" in url else plain(url)
        raise ConfigurationError([f"--from: expected an http or https address, got {got}"])
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return f"{parts.scheme}://{parts.netloc}", path if path != "/" else ""


def _health(visit: _Visit, path: str) -> tuple[str, Any]:
    """Return the first address that answers with a JSON document."""
    prefix = path.rstrip("/") if path and "?" not in path else ""
    below = [prefix + each for each in HEALTH_PATHS] if prefix else []
    answers = []
    for each in dict.fromkeys([*([path] if path else []), *below, *HEALTH_PATHS]):
        reply = visit.get(each)
        problem, body = parse_body(reply.data) if reply.status == 200 else ("", None)
        if reply.status == 200 and not problem and _is_document(body):
            return each, body
        got = reply.reason or (str(reply.status) if reply.status != 200 else "no JSON document")
        answers.append(f"{each} {got}")
        if not reply.status:
            break  # no server answers
    raise ConfigurationError(
        [f"{visit.base}: expected a health document in JSON, got {', '.join(answers[:24])}"]
    )


def _is_document(body: Any) -> bool:
    """Return true for an object or a list with members, and for a bare true."""
    return body is True or (isinstance(body, dict | list) and bool(body))


def _leaves(value: Any, pointer: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield JSON pointer and value of every member that is no object."""
    if not isinstance(value, dict) or depth > 2:
        return
    for key, each in list(value.items())[:MOST_MEMBERS]:
        if not SAFE_PATH.fullmatch(f"/{key}"):
            continue
        at = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
        if isinstance(each, dict):
            yield from _leaves(each, at, depth + 1)
        else:
            yield at, each


def _last(pointer: str) -> str:
    return pointer.rpartition("/")[2].lower()


def _is_state(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() in OK_WORDS)


def _timestamp(first: Any, again: Any) -> str:
    """Return the pointer of the service's time."""
    later = dict(_leaves(again))
    for pointer, value in _leaves(first):
        if _last(pointer).replace("_", "") not in TIME_NAMES:
            continue
        before, after = parse_stated_time(value), parse_stated_time(later.get(pointer))
        if before is None or after is None or after <= before:
            continue
        if abs((datetime.now(UTC) - after).total_seconds()) < 60:
            return pointer
    return ""


def _uptime(first: Any, again: Any, elapsed_s: float, notes: list[str]) -> str:
    """Return the pointer of the process's uptime in seconds."""
    later = dict(_leaves(again))
    for pointer, value in _leaves(first):
        after = later.get(pointer)
        numbers = isinstance(value, int | float) and isinstance(after, int | float)
        if "uptime" not in _last(pointer) or not numbers or isinstance(value, bool):
            continue
        grown = after - value
        if 0 < grown <= elapsed_s + 1.5 and value < 1e9:
            return pointer
        notes.append(f"{plain(pointer)} is no uptime in seconds: it grew by {grown:.4g}")
    return ""


def _endpoints(visit: _Visit, health: str) -> tuple[tuple[Probed, ...], tuple[str, ...]]:
    """Return the health endpoint, then the safe GET endpoints of its OpenAPI."""
    found: list[Probed] = []
    left_out: list[str] = []
    _measure(visit, health, "health", found, left_out)
    for path, reason in _operations(visit, health):
        if reason:
            left_out.append(f"{plain(path)}: {reason}")
        elif path != health and len(found) < MOST_ENDPOINTS:
            _measure(
                visit, path, _endpoint_name(path, {each.name for each in found}), found, left_out
            )
        elif path != health:
            left_out.append(f"{plain(path)}: not measured, there are {MOST_ENDPOINTS} already")
    return tuple(found), tuple(left_out[:40])


def _measure(visit: _Visit, path: str, name: str, found: list[Probed], left_out: list[str]) -> None:
    took = []
    for _ in range(SAMPLES):
        try:
            reply = visit.get(path)
        except ConfigurationError:
            left_out.append(f"{plain(path)}: not measured, enough requests were made")
            return
        if reply.status != 200:
            credential = ": it needs a credential" if reply.status in (401, 403) else ""
            got = reply.reason or reply.status
            left_out.append(f"{plain(path)}: answered {got}, expected 200{credential}")
            return
        took.append(reply.took_ms)
    found.append(Probed(name, path, max(took)))


def _operations(visit: _Visit, health: str) -> Iterator[tuple[str, str]]:
    """Yield each path with why it is skipped (or empty), from the first OpenAPI document."""
    mount = _mount(health)
    below = [mount + each for each in OPENAPI_PATHS[:MOST_BELOW]] if mount else []
    for where in dict.fromkeys([*below, *OPENAPI_PATHS]):
        data = visit.large(where)
        try:
            document = read_json(data) if data else None
        except ValueError:
            continue
        if isinstance(document, dict) and ("openapi" in document or "swagger" in document):
            break
    else:
        return
    paths = document.get("paths")
    paths = paths if isinstance(paths, dict) else {}
    known = {
        path: paths[path]
        for path in sorted(list(paths)[:500], key=lambda key: (key.count("/"), key))
        if isinstance(paths[path], dict) and isinstance(paths[path].get("get"), dict)
    }
    prefix = _stated_prefix(visit.base + where, document)
    if prefix is None:
        safe = [path for path, each in known.items() if not _why_skipped(path, each)]
        prefix = _found_prefix(visit, where, health, known, safe)
    for path, operations in known.items():
        yield prefix + path, _why_skipped(prefix + path, operations)


def _mount(health: str) -> str:
    """Return what precedes the usual address of a health document: ``/shop`` or nothing."""
    for usual in sorted(HEALTH_PATHS, key=len):  # the shortest ending leaves the longest mount
        mount = health.partition("?")[0].removesuffix(usual)
        if mount != health.partition("?")[0]:
            return mount if SAFE_PATH.fullmatch(mount) else ""
    return ""


def _found_prefix(
    visit: _Visit, where: str, health: str, paths: Iterable[str], safe: Sequence[str]
) -> str:
    """Return what precedes each path of an OpenAPI document that does not say it.

    An application below another one, such as one mounted at ``/api``, may list its own paths. The
    health document's address shows, or else whether a path is there or below the document's folder.
    """
    for path in sorted(paths, key=len, reverse=True):
        if len(path) > 1 and health.endswith(path):
            return health.removesuffix(path)
    for prefix in dict.fromkeys(["", _mount(health), where.rpartition("/")[0]]):
        tried = (prefix + path for path in safe[:MOST_TRIED])
        if SAFE_PATH.fullmatch(f"{prefix}/") and any(
            visit.get(each).status != 404 for each in tried
        ):
            return prefix
    return ""


def _why_skipped(path: str, operations: dict[str, Any]) -> str:
    """Return why this GET is not requested; empty if it is."""
    get = operations["get"]
    both = [operations.get("parameters"), get.get("parameters")]
    parameters = [one for each in both if isinstance(each, list) for one in each]
    if "{" in path:
        return "its path has parameters"
    if not SAFE_PATH.fullmatch(path):
        return "its path is no plain one"
    if any(not isinstance(one, dict) or one.get("required") or "$ref" in one for one in parameters):
        return "it may need parameters"
    if "requestBody" in get:
        return "it has a body"
    if UNSAFE_WORDS.search(path) or get.get("deprecated"):
        return "its name says that asking may have an effect, or it is deprecated"
    return ""


def _stated_prefix(at: str, document: dict[str, Any]) -> str | None:
    """Return what precedes each path: basePath, or the path of the first server; or None.

    Args:
        at: the document's own address, to which a server's address may be relative.
    """
    stated = document.get("basePath")
    servers = document.get("servers")
    if isinstance(servers, list) and servers and isinstance(servers[0], dict):
        stated = _without_variables(servers[0])
    if not isinstance(stated, str) or not stated:
        return None
    try:
        path = urlsplit(urljoin(at, stated[:200])).path.rstrip("/")
    except ValueError:
        return None
    return path if not path or SAFE_PATH.fullmatch(path) else None


def _without_variables(server: dict[str, Any]) -> str:
    """Return a server's address with the default of each of its variables."""
    url, variables = str(server.get("url", ""))[:200], server.get("variables")
    for name, each in variables.items() if isinstance(variables, dict) else ():
        if isinstance(each, dict):
            url = url.replace(f"{{{name}}}", str(each.get("default", ""))[:200])
    return url


def _endpoint_name(path: str, taken: set[str]) -> str:
    """Return a name that production.toml accepts: ``/api/v1/users`` is ``users``."""
    parts = WORDS.findall(path.lower())
    stem = "_".join(parts[-2:] if len(parts) > 2 else parts) or "root"
    stem = (stem if stem[0].isalpha() else f"e_{stem}")[:36]
    names = [stem, *(f"{stem}_{n}" for n in range(2, 30))]
    return next(name for name in names if name not in taken)


def _metrics(visit: _Visit) -> tuple[str, ...]:
    """Return families of /metrics with memory, process starts or HTTP latencies."""
    text = visit.large("/metrics")[:2_000_000].decode("utf-8", "replace")
    families = [(match[1], match[2]) for match in FAMILY.finditer(text)]
    wanted = [
        name
        for name, kind in families
        if name in ("process_resident_memory_bytes", "process_start_time_seconds")
        or ("http" in name.lower() and kind == "histogram" and "size" not in name)
    ]
    return tuple(dict.fromkeys(wanted))[:8]
