"""Render: service, logs, metrics, events, deploys, rollback.

Rules of this room:

- Logs are paged by time, newest first unless requested otherwise, at most 100 a page; lists of
  events and deploys by the cursor of their last item, until an empty page.
- Metrics are a bare list with a unit a series: memory in bytes, requests as counts, latency in
  seconds. What does not apply is an empty list.
- A rollback makes a new deploy and leaves auto-deploy as it was.

Source: Render's published API.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from hour24.rehearsal.lines import LABELS, LogLine
from hour24.rehearsal.machines import LIMIT_MB, SERVICE, Deploy
from hour24.rehearsal.settings import TIMEOUT_S
from hour24.rehearsal.vendors.part import Section
from hour24.rehearsal.vendors.web import LIMITED_S, Refused, Reply, Request, Vendor, parse_time
from hour24.rehearsal.world import stamp

OWNER = "tea-d0cjkelq67qs70c2puff"
TOKEN = "rnd_rehearsal_9f8e7d6c5b4a"
MB = 1024 * 1024


class Render(Vendor):
    """Render's web API."""

    name = "render"
    token = TOKEN

    def section(self) -> Section:
        return {
            "url": f"{self.url}/v1",
            "service": SERVICE,
            "owner": OWNER,
            "token_env": self.variable,
            "timeout_s": TIMEOUT_S,
        }

    def error(self, status: int, says: str) -> Reply:
        return Reply(status, {"id": f"err-{status}", "message": says})

    def limited(self) -> Reply:
        headers = {"Ratelimit-Limit": "400", "Ratelimit-Remaining": "0"}
        return Reply(
            429, {"message": "rate limit exceeded"}, {**headers, "Ratelimit-Reset": str(LIMITED_S)}
        )

    def emptied(self, request: Request, reply: Reply) -> Reply:
        if request.path == "/v1/logs" and isinstance(reply.body, dict):
            return Reply(200, {**reply.body, "hasMore": False, "logs": []})
        return super().emptied(request, reply)

    def answer(self, request: Request) -> Reply:
        parts = [part for part in request.path.split("/") if part]
        if parts[:1] != ["v1"]:
            raise self.not_found()
        if len(parts) >= 3 and parts[1] == "services" and parts[2] != SERVICE:
            raise self.not_found(f"service {parts[2]} not found")
        headers = {
            "Ratelimit-Limit": "400",
            "Ratelimit-Remaining": "391",
            "Ratelimit-Reset": "45",
        }
        match request.method, parts[1:]:
            case "GET", ["services", _]:
                found = self._service()
            case "PATCH", ["services", _]:
                self.world.auto_deploy = self._json(request).get("autoDeploy") != "no"
                found = self._service()
            case "GET", ["services", _, "instances"]:
                found = self._instances()
            case "GET", ["services", _, "events"]:
                found = self._listed(request, self._events(request), "event")
            case "GET", ["services", _, "deploys"]:
                found = self._listed(request, self._deploys(request), "deploy")
            case "GET", ["services", _, "deploys", deploy_id]:
                found = self._deploy(deploy_id)
            case "POST", ["services", _, "rollback"]:
                return self._rollback(request)
            case "GET", ["owners"]:
                owner = {"id": OWNER, "name": "rehearsal", "email": "", "type": "team"}
                found = [{"owner": owner, "cursor": "c1"}]
            case "GET", ["logs"]:
                found = self._logs(request)
            case "GET", ["logs", "values"]:
                found = {"type": ["app"], "level": ["error", "info", "warning"]}.get(
                    request.one("label"), []
                )
            case "GET", ["metrics", name]:
                found = self._metric(name, request)
            case _:
                raise self.not_found()
        return Reply(200, found, headers)

    # --- the service --------------------------------------------------------------------------

    def _service(self) -> Any:
        return {
            "id": SERVICE,
            "name": "platform-api",
            "type": "web_service",
            "ownerId": OWNER,
            "autoDeploy": "yes" if self.world.auto_deploy else "no",
            "branch": "main",
            "repo": "https://git.example/platform-api",
            "rootDir": "",
            "slug": "platform-api",
            "dashboardUrl": f"https://dashboard.example/web/{SERVICE}",
            "environmentId": "",
            "imagePath": "",
            "notifyOnFail": "default",
            "suspended": "not_suspended",
            "suspenders": [],
            "createdAt": "2025-01-01T00:00:00Z",
            "updatedAt": stamp(self.world.scenario.at(-76.0)),
            "serviceDetails": {
                "buildPlan": "starter",
                "env": "python",
                "runtime": "python",
                "healthCheckPath": "/health",
                "numInstances": 2,
                "openPorts": [],
                "plan": "standard",
                "region": "frankfurt",
                "url": "https://platform-api.example",
                "envSpecificDetails": {"buildCommand": "", "startCommand": "serve"},
                "pullRequestPreviewsEnabled": "no",
            },
        }

    def _instances(self) -> Any:
        scenario = self.world.scenario
        return [
            {"id": life.instance, "createdAt": stamp(scenario.at(life.start_h))}
            for life in scenario.machines.up(scenario.hour(self.world.now))
        ]

    def _span(self, request: Request, hours: float = 1.0) -> tuple[float, float]:
        now = self.world.now
        try:
            end = parse_time(request.one("endTime"), now)
            start = parse_time(request.one("startTime"), min(end, now) - hours * 3600)
        except ValueError:
            raise Refused(self.error(400, "startTime, endTime: expected RFC 3339")) from None
        if start > end:
            raise Refused(self.error(400, "startTime is after endTime"))
        if start < now - 30 * 86400:
            raise Refused(self.error(400, "startTime must be within the last 30 days"))
        return start, end

    def _limit(self, request: Request) -> int:
        text = request.one("limit") or "20"
        if not text.isdigit() or not 1 <= int(text) <= 100:
            raise Refused(self.error(400, "limit: expected 1 to 100"))
        return int(text)

    def _listed(self, request: Request, things: list[dict[str, Any]], name: str) -> Any:
        """Return a page of the list, newest first, after the cursor if there is one."""
        cursor = request.one("cursor")
        if cursor:
            after = [i for i, thing in enumerate(things) if thing["id"] == cursor]
            if not after:
                raise Refused(self.error(400, "invalid cursor"))
            things = things[after[0] + 1 :]
        return [{name: thing, "cursor": thing["id"]} for thing in things[: self._limit(request)]]

    def _events(self, request: Request) -> list[dict[str, Any]]:
        scenario, random = self.world.scenario, self.world.scenario.random
        start, end = self._span(request)
        wanted = {kind for each in request.all("type") for kind in each.split(",")}
        return [
            {
                "id": "evt-" + random.hex(20, "evt", each.hour, each.type, str(each.details)),
                "timestamp": stamp(scenario.at(each.hour)),
                "serviceId": SERVICE,
                "type": each.type,
                "details": each.details,
            }
            for each in reversed(
                scenario.machines.platform_events(
                    scenario.hour(start), scenario.hour(min(end, self.world.now + 0.001))
                )
            )
            if not wanted or each.type in wanted
        ]

    def _deploys(self, request: Request) -> list[dict[str, Any]]:
        scenario, now = self.world.scenario, self.world.now
        try:
            after = parse_time(request.one("createdAfter"), float("-inf"))
            before = parse_time(request.one("createdBefore"), float("inf"))
        except ValueError:
            raise Refused(self.error(400, "createdAfter: expected RFC 3339")) from None
        wanted = set(request.all("status"))
        shaped = [
            self._shape_deploy(deploy)
            for deploy in reversed(scenario.machines.deploys)
            if scenario.at(deploy.created_h) <= now
            and after <= scenario.at(deploy.created_h) < before
        ]
        return [deploy for deploy in shaped if not wanted or deploy["status"] in wanted]

    def _deploy(self, deploy_id: str) -> Any:
        for deploy in self.world.scenario.machines.deploys:
            if (
                deploy.id == deploy_id
                and self.world.scenario.at(deploy.created_h) <= self.world.now
            ):
                return self._shape_deploy(deploy)
        raise self.not_found(f"deploy {deploy_id} not found")

    def _shape_deploy(self, deploy: Deploy) -> dict[str, Any]:
        scenario = self.world.scenario
        hour = scenario.hour(self.world.now)
        live = hour >= deploy.live_h
        status = "live" if live else "update_in_progress"
        if hour >= deploy.until_h:
            status = "deactivated"
        created, finished = stamp(scenario.at(deploy.created_h)), stamp(scenario.at(deploy.live_h))
        shaped = {
            "id": deploy.id,
            "commit": {"id": deploy.commit, "message": deploy.message, "createdAt": created},
            "status": status,
            "trigger": deploy.trigger,
            "createdAt": created,
            "startedAt": created,
            "updatedAt": finished if live else created,
        }
        if live:
            shaped["finishedAt"] = finished
        return shaped

    def _json(self, request: Request) -> dict[str, Any]:
        try:
            found = json.loads(request.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Refused(self.error(400, "expected a JSON object"))
        return found

    def _rollback(self, request: Request) -> Reply:
        target = self._json(request).get("deployId", "")
        shaped = self._deploy(str(target))
        if shaped["status"] != "deactivated":
            raise Refused(self.error(400, f"deploy {target} is {shaped['status']}"))
        made = self.world.roll_back(str(target))
        return Reply(201, self._deploy(made))

    # --- logs ---------------------------------------------------------------------------------

    def _logs(self, request: Request) -> Any:
        if not request.one("ownerId") or not request.all("resource"):
            raise Refused(self.error(400, "ownerId and resource are required"))
        if request.one("ownerId") != OWNER:
            raise self.not_found("owner not found")
        start, end = self._span(request)
        limit = self._limit(request)
        backward = request.one("direction", "backward") != "forward"
        lines: list[LogLine] = []
        if SERVICE in request.all("resource"):
            wanted = _filter(request)
            found = self.world.lines.between(start, min(end, self.world.now))
            for line in reversed(found) if backward else found:
                if wanted(line):
                    lines.append(line)
                    if len(lines) > limit:
                        break
        more = len(lines) > limit
        page = lines[:limit]
        if more and backward:
            end = page[-1].at
        elif more:
            start = page[-1].at + 1e-6
        return {
            "hasMore": more,
            "nextStartTime": stamp(start, "microseconds"),
            "nextEndTime": stamp(end, "microseconds"),
            "logs": [_line(line) for line in page],
        }

    # --- metrics ------------------------------------------------------------------------------

    def _metric(self, name: str, request: Request) -> Any:
        if SERVICE not in request.all("resource"):
            return []
        start, end = self._span(request)
        text = request.one("resolutionSeconds") or "60"
        if not text.isdigit() or int(text) < 30:
            raise Refused(self.error(400, "resolutionSeconds: expected at least 30"))
        step = int(text)
        times = [
            at
            for at in range(math.ceil(start / step) * step, math.ceil(end), step)
            if at < end and at <= self.world.now
        ]
        match name:
            case "memory":
                return self._memory(times, lambda life, hour: self._mb(life, hour) * MB)
            case "memory-limit":
                return self._memory(times, lambda life, hour: LIMIT_MB * MB)
            case "http-requests":
                return self._requests(times, step, request.one("aggregateBy") == "statusCode")
            case "http-latency":
                return self._latency(times, request.all("quantile") or ["0.99"])
            case "instance-count":
                up = self.world.scenario.machines.up
                hour = self.world.scenario.hour
                return [_series({}, "instances", [(at, len(up(hour(at)))) for at in times])]
            case "cpu":
                return self._memory(times, lambda life, hour: 0.11, "cores")
        return []

    def _mb(self, life: Any, hour: float) -> float:
        return self.world.scenario.machines.memory_mb(life, hour)

    def _memory(
        self, times: list[int], value: Callable[[Any, float], float], unit: str = "bytes"
    ) -> Any:
        scenario = self.world.scenario
        series: dict[str, list[tuple[float, float]]] = {}
        for life in scenario.machines.lives:
            begin, until = scenario.at(life.start_h), scenario.at(min(life.end_h, 1000.0))
            for at in times:
                if begin <= at < until and not scenario.is_silent(at):
                    measured = value(life, scenario.hour(at))
                    series.setdefault(life.instance, []).append((at, measured))
        return [_series({"instance": name}, unit, values) for name, values in series.items()]

    def _requests(self, times: list[int], step: int, by_status: bool) -> Any:
        scenario = self.world.scenario
        counted: dict[str, list[tuple[float, float]]] = {}
        totals = []
        for at in times:
            found = _requests_in(scenario, at, step)
            totals.append((at, float(sum(found.values()))))
            for status, count in found.items():
                counted.setdefault(str(status), []).append((at, float(count)))
        if not any(total for _, total in totals):
            return []
        if not by_status:
            return [_series({}, "requests", totals)]
        return [
            _series({"statusCode": status}, "requests", values)
            for status, values in sorted(counted.items())
        ]

    def _latency(self, times: list[int], quantiles: list[str]) -> Any:
        service, found = self.world.service, []
        for quantile in quantiles:
            values = []
            for at in times:
                all_of_them = service.transactions(at - 60.0, float(at))
                worst = max((t.quantile(float(quantile)) for t in all_of_them), default=0.0)
                values.append((at, worst / 1000))
            found.append(_series({"quantile": quantile}, "seconds", values))
        return found


def _requests_in(scenario: Any, at: float, step: int) -> dict[int, int]:
    """Requests by status in ``[at, at + step)``; below a minute, the minute's share."""
    first = math.floor((at - scenario.at(0)) / 60)
    if step < 60:
        half = round((at - scenario.at(0)) % 60 / step)
        minute = scenario.requests(first)
        return {s: (n + (0 if half else 1)) // 2 for s, n in minute.items()} if minute else {}
    found: dict[int, int] = {}
    for minute in range(first, first + step // 60):
        for status, count in scenario.requests(minute).items():
            found[status] = found.get(status, 0) + count
    return found


def _series(labels: dict[str, str], unit: str, values: Sequence[tuple[float, float]]) -> Any:
    shaped = [{"field": "resource", "value": SERVICE}]
    shaped += [{"field": field, "value": value} for field, value in labels.items()]
    return {
        "labels": shaped,
        "unit": unit,
        "values": [{"timestamp": stamp(at, "seconds"), "value": value} for at, value in values],
    }


def _line(line: LogLine) -> dict[str, Any]:
    labels = {**LABELS, "instance": line.instance, "level": line.level}
    return {
        "id": line.id,
        "message": line.message,
        "timestamp": stamp(line.at, "microseconds"),
        "labels": [{"name": name, "value": value} for name, value in labels.items()],
    }


def _filter(request: Request) -> Callable[[LogLine], bool]:
    """Return a test for log lines: every filter matches with one of its values."""
    checks: list[tuple[str, list[re.Pattern[str]]]] = []
    for name in ("level", "text", "type", "instance"):
        values = request.all(name)
        if values:
            checks.append((name, [_pattern(value, name == "text") for value in values]))

    def wanted(line: LogLine) -> bool:
        shaped = {
            "level": line.level,
            "text": line.message,
            "type": LABELS["type"],
            "instance": line.instance,
        }
        return all(any(p.search(shaped[name]) for p in patterns) for name, patterns in checks)

    return wanted


@lru_cache(maxsize=256)
def _pattern(value: str, inside: bool) -> re.Pattern[str]:
    """A filter's value: a regular expression between slashes, or a text with ``*``."""
    if len(value) > 2 and value.startswith("/") and value.endswith("/"):
        return re.compile(value[1:-1])
    text = ".*".join(re.escape(part) for part in value.split("*"))
    return re.compile(text if inside else f"^(?:{text})$", re.IGNORECASE)
