"""A document against its JSON Schema, every difference in words.

Rules of this module:

- What was expected comes from the schema's own ``title``, else from its rule.
- An unknown key names the nearest known one.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator
from typing import Any

from hour24.config.problems import Place, told, walked
from hour24.documents import Schema, expected_by_schema, validator
from hour24.secrets.shapes import names_secret


def differences(data: Any, schema: Schema) -> Iterator[tuple[Place, str]]:
    """Where ``data`` is not as ``schema`` wants it, and how."""
    place: Place
    for place, value in walked(data):
        if isinstance(value, float) and not math.isfinite(value):
            yield place, f"expected a finite number, got {value!r}"
    for error in validator(schema).iter_errors(data):
        place = tuple(error.absolute_path)
        if "propertyNames" in error.absolute_schema_path:
            name = error.instance
            yield (
                (*place, name),
                f"expected {expected_by_schema(error.schema)}, got {json.dumps(name)}",
            )
        elif error.validator == "additionalProperties":
            yield from _unknown(place, error.instance, error.schema)
        elif error.validator == "required":
            yield from _missing(place, error.instance, error.schema)
        else:
            got = told(place, error.instance)
            yield place, f"expected {expected_by_schema(error.schema)}, got {got}"


def wanted_at(place: Place, schema: Schema) -> str:
    """What the schema expects at a place, in words."""
    part: Schema = schema
    for step in place:
        if isinstance(step, int):
            part = part.get("items", {})
        else:
            named = part.get("properties", {}).get(step)
            part = named if named is not None else part.get("additionalProperties") or {}
    words = expected_by_schema(part) if part else "something else"
    return "a value" if words == "something else" else words


def nearest(name: str, known: Iterator[str] | list[str]) -> str:
    """The known name that ``name`` was most likely meant to be, or nothing."""
    names = list(known)
    close = difflib.get_close_matches(name.lower(), [each.lower() for each in names], 1, 0.5)
    return next((each for each in names if close and each.lower() == close[0]), "")


def _unknown(place: Place, instance: Any, part: Schema) -> Iterator[tuple[Place, str]]:
    known = sorted(part.get("properties", {}))
    for name in instance:
        if name in known:
            continue
        if names_secret(name):
            instead = f"{name}_env" if f"{name}_env" in known else "a key that ends in _env"
            yield (
                (*place, name),
                f"expected the name of an environment variable in {instead}, got a secret "
                "written inline",
            )
            continue
        close = nearest(name, known)
        hint = f"such as {close}" if close else f"out of {', '.join(known)}"
        yield (*place, name), f"expected a known key, {hint}, got {json.dumps(name)}"


def _missing(place: Place, instance: Any, part: Schema) -> Iterator[tuple[Place, str]]:
    for name in part["required"]:
        if name in instance:
            continue
        inside = part.get("properties", {}).get(name, {})
        if inside.get("required"):
            yield from _missing((*place, name), {}, inside)
        else:
            yield (*place, name), f"expected {expected_by_schema(inside)}, got nothing"
