"""Every command that a production prints, run as printed: pages, terminal, alerts, CI summary."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.answering import Answer, Server
from tests.outside import Outside
from tests.played import ROOT, ran
from tests.test_printed import CODE, filled, printed

FAULTS = ("bad_deploy@1", "error_spike@2")
REFUSED = {2, 4}
"""Exit codes of options and arguments that are not understood, or of a target that is not."""
WAITS_S = 150


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a production")


@pytest.fixture(scope="module")
def hook() -> Iterator[Server]:
    """Where alerts arrive."""
    server = Server(Answer(body=b"OK"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def production(folder: Path, hook: Server) -> Iterator[Outside]:
    """A production that gets a faulty deploy; its watch prints what to do."""
    alerts = f"json://127.0.0.1:{hook.port}/hook"
    made = Outside(folder, *FAULTS, HOUR24_ALERT_URLS=alerts)
    yield made
    made.close()


def commands_of(text: str) -> set[str]:
    """The commands in Markdown or plain text."""
    return printed(text.replace("\\", ""))


@pytest.fixture(scope="module")
def shown(production: Outside, hook: Server, folder: Path) -> dict[str, set[str]]:
    """Where a command was printed, and the commands."""
    reports = folder / "my reports"
    found: dict[str, set[str]] = {"terminal": set()}
    for hour in (0, 4):
        record, done = production.checkpoint(reports, hour)
        assert record.hour == hour, done.stdout
        found["terminal"] |= commands_of(done.stdout)
    production.at(4.1)
    asked = production.hour24("summary", "w", "--reports", reports)
    assert asked.returncode == 0, asked.stdout
    found["summary"] = commands_of(asked.stdout)
    refused = production.hour24(
        "signoff", reports / "w", "--by", "Mara Lind", "--role", "tech lead"
    )
    assert refused.returncode == 1, refused.stdout
    found["sign-off"] = commands_of(refused.stdout)
    bodies = [json.loads(each.body) for each in hook.asked if each.method == "POST"]
    assert bodies, "no alert was sent"
    texts = [f"{each['title']}\n{each['message']}" for each in bodies]
    found["alerts"] = commands_of("\n".join(texts))
    for page in sorted((reports / "w").glob("*.html")):
        if not page.name.endswith(".pytest.html"):
            codes = CODE.findall(page.read_text("utf-8"))
            found[page.name] = {html.unescape(each).strip() for each in codes}
    return found


def test_a_production_prints_commands_everywhere(shown: dict[str, set[str]]) -> None:
    """Otherwise the next test would run none of them."""
    everywhere = set().union(*shown.values())
    names = {each.split()[3] for each in everywhere if each.startswith("python")}
    assert {"rollback", "waive", "verify", "probe", "declare", "classify", "summary"} <= names
    for where in ("terminal", "index.html", "hour04.a1.html", "signoff.html"):
        assert shown[where], where


def test_each_command_of_a_production_is_understood_as_printed(
    production: Outside, shown: dict[str, set[str]], folder: Path
) -> None:
    """Each runs in a shell with its own folder, target and watch; only the clock is ours."""
    tools = folder / "tools"
    tools.mkdir()
    for name, skipped in (("python", "shift 2; set -- hour24"), ("pytest", "set -- pytest")):
        script = f'#!/bin/sh\n{skipped} "$@"\nexec {sys.executable} -m tests.outside '
        script += f'{production.served.control} "$NOW" "$@"\n'
        (tools / name).write_text(script, "utf-8")
        (tools / name).chmod(0o755)
    # a command once, whatever the order of its options; of the checkpoints the next one
    forms = {
        tuple(sorted(re.sub(r"-m hour\d+", "-m hour8", each).split())): (each, where)
        for where, many in shown.items()
        for each in many
    }
    # a rollback and a checkpoint last: entries of a person that come after them change no record
    for command, where in sorted(
        forms.values(), key=lambda one: ("--yes" in one[0], one[0][:6] == "pytest", one[0])
    ):
        hour = 8.0 if "-m hour8" in command else 4.3
        now = production.at(hour)
        variables = {
            **production.variables,
            "PATH": f"{tools}:{Path(sys.executable).parent}:/usr/bin:/bin",
            "NOW": now.isoformat(),
            "PYTHONUNBUFFERED": "1",
        }
        if " probe " in command:
            assert_probes(command, variables)
            continue
        # tests/test_printed.py runs checkpoints; here their options are what matters
        typed = filled(command) + (" --collect-only -q" if command.startswith("pytest") else "")
        ended = ran("/bin/sh", "-c", typed, folder=ROOT, **variables)
        assert ended.returncode not in REFUSED, (where, command, ended.stdout[-1500:])
        assert "Traceback" not in ended.stdout, (where, command, ended.stdout[-1500:])


def assert_probes(command: str, variables: dict[str, str]) -> None:
    """Start a prober, and stop it once it says what it does."""
    started = subprocess.Popen(
        ["/bin/sh", "-c", f"exec {filled(command)}"],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    stop = threading.Timer(WAITS_S, started.kill)
    stop.start()
    try:
        assert started.stdout is not None
        first = started.stdout.readline()
        assert first, command
        assert not re.match("(hour24|Usage|Traceback)\\b", first), (command, first)
    finally:
        stop.cancel()
        started.kill()
        started.communicate()
