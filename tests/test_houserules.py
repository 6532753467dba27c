"""A vendor has one home: nothing outside a witness's own folder imports it, or says its name.

Rules of this module:

- The syntax tree is read, not the text: identifiers, and every string constant, docstrings too.
- Exempt: a witness's own folder, the names of an exporter's metrics, the rehearsal, what
  ``hour24 init`` writes, a method called ``render``, the ids and sentences of criteria (or
  part of one), and the names of the rehearsal's faults.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hour24.criteria import CRITERIA
from hour24.rehearsal.faults import FAULTS
from tests.test_layers import FILES, PACKAGE, WITNESSES, imports

COMMON = {"database", "logs", "status_pages"}
"""Witnesses with generic names, not a vendor's."""
VENDORS = sorted({*WITNESSES, "vapi", "github"} - COMMON)
NAMED = re.compile(rf"(?<![a-z])({'|'.join(VENDORS)})(?![a-z])", re.IGNORECASE)
EXEMPT = ("rehearsal", "starter")
SENTENCES = frozenset({one for each in CRITERIA.values() for one in (each.id, each.sentence)})


def is_exempt(text: str) -> bool:
    """Whether a text may name a vendor wherever it stands."""
    if text == "render-stream" or text.startswith("render_service_"):
        return True  # the names of an exporter
    if text == "render" or text in SENTENCES or text.partition("@")[0] in FAULTS:
        return True
    return len(text.split()) > 2 and any(text in sentence for sentence in SENTENCES)


def home_of(path: Path) -> str:
    """The witness to which a file belongs; empty: none."""
    parts = path.relative_to(PACKAGE).parts
    return parts[1] if parts[0] == "witnesses" and parts[1] in WITNESSES else ""


def words(path: Path) -> Iterator[tuple[int, str]]:
    """Every identifier and string constant of a file, with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Constant(value=str() as text):
                yield line, text
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield line, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield line, name
            case ast.ClassDef(name=name) | ast.keyword(arg=str() as name):
                yield line, name
            case ast.alias(name=name, asname=other):
                yield line, name
                yield line, other or ""
            case ast.ImportFrom(module=str() as name):
                yield line, name


OUTSIDE = [
    path
    for path in [*FILES, PACKAGE / "__init__.py"]
    if path.relative_to(PACKAGE).parts[0] not in EXEMPT
]


def vendors_in(text: str, home: str = "") -> set[str]:
    """The vendors that a text names, in lower case; ``home`` may name itself."""
    parts = {one for word in NAMED.findall(text) for one in [word.lower()]}
    return parts - {home}


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_vendor_is_named_outside_its_own_folder(path: Path) -> None:
    """In no identifier and no string."""
    home = home_of(path)
    found = {
        f"{line}: {text[:80]}"
        for line, text in words(path)
        if vendors_in(text, home) and not is_exempt(text)
    }
    assert not found


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_witnesses_room_is_imported_outside_its_own_folder(path: Path) -> None:
    """The registry finds it by the name of its section."""
    home = home_of(path)
    for module in imports(path):
        parts = module.split(".")
        if parts[:2] == ["hour24", "witnesses"] and len(parts) > 2 and parts[2] in WITNESSES:
            assert parts[2] == home, module


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("asks Sentry for it", {"sentry"}),
        ("sentry_outcomes", {"sentry"}),
        ("SENTRY-FEED", {"sentry"}),
        ("RenderAt", set()),
        ("rendered, renders, sentryx", set()),
        ("a GitHub summary of Vapi", {"github", "vapi"}),
    ],
)
def test_a_vendors_name_is_found_as_a_word(text: str, found: set[str]) -> None:
    """And not as a part of another word."""
    assert vendors_in(text) == found
