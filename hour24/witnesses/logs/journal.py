"""Lines of one unit in systemd's journal, asked of journalctl.

Rules of this module:

- The command is a fixed list of arguments; no shell reads it. It reads only.
- An entry has the journal's own time. Its level is the line's own; the journal's priority is only
  a label, since a service's whole output may have the same.
- Entries that the journal dropped (rate limit) are a gap by name.
- An older and a younger entry show that the unit's journal covers the window.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hour24.errors import (
    SourceEmpty,
    SourceFailed,
    SourceLacks,
    SourceMisread,
    SourceRefused,
    SourceTimeout,
)
from hour24.watch import Window
from hour24.witnesses.logged import has_level
from hour24.witnesses.logs import LogsAt
from hour24.witnesses.logs.scan import MOST_ENTRIES, Found, Raw

PROGRAM = "journalctl"
DROPPED = "a596d6fe7bfa4994828e72309e95d61e"
"""The journal's own message that it dropped entries of a unit."""
LONGEST = 1 << 20
"""Bytes of one entry: a longer one is refused."""
DETAIL = 200
PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
AROUND = timedelta(days=2)
"""How far from the window an older and a younger entry are searched."""


def read(
    at: LogsAt,
    where: str,
    window: Window,
    now: datetime,
    wanted: Callable[[Raw], bool],
    left_s: float,
    begin: Callable[[], None],
) -> Found:
    """Return the entries of the window. Raises: SourceError."""
    limit = time.monotonic() + min(at.timeout_s, left_s)
    begin()
    entries: list[Raw] = []
    dropped: list[str] = []
    lines = unlevelled = 0
    whole = True
    last: float | None = None
    for entry in _entries(at.journal, window.start, window.end, limit, where):
        time_, message, label, drops = _read(entry, where)
        if not window.start.timestamp() <= time_ < window.end.timestamp():
            continue
        if drops:
            if at.journal in message:
                dropped.append(message[:DETAIL])
            continue
        parts = message.split("\n")
        raw = Raw(time_, parts, f"journal:{entry.get('__CURSOR', lines)}"[:200], label)
        lines += len(parts)
        unlevelled += not has_level(parts[0], label)
        last = time_
        if len(entries) >= MOST_ENTRIES:
            whole = False
        elif wanted(raw):
            entries.append(raw)
    missing = [f"the journal dropped entries: {dropped[0]}"] if dropped else []
    older = _any(at.journal, window.start - AROUND, window.start, limit, where)
    younger = _any(at.journal, window.end, min(window.end + AROUND, now), limit, where)
    if last is None and not (older and younger):
        raise SourceEmpty(
            f"{where}: expected entries of {at.journal} in the window, or before and after it, got "
            "none"
        )
    if not older:
        missing.append("the journal has no entry before the window's start")
    if last is not None and not younger and window.end.timestamp() - last > at.quiet_s:
        missing.append("no entry in the window's last part, nor after it")
    return Found(
        entries=tuple(sorted(entries, key=lambda each: each.at)),
        lines=lines,
        sampled=lines,
        unlevelled=unlevelled,
        whole=whole,
        missing="; ".join(missing),
        asked=" ".join(_command(at.journal, window.start, window.end)),
        zone="",
        last=last if last is not None else window.start.timestamp(),
    )


def _command(unit: str, start: datetime, end: datetime, *more: str) -> list[str]:
    return [
        PROGRAM,
        "--output=json",
        "--no-pager",
        "--quiet",
        f"--since=@{start.timestamp():.6f}",
        f"--until=@{end.timestamp():.6f}",
        *more,
        f"_SYSTEMD_UNIT={unit}",
        "+",
        f"MESSAGE_ID={DROPPED}",
    ]


def _any(unit: str, start: datetime, end: datetime, limit: float, where: str) -> bool:
    """Whether the journal holds an entry of the unit in this time."""
    return start < end and any(
        not _read(entry, where)[3]
        for entry in _entries(unit, start, end, limit, where, "--lines=5")
    )


def _entries(
    unit: str, start: datetime, end: datetime, limit: float, where: str, *more: str
) -> Iterator[dict[str, Any]]:
    """Yield what journalctl prints, entry by entry. Raises: SourceError."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise SourceLacks(f"{where}: expected {PROGRAM} on this machine, got none")
    command = [program, *_command(unit, start, end, *more)[1:]]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        timer = threading.Timer(max(0.1, limit - time.monotonic()), running.kill)
        timer.daemon = True
        timer.start()
        said: list[bytes] = []
        reader = threading.Thread(
            target=lambda: said.append(running.stderr.read(4096)),  # type: ignore[union-attr]
            daemon=True,
        )
        reader.start()
        try:
            while line := running.stdout.readline(LONGEST):
                if not line.endswith(b"\n"):
                    raise SourceMisread(f"{where}: expected entries below {LONGEST} bytes, got one")
                yield _decoded(line, where)
            running.wait()
            reader.join(1.0)
        finally:
            timer.cancel()
            running.kill()
    if time.monotonic() >= limit:
        raise SourceTimeout(f"{where}: {PROGRAM} did not finish within its time")
    says = b"".join(said).decode("utf-8", "replace").strip()[:DETAIL]
    if "permission" in says.lower() or "not seeing messages" in says.lower():
        raise SourceRefused(f"{where}: expected the right to read the journal, got: {says}")
    if running.returncode != 0 and says:
        raise SourceFailed(f"{where}: {PROGRAM} ended with {running.returncode}: {says}")


def _decoded(line: bytes, where: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise SourceMisread(f"{where}: expected JSON of {PROGRAM}, got something else") from None
    if not isinstance(found, dict):
        raise SourceMisread(f"{where}: expected an object, got {type(found).__name__}")
    return found


def _read(entry: dict[str, Any], where: str) -> tuple[float, str, str, bool]:
    """Return time, text, label of an entry, and whether it says that others were dropped."""
    stamp = entry.get("__REALTIME_TIMESTAMP")
    if not (isinstance(stamp, str) and stamp.isascii() and stamp.isdigit() and len(stamp) < 19):
        raise SourceMisread(f"{where}: __REALTIME_TIMESTAMP: expected microseconds as text")
    message = entry.get("MESSAGE")
    if isinstance(message, list):  # bytes that are no UTF-8
        message = bytes(each for each in message if isinstance(each, int) and 0 <= each < 256)
        message = message.decode("utf-8", "replace")
    priority = str(entry.get("PRIORITY", ""))
    label = PRIORITIES[int(priority)] if priority in "01234567" and priority else ""
    return (
        int(stamp) / 1e6,
        str(message or ""),
        label,
        entry.get("MESSAGE_ID") == DROPPED,
    )
