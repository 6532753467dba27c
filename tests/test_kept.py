"""Which kept answers are taken, and when the prober has them asked."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from hour24.checkpoint.kept import Asked, Keeper, blind_names, find, own_name, plain_of
from hour24.clock import SteppingClock
from hour24.evidence import Document, Evidence, Question, Total, Unanswered
from hour24.prober import Asker
from hour24.watch import Watch

T0 = datetime(2026, 3, 2, 6, tzinfo=UTC)
WATCH = Watch(name="w", t0=T0)
DUE = WATCH.checkpoint(8).due


def asked(folder: Path, **changes: Any) -> Asked:
    fields: dict[str, Any] = {
        "folder": folder,
        "watch": WATCH,
        "checkpoint": WATCH.checkpoint(8),
        "digest": "d",
        "watched": {"health.url": "https://a.example"},
    }
    return Asked(**{**fields, **changes})


def answer(after_s: float = 1.0, value: float = 1.0) -> Total:
    at = DUE + timedelta(seconds=after_s)
    return Total(question=Question(source="own", asked="SELECT 1", at=at), value=value, unit="")


def unanswered(code: str, after_s: float = 1.0) -> Unanswered:
    return Unanswered(question=answer(after_s).question, code=code, reason=f"it was {code}")


def control(after_s: float = 1.0, *, status: int = 200, ahead_s: float = 0.0) -> Document:
    """The control address, whose clock is ``ahead_s`` behind ours."""
    at = DUE + timedelta(seconds=after_s)
    return Document(
        question=Question(source="health", asked="GET", at=at),
        status=status,
        body={},
        silent=not status,
        server_date=at - timedelta(seconds=ahead_s) if status else None,
    )


def keep(
    folder: Path, *answers: tuple[str, Evidence], jumped_s: float = 0.0, **changes: Any
) -> None:
    keeper = Keeper(asked(folder, **changes), jumped_s)
    for name, each in answers:
        plain, by_endpoint = plain_of(each)
        ended = each.question.at + timedelta(seconds=1)
        keeper.keep(name, plain, each=by_endpoint, ended=ended)
    keeper.close()
    # another process has another file
    keeper.path.rename(keeper.path.with_name(f"hour08.{time.monotonic_ns()}.jsonl"))


def value(folder: Path, name: str = "disk") -> float | str:
    """The value that is taken, or why none is."""
    found, why = find(asked(folder), name)
    if found is None:
        return why
    assert not isinstance(found, dict)
    return found.value if isinstance(found, Total) else f"{getattr(found, 'code', 'document')}"


def test_an_answer_is_taken_with_the_time_at_which_it_was_asked_for(tmp_path: Path) -> None:
    keep(tmp_path, ("disk", answer(value=7.0)))
    found, _ = find(asked(tmp_path), "disk")
    assert isinstance(found, Total)
    assert found.value == 7.0
    assert found.question.at == DUE + timedelta(seconds=1)
    assert found.note.startswith("asked for at 2026-03-02 14:00:01Z, when it was due, by ")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"watch": Watch(name="other", t0=T0)}, "of another watch"),
        ({"watch": Watch(name="w", t0=T0 + timedelta(minutes=1))}, "of another watch"),
        ({"digest": "e"}, "of another production.toml"),
        ({"watched": {"health.url": "https://b.example"}}, "of another production.toml"),
    ],
)
def test_one_of_another_watch_or_production_is_not_taken(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    """Though it was asked for at the right time."""
    keep(tmp_path, ("disk", answer()), **changes)
    assert says in str(value(tmp_path))


def test_one_of_another_checkpoint_is_not_taken(tmp_path: Path) -> None:
    """Nor when its file is renamed."""
    keep(tmp_path, ("disk", answer()))
    (path,) = (tmp_path / "due").glob("*.jsonl")
    point = WATCH.checkpoint(12)
    found = asked(tmp_path, checkpoint=point)
    assert find(found, "disk") == (None, "")
    path.rename(path.with_name("hour12.x.jsonl"))
    taken, why = find(found, "disk")
    assert taken is None
    assert "of another watch" in why


@pytest.mark.parametrize("after_s", [-1.0, 1801.0])
def test_one_asked_for_before_the_due_time_or_after_the_tolerance_is_not_taken(
    tmp_path: Path, after_s: float
) -> None:
    keep(tmp_path, ("disk", answer(after_s)))
    assert "not within the tolerance" in str(value(tmp_path))


@pytest.mark.parametrize(
    ("jumped_s", "taken"), [(3600.0, False), (-3600.0, False), (30.0, True), (0.0, True)]
)
def test_one_of_a_machine_whose_clock_jumped_is_not_taken(
    tmp_path: Path, jumped_s: float, taken: bool
) -> None:
    """Unless it was asked for in time by both clocks, or the jump is within what clocks differ."""
    keep(tmp_path, ("disk", answer(5.0)), jumped_s=jumped_s)
    assert (value(tmp_path) == 1.0) is taken


def test_a_jump_that_leaves_it_within_the_tolerance_changes_nothing(tmp_path: Path) -> None:
    keep(tmp_path, ("disk", answer(900.0)), jumped_s=600.0)
    assert value(tmp_path) == 1.0


@pytest.mark.parametrize(("ahead_s", "taken"), [(600.0, False), (20.0, True), (-900.0, True)])
def test_one_of_a_machine_whose_clock_no_server_shares_is_not_taken(
    tmp_path: Path, ahead_s: float, taken: bool
) -> None:
    """Two machines ten minutes apart: asked for at 14:00:05 here, 13:50:05 there."""
    keep(tmp_path, ("disk", answer(5.0)), ("control", control(5.0, ahead_s=ahead_s)))
    assert (value(tmp_path) == 1.0) is taken


def test_a_server_whose_clock_is_wrong_alone_refuses_nothing(tmp_path: Path) -> None:
    """The service's own clock agrees with ours; the control address is an hour off."""
    keep(
        tmp_path,
        ("disk", answer(5.0)),
        ("control", control(5.0, ahead_s=3600.0)),
        ("health_document", control(5.0)),
    )
    assert value(tmp_path) == 1.0


def test_a_second_attempt_answers_for_a_blind_first_one(tmp_path: Path) -> None:
    keep(tmp_path, ("disk", unanswered("source_unreachable")))
    assert value(tmp_path) == "source_unreachable"
    assert blind_names(asked(tmp_path), ["disk"]) == {"disk"}
    keep(tmp_path, ("disk", answer(301.0, value=2.0)))
    assert value(tmp_path) == 2.0
    assert blind_names(asked(tmp_path), ["disk"]) == set()


def test_a_refusal_by_the_database_is_an_answer_that_no_second_one_hides(tmp_path: Path) -> None:
    keep(tmp_path, ("disk", unanswered("login_refused")))
    keep(tmp_path, ("disk", answer(301.0)))
    assert value(tmp_path) == "login_refused"


def test_while_our_network_is_down_the_service_has_not_answered(tmp_path: Path) -> None:
    silent = structs.replace(control(status=0), problem="no answer in time")
    keep(tmp_path, ("health_document", silent), ("control", silent))
    assert blind_names(asked(tmp_path), ["health_document"]) == {"health_document"}
    keep(tmp_path, ("health_document", control(301.0)), ("control", control(301.0)))
    found, _ = find(asked(tmp_path), "health_document")
    assert isinstance(found, Document)
    assert found.status == 200


def test_a_silent_service_is_an_answer_while_the_control_address_answers(tmp_path: Path) -> None:
    silent = structs.replace(control(status=0), problem="no answer in time")
    keep(tmp_path, ("health_document", silent), ("control", control()))
    keep(tmp_path, ("health_document", control(301.0)), ("control", control(301.0)))
    found, _ = find(asked(tmp_path), "health_document")
    assert isinstance(found, Document)
    assert found.silent


def test_a_torn_last_line_is_dropped_and_no_other(tmp_path: Path) -> None:
    keep(tmp_path, ("disk", answer()))
    (path,) = (tmp_path / "due").glob("*.jsonl")
    with path.open("ab") as file:
        file.write(path.read_bytes()[:40])
    assert value(tmp_path) == 1.0


def test_a_question_of_a_custom_criterion_has_the_name_of_what_it_asks_for() -> None:
    """And shows none of it: a statement may hold a secret."""
    assert own_name("sql", "SELECT 1", "", False) == own_name("sql", "SELECT 1", "", False)
    assert own_name("sql", "SELECT 1", "", False) != own_name("sql", "SELECT 2", "", False)
    assert "SELECT" not in own_name("sql", "SELECT 1", "", False)


# --- the asker --------------------------------------------------------------------------------


@dataclass
class Book:
    """A ledger: hours that are recorded, and hours that are being recorded."""

    recorded: set[int] = field(default_factory=set)
    locked: set[int] = field(default_factory=set)

    def latest(self, hour: int) -> object | None:
        return hour if hour in self.recorded else None

    def is_locked(self, hour: int) -> bool:
        return hour in self.locked


def attended(
    tmp_path: Path, clock: SteppingClock, moments: list[datetime], code: int, book: Book
) -> list[str]:
    """What an asker has asked at each of these times, with a process that ends with this code."""
    said: list[str] = []
    command = [sys.executable, "-c", f"import sys; print('it says why'); sys.exit({code})"]
    asker = Asker(WATCH, book, clock, lambda hour: command, str(tmp_path), said.append)
    asker.close()  # its thread: each time is handled here
    for time_ in moments:
        clock.step_to(time_)
        asker.attend()
    return said


def at(*minutes: float) -> list[datetime]:
    return [T0 + timedelta(minutes=each) for each in minutes]


def test_each_checkpoint_is_asked_for_once_when_it_is_due(tmp_path: Path) -> None:
    clock = SteppingClock(T0 - timedelta(minutes=5))
    said = attended(tmp_path, clock, at(-1, 0, 1, 10, 239, 240, 250), 0, Book())
    kept = "asked what exists only now, and kept the answers"
    assert said == [f"hour 0: {kept}", f"hour 4: {kept}"]


@pytest.mark.parametrize("code", [10, -9, 12])
def test_a_blind_or_killed_attempt_is_made_once_more_after_five_minutes(
    tmp_path: Path, code: int
) -> None:
    clock = SteppingClock(T0)
    command_code = code if code > 0 else 137
    said = attended(tmp_path, clock, at(0, 1, 4, 5.5, 12, 20), command_code, Book())
    assert len(said) == 2
    assert "hour 0: " in said[1]


def test_what_another_process_asks_is_not_asked_twice(tmp_path: Path) -> None:
    """A checkpoint that is being recorded, or is recorded; it asks by itself."""
    clock = SteppingClock(T0)
    book = Book(locked={0})
    assert attended(tmp_path, clock, at(0, 1), 0, book) == []
    book = Book(recorded={0})
    assert attended(tmp_path, SteppingClock(T0), at(0, 1), 0, book) == []


def test_a_checkpoint_whose_run_left_no_record_is_asked_for_after_it(tmp_path: Path) -> None:
    book = Book(locked={0})
    clock = SteppingClock(T0)
    assert attended(tmp_path, clock, at(0), 0, book) == []
    book.locked.clear()
    assert len(attended(tmp_path, clock, at(3), 0, book)) == 1


def test_after_the_tolerance_nothing_is_asked(tmp_path: Path) -> None:
    assert attended(tmp_path, SteppingClock(T0), at(31), 0, Book()) == []
