"""Problems of a file, each with its place, told in the file's own order.

Rules of this module:

- One place has one problem: the first one found there is told.
- A value is repeated in a message only when it cannot be a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from hour24.secrets.shapes import looks_secret, names_secret

Place = tuple[str | int, ...]
BARE = re.compile(r"[A-Za-z0-9_-]+")
LONGEST = 60


class Problems:
    """What is wrong with one file, and with what it names, as it is found."""

    def __init__(self, file: str, data: Any) -> None:
        self.file = file
        self._order = {place: number for number, (place, _) in enumerate(walked(data))}
        self._found: dict[Place, str] = {}
        self._outside: list[str] = []

    def add(self, place: Place, text: str) -> None:
        """Note that ``text`` (``expected X, got Y``) holds at ``place``."""
        self._found.setdefault(place, text)

    def add_outside(self, where: str, text: str) -> None:
        """Note that ``text`` holds at ``where``, which is no place in the file."""
        self._outside.append(f"{where}: {text}")

    def at(self, *place: str | int) -> bool:
        """Whether something at ``place``, above or below it, is wrong already."""
        return any(place[: len(at)] == at[: len(place)] for at in self._found)

    def lines(self) -> list[str]:
        """One line each, in the order of the file."""
        ordered = sorted(self._found.items(), key=lambda item: self._position(item[0]))
        inside = [f"{self.file}: {named(place)}: {text}" for place, text in ordered]
        return [*inside, *self._outside]

    def _position(self, place: Place) -> tuple[int, bool]:
        """Where a place stands; what is missing stands after the last of its table."""
        if place in self._order:
            return self._order[place], False
        inside = [
            number for at, number in self._order.items() if at[: len(place) - 1] == place[:-1]
        ]
        return (max(inside) if inside and place[:-1] else len(self._order)), True


def walked(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value of a document with its place, in its order."""
    yield place, value
    if isinstance(value, dict):
        for name, each in value.items():
            yield from walked(each, (*place, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from walked(each, (*place, number))


def named(place: Place) -> str:
    """A place as people read it: ``contacts[1].reach``, the first entry of a list being 1."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            dot = "." if text else ""
            text += dot + (part if BARE.fullmatch(part) else json.dumps(part))
    return text or "the file"


def told(place: Place, value: Any) -> str:
    """A value as a message may repeat it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    keys = [part for part in place if isinstance(part, str)]
    private = {"headers", "token_env", "dsn_env", "env", "prefix"}.intersection(keys)
    if private or any(names_secret(key) for key in keys) or looks_secret(value):
        return "something else"
    return json.dumps(value if len(value) <= LONGEST else value[:LONGEST] + "...")
