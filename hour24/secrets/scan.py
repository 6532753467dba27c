"""The secret scan: searches every finished file for every secret, and redacts what it finds.

Rules of this module:

- A file that did not change since the last scan for secrets of these names gets only the quick
  search: one of them may have another value now.
- A file that could not be searched is reported too.
- What cannot be redacted is quarantined.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from hour24.quarantine import SUFFIX, quarantine
from hour24.secrets.redactor import Redactor

CLOCK_TICK_S = 0.05
"""By which file systems may report a change too early."""
MARK = ".searched"
"""The file with the time of the last scan and the names of its secrets."""
ENTRIES = (".json", ".jsonl")
"""Redacted before the pages, which are generated from them."""

Redact = Callable[[Path, list[str]], str]


def leaks(
    folder: Path,
    redactor: Redactor,
    secrets: Iterable[str],
    more: Iterable[Path] = (),
    redact: Redact = lambda path, names: "",
) -> list[str]:
    """Return a line for each finished file with a secret, which is redacted or quarantined.

    Args:
        folder: searched with all that is below it.
        secrets: their names.
        more: files that were written to other folders.
        redact: removes these secrets from a file and returns what it did; empty if it cannot.
    """
    lines = []
    mark = folder / MARK
    names = sorted(secrets)
    began = time.time() - CLOCK_TICK_S
    last = _searched_at(mark, names)
    files = {*folder.rglob("*"), *more}
    for path in sorted(files, key=lambda each: (each.suffix not in ENTRIES, each)):
        if path == mark or not path.is_file() or path.suffix == SUFFIX:
            continue
        try:
            old = path.stat().st_ctime < last
            found = redactor.quickly_in(path) if old else redactor.found_in(path)
        except OSError as problem:
            lines.append(f"{path.name}: not searched for secrets: {problem.strerror}")
            continue
        if found:
            lines.append(_without(path, found, redact))
    if not lines:
        with suppress(OSError):
            mark.write_text(f"{began:.3f}\n{json.dumps(names)}\n", encoding="utf-8")
    return lines


def _without(path: Path, found: list[str], redact: Redact) -> str:
    """Redact the secrets of a file, or quarantine it. Returns: what was done."""
    names = ", ".join(found)
    try:
        done = redact(path, found)
    except OSError as problem:
        done = ""
        names += f" ({problem.strerror})"
    if done:
        return f"{path.name}: had the secret {names}; {done}: change that secret"
    away = quarantine(path)
    return (
        f"{path.name}: has the secret {names}; moved to {away.name}, "
        "readable only by you: change that secret, then delete the file"
    )


def _searched_at(mark: Path, secrets: list[str]) -> float:
    """Return when these secrets were last searched for, epoch seconds; 0 when never."""
    try:
        time_s, names = mark.read_text(encoding="utf-8").splitlines()
        return float(time_s) if json.loads(names) == secrets else 0.0
    except (OSError, ValueError):
        return 0.0
