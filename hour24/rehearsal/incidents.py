"""Kinds of errors in the scenario, as Sentry and the logs report them.

Rules of this room:

- A kind with ``first_h`` far before T0 is known already; the healthy scenario has only kinds that
  production.toml classifies as normal.
- A failed request, its Sentry event and its log line are the same event, reported three times.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from hour24.rehearsal import data


class Kind(Struct, frozen=True, kw_only=True):
    """A kind of error.

    Args:
        key: its name in the scenario.
        type, value: as in an exception; ``{n}`` becomes a number, ``{id}`` an id.
        culprit: where.
        level: Sentry's.
        status: HTTP status of the failed request; 0 when no request fails.
        line: the log line; empty when it leaves none.
        line_level: of that line.
        first_h: when Sentry first saw it, hours since T0; a fault's kind begins with its fault.
        unhandled: whether it is an unhandled exception.
        per_hour: how often it happens without failing a request.
        fault: the fault that causes it; empty: it always occurs.
    """

    key: str
    type: str
    value: str
    culprit: str
    level: str = "error"
    status: int = 0
    line: str = ""
    line_level: str = "error"
    first_h: float = -700.0
    unhandled: bool = False
    per_hour: float = 0.0
    fault: str = ""

    @property
    def title(self) -> str:
        return f"{self.type}: {self.value}"


KINDS: dict[str, Kind] = {
    kind.key: kind for kind in msgspec.convert(data.toml("incidents.toml")["kinds"], list[Kind])
}
"""Every kind by its key, from data/incidents.toml."""
LOG_ERRORS: tuple[str, ...] = tuple(data.toml("incidents.toml")["log_errors"])
"""ERROR lines of the fault ``log_errors``: each with a different pattern."""
