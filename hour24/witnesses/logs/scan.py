"""Reads the lines of one window out of a log's files, in bounded memory.

Rules of this module:

- A line has the time it states. A line without a timestamp belongs to the line before it.
- A plain file is searched by time: only the window's part of it is read. A compressed one is read
  from its start. The order of a file's lines may be off by :data:`SLACK_S`; a longer step back
  is a gap by name.
- Only lines that a filter may find are taken apart. In a sample of all lines the same is done
  without the filter; where the filter missed an error, everything is read without it.
- What a file does not show is named: a beginning after the window's start, a silence at its end
  or between two files, a rotated file that is missing. Silence is an answer only between lines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple

from hour24.errors import SourceEmpty, SourceMisread, SourceTimeout
from hour24.lines.times import NoZone, time_of, unwrapped
from hour24.watch import Window
from hour24.witnesses.logged import MOST_JOINED, has_level, is_error
from hour24.witnesses.logs.blocks import (
    NEAR,
    blocks,
    entry_around,
    first_byte,
    lines_between,
    split,
    split_at,
)
from hour24.witnesses.logs.pieces import Piece, Pieces, gap_between, usual_step

PROBE = 1 << 20
"""Bytes that are searched for a line with a timestamp."""
SLACK_S = 60.0
SKEW_S = 300.0
"""A line this far ahead of now has a wrong clock or a wrong zone."""
STALE_S = 1800.0
"""A file written this much later than its last line says has a wrong clock or a wrong zone."""
RECOGNISED_S = 5.0
"""The last line is written at once: its zone is recognised when the two times agree so well."""
QUARTER_S = 900.0
"""Time zones differ by quarters of an hour."""
SAMPLED = 4000
"""Lines whose level is read without a filter; of fewer lines all are."""
UNPACKED = 10
"""Times its size that a compressed log may hold, for the share of lines that are sampled."""
MOST_ENTRIES = 10_000
"""Entries that are kept, of at most 2,000 characters each."""


class Raw(NamedTuple):
    """An entry as it is in a file: its time, its lines, where it begins, its label."""

    at: float
    lines: list[str]
    id: str
    label: str = ""


class Found(NamedTuple):
    """What a scan found in a window.

    Args:
        entries: those that may be sought, oldest first; not more than :data:`MOST_ENTRIES`.
        lines: lines of the window, of any kind.
        sampled, unlevelled: lines whose level was read, and those of them that have none.
        whole: whether ``entries`` are all.
        missing: what of the window the files do not show; empty: nothing.
        asked: the files and bytes that were read.
        zone: how the zone of the timestamps is known; empty where each line states it.
        last: the newest line up to the window's end, epoch seconds.
    """

    entries: tuple[Raw, ...]
    lines: int
    sampled: int
    unlevelled: int
    whole: bool
    missing: str
    asked: str
    zone: str
    last: float


class Scan:
    """One reading of a log's files.

    Args:
        zone: of timestamps that state none; None: recognised by the time of the last write.
        quiet_s: seconds for which the log may hold no line.
        deadline: of ``time.monotonic``; after it :class:`SourceTimeout` is raised.
        budget_s: for its text.
    """

    def __init__(
        self,
        pieces: Pieces,
        where: str,
        window: Window,
        now: datetime,
        *,
        zone: tzinfo | None,
        quiet_s: float,
        deadline: float,
        budget_s: float,
    ) -> None:
        self.where = where
        self.now = now
        self.start, self.end = window.start.timestamp(), window.end.timestamp()
        self.quiet_s = quiet_s
        self.zone = zone
        self.zone_note = ""
        self._deadline = deadline
        self._budget_s = budget_s
        self._pieces = pieces
        self.fold_s = self._fold_s()
        self.spans = self._spans()

    def _fold_s(self) -> float:
        """Return seconds by which local times may repeat or jump around this window."""
        if self.zone is None or isinstance(self.zone, timezone):
            return 0.0
        offsets = {
            datetime.fromtimestamp(at, self.zone).utcoffset()
            for at in (self.start - 3 * 3600, self.start, self.end, self.end + 3 * 3600)
        }
        return 7200.0 if len(offsets) > 1 else 0.0

    # --- where a window lies ------------------------------------------------------------------

    def _spans(self) -> list[Span]:
        """Return the pieces that hold a line with a timestamp, oldest first."""
        plain = [each for each in self._pieces.found if each.size and not each.packed]
        newest = max(plain, key=lambda each: each.written, default=None)
        if newest is not None and self.zone is None:
            self._recognise(newest)
        spans = []
        for piece in self._pieces.found:
            begin = first_byte(piece)
            first = self._first(piece, begin)
            if first is not None:
                spans.append(Span(piece, begin, first[1], self._last(piece, begin)))
            elif piece.size > begin + PROBE:
                raise SourceMisread(
                    f"{self.where}: {piece.name}: expected lines that begin with a date and a "
                    f"time, got none in its first {PROBE >> 10} KiB"
                )
            elif piece.size > begin and len(self._pieces.found) == 1:
                raise SourceMisread(
                    f"{self.where}: {piece.name}: expected lines that begin with a date and a "
                    "time, got none"
                )
        spans.sort(key=lambda each: (each.first, each.last or each.first))
        self._check_clock(spans, newest)
        return spans

    def _recognise(self, piece: Piece) -> None:
        """Take the zone from the time of the last write, if a line states none."""
        local, line = None, ""
        for _, text in self._tail(piece, first_byte(piece)):
            try:
                self.at(text)
            except NoZone as problem:
                local, line = problem.naive, text
        if local is None:
            return
        offset = round((local - piece.written) / QUARTER_S) * QUARTER_S
        if abs(local - offset - piece.written) > RECOGNISED_S or abs(offset) > 14 * 3600:
            raise self._no_zone(line)
        self.zone = timezone(timedelta(seconds=offset))
        self.zone_note = f"the zone {self.zone} is that of the last write"

    def _no_zone(self, line: str) -> SourceMisread:
        return SourceMisread(
            f"{self.where}: expected timestamps with a zone, got "
            f'"{line[:40].strip()}": state logs.time_zone'
        )

    def _check_clock(self, spans: Sequence[Span], newest: Piece | None) -> None:
        if not spans:
            return
        lasts = [each.last for each in spans if each.last is not None]
        last = max([each.first for each in spans] + lasts)
        ahead = last - self.now.timestamp()
        if ahead > SKEW_S:
            raise SourceMisread(
                f"{self.where}: expected no line later than now, got one {ahead:.0f} s ahead: its "
                "clock or its zone is wrong (logs.time_zone)"
            )
        live = next((each for each in spans if each.piece is newest), None)
        if live is not None and live.last is not None and live.piece.written - live.last > STALE_S:
            raise SourceMisread(
                f"{self.where}: {live.piece.name}: expected its last line at about the time of its "
                f"last write, got {live.piece.written - live.last:.0f} s between them: its clock "
                "or its zone is wrong (logs.time_zone)"
            )

    def at(self, line: str, after: float | None = None) -> float | None:
        """Return the time of a line; none where it states none. Raises: NoZone."""
        text, outer = unwrapped(line)
        return outer if outer is not None else time_of(text, self.zone, self.now, after)

    def _at(self, line: str, after: float | None = None) -> float | None:
        try:
            return self.at(line, after)
        except NoZone:
            raise self._no_zone(line) from None

    def _first(self, piece: Piece, begin: int) -> tuple[int, float] | None:
        """Return byte and time of the first line with a timestamp in the next :data:`PROBE`."""
        for offset, line in lines_between(piece, begin, begin + PROBE):
            at = self._at(line)
            if at is not None:
                return offset, at
        return None

    def _tail(self, piece: Piece, begin: int) -> Iterator[tuple[int, str]]:
        if piece.packed:
            yield from lines_between(piece, begin, begin + NEAR)
            return
        start = max(begin, piece.size - NEAR)
        lines = lines_between(piece, start, piece.size)
        if start > begin:
            next(lines, None)  # a part of a line
        yield from lines

    def _last(self, piece: Piece, begin: int) -> float | None:
        """Return the time of its last line; none where it is too far from the end, or packed."""
        if piece.packed:
            return None
        last = None
        for _, line in self._tail(piece, begin):
            at = self._at(line, last)
            last = last if at is None else at
        return last

    def _found_at(self, span: Span, target: float) -> int:
        """Return the byte of the first line at or after a time, by halving a plain file."""
        low, high = span.begin, span.piece.size
        while high - low > NEAR:
            middle = (low + high) // 2
            found = None
            for offset, line in lines_between(
                span.piece, middle, min(high, middle + PROBE), part=True
            ):
                at = self._at(line)
                if at is not None:
                    found = (offset, at)
                    break
            if found is None or found[1] >= target:
                high = middle
            else:
                low = found[0]
        for offset, line in lines_between(span.piece, low, span.piece.size):
            at = self._at(line)
            if at is not None and at >= target:
                return offset
        return span.piece.size

    # --- what it holds ------------------------------------------------------------------------

    def read(self, sought: Any, wanted: Callable[[Raw], bool], *, levels: bool = False) -> Found:
        """Return the entries of the window that the filter finds and that are wanted.

        Args:
            sought: a compiled pattern over bytes that every wanted line matches; None: all lines.
            wanted: whether an entry is kept; at most :data:`MOST_ENTRIES` are.
            levels: whether to sample the levels of all lines.
        """
        found = _Reading(self, sought, wanted, levels)
        for number, span in enumerate(self.spans):
            after = self.spans[number + 1].first if number + 1 < len(self.spans) else None
            if span.first >= self.end + SLACK_S:
                break
            if (span.last if span.last is not None else after or self.end) < self.start - SLACK_S:
                found.before(span.last if span.last is not None else span.first)
                continue
            found.span(span)
        if found.missed and sought is not None:
            return self.read(None, wanted, levels=levels)
        return found.result()

    def check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise SourceTimeout(
                f"{self.where}: no answer within its budget of {self._budget_s:g} s"
            )

    def missing(self, last: float | None, jumps: Sequence[str]) -> str:
        """Return what of the window the files do not show; empty: they show all of it.

        Raises: SourceEmpty, when they show none of it.
        """
        unread = "; ".join(self._pieces.unread)
        if not self.spans or last is None or self.spans[0].first >= self.end:
            first = self.spans[0] if self.spans else None
            begins = (
                f"{first.piece.name} begins at {_clock(first.first)}" if first else "it is empty"
            )
            raise SourceEmpty(
                f"{self.where}: expected a line before {_clock(self.end)}, got none: {begins}"
                + (f"; {unread}" if unread else "")
            )
        problems = list(jumps)
        first = self.spans[0]
        if first.first > self.start:
            problems.append(
                f"{first.piece.name} begins at {_clock(first.first)}, after the window's start "
                f"at {_clock(self.start)}" + (f"; {unread}" if unread else "")
            )
        step = usual_step([each.piece.mark for each in self.spans])
        for older, newer in zip(self.spans, self.spans[1:], strict=False):
            until = older.last if older.last is not None else older.first
            if newer.first <= self.start or until >= self.end:
                continue
            lost = gap_between(older.piece.mark, newer.piece.mark, step)
            if lost:
                problems.append(
                    f"{lost} is missing, between {older.piece.name} and {newer.piece.name}"
                )
            elif older.last is not None and newer.first - older.last > self.quiet_s:
                problems.append(
                    f"no line from {_clock(older.last)} in {older.piece.name} to "
                    f"{_clock(newer.first)} in {newer.piece.name}: a file may be missing"
                )
        younger = any(
            each.first >= self.end or (each.last is not None and each.last >= self.end)
            for each in self.spans
        )
        if not younger and self.end - last > self.quiet_s:
            if last < self.start:
                raise SourceEmpty(
                    f"{self.where}: expected a line in the window or after it, got none: "
                    "whether it still is written is not known"
                )
            problems.append(
                f"no line after {_clock(last)}, so whether it still is written is not known"
            )
        return "; ".join(problems)


class Span(NamedTuple):
    """A piece, where its text begins, and the times of its first and last line.

    ``last`` is None for a compressed piece.
    """

    piece: Piece
    begin: int
    first: float
    last: float | None


class _Reading:
    """What one pass over the window gathers."""

    def __init__(
        self, scan: Scan, sought: Any, wanted: Callable[[Raw], bool], levels: bool
    ) -> None:
        self.scan = scan
        self.sought = sought
        self.wanted = wanted
        self.levels = levels
        self.entries: list[Raw] = []
        self.lines = self.sampled = self.unlevelled = 0
        self.whole = True
        self.missed = False
        self.last: float | None = None
        self.asked: list[str] = []
        self.jumps: list[str] = []
        self._share = 1.0

    def before(self, at: float) -> None:
        """Note a line before the window."""
        self.last = at if self.last is None else max(self.last, at)

    def span(self, span: Span) -> None:
        """Read the window's part of one piece."""
        scan, piece = self.scan, span.piece
        begin, end = span.begin, piece.size
        if not piece.packed:
            begin = scan._found_at(span, scan.start - SLACK_S - scan.fold_s)
            end = scan._found_at(span, scan.end + SLACK_S + scan.fold_s)
            if begin > span.begin:
                self.before(scan.start - SLACK_S)  # an older line is above it
        read = UNPACKED * piece.size if piece.packed else end - begin
        self._share = min(1.0, SAMPLED * 100 / max(1, read))
        part = "whole, decompressed" if piece.packed else f"bytes {begin} to {end}"
        self.asked.append(f"{piece.name}, {part}")
        known: float | None = None
        for offset, block in blocks(piece, begin, None if piece.packed else end, scan._at):
            scan.check_time()
            if scan.fold_s:  # only line by line is it known which of two equal hours it is
                known = self._edge(piece, offset, block, known)
                if known is not None and known >= scan.end + SLACK_S + scan.fold_s:
                    break
                continue
            first, last = self._ends(block, known)
            if first is not None and first >= scan.end + SLACK_S:
                break
            if last is not None and last < scan.start - SLACK_S:
                self.before(last)
                known = last
                continue
            inside = (
                first is not None
                and last is not None
                and first >= scan.start + SLACK_S
                and last < scan.end - SLACK_S
            )
            if inside and last is not None:
                self._step(piece, known, last)
                self._inside(piece, offset, block, known)
                self.before(last)
                known = last
            else:
                known = self._edge(piece, offset, block, known)

    def _step(self, piece: Piece, before: float | None, at: float) -> None:
        """Note a time that steps back."""
        if before is not None and at < before - SLACK_S:
            self.jumps.append(
                f"the times in {piece.name} step back from {_clock(before)} to {_clock(at)}"
            )

    def _ends(self, block: bytes, known: float | None) -> tuple[float | None, float | None]:
        """Return the times of a block's first and last line with a timestamp."""
        first = last = None
        for line in split(block[: 4 * NEAR]):
            first = self.scan._at(line, known)
            if first is not None:
                break
        for line in reversed(split(block[-4 * NEAR :])):
            last = self.scan._at(line, known)
            if last is not None:
                break
        return first, last

    def _edge(self, piece: Piece, offset: int, block: bytes, known: float | None) -> float | None:
        """Read a block line by line: some of it may lie outside the window. Returns: its end."""
        scan = self.scan
        for entry in self._entries(piece, offset, split_at(block), known):
            self._step(piece, known, entry.at)
            known = entry.at
            if entry.at < scan.end:
                self.before(entry.at)
            if scan.start <= entry.at < scan.end:
                self.lines += len(entry.lines)
                self._sample(entry)
                self._keep(entry)
        return known

    def _inside(self, piece: Piece, offset: int, block: bytes, known: float | None) -> None:
        """Read a block of which every line lies in the window."""
        self.lines += block.count(b"\n")
        if self.levels and self._share < 1.0:
            lines = split_at(block)
            step = max(1, int(1 / self._share))
            for begin, text in lines[::step]:
                self._sample(Raw(known or 0.0, [text], f"{piece.name}:{offset + begin}"))
        if self.sought is None or (self.levels and self._share >= 1.0):
            for entry in self._entries(piece, offset, split_at(block), known):
                self._sample(entry)
                self._keep(entry)
            return
        position = 0
        while (match := self.sought.search(block, position)) is not None:
            start, stop = entry_around(block, match.start(), position, self.scan._at)
            lines = split_at(block[start:stop])
            for entry in self._entries(piece, offset + start, lines, known):
                self._keep(entry)
            position = max(stop, match.end())
            if len(self.entries) >= MOST_ENTRIES:
                self.whole = False
                return

    def _entries(
        self,
        piece: Piece,
        offset: int,
        lines: Sequence[tuple[int, str]],
        known: float | None,
    ) -> Iterator[Raw]:
        """Yield lines with those that belong to them; the first may belong to an earlier one."""
        at = known
        kept: list[str] = []
        begin = 0
        for position, line in lines:
            if not line.strip(" \x00\r"):
                continue
            own = self.scan._at(line, at)
            if own is None:
                if len(kept) < MOST_JOINED:
                    kept.append(_plain(line))
                continue
            if kept and at is not None:
                yield Raw(at, kept, f"{piece.name}:{offset + begin}")
            at, kept, begin = own, [_plain(line)], position
        if kept and at is not None:
            yield Raw(at, kept, f"{piece.name}:{offset + begin}")

    def _sample(self, entry: Raw) -> None:
        """Read the level of a line, and whether the filter finds it too."""
        if not self.levels or not entry.lines:
            return
        line = entry.lines[0]
        if line[:1] in " \t":
            return
        self.sampled += 1
        self.unlevelled += not has_level(line)
        if self.sought is not None and is_error(line):
            self.missed = self.missed or self.sought.search(line.encode("utf-8", "replace")) is None

    def _keep(self, entry: Raw) -> None:
        if len(self.entries) >= MOST_ENTRIES:
            self.whole = False
        elif self.wanted(entry):
            self.entries.append(entry)

    def result(self) -> Found:
        scan = self.scan
        missing = scan.missing(self.last, self.jumps)
        assert self.last is not None
        return Found(
            entries=tuple(sorted(self.entries, key=lambda each: each.at)),
            lines=self.lines,
            sampled=self.sampled,
            unlevelled=self.unlevelled,
            whole=self.whole,
            missing=missing,
            asked="\n".join(self.asked),
            zone=scan.zone_note,
            last=self.last,
        )


def _plain(line: str) -> str:
    return unwrapped(line)[0]


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"
