"""Every command that a page or the terminal prints, run as printed in a shell."""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path

import pytest

from hour24.incidents import of_record
from hour24.ledger.book import Ledger
from tests.played import ROOT, ran, rehearsed

FAULTS = ("restart@2", "error_spike@2", "memory_leak@0")
PLACEHOLDERS = {
    "ISSUE": "PLATFORM-API-3E06",
    "NAME": '"Mara Example"',
    "REASON": '"one outage, fixed"',
    "ROLE": '"tech lead"',
    "TIME": "2026-03-02T08:20:00Z",
    "DATE": "2099-12-05",
}
"""What a reader writes in place of each word in capitals."""
CODE = re.compile(r"<code[^>]*>((?:python -m hour24|pytest -m) [^<]*)</code>")
LINE = re.compile(r"((?:python -m hour24|pytest -m) [^\n`;()]*)")
LAST = "hour8"
"""The commands of later checkpoints have the same form."""


def printed(text: str) -> set[str]:
    """Return the commands in the output of a command."""
    return {found.strip() for found in LINE.findall(text)}


def filled(command: str) -> str:
    """Return a command with its placeholders filled in."""
    for word, value in PLACEHOLDERS.items():
        command = re.sub(rf'"?(?<![\w-]){word}(?![\w-])"?', value, command)
    return command


def test_each_printed_command_runs_as_printed(tmp_path: Path) -> None:
    """In a folder with a space in its name; what a command prints is run too."""
    reports = tmp_path / "my reports"
    made = rehearsed(reports, (0, 4), *FAULTS)
    assert made.returncode == 1, made.stdout
    for record in Ledger(reports / "w").records():  # through a pipe, nothing is cut
        for found in of_record(record):
            first, *more = found.findings
            whole = found.summary() if more or first.judged is None else first.judged.reason
            assert whole in made.stdout
    waiting = printed(made.stdout)
    for page in sorted((reports / "w").glob("*.html")):
        if not page.name.endswith(".pytest.html"):
            waiting |= {html.unescape(each) for each in CODE.findall(page.read_text("utf-8"))}
    names = {command.split()[2 if command.startswith("pytest") else 3] for command in waiting}
    assert {"hour4", "hour8", "classify", "declare", "verify"} <= names, waiting
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done: set[str] = set()
    while waiting - done:
        # a checkpoint last: an entry of a person that comes after it changes no record
        command = min(waiting - done, key=lambda each: (each.startswith("pytest"), each))
        done.add(command)
        ended = ran("/bin/sh", "-c", filled(command), folder=ROOT, PATH=path, COLUMNS="80")
        # 1 is a checkpoint that failed or a sign-off that is refused; 2 and 4 are refused options
        assert ended.returncode in (0, 1), (command, ended.returncode, ended.stdout[-1500:])
        found = printed(ended.stdout)
        waiting |= {each for each in found if not re.search(r"-m hour(12|16|20|24)\b", each)}
    assert any(command.startswith(f"pytest -m {LAST} ") for command in done)


README = sorted(
    {
        line.partition("  ")[0].partition(" #")[0].strip()
        for line in re.findall(
            r"^    ((?:python -m hour24|pytest -m) .*)$",
            (ROOT / "README.md").read_text("utf-8"),
            re.MULTILINE,
        )
    }
)


@pytest.mark.parametrize("command", README)
def test_each_command_of_the_readme_is_understood_as_printed(command: str, tmp_path: Path) -> None:
    """Without a production it fails for want of one, never because of its options."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    collected = command.startswith("pytest")
    ended = ran(
        "/bin/sh",
        "-c",
        f"{command} --collect-only -q" if collected else command,
        folder=ROOT if collected else tmp_path,
        PATH=path,
        PYTHONPATH=str(ROOT),
    )
    assert "no such option" not in ended.stdout.lower(), ended.stdout
    assert "expected no other arguments" not in ended.stdout, ended.stdout
    assert "expected COMMAND" not in ended.stdout, ended.stdout
    assert "Traceback" not in ended.stdout, ended.stdout
    assert ended.returncode == (0 if collected else 4), ended.stdout


def test_the_readme_prints_the_commands_of_a_watch() -> None:
    names = {command.split()[3] for command in README if command.startswith("python")}
    assert {"doctor", "watch", "probe", "signoff"} <= names
