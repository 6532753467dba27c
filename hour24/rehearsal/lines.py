"""The service's log lines.

Rules of this room:

- Beats of two workers every 30 s, requests, and words that are watched at a steady rate; what
  went wrong leaves the line its kind says.
- A line's moment is unique within its hour: the platform pages by moments, not by cursors.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache

from msgspec import Struct

from hour24.rehearsal.incidents import UNHEARD
from hour24.rehearsal.machines import SERVICE
from hour24.rehearsal.story import HOUR_S, Story

WORKERS = ("dialer", "syncer")
BEAT_S = 30.0
JITTER_S = 1.5
REQUESTS_A_MINUTE = 2
WATCHED_AN_HOUR = 30
MORE = 4
PATTERN_AN_HOUR = 6
UNHEARD_AN_HOUR = 3
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
    """All log lines of one story."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._hour = lru_cache(maxsize=80)(self._lines_of_hour)

    def between(self, start: float, end: float) -> list[LogLine]:
        """Lines with ``start <= at < end``, oldest first."""
        story = self._story
        found: list[LogLine] = []
        for hour in range(math.floor(story.hour(start)), math.ceil(story.hour(end))):
            lines = self._hour(hour)
            low = bisect_left(lines, start, key=lambda line: line.at)
            high = bisect_left(lines, end, key=lambda line: line.at)
            found += lines[low:high]
        return found

    def _lines_of_hour(self, hour: int) -> list[LogLine]:
        story, chance = self._story, self._story.chance
        begin = story.at(hour)
        found: list[tuple[float, str, str, int]] = []  # at, level, message, slot
        for slot, worker in enumerate(WORKERS):
            found += [
                (at, "info", f"INFO heartbeat worker={worker}", slot)
                for at in self._beats(hour, slot, worker)
            ]
        for i in range(60 * REQUESTS_A_MINUTE):
            at = begin + (i + chance.uniform("line", hour, i)) * 60 / REQUESTS_A_MINUTE
            took = 2 + int(9 * chance.uniform("took", hour, i))
            found.append((at, "info", f"INFO request {_ROUTES[i % 3]} in {took} ms", i % 2))
        for number, (level, text) in enumerate(_WATCHED):
            count = WATCHED_AN_HOUR * MORE
            for i in range(count):
                spread = chance.uniform("watched", number, hour, i // MORE)
                at = begin + (i + spread) * HOUR_S / count
                if i % MORE and not story.now("log_warnings", at):
                    continue
                words = text.replace("{n}", str(2 + i % 7)).replace("{id}", f"{hour}-{i}")
                found.append((at, level, words, i % 2))
        for event in story.events(begin, begin + HOUR_S):
            if event.kind.line:
                line = event.words(event.kind.line)
                found.append((event.at + 0.02, event.kind.line_level, line, event.number % 2))
        found += self._of_faults(hour, begin)
        return self._numbered(hour, sorted(found))

    def _beats(self, hour: int, slot: int, worker: str) -> list[float]:
        story = self._story
        offset = story.chance.between(2.0, 28.0, "beat", worker)
        beats = []
        for k in range(int(HOUR_S / BEAT_S)):
            jitter = JITTER_S * story.chance.normal("beat", worker, hour, k) / 2.6
            at = story.at(hour) + k * BEAT_S + offset + jitter
            stalled = slot == 0 and story.now("jobs_stalled", at)
            if not stalled and self._instance(at, slot):
                beats.append(at)
        return beats

    def _of_faults(self, hour: int, begin: float) -> list[tuple[float, str, str, int]]:
        story, chance = self._story, self._story.chance
        found = []
        for i in range(PATTERN_AN_HOUR):
            at = begin + (i + chance.uniform("pattern", hour, i)) * HOUR_S / PATTERN_AN_HOUR
            if story.now("log_pattern", at):
                words = f"ERROR ledger: entry {1000 + 7 * i + hour} of tenant {i} out of balance"
                found.append((at, "error", words, i % 2))
        for i in range(UNHEARD_AN_HOUR):
            at = begin + (i + chance.uniform("unheard", hour, i)) * HOUR_S / UNHEARD_AN_HOUR
            if story.now("log_errors", at):
                number = int(story.since_h("log_errors", at) * UNHEARD_AN_HOUR)
                if number < len(UNHEARD):
                    found.append((at, "error", UNHEARD[number], i % 2))
        return found

    def _numbered(self, hour: int, found: list[tuple[float, str, str, int]]) -> list[LogLine]:
        lines: list[LogLine] = []
        micros = 0
        for number, (at, level, message, slot) in enumerate(found):
            instance = self._instance(at, slot)
            if not instance:
                continue
            micros = max(round(at * 1e6), micros + 1)
            key = self._story.chance.hex(20, "log", hour, number)
            lines.append(LogLine(micros / 1e6, f"log-{key}", message, level, instance))
        return lines

    def _instance(self, at: float, slot: int) -> str:
        """The instance that writes at this moment; empty when none is up."""
        story = self._story
        if story.now("backend_down", at) or story.now("baseline_gone", at):
            return ""
        up = story.machines.up(story.hour(at))
        names = [life.instance for life in up if life.slot == slot]
        return names[0] if names else ""


LABELS = {"resource": SERVICE, "type": "app"}
"""Labels that every line carries."""
