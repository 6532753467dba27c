"""What the probers' lines say of a window.

Rules of this module:

- Several probers merge: histograms and statuses add, coverage is joined
  (:mod:`hour24.probes.states` says how).
- What is due follows from the window and the interval, not from the lines: hours without a
  prober are gaps.
- 401 and 403 speak of our credential, and 429 of a limit: none of them is a sample.
- What had no answer while that prober's own control address had none either is our network's
  failure: it is told apart, and is no sample of the service.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from hour24.errors import SourceRefused
from hour24.evidence import (
    NOT_TAKEN,
    STALE,
    Counts,
    Distribution,
    Failure,
    Probes,
    Question,
    Uptime,
)
from hour24.evidence import Block as TimeBlock
from hour24.probes.lines import (
    MINUTE_S,
    NO_ANSWER,
    Minute,
    NoProber,
    decoded,
    files,
)
from hour24.probes.reading import BLOCK_S, Block, Gathered, Reading, Target, add
from hour24.probes.states import BLIND, GOOD, LIMITED, Grid, States, counts, failures, gaps
from hour24.shipped import COMMAND
from hour24.watch import Window

MOST_UPTIMES = 2000
THIN_S = 300.0
REFUSALS = ("401", "403")


class Observations:
    """What the probers saw; made by :func:`read`."""

    def __init__(self, folder: Path, window: Window) -> None:
        self.folder = folder
        self.window = window
        self.files: tuple[str, ...] = ()
        self.last_line: datetime | None = None
        self._all = Gathered(window.start.timestamp(), window.end.timestamp())
        self._digest = ""

    def targets(self) -> tuple[str, ...]:
        """Names of everything that was probed, ``health`` first."""
        names = {name for _, name in self._all.grids}
        return tuple(sorted(names, key=lambda name: (name != "health", name)))

    def probes(self, target: str, window: Window) -> Probes:
        """What was seen of ``target`` over the window, slot by slot.

        Args:
            target: ``health``, ``control``, ``websocket`` or an endpoint's name.

        Raises: NoProber, when nobody probed it.
        """
        seen = self._over(window)
        key = seen._key(target, ("health", "control", "websocket", "endpoint"))
        grid = seen._all.newest[key][1]
        start, end = window.start.timestamp(), window.end.timestamp()
        first, last = grid.from_(start), grid.from_(end)
        codes = seen._states(key, grid).within(first, last)
        tally = counts(codes)
        bad = sum(n for code, n in tally.items() if code >= BLIND and code != GOOD)
        parts = list(seen._within(key, window))
        statuses: dict[str, int] = {}
        for part in parts:
            add(statuses, part.statuses)
            if part.blind:
                statuses["no network"] = statuses.get("no network", 0) + part.blind
        control = _Control(seen)
        return Probes(
            question=seen._question(f"probes of {target}", window),
            basis="sample",
            note="; ".join(seen._all.notes),
            target=target,
            interval_s=grid.interval_s,
            due=len(codes),
            kept=sum(n for code, n in tally.items() if code >= BLIND),
            bad=bad,
            failures=tuple(
                Failure(
                    at=round(grid.at(first + i), 3),
                    reason=seen._all.reasons.name(code),
                    lasted_s=round(lasted * grid.interval_s, 3),
                    control=False if code < GOOD else control.answered(grid.at(first + i)),
                )
                for i, code, lasted in failures(codes)
            ),
            gaps=tuple((round(a, 3), round(b, 3)) for a, b in gaps(codes, grid, first, start, end)),
            uptimes=thinned(
                [
                    Uptime(at, up, instance)
                    for at, up, instance in sorted(seen._all.uptimes.get(key, ()))
                    if start <= at < end
                ]
            ),
            limited=tally.get(LIMITED, 0),
            statuses={name: n for name, n in sorted(statuses.items()) if n},
            connections=sum(part.ws[0] for part in parts),
            drops=sum(part.ws[1] for part in parts),
            refused=sum(part.ws[2] for part in parts),
            held_s=round(sum(part.held for part in parts), 3),
            simulated=seen._all.simulated,
        )

    def latencies(self, target: str, window: Window) -> Distribution:
        """Slot to answer, in milliseconds, of an endpoint's good probes, in blocks of 10 min.

        Without any probe of it in the window the distribution is empty.
        """
        seen = self._over(window)
        key = seen._key(target, ("endpoint", "health", "control"), must=False)
        blocks: list[TimeBlock] = []
        failed: dict[str, int] = {}
        late = limited = 0
        trips: list[float] = []
        for index, part in seen._numbered(key, window):
            add(failed, part.failed)
            limited += part.limited
            late += part.late
            trips += part.trips
            if part.latency:
                start = seen._all.start + index * BLOCK_S
                blocks.append(TimeBlock(start, min(BLOCK_S, seen._all.end - start), part.latency))
        refused = sum(failed.pop(status, 0) for status in REFUSALS)
        return Distribution(
            question=seen._question(f"latencies of {target}", window),
            basis="sample",
            note="; ".join(seen._all.notes),
            unit="ms",
            blocks=tuple(blocks),
            censored=sum(failed.values()),
            bad=dict(sorted(failed.items())),
            refused=refused,
            limited=limited,
            sent_late=late,
            round_trip_ms=round(min(trips), 3) if trips else 0.0,
        )

    def responses(self, window: Window) -> Counts:
        """Probes of health and endpoints: bad are 5xx and no answer.

        Not among them: 401, 403 and 429, and what had no answer while our own network was down.

        Raises: SourceRefused, when our credential was refused and nothing else was answered.
        """
        seen = self._over(window)
        parts: dict[str, int] = {}
        blind = refused = 0
        for key in seen._all.grids:
            if key[0] in ("health", "endpoint"):
                for part in seen._within(key, window):
                    add(parts, part.statuses)
                    blind += part.blind
                    for status in REFUSALS:
                        turned = part.failed.get(status, 0)
                        refused += turned
                        parts[status] = parts.get(status, 0) - turned
        limited = parts.pop("429", 0)
        for name in [each for each in parts if each.startswith((STALE, NOT_TAKEN))]:
            del parts[name]
        parts = {name: n for name, n in sorted(parts.items()) if n > 0}
        if refused and not parts:
            raise SourceRefused(
                f"prober: responses: expected our credential to be accepted, got 401 or 403 to "
                f"{refused} probes; see the endpoints' headers in production.toml"
            )
        bad = sum(n for status, n in parts.items() if _counts_against(status))
        notes = [*seen._all.notes]
        notes += [f"{limited} answered 429 to us and are no samples"] if limited else []
        notes += [f"{refused} answered 401 or 403 to us and are no samples"] if refused else []
        notes += [f"{blind} had no answer while the control address had none"] if blind else []
        return Counts(
            question=seen._question("responses to probes", window),
            basis="sample",
            note="; ".join(notes),
            total=sum(parts.values()),
            bad=bad,
            what="probes",
            parts=parts,
        )

    def _key(self, target: str, kinds: Iterable[str], *, must: bool = True) -> Target:
        for kind in kinds:
            if (kind, target) in self._all.grids:
                return kind, target
        if must:
            raise NoProber(
                f"prober: {target}: expected lines from {self._span()}, got none; "
                f"start one with `{COMMAND} probe`"
            )
        return "endpoint", target

    def _span(self) -> str:
        return f"{self.window.start:%Y-%m-%dT%H:%MZ} to {self.window.end:%Y-%m-%dT%H:%MZ}"

    def _over(self, window: Window) -> Observations:
        """These lines in blocks that the window's edges fall between."""
        inside = self.window.contains(window)
        offsets = (
            window.start.timestamp() - self._all.start,
            window.end.timestamp() - self._all.start,
        )
        whole = offsets[0] % BLOCK_S == 0 and (
            offsets[1] % BLOCK_S == 0 or window.end == self.window.end
        )
        return self if inside and whole else read(self.folder, window, quiet=True)

    def _numbered(self, key: Target, window: Window) -> list[tuple[int, Block]]:
        first = round((window.start.timestamp() - self._all.start) / BLOCK_S)
        end = (window.end.timestamp() - self._all.start) / BLOCK_S
        blocks = self._all.blocks.get(key, {})
        return [(i, blocks[i]) for i in sorted(blocks) if first <= i < end]

    def _within(self, key: Target, window: Window) -> list[Block]:
        return [block for _, block in self._numbered(key, window)]

    def _states(self, key: Target, grid: Grid) -> States:
        """All that is known of a target, on one grid."""
        grids = self._all.grids[key]
        if len(grids) == 1:
            return grids[grid]
        joined = States(grid, grids[grid].base)
        for each in grids.values():
            part = each if each.grid == grid else each.mapped(grid)
            joined.put(part.base, part.codes)
        return joined

    def _question(self, what: str, window: Window) -> Question:
        return Question(
            source="prober",
            asked=f"{what}: probe/{{{','.join(self.files[:20])}}}",
            at=self.last_line or window.end,
            window=window,
            digest=self._digest,
            vantage=", ".join(sorted(self._all.vantages)[:20]),
            pages=max(1, len(self.files)),
        )


class _Control:
    """Whether the control address answered around a moment."""

    def __init__(self, seen: Observations) -> None:
        newest = seen._all.newest.get(("control", "control"))
        self._states = None
        if newest is not None:
            self._grid = newest[1]
            self._states = seen._states(("control", "control"), self._grid)

    def answered(self, at: float) -> bool | None:
        """True when a control probe near it was good; none when there was no control probe."""
        if self._states is None:
            return None
        k = self._grid.from_(at)
        near = self._states.within(k - 2, k + 2)
        return True if GOOD in near else None


def read(folder: Path, window: Window, *, quiet: bool = False) -> Observations:
    """What all probers of this folder saw within the window.

    Args:
        folder: ``reports/<watch>/probe``.
        quiet: whether no line at all is no error.

    Raises: NoProber, when no line speaks of the window; SourceMisread, when a whole line cannot
        be read.
    """
    seen = Observations(folder, window)
    decoder = msgspec.json.Decoder(Minute)
    digest = hashlib.sha256()
    newest: datetime | None = None
    for path in files(folder):
        reading = Reading(seen._all, path.name)
        for number, line in decoded(path, decoder, digest):
            reading.take(number, line)
            if newest is None or line.minute > newest:
                newest = line.minute
        if reading.states:
            seen.files = (*seen.files, path.name)
        reading.close()
    if newest is not None:
        seen.last_line = newest.astimezone(UTC) + timedelta(seconds=MINUTE_S)
        seen._digest = digest.hexdigest()
    if not seen._all.grids and not quiet:
        raise NoProber(
            f"prober: {folder.parent.name}/probe: expected lines from {seen._span()}, got none; "
            f"start one with `{COMMAND} probe`"
        )
    return seen


def thinned(readings: Sequence[Uptime]) -> tuple[Uptime, ...]:
    """Uptime readings, fewer when there are thousands: a record must stay readable.

    Beyond 2000, of the readings that tell the same start of the same instance, to the second,
    the first and the last stay and one every five minutes: no start is lost.
    """
    if len(readings) <= MOST_UPTIMES:
        return tuple(readings)
    kept: dict[tuple[str, int], float] = {}
    last: dict[tuple[str, int], Uptime] = {}
    chosen: list[Uptime] = []
    for each in readings:
        life = (each.instance, math.floor(each.at - each.uptime_s))
        last[life] = each
        if each.at - kept.get(life, -math.inf) >= THIN_S:
            kept[life] = each.at
            chosen.append(each)
    ends = [each for life, each in last.items() if each.at > kept[life]]
    return tuple(sorted([*chosen, *ends], key=lambda each: each.at))


def _counts_against(status: str) -> bool:
    return status in NO_ANSWER or (len(status) == 3 and status[0] == "5" and status.isdigit())
