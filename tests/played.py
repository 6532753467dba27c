"""Rehearsals for tests: watches played once, and the commands run as a person runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
T0 = datetime(2026, 3, 2, 6, tzinfo=UTC)
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def ran(
    *command: str, timeout_s: float = 180.0, folder: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    """One of our commands, both streams in ``stdout``."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "COLUMNS": "110", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def hour24(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """``python -m hour24 ...``"""
    return ran(sys.executable, "-m", "hour24", *map(str, arguments), **variables)


def pytest_(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """``pytest ...``"""
    return ran(sys.executable, "-m", "pytest", *map(str, arguments), **variables)


def rehearsed(reports: Path, hours: Sequence[int], *faults: str, seed: int = 1, watch: str = "w"):
    """The finished command of a rehearsal."""
    chosen = ",".join(map(str, hours))
    result = [f"--fault={fault}" for fault in faults]
    return hour24(
        "rehearse", "--hours", chosen, "--reports", reports, "--watch", watch, "--seed", seed,
        "--t0", T0.isoformat(), *result,
    )  # fmt: skip
