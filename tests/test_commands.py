"""``python -m hour24``: every command on a rehearsed watch."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from hour24 import __version__ as hour24_version
from hour24.codes import CODES
from hour24.commands.ci import annotation, summary
from hour24.commands.line import COMMANDS, GROUPS
from hour24.commands.watching import _first_of
from hour24.criteria import EIGHT
from hour24.ledger.book import Ledger
from hour24.ledger.waivers import waivable
from hour24.playbook import ENTRIES
from tests import small_watch as small
from tests.pages.sample import Sample, failing
from tests.pages.watch import recorded
from tests.played import ROOT, hour24, ran, rehearsed

HOURS = (0, 4)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rehearsal of two checkpoints."""
    folder = tmp_path_factory.mktemp("reports")
    finished = rehearsed(folder, HOURS)
    assert finished.returncode == 0, finished.stdout
    return folder


def test_help_lists_every_command_and_the_exit_codes() -> None:
    """The help of the whole command line is complete."""
    output = hour24("--help").stdout
    assert tuple(re.findall(r"^  ([a-z]+)  ", output, re.MULTILINE)) == tuple(COMMANDS)
    assert re.findall(r"^([A-Z][a-z ]+):$", output, re.MULTILINE) == ["Options", *GROUPS]
    assert "13 another process" in output


def test_a_command_line_without_a_command_shows_the_help() -> None:
    """It exits 4: a script that lost its command must not pass."""
    alone = hour24()
    assert alone.returncode == 4
    assert alone.stdout == hour24("--help").stdout


def test_help_loads_no_command() -> None:
    """Help and typing errors are answered without importing the statistics."""
    code = (
        "import sys, hour24.__main__ as line; line.main(['--help']); line.main(['doctr']); "
        "print(*(name for name in sys.modules if name.startswith('hour24.')))"
    )
    loaded = ran(sys.executable, "-c", code).stdout.splitlines()[-1].split()
    assert "hour24.commands.line" in loaded
    assert not {"hour24.commands.deciding", "hour24.ledger.book", "hour24.config"} & set(loaded)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_says_what_it_is(command: str) -> None:
    """Each option and argument has a description."""
    lines = hour24(command, "--help", COLUMNS="100").stdout.splitlines()
    assert "Example:" in lines
    assert re.match(rf"  python -m hour24 {command}\b", lines[-1])
    # below the description, which may have a word in capitals at the start of a line
    rest = lines[next(n for n, line in enumerate(lines) if line.endswith(":")) :]
    for line, after in pairwise([*rest, ""]):
        if re.match(r"  (-|\[?[A-Z]+\b)", line):
            described = re.match(r"  \S.*?\s{2,}\S", line) or after.startswith(" " * 10)
            assert described, line


def test_version_is_printed() -> None:
    """For bug reports."""
    assert hour24("--version").stdout == f"hour24 {hour24_version}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify",),
        ("report",),
        ("signoff",),
        ("finalise",),
        ("rollback",),
        ("waive", "DB-POOL"),
        ("classify", "X"),
        ("declare",),
    ],
)
def test_the_chosen_watch_is_printed_first(
    reports: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """So that no finding is waived in the wrong watch."""
    shutil.copytree(reports, tmp_path / "reports")
    output = hour24(*arguments, "--reports", tmp_path / "reports").stdout.splitlines()[0]
    where = tmp_path / "reports" / "w"
    assert output == f"using the newest watch: w (REHEARSAL) in {where}"


def test_a_mistyped_watch_is_refused_with_the_known_ones(reports: Path) -> None:
    """And with the most similar name."""
    refused = hour24("verify", "ww", "--reports", reports)
    assert refused.returncode == 4
    assert "got 'ww' (there is w); did you mean w?" in refused.stdout


def test_a_closed_pipe_does_not_stop_a_command(reports: Path, tmp_path: Path) -> None:
    """``hour24 declare ... | head -1`` writes its entry and keeps its exit code."""
    shutil.copytree(reports / "w", tmp_path / "w")
    command = shlex.join(
        [
            *(sys.executable, "-m", "hour24", "declare", str(tmp_path / "w")),
            *("--start=2026-03-02T09:00Z", "--end=2026-03-02T09:10Z", "--by=Mara", "--because=x"),
        ]
    )
    done = ran("bash", "-c", f"{command} | head -1; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == 0, done.stdout
    assert done.stdout == f"watch w (REHEARSAL) in {tmp_path / 'w'}\n"
    assert (tmp_path / "w" / "deploy.1.json").is_file()


def test_a_rehearsal_prints_that_it_is_one_and_its_pages(reports: Path) -> None:
    """Each checkpoint in a line; the ledger is verified at the end."""
    again = rehearsed(reports, (0,), watch="another")
    assert again.returncode == 0
    assert "REHEARSAL another: seed 1, no faults" in again.stdout
    assert "hour  0  PASS" in again.stdout
    assert "verify: verdicts:" in again.stdout
    assert str(reports / "another" / "index.html") in again.stdout


def test_verify_accepts_a_ledger_and_names_what_was_edited(reports: Path, tmp_path: Path) -> None:
    """A record that was edited is found, and the exit code says so."""
    assert hour24("verify", reports / "w").returncode == 0
    shutil.copytree(reports / "w", tmp_path / "w")
    record = tmp_path / "w" / "hour00.a1.json"
    record.chmod(0o600)
    record.write_text(record.read_text("utf-8").replace('"PASS"', '"FAIL"', 1), "utf-8")
    forged = hour24("verify", tmp_path / "w")
    assert forged.returncode == 1
    assert "NOT  chain" in forged.stdout
    assert "Ledger NOT verified" in forged.stdout


def test_report_writes_the_pages_again(reports: Path, tmp_path: Path) -> None:
    """From the records alone."""
    shutil.copytree(reports / "w", tmp_path / "w")
    page = tmp_path / "w" / "hour04.a1.html"
    page.unlink()
    assert hour24("report", tmp_path / "w").returncode == 0
    assert page.stat().st_size > 10_000
    assert (tmp_path / "w" / "signoff.html").exists()


def test_a_rehearsal_is_never_signed_off(reports: Path, tmp_path: Path) -> None:
    """And everything else that is missing is named too."""
    shutil.copytree(reports / "w", tmp_path / "w")
    refused = hour24("signoff", tmp_path / "w", "--by", "Mara", "--role", "tech lead")
    assert refused.returncode == 1
    assert "NOT APPROVED" in refused.stdout
    assert "rehearsal" in refused.stdout
    assert not (tmp_path / "w" / "signoff.json").exists()
    assert "NOT APPROVED" in (tmp_path / "w" / "signoff.html").read_text("utf-8").upper()


def test_a_waiver_is_refused_with_every_reason(reports: Path) -> None:
    """No name, without a reason, without an end, for what is not there."""
    refused = hour24("waive", "NOT-THERE", reports / "w")
    assert refused.returncode == 4
    for word in ("--by", "--because", "--until", "NOT-THERE"):
        assert word in refused.stdout


def test_a_class_is_written_and_shown(reports: Path, tmp_path: Path) -> None:
    """Into the ledger, and onto the page of the watch."""
    shutil.copytree(reports / "w", tmp_path / "w")
    done = hour24(
        "classify", tmp_path / "w", "--pattern", "payment declined", "--as", "normal",
        "--by", "Mara Example", "--because", "the bank's",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "classify.1.json" in done.stdout
    assert "payment declined" in (tmp_path / "w" / "index.html").read_text("utf-8")
    assert hour24("verify", tmp_path / "w").returncode == 0


def test_what_a_person_writes_is_kept_without_a_secret(reports: Path, tmp_path: Path) -> None:
    """A ledger is never changed, so a password must not get into it."""
    shutil.copytree(reports / "w", tmp_path / "w")
    because = "psql postgresql://app:s3cretPassw0rd99@db.example/x failed"
    done = hour24(
        "declare", tmp_path / "w", "--start", "2026-03-02T09:00Z", "--end", "2026-03-02T09:10Z",
        "--by", "Mara Example", "--because", because,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "s3cretPassw0rd99" not in (tmp_path / "w" / "deploy.1.json").read_text("utf-8")


def test_a_deploy_is_declared(reports: Path, tmp_path: Path) -> None:
    """From when to when, by whom, because of what."""
    shutil.copytree(reports / "w", tmp_path / "w")
    done = hour24(
        "declare", tmp_path / "w", "--start", "2026-03-02T09:00Z", "--end", "2026-03-02T09:10Z",
        "--by", "Mara Example", "--because", "a fix",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    entry = json.loads((tmp_path / "w" / "deploy.1.json").read_text("utf-8"))
    assert entry["end"] - entry["start"] == 600


def test_due_tells_the_hour_to_scripts(tmp_path: Path) -> None:
    """Of a watch with a recorded hour 0, and of none."""
    assert hour24("due", "--hour-only", "--reports", tmp_path).stdout == ""
    small.watch_of(tmp_path, small.record(0))
    watch = small.WATCH
    now = watch.checkpoint(4).due.isoformat()
    output = hour24("due", "--hour-only", "--reports", tmp_path, "--now", now)
    assert output.stdout == "4\n"
    early = watch.checkpoint(0).due.isoformat()
    assert hour24("due", "--hour-only", "--reports", tmp_path, "--now", early).stdout == ""
    assert "next: hour 4" in hour24("due", "--reports", tmp_path, "--now", early).stdout


@pytest.mark.parametrize(
    ("after_h", "asked", "hour"), [(8.1, False, 8), (8.1, True, 4), (11.0, False, 4)]
)
def test_the_oldest_is_due_first_unless_the_newest_can_still_ask(
    tmp_path: Path, after_h: float, asked: bool, hour: int
) -> None:
    """Later checkpoints compare with earlier ones; what exists only now comes before that."""
    ledger = small.watch_of(tmp_path, small.record(0))
    if asked:
        path = ledger.folder / "probe" / "due" / "hour08.host-1.jsonl"
        path.parent.mkdir(parents=True)
        path.touch()
    assert _first_of(ledger, [4, 8], small.T0 + timedelta(hours=after_h)) == hour


def test_due_of_a_watch_that_is_over_leads_to_the_sign_off(tmp_path: Path) -> None:
    """Every checkpoint recorded: nothing comes next but that, whatever the clock says."""
    watch = small.watch_of(tmp_path, *(small.record(hour) for hour in small.WATCH.hours))
    for hour in (0, 24):
        now = small.WATCH.checkpoint(hour).due.isoformat()
        output = hour24("due", "--reports", tmp_path, "--now", now)
        assert output.returncode == 0, output.stdout
        assert output.stdout == (
            f"launch: nothing is due; next: python -m hour24 signoff {watch.folder}\n"
        )


def test_a_rehearsal_that_is_refused_is_refused_once(reports: Path) -> None:
    """Not seven times over, once a checkpoint: exit 4."""
    refused = hour24("rehearse", "--watch", "A B", "--reports", reports)
    assert refused.returncode == 4
    assert refused.stdout.count("--watch: expected a name such as launch-1") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("rehearse", "--fault", "memory_leek"), "did you mean memory_leak"),
        (("rehearse", "--hours", "3"), "--hours: expected some of"),
        (("rehearse", "--hours", "3"), "0,4,8,12,16,20,24, ascending, got '3'"),
        (("verify", "nowhere"), "expected a folder with watch.json, or a name in reports"),
        (("due", "--watch", "nowhere"), "--watch: expected a watch of any target in reports"),
        (("due", "--watch", "nowhere", "--hour-only"), "got 'nowhere'"),
        (("prove", "ERORS-RATE"), "got 'ERORS-RATE'; did you mean ERRORS-RATE?"),
        (("doctr",), "got 'doctr'; did you mean doctor?"),
        (("rollback", "--way", "plattform"), "--way: expected one of platform, git, got"),
        (("waive", "DB-POOL", "--hour", "four"), "--hour: expected a whole number, got 'four'"),
        (("waive",), "expected CRITERION, got nothing"),
        (("verify", "--becuase", "x"), "expected no other arguments, got --becuase"),
        (("waive", "X", "--becuase", "x"), "got --becuase; did you mean --because?"),
        (("verify", "a", "b", "c"), "expected no other arguments, got b c"),
        (("--bogus",), "expected no other arguments, got --bogus"),
        (("due", "--now", "x"), "--now: expected a time such as 2026-12-01T06:00Z, got 'x'"),
        (("verify", "--head"), "--head: expected a value, got nothing"),
        (("doctor", "--target", "nowhere.toml"), "nowhere.toml"),
        (("prove", "NO-SUCH"), "criterion: expected a known id, got 'NO-SUCH'"),
        (("waive", "DB-POOL", "nowhere"), "expected a folder"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_line(arguments: tuple[str, ...], says: str) -> None:
    """Exit 4, with the remedy."""
    refused = hour24(*arguments)
    assert refused.returncode == 4
    assert says in refused.stdout
    assert "Traceback" not in refused.stdout


def test_the_runbook_is_the_one_that_the_criteria_write() -> None:
    """docs/RUNBOOK.md is generated; whoever changes a criterion runs ``make runbook``."""
    assert hour24("runbook").stdout == (ROOT / "docs" / "RUNBOOK.md").read_text("utf-8")
    written = (ROOT / "docs" / "CRITERIA.md").read_text("utf-8")
    assert hour24("runbook", "--criteria").stdout == written


def test_one_command_waives_all_that_is_open(tmp_path: Path) -> None:
    """One entry a check, never one of the eight; where nothing is open it is refused."""
    ledger = recorded(tmp_path, [Sample(12).record(), failing(16)])
    now = ledger.records()[-1].ended
    names = waivable(ledger, now, 16)
    assert {"LATENCY-TARGET", "LOGS-WATCHED"} <= set(names)
    assert not set(names) & set(EIGHT)
    words = ("--by", "Mara Example", "--because", "one outage, fixed", "--until", "2099-12-05")
    done = hour24("waive", "--all", ledger.folder, "--hour", 16, *words)
    assert done.returncode == 0, done.stdout
    assert [one.criterion for one in Ledger(ledger.folder).waivers()] == names
    again = hour24("waive", "--all", ledger.folder, "--hour", 16, *words)
    assert again.returncode == 4
    assert "expected a check that is open at hour 16, got none" in again.stdout


def test_each_code_of_a_fail_has_one_entry_in_the_runbook() -> None:
    """Customers, first three commands, usual causes, rollback, whom to call; escalation first."""
    wanted = sorted(name for name, code in CODES.items() if code.of in ("FAIL", "either"))
    assert sorted(name for entry in ENTRIES for name in entry.codes) == wanted
    text = (ROOT / "docs" / "RUNBOOK.md").read_text("utf-8")
    heads = re.findall(r"^## (.*)", text, re.MULTILINE)
    assert heads[0] == "Escalation"
    for name in wanted:
        assert f'<a id="{name}"></a>' in text


@pytest.mark.parametrize(
    "shown", sorted({each for entry in ENTRIES for each in entry.commands if "hour24" in each})
)
def test_each_command_of_the_runbook_is_understood_as_printed(shown: str, tmp_path: Path) -> None:
    """With its placeholders it fails for want of a watch, never because of its options."""
    words = shlex.split(shown)[3:]
    command = (sys.executable, "-m", "hour24", *words)
    ended = ran(*command, folder=tmp_path, PYTHONPATH=str(ROOT))
    assert "no such option" not in ended.stdout.lower(), ended.stdout
    assert "expected no other arguments" not in ended.stdout, ended.stdout
    assert "expected COMMAND" not in ended.stdout
    assert "unexpected" not in ended.stdout.lower(), ended.stdout
    assert "Traceback" not in ended.stdout


def test_a_ci_service_needs_none_of_its_own_syntax(tmp_path: Path) -> None:
    """A title from outside can neither end an annotation nor begin a command or a table cell."""
    hostile = "a|b\n::set-output name=x::y `code` <img src=x> @everyone http://evil.example"
    judged = small.judged("DB-POOL", 8)
    judged = msgspec.structs.replace(judged, reason=hostile)
    record = small.record(8, judged)
    line = annotation("error", record, judged)
    assert line.count("\n") == 0
    assert line.startswith("::error title=hour8 DB-POOL")
    table = summary(record, Ledger(small.watch_of(tmp_path, record).folder))
    row = next(line for line in table.splitlines() if "DB-POOL" in line)
    assert "<img" not in row
    assert "@everyone" not in row
    assert row.replace("\\|", "").count("|") == 6
