"""Workers and the timetable."""

from __future__ import annotations

import threading
import time

from hour24.asking.workers import Timetable, Workers


def test_calls_come_in_order_and_on_time():
    """Whatever order they were asked in, calls come when they are due."""
    table = Timetable()
    begun = time.perf_counter()
    seen: list[tuple[int, float]] = []
    for number in (3, 1, 2):
        table.at(
            begun + 0.03 * number,
            lambda number=number: seen.append((number, time.perf_counter() - begun)),
        )
    table.run()
    assert [number for number, _ in seen] == [1, 2, 3]
    assert all(0.03 * number <= at < 0.03 * number + 0.2 for number, at in seen)


def test_an_earlier_call_wakes_it():
    """A call asked for from another thread, before the next one, is not late."""
    table = Timetable()
    begun = time.perf_counter()
    seen: list[float] = []
    table.at(begun + 0.4, table.end)
    timer = threading.Timer(
        0.05,
        lambda: table.at(time.perf_counter(), lambda: seen.append(time.perf_counter() - begun)),
    )
    timer.start()
    table.run()
    timer.join()
    assert len(seen) == 1
    assert seen[0] < 0.35


def test_it_ends_when_asked():
    """Ended from another thread, it returns at once."""
    table = Timetable()
    table.at(time.perf_counter() + 30, lambda: None)
    threading.Timer(0.05, table.end).start()
    begun = time.perf_counter()
    table.run()
    assert time.perf_counter() - begun < 1


def test_workers_do_not_wait_for_each_other():
    """Twenty calls that each wait are done side by side, then by the same threads again."""
    workers = Workers()
    begun = time.perf_counter()
    for _ in range(2):
        done = threading.Semaphore(0)
        for _ in range(20):
            assert workers.do(lambda done=done: (time.sleep(0.1), done.release())[0])
        for _ in range(20):
            assert done.acquire(timeout=2)
        time.sleep(0.02)
    assert time.perf_counter() - begun < 0.8
    assert sum(thread.name == "hour24 worker" for thread in threading.enumerate()) <= 60


def test_when_all_are_busy_it_says_so():
    """A call without a free worker is refused, not queued; later there is room again."""
    workers = Workers(most=2)
    gate = threading.Event()
    assert workers.do(gate.wait)
    assert workers.do(gate.wait)
    assert not workers.do(gate.wait)
    gate.set()
    time.sleep(0.05)
    assert workers.do(gate.wait)
