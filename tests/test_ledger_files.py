"""Digests of what people look at: what was changed by others is found, and what is not is named."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hour24.commands import deciding
from hour24.ledger import canonical, files, signature
from hour24.ledger.book import Ledger
from hour24.ledger.verify import Finding, verify
from hour24.quarantine import quarantine
from hour24.rehearsal.run import RunPlan, run_checkpoints
from hour24.report import checkpoint, index, junit
from tests import small_watch as small
from tests.played import T0, hour24
from tests.small_watch import AFTER

PLAYED = (
    "watch.json",
    "hour00.a1.json",
    "hour00.a1.html",
    "hour00.a1.pytest.html",
    "hour00.a1.xml",
    "hour04.a1.json",
    "hour04.a1.html",
    "hour04.a1.pytest.html",
    "hour04.a1.xml",
    "classify.1.json",
    "files.1.json",
    "files.2.json",
    "files.3.json",
    "files.4.json",
    "files.5.json",
    "index.html",
    "signoff.html",
    "journal/hour00.a1.jsonl",
    "journal/hour04.a1.jsonl",
    "probe/rehearsal-20260302T0500-0600.jsonl",
    "probe/rehearsal-20260302T0600-1000.jsonl",
)
"""Every file of the watch below that states something."""
ONLY_A_HEAD = {"files.5.json: at"}
"""The edits of a file that only a head stored elsewhere can tell: the time of the newest entry."""
SAID = {f"{name}: appended" for name in PLAYED if name.startswith("probe/")}
"""A prober may go on: what it appended is said to be not covered."""
FLIPS = 8
Edit = Callable[[bytes], bytes]


def wrong(folder: Path, **options: Any) -> list[str]:
    return [f"{one.what}: {one.says}" for one in verify(folder, **options) if not one.ok]


def about_files(folder: Path) -> list[Finding]:
    return [one for one in verify(folder) if one.what == "files"]


# --- a watch of a test --------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Hours 0 and 4 with pages, entered."""
    ledger = small.watch_of(tmp_path, small.record(0), small.record(4))
    made = paged(ledger)
    probe = ledger.folder / "probe" / "fra-1-7.jsonl"
    probe.parent.mkdir()
    probe.write_text('{"minute":1}\n', "utf-8")
    assert files.enter(ledger, [*made, probe], AFTER, "checkpoint")
    assert wrong(ledger.folder) == []
    return ledger


def paged(ledger: Ledger) -> list[Path]:
    made = [ledger.folder / "index.html"]
    for record in ledger.records():
        stem = ledger.folder / f"hour{record.hour:02d}.a1"
        made += [stem.with_suffix(".a1.html"), stem.with_suffix(".a1.xml")]
        checkpoint.write(record, ledger, made[-2])
        junit.write(record, made[-1])
    index.write(ledger, made[0])
    return made


def test_a_page_that_others_changed_is_found(ledger: Ledger) -> None:
    """And ``report`` makes it again and enters it."""
    page = ledger.folder / "hour04.a1.html"
    page.write_text(page.read_text("utf-8").replace("PASS", "FAIL"), "utf-8")
    assert [each.split(" names")[0] for each in wrong(ledger.folder)] == [
        "files: hour04.a1.html: expected the bytes that files.1.json"
    ]
    done = hour24("report", ledger.folder)
    assert done.returncode == 0, done.stdout
    assert wrong(ledger.folder) == []


def test_a_page_that_report_makes_otherwise_is_entered(ledger: Ledger) -> None:
    """The newest entry about a file counts; a second report has nothing to enter."""
    (ledger.folder / "hour00.a1.html").write_text("<p>of another version", "utf-8")
    files.enter(ledger, [ledger.folder / "hour00.a1.html"], AFTER, "report")
    for _ in range(2):
        assert hour24("report", ledger.folder).returncode == 0
    entries = [entry for entry in ledger.entries() if entry.kind == "files"]
    assert "hour00.a1.html" in entries[2].content["files"]
    assert entries[2].content["because"] == "report"
    assert wrong(ledger.folder) == []


def test_what_others_changed_is_not_entered_by_a_later_run(ledger: Ledger) -> None:
    """Only what a process wrote is entered by it; a prober's file only if it begins the same."""
    probe = ledger.folder / "probe" / "fra-1-7.jsonl"
    probe.write_text('{"minute":2}\n{"minute":3}\n', "utf-8")
    assert files.enter(ledger, [probe], AFTER, "checkpoint") is None
    assert any("probe/fra-1-7.jsonl: expected the bytes" in each for each in wrong(ledger.folder))


def test_lines_that_a_prober_appends_are_no_difference(ledger: Ledger) -> None:
    """They are said to be not covered, and the next run enters them."""
    probe = ledger.folder / "probe" / "fra-1-7.jsonl"
    with probe.open("a", encoding="utf-8") as file:
        file.write('{"minute":2}\n')
    [found] = about_files(ledger.folder)
    assert found.ok
    assert "not covered: what was appended since to probe/fra-1-7.jsonl" in found.says
    assert files.enter(ledger, [probe], AFTER, "checkpoint")
    assert "not covered" not in about_files(ledger.folder)[0].says
    probe.write_text('{"minute":1}\n', "utf-8")
    assert len(wrong(ledger.folder)) == 1


def test_a_page_that_no_entry_names_is_found(ledger: Ledger) -> None:
    """Of an attempt that never was, of the sign-off, or of a run that was killed before it."""
    (ledger.folder / "hour08.a1.html").write_text("<p>PASS", "utf-8")
    (ledger.folder / "signoff.html").write_text("<p>APPROVED", "utf-8")
    ledger.write(small.record(12))
    says = wrong(ledger.folder)
    assert [each.split(":")[1].strip() for each in says] == [
        "hour12.a1.html",
        "hour12.a1.xml",
        "hour08.a1.html",
        "signoff.html",
    ]
    assert "the run was killed before it" in says[0]
    assert "others wrote it" in says[2]


def test_other_files_are_said_to_be_not_covered(ledger: Ledger) -> None:
    """A lock and what begins with a dot state nothing."""
    for name in ("notes.txt", ".searched", "hour00.lock"):
        (ledger.folder / name).write_text("x", "utf-8")
    [found] = about_files(ledger.folder)
    assert found.ok
    assert found.says.endswith("not covered: notes.txt")


def test_a_file_that_was_put_away_is_said(ledger: Ledger) -> None:
    quarantine(ledger.folder / "hour00.a1.xml")
    [says] = wrong(ledger.folder)
    assert "hour00.a1.xml: expected the file that files.1.json names, got it put away" in says


def test_a_watch_of_an_older_version_is_said_to_be_not_covered(tmp_path: Path) -> None:
    """And pages of the time before its first entry are not missed when it is gone on with."""
    ledger = small.watch_of(tmp_path, small.record(0))
    paged(ledger)
    [found] = about_files(ledger.folder)
    assert found.ok
    assert "are not covered" in found.says
    (ledger.folder / "new.txt").write_text("x", "utf-8")
    files.enter(ledger, [ledger.folder / "new.txt", ledger.folder / "index.html"], AFTER, "entry")
    [found] = about_files(ledger.folder)
    assert found.ok
    assert "not covered: hour00.a1.html, hour00.a1.xml" in found.says


def test_pages_do_not_list_entries_about_files(ledger: Ledger) -> None:
    """Such an entry may name the very page: made again, it is the same."""
    page = ledger.folder / "index.html"
    before = page.read_bytes()
    assert b"files.1.json" not in before
    index.write(ledger, page)
    assert page.read_bytes() == before


def test_the_signature_of_an_approval_is_entered(tmp_path: Path) -> None:
    """Sign-off, its page and its signature; without its key the signature fits, and is found."""
    ledger = small.whole(tmp_path)
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    options = ["--by", "Mara Example", "--role", "lead", "--key", str(key)]
    options += ["--launch-at", "2026-01-01T00:00Z"]
    done = CliRunner().invoke(deciding.signoff, [str(ledger.folder), *options])
    assert done.exit_code == 0, done.output
    assert wrong(ledger.folder) == []
    named = files.entered(ledger.entries())
    assert {"signoff.json.sig", "signoff.html"} <= named.keys()
    sealed = ledger.folder / "signoff.json.sig"
    sealed.write_bytes(signature.sign((ledger.folder / "signoff.json").read_bytes(), key) + b"\n")
    assert [each.split(":")[1].strip() for each in wrong(ledger.folder)] == ["signoff.json.sig"]


# --- the edits ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A finished rehearsal of hours 0 and 4 with a class and its sign-off page; its hour 0."""
    reports = tmp_path_factory.mktemp("edits")
    folder, first = reports / "w", reports / "first"
    for played in run_checkpoints(RunPlan(t0=T0, hours=(0, 4), reports=reports, watch="w")):
        assert played.exit_code == 0, played.output
        if played.hour == 0:
            shutil.copytree(folder, first)
    done = hour24(
        "classify", folder, "--pattern", "declined", "--as", "normal", "--by", "Mara Example",
        "--because", "the bank",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert hour24("report", folder).returncode == 0
    return folder, first


@pytest.fixture
def folder(states: tuple[Path, Path]) -> Iterator[Path]:
    """The watch, whole again afterwards."""
    yield states[0]
    assert wrong(states[0]) == []


def test_every_file_of_a_watch_is_edited_here(states: tuple[Path, Path]) -> None:
    """None is left out but those that state nothing, and the watch is intact before an edit."""
    stored = {
        path.relative_to(states[0]).as_posix()
        for path in states[0].rglob("*")
        if path.is_file() and not files.UNSTATED.fullmatch(path.name)
    }
    assert stored == set(PLAYED)
    assert [one.says for one in verify(states[0]) if not one.ok] == []
    [found] = about_files(states[0])
    assert "not covered" not in found.says


def edits(name: str, data: bytes, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield edits of a file, each with its name."""
    yield "emptied", b""
    yield "cut in half", data[: len(data) // 2]
    yield "cut by a byte", data[:-1]
    yield "a byte before it", b" " + data
    if name.startswith("probe/"):
        yield "appended", data + b'{"v":1}\n'
    else:
        yield "a newline appended", data + b"\n"
        yield "a space appended", data + b" "
    for _ in range(FLIPS):
        at = rng.randrange(len(data))
        yield (
            f"byte {at} flipped",
            bytes([*data[:at], data[at] ^ 1 << rng.randrange(8), *data[at + 1 :]]),
        )
    lines = data.splitlines(keepends=True)
    if len(lines) > 2:
        one, other = sorted(rng.sample(range(len(lines)), 2))
        yield "a line taken out", b"".join(lines[:one] + lines[one + 1 :])
        yield "a line twice", b"".join([*lines[:one], lines[one], *lines[one:]])
        if lines[one] != lines[other]:
            swapped = list(lines)
            swapped[one], swapped[other] = lines[other], lines[one]
            yield "two lines swapped", b"".join(swapped)
    if name.endswith(".json"):
        content = json.loads(data)
        for field in sorted(content):
            changed = json.loads(data)
            changed[field] = other_than(changed[field])
            yield field, canonical.to_bytes(changed, name)
            del changed[field]
            yield f"{field} taken out", canonical.to_bytes(changed, name)
        yield "a field added", canonical.to_bytes({**content, "mood": "good"}, name)
    for old, new in ((b"PASS", b"FAIL"), (b"REHEARSAL", b"CUSTOMER!"), (b"6", b"9")):
        if old in data:
            yield f"{old.decode()} became {new.decode()}", data.replace(old, new, 1)


def other_than(value: Any) -> Any:
    """A value of the same kind that says something else."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() if value[:4].isdigit() and value.endswith("Z"):
            return f"{int(value[:4]) + 1}{value[4:]}"
        case str():
            return f"{value}x"
        case list():
            return value[:-1] if value else ["x"]
        case dict():
            return dict(list(value.items())[:-1]) if value else {"x": "y"}
    return "x"


@pytest.mark.suite("edits", short=6)
@pytest.mark.parametrize("name", PLAYED)
def test_each_edit_of_a_stored_file_is_found(folder: Path, name: str) -> None:
    """But those that the head alone can tell, which it does, and what a prober may append."""
    path = folder / name
    data = path.read_bytes()
    published = verify(folder)[-1].says.split()[1]
    unseen = set()
    try:
        for what, changed in edits(name, data, random.Random(name)):
            assert changed != data, what
            path.write_bytes(changed)
            if not wrong(folder):
                edit = f"{name}: {field_of(data, changed) or what}"
                unseen.add(edit)
                assert edit in SAID or wrong(folder, head=published), edit
        path.unlink()
        assert wrong(folder)
    finally:
        path.write_bytes(data)
    assert unseen <= ONLY_A_HEAD | SAID


def field_of(data: bytes, changed: bytes) -> str:
    """The one field in which two JSON objects differ; empty when there is none."""
    try:
        before, after = json.loads(data), json.loads(changed)
    except ValueError:
        return ""
    differing = [key for key in before if before[key] != after.get(key)]
    return differing[0] if len(differing) == 1 else ""


@pytest.mark.parametrize("suffix", [".html", ".xml", ".json", ".jsonl"])
def test_two_files_that_changed_places_are_found(folder: Path, suffix: str) -> None:
    """Each pair of one kind."""
    alike = sorted(name for name in PLAYED if name.endswith(suffix))
    for one, other in pairwise(alike):
        first, second = (folder / one).read_bytes(), (folder / other).read_bytes()
        try:
            (folder / one).write_bytes(second)
            (folder / other).write_bytes(first)
            assert wrong(folder), (one, other)
        finally:
            (folder / one).write_bytes(first)
            (folder / other).write_bytes(second)


def test_what_only_a_head_can_tell(states: tuple[Path, Path], tmp_path: Path) -> None:
    """The time of the newest entry, and a folder as it was before: both are reported by name."""
    folder, first = states
    published = verify(folder)[-1].says.split()[1]
    forged = Path(shutil.copytree(folder, tmp_path / "w"))
    newest = forged / "files.5.json"
    content = json.loads(newest.read_bytes())
    newest.write_bytes(canonical.to_bytes({**content, "at": other_than(content["at"])}, "x"))
    for each in (forged, first):
        assert wrong(each) == []
        assert [one.split(":")[0] for one in wrong(each, head=published)] == ["head"]


def test_the_newest_entry_about_files_cannot_be_taken_out(folder: Path) -> None:
    """A page that it alone names, or that it names anew, is no longer as the one before says."""
    path = folder / "files.5.json"
    data = path.read_bytes()
    path.unlink()
    try:
        assert wrong(folder)
    finally:
        path.write_bytes(data)
