"""Problems of a file, each with its path, in the order of the file.

Rules of this module:

- A path has one problem: the first one found there.
- A message repeats a value only when it cannot be a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from hour24.secrets.shapes import looks_secret, names_secret

KeyPath = tuple[str | int, ...]
BARE = re.compile(r"[A-Za-z0-9_-]+")
LONGEST = 60
"""Characters of a value in a message."""


class Problems:
    """Collects the problems of one file and of what it names."""

    def __init__(self, file: str, data: Any) -> None:
        self.file = file
        self._order = {key_path: number for number, (key_path, _) in enumerate(walk(data))}
        self._found: dict[KeyPath, str] = {}
        self._outside: list[str] = []

    def add(self, key_path: KeyPath, text: str) -> None:
        """Add a problem ``text`` (``expected X, got Y``) at ``key_path``."""
        self._found.setdefault(key_path, text)

    def add_outside(self, where: str, text: str) -> None:
        """Add a problem ``text`` at ``where``, outside the file."""
        self._outside.append(f"{where}: {text}")

    def at(self, *key_path: str | int) -> bool:
        """Return whether there is a problem at ``key_path``, above or below it."""
        return any(key_path[: len(at)] == at[: len(key_path)] for at in self._found)

    def lines(self) -> list[str]:
        """Return one line for each problem, in the order of the file."""
        ordered = sorted(self._found.items(), key=lambda item: self._position(item[0]))
        inside = [f"{self.file}: {format_path(key_path)}: {text}" for key_path, text in ordered]
        return [*inside, *self._outside]

    def _position(self, key_path: KeyPath) -> tuple[int, bool]:
        """Return the position of a path; a missing key comes after the last of its table."""
        if key_path in self._order:
            return self._order[key_path], False
        inside = [
            number for at, number in self._order.items() if at[: len(key_path) - 1] == key_path[:-1]
        ]
        return (max(inside) if inside and key_path[:-1] else len(self._order)), True


def walk(value: Any, key_path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every value of a document with its path, in its order."""
    yield key_path, value
    if isinstance(value, dict):
        for name, each in value.items():
            yield from walk(each, (*key_path, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from walk(each, (*key_path, number))


def format_path(key_path: KeyPath) -> str:
    """Return a path as in messages: ``contacts[1].reach``, the first entry of a list being 1."""
    text = ""
    for part in key_path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            dot = "." if text else ""
            text += dot + (part if BARE.fullmatch(part) else json.dumps(part))
    return text or "the file"


def quote_value(key_path: KeyPath, value: Any) -> str:
    """Return a value as a message may repeat it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    keys = [part for part in key_path if isinstance(part, str)]
    private = {"headers", "token_env", "dsn_env", "env", "prefix", "first_message"}.intersection(
        keys
    )
    if private or any(names_secret(key) for key in keys) or looks_secret(value):
        return "something else"
    return json.dumps(value if len(value) <= LONGEST else value[:LONGEST] + "...")
