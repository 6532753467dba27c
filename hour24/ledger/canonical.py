"""The bytes that are sealed, and the forms they are checked against.

Rules of this module:

- One content has one form: JSON with its keys sorted, no spaces, ASCII only, one newline at the
  end. ASCII keeps control and direction characters of hostile text out of a terminal, and lone
  surrogates survive.
- Moments are ISO 8601 in UTC with ``Z``. NaN, infinity and naive moments are refused.
- A form is a JSON Schema in schemas/, checked on write and on read. jsonschema is imported when
  first needed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NoReturn

import msgspec

from hour24.errors import LedgerError
from hour24.shipped import SCHEMAS

LONGEST = 60


def to_bytes(content: Any, where: str) -> bytes:
    """The canonical bytes of plain data or a Struct.

    Raises: LedgerError, when JSON has no form for something in it.
    """
    plain = msgspec.to_builtins(content, builtin_types=(datetime,))
    try:
        text = json.dumps(
            plain, sort_keys=True, allow_nan=False, separators=(",", ":"), default=_moment
        )
    except (ValueError, TypeError) as problem:
        raise LedgerError(f"{where}: {_unsealable(plain) or problem}") from None
    return text.encode("ascii") + b"\n"


def from_bytes(data: bytes, where: str) -> dict[str, Any]:
    """The JSON object in these bytes.

    Raises: LedgerError, when there is none.
    """
    try:
        content = json.loads(data.decode("utf-8"), parse_constant=_refused)
    except (ValueError, RecursionError) as problem:
        told = "nothing" if not data.strip() else f"{len(data)} bytes that are none: {problem}"
        raise LedgerError(f"{where}: expected a JSON object, got {told}") from None
    if not isinstance(content, dict):
        raise LedgerError(f"{where}: expected a JSON object, got {_told(content)}")
    return content


def check(content: dict[str, Any], schema: str, part: str, where: str) -> None:
    """Refuse content that is not of its form.

    Args:
        schema: file in schemas/, without its ending.
        part: name below ``$defs``; empty for the whole schema.
    Raises: LedgerError, with the first thing that differs: ``file: where: expected X, got Y``.
    """
    from jsonschema.exceptions import best_match

    error = best_match(_validator(schema, part).iter_errors(content))
    if error is not None:
        place, text = _difference(error)
        raise LedgerError(f"{where}: {place}: {text}")


@lru_cache(maxsize=32)
def _validator(schema: str, part: str) -> Any:
    from jsonschema import Draft202012Validator

    form = json.loads((SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8"))
    if part:
        form = {"$schema": form["$schema"], "$ref": f"#/$defs/{part}", "$defs": form["$defs"]}
    return Draft202012Validator(form)


def _difference(error: Any) -> tuple[str, str]:
    place = list(error.absolute_path)
    stated, found = error.validator_value, error.instance
    match error.validator:
        case "required":
            absent = next(name for name in stated if name not in found)
            return named([*place, absent]), "expected a value, got none"
        case "additionalProperties":
            known = error.schema.get("properties", {})
            extra = sorted(name for name in found if name not in known)
            return named([*place, extra[0]]), "expected no such member, got one"
        case "type":
            kinds = stated if isinstance(stated, list) else [stated]
            return named(place), f"expected {' or '.join(kinds)}, got {_told(found)}"
        case "enum":
            return named(
                place
            ), f"expected one of {', '.join(map(str, stated))}, got {_told(found)}"
        case "const":
            return named(place), f"expected {json.dumps(stated)}, got {_told(found)}"
        case "pattern":
            wanted = error.schema.get("title", f"text like {stated}")
            return named(place), f"expected {wanted}, got {_told(found)}"
        case "minimum":
            return named(place), f"expected at least {stated}, got {_told(found)}"
    return named(
        place
    ), f"expected {error.validator} {json.dumps(stated)[:LONGEST]}, got {_told(found)}"


def named(place: Iterable[str | int]) -> str:
    """A place as people read it: ``criteria[3].figures.slope``, the first entry being 0."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text or "the whole"


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = json.dumps(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError(f"expected an aware moment, got {value}")
        text: str = msgspec.to_builtins(value.astimezone(UTC))
        return text
    raise TypeError(f"expected plain data, got {type(value).__name__}")


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"expected a finite number, got {constant}")


def _unsealable(plain: Any, place: tuple[str | int, ...] = ()) -> str:
    """The first value that JSON has no form for, with its place."""
    if isinstance(plain, float) and not math.isfinite(plain):
        return f"{named(place)}: expected a finite number, got {plain}"
    if isinstance(plain, datetime) and plain.tzinfo is None:
        return f"{named(place)}: expected an aware moment, got {plain}"
    inside: Iterable[tuple[Any, Any]] = ()
    if isinstance(plain, dict):
        inside = plain.items()
    elif isinstance(plain, list | tuple):
        inside = enumerate(plain)
    return next(
        (text for key, each in inside if (text := _unsealable(each, (*place, key)))),
        "",
    )
