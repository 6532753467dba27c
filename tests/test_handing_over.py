"""Probers in jobs of bounded length: what they publish, what is taken, and when they hand over."""

from __future__ import annotations

import math
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks import handover as simulated
from hour24.__main__ import main
from hour24.commands.handing import JOB, OVERLAP, Handover, handover_of
from hour24.objectives.probes import AlwaysUp
from hour24.prober import Outbox
from hour24.probes import LineWriter, Minute, read
from hour24.probes.taking import take
from hour24.secrets.redactor import Redactor
from hour24.verdict import Outcome
from hour24.watch import Watch, Window
from tests.small_watch import T0, WATCH, watch_of, whole

SECRET = "kX9-very-private-40213"
START = T0.replace(second=0)


def minute(n: int, **more: object) -> Minute:
    """A line of the health probe, six slots."""
    at = START + timedelta(minutes=n)
    fields = {"probe": "health", "kind": "health", "minute": at, "interval_s": 10.0, "due": 6}
    return Minute(**{**fields, **more})


def outbox(folder: Path, into: Path, said: list[str] | None = None) -> Outbox:
    """One that publishes only when it is asked to."""
    redactor = Redactor([("SHOP_TOKEN", SECRET)])
    return Outbox(folder, into, redactor, [].append if said is None else said.append, every_s=3600)


@pytest.fixture
def probe(tmp_path: Path) -> Path:
    """The prober's folder of a watch."""
    folder = tmp_path / "reports" / WATCH.name / "probe"
    folder.mkdir(parents=True)
    return folder


def test_lines_are_published_while_they_are_written(tmp_path: Path, probe: Path) -> None:
    """Whole lines of this prober alone: none that was there before, none that is torn."""
    LineWriter(probe / "older-1.jsonl").write(minute(0))
    again = LineWriter(probe / "host-1.jsonl")
    again.write(minute(0))
    publishing = outbox(probe, tmp_path / "lines")
    again.write(minute(1))
    (probe / "due").mkdir()
    (probe / "due" / "hour08.host-2.jsonl").write_text('{"v":1}\n{"v":1,"wat')
    publishing.publish()
    again.write(minute(2))
    publishing.close()
    published = {path.relative_to(tmp_path): path for path in tmp_path.rglob("lines/**/*.jsonl")}
    names = sorted(str(name).split(".")[0] for name in published)
    assert names == ["lines/launch/probe/due/hour08", "lines/launch/probe/host-1"]
    (lines,) = (path for path in published.values() if path.name.startswith("host-1."))
    expected = [msgspec.json.encode(minute(n)) for n in (1, 2)]
    assert lines.read_bytes().splitlines() == expected
    (due,) = (path for path in published.values() if path.parent.name == "due")
    assert due.read_text() == '{"v":1}\n'
    assert not publishing.incomplete


def test_a_file_without_a_new_line_is_not_published(tmp_path: Path, probe: Path) -> None:
    LineWriter(probe / "older-1.jsonl").write(minute(0))
    outbox(probe, tmp_path / "lines").close()
    assert not (tmp_path / "lines").exists()


def test_lines_below_a_linked_folder_are_taken(tmp_path: Path, probe: Path) -> None:
    """Such as a temporary folder that the system itself reaches by a link."""
    (tmp_path / "real" / WATCH.name / "probe").mkdir(parents=True)
    LineWriter(tmp_path / "real" / WATCH.name / "probe" / "host-1.jsonl").write(minute(0))
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    taken = take(tmp_path / "linked" / WATCH.name / "probe", probe)
    assert (taken.files, taken.refused) == (1, ())


def test_a_secret_is_redacted_before_a_line_is_published(tmp_path: Path, probe: Path) -> None:
    """The failure stays, so that no other prober's good answer hides it."""
    publishing = outbox(probe, tmp_path / "lines")
    writer = LineWriter(probe / "host-1.jsonl")
    writer.write(minute(0, failed={f"schema: got {SECRET}": [2]}), minute(1))
    publishing.close()
    (path,) = tmp_path.glob("lines/launch/probe/*.jsonl")
    assert SECRET not in path.read_text()
    first, second = (
        msgspec.json.decode(line, type=Minute) for line in path.read_bytes().splitlines()
    )
    assert first.failed == {"schema: got [redacted:SHOP_TOKEN]": [2]}
    assert second == minute(1)
    assert not publishing.incomplete


def test_what_cannot_be_redacted_is_never_published(
    tmp_path: Path, probe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor a later line of its file, and it is said, once."""
    monkeypatch.setattr(Redactor, "plain", lambda self, value: value)
    said: list[str] = []
    publishing = outbox(probe, tmp_path / "lines", said)
    writer, other = (LineWriter(probe / f"host-{n}.jsonl") for n in (1, 2))
    writer.write(minute(0, note=SECRET))
    publishing.publish()
    writer.write(minute(1))
    other.write(minute(1))
    publishing.publish()
    publishing.close()
    (path,) = tmp_path.glob("lines/launch/probe/*.jsonl")
    assert path.name.startswith("host-2.")
    assert publishing.incomplete
    assert len(said) == 1
    assert said[0].startswith("host-1.jsonl: has the secret SHOP_TOKEN; none of its lines is")


def test_a_full_disk_loses_no_line(
    tmp_path: Path, probe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are published as soon as they can be, each once."""
    said: list[str] = []
    publishing = outbox(probe, tmp_path / "lines", said)
    (tmp_path / "lines").write_text("a file where the folder is to be")
    LineWriter(probe / "host-1.jsonl").write(minute(0))
    for _ in range(2):
        publishing._try_publish()
    assert publishing.incomplete
    assert len(said) == 1
    (tmp_path / "lines").unlink()
    publishing.close()
    (path,) = tmp_path.glob("lines/launch/probe/*.jsonl")
    assert path.read_bytes() == msgspec.json.encode(minute(0)) + b"\n"
    assert not publishing.incomplete


def test_probers_of_one_name_on_two_machines_are_both_taken(tmp_path: Path) -> None:
    """A failure that one of them saw is not hidden by the other's good answers."""
    for n, failed in enumerate(({"503": [3]}, {})):
        folder = tmp_path / f"machine{n}" / WATCH.name / "probe"
        folder.mkdir(parents=True)
        publishing = outbox(folder, tmp_path / "lines")
        LineWriter(folder / "runner-7.jsonl").write(minute(0, failed=failed, statuses={"200": 5}))
        publishing.close()
    watch_of(tmp_path / "reports")
    for _ in range(2):
        assert main(["lines", str(tmp_path / "lines"), f"--reports={tmp_path / 'reports'}"]) == 0
    probe = tmp_path / "reports" / WATCH.name / "probe"
    assert len(list(probe.glob("runner-7.*.jsonl"))) == 2
    window = Window(START, START + timedelta(minutes=1))
    probes = read(probe, window).probes("health", window)
    assert [each.reason for each in probes.failures] == ["503"]
    assert probes.kept == 6


def published(tmp_path: Path, text: str, name: str = "probe/a-1.x.jsonl") -> Path:
    path = tmp_path / "lines" / WATCH.name / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_new_lines_are_taken_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of alarms and of answers too; a file here that is further on stays."""
    probe = watch_of(tmp_path / "reports").folder / "probe"
    command = ["lines", str(tmp_path / "lines"), f"--reports={tmp_path / 'reports'}"]
    published(tmp_path, "1\n")
    published(tmp_path, "2\n", "probe/alarms/a-1.x.jsonl")
    published(tmp_path, "3\n", "probe/due/hour04.a-1.x.jsonl")
    published(tmp_path, "4\n", "probe/elsewhere/a.jsonl")
    published(tmp_path, "5\n", "hour00.a1.json")
    assert main(command) == 0
    assert "3 new lines in 3 files\n" in capsys.readouterr().out
    published(tmp_path, "1\n2\n3\n")
    assert main(command) == 0
    assert "2 new lines in 1 file\n" in capsys.readouterr().out
    published(tmp_path, "1\n")
    assert main(command) == 0
    assert sorted(path.relative_to(probe).as_posix() for path in probe.rglob("*.jsonl")) == [
        "a-1.x.jsonl",
        "alarms/a-1.x.jsonl",
        "due/hour04.a-1.x.jsonl",
    ]
    assert (probe / "a-1.x.jsonl").read_text() == "1\n2\n3\n"
    assert not (probe.parent / "hour00.a1.json").exists()


def test_lines_that_differ_from_those_here_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit code 12; so is a link, and what was quarantined here. Other files are taken."""
    probe = watch_of(tmp_path / "reports").folder / "probe"
    (probe / "due").mkdir(parents=True)
    (probe / "a-1.x.jsonl").write_text("1\n")
    (probe / "c-1.x.jsonl.quarantined").write_text("a secret\n")
    published(tmp_path, "2\n3\n")
    published(tmp_path, "4\n", "probe/b-1.x.jsonl")
    published(tmp_path, "5\n", "probe/c-1.x.jsonl")
    (tmp_path / "elsewhere").write_text("6\n")
    (tmp_path / "lines" / WATCH.name / "probe" / "d.jsonl").symlink_to(tmp_path / "elsewhere")
    assert main(["lines", str(tmp_path / "lines"), f"--reports={tmp_path / 'reports'}"]) == 12
    said = capsys.readouterr().err.splitlines()
    assert [line.removeprefix("hour24: ") for line in said] == [
        "launch/probe/a-1.x.jsonl: expected the lines that are here and later ones, got others",
        "launch/probe/c-1.x.jsonl: expected no file that was quarantined here, got one",
        "launch/probe/d.jsonl: expected a file, got a link",
    ]
    assert (probe / "a-1.x.jsonl").read_text() == "1\n"
    assert sorted(path.name for path in probe.glob("*.jsonl")) == ["a-1.x.jsonl", "b-1.x.jsonl"]


def test_a_linked_folder_is_not_followed(tmp_path: Path) -> None:
    """Who may push to the branch of lines does not choose which files of the machine are read."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.jsonl").write_text("1\n")
    (tmp_path / "lines").mkdir()
    (tmp_path / "lines" / "probe").symlink_to(tmp_path / "secret")
    taken = take(tmp_path / "lines" / "probe", tmp_path / "here")
    assert (taken.files, len(taken.refused)) == (0, 1)


def test_a_signed_watch_and_an_unknown_one_take_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was approved does not change; a folder that is no watch is left alone."""
    ledger = whole(tmp_path / "reports")
    (ledger.folder / "signoff.json").write_text("{}")
    published(tmp_path, "1\n")
    shutil.copytree(tmp_path / "lines" / WATCH.name, tmp_path / "lines" / "another")
    assert main(["lines", str(tmp_path / "lines"), f"--reports={tmp_path / 'reports'}"]) == 0
    assert capsys.readouterr().out == ""
    assert not (ledger.folder / "probe").exists()
    assert not (tmp_path / "reports" / "another").exists()
    assert main(["lines", str(tmp_path / "none")]) == 4


# --- when a job hands over ---------------------------------------------------------------------

AT = Watch(name="w", t0=datetime(2026, 12, 1, 6, tzinfo=UTC))


def after(**hours: float) -> datetime:
    return AT.t0 + timedelta(**hours)


@pytest.mark.parametrize(
    ("chain", "now_min", "ends_min"),
    [
        ("a", -60, 0),  # opened before T0
        ("a", 0, 330),
        ("a", 309, 330),
        ("a", 311, 660),  # the successor of the first, started 20 min before its end
        ("b", 0, 165),
        ("b", 150, 495),
        ("b", 100, 165),  # in place of a dead one: its end stays
    ],
)
def test_a_job_ends_at_the_time_of_its_chain(chain: str, now_min: float, ends_min: float) -> None:
    """However late it starts, and it starts its successor 20 minutes before."""
    found = handover_of(AT, chain, after(minutes=now_min), JOB, OVERLAP)
    ends = after(minutes=ends_min)
    assert found == Handover(ends - OVERLAP, ends, AT.whole.end)


def test_no_job_lasts_longer_than_a_hosted_one_may() -> None:
    """At any start, with ten minutes for its set-up and its wait; the chains never end together."""
    ends: dict[str, set[datetime]] = {"a": set(), "b": set()}
    for n in range(24 * 60):
        for chain, seen in ends.items():
            found = handover_of(AT, chain, after(minutes=n), JOB, OVERLAP)
            assert found is not None
            assert found.ends - after(minutes=n) <= timedelta(minutes=350)
            seen.add(found.ends)
    apart = [abs(a - b) for a in ends["a"] - {AT.whole.end} for b in ends["b"] - {AT.whole.end}]
    assert min(apart) == JOB / 2
    assert timedelta(seconds=simulated.JOB_S) == JOB
    assert timedelta(seconds=simulated.OVERLAP_S) == OVERLAP


def test_the_last_job_has_no_successor() -> None:
    """It ends with the watch, and after that there is nothing to print."""
    found = handover_of(AT, "a", after(hours=23), JOB, OVERLAP)
    assert found == Handover(AT.whole.end, AT.whole.end, AT.whole.end)
    assert handover_of(AT, "a", AT.whole.end, JOB, OVERLAP) is None


def test_it_is_printed_for_a_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One NAME=VALUE a line; nothing without an open watch, or after it."""
    command = ["handover", "--chain", "b", f"--reports={tmp_path}", "--now"]
    assert main([*command, T0.isoformat()]) == 0
    assert capsys.readouterr().out == ""
    ledger = watch_of(tmp_path)
    assert main([*command, T0.isoformat()]) == 0
    t0, last = int(T0.timestamp()), int(WATCH.whole.end.timestamp())
    assert capsys.readouterr().out.splitlines() == [
        f"watch={WATCH.name}",
        f"at={t0 + 145 * 60}",
        f"ends={t0 + 165 * 60}",
        f"last={last}",
    ]
    assert main([*command, WATCH.whole.end.isoformat()]) == 0
    (ledger.folder / "signoff.json").write_text("{}")
    assert main([*command, T0.isoformat()]) == 0
    assert capsys.readouterr().out == ""
    assert main([*command, T0.isoformat(), "--overlap", "3h"]) == 4


# --- a watch by two chains, judged ---------------------------------------------------------------

STARTS_MIN = 11
"""From a dispatch to the first probe: a slow runner of ten minutes, and its set-up."""
NOTICED_MIN = 3


def jobs(chain: str, *, killed: float = math.inf, revived: float = 0) -> list[tuple[int, int]]:
    """The minutes of the watch in which each job of a chain probes, from half an hour before T0.

    Args:
        killed: the minute in which its job is killed.
        revived: when the next one is started; 0: as soon as the other chain notices.
    """
    found, begin = [], -30
    while times := handover_of(WATCH, chain, START + timedelta(minutes=begin), JOB, OVERLAP):
        at, ends = (round((each - START) / timedelta(minutes=1)) for each in times[:2])
        following = at + STARTS_MIN
        if begin <= killed < ends:
            ends, killed = round(killed), math.inf
            following = round(revived or ends + NOTICED_MIN) + STARTS_MIN
        found.append((begin, ends))
        begin = following
    return found


def judged(tmp_path: Path, chains: dict[str, list[tuple[int, int]]], bad: range, by: str) -> Any:
    """The verdict on the lines of these jobs, published and taken.

    Args:
        bad: the minutes in which the probes of chain ``by`` are answered 503.
    """
    ledger = watch_of(tmp_path / "reports")
    for chain, spans in chains.items():
        for n, (begin, end) in enumerate(spans):
            folder = tmp_path / f"{chain}{n}" / WATCH.name / "probe"
            folder.mkdir(parents=True)
            publishing = outbox(folder, tmp_path / "lines")
            failed = {"503": list(range(6))}
            writer = LineWriter(folder / "runner-7.jsonl")
            writer.write(
                *(
                    minute(each, failed=failed if each in bad and chain == by else {})
                    for each in range(begin, end)
                )
            )
            writer.close()
            publishing.close()
    assert main(["lines", str(tmp_path / "lines"), f"--reports={tmp_path / 'reports'}"]) == 0
    window = Window(START, START + timedelta(hours=24))
    probes = read(ledger.folder / "probe", window).probes("health", window)
    return AlwaysUp().judge({"probes": probes})


@pytest.mark.parametrize("killed", [140, 160, 321])
def test_a_healthy_watch_passes_though_a_job_is_killed(tmp_path: Path, killed: int) -> None:
    """Also during a handover of the other chain, and of its own; runners start in ten minutes."""
    chains = {"a": jobs("a", killed=killed), "b": jobs("b")}
    verdict = judged(tmp_path, chains, range(0), "")
    assert verdict.outcome == Outcome.PASS, verdict.reason
    assert verdict.figures["coverage"] == 1


def test_the_time_without_any_job_makes_the_watch_inconclusive(tmp_path: Path) -> None:
    """Both die, and the schedule revives them half an hour later."""
    chains = {name: jobs(name, killed=500, revived=530) for name in "ab"}
    verdict = judged(tmp_path, chains, range(0), "")
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "coverage_too_low")
    assert "41 min" in verdict.reason


@pytest.mark.parametrize("by", ["a", "b"])
def test_a_failure_that_one_chain_saw_is_not_hidden_by_the_other(tmp_path: Path, by: str) -> None:
    """The other's good answers at the same times change nothing."""
    chains = {name: jobs(name) for name in "ab"}
    verdict = judged(tmp_path, chains, range(700, 703), by)
    assert verdict.outcome == Outcome.FAIL, verdict.reason
