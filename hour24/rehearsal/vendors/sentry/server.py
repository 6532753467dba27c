"""Sentry: issues, events, usage, ingest.

Rules of this room:

- Every path ends with ``/``; both page links are always there; an unknown project is 404, a
  token that sees none gets empty lists.
- ``count``, ``firstSeen`` and ``lastSeen`` of an issue are of the window, ``lifetime`` is of
  all time; ``count`` is text.
- An envelope that is accepted is stored and can be read back, unless the fault sentry_deaf is on.

Source: Sentry's published API and ingest protocol.
"""

from __future__ import annotations

import json
import re
from typing import Any
from zlib import crc32

from hour24.rehearsal.incidents import Kind
from hour24.rehearsal.settings import ENVIRONMENT, TIMEOUT_S
from hour24.rehearsal.vendors.part import Section
from hour24.rehearsal.vendors.sentry import shapes
from hour24.rehearsal.vendors.sentry.tables import errors_table, outcomes, spans_table
from hour24.rehearsal.vendors.web import LIMITED_S, Refused, Reply, Request, Vendor, parse_time
from hour24.rehearsal.world import World, stamp

ORGANIZATION = "rehearsal"
PROJECT = "platform-api"
PROJECT_ID = "4505000000000001"
DSN = "HOUR24_REHEARSAL_SENTRY_DSN"
TOKEN = "sntryu_rehearsal_0a1b2c3d4e5f"
PUBLIC_KEY = "b1946ac92492d2347c6235b4d2611184"
PERIOD = re.compile(r"(\d+)([smhdw])")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
LEAST_AGE_S = 86400.0 * 14


class Sentry(Vendor):
    """Sentry's web API and its ingest."""

    name = "sentry"
    token = TOKEN

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._left = 40

    @property
    def dsn(self) -> str:
        """Where events are sent."""
        return f"http://{PUBLIC_KEY}@{self.url.removeprefix('http://')}/{PROJECT_ID}"

    def section(self) -> Section:
        return {
            "url": self.url,
            "organization": ORGANIZATION,
            "project": PROJECT,
            "environment": ENVIRONMENT,
            "token_env": self.variable,
            "dsn_env": DSN,
            "traces_sample_rate": 1.0,
            "timeout_s": TIMEOUT_S,
        }

    def environ(self) -> dict[str, str]:
        return {**super().environ(), DSN: self.dsn}

    def allowed(self, request: Request) -> bool:
        return request.path.endswith("/envelope/") or super().allowed(request)

    def error(self, status: int, says: str) -> Reply:
        return Reply(status, {"detail": says})

    def limited(self) -> Reply:
        headers = {"X-Sentry-Rate-Limit-Reset": str(int(self.world.now) + LIMITED_S)}
        says = "You are attempting to use this endpoint too frequently."
        return Reply(429, {"detail": says}, {**self._limits(0), **headers})

    def emptied(self, request: Request, reply: Reply) -> Reply:
        path = request.path
        if path.endswith("/envelope/"):
            return reply
        if path.startswith("/api/0/projects/") or "/eventids/" in path:
            return self.error(404, "The requested resource does not exist")
        if isinstance(reply.body, dict) and "data" in reply.body:
            return Reply(200, {**reply.body, "data": []}, reply.headers)
        if isinstance(reply.body, dict) and "groups" in reply.body:
            return Reply(200, {**reply.body, "groups": []}, reply.headers)
        return super().emptied(request, reply)

    def answer(self, request: Request) -> Reply:
        parts = [part for part in request.path.split("/") if part]
        if not request.path.endswith("/"):
            raise self.not_found()
        if request.method == "POST" and len(parts) == 3 and parts[2] == "envelope":
            return self._envelope(request, parts[1])
        if request.method != "GET" or parts[:2] != ["api", "0"]:
            raise Refused(self.error(405, f'Method "{request.method}" not allowed.'))
        match parts[2:]:
            case ["organizations", org]:
                self._of(org)
                found: Any = shapes.organization(ORGANIZATION)
            case ["organizations", org, "projects"]:
                self._of(org)
                return self._paged(request, [shapes.project(PROJECT, PROJECT_ID, ENVIRONMENT)])
            case ["organizations", org, "environments"]:
                self._of(org)
                found = [{"id": "1", "name": ENVIRONMENT}]
            case ["organizations", org, "issues"]:
                self._of(org)
                return self._paged(request, self._issues(request), per="limit")
            case ["organizations", org, "events"]:
                self._of(org)
                return self._events(request)
            case ["organizations", org, "stats_v2"]:
                self._of(org)
                found = self._stats(request)
            case ["organizations", org, "eventids", event_id]:
                self._of(org)
                event = self._event(event_id)
                found = {
                    "organizationSlug": ORGANIZATION,
                    "projectSlug": PROJECT,
                    "groupId": event["groupID"],
                    "eventId": event_id,
                    "event": event,
                }
            case ["projects", org, project]:
                self._of(org, project)
                found = shapes.project_detail(PROJECT, PROJECT_ID, ENVIRONMENT, ORGANIZATION)
            case ["projects", org, project, "events", event_id]:
                self._of(org, project)
                found = self._event(event_id)
            case _:
                raise self.not_found()
        return Reply(200, found, self._limits(self._left))

    def _of(self, organization: str, project: str = PROJECT) -> None:
        if organization != ORGANIZATION or project not in (PROJECT, PROJECT_ID):
            raise self.not_found("The requested resource does not exist")

    def _limits(self, left: int) -> dict[str, str]:
        return {
            "X-Sentry-Rate-Limit-Limit": "40",
            "X-Sentry-Rate-Limit-Remaining": str(left),
            "X-Sentry-Rate-Limit-Reset": str(int(self.world.now) + 1),
            "X-Sentry-Rate-Limit-ConcurrentLimit": "25",
            "X-Sentry-Rate-Limit-ConcurrentRemaining": "24",
        }

    # --- requests ---------------------------------------------------------------------------------

    def _window(self, request: Request) -> tuple[float, float]:
        """``start`` to ``end``, or back from now; a period wins. Raises: Refused."""
        now = self.world.now
        period = request.one("statsPeriod")
        if period:
            match = PERIOD.fullmatch(period)
            if match is None:
                raise Refused(self.error(400, f"Invalid statsPeriod: {period!r}"))
            return now - int(match.group(1)) * UNITS[match.group(2)], now
        if not (request.one("start") and request.one("end")):
            if request.one("start") or request.one("end"):
                raise Refused(self.error(400, "start and end are both required"))
            return now - 14 * 86400, now
        try:
            start = parse_time(request.one("start"), now)
            end = parse_time(request.one("end"), now)
        except ValueError:
            raise Refused(self.error(400, "start and end: expected ISO 8601")) from None
        if end < start:
            raise Refused(self.error(400, "start must be before end"))
        return start, min(end, now)

    def _has_project(self, request: Request) -> bool:
        asked = request.all("project")
        for each in asked:
            if each not in (PROJECT, PROJECT_ID, "-1"):
                raise Refused(self.error(400, "Invalid project parameter. Values must be numbers."))
        environments = request.all("environment")
        return not environments or ENVIRONMENT in environments

    def _paged(self, request: Request, found: list[Any], per: str = "per_page") -> Reply:
        size = self._size(request, per)
        offset = self._offset(request)
        page = found[offset : offset + size]
        headers = self._links(request, offset, size, len(found))
        return Reply(200, page, {**headers, **self._limits(self._left)})

    def _size(self, request: Request, per: str) -> int:
        text = request.one(per) or "100"
        if not text.isdigit() or not 1 <= int(text) <= 100:
            raise Refused(self.error(400, f"Invalid {per} parameter: expected 1 to 100"))
        return int(text)

    def _offset(self, request: Request) -> int:
        cursor = request.one("cursor") or "0:0:0"
        try:
            value, page, _ = (int(part) for part in cursor.split(":"))
        except ValueError:
            raise Refused(self.error(400, "Invalid cursor parameter.")) from None
        return max(0, page if value == 0 else value * page)

    def _links(self, request: Request, offset: int, size: int, total: int) -> dict[str, str]:
        base = f"{self.url}{request.path}"
        before, after = f"0:{max(0, offset - size)}:1", f"0:{offset + size}:0"
        return {
            "Link": f'<{base}?&cursor={before}>; rel="previous"; '
            f'results="{"true" if offset > 0 else "false"}"; cursor="{before}", '
            f'<{base}?&cursor={after}>; rel="next"; '
            f'results="{"true" if offset + size < total else "false"}"; cursor="{after}"',
            "X-Hits": str(total),
        }

    # --- answers ------------------------------------------------------------------------------

    def _issues(self, request: Request) -> list[dict[str, Any]]:
        start, end = self._window(request)
        if not self._has_project(request):
            return []
        groups: dict[str, list[float]] = {}
        users: dict[str, set[str]] = {}
        kinds: dict[str, Kind] = {}
        for event in self.world.scenario.stored_events(start, end):
            key = event.kind.key
            kinds[key] = event.kind
            groups.setdefault(key, []).append(event.at)
            users.setdefault(key, set()).add(event.user)
        found = [
            shapes.issue(
                kinds[key],
                times,
                len(users[key]),
                self.world.scenario.first_seen(kinds[key]),
                (PROJECT, PROJECT_ID, ORGANIZATION),
                end,
            )
            for key, times in groups.items()
        ]
        query = request.one("query")
        sent = [
            event
            for event in self.world.sent.values()
            if start <= event["at"] < end
            and shapes.matches_query({**shapes.sent_issue([event], ("", "", "")), **event}, query)
        ]
        if sent:
            found.append(shapes.sent_issue(sent, (PROJECT, PROJECT_ID, ORGANIZATION)))
        found = [issue for issue in found if shapes.matches_query(issue, query)]
        by = {
            "freq": lambda issue: -int(issue["count"]),
            "new": lambda issue: _descending(issue["lifetime"]["firstSeen"]),
            "user": lambda issue: -issue["userCount"],
        }.get(request.one("sort", "date"), lambda issue: _descending(issue["lastSeen"]))
        return sorted(found, key=by)

    def _events(self, request: Request) -> Reply:
        fields = request.all("field")
        dataset = request.one("dataset")
        if not fields or len(fields) > 20:
            raise Refused(self.error(400, "field: expected 1 to 20"))
        start, end = self._window(request)
        try:
            if dataset == "spans":
                times = self.world.service.transactions(start, end)
                body = spans_table(fields, times, request.one("query"), request.one("sort"))
            elif dataset == "errors":
                rows = shapes.error_rows(self.world, start, end, PROJECT, ENVIRONMENT)
                body = errors_table(fields, rows, request.one("query"), request.one("sort"))
            else:
                raise Refused(self.error(400, f"dataset must be one of: errors, spans: {dataset}"))
        except ValueError as problem:
            raise Refused(self.error(400, str(problem))) from None
        if not self._has_project(request):
            body["data"] = []
        size, offset = self._size(request, "per_page"), self._offset(request)
        headers = self._links(request, offset, size, len(body["data"]))
        body["data"] = body["data"][offset : offset + size]
        return Reply(200, body, {**headers, **self._limits(self._left)})

    def _stats(self, request: Request) -> dict[str, Any]:
        group_by, fields = request.all("groupBy"), request.all("field")
        if not group_by or not fields:
            raise Refused(self.error(400, "At least one groupBy and one field is required"))
        start, end = self._window(request)
        interval = PERIOD.fullmatch(request.one("interval", "1h"))
        seconds = int(interval.group(1)) * UNITS[interval.group(2)] if interval else 0
        if seconds < 3600 or 86400 % seconds:
            raise Refused(self.error(400, "interval: expected at least 1h, a divisor of a day"))
        return outcomes(
            self.world.scenario, start, end, seconds, group_by, fields, request.all("category")
        )

    def _event(self, event_id: str) -> dict[str, Any]:
        sent = self.world.sent.get(event_id)
        if sent is not None:
            return shapes.event(sent, PROJECT_ID)
        raise self.not_found("Event not found")

    # --- ingest -------------------------------------------------------------------------------

    def _envelope(self, request: Request, project_id: str) -> Reply:
        auth = request.headers.get("x-sentry-auth", "")
        key = re.search(r"sentry_key=([0-9a-f]+)", auth)
        given = key.group(1) if key else request.one("sentry_key")
        if given != PUBLIC_KEY or project_id != PROJECT_ID:
            says = "bad request" if given else "missing authorization information"
            reply = Reply(403, {"detail": says, "causes": []}, {"X-Sentry-Error": says})
            raise Refused(reply)
        try:
            header, items = _items(request.body)
        except (ValueError, KeyError) as problem:
            says = f"invalid envelope: {problem}"
            raise Refused(Reply(400, {"detail": says, "causes": []})) from None
        event_id = str(header.get("event_id", ""))
        for kind, payload in items:
            if kind == "event" and not self.world.scenario.has_fault("sentry_deaf", self.world.now):
                event_id = payload.get("event_id", event_id)
                self.world.sent[event_id] = {
                    **payload,
                    "event_id": event_id,
                    "at": self.world.now,
                    "received": stamp(self.world.now),
                    "group": str(6_600_000_000 + crc32(str(payload.get("fingerprint")).encode())),
                }
        return Reply(200, {"id": event_id})


def _descending(timestamp: str) -> tuple[int, ...]:
    return tuple(-ord(character) for character in timestamp)


def _items(body: bytes) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """An envelope's header and its items. Raises: ValueError, KeyError."""
    first, _, rest = body.partition(b"\n")
    header = json.loads(first)
    items = []
    while rest.strip():
        line, _, rest = rest.partition(b"\n")
        about = json.loads(line)
        size = about.get("length")
        if size is None:
            data, _, rest = rest.partition(b"\n")
        else:
            if len(rest) < size:
                raise ValueError("an item is shorter than its length")
            data, rest = rest[:size], rest[size:].removeprefix(b"\n")
        items.append((str(about["type"]), json.loads(data)))
    return header, items
