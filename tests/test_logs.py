"""Log files and the journal: which lines a window holds, and what a log does not show of it."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import lzma
import os
import random
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hour24.clock import SteppingClock
from hour24.config import Jobs
from hour24.errors import (
    SourceEmpty,
    SourceError,
    SourceFailed,
    SourceIncomplete,
    SourceLacks,
    SourceMisread,
    SourceRefused,
    SourceTimeout,
)
from hour24.evidence import Evidence, Listing, from_plain, to_plain
from hour24.lines.times import NoZone, time_of, unwrapped
from hour24.objectives.logs import NoErrorLine, NoPattern
from hour24.verdict import Outcome
from hour24.watch import Watch, Window
from hour24.witnesses.logged import ERROR_TEXT, is_error
from hour24.witnesses.logs import LogsAt, blocks, scan
from hour24.witnesses.logs import journal as journals
from hour24.witnesses.logs.source import Logs

T0 = datetime(2026, 12, 1, 6, tzinfo=UTC)
HOUR_4 = Watch(name="launch", t0=T0).checkpoint(4)
WINDOW = HOUR_4.settled
NOW = HOUR_4.due
LEVELS = Path(__file__).parent / "lines" / "levels.jsonl"


def stamp(seconds: float) -> str:
    """A time so many seconds into the window."""
    return (WINDOW.start + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def line(seconds: float, text: str = "INFO request answered") -> str:
    return f"{stamp(seconds)} {text}\n"


def steady(start: float = -3600, end: float = WINDOW.seconds + 240, every: float = 60) -> list[str]:
    """A line a minute, from before the window until after it."""
    count = int((end - start) / every) + 1
    return [line(start + every * i, f"INFO request {i} answered") for i in range(count)]


def merged(*lines: str, **around: float) -> str:
    """These lines among those of a steady service, by their times."""
    entries = [*steady(**around), *lines]
    return "".join(sorted(entries, key=lambda each: each[:20]))


def write(path: Path, text: str | bytes, written: datetime = NOW) -> Path:
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(data)
    os.utime(path, (written.timestamp(),) * 2)
    return path


def logs(path: Path, *, now: datetime = NOW, budget_s: float = 90.0, **more: object) -> Logs:
    return Logs(LogsAt(file=str(path), **more), SteppingClock(now), budget_s=budget_s)  # type: ignore[arg-type]


def messages(found: Evidence) -> list[str]:
    assert isinstance(found, Listing)
    return [each["message"].partition(" ")[2].split("\n")[0] for each in found.items]


# --- times ------------------------------------------------------------------------------------

AT = datetime(2026, 11, 24, 6, 10, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24T06:10:00Z INFO x",
        "2026-11-24T07:10:00.000+01:00 INFO x",
        "2026-11-24 06:10:00,000 +0000 INFO x",
        "[2026-11-24 01:10:00 -0500] [7] [INFO] x",
        "INFO [main] 2026-11-24 06:10:00,000Z x",
        "[api] 2026-11-24T06:10:00.000Z info: x",
        "web-1  | 2026-11-24T06:10:00Z INFO x",
        "<11>1 2026-11-24T06:10:00Z host app 7 - - x",
        "\x1b[2m2026-11-24T06:10:00Z\x1b[0m [info] x",
        '127.0.0.1 - - [24/Nov/2026:06:10:00 +0000] "GET / HTTP/1.1" 200 5',
        "I, [2026-11-24T06:10:00Z #7]  INFO -- : x",
        "1795500600 x",
        "1795500600.000 x",
        "1795500600000 x",
        '{"level":30,"time":1795500600000,"msg":"x"}',
        '{"ts":1795500600.0,"msg":"x"}',
        '{"msg":"at 2026-01-01T00:00:00Z","@timestamp":"2026-11-24T06:10:00Z"}',
        '{"t":{"$date":"2026-11-24T06:10:00Z"},"s":"I"}',
        '{"message":"cut off' + "x" * 9_000 + '","timestamp":"2026-11-24T06:10:00Z"}',
        "ts=2026-11-24T06:10:00Z level=info msg=x",
        'time="2026-11-24T06:10:00Z" level=info msg="at 2026-01-01T00:00:00Z"',
        "level=info ts=1795500600.0 msg=x",
        '{"log":"x\\n","stream":"stderr","time":"2026-11-24T06:10:00Z"}',
        "2026-11-24T06:10:00.000000000Z stderr F x",
    ],
)
def test_a_timestamp_is_read_in_its_own_form(text: str) -> None:
    """With its zone, whatever stands before it in a header."""
    inner, outer = unwrapped(text)
    found = outer if outer is not None else time_of(inner, None, NOW)
    assert found == pytest.approx(AT)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24 07:10:00,000 - app - INFO - x",
        "2026/11/24 07:10:00 x",
        "Nov 24 07:10:00 host app[1]: x",
        "I1124 07:10:00.000000 1 main.go:12] x",
        "[Tue Nov 24 07:10:00.000000 2026] [core:info] x",
        "24-Nov-2026 07:10:00.000 INFO [main] x",
        "[Nest] 1  - 11/24/2026, 7:10:00 AM     LOG [X] x",
        "Nov 24, 2026 7:10:00 AM com.acme.App run",
        '{"asctime": "2026-11-24 07:10:00,000", "levelname": "INFO"}',
    ],
)
def test_a_local_time_needs_a_stated_zone(text: str) -> None:
    """Without one it could be any hour of the day, so it is no time at all."""
    assert time_of(text, ZoneInfo("Europe/Berlin"), NOW) == pytest.approx(AT)
    with pytest.raises(NoZone):
        time_of(text, None, NOW)


@pytest.mark.parametrize(
    "text",
    [
        '  File "/srv/2026-11-24T06:10:00Z/app.py", line 7',
        "    at 2026-11-24T06:10:00Z",
        "KeyError: 'x'",
        "moved to 2026-11-24T06:10:00Z",
        "06:10:00 INFO only a time",
        "12 items at 2026-11-24T06:10:00Z",
        '{"msg":"no time"}',
        '{"time":true}',
        '{"time":7}',
        '{"time":1e400}',
        "2026-13-45T06:10:00Z",
        "",
        "\x00\x00",
        "9" * 5_000,
    ],
)
def test_a_time_inside_a_message_is_not_the_lines_own(text: str) -> None:
    """Such a line belongs to the one before it."""
    assert time_of(text, UTC, NOW) is None


def test_a_date_without_a_year_is_the_newest_that_has_passed() -> None:
    """On New Year's Day the lines of December are a day old, not a year ahead."""
    now = datetime(2027, 1, 1, 0, 10, tzinfo=UTC)
    found = time_of("Dec 31 23:59:00 host app: x", UTC, now)
    assert found == datetime(2026, 12, 31, 23, 59, tzinfo=UTC).timestamp()
    leap = time_of("Feb 29 12:00:00 host app: x", UTC, now)
    assert leap == datetime(2024, 2, 29, 12, tzinfo=UTC).timestamp()


# --- the window -------------------------------------------------------------------------------


def test_exactly_the_windows_lines_count(tmp_path: Path) -> None:
    """Start inclusive, end exclusive, by each line's own time."""
    text = merged(
        line(-0.001, "ERROR before"),
        line(0, "ERROR first"),
        line(WINDOW.seconds - 0.001, "ERROR last"),
        line(WINDOW.seconds, "ERROR after"),
    )
    found = logs(write(tmp_path / "app.log", text)).error_lines(WINDOW)
    assert messages(found) == ["ERROR first", "ERROR last"]
    assert found.complete
    assert found.question.window == WINDOW
    assert from_plain(to_plain(found)) == found


@pytest.mark.parametrize("size", [3_000, 300_000])
def test_a_search_by_time_finds_what_reading_every_line_finds(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over files of many blocks, with traces and long lines between."""
    monkeypatch.setattr(blocks, "BLOCK", 1 << 14)
    for module in (blocks, scan):
        monkeypatch.setattr(module, "NEAR", 1 << 10)
    monkeypatch.setattr(scan, "PROBE", 1 << 13)
    chance = random.Random(size)
    every = (WINDOW.seconds + 7200) / (size / 60)
    lines, expected, at = [], [], -3600.0
    while at < WINDOW.seconds + 3600 - 4000:
        at += every * chance.uniform(0.2, 1.8)
        kind = chance.random()
        if kind < 0.05:
            lines.append(line(at, f"ERROR number {len(lines)}"))
            if 0 <= at < WINDOW.seconds:
                expected.append(f"ERROR number {len(lines) - 1}")
        elif kind < 0.1:
            frames = "".join(f'  File "x.py", line {i}\n' for i in range(chance.randrange(90)))
            lines.append(line(at, f"ERROR trace {len(lines)}") + frames + "KeyError: 'x'\n")
            if 0 <= at < WINDOW.seconds:
                expected.append(f"ERROR trace {len(lines) - 1}")
        else:
            lines.append(line(at, "INFO " + "x" * chance.randrange(120)))
    lines += [line(WINDOW.seconds + 1), line(WINDOW.seconds + 200)]
    path = write(tmp_path / "app.log", "".join(lines))
    found = logs(path).error_lines(WINDOW)
    assert messages(found) == expected
    assert found.complete, found.about
    assert len(expected) > 0


def test_the_lines_of_a_trace_belong_to_their_error(tmp_path: Path) -> None:
    """One error with its trace, at the time of its first line."""
    trace = (
        "Traceback (most recent call last):\n"
        '  File "/srv/app.py", line 7, in call\n'
        "    raise KeyError('x')\n"
        "KeyError: 'x'\n"
    )
    text = merged(line(600, "ERROR request failed") + trace, line(700, "INFO next"))
    found = logs(write(tmp_path / "app.log", text)).error_lines(WINDOW)
    assert len(found.items) == 1
    assert found.items[0]["at"] == WINDOW.start.timestamp() + 600
    assert found.items[0]["message"].endswith("KeyError: 'x'")


def test_a_crash_without_a_timestamp_below_an_info_line_is_an_error(tmp_path: Path) -> None:
    """Another process may have printed it: it is not hidden by the line above it."""
    crash = 'Traceback (most recent call last):\n  File "x.py", line 1\nKeyError: 1\n'
    text = merged(line(600, "INFO fine") + crash)
    found = logs(write(tmp_path / "app.log", text)).error_lines(WINDOW)
    verdict = NoErrorLine().judge({"lines": found})
    assert verdict.outcome == Outcome.FAIL
    assert verdict.figures["counted"] == 1


def test_a_trace_below_a_warning_is_the_warnings(tmp_path: Path) -> None:
    """A warning that is logged with its exception is no error."""
    crash = 'Traceback (most recent call last):\n  File "x.py", line 1\nKeyError: 1\n'
    text = merged(line(600, "WARNING retrying") + crash)
    found = logs(write(tmp_path / "app.log", text)).error_lines(WINDOW)
    assert NoErrorLine().judge({"lines": found}).outcome == Outcome.PASS


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
def test_local_times_are_those_of_the_stated_zone(tmp_path: Path, zone: str) -> None:
    """And wrong by an hour or more they are refused, since they lie ahead or behind."""
    here = ZoneInfo(zone)

    def local(seconds: float, text: str) -> str:
        at = (WINDOW.start + timedelta(seconds=seconds)).astimezone(here)
        return f"{at:%Y-%m-%d %H:%M:%S},000 {text}\n"

    steady_lines = [local(-3600 + 60 * i, "INFO x") for i in range(303)]
    text = "".join(sorted([*steady_lines, local(1, "ERROR boom")]))
    path = write(tmp_path / "app.log", text, WINDOW.start + timedelta(seconds=60 * 302 - 3600))
    found = logs(path, time_zone=zone).error_lines(WINDOW)
    assert [each["at"] for each in found.items] == [WINDOW.start.timestamp() + 1]
    assert found.complete
    wrong = "Asia/Tokyo" if zone != "Asia/Tokyo" else "UTC"
    with pytest.raises(SourceMisread, match=r"its clock or its zone is wrong"):
        logs(path, time_zone=wrong).error_lines(WINDOW)


def test_a_zone_is_recognised_by_the_time_of_the_last_write(tmp_path: Path) -> None:
    """The last line was written when the file was; where the two do not agree, a zone is asked."""
    here = ZoneInfo("Europe/Berlin")
    ends = WINDOW.start + timedelta(seconds=60 * 302 - 3600)
    text = "".join(
        f"{(WINDOW.start + timedelta(seconds=60 * i - 3600)).astimezone(here):%Y-%m-%d %H:%M:%S} "
        f"{'ERROR' if i == 100 else 'INFO'} x\n"
        for i in range(303)
    )
    found = logs(write(tmp_path / "app.log", text, ends)).error_lines(WINDOW)
    assert [each["at"] for each in found.items] == [WINDOW.start.timestamp() + 2400]
    assert "the zone UTC+01:00 is that of the last write" in found.note
    with pytest.raises(SourceMisread, match=r"expected timestamps with a zone, got .*time_zone"):
        logs(write(tmp_path / "app.log", text, NOW)).error_lines(WINDOW)


def test_the_hour_that_a_clock_repeats_is_two_hours(tmp_path: Path) -> None:
    """On the night on which summer time ends, each line is in the hour in which it was written."""
    here = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 10, 24, 21, tzinfo=UTC)
    moments = [start + timedelta(minutes=i) for i in range(60 * 10)]
    text = "".join(
        f"{m.astimezone(here):%Y-%m-%d %H:%M:%S} ERROR number {i}\n" for i, m in enumerate(moments)
    )
    path = write(tmp_path / "app.log", text, moments[-1])
    for shift in range(9):
        window = Window(
            start + timedelta(hours=shift, minutes=30),
            start + timedelta(hours=shift + 1, minutes=30),
        )
        source = logs(path, now=moments[-1], time_zone="Europe/Berlin")
        window = Window(window.start, min(window.end, moments[-1]))
        found = source.error_lines(window)
        wanted = [m.timestamp() for m in moments if window.start <= m < window.end]
        assert [each["at"] for each in found.items] == wanted, shift


# --- rotation ---------------------------------------------------------------------------------

ENTRIES = merged(
    line(100, "ERROR one"),
    line(5_000, "ERROR two"),
    line(9_000, "ERROR three"),
    line(14_000, "ERROR four"),
).splitlines(keepends=True)
PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def rotated(folder: Path, names: Sequence[str], entries: Sequence[str] = ENTRIES) -> Path:
    """The lines divided among these files, the oldest first; the last one is the log itself."""
    size = -(-len(entries) // len(names))
    for number, name in enumerate(names):
        data = "".join(entries[number * size : (number + 1) * size]).encode()
        pack = PACK.get(Path(name).suffix)
        last = datetime.fromisoformat(data.decode().splitlines()[-1].split()[0])
        write(folder / name, pack(data) if pack else data, last)
    return folder / names[-1]


@pytest.mark.parametrize(
    "names",
    [
        ["app.log.3", "app.log.2", "app.log.1", "app.log"],
        ["app.log.3.gz", "app.log.2.gz", "app.log.1", "app.log"],
        ["app.log.2.xz", "app.log.1.bz2", "app.log"],
        ["app.1.log", "app.log"],
        ["app.log-20261130.gz", "app.log-20261201", "app.log"],
        ["app.log.2026-11-30", "app.log.2026-12-01", "app.log"],
        ["app-2026-11-30.log", "app-2026-12-01.log.gz", "app.log"],
        ["app__2026-12-01_05-00-00.log", "app.log"],
        ["app.log-1796083200", "app.log"],
    ],
    ids=lambda names: names[0],
)
def test_rotated_files_are_read_as_one_log(tmp_path: Path, names: list[str]) -> None:
    """Numbers, dates and times, next to or inside the name, compressed or not."""
    found = logs(rotated(tmp_path, names)).error_lines(WINDOW)
    assert messages(found) == ["ERROR one", "ERROR two", "ERROR three", "ERROR four"]
    assert found.complete, found.about


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    """Another service's log and a backup are none of this log."""
    path = write(tmp_path / "app.log", merged())
    for name in ("app2.log", "app.log.bak", "other.log.1", "app.log.swp", "app.log.1.tmp"):
        write(tmp_path / name, line(100, "ERROR of another"))
    assert messages(logs(path).error_lines(WINDOW)) == []


def test_a_dated_log_needs_no_file_without_a_date(tmp_path: Path) -> None:
    """Where each day has its own file, the newest is the one that is written."""
    rotated(tmp_path, ["app-2026-11-30.log", "app-2026-12-01.log"])
    found = logs(tmp_path / "app.log").error_lines(WINDOW)
    assert len(found.items) == 4


def test_a_log_that_begins_after_the_windows_start_is_incomplete(tmp_path: Path) -> None:
    """It is no proof that nothing was logged before: INCONCLUSIVE by name; an error still fails."""
    path = write(tmp_path / "app.log", merged(start=1800))
    found = logs(path).error_lines(WINDOW)
    verdict = NoErrorLine().judge({"lines": found})
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "source_incomplete")
    assert "app.log begins at 2026-12-01 06:25:00Z, after the window's start" in verdict.reason
    with pytest.raises(SourceIncomplete, match=r"app\.log begins at"):
        logs(path).watched_lines(WINDOW)
    with pytest.raises(SourceIncomplete, match=r"app\.log begins at"):
        logs(path).beats(WINDOW, Jobs(pattern="beat"))
    path = write(tmp_path / "app.log", merged(line(2000, "ERROR boom"), start=1800))
    failed = NoErrorLine().judge({"lines": logs(path).error_lines(WINDOW)})
    assert failed.outcome == Outcome.FAIL
    assert "At least 1 ERROR line" in failed.reason


@pytest.mark.parametrize(
    ("names", "gone", "says"),
    [
        (["app.log.3", "app.log.2", "app.log.1", "app.log"], "app.log.2", "file number 2"),
        (["app.log.2", "app.log.1", "app.log"], "app.log.1", "the rotated file number 1"),
        (
            [
                "app.log-20261128",
                "app.log-20261129",
                "app.log-20261130",
                "app.log-20261201",
                "app.log",
            ],
            "app.log-20261130",
            "the rotated file of 2026-11-30",
        ),
    ],
)
def test_a_rotated_file_that_is_missing_is_a_gap(
    tmp_path: Path, names: list[str], gone: str, says: str
) -> None:
    """By its number or its day, where the window reaches into it."""
    path = rotated(tmp_path, names, merged(start=-1200).splitlines(keepends=True))
    (tmp_path / gone).unlink()
    found = logs(path, quiet_s=86_400).error_lines(WINDOW)
    verdict = NoErrorLine().judge({"lines": found})
    assert verdict.code == "source_incomplete"
    assert f"{says} is missing" in verdict.reason


def test_a_missing_file_of_another_day_is_no_gap(tmp_path: Path) -> None:
    """What lies before the window is not asked."""
    path = rotated(
        tmp_path,
        ["app.log.4", "app.log.3", "app.log.2", "app.log.1", "app.log"],
        merged(start=-40_000).splitlines(keepends=True),
    )
    (tmp_path / "app.log.3").unlink()
    assert logs(path).error_lines(WINDOW).complete


def test_silence_between_two_files_is_a_gap(tmp_path: Path) -> None:
    """Where no name shows it, an unusual silence at the rotation does."""
    first = [each for each in ENTRIES if each < stamp(3_000)]
    second = [each for each in ENTRIES if each > stamp(6_000)]
    write(tmp_path / "app.log.1", "".join(first))
    path = write(tmp_path / "app.log", "".join(second))
    found = logs(path).error_lines(WINDOW)
    assert not found.complete
    assert "a file may be missing" in str(found.about["missing"])
    assert logs(path, quiet_s=7_200).error_lines(WINDOW).complete


def test_a_compressed_form_that_is_not_read_is_named(tmp_path: Path) -> None:
    """Only where the window needs it."""
    path = write(tmp_path / "app.log", merged(start=60))
    write(tmp_path / "app.log.1.zst", b"(\xb5/\xfd")
    found = logs(path).error_lines(WINDOW)
    assert "app.log.1.zst is compressed in a form that is not read" in str(found.about["missing"])
    assert logs(write(path, merged())).error_lines(WINDOW).complete


def test_a_broken_archive_is_named(tmp_path: Path) -> None:
    """It is not taken for an empty one."""
    path = write(tmp_path / "app.log", merged(start=60))
    write(tmp_path / "app.log.1.gz", b"no gzip at all\n")
    found = logs(path).error_lines(WINDOW)
    assert "app.log.1.gz cannot be read" in str(found.about["missing"])


def test_a_cut_archive_is_no_answer(tmp_path: Path) -> None:
    """Its missing end may hold errors."""
    packed = gzip.compress("".join(ENTRIES).encode())
    path = write(tmp_path / "app.log", line(WINDOW.seconds + 200))
    write(tmp_path / "app.log.1.gz", packed[: len(packed) - 40])
    with pytest.raises(SourceMisread, match=r"app\.log\.1\.gz.*cut off"):
        logs(path).error_lines(WINDOW)


# --- silence ----------------------------------------------------------------------------------


def test_silence_between_an_older_and_a_younger_line_is_an_answer(tmp_path: Path) -> None:
    """The log's life is seen on both sides: nothing was logged."""
    path = write(tmp_path / "app.log", line(-100) + line(WINDOW.seconds + 100))
    found = logs(path).error_lines(WINDOW)
    assert (found.items, found.complete) == ((), True)
    assert NoErrorLine().judge({"lines": found}).outcome == Outcome.PASS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty"),
        (line(-100), "whether it still is written is not known"),
        (line(WINDOW.seconds + 100), "app.log begins at 2026-12-01 09:56:40Z"),
    ],
)
def test_silence_on_one_side_is_none(tmp_path: Path, text: str, says: str) -> None:
    """An empty file, one that is no longer written, and one that began later prove nothing."""
    path = write(tmp_path / "app.log", text, WINDOW.start)
    with pytest.raises(SourceEmpty, match=says):
        logs(path).error_lines(WINDOW)


def test_a_log_that_ends_early_is_incomplete(tmp_path: Path) -> None:
    """The logger may have died while the service lives."""
    ends = WINDOW.start + timedelta(seconds=9_000)
    path = write(tmp_path / "app.log", merged(end=9_000), ends)
    found = logs(path).error_lines(WINDOW)
    assert not found.complete
    assert "no line after 2026-12-01 08:25:00Z" in str(found.about["missing"])
    assert logs(path, quiet_s=7_200).error_lines(WINDOW).complete


# --- levels -----------------------------------------------------------------------------------


def test_the_filter_finds_every_line_whose_level_is_an_error() -> None:
    """Each of the common loggers' forms: what it missed would be no error."""
    import re2

    sought = re2.compile(f"(?m){ERROR_TEXT}".encode())
    lines = [json.loads(each) for each in LEVELS.read_text("utf-8").splitlines()]
    missed = [
        text
        for level, label, text in lines
        if level == "error" and is_error(text) and sought.search(text.encode()) is None
    ]
    assert len(lines) > 200
    assert all("\u200b" in each for each in missed)  # what no filter sees, a sample does


def test_too_many_lines_without_a_level_prove_nothing(tmp_path: Path) -> None:
    """INCONCLUSIVE with their number; production.toml may say that they are no errors."""
    text = "".join(line(60 * i - 3600, "something happened") for i in range(303))
    path = write(tmp_path / "app.log", text)
    found = logs(path).error_lines(WINDOW)
    for objective in (NoErrorLine(), NoPattern(per_hour=5, per_day=10)):
        verdict = objective.judge({"lines": found})
        assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, "levels_unknown")
        assert "in 240 of 240 sampled lines" in verdict.reason
    stated = logs(path, without_level="info").error_lines(WINDOW)
    assert NoErrorLine().judge({"lines": stated}).outcome == Outcome.PASS
    assert "a level was recognised in 0 of 240 lines" in stated.note


def test_lines_of_an_access_log_need_no_level(tmp_path: Path) -> None:
    """They are the server's, not messages of the service."""
    access = '10.0.0.1 - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "GET / HTTP/1.1" 200 5 "-" "curl"\n'
    text = "".join(
        access.format(at=WINDOW.start + timedelta(seconds=60 * i - 3600)) for i in range(303)
    )
    found = logs(write(tmp_path / "app.log", text)).error_lines(WINDOW)
    assert NoErrorLine().judge({"lines": found}).outcome == Outcome.PASS


def test_a_filter_that_misses_an_error_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample shows it, and every line is read."""
    monkeypatch.setattr("hour24.witnesses.logs.source.ERROR_TEXT", "no such words")
    path = write(tmp_path / "app.log", merged(line(600, "ERROR boom")))
    assert messages(logs(path).error_lines(WINDOW)) == ["ERROR boom"]


# --- words and beats --------------------------------------------------------------------------


def test_watched_words_are_counted_by_line(tmp_path: Path) -> None:
    """In any case, with colours, one line for each word it holds."""
    text = merged(
        line(10, "WARN pool is full"),
        line(20, "INFO Database timeout"),
        line(30, "\x1b[33mwarning\x1b[0m: slow"),
        line(-10, "WARN before"),
        line(WINDOW.seconds, "WARN after"),
    )
    found = logs(write(tmp_path / "app.log", text)).watched_lines(WINDOW)
    assert found.parts == {"WARN": 2, "database": 1, "timeout": 1}
    assert found.total == 243


def test_beats_have_the_time_and_the_worker_of_their_line(tmp_path: Path) -> None:
    """One line a worker, whatever else is logged."""
    beats = [
        line(30 * i + shift, f"INFO heartbeat worker={name}")
        for i in range(480)
        for name, shift in (("dialer", 3), ("syncer", 11))
    ]
    jobs = Jobs(pattern=r"heartbeat worker=(?P<worker>\w+)")
    found = logs(write(tmp_path / "app.log", merged(*beats))).beats(WINDOW, jobs)
    assert {each.labels["worker"]: len(each.times) for each in found.lines} == {
        "dialer": 480,
        "syncer": 480,
    }
    assert found.lines[0].times[0] == WINDOW.start.timestamp() + 3
    without_a_word = Jobs(pattern=r"(?P<worker>d\w+)$")
    found = logs(tmp_path / "app.log").beats(WINDOW, without_a_word)
    assert len(found.lines[0].times) >= 480


# --- hostile ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hostile",
    [
        b"\x00" * 300_000 + b"\n",
        b"\xff\xfe\x80" * 50_000 + b"\n",
        b"A" * 9_000_000 + b"\n",
        b"{" * 200_000 + b"\n",
        b'{"time":' + b"9" * 100_000 + b"}\n",
        b"\x1b]0;title\x07\x1b[2J" * 1_000 + b"\n",
        b"=" * 100_000 + b"ts=" + b"\n",
        b"[" * 100_000 + b"2026-12-01T06:00:00Z\n",
        b'{"log":' * 9_000 + b"\n",
        b'{"a":' * 9_000 + b"\n",
        b"postgres://a:" * 20_000 + b"\n",
        b"\r\r\r" * 10_000 + b"\n",
        b"    at frame\n" * 60_000,
    ],
    ids=lambda each: repr(each[:12]),
)
def test_hostile_bytes_hide_no_error(tmp_path: Path, hostile: bytes) -> None:
    """They belong to the line before them; what follows is read, in bounded memory and time."""
    before, after = merged(end=3_000), "".join(steady(start=3_060))
    text = before.encode() + hostile + line(3_050, "ERROR boom").encode() + after.encode()
    path = write(tmp_path / "app.log", text)
    tracemalloc.start()
    began = time.monotonic()
    found = logs(path).error_lines(WINDOW)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "ERROR boom" in messages(found)
    assert time.monotonic() - began < 20
    assert most < 60e6
    assert all(len(each["message"]) <= 2_000 for each in found.items)


def test_zeros_that_a_truncation_left_are_skipped(tmp_path: Path) -> None:
    """A service that keeps its place in a truncated file leaves a gap before its next line."""
    path = tmp_path / "app.log"
    with path.open("wb") as file:
        file.seek(50_000_000)
        file.write(merged(line(600, "ERROR boom")).encode())
    os.utime(path, (NOW.timestamp(),) * 2)
    found = logs(path).error_lines(WINDOW)
    assert messages(found) == ["ERROR boom"]
    assert found.complete


def test_a_time_that_steps_back_is_a_gap(tmp_path: Path) -> None:
    """A clock that was set back: which lines are the window's is not known."""
    text = "".join(steady(end=9_000)) + "".join(steady(start=5_000))
    found = logs(write(tmp_path / "app.log", text)).error_lines(WINDOW)
    assert "the times in app.log step back" in str(found.about["missing"])


@pytest.mark.parametrize(
    ("make", "kind", "says"),
    [
        (lambda path: None, SourceLacks, "got no such file"),
        (lambda path: os.mkfifo(path), SourceMisread, "expected a regular file"),
        (lambda path: path.mkdir(), SourceMisread, "expected a regular file"),
        (lambda path: path.write_text("no time\n" * 9), SourceMisread, "date and a time, got none"),
        (
            lambda path: path.write_text("no time\n" * 200_000),
            SourceMisread,
            "begin with a date and a time",
        ),
    ],
)
def test_what_is_no_log_is_refused(
    tmp_path: Path, make: Callable[[Path], object], kind: type[SourceError], says: str
) -> None:
    """With what was expected; a pipe never blocks."""
    make(tmp_path / "app.log")
    with pytest.raises(kind, match=says) as refused:
        logs(tmp_path / "app.log").error_lines(WINDOW)
    assert refused.value.question is not None


def test_a_log_that_may_not_be_read_is_refused_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a missing right, never as an empty log."""
    path = write(tmp_path / "app.log", merged())
    real = os.open

    def denied(name: object, *more: object, **named: object) -> int:
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied")
        return real(name, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(SourceRefused, match="expected the right to read it"):
        logs(path).error_lines(WINDOW)


def test_its_budget_ends_a_reading(tmp_path: Path) -> None:
    """However large the log is."""
    path = write(tmp_path / "app.log", merged())
    with pytest.raises(SourceTimeout, match="within its budget of 0 s"):
        logs(path, budget_s=0.0).error_lines(WINDOW)


def test_rotations_meanwhile_lose_and_double_no_line(tmp_path: Path) -> None:
    """A log that is renamed, compressed and truncated while it is read."""
    path = rotated(tmp_path, ["app.log.2.gz", "app.log.1", "app.log"])
    stop = threading.Event()

    def rotate() -> None:
        while not stop.is_set():
            (tmp_path / "app.log.1").rename(tmp_path / "kept")
            (tmp_path / "kept").rename(tmp_path / "app.log.1")
            time.sleep(0.005)

    thread = threading.Thread(target=rotate)
    thread.start()
    answers = []
    try:
        for _ in range(20):
            with contextlib.suppress(SourceMisread):
                answers.append(logs(path).error_lines(WINDOW))
    finally:
        stop.set()
        thread.join()
    for found in answers:
        assert not found.complete or len(found.items) == 4
    assert len(logs(path).error_lines(WINDOW).items) == 4


def test_a_copy_in_the_making_is_read_once(tmp_path: Path) -> None:
    """copytruncate: for a short time both files contain the same lines."""
    path = write(tmp_path / "app.log", "".join(ENTRIES))
    whole = path.read_bytes()
    for share in (0.3, 1.0):
        write(tmp_path / "app.log.1", whole[: int(len(whole) * share)])
        assert len(logs(path).error_lines(WINDOW).items) == 4


# --- the journal ------------------------------------------------------------------------------

JOURNALCTL = """#!{python}
import json, sys
since = float([a for a in sys.argv if a.startswith("--since=@")][0][9:])
until = float([a for a in sys.argv if a.startswith("--until=@")][0][9:])
open({record!r}, "a").write(json.dumps(sys.argv[1:]) + "\\n")
if {fails!r}:
    sys.stderr.write({fails!r})
    sys.exit(1)
for entry in json.load(open({entries!r})):
    at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
    if since <= at <= until:
        print(json.dumps(entry))
"""


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Logs]:
    """A journalctl with these entries on the path."""

    def make(*entries: dict[str, object], fails: str = "", **more: object) -> Logs:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (tmp_path / "entries.json").write_text(json.dumps(entries))
        program = folder / "journalctl"
        program.write_text(
            JOURNALCTL.format(
                python=sys.executable,
                record=str(tmp_path / "asked"),
                entries=str(tmp_path / "entries.json"),
                fails=fails,
            )
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        at = LogsAt(journal="voice.service", **more)  # type: ignore[arg-type]
        return Logs(at, SteppingClock(NOW))

    return make


def entry(
    seconds: float, message: object, priority: str = "6", **more: object
) -> dict[str, object]:
    at = int((WINDOW.start.timestamp() + seconds) * 1e6)
    return {"__REALTIME_TIMESTAMP": str(at), "MESSAGE": message, "PRIORITY": priority, **more}


AROUND = (entry(-100, "INFO older"), entry(WINDOW.seconds + 100, "INFO younger"))


def test_the_journals_entries_are_its_lines(journal: Callable[..., Logs], tmp_path: Path) -> None:
    """By the journal's own time; the line's own level comes before its priority."""
    source = journal(
        *AROUND,
        entry(0, "ERROR first"),
        entry(1, "INFO fine", "3"),
        entry(2, "said without a level", "3"),
        entry(3, list(b"ERROR \xff bytes")),
        entry(4, "ERROR boom\n  at frame\nKeyError: 1"),
        entry(5, None),
        entry(WINDOW.seconds, "ERROR after"),
    )
    found = source.error_lines(WINDOW)
    assert [each["message"] for each in found.items] == [
        "ERROR first",
        "said without a level",
        "ERROR \ufffd bytes",
        "ERROR boom\n  at frame\nKeyError: 1",
    ]
    assert found.complete
    asked = json.loads((tmp_path / "asked").read_text().splitlines()[0])
    assert asked[:3] == ["--output=json", "--no-pager", "--quiet"]
    assert asked[-3:] == ["_SYSTEMD_UNIT=voice.service", "+", "MESSAGE_ID=" + scan_id()]


def scan_id() -> str:
    from hour24.witnesses.logs.journal import DROPPED

    return DROPPED


def test_entries_that_the_journal_dropped_are_a_gap(journal: Callable[..., Logs]) -> None:
    """Its rate limit says so itself, for this unit."""
    says = "Suppressed 93 messages from voice.service"
    dropped = entry(60, says, MESSAGE_ID=scan_id())
    others = entry(61, "Suppressed 7 messages from other.service", MESSAGE_ID=scan_id())
    found = journal(*AROUND, others, entry(30, "INFO x")).error_lines(WINDOW)
    assert found.complete
    found = journal(*AROUND, dropped, entry(30, "INFO x")).error_lines(WINDOW)
    assert "the journal dropped entries: Suppressed 93" in str(found.about["missing"])


@pytest.mark.parametrize(
    ("entries", "fails", "kind", "says"),
    [
        ((), "", SourceEmpty, "expected entries of voice.service"),
        ((AROUND[0],), "", SourceEmpty, "expected entries"),
        (
            (),
            "No journal files were opened due to insufficient permissions.",
            SourceRefused,
            "righ",
        ),
        ((), "Failed to open journal", SourceFailed, "journalctl ended with 1: Failed to open"),
        (
            (entry(600, "ERROR x"),),
            "",
            SourceIncomplete,
            "no entry before",
        ),
    ],
)
def test_a_journal_that_does_not_answer_is_silent(
    journal: Callable[..., Logs],
    entries: tuple[dict[str, object], ...],
    fails: str,
    kind: type[SourceError],
    says: str,
) -> None:
    """Each by its own words."""
    with pytest.raises(kind, match=says):
        journal(*entries, fails=fails).watched_lines(WINDOW)


def test_an_entry_that_is_nested_too_deeply_is_misread() -> None:
    """It is no crash."""
    with pytest.raises(SourceMisread, match="something else"):
        journals._decoded(b'{"MESSAGE":' * 9_000, "logs")


def test_a_machine_without_a_journal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As something that is not there."""
    monkeypatch.setenv("PATH", "/nowhere")
    source = Logs(LogsAt(journal="voice.service"), SteppingClock(NOW))
    with pytest.raises(SourceLacks, match="expected journalctl on this machine"):
        source.error_lines(WINDOW)
