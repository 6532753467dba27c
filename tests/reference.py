"""docs/REFERENCE.md, written from the help of the command line and of the pytest plugin.

``make reference`` writes it; tests/test_docs.py compares it with what is there.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import click

from hour24 import plugin
from hour24.commands.line import GROUPS, WIDEST, command_line
from hour24.shipped import COMMAND

PATH = Path(__file__).parents[1] / "docs" / "REFERENCE.md"
HEAD = """# Reference

Written by `make reference` from the programs' own help; do not edit.

- [Options of pytest](#options-of-pytest)
- [Exit codes](#exit-codes)
- [Files of a watch](#files-of-a-watch)
- [Environment variables](#environment-variables)
- [Commands](#commands)

The options and limits of production.toml are described in
[schemas/production.schema.json](../schemas/production.schema.json); each code of a verdict in
[RUNBOOK.md](RUNBOOK.md).
"""
EXITS = """## Exit codes

| code | pytest and commands |
|---|---|
| 0 | PASS; a command did what it was asked |
| 1 | FAIL; refused |
| 2 to 6 | pytest's own; 4: the command line or production.toml cannot be used |
| 10 | INCONCLUSIVE |
| 11 | the hard time limit was reached |
| 12 | a record could not be written, or a secret was found in a file |
| 13 | another run is recording this checkpoint |
| 14 | `verify`: the ledger is intact, and today's judges decide some verdicts otherwise |

`make` turns every code but 0 into 2.
"""
FILES = """## Files of a watch

| file | what it is |
|---|---|
| `reports/WATCH/hour08.a1.json` | the record: verdicts, with the evidence and limits they rest on |
| `reports/WATCH/hour08.a1.html` | the page that people sign: one file, no JavaScript |
| `reports/WATCH/hour08.a1.pytest.html`, `.xml` | pytest-html's report, JUnit |
| `reports/WATCH/probe/*.jsonl`, `probe/alarms/`, `probe/due/` | the prober's minutes, its alarms, and what it asked when a checkpoint was due |
| `reports/WATCH/index.html`, `signoff.html` | the watch as a grid with its trends; the sign-off |
| `reports/WATCH/files.1.json` | the SHA-256 of these files, of journals and of the prober's files |
"""  # noqa: E501
VARIABLES = """## Environment variables

| variable | what it does |
|---|---|
| `HOUR24_ALERT_URLS` | [apprise](https://github.com/caronc/apprise) addresses, separated by blanks, to which decisions and broken rules are sent: [alerts.md](alerts.md) |
| `HOUR24_HEARTBEAT_URL` | address of a dead man's switch that notices when the watch itself stops |
| `HOUR24_SETUP=no` | `make test` installs no Debian packages |

Secrets come from the variables that production.toml names.
"""  # noqa: E501


def options() -> str:
    """The options that the plugin adds to pytest, as a table; the internal ones are left out."""
    found: list[tuple[str, dict[str, Any]]] = []
    parser = SimpleNamespace(
        getgroup=lambda *_: SimpleNamespace(
            addoption=lambda name, **said: found.append((name, said))
        ),
        addini=lambda *_, **__: None,
    )
    with mock.patch.object(plugin, "load_needed"):
        plugin.pytest_addoption(parser, mock.Mock())  # type: ignore[arg-type]
    rows = ["## Options of pytest", "", "`pytest -m hour8 OPTION`", "", "| option | |", "|---|---|"]
    for name, said in found:
        metavar = said.get("metavar", "FILE" if name == "--target" else "")
        help_text = str(said.get("help", ""))
        if help_text != "==SUPPRESS==":
            rows.append(f"| `{f'{name} {metavar}'.strip()}` | {help_text} |")
    rows += [
        "",
        "Hour 0 opens a watch. A later hour opens one only with `--t0`, or if a rehearsal has none",
        "open; it then has no baseline, and comparisons with hour 0 are INCONCLUSIVE.",
    ]
    return "\n".join(rows) + "\n"


def commands() -> str:
    """The help of every command, by its group."""
    line = command_line()
    outer = click.Context(line, info_name=COMMAND, **line.context_settings)
    parts = ["## Commands\n"]
    for group, rooms in GROUPS.items():
        parts.append(f"### {group}\n")
        for name in rooms:
            command = line.get_command(outer, name)
            assert command is not None
            context = click.Context(
                command,
                info_name=name,
                parent=outer,
                max_content_width=WIDEST,
                terminal_width=WIDEST,
            )
            parts.append(f"#### {name}\n\n```\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


def text() -> str:
    """The whole page."""
    return "\n".join([HEAD, options(), EXITS, FILES, VARIABLES, commands()])


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
