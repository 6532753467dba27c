"""What follows from the kind of target that a watch was recorded with, for whoever reads it later.

A checkpoint that runs has its context (:mod:`hour24.targets`); a page, ``verify`` or a sign-off has
the ledger alone, and asks here for the one fact it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from hour24.text import one_line


class Kind(Struct, frozen=True, kw_only=True):
    """The facts of one kind of target.

    Args:
        banner: a word before every title; empty for a production.
        about: what was rehearsed: ``seed 7, fault memory_leak@6``; empty for a production.
        approvable: whether its watch may be signed off.
        lasting: whether its servers, addresses and production.toml outlast a checkpoint: only then
            is there something to ask, to probe or to roll back afterwards.
        steps_clock: whether its clock was set: its moments may go back, and a reader's "now" is the
            newest of them.
    """

    banner: str = ""
    about: str = ""
    approvable: bool = True
    lasting: bool = True
    steps_clock: bool = False

    @property
    def prefix(self) -> str:
        """What stands before a title: ``REHEARSAL `` or nothing."""
        return f"{self.banner} " if self.banner else ""


def kind_of(rehearsal: Mapping[str, Any] | None, target: str = "") -> Kind:
    """The kind of a watch.

    Args:
        rehearsal: seed and faults, as a ledger holds them; none for a production.
        target: as the ledger names it; one that says ``rehearsal`` is never approved.
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
