"""What some tests need of the machine: whether it is here, and what brings it.

``.ci/setup`` brings all of it.
"""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

from hour24.rehearsal.postgres import found

BROWSERS = Path(__file__).parents[1] / ".venv" / "browsers"
"""Where .ci/setup has playwright put a browser of its own."""
BROWSER = "a browser: expected chromium, got none; .ci/setup or apt-get install chromium brings it"
STATEMENTS = (
    "pg_stat_statements: expected the extension beside PostgreSQL, got none; .ci/setup or "
    "apt-get install postgresql postgresql-contrib brings it"
)
SSH = "ssh-keygen: expected it, got none; .ci/setup or apt-get install openssh-client brings it"


@cache
def browser() -> Path | None:
    """The browser that looks at the pages: the system's, else the one that .ci/setup brought."""
    for name in ("chromium", "chromium-browser"):
        path = shutil.which(name)
        if path is not None:
            return Path(path)
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or BROWSERS)
    brought = [
        path
        for name in ("chrome", "headless_shell", "chrome-headless-shell")
        for path in sorted(folder.glob(f"chromium*/*/{name}"))
        if os.access(path, os.X_OK)
    ]
    return brought[-1] if brought else None


@cache
def has_statements() -> bool:
    """Whether the PostgreSQL that is used here has pg_stat_statements."""
    return found().has_statements


@cache
def has_ssh() -> bool:
    """Whether signatures can be made here."""
    return shutil.which("ssh-keygen") is not None
