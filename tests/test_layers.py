"""Imports run one way, and heavy libraries are imported late."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hour24"
PACKAGES = ("asking", "checkpoint", "ledger", "targets", "witnesses")
"""Packages with several rooms: a room is ``ledger.record``."""

NOTHING = (
    "codes",
    "disk",
    "errors",
    "linear",
    "histogram",
    "pipe",
    "kind",
    "playbook",
    "quarantine",
    "verdict",
    "versions",
    "clock",
    "shipped",
    "watch",
)
EVERYWHERE = ("hour24.__version__", "hour24.shipped", "hour24.text", "hour24.documents")
JUDGE = {
    "uptime",
    "evidence",
    "watch",
    "verdict",
    "statistics",
    "classes",
    "histogram",
    "lines",
    "linear",
}
ASK = {
    "uptime",
    "asking.answers",
    "asking.exchange",
    "asking.fetching",
    "asking.freshness",
    "asking.client",
    "clock",
    "config",
    "errors",
    "evidence",
    "linear",
    "lines",
    "secrets",
    "watch",
}
PORT = {"witnesses.logged", "witnesses.platform", "witnesses.port", "witnesses.sections"}
WITNESSES = sorted(each.parent.name for each in (PACKAGE / "witnesses").glob("*/__init__.py"))
PROBE = ASK | {"asking.workers", "histogram"}
RECORD = {
    "disk",
    "errors",
    "evidence",
    "kind",
    "ledger.canonical",
    "links",
    "quarantine",
    "verdict",
    "versions",
    "watch",
}
BOOK = RECORD | {
    "ledger.advisory",
    "ledger.sharing",
    "classes",
    "criteria",
    "ledger.book",
    "ledger.chain",
    "ledger.journal",
    "ledger.launch",
    "ledger.moved",
    "ledger.record",
    "ledger.room",
    "ledger.standings",
}
SIGN = BOOK | {
    "ledger.compared",
    "ledger.derived",
    "ledger.files",
    "ledger.judges",
    "ledger.readiness",
    "ledger.signature",
    "ledger.verify",
}
CONTEXT = {"targets.context", "targets.request"}
ATTEMPT = (
    ASK
    | BOOK
    | CONTEXT
    | {"checkpoint.attempt", "checkpoint.inquiry", "checkpoint.lanes", "witnesses.port"}
)
TARGET = BOOK | CONTEXT | {"checkpoint.addresses", "clock", "config", "secrets", "targets.watches"}
"""What makes a context; what is below it gets the context, and asks nothing of the target."""

MAY_IMPORT: dict[str, set[str]] = {
    **{room: set() for room in NOTHING},
    "secrets": {"linear", "lines", "quarantine"},
    "text": {"linear", "lines", "watch"},
    "documents": {"linear"},
    "uptime": {"linear"},
    "lines": {"linear"},
    "links": {"linear"},
    "classes": {"linear", "lines"},
    "statistics": {"histogram", "linear", "lines"},
    "criteria": {"objectives", "watch"},
    "evidence": {"watch"},
    "config": {
        "classes",
        "criteria",
        "errors",
        "linear",
        "links",
        "secrets",
        "watch",
        "witnesses.port",
        "witnesses.registry",
        "witnesses.sections",
    },
    "asking.exchange": {"asking.connection", "asking.decoding"},
    "asking.connection": {"asking.decoding", "asking.proxies"},
    "asking.decoding": set(),
    "asking.proxies": set(),
    "asking.freshness": {"linear"},
    "asking.workers": set(),
    "asking.answers": {"errors", "linear", "watch"},
    "asking.fetching": {"errors"},
    "asking.client": ASK,
    "sources": PROBE,
    "witnesses.port": {"links", "secrets", "watch"},
    "witnesses.sections": {"secrets", "witnesses.port"},
    "witnesses.logged": {"errors", "evidence", "linear", "lines", "watch"},
    "witnesses.platform": {"errors"},
    "witnesses.registry": {"witnesses.port", "witnesses.sections"},
    **{f"witnesses.{name}": ASK | PORT | {"criteria"} for name in WITNESSES},
    "objectives": JUDGE,
    "ledger.canonical": {"errors"},
    "ledger.advisory": {"ledger.record", "verdict"},
    "ledger.room": {"errors"},
    "ledger.journal": {"disk", "ledger.canonical", "ledger.room", "errors"},
    "ledger.record": RECORD,
    "ledger.standings": {"codes", "criteria", "ledger.record", "verdict", "watch"},
    "ledger.chain": RECORD | {"ledger.journal", "ledger.record"},
    "ledger.stores": {"disk", "errors"},
    "ledger.sharing": {"errors", "ledger.chain", "ledger.stores"},
    "ledger.launch": {"kind", "ledger.standings", "verdict"},
    "ledger.book": BOOK,
    "ledger.moved": {"ledger.book", "ledger.record"},
    "ledger.signature": {"errors"},
    "ledger.readiness": BOOK | {"statistics"},
    "ledger.waivers": BOOK | {"linear", "lines", "ledger.readiness"},
    "ledger.declaring": BOOK | {"ledger.waivers"},
    "ledger.compared": BOOK,
    "ledger.redaction": BOOK,
    "ledger.files": BOOK,
    "ledger.judges": {"ledger.book", "versions"},
    "ledger.derived": {
        "codes",
        "criteria",
        "evidence",
        "ledger.record",
        "objectives",
        "verdict",
        "versions",
    },
    "ledger.verify": SIGN,
    "ledger.signoff": SIGN | {"ledger.waivers"},
    "escalation": {"codes", "classes", "criteria", "evidence", "ledger.record", "verdict", "watch"},
    "incidents": {
        "classes",
        "codes",
        "criteria",
        "evidence",
        "ledger.record",
        "linear",
        "ledger.standings",
        "verdict",
    },
    "report": BOOK | {"codes", "histogram", "linear", "incidents", "links", "playbook"},
    "probes": {"disk", "errors", "evidence", "watch", "histogram", "quarantine"},
    "prober": PROBE | {"probes", "sources"},
    "alerts": {
        "asking.exchange",
        "config",
        "documents",
        "errors",
        "incidents",
        "ledger.book",
        "ledger.record",
        "probes",
        "secrets",
        "verdict",
    },
    "doctor": ASK
    | PORT
    | {
        "checkpoint.questions",
        "criteria",
        "objectives",
        "rollback",
        "sources",
        "statistics",
        "verdict",
        "witnesses.registry",
    },
    "checkpoint.addresses": {"config", "secrets"},
    "checkpoint.attempt": ATTEMPT | {"checkpoint.sentences"},
    "checkpoint.sentences": {"checkpoint.questions", "config", "criteria"},
    "checkpoint.linking": {"config", "links", "witnesses.port"},
    "checkpoint.recording": ATTEMPT | {"checkpoint.linking", "probes"},
    "checkpoint.notify": {
        "alerts",
        "checkpoint.attempt",
        "errors",
        "ledger.book",
        "ledger.record",
        "probes",
        "secrets",
    },
    "checkpoint.kept": {"codes", "errors", "evidence", "probes", "watch"},
    "checkpoint.keeping": {
        "checkpoint.inquiry",
        "checkpoint.kept",
        "checkpoint.lanes",
        "checkpoint.notify",
        "checkpoint.run",
        "errors",
        "evidence",
        "ledger.record",
        "probes",
        "secrets",
        "verdict",
        "watch",
        "witnesses.port",
    },
    "checkpoint.baseline": {"criteria", "evidence", "objectives", "verdict"},
    "checkpoint.inquiry": ASK
    | {
        "checkpoint.addresses",
        "checkpoint.kept",
        "ledger.book",
        "probes",
        "sources",
    }
    | PORT,
    "checkpoint.lanes": {"checkpoint.inquiry", "config", "errors", "evidence", "witnesses.port"},
    "checkpoint.from_lines": {"classes", "errors", "evidence", "lines", "statistics", "watch"},
    "checkpoint.vantages": {
        "checkpoint.inquiry",
        "errors",
        "evidence",
        "watch",
        "witnesses.port",
    },
    "checkpoint.questions": {
        "checkpoint.from_lines",
        "checkpoint.inquiry",
        "checkpoint.vantages",
        "evidence",
        "sources",
        "watch",
        "witnesses.port",
    },
    "checkpoint.custom": ASK
    | {"witnesses.port", "checkpoint.inquiry", "checkpoint.kept", "sources"},
    "checkpoint.terminal": {
        "checkpoint.attempt",
        "incidents",
        "ledger.advisory",
        "ledger.record",
        "verdict",
        "watch",
    },
    "checkpoint.run": ATTEMPT
    | {
        "ledger.files",
        "ledger.redaction",
        "checkpoint.baseline",
        "checkpoint.completing",
        "checkpoint.notify",
        "checkpoint.recording",
        "escalation",
        "objectives",
        "report",
    },
    "checkpoint.opening": {
        *CONTEXT,
        "checkpoint.keeping",
        "checkpoint.run",
        "clock",
        "errors",
        "ledger.book",
        "ledger.journal",
        "ledger.judges",
        "ledger.room",
        "ledger.waivers",
        "secrets",
        "targets.choosing",
        "targets.watches",
    },
    "checkpoint.killed": BOOK,
    "checkpoint.completing": BOOK
    | {
        "alerts",
        "checkpoint.notify",
        "config",
        "escalation",
        "ledger.files",
        "report",
        "secrets",
    },
    "targets.request": {"errors", "watch"},
    "targets.context": {"clock", "config", "criteria", "ledger.book", "secrets", "watch"} | CONTEXT,
    "targets.several": {"errors", "targets.watches"},
    "targets.watches": BOOK | CONTEXT | {"config"},
    "targets.production": TARGET,
    "targets.daily": TARGET,
    "targets.rehearsal": TARGET | {"rehearsal"},
    "targets.choosing": {*CONTEXT, "errors", "targets.daily", "watch"},
    "rollback": ASK
    | BOOK
    | {"ledger.waivers", "objectives", "sources", "witnesses.platform", "witnesses.port"},
    "rehearsal": PROBE | BOOK | {"prober", "probes"},
    "starter": {
        "asking.exchange",
        "asking.fetching",
        "config",
        "criteria",
        "doctor",
        "documents",
        "errors",
        "linear",
        "sources",
    },
    "commands": SIGN
    | CONTEXT
    | {
        "playbook",
        "alerts",
        "checkpoint.addresses",
        "checkpoint.kept",
        "checkpoint.completing",
        "checkpoint.killed",
        "checkpoint.questions",
        "clock",
        "codes",
        "config",
        "doctor",
        "incidents",
        "ledger.declaring",
        "ledger.sharing",
        "ledger.signoff",
        "ledger.waivers",
        "live",
        "prober",
        "probes",
        "rehearsal",
        "report",
        "rollback",
        "secrets",
        "starter",
        "targets.production",
        "targets.rehearsal",
        "targets.several",
        "targets.watches",
    },
    "live": {
        "linear",
        "asking.exchange",
        "asking.freshness",
        "checkpoint.killed",
        "clock",
        "errors",
        "ledger.book",
        "ledger.record",
        "prober",
        "probes",
    },
    "__main__": {"commands", "errors", "pipe"},
    "plugin": {
        "checkpoint.custom",
        "checkpoint.lanes",
        "checkpoint.notify",
        "checkpoint.opening",
        "checkpoint.questions",
        "checkpoint.run",
        "checkpoint.terminal",
        "clock",
        "criteria",
        "errors",
        "ledger.advisory",
        "ledger.book",
        "ledger.record",
        "ledger.standings",
        "pipe",
        "report",
        "targets.request",
        "targets.several",
        "text",
        "verdict",
        "watch",
    },
}
"""Room -> the rooms it may import. A new room needs a row of its own, or its test fails."""
MAY_IMPORT_A_REHEARSAL = {"commands", "rehearsal", "targets.rehearsal"}
"""The command that runs one, and the target that is one; not production's code."""


def room_of(module: str) -> str:
    """``hour24.ledger.record`` is in ``ledger.record``, ``hour24.report.page`` in ``report``."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2] if parts[0] in PACKAGES else parts[:1])


def module_of(path: Path) -> str:
    """``hour24/ledger/record.py`` is ``hour24.ledger.record``."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(path: Path) -> Iterator[str]:
    """Modules of ours that a file imports, full names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "hour24":
                yield from (f"hour24.{alias.name}" for alias in node.names)
            elif node.module in [f"hour24.{name}" for name in PACKAGES]:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            elif node.module.startswith("hour24."):
                yield node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("hour24."))


def names_imported(path: Path) -> set[str]:
    """Full names of what a file imports from modules of ours: ``hour24.linear.shipped``."""
    return {
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
MODULES = {module_of(path).removesuffix(".__init__"): path for path in FILES}
ROOMS = sorted({room_of(module_of(path)) for path in FILES if path.name != "__init__.py"})


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_imports_only_what_lies_below_it(room: str) -> None:
    """The table above is the flow of the data."""
    found = {
        room_of(module)
        for path in FILES
        if room_of(module_of(path)) == room
        for module in imports(path)
        if module not in EVERYWHERE
    }
    assert found - {room} <= MAY_IMPORT[room]


def test_every_room_has_a_row_and_every_row_a_room() -> None:
    """What is not in the table would have no rule."""
    assert set(ROOMS) - set(MAY_IMPORT) == set()
    assert {room for room in MAY_IMPORT if room in NOTHING} | set(ROOMS) >= set(MAY_IMPORT)
    known = {*ROOMS, *(module.split(".")[1] for module in MODULES)}
    assert {each for allowed in MAY_IMPORT.values() for each in allowed} - known == set()


def test_no_production_code_imports_the_rehearsal() -> None:
    """Only one target, chosen by name, imports it."""
    found = {
        room_of(module_of(path))
        for path in FILES
        if any(each.startswith("hour24.rehearsal") for each in imports(path))
    }
    assert found == MAY_IMPORT_A_REHEARSAL


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Late imports count; those for the type checker alone do not."""
    imported = {module: set(run_imports(path)) - {module} for module, path in MODULES.items()}
    circles = []
    for module in imported:
        reached, ahead = set[str](), set(imported[module])
        while ahead:
            reached |= ahead
            ahead = {each for one in ahead for each in imported[one]} - reached
        if module in reached:
            circles.append(module)
    assert circles == []


def run_imports(path: Path) -> Iterator[str]:
    """Modules of ours that a file imports when it runs, at its start or later."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in names
                        if name in MODULES or node.module in MODULES)  # fmt: skip
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)


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
    found = [p for p in FILES if "import pytest\n" in p.read_text(encoding="utf-8")]
    assert {path.parent.name for path in found} == {"plugin"}


def test_only_the_database_witness_imports_the_driver_for_production() -> None:
    """The rehearsal's own database is the other user of it."""
    found = {
        room_of(module_of(path))
        for path in FILES
        if re.search(r"^\s*(from|import) psycopg2", path.read_text("utf-8"), re.MULTILINE)
    }
    assert found <= {"witnesses.database", "rehearsal"}


def test_naming_the_criteria_imports_nothing_heavy() -> None:
    """``pytest -m hour8 --collect-only`` answers at once."""
    heavy = (
        "hour24.config.loading",
        "hour24.ledger.book",
        "hour24.lines.levels",
        "hour24.secrets.redactor",
        "scipy",
        "numpy",
        "requests",
        "psycopg2",
        "jsonschema",
        "jinja2",
        "rich",
        "apprise",
    )
    code = (
        "import sys, hour24.plugin, hour24.checkpoint.questions, hour24.objectives; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
