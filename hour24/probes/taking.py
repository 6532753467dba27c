"""Takes the lines of other machines' probers into a watch.

Rules of this module:

- A prober's file only grows: one that is here already must be the beginning of the one taken, or
  go on after it. Anything else is refused, and what is here stays.
- What was quarantined here is not taken again, nor is a file that is a link.
- A watch with a sign-off takes nothing: its files are part of what was approved.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hour24.disk import replace_file
from hour24.quarantine import SUFFIX

FOLDERS = ("", "alarms", "due")
"""Folders of a prober's files, below ``probe``."""


class Taken(NamedTuple):
    """What was taken.

    Args:
        lines: how many are new here.
        refused: why files were not taken.
    """

    files: int
    lines: int
    refused: tuple[str, ...]


def take(published: Path, folder: Path) -> Taken:
    """Take the lines published for one watch.

    Args:
        published: the folder that :class:`hour24.prober.outbox.Outbox` wrote, of this watch.
        folder: ``reports/<watch>/probe``.

    Raises: OSError, if a file cannot be read or written.
    """
    files, lines, refused = 0, 0, []
    for source, target in _pairs(published, folder):
        where = f"{published.parent.name}/{published.name}/{source.relative_to(published)}"
        if _is_linked(source, published):
            refused.append(f"{where}: expected a file, got a link")
            continue
        if target.with_name(target.name + SUFFIX).exists():
            refused.append(f"{where}: expected no file that was quarantined here, got one")
            continue
        new = source.read_bytes()
        old = target.read_bytes() if target.exists() else b""
        if old.startswith(new):
            continue
        if not new.startswith(old):
            refused.append(f"{where}: expected the lines that are here and later ones, got others")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, new)
        files += 1
        lines += new.count(b"\n") - old.count(b"\n")
    return Taken(files, lines, tuple(refused))


def _pairs(published: Path, folder: Path) -> Iterator[tuple[Path, Path]]:
    for name in FOLDERS:
        for source in sorted((published / name).glob("*.jsonl")):
            yield source, folder / name / source.name


def _is_linked(path: Path, top: Path) -> bool:
    within = [path, *[each for each in path.parents if each.is_relative_to(top)]]
    return any(each.is_symlink() for each in within)
