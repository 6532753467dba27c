"""Imports run one way, and heavy libraries are imported late."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hour24"
NOTHING = {"errors", "classes", "histogram", "verdict", "exchange", "workers", "redaction"}
JUDGE = {"evidence", "watch", "verdict", "statistics", "classes", "histogram"}
ASK = {"answers", "asking", "fetching", "clock", "config", "errors", "evidence", "exchange"}
LEDGER = {
    "canonical",
    "chain",
    "classes",
    "criteria",
    "errors",
    "evidence",
    "journal",
    "ledger",
    "objectives",
    "readiness",
    "record",
    "signature",
    "standings",
    "verdict",
    "verify",
    "watch",
    "waivers",
}
WIRE = {path.stem for path in PACKAGE.iterdir() if path.stem[0] != "_"}

MAY_IMPORT: dict[str, set[str]] = {
    **{room: {"histogram"} - {room} for room in NOTHING},
    "watch": set(),
    "clock": set(),
    "statistics": {"histogram"},
    "criteria": {"watch"},
    "evidence": {"watch"},
    "config": {"classes", "criteria", "errors", "watch"},
    "answers": {"errors", "watch"},
    "fetching": {"errors"},
    "asking": ASK | {"watch"},
    "sources": ASK | {"watch", "histogram", "workers"},
    "objectives": JUDGE,
    "baseline": {"evidence", "objectives", "verdict"},
    "canonical": {"errors"},
    "journal": {"canonical", "errors"},
    "record": {"canonical", "errors", "evidence", "verdict", "watch"},
    "standings": {"criteria", "record", "verdict", "watch"},
    "chain": {"canonical", "errors", "journal", "record"},
    "ledger": LEDGER - {"verify", "readiness", "signature", "objectives", "evidence"},
    "readiness": LEDGER - {"verify", "objectives"},
    "verify": LEDGER,
    "waivers": LEDGER - {"verify"},
    "declaring": LEDGER - {"verify"},
    "signature": {"errors"},
    "signoff": LEDGER,
    "escalation": {"classes", "evidence", "record", "verdict", "watch"},
    "report": {
        "classes",
        "criteria",
        "evidence",
        "histogram",
        "ledger",
        "record",
        "verdict",
        "watch",
    },
    "alerts": {"config", "exchange", "probes", "record"},
    "probes": {"errors", "evidence", "watch", "histogram"},
    "prober": ASK | {"watch", "probes", "sources", "histogram", "workers"},
    "inquiry": ASK | {"watch", "ledger", "probes", "sources"},
    "questions": {"evidence", "inquiry", "sources", "watch"},
    "asked": ASK | {"inquiry", "sources"},
    "doctor": ASK | {"watch", "criteria", "sources"},
    "terminal": {"record", "run", "verdict", "watch"},
    **{
        room: WIRE - {"plugin"}
        for room in ("stage", "run", "rehearsal", "rollback", "daily", "commands", "__main__")
    },
    "plugin": WIRE,
}


def imports(path: Path) -> Iterator[str]:
    """Modules of ours that a file imports, full names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "hour24":
                yield from (f"hour24.{alias.name}" for alias in node.names)
            elif node.module.startswith("hour24."):
                yield node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("hour24."))


FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted({path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES})


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "__init__"])
def test_each_room_imports_only_what_lies_below_it(room: str) -> None:
    """The table above is the flow of the data."""
    found = {
        module.split(".")[1]
        for path in FILES
        if path.relative_to(PACKAGE).parts[0].removesuffix(".py") == room
        for module in imports(path)
    }
    assert found - {room, "__version__"} <= MAY_IMPORT[room]


def test_no_source_imports_another() -> None:
    """Each asks its own outside system; they share only how one asks."""
    rooms = {path.stem if path.suffix else path.name for path in (PACKAGE / "sources").iterdir()}
    for path in (PACKAGE / "sources").rglob("*.py"):
        own = path.relative_to(PACKAGE / "sources").parts[0].removesuffix(".py")
        for module in imports(path):
            if module.startswith("hour24.sources."):
                assert module.split(".")[2] == own or module.split(".")[2] not in rooms, path


def test_only_the_plugin_imports_pytest() -> None:
    """Everything else can be used, and tested, without it."""
    found = [p for p in FILES if "import pytest" in p.read_text(encoding="utf-8")]
    assert [path.name for path in found] == ["plugin.py"]


def test_only_the_postgres_source_imports_the_driver_for_production() -> None:
    """The rehearsal's own database is the other user of it."""
    found = {
        path.relative_to(PACKAGE).parts[0]
        for path in FILES
        if "import psycopg2" in path.read_text(encoding="utf-8")
    }
    assert found <= {"sources", "rehearsal"}


def test_naming_the_criteria_imports_nothing_heavy() -> None:
    """``pytest -m hour8 --collect-only`` answers at once."""
    heavy = ("scipy", "numpy", "requests", "psycopg2", "jsonschema", "jinja2", "rich", "apprise")
    code = (
        "import sys, hour24.plugin, hour24.questions, hour24.objectives, hour24.criteria; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
