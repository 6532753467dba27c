"""Compares a document with its JSON Schema and words every difference.

Rules of this module:

- What was expected is the ``title`` of the schema, else its rule.
- For an unknown key the nearest known one is named.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator
from typing import Any

from hour24.config.problems import KeyPath, quote_value, walk
from hour24.documents import Schema, expected_by_schema, validator
from hour24.secrets.shapes import names_secret


def differences(data: Any, schema: Schema) -> Iterator[tuple[KeyPath, str]]:
    """Yield where and how ``data`` differs from ``schema``."""
    key_path: KeyPath
    for key_path, value in walk(data):
        if isinstance(value, float) and not math.isfinite(value):
            yield key_path, f"expected a finite number, got {value!r}"
    for error in validator(schema).iter_errors(data):
        key_path = tuple(error.absolute_path)
        if "propertyNames" in error.absolute_schema_path:
            name = error.instance
            yield (
                (*key_path, name),
                f"expected {expected_by_schema(error.schema)}, got {json.dumps(name)}",
            )
        elif error.validator == "additionalProperties":
            yield from _unknown_keys(key_path, error.instance, error.schema)
        elif error.validator == "required":
            yield from _missing(key_path, error.instance, error.schema)
        else:
            got = quote_value(key_path, error.instance)
            yield key_path, f"expected {expected_by_schema(error.schema)}, got {got}"


def wanted_at(key_path: KeyPath, schema: Schema) -> str:
    """Return in words what the schema expects at a path."""
    part: Schema = schema
    for step in key_path:
        if isinstance(step, int):
            part = part.get("items", {})
        else:
            named = part.get("properties", {}).get(step)
            part = named if named is not None else part.get("additionalProperties") or {}
    words = expected_by_schema(part) if part else "something else"
    return "a value" if words == "something else" else words


def nearest(name: str, known: Iterator[str] | list[str]) -> str:
    """Return the known name that is most similar to ``name``, if any."""
    names = list(known)
    close = difflib.get_close_matches(name.lower(), [each.lower() for each in names], 1, 0.5)
    return next((each for each in names if close and each.lower() == close[0]), "")


def _unknown_keys(key_path: KeyPath, instance: Any, part: Schema) -> Iterator[tuple[KeyPath, str]]:
    known = sorted(part.get("properties", {}))
    for name in instance:
        if name in known:
            continue
        if names_secret(name):
            instead = f"{name}_env" if f"{name}_env" in known else "a key that ends in _env"
            yield (
                (*key_path, name),
                f"expected the name of an environment variable in {instead}, got a secret "
                "written inline",
            )
            continue
        close = nearest(name, known)
        hint = f"such as {close}" if close else f"out of {', '.join(known)}"
        yield (*key_path, name), f"expected a known key, {hint}, got {json.dumps(name)}"


def _missing(key_path: KeyPath, instance: Any, part: Schema) -> Iterator[tuple[KeyPath, str]]:
    for name in part["required"]:
        if name in instance:
            continue
        inside = part.get("properties", {}).get(name, {})
        if inside.get("required"):
            yield from _missing((*key_path, name), {}, inside)
        else:
            yield (*key_path, name), f"expected {expected_by_schema(inside)}, got nothing"
