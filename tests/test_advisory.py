"""Advisory checks: measured and shown, and counted in no outcome, decision, alert or waiver."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from hour24.checkpoint import notify
from hour24.checkpoint.killed import finalise
from hour24.config import limits_digest, load
from hour24.criteria import CRITERIA, IMPORTED
from hour24.errors import ConfigurationError
from hour24.ledger.advisory import reported
from hour24.ledger.book import Ledger
from hour24.ledger.readiness import blocking, summary
from hour24.ledger.record import Advisory, Judged, Record
from hour24.ledger.verify import verify
from hour24.ledger.waivers import waive
from hour24.objectives.own import ValueBelow
from hour24.report import checkpoint, index, signoff
from hour24.verdict import Outcome
from tests.checkpoints import Project, served_with
from tests.played import ROOT
from tests.small_watch import AFTER, WATCH, judged, record, resealed, watch_of, without_data
from tests.test_config import SMALLEST, written

BECAUSE = "the provider renews it"
TLS = "TLS-EXPIRY"
FILES = sorted((ROOT / "tests_prod").glob("test_*.py"))
OWN = """
from hour24.objectives.own import ValueBelow

@criterion("OWN-FAILS", hours=(0,))
def test_fails(ask, conclude):
    \"\"\"One is below one\"\"\"
    conclude(ValueBelow(limit=1), value=ask.sql("SELECT 1"))

@criterion("OWN-SILENT", hours=(0,))
def test_silent(ask, conclude):
    \"\"\"Nothing answers\"\"\"
    conclude(ValueBelow(limit=1), value=ask.sql("SELECT 'no number'"))

@criterion("OWN-FINE", hours=(0,))
def test_fine(ask, conclude):
    \"\"\"One is below two\"\"\"
    conclude(ValueBelow(limit=2), value=ask.sql("SELECT 1"))

@criterion("OWN-BROKEN", hours=(0,))
def test_broken(ask, conclude):
    \"\"\"Its test has a bug\"\"\"
    raise RuntimeError("a bug")
"""
NAMES = ("OWN-FAILS", "OWN-SILENT", "OWN-FINE", "OWN-BROKEN")


def advisory_table(name: str, sentence: str, more: str = "advisory = true") -> str:
    return (
        f'[criteria.{name}]\nsentence = "{sentence}"\nhours = [0]\n{more}\nbecause = "{BECAUSE}"\n'
    )


TABLES = "".join(advisory_table(name, "A sentence") for name in NAMES)


def refused(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        load(written(tmp_path, f"{SMALLEST}\n{text}"), {})
    return [line.split(": ", 1)[1] for line in raised.value.problems]


@pytest.mark.parametrize("name", [name for name in CRITERIA if name != TLS])
def test_a_shipped_criterion_counts(tmp_path: Path, name: str) -> None:
    """No shipped criterion but TLS-EXPIRY may be advisory."""
    text = f'[criteria.{name}]\nadvisory = true\nbecause = "{BECAUSE}"\n'
    assert refused(tmp_path, text) == [
        f"criteria.{name}.advisory: expected false, since only {TLS} or a criterion of your own "
        f"may be advisory, got true for {name}"
    ]


def test_files_that_do_not_import_count(tmp_path: Path) -> None:
    """The check that every file imports is hour24's own, whatever production.toml calls it."""
    assert refused(tmp_path, advisory_table(IMPORTED, "A sentence")) == [
        f"criteria.{IMPORTED}.advisory: expected false, since only {TLS} or a criterion of your "
        f"own may be advisory, got true for {IMPORTED}"
    ]
    hour8 = with_own(8, advisory_plan={**PLAN, IMPORTED: Advisory(hours=(8,), because=BECAUSE)})
    says = f"hour08.a1.json: {IMPORTED}: expected it to count, got an advisory check"
    assert says in problems(watch_with_own(tmp_path, hour8=hour8))


def test_an_advisory_check_has_a_reason(tmp_path: Path) -> None:
    """An advisory check without a reason is refused, and so is one that does not apply."""
    assert refused(tmp_path, f"[criteria.{TLS}]\nadvisory = true\n") == [
        f"criteria.{TLS}.because: expected why it does not count, got nothing"
    ]
    both = f'[criteria.{TLS}]\nadvisory = true\napplies = false\nbecause = "{BECAUSE}"\n'
    assert refused(tmp_path, both) == [
        f"criteria.{TLS}.advisory: expected false, since it does not apply, got true"
    ]


def test_the_digest_of_a_file_without_advisory_checks_is_that_of_before(tmp_path: Path) -> None:
    """`advisory = false` is the digest without it, and `true` is another."""
    found = [
        limits_digest(
            load(written(tmp_path, SMALLEST + advisory_table("OWN-FINE", "A sentence", more)), {})
        )
        for more in ("", "advisory = false", "advisory = true")
    ]
    assert found[0] == found[1] != found[2]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """Hour 0 of four advisory checks: one fails, one has no data, one passes, one has a bug."""
    folder = tmp_path_factory.mktemp("advisory")
    project = Project(folder / "project", own=OWN)
    served = served_with(folder, {"[service]": f"{TABLES}\n[service]"})
    xml = folder / "junit.xml"
    run = project.rehearsed(f"--junitxml={xml}", "--html=page.html", served=served)
    (folder / "project" / "pytest.xml").write_text(xml.read_text())
    return project, run.stdout


def test_a_failed_advisory_check_changes_no_outcome(ran: tuple[Project, str]) -> None:
    """The record, its decision and the standings are those of a watch without the checks."""
    project, text = ran
    found = project.record()
    assert {one.id: one.outcome for one in found.advisory_checks} == {
        "OWN-FAILS": Outcome.FAIL,
        "OWN-SILENT": Outcome.INCONCLUSIVE,
        "OWN-FINE": Outcome.PASS,
        "OWN-BROKEN": Outcome.INCONCLUSIVE,
    }, text
    assert found.outcome == Outcome.INCONCLUSIVE  # the shipped criteria were not selected
    assert not {*NAMES} & ({one.id for one in found.criteria} | {*found.plan})
    assert set(found.advisory_plan) == {*NAMES}
    assert not {*NAMES} & {one.id for one in project.ledger().standings(AFTER)}
    assert not any(name in json.dumps(found.decision) for name in NAMES)


def test_an_advisory_check_is_shown_apart(ran: tuple[Project, str]) -> None:
    """The terminal says ADVISORY, what was found and why it does not count; pytest skips it."""
    project, text = ran
    for line in (
        "ADVISORY       OWN-FAILS",
        f"advisory, not counted: OWN-FAILS: FAIL ({BECAUSE})",
        f"advisory, not counted: OWN-SILENT: no data (source_misread) ({BECAUSE})",
        f"advisory, not counted: OWN-FINE: PASS ({BECAUSE})",
        f"advisory, not counted: OWN-BROKEN: no data (harness_error) ({BECAUSE})",
    ):
        assert line in " ".join(text.split()) or line in text, text
    assert "4 ADVISORY" in text
    suite = ET.parse(project.folder / "pytest.xml").getroot()[0]
    assert (suite.get("skipped"), suite.get("failures"), suite.get("tests")) == ("4", "0", "4")
    page = (project.reports / "w" / "hour00.a1.html").read_text()
    assert "Advisory checks" in page
    assert page.count('<span class="w">ADVISORY</span>') == len(NAMES)
    ours = ET.parse(project.reports / "w" / "hour00.a1.xml").getroot()[0]
    kinds = {case.get("name"): [child.get("type") for child in case] for case in ours}
    assert all(kinds[name][0] == "advisory" for name in NAMES)
    assert "ADVISORY: FAIL" in (project.folder / "page.html").read_text()


def test_an_advisory_verdict_is_recomputed(ran: tuple[Project, str], tmp_path: Path) -> None:
    """verify derives it from what was stored, and names one that was changed."""
    project, text = ran
    assert [one.says for one in verify(project.ledger().folder) if not one.ok] == [], text


def own(hour: int, outcome: str = "PASS") -> Judged:
    """A verdict on an advisory check."""
    from hour24.evidence import Total, to_plain
    from tests.small_watch import asked

    value = Total(question=asked(hour, "own"), value=1.0, unit="")
    limit = ValueBelow(limit=2 if outcome == "PASS" else 1)
    verdict = limit.judge({"value": value})
    assert verdict.outcome == outcome
    return Judged(
        id="OWN",
        sentence="One is few",
        group="Your own",
        span="now",
        outcome=verdict.outcome,
        code=verdict.code,
        reason=verdict.reason,
        figures=verdict.figures,
        objective=limit.to_plain(),
        evidence={"value": to_plain(value)},
    )


PLAN = {"OWN": Advisory(hours=WATCH.hours, because=BECAUSE)}


def with_own(hour: int, outcome: str = "FAIL", **changes: Any) -> Record:
    return record(
        hour, **{"advisory_plan": PLAN, "advisory_checks": (own(hour, outcome),), **changes}
    )


def watch_with_own(folder: Path, **instead: Record) -> Ledger:
    return watch_of(folder, *(instead.get(f"hour{hour}") or with_own(hour) for hour in WATCH.hours))


def problems(ledger: Ledger) -> list[str]:
    return [one.says for one in verify(ledger.folder) if not one.ok]


def test_a_watch_with_a_failed_advisory_check_may_be_approved(tmp_path: Path) -> None:
    """An advisory FAIL blocks nothing; the sign-off has its last outcome, and its page too."""
    ledger = watch_with_own(tmp_path)
    assert (problems(ledger), blocking(ledger, AFTER)) == ([], ())
    assert ledger.launch(AFTER).failed == ledger.launch(AFTER).unknown == 0
    assert summary(ledger, AFTER)["advisory"] == [
        f"OWN: FAIL at hour 24; does not count: {BECAUSE}"
    ]
    for page in (signoff.text(ledger, AFTER), index.text(ledger, AFTER)):
        assert "Advisory checks" in page
        assert "<b>FAIL at hour 24</b>" in page
        assert BECAUSE in page
    text = checkpoint.text(ledger.records(8)[0], ledger, tmp_path / "hour08.a1.html")
    assert "<b>FAIL at hour 8</b>" in text


def test_the_last_run_that_counts_is_reported_for_each_check_by_itself() -> None:
    other = msgspec.structs.replace(own(4, "FAIL"), id="OTHER", subject="eu", reason="slow")
    silent = msgspec.structs.replace(
        own(4, "PASS"), id="SILENT", outcome=Outcome.INCONCLUSIVE, code="late"
    )
    good = msgspec.structs.replace(silent, outcome=Outcome.PASS, code="", subject="eu")
    plan = {
        name: Advisory(hours=(4,), because=BECAUSE) for name in ("OWN", "OTHER", "SILENT", "NEVER")
    }
    first = with_own(4, advisory_plan=plan, advisory_checks=(own(4, "FAIL"), other, good, silent))
    second = with_own(8, advisory_plan=plan, advisory_checks=())
    early = with_own(12, "PASS", advisory_plan=plan, early=True)
    found = {one.id: one for one in reported([first, second, early])}
    assert {name: one.last for name, one in found.items()} == {
        "OWN": "FAIL at hour 4",
        "OTHER": "FAIL at hour 4",
        "SILENT": "no data (late) at hour 4",
        "NEVER": "not run yet",
    }
    assert found["OTHER"].found == ("eu: slow",)
    assert found["NEVER"].found == ()


def test_an_advisory_check_is_not_waived(tmp_path: Path) -> None:
    """A waiver of an advisory check is refused as unneeded."""
    with pytest.raises(ConfigurationError, match="an advisory one, which blocks nothing and needs"):
        waive(
            watch_with_own(tmp_path),
            "OWN",
            by="Mara Lind",
            because="a reason",
            until="2026-12-05",
            now=AFTER - timedelta(hours=1),
        )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"advisory_plan": {}, "advisory_checks": ()},
            "hour08.a1.json: advisory_plan: expected that of hour00.a1.json (OWN), got none",
        ),
        (
            {"advisory_plan": {"OWN": Advisory(hours=WATCH.hours, because="another")}},
            "hour08.a1.json: advisory_plan: expected that of hour00.a1.json (their hours and "
            "reasons), got others",
        ),
        ({"advisory_checks": ()}, "hour08.a1.json: OWN: expected a verdict, got none"),
    ],
)
def test_advisory_checks_are_fixed_at_hour_0(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    """verify names a record with other advisory checks, or without the verdict of one."""
    assert says in problems(watch_with_own(tmp_path, hour8=with_own(8, **changes)))


def test_a_check_is_planned_and_either_advisory_or_counted(tmp_path: Path) -> None:
    """verify names a verdict outside the plan, and a check that is in both."""
    other = msgspec.structs.replace(own(8, "FAIL"), id="OTHER")
    plain = with_own(8)
    hour8 = msgspec.structs.replace(
        plain,
        plan={**plain.plan, "OWN": WATCH.hours},
        advisory_checks=(*plain.advisory_checks, other),
    )
    found = problems(watch_with_own(tmp_path, hour8=hour8))
    assert (
        "hour08.a1.json: OTHER: expected it among advisory_plan, got an unplanned verdict" in found
    )
    assert "hour08.a1.json: OWN: expected it to be advisory or to count, got both" in found


def test_a_counted_criterion_does_not_become_advisory(tmp_path: Path) -> None:
    """A shipped criterion among the advisory checks is named, and its verdict is missing."""
    moved = judged("ERRORS-RATE", 8, without_data(8))
    plain = with_own(8)
    hour8 = msgspec.structs.replace(
        plain,
        plan={name: hours for name, hours in plain.plan.items() if name != "ERRORS-RATE"},
        criteria=tuple(one for one in plain.criteria if one.id != "ERRORS-RATE"),
        advisory_plan={**PLAN, "ERRORS-RATE": Advisory(hours=(8,), because=BECAUSE)},
        advisory_checks=(*plain.advisory_checks, moved),
    )
    found = problems(watch_with_own(tmp_path, hour8=hour8))
    assert "hour08.a1.json: ERRORS-RATE: expected it to count, got an advisory check" in found


def test_a_forged_advisory_verdict_is_named(tmp_path: Path) -> None:
    """verify recomputes an advisory verdict from its stored evidence."""
    ledger = watch_with_own(tmp_path)

    def forge(content: dict[str, Any]) -> None:
        content["advisory_checks"][0].update(outcome="PASS", code="")

    resealed(ledger.folder, {"hour08.a1.json": forge})
    assert any(
        "OWN: outcome: expected FAIL by its evidence, got PASS" in one
        for one in problems(Ledger(ledger.folder))
    )


def test_a_record_without_advisory_checks_is_that_of_before(tmp_path: Path) -> None:
    """The bytes of a record without advisory checks have no member for them."""
    ledger = watch_of(tmp_path, record(0))
    assert b"advisory_" not in (ledger.folder / "hour00.a1.json").read_bytes()


def test_a_killed_run_keeps_its_advisory_checks_apart(ran: tuple[Project, str]) -> None:
    """The record that is rebuilt from the journal has them where the finished one has them."""
    project, _ = ran
    ledger = project.ledger()
    lines = (ledger.folder / "journal" / "hour00.a1.jsonl").read_text().splitlines()
    path = ledger.folder / "journal" / "hour00.a9.jsonl"
    path.write_text("\n".join(line for line in lines if '"kind":"written"' not in line) + "\n")
    kept: list[Record] = []

    class Caught(Exception):
        pass

    def catch(found: Record) -> Record:
        kept.append(found)
        raise Caught

    try:
        with pytest.raises(Caught):
            finalise(ledger, path, catch)
    finally:
        path.unlink()
    (found,) = kept
    assert {one.id for one in found.advisory_checks} == {*NAMES}
    assert not {*NAMES} & {one.id for one in found.criteria}
    assert found.outcome == Outcome.INCONCLUSIVE


@pytest.mark.parametrize("advisory_first", [False, True])
def test_a_change_of_the_setting_is_named_and_changes_nothing(
    tmp_path: Path, advisory_first: bool
) -> None:
    """What a check was at hour 0 it stays, whatever production.toml says later."""
    one = advisory_table("OWN-FAILS", "A sentence", "")
    counted = one.replace(f'because = "{BECAUSE}"\n', "")
    apart = one.replace("hours = [0]", "hours = [0]\nadvisory = true")
    project = Project(tmp_path / "project", own=OWN)
    for tables in (apart, counted) if advisory_first else (counted, apart):
        folder = tmp_path / str(len(tables))
        folder.mkdir()
        served = served_with(folder, {"[service]": f"{tables}\n[service]"})
        run = project.rehearsed("-k", "test_fails", served=served)
    found = project.record(attempt=2)
    assert (found.outcome == Outcome.FAIL) is not advisory_first, run.stdout
    expected, got, does = (
        ("true", "false", "does not count") if advisory_first else ("false", "true", "counts")
    )
    assert (
        f"criteria.OWN-FAILS.advisory: expected {expected} as when the watch began, got {got}: "
        f"OWN-FAILS still {does}"
    ) in found.notes
    assert set(found.advisory_plan) == ({"OWN-FAILS"} if advisory_first else set())


def test_an_advisory_fail_is_no_alert_when_its_checkpoint_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that only asks alerts to a check that counts, and not to an advisory one."""
    from hour24.checkpoint.keeping import KeepingRun

    sent: list[str] = []
    monkeypatch.setattr(notify, "send_alarm", lambda run, alarm: sent.append(alarm.says))
    run = KeepingRun.__new__(KeepingRun)
    run.alarmed = 0
    run.judged = [own(8, "FAIL")]
    run.__dict__["advisory"] = PLAN
    run.alarm()
    assert sent == []
    assert run.alarmed == 0


def test_an_untrusted_certificate_is_advisory(tmp_path: Path) -> None:
    """The whole hour 0 passes and exits with 0 while TLS-EXPIRY, an advisory check, fails."""
    text = f'[criteria.{TLS}]\nadvisory = true\nbecause = "{BECAUSE}"\n'
    served = served_with(tmp_path, {"[service]": f"{text}\n[service]"})
    project = Project(tmp_path / "project", *(path.stem.removeprefix("test_") for path in FILES))
    run = project.rehearsed(served=served, faults=("certificate_untrusted@-1",))
    found = project.record()
    assert [(one.id, one.outcome) for one in found.advisory_checks] == [(TLS, Outcome.FAIL)]
    assert (found.outcome, run.returncode) == (Outcome.PASS, 0), run.stdout
    assert found.decision is not None
    assert found.decision["action"] == "PROCEED"
