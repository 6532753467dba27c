"""Reads a section's Struct: the role of each field, and the JSON Schema of the section.

Rules of this module:

- A field of type Secret is the key ``FIELD_env`` in the file: the name of a variable.
- What the schema says comes from the field's type and its Meta: title, description, bounds.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import fields

from hour24.secrets import Secret
from hour24.witnesses.port import Role, Variable

VARIABLE = {
    "title": "the name of an environment variable, in capitals",
    "type": "string",
    "pattern": "^[A-Z][A-Z0-9_]*$",
}
TIME_SCHEMA = {
    "title": "a time with its offset such as 2026-12-01T06:00:00Z",
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)$",
}
PLAIN: Mapping[Any, dict[str, Any]] = {
    str: {"title": "text", "type": "string"},
    float: {"type": "number"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    datetime: TIME_SCHEMA,
    Secret: VARIABLE,
}
RULES = {
    "title": "title",
    "description": "description",
    "pattern": "pattern",
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
}


class Field(Struct, frozen=True, kw_only=True):
    """One field of a section.

    Args:
        key: its name in the file.
        type: without Annotated, and without None.
    """

    key: str
    type: Any
    required: bool
    default: Any
    metas: tuple[Meta, ...]
    roles: tuple[Role, ...]
    variable: Variable | None

    @property
    def secret(self) -> bool:
        """True for a field that holds a secret of the environment."""
        return self.type is Secret


@cache
def fields_of(at: type[Struct]) -> dict[str, Field]:
    """Return the fields of a section's Struct by name."""
    hints = get_type_hints(at, include_extras=True)
    found = {}
    for each in fields(at):
        kind, notes = _bare(hints[each.name])
        found[each.name] = Field(
            key=f"{each.name}_env" if kind is Secret else each.name,
            type=kind,
            required=each.required,
            default=each.default_factory() if each.default_factory != NODEFAULT else each.default,
            metas=tuple(note for note in notes if isinstance(note, Meta)),
            roles=tuple(note for note in notes if isinstance(note, Role)),
            variable=next((note for note in notes if isinstance(note, Variable)), None),
        )
    return found


def part(
    at: type[Struct],
    about: str,
    optional: tuple[str, ...] = (),
    *,
    without: tuple[str, ...] = (),
    more: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the JSON Schema of one table.

    Args:
        about: what the table is, one sentence.
        optional: fields that a file may leave out although the Struct wants them.
        without: fields that are not in the file.
        more: keys of the file that are no fields, with their schema.
    """
    every = {name: field for name, field in fields_of(at).items() if name not in without}
    required = [
        field.key for name, field in every.items() if field.required and name not in optional
    ]
    return {
        "description": about,
        "title": "a table",
        "type": "object",
        **({"required": required} if required else {}),
        "additionalProperties": False,
        "properties": {field.key: _property(field) for field in every.values()} | dict(more),
    }


def parts(at: type[Struct], about: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the JSON Schema of a list of tables."""
    return listed(part(at, about, optional), about)


def listed(table: Mapping[str, Any], about: str) -> dict[str, Any]:
    """Return the JSON Schema of a list of such tables."""
    return {"description": about, "title": "a list of tables", "type": "array", "items": table}


def _property(field: Field) -> dict[str, Any]:
    """Return the schema of one key, with its default if the file could state it."""
    found = _apply_rules(_schema(field.type, field.metas), field.metas)
    if field.required or field.default is None or field.secret:
        return found
    default = field.default
    if isinstance(default, tuple):
        default = list(default)
    if isinstance(default, float) and default.is_integer():
        default = int(default)
    fits = not isinstance(default, str) or re.search(found.get("pattern", ""), default)
    long_enough = not isinstance(default, list) or len(default) >= found.get("minItems", 0)
    if fits and long_enough and not isinstance(default, dict):
        found["default"] = default
    return found


def _bare(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return a type without Annotated and None, and the notes on it."""
    notes: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *own = get_args(hint)
        notes = tuple(own)
    if get_origin(hint) in (Union, types.UnionType):
        inner = [each for each in get_args(hint) if each is not type(None)]
        if len(inner) == 1:
            hint, more = _bare(inner[0])
            notes = (*more, *notes)
    return hint, notes


def _schema(kind: Any, metas: tuple[Meta, ...] = ()) -> dict[str, Any]:
    if any({"type", "allOf"} & set(meta.extra_json_schema or {}) for meta in metas):
        return {}
    origin = get_origin(kind)
    if kind in PLAIN:
        return dict(PLAIN[kind])
    if origin is Literal:
        return {"enum": list(get_args(kind))}
    if origin is tuple:
        inner, notes = _bare(get_args(kind)[0])
        metas = tuple(note for note in notes if isinstance(note, Meta))
        return {"type": "array", "items": _apply_rules(_schema(inner), metas)}
    raise TypeError(f"a section's field: expected a type that TOML has, got {kind!r}")


def _apply_rules(found: dict[str, Any], metas: tuple[Meta, ...]) -> dict[str, Any]:
    """Return a schema with the rules of its Metas; a later one overrides an earlier one."""
    things = "Items" if found.get("type") == "array" else "Length"
    lengths = (f"min{things}", f"max{things}")
    for meta in metas:
        for name, rule in RULES.items():
            if (value := getattr(meta, name)) is not None:
                found[rule] = value
        for value, rule in zip((meta.min_length, meta.max_length), lengths, strict=True):
            if value is not None:
                found[rule] = value
        found.update(meta.extra_json_schema or {})
    return found
