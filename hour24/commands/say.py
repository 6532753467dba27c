"""How commands print: plain lines, colours on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, TextIO

from hour24.text import LONGEST_TEXT, escape_controls, one_line
from hour24.verdict import Outcome

if TYPE_CHECKING:
    from rich.console import Console

    from hour24.secrets import Secret
    from hour24.secrets.redactor import Redactor

STYLES = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.NOT_APPLICABLE: "dim",
}


_REDACTORS: list[Redactor] = []


def hide(secrets: Iterable[Secret]) -> None:
    """Redact these secrets, and the shapes of others, in every line from now on."""
    from hour24.secrets.redactor import Redactor

    _REDACTORS[:] = [Redactor((each.name, each.reveal()) for each in secrets)]


def _clean(text: str) -> str:
    for redactor in _REDACTORS:
        text = redactor.text(text)
    return text


@cache
def console(stream: TextIO | None = None) -> Console:
    """Return where lines go: coloured on a terminal; on a pipe only with FORCE_COLOR."""
    from rich.console import Console

    return Console(file=stream, highlight=False, soft_wrap=True, emoji=False, markup=False)


def line(text: str = "", style: str = "") -> None:
    """Print one line; control characters are escaped, columns stay."""
    shown = escape_controls(" ".join(_clean(text).splitlines()))
    console().print(shown, style=style or None)


def problem(text: str) -> None:
    """Print one line to standard error."""
    console(sys.stderr).print(f"hour24: {one_line(_clean(text), LONGEST_TEXT)}", style="red")
