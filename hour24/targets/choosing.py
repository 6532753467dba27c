"""Selects the target that the command line names, and makes its context."""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from typing import cast

from hour24.errors import ConfigurationError
from hour24.targets.context import Context, Target
from hour24.targets.request import DAILY, Request
from hour24.text import cut
from hour24.watch import NAME

BY_NAME = {"rehearsal": "hour24.targets.rehearsal"}
"""``--target`` -> its module, imported only when named; any other name is a production.toml."""
LONGEST = 80


def find_target(name: str) -> Target:
    """Returns the module of the target with this name."""
    module = BY_NAME.get(name, "hour24.targets.production")
    return cast("Target", importlib.import_module(module))


def open_context(request: Request, resources: ExitStack) -> Context:
    """Returns the context that the command line asks for.

    Args:
        resources: collects what must be released at the end.
    Raises: ConfigurationError; no watch has been opened then.
    """
    if request.watch and not NAME.fullmatch(request.watch):
        raise ConfigurationError(
            [
                "--watch: expected a name such as launch-1 (small letters, digits, dots, - and _, "
                f"at most 64), got {cut(request.watch, LONGEST)!r}"
            ]
        )
    if request.follows and request.hour != 0:
        raise ConfigurationError(
            [f"--follows: expected it with hour 0, which opens a watch, got hour {request.hour}"]
        )
    if request.marker == DAILY:
        from hour24.targets import daily

        return daily.open_context(request, find_target(request.target), resources)
    return find_target(request.target).open_context(request, resources)
