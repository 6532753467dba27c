"""The ledger of one watch on disk: written once, numbered, chained, locked.

Rules of this module:

- The folder is the ledger: ``watch.json`` first, then records and what people added, each naming
  the newest entry before it. Nothing is ever overwritten or removed, but that a secret is taken
  out, which the chain notes (:mod:`hour24.ledger.redaction`).
- Choosing the entry before and linking the new one happen under one lock of the folder, so that
  any number of processes appends one line, not a tree.
- One checkpoint is recorded by one process at a time; the kernel frees the lock of a dead one.
- Whether the folder is writable and has room is checked before production is queried.
- An unreadable entry does not stop recording; it counts as INCONCLUSIVE.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from hour24.classes import IssueClass
from hour24.errors import LedgerError, LedgerLocked
from hour24.kind import Kind, kind_of
from hour24.ledger import canonical, chain, standings
from hour24.ledger import record as record_form
from hour24.ledger.chain import Entry
from hour24.ledger.launch import Launch, launch
from hour24.ledger.record import Link, Record
from hour24.ledger.room import Room
from hour24.ledger.sharing import Shared
from hour24.ledger.standings import Standing, Waiver
from hour24.quarantine import SUFFIX
from hour24.verdict import Outcome
from hour24.versions import FIRST_JUDGES, FORMAT
from hour24.watch import CHECKPOINTS, Watch

__all__ = ["Entry", "Genesis", "Ledger", "Standing"]

Fields = dict[str, Any] | Callable[[], dict[str, Any]]
"""The content of an entry, or what returns it while the lock is held."""
TIMES = ("at", "until", "launch_at")


class Genesis(Struct, frozen=True, kw_only=True):
    """The content of ``watch.json``: the plan of a watch, and what it watches.

    Args:
        target: path of the production.toml, or ``rehearsal``.
        rehearsal: ``{"seed", "faults"}``; none for a production.
        limits: SHA-256 over the limits at the start.
        watched: addresses of production at the start; empty for a rehearsal and for the week
            after, whose first run records them.
        version: the format of the file.
        judges: the version of the judges at the start.
    """

    name: str
    t0: datetime
    zone: str
    hours: tuple[int, ...]
    tolerance_s: float
    settle_s: float
    target: str
    service: dict[str, str]
    limits: str
    opened: datetime
    rehearsal: dict[str, Any] | None = None
    watched: dict[str, str] = {}
    follows: str = ""
    version: int = FORMAT
    judges: int = FIRST_JUDGES
    kind: str = "watch"

    @property
    def target_kind(self) -> Kind:
        """The kind of its target."""
        return kind_of(self.rehearsal, self.target)

    @property
    def daily(self) -> bool:
        """Whether this is the week after launch (:mod:`hour24.targets.daily`), and not a watch."""
        return self.hours[-1] > CHECKPOINTS[-1]


class Ledger:
    """The ledger in a folder.

    Args:
        before: read only the entries before this file in the chain; empty: all.
    """

    def __init__(self, folder: Path, before: str = "") -> None:
        self.folder = folder
        self.before = before
        self._read: dict[str, tuple[tuple[int, ...], Entry, Record | None]] = {}

    # --- create and find -------------------------------------------------------------------------

    @staticmethod
    def create(reports: Path, genesis: Genesis) -> Ledger:
        """Open a new watch.

        Raises: LedgerError, when the name is taken, or the folder cannot be written.
        """
        plan_of(genesis)
        ledger = Ledger(reports / genesis.name)
        try:
            ledger.folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise _cannot(ledger.folder, "make it", problem) from None
        ledger.writable()
        away = ledger.folder / f"{chain.FIRST}{SUFFIX}"
        if away.exists():
            raise LedgerError(
                f"{ledger.folder}: expected an unused name, got one with {chain.FIRST} put "
                f"away ({away.name}): choose another name for the watch"
            )
        data = canonical.to_bytes(genesis, chain.FIRST)
        chain.check_entry(canonical.from_bytes(data, chain.FIRST), "watch", chain.FIRST)
        with ledger._alone():
            chain.put(ledger.folder / chain.FIRST, data)
        return ledger

    @staticmethod
    def find(reports: Path, name: str = "", target: str = "") -> Ledger | None:
        """Return the watch of this name; without a name the newest open one.

        Args:
            target: only a watch of this target; empty: of any.
        Raises: LedgerError, when a candidate cannot be read.
        """
        if name:
            ledger = Ledger(reports / name)
            if not (ledger.folder / chain.FIRST).exists():
                return None
            return ledger if target in ("", ledger.genesis.target) else None
        ledgers = [Ledger(path.parent) for path in sorted(reports.glob(f"*/{chain.FIRST}"))]
        still_open = [
            ledger
            for ledger in ledgers
            if not (ledger.folder / chain.SIGNOFF).exists()
            and not ledger.genesis.daily
            and target in ("", ledger.genesis.target)
        ]
        return max(still_open, key=lambda one: (one.genesis.opened, one.genesis.t0), default=None)

    @property
    def genesis(self) -> Genesis:
        """The content of watch.json. Raises: LedgerError, when it cannot be read."""
        path = self.folder / chain.FIRST
        if not path.exists():
            raise LedgerError(f"{self.folder}: expected a watch, got no {chain.FIRST}")
        entry, _ = self._entry(path)
        if entry.problem:
            raise LedgerError(f"{self.folder}: {entry.problem}")
        return msgspec.convert(entry.content, type=Genesis)

    @property
    def watch(self) -> Watch:
        """The plan of the watch. Raises: LedgerError, when it cannot be read."""
        return plan_of(self.genesis)

    # --- reading ------------------------------------------------------------------------------

    def entries(self) -> tuple[Entry, ...]:
        """Return every entry in the order of the chain; an unreadable one has a ``problem``."""
        there = {path.name: self._entry(path)[0] for path in self._paths()}
        found = chain.ordered({**chain.put_away(self.folder, there), **there})
        if not self.before:
            return found
        end = next((n for n, e in enumerate(found) if e.file == self.before), len(found))
        return found[:end]

    def records(self, hour: int | None = None) -> tuple[Record, ...]:
        """Return every readable record by hour and attempt; of one hour, or of all."""
        known = {entry.file for entry in self.entries()} if self.before else None
        found = [
            kept
            for path in self._paths()
            if (known is None or path.name in known)
            and (kept := self._entry(path)[1]) is not None
            and hour in (None, kept.hour)
        ]
        return tuple(sorted(found, key=lambda one: (one.hour, one.attempt)))

    def as_written(self) -> tuple[Record, ...]:
        """Return every readable record in the order of the chain."""
        position = {entry.file: number for number, entry in enumerate(self.entries())}
        names = {record_form.name_of(one.hour, one.attempt): one for one in self.records()}
        return tuple(names[file] for file in sorted(names, key=position.__getitem__))

    def latest(self, hour: int) -> Record | None:
        """Return the newest record of this hour that counts, if any."""
        return next((one for one in reversed(self.records(hour)) if not one.early), None)

    def next_attempt(self, hour: int) -> int:
        """The number of the next attempt; one that was put away or left a journal keeps its own."""
        stem = f"hour{hour:02d}.a"
        names = [entry.file for entry in self.entries()]
        names += [path.stem + ".json" for path in (self.folder / "journal").glob(f"{stem}*.jsonl")]
        taken = [
            chain.hour_of(name)[1]
            for name in names
            if name.startswith(stem) and chain.kind_of(name) == "checkpoint"
        ]
        return max(taken, default=0) + 1

    def classes(self) -> tuple[list[IssueClass], list[IssueClass]]:
        """Return the classes that people added: normal ones, critical ones."""
        added: dict[str, list[IssueClass]] = {"normal": [], "critical": []}
        for entry in self.entries():
            if entry.kind == "classify" and not entry.problem:
                fields = {
                    name: entry.content[name]
                    for name in IssueClass.__struct_fields__
                    if name in entry.content
                }
                added[entry.content["class"]].append(msgspec.convert(fields, type=IssueClass))
        return added["normal"], added["critical"]

    def waivers(self) -> tuple[Waiver, ...]:
        """Return every waiver, expired ones too, oldest first."""
        return tuple(
            standings.waiver_from(entry.content)
            for entry in self.entries()
            if entry.kind == "waive" and not entry.problem
        )

    # --- standings ---------------------------------------------------------------------------

    def standings(self, now: datetime, provisional: Record | None = None) -> tuple[Standing, ...]:
        """Return the standing of every criterion at every checkpoint so far.

        Args:
            now: the time at which waivers and due times are read.
            provisional: a record that is not written yet but counts.
        """
        records = list(self.records())
        if provisional is not None:
            key = (provisional.hour, provisional.attempt)
            records = [one for one in records if (one.hour, one.attempt) != key] + [provisional]
        unreadable = {
            chain.hour_of(entry.file)[0]: entry.problem
            for entry in self.entries()
            if entry.kind == "checkpoint" and entry.problem
        }
        return standings.standings_of(self.watch, records, self.waivers(), now, unreadable)

    def outcome(self, hour: int, now: datetime) -> Outcome:
        """Return the worst outcome of one hour, counting waivers and later evidence."""
        return standings.outcome_of(one for one in self.standings(now) if one.hour == hour)

    def launch(self, now: datetime, until: int | None = None) -> Launch:
        """Return whether the launch may go ahead, in one word.

        Args:
            until: the last hour that counts; none: the whole watch, its sign-off included.
        """
        found = [each for each in self.standings(now) if until is None or each.hour <= until]
        approved = until is None and any(entry.kind == "signoff" for entry in self.entries())
        return launch(found, approved=approved, kind=self.genesis.target_kind)

    def outcome_of_watch(self, now: datetime) -> Outcome:
        """Return the worst outcome so far, counting waivers and later evidence."""
        return standings.outcome_of(self.standings(now))

    # --- writing ------------------------------------------------------------------------------

    def writable(self) -> None:
        """Check that a record could be written now.

        Raises: LedgerError, when the folder cannot be written or has no room.
        """
        Room(self.folder).free()

    def write(self, record: Record) -> Path:
        """Write a record as the newest entry; ``previous`` is filled in.

        Returns: its path.
        Raises: LedgerError, when it fails its schema, exists, or cannot be written.
        """
        name = record_form.name_of(record.hour, record.attempt)
        if record.watch != self.genesis.name:
            raise LedgerError(f"{name}: watch: expected {self.genesis.name}, got {record.watch}")
        with self._alone():
            shared = Shared.of(self.folder)
            while True:
                position = self._pulled(shared)
                if (self.folder / name).exists():
                    raise LedgerError(
                        f"{self.folder / name}: expected no such file, got one: it is written once"
                    )
                linked = msgspec.structs.replace(record, previous=self._head())
                data = record_form.canonical(linked)
                if shared is None or shared.append(position, name, data):
                    break
            path = self.folder / name
            chain.put(path, data)
        return path

    def append(
        self,
        kind: str,
        fields: Fields,
        *,
        after: Link | None = None,
        seal: Callable[[bytes], None] | None = None,
    ) -> Path:
        """Write a person's entry as the newest one; ``previous`` is filled in.

        Args:
            kind: waive, classify, moved, deploy, rollback, alert, redacted, files or signoff.
            fields: its content, or what returns it while the lock is held; times may be datetimes
                or ISO texts.
            after: the entry it must follow directly; none: the newest.
            seal: called with the exact bytes before they are written; its error stops the write.
        Returns: its path.
        Raises: LedgerError, when it fails its schema, another entry came first, its time is before
            that of the newest entry by more than clocks may differ, or it cannot be written.
        """
        if kind not in (*chain.NUMBERED, "signoff"):
            raise LedgerError(f"{self.folder}: kind: expected an entry of a ledger, got {kind!r}")
        _ = self.genesis  # a folder without a watch is refused
        with self._alone():
            shared = Shared.of(self.folder)
            while True:
                position = self._pulled(shared)
                name, data = self._made(kind, fields, after)
                if seal is not None and not (self.folder / name).exists():
                    seal(data)
                if shared is None or shared.append(position, name, data):
                    break
            path = self.folder / name
            chain.put(path, data)
        return path

    def _made(self, kind: str, fields: Fields, after: Link | None) -> tuple[str, bytes]:
        """Return name and bytes of an entry that follows the newest one. Raises: LedgerError."""
        head = self._head()
        if after is not None and after != head:
            raise LedgerError(
                f"{self.folder}: expected {after.file} to be the newest entry, "
                f"got {head.file}: read the ledger again"
            )
        given = fields() if callable(fields) else fields
        name = "signoff.json" if kind == "signoff" else f"{kind}.{self._number(kind)}.json"
        content = {
            "version": FORMAT,
            "kind": kind,
            "previous": head,
            **{key: _as_time(key, value, name) for key, value in given.items()},
        }
        data = canonical.to_bytes(content, name)
        chain.check_entry(canonical.from_bytes(data, name), kind, name)
        # none of these waits for the clocks of machines
        if kind not in ("rollback", "redacted", chain.FILES):
            self._in_order(name, content["at"])
        return name, data

    def _pulled(self, shared: Shared | None) -> int:
        """Take over what other machines appended. Returns: the position of the next entry."""
        return 0 if shared is None else shared.pull(self.entries)

    def refresh(self) -> None:
        """Take over what other machines appended, where the ledger is shared.

        Raises: LedgerError, when the store does not answer.
        """
        shared = Shared.of(self.folder)
        if shared is not None:
            with self._alone():
                shared.pull(self.entries)

    @contextmanager
    def locked(self, hour: int, of: str = "") -> Iterator[None]:
        """Hold the lock of this checkpoint.

        Args:
            of: a word for what is not its record, and has a lock of its own.
        Raises: LedgerLocked, with the process that records it; LedgerError, when the folder cannot
            be written.
        """
        path = self._lock(hour, of)
        handle = _open(path)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LedgerLocked(
                    f"{self.folder}: hour {hour}: expected no other process to record it, "
                    f"got {_holder(handle)}"
                ) from None
            except OSError as problem:
                raise _cannot(path, "lock it", problem) from None
            # The machine's clock, not the watch's: a person compares it with the time of day.
            since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
            try:
                os.ftruncate(handle, 0)
                os.pwrite(handle, json.dumps(holder).encode() + b"\n", 0)
            except OSError as problem:
                raise _cannot(path, "write it", problem) from None
            yield
        finally:
            os.close(handle)

    def is_locked(self, hour: int) -> bool:
        """Return whether a process is recording this checkpoint now."""
        path = self._lock(hour)
        if not path.exists():
            return False
        handle = _open(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    # --- inside -------------------------------------------------------------------------------

    def _lock(self, hour: int, of: str = "") -> Path:
        return self.folder / f"hour{hour:02d}{f'.{of}' if of else ''}.lock"

    def _paths(self) -> list[Path]:
        try:
            return [path for path in self.folder.iterdir() if chain.kind_of(path.name)]
        except OSError as problem:
            raise _cannot(self.folder, "read it", problem) from None

    def _entry(self, path: Path) -> tuple[Entry, Record | None]:
        """Return an entry, read again only when its file changed."""
        try:
            stat = path.stat()
            key: tuple[int, ...] = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        except OSError:
            key = ()
        known = self._read.get(path.name)
        if known is None or known[0] != key:
            known = (key, *chain.read(path))
            self._read[path.name] = known
        return known[1], known[2]

    def head(self) -> Link:
        """Return the newest entry: its file and the SHA-256 to store elsewhere."""
        return self._head()

    def _head(self) -> Link:
        entries = [entry for entry in self.entries() if entry.sha256]
        if not entries:
            raise LedgerError(f"{self.folder}: expected a watch, got no {chain.FIRST}")
        return Link(file=entries[-1].file, sha256=entries[-1].sha256)

    def _in_order(self, name: str, at: datetime) -> None:
        """Refuse an entry that ``verify`` would find out of order. Raises: LedgerError."""
        if self.genesis.target_kind.steps_clock:
            return  # it may step back
        found = ((time, one.file) for one in self.entries() if (time := chain.stated_time(one)))
        newest, file = max(found)
        if (newest - at).total_seconds() > chain.BACKWARDS_S:
            raise LedgerError(
                f"{name}: at: expected after {file} ({newest:%Y-%m-%dT%H:%M:%SZ}), got "
                f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}: nothing was written; the clock of one "
                "machine is wrong: set it and try again"
            )

    def _number(self, kind: str) -> int:
        found = [chain.NAME.fullmatch(entry.file) for entry in self.entries()]
        taken = [int(one["number"]) for one in found if one is not None and one["kind"] == kind]
        return max(taken, default=0) + 1

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock for appending."""
        handle = _open(self.folder / ".chain.lock")
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
            except OSError as problem:
                raise _cannot(self.folder / ".chain.lock", "lock it", problem) from None
            for left in self.folder.glob(".*.json.*.tmp"):  # of a writer that was killed
                left.unlink(missing_ok=True)
            yield
        finally:
            os.close(handle)


def plan_of(genesis: Genesis) -> Watch:
    """Return the plan of a watch. Raises: LedgerError, when it is none."""
    try:
        return Watch(
            name=genesis.name,
            t0=genesis.t0,
            zone=genesis.zone,
            hours=genesis.hours,
            tolerance_s=genesis.tolerance_s,
            settle_s=genesis.settle_s,
            follows=genesis.follows,
        )
    except ValueError as problem:
        raise LedgerError(str(problem)) from None


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as problem:
        raise _cannot(path, "open it", problem) from None


def _holder(handle: int) -> str:
    try:
        holder = json.loads(os.pread(handle, 4096, 0))
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError, OSError):
        return "a process that has just started"


def _as_time(name: str, value: Any, file: str) -> Any:
    if name not in TIMES or not isinstance(value, str):
        return value
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise LedgerError(f"{file}: {name}: expected a time with its offset, got {value!r}")
    return read


def _cannot(path: Path, what: str, problem: OSError) -> LedgerError:
    return LedgerError(f"{path}: expected to {what}, got {problem.strerror}")
