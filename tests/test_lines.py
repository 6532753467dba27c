"""Foreign lines: what is seen of them, their level, and the time that every pattern takes."""

from __future__ import annotations

import ast
import importlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hour24.linear import MEGABYTE, SHIPPED, PatternRefused, Stated, Words
from hour24.lines import visible
from hour24.lines.levels import level_of
from hour24.lines.traces import entries
from hour24.witnesses.database import refusals
from hour24.witnesses.logged import errors_of
from tests.test_layers import FILES, PACKAGE, module_of, names_imported

for _path in FILES:
    if "hour24.linear.shipped" in names_imported(_path):
        importlib.import_module(module_of(_path).removesuffix(".__init__"))  # registers its own
refusals._patterns()

OWN_TEXT = {
    "checkpoint/addresses.py": "addresses of production.toml",
    "checkpoint/kept.py": "the name of this machine",
    "config": "production.toml and the environment",
    "documents.py": "a schema's own patterns, which jsonschema searches for too",
    "ledger": "names of our files, words of a person at the command line, output of ssh-keygen",
    "linear.py": "it compiles them",
    "plugin": "our options and markers",
    "probes": "our own lines",
    "rehearsal": "an embedded production writes our own lines",
    "report/page.py": "contacts of production.toml",
    "secrets/redactor.py": "secrets of the environment; foreign text meets registered patterns",
    "secrets/shapes.py": "production.toml",
    "starter": "our own files and options; a service's documents meet registered patterns",
    "targets": "names of watches",
    "watch.py": "names of watches",
    "witnesses/database/address.py": "a connection string of the environment",
    "witnesses/logs/pieces.py": "names of files beside the log, of at most 300 characters",
    "witnesses/sections.py": "our own schema",
}
"""Rooms that may call Python's ``re`` themselves -> the only text that they match: our own."""
CALLS = {"compile", "search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn"}

TABLE = Path(__file__).parent / "lines" / "levels.jsonl"
ROWS = [json.loads(row) for row in TABLE.read_text(encoding="utf-8").splitlines()]
ESC = "\x1b"


# --- what is seen -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (f"{ESC}[31mERROR{ESC}[0m: x", "ERROR: x"),
        (f"{ESC}[38;5;196mERROR{ESC}[m", "ERROR"),
        (f"{ESC}[38:2::1:2:3mERROR{ESC}[K", "ERROR"),
        ("[31mERROR[0m: x", "ERROR: x"),
        ("[0;1;31mfoo[m[K", "foo"),
        ("[[31mERROR[39m] x", "[ERROR] x"),
        ("\\u001b[31merror\\u001b[39m x", "error x"),
        ("\\x1b[31merror\\x1b[0m x", "error x"),
        ("\\033[31merror\\033[0m x", "error x"),
        ("\\e[31merror\\e[0m x", "error x"),
        ("^[[31mERROR^[[0m y", "ERROR y"),
        ("#033[1;31mERROR#033[0m", "ERROR"),
        ("␛[31mERROR␛[0m", "ERROR"),
        ("\ufffd[31mERROR\ufffd[0m", "ERROR"),
        ("\x9b31mERROR\x9b0m", "ERROR"),
        (f"{ESC}]8;;http://x{ESC}\\link{ESC}]8;;{ESC}\\ z", "link z"),
        (f"{ESC}]0;title\x07ERROR", "ERROR"),
        ("\x9d0;title\x9cERROR", "ERROR"),
        (f"{ESC}PABC{ESC}\\ERROR", "ERROR"),
        (f"{ESC}(BERROR{ESC}7", "ERROR"),
        (f"{ESC}]0;ERROR that never ends", "]0;ERROR that never ends"),
        ("rate(x[5m]) over [30m]", "rate(x[5m]) over [30m]"),
        ("E\bER\bRROR", "ERROR"),
        ("abc\b\b\bERROR", "ERROR"),
        ("a\u200bERR\u200dOR\u2060", "aERROR"),
        ("\u202eERROR\u2066", "ERROR"),
        ("\ufeffERROR\u00a0x\u3000y", "ERROR x y"),
        ("10%\r50%\rERROR: boom", "10% 50% ERROR: boom"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("ERROR\r", "ERROR"),
        ("ab\x00c\x7fd", "abcd"),
        ("\ud800x", "\ufffdx"),
        ("C:\\err\\log [x] ok", "C:\\err\\log [x] ok"),
    ],
)
def test_what_a_person_sees_of_a_line(text, seen):
    """Sequences and signs without a width are gone, the text stays; seen again, it is the same."""
    assert visible(text) == seen
    assert visible(seen) == seen


# --- levels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("severity", "label", "line"), ROWS)
def test_the_level_of_a_line(severity, label, line):
    """The common loggers' forms, crashes, words inside messages, colours and hidden signs."""
    assert level_of(line, label).severity == severity


@pytest.mark.parametrize(
    ("colour", "reset"), [(f"{ESC}[31m", f"{ESC}[0m"), ("^[[1;31m", "^[[0m"), ("\x9b31m", "\x9b0m")]
)
def test_colours_change_no_level(colour, reset):
    """Every word of every line of the table that is no JSON, coloured by itself."""
    for severity, label, line in ROWS:
        if "{" in line or "\r" in line or not line.isprintable() or "[0m" in line:
            continue
        coloured = re.sub(r"[A-Za-z]+", lambda word: f"{colour}{word[0]}{reset}", line)
        assert level_of(coloured, label).severity == severity, coloured


PRINTED = "{\n  time: '2026-11-24T06:10:00Z',\n  level: 'error',\n  message: 'boom'\n}"


@pytest.mark.parametrize(
    ("severity", "message"),
    [
        ("error", "Nov 24, 2026 6:10:00 AM com.acme.App run\nSEVERE: cannot connect"),
        ("lower", "Nov 24, 2026 6:10:00 AM com.acme.App run\nINFO: started\nSEVERE: none"),
        ("unknown", "Nov 24, 2026 6:10:00 AM the text\nSEVERE: of another line"),
        ("error", PRINTED),
        ("lower", PRINTED.replace("error", "info").replace("boom", "error")),
        ("unknown", PRINTED.replace("message: 'boom'", "port: 80")),
        ("error", "  level: 'error',"),
        ("error", '  "level": "error",'),
        ("error", "  level: 50,"),
        ("error", "level: error,"),
        ("unknown", "    level: 'error',"),
        ("unknown", "  level: error"),
        ("unknown", "  level: 5,"),
    ],
)
def test_a_level_of_several_lines(severity, message):
    """The second line of java.util.logging, and objects printed over several lines.

    A configuration has a level too: an object without a message, a deeper field, a block of YAML.
    """
    assert level_of(message).severity == severity


def test_a_printed_object_below_another_line_is_an_error_of_its_own():
    """A file has no time of its own for it."""
    lines = ["2026-11-24T06:10:00Z INFO started", *PRINTED.splitlines(), "done"]
    assert errors_of(lines) == [PRINTED]
    assert errors_of([each.replace("error", "info") for each in lines]) == []


def test_ten_exceptions_in_a_second_are_ten():
    """Only what belongs to a traceback joins it; each instance for itself."""
    ten = [{"at": n / 10, "message": "TypeError: x is undefined"} for n in range(10)]
    assert len(entries(ten)[0]) == 10
    two = [
        {"at": n / 10, "message": text, "instance": name}
        for n, text in enumerate(("Traceback (most recent call last):", "KeyError: 'x'"))
        for name in ("i-1", "i-2")
    ]
    found, unknown = entries(two)
    assert [each["instance"] for each in found] == ["i-1", "i-2"]
    assert {each["message"].splitlines()[0] for each in found} == {"KeyError: 'x'"}
    assert unknown == 0


def test_labelled_frames_of_a_trace_belong_to_it():
    """A platform that labels standard error labels every line of a trace."""
    printed = ("Error: boom", "    at run (/app/x.js:1:2)", "\tat go (/app/y.js:1:2)", "it broke")
    lines = [{"at": n / 100, "message": text, "level": "error"} for n, text in enumerate(printed)]
    assert [each["message"].splitlines()[0] for each in entries(lines)[0]] == [
        "Error: boom",
        "it broke",
    ]


# --- patterns in linear time --------------------------------------------------------------------

SAME = (
    r"\b404\b.*(not found|unknown route)",
    r"(?x) could\ not  # connect\n | can't",
    r"[\W_]+b",
    r"[^\W\d]x",
    r"[^\W_]+$",
    r"(?-i:A)b",
    r"a.b",
    r"(?s)a.b",
    r"(?m)^b$",
    r"x{,3}y",
    r"[a-c\]]",
    r"(?a)\w+z",
    r"\S[\S ]x",
    r"(a)(?P<n>\w+)(c)",
    r"^x|y\Z",
)
TEXTS = (
    "unknown route 404 not found", "could not", "größe-1", "a\n", "xa", "a\nb", "xxy", "Ab", "ab",
    "__b", "éx", "zz", "c]", "aéc", "a\tx", "", "y",
)  # fmt: skip


@pytest.mark.parametrize("pattern", SAME)
def test_a_stated_pattern_finds_what_python_would(pattern):
    """Read by Python's parser, run by an engine without a worst case."""
    ours, theirs = Stated(pattern), re.compile(pattern, re.IGNORECASE)
    for text in TEXTS:
        found = theirs.search(text)
        assert ours.found_in(text) == (found is not None), text
        assert ours.groups(text) == (found.groupdict() if found else None)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(?=a)", "one with look-around, (?=...) or (?<=...), which does not run in linear time"),
        ("(?<!a)b", "negative look-around"),
        (r"(a)\1", "a back-reference"),
        ("a++", "a possessive repeat"),
        ("(?>a)", "an atomic group"),
        ("(a)(?(1)b)", "a conditional group"),
        ("a{2000}", "one that repeats more than 1,000 times"),
        ("*", "one with: nothing to repeat at position 0"),
        ("((a{500}){500}){500}", "one too large to run in linear time"),
    ],
)
def test_what_cannot_run_in_linear_time_is_refused_by_name(pattern, says):
    """One line, which says what of it."""
    with pytest.raises(PatternRefused) as refused:
        Stated(pattern)
    assert says in str(refused.value)


HOSTILE = (
    "postgres://a:", "a", "a1", "(", "[", '{"', '\\"', "=", "a=", "/a", "a.", "a@", ":", "0:", "<",
    " ", "é", "\x1b[", "[1;", "\x1b]", "%4", "&#", "\\u00", "eyJ", "'", "“",
    "-----BEGIN PRIVATE KEY", "password=", "bearer ", "A.", "::A", "Error", "06:10:00 ", "\n", "\r",
    "&a", "?", "-a", "-1", "1,", "[c", "desc=", "e'", "$$", "/*", "# TYPE a",
)  # fmt: skip


def texts(longest: int) -> Iterator[str]:
    """A megabyte of hostile text, in texts of this length at most."""
    size = MEGABYTE // len(HOSTILE)
    for unit in HOSTILE:
        whole = (unit * (size // len(unit) + 1))[:size]
        yield from (whole[at : at + longest] for at in range(0, size, longest))


@pytest.mark.parametrize("number", range(len(SHIPPED)))
def test_a_pattern_of_ours_takes_linear_time(number):
    """A megabyte of hostile text, in texts as long as the pattern is ever given."""
    pattern, longest = SHIPPED[number]
    began = time.process_time()
    for text in texts(longest):
        for _ in pattern.finditer(text):
            pass
        assert time.process_time() - began < 20.0, (pattern.pattern, text[:20])


def calls_of_re(path: Path) -> list[int]:
    """The lines of a file that call Python's regular expressions."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and node.func.attr in CALLS
    ]


def room_with_own_text(path: Path) -> str:
    """The entry of OWN_TEXT that a file belongs to; empty: none."""
    inside = path.relative_to(PACKAGE).as_posix()
    return next((one for one in OWN_TEXT if inside == one or inside.startswith(f"{one}/")), "")


def test_patterns_on_foreign_text_go_through_linear():
    """A room calls ``re`` by itself only where it is listed with the text of ours that it sees."""
    calling = {path: calls_of_re(path) for path in FILES}
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: expected hour24.linear.shipped, got re"
        for path, lines in calling.items()
        for line in lines
        if not room_with_own_text(path)
    ]
    assert found == []
    used = {room_with_own_text(path) for path, lines in calling.items() if lines}
    assert used == set(OWN_TEXT), "a room of the list that calls re no more"


def test_stated_patterns_take_linear_time():
    """Python's engine would not end: nested repeats on text that nearly matches."""
    for pattern in (r"(a+)+$", r"(a|a)*b", r"(.*)*x", r"([a-z]+)*=", r"(\w+\s?)+$"):
        began = time.process_time()
        assert Stated(pattern).found_in("a" * MEGABYTE + "!") is False
        assert time.process_time() - began < 2.0


@pytest.mark.suite("fuzz")
@given(st.lists(st.text(min_size=1, max_size=8), max_size=30), st.text(max_size=80), st.data())
def test_many_words_are_found_in_one_pass(words, text, data):
    """The same ones as by looking for each, whatever characters they have."""
    inside = data.draw(st.lists(st.sampled_from(words))) if words else []
    whole = "\ud800".join([text, *inside])
    assert Words(words).found_in(whole) == {word for word in words if word in whole}


def test_a_thousand_words_are_found_in_a_megabyte():
    """None is missed in a long text that shares their beginnings."""
    words = [f"{n:05d}-{'ab' * (n % 40)}" for n in range(1000)]
    text = "0000 00ab-abab" * (MEGABYTE // 14)
    finder = Words(words)
    assert finder.found_in(text) == set()
    for n in (0, 7, 500, 999):
        assert finder.found_in(text + words[n] + text) == {w for w in words if w in words[n]}
