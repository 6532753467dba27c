"""Runs once more, alone, the few tests that failed: ``.ci/run`` calls it after ``make test``.

Rules of this module:

- A test that fails a second time fails CI; one that passes is listed with what it said before.
- Nothing else is excused: style, types, an interrupted or broken run, more than a few failures.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MOST = 5
"""More failures than this have a common cause, which a second try would hide."""
TEST_FAILED = 1
"""Exit code of pytest: it ran to its end and tests failed."""


def keep(file: Path, code: int, failed: list[str]) -> None:
    """Write the exit code of a run and the ids of the tests that failed."""
    file.write_text(json.dumps({"exit": code, "failed": failed}), encoding="utf-8")


def failed_tests(file: Path) -> list[str]:
    """Return the ids of the few tests that failed; none when there is more to the failure."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    failed: list[str] = kept["failed"]
    return failed if kept["exit"] == TEST_FAILED and len(failed) <= MOST else []


def run_again(file: Path, folder: Path) -> int:
    """Run them one after the other and return the exit code for CI.

    Args:
        file: what ``--failed`` wrote.
        folder: the project's.
    """
    failed = failed_tests(file)
    if not failed:
        print(f"again: expected a whole run with 1 to {MOST} failed tests; nothing is run again")
        return 1
    command = [sys.executable, "-m", "pytest", "--full", "--every", *failed]
    code = subprocess.run(command, cwd=folder, check=False).returncode
    if code == 0:
        for each in failed:
            print(f"PASSED ONLY AT THE SECOND TRY: {each}")
    return code


if __name__ == "__main__":
    sys.exit(run_again(Path(sys.argv[1]), Path.cwd()))
