"""The paths of the clone's top-level files: schemas, criteria, the files that `init` writes.

Rules of this module:

- A clone has them at its top level; a wheel has the same files, copied in by the build
  (pyproject.toml, ``force-include``). No file is stored twice.
- This is the only module that may read above the package.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
IMPORTED_FROM = PACKAGE.parent
"""The folder that this hour24 is imported from."""
IN_WHEEL = PACKAGE / "starter" / "top"
IN_CLONE = not IN_WHEEL.is_dir()
TOP = IMPORTED_FROM if IN_CLONE else IN_WHEEL
"""The clone's top level, or the wheel's copy of it."""
SCHEMAS = TOP / "schemas"
COMMAND = "python -m hour24" if IN_CLONE else "hour24"
"""How people start hour24: a clone is not installed, a wheel has the console script."""


def is_used_in(folder: Path) -> bool:
    """Return whether this folder has hour24's production.toml and criteria."""
    return (folder / "production.toml").is_file() and (folder / "tests_prod").is_dir()
