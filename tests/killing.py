"""A pytest plugin that kills its run at one call: ``KILL_AT=hour24.ledger.files:enter``.

``KILL_AFTER`` instead kills it when that call has returned.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
from typing import Any

from _pytest.config import hookimpl


@hookimpl(tryfirst=True)
def pytest_collection() -> None:
    for variable in ("KILL_AT", "KILL_AFTER"):
        if named := os.environ.get(variable):
            module, _, path = named.partition(":")
            *owners, name = path.split(".")
            owner: Any = functools.reduce(getattr, owners, importlib.import_module(module))
            setattr(owner, name, _deadly(getattr(owner, name), variable == "KILL_AFTER"))


def _deadly(call: Any, after: bool) -> Any:
    @functools.wraps(call)
    def killed(*arguments: Any, **options: Any) -> None:
        if after:
            call(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    return killed
