"""A process's uptime in a document: seconds, or the time at which the process started.

Rules of this module:

- A number as text is read only where production.toml says so: many documents contain text that
  only looks like a number.
- An uptime from a start time is the difference from the time of the answer, so that the start
  itself is what readings are compared by.
"""

from __future__ import annotations

from typing import Any

from hour24.documents import is_number, value_at
from hour24.linear import shipped
from hour24.text import parse_stated_time

NUMBER = shipped(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
LONGEST_NUMBER = 40
"""Characters of a number as text; a longer one is none."""


def number_in(value: Any, *, as_text: bool) -> Any:
    """Return the number that a text states where that is allowed; else the value as it is."""
    if not as_text or not isinstance(value, str) or len(value) > LONGEST_NUMBER:
        return value
    text = value.strip()
    if not NUMBER.fullmatch(text):
        return value
    return float(text)


def uptime_in(body: Any, uptime: str, started: str, *, as_text: bool, at: float) -> float | None:
    """Return the seconds since the process started; None if the document states none.

    Args:
        uptime, started: JSON pointers, of which one at most is not empty.
        as_text: whether numbers may be text.
        at: time of the answer, epoch seconds.
    """
    if started:
        found = parse_stated_time(number_in(value_at(body, started, None), as_text=as_text))
        return None if found is None else at - found.timestamp()
    value = number_in(value_at(body, uptime, None), as_text=as_text) if uptime else None
    return float(value) if is_number(value) else None
