"""Foreign JSON is read strictly, pointed into, and compared with a schema."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hour24.documents import (
    ABSENT,
    MOST_DEEP,
    DocumentError,
    differences,
    expected_by_schema,
    is_number,
    main_difference,
    path_to,
    pointer_to,
    read_json,
    show_value,
    value_at,
)
from hour24.text import cut


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "something else in line 1, column 1"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b"[-Infinity]", "-Infinity is not a JSON number"),
        (b"[1e999]", "1e999 is too large"),
        (b"[" + b"9" * 400 + b"]", "a number of 400 digits"),
        (b"[" + b"9" * 400 + b".5]", "is too large"),
        (b"[-" + b"9" * 5000 + b"]", "a number of 5001 digits"),
        (b'{"a": 1, "a": 2}', 'two values of "a"'),
        (b'\xff{"a": 1}', "not UTF-8 at byte 0"),
        (b'{"a": 1', "in line 1, column"),
        (b'{"a": 1} x', "something else in line 1, column 10"),
        (b"[" * 5000 + b"]" * 5000, "nested too deeply"),
        (b"[" * (MOST_DEEP + 1) + b"]" * (MOST_DEEP + 1), "nested too deeply"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "nested too deeply"),
        (b" " * 2000, "more than 1 kB"),
    ],
)
def test_a_document_that_is_not_safe_to_compute_with_is_refused(data: bytes, says: str) -> None:
    """Each with the reason, and none with the whole value."""
    with pytest.raises(DocumentError) as refused:
        read_json(data, 1000 if data.startswith(b"  ") else 10**6)
    assert says in str(refused.value)
    assert len(str(refused.value)) < 120


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\xef\xbb\xbf[1]", [1]),
        (b'{"a": 1, "a": 1}', {"a": 1}),
        (b'"\\ud800 half"', "\ufffd half"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b"[" * MOST_DEEP + b"]" * MOST_DEEP, json.loads("[" * MOST_DEEP + "]" * MOST_DEEP)),
        (b"[0." + b"3" * 400 + b"]", [1 / 3]),
        (b"null", None),
    ],
)
def test_a_document_at_the_edge_is_read(data: bytes, found: Any) -> None:
    """What is unusual and harmless is no reason to know nothing."""
    assert read_json(data) == found


def test_our_own_files_keep_surrogates() -> None:
    """Its digest is over what was written, hostile text included."""
    assert read_json(b'"\\ud800"', keep_surrogates=True) == "\ud800"


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_nothing_but_a_refusal_comes_of_bad_bytes(data: bytes) -> None:
    """Whatever a source sends, the reader ends in a document or in a DocumentError."""
    try:
        read_json(data)
    except DocumentError:
        return


@pytest.mark.parametrize(
    ("value", "number"),
    [(0, True), (-1.5, True), (True, False), (math.nan, False), (10**400, False), ("1", False)],
)
def test_only_what_a_float_can_represent_is_a_number(value: Any, number: bool) -> None:
    """A truth value is none, nor is a number that would overflow."""
    assert is_number(value) is number


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", {"a/b": [{"~": 7}], "n": None, "": 0}),
        ("/a~1b/0/~0", 7),
        ("/n", None),
        ("/", 0),
        ("/a~1b/1", ABSENT),
        ("/a~1b/-", ABSENT),
        ("/a~1b/" + "9" * 5000, ABSENT),
        ("/n/x", ABSENT),
        ("/missing", ABSENT),
    ],
)
def test_a_pointer_distinguishes_null_from_nothing(pointer: str, found: Any) -> None:
    """RFC 6901, and a member that is null is there."""
    document = {"a/b": [{"~": 7}], "n": None, "": 0}
    assert value_at(document, pointer) is found or value_at(document, pointer) == found
    if found is ABSENT:
        assert value_at(document, pointer, None) is None


def test_a_path_is_written_as_a_pointer_or_readably() -> None:
    """Pages use pointers, files of ours paths."""
    assert pointer_to(("criteria", 3, "figures")) == "/criteria/3/figures"
    assert path_to(("criteria", 3, "figures")) == "criteria[3].figures"
    assert path_to(()) == "the whole"


@pytest.mark.parametrize(
    ("schema", "document", "text"),
    [
        ({"type": "boolean"}, "x", 'expected true or false, got "x"'),
        ({"type": ["string", "null"]}, 5, "expected text or null, got 5"),
        ({"const": True}, False, "expected true, got false"),
        ({"enum": ["a", "b"]}, "c", 'expected one of "a", "b", got "c"'),
        ({"minimum": 3}, 2, "expected at least 3, got 2"),
        ({"maximum": 3}, 4, "expected at most 3, got 4"),
        ({"pattern": "^a"}, "b", 'expected text that matches ^a, got "b"'),
        ({"pattern": "^a", "title": "a name"}, "b", 'expected a name, got "b"'),
        ({"maxItems": 1}, [1, 2], "expected maxItems 1, got a list of 2"),
        ({"not": {}}, {}, "expected not {}, got an object"),
    ],
)
def test_a_difference_says_what_was_expected_and_found(
    schema: Any, document: Any, text: str
) -> None:
    """In the words a person uses, whatever the rule is called."""
    found = main_difference({"a": document}, {"properties": {"a": schema}})
    assert found is not None
    assert (found.path, found.text()) == (("a",), text)


def test_a_missing_and_an_unexpected_member_have_their_own_path() -> None:
    """Each missing member is one difference; of those too many, the first is named."""
    schema = {
        "required": ["a", "b"],
        "properties": {"a": {}, "b": {}},
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
    }
    found = differences({"z": 1, "c": 2, "x-1": 3}, schema)
    assert [(pointer_to(each.path), each.text()) for each in found] == [
        ("/c", "expected no such member, got one"),
        ("/a", "expected to be there, got nothing"),
        ("/b", "expected to be there, got nothing"),
    ]
    assert differences({"anything": 1}, {}) == []
    (nothing,) = differences({"a": 1}, {"properties": {"a": False}})
    assert nothing.text() == "expected nothing here, got 1"
    assert main_difference({"a": 1, "b": 2}, schema) is None


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"title": "a colour", "const": 1}, "a colour"),
        ({"const": "ok"}, '"ok"'),
        ({"enum": [1, 2]}, "one of 1, 2"),
        ({"type": "number", "exclusiveMinimum": 0}, "a number above 0"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "a whole number from 1 to 9"),
        ({"type": "number", "maximum": 9}, "a number of at most 9"),
        ({"type": "array"}, "a list"),
        ({}, "something else"),
    ],
)
def test_a_schema_says_what_it_expects(part: dict[str, Any], text: str) -> None:
    """Its own title first, then its rule."""
    assert expected_by_schema(part) == text


def test_a_shown_value_is_short() -> None:
    """A message repeats no document."""
    assert show_value("x" * 100) == cut(json.dumps("x" * 100), 60)
    assert show_value({"a": 1}) == "an object"
    assert show_value([1, 2]) == "a list of 2"
    assert show_value(ABSENT) == "nothing"
