"""What a checkpoint's outcome is: its exit code, its record, and the code of each verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from hour24.verdict import Outcome
from tests.checkpoints import Project, codes, judged, rehearsal

BROKEN = '''
import logging, time, warnings
import pytest
from hour24.objectives.own import ValueBelow

@pytest.fixture
def torn():
    raise OSError("the fixture tore")

@pytest.fixture
def torn_later():
    yield
    raise OSError("tore at the end")

@criterion("OWN-SKIP", hours=(0,))
def test_skip(conclude):
    """It skips"""
    pytest.skip("not today")

@pytest.mark.skip(reason="never")
@criterion("OWN-SKIP-MARK", hours=(0,))
def test_skip_mark(conclude):
    """It is marked to be skipped"""

@criterion("OWN-XFAIL", hours=(0,))
def test_xfail(conclude):
    """It expects to fail"""
    pytest.xfail("as ever")

@pytest.mark.xfail
@criterion("OWN-XFAIL-MARK", hours=(0,))
def test_xfail_mark(conclude):
    """It is marked to fail, and does"""
    assert False

@pytest.mark.xfail
@criterion("OWN-XPASS", hours=(0,))
def test_xpass(ask, conclude):
    """It is marked to fail, and passes"""
    conclude(ValueBelow(limit=100), value=ask.sql("SELECT 1"))

@criterion("OWN-ASSERT", hours=(0,))
def test_assert(conclude):
    """It asserts"""
    assert 1 == 2, "plainly"

@criterion("OWN-NOTHING", hours=(0,))
def test_nothing(conclude):
    """It concludes nothing"""

@criterion("OWN-BUG", hours=(0,))
def test_bug(conclude):
    """It has a bug"""
    {}["nowhere"]

@criterion("OWN-FIXTURE", hours=(0,))
def test_fixture(torn, conclude):
    """Its fixture tears"""

@criterion("OWN-FAIL-CALL", hours=(0,))
def test_fail_call(conclude):
    """It calls pytest.fail"""
    pytest.fail("by hand")

@pytest.mark.timeout(0.3)
@criterion("OWN-SLOW", hours=(0,))
def test_slow(conclude):
    """It does not end"""
    time.sleep(20)

@criterion("OWN-TEARDOWN", hours=(0,))
def test_teardown(torn_later, ask, conclude):
    """It fails, and then its fixture tears"""
    conclude(ValueBelow(limit=1), value=ask.sql("SELECT 1"))

@criterion("OWN-BOTH", hours=(0,))
def test_both(ask, conclude):
    """It fails, and then has a bug"""
    conclude(ValueBelow(limit=1), value=ask.sql("SELECT 1"))
    {}["nowhere"]

@criterion("OWN-HALF", hours=(0,))
def test_half(ask, conclude):
    """It passes, and then has a bug"""
    conclude(ValueBelow(limit=100), value=ask.sql("SELECT 1"))
    {}["nowhere"]

@criterion("OWN-LOG", hours=(0,))
def test_log(ask, conclude):
    """It passes, whatever it logs and warns"""
    logging.getLogger("x").warning("one %s two %s", 1, 2)
    logging.getLogger("x").warning("one %d", "a slip", "two")
    warnings.warn("a library's")
    conclude(ValueBelow(limit=100), value=ask.sql("SELECT 1"))
'''


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory):
    """A checkpoint of tests that go wrong in every way."""
    project = Project(tmp_path_factory.mktemp("broken"), own=BROKEN)
    return project, project.rehearsed()


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("OWN-SKIP", "INCONCLUSIVE skip_not_allowed"),
        ("OWN-SKIP-MARK", "INCONCLUSIVE skip_not_allowed"),
        ("OWN-XFAIL", "INCONCLUSIVE skip_not_allowed"),
        ("OWN-XFAIL-MARK", "INCONCLUSIVE no_evidence"),
        ("OWN-XPASS", "INCONCLUSIVE skip_not_allowed"),
        ("OWN-ASSERT", "INCONCLUSIVE no_evidence"),
        ("OWN-NOTHING", "INCONCLUSIVE no_evidence"),
        ("OWN-BUG", "INCONCLUSIVE harness_error"),
        ("OWN-FIXTURE", "INCONCLUSIVE harness_error"),
        ("OWN-FAIL-CALL", "INCONCLUSIVE harness_error"),
        ("OWN-SLOW", "INCONCLUSIVE timeout"),
        ("OWN-TEARDOWN", "FAIL beyond_limit"),
        ("OWN-LOG", "PASS"),
    ],
)
def test_what_is_no_verdict_is_inconclusive(broken, name: str, outcome: str) -> None:
    """Whatever a test does instead of concluding proves nothing, and its code says what."""
    project, _ = broken
    assert codes(project.record())[name] == outcome


def test_a_verdict_is_kept_with_a_later_problem(broken) -> None:
    """A FAIL stays one; a PASS of a test that then broke does not count."""
    project, run = broken
    record = project.record()
    both = [(each.id, str(each.outcome), each.code) for each in record.criteria]
    assert ("OWN-BOTH", "FAIL", "beyond_limit") in both
    assert ("OWN-BOTH", "INCONCLUSIVE", "harness_error") in both
    assert ("OWN-HALF", "INCONCLUSIVE", "harness_error") in both
    assert (run.returncode, record.outcome) == (1, Outcome.FAIL)


def test_trouble_is_reported_with_its_phase(broken) -> None:
    """The traceback of a bug, the reason of a skip, and what tore at the end."""
    project, run = broken
    assert "KeyError: 'nowhere'" in run.stdout
    assert "its test was skipped, which proves nothing: not today" in " ".join(run.stdout.split())
    assert any("tore at the end" in note for note in project.record().notes)
    assert "INTERNALERROR" not in run.stdout
    assert "\nFAIL           OWN-BOTH" in run.stdout  # pytest's E of a teardown is not before it


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory):
    """Every criterion of hour 0, on a healthy production."""
    names = [path.stem.removeprefix("test_") for path in Path("tests_prod").glob("test_*.py")]
    project = Project(tmp_path_factory.mktemp("whole"), *names)
    return project, project.rehearsed()


def test_all_pass(whole) -> None:
    """Exit 0, every due criterion in the record, a page, a JUnit file, an interactive report."""
    project, run = whole
    assert run.returncode == 0, run.stdout
    record = project.record()
    assert {each.outcome for each in record.criteria} == {Outcome.PASS}
    assert {each.id for each in record.criteria} == {
        name for name, hours in record.plan.items() if 0 in hours
    }
    names = {path.name for path in project.files()}
    assert {"hour00.a1.json", "hour00.a1.html", "hour00.a1.pytest.html", "hour00.a1.xml"} <= names


def test_violated(tmp_path: Path) -> None:
    """Exit 1, with the observed value and its limit."""
    project = Project(tmp_path, "database")
    run = project.rehearsed(faults=("disk_filling",))
    assert run.returncode == 1, run.stdout
    found = judged(project.record(), "DB-SIZE")
    assert (found.outcome, found.limit) == (Outcome.FAIL, "below 80 %")
    assert f"{found.observed}  (below 80 %)" in run.stdout


def test_a_witness_that_is_down(tmp_path: Path) -> None:
    """Exit 10: Sentry's silence is no FAIL; its token is shown nowhere."""
    project = Project(tmp_path, "errors")
    run = project.rehearsed(faults=("sentry_unreachable",))
    assert run.returncode == 10, run.stdout
    assert codes(project.record())["ERRORS-CRITICAL"] == "INCONCLUSIVE source_unreachable"
    token = rehearsal().environ["HOUR24_REHEARSAL_SENTRY_TOKEN"]
    assert token not in run.stdout
    for path in project.files():
        assert token.encode() not in path.read_bytes(), path.name
