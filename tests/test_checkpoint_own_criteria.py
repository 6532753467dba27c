"""Criteria of one's own: three lines a test, and everything that a criterion of the table has."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from hour24.ledger.record import Record
from hour24.ledger.verify import verify
from hour24.verdict import Outcome
from tests.answering import Answer, Asked, Server
from tests.checkpoints import Project, codes, judged, rehearsal
from tests.played import ROOT, T0

EXAMPLE = '''
from hour24.objectives.own import ValueAtLeast, ValueBelow

@criterion("QUEUE-SHORT", hours=(4, 8))
def test_queue(ask, conclude):
    """Fewer than 100 calls wait <b>in the queue</b>"""
    conclude(ValueBelow(limit=100), value=ask.sql("SELECT 1", unit="calls"))
'''
EACH = '''
@criterion("OWN-{name}", hours=(4,))
def test_{lower}(ask, conclude):
    """It is answered: {lower}"""
    conclude({objective}, value=ask.{question})
'''
BELOW, REACHES = "ValueBelow(limit=100)", "ValueAtLeast(limit=100)"
QUESTIONS = {
    "FAILS": ("ValueBelow(limit=1)", 'sql("SELECT 1")', "FAIL beyond_limit"),
    "SHARE": ("ValueBelow(limit=0.6)", 'sql("SELECT 0.5 AS \\"100 % sure\\"")', "PASS"),
    "JSON": (BELOW, 'json("{url}/queue", "/queue/0/length", unit="calls")', "PASS"),
    "WHOLE": (REACHES, 'json("{url}/number")', "FAIL beyond_limit"),
    "TEXT": (BELOW, 'json("{url}/queue", "/name")', "INCONCLUSIVE source_misread"),
    "TRUE": (BELOW, 'json("{url}/queue", "/open")', "INCONCLUSIVE source_misread"),
    "NULL": (BELOW, 'json("{url}/queue", "/none")', "INCONCLUSIVE source_misread"),
    "NOWHERE": (BELOW, 'json("{url}/queue", "/queue/1/length")', "INCONCLUSIVE source_misread"),
    "NAN": (BELOW, 'json("{url}/nan", "/n")', "INCONCLUSIVE source_misread"),
    "DOWN": (BELOW, 'json("{url}/down", "/n")', "INCONCLUSIVE source_failed"),
    "SHUT": (BELOW, 'json("{url}/shut", "/n")', "INCONCLUSIVE source_refused"),
    "UNKNOWN": (BELOW, 'json("{url}/queue", "", like="nobody")', "INCONCLUSIVE not_described"),
    "ROWS": (BELOW, 'sql("SELECT * FROM generate_series(1, 2)")', "INCONCLUSIVE source_misread"),
    "COLUMNS": (BELOW, 'sql("SELECT 1 AS a, 2 AS b")', "INCONCLUSIVE source_misread"),
    "NO-ROW": (BELOW, 'sql("SELECT 1 WHERE false")', "INCONCLUSIVE source_misread"),
    "SQL-NULL": (BELOW, 'sql("SELECT NULL::int")', "INCONCLUSIVE source_misread"),
    "SQL-NAN": (BELOW, "sql(\"SELECT 'NaN'::float8\")", "INCONCLUSIVE source_misread"),
    "SQL-TEXT": (BELOW, "sql(\"SELECT '1'\")", "INCONCLUSIVE source_misread"),
    "WRITES": (BELOW, 'sql("CREATE TABLE mine (n int)")', "INCONCLUSIVE"),
    "LONG": (BELOW, 'sql("SELECT 1 FROM pg_sleep(20)")', "INCONCLUSIVE source_timeout"),
}


def answer(asked: Asked) -> Answer:
    """A service next to the one under watch."""
    answers = {
        "/queue": {"queue": [{"length": 7}], "name": "calls", "open": True, "none": None},
        "/number": 42,
    }
    if asked.path == "/nan":
        return Answer(body=b'{"n": NaN}')
    if asked.path in ("/down", "/shut"):
        return Answer(status=503 if asked.path == "/down" else 403)
    return Answer(body=json.dumps(answers[asked.path]).encode())


@pytest.fixture(scope="module")
def project_run(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Project, CompletedProcess[str]]]:
    """Hour 4 of criteria of one's own."""
    with Server(answer) as server:
        own = EXAMPLE + "".join(
            EACH.format(
                name=name,
                lower=name.lower().replace("-", "_"),
                objective=objective,
                question=question.replace("{url}", server.url),
            )
            for name, (objective, question, _) in QUESTIONS.items()
        )
        project = Project(tmp_path_factory.mktemp("own"), own=own)
        yield project, project.rehearsed(hour=4)


@pytest.fixture
def record(project_run) -> Record:
    """The record of hour 4."""
    return project_run[0].record(4)


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_answer_has_its_verdict(record: Record, name: str) -> None:
    """A number is judged; everything else is INCONCLUSIVE, with the code that says why."""
    assert codes(record)[f"OWN-{name}"].startswith(QUESTIONS[name][2])


def test_it_is_judged_as_any_criterion(project_run, record: Record) -> None:
    """Sentence, hours, evidence with its question, objective: all in the record; exit 1."""
    _, run = project_run
    found = judged(record, "QUEUE-SHORT")
    assert (found.outcome, found.observed, found.limit) == (Outcome.PASS, "1 calls", "below 100")
    assert found.sentence == "Fewer than 100 calls wait <b>in the queue</b>"
    assert found.evidence["value"]["question"]["asked"] == "SELECT 1"
    assert record.plan["QUEUE-SHORT"] == (4, 8)
    assert run.returncode == 1, run.stdout
    assert "PASS           QUEUE-SHORT                  1 calls  (below 100)" in run.stdout


def test_it_is_on_the_page_and_verified(project_run) -> None:
    """As text, not as markup; its verdict is derived again from what was stored."""
    project, _ = project_run
    page = (project.reports / "w" / "hour04.a1.html").read_text("utf-8")
    assert "QUEUE-SHORT" in page
    assert "&lt;b&gt;in the queue&lt;/b&gt;" in page
    findings = verify(project.reports / "w")
    assert [each for each in findings if not each.ok and each.what == "verdicts"] == []


def test_production_was_only_read(project_run) -> None:
    """A CREATE TABLE by a custom criterion creates no table."""
    import psycopg2

    with psycopg2.connect(rehearsal().environ["HOUR24_REHEARSAL_DATABASE_DSN"]) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT to_regclass('mine')")
        assert cursor.fetchone() == (None,)
    connection.close()


def test_one_that_went_missing_is_missed(tmp_path: Path) -> None:
    """At hour 8 its file is gone: it is due all the same, by the plan of the records."""
    project = Project(tmp_path, own=EXAMPLE)
    project.rehearsed(hour=4)
    (project.tests / "test_own.py").unlink()
    project.write("", "test_nothing.py")
    run = project.rehearsed(hour=8)
    assert run.returncode == 10, run.stdout
    found = judged(project.record(8), "QUEUE-SHORT")
    assert (found.outcome, found.code) == (Outcome.INCONCLUSIVE, "not_run")
    assert found.sentence == "Fewer than 100 calls wait <b>in the queue</b>"
    standings = project.ledger().standings(project.record(8).ended)
    answers = {(each.hour, each.outcome) for each in standings if each.id == "QUEUE-SHORT"}
    assert answers == {(4, Outcome.PASS), (8, Outcome.INCONCLUSIVE)}


def test_one_that_was_there_at_hour_0_is_planned(tmp_path: Path) -> None:
    """Hour 0 lists it before it is due; from then on it cannot be lost."""
    project = Project(tmp_path, own=EXAMPLE)
    project.rehearsed()
    record = project.record()
    assert record.plan["QUEUE-SHORT"] == (4, 8)
    assert "QUEUE-SHORT" not in codes(record)
    (project.tests / "test_own.py").unlink()
    project.write("", "test_nothing.py")
    project.rehearsed(hour=4)
    assert codes(project.record(4))["QUEUE-SHORT"] == "INCONCLUSIVE not_run"


def the_readme_s() -> str:
    """The criterion of one's own that README.md shows."""
    shown = (ROOT / "README.md").read_text("utf-8").partition("Add your own check in")[2]
    lines = shown.partition(":\n\n")[2].partition("\n\n`pytest")[0]
    return textwrap.dedent(lines)


def test_the_readme_s_example_passes_and_fails_as_it_says(tmp_path: Path) -> None:
    """Copied unchanged it is PASS on the rehearsal; with ``limit=1`` it is FAIL."""
    example = the_readme_s()
    project = Project(tmp_path, own=example)
    run = project.rehearsed()
    assert codes(project.record())["XIDS-LEFT"] == "PASS", run.stdout
    assert "limit=1_000_000_000" in example
    project.write(example.replace("limit=1_000_000_000", "limit=1"))
    run = project.rehearsed()
    assert codes(project.record(attempt=2))["XIDS-LEFT"] == "FAIL beyond_limit", run.stdout
    assert "FAIL           XIDS-LEFT" in run.stdout


BAD = {
    '@criterion("OWN-A", hours=(5,))\ndef test_a(): "A"\n': "OWN-A: hours: expected some of",
    '@criterion("OWN-B")\ndef test_a(): "A"\n': "criterion OWN-B: hours: expected some of",
    '@criterion("DB-POOL", hours=(0,))\ndef test_a(): "A"\n': "expected none (the table has them)",
    '@criterion("OWN-C", hours=(0,))\ndef test_a(): pass\n': "docstring: expected its sentence",
    '@criterion("own a", hours=(0,))\ndef test_a(): "A"\n': "expected one such as QUEUE-SHORT",
    '@criterion("OWN-D", hours=(0,))\ndef test_a(): "A"\n'
    '@criterion("OWN-D", hours=(4,))\ndef test_b(): "A"\n': "criterion OWN-D: expected it once",
}


def test_one_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """Its file does not import, and the terminal says what was expected of it: exit 10."""
    project = Project(tmp_path)
    for number, own in enumerate(BAD):
        project.write(own, f"test_bad_{number}.py")
    run = project.rehearsed()
    assert run.returncode == 10, run.stdout
    for says in BAD.values():
        assert says in run.stdout
    record = project.record()
    assert len([note for note in record.notes if "does not import" in note]) == len(BAD)
    assert codes(record)["DB-POOL"] == "INCONCLUSIVE does_not_import"


def test_it_speaks_of_its_checkpoint(record: Record) -> None:
    """What exists only now has no window."""
    assert judged(record, "QUEUE-SHORT").window is None
    assert record.t0 == T0
