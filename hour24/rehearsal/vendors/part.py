"""The server of a counterpart, and what the rehearsal needs from it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from hour24.rehearsal.vendors.counterpart import Counterpart
from hour24.rehearsal.world import World

Section = Mapping[str, Any] | list[dict[str, Any]]
"""A section of production.toml: one table, or a list of tables."""


class Part:
    """One server of a rehearsal; subclasses say their section."""

    def __init__(self, world: World) -> None:
        self.world = world

    def section(self) -> Section:
        """Return its section of production.toml; secrets are named, never written."""
        raise NotImplementedError

    def environ(self) -> dict[str, str]:
        """Return the variables of the environment that its section names."""
        return {}

    def apply(self) -> None:
        """Put the scenario's present state into effect, if answering requests is not enough."""

    def stop(self) -> None:
        """End what would outlive the process."""


def server_of(counterpart: Counterpart) -> type[Part]:
    """Import and return the class of its server."""
    module, _, name = counterpart.server.partition(":")
    found: type[Part] = getattr(importlib.import_module(module), name)
    return found
