"""Where the files of the clone's top level lie: schemas, criteria, the files that `init` writes.

Rules of this module:

- A clone holds them at its top level; a wheel holds the same files, copied in by the build
  (pyproject.toml, ``force-include``). Nothing is kept twice.
- The only module that may look above the package.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
IMPORTED_FROM = PACKAGE.parent
"""The folder from which a process imports this very hour24."""
IN_WHEEL = PACKAGE / "starter" / "top"
IN_CLONE = not IN_WHEEL.is_dir()
TOP = IMPORTED_FROM if IN_CLONE else IN_WHEEL
"""The clone's top level, or the wheel's copy of it."""
SCHEMAS = TOP / "schemas"
COMMAND = "python -m hour24" if IN_CLONE else "hour24"
"""How people start hour24: a clone need not be installed, a wheel brings the console script."""


def is_used_in(folder: Path) -> bool:
    """True if this folder has hour24's production.toml and criteria."""
    return (folder / "production.toml").is_file() and (folder / "tests_prod").is_dir()
