"""Each planting of a secret through each outlet: nothing that leads back to it leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from hour24 import alerts, doctor
from hour24.checkpoint import completing
from hour24.checkpoint.run import Run
from hour24.checkpoint.terminal import COLOURS, decision_lines
from hour24.commands import ci, say, watching
from hour24.doctor.trial import Finding
from hour24.report import checkpoint, index, junit
from hour24.secrets import Secret
from hour24.secrets.redactor import Redactor
from hour24.verdict import Outcome
from tests import small_watch as small
from tests.checkpoints import Project, rehearsal, served_with
from tests.test_redaction_forms import ENCODERS, SECRETS

VARIABLES = {
    "PASSWORD": "HOUR24_REHEARSAL_DATABASE_DSN",
    "TOKEN": "HOUR24_REHEARSAL_SENTRY_TOKEN",
    "KEY": "HOUR24_REHEARSAL_RENDER_TOKEN",
}
"""The variable that holds each secret; the password is that of an address."""
PLANTED = [
    (f"P{n}", name, how, ENCODERS[how](SECRETS[name]))
    for n, (name, how) in enumerate((name, how) for name in SECRETS for how in ENCODERS)
]
OUTLETS = (
    "the terminal",
    "hour00.a1.jsonl",
    "hour00.a1.json",
    "hour00.a1.html",
    "hour00.a1.xml",
    "hour00.a1.pytest.html",
    "index.html",
    "own.xml",
    "own.log",
    "debug.log",
    "summary",
    "annotations",
)
QUIET = {"index.html", "annotations"}
"""Outlets with a few lines for each checkpoint, which need not say every reason."""
OWN = """
import json, logging, os, warnings
from pathlib import Path

def planted(name, text):
    def test(conclude, record_property):
        print(f"{name} printed {text} so")
        logging.getLogger("mine").error("%s logged %s so", name, text)
        warnings.warn(f"{name} warned {text} so")
        record_property(f"{name} property", text)
        raise RuntimeError(f"{name} raised ({text}) so")
    test.__doc__ = f"{name} is raised"
    return criterion(f"OWN-{name}", hours=(0,))(test)

for name, _, _, text in json.loads(Path(os.environ["PLANTED"]).read_text("utf-8")):
    globals()[f"test_{name}"] = planted(name, text)
"""


def test_every_planting_is_here() -> None:
    """All forms of all secrets, of tests/test_redaction_forms.py."""
    assert len(PLANTED) >= 150
    assert set(VARIABLES) == set(SECRETS)


@pytest.fixture(scope="module")
def outlets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Name of each outlet of one checkpoint -> all of its text."""
    folder = tmp_path_factory.mktemp("outlets")
    values = dict(SECRETS)
    values["PASSWORD"] = f"postgresql://u:{quote(SECRETS['PASSWORD'], safe='')}@127.0.0.1:9/x"
    environ = {VARIABLES[name]: value for name, value in values.items()}
    at = served_with(folder, {}, **environ)
    plants = folder / "planted.json"
    plants.write_text(json.dumps(PLANTED), "utf-8")
    project = Project(folder / "clone", own=OWN)
    run = project.rehearsed(
        "--junitxml=own.xml", "--log-file=own.log", "--debug=debug.log", "-rA",
        served=at, PLANTED=str(plants),
    )  # fmt: skip
    assert run.returncode == 10, run.stdout[-3000:]
    assert not list(project.reports.rglob("*.quarantined"))
    files = [*project.files(), *(project.folder / name for name in OUTLETS if "own" in name)]
    found = {path.name: path.read_text("utf-8", "replace") for path in files}
    found["debug.log"] = (project.folder / "debug.log").read_text("utf-8", "replace")
    ledger = project.ledger()
    found |= {"the terminal": run.stdout, "summary": ci.newest(ledger)}
    found["annotations"] = ci.workflow_commands(ledger)
    return found


def left_in(text: str) -> set[str]:
    """What of the plantings is in a text, in whichever encoding."""
    redactor = Redactor(SECRETS.items())
    found = {f"{name}, {how}" for _, name, how, written in PLANTED if written in text}
    return found | redactor.names_in(text)


@pytest.mark.parametrize("outlet", OUTLETS)
def test_no_planting_leaves_through_a_checkpoint(outlets: dict[str, str], outlet: str) -> None:
    """Raised, printed, logged, warned of and attached: each was said, and none is there."""
    text = outlets[outlet]
    if outlet not in QUIET:
        said = {
            name for name, *_ in PLANTED if f"{name} raised" in text or f"{name} logged" in text
        }
        # of what is typed over, the whole line is redacted
        assert len(said) >= len(PLANTED) - len(SECRETS)
        assert "[redacted" in text
    assert left_in(text) == set()


# --- what needs no checkpoint of its own ---------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """An attempt that knows the secrets, at hour 0 of a small watch."""
    ledger = small.watch_of(tmp_path)
    made = Run.__new__(Run)
    made.redactor = Redactor(SECRETS.items())
    made.context = SimpleNamespace(  # type: ignore[assignment]
        production=None,
        ledger=ledger,
        reports="",
        clock=SimpleNamespace(now=lambda: small.AFTER),
    )
    return made


def decision(text: str) -> dict[str, Any]:
    """A decision whose every text holds something."""
    return {
        "action": "ALERT",
        "rule": f"rule {text} so",
        "why": f"why {text} so",
        "causes": [{"cause": f"cause {text} so", "share": 0.5}],
        "steps": [{"text": f"step {text} so", "command": f"command {text} so"}],
        "call": [{"role": f"role {text}", "name": f"name {text}", "reach": f"reach {text}"}],
    }


def outlets_of(run: Run, text: str) -> Iterator[tuple[str, str]]:
    """Yield what people get of a record with this decision."""
    record = run.with_decision(small.record(0))
    message = alerts.message(record)
    yield "alert", f"{message.title}\n{message.body}"
    assert record.decision is not None
    lines = decision_lines(record.decision, COLOURS[Outcome.FAIL], 200, whole=True)
    yield "terminal", "\n".join(line for line, _ in lines)
    run.ledger.write(record)
    yield "record", (run.ledger.folder / "hour00.a1.json").read_text("utf-8")
    yield "page", checkpoint.text(record, run.ledger, run.ledger.folder / "hour00.a1.html")
    yield "index", index.text(run.ledger)
    yield "JUnit", junit.text(record)
    yield "summary", ci.summary(record, run.ledger)


@pytest.mark.parametrize(("number", "name", "how", "written"), PLANTED, ids=lambda each: each[:12])
def test_no_planting_leaves_through_a_decision(
    run: Run, monkeypatch: pytest.MonkeyPatch, number: str, name: str, how: str, written: str
) -> None:
    """Alert, terminal, record, page, JUnit, summary."""
    monkeypatch.setattr(completing, "decision", lambda *_: decision(written))
    for outlet, text in outlets_of(run, written):
        assert left_in(text) == set(), outlet


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Finding]]:
    """The findings that doctor is to print, of a production with these secrets."""
    findings: list[Finding] = []
    production = SimpleNamespace(secrets=[Secret(*each) for each in SECRETS.items()])
    monkeypatch.setattr(watching, "_with_lines", lambda path: production)
    monkeypatch.setattr(doctor, "examine", lambda *_: iter(findings))
    yield findings
    say.hide(())


def test_no_planting_leaves_through_doctor(examined: list[Finding]) -> None:
    """What a system answered, and the remedy."""
    for number, _, _, written in PLANTED:
        says = f'{number} expected "ok", got "{written}" so'
        examined.append(Finding(name=number, ok=False, says=says, remedy=f"see {written} so"))
    say.console.cache_clear()
    done = CliRunner().invoke(watching.doctor, [])
    say.console.cache_clear()
    assert f"{len(PLANTED)} problems" in done.output
    said = [number for number, *_ in PLANTED if f"{number} expected" in done.output]
    assert len(said) >= len(PLANTED) - len(SECRETS)
    assert left_in(done.output) == set()


def test_a_record_keeps_what_stands_beside_a_secret(outlets: dict[str, str]) -> None:
    """Nothing else is lost with it."""
    assert outlets["hour00.a1.json"].count(") so") >= len(PLANTED) - 10
    assert rehearsal().environ[VARIABLES["TOKEN"]] not in outlets["hour00.a1.json"]
