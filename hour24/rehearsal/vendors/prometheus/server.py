"""Prometheus: what a scrape a minute of the service's instances would hold.

Rules of this room:

- It knows a range selector with equal and matching labels, ``time()``, lists of series and of the
  values of a label: all that hour24 asks.
- A counter begins with its process; requests are dealt out to the instances that are up.
- Buckets of a route follow the same times that its spans have.

Source: Prometheus' HTTP API, v1.
"""

from __future__ import annotations

import math
import re
import threading
from functools import cache
from typing import Any

from msgspec import Struct

from hour24.rehearsal.machines import LIMIT_MB, Process
from hour24.rehearsal.scenario import Scenario
from hour24.rehearsal.settings import TIMEOUT_S
from hour24.rehearsal.timing import LONGEST_Z, SLOW_MS, SPREAD, TRANSACTIONS, below
from hour24.rehearsal.vendors.part import Section
from hour24.rehearsal.vendors.web import Refused, Reply, Request, Vendor
from hour24.rehearsal.world import World

TOKEN = "prom_rehearsal_3c9a71f0"
JOB = "platform-api"
BOUNDS_S = (0.1, 0.2, 0.5, 1.0)
MB = 1024 * 1024
FIRST_MINUTE = -180
"""Counters are reported from three hours before T0: the longest window and what is before it."""
_SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)\{(?P<labels>.*)\}(?:\[(?P<ms>\d+)ms\])?")
_LABEL = re.compile(r'(?P<name>\w+)(?P<how>=~|!=|=)"(?P<value>(?:[^"\\]|\\.)*)"')
Labels = dict[str, str]


class Track(Struct, frozen=True):
    """One series: its labels and its samples, a minute apart."""

    labels: Labels
    times: list[float]
    values: list[float]


class Prometheus(Vendor):
    """Prometheus' HTTP API."""

    name = "prometheus"
    token = TOKEN

    def __init__(self, world: World) -> None:
        self._lock = threading.Lock()
        self._scrapes: Scrapes | None = None
        super().__init__(world)

    def section(self) -> Section:
        return {
            "url": self.url,
            "preset": "prometheus-client",
            "labels": {"job": JOB},
            "token_env": self.variable,
            "memory_limit_mb": LIMIT_MB,
            "timeout_s": TIMEOUT_S,
        }

    def error(self, status: int, says: str) -> Reply:
        return Reply(status, {"status": "error", "errorType": "bad_data", "error": says})

    def emptied(self, request: Request, reply: Reply) -> Reply:
        data = [] if request.path != "/api/v1/query" else {"resultType": "matrix", "result": []}
        return Reply(200, {"status": "success", "data": data}, reply.headers)

    def answer(self, request: Request) -> Reply:
        parts = [part for part in request.path.split("/") if part]
        match parts:
            case ["api", "v1", "query"]:
                found = self._query(request)
            case ["api", "v1", "series"]:
                found = [t.labels for t in self._selected(request.one("match[]"))]
            case ["api", "v1", "label", label, "values"]:
                tracks = self._selected(request.one("match[]"))
                found = sorted({t.labels[label] for t in tracks if label in t.labels})
            case ["api", "v1", "metadata"]:
                found = {}
            case _:
                raise self.not_found()
        return Reply(200, {"status": "success", "data": found})

    def _query(self, request: Request) -> Any:
        now, query = self.world.now, request.one("query")
        if query == "time()":
            return {"resultType": "scalar", "result": [now, f"{now:.3f}"]}
        parsed = _SELECTOR.fullmatch(query)
        if parsed is None or parsed["ms"] is None:
            raise Refused(self.error(400, "expected a range selector"))
        end = float(request.one("time") or now)
        start = end - int(parsed["ms"]) / 1000
        result = []
        for track in self._selected(query):
            values = [
                [at, f"{value:.15g}"]
                for at, value in zip(track.times, track.values, strict=True)
                if start < at <= min(end, now)
            ]
            if values:
                result.append({"metric": track.labels, "values": values})
        return {"resultType": "matrix", "result": result}

    def _selected(self, match: str) -> list[Track]:
        parsed = _SELECTOR.fullmatch(match)
        if parsed is None:
            raise Refused(self.error(400, f"cannot parse {match!r}"))
        tracks = [t for t in self._tracks() if t.labels["__name__"] == parsed["name"]]
        for label in _LABEL.finditer(parsed["labels"]):
            name, value = label["name"], label["value"].replace("\\\\", "\\")
            if label["how"] == "=~":
                tracks = [t for t in tracks if re.fullmatch(value, t.labels.get(name, ""))]
            else:
                same = label["how"] == "="
                tracks = [t for t in tracks if (t.labels.get(name, "") == value) is same]
        return tracks

    # --- what the scrapes hold ----------------------------------------------------------------

    def _tracks(self) -> list[Track]:
        """Every series up to the present minute."""
        with self._lock:
            scenario = self.world.scenario
            minute = math.floor(scenario.hour(self.world.now) * 60)
            if self._scrapes is None or self._scrapes.scenario is not scenario:
                self._scrapes = Scrapes(scenario)
            self._scrapes.extend(minute)
            return list(self._scrapes.tracks.values())


class Scrapes:
    """The series of one scenario, a sample a minute."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.tracks: dict[tuple[str, ...], Track] = {}
        self._next = FIRST_MINUTE
        self._counts: dict[Process, dict[str, int]] = {}
        self._slower: dict[Process, dict[tuple[str, float], float]] = {}

    def extend(self, last: int) -> None:
        """Scrape every minute up to this one."""
        for minute in range(self._next, last + 1):
            self._scrape(minute)
        self._next = max(self._next, last + 1)

    def _scrape(self, minute: int) -> None:
        scenario, hour = self.scenario, minute / 60
        at, alive = scenario.at(hour), scenario.machines.up(hour)
        requests = scenario.requests(minute - 1)
        total = sum(requests.values())
        slow = scenario.has_fault("slow_endpoint", scenario.at(hour - 1 / 60))
        for index, life in enumerate(alive):
            self._add(at, 1.0, "up", life)
            self._add(at, scenario.at(life.start_h), "process_start_time_seconds", life)
            memory = scenario.machines.memory_mb(life, hour) * MB
            self._add(at, round(memory), "process_resident_memory_bytes", life)
            counts = self._counts.setdefault(life, {})
            for status, count in requests.items():
                share = (count + len(alive) - 1 - index) // len(alive)
                counts[str(status)] = counts.get(str(status), 0) + share
            for code, counted in counts.items():
                self._add(at, counted, "http_requests_total", life, code=code)
            slower = self._slower.setdefault(life, {})
            for name, bound, within in _shares(slow):
                slower[name, bound] = slower.get((name, bound), 0.0) + total * within / len(alive)
                method, _, route = name.partition(" ")
                le = "+Inf" if bound == math.inf else f"{bound:g}"
                labels = {"method": method, "handler": route, "le": le}
                value = math.floor(slower[name, bound])
                self._add(at, value, "http_request_duration_seconds_bucket", life, **labels)

    def _add(self, at: float, value: float, name: str, life: Process, **labels: str) -> None:
        key = (name, life.instance, *labels.values())
        if key not in self.tracks:
            own = {"__name__": name, "job": JOB, "instance": life.instance, **labels}
            self.tracks[key] = Track(own, [], [])
        self.tracks[key].times.append(at)
        self.tracks[key].values.append(value)


@cache
def _shares(slow: bool) -> tuple[tuple[str, float, float], ...]:
    """Route, bound in seconds, and the share of all requests that is of both.

    Args:
        slow: whether calls take longer.
    """
    found = []
    for name, median, share in TRANSACTIONS:
        if " " not in name:
            continue
        constant = SLOW_MS if slow and name == "GET /api/calls" else 0.0
        longest = median * math.exp(SPREAD * LONGEST_Z) + constant
        for bound in (*BOUNDS_S, math.inf):
            within = 1.0 if bound * 1000 >= longest else below(bound * 1000 - constant, median)
            found.append((name, bound, share * within))
    return tuple(found)
