"""Redaction of finished files: a secret found in one of them never takes a verdict away.

Rules of this module:

- Strings alone change. A record whose hour, attempt or verdicts would change is not redacted.
- The chain notes each redacted entry first (``redacted.N.json``: which file, SHA-256 before and
  after, the secret's variable), then the file is replaced. Who is killed in between does it again.
- What cannot be redacted is noted as well: its attempt stays used, wherever the ledger is copied.
- Journals hold the same strings as their records, and are redacted in the same way.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from hour24.documents import DocumentError, read_json
from hour24.errors import LedgerError
from hour24.ledger import canonical, chain, record
from hour24.ledger.book import Ledger
from hour24.ledger.journal import sync_folder

TEXTS = (".html", ".xml", ".log", ".md")
"""Endings of files that stay what they are when a part of their text is replaced."""
VERDICT = ("id", "subject", "group", "outcome", "code", "figures", "window", "span")
"""What redaction leaves alone in a verdict."""
RECORD = ("watch", "hour", "attempt", "t0", "due", "started", "ended", "window", "outcome", "plan")
"""What redaction leaves alone in a record."""


class Scrubber(Protocol):
    """What replaces secrets: :class:`hour24.secrets.redactor.Redactor`."""

    def names_in(self, text: str) -> set[str]:
        """Names of the secrets that the text holds, in whichever encoding."""

    def scrubbed(self, value: Any) -> Any:
        """The plain data without them; a string that keeps one is replaced as a whole."""


def redact(
    ledger: Ledger, path: Path, names: Sequence[str], scrubber: Scrubber, now: datetime
) -> str:
    """Take the secrets out of a finished file.

    Args:
        names: of the secrets that were found in it.
    Returns: what was done, for whoever reads the terminal; empty when it cannot be redacted.
    Raises: OSError, when the file cannot be read or replaced.
    """
    before = path.read_bytes()
    kind = chain.kind_of(path.name) if path.parent == ledger.folder else ""
    try:
        after = _redacted(before, path, kind, scrubber)
    except (LedgerError, DocumentError):
        after = b""
    if after and scrubber.names_in(after.decode("utf-8", "replace")):
        after = b""
    noted = ""
    if kind or (not after and _alone(ledger, path)):
        file = str(path.relative_to(ledger.folder))
        noted = _noted(ledger, file, before, after, names, now)
    if not after:
        return ""
    _replace(path, after)
    return f"redacted, with its verdicts kept{noted}" if kind == "checkpoint" else "redacted"


def _redacted(data: bytes, path: Path, kind: str, scrubber: Scrubber) -> bytes:
    """The same file without secrets; empty where that cannot be. Raises: LedgerError."""
    if kind:
        content = canonical.from_bytes(data, path.name)
        clean = scrubber.scrubbed(content)
        if _fixed(clean, kind) != _fixed(content, kind):
            return b""
        if kind == "checkpoint":
            record.from_content(clean, path.name)
        else:
            chain.check_entry(clean, kind, path.name)
        return canonical.to_bytes(clean, path.name)
    if path.suffix == ".jsonl":
        return b"".join(_lines(data, path.name, scrubber))
    if path.suffix in TEXTS:
        lines = data.decode("utf-8", "replace").split("\n")
        return "\n".join(scrubber.scrubbed(line) for line in lines).encode()
    return b""


def _fixed(content: dict[str, Any], kind: str) -> Any:
    """What must not change."""
    if kind != "checkpoint":
        return {**content, **dict.fromkeys(("by", "because", "problems", "says"))}
    verdicts = [[one.get(name) for name in VERDICT] for one in content.get("criteria", ())]
    return [content.get(name) for name in RECORD], verdicts


def _lines(data: bytes, name: str, scrubber: Scrubber) -> Iterator[bytes]:
    """Each line of JSON; a torn one, which nobody reads, is left out if it holds a secret."""
    for line in data.splitlines(keepends=True):
        if not scrubber.names_in(line.decode("utf-8", "replace")):
            yield line
            continue
        try:
            content = read_json(line, keep_surrogates=True)
        except DocumentError:
            continue
        yield canonical.to_bytes(scrubber.scrubbed(content), name)


def _alone(ledger: Ledger, path: Path) -> bool:
    """Whether a file is the journal of an attempt that has no record."""
    name = f"{path.stem}.json"
    in_journal = path.parent == ledger.folder / "journal" and path.suffix == ".jsonl"
    return in_journal and bool(chain.kind_of(name)) and not (ledger.folder / name).exists()


def _noted(
    ledger: Ledger, file: str, before: bytes, after: bytes, names: Sequence[str], now: datetime
) -> str:
    """Let the chain note it; says which entry does."""
    fields = {
        "file": file,
        "before": hashlib.sha256(before).hexdigest(),
        "after": hashlib.sha256(after).hexdigest() if after else "",
        "secrets": sorted(names),
    }
    for entry in ledger.entries():
        if entry.kind == "redacted" and all(entry.content.get(k) == fields[k] for k in fields):
            return f" ({entry.file})"
    try:
        return f" ({ledger.append('redacted', {**fields, 'at': now}).name})"
    except LedgerError as problem:  # a secret does not wait; verify finds the file changed
        return f"; the chain does not note it: {problem}"


def _replace(path: Path, data: bytes) -> None:
    """Replace a file, so that it is there whole: as it was or as it is now."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)
