"""The prober's files: written, truncated, merged and added up."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from hour24 import probes
from hour24.errors import SourceMisread, SourceRefused
from hour24.evidence import from_plain, to_plain
from hour24.probes import Alarm, Drop, LineWriter, Minute, NoProber, read
from hour24.watch import Window

T0 = datetime(2026, 11, 24, 6, 17, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[1]


def line(minute: int = 0, probe: str = "health", kind: str = "health", **more: object) -> Minute:
    """A minute of six good probes, ten seconds apart."""
    fields = {
        "interval_s": 10.0,
        "phase_s": 3.0,
        "due": 6,
        "statuses": {"200": 6},
        "latency": {"120": 6},
        **more,
    }
    return Minute(probe=probe, kind=kind, minute=T0 + timedelta(minutes=minute), **fields)


def write(folder: Path, *lines: Minute, name: str = "a-1") -> Path:
    writer = LineWriter(folder / f"{name}.jsonl")
    writer.write(*lines)
    writer.close()
    return writer.path


def hours(start: float, end: float) -> Window:
    return Window(T0 + timedelta(hours=start), T0 + timedelta(hours=end))


def minutes(start: float, end: float) -> Window:
    return hours(start / 60, end / 60)


def test_a_window_that_was_wholly_watched(tmp_path):
    """Ten good minutes give full coverage, no gap and every latency."""
    write(tmp_path, *(line(m, uptimes=[(3.1, 100.0 + 60 * m, "a")]) for m in range(10)))
    seen = read(tmp_path, minutes(0, 10))
    health = seen.probes("health", minutes(0, 10))
    assert (health.due, health.kept, health.bad, health.gaps) == (60, 60, 0, ())
    assert len(health.uptimes) == 10
    assert health.uptimes[1].at == pytest.approx(T0.timestamp() + 63.1)
    assert health.statuses == {"200": 60}
    times = seen.latencies("health", minutes(0, 10))
    assert times.n == 60
    assert [(b.start, b.seconds) for b in times.blocks] == [(T0.timestamp(), 600)]
    assert from_plain(to_plain(health)) == health
    assert from_plain(to_plain(times)) == times
    assert seen.last_line == T0 + timedelta(minutes=10) == probes.last_line(tmp_path)


def test_no_line_is_no_prober(tmp_path):
    """Without a line the answer is no_prober, and says how to start one."""
    with pytest.raises(NoProber, match="python -m hour24 probe") as caught:
        read(tmp_path / "absent", hours(0, 4))
    assert caught.value.code == "no_prober"
    write(tmp_path, line(0))
    with pytest.raises(NoProber):
        read(tmp_path, hours(1, 4))
    with pytest.raises(NoProber, match="calls"):
        read(tmp_path, hours(0, 4)).probes("calls", hours(0, 4))
    assert probes.last_line(tmp_path / "absent") is None


def test_what_is_due_follows_from_the_window(tmp_path):
    """Hours without a prober are due and not kept, and a gap with both its ends."""
    write(tmp_path, *(line(m) for m in (*range(5), *range(20, 30))))
    health = read(tmp_path, minutes(0, 60)).probes("health", minutes(0, 60))
    start = T0.timestamp()
    assert (health.due, health.kept) == (360, 90)
    assert health.gaps == ((start + 293, start + 1203), (start + 1793, start + 3600))


def test_missed_slots_make_a_gap_only_beyond_an_interval(tmp_path):
    """One missed slot is a gap of two intervals; none missed is no gap."""
    write(tmp_path, line(0, missed=[2], statuses={"200": 5}, latency={"120": 5}), line(1))
    health = read(tmp_path, minutes(0, 2)).probes("health", minutes(0, 2))
    start = T0.timestamp()
    assert (health.due, health.kept, health.gaps) == (12, 11, ((start + 13, start + 33),))


def test_a_failure_lasts_until_the_first_good_probe(tmp_path):
    """A lone failure lasted 0 s; the first of three lasted three intervals."""
    write(
        tmp_path,
        line(0, failed={"503": [1]}, statuses={"200": 5, "503": 1}),
        line(1, failed={"timeout": [2, 3], "schema: /database: expected true": [4]}),
        line(2, failed={"503": [5]}),
    )
    health = read(tmp_path, minutes(0, 3)).probes("health", minutes(0, 3))
    assert [(f.reason, f.lasted_s) for f in health.failures] == [
        ("503", 0),
        ("timeout", 30),
        ("timeout", 20),
        ("schema: /database: expected true", 0),
        ("503", 10),
    ]
    assert health.bad == 5
    assert health.failures[0].at == T0.timestamp() + 13
    assert all(f.control is None for f in health.failures)


def test_limited_is_no_sample(tmp_path):
    """A slot answered 429 is neither kept nor failed, and no sample of the responses."""
    write(tmp_path, line(0, limited=[0, 1], statuses={"200": 4, "429": 2}, latency={"120": 4}))
    seen = read(tmp_path, minutes(0, 1))
    health = seen.probes("health", minutes(0, 1))
    assert (health.kept, health.bad, health.limited) == (4, 0, 2)
    responses = seen.responses(minutes(0, 1))
    assert (responses.total, responses.bad) == (4, 0)
    assert "429" in responses.note
    assert seen.latencies("health", minutes(0, 1)).limited == 2


def test_responses_count_5xx_and_no_answer(tmp_path):
    """503 and a timeout count against production, 404 does not; the control address never."""
    write(
        tmp_path,
        line(0, failed={"503": [0], "timeout": [1]}, statuses={"200": 4, "503": 1, "timeout": 1}),
        line(0, "calls", "endpoint", failed={"404": [0]}, statuses={"200": 5, "404": 1}),
        line(0, "control", "control", failed={"timeout": [5]}, statuses={"200": 5, "timeout": 1}),
    )
    responses = read(tmp_path, minutes(0, 1)).responses(minutes(0, 1))
    assert (responses.total, responses.bad) == (12, 2)
    assert responses.parts == {"200": 9, "404": 1, "503": 1, "timeout": 1}
    assert responses.basis == "sample"


def test_a_refusal_of_our_credential_is_no_sample(tmp_path):
    """401 and 403 are neither good nor bad, and are reported; an expected one is good."""
    write(
        tmp_path,
        line(0, failed={"401": [0], "503": [1]}, statuses={"200": 4, "401": 1, "503": 1}),
        line(0, "calls", "endpoint", statuses={"403": 6}),
        line(
            0,
            "hooks",
            "endpoint",
            failed={"403": [0, 1, 2, 3]},
            limited=[4],
            statuses={"403": 4, "429": 1, "200": 1},
        ),
    )
    seen = read(tmp_path, minutes(0, 1))
    responses = seen.responses(minutes(0, 1))
    assert (responses.total, responses.bad) == (12, 1)
    assert responses.parts == {"200": 5, "403": 6, "503": 1}
    assert "5 answered 401 or 403 to us and are no samples" in responses.note
    hooks = seen.latencies("hooks", minutes(0, 1))
    assert (hooks.censored, hooks.bad, hooks.refused, hooks.limited) == (0, {}, 4, 1)
    assert seen.latencies("health", minutes(0, 1)).bad == {"503": 1}


def test_a_credential_that_every_endpoint_refuses_is_no_error_rate(tmp_path):
    """480 times 401 are not 480 requests that did not fail."""
    write(tmp_path, line(0, failed={"401": [0, 1, 2, 3, 4, 5]}, statuses={"401": 6}, latency={}))
    with pytest.raises(SourceRefused, match="got 401 or 403 to 6 probes; see the endpoints' head"):
        read(tmp_path, minutes(0, 1)).responses(minutes(0, 1))


def test_failures_of_our_own_network_are_counted_separately(tmp_path):
    """A probe without answer while the control address has none either is no bad response."""
    dead = {"due": 6, "statuses": {"unreachable": 6}, "latency": {}}
    write(
        tmp_path,
        line(0),
        line(1, failed={"unreachable": [0, 1, 2, 3, 4, 5]}, **dead),
        line(2, failed={"503": [0]}, statuses={"200": 5, "503": 1}, latency={"120": 5}),
        line(0, "control", "control"),
        line(1, "control", "control", failed={"unreachable": [0, 1, 2, 3, 4, 5]}, **dead),
        line(2, "control", "control"),
    )
    seen = read(tmp_path, minutes(0, 3))
    health = seen.probes("health", minutes(0, 3))
    assert [(f.reason, f.control) for f in health.failures] == [("unreachable", False)] * 6 + [
        ("503", True)
    ]
    assert health.statuses == {"200": 11, "503": 1, "no network": 6}
    responses = seen.responses(minutes(0, 3))
    assert (responses.total, responses.bad) == (12, 1)
    assert seen.latencies("health", minutes(0, 3)).censored == 1


def test_two_probers_join_their_coverage_and_add_their_histograms(tmp_path):
    """Handing over with an overlap leaves no gap; where both probed, the samples add."""
    write(tmp_path, *(line(m) for m in range(6)), name="a-1")
    write(tmp_path, *(line(m, latency={"150": 6}) for m in range(4, 10)), name="b-2")
    seen = read(tmp_path, minutes(0, 10))
    health = seen.probes("health", minutes(0, 10))
    assert (health.due, health.kept, health.gaps) == (60, 60, ())
    times = seen.latencies("health", minutes(0, 10))
    assert times.merged() == {120: 36, 150: 36}
    assert seen.files == ("a-1.jsonl", "b-2.jsonl")


@pytest.mark.parametrize("first", ["a", "b"])
def test_a_second_prober_cannot_turn_red_into_green(tmp_path, first):
    """A slot that one prober saw fail has failed, in whichever order the files are read."""
    bad = line(0, failed={"503": [2]}, statuses={"200": 5, "503": 1})
    other = "b" if first == "a" else "a"
    write(tmp_path, bad, name=first)
    write(tmp_path, line(0), name=other)
    health = read(tmp_path, minutes(0, 1)).probes("health", minutes(0, 1))
    assert (health.kept, health.bad) == (6, 1)


@pytest.mark.parametrize("first", ["a", "b"])
def test_a_prober_without_a_network_cannot_turn_green_into_red(tmp_path, first):
    """What one prober's dead network hid, another prober's good answer shows."""
    dead = {"failed": {"timeout": [0, 1, 2, 3, 4, 5]}, "statuses": {"timeout": 6}, "latency": {}}
    other = "b" if first == "a" else "a"
    write(tmp_path, line(0, **dead), line(0, "control", "control", **dead), name=first)
    write(tmp_path, line(0), line(0, "control", "control"), name=other)
    health = read(tmp_path, minutes(0, 1)).probes("health", minutes(0, 1))
    assert (health.kept, health.bad) == (6, 0)


def test_an_interval_that_changed(tmp_path):
    """After a restart with another interval the newest counts; older probes fill its slots."""
    slow = {"interval_s": 20.0, "phase_s": 3.0, "due": 3, "latency": {"120": 3}}
    write(tmp_path, *(line(m) for m in range(5)), *(line(m, **slow) for m in range(5, 10)))
    health = read(tmp_path, minutes(0, 10)).probes("health", minutes(0, 10))
    assert (health.interval_s, health.due, health.kept, health.gaps) == (20.0, 30, 30, ())


def test_an_endpoint_named_health_is_not_the_health_check(tmp_path):
    """Probes of health are the check's, latencies of health the endpoint's."""
    write(
        tmp_path,
        line(0),
        line(0, "health", "endpoint", interval_s=30.0, due=2, latency={"99": 2}),
    )
    seen = read(tmp_path, minutes(0, 1))
    assert seen.probes("health", minutes(0, 1)).interval_s == 10.0
    assert seen.latencies("health", minutes(0, 1)).merged() == {99: 2}


def test_a_window_between_blocks_is_exact(tmp_path):
    """A window with edges inside blocks of ten minutes is added up exactly."""
    write(tmp_path, *(line(m, latency={str(m): 6}) for m in range(30)))
    seen = read(tmp_path, minutes(0, 30))
    times = seen.latencies("health", minutes(7, 19))
    assert sorted(times.merged()) == list(range(7, 19))
    assert seen.probes("health", minutes(7, 19)).statuses == {"200": 72}


def test_websocket_lines_add_up(tmp_path):
    """Connections, drops, refusals and connection seconds add over the minutes."""
    hold = {"interval_s": 60.0, "phase_s": 0.0, "due": 1, "statuses": {}, "latency": {}}
    write(
        tmp_path,
        line(0, "websocket", "websocket", opened=3, held_s=170.0, **hold),
        line(
            1,
            "websocket",
            "websocket",
            opened=2,
            refused=1,
            dropped=[Drop(4.2, 1006, 64.2), Drop(9.0, 1011, 5.0)],
            held_s=150.5,
            failed={"not connected": [0]},
            **hold,
        ),
    )
    held = read(tmp_path, minutes(0, 2)).probes("websocket", minutes(0, 2))
    assert (held.connections, held.drops, held.refused, held.held_s) == (5, 2, 1, 320.5)
    assert (held.due, held.kept, held.bad) == (2, 2, 1)


def test_thousands_of_uptimes_are_thinned_and_no_start_is_lost(tmp_path):
    """A day of readings of two instances, one restarted, comes out as a few hundred."""
    begun = T0.timestamp() - 5000
    lines = []
    for minute in range(24 * 60):
        readings = []
        for slot in range(6):
            at = 60 * minute + 10 * slot + 3
            number = (6 * minute + slot) % 2
            start = T0.timestamp() + 40_005 if number and at > 40_010 else begun + number
            readings.append((10 * slot + 3.0, T0.timestamp() + at - start, f"i{number}"))
        lines.append(line(minute, uptimes=readings))
    write(tmp_path, *lines)
    seen = read(tmp_path, hours(0, 24))
    assert len(seen.probes("health", hours(0, 4)).uptimes) == 1440
    whole = seen.probes("health", hours(0, 24)).uptimes
    assert 500 < len(whole) < 700
    assert {round(each.at - each.uptime_s - begun) for each in whole} == {0, 1, 45_005}
    first = next(each for each in whole if each.uptime_s < 20)
    assert first.at - T0.timestamp() == 40_013
    assert whole[-1].at - T0.timestamp() == 24 * 3600 - 7
    assert [each.at for each in whole] == sorted(each.at for each in whole)


def test_our_own_network_drops_no_websocket(tmp_path):
    """A connection that broke while the control address was silent is not the service's drop."""
    hold = {"interval_s": 60.0, "phase_s": 0.0, "due": 1, "statuses": {}, "latency": {}}
    dead = {"failed": {"timeout": [0, 1, 2]}, "statuses": {"200": 3, "timeout": 3}}
    write(
        tmp_path,
        line(0, "websocket", "websocket", opened=3, dropped=[Drop(40.0, 1006)], **hold),
        line(1, "websocket", "websocket", refused=2, dropped=[Drop(25.0, 1011)], **hold),
        line(2, "websocket", "websocket", failed={"not connected": [0]}, refused=1, **hold),
        line(0, "control", "control"),
        line(1, "control", "control", **dead),
        line(2, "control", "control"),
    )
    held = read(tmp_path, minutes(0, 3)).probes("websocket", minutes(0, 3))
    assert (held.drops, held.refused) == (1, 1)
    assert "3 WebSocket drops and refusals while our own network was down" in held.note
    assert [failure.control for failure in held.failures] == [True]


def test_only_the_torn_last_line_is_dropped(tmp_path):
    """Cut anywhere, a file loses its last line and nothing else."""
    path = write(tmp_path, line(0), line(1, uptimes=[(1.5, 12.25, "a")], failed={"503": [1]}))
    data = path.read_bytes()
    whole = data.index(b"\n") + 1
    for cut in range(whole, len(data) + 1):
        path.write_bytes(data[:cut])
        health = read(tmp_path, minutes(0, 2)).probes("health", minutes(0, 2))
        assert health.kept == (12 if cut >= len(data) - 1 else 6), cut
        assert probes.last_line(tmp_path) == T0 + timedelta(minutes=2 if health.kept > 6 else 1)
    path.write_bytes(data[: whole + 50] + bytes(400))
    assert read(tmp_path, minutes(0, 2)).probes("health", minutes(0, 2)).kept == 6


def test_a_writer_goes_on_after_a_torn_end(tmp_path):
    """A new line after a truncated end is read; the truncated one is not."""
    path = write(tmp_path, line(0), line(1))
    path.write_bytes(path.read_bytes()[:-30])
    write(tmp_path, line(2))
    health = read(tmp_path, minutes(0, 3)).probes("health", minutes(0, 3))
    assert health.kept == 12
    assert path.read_bytes().endswith(b"}\n")


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b"hello\n", "malformed"),
        (b'{"v":1,"probe":"health","kind":"health"}\n', "missing required field `minute`"),
        (b'{"v":2}\n', "Invalid value 2"),
        (b'{"v":1,"probe":1}\n', "Expected `str`"),
        (b"[]\n", "Expected `object`"),
    ],
)
def test_a_whole_line_that_cannot_be_read_is_not_skipped(tmp_path, bad, says):
    """Damage that no kill explains is refused by file and line."""
    path = write(tmp_path, line(0))
    path.write_bytes(path.read_bytes() + bad)
    write(tmp_path, line(1))
    with pytest.raises(SourceMisread, match=r"probe/a-1\.jsonl: line 2: expected") as caught:
        read(tmp_path, minutes(0, 3))
    assert says in str(caught.value)


@pytest.mark.parametrize("wrong", [{"failed": {"503": [6]}}, {"missed": [9]}, {"limited": [6]}])
def test_slots_that_cannot_be_are_refused(tmp_path, wrong):
    """A slot beyond those due is damage."""
    write(tmp_path, line(0, **wrong))
    with pytest.raises(SourceMisread, match="expected slots from 0 to 5"):
        read(tmp_path, minutes(0, 3))


KILLED = """
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from hour24.probes import LineWriter, Minute

writer = LineWriter(Path(sys.argv[1]))
minute = datetime(2026, 11, 24, 6, 17, tzinfo=UTC)
while True:
    writer.write(Minute(probe="health", kind="health", minute=minute, interval_s=10.0, due=6))
    print(minute.isoformat(), flush=True)
    minute += timedelta(minutes=1)
"""


def test_a_kill_loses_no_line_that_was_written(tmp_path):
    """After a kill at any time, every acknowledged line is there."""
    for number in range(5):
        path = tmp_path / f"killed-{number}.jsonl"
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, cwd=ROOT, text=True
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.02 + 0.013 * number)
            process.send_signal(signal.SIGKILL)
            printed = 1 + len(process.stdout.read().split())
        seen = read(tmp_path, hours(0, 24))
        write(tmp_path, line(23 * 60, phase_s=0.0), name=path.stem)
        assert seen.probes("health", hours(0, 24)).kept >= 6 * min(printed, 24 * 60)
        path.unlink()


def test_a_line_is_on_the_disk_when_it_is_written(tmp_path, monkeypatch):
    """Every write is synced, after its last byte."""
    synced = []
    writer = LineWriter(tmp_path / "a-1.jsonl")
    monkeypatch.setattr(
        probes.lines.os, "fsync", lambda file: synced.append(os.fstat(file).st_size)
    )
    sizes = []
    for minute in range(3):
        writer.write(line(minute))
        sizes.append(writer.path.stat().st_size)
    writer.close()
    assert synced == sizes


def test_alarms_are_kept_apart_and_survive(tmp_path):
    """Alarms are in a separate folder, oldest first, and are not read as a prober's file."""
    writer = LineWriter(tmp_path / "a-1.jsonl")
    for minute in (5, 3):
        writer.alarm(
            Alarm(at=T0 + timedelta(minutes=minute), rule="error_rate", since=T0, says="6 of 20")
        )
    writer.close()
    assert [alarm.at.minute for alarm in probes.alarms(tmp_path)] == [20, 22]
    assert [path.name for path in tmp_path.glob("*.jsonl")] == ["a-1.jsonl"]
    assert probes.alarms(tmp_path / "absent") == ()


@pytest.mark.parametrize("seed", range(8))
def test_summaries_agree_with_a_plain_count(tmp_path, seed):
    """Random probers, restarts and outages: slots come out as a slow, plain count says."""
    rng = random.Random(seed)
    interval = rng.choice([1.0, 7.0, 10.0, 45.0, 90.0])
    phase = round(rng.uniform(0, interval), 3) if rng.random() < 0.8 else 0.0
    truth: dict[int, int] = {}
    samples = 0
    for number in range(3):
        lines = []
        for minute in range(rng.randrange(30), rng.randrange(30, 60)):
            at = T0.timestamp() + 60 * minute
            slots = list(probes.lines.slots_in(at, interval, phase))
            first = rng.randrange(len(slots) + 1) if rng.random() < 0.2 else 0
            fate = {i: rng.choice("ggggggfml") for i in range(first, len(slots))}
            picked = {f: [i for i in fate if fate[i] == f] for f in "fml"}
            samples += sum(f == "g" for f in fate.values())
            for i, f in fate.items():
                known = truth.get(slots[i], 0)
                truth[slots[i]] = max(known, {"m": 0, "l": 1, "g": 2, "f": 3}[f])
            lines.append(
                line(
                    minute,
                    interval_s=interval,
                    phase_s=phase,
                    first=first,
                    due=len(slots) - first,
                    missed=picked["m"],
                    limited=picked["l"],
                    failed={"503": picked["f"]} if picked["f"] else {},
                    latency={"120": len(slots) - first - sum(map(len, picked.values()))},
                )
            )
        write(tmp_path, *lines, name=f"p-{number}")
    seen = read(tmp_path, minutes(0, 60))
    health = seen.probes("health", minutes(0, 60))
    start, end = T0.timestamp(), T0.timestamp() + 3600
    all_due = range(int(start / interval) - 2, int(end / interval) + 3)
    due = [k for k in all_due if start - 1e-7 <= k * interval + phase < end - 1e-7]
    kept = [k * interval + phase for k in due if truth.get(k, 0) >= 2]
    looks = [start, *kept, end]
    gaps = [(a, b) for a, b in pairwise(looks) if b - a > interval + 1e-6]
    assert (health.due, health.kept) == (len(due), len(kept))
    assert health.bad == sum(truth.get(k, 0) == 3 for k in due)
    assert health.limited == sum(truth.get(k, 0) == 1 for k in due)
    assert health.gaps == tuple(
        (pytest.approx(a, abs=2e-3), pytest.approx(b, abs=2e-3)) for a, b in gaps
    )
    assert seen.latencies("health", minutes(0, 60)).n == samples
