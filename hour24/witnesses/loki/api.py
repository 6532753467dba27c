"""Requests to Loki: lines of a window page by page, and counts of lines.

Rules of this module:

- Lines are asked for forwards with an explicit limit. A full page may not be the last: the next one
  begins at its newest time, and lines that both hold are one. A page of one time alone cannot be
  passed, and is refused.
- The end of a range of lines is exclusive. A count is asked over the same window, by an instant
  query at its end; it only proves that the log is kept.
- Any warning in an answer means that a part is missing. An answer of another kind than asked for
  is refused. ``"result": null`` and ``[]`` are both none.
- A line's own labels and the metadata next to it are read together.

Source: loki-http-api.md; pkg/loghttp/query.go; pkg/logql/engine.go.
"""

from __future__ import annotations

import base64
import math
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from msgspec import Struct

from hour24.asking.answers import is_within, misread, read_answer
from hour24.asking.client import OWN_CREDENTIAL, ApiClient, Asking
from hour24.clock import Clock
from hour24.errors import SourceIncomplete
from hour24.text import one_line
from hour24.watch import Window
from hour24.witnesses.loki import LokiAt

NS = 1_000_000_000
LABELS = ("level", "severity_text", "severity")
"""Labels in which a logger or its agent states a level. ``detected_level`` is a guess by the words
of a line, and only selects lines to read."""
INSTANCES = ("service_instance_id", "pod", "instance", "container", "hostname", "host")


class Data(Struct, frozen=True, rename="camel"):
    """``data`` of an answer; ``result`` depends on the type."""

    result_type: str
    result: list[Any] | None = None


class Reply(Struct, frozen=True):
    """The envelope of every answer."""

    status: str
    data: Data
    warnings: list[str] | None = None


class Stream(Struct, frozen=True):
    """Lines with the same labels; a value is ``[ns, line]`` or ``[ns, line, metadata]``."""

    stream: dict[str, str]
    values: list[list[Any]]


class Logged(NamedTuple):
    """One line: ``ns`` since 1970; level and instance are empty where no label says them."""

    ns: int
    labels: str
    message: str
    level: str
    instance: str

    @property
    def at(self) -> float:
        """Epoch seconds."""
        return self.ns / NS


class Api:
    """Loki's API, and the lines that [loki] selects."""

    def __init__(self, at: LokiAt, clock: Clock, budget_s: float) -> None:
        basic = at.token is not None and bool(at.user)
        self.at = at
        self.client = ApiClient(
            "loki",
            at.url,
            clock,
            token=None if basic else at.token,
            secrets=(at.token,) if at.token is not None else (),
            timeout_s=at.timeout_s,
            budget_s=budget_s,
        )
        self._headers = {"X-Scope-OrgID": at.tenant} if at.tenant else {}
        if basic and at.token is not None:
            pair = f"{at.user}:{at.token.reveal()}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
            self._headers[OWN_CREDENTIAL] = "1"

    def asking(self, what: str, window: Window) -> AbstractContextManager[Asking]:
        """Return a question that is attached to any SourceError raised meanwhile."""
        return self.client.attached(what, window)

    def lines(
        self, asking: Asking, window: Window, filters: str, most: int
    ) -> tuple[list[Logged], bool]:
        """Return the first lines of the window that pass, oldest first, and whether they are all.

        Args:
            filters: of LogQL, behind the selector.
        """
        found: dict[tuple[int, str, str], Logged] = {}
        start, end = nanoseconds(window)
        while len(found) < most:
            page = self.page(asking, (start, end), filters, self.at.page, "forward", window)
            found |= {(line.ns, line.labels, line.message): line for line in page}
            if len(page) < self.at.page:
                return sorted(found.values()), True
            newest = max(line.ns for line in page)
            if newest <= start:
                asking.refuse(
                    SourceIncomplete,
                    f"expected fewer than {self.at.page} lines of one time, got a full page: raise "
                    "loki.page",
                )
            start = newest
        return sorted(found.values()), False

    def page(
        self,
        asking: Asking,
        span: tuple[int, int],
        filters: str,
        limit: int,
        direction: str,
        window: Window,
    ) -> list[Logged]:
        """Return one page of lines with ``start <= ns < end``."""
        where = f"{asking.where}: page {asking.pages + 1}"
        params = [
            ("query", f"{self.at.selector}{filters}"),
            ("start", str(span[0])),
            ("end", str(span[1])),
            ("limit", str(limit)),
            ("direction", direction),
        ]
        result = self._result(asking, "query_range", params, "streams", where)
        streams = read_answer(result, list[Stream], f"{where}.data.result")
        found = [
            _line(stream, value, f"{where}.data.result[{i}].values[{j}]")
            for i, stream in enumerate(streams)
            for j, value in enumerate(stream.values)
        ]
        if len(found) > limit:
            raise misread(where, f"at most {limit} lines, as asked", len(found))
        return [
            line
            for line in found
            if is_within(window, line.at, where) and span[0] <= line.ns < span[1]
        ]

    def count(self, asking: Asking, window: Window) -> int:
        """Return how many lines of any kind the window holds."""
        where = f"{asking.where}: count"
        seconds = math.ceil(window.seconds)
        params = [
            ("query", f"sum(count_over_time({self.at.selector}[{seconds}s]))"),
            ("time", str(nanoseconds(window)[1])),
        ]
        result = self._result(asking, "query", params, "vector", where)
        if not result:
            return 0
        sample = (
            result[0].get("value") if len(result) == 1 and isinstance(result[0], dict) else None
        )
        value = sample[1] if isinstance(sample, list) and len(sample) == 2 else None
        if not (isinstance(value, str) and value.isascii() and value.isdigit()) or len(value) > 15:
            raise misread(f"{where}.data.result", "one whole number as text", result)
        return int(value)

    def _result(
        self, asking: Asking, path: str, params: list[tuple[str, str]], kind: str, where: str
    ) -> list[Any]:
        """Return the result of an answer of this kind. Raises: SourceError."""
        answer = asking.answer(
            f"/loki/api/v1/{path}",
            params,
            headers=self._headers,
            right="the right to read logs",
        )
        reply = read_answer(asking.read_json(answer), Reply, where)
        if reply.status != "success":
            raise misread(f"{where}.status", "success", reply.status)
        if reply.warnings:
            asking.refuse(
                SourceIncomplete,
                f"expected a whole answer, got a warning: {one_line(reply.warnings[0], 200)}",
            )
        if reply.data.result_type != kind:
            raise misread(f"{where}.data.resultType", kind, reply.data.result_type)
        return reply.data.result or []


def _line(stream: Stream, value: list[Any], where: str) -> Logged:
    if len(value) not in (2, 3) or not all(isinstance(each, str) for each in value[:2]):
        raise misread(where, "a time and a line", value)
    ns, message = value[0], value[1]
    if not (ns.isascii() and ns.isdigit() and len(ns) <= 19):
        raise misread(f"{where}[0]", "nanoseconds as text", ns)
    labels = dict(stream.stream)
    if len(value) == 3:
        if not isinstance(value[2], dict):
            raise misread(f"{where}[2]", "metadata", value[2])
        for part in ("structuredMetadata", "parsed"):
            more = value[2].get(part, {})
            if isinstance(more, dict):
                labels |= {str(name): str(each) for name, each in more.items()}
    return Logged(
        ns=int(ns),
        labels=repr(sorted(labels.items())),
        message=message,
        level=next((labels[name] for name in LABELS if labels.get(name)), "").lower(),
        instance=next((labels[name] for name in INSTANCES if labels.get(name)), ""),
    )


def nanoseconds(window: Window) -> tuple[int, int]:
    """Return a window's ends in whole nanoseconds."""
    start, end = (round(each.timestamp() * 1e6) * 1000 for each in (window.start, window.end))
    return start, end


def quoted(text: str) -> str:
    """Return a LogQL string: backquotes need no escapes."""
    if "`" not in text:
        return f"`{text}`"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
