"""A vendor's answer, read strictly.

Rules of this module:

- A form, which is a msgspec Struct, describes an answer; :func:`read_answer` reads it. Members
  that the form does not name are ignored, since vendors add some.
- A member that is absent, null, of another type, NaN or infinite is a
  :class:`~hour24.errors.SourceMisread`; it never becomes 0, "" or an empty list, unless the form
  gives it a default.
- A number as text is a number only where the vendor documents it so (:data:`TextCount`).
- A time has a zone.
- A refusal names the path: ``NAME: error lines: page 2.logs[3].timestamp: expected X, got Y``.
"""

from __future__ import annotations

import abc
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from hour24.errors import SourceMisread
from hour24.linear import shipped
from hour24.watch import Window

Read = TypeVar("Read")
LONGEST = 60
"""Characters of a value in an error text."""
SLACK_S = 60.0
"""A minute outside the window is rounding; more is a wrong clock or a filter that failed."""
DECIMAL = shipped(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)

# Types of a form's members, next to str, bool, lists and other forms. To a type checker they are
# the numbers that they become; at run time msgspec leaves each to the function that reads it.
if TYPE_CHECKING:
    Number = float  # finite
    Count = int  # a whole number, at least 0; 3.0 is one
    TextCount = int  # a count that the vendor documents as text
    Time = float  # ISO 8601 with a zone, as epoch seconds
else:
    Number, Count, TextCount, Time = (
        abc.ABCMeta(name, (), {}) for name in ("Number", "Count", "TextCount", "Time")
    )
    Number.register(float)
    Count.register(int)
    TextCount.register(int)
    Time.register(float)

_KINDS = {
    "str": "text",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "array": "a list",
    "object": "an object",
}
"""msgspec's names of types, in words."""
_PROBLEM = shipped(r"(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?", re.DOTALL)
_MISSING = shipped(r"Object missing required field `(?P<name>.*)`", re.DOTALL)
_EXPECTED = shipped(r"Expected `(?P<kinds>[^`]*)`(?P<rest>.*?)(?:, got `.*`)?", re.DOTALL)


def read_answer(found: Any, form: type[Read], where: str) -> Read:
    """Return ``found``, an answer's JSON, as the form describes it.

    Raises: SourceMisread, which names the path, what was expected and what was found.
    """
    try:
        return msgspec.convert(found, form, dec_hook=_read_member)
    except msgspec.ValidationError as problem:
        raise _as_misread(str(problem), found, where) from None


def read_answers(found: Any, form: type[Read], where: str) -> list[Read]:
    """Return ``found``, an answer that is a list, each entry as the form describes it."""
    return read_answer(found, list[form], where)  # type: ignore[valid-type]  # known at run time only


def _read_member(kind: type, value: Any) -> Any:
    """Read a member of one of our own types; msgspec adds the path to what is raised."""
    readers: dict[type, Callable[[Any, str], float]] = {
        Number: number,
        Count: count,
        TextCount: count_as_text,
        Time: epoch_of,
    }
    try:
        return readers[kind](value, "")
    except SourceMisread as problem:
        raise ValueError(str(problem)) from None


def _as_misread(problem: str, found: Any, where: str) -> SourceMisread:
    """Turn msgspec's message into our refusal."""
    parts = _PROBLEM.fullmatch(problem)
    what, path = (parts["what"], parts["path"] or "") if parts else (problem, "")
    where += path
    if what.startswith(": "):  # of _read_member: it has said all but the path
        return SourceMisread(f"{where}{what}")
    if missing := _MISSING.fullmatch(what):
        return SourceMisread(f"{where}.{missing['name']}: expected to be there, got nothing")
    expected = "a documented value"
    if matched := _EXPECTED.fullmatch(what):
        kinds = [_KINDS.get(kind, kind) for kind in matched["kinds"].split(" | ") if kind != "null"]
        expected = " or ".join(kinds) + matched["rest"]
    return misread(where, expected, _value_at(found, path))


def _value_at(found: Any, path: str) -> Any:
    """Return the value at msgspec's path, such as ``.logs[3].timestamp``."""
    while path:
        if path[0] == "[":
            index, _, path = path[1:].partition("]")
            if not index.isdigit():  # ``[...]``: some value of a dict
                break
            found = found[int(index)]
        else:
            # a name may hold dots itself, such as ``error.type``
            names = [key for key in found if _begins(path, key)]
            name = max(names, key=len)
            found, path = found[name], path[len(name) + 1 :]
    return found


def _begins(path: str, key: str) -> bool:
    """Return whether the first member of a path is this key."""
    return path.startswith(f".{key}") and path[len(key) + 1 : len(key) + 2] in ("", ".", "[")


def misread(where: str, expected: str, got: Any) -> SourceMisread:
    """Return the refusal that says what was expected and what was found."""
    return SourceMisread(f"{where}: expected {expected}, got {show(got)}")


def show(value: Any) -> str:
    """Return a value as an error text shows it: short JSON, or its kind."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object with {len(value)} members"
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def number(value: Any, where: str, *, as_text: bool = False) -> float:
    """Return ``value`` as a finite number.

    Args:
        as_text: accept text that is a decimal number, such as ``"12.5"``.
    """
    if as_text and isinstance(value, str) and DECIMAL.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise misread(where, "a number", value)
    try:
        finite = math.isfinite(value)
    except OverflowError:  # a whole number beyond the floats
        finite = False
    if not finite:
        raise misread(where, "a number", value if isinstance(value, float) else str(value)[:20])
    return float(value)


def count(value: Any, where: str) -> int:
    """Return ``value`` as a whole number, at least 0."""
    read = number(value, where)
    if read < 0 or not read.is_integer():
        raise misread(where, "a whole number, at least 0", value)
    return int(read)


def count_as_text(value: Any, where: str) -> int:
    """Return a whole number that the vendor documents as text; a number is accepted too."""
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise misread(where, "a whole number as text", value)
        return int(value)
    return count(value, where)


def epoch_of(value: Any, where: str) -> float:
    """Return the epoch seconds of a time, ISO 8601 with a zone."""
    if isinstance(value, str):
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            read = None
        if read is not None and read.tzinfo is not None:
            return read.timestamp()
    raise misread(where, "a time with its zone, ISO 8601", value)


def is_within(window: Window, at: float, where: str) -> bool:
    """True if ``at`` (epoch seconds) lies in the window.

    Raises: SourceMisread, when it lies more than a minute outside: then the source's clock is
        wrong, or it ignored the window, and what it left out is unknown.
    """
    if window.start.timestamp() <= at < window.end.timestamp():
        return True
    if window.start.timestamp() - SLACK_S <= at <= window.end.timestamp() + SLACK_S:
        return False
    raise SourceMisread(
        f"{where}: expected a time from {stamp(window.start)} to {stamp(window.end)} as asked, "
        f"got {stamp(datetime.fromtimestamp(at, UTC))}; its clock or its filter is wrong"
    )


def stamp(at: datetime) -> str:
    """Return a time as RFC 3339 in UTC; with microseconds only where there are any."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
