"""The type of a secret."""

from __future__ import annotations

from typing import Any


class Secret:
    """A value that does not print or pickle; only :meth:`reveal` returns it."""

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return f"<secret {self.name}>"

    __str__ = __repr__

    def __reduce__(self) -> Any:
        raise TypeError(f"secret {self.name}: expected never to be pickled")
