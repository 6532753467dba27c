"""The documents name what exists, and everything that they promise to name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hour24"
DOCUMENTS = ("CONTRIBUTING.md", "docs/ARCHITECTURE.md")
EVERY = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md"), *(ROOT / "benchmarks").glob("*.md")]
)
ROOTS = (ROOT, PACKAGE, ROOT / "tests")
"""A name in a document is relative to one of these."""


def rooms() -> set[str]:
    """Every folder and module directly below hour24/, as ARCHITECTURE writes it."""
    modules = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    return modules | {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}


def in_code(document: str) -> list[str]:
    """The texts that a document sets in code, outside its blocks."""
    text = re.sub(r"^```.*?^```", "", (ROOT / document).read_text("utf-8"), flags=re.M | re.S)
    return re.findall(r"`([^`\n]+)`", text)


def test_architecture_names_every_room() -> None:
    """Each has one row of the table of rooms."""
    text = (ROOT / "docs/ARCHITECTURE.md").read_text("utf-8")
    table = text.partition("\n## Rooms\n")[2].partition("\n## ")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert sorted(named) == sorted(rooms())


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if (ROOT / name).exists()])
def test_every_path_in_a_document_exists(document: str) -> None:
    """A path ends in a slash or in a suffix of ours; capitals are placeholders."""
    missing = []
    for text in in_code(document):
        if not re.fullmatch(r"[\w./*-]+(/|\.(py|md|toml|ini|txt|j2|json|yml))", text):
            continue
        pattern = re.sub(r"\b[A-Z]{4,}\b(?!\.md)", "*", text)
        if pattern.startswith(("/", "reports/")):
            continue
        if not any(list(root.glob(pattern.rstrip("/"))) for root in ROOTS):
            missing.append(text)
    assert missing == []


@pytest.mark.parametrize("document", EVERY, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    """Links between documents, and to files of this repository."""
    text = re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.M | re.S)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path = link.partition("#")[0]
        if path and "://" not in path and not (document.parent / path).exists():
            broken.append(link)
    assert broken == []
