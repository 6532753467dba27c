"""A witness's counterpart in the rehearsal: the server that answers it, and how that can fail.

Rules of this module:

- The counterpart of witness NAME is the folder ``vendors/NAME``, whose ``__init__`` has the value
  ``COUNTERPART``. It is found by its folder; nothing else lists counterparts.
- That file imports nothing of the scenario, because the table of faults is built from it: its
  server is named as ``"module:name"`` and imported when a rehearsal starts.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct

FOLDER = Path(__file__).parent
WAYS = MappingProxyType(
    {
        "unreachable": "accepts no connection",
        "rate_limited": "answers 429 for the next hour",
        "malformed": "answers HTML, or JSON cut off in the middle",
        "empty": "answers with nothing in it",
        "slow": "answers after every timeout",
        "refused": "answers 401",
        "failing": "answers 503",
    }
)
"""The ways in which a server over HTTP fails; :mod:`hour24.rehearsal.vendors.web` acts them out."""


class Kind(Struct, frozen=True):
    """One row of the table of faults.

    Args:
        says: what happens, one line.
        lasts_h: hours until it ends by itself; None: it stays.
        witness: whether a witness fails and not the system.
    """

    says: str
    lasts_h: float | None = None
    witness: bool = False


class Counterpart(Struct, frozen=True, kw_only=True):
    """The rehearsal's counterpart of one witness.

    Args:
        title: what the faults call it.
        server: a subclass of :class:`hour24.rehearsal.vendors.part.Part`, as ``"module:name"``.
        ways: how it fails -> in words; each is a fault ``NAME_WAY``.
        no_ways: why it fails in none of :data:`WAYS`.
        faults: the faults that only it has.
        apart: why a rehearsal neither serves nor describes it, though tests do; empty: it does.
        rank: where its section is in production.toml: of two witnesses that provide a measure, the
            first in the file comes first in verdicts.
    """

    title: str
    server: str
    ways: Mapping[str, str] = WAYS
    no_ways: str = ""
    faults: Mapping[str, Kind] = {}
    apart: str = ""
    rank: int = 9

    def kinds(self, name: str) -> dict[str, Kind]:
        """Return its faults, those of the witness ``name``, as rows of the table."""
        if self.apart:
            return {}
        ways = {
            f"{name}_{way}": Kind(f"{self.title} {says}", None, True)
            for way, says in self.ways.items()
        }
        return ways | dict(self.faults)


@cache
def counterparts() -> dict[str, Counterpart]:
    """Return every counterpart by the name of its witness, in the order of their sections."""
    names = sorted(each.parent.name for each in FOLDER.glob("*/__init__.py"))
    found = {name: of(name) for name in names}
    return dict(sorted(found.items(), key=lambda one: (one[1].rank, one[0])))


def served() -> dict[str, Counterpart]:
    """Return those that a rehearsal serves and describes."""
    return {name: each for name, each in counterparts().items() if not each.apart}


def of(name: str) -> Counterpart:
    """Return the counterpart of a witness."""
    found = importlib.import_module(f"{__package__}.{name}").COUNTERPART
    assert isinstance(found, Counterpart)
    return found
