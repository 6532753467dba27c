"""The bytes of entries, and the schemas they are checked against.

Rules of this module:

- One content has one form as bytes: JSON with its keys sorted, no spaces, ASCII only, one newline
  at the end. ASCII keeps control and direction characters of hostile text out of a terminal, and
  lone surrogates survive.
- Times are ISO 8601 in UTC with ``Z``. NaN, infinity and naive times are refused.
- Content is checked against a JSON Schema of schemas/ on write and on read. jsonschema is imported
  when first needed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from hour24.documents import DocumentError, main_difference, path_to, read_json, show_value
from hour24.errors import LedgerError
from hour24.shipped import SCHEMAS

MOST_BYTES = 500_000_000
"""No record of many endpoints with all its samples comes near this."""


def to_bytes(content: Any, where: str) -> bytes:
    """Return the canonical bytes of plain data or a Struct.

    Raises: LedgerError, when JSON cannot represent something in it.
    """
    plain = msgspec.to_builtins(content, builtin_types=(datetime,))
    try:
        text = json.dumps(
            plain, sort_keys=True, allow_nan=False, separators=(",", ":"), default=_encode_time
        )
    except (ValueError, TypeError) as problem:
        raise LedgerError(f"{where}: {_first_invalid(plain) or problem}") from None
    return text.encode("ascii") + b"\n"


def from_bytes(data: bytes, where: str) -> dict[str, Any]:
    """Return the JSON object in these bytes.

    Raises: LedgerError, when there is none.
    """
    try:
        content = read_json(data, MOST_BYTES, keep_surrogates=True)
    except DocumentError as problem:
        got = "nothing" if not data.strip() else f"{len(data)} bytes that are not one: {problem}"
        raise LedgerError(f"{where}: expected a JSON object, got {got}") from None
    if not isinstance(content, dict):
        raise LedgerError(f"{where}: expected a JSON object, got {show_value(content)}")
    return content


def check(content: dict[str, Any], schema: str, part: str, where: str) -> None:
    """Refuse content that fails its schema.

    Args:
        schema: file in schemas/, without its suffix.
        part: name below ``$defs``; empty for the whole schema.
    Raises: LedgerError, with the first thing that differs: ``file: where: expected X, got Y``.
    """
    found = main_difference(content, _schema(schema, part))
    if found is not None:
        raise LedgerError(f"{where}: {path_to(found.path)}: {found.text()}")


@lru_cache(maxsize=32)
def _schema(schema: str, part: str) -> dict[str, Any]:
    form: dict[str, Any] = json.loads(
        (SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8")
    )
    if part:
        form = {"$schema": form["$schema"], "$ref": f"#/$defs/{part}", "$defs": form["$defs"]}
    return form


def _encode_time(value: Any) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError(f"expected a time with its offset, got {value}")
        text: str = msgspec.to_builtins(value.astimezone(UTC))
        return text
    raise TypeError(f"expected plain data, got {type(value).__name__}")


def _first_invalid(plain: Any, path: tuple[str | int, ...] = ()) -> str:
    """Return the first value that JSON cannot represent, with its path."""
    if isinstance(plain, float) and not math.isfinite(plain):
        return f"{path_to(path)}: expected a finite number, got {plain}"
    if isinstance(plain, datetime) and plain.tzinfo is None:
        return f"{path_to(path)}: expected a time with its offset, got {plain}"
    inside: Iterable[tuple[Any, Any]] = ()
    if isinstance(plain, dict):
        inside = plain.items()
    elif isinstance(plain, list | tuple):
        inside = enumerate(plain)
    return next(
        (text for key, each in inside if (text := _first_invalid(each, (*path, key)))),
        "",
    )
