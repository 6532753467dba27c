"""The secret scan: searches every finished file for every secret, and takes out what it finds.

Rules of this module:

- A file that did not change since secrets of these names were last looked for has only the quick
  look: one of them may have another value now.
- A file that could not be searched is a line too.
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
"""File systems may tell that a file changed so much earlier than it did."""
MARK = ".searched"
"""Holds when the folder was last searched, and for secrets of which names."""
ENTRIES = (".json", ".jsonl")
"""Redacted before the pages, which are made from them."""

Redact = Callable[[Path, list[str]], str]


def leaks(
    folder: Path,
    redactor: Redactor,
    secrets: Iterable[str],
    beside: Iterable[Path] = (),
    redact: Redact = lambda path, names: "",
) -> list[str]:
    """A line for each finished file in which a secret was found; it is redacted, or put away.

    Args:
        folder: searched with all that is below it.
        secrets: their names.
        beside: files that were written elsewhere.
        redact: takes these secrets out of a file, and says so; empty when it cannot.
    """
    lines = []
    mark = folder / MARK
    names = sorted(secrets)
    began = time.time() - CLOCK_TICK_S
    last = _searched(mark, names)
    files = {*folder.rglob("*"), *beside}
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
    """Take the secrets out of a file, or put it away; what was done."""
    names = ", ".join(found)
    try:
        done = redact(path, found)
    except OSError as problem:
        done = ""
        names += f" ({problem.strerror})"
    if done:
        return f"{path.name}: held the secret {names}; {done}: change that secret"
    away = quarantine(path)
    return (
        f"{path.name}: holds the secret {names}; put away as {away.name}, "
        "readable by you alone: change that secret, then delete the file"
    )


def _searched(mark: Path, secrets: list[str]) -> float:
    """When these secrets were last looked for, epoch seconds; 0 when never."""
    try:
        moment, names = mark.read_text(encoding="utf-8").splitlines()
        return float(moment) if json.loads(names) == secrets else 0.0
    except (OSError, ValueError):
        return 0.0
