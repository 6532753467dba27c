"""The properties of a watch that depend on its kind of target, read from its ledger.

A running checkpoint has its context (:mod:`hour24.targets`); a page, ``verify`` or a sign-off has
only the ledger, and reads these properties here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from hour24.text import one_line


class Kind(Struct, frozen=True, kw_only=True):
    """The properties of one kind of target.

    Args:
        banner: a word before every title; empty for a production.
        about: what was rehearsed: ``seed 7, fault memory_leak@6``; empty for a production.
        approvable: whether its watch may be signed off.
        lasting: whether its servers, addresses and production.toml still exist after a checkpoint;
            only then can they be queried, probed or rolled back.
        steps_clock: whether its clock was set: its timestamps may go back, and a reader's "now" is
            the newest of them.
    """

    banner: str = ""
    about: str = ""
    approvable: bool = True
    lasting: bool = True
    steps_clock: bool = False

    @property
    def prefix(self) -> str:
        """Prefix of a title: ``REHEARSAL `` or nothing."""
        return f"{self.banner} " if self.banner else ""


def kind_of(rehearsal: Mapping[str, Any] | None, target: str = "") -> Kind:
    """Returns the kind of a watch.

    Args:
        rehearsal: seed and faults from the ledger; None for a production.
        target: the target's name in the ledger; ``rehearsal`` is never approved.
    """
    if rehearsal is None:
        return Kind(approvable=target != "rehearsal")
    faults = [one_line(str(fault), 80) for fault in rehearsal.get("faults") or ()]
    many = f"fault{'s' if len(faults) > 1 else ''} {', '.join(faults)}" if faults else "no fault"
    return Kind(
        banner="REHEARSAL",
        about=f"seed {one_line(str(rehearsal.get('seed', '?')), 20)}, {many}",
        approvable=False,
        lasting=False,
        steps_clock=True,
    )
