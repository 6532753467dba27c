"""Every code of a verdict has one entry, and every entry is a code that hour24 can write."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from hour24 import codes
from hour24.codes import CODES, SETTLED_BY

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hour24"
FORM = re.compile(r"[a-z]+(_[a-z0-9]+)*")
NOT_OF_A_VERDICT = {"codes.py", "rehearsal", "report"}
"""Modules in which ``code`` means something else: this table, a server's answer, a page."""


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package that may write a verdict."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = str(path.relative_to(PACKAGE))
        if module not in NOT_OF_A_VERDICT and module.split("/")[0] not in NOT_OF_A_VERDICT:
            yield module, ast.parse(path.read_text(encoding="utf-8"))


def positions(modules: Iterable[ast.Module]) -> dict[str, set[int]]:
    """Name of a function or class -> the positions at which its callers pass the code."""
    found: dict[str, set[int]] = defaultdict(set)
    for tree in modules:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                names = [each.arg for each in node.args.args]
                if "code" in names:
                    found[node.name].add(names.index("code") - (names[0] in ("self", "cls")))
            elif isinstance(node, ast.ClassDef):
                fields = [
                    each.target.id
                    for each in node.body
                    if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
                ]
                if "code" in fields:
                    found[node.name].add(fields.index("code"))
    return found


def texts(node: ast.expr) -> Iterator[str]:
    """The texts that an expression may be: a literal, or either end of a condition."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from texts(value)
    elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "get":
        yield from (text for each in node.args[1:] for text in texts(each))  # a table's default


def is_reason(node: ast.expr) -> bool:
    """True for the second of a pair of code and reason: a sentence, or what makes one."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and " " in node.value
    return isinstance(node, ast.JoinedStr | ast.BinOp | ast.Name | ast.IfExp)


def given(tree: ast.Module, at: dict[str, set[int]], *, pairs: bool = True) -> Iterator[str]:
    """The literals that a module gives as a code; ``pairs``: also with its reason, as a tuple."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == "code":
                    yield from texts(keyword.value)
            name = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
            for index in at.get(name, ()):
                yield from (t for each in node.args[index : index + 1] for t in texts(each))
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _assigned(target, node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield from _assigned(node.target, node.value)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "code":
                    yield from texts(value)
        elif isinstance(node, ast.FunctionDef) and node.name == "code":
            for each in ast.walk(node):
                if isinstance(each, ast.Return) and each.value is not None:
                    yield from texts(each.value)
        elif (
            pairs
            and isinstance(node, ast.Tuple)
            and len(node.elts) == 2
            and is_reason(node.elts[1])
        ):
            # a single word may be anything: in pairs, only words with an underscore are codes
            yield from (t for t in texts(node.elts[0]) if "_" in t or t in CODES)


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name) and target.id.lower() in ("code", "codes"):
        yield from texts(value)
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, each in zip(target.elts, value.elts, strict=False):
            yield from _assigned(one, each)


def produced() -> dict[str, set[str]]:
    """Code -> the modules that give it."""
    every = list(trees())
    at = positions(tree for _, tree in every)
    found: dict[str, set[str]] = defaultdict(set)
    for module, tree in every:
        asks = module.startswith(("sources/", "witnesses/"))  # their pairs are of a query
        for code in given(tree, at, pairs=not asks):
            if FORM.fullmatch(code):
                found[code].add(module)
    return found


def test_each_code_has_an_entry_and_each_entry_a_code() -> None:
    """No code can be written without its advice; an unused entry is removed."""
    found = produced()
    assert {code: sorted(where) for code, where in found.items() if code not in CODES} == {}
    assert sorted(set(CODES) - set(found)) == []


@pytest.mark.parametrize(
    "source",
    [
        'Verdict(code="made_up")',
        'class Gone(SourceError):\n    code = "made_up"',
        'def f(self, code, reason): ...\nself.f("made_up", "why")',
        'class Pair(NamedTuple):\n    code: str\n    why: str\nPair("made_up", "why")',
        'outcome, code = Outcome.FAIL, "made_up"',
        'code = "made_up" if late else ""',
        'CODES = {"wide": "made_up"}',
        'Verdict(code={}.get(status, "made_up"))',
        'item = {"code": "made_up"}',
        'def code(self):\n    return "made_up"',
        'bad = ("made_up", f"{n} were bad")',
    ],
)
def test_a_code_is_found_however_it_is_given(source: str) -> None:
    """By keyword, by position, as a class attribute, from a table, or as a pair with its reason."""
    tree = ast.parse(source)
    assert "made_up" in set(given(tree, positions([tree])))


@pytest.mark.parametrize("name", CODES)
def test_each_entry_is_complete(name: str) -> None:
    """One sentence of meaning, one of advice; a code that more evidence resolves is not final."""
    one = CODES[name]
    for sentence in (one.means, one.advice):
        assert sentence[0].isupper() or sentence.startswith(("production.toml", "hour24"))
        assert sentence.endswith(".")
        assert "|" not in sentence, "it is written into a table of the runbook"
    assert one.settled_by in SETTLED_BY
    if one.of == "FAIL":
        assert not one.again, "a FAIL sticks"
        assert name not in codes.SETTLED_BY_MORE_EVIDENCE
    if one.unjudged:
        assert one.of == "INCONCLUSIVE"


def test_what_resolves_a_code_is_stated_in_words() -> None:
    """Its own words come first, then those of its kind; a custom code needs another attempt."""
    assert codes.settles("too_few_samples") == SETTLED_BY["evidence"]
    assert codes.settles("late").startswith("only a waiver: ")
    assert codes.settles("source_timeout") == codes.settles("of_my_own") == SETTLED_BY["attempt"]
