"""The ledger on disk: real files, real processes."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from hour24.errors import LedgerError, LedgerLocked
from hour24.ledger import chain
from hour24.ledger.book import Ledger
from hour24.ledger.record import Link
from hour24.verdict import Outcome
from tests import small_watch as small
from tests.small_watch import AFTER, record, watch_of

ROOT = Path(__file__).parents[1]
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT)}


def waiver(**changes: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "at": AFTER,
        "by": "Mara Example",
        "because": "fixed since",
        "criterion": "DB-POOL",
        "hour": 8,
        "until": AFTER + timedelta(days=3),
    }
    return {**fields, **changes}


# --- writing ----------------------------------------------------------------------------------


def test_each_entry_names_the_one_before_and_its_bytes(tmp_path: Path) -> None:
    """From watch.json to the newest, whoever wrote it."""
    ledger = watch_of(tmp_path, record(0), record(4))
    ledger.append("waive", waiver())
    ledger.write(record(8))
    entries = Ledger(ledger.folder).entries()
    assert [e.file for e in entries] == [
        "watch.json",
        "hour00.a1.json",
        "hour04.a1.json",
        "waive.1.json",
        "hour08.a1.json",
    ]
    assert [e.kind for e in entries] == ["watch", "checkpoint", "checkpoint", "waive", "checkpoint"]
    for before, entry in pairwise(entries):
        data = (ledger.folder / before.file).read_bytes()
        assert entry.previous == (before.file, hashlib.sha256(data).hexdigest())
        assert before.sha256 == hashlib.sha256(data).hexdigest()
    assert ledger.head() == Link(file="hour08.a1.json", sha256=entries[-1].sha256)


def test_a_record_is_never_replaced(tmp_path: Path) -> None:
    """A second record of the same attempt is refused, and the first one stays as it was."""
    ledger = watch_of(tmp_path, record(0))
    before = (ledger.folder / "hour00.a1.json").read_bytes()
    with pytest.raises(LedgerError, match="expected no such file, got one: it is written once"):
        ledger.write(record(0, small.judged("DB-POOL", 0, small.counts(0, bad=300))))
    assert (ledger.folder / "hour00.a1.json").read_bytes() == before
    assert not list(ledger.folder.glob(".*.tmp"))


def test_attempts_are_numbered_and_a_killed_one_keeps_its_number(tmp_path: Path) -> None:
    """The next number is above every record's and every journal's of that hour."""
    ledger = watch_of(tmp_path, record(0))
    assert (ledger.next_attempt(0), ledger.next_attempt(8)) == (2, 1)
    (ledger.folder / "journal" / "hour00.a4.jsonl").write_text("")
    assert ledger.next_attempt(0) == 5
    ledger.write(record(0, attempt=11))
    assert ledger.next_attempt(0) == 12
    assert [one.attempt for one in ledger.records(0)] == [1, 11]
    latest = ledger.latest(0)
    assert latest is not None
    assert latest.attempt == 11


def test_an_early_record_is_not_the_latest(tmp_path: Path) -> None:
    """It is kept, and does not count."""
    early = record(8, attempt=2, early=True, started=small.WATCH.checkpoint(4).due)
    ledger = watch_of(tmp_path, record(8), early)
    assert len(ledger.records(8)) == 2
    latest = ledger.latest(8)
    assert latest is not None
    assert latest.attempt == 1
    assert ledger.latest(4) is None


def test_a_record_of_another_watch_is_refused(tmp_path: Path) -> None:
    """Its name is not this ledger's."""
    ledger = watch_of(tmp_path)
    with pytest.raises(LedgerError, match=r"hour08\.a1\.json: watch: expected launch, got other"):
        ledger.write(record(8, watch="other"))


@pytest.mark.parametrize(
    ("kind", "fields", "says"),
    [
        ("waive", waiver(by=" "), "waive.1.json: by: expected some words"),
        ("waive", waiver(until="2026-01-05"), "until: expected a time with its offset"),
        ("waive", waiver(mood="good"), "mood: expected no such member"),
        ("classify", {"at": AFTER}, "classify.1.json: by: expected to be there, got nothing"),
        ("deploy", {"at": AFTER, "by": "M", "because": "fix", "start": "now", "end": 1.0}, "start"),
        ("signoff", {"at": AFTER, "by": "M", "role": "CTO", "decision": "OK"}, "decision"),
        ("checkpoint", {}, "kind: expected an entry of a ledger"),
        ("../escape", {}, "kind: expected an entry of a ledger"),
    ],
)
def test_an_entry_that_is_not_of_its_form_is_refused(
    tmp_path: Path, kind: str, fields: dict[str, object], says: str
) -> None:
    """And nothing is left behind."""
    ledger = watch_of(tmp_path)
    with pytest.raises(LedgerError) as refusal:
        ledger.append(kind, fields)
    assert says in str(refusal.value)
    assert [e.file for e in ledger.entries()] == ["watch.json"]


def test_an_entry_can_insist_on_the_one_before(tmp_path: Path) -> None:
    """What was decided about one head is not written behind another."""
    ledger = watch_of(tmp_path, record(0))
    head = ledger.head()
    ledger.write(record(4))
    with pytest.raises(LedgerError, match=r"expected hour00\.a1\.json to be the newest entry"):
        ledger.append("waive", waiver(), after=head)
    assert ledger.append("waive", waiver(), after=ledger.head()).name == "waive.1.json"


def test_classes_are_what_people_said(tmp_path: Path) -> None:
    """Normal and critical ones, with their bound; the newest last."""
    ledger = watch_of(tmp_path)
    said = {"at": AFTER, "by": "Mara", "because": "seen before", "pattern": "ECONNRESET"}
    ledger.append("classify", {**said, "class": "normal", "name": "resets", "at_most_per_hour": 3})
    ledger.append("classify", {**said, "class": "critical", "name": "leak", "severity": "high"})
    normal, critical = Ledger(ledger.folder).classes()
    assert [(c.name, c.pattern, c.at_most_per_hour) for c in normal] == [
        ("resets", "ECONNRESET", 3)
    ]
    assert [(c.name, c.severity) for c in critical] == [("leak", "high")]


# --- finding ----------------------------------------------------------------------------------


def test_the_newest_open_watch_of_the_target_is_found(tmp_path: Path) -> None:
    """Signed-off ones and those of another target are not meant; a name is taken at its word."""
    rehearsal = {"seed": 7, "faults": ["memory_leak@6"]}
    watch_of(tmp_path, name="b-old")
    watch_of(tmp_path, name="a-new", opened=small.T0 + timedelta(days=1))
    watch_of(tmp_path, name="r", target="rehearsal", rehearsal=rehearsal)
    done = watch_of(tmp_path, name="z-done", opened=small.T0 + timedelta(days=2))
    done.append("signoff", {"at": AFTER + timedelta(days=1), "by": "Mara", "role": "CTO"})
    (tmp_path / "not-a-watch").mkdir()

    def found(name: str = "", target: str = "") -> str | None:
        ledger = Ledger.find(tmp_path, name, target)
        return ledger.genesis.name if ledger is not None else None

    assert found(target="production.toml") == "a-new"
    assert found() == "a-new"
    assert found(target="rehearsal") == "r"
    assert found("z-done", "production.toml") == "z-done"
    assert found("r", "production.toml") is None
    assert found("unknown") is None
    assert Ledger.find(tmp_path / "nothing") is None
    opened = Ledger.find(tmp_path, "r")
    assert opened is not None
    assert opened.genesis.rehearsal == rehearsal
    assert opened.watch.t0 == small.T0


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    """A second watch of the same name is refused."""
    watch_of(tmp_path)
    with pytest.raises(LedgerError, match="it is written once"):
        watch_of(tmp_path)


@pytest.mark.parametrize("name", ["", "../x", "Launch", "a b", "-x"])
def test_a_name_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    """Before anything is made."""
    with pytest.raises(LedgerError, match="watch: name: expected"):
        watch_of(tmp_path / "reports", name=name)
    assert not (tmp_path / "reports").exists()


def test_a_watch_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    """It may be the one that is meant."""
    watch_of(tmp_path, name="old")
    broken = watch_of(tmp_path, name="new")
    (broken.folder / "watch.json").write_text("{")
    with pytest.raises(LedgerError, match=r"new: watch\.json: expected a JSON object"):
        Ledger.find(tmp_path)
    with pytest.raises(LedgerError, match=r"expected a watch, got no watch\.json"):
        _ = Ledger(tmp_path / "none").genesis


# --- what cannot be read ----------------------------------------------------------------------


def test_an_unreadable_entry_stops_no_run_and_passes_nothing(tmp_path: Path) -> None:
    """The next record is written and sealed behind it; what it held is INCONCLUSIVE."""
    ledger = watch_of(tmp_path, record(0), record(4))
    (ledger.folder / "hour04.a1.json").write_text('{"cut": ')
    ledger.write(record(8))
    entries = Ledger(ledger.folder).entries()
    assert [e.file for e in entries][-1] == "hour08.a1.json"
    broken = next(e for e in entries if e.file == "hour04.a1.json")
    assert broken.problem.startswith("hour04.a1.json: expected a JSON object")
    assert entries[-1].previous == ("hour04.a1.json", broken.sha256)
    now = small.WATCH.checkpoint(8).due
    assert ledger.outcome(0, now) == Outcome.PASS
    assert ledger.outcome(4, now) == Outcome.INCONCLUSIVE
    codes = {s.code for s in ledger.standings(now) if s.hour == 4}
    assert codes == {"unreadable"}


def test_a_file_under_another_name_is_not_what_the_name_says(tmp_path: Path) -> None:
    """A copy of one hour's record does not stand in for another hour's."""
    ledger = watch_of(tmp_path, record(0))
    shutil.copy(ledger.folder / "hour00.a1.json", ledger.folder / "hour04.a1.json")
    assert [one.hour for one in ledger.records()] == [0]
    problem = next(e.problem for e in ledger.entries() if e.file == "hour04.a1.json")
    assert problem == "hour04.a1.json: expected the attempt that its name says, got hour00.a1.json"


def test_a_change_on_disk_is_seen(tmp_path: Path) -> None:
    """What was read once is read again when its file is another."""
    ledger = watch_of(tmp_path, record(0))
    other = Ledger(ledger.folder)
    assert len(ledger.entries()) == 2
    other.write(record(4))
    assert len(ledger.entries()) == 3
    assert len(Ledger(ledger.folder, before="hour04.a1.json").entries()) == 2
    assert len(Ledger(ledger.folder, before="hour04.a1.json").records()) == 1


def test_forks_and_loose_ends_lose_nothing() -> None:
    """Every entry is in the order, each after the one it names; a loop ends."""

    def entry(file: str, before: str) -> chain.Entry:
        content = {"previous": {"file": before, "sha256": ""}} if before else {}
        return chain.Entry(file=file, kind="", sha256="", content=content)

    links = [
        ("watch.json", ""),
        ("hour00.a1.json", "watch.json"),
        ("hour00.a10.json", "hour00.a1.json"),
        ("hour00.a2.json", "hour00.a1.json"),
        ("waive.1.json", "gone.json"),
        ("deploy.1.json", "deploy.2.json"),
        ("deploy.2.json", "deploy.1.json"),
    ]
    found = [e.file for e in chain.ordered({file: entry(file, before) for file, before in links})]
    assert found == [
        "watch.json",
        "hour00.a1.json",
        "hour00.a2.json",
        "hour00.a10.json",
        "waive.1.json",
        "deploy.1.json",
        "deploy.2.json",
    ]


# --- processes --------------------------------------------------------------------------------


def test_twenty_processes_append_one_line(tmp_path: Path) -> None:
    """However they meet: every record is there, in one chain without a fork."""
    ledger = watch_of(tmp_path)
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom hour24.ledger.book import Ledger\n"
        "from tests.small_watch import record\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "made = {n: record(8, attempt=n) for n in range(1, 21)}\n"
        "ledger.watch, ledger.entries()\n"
        "children = []\n"
        "for n, each in made.items():\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        ledger.write(each)\n"
        "        os._exit(0)\n"
        "    children.append(child)\n"
        "sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(ledger.folder)], env=ENVIRON, check=False
    )
    assert done.returncode == 0
    entries = ledger.entries()
    assert len(entries) == 21
    assert list(chain.breaks(entries)) == []
    assert sorted(one.attempt for one in ledger.records(8)) == list(range(1, 21))


def test_a_kill_while_writing_leaves_no_half_record(tmp_path: Path) -> None:
    """Whatever is there after SIGKILL can be read and is chained, and the next one is written."""
    ledger = watch_of(tmp_path)
    program = (
        "import sys\nfrom pathlib import Path\nfrom hour24.ledger.book import Ledger\n"
        "from tests.small_watch import record\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "made = record(8, notes=('x' * 2_000_000,))\n"
        "print('ready', flush=True)\n"
        "import msgspec\n"
        "for n in range(ledger.next_attempt(8), 1000):\n"
        "    ledger.write(msgspec.structs.replace(made, attempt=n))\n"
    )
    for number in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(ledger.folder)],
            stdout=subprocess.PIPE,
            env=ENVIRON,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.06 + 0.017 * number)
            process.send_signal(signal.SIGKILL)
    entries = ledger.entries()
    assert [e.problem for e in entries if e.problem] == []
    assert list(chain.breaks(entries)) == []
    kept = ledger.next_attempt(8)
    ledger.write(record(8, attempt=kept))
    assert len(ledger.entries()) == len(entries) + 1
    assert not list(ledger.folder.glob(".*.json.*.tmp"))


HOLDING = """
import sys, time
from pathlib import Path
from hour24.ledger.book import Ledger
with Ledger(Path(sys.argv[1])).locked(8):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_process_records_a_checkpoint_and_death_frees_it(tmp_path: Path) -> None:
    """The second learns who holds it and since when; another hour is free; SIGKILL frees."""
    ledger = watch_of(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(ledger.folder)], stdout=subprocess.PIPE, env=ENVIRON
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(LedgerLocked) as refusal, ledger.locked(8):
            pass
        says = str(refusal.value)
        assert (
            f"hour 8: expected no other process to record it, got process {process.pid} on" in says
        )
        assert os.uname().nodename in says
        assert ", since 20" in says
        with ledger.locked(12):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with ledger.locked(8):
            held = json.loads((ledger.folder / "hour08.lock").read_text())
            assert held["pid"] == os.getpid()
        with ledger.locked(8):
            pass


# --- no room, no right ------------------------------------------------------------------------


def test_a_full_disk_is_reported_before_and_while_writing(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk; nothing half is left."""
    ledger = watch_of(tmp_path, record(0))
    ledger.writable()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, before[1]))
    try:
        with pytest.raises(LedgerError, match="expected to write 8 MiB in it, got File too large"):
            ledger.writable()
        with pytest.raises(LedgerError, match=r"hour04\.a1\.json: expected to write it, got File"):
            ledger.write(record(4))
        with pytest.raises(LedgerError, match="expected to write 8 MiB in it"):
            watch_of(tmp_path, name="other")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in ledger.folder.glob(".*.tmp")] == []
    assert [e.file for e in ledger.entries()] == ["watch.json", "hour00.a1.json"]
    assert not (tmp_path / "other" / "watch.json").exists()
    ledger.write(record(4))


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    """Root may write in a folder without rights, but no one in /proc or below a file."""
    with pytest.raises(LedgerError, match=r"/proc/launch: expected to make it, got"):
        watch_of(Path("/proc"))
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=r"file/launch: expected to make it, got Not a directory"):
        watch_of(tmp_path / "file")
    ledger = watch_of(tmp_path)
    shutil.rmtree(ledger.folder)
    with pytest.raises(LedgerError, match="expected to write 8 MiB in it, got No such file"):
        ledger.writable()
    with pytest.raises(LedgerError, match=r"hour08\.lock: expected to open it"), ledger.locked(8):
        pass
