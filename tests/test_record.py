"""Records: their bytes, their form, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from hour24.errors import LedgerError
from hour24.evidence import Question
from hour24.ledger import canonical, record
from hour24.ledger.record import Judged, Link, Prober, Record, Shown, Vantage
from hour24.verdict import Scale
from hour24.watch import Window
from tests import small_watch as small

BEFORE = Link(file="watch.json", sha256="0" * 64)


def one(**changes: Any) -> Record:
    kept = (small.judged("DB-POOL", 8),)
    fields: dict[str, Any] = {"previous": BEFORE, "criteria": kept}
    return small.changed(small.record(8), **{**fields, **changes})


def test_a_record_comes_back_equal_from_its_bytes() -> None:
    """What was written is what is read, evidence, objectives and times included."""
    first = record.parse(record.canonical(one()), "hour08.a1.json")
    assert record.parse(record.canonical(first), "hour08.a1.json") == first
    assert first.criteria[0].figures == {"ratio": 0.0, "total": 300.0}
    assert first.started == one().started


def test_an_answer_of_several_criteria_is_stored_once() -> None:
    """Their evidence has its position; read again, each of them has the answer."""
    first = one().criteria[0]
    both = (first, small.changed(first, subject="again"))
    data = record.canonical(one(criteria=both))
    content = json.loads(data)
    assert len(content["answers"]) == 1
    assert [each["evidence"] for each in content["criteria"]] == [{"counts": 0}] * 2
    assert record.parse(data, "hour08.a1.json") == record.from_content(
        record.with_evidence(content, "hour08.a1.json"), "hour08.a1.json"
    )
    read = [each.evidence for each in record.parse(data, "hour08.a1.json").criteria]
    assert read == [{"counts": content["answers"][0]}] * 2


def test_a_record_that_repeats_its_answers_is_read() -> None:
    """Format 1 has each answer in each criterion."""
    content = json.loads(record.canonical(one()))
    repeated = record.with_evidence(content, "hour08.a1.json")
    assert "answers" not in repeated
    data = json.dumps(repeated).encode()
    assert record.parse(data, "hour08.a1.json") == record.parse(
        record.canonical(one()), "hour08.a1.json"
    )


def test_one_content_has_one_form() -> None:
    """Sorted, without spaces, ASCII, one newline at the end, whatever the order it was made in."""
    data = record.canonical(
        one(notes=("größer\u202e",), service={"name": "a", "environment": "b", "release": ""})
    )
    other = record.canonical(
        one(notes=("größer\u202e",), service={"release": "", "environment": "b", "name": "a"})
    )
    assert data == other
    assert data.isascii()
    assert data.count(b"\n") == 1
    assert data.endswith(b"}\n")
    again = json.dumps(json.loads(data), sort_keys=True, separators=(",", ":")).encode() + b"\n"
    assert data == again


def test_times_are_in_utc() -> None:
    """A time of another zone is the same time with Z."""
    tehran = timezone(timedelta(hours=3, minutes=30))
    data = record.canonical(one(started=one().started.astimezone(tehran)))
    assert json.loads(data)["started"] == "2025-12-21T19:17:00Z"


@pytest.mark.suite("fuzz")
@given(st.text(alphabet=st.characters(codec=None), max_size=40))
def test_any_text_survives(text: str) -> None:
    """Control characters, lone surrogates and direction marks come back as they were."""
    kept = small.changed(small.judged("DB-POOL", 8), reason=text)
    data = record.canonical(one(criteria=(kept,)))
    assert record.parse(data, "hour08.a1.json").criteria[0].reason == text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"criteria": (small.changed(small.judged("DB-POOL", 8), figures={"x": float("nan")}),)},
            "hour08.a1.json: criteria[0].figures.x: expected a finite number, got nan",
        ),
        (
            {"late_s": float("inf")},
            "hour08.a1.json: late_s: expected a finite number, got inf",
        ),
        (
            {"ended": datetime(2025, 12, 21)},  # noqa: DTZ001
            "hour08.a1.json: ended: expected a time with its offset, got 2025-12-21 00:00:00",
        ),
        (
            {"previous": None},
            "hour08.a1.json: previous: expected an object, got null",
        ),
        (
            {"limits": "none"},
            'hour08.a1.json: limits: expected 64 hexadecimal digits, got "none"',
        ),
    ],
)
def test_what_would_not_come_back_is_not_written(changes: dict[str, Any], says: str) -> None:
    """NaN, infinity, a time without its zone, an open chain: refused with their path."""
    with pytest.raises(LedgerError) as refusal:
        record.canonical(one(**changes))
    assert str(refusal.value) == says


def _set(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def edit(content: Any) -> None:
        for step in path[:-1]:
            content = content[step]
        content[path[-1]] = to

    return edit


def _drop(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.pop(name)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (_drop("plan"), "plan: expected to be there, got nothing"),
        (_set("mood", to="good"), "mood: expected no such member, got one"),
        (_set("hour", to="8"), 'hour: expected a whole number, got "8"'),
        (_set("attempt", to=0), "attempt: expected at least 1, got 0"),
        (_set("version", to=3), "version: expected one of 1, 2, got 3"),
        (
            _set("outcome", to="GREEN"),
            'outcome: expected one of "PASS", "FAIL", "INCONCLUSIVE", "NOT_APPLICABLE", got '
            '"GREEN"',
        ),
        (
            _set("due", to="2025-12-21 19:15"),
            'due: expected a time in UTC such as 2026-11-24T06:00:00Z, got "2025-12-21 19:15"',
        ),
        (
            _set("due", to="2025-13-41T19:15:00Z"),
            "invalid RFC3339 encoded datetime - at `$.due`",
        ),
        (
            _set("criteria", 0, "figures", "ratio", to="0"),
            'criteria[0].figures.ratio: expected a number, got "0"',
        ),
        (
            _set("answers", 0, "total", to="many"),
            "answers[0]: expected `int`, got `str` - at `$.total`",
        ),
        (
            _set("answers", 0, "question", "token", to="abc"),
            "answers[0].question.token: expected no such member, got one",
        ),
        (
            _set("criteria", 0, "evidence", "counts", to=1),
            "criteria[0].evidence.counts: expected the position of an answer, below 1, got 1",
        ),
        (
            _set("criteria", 0, "evidence", to={}),
            "answers[0]: expected a criterion that rests on it, got none",
        ),
        (
            _set("window", "end", to="2000-01-01T00:00:00Z"),
            "window: expected start before end",
        ),
    ],
)
def test_what_is_not_of_its_form_is_not_read(
    edit: Callable[[dict[str, Any]], None], says: str
) -> None:
    """Each difference is reported with its path, what was expected and what was found."""
    content = json.loads(record.canonical(one()))
    edit(content)
    with pytest.raises(LedgerError) as refusal:
        record.parse(json.dumps(content).encode(), "hour08.a1.json")
    assert str(refusal.value).startswith(f"hour08.a1.json: {says}")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "x: expected a JSON object, got nothing"),
        (b"[1]", "x: expected a JSON object, got a list of 1"),
        (
            b'{"a":NaN}',
            "x: expected a JSON object, got 9 bytes that are not one: NaN is not a JSON number",
        ),
        (b'{"a":1', "x: expected a JSON object, got 6 bytes that are not one"),
        (b"\xff\xfe", "x: expected a JSON object, got 2 bytes that are not one"),
        (b"[" * 100_000, "x: expected a JSON object, got 100000 bytes that are not one"),
    ],
)
def test_bytes_that_hold_no_record_are_refused(data: bytes, says: str) -> None:
    """Empty, cut off, another thing, NaN, not UTF-8, nested beyond reason."""
    with pytest.raises(LedgerError) as refusal:
        record.parse(data, "x")
    assert str(refusal.value).startswith(says)


@pytest.mark.parametrize(
    ("struct", "path"),
    [
        (Record, ()),
        (Judged, ("$defs", "judged")),
        (Scale, ("$defs", "judged", "properties", "scale")),
        (Question, ("$defs", "evidence", "properties", "question")),
        (Window, ("$defs", "window")),
        (Link, ("$defs", "link")),
        (Prober, ("properties", "prober")),
        (Vantage, ("properties", "vantage")),
        (Shown, ("properties", "shown", "items")),
    ],
)
def test_the_schema_knows_every_field(struct: type[msgspec.Struct], path: tuple[str, ...]) -> None:
    """The form in schemas/ and the Structs name the same members."""
    form = json.loads((canonical.SCHEMAS / "record.schema.json").read_text())
    for step in path:
        form = form[step]
    stored_apart = {"answers"} if struct is Record else set()
    assert set(form["properties"]) == set(struct.__struct_fields__) | stored_apart
    assert form["additionalProperties"] is False


@pytest.mark.parametrize("path", sorted(canonical.SCHEMAS.iterdir()), ids=lambda path: path.stem)
def test_each_schema_is_one(path: Path) -> None:
    """The schemas are JSON Schema of 2020-12; a run takes their word for it."""
    form = json.loads(path.read_text(encoding="utf-8"))
    assert form["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(form)
