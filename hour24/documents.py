"""Foreign JSON documents: strict reading, pointers, comparison with a JSON Schema.

Rules of this module:

- A document is refused if it is too long, nested too deeply, or contains NaN, infinity, a number
  beyond floats, or a member twice with different values. What was read is safe to compute with.
- A lone surrogate, which JSON allows and UTF-8 does not, becomes the replacement character.
- A difference says where, what was expected and what was found.
- jsonschema is imported when first needed: it costs a tenth of a second.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn, TypeGuard

from hour24.linear import shipped
from hour24.text import cut

MOST_BYTES = 20_000_000
"""Larger than any document we ask for; a larger one would exhaust the memory when parsed."""
MOST_DEEP = 100
"""Levels of nesting; Python stops at 1,000 nested calls, and every caller needs some."""
MOST_DIGITS = 100
"""No count has more digits, and a float cannot represent 309 or more."""
LONGEST_VALUE = 60
"""Characters of a value that a message repeats."""
ABSENT = object()
"""The result of :func:`value_at` for a missing value; ``None`` is a JSON ``null``."""
UNKNOWN = object()
"""An unexpected member; its value is not shown, since it may be a secret."""
Path = tuple[str | int, ...]
"""Names of members and indexes of entries, from the root inwards."""
Schema = Mapping[str, Any]

_SURROGATE = shipped(r"\\u[dD][89a-fA-F]")
_KINDS = {
    "boolean": "true or false",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


# --- reading ----------------------------------------------------------------------------------


class DocumentError(ValueError):
    """A refused document; the message says why."""


def read_json(data: bytes, most_bytes: int = MOST_BYTES, *, keep_surrogates: bool = False) -> Any:
    """Return the JSON document in these bytes; a byte order mark is ignored.

    Args:
        keep_surrogates: True for our own files, whose digest covers what was written.

    Raises: DocumentError.
    """
    if len(data) > most_bytes:
        raise DocumentError(f"more than {most_bytes // 1000:,} kB")
    try:
        text = data.decode("utf-8-sig")
        found = json.loads(
            text,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
            object_pairs_hook=_members,
        )
    except RecursionError:
        raise DocumentError("nested too deeply") from None
    except UnicodeDecodeError as problem:
        raise DocumentError(f"not UTF-8 at byte {problem.start}") from None
    except json.JSONDecodeError as problem:
        where = f"line {problem.lineno}, column {problem.colno}"
        raise DocumentError(f"something else in {where}") from None
    if _is_deep(found):
        raise DocumentError("nested too deeply")
    if keep_surrogates or not _SURROGATE.search(text):
        return found
    return _without_surrogates(found)


def is_number(value: Any) -> TypeGuard[float]:
    """Return True for a finite number that a float can represent; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _constant(name: str) -> NoReturn:
    raise DocumentError(f"{name} is not a JSON number")


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise DocumentError(f"{digits[:20]} is too large")
    return value


def _int(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise DocumentError(f"a number of {len(digits)} digits")
    return int(digits)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        for name, value in pairs:
            if found[name] != value:
                raise DocumentError(f"two values of {json.dumps(cut(name, LONGEST_VALUE))}")
    return found


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MOST_DEEP):
        level = (
            [
                inner
                for each in level
                for inner in (each.values() if isinstance(each, dict) else each)
                if isinstance(inner, dict | list)
            ]
            if isinstance(value, dict | list)
            else []
        )
        if not level:
            return False
    return True


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(each) for key, each in value.items()}
    return [_without_surrogates(each) for each in value] if isinstance(value, list) else value


# --- pointers ---------------------------------------------------------------------------------


def value_at(document: Any, pointer: str, default: Any = ABSENT) -> Any:
    """Return the value at a JSON pointer (RFC 6901), else ``default``; "" is the whole document."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and name in document:
            document = document[name]
        elif isinstance(document, list) and (at := _index(name)) < len(document):
            document = document[at]
        else:
            return default
    return document


def pointer_to(path: Iterable[str | int]) -> str:
    """Return a JSON pointer: ``/criteria/3/figures``; "" for the whole document."""
    return "".join(f"/{part}" for part in path)


def path_to(path: Iterable[str | int]) -> str:
    """Return a readable path: ``criteria[3].figures``; ``the whole`` for the whole document."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text or "the whole"


def _index(name: str) -> int:
    """Return the index of an entry; one that no list has if ``name`` is no number."""
    return int(name) if name.isascii() and name.isdigit() and len(name) < 10 else sys.maxsize


# --- JSON Schema ------------------------------------------------------------------------------


class Difference(NamedTuple):
    """One difference between a document and its schema.

    Args:
        found: the value; :data:`ABSENT` if it is missing, :data:`UNKNOWN` if it is unexpected.
    """

    path: Path
    expected: str
    found: Any

    def text(self) -> str:
        """Return ``expected X, got Y``."""
        return f"expected {self.expected}, got {show_value(self.found)}"


def differences(document: Any, schema: Schema) -> list[Difference]:
    """Return every difference once, ordered by path; an empty schema expects nothing."""
    if not schema:
        return []
    errors = sorted(
        validator(schema).iter_errors(document),
        key=lambda error: [str(part) for part in error.absolute_path],
    )
    # jsonschema reports "required" once per missing member, and each report covers them all
    found = {each[:2]: each for error in errors for each in _explain(error)}
    return list(found.values())


def main_difference(document: Any, schema: Schema) -> Difference | None:
    """Return the most relevant difference; None if the document is valid."""
    from jsonschema.exceptions import best_match

    error = best_match(validator(schema).iter_errors(document))
    return None if error is None else next(_explain(error))


def validator(schema: Schema) -> Any:
    """Return the jsonschema validator of a schema; draft 2020-12 unless it names another."""
    return _validator(json.dumps(schema, sort_keys=True))


def expected_by_schema(part: Schema) -> str:
    """Return what a part of a schema expects: title, else constant, choices, type and range."""
    if "title" in part:
        return str(part["title"])
    if "const" in part:
        return json.dumps(part["const"])
    if "enum" in part:
        return "one of " + ", ".join(json.dumps(each) for each in part["enum"])
    kind = str(part.get("type", "something else"))
    if kind in ("number", "integer"):
        return _KINDS[kind] + _range(part)
    return _KINDS.get(kind, kind)


def show_value(value: Any) -> str:
    """Return a value for a message: short JSON, or the kind of value."""
    if value is ABSENT:
        return "nothing"
    if value is UNKNOWN:
        return "one"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return cut(json.dumps(value, default=str), LONGEST_VALUE)


def _explain(error: Any) -> Iterator[Difference]:
    path: Path = tuple(error.absolute_path)
    wanted, found = error.validator_value, error.instance
    match error.validator:
        case "required":
            for name in wanted:
                if name not in found:
                    yield Difference((*path, name), "to be there", ABSENT)
        case "additionalProperties" if wanted is False:
            known, patterns = (error.schema.get(k, {}) for k in ("properties", "patternProperties"))
            extra = min(
                name
                for name in found
                if name not in known and not any(re.search(each, name) for each in patterns)
            )
            yield Difference((*path, extra), "no such member", UNKNOWN)
        case rule:
            yield Difference(path, _expected_by_rule(rule, wanted, error.schema), found)


def _expected_by_rule(rule: str | None, wanted: Any, part: Schema) -> str:
    match rule:
        case None:  # the schema ``false``
            return "nothing here"
        case "const":
            return json.dumps(wanted)
        case "enum":
            return "one of " + ", ".join(json.dumps(each) for each in wanted)
        case "type":
            kinds = [wanted] if isinstance(wanted, str) else wanted
            return " or ".join(_KINDS.get(kind, kind) for kind in kinds)
        case "minimum":
            return f"at least {wanted}"
        case "maximum":
            return f"at most {wanted}"
        case "pattern":
            return str(part.get("title", f"text that matches {wanted}"))
    return f"{rule} {cut(json.dumps(wanted), LONGEST_VALUE)}"


def _range(part: Schema) -> str:
    low, high = part.get("minimum"), part.get("maximum")
    above = part.get("exclusiveMinimum")
    if above is not None:
        return f" above {above}" + (f" and at most {high}" if high is not None else "")
    if low is not None:
        return f" from {low} to {high}" if high is not None else f" of at least {low}"
    return f" of at most {high}" if high is not None else ""


@lru_cache(maxsize=32)
def _validator(schema: str) -> Any:
    from jsonschema.validators import Draft202012Validator, validator_for

    read = json.loads(schema)
    return validator_for(read, default=Draft202012Validator)(read)
