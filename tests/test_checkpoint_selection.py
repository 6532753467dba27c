"""Which checkpoint is run, which of its criteria, and what is refused before anything is asked."""

from __future__ import annotations

import re
import shlex
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hour24.checkpoint import opening
from hour24.errors import ConfigurationError
from hour24.targets.context import Context
from hour24.targets.request import Request
from hour24.verdict import Outcome
from tests.checkpoints import ONE, Project, codes, rehearsal
from tests.played import ANSI

BELOW = '''
from hour24.objectives.own import ValueBelow

@criterion("OWN-{name}", hours=(0,))
def test_{name}(ask, conclude):
    """It is below the limit"""
    conclude(ValueBelow(limit={limit}), value=ask.sql("SELECT 1"))
'''


def on_production(project: Project, *arguments: object, hour: int | None = 0, **variables: str):
    """A checkpoint of a production.toml, judged by the clock on the wall."""
    command = project.command(f"--target={rehearsal().toml}", *arguments, hour=hour)
    return project.ran(*command, **{**rehearsal().environ, **variables})


def at(offset: timedelta) -> str:
    return f"--t0={(datetime.now(UTC) + offset).isoformat(timespec='minutes')}"


# --- a part ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", [["-k", "one"], ["tests_prod/test_own.py::test_one[hour0]"]])
def test_a_part_is_not_the_whole(tmp_path: Path, chosen: list[str]) -> None:
    """What was due and not selected is INCONCLUSIVE, by -k and by node id alike: exit 10."""
    project = Project(tmp_path, "baseline", own=ONE)
    run = project.rehearsed(*chosen)
    assert run.returncode == 10, run.stdout
    found = codes(project.record())
    assert found["OWN-ONE"] == "PASS"
    assert found["BASELINE-RECORDED"] == "INCONCLUSIVE not_run"
    assert found["HEALTH-SCHEMA"] == "INCONCLUSIVE not_run"
    assert found["OWN-TWO"] == "INCONCLUSIVE not_run"
    assert "HEALTH-ALWAYS" not in found  # not due at hour 0


def test_nothing_selected_is_no_green(tmp_path: Path) -> None:
    """pytest's own "no tests ran" is a checkpoint at which nothing was measured."""
    project = Project(tmp_path, own=ONE)
    run = project.rehearsed("-k", "no_such_test")
    assert run.returncode == 10, run.stdout
    assert set(codes(project.record()).values()) == {"INCONCLUSIVE not_run"}


def test_a_file_that_does_not_import(tmp_path: Path) -> None:
    """The others run; what was due says which file is broken: exit 10."""
    project = Project(tmp_path, own=ONE)
    project.write("import no_such_module\n", "test_torn.py")
    run = project.rehearsed()
    assert run.returncode == 10, run.stdout
    record = project.record()
    assert codes(record)["OWN-TWO"] == "PASS"
    assert codes(record)["HEALTH-SCHEMA"] == "INCONCLUSIVE does_not_import"
    assert any("test_torn.py does not import" in note for note in record.notes)
    assert "No module named 'no_such_module'" in run.stdout


def test_a_file_that_does_not_import_is_not_green_by_itself(tmp_path: Path) -> None:
    """Its criteria are unknown: INCONCLUSIVE, until an attempt in which it imports."""
    project = Project(tmp_path, own=ONE)
    torn = project.write("import no_such_module\n", "test_torn.py")
    project.rehearsed()
    assert codes(project.record())["CRITERIA-IMPORT"] == "INCONCLUSIVE does_not_import"
    torn.unlink()
    project.rehearsed()
    assert codes(project.record(attempt=2))["CRITERIA-IMPORT"] == "PASS"


def test_x_stops_at_the_first(tmp_path: Path) -> None:
    """-x after a FAIL: exit 1, the rest is said to have been ended."""
    own = BELOW.format(name="BAD", limit=1) + BELOW.format(name="AFTER", limit=9)
    project = Project(tmp_path, own=own)
    run = project.rehearsed("-x")
    assert run.returncode == 1, run.stdout
    found = codes(project.record())
    assert found["OWN-BAD"] == "FAIL beyond_limit"
    assert found["OWN-AFTER"] == "INCONCLUSIVE interrupted"
    assert "stopping after 1 failures" in project.record().interrupted


# --- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-m", "hour9"], "-m: expected one of hour0, hour4"),
        (["-m", "hour"], "-m: expected one of hour0, hour4"),
        (["-m", "hour 8"], "got 'hour 8'"),
        (["-m", "Hour8"], "got 'Hour8'"),
        (["-m", "hour8 or hour12"], "-m: expected one checkpoint, got hour8 or hour12"),
        ([], "-m: expected one checkpoint, got none; choose it with `pytest -m hour8`"),
        (["-m", "hour0", "--t0", "yesterday"], "--t0: expected a time such as"),
        (["-m", "hour0", "--t0", "2026-03-02T06:00"], "--t0: expected a time such as"),
        (["-m", "hour0", "--watch", "../up"], "--watch: expected a name such as launch-1"),
        (["-m", "hour0", "--follows", "nobody"], "--follows: expected a watch in reports, got"),
        (["-m", "hour0", "--target", "none.toml"], "none.toml"),
        (["-m", "hour4"], "start one with `pytest -m hour0 --target /"),
        (["-m", "hour4", "--watch", "other"], "--watch: expected an open watch of"),
        (["-m", "hour4", "--follows", "v"], "--follows: expected it with hour 0"),
        (["-m", "hour4", "--target", "rehearsal", "--watch", "typo"], "got 'typo'; start one with"),
        (["-m", "hour0", "--target", "rehearsal", "--fault", "memory_leek"], "mean memory_leak?"),
    ],
)
def test_a_slip_on_the_command_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    """Exit 4, one clear line, nothing written."""
    project = Project(tmp_path, own=ONE)
    target = [] if "--target" in arguments else [f"--target={rehearsal().toml}"]
    command = project.command(*arguments, *target, hour=None)
    run = project.ran(*command, **rehearsal().environ)
    assert run.returncode == 4, run.stdout
    assert says in run.stdout
    result = [line for line in run.stdout.splitlines() if line.startswith("ERROR:")]
    assert len(result) == 1, run.stdout
    assert "Traceback" not in run.stdout
    assert not project.reports.exists()


def test_several_processes_are_refused(tmp_path: Path) -> None:
    """-n 2 would ask production twice: exit 4."""
    project = Project(tmp_path, own=ONE)
    run = project.rehearsed("-n", "2")
    assert run.returncode == 4, run.stdout
    assert "-n" in run.stdout  # by us, or by pytest where pytest-xdist is not installed
    assert not project.reports.exists()


def test_missing_variables_are_named_at_once(tmp_path: Path) -> None:
    """Every one of them, in one run, before anything is asked."""
    project = Project(tmp_path, own=ONE)
    gone = dict.fromkeys(rehearsal().environ, "")
    run = on_production(project, **gone)
    assert run.returncode == 4, run.stdout
    for name in gone:
        assert name in run.stdout
    assert not project.reports.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tests_prod/test_gone.py"], "file or directory not found"),
        (["tests_prod/test_own.py::test_gone"], "not found"),
    ],
)
def test_a_place_that_is_not_there(tmp_path: Path, arguments: list[str], says: str) -> None:
    """Exit 4, and no record of an attempt that never was."""
    project = Project(tmp_path, own=ONE)
    run = project.rehearsed(*arguments)
    assert run.returncode == 4, run.stdout
    assert says in run.stdout
    assert project.ledger().records() == ()
    assert not list(project.reports.glob("*/journal/*"))


def test_a_test_that_no_checkpoint_would_run(tmp_path: Path) -> None:
    """A test without @criterion is refused by name: exit 4, nothing recorded."""
    project = Project(tmp_path, own=ONE)
    project.write("def test_stray():\n    pass\n", "test_stray.py")
    run = project.rehearsed()
    assert run.returncode == 4, run.stdout
    assert "test_stray.py::test_stray: expected @criterion(...), got none" in run.stdout
    assert project.ledger().records() == ()


# --- which watch ----------------------------------------------------------------------------------


def test_a_watch_that_is_not_there_opens_none(tmp_path: Path) -> None:
    """A later hour of a watch that was mistyped: exit 4, those there are, and the one meant."""
    project = Project(tmp_path, own=ONE)
    project.rehearsed(watch="launch-1")
    command = project.command("--target=rehearsal", hour=4, watch="lunch-1")
    run = project.ran(*command)
    assert run.returncode == 4, run.stdout
    assert "got 'lunch-1' (there is launch-1); " in run.stdout
    assert "did you mean launch-1?" in run.stdout
    command = project.command(f"--target={rehearsal().toml}", hour=4, watch="launch-1")
    run = project.ran(*command, **rehearsal().environ)
    assert "got 'launch-1', which is of rehearsal" in run.stdout
    assert [path.name for path in project.reports.iterdir()] == ["launch-1"]


def test_a_later_hour_that_opens_a_watch_says_so(tmp_path: Path) -> None:
    """A rehearsal's hour 4 works alone, and says that it opened a new watch."""
    project = Project(tmp_path, own=ONE)
    run = project.rehearsed(hour=4)
    assert "New watch w opened without hour 0" in run.stdout
    assert "hour 4 of watch w, opened now" in run.stdout
    assert ": pytest -m hour8 --target rehearsal --watch w\n" in run.stdout
    run = project.rehearsed(hour=24)
    assert "OPENED" not in run.stdout.upper()
    assert "A rehearsal cannot be approved" in run.stdout


def test_a_continued_rehearsal_keeps_its_seed_faults_and_t0(tmp_path: Path) -> None:
    """A seed, a fault or a T0 that its watch was not opened with is refused: exit 4."""
    project = Project(tmp_path, own=ONE)
    project.rehearsed()
    run = project.rehearsed("--seed=7", "--fault=memory_leak@6", "--t0=2026-01-01T00:00Z", hour=4)
    assert run.returncode == 4, run.stdout
    assert "--t0: expected 2026-03-02T06:00Z as in watch w" in run.stdout
    assert "--seed: expected 1 as in watch w, got 7" in run.stdout
    assert "--fault: expected none as in watch w, got memory_leak@6" in run.stdout


# --- the plan clock -------------------------------------------------------------------------------


def test_before_its_due_time(tmp_path: Path) -> None:
    """Refused with the minutes; --early runs it, and it does not count."""
    project = Project(tmp_path, own=ONE)
    soon = at(timedelta(minutes=90))
    run = on_production(project, soon)
    assert run.returncode == 4, run.stdout
    assert "min early; --early runs it now, but the run does not count" in run.stdout
    assert not project.reports.exists()
    run = on_production(project, soon, "--early")
    assert run.returncode == 10, run.stdout
    assert "run EARLY, does not count" in run.stdout
    record = project.record()
    assert record.early
    assert project.ledger().latest(0) is None


def test_late_is_said_and_what_exists_only_now_is_not_asked(tmp_path: Path) -> None:
    """An hour after it was due, a number that exists only now is INCONCLUSIVE(late)."""
    project = Project(tmp_path, own=ONE)
    run = on_production(project, at(-timedelta(minutes=61)))
    assert run.returncode == 10, run.stdout
    assert codes(project.record())["OWN-ONE"] == "INCONCLUSIVE late"
    assert re.search(r"run 1 h 0[12] min late", run.stdout)


def test_a_fail_sticks(tmp_path: Path) -> None:
    """A second attempt has its own record, and the FAIL of the first stays open."""
    project = Project(tmp_path, own=BELOW.format(name="ONE", limit=1))
    first = project.rehearsed()
    assert first.returncode == 1, first.stdout
    project.write(BELOW.format(name="ONE", limit=100))
    second = project.rehearsed()
    assert second.returncode == 10, second.stdout
    attempts = project.ledger().records(0)
    assert [codes(each)["OWN-ONE"] for each in attempts] == ["FAIL beyond_limit", "PASS"]
    standings = project.ledger().standings(attempts[-1].ended)
    assert {one.outcome for one in standings if one.id == "OWN-ONE"} == {Outcome.FAIL}


def test_a_watch_that_follows_another(tmp_path: Path) -> None:
    """--follows opens a new watch that knows its predecessor."""
    project = Project(tmp_path, own=ONE)
    assert on_production(project).returncode == 10
    command = project.command("-m", "hour0", "--follows", "w", "--watch", "v", hour=None)
    command.append(f"--target={rehearsal().toml}")
    run = project.ran(*command, **rehearsal().environ)
    assert run.returncode == 10, run.stdout
    assert project.ledger("v").genesis.follows == "w"
    run = project.ran(*command, **rehearsal().environ)
    assert run.returncode == 4, run.stdout
    assert "--watch: expected a new name in reports, got 'v'" in run.stdout


# --- how it is typed ------------------------------------------------------------------------------


def test_collecting_needs_no_secret_and_writes_nothing(tmp_path: Path) -> None:
    """--collect-only, --help and --fixtures query nothing."""
    project = Project(tmp_path, "database", own=ONE)
    run = project.ran(*project.command("--collect-only", "-q"))
    assert run.returncode == 0, run.stdout
    assert "test_own.py::test_one[hour0]" in run.stdout
    assert "hour4" not in run.stdout
    for option in ("--fixtures", "--help"):
        run = project.ran(*project.command(option))
        assert run.returncode == 0, run.stdout
        assert "Error:" not in run.stdout
        assert "Traceback (most recent call last)" not in run.stdout
    assert not project.reports.exists()


def test_without_pytest_html(tmp_path: Path) -> None:
    """-p no:html: no interactive report, everything else as ever."""
    project = Project(tmp_path, own=ONE)
    run = project.rehearsed("-p", "no:html")
    assert run.returncode == 10, run.stdout
    names = {path.name for path in project.files()}
    assert "hour00.a1.html" in names
    assert "hour00.a1.pytest.html" not in names


def test_reports_where_one_wants_them(tmp_path: Path) -> None:
    """--html and --junitxml are respected; the page is next to the record all the same."""
    project = Project(tmp_path, own=ONE)
    run = project.rehearsed("--html=own.html", "--self-contained-html", "--junitxml=own.xml")
    assert run.returncode == 10, run.stdout
    assert "OWN-ONE" in (project.folder / "own.html").read_text("utf-8")
    assert "test_one" in (project.folder / "own.xml").read_text("utf-8")
    names = {path.name for path in project.files()}
    assert {"hour00.a1.html", "hour00.a1.xml"} <= names
    assert "hour00.a1.pytest.html" not in names


def test_from_another_folder(tmp_path: Path) -> None:
    """The checkout is found by its path; reports go into the current folder."""
    project = Project(tmp_path / "clone", own=ONE)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = project.command(*project.on_rehearsal(), project.tests)
    project.folder, clone = elsewhere, project.folder
    run = project.ran(*command)
    project.folder = clone
    assert run.returncode == 10, run.stdout
    assert (elsewhere / "reports" / "w" / "hour00.a1.json").is_file()


def test_whoever_reads_it_may_go(tmp_path: Path) -> None:
    """``pytest -m hour0 | head -1``: the record and its page are written all the same."""
    project = Project(tmp_path, own=ONE)
    command = shlex.join(project.command(*project.on_rehearsal()))
    run = project.ran("bash", "-c", f"{command} | head -1; exit ${{PIPESTATUS[0]}}")
    assert run.returncode == 10, run.stdout
    assert codes(project.record())["OWN-ONE"] == "PASS"
    assert (project.reports / "w" / "hour00.a1.html").is_file()


def test_colours(tmp_path: Path) -> None:
    """--color=yes survives a pipe; --color=no has none."""
    project = Project(tmp_path, own=ONE)
    run = project.rehearsed("--color=yes")
    assert "\x1b[32mPASS           OWN-ONE" in run.stdout
    assert "OWN-ONE" in ANSI.sub("", run.stdout)
    run = project.rehearsed("--color=no")
    assert "\x1b" not in run.stdout


def test_what_was_taken_before_a_refusal_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rehearsal of one's own is stopped, a lock released."""
    given: list[str] = []

    def taken(request: Request, resources: ExitStack) -> Context:
        resources.callback(given.append, "back")
        raise ConfigurationError(["refused"])

    monkeypatch.setattr(opening, "open_context", taken)
    with pytest.raises(ConfigurationError):
        opening.open_run(Request(marker="hour4"))
    assert given == ["back"]
