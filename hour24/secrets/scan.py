"""The secret scan: searches every finished file for every secret, and quarantines what has one.

Rules of this module:

- A file that did not change since secrets of these names were last looked for has only the quick
  look: one of them may have another value now.
- A file that could not be searched is a line too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from hour24.secrets.redactor import Redactor

CLOCK_TICK_S = 0.05
"""File systems may tell that a file changed so much earlier than it did."""
MARK = ".searched"
"""Holds when the folder was last searched, and for secrets of which names."""
AWAY = ".quarantined"


def leaks(
    folder: Path, redactor: Redactor, secrets: Iterable[str], beside: Iterable[Path] = ()
) -> list[str]:
    """A line for each finished file in which a secret was found; the file is put away.

    Args:
        folder: searched with all that is below it.
        secrets: their names.
        beside: files that were written elsewhere.
    """
    lines = []
    mark = folder / MARK
    names = sorted(secrets)
    began = time.time() - CLOCK_TICK_S
    last = _searched(mark, names)
    for path in sorted({*folder.rglob("*"), *beside}):
        if path == mark or not path.is_file() or path.suffix == AWAY:
            continue
        try:
            old = path.stat().st_ctime < last
            found = redactor.quickly_in(path) if old else redactor.found_in(path)
        except OSError as problem:
            lines.append(f"{path.name}: not searched for secrets: {problem.strerror}")
            continue
        if found:
            away = path.with_name(path.name + AWAY)
            path.rename(away)
            away.chmod(0o600)
            lines.append(
                f"{path.name}: holds the secret {', '.join(found)}; put away as {away.name}, "
                "readable by you alone: change that secret, then delete the file"
            )
    if not lines:
        with suppress(OSError):
            mark.write_text(f"{began:.3f}\n{json.dumps(names)}\n", encoding="utf-8")
    return lines


def _searched(mark: Path, secrets: list[str]) -> float:
    """When these secrets were last looked for, epoch seconds; 0 when never."""
    try:
        moment, names = mark.read_text(encoding="utf-8").splitlines()
        return float(moment) if json.loads(names) == secrets else 0.0
    except (OSError, ValueError):
        return 0.0
