"""The probers' observations in a window.

Rules of this module:

- Several probers are merged: histograms and statuses are added, coverage is joined
  (:mod:`hour24.probes.states`).
- The due slots follow from the window and the interval, not from the lines: hours without a prober
  are gaps.
- 401 and 403 concern our credential, and 429 a rate limit: none of them is a sample.
- A probe without an answer while the prober's own control address had none either is a failure of
  our network: it is counted separately and is no sample of the service.
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
    decode_lines,
    probe_files,
)
from hour24.probes.reading import (
    BLOCK_S,
    Block,
    FileReader,
    Target,
    Totals,
    add,
    leave_out_lone_silences,
)
from hour24.probes.states import GOOD, LIMITED, NO_NETWORK, Grid, States, counts, failures, gaps
from hour24.shipped import COMMAND
from hour24.watch import Window

MOST_UPTIMES = 2000
THIN_S = 300.0
REFUSALS = ("401", "403")


class Observations:
    """The observations of all probers, or of one vantage; created by :func:`read`."""

    def __init__(
        self,
        folder: Path,
        window: Window,
        vantage: str | None = None,
        vantages: Sequence[str] = (),
        needed: int = 1,
    ) -> None:
        self.folder = folder
        self.window = window
        self.vantage = vantage
        self.stated = tuple(vantages)
        self.needed = needed
        self.files: tuple[str, ...] = ()
        self.last_line: datetime | None = None
        self._all = Totals(window.start.timestamp(), window.end.timestamp())
        self._digest = ""

    def targets(self) -> tuple[str, ...]:
        """Returns the names of all probed targets, ``health`` first."""
        names = {name for _, name in self._all.grids}
        return tuple(sorted(names, key=lambda name: (name != "health", name)))

    def vantages(self) -> tuple[str, ...]:
        """Returns the names of the vantages that wrote lines."""
        return tuple(sorted(self._all.vantages))

    def of_vantage(self, name: str) -> Observations:
        """Returns what the probers of one vantage observed."""
        return read(self.folder, self.window, quiet=True, vantage=name)

    def probes(self, target: str, window: Window) -> Probes:
        """Returns the probes of ``target`` over the window, slot by slot.

        Args:
            target: ``health``, ``control``, ``websocket`` or an endpoint's name.

        Raises: NoProber, if it was not probed.
        """
        observed = self._restricted_to(window)
        key = observed._key(target, ("health", "control", "websocket", "endpoint"))
        grid = observed._all.newest[key][1]
        start, end = window.start.timestamp(), window.end.timestamp()
        first, last = grid.first(start), grid.first(end)
        codes = observed._states(key, grid).within(first, last)
        tally = counts(codes)
        bad = sum(n for code, n in tally.items() if code >= NO_NETWORK and code != GOOD)
        parts = list(observed._blocks_in(key, window))
        statuses: dict[str, int] = {}
        for part in parts:
            add(statuses, part.statuses)
            if part.no_network:
                statuses["no network"] = statuses.get("no network", 0) + part.no_network
        control = _Control(observed)
        return Probes(
            question=observed._question(f"probes of {target}", window),
            basis="sample",
            note="; ".join(observed._all.notes),
            target=target,
            interval_s=grid.interval_s,
            due=len(codes),
            kept=sum(n for code, n in tally.items() if code >= NO_NETWORK),
            bad=bad,
            failures=tuple(
                Failure(
                    at=round(grid.at(first + i), 3),
                    reason=observed._all.reasons.name(code),
                    lasted_s=round(lasted * grid.interval_s, 3),
                    control=False if code < GOOD else control.answered(grid.at(first + i)),
                )
                for i, code, lasted in failures(codes)
            ),
            gaps=tuple((round(a, 3), round(b, 3)) for a, b in gaps(codes, grid, first, start, end)),
            uptimes=thin_uptimes(
                [
                    Uptime(at, up, instance)
                    for at, up, instance in sorted(observed._all.uptimes.get(key, ()))
                    if start <= at < end
                ]
            ),
            limited=tally.get(LIMITED, 0),
            statuses={name: n for name, n in sorted(statuses.items()) if n},
            connections=sum(part.ws[0] for part in parts),
            drops=sum(part.ws[1] for part in parts),
            refused=sum(part.ws[2] for part in parts),
            held_s=round(sum(part.held for part in parts), 3),
            simulated=observed._all.simulated,
        )

    def latencies(self, target: str, window: Window) -> Distribution:
        """Returns the latencies of an endpoint's good probes, slot to answer, in blocks of 10 min.

        Without a probe in the window the distribution is empty.
        """
        observed = self._restricted_to(window)
        key = observed._key(target, ("endpoint", "health", "control"), must=False)
        blocks: list[TimeBlock] = []
        failed: dict[str, int] = {}
        late = limited = 0
        trips: list[float] = []
        for index, part in observed._numbered_blocks(key, window):
            add(failed, part.failed)
            limited += part.limited
            late += part.late
            trips += part.trips
            if part.latency:
                start = observed._all.start + index * BLOCK_S
                blocks.append(
                    TimeBlock(start, min(BLOCK_S, observed._all.end - start), part.latency)
                )
        refused = sum(failed.pop(status, 0) for status in REFUSALS)
        return Distribution(
            question=observed._question(f"latencies of {target}", window),
            basis="sample",
            note="; ".join(observed._all.notes),
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
        """Returns the probes of health and endpoints; bad are 5xx and no answer.

        Excluded are 401, 403, 429, and probes without answer while our own network was down.

        Raises: SourceRefused, if our credential was refused and nothing else was answered.
        """
        observed = self._restricted_to(window)
        parts: dict[str, int] = {}
        no_network = refused = 0
        for key in observed._all.grids:
            if key[0] in ("health", "endpoint"):
                for part in observed._blocks_in(key, window):
                    add(parts, part.statuses)
                    no_network += part.no_network
                    for status in REFUSALS:
                        count = part.failed.get(status, 0)
                        refused += count
                        parts[status] = parts.get(status, 0) - count
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
        notes = [*observed._all.notes]
        notes += [f"{limited} answered 429 to us and are no samples"] if limited else []
        notes += [f"{refused} answered 401 or 403 to us and are no samples"] if refused else []
        if no_network:
            notes += [f"{no_network} had no answer while the control address had none"]
        return Counts(
            question=observed._question("responses to probes", window),
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
            named = "" if self.vantage is None else f" of the vantage {self.vantage}"
            option = "" if self.vantage is None else f" --vantage {self.vantage}"
            raise NoProber(
                f"prober: {target}: expected lines{named} from {self._span()}, got none; "
                f"start one with `{COMMAND} probe --watch WATCH{option}`"
            )
        return "endpoint", target

    def _span(self) -> str:
        return f"{self.window.start:%Y-%m-%dT%H:%MZ} to {self.window.end:%Y-%m-%dT%H:%MZ}"

    def _restricted_to(self, window: Window) -> Observations:
        """Returns observations with blocks that begin and end at the window's edges."""
        inside = self.window.contains(window)
        offsets = (
            window.start.timestamp() - self._all.start,
            window.end.timestamp() - self._all.start,
        )
        whole = offsets[0] % BLOCK_S == 0 and (
            offsets[1] % BLOCK_S == 0 or window.end == self.window.end
        )
        if inside and whole:
            return self
        return read(
            self.folder,
            window,
            quiet=True,
            vantage=self.vantage,
            vantages=self.stated,
            needed=self.needed,
        )

    def _numbered_blocks(self, key: Target, window: Window) -> list[tuple[int, Block]]:
        first = round((window.start.timestamp() - self._all.start) / BLOCK_S)
        end = (window.end.timestamp() - self._all.start) / BLOCK_S
        blocks = self._all.blocks.get(key, {})
        return [(i, blocks[i]) for i in sorted(blocks) if first <= i < end]

    def _blocks_in(self, key: Target, window: Window) -> list[Block]:
        return [block for _, block in self._numbered_blocks(key, window)]

    def _states(self, key: Target, grid: Grid) -> States:
        """Returns the states of a target, on one grid."""
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
    """Whether the control address answered around a given time."""

    def __init__(self, observed: Observations) -> None:
        newest = observed._all.newest.get(("control", "control"))
        self._states = None
        if newest is not None:
            self._grid = newest[1]
            self._states = observed._states(("control", "control"), self._grid)

    def answered(self, at: float) -> bool | None:
        """Returns True if a control probe near it was good; None without control probes."""
        if self._states is None:
            return None
        k = self._grid.first(at)
        near = self._states.within(k - 2, k + 2)
        return True if GOOD in near else None


def read(
    folder: Path,
    window: Window,
    *,
    quiet: bool = False,
    vantage: str | None = None,
    vantages: Sequence[str] = (),
    needed: int = 1,
) -> Observations:
    """Returns the observations of all probers in this folder within the window.

    Args:
        folder: ``reports/<watch>/probe``.
        quiet: whether to accept a window without lines.
        vantage: reads only the lines of the probers with this name; None: all.
        vantages, needed: the vantages that production.toml states, and how many of them must see
            a failure: a probe without an answer that fewer can have seen is no sample.

    Raises: NoProber, if no line is in the window; SourceMisread, if a line cannot be read.
    """
    observed = Observations(folder, window, vantage, vantages, needed)
    alone = vantage is None and needed > 1 and len(vantages) > 1
    if alone:
        observed._all.by_vantage = {}
    decoder = msgspec.json.Decoder(Minute)
    digest = hashlib.sha256()
    newest: datetime | None = None
    for path in probe_files(folder):
        reader = FileReader(observed._all, path.name)
        for number, line in decode_lines(path, decoder, digest):
            if vantage is not None and line.vantage != vantage:
                continue
            reader.take(number, line)
            if newest is None or line.minute > newest:
                newest = line.minute
        if reader.states:
            observed.files = (*observed.files, path.name)
        reader.close()
    if alone and (many := leave_out_lone_silences(observed._all, vantages, needed)):
        note = (
            f"{many} without an answer are no samples: other vantages got one at the same time, "
            f"and {needed} must see a failure"
        )
        observed._all.notes = (*observed._all.notes, note)
    if newest is not None:
        observed.last_line = newest.astimezone(UTC) + timedelta(seconds=MINUTE_S)
        observed._digest = digest.hexdigest()
    if not observed._all.grids and not quiet:
        span = observed._span()
        raise NoProber(
            f"prober: {folder.parent.name}/probe: expected lines from {span}, got none; "
            f"start one with `{COMMAND} probe --watch {folder.parent.name}`"
        )
    return observed


def thin_uptimes(readings: Sequence[Uptime]) -> tuple[Uptime, ...]:
    """Returns the uptime readings, thinned if there are thousands, to keep records readable.

    Beyond 2000, of the readings with the same instance and the same start (to the second), the
    first, the last and one every five minutes are kept: no start is lost.
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
