"""What a user reads contains no word that docs/GLOSSARY.md excludes.

Rules of this module:

- It reads README, docs/RUNBOOK.md, docs/REFERENCE.md (the help of every command and option), the
  templates of pages, the docstrings of ``tests_prod/``, titles and descriptions of the schemas, the
  words of criteria, codes and faults, and, by the syntax tree, every string of several words in the
  package: refusals, verdict sentences, descriptions of settings.
- It does not read docstrings and comments of the package, strings of one word (names, keys, codes),
  code blocks, and the rehearsal's vendors, which answer in the real ones' words.
- The words are the rows of GLOSSARY's last table; those of ``LEAST`` must be among them.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hour24.codes import CODES, SETTLED_BY
from hour24.criteria import CRITERIA, DAILY, known
from hour24.rehearsal.faults import FAULTS

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "docs" / "GLOSSARY.md").read_text("utf-8").rpartition("\n## ")[2]
EXCLUDED = {
    word: instead
    for words, instead in re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", TABLE, re.MULTILINE)[1:]
    for word in words.split(", ")
}
"""What to write instead, by the excluded word."""
LEAST = frozenset(
    {
        "told",
        "tells",
        "aside",
        "beside",
        "stands",
        "holds",
        "witness",
        "accused",
        "seen blind",
        "rightly",
        "whose",
        "one's own",
        "moment",
        "mend",
        "hole",
        "stretch",
        "somebody",
        "nobody",
        "look",
    }
)
LONGEST_FIRST = "|".join(sorted(map(re.escape, EXCLUDED), key=len, reverse=True))
WORD = re.compile(rf"(?<![\w/-])(?:{LONGEST_FIRST})(?![\w-]|\.md)", re.IGNORECASE)
NAMES = frozenset({"WITNESS", "Witness"})
"""Names that the author of a witness writes in code."""
PAGES = ("README.md", "docs/CRITERIA.md", "docs/RUNBOOK.md", "docs/REFERENCE.md")
TEMPLATES = sorted((ROOT / "hour24" / "report" / "templates").glob("*.j2"))
SPOKEN = re.compile(r'(?:aria-label|title|alt|content|placeholder)="([^"]*)"')
"""Attributes that a browser shows or reads out."""
SOURCES = [
    path
    for path in sorted((ROOT / "hour24").rglob("*.py"))
    if path.relative_to(ROOT / "hour24").parts[:2] != ("rehearsal", "vendors")
]


def of_markdown(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line of prose with its number; code is left out."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        fenced ^= line.startswith("```")
        if not fenced and not line.startswith("    "):
            yield number, re.sub(r"`[^`]*`", " ", line)


def of_template(text: str) -> Iterator[tuple[int, str]]:
    """Yield a template's texts: between tags, in spoken attributes, in quotes of expressions."""

    def blanked(pattern: str, inside: str) -> str:
        """Replace matches by blanks, and keep the lines where they are."""
        return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m[0]), inside, flags=re.DOTALL)

    text = blanked(r"\{#.*?#\}", text)
    for code in re.finditer(r"\{[{%].*?[%}]\}", text, re.DOTALL):
        for quoted in re.finditer(r"'([^']*)'|\"([^\"]*)\"", code[0]):
            start = code.start() + quoted.start()
            yield text.count("\n", 0, start) + 1, quoted[1] or quoted[2] or ""
    text = blanked(r"\{[{%].*?[%}]\}", text)
    for spoken in SPOKEN.finditer(text):
        yield text.count("\n", 0, spoken.start()) + 1, spoken[1]
    yield from enumerate(blanked(r"<[^>]*>", text).splitlines(), 1)


def of_source(text: str) -> Iterator[tuple[int, str]]:
    """Yield every string of several words that is no docstring."""
    tree = ast.parse(text)
    described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) not in described and re.search(r"\s", node.value):
            yield node.lineno, node.value


def of_criteria(text: str) -> Iterator[tuple[int, str]]:
    """Yield the docstrings of the shipped criteria: the sentences that pytest shows."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and (sentence := ast.get_docstring(node)):
            yield node.lineno, sentence


def of_schema(text: str) -> Iterator[tuple[int, str]]:
    """Yield the titles and descriptions, which refusals and editors show."""

    def walk(node: Any) -> Iterator[str]:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if key in ("title", "description", "$comment") and isinstance(value, str):
                yield value
            elif isinstance(value, dict | list):
                yield from walk(value)

    yield from ((0, each) for each in walk(json.loads(text)))


def found_in(name: str, texts: Iterator[tuple[int, str]]) -> list[str]:
    return [
        f"{name}:{line}: {word[0]!r}: write {EXCLUDED[word[0].lower()]}: {text.strip()[:120]}"
        for line, text in texts
        for word in WORD.finditer(text)
        if word[0] not in NAMES
    ]


def listed(found: list[str]) -> str:
    return "\n" + "\n".join(found)


def test_the_glossary_excludes_the_words_of_the_review() -> None:
    """A word is not allowed again by deleting its row."""
    assert set(EXCLUDED) >= LEAST, LEAST - set(EXCLUDED)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_documentation_has_none(name: str) -> None:
    """Code and names are written in backquotes or code blocks, and are not read."""
    found = found_in(name, of_markdown((ROOT / name).read_text("utf-8")))
    assert not found, listed(found)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_none(path: Path) -> None:
    """Neither in its text, nor in attributes and expressions that put words on the page."""
    found = found_in(path.name, of_template(path.read_text("utf-8")))
    assert not found, listed(found)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_string_of_the_package_has_none(path: Path) -> None:
    """Refusals, verdict sentences, help and descriptions, wherever they are written."""
    found = found_in(str(path.relative_to(ROOT)), of_source(path.read_text("utf-8")))
    assert not found, listed(found)


@pytest.mark.parametrize("path", sorted((ROOT / "tests_prod").glob("*.py")), ids=lambda p: p.name)
def test_a_shipped_criterion_has_none(path: Path) -> None:
    """Its docstring is the sentence that pytest shows."""
    found = found_in(path.name, of_criteria(path.read_text("utf-8")))
    assert not found, listed(found)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "schemas").glob("*.json")), ids=lambda path: path.name
)
def test_a_schema_has_none(path: Path) -> None:
    """A refusal quotes the title of what was expected."""
    found = found_in(path.name, of_schema(path.read_text("utf-8")))
    assert not found, listed(found)


def test_criteria_codes_and_faults_have_none() -> None:
    """Also where a sentence is put together from parts."""
    texts = {name: criterion.sentence for name in {*CRITERIA, *DAILY} if (criterion := known(name))}
    texts |= {name: f"{code.means} {code.advice} {code.settles}" for name, code in CODES.items()}
    texts |= {name: fault.says for name, fault in FAULTS.items()}
    texts |= dict(SETTLED_BY)
    found = [one for name, text in texts.items() for one in found_in(name, iter([(0, text)]))]
    assert not found, listed(found)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (of_template, "<p>The check holds.</p>"),
        (of_template, "{{ 'nobody has confirmed this' }}"),
        (of_template, '<td aria-label="the longest hole">'),
        (of_source, 'verdict = f"{n} requests; {name} told us nothing"'),
        (of_source, 'raise ValueError("health: expected a moment with its zone, got " + text)'),
        (of_markdown, "Each witness is asked once."),
        (of_schema, '{"items": [{"title": "a moment in UTC"}]}'),
        (of_criteria, 'def test_x(check):\n    """Nobody waits"""'),
    ],
)
def test_an_excluded_word_is_found_wherever_it_is_written(read, text: str) -> None:
    """A template's text, expression and attribute; a verdict; a refusal; a page; a criterion."""
    assert len(found_in("here", read(text))) == 1


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (of_template, '<aside class="reh">{# nobody reads this #}{{ told }}</aside>'),
        (of_source, '"""A witness is asked."""\nkey = found["moment"]  # nobody knows'),
        (of_markdown, "`witness` is a name\n\n    code holds\n\n```\nhole\n```\n"),
    ],
)
def test_names_comments_and_code_are_not_read(read, text: str) -> None:
    """Tags, comments, docstrings, names, keys and code blocks are no prose for users."""
    found = found_in("here", read(text))
    assert not found, listed(found)
