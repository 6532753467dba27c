"""init: what a user's own repository needs, written into it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from hour24.commands import say
from hour24.errors import ConfigurationError
from hour24.shipped import COMMAND
from hour24.starter import files
from hour24.starter.lock import NoLock, lock
from hour24.starter.origin import Origin, origin

NEXT = (
    "doctor               names every CHANGE-ME with its line, then tries each address",
    "rehearse             runs a whole watch on an embedded production",
)


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "init",
        help="write what your own repository needs, to watch your service from there",
        description="Writes production.toml, pytest.ini, tests_prod/ (the criteria), schemas/, "
        "requirements.txt with hour24 pinned to what it was itself installed from, "
        "requirements.lock with the hashes of every package, and a workflow. It overwrites "
        "nothing: if one of them is there, it writes none and says which.",
        epilog="Examples: hour24 init\n"
        "          hour24 init watch --name shop --url https://shop.example.org\n"
        "          hour24 init --lock",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(), metavar="FOLDER", help="default: this one"
    )
    parser.add_argument("--name", default="", help="what people call the service")
    parser.add_argument("--url", default="", help="its base address")
    parser.add_argument("--no-lock", action="store_true", help="leave requirements.lock out")
    parser.add_argument(
        "--lock",
        action="store_true",
        help="after an upgrade: write the pin, the lock and the shipped tests_prod/ again, "
        "if git holds what is there",
    )
    parser.set_defaults(run=init)


def init(options: argparse.Namespace) -> int:
    """Write the files, or refuse with every reason."""
    folder: Path = options.folder
    pinned = origin()
    if options.lock:
        return _again(folder, pinned)
    root = files.repository(folder.resolve()) or folder
    below = folder.resolve().relative_to(root).as_posix() if root != folder else "."
    written = files.starter(pinned, "" if below == "." else below)
    wanted = {**written, files.LOCK: ""}
    if problems := list(files.conflicts(folder, root, wanted)):
        raise ConfigurationError(problems)  # before anything is asked
    written[files.SETTINGS] = _filled(written[files.SETTINGS], options)
    if not options.no_lock:
        written |= _locked(pinned)
    for path in files.write(folder, root, written):
        say.line(f"wrote {os.path.relpath(path)}")
    if pinned.local:
        say.line(
            f"note: {files.REQUIREMENTS} names {pinned.address}, which only this machine has; for "
            "others and for CI, install hour24 from an address they can reach and run "
            f"`{COMMAND} init --lock`",
            "yellow",
        )
    _next(folder)
    return 0


def _next(folder: Path) -> None:
    where = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    say.line("next:", "bold")
    for command in NEXT:
        say.line(f"  {where}{COMMAND} {command}", "bold")
    say.line(f"  {where}pytest -m hour8 --collect-only -q   lists what is due at hour 8", "bold")


def _locked(pinned: Origin) -> dict[str, str]:
    """The lock; none, with one line that says why and how to make it, where pip refuses."""
    say.line("asking pip for the hashes of every package, which takes a minute", "dim")
    try:
        return {files.LOCK: lock(pinned)}
    except NoLock as problem:
        say.problem(f"{files.LOCK} is left out: {problem}; to make it: {COMMAND} init --lock")
        return {}


def _again(folder: Path, pinned: Origin) -> int:
    """Write what an upgrade changes; production.toml and the workflow are the user's."""
    shipped = files.starter(pinned)
    names = [n for n in shipped if n == files.REQUIREMENTS or n.startswith("tests_prod/")]
    if not (folder / files.SETTINGS).is_file():
        raise ConfigurationError([f"{folder}: expected what `init` wrote, got no production.toml"])
    if unsaved := files.changed(folder, [*names, files.LOCK]):
        raise ConfigurationError(
            [f"{folder / name}: expected it committed in git, got changes" for name in unsaved]
        )
    new = {name: shipped[name] for name in names} | {files.LOCK: lock(pinned)}
    for name, text in new.items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            say.line(f"wrote {os.path.relpath(path)}")
    return 0


def _filled(text: str, options: argparse.Namespace) -> str:
    """production.toml with the name and address that were given, or typed into a terminal."""
    name, url = options.name, options.url
    if sys.stdin.isatty() and sys.stdout.isatty():
        name = name or input("Name of the service (Enter: fill it in later): ").strip()
        url = url or input("Its base address (Enter: fill it in later): ").strip()
    for line, value in (
        ('name = "voice-backend"', name),
        ('url = "https://CHANGE-ME.onrender.com"', url),
    ):
        if value:
            key = line.partition(" = ")[0]
            text = text.replace(line, f"{key} = {json.dumps(value, ensure_ascii=True)}", 1)
    return text
