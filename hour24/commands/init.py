"""init: writes what a user's own repository needs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from hour24.commands import say
from hour24.commands.line import command
from hour24.errors import ConfigurationError
from hour24.shipped import COMMAND
from hour24.starter import files
from hour24.starter.lock import NoLock, lock
from hour24.starter.origin import Origin, origin

NEXT = (
    "doctor               lists every CHANGE-ME with its line, then tries each address",
    "rehearse             runs a whole watch on an embedded production",
)


@command(
    "Writes production.toml, pytest.ini, tests_prod/ (the criteria), schemas/, requirements.txt "
    "with hour24 pinned to what it was installed from, requirements.lock with the hashes "
    "of every package, and two workflows. It overwrites nothing: if one of them is there, it "
    "writes none and says which. With --from it reads a running service by GET requests, at most "
    "two a second (health document, OpenAPI, /metrics), and disables every criterion that no "
    "source provides, with the reason.",
    "",
    "watch --name shop --url https://shop.example.org",
    "--from https://shop.example.org/healthz",
    "--lock",
    "--workflow",
)
@click.argument(
    "folder",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="[FOLDER]",
    help="where to write (default: this folder)",
)
@click.option("--name", default="", metavar="NAME", help="name of the service")
@click.option("--url", default="", metavar="URL", help="its base address")
@click.option("--from", "source", default="", metavar="URL", help="a running service to read")
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: PREFIX $VARIABLE'",
    help="sent with --from; production.toml names the variable, never its value",
)
@click.option("--no-lock", is_flag=True, help="do not write requirements.lock")
@click.option(
    "--lock",
    "again",
    is_flag=True,
    help="after an upgrade: write the pin, the lock and the shipped tests_prod/ again, if the "
    "old ones are committed",
)
@click.option(
    "--workflow",
    "listing",
    is_flag=True,
    help="after a change of production.toml: list the secrets it names in the workflows again",
)
def init(
    folder: Path,
    name: str,
    url: str,
    source: str,
    headers: tuple[str, ...],
    no_lock: bool,
    again: bool,
    listing: bool,
) -> int:
    """Write the files, or list every reason against it."""
    if listing:
        return _list_secrets(folder)
    pinned = origin()
    if again:
        return _again(folder, pinned)
    root = files.repository(folder.resolve()) or folder
    below = folder.resolve().relative_to(root).as_posix() if root != folder else "."
    written = files.starter(pinned, "" if below == "." else below)
    wanted = {**written, files.LOCK: ""}
    if problems := list(files.conflicts(folder, root, wanted)):
        raise ConfigurationError(problems)  # before any request is made
    if source:
        written |= _read(source, name, headers)
    else:
        written[files.SETTINGS] = _fill_in(written[files.SETTINGS], name, url)
    for each in files.WORKFLOWS:
        written[each] = files.with_secrets(written[each], written[files.SETTINGS], each)
    if not no_lock:
        written |= _lock(pinned)
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
    for example in NEXT:
        say.line(f"  {where}{COMMAND} {example}", "bold")
    say.line(f"  {where}pytest -m hour8 --collect-only -q   lists what is due at hour 8", "bold")


def _lock(pinned: Origin) -> dict[str, str]:
    """Return the lock; none when pip fails, with one line that says how to make it later."""
    say.line("asking pip for the hashes of every package, which takes a minute", "dim")
    try:
        return {files.LOCK: lock(pinned)}
    except NoLock as problem:
        say.problem(f"{files.LOCK} is left out: {problem}; to make it: {COMMAND} init --lock")
        return {}


def _read(source: str, name: str, stated: tuple[str, ...]) -> dict[str, str]:
    """Return production.toml and the health schema of a running service."""
    from hour24.starter.service import read
    from hour24.starter.settings import header, settings

    headers, sent = {}, {}
    for text in stated:
        try:
            title, prefix, variable = header(text)
        except ValueError as problem:
            raise ConfigurationError([f"--header: {problem}"]) from None
        if not os.environ.get(variable):
            raise ConfigurationError([f"--header: expected {variable} to be set, got nothing"])
        headers[title] = (prefix, variable)
        sent[title] = prefix + os.environ[variable]
    service = read(source, sent, say.line)
    return {
        files.SETTINGS: settings(service, name, headers),
        files.HEALTH: json.dumps(service.schema, indent=2) + "\n",
    }


def _again(folder: Path, pinned: Origin) -> int:
    """Write what an upgrade changes; production.toml and the workflows stay as they are."""
    shipped = files.starter(pinned)
    names = [n for n in shipped if n == files.REQUIREMENTS or n.startswith("tests_prod/")]
    if not (folder / files.SETTINGS).is_file():
        raise ConfigurationError(
            [f"{folder}: expected the files that `init` wrote, got no production.toml"]
        )
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


def _list_secrets(folder: Path) -> int:
    """Give the workflows' steps the secrets that production.toml names now."""
    root = files.repository(folder.resolve()) or folder
    settings = folder / files.SETTINGS
    paths = {name: files.target_path(folder, root, name) for name in files.WORKFLOWS}
    for each in (paths[files.WORKFLOW], settings):
        if not each.is_file():
            raise ConfigurationError([f"{each}: expected the file that `init` wrote, got none"])
    for name, path in paths.items():
        if not path.is_file():  # a repository from before it, or with a prober elsewhere
            continue
        before = path.read_text("utf-8")
        text = files.with_secrets(before, settings.read_text("utf-8"), name)
        if text == before:
            say.line(f"{os.path.relpath(path)}: lists them already")
        else:
            path.write_text(text, encoding="utf-8")
            say.line(f"wrote {os.path.relpath(path)}")
    return 0


def _fill_in(text: str, name: str, url: str) -> str:
    """Return production.toml with the name and address given as options or typed in."""
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
