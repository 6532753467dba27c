"""Mutation testing of judges, statistics, ledger and escalation: does a test notice each change?

    python benchmarks/mutation.py hour24/statistics --sample 100 --seed 1
    python benchmarks/mutation.py hour24/objectives/memory.py            every mutant of a file
    python benchmarks/mutation.py hour24/ledger --list                   only what would be changed

A mutant is one change of one module's syntax tree: a comparison, a constant, ``and`` for ``or``, a
sign, what is returned. The tests of that module run against it, each mutant in a process of its
own; it is killed when one fails or does not end. Exits 1 when one survives that survivors.txt does
not name with a reason. Nothing is written to the source.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.figures import Figure, load, tell  # noqa: E402  found beside it, not installed

SURVIVORS = Path(__file__).with_name("survivors.txt")
"""``MODULE QUALNAME: CHANGE | why no test can or need notice it``, one a line."""
MOST_S = 90.0
"""A mutant whose tests take longer is a loop without end."""
TESTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("hour24/objectives/errors/*", ("test_objectives_errors", "test_objectives_base")),
    ("hour24/objectives/latency/*", ("test_objectives_latency", "test_latency")),
    ("hour24/objectives/signoff.py", ("test_objectives_signoff",)),
    ("hour24/objectives/statements.py", ("test_objectives_database",)),
    ("hour24/objectives/providers.py", ("test_providers", "test_objectives_base")),
    ("hour24/objectives/exclusions.py", ("test_objectives_errors",)),
    ("hour24/objectives/level.py", ("test_daily", "test_limits")),
    ("hour24/objectives/own.py", ("test_objectives_base", "test_objectives_rates")),
    ("hour24/objectives/*", ("test_objectives_{stem}", "test_objectives_base")),
    (
        "hour24/statistics/coverage.py",
        ("test_statistics_coverage", "test_objectives_probes", "test_objectives_signoff"),
    ),
    ("hour24/statistics/*", ("test_statistics_{stem}", "test_objectives_{stem}")),
    (
        "hour24/ledger/*",
        (
            "test_ledger",
            "test_ledger_approval",
            "test_ledger_redaction",
            "test_ledger_files",
            "test_standings",
            "test_record",
            "test_journal",
            "test_launch",
            "test_declaring",
            "test_versions",
        ),
    ),
    ("hour24/escalation/*", ("test_escalation",)),
)
"""Modules -> the files of their tests, the nearest first; the first row that fits counts."""
SWAPPED: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
PRELOADED = ("pytest", "hypothesis", "numpy", "scipy.special", "msgspec", "jsonschema", "requests")
"""What each mutant's process finds loaded; nothing of hour24."""


class Mutant(NamedTuple):
    """One change.

    Args:
        path: of the module, below the project.
        where: qualified name of the function or class that it is in.
        says: what became what.
        line: of the source.
        number: of the change in its module.
    """

    path: str
    where: str
    says: str
    line: int
    number: int

    @property
    def name(self) -> str:
        """Name in survivors.txt; without a line number, which every edit moves."""
        return f"{self.path} {self.where}: {self.says}"


class _Mutator(ast.NodeTransformer):
    """Counts the changes of a tree, and makes one of them.

    Args:
        only: number of the change to make; -1: none.
    """

    def __init__(self, path: str, only: int = -1) -> None:
        self.path = path
        self.only = only
        self.found: list[Mutant] = []
        self._names: list[str] = []
        self._lines = (ROOT / path).read_text(encoding="utf-8").splitlines()

    def _may(self, node: ast.AST, before: str, after: str) -> bool:
        """Note a change. Returns: whether to make it."""
        number = len(self.found)
        where = ".".join(self._names) or "module"
        line = getattr(node, "lineno", 0)
        self.found.append(Mutant(self.path, where, f"{before} -> {after}", line, number))
        return number == self.only

    def _line_of(self, node: ast.Constant) -> str:
        return self._lines[node.lineno - 1].strip()[:80]

    def _inside(self, node: ast.AST, name: str) -> ast.AST:
        self._names.append(name)
        self.generic_visit(node)
        self._names.pop()
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list, kept = [], node.decorator_list  # a decorator is no judgement
        node.returns = None
        self._inside(node, node.name)
        node.decorator_list = kept
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._inside(node, node.name)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        node.defaults = [self.visit(each) for each in node.defaults]
        node.kw_defaults = [each and self.visit(each) for each in node.kw_defaults]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return node  # the words of an error

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node  # the words of a reason

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        for n, op in enumerate(node.ops):
            new = SWAPPED.get(type(op))
            if new is not None and self._may(node, ast.unparse(node), f"{new.__name__} at {n + 1}"):
                node.ops[n] = new()
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        new = SWAPPED[type(node.op)]
        if self._may(node, ast.unparse(node)[:80], new.__name__):
            node.op = new()
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        new = SWAPPED.get(type(node.op))
        if new is not None and self._may(node, ast.unparse(node)[:80], new.__name__):
            node.op = new()
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not | ast.USub) and self._may(
            node, ast.unparse(node)[:80], "without it"
        ):
            return node.operand
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        plain = isinstance(node.value, ast.Constant) and node.value.value is None
        if (
            node.value is not None
            and not plain
            and self._may(node, f"return {ast.unparse(node.value)[:80]}", "None")
        ):
            node.value = ast.Constant(None)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value
        if isinstance(value, bool):
            new: object = not value
        elif isinstance(value, int):
            new = value + 1
        elif isinstance(value, float):
            new = value * 2 if value else 1.0
        else:
            return node
        if self._may(node, f"{value!r} in {self._line_of(node)}", repr(new)):
            return ast.copy_location(ast.Constant(new), node)
        return node


def mutants_of(path: str) -> list[Mutant]:
    """Return every mutant of a module."""
    mutator = _Mutator(path)
    mutator.visit(ast.parse((ROOT / path).read_text(encoding="utf-8")))
    return mutator.found


def mutated(mutant: Mutant) -> ast.Module:
    """Return the module's tree with this change."""
    tree = ast.parse((ROOT / mutant.path).read_text(encoding="utf-8"))
    changed = _Mutator(mutant.path, mutant.number).visit(copy.deepcopy(tree))
    return ast.fix_missing_locations(changed)


def modules_below(names: Sequence[str]) -> list[str]:
    """Return the modules of these files and folders, below the project."""
    found: list[str] = []
    for name in names:
        path = (ROOT / name).resolve()
        each = [path] if path.is_file() else sorted(path.rglob("*.py"))
        found += [one.relative_to(ROOT).as_posix() for one in each]
    return found


def tests_of(path: str) -> list[str]:
    """Return the files of tests of a module that exist."""
    for pattern, names in TESTS:
        if fnmatch(path, pattern):
            files = (ROOT / "tests" / f"{n.format(stem=Path(path).stem)}.py" for n in names)
            return [str(file) for file in files if file.is_file()]
    return []


def is_killed(mutant: Mutant, run: Callable[[list[str]], int] | None = None) -> bool:
    """Whether a test notices this mutant; ``run`` is pytest unless a test of ours replaces it."""
    with warnings.catch_warnings():  # later versions warn where a thread runs beside us
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(_in_child(mutant, run))
    until = time.monotonic() + MOST_S
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) != 0
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def _in_child(mutant: Mutant, run: Callable[[list[str]], int] | None) -> int:
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.chdir(ROOT)
    try:
        sys.meta_path.insert(0, _Finder(mutant))
        if run is not None:
            return run(tests_of(mutant.path))
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header"]
        return int(pytest.main([*options, *tests_of(mutant.path)]))
    except BaseException:  # noqa: BLE001  a mutant may do anything
        return 1


class _Finder(importlib.abc.MetaPathFinder):
    """Imports the mutated module instead of its file."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        parts = Path(mutant.path).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def find_spec(self, name: str, path: object, target: object = None):  # type: ignore[no-untyped-def]
        if name != self.name:
            return None
        file = ROOT / self.mutant.path
        package = [str(file.parent)] if file.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            name,
            file,
            loader=_Loader(name, str(file), self.mutant),
            submodule_search_locations=package,
        )


class _Loader(importlib.abc.Loader):
    def __init__(self, name: str, file: str, mutant: Mutant) -> None:
        self.file = file
        self.mutant = mutant

    def create_module(self, spec: object) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(mutated(self.mutant), self.file, "exec"), module.__dict__)


def known_survivors() -> dict[str, str]:
    """Return name -> reason of the mutants that may survive."""
    if not SURVIVORS.is_file():
        return {}
    lines = SURVIVORS.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(" | ", 1) for line in lines if line.strip() and line[0] != "#")
    return {name.strip(): reason.strip() for name, reason in pairs}


def preload() -> None:
    """Import what every mutant's process needs and no mutant changes."""
    for name in PRELOADED:
        importlib.import_module(name)


def chosen(names: Sequence[str], sample: int, seed: int) -> list[Mutant]:
    """Return a sample of the mutants of these modules, by seed; all with ``sample`` 0."""
    found = [each for path in modules_below(names) if tests_of(path) for each in mutants_of(path)]
    if not 0 < sample < len(found):
        return found
    return sorted(random.Random(seed).sample(found, sample))


def judged(mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, bool]]:
    """Yield each mutant with whether it was killed."""
    preload()
    for mutant in mutants:
        yield mutant, is_killed(mutant)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=["hour24/objectives", "hour24/statistics"])
    parser.add_argument("--sample", type=int, default=0, help="so many of them (default: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--within", type=float, default=0.0, help="stop after so many seconds")
    parser.add_argument(
        "--skip", type=int, default=0, help="leave out the first ones of the sample"
    )
    parser.add_argument("--most", type=int, default=0, help="try so many at most")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    mutants = chosen(options.names, options.sample, options.seed)[options.skip :]
    mutants = mutants[: options.most or None]
    if options.list:
        for each in mutants:
            print(f"{each.line:5} {each.name}")
        return 0
    known, killed, excused, began = known_survivors(), 0, 0, time.monotonic()
    done = 0
    for mutant, dead in judged(mutants):
        done += 1
        killed += dead
        if not dead:
            reason = known.get(mutant.name, "")
            excused += bool(reason)
            print(
                f"survived {mutant.line:5} {mutant.name}{f' | {reason}' if reason else ''}",
                flush=True,
            )
        if options.within and time.monotonic() - began > options.within:
            break
    return tell(
        [
            load(),
            Figure("mutants tried", done, ""),
            Figure("of these killed", killed, ""),
            Figure("survivors with a reason in survivors.txt", excused, ""),
            Figure("survivors without one", done - killed - excused, "", most=0),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
