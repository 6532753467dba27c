"""Reads the counters and gauges of one service, and refuses what cannot be relied on.

Rules of this module:

- A metric is found by the list of series, so that a name that does not exist is never a zero.
- All series must be of one service: of one value of each label in ``names.service``.
- Instances are those that ``names.presence`` shows while they are scraped; where the exporter
  pushes, those of the metric itself.
- Every instance must be covered, and have the metric: an upgrade that renames it is not silence.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import groupby
from typing import NamedTuple, TypeVar

from hour24.asking.client import Asking
from hour24.errors import (
    NotProvided,
    SourceEmpty,
    SourceError,
    SourceIncomplete,
    SourceLacks,
    SourceMisread,
)
from hour24.text import format_time, join_some, one_line, plural
from hour24.watch import Window
from hour24.witnesses.prometheus.counters import (
    STALE,
    Counter,
    Gauge,
    check_counters,
    measured,
)
from hour24.witnesses.prometheus.engine import Engine, selector
from hour24.witnesses.prometheus.envelope import Matrix
from hour24.witnesses.prometheus.lives import (
    GRACE_S,
    SILENT_S,
    Life,
    best_replicas,
    life_of,
    missing,
    uncounted,
)
from hour24.witnesses.prometheus.presets import REPLICAS, SELECTED, names_of, options

BACK_S = 3900.0
"""How far before a window its base is searched: over a gap of an hour."""
RENAMED_S = 300.0
"""A series that begins this soon after another of its instance ended may continue it."""
CLOCK_S = 900.0
"""A new process overlaps the one that it replaces for less than this; clocks are wrong by more."""
NAMED = 3
HOUR = timedelta(hours=1)
Folded = TypeVar("Folded", Counter, Gauge)
Read = TypeVar("Read")
Key = tuple[tuple[str, str], ...]
Target = tuple[str, str]
"""An instance, and the replica of the engine that saw it."""


class CoverageTooLow(SourceError):
    """Too little of the window, or of an instance's life, was seen."""

    code = "coverage_too_low"


class SeenTooLate(CoverageTooLow):
    """No instance was seen when the window began: the engine is young, or the service is.

    ``since`` is when the first was seen; from then on nothing is missing.
    """

    since = 0.0


class Found(NamedTuple):
    """A metric that the engine has.

    Args:
        labels: what selects it.
        series: the label sets that it has.
    """

    metric: str
    labels: dict[str, str]
    series: list[dict[str, str]]

    def label(self, names: str) -> str:
        """Return the first of these labels that a series has; empty when none has any."""
        present = {name for each in self.series for name in each}
        return next((name for name in options(names) if name in present), "")


class Presence(NamedTuple):
    """The instances of a window.

    Args:
        first: (instance, replica) -> when it was first seen, from before the window on.
        replica: instance -> the replica that is read.
        lives: the lives of those that are read.
    """

    first: dict[Target, float]
    replica: dict[str, str]
    lives: list[Life]

    def is_read(self, target: Target) -> bool:
        """Return whether this is the replica that is read."""
        return self.replica.get(target[0], target[1]) == target[1]


class Counted(NamedTuple):
    """The counters of a metric in a window, each with its labels.

    Args:
        sampled: the bins of increments in which any of them had a sample.
    """

    found: Found
    counters: list[tuple[dict[str, str], Counter]]
    presence: Presence
    sampled: frozenset[int]


class Reader:
    """Reads what one engine has of one service; used by one thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.at = engine.at
        self.names = names_of(engine.at.preset, engine.at.names)
        self._presence: dict[Window, tuple[list[str], Presence | None]] = {}
        self._began: dict[Window, tuple[list[str], dict[str, list[float]]]] = {}

    def target(self, labels: Mapping[str, str]) -> Target:
        """Return which instance a series is of, and which replica saw it."""
        replica = next((labels[name] for name in REPLICAS if name in labels), "")
        return labels.get(self.names.instance, ""), replica

    def find(
        self,
        asking: Asking,
        what: str,
        names: str,
        window: Window,
        *,
        suffix: str = "",
        labels: Mapping[str, str] | None = None,
        one: bool = True,
        **exactly: str,
    ) -> Found:
        """Return the first of these metrics that the engine has.

        Args:
            what: it is, for a refusal.
            suffix: of the metric, such as ``_bucket``.
            labels: what selects it; None: the service's labels.
            one: whether it must be of one service.
            exactly: more labels with their values.
        Raises: NotProvided, when the engine knows the service and no such metric; SourceEmpty,
            when it knows neither; SourceMisread, when the metric is of two services.
        """
        if not names:
            raise NotProvided(
                f"{asking.where}: expected [prometheus.names] {what} for the preset "
                f"{self.at.preset}, got none"
            )
        self.engine.check_clock(asking)
        for name in options(names):
            metric = name + suffix
            chosen = {**(self.at.labels if labels is None else labels), **SELECTED.get(name, {})}
            chosen |= exactly
            series = self.engine.listed(asking, selector(metric, chosen, {}), window)
            if series:
                if one:
                    self._check_service(asking, metric, series)
                return Found(metric, chosen, series)
        tried = " or ".join(selector(n + suffix, self.at.labels, {}) for n in options(names))
        tenant = f" of tenant {self.at.tenant}" if self.at.tenant else ""
        known = labels is None and self._knows_service(asking, window)
        kind = NotProvided if known else SourceEmpty
        raise kind(f"{asking.where}: expected series {tried}{tenant} in the window, got none")

    def _knows_service(self, asking: Asking, window: Window) -> bool:
        """Return whether the engine has any metric of the service."""
        match = selector("", self.at.labels, {})
        last = Window(max(window.start, window.end - HOUR), window.end)
        try:
            return bool(self.engine.listed(asking, match, last))
        except SourceLacks:  # CloudWatch: a metric must be named
            return False

    def _check_service(self, asking: Asking, metric: str, series: list[dict[str, str]]) -> None:
        for label in self.names.service.split(","):
            values = sorted({each.get(label, "") for each in series})
            if label and len(values) > 1:
                asking.refuse(
                    SourceMisread,
                    f"{metric}: expected the series of one service, got those of several: {label} "
                    f"{join_some([one_line(v, 40) or 'none' for v in values[:NAMED]], NAMED, ', ')}"
                    f"; state {label} in [prometheus] labels",
                )

    def fold(
        self,
        asking: Asking,
        found: Found,
        window: Window,
        into: Callable[[], Folded],
        *,
        matching: Mapping[str, str] | None = None,
        back_s: float = BACK_S,
    ) -> tuple[dict[Key, Folded], dict[Target, set[float]]]:
        """Read the raw samples of a metric, and when each instance had some.

        Args:
            into: makes what each series is read into.
            matching: label -> a regular expression.
        """
        start, end = window.start.timestamp(), window.end.timestamp()
        match = selector(found.metric, found.labels, matching or {})
        series: dict[Key, Folded] = {}
        seen: dict[Target, set[float]] = {}
        for piece in self.engine.raw(asking, match, start - back_s, end):
            for each in sorted(piece, key=lambda one: one.values[0] if one.values else (0.0, "")):
                key = _key(each.metric)
                if key not in series:
                    series[key] = into()
                series[key].add(each.values, f"{asking.where}: {found.metric}")
                times = seen.setdefault(self.target(each.metric), set())
                times.update([at for at, text in each.values if at < end and text != STALE])
        self._check_times(asking, seen, end)
        return series, seen

    def _check_times(self, asking: Asking, seen: dict[Target, set[float]], end: float) -> None:
        latest = max((max(times) for times in seen.values() if times), default=-math.inf)
        if latest > self.engine.clock.now().timestamp() + 60.0:
            asking.refuse(
                SourceMisread, "expected samples up to now, got some of the future: a wrong clock"
            )

    def counted(
        self,
        asking: Asking,
        found: Found,
        window: Window,
        *,
        step_s: float = 0.0,
        matching: Mapping[str, str] | None = None,
        all_present: bool = True,
        unseen_s: float = math.inf,
    ) -> Counted:
        """Return the counters of a metric, settled and checked.

        Args:
            step_s: length of the bins of increments; 0: none.
            all_present: whether every instance must have the metric.
            unseen_s: the longest time without a sample in which a process may have ended.
        Raises: CoverageTooLow; SourceIncomplete; SourceMisread.
        """
        start, end = window.start.timestamp(), window.end.timestamp()
        kind = self.engine.type_of(asking, found.metric)
        if kind in ("gauge", "info", "stateset"):
            asking.refuse(SourceMisread, f"{found.metric}: expected a counter, got a {kind}")
        series, seen = self.fold(
            asking, found, window, lambda: Counter(start, end, step_s), matching=matching
        )
        presence = self.presence(asking, window) or self.presence_of(seen, window)
        began = self.began(asking, window)
        ends: dict[Target, list[float]] = {}
        for key, counter in series.items():
            ends.setdefault(self.target(dict(key)), []).append(counter.last_t)
        kept: list[tuple[dict[str, str], Counter]] = []
        for key, counter in series.items():
            labels = dict(key)
            target = self.target(labels)
            if not presence.is_read(target):
                continue
            starts = [at for at in began.get(target[0], ()) if at >= start]
            renamed = counter.birth is not None and any(
                0.0 < counter.birth[0] - at <= RENAMED_S for at in ends.get(target, ())
            )
            seen_at = None if renamed else presence.first.get(target)
            counter.settle(seen_at, max(starts, default=None))
            kept.append((labels, counter))
        check_counters((c for _, c in kept), found.metric, asking.where, whole=True)
        self.check_presence(asking, presence, window)
        if all_present:
            self._check_all_present(asking, found.metric, kept, presence, window)
        times = {target[0]: seen[target] for target in seen if presence.is_read(target)}
        resets: dict[str, set[float]] = {}
        for labels, counter in kept:
            resets.setdefault(self.target(labels)[0], set()).update(at for at, _ in counter.resets)
        for life in presence.lives:
            name = life.name
            ends_of = resets.get(name, ()), began.get(name, ()), times.get(name, ())
            if problem := uncounted(life, start, *ends_of, longest_s=unseen_s):
                asking.refuse(CoverageTooLow, problem)
        sampled = {
            int((at - start) // step_s)
            for each in (times.values() if step_s else ())
            for at in each
            if at >= start
        }
        return Counted(found, kept, presence, frozenset(sampled))

    def _check_all_present(
        self,
        asking: Asking,
        metric: str,
        kept: list[tuple[dict[str, str], Counter]],
        presence: Presence,
        window: Window,
    ) -> None:
        """Raises: SourceIncomplete, when an instance has lived for long without the metric."""
        latest: dict[str, float] = {}
        for labels, counter in kept:
            name = self.target(labels)[0]
            latest[name] = max(latest.get(name, -math.inf), counter.last_t)
        start = window.start.timestamp()
        without = [
            life.name
            for life in presence.lives
            if life.last - max(start, life.first, latest.get(life.name, -math.inf)) >= SILENT_S
        ]
        if without:
            asking.refuse(
                SourceIncomplete,
                f"expected {metric} of each of {plural(len(presence.lives), 'instance')}, got none "
                f"of {join_some([one_line(name, 60) for name in without[:NAMED]])}",
            )

    def check_presence(self, asking: Asking, presence: Presence, window: Window) -> None:
        """Raises: CoverageTooLow, when not all instances were observed all the time."""
        start, end = window.start.timestamp(), window.end.timestamp()
        lives, least = presence.lives, self.at.min_instances
        problem = missing(lives, start, end, least)
        if not problem:
            return
        since = min((life.first for life in lives), default=end)
        if start + GRACE_S < since < end and not missing(lives, since, end, least):
            young = SeenTooLate(
                f"{asking.where}: expected an instance since {format_time(start)}, got none "
                f"before {format_time(since)}"
            )
            young.since = since
            asking.fail(young)
        asking.refuse(CoverageTooLow, problem)

    def presence_of(self, seen: Mapping[Target, set[float]], window: Window) -> Presence:
        """Return the instances by the times at which each was seen."""
        start, end = window.start.timestamp(), window.end.timestamp()
        known = {target: times for target, times in seen.items() if times}
        replica = best_replicas(known)
        lives = [life_of(name, known[name, chosen], start, end) for name, chosen in replica.items()]
        return Presence(
            first={target: min(times) for target, times in known.items()},
            replica=replica,
            lives=[life for life in lives if life is not None],
        )

    def presence(self, asking: Asking, window: Window) -> Presence | None:
        """Return the instances that were scraped; None where the exporter is not scraped."""
        if window not in self._presence:
            self._presence[window] = self._noted(asking, self._scraped, window)
        lines, found = self._presence[window]
        _note(asking, lines)
        return found

    def _noted(
        self, asking: Asking, read: Callable[[Asking, Window], Read], window: Window
    ) -> tuple[list[str], Read]:
        """Return what was read, with the requests that it took."""
        before = len(asking.asked)
        found = read(asking, window)
        return asking.asked[before:], found

    def _scraped(self, asking: Asking, window: Window) -> Presence | None:
        if not self.names.presence:
            return None
        try:
            found = self.find(asking, "presence", self.names.presence, window)
        except SourceEmpty:
            return None
        up: dict[Target, set[float]] = {}
        start, end = window.start.timestamp(), window.end.timestamp()
        match = selector(found.metric, found.labels, {})
        for piece in self.engine.raw(asking, match, start - BACK_S, end):
            for each in piece:
                times = up.setdefault(self.target(each.metric), set())
                times.update(_ones(each, f"{asking.where}: {found.metric}", end))
        return self.presence_of(up, window)

    def began(self, asking: Asking, window: Window) -> dict[str, list[float]]:
        """Return instance -> when its processes began, ascending; empty if none says."""
        if window not in self._began:
            self._began[window] = self._noted(asking, self._starts, window)
        lines, found = self._began[window]
        _note(asking, lines)
        return found

    def _starts(self, asking: Asking, window: Window) -> dict[str, list[float]]:
        if not self.names.started:
            return {}
        try:
            found = self.find(asking, "started", self.names.started, window)
        except SourceEmpty:
            return {}
        start, end = window.start.timestamp(), window.end.timestamp()
        match = selector(found.metric, found.labels, {})
        starts: dict[str, list[float]] = {}
        latest: dict[Target, float] = {}
        for piece in self.engine.raw(asking, match, start - BACK_S, end):
            for each in piece:
                target = self.target(each.metric)
                known = starts.setdefault(target[0], [])
                for text, group in groupby(each.values, key=lambda sample: sample[1]):
                    samples = list(group)
                    at, before = samples[0][0], latest.get(target, -math.inf)
                    latest[target] = samples[-1][0]
                    began = measured(text, f"{asking.where}: {found.metric}")
                    if began is None or at >= end:
                        continue
                    if not 0 < began <= at + 60.0:
                        asking.refuse(
                            SourceMisread,
                            f"{found.metric}: expected the process's start in epoch seconds, got "
                            f"{one_line(text, 40)}",
                        )
                    if any(abs(began - one) <= 2.0 for one in known):
                        continue
                    if at >= start and began < before - CLOCK_S:
                        asking.refuse(
                            SourceMisread,
                            f"{found.metric}: expected a process that began after the last sample "
                            f"of the one before it, {format_time(before)}, got "
                            f"{format_time(began)}: a wrong clock on {one_line(target[0], 60)}",
                        )
                    known.append(began)
        return {name: sorted(times) for name, times in starts.items()}


def _key(labels: Mapping[str, str]) -> Key:
    """Return the labels of a series; a bucket's bound as a number, however it is spelled."""
    named = dict(labels)
    if "le" in named:
        with contextlib.suppress(ValueError):
            named["le"] = f"{float(named['le']):g}"
    return tuple(sorted(named.items()))


def _note(asking: Asking, lines: list[str]) -> None:
    """Add requests that an earlier question has sent to those of this one."""
    asking.asked += [line for line in lines if line not in asking.asked]


def _ones(series: Matrix, where: str, end: float) -> list[float]:
    """Return the times at which the value is 1."""
    return [at for at, text in series.values if at < end and measured(text, where) == 1.0]
