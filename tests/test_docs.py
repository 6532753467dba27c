"""The documents name what exists, and everything that they promise to name."""

from __future__ import annotations

import lzma
import re
from pathlib import Path

import pytest

from tests import reference
from tests.pages import picture

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hour24"
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md")
EVERY = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md"), *(ROOT / "benchmarks").glob("*.md")]
)
ROOTS = (PACKAGE, PACKAGE / "rehearsal", ROOT / "tests", ROOT)
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
        pattern = re.sub(r"(?<![A-Za-z])[A-Z]{4,}(?![A-Za-z]|\.md)", "*", text)
        if pattern.startswith(("/", "reports/")) or text == "tests_prod/test_own.py":
            continue
        if "/" not in pattern:
            pattern = f"**/{pattern}"  # the sentence around it says in which folder
        if all(next(root.glob(pattern.rstrip("/")), None) is None for root in ROOTS):
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


def test_the_reference_is_what_the_programs_say() -> None:
    """docs/REFERENCE.md is generated; whoever changes a command runs ``make reference``."""
    assert reference.PATH.read_text("utf-8") == reference.text()


def test_the_readmes_picture_shows_the_page_of_today() -> None:
    """A page that changed needs a new picture: ``make picture``."""
    stored = lzma.decompress(picture.HTML.read_bytes())
    assert picture.html() == stored, "docs/images/ is out of date; run `make picture`"


@pytest.mark.parametrize("scheme", picture.SCHEMES)
def test_a_picture_is_small_and_as_wide_as_the_screen(scheme: str) -> None:
    """README loads both; each is a PNG of 1400 px below 150 KB."""
    data = picture.image(scheme).read_bytes()
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20]) == picture.WIDTH
    assert len(data) < 150_000
    assert f"docs/images/page-{scheme}.png" in (ROOT / "README.md").read_text("utf-8")


def test_the_readmes_two_commands_are_targets_of_make() -> None:
    """``make rehearse`` and ``make test``, these two and no more."""
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = readme.partition("## Two commands")[2].partition("## ")[0]
    assert re.findall(r"^    (make \w+)", shown, flags=re.M) == ["make rehearse", "make test"]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert {"rehearse", "test"} <= set(re.findall(r"^(\w+):", makefile, flags=re.M))


def test_the_index_of_decisions_is_that_of_its_pages() -> None:
    """Every page is listed once, with its own date and status."""
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(
        r"^\| \[([\w-]+\.md)\]\(\1\) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$",
        (folder / "README.md").read_text("utf-8"),
        flags=re.M,
    )
    pages = []
    for path in folder.glob("*.md"):
        line = path.read_text("utf-8").splitlines()[2]
        if path.name != "README.md":
            found = re.match(
                r"(\d+ \w+ \d{4})\. Status: (accepted|superseded by \S+\.md\))\.", line
            )
            assert found, f"{path.name}: expected DATE. Status: STATUS., got {line}"
            pages.append((path.name, found[1], found[2]))
    assert sorted(listed) == sorted(pages)


def test_the_changelog_has_each_heading_once_and_each_fact_once() -> None:
    """Two branches that both add a heading leave two behind, and lines twice."""
    for release in (ROOT / "CHANGELOG.md").read_text("utf-8").split("\n## ")[1:]:
        lines = [line for line in release.splitlines()[1:] if line]
        assert len(lines) == len(set(lines)), [line for line in lines if lines.count(line) > 1]
        headings = {line[4:] for line in lines if line.startswith("### ")}
        assert headings <= {"Upgrading", "Added", "Changed", "Fixed", "Removed", "Security"}
