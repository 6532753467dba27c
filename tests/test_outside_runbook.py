"""One fault for each row of the runbook's table, and the decision that it leads to."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hour24.ledger.book import Ledger
from hour24.ledger.waivers import classify
from tests.outside import Outside

pytestmark = pytest.mark.suite("outside", short=14)

KNOWN = {"by": "Mara Lind", "because": "seen before", "pattern": "transcript_url"}


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """A production; each test sets its faults."""
    made = Outside(tmp_path_factory.mktemp("production"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def begun(production: Outside, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A watch with a passed hour 0; not to be changed."""
    reports = tmp_path_factory.mktemp("begun")
    _, done = production.checkpoint(reports, 0)
    assert done.returncode == 0, done.stdout
    return reports / "w"


@pytest.fixture
def watch(production: Outside, begun: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it; afterwards nothing is wrong any more."""
    yield Path(shutil.copytree(begun, tmp_path / "w"))
    production.set_faults()


def hour_4(production: Outside, watch: Path, *faults: str) -> tuple[dict[str, Any], str]:
    """The decision at hour 4, and what the terminal showed."""
    production.set_faults(*faults)
    record, done = production.checkpoint(watch.parent, 4)
    assert record.decision is not None
    assert f"{record.decision['action']}: " in done.stdout
    return record.decision, done.stdout


BLOCKS_CALLS = "New critical issue, critical (blocks calls): roll back"
ROWS = [
    (["vapi_errors@0..4"], "HOLD", "Error rate above 5 %, mostly Vapi: expected, monitor"),
    (
        ["error_spike@2"],
        "ALERT",
        "Error rate above 5 %, 98 % unclassified: treat as code until classified, prepare the "
        "rollback",
    ),
    (
        ["database_down@2"],
        "ALERT",
        "Health check failed since the last checkpoint, for longer than 2 minutes: alert the team",
    ),
    (
        ["backend_down@3.9"],
        "ALERT",
        "Health check fails, for longer than 2 minutes: alert the team, propose the rollback",
    ),
    (
        ["health_degraded@3.99"],
        "ALERT",
        "Health check fails, for longer than 2 minutes: alert the team, propose the rollback; "
        "database false: read the database's status page",
    ),
    (
        ["new_critical_issue@1"],
        "ROLL BACK",
        BLOCKS_CALLS,
    ),
    (["new_issue@1"], "ALERT", "New critical issue, high (some users): fix and redeploy"),
    (["deploy@1"], "HOLD", "A check failed and needs a human decision"),
    (
        ["new_critical_issue@1", "database_down@3.5", "render_failing@1", "supabase_failing@1"],
        "ROLL BACK",
        BLOCKS_CALLS,
    ),
]


@pytest.mark.parametrize(("faults", "action", "rule"), ROWS, ids=[row[0][0] for row in ROWS])
def test_each_row_leads_to_its_decision(
    production: Outside, watch: Path, faults: list[str], action: str, rule: str
) -> None:
    """With the rule, the causes' shares, the steps, and who is called."""
    decision, output = hour_4(production, watch, *faults)
    assert (decision["action"], decision["rule"]) == (action, rule), decision["why"]
    assert sum(cause["share"] for cause in decision["causes"]) == pytest.approx(1.0)
    called = [who["role"] for who in decision["call"]]
    assert called[0] == ("tech lead" if action == "HOLD" else "on call")
    assert f"call {called[0]}: " in output
    commands = [step["command"] for step in decision["steps"]]
    waivers = [command for command in commands if "hour24 waive" in command]
    assert bool(waivers) == (action == "HOLD")
    assert waivers == commands[len(commands) - len(waivers) :]
    leading = decision["causes"][0]["cause"]
    match faults[0].partition("@")[0]:
        case "vapi_errors":
            assert leading == "vapi"
        case "error_spike":
            assert leading == "not classified"
            assert any(command.startswith("python -m hour24 rollback w ") for command in commands)
        case "database_down":
            assert leading == "database"
            assert any(c.startswith("curl ") and c.endswith("/supabase") for c in commands)
            assert not any("hour24 rollback" in command for command in commands)
        case "backend_down":
            assert leading == "no error event"
        case "new_critical_issue":
            assert any(re.search("hour24 rollback w .*--yes w ", command) for command in commands)
            assert decision["severities"][-1]["severity"] == "critical"
        case "deploy":
            assert any(command.startswith("python -m hour24 declare w") for command in commands)


@pytest.mark.parametrize(
    ("severity", "rule"), [("medium", "monitor, fix later"), ("low", "low: document")]
)
def test_a_person_says_how_severe_a_new_issue_is(
    production: Outside, watch: Path, severity: str, rule: str
) -> None:
    """A class in the ledger is what the next checkpoint is decided by."""
    classify(Ledger(watch), "critical", now=production.now, severity=severity, **KNOWN)
    decision, _ = hour_4(production, watch, "new_issue@1")
    assert decision["action"] == "HOLD"
    assert rule in decision["rule"] + decision["why"]
    assert [each["severity"] for each in decision["severities"]] == [severity]


def test_all_witnesses_together_never_lead_to_a_rollback(production: Outside, watch: Path) -> None:
    """Once it is tried again; the second time it needs a human decision, and still no rollback."""
    faults = [f"{name}_unreachable@1" for name in ("sentry", "render", "supabase", "database")]
    first, _ = hour_4(production, watch, *faults)
    assert first["action"] == "RETRY"
    assert [step["command"].split()[:3] for step in first["steps"]] == [["pytest", "-m", "hour4"]]
    assert first["call"] == []
    second, output = hour_4(production, watch, *faults)
    assert second["action"] == "HOLD"
    doctor, again, *waivers = [step["command"] for step in second["steps"]]
    assert doctor.startswith("python -m hour24 doctor --target ")
    assert again.startswith("pytest -m hour4 --target ")
    assert all(command.startswith("python -m hour24 waive ") for command in waivers)
    assert "rollback" not in output
