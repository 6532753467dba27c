"""What runs a watch where there is no GitHub: the systemd unit, the crontab, the Containerfile."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

from hour24.commands.line import COMMANDS

ROOT = Path(__file__).parents[1]
RUNNING = ROOT / "docs" / "examples" / "running"


def test_the_unit_starts_a_watch_and_goes_on_after_a_kill() -> None:
    """Not after a refusal, which a person must read; a stop leaves time for a record."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(RUNNING / "hour24-watch.service")
    service = unit["Service"]
    assert service["ExecStart"].split()[1:] == ["watch", "--reports", "/var/lib/hour24/reports"]
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"] == "4"
    assert service["ReadWritePaths"] in service["ExecStart"].split()[-1]
    assert int(service["TimeoutStopSec"]) >= 60


def test_systemd_finds_nothing_wrong_with_the_unit(systemd_analyze: None, tmp_path: Path) -> None:
    """Every key is known to it."""
    text = (RUNNING / "hour24-watch.service").read_text("utf-8")
    path = tmp_path / "hour24-watch.service"
    path.write_text(text.replace("/opt/hour24/bin/hour24", sys.executable), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
    )
    as_answer = [line for line in done.stderr.splitlines() if path.name in line]
    assert as_answer == []


def test_the_crontab_runs_what_is_due_and_nothing_else(tmp_path: Path) -> None:
    """Its line by sh, with commands that say how they were called."""
    lines = (RUNNING / "hour24.crontab").read_text("utf-8").splitlines()
    (job,) = [line for line in lines if line.startswith("* * * * * ")]
    command = job.removeprefix("* * * * * ")
    command = command.replace("/etc/hour24", str(tmp_path)).replace(
        "/var/lib/hour24", str(tmp_path)
    )
    (tmp_path / "secrets.sh").write_text("export TOKEN=x\n", "utf-8")
    for name, text in (("hour24", "cat due"), ("pytest", 'echo "$@"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n", "utf-8")
        (tmp_path / name).chmod(0o755)
    for due, expected in (("8\n", "-q --once -m hour8\n"), ("", "")):
        (tmp_path / "due").write_text(due, "utf-8")
        (tmp_path / "cron.log").unlink(missing_ok=True)
        subprocess.run(
            ["/bin/sh", "-c", command],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
            check=False,
            timeout=20,
        )
        log = tmp_path / "cron.log"
        assert (log.read_text("utf-8") if log.exists() else "") == expected


def test_every_command_that_the_files_name_exists() -> None:
    """``hour24 watch``, ``hour24 due``, ``hour24 probe``."""
    for path in RUNNING.iterdir():
        text = path.read_text("utf-8")
        named = set(re.findall(r"bin/hour24 (\w+)|[`&] ?hour24 (\w+)|\"hour24\", \"(\w+)\"", text))
        for words in named:
            (word,) = filter(None, words)
            assert word in COMMANDS, (path.name, word)
    assert shutil.which("sh")
