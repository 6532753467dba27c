"""What an engine that speaks Prometheus' API says of one service.

Rules of this package:

- ``counters``, ``buckets`` and ``lives`` are pure: samples in, evidence out. ``engine`` asks,
  ``envelope`` reads an answer, ``reading`` brings them together. Nothing here judges.
- Only raw samples are read. What an engine leaves out, repairs or estimates is refused by name.
- A value belongs to the window that its time lies in.

Source: Prometheus' HTTP API, v1.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from urllib.parse import urlsplit

from msgspec import structs

from hour24.asking.answers import misread
from hour24.asking.client import BUDGET_S, Asking
from hour24.clock import Clock
from hour24.config import Endpoint
from hour24.criteria.latency import FAST_MS
from hour24.errors import NotProvided, SourceEmpty, SourceError, SourceMisread
from hour24.evidence import Buckets, Counts, Evidence, Line, Listing, Question, Series, Unanswered
from hour24.linear import shipped
from hour24.text import format_coverage, plural
from hour24.watch import Window
from hour24.witnesses.prometheus import PrometheusAt, blackbox, buckets, over_time
from hour24.witnesses.prometheus.counters import Counter, Gauge, measured
from hour24.witnesses.prometheus.engine import Engine, selector
from hour24.witnesses.prometheus.lives import GRACE_S, changes
from hour24.witnesses.prometheus.presets import REPLICAS, unit_ms
from hour24.witnesses.prometheus.reading import Counted, CoverageTooLow, Found, Reader

STEP_S = 300.0
"""Responses over time are in steps of five minutes, as a platform's are."""
MINUTE_S = 60.0
MB = 2.0**-20
DIGITS = 4
PAIRED_S = 300.0
"""A restart that two metrics show within this time is one."""
FRESH_S = 3600.0
_STATUS = shipped(r"[1-5](?:\d\d|xx)", re.IGNORECASE)
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
NO_STATUS = "no status"


class Prometheus:
    """One service as an engine knows it; used by one thread. Every method raises SourceError."""

    def __init__(self, at: PrometheusAt, clock: Clock, *, budget_s: float = BUDGET_S) -> None:
        self.at = at
        self.clock = clock
        self._engine = Engine(at, clock, budget_s=budget_s)
        self._reader = Reader(self._engine)
        self._names = self._reader.names

    # --- responses ----------------------------------------------------------------------------

    def responses(self, window: Window) -> Counts:
        """Return the requests answered in the window by status; bad are 5xx and those without."""
        with self._asking("responses", window) as asking:
            counted, status = self._responses(asking, window)
            least: dict[str, float] = {}
            most: dict[str, float] = {}
            for labels, counter in counted.counters:
                part = _status(labels.get(status, ""), asking.where)
                least[part] = least.get(part, 0.0) + counter.least
                most[part] = most.get(part, 0.0) + counter.most
            parts = {name: round(least[name]) for name in sorted(least)}
            beyond = {name: round(most[name]) for name in sorted(most)}
            bad, bad_most = _bad(parts), _bad(beyond)
            total, total_most = sum(parts.values()), sum(beyond.values())
            return Counts(
                question=asking.question(),
                total=total,
                bad=bad,
                total_most=None if total == total_most else total_most,
                bad_most=None if bad == bad_most else bad_most,
                what="requests",
                parts=parts,
                note=_coverage_note(counted, status),
            )

    def responses_over_time(self, window: Window) -> Series:
        """Return the requests in steps of five minutes, one line per status."""
        with self._asking("responses over time", window) as asking:
            counted, status = self._responses(asking, window, STEP_S, unseen_s=STEP_S)
            by_status: dict[str, list[Counter]] = {}
            for labels, counter in counted.counters:
                part = _status(labels.get(status, ""), asking.where)
                by_status.setdefault("599" if part == NO_STATUS else part, []).append(counter)
            over_time.check_births(by_status, window, asking.where)
            return Series(
                question=asking.question(),
                unit="requests",
                lines=over_time.lines_of(by_status, counted.sampled, window, STEP_S),
                note=f"in steps of {STEP_S:g} s; {_coverage_note(counted, status)}",
            )

    def load(self, window: Window) -> Series:
        """Return the requests per second of each minute, in one line."""
        with self._asking("load", window) as asking:
            counted, _ = self._responses(asking, window, MINUTE_S)
            total: dict[int, float] = {}
            for _, counter in counted.counters:
                for key, increment in counter.bins.items():
                    total[key] = total.get(key, 0.0) + increment
            start = window.start.timestamp()
            steps = range(math.ceil(window.seconds / MINUTE_S))
            return Series(
                question=asking.question(),
                unit="requests/s",
                lines=(
                    Line(
                        labels={},
                        times=tuple(start + key * MINUTE_S for key in steps),
                        values=tuple(round(total.get(k, 0.0) / MINUTE_S, DIGITS) for k in steps),
                    ),
                ),
                note=_coverage_note(counted),
            )

    def _responses(
        self, asking: Asking, window: Window, step_s: float = 0.0, *, unseen_s: float = math.inf
    ) -> tuple[Counted, str]:
        """Return the counters of responses, and the label with the status."""
        found = self._reader.find(asking, "responses", self._names.responses, window)
        status = found.label(self._names.status)
        if not status:
            asking.refuse(
                SourceMisread,
                f"{found.metric}: expected a label {self._names.status.replace('|', ' or ')} with "
                "the status, got none; state names.status",
            )
        counted = self._reader.counted(asking, found, window, step_s=step_s, unseen_s=unseen_s)
        return counted, status

    # --- latency ------------------------------------------------------------------------------

    def server_times(
        self, window: Window, endpoints: Mapping[str, Endpoint]
    ) -> dict[str, Evidence]:
        """Return each endpoint's requests above the bounds that decide about its target."""
        with self._asking("server times", window) as asking:
            targets = {endpoint.target_ms for endpoint in endpoints.values()}
            above = self._above(asking, window, targets)
            answers: dict[str, Evidence] = {}
            for name, endpoint in endpoints.items():
                method, route = _route(endpoint)
                groups = [
                    group
                    for (of_method, of_route), each in above.by_route.items()
                    if of_route == route and (not method or of_method in ("", method))
                    for group in each
                ]
                answers[name] = self._server_time(asking, name, route, groups, above)
            return answers

    def _server_time(
        self, asking: Asking, name: str, route: str, groups: list[Group], above: Histograms
    ) -> Evidence:
        where = f"{asking.where}: {name}"
        if not groups:
            return Unanswered(
                question=asking.question(),
                code="no_data",
                reason=f"{where}: expected the route {route!r} among "
                f"{plural(len(above.by_route), 'route')}, got none; state "
                f"endpoints.{name}.transaction",
            )
        found = buckets.merged(groups, where)
        return Buckets(
            question=asking.question(),
            unit="ms",
            total=found.total,
            above={f"{bound * above.unit_ms:.15g}": n for bound, n in found.above.items()},
            note=above.note,
        )

    def transactions(self, window: Window) -> Listing:
        """Return the routes, each with how many requests it had and how many above which time.

        Items: ``{transaction, count, above}``; ``above`` is bound in ms -> at least, at most.
        """
        with self._asking("transactions", window) as asking:
            above = self._above(asking, window, {FAST_MS})
            items = []
            for (method, route), groups in sorted(above.by_route.items()):
                name = f"{method} {route}".strip() or "every route"
                found = buckets.merged(groups, f"{asking.where}: {name}")
                if not found.total[1]:
                    continue
                items.append(
                    {
                        "transaction": name,
                        "count": found.total[0],
                        "count_most": found.total[1],
                        "above": {
                            f"{bound * above.unit_ms:.15g}": list(n)
                            for bound, n in found.above.items()
                        },
                    }
                )
            if not items:
                asking.refuse(SourceEmpty, "expected a route with requests in the window, got none")
            return Listing(
                question=asking.question(),
                what="transactions",
                items=tuple(items),
                seen=len(above.by_route),
                note=above.note,
            )

    def _above(self, asking: Asking, window: Window, targets_ms: set[float]) -> Histograms:
        """Return the buckets that decide about these targets, by method and route."""
        names = self._names
        found = self._reader.find(
            asking, "latency", names.latency, window, suffix="_bucket", le="+Inf"
        )
        everything = {name: value for name, value in found.labels.items() if name != "le"}
        unit = unit_ms(found.metric)
        texts = self._engine.values(asking, "le", selector(found.metric, everything, {}), window)
        bounds = {text: buckets.bound_of(text, asking.where) for text in texts}
        wanted = {
            bound
            for target in targets_ms
            for bound in buckets.around(bounds.values(), target / unit)
        }
        asked = [text for text, bound in bounds.items() if bound in wanted or bound == math.inf]
        counted = self._reader.counted(
            asking,
            Found(found.metric, everything, found.series),
            window,
            matching={"le": "|".join(re.escape(text) for text in sorted(asked))},
        )
        route, method = found.label(names.route), found.label(names.method)
        groups: dict[tuple[tuple[str, str], ...], Group] = {}
        for labels, counter in counted.counters:
            bound = buckets.bound_of(labels["le"], asking.where)
            key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
            groups.setdefault(key, {}).setdefault(bound, []).append(counter)
        by_route: dict[tuple[str, str], list[Group]] = {}
        for key, group in groups.items():
            of = dict(key)
            where = (of.get(method, "").upper(), of.get(route, ""))
            by_route.setdefault(where, []).append(group)
        return Histograms(by_route, unit, _coverage_note(counted))

    # --- the process --------------------------------------------------------------------------

    def memory(self, window: Window) -> Series:
        """Return the memory of each minute in MB, one line per instance."""
        with self._asking("memory", window) as asking:
            used = self._gauge(asking, "memory", self._names.memory, window)
            if self._names.memory_free:
                free = self._gauge(asking, "memory_free", self._names.memory_free, window)
                used = {
                    name: {at: v - free[name][at] for at, v in each.items() if at in free[name]}
                    for name, each in used.items()
                    if name in free
                }
            return self._megabytes(asking, used)

    def memory_limit(self, window: Window) -> Series:
        """Return the memory limit in MB, one line per instance, or one that all share."""
        with self._asking("memory limit", window) as asking:
            if self.at.memory_limit_mb:
                asking.asked.append("production.toml: prometheus.memory_limit_mb")
                at = window.start.timestamp()
                line = Line(times=(at,), values=(self.at.memory_limit_mb,))
                return Series(
                    question=asking.question(), unit="MB", lines=(line,), note="production.toml's"
                )
            if not self._names.memory_limit:
                raise NotProvided(
                    f"{asking.where}: expected [prometheus] memory_limit_mb or "
                    "names.memory_limit, got neither"
                )
            limits = self._gauge(asking, "memory_limit", self._names.memory_limit, window)
            return self._megabytes(asking, limits)

    def _gauge(
        self, asking: Asking, what: str, names: str, window: Window
    ) -> dict[str, dict[float, float]]:
        """Return instance -> minute -> value, of the replica that saw most."""
        start, end = window.start.timestamp(), window.end.timestamp()
        found = self._reader.find(asking, what, names, window)
        series, seen = self._reader.fold(
            asking, found, window, lambda: Gauge(start, end), back_s=GRACE_S
        )
        presence = self._reader.presence_of(seen, window)
        self._reader.check_presence(asking, presence, window)
        minutes: dict[str, dict[float, float]] = {}
        for key, gauge in series.items():
            target = self._reader.target(dict(key))
            if not presence.is_read(target):
                continue
            into = minutes.setdefault(target[0], {})
            for at, value in gauge.minutes.items():
                into[at] = into.get(at, 0.0) + value  # containers of one pod
        if not any(minutes.values()):
            asking.refuse(SourceEmpty, f"{found.metric}: expected values in the window, got none")
        return minutes

    def _megabytes(self, asking: Asking, minutes: dict[str, dict[float, float]]) -> Series:
        return Series(
            question=asking.question(),
            unit="MB",
            lines=tuple(
                Line(
                    labels={"instance": name} if name else {},
                    times=tuple(sorted(each)),
                    values=tuple(round(each[at] * MB, DIGITS) for at in sorted(each)),
                )
                for name, each in sorted(minutes.items())
                if each
            ),
            note="MB of 2^20 bytes, the last sample of each minute",
        )

    def platform_events(self, window: Window) -> Listing:
        """Return starts and ends of processes: ``{id, at, type, process, details, instance}``.

        ``process`` is ``ended`` where a process ended and another began. The list is incomplete
        where an instance went and none came, or where not every instance was seen all the time.
        """
        with self._asking("events", window) as asking:
            reader, start, end = self._reader, window.start.timestamp(), window.end.timestamp()
            presence = reader.presence(asking, window)
            began = reader.began(asking, window)
            restarts = self._restarts(asking, window)
            if presence is None:
                found = reader.find(asking, "memory", self._names.memory, window)
                _, seen = reader.fold(asking, found, window, lambda: Gauge(start, end))
                presence = reader.presence_of(seen, window)
            if not began and restarts is None:
                asking.refuse(
                    SourceEmpty,
                    "expected a metric with the process's start or its restarts, got none; state "
                    "names.started or names.restarts",
                )
            events: list[dict[str, object]] = []
            for name, times in began.items():
                # the first start is older than the window, or of an instance that came
                events += [
                    _event(at, "process_restarted", "ended", name)
                    for at in times[1:]
                    if at >= start
                ]
            for change in changes(presence.lives, start, end):
                at = max(
                    [t for t in began.get(change.name, ()) if t <= change.at], default=change.at
                )
                ended = "ended" if change.kind == "replaced" else ""
                events.append(
                    _event(
                        max(at, start), f"instance_{change.kind}", ended, change.name, change.other
                    )
                )
            for at, kind, name in restarts or []:
                near = [
                    each
                    for each in events
                    if each["instance"] == name and abs(float(str(each["at"])) - at) <= PAIRED_S
                ]
                if near:
                    near[0]["type"] = kind
                    near[0]["process"] = "ended"
                else:
                    events.append(_event(at, kind, "ended", name))
            problem = ""
            try:
                reader.check_presence(asking, presence, window)
            except SourceError as error:
                problem = str(error)
            return Listing(
                question=asking.question(),
                what="events",
                items=tuple(sorted(events, key=lambda each: (str(each["at"]), str(each["id"])))),
                complete=not problem,
                seen=len(presence.lives),
                note=problem,
            )

    def _restarts(self, asking: Asking, window: Window) -> list[tuple[float, str, str]] | None:
        """Return (time, type, instance) of restarts in place; None if no exporter counts them."""
        if not self._names.restarts and not self._names.oom:
            return None
        start, end = window.start.timestamp(), window.end.timestamp()
        found_any = False
        restarts: list[tuple[float, str, str]] = []
        killed: set[str] = set()
        for what, names in (("oom", self._names.oom), ("restarts", self._names.restarts)):
            if not names:
                continue
            try:
                found = self._reader.find(asking, what, names, window)
            except SourceEmpty:
                continue
            found_any = True
            series, _ = self._reader.fold(
                asking, found, window, lambda: Counter(start, end, MINUTE_S)
            )
            for key, counter in series.items():
                name = self._reader.target(dict(key))[0]
                if what == "oom" and counter.last_v > 0:
                    killed.add(name)
                if what == "restarts":
                    kind = "oom_killed" if name in killed else "container_restarted"
                    restarts += [
                        (start + minute * MINUTE_S, kind, name)
                        for minute, n in counter.bins.items()
                        if n > 0
                    ]
                elif not self._names.restarts:
                    restarts += [
                        (start + minute * MINUTE_S, "oom_killed", name)
                        for minute, n in counter.bins.items()
                        if n > 0
                    ]
        return restarts if found_any else None

    # --- probes from other places -------------------------------------------------------------

    def vantage_probes(self, window: Window) -> dict[str, Evidence]:
        """Return vantage -> the health probes of its blackbox exporter, or why there are none."""
        found: dict[str, Evidence] = {}
        for name, labels in (self.at.vantages or {}).items():
            try:
                found[name] = self._vantage(name, labels, window)
            except SourceError as problem:
                asked = problem.question
                found[name] = Unanswered(
                    question=asked
                    if isinstance(asked, Question)
                    else Question(
                        source="prometheus",
                        asked=f"probes from {name}",
                        at=self.clock.now(),
                        window=window,
                    ),
                    code=problem.code,
                    reason=str(problem),
                )
        return found

    def _vantage(self, name: str, labels: dict[str, dict[str, str]], window: Window) -> Evidence:
        with self._asking(f"probes from {name}", window) as asking:
            success = self._probed(asking, "probe", self._names.probe, window, labels["probe"])
            control: dict[float, float] = {}
            status: dict[float, float] = {}
            if "control" in labels:
                control = self._probed(
                    asking, "control", self._names.probe, window, labels["control"]
                )
            with contextlib.suppress(SourceEmpty):
                status = self._probed(
                    asking, "probe_status", self._names.probe_status, window, labels["probe"]
                )
            found = blackbox.probes(asking.question(), window, success, control, status)
            if found.interval_s > blackbox.SLOWEST_S * blackbox.JITTER:
                asking.refuse(
                    CoverageTooLow,
                    f"expected a probe at least every {blackbox.SLOWEST_S:g} s, got one every "
                    f"{found.interval_s:g} s",
                )
            return structs.replace(found, question=structs.replace(found.question, vantage=name))

    def _probed(
        self, asking: Asking, what: str, names: str, window: Window, labels: dict[str, str]
    ) -> dict[float, float]:
        """Return time -> value of the one series with these labels, of the fullest replica."""
        found = self._reader.find(asking, what, names, window, labels=labels, one=False)
        if found.metric == "up":
            asking.refuse(
                SourceMisread,
                "expected probe_success, got up, which is 1 while the exporter's probe fails",
            )
        match = selector(found.metric, found.labels, {})
        series: dict[tuple[tuple[str, str], ...], dict[str, dict[float, float]]] = {}
        for piece in self._engine.raw(
            asking, match, window.start.timestamp() - 1e-3, window.end.timestamp()
        ):
            for each in piece:
                own = tuple(sorted((k, v) for k, v in each.metric.items() if k not in REPLICAS))
                replica = self._reader.target(each.metric)[1]
                into = series.setdefault(own, {}).setdefault(replica, {})
                for at, text in each.values:
                    value = measured(text, f"{asking.where}: {found.metric}")
                    if value is not None:
                        into[at] = value
        if len(series) != 1:
            asking.refuse(
                SourceMisread if series else SourceEmpty,
                f"{match}: expected one series in the window, got {len(series)}"
                + ("; state more labels" if series else ""),
            )
        return max(next(iter(series.values())).values(), key=len)

    # --- the database's disk ------------------------------------------------------------------

    def disk(self) -> Listing:
        """Return one reading of the file system that [prometheus] disk selects."""
        with self._asking("disk") as asking:
            if not self.at.disk:
                raise NotProvided(f"{asking.where}: expected [prometheus] disk, got nothing")
            size_at, size = self._last(asking, "disk_size", self._names.disk_size)
            _, free = self._last(asking, "disk_free", self._names.disk_free)
            if size <= 0 or not 0 <= free <= size:
                raise misread(f"{asking.where}: bytes free", f"at most its size of {size:g}", free)
            item = {
                "at": size_at,
                "size_bytes": round(size),
                "used_bytes": round(size - free),
                "available_bytes": round(free),
            }
            return Listing(question=asking.question(), what="readings", items=(item,), seen=1)

    def _last(self, asking: Asking, what: str, names: str) -> tuple[float, float]:
        """Return the newest sample of a gauge of the last hour: its time and value."""
        now = self.clock.now()
        window = Window(now - timedelta(seconds=FRESH_S), now)
        found = self._reader.find(asking, what, names, window, labels=self.at.disk, one=False)
        newest: dict[tuple[tuple[str, str], ...], tuple[float, float]] = {}
        match = selector(found.metric, found.labels, {})
        for piece in self._engine.raw(
            asking, match, window.start.timestamp(), window.end.timestamp()
        ):
            for each in piece:
                key = tuple(sorted(each.metric.items()))
                for at, text in each.values:
                    value = measured(text, f"{asking.where}: {found.metric}")
                    if value is not None:
                        newest[key] = (at, value)
        if len(newest) != 1:
            asking.refuse(
                SourceMisread if newest else SourceEmpty,
                f"{match}: expected one file system, got {len(newest)}",
            )
        return next(iter(newest.values()))

    def _asking(self, what: str, window: Window | None = None) -> AbstractContextManager[Asking]:
        """Return a question that is attached to any SourceError raised meanwhile."""
        return self._engine.client.attached(what, window)


Group = dict[float, list[Counter]]


class Histograms:
    """Buckets by method and route, with the unit of their bounds."""

    def __init__(
        self, by_route: dict[tuple[str, str], list[Group]], unit: float, note: str
    ) -> None:
        self.by_route, self.unit_ms, self.note = by_route, unit, note


def _status(text: str, where: str) -> str:
    """Return the status of a series; one without is a request that was never answered."""
    if not text:
        return NO_STATUS
    if not _STATUS.fullmatch(text):
        raise misread(f"{where}: status", "an HTTP status or its class", text)
    return text.lower()


def _bad(parts: Mapping[str, int]) -> int:
    return sum(n for name, n in parts.items() if name.startswith("5") or name == NO_STATUS)


def _route(endpoint: Endpoint) -> tuple[str, str]:
    """Return the method and the route of an endpoint: of its transaction, else of its address."""
    if endpoint.transaction:
        method, _, route = endpoint.transaction.partition(" ")
        return (method, route) if method in _METHODS and route else ("", endpoint.transaction)
    return endpoint.method, urlsplit(endpoint.url).path or "/"


def _event(at: float, kind: str, process: str, name: str, other: str = "") -> dict[str, object]:
    return {
        "id": f"{kind} {name} {at:.0f}",
        "at": at,
        "type": kind,
        "process": process,
        "details": f"in place of {other}" if other else "",
        "instance": name,
        "deploy": "",
    }


def _coverage_note(counted: Counted, by: str = "") -> str:
    """Return what a count rests on.

    Args:
        by: the label that it is split by; empty: several, or none.
    """
    lives = counted.presence.lives
    least = min((life.covered for life in lives), default=0.0)
    return (
        f"the counter {counted.found.metric}{f' by {by}' if by else ''}: raw samples of "
        f"{plural(len(lives), 'instance')}, each seen for at least "
        f"{format_coverage(least)} of its life; a value belongs to the window of its sample"
    )
