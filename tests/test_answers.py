"""Vendor answers read into forms: what passes, and how each refusal is worded."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct, field, to_builtins

from hour24.asking.answers import Count, Number, TextCount, Time, read_answer
from hour24.errors import SourceMisread


class Row(Struct, frozen=True):
    name: str
    n: Count = 0
    text_n: TextCount = 0
    share: Number | None = None
    at: Time | None = None
    kind: str | None = field(name="error.type", default=None)
    flag: bool = False
    names: list[str] = []
    parts: dict[str, Count] = {}
    row: Row | None = None


def test_an_answer_becomes_plain_values():
    """A form holds ints, floats and text, so that evidence made from it can be stored."""
    found = read_answer(
        {
            "name": "a",
            "n": 3.0,
            "text_n": "12",
            "share": 1,
            "at": "2026-11-24T10:00:00+01:00",
            "error.type": None,
            "added by the vendor": {},
        },
        Row,
        "here",
    )
    assert (found.n, found.text_n, found.share, found.at) == (3, 12, 1.0, 1_795_510_800.0)
    assert [type(each) for each in (found.n, found.text_n, found.share, found.at)] == [
        int,
        int,
        float,
        float,
    ]
    assert to_builtins(found)["name"] == "a"


@pytest.mark.parametrize(
    ("member", "says"),
    [
        ({"n": -1}, ".n: expected a whole number, at least 0, got -1"),
        ({"n": 1.5}, ".n: expected a whole number, at least 0, got 1.5"),
        ({"n": True}, ".n: expected a number, got true"),
        ({"n": "3"}, '.n: expected a number, got "3"'),
        ({"n": None}, ".n: expected a number, got null"),
        ({"n": float("nan")}, ".n: expected a number, got NaN"),
        ({"text_n": "many"}, '.text_n: expected a whole number as text, got "many"'),
        ({"share": float("inf")}, ".share: expected a number, got Infinity"),
        ({"share": 10**400}, '.share: expected a number, got "10000000000000000000"'),
        ({"at": 1_795_510_800}, ".at: expected a time with its zone, ISO 8601, got 1795510800"),
        (
            {"at": "2026-11-24T10:00:00"},
            '.at: expected a time with its zone, ISO 8601, got "2026-11-24T10:00:00"',
        ),
        ({"name": 7}, ".name: expected text, got 7"),
        ({"error.type": [1, 2]}, ".error.type: expected text, got a list of 2"),
        ({"flag": "yes"}, '.flag: expected true or false, got "yes"'),
        ({"names": {"a": 1}}, ".names: expected a list, got an object with 1 members"),
        ({"names": ["a", None]}, ".names[1]: expected text, got null"),
        ({"row": []}, ".row: expected an object, got a list of 0"),
        ({"row": {}}, ".row.name: expected to be there, got nothing"),
        ({"row": {"name": "b", "error.type": 4}}, ".row.error.type: expected text, got 4"),
        ({"parts": {"a": -1}}, ".parts[...]: expected a whole number, at least 0, got -1"),
        ({"parts": []}, ".parts: expected an object, got a list of 0"),
    ],
)
def test_a_refusal_names_the_path_the_expected_and_the_found(member: dict[str, Any], says: str):
    """What msgspec finds wrong is said in the words of every other refusal."""
    with pytest.raises(SourceMisread) as raised:
        read_answer([{"name": "a", **member}], list[Row], "here")
    assert str(raised.value) == f"here[0]{says}"


@pytest.mark.parametrize("answer", [None, [], "text", 3])
def test_an_answer_of_another_type_is_refused(answer: Any):
    """Neither null nor an empty list is an object without members."""
    with pytest.raises(SourceMisread, match=r"^here: expected an object, got "):
        read_answer(answer, Row, "here")
