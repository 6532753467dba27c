"""The exceptions of hour24: configuration, ledger and source errors.

Rules of this module:

- A message reads ``where: what: expected X, got Y``: lower case, no full stop, no secret.
- A source without an answer raises a :class:`SourceError`; its ``code`` becomes the code of
  an INCONCLUSIVE verdict. It is never a number, never ``None``, never a pass.
- A bug in hour24 is none of these; it ends the run as an error.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns ``; did you mean NAME?`` for a refusal; "" if no known name is close."""
    names = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name.casefold(), names, 1)
    return f"; did you mean {names[near[0]]}?" if near else ""


class Hour24Error(Exception):
    """Base class of every error that hour24 raises on purpose."""


class ConfigurationError(Hour24Error):
    """Something in production.toml, the environment or the command line cannot be used.

    Args:
        problems: every problem found, one line each.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class LedgerError(Hour24Error):
    """A record cannot be read, written or chained."""


class LedgerLocked(LedgerError):
    """Another process is recording this checkpoint (exit code 13)."""


class SourceError(Hour24Error):
    """An outside system gave no usable answer.

    ``question`` is the :class:`hour24.evidence.Question` with the attempts made so far; None if no
    request was sent.
    """

    code = "source_error"
    question: object | None = None


class SourceUnreachable(SourceError):
    """No connection, or no answer in time."""

    code = "source_unreachable"


class SourceTimeout(SourceError):
    """The source did not answer within its time budget."""

    code = "source_timeout"


class SourceRefused(SourceError):
    """It answered 401 or 403, or our role lacks a permission."""

    code = "source_refused"


class SourceLimited(SourceError):
    """It answered 429, and its retry time exceeds the time budget."""

    code = "source_limited"


class SourceFailed(SourceError):
    """It answered 5xx on every attempt."""

    code = "source_failed"


class SourceLacks(SourceError):
    """The server does not have this endpoint, table or feature."""

    code = "source_lacks"


class SourceMisread(SourceError):
    """It answered, but not in its documented form."""

    code = "source_misread"


class SourceClock(SourceMisread):
    """Its clock and ours differ, so that its windows are not ours."""

    code = "source_clock"


class SourceIncomplete(SourceError):
    """Only part of the answer arrived: a later page failed, or the page cap was reached."""

    code = "source_incomplete"


class SourceTooMany(SourceIncomplete):
    """The answer is longer than the page cap."""

    code = "too_many_lines"


class SourceEmpty(SourceError):
    """It returned no data, and no data proves nothing here."""

    code = "no_data"


class NotProvided(SourceEmpty):
    """It answered in full that it does not hold this measure: a tracker without tracing."""
