"""The prober's files: one line a minute and probe, JSON, appended.

Rules of this module:

- A prober writes to ``probe/<host>-<pid>.jsonl``, and its alarms to ``probe/alarms/`` under the
  same name. Lines are appended and synced; nothing is ever rewritten.
- A kill may truncate the last line. A writer that finds a truncated end starts a new line; a reader
  drops truncated lines and no others. A complete line that cannot be read is a
  :class:`~hour24.errors.SourceMisread`, never skipped.
- Slots are at epoch multiples: ``t = k * interval_s + phase_s``. Inside a minute they are
  numbered from 0; slots before the prober's start or after its stop are not due.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from hour24.errors import SourceEmpty, SourceMisread

MINUTE_S = 60.0
TAIL_BYTES = 65_536
NOT_CONNECTED = "not connected"
NO_ANSWER = frozenset(
    {
        "timeout",
        "refused",
        "reset",
        "closed",
        "dns",
        "unreachable",
        "tls",
        "malformed",
        "cut off",
        NOT_CONNECTED,
    }
)
"""Reasons of a failed probe without a complete HTTP answer or without a connection."""

Kind = Literal["health", "endpoint", "control", "websocket"]
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]
Each = TypeVar("Each")


class NoProber(SourceEmpty):
    """No prober has written a line."""

    code = "no_prober"


class Drop(Struct, frozen=True):
    """A WebSocket connection that ended abnormally.

    Args:
        at_s: seconds into its minute.
        code: the close code; 1006 when there was no close frame.
        after_s: how long it had been open.
    """

    at_s: float
    code: int
    after_s: float = 0.0


class Minute(Struct, kw_only=True, omit_defaults=True, gc=False, tag_field="v", tag=1):
    """The results of one prober for one target in one minute.

    Args:
        probe: ``health``, ``control``, ``websocket`` or the endpoint's name.
        minute: its start, a whole minute, UTC.
        interval_s, phase_s: of the slots.
        first: the first slot that was due, counted inside the minute from 0.
        due: how many were due from there on.
        missed: slots in which no probe was sent, or one later than half an interval.
        late: how many of the missed were sent after all, too late to count as good.
        limited: slots answered 429.
        failed: reason -> slots; ``503``, ``timeout``, ``schema: /database: ...``.
        statuses: HTTP status, or the reason why there was none -> probes.
        latency: histogram bucket -> good probes; slot to answer, in milliseconds.
        round_trip_ms: shortest time to open a connection of late; 0 when none was opened yet.
        uptimes: [seconds after the minute's start, uptime in seconds, instance].
        opened, refused, held_s: WebSocket connections, handshakes refused, connection seconds.
        closed: WebSocket connections that the server ended early but normally (1000, 1001).
        simulated: whether this is a rehearsal's.
        vantage: the host of the prober.
        note: a note for readers: ``clock jumped by 31.2 s``.
    """

    probe: str
    kind: Kind
    minute: datetime
    interval_s: Annotated[float, Meta(gt=0)]
    phase_s: Seconds = 0.0
    first: Count = 0
    due: Count
    missed: list[Count] = []
    late: Count = 0
    limited: list[Count] = []
    failed: dict[str, list[Count]] = {}
    statuses: dict[str, Count] = {}
    latency: dict[str, Count] = {}
    round_trip_ms: Seconds = 0.0
    uptimes: list[tuple[float, Seconds, str]] = []
    opened: Count = 0
    refused: Count = 0
    closed: Count = 0
    dropped: list[Drop] = []
    held_s: Seconds = 0.0
    simulated: bool = False
    vantage: str = ""
    note: str = ""


class Alarm(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="v", tag=1):
    """An alarm of the runbook.

    Args:
        at: when it was raised.
        rule: ``health_failing``, ``error_rate``, ``no_network``.
        since: when the problem began, according to the probes.
        says: the alarm in one sentence.
        over: whether this is its end.
        figures: the figures that the rule used.
    """

    at: datetime
    rule: str
    since: datetime
    says: str
    over: bool = False
    figures: dict[str, float] = {}
    simulated: bool = False


def first_slot(at: float, interval_s: float, phase_s: float) -> int:
    """Returns the number k of the first slot at or after ``at`` (epoch seconds)."""
    return math.ceil((at - phase_s) / interval_s - 1e-6)


def slots_in(minute: float, interval_s: float, phase_s: float) -> range:
    """Returns the numbers of all slots of the minute that starts at ``minute``."""
    return range(
        first_slot(minute, interval_s, phase_s),
        first_slot(minute + MINUTE_S, interval_s, phase_s),
    )


class LineWriter:
    """Appends lines to a file, synced, so that a kill loses at most the line being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        size = os.fstat(self._file).st_size
        # a reader sees by it that this process is still writing; a file system may know no locks
        with contextlib.suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._torn = size > 0 and os.pread(self._file, 1, size - 1) != b"\n"
        if fresh:
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    @classmethod
    def of_this_process(cls, folder: Path) -> LineWriter:
        """Returns the writer of this process: ``<host>-<pid>.jsonl``."""
        host = re.sub(r"[^A-Za-z0-9.-]+", "-", socket.gethostname()).strip(".-") or "host"
        return cls(folder / f"{host[:60]}-{os.getpid()}.jsonl")

    def write(self, *lines: Struct) -> None:
        """Append these lines and sync them to the disk.

        Raises: OSError, if some of them cannot be written.
        """
        data = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        if not data:
            return
        if self._torn:
            data = b"\n" + data
        self._torn = True
        while data:
            data = data[os.write(self._file, data) :]
        self._torn = False
        os.fsync(self._file)

    def alarm(self, alarm: Alarm) -> None:
        """Append an alarm to this prober's alarms."""
        other = LineWriter(self.path.parent / "alarms" / self.path.name)
        try:
            other.write(alarm)
        finally:
            other.close()

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def decode_lines(
    path: Path, decoder: msgspec.json.Decoder[Each], digest: Any = None
) -> Iterator[tuple[int, Each]]:
    """Yields each complete line of a file with its number, from 1, without truncated lines.

    Args:
        digest: updated with every byte read.

    Raises: SourceMisread, for a complete line that cannot be read.
    """
    decode = decoder.decode
    try:
        opened = path.open("rb", buffering=1 << 20)
    except OSError as problem:
        raise SourceMisread(
            f"probe/{path.name}: expected to be readable, got {problem.strerror}"
        ) from None
    with opened as file:
        for number, raw in enumerate(file, 1):
            if digest is not None:
                digest.update(raw)
            try:
                line = decode(raw)
            except msgspec.DecodeError as problem:
                if _is_truncated(raw):
                    continue
                raise SourceMisread(
                    f"probe/{path.name}: line {number}: expected a probe's minute, got {problem}"
                ) from None
            yield number, line


def probe_files(folder: Path) -> tuple[Path, ...]:
    """Returns the probers' files in this folder, by name."""
    return tuple(sorted(folder.glob("*.jsonl")))


def is_written(folder: Path) -> bool:
    """Returns whether a prober on this machine has one of these files open now."""
    for path in probe_files(folder):
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # a file system without locks
            continue
        finally:
            os.close(handle)
    return False


def last_line(folder: Path) -> datetime | None:
    """Returns the end of the newest minute of any prober; None if there is no line."""
    ends = [end for path in probe_files(folder) if (end := _end_of(path)) is not None]
    return max(ends, default=None)


def alarms(folder: Path) -> tuple[Alarm, ...]:
    """Returns all alarms of all probers, oldest first."""
    decoder = msgspec.json.Decoder(Alarm)
    found = [
        alarm for path in probe_files(folder / "alarms") for _, alarm in decode_lines(path, decoder)
    ]
    return tuple(sorted(found, key=lambda alarm: alarm.at))


def _end_of(path: Path) -> datetime | None:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        tail = file.read().splitlines()
    ends = []
    for raw in tail:
        try:
            ends.append(msgspec.json.decode(raw, type=_MinuteOnly).minute)
        except msgspec.DecodeError:  # truncated, or cut at the start of the tail
            continue
    return max(ends).astimezone(UTC) + timedelta(seconds=MINUTE_S) if ends else None


class _MinuteOnly(Struct):
    minute: datetime


def _is_truncated(raw: bytes) -> bool:
    """Whether a line was truncated by a kill, possibly with zero bytes after it."""
    begun = raw.rstrip(b"\r\n\0")
    try:
        msgspec.json.decode(begun)
    except msgspec.DecodeError as problem:
        cut = "truncated" in str(problem) or not begun.endswith(b"}")
        return not begun or (begun.startswith(b"{") and cut)
    return False
