"""Answers that were asked for when a checkpoint was due, kept for a run that comes later.

Rules of this module:

- An answer is one line of ``probe/due/hour08.<host>-<pid>.jsonl``, with its question and all that
  shows whether it may be taken. Lines are appended and synced, as those of the prober.
- An answer is taken for this watch, this checkpoint and these questions alone, when it was asked
  for between the due time and the end of the tolerance: by the clock of its machine, and by that
  clock as it was before it jumped or as the servers that answered have it.
- The first answer that is one is taken. A source that could not be asked is blind: its answer is
  taken only where no other one is.
- What is not taken is named, with the reason.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct, structs

from hour24.codes import ASKED_AGAIN
from hour24.errors import SourceMisread
from hour24.evidence import Document, Evidence, Unanswered, control_is_silent, from_plain, to_plain
from hour24.probes.lines import LineWriter, decode_lines
from hour24.watch import Checkpoint, Watch

FOLDER = "due"
AGREES_S = 60.0
"""By which our clock and that of a server may differ."""
BLIND = ASKED_AGAIN | {"no_data"}
"""Codes of a missing answer that may be there at a second attempt."""
OF_THE_SERVICE = frozenset({"health_document", "control", "latency_samples", "websocket_held"})
"""Questions to the service itself, which show nothing while our own network is down."""
Answer = Evidence | dict[str, Evidence]


class Kept(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="v", tag=1):
    """One answer.

    Args:
        name: of the question; of one in a custom criterion, :func:`own_name`.
        digest: of the settings that decide what is asked (:func:`hour24.config.asking_digest`).
        watched: addresses of production, as the ledger records them.
        at, ended: when it was asked for and answered, by the clock of the machine.
        jumped_s: by how much that clock had jumped since its prober began.
        answer: the evidence; of a question with an answer for each endpoint, by endpoint.
        each: whether it is by endpoint.
    """

    watch: str
    t0: datetime
    hour: int
    name: str
    digest: str
    watched: dict[str, str]
    at: datetime
    ended: datetime
    vantage: str
    answer: dict[str, Any]
    each: bool = False
    jumped_s: float = 0.0


class Asked(Struct, frozen=True, kw_only=True):
    """What a run asks, which an answer must fit.

    Args:
        folder: ``reports/<watch>/probe``.
        digest, watched: as in :class:`Kept`, of this run.
    """

    folder: Path
    watch: Watch
    checkpoint: Checkpoint
    digest: str
    watched: Mapping[str, str]


class Keeper:
    """Keeps answers in a file of this process.

    Raises: OSError, if the file cannot be opened.
    """

    def __init__(self, asked: Asked, jumped_s: float = 0.0) -> None:
        self.asked = asked
        self.jumped_s = jumped_s
        self.vantage = socket.gethostname()
        host = re.sub(r"[^A-Za-z0-9.-]+", "-", self.vantage).strip(".-") or "host"
        name = f"hour{asked.checkpoint.hour:02d}.{host[:60]}-{os.getpid()}.jsonl"
        self._writer = LineWriter(asked.folder / FOLDER / name)

    @property
    def path(self) -> Path:
        """The file."""
        return self._writer.path

    def keep(self, name: str, plain: dict[str, Any], *, each: bool, ended: datetime) -> None:
        """Append one answer, without secrets. Raises: OSError, if it cannot be written."""
        asked = self.asked
        times = [one.question.at for one in _evidence(plain, each)]
        line = Kept(
            watch=asked.watch.name,
            t0=asked.watch.t0,
            hour=asked.checkpoint.hour,
            name=name,
            digest=asked.digest,
            watched=dict(asked.watched),
            at=min(times, default=ended),
            ended=ended,
            vantage=self.vantage,
            answer=plain,
            each=each,
            jumped_s=self.jumped_s,
        )
        self._writer.write(line)

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


def plain_of(answer: Answer) -> tuple[dict[str, Any], bool]:
    """Returns the answer as JSON-able data, and whether it is by endpoint."""
    if isinstance(answer, dict):
        return {name: to_plain(each) for name, each in answer.items()}, True
    return to_plain(answer), False


def own_name(kind: str, *parts: object) -> str:
    """Returns the name of a question in a custom criterion: a digest of what it asks for.

    A digest, because an address or a statement may hold a secret.
    """
    return f"own {kind} {hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]}"


def find(asked: Asked, name: str) -> tuple[Answer | None, str]:
    """Returns the answer to this question that was kept, and why others are not taken.

    Raises: SourceMisread, if a line cannot be read.
    """
    refused = ""
    blind: Kept | None = None
    for each in _candidates(asked, name):
        if each.refused:
            refused = refused or each.refused
        elif not each.blind:
            return _taken(each.line), ""
        else:
            blind = blind or each.line
    return (_taken(blind) if blind is not None else None), refused


def blind_names(asked: Asked, names: Iterable[str]) -> set[str]:
    """Returns the questions without a kept answer that is one."""
    left = set(names)
    for name in tuple(left):
        if any(not each.refused and not each.blind for each in _candidates(asked, name)):
            left.discard(name)
    return left


class _Candidate(NamedTuple):
    """A kept answer.

    Args:
        refused: why it is not taken; empty when it may be.
        blind: whether it says nothing of production: a source, or a network, without an answer.
    """

    line: Kept
    refused: str
    blind: bool


def _candidates(asked: Asked, name: str) -> list[_Candidate]:
    """Returns every kept answer to this question, oldest first."""
    found: list[_Candidate] = []
    for path in sorted((asked.folder / FOLDER).glob(f"hour{asked.checkpoint.hour:02d}.*.jsonl")):
        lines = [line for _, line in decode_lines(path, msgspec.json.Decoder(Kept))]
        offset_s, offline = _offset_s(lines), any(map(_is_offline, lines))
        found += [
            _Candidate(
                line,
                _refusal(asked, line, offset_s),
                (offline and name in OF_THE_SERVICE) or _is_blind(line),
            )
            for line in lines
            if line.name == name
        ]
    return sorted(found, key=lambda each: each.line.at)


def _refusal(asked: Asked, line: Kept, offset_s: float) -> str:
    """Returns why a kept answer is not taken; empty when it is."""
    watch, point = asked.watch, asked.checkpoint
    if (line.watch, line.t0, line.hour) != (watch.name, watch.t0, point.hour):
        return "the answer that was kept is of another watch"
    if line.digest != asked.digest or line.watched != asked.watched:
        return "the answer that was kept is of another production.toml"
    clocks = [
        (0.0, ""),
        (line.jumped_s, f" by the clock of {line.vantage} as it was before it jumped"),
        (offset_s, " by the clocks of the servers that answered"),
    ]
    try:
        times = [line.at, *(each.question.at for each in _evidence(line.answer, line.each))]
    except (msgspec.ValidationError, ValueError) as problem:
        raise SourceMisread(f"probe/{FOLDER}: {line.name}: {problem}") from None
    for by_s, clock in clocks:
        wrong = [at for at in times if not _in_time(point, at - timedelta(seconds=by_s))]
        if wrong and (not by_s or abs(by_s) > AGREES_S):
            asked_at = wrong[0] - timedelta(seconds=by_s)
            return (
                f"the answer that was kept was asked for at {asked_at:%Y-%m-%d %H:%M:%S}Z{clock}, "
                "not within the tolerance"
            )
    return ""


def _in_time(point: Checkpoint, at: datetime) -> bool:
    return 0.0 <= point.late_s(at) <= point.tolerance_s


def _offset_s(lines: Iterable[Kept]) -> float:
    """Returns by how much the clock of a machine is ahead of the servers that answered it.

    0 when one of them agrees with it, or none sent its time.
    """
    found = []
    for line in lines:
        for each in () if line.each else _evidence(line.answer, each=False):
            if isinstance(each, Document) and each.server_date is not None and not each.cached:
                sent = each.question.attempts[-1:] or ()
                at = sent[0].at if sent else each.question.at
                answered = at + timedelta(milliseconds=each.took_ms)
                found.append((answered - each.server_date).total_seconds())
    least = min(found, key=abs, default=0.0)
    return least if abs(least) > AGREES_S else 0.0


def _is_blind(line: Kept) -> bool:
    found = _evidence(line.answer, line.each)
    return any(isinstance(each, Unanswered) and each.code in BLIND for each in found)


def _is_offline(line: Kept) -> bool:
    """Whether it shows that our own network was down."""
    return line.name == "control" and control_is_silent(from_plain(line.answer))


def _evidence(plain: Mapping[str, Any], each: bool) -> list[Evidence]:
    return [from_plain(one) for one in plain.values()] if each else [from_plain(plain)]


def _taken(line: Kept) -> Answer:
    """Returns the answer, with a note of who asked for it."""
    note = f"asked for at {line.at:%Y-%m-%d %H:%M:%S}Z, when it was due, by {line.vantage}"

    def noted(each: Evidence) -> Evidence:
        asked = structs.replace(each.question, vantage=each.question.vantage or line.vantage)
        text = f"{each.note}; {note}" if each.note else note
        return structs.replace(each, question=asked, note=text)

    if line.each:
        return {name: noted(from_plain(one)) for name, one in line.answer.items()}
    return noted(from_plain(line.answer))
