"""The service's log lines.

Rules of this room:

- Heartbeats of two workers every 30 s, requests, and watched words at a steady rate; an error
  leaves the line of its kind.
- No two lines of an hour have the same time: the platform pages by time, not by cursor.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache

from msgspec import Struct

from hour24.rehearsal.incidents import LOG_ERRORS
from hour24.rehearsal.machines import SERVICE
from hour24.rehearsal.scenario import HOUR_S, Scenario

WORKERS = ("dialer", "syncer")
BEAT_S = 30.0
JITTER_S = 1.5
REQUESTS_A_MINUTE = 2
WATCHED_AN_HOUR = 30
MORE = 4
PATTERN_AN_HOUR = 6
LOG_ERRORS_AN_HOUR = 3
_ROUTES = ("GET /api/assistants 200", "POST /api/webhooks/vapi 200", "POST /api/calls 201")
_WATCHED = (
    ("warning", "WARN pool: {n} of 20 clients are waiting"),
    ("info", "INFO database: vacuum of table calls took {n} ms"),
    ("info", "INFO calls: timeout of 20 s set, call {id}"),
)


class LogLine(Struct, frozen=True, order=True):
    """One line: ``at`` epoch seconds, in whole microseconds."""

    at: float
    id: str
    message: str
    level: str
    instance: str


class Lines:
    """All log lines of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._hour = lru_cache(maxsize=80)(self._lines_of_hour)

    def between(self, start: float, end: float) -> list[LogLine]:
        """Return lines with ``start <= at < end``, oldest first."""
        scenario = self._scenario
        found: list[LogLine] = []
        for hour in range(math.floor(scenario.hour(start)), math.ceil(scenario.hour(end))):
            lines = self._hour(hour)
            low = bisect_left(lines, start, key=lambda line: line.at)
            high = bisect_left(lines, end, key=lambda line: line.at)
            found += lines[low:high]
        return found

    def _lines_of_hour(self, hour: int) -> list[LogLine]:
        scenario, random = self._scenario, self._scenario.random
        begin = scenario.at(hour)
        found: list[tuple[float, str, str, int]] = []  # at, level, message, slot
        for slot, worker in enumerate(WORKERS):
            found += [
                (at, "info", f"INFO heartbeat worker={worker}", slot)
                for at in self._beats(hour, slot, worker)
            ]
        for i in range(60 * REQUESTS_A_MINUTE):
            at = begin + (i + random.uniform("line", hour, i)) * 60 / REQUESTS_A_MINUTE
            took = 2 + int(9 * random.uniform("took", hour, i))
            found.append((at, "info", f"INFO request {_ROUTES[i % 3]} in {took} ms", i % 2))
        for number, (level, text) in enumerate(_WATCHED):
            count = WATCHED_AN_HOUR * MORE
            for i in range(count):
                spread = random.uniform("watched", number, hour, i // MORE)
                at = begin + (i + spread) * HOUR_S / count
                if i % MORE and not scenario.has_fault("log_warnings", at):
                    continue
                words = text.replace("{n}", str(2 + i % 7)).replace("{id}", f"{hour}-{i}")
                found.append((at, level, words, i % 2))
        for event in scenario.events(begin, begin + HOUR_S):
            if event.kind.line:
                line = event.words(event.kind.line)
                found.append((event.at + 0.02, event.kind.line_level, line, event.number % 2))
        found += self._of_faults(hour, begin)
        return self._numbered(hour, sorted(found))

    def _beats(self, hour: int, slot: int, worker: str) -> list[float]:
        scenario = self._scenario
        offset = scenario.random.between(2.0, 28.0, "beat", worker)
        beats = []
        for k in range(int(HOUR_S / BEAT_S)):
            jitter = JITTER_S * scenario.random.normal("beat", worker, hour, k) / 2.6
            at = scenario.at(hour) + k * BEAT_S + offset + jitter
            stalled = slot == 0 and scenario.has_fault("jobs_stalled", at)
            if not stalled and self._instance(at, slot):
                beats.append(at)
        return beats

    def _of_faults(self, hour: int, begin: float) -> list[tuple[float, str, str, int]]:
        scenario, random = self._scenario, self._scenario.random
        found = []
        for i in range(PATTERN_AN_HOUR):
            at = begin + (i + random.uniform("pattern", hour, i)) * HOUR_S / PATTERN_AN_HOUR
            if scenario.has_fault("log_pattern", at):
                words = f"ERROR ledger: entry {1000 + 7 * i + hour} of tenant {i} out of balance"
                found.append((at, "error", words, i % 2))
        for i in range(LOG_ERRORS_AN_HOUR):
            at = begin + (i + random.uniform("unheard", hour, i)) * HOUR_S / LOG_ERRORS_AN_HOUR
            if scenario.has_fault("log_errors", at):
                number = int(scenario.since_h("log_errors", at) * LOG_ERRORS_AN_HOUR)
                if number < len(LOG_ERRORS):
                    found.append((at, "error", LOG_ERRORS[number], i % 2))
        return found

    def _numbered(self, hour: int, found: list[tuple[float, str, str, int]]) -> list[LogLine]:
        lines: list[LogLine] = []
        micros = 0
        for number, (at, level, message, slot) in enumerate(found):
            instance = self._instance(at, slot)
            if not instance:
                continue
            micros = max(round(at * 1e6), micros + 1)
            key = self._scenario.random.hex(20, "log", hour, number)
            lines.append(LogLine(micros / 1e6, f"log-{key}", message, level, instance))
        return lines

    def _instance(self, at: float, slot: int) -> str:
        """Return the instance that writes at this time; empty when none is up."""
        scenario = self._scenario
        if scenario.has_fault("backend_down", at) or scenario.has_fault("baseline_gone", at):
            return ""
        up = scenario.machines.up(scenario.hour(at))
        names = [life.instance for life in up if life.slot == slot]
        return names[0] if names else ""


LABELS = {"resource": SERVICE, "type": "app"}
"""Labels that every line carries."""
