"""Whole watches of a production until they are approved, or refused with every reason."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hour24.commands.watches import chosen
from hour24.ledger.book import Ledger
from hour24.ledger.signoff import APPROVED
from hour24.ledger.signoff import missing as absent
from hour24.ledger.verify import verify
from hour24.ledger.waivers import waive
from hour24.watch import CHECKPOINTS
from tests import small_watch as small
from tests.forging import FORGERIES, OF_A_VERDICT, OF_AN_APPROVAL, Forger
from tests.outside import Outside, Ran
from tests.played import T0

pytestmark = pytest.mark.suite("outside", short=14)

WHO = ("--by", "Mara Lind", "--role", "tech lead")
SAYS = ("--by", "Mara Lind", "--because", "the report is rebuilt at night")


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """A production without a fault."""
    made = Outside(tmp_path_factory.mktemp("production"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def until_16(production: Outside, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean watch up to hour 16; not to be changed."""
    reports = tmp_path_factory.mktemp("until-16")
    for hour in (0, 4, 8, 12, 16):
        record, done = production.checkpoint(reports, hour)
        assert (done.returncode, str(record.outcome)) == (0, "PASS"), done.stdout
        assert (record.decision or {})["action"] == "PROCEED"
    return reports / "w"


@pytest.fixture(scope="module")
def clean(production: Outside, until_16: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole clean watch; not to be changed."""
    reports = tmp_path_factory.mktemp("clean")
    shutil.copytree(until_16, reports / "w")
    for hour in (20, 24):
        record, done = production.checkpoint(reports, hour)
        assert (done.returncode, str(record.outcome)) == (0, "PASS"), done.stdout
    return reports / "w"


@pytest.fixture
def watch(tmp_path: Path, clean: Path) -> Path:
    """A copy of the whole clean watch, to do with as a test likes."""
    return Path(shutil.copytree(clean, tmp_path / "w"))


def signed(production: Outside, watch: Path, *more: object, hour: float = 24.2) -> Ran:
    production.at(hour)
    return production.hour24("signoff", watch, *WHO, *more)


def missing(done: Ran) -> list[str]:
    """What a refused sign-off lists."""
    assert done.returncode == 1, done.stdout
    return [line.strip()[2:] for line in done.stdout.splitlines() if line.startswith("  - ")]


# --- approved -------------------------------------------------------------------------------------


def test_a_clean_watch_is_approved_and_closed(production: Outside, watch: Path) -> None:
    """By a person, on the strength of all records; nothing is said to that ledger afterwards."""
    done = signed(production, watch)
    assert done.returncode == 0, done.stdout
    assert f"w: {APPROVED}" in done.stdout
    kept = json.loads((watch / "signoff.json").read_text("utf-8"))
    assert (kept["by"], kept["role"], kept["decision"]) == ("Mara Lind", "tech lead", APPROVED)
    assert set(kept["criteria"].values()) == {"PASS"}
    assert Ledger(watch).head().sha256 in done.stdout
    assert APPROVED in (watch / "signoff.html").read_text("utf-8").upper()
    verified = production.hour24("verify", watch)
    assert verified.returncode == 0, verified.stdout
    assert "approved by Mara Lind, tech lead, without a signature" in verified.stdout

    assert "already signed off" in " ".join(missing(signed(production, watch)))
    for command in (
        ("waive", "DB-SLOW", watch, *SAYS, "--until", "2027-01-01"),
        ("classify", watch, "--pattern", "odd", "--as", "normal", *SAYS),
        ("declare", watch, *SAYS),
        ("rollback", watch),
    ):
        refused = production.hour24(*command)
        assert refused.returncode in (1, 4)
        assert "expected an open ledger, got one that is signed off" in refused.stdout
    again = production.pytest("-m", "hour24", "--watch=w", f"--reports={watch.parent}")
    assert again.returncode == 4, again.stdout
    assert "expected an open ledger, got one that is signed off" in again.stdout
    assert wrong(watch) == ""


@pytest.mark.usefixtures("ssh_keygen")
def test_a_signed_approval_holds_until_a_byte_is_changed(
    production: Outside, watch: Path, tmp_path: Path
) -> None:
    """With the person's own SSH key, verified by a list of who may sign."""
    key, other = tmp_path / "key", tmp_path / "other"
    for path in (key, other):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "mara", "-f", str(path)]
        subprocess.run(command, check=True, timeout=30)
    refused = signed(production, watch, "--key", tmp_path / "nowhere")
    assert refused.returncode == 4
    assert "expected an SSH key" in refused.stdout
    assert not (watch / "signoff.json").exists()

    assert signed(production, watch, "--key", key).returncode == 0
    signers, others = tmp_path / "signers", tmp_path / "others"
    signers.write_text(f"mara@example.org {key.with_suffix('.pub').read_text('utf-8')}", "utf-8")
    others.write_text(f"mara@example.org {other.with_suffix('.pub').read_text('utf-8')}", "utf-8")
    good = production.hour24("verify", watch, "--signers", signers)
    assert good.returncode == 0, good.stdout
    assert "signed with SHA256:" in good.stdout
    assert "expected the signer in it" in wrong(watch, signers=others)

    sealed = watch / "signoff.json"
    content = json.loads(sealed.read_text("utf-8"))
    forged = sealed.read_text("utf-8").replace("Mara Lind", "Mala Lind")
    sealed.chmod(0o600)
    sealed.write_text(forged, "utf-8")
    assert "expected a signature that matches" in wrong(watch)
    sealed.write_text(forged.replace("Mala", "Mara"), "utf-8")
    assert wrong(watch) == ""
    whole = Path(shutil.copytree(watch, tmp_path / "whole"))
    small.resealed(whole, {"hour08.a1.json": lambda record: record["vantage"].update(user="x")})
    problems = wrong(whole).splitlines()
    assert len(problems) == 1
    assert problems[0].startswith("signoff.json.sig: expected a signature that matches, got")
    (watch / "signoff.json.sig").unlink()
    assert f"expected the signature by {content['key']}, got none" in wrong(watch)


def test_a_change_to_an_approved_watch_is_detected(
    production: Outside, watch: Path, tmp_path: Path
) -> None:
    """A record changed, a record removed, the approval removed, an entry after it."""
    assert signed(production, watch).returncode == 0
    head = Ledger(watch).head().sha256
    record = watch / "hour12.a1.json"
    changed = Path(shutil.copytree(watch, tmp_path / "changed"))
    edit(changed / record.name, '"PASS"', '"FAIL"')
    removed = Path(shutil.copytree(watch, tmp_path / "removed"))
    (removed / record.name).unlink()
    cut = Path(shutil.copytree(watch, tmp_path / "cut"))
    (cut / "signoff.json").unlink()
    to_the_end = Path(shutil.copytree(cut, tmp_path / "to_the_end"))
    (to_the_end / Ledger(watch).entries()[-1].file).unlink()
    more = Path(shutil.copytree(watch, tmp_path / "more"))
    at = T0 + timedelta(days=2)
    Ledger(more).append("deploy", {
        "at": at, "by": "x", "because": "y", "start": T0.timestamp(), "end": T0.timestamp() + 1,
    })  # fmt: skip
    for folder, says in (
        (changed, "hour12.a1.json: expected the bytes that files.4.json names"),
        (removed, "expected hour12.a1.json, got no such file: it was removed"),
        (cut, "previous: expected signoff.json, got no such file: it was removed"),
        (to_the_end, "cut at the end"),
        (more, "expected it to be the last entry, got deploy.1.json after it"),
    ):
        assert says in wrong(folder, head)


@pytest.fixture(scope="module")
def approved(production: Outside, clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole clean watch, approved; not to be changed."""
    folder = Path(shutil.copytree(clean, tmp_path_factory.mktemp("approved") / "w"))
    assert signed(production, folder).returncode == 0
    return folder


def without_pages(folder: Path, to: Path) -> Path:
    """A copy of the ledger and what it is compared with."""
    return Path(shutil.copytree(folder, to, ignore=shutil.ignore_patterns("*.html", "probe")))


@pytest.mark.parametrize(("forge", "says"), OF_A_VERDICT.values(), ids=OF_A_VERDICT)
def test_a_forged_verdict_is_detected(
    clean: Path, tmp_path: Path, forge: Forger, says: str
) -> None:
    """It does not follow from its evidence, or is not what its criterion says."""
    folder = without_pages(clean, tmp_path / "w")
    forge(folder)
    assert says in wrong(folder)


@pytest.fixture
def not_derived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts are not derived again, which takes the longest."""
    monkeypatch.setattr("hour24.ledger.verify.differing", lambda records: ())


@pytest.mark.usefixtures("not_derived")
@pytest.mark.parametrize(("forge", "says"), FORGERIES.values(), ids=FORGERIES)
def test_a_forged_record_is_detected(clean: Path, tmp_path: Path, forge: Forger, says: str) -> None:
    """By the chain, by the files next to it, or by what the records say of each other."""
    folder = without_pages(clean, tmp_path / "w")
    forge(folder)
    assert says in wrong(folder)


@pytest.mark.usefixtures("not_derived")
@pytest.mark.parametrize(("forge", "says"), OF_AN_APPROVAL.values(), ids=OF_AN_APPROVAL)
def test_a_forged_approval_is_detected(
    approved: Path, tmp_path: Path, forge: Forger, says: str
) -> None:
    """All that it says of its ledger is counted again, even without a key."""
    folder = without_pages(approved, tmp_path / "w")
    forge(folder)
    assert says in wrong(folder)


def wrong(folder: Path, head: str = "", signers: Path | None = None) -> str:
    """All that does not hold of a ledger."""
    found = verify(folder, head=head, signers=signers)
    return "\n".join(one.says for one in found if not one.ok)


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text("utf-8")
    assert before in text
    path.chmod(0o600)
    path.write_text(text.replace(before, after, 1), "utf-8")


# --- not approved ---------------------------------------------------------------------------------


def test_who_approves_must_be_said_and_the_launch_be_late_enough(
    production: Outside, watch: Path
) -> None:
    """No one; and customers let in 14 hours before the end, by the file or by the command."""
    production.at(24.2)
    assert missing(production.hour24("signoff", watch)) == [
        '--by: expected the name of the person who approves, such as "Mara Example", got nothing',
        '--role: expected the role of that person, such as "tech lead", got nothing',
    ]
    early = "launch: expected at 2026-03-03 06:00Z or later, got 2026-03-02 16:00Z"
    assert absent(Ledger(watch), production.now, T0 + timedelta(hours=10)) == (early,)
    production.amend("[service]", "[service]\nlaunch_at = 2026-03-02T16:00:00Z")
    try:
        assert missing(signed(production, watch)) == [early]
    finally:
        production.amend("[service]\nlaunch_at = 2026-03-02T16:00:00Z", "[service]")
    away = production.toml.rename(production.toml.with_suffix(".away"))
    try:
        declared = Path(shutil.copytree(watch, watch.with_name("declared")))
        record = Ledger(declared).records()[-1]
        (declared / "hour24.a1.json").unlink()
        Ledger(declared).write(small.changed(record, launch_at=T0 + timedelta(hours=10)))
        refused = signed(production, declared)
        known = "using 2026-03-02T16:00Z of the records"
        assert f"cannot be read; launch time: {known}" in refused.stdout
        assert early in missing(refused)
        done = signed(production, watch, "--launch-at", "2026-03-03T08:00Z")
    finally:
        away.rename(production.toml)
    assert done.returncode == 0, done.stdout
    assert '"launch_at":"2026-03-03T08:00:00Z"' in (watch / "signoff.json").read_text("utf-8")


def test_a_ledger_that_was_tampered_with_is_not_approved(
    production: Outside, watch: Path, tmp_path: Path
) -> None:
    """Edited, cut at the end, reordered: verify and the sign-off say what and where."""
    newest = Ledger(watch).head()
    edited = Path(shutil.copytree(watch, tmp_path / "edited"))
    edit(edited / "hour08.a1.json", '"bad":', '"bad": ')
    cut = Path(shutil.copytree(watch, tmp_path / "cut"))
    (cut / "hour24.a1.json").unlink()
    reordered = Path(shutil.copytree(watch, tmp_path / "reordered"))
    before = json.loads((reordered / "hour08.a1.json").read_text("utf-8"))["previous"]
    after = json.loads((reordered / "hour12.a1.json").read_text("utf-8"))["previous"]
    edit(reordered / "hour12.a1.json", after["sha256"], before["sha256"])
    edit(reordered / "hour12.a1.json", after["file"], before["file"])
    for folder, says in (
        (edited, "hour08.a1.json: expected the bytes that files.3.json names"),
        (
            cut,
            "hour24.a1.json: expected it, since its journal has it as written, got none: removed",
        ),
        (reordered, "expected one entry after it, got hour08.a1.json and hour12.a1.json: a fork"),
    ):
        assert says in "\n".join(absent(Ledger(folder), T0 + timedelta(hours=24.2)))
    found = production.hour24("verify", edited)
    assert found.returncode == 1
    assert "NOT  chain     hour08.a1.json: expected the bytes" in found.stdout
    assert any("hour08.a1.json" in line for line in missing(signed(production, edited)))
    assert not (edited / "signoff.json").exists()
    for left in (cut / "journal").glob("hour24*"):
        left.unlink()  # a careful liar; the published head still differs
    (cut / newest.file).unlink()
    assert "cut at the end" in wrong(cut, newest.sha256)


def test_a_missed_checkpoint_prevents_approval(
    production: Outside, until_16: Path, tmp_path: Path
) -> None:
    """The next one runs all the same; the sign-off names the hour, and what rests on it."""
    shutil.copytree(until_16, tmp_path / "w")
    production.at(20.5)
    production.probe(tmp_path / "w" / "probe", Ledger(tmp_path / "w").watch.checkpoint(20).window)
    _, done = production.checkpoint(tmp_path, 24)
    assert done.returncode == 10, done.stdout
    lines = missing(signed(production, tmp_path / "w"))
    assert lines[0].startswith("hour 20: ")
    assert "it was not run" in lines[0]
    assert all(line.startswith("SIGNOFF-") for line in lines[1:]), lines
    assert "hour 20" in (tmp_path / "w" / "signoff.html").read_text("utf-8")


def test_what_was_late_or_failed_is_waived_until_the_waiver_ends(
    production: Outside, until_16: Path, tmp_path: Path
) -> None:
    """Hour 20, 45 minutes late, with ERROR lines: approved at 24:12, not at 25:00."""
    watch = Path(shutil.copytree(until_16, tmp_path / "w"))
    production.set_faults("log_errors@17..19")
    record, done = production.checkpoint(tmp_path, 20, late=timedelta(minutes=45))
    assert done.returncode == 1
    assert "run 45 min late" in done.stdout
    late = {each.id for each in record.criteria if each.code == "late"}
    assert {"HEALTH-SCHEMA", "DB-ONLINE", "DB-POOL"} <= late
    bad = {each.id for each in record.criteria if str(each.outcome) != "PASS"}
    assert bad == {*late, "LOGS-ERRORS"}
    decision = record.decision or {}
    assert (decision["action"], decision["rule"][:18]) == ("HOLD", "A check failed and")

    ledger, until = Ledger(watch), (T0 + timedelta(hours=24.5)).isoformat()
    for name in late:
        waive(ledger, name, by=SAYS[1], because=SAYS[3], until=until, now=production.now, hour=20)
    waived = production.hour24(
        "waive", "LOGS-ERRORS", "--hour", 20, *SAYS, "--until", until, "--reports", tmp_path
    )
    assert waived.returncode == 0, waived.stdout
    record, done = production.checkpoint(tmp_path, 24)
    assert done.returncode == 0, done.stdout
    database = next(each for each in record.criteria if each.id == "SIGNOFF-DATABASE")
    assert "waived (by Mara Lind)" in database.reason
    assert production.hour24("report", watch).returncode == 0
    for page in ("index.html", "hour20.a1.html", "hour24.a1.html", "signoff.html"):
        text = (watch / page).read_text("utf-8")
        assert "Mara Lind" in text, page
        assert SAYS[3] in text or page.startswith("hour"), page

    later = Path(shutil.copytree(watch, tmp_path / "later"))
    lines = missing(signed(production, later, hour=25.0))
    assert {line.split(" ")[0] for line in lines} == bad
    page = (later / "signoff.html").read_text("utf-8")
    assert "LOGS-ERRORS" in page
    assert signed(production, watch).returncode == 0
    kept = json.loads((watch / "signoff.json").read_text("utf-8"))
    assert len(kept["waived"]) == len(bad)
    assert wrong(watch) == ""


def test_an_address_swapped_in_mid_watch_is_declared_or_not_approved(
    production: Outside, until_16: Path, tmp_path: Path
) -> None:
    """By a person who confirms the changed addresses; every page says both."""
    production.set_faults()
    watch = Path(shutil.copytree(until_16, tmp_path / "w"))
    early = production.hour24("declare", watch, "--moved", *SAYS)
    assert early.returncode == 4
    assert "nothing to declare: every record has the addresses of the beginning" in early.stdout
    before, after = 'control_url = "http://127.0.0.1:', 'control_url = "http://localhost:'
    production.amend(before, after)
    try:
        record, done = production.checkpoint(tmp_path, 20)
        production.checkpoint(tmp_path, 24)
    finally:
        production.amend(after, before)
    change = f"service.control_url: expected {production.production.service.control_url}, got "
    assert change in record.notes[0]
    assert "note: an address changed since the watch began" in done.stdout
    for page, says in (
        ("hour20.a1.html", "not confirmed yet"),
        ("index.html", "addresses changed since hour 0"),
    ):
        assert says in (watch / page).read_text("utf-8"), page
    assert f"hour20.a1.json: {change}" in wrong(watch)
    lines = missing(signed(production, watch))
    assert [line[:24] for line in lines] == [
        "watched: hour20.a1.json:", "watched: hour24.a1.json:",
    ]  # fmt: skip
    confirm = f"run python -m hour24 declare {watch} --moved --by NAME --because REASON"
    assert all(line.endswith(confirm) for line in lines)

    declared = production.hour24("declare", watch, "--moved", *SAYS)
    assert declared.returncode == 0, declared.stdout
    assert change in declared.stdout
    assert wrong(watch) == ""
    assert "as declared: hour20.a1.json by Mara Lind" in production.hour24("verify", watch).stdout
    assert signed(production, watch).returncode == 0
    kept = json.loads((watch / "signoff.json").read_text("utf-8"))
    assert all(f"declared by Mara Lind: {SAYS[3]}" in line for line in kept["moved"])
    assert kept["watched"]["service.control_url"].startswith("http://localhost:")
    page = (watch / "signoff.html").read_text("utf-8")
    assert "confirmed by Mara Lind" in page
    assert "Every address is on this machine." in page


# --- what is never approved -----------------------------------------------------------------------


def test_a_passed_rehearsal_misses_only_a_production(tmp_path: Path) -> None:
    """The only reason against a watch that would be approved otherwise."""
    rehearsal = {"seed": 1, "faults": []}
    records = [small.record(hour, rehearsal=rehearsal, target="rehearsal") for hour in CHECKPOINTS]
    ledger = small.watch_of(tmp_path, *records, rehearsal=rehearsal, target="rehearsal")
    assert absent(ledger, small.AFTER) == ("this is a rehearsal, which is never approved",)
    watched = next(one for one in verify(ledger.folder) if one.what == "watched")
    assert (watched.ok, "addresses: not recorded" in watched.says) == (True, True)


def test_simulated_probes_do_not_measure_a_production(tmp_path: Path) -> None:
    """Even if everything else passed."""
    simulated = small.judged(
        "SIGNOFF-HEALTH",
        24,
        small.probes(24, simulated=True),
        small.HealthProbed(),
        subject="24 hours",
    )
    ledger = small.whole(tmp_path, hour24=small.record(24, simulated))
    assert absent(ledger, small.AFTER) == ("the health probes are simulated (rehearsal)",)


def test_without_a_name_the_newest_watch_is_meant(tmp_path: Path) -> None:
    """The week after it is not signed off."""
    watch = small.watch_of(tmp_path)
    week = (0, 48, 72)
    later = small.T0 + timedelta(hours=26)
    small.watch_of(tmp_path, name="launch-daily", hours=week, t0=small.T0, opened=later)
    assert chosen("", tmp_path).watch.name == "launch-daily"
    assert chosen("", tmp_path, daily=False).folder == watch.folder
