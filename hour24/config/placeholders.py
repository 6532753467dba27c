"""Detects placeholders: text that must be replaced, and names of no real person."""

from __future__ import annotations

import re

PLACEHOLDER = re.compile(
    r"change[ _-]?me|fill[ _-]?(me[ _-]?|this[ _-]?)?in\b|<[a-z][a-z _-]*>"
    r"|\byour[_-]?(org|project|service|name|team|token|domain|app|mail|email|phone|company|ref)"
    r"|^\W*(todo|tbd|tba|fixme|x{3,}|none|null|n/?a|dummy|placeholder|unknown|\?+|-+)\W*$"
    r"|^\s*todo\b",
    re.IGNORECASE,
)
NO_PERSON = re.compile(
    r"\b(jane|john) (doe|roe)\b|\bfoo\b|\b(some|any|no)(body|one)\b|^(the |your )?(full )?name$"
    r"|example\.(com|org|net)\b|\.(example|invalid|test)\b|\bexample\b"
    r"|(^|\D)555\D{0,2}\d{4}(\D|$)|(^|\D)(?P<digit>\d)(\W?(?P=digit)){6,}(\D|$)"
    r"|123\W?456\W?7890?\b",
    re.IGNORECASE,
)


def is_placeholder(text: str) -> bool:
    """Return whether this text must be replaced."""
    return PLACEHOLDER.search(text) is not None


def is_no_person(text: str) -> bool:
    """Return whether this is no real person's name or number."""
    return is_placeholder(text) or NO_PERSON.search(text) is not None
