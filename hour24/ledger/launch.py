"""Whether the launch may go ahead, in one word.

Rules of this module:

- One function decides the word; pages, the terminal and alerts print it.
- GO needs an approved sign-off of a production. Before that a watch is ON TRACK, NOT YET or
  NO-GO.
- If nothing was measured the word is NOT YET.
- For a rehearsal the word follows REHEARSAL and is never GO.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from hour24.kind import Kind
from hour24.ledger.standings import Standing
from hour24.verdict import Outcome


class Word(StrEnum):
    """The answer to "may we launch?", the worst first."""

    NO_GO = "NO-GO"
    NOT_YET = "NOT YET"
    ON_TRACK = "ON TRACK"
    GO = "GO"


class Launch(Struct, frozen=True, kw_only=True):
    """The word, and what it counts.

    Args:
        failed: checks with an unwaived FAIL.
        unknown: checks that are INCONCLUSIVE, neither waived nor resolved.
        waived: checks that a person waived.
        banner: of the kind of target, printed before the word; empty for a production.
    """

    word: Word
    failed: int = 0
    unknown: int = 0
    waived: int = 0
    banner: str = ""

    @property
    def text(self) -> str:
        """``NO-GO``, ``REHEARSAL: ON TRACK``."""
        return f"{self.banner}: {self.word}" if self.banner else str(self.word)

    @property
    def because(self) -> str:
        """The counts behind the word."""
        counts = []
        if self.failed:
            counts.append(f"{_checks(self.failed)} failed")
        if self.unknown:
            counts.append(f"{_checks(self.unknown)} without a result")
        if self.waived:
            counts.append(f"{_checks(self.waived)} waived")
        if self.word in (Word.ON_TRACK, Word.GO):
            counts.insert(0, "nothing open")
        elif not counts:
            counts.append("nothing measured")
        return ", ".join(counts)


def launch(standings: Iterable[Standing], *, approved: bool, kind: Kind) -> Launch:
    """Return the word for these standings.

    Args:
        standings: of the checkpoints so far.
        approved: whether the ledger has a sign-off.
        kind: of the watch; GO needs an approvable one.
    """
    found = list(standings)
    failed = {s.id for s in found if s.is_open and s.outcome == Outcome.FAIL}
    unknown = {s.id for s in found if s.is_open} - failed
    waived = {s.id for s in found if s.waived_by} - failed - unknown
    measured = any(s.outcome in (Outcome.PASS, Outcome.FAIL) or s.waived_by for s in found)
    if failed:
        word = Word.NO_GO
    elif unknown or not measured:
        word = Word.NOT_YET
    else:
        word = Word.GO if approved and kind.approvable else Word.ON_TRACK
    return Launch(
        word=word,
        failed=len(failed),
        unknown=len(unknown),
        waived=len(waived),
        banner=kind.banner,
    )


def _checks(count: int) -> str:
    return "1 check" if count == 1 else f"{count} checks"
