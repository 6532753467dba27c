"""A watch that hour24 0.1.0 recorded and approved, read by today's hour24."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from hour24 import versions
from hour24.criteria import CRITERIA
from hour24.ledger.book import Ledger
from hour24.ledger.judges import other_judges
from hour24.ledger.signoff import missing
from hour24.ledger.verify import Finding, verify
from hour24.versions import CHANGES, FORMAT, JUDGES, RELEASES, Change
from tests import small_watch as small
from tests.played import hour24, pytest_

ROOT = Path(__file__).parents[1]
WATCH = ROOT / "tests" / "data" / "watch_f90c7b0.tar.xz"
RULE = "a sign-off criterion that no checkpoint measured is INCONCLUSIVE"
AFTER = datetime(2026, 3, 3, 6, 30, tzinfo=UTC)
Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    with tarfile.open(WATCH) as archive:
        archive.extractall(folder, filter="data")
    return folder / "launch"


@pytest.fixture
def old(kept: Path, tmp_path: Path) -> Path:
    """The watch of hours 0 to 24, with 17 waivers and an approval, as a copy to change."""
    return Path(shutil.copytree(kept, tmp_path / "reports" / "launch"))


@pytest.fixture
def open_one(old: Path) -> Path:
    """The same watch before its hour 24."""
    for name in ("hour24.a1", "hour24.a2"):
        (old / f"{name}.json").unlink()
        (old / "journal" / f"{name}.jsonl").unlink()
    for name in ("signoff.json", "waive.16.json", "waive.17.json"):
        (old / name).unlink()
    return old


def forged(old: Path, edit: Edit, file: str = "hour08.a1.json") -> list[Finding]:
    """Returns the findings after an entry and its journal were changed and sealed again."""
    small.resealed(old, {file: edit})
    journal = old / "journal" / file.replace(".json", ".jsonl")
    lines = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    content = json.loads((old / file).read_text("utf-8"))
    stored = {(one["id"], one["subject"]): one for one in content["criteria"]}
    kept = []
    for line in lines:
        if line["kind"] == "judged":
            line["judged"] = stored.get((line["judged"]["id"], line["judged"]["subject"]))
        if line.get("judged", True):
            kept.append(f"{json.dumps(line)}\n")
    journal.write_text("".join(kept), "utf-8")
    return [one for one in verify(old) if not one.ok]


def of(content: dict[str, Any], criterion: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in content["criteria"] if one["id"] == criterion)
    return found


def test_an_old_watch_verifies_and_changed_decisions_are_listed(old: Path) -> None:
    """Chain, schema and completeness pass; both verdicts are shown with the rule; exit code 14."""
    assert [one for one in verify(old) if not one.ok] == []
    done = hour24("verify", old)
    assert done.returncode == 14, done.stdout
    assert (
        "diff verdicts  hour24.a2.json: SIGNOFF-DATABASE: outcome: was PASS, now INCONCLUSIVE: "
        f"judges 2: {RULE}" in done.stdout
    )
    assert "judged by version 1; today's is" in done.stdout
    assert "approved by Mara Lind, tech lead" in done.stdout
    assert "ok   files     pages and other files next to the ledger are not covered" in done.stdout
    assert "Ledger verified; " in done.stdout


def test_without_its_rule_a_difference_is_a_failure(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verdict may differ only if a change of the judges explains it."""
    kept = tuple(one for one in CHANGES if one.of != "HeldThroughout")
    monkeypatch.setattr(versions, "CHANGES", kept)
    wrong = [one for one in verify(old) if not one.ok]
    assert {one.what for one in wrong} == {"verdicts"}
    says = " ".join(one.says for one in wrong)
    assert "outcome: expected INCONCLUSIVE by its evidence, got PASS" in says


def test_a_figure_that_is_newer_than_a_record_is_not_missing_in_it(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An added figure changes no decision; without its entry it is a difference."""
    monkeypatch.setattr(versions, "ADDED_FIGURES", {})
    says = " ".join(one.says for one in verify(old) if not one.ok)
    assert "MEMORY-STABLE: figures: pivot_h: expected" in says


@pytest.mark.suite("forged", short=3)
@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (
            lambda content: of(content, "ERRORS-RATE")["figures"].update(ratio=0.0042),
            "hour08.a1.json: ERRORS-RATE: figures: ratio: expected",
        ),
        (
            lambda content: of(content, "DB-SLOW").update(outcome="PASS", code=""),
            "hour08.a1.json: DB-SLOW: outcome: expected FAIL by its evidence, got PASS",
        ),
        (
            lambda content: content["criteria"].remove(of(content, "RESTARTS")),
            "hour08.a1.json: RESTARTS: expected a verdict, got none",
        ),
        (
            lambda content: content["plan"].pop("RESTARTS"),
            "hour08.a1.json: plan: expected RESTARTS at this hour, got none",
        ),
        (
            lambda content: content.update(judges=JUDGES),
            f"hour08.a1.json: judges: expected 1 as in watch.json, got {JUDGES}",
        ),
    ],
)
def test_a_forged_old_record_is_found(old: Path, edit: Edit, says: str) -> None:
    """Even if everything after it was sealed again and its journal was changed too."""
    wrong = " ".join(one.says for one in forged(old, edit))
    assert says in wrong


def test_a_changed_rule_excuses_only_what_it_alters(old: Path) -> None:
    """A figure of the same verdict that no rule explains makes all of it a failure."""

    def edit(content: dict[str, Any]) -> None:
        of(content, "SIGNOFF-DATABASE")["figures"]["checkpoints"] = 99.0

    wrong = forged(old, edit, "hour24.a2.json")
    assert any("SIGNOFF-DATABASE: outcome: expected INCONCLUSIVE" in one.says for one in wrong)


def test_a_byte_changed_in_an_old_record_breaks_its_chain(old: Path) -> None:
    path = old / "hour08.a1.json"
    path.write_bytes(path.read_bytes().replace(b'"pid":', b'"pid":1', 1))
    assert "chain" in {one.what for one in verify(old) if not one.ok}
    assert hour24("verify", old).returncode == 1


def test_a_new_criterion_is_not_missing_from_an_old_record(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as it is listed with the judges that added it."""

    def edit(content: dict[str, Any]) -> None:
        content["plan"].pop("RESTARTS")
        content["criteria"].remove(of(content, "RESTARTS"))

    added = structs.replace(CRITERIA["RESTARTS"], since=JUDGES)
    monkeypatch.setitem(CRITERIA, "RESTARTS", added)
    assert "plan" not in {one.what for one in forged(old, edit)}


# --- an open watch --------------------------------------------------------------------------------


def test_an_open_watch_is_not_continued_by_other_judges(open_one: Path) -> None:
    """The refusal names the version to use, and the command that begins a new watch."""
    expected = (
        f"watch launch: judges: expected version {JUDGES}, that of this hour24, got 1: finish the "
        "watch with hour24 0.1.0 (commit f90c7b012018), or start a new one: "
        "pytest -m hour0 --follows launch"
    )
    ledger = Ledger(open_one)
    assert list(other_judges(ledger)) == [expected]
    assert expected in missing(ledger, AFTER)
    done = hour24("signoff", open_one, "--by", "Mara Lind", "--role", "tech lead")
    assert done.returncode == 1
    assert expected in done.stdout
    assert not (open_one / "signoff.json").exists()


def test_a_rehearsal_begun_with_other_judges_is_refused_before_anything_is_asked(
    tmp_path: Path,
) -> None:
    """Exit 4, and neither a record nor a journal."""
    rehearsal = {"seed": 1, "faults": []}
    small.watch_of(tmp_path, judges=1, target="rehearsal", rehearsal=rehearsal)
    done = pytest_("-m", "hour4", "--target", "rehearsal", "--reports", tmp_path)
    assert done.returncode == 4, done.stdout
    assert f"expected version {JUDGES}, that of this hour24, got 1" in done.stdout
    assert "pytest -m hour0 --target rehearsal --follows launch" in done.stdout
    assert not list((tmp_path / "launch").glob("hour04.a*"))
    assert not list((tmp_path / "launch" / "journal").glob("*"))


def test_a_record_of_later_judges_is_not_verified(tmp_path: Path) -> None:
    """This version cannot know their rules."""
    ledger = small.watch_of(tmp_path, small.record(0, judges=JUDGES + 1), judges=JUDGES + 1)
    says = [one.says for one in verify(ledger.folder) if not one.ok]
    assert any(f"judges: expected at most {JUDGES}, got {JUDGES + 1}" in one for one in says)


# --- the numbers themselves -----------------------------------------------------------------------


def test_new_files_name_both_numbers(tmp_path: Path) -> None:
    ledger = small.watch_of(tmp_path, small.record(0))
    waiver = ledger.append(
        "waive",
        {
            "at": small.T0 + timedelta(hours=1),
            "by": "Mara Lind",
            "because": "seen",
            "criterion": "DB-SLOW",
            "until": AFTER,
        },
    )
    for path in (ledger.folder / "watch.json", ledger.folder / "hour00.a1.json"):
        content = json.loads(path.read_text("utf-8"))
        assert (content["version"], content["judges"]) == (FORMAT, JUDGES)
    assert json.loads(waiver.read_text("utf-8"))["version"] == FORMAT


def test_a_record_of_this_format_names_its_judges(tmp_path: Path) -> None:
    ledger = small.watch_of(tmp_path, small.record(0))
    path = ledger.folder / "hour00.a1.json"
    path.write_bytes(path.read_bytes().replace(f'"judges":{JUDGES},'.encode(), b""))
    assert any(
        "judges: expected to be there, got nothing" in one.says for one in verify(ledger.folder)
    )


def test_each_change_belongs_to_existing_judges() -> None:
    """The newest version has a change, and no change is ahead of it."""
    import hour24.objectives  # noqa: F401  registers them
    from hour24.objectives.base import _BY_NAME

    assert {one.of for one in CHANGES} <= {*_BY_NAME, versions.STANDINGS}
    assert all(
        each in ("outcome", "code", "objective") or each.startswith("figures.")
        for one in CHANGES
        for each in one.alters
    )
    assert max(one.judges for one in (*CHANGES, Change(judges=1, of="", rule=""))) == JUDGES
    assert all(1 < one.judges <= JUDGES and one.rule for one in CHANGES)
    assert all(1 <= one.since <= JUDGES for one in CRITERIA.values())
    added = [judges for figures in versions.ADDED_FIGURES.values() for judges in figures.values()]
    assert all(1 < judges <= JUDGES for judges in added)
    assert set(RELEASES) <= set(range(1, JUDGES + 1))


def test_the_kept_watch_is_what_f90c7b0_wrote(kept: Path) -> None:
    """Seven hours, an approval, and neither number in any of its files."""
    records = [json.loads(path.read_text("utf-8")) for path in sorted(kept.glob("hour*.json"))]
    assert {one["hour"] for one in records} == {0, 4, 8, 12, 16, 20, 24}
    assert {one["vantage"]["commit"] for one in records} == {"f90c7b012018"}
    assert not any("judges" in one for one in records)
    assert len(list(kept.glob("waive.*.json"))) == 17
    assert WATCH.stat().st_size < 200_000
