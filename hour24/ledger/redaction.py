"""Redacts secrets from finished files without losing a verdict.

Rules of this module:

- Only strings change. A record whose hour, attempt or verdicts would change is not redacted.
- The chain first notes each redaction (``redacted.N.json``: which file, SHA-256 before and after,
  the secret's variable), then the file is replaced. A killed run repeats it.
- A file that cannot be redacted is noted too, so that its attempt stays used wherever the ledger
  is copied.
- Journals hold the same strings as their records, and are redacted in the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from hour24.disk import replace_file
from hour24.documents import DocumentError, read_json
from hour24.errors import LedgerError
from hour24.ledger import canonical, chain, record
from hour24.ledger.book import Ledger
from hour24.ledger.sharing import Shared

TEXTS = (".html", ".xml", ".log", ".md")
"""Suffixes of files that stay valid when part of their text is replaced."""
VERDICT = ("id", "subject", "group", "outcome", "code", "figures", "window", "span")
"""Members of a verdict that redaction must not change."""
RECORD = ("watch", "hour", "attempt", "t0", "due", "started", "ended", "window", "outcome", "plan")
"""Members of a record that redaction must not change."""


class FileRedactor(Protocol):
    """Replaces secrets; :class:`hour24.secrets.redactor.Redactor` is one."""

    def names_in(self, text: str) -> set[str]:
        """Return the names of the secrets in the text, in any encoding."""

    def redact(self, value: Any) -> Any:
        """Return the data without secrets; a string that would keep one is replaced whole."""


def redact(
    ledger: Ledger, path: Path, names: Sequence[str], redactor: FileRedactor, now: datetime
) -> str:
    """Redact the secrets in a finished file.

    Args:
        names: of the secrets found in it.
    Returns: what was done, for the terminal; empty when it cannot be redacted.
    Raises: OSError, when the file cannot be read or replaced.
    """
    before = path.read_bytes()
    kind = chain.kind_of(path.name) if path.parent == ledger.folder else ""
    try:
        after = _redact_bytes(before, path, kind, redactor)
    except (LedgerError, DocumentError):
        after = b""
    if after and redactor.names_in(after.decode("utf-8", "replace")):
        after = b""
    noted = ""
    if kind or (not after and _is_orphan_journal(ledger, path)):
        file = str(path.relative_to(ledger.folder))
        noted = _note_in_chain(ledger, file, before, after, names, now)
    if not after:
        return ""
    replace_file(path, after)
    shared = Shared.of(ledger.folder) if kind else None
    if shared is not None:
        shared.redacted(ledger.entries(), path.name)
    return f"redacted, with its verdicts kept{noted}" if kind == "checkpoint" else "redacted"


def _redact_bytes(data: bytes, path: Path, kind: str, redactor: FileRedactor) -> bytes:
    """Return the file without secrets; empty when that is impossible. Raises: LedgerError."""
    if kind:
        content = canonical.from_bytes(data, path.name)
        clean = redactor.redact(content)
        if _fixed_part(clean, kind) != _fixed_part(content, kind):
            return b""
        if kind == "checkpoint":
            record.from_content(clean, path.name)
        else:
            chain.check_entry(clean, kind, path.name)
        return canonical.to_bytes(clean, path.name)
    if path.suffix == ".jsonl":
        return b"".join(_lines(data, path.name, redactor))
    if path.suffix in TEXTS:
        lines = data.decode("utf-8", "replace").split("\n")
        return "\n".join(redactor.redact(line) for line in lines).encode()
    return b""


def _fixed_part(content: dict[str, Any], kind: str) -> Any:
    """Return the part of the content that must not change."""
    if kind != "checkpoint":
        return {**content, **dict.fromkeys(("by", "because", "problems", "says"))}
    verdicts = [
        [[one.get(name) for name in VERDICT] for one in content.get(member, ())]
        for member in record.VERDICTS
    ]
    return [content.get(name) for name in RECORD], verdicts


def _lines(data: bytes, name: str, redactor: FileRedactor) -> Iterator[bytes]:
    """Yield each line of JSON; drop a torn line, which is never read, if it holds a secret."""
    for line in data.splitlines(keepends=True):
        if not redactor.names_in(line.decode("utf-8", "replace")):
            yield line
            continue
        try:
            content = read_json(line, keep_surrogates=True)
        except DocumentError:
            continue
        yield canonical.to_bytes(redactor.redact(content), name)


def _is_orphan_journal(ledger: Ledger, path: Path) -> bool:
    """True if the file is the journal of an attempt without a record."""
    name = f"{path.stem}.json"
    in_journal = path.parent == ledger.folder / "journal" and path.suffix == ".jsonl"
    return in_journal and bool(chain.kind_of(name)) and not (ledger.folder / name).exists()


def _note_in_chain(
    ledger: Ledger, file: str, before: bytes, after: bytes, names: Sequence[str], now: datetime
) -> str:
    """Note the redaction in the chain; return which entry, for the terminal."""
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
    except LedgerError as problem:  # redact anyway; verify will report the changed file
        return f"; not noted in the chain: {problem}"
