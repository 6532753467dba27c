"""Writes the files of a user's own repository: all of them, or none.

Rules of this module:

- Each file is that of the clone, changed only where a clone and an installed hour24 differ.
- An existing file, or settings of pytest that pytest.ini would replace, refuse the whole command.
  Lines that .gitignore lacks are added to it.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from hour24.config.environment import ALERT_URLS, HEARTBEAT_URL
from hour24.config.first_message import variables_of
from hour24.errors import ConfigurationError
from hour24.shipped import IN_CLONE, TOP
from hour24.starter.origin import Origin

SETTINGS = "production.toml"
HEALTH = "schemas/health.schema.json"
REQUIREMENTS = "requirements.txt"
LOCK = "requirements.lock"
WORKFLOW = ".github/workflows/watch.yml"
PROBER = ".github/workflows/probe.yml"
WORKFLOWS = (WORKFLOW, PROBER)
ALWAYS = (ALERT_URLS, HEARTBEAT_URL)
"""Variables that hour24 reads although no production.toml names them."""
GIVEN = re.compile(r" +(?P<name>[A-Z][A-Z0-9_]*): \$\{\{ secrets\.(?P=name) \}\}")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
IGNORED = ("reports/", ".venv/", "__pycache__/")
PINNED = """\
# hour24, pinned to what `hour24 init` was installed from; requirements.lock has the rest.
# To upgrade: install another version, then `hour24 init --lock`.
{requirement}
"""
INSTALL = "          .venv/bin/pip install --quiet --disable-pip-version-check "


def shipped(name: str) -> str:
    """Return a file of the clone's top level, adapted to an installed hour24."""
    path = TOP / Path(name).name if name in WORKFLOWS and not IN_CLONE else TOP / name
    text = path.read_text(encoding="utf-8")
    if name not in (SETTINGS, *WORKFLOWS):
        return text
    text = text.replace(".venv/bin/python -m hour24 ", ".venv/bin/hour24 ")
    return text.replace("python -m hour24 ", "hour24 ")


def starter(origin: Origin, below: str = "") -> dict[str, str]:
    """Return path -> text of every file except the lock.

    Args:
        below: the folder's path inside its git repository; empty: its root.
    """
    files = {SETTINGS: shipped(SETTINGS), "pytest.ini": shipped("pytest.ini")}
    files |= {f"tests_prod/{p.name}": shipped(f"tests_prod/{p.name}") for p in criteria_tests()}
    files |= {name: shipped(name) for name in (HEALTH, "schemas/production.schema.json")}
    files[REQUIREMENTS] = PINNED.format(requirement=origin.requirement)
    files |= {name: workflow(name, below) for name in WORKFLOWS}
    return files


def with_secrets(workflow_text: str, settings: str, name: str = WORKFLOW) -> str:
    """Return a workflow that gives its step what this production.toml names, and no more.

    Args:
        name: of the workflow, for a refusal.

    Raises: ConfigurationError, when the workflow has no list, or production.toml cannot be read.
    """
    try:
        named = list(dict.fromkeys(_variables(tomllib.loads(settings))))
    except ValueError as problem:
        raise ConfigurationError([f"{SETTINGS}: expected TOML, got {problem}"]) from None
    if odd := [name for name in named if not VARIABLE.fullmatch(name)]:
        raise ConfigurationError(
            [f"{SETTINGS}: expected the name of a variable, got {name!r}" for name in odd]
        )
    lines = workflow_text.splitlines(keepends=True)
    listed = [n for n, line in enumerate(lines) if GIVEN.fullmatch(line.rstrip("\n"))]
    if not listed or listed != list(range(listed[0], listed[-1] + 1)):
        raise ConfigurationError(
            [f"{name}: expected one list of NAME: ${{{{ secrets.NAME }}}}, got none"]
        )
    given = [f"          {name}: ${{{{ secrets.{name} }}}}\n" for name in (*named, *ALWAYS)]
    return "".join([*lines[: listed[0]], *given, *lines[listed[-1] + 1 :]])


def _variables(value: object) -> Iterator[str]:
    """Yield the variables that are named.

    ``KEY_env = "NAME"``, ``{ env = "NAME" }``, ``first_message = "... ${NAME}"``.
    """
    if isinstance(value, list):
        for each in value:
            yield from _variables(each)
    if isinstance(value, dict):
        for key, each in value.items():
            if isinstance(each, str) and (key == "env" or key.endswith("_env")):
                yield each
            elif key == "first_message":
                yield from variables_of(each)
            else:
                yield from _variables(each)


def criteria_tests() -> list[Path]:
    """Return the test files of the criteria that come with hour24."""
    return sorted((TOP / "tests_prod").glob("test_*.py"))


def workflow(name: str, below: str = "") -> str:
    """Return a workflow for an installed hour24 in a folder of the repository."""
    text = shipped(name)
    old = f"{INSTALL}--no-deps --no-build-isolation -e .\n"  # a clone's own installation
    new = f"{INSTALL}--no-deps -r {REQUIREMENTS}\n"
    assert old in text
    text = text.replace(old, new)
    if not below:
        return text
    shell = "        shell: bash\n"
    text = text.replace(shell, f"{shell}        working-directory: {below}\n")
    for first in ("fetch the commit and the records", "start the probers that are missing"):
        step = f"      - name: {first}\n"
        text = text.replace(step, f"{step}        working-directory: .\n")
    for command in (
        "rm -rf reports",
        "add --quiet --detach reports",
        "-C reports",
        "mkdir .hour24-lines",
        "add --quiet --detach .hour24-lines",
        "-C .hour24-lines",
    ):
        *words, folder = command.split(" ")
        text = text.replace(command, " ".join([*words, f"{below}/{folder}"]))
    return text


def repository(folder: Path) -> Path | None:
    """Return the root of the git repository that this folder is in."""
    for each in (folder, *folder.parents):
        if (each / ".git").exists():
            return each
    return None


def conflicts(folder: Path, root: Path, names: Mapping[str, str]) -> Iterator[str]:
    """Yield why these files cannot be written: existing ones, and other settings of pytest."""
    for name in names:
        path = target_path(folder, root, name)
        if path.exists() or path.is_symlink():
            yield f"{path}: expected no such file, got one; nothing is overwritten"
    for other in _other_settings(folder):
        yield (
            f"{folder / other}: expected no settings of pytest, which {folder / 'pytest.ini'} "
            f"would replace, got some; choose a separate folder: hour24 init {folder / 'watch'}"
        )


def target_path(folder: Path, root: Path, name: str) -> Path:
    """Return the path of a file: a workflow at the repository's root, others in the folder."""
    return root / name if name in WORKFLOWS else folder / name


def write(folder: Path, root: Path, files: Mapping[str, str]) -> list[Path]:
    """Write the files, and the lines that .gitignore lacks. Returns: what was written.

    Raises: ConfigurationError, with every conflict; then nothing is written.
    """
    if problems := list(conflicts(folder, root, files)):
        raise ConfigurationError(problems)
    written = []
    for name, text in files.items():
        path = target_path(folder, root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:  # fails if it was created meanwhile
            file.write(text)
        written.append(path)
    ignore = folder / ".gitignore"
    before = ignore.read_text(encoding="utf-8") if ignore.exists() else ""
    lacking = [line for line in IGNORED if line not in before.splitlines()]
    if lacking:
        gap = "\n" if before and not before.endswith("\n") else ""
        ignore.write_text(f"{before}{gap}" + "\n".join(lacking) + "\n", encoding="utf-8")
        written.append(ignore)
    return written


def changed(folder: Path, names: list[str]) -> list[str]:
    """Return the uncommitted ones of these files, which replacing would lose."""
    there = [name for name in names if (folder / name).exists()]
    ran = subprocess.run(
        ["git", "-C", str(folder), "status", "--porcelain", "--ignored", "--", *there],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        return there
    return [line[3:] for line in ran.stdout.splitlines()]


def _other_settings(folder: Path) -> Iterator[str]:
    for name, table in (("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")):
        path = folder / name
        if path.is_file() and re.search(rf"^\[{table}\]", path.read_text("utf-8", "replace"), re.M):
            yield name
    for name in (".pytest.ini", "pytest.toml", ".pytest.toml"):
        if (folder / name).is_file():
            yield name
    try:
        settings = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return
    if "pytest" in settings.get("tool", {}):
        yield "pyproject.toml"
