"""The sentence of each criterion, as one production's configuration makes it.

Rules of this module:

- A criterion's ``stated`` is its sentence with names in braces: a key of production.toml
  (``{health.retry_after_s:g}``; ``:share`` writes a share in percent, ``:vantages`` a clause where
  more than one is needed), ``{who}`` for the witnesses that answer its questions, ``{document}``
  for what the health document must hold.
- Where the production does not describe a named section, the sentence is the general one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from hour24.checkpoint.questions import QUESTIONS
from hour24.config import Production
from hour24.config.service import Health
from hour24.criteria.criterion import Criterion
from hour24.documents import show_value
from hour24.text import format_percent, join_some, join_words

NO_TRACKER = "an error tracker"
"""In place of the witnesses where none is described: the criterion has no verdict then."""
DEEPEST = 4
"""Levels of a schema whose members are named."""
MOST_MEMBERS = 8


class _Sentence(Formatter):
    """Formats ``:share`` in percent, ``:vantages`` as a clause, any other key as text does."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == "share":
            return format_percent(value)
        if format_spec == "vantages":
            return f", from {value} vantages at once" if value > 1 else ""
        return str(super().format_field(value, format_spec))


def sentence_for(criterion: Criterion, production: Production) -> str:
    """Return the criterion's sentence for this production."""
    if not criterion.stated:
        return criterion.sentence
    who = titles(criterion, production)
    names: dict[str, Any] = {
        "who": join_words(who) or NO_TRACKER,
        "shows": "show" if len(who) > 1 else "shows",
        "document": document(production.health),
        "health": production.health,
        "jobs": production.jobs,
        "memory": production.memory,
        "websocket": production.websocket,
        **production.witnesses,
    }
    formatter = _Sentence()
    for _, name, _, _ in formatter.parse(criterion.stated):
        if name is not None and names.get(name.partition(".")[0]) is None:
            return criterion.sentence
    sentence = formatter.vformat(criterion.stated, (), names)
    return sentence[:1].upper() + sentence[1:]


def titles(criterion: Criterion, production: Production) -> list[str]:
    """Return the names of the witnesses that answer what the criterion needs."""
    measures = [QUESTIONS[name].measure for name in criterion.needs]
    providing = (
        each for one in measures if one is not None for each in production.answering(one)[1]
    )
    return list(dict.fromkeys(each.witness.title for each in providing))


def document(health: Health) -> str:
    """Return what this production's health document must hold, and how fresh it must be."""
    values: dict[str, list[str]] = {}
    plain = []
    for name, value in members(health.schema):
        if value is None:
            plain.append(name)
        else:
            values.setdefault(value, []).append(name)
    parts = [f"with {_some(names)} {value}" for value, names in values.items()]
    parts += [f"with {_some(plain)}"] if plain else []
    held = join_some(parts, MOST_MEMBERS, ", ")
    if not held:
        held = "that its schema allows" if health.schema else "of any form"
    fresh = f", made at most {health.fresh_s:g} s before or after its answer"
    return f"a document {held}{fresh if health.timestamp else ''}"


def _some(names: list[str]) -> str:
    """Return ``a, b and c``, or the first names and how many more there are."""
    return join_words(names) if len(names) <= MOST_MEMBERS else join_some(names, MOST_MEMBERS, ", ")


def members(
    schema: Mapping[str, Any], above: str = "", depth: int = 1
) -> Iterator[tuple[str, str | None]]:
    """Yield the members that a schema requires: its name, and its value if only one is allowed."""
    properties = schema.get("properties")
    required = schema.get("required")
    for name in required if isinstance(required, list) else ():
        part = properties.get(name) if isinstance(properties, dict) else None
        path = f"{above}{name}"
        if isinstance(part, dict) and "const" in part:
            yield path, show_value(part["const"])
        elif isinstance(part, dict) and part.get("required") and depth < DEEPEST:
            yield from members(part, f"{path}.", depth + 1)
        else:
            yield path, None
