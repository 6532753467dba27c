"""The mutation script: what it changes, what runs against it, what it excuses."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from benchmarks import mutation

ROOMS = ("hour24/objectives", "hour24/statistics", "hour24/ledger", "hour24/escalation")
SOURCE = '''"""Words of 3 lines."""
LIMIT = 0.5

def is_bad(count, total=1):
    """Whether 2 of 3 are bad."""
    if count > total and not total == 0:
        raise ValueError(f"expected at most {total + 1}")
    return count / total >= LIMIT or None in (count,)
'''
SAYS = [
    "0.5 in LIMIT = 0.5 -> 1.0",
    "1 in def is_bad(count, total=1): -> 2",
    "count > total -> GtE at 1",
    "0 in if count > total and not total == 0: -> 1",
    "total == 0 -> NotEq at 1",
    "not total == 0 -> without it",
    "count > total and (not total == 0) -> Or",
    "count / total -> Mult",
    "count / total >= LIMIT -> Gt at 1",
    "None in (count,) -> NotIn at 1",
    "count / total >= LIMIT or None in (count,) -> And",
    "return count / total >= LIMIT or None in (count,) -> None",
]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(mutation, "ROOT", tmp_path)
    (tmp_path / "bad.py").write_text(SOURCE, "utf-8")
    return "bad.py"


def test_each_kind_of_change_is_made(module: str) -> None:
    """Comparisons, constants, and/or, not, signs, returns; no words, and one at a time."""
    found = mutation.mutants_of(module)
    assert [each.says for each in found] == SAYS
    texts = {ast.unparse(mutation.mutated(each)) for each in found}
    assert len(texts) == len(SAYS)
    assert ast.unparse(ast.parse(SOURCE)) not in texts


def test_a_mutant_is_what_its_process_imports(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no other: the file stays as it is."""
    monkeypatch.syspath_prepend(str(mutation.ROOT))
    limit, *_ = mutation.mutants_of(module)

    def run(files: list[str]) -> int:
        import bad

        return int(bad.LIMIT != 0.5)

    assert mutation.is_killed(limit, run)
    assert not mutation.is_killed(limit._replace(number=99), run)
    assert Path(mutation.ROOT, module).read_text("utf-8") == SOURCE


def test_one_that_never_ends_is_killed(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutation, "MOST_S", 0.2)

    def run(files: list[str]) -> int:
        while True:
            pass

    assert mutation.is_killed(mutation.mutants_of(module)[0], run)


def test_every_module_that_is_mutated_has_its_tests() -> None:
    """All judges, statistics and the ledger; a new module is named in TESTS."""
    without = [path for path in mutation.modules_below(ROOMS) if not mutation.tests_of(path)]
    assert [each for each in without if mutation.mutants_of(each)] == []


def test_every_survivor_is_still_a_mutant() -> None:
    """What the file excuses exists, and has a reason."""
    known = mutation.known_survivors()
    modules = {name.split(" ")[0] for name in known}
    names = {each.name for path in modules for each in mutation.mutants_of(path)}
    assert known.keys() <= names
    assert all(len(reason) > 10 for reason in known.values())
