"""Quarantine: a file that only its owner may read, and that is never pushed.

Rules of this module:

- A quarantined file keeps its name, with :data:`SUFFIX` after it; the workflow leaves out that
  suffix.
"""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".quarantined"


def quarantine(path: Path) -> Path:
    """Rename a file and make it readable by its owner alone. Raises: OSError."""
    into = path.with_name(path.name + SUFFIX)
    path.rename(into)
    into.chmod(0o600)
    return into
