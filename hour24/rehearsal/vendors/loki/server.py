"""Loki's query API over the rehearsal's log lines.

Rules of this module:

- Ranges of lines have an exclusive end; without a limit there are 100 lines, and more than 5,000
  are refused. Lines without a direction come newest first. A log query at ``/query`` is refused.
- The level that Loki detects is among the labels, as structured metadata does by default.
- Without a line the result is null for counts and empty for lines.
"""

from __future__ import annotations

import re
from typing import Any

import re2

from hour24.rehearsal.lines import LogLine
from hour24.rehearsal.settings import TIMEOUT_S
from hour24.rehearsal.vendors.part import Section
from hour24.rehearsal.vendors.web import Refused, Reply, Request, Vendor

TOKEN = "glc_rehearsal-loki-token"
TENANT = "rehearsal"
SELECTOR = '{service_name="platform-api"}'
DEFAULT, MOST = 100, 5000
NS = 1_000_000_000
_QUERY = re.compile(
    r"(?P<selector>\{[^{}]*\})\s*(?:\|~\s*(?:`(?P<plain>[^`]*)`|\"(?P<quoted>(?:\\.|[^\"\\])*)\"))?"
    r"(?:\s*\|\s*detected_level=~\"(?P<level>[^\"]*)\"(?: or [a-z_]+=~\"[^\"]*\")*)?"
)
_COUNT = re.compile(r"sum\(count_over_time\((\{[^{}]*\})\[(\d+)s\]\)\)")


class Loki(Vendor):
    """A Loki of one tenant."""

    name = "loki"
    token = TOKEN

    def section(self) -> Section:
        return {
            "url": self.url,
            "selector": SELECTOR,
            "tenant": TENANT,
            "token_env": self.variable,
            "timeout_s": TIMEOUT_S,
        }

    def error(self, status: int, says: str) -> Reply:
        return Reply(status, says.encode(), content_type="text/plain; charset=utf-8")

    def emptied(self, request: Request, reply: Reply) -> Reply:
        kind = "streams" if request.path.endswith("query_range") else "vector"
        return _success(kind, None)

    def answer(self, request: Request) -> Reply:
        if request.headers.get("x-scope-orgid") != TENANT:
            raise Refused(self.error(401, "no org id"))
        match request.path:
            case "/loki/api/v1/query_range":
                return self._lines(request)
            case "/loki/api/v1/query":
                return self._count(request)
        raise self.not_found()

    def _lines(self, request: Request) -> Reply:
        query = _QUERY.fullmatch(request.one("query"))
        if query is None:
            raise Refused(self.error(400, "parse error : syntax error"))
        limit = int(request.one("limit") or DEFAULT)
        if limit > MOST:
            raise Refused(
                self.error(400, f"max entries limit per query exceeded, limit > {MOST} ({limit})")
            )
        start, end = int(request.one("start")), int(request.one("end"))
        found = self._between(start, end, query["selector"])
        text = query["plain"] if query["plain"] is not None else query["quoted"]
        if text is not None:
            sought = re2.compile(text)
            found = [each for each in found if sought.search(each.message)]
        if query["level"] is not None:
            level = re2.compile(f"^(?:{query['level']})$")
            found = [each for each in found if level.search(each.level)]
        if request.one("direction", "backward") != "forward":
            found.reverse()
        streams: dict[tuple[str, str], list[list[str]]] = {}
        for each in found[:limit]:
            streams.setdefault((each.instance, each.level), []).append([_ns(each), each.message])
        return _success(
            "streams",
            [
                {
                    "stream": {
                        "service_name": "platform-api",
                        "service_instance_id": instance,
                        "detected_level": level,
                    },
                    "values": values,
                }
                for (instance, level), values in streams.items()
            ],
        )

    def _count(self, request: Request) -> Reply:
        query = _COUNT.fullmatch(request.one("query"))
        if query is None:
            raise Refused(self.error(400, "log queries are not supported as an instant query type"))
        end = int(request.one("time"))
        found = self._between(end - int(query[2]) * NS, end, query[1])
        value = [{"metric": {}, "value": [end / NS, str(len(found))]}] if found else None
        return _success("vector", value)

    def _between(self, start: int, end: int, selector: str) -> list[LogLine]:
        if selector != SELECTOR:
            return []
        return self.world.lines.between(start / NS, min(end / NS, self.world.now))


def _ns(line: LogLine) -> str:
    return str(round(line.at * 1e6) * 1000)


def _success(kind: str, result: Any) -> Reply:
    data = {"resultType": kind, "result": result, "stats": {"summary": {"execTime": 0.01}}}
    return Reply(200, {"status": "success", "data": data})
