"""Numbers, times and foreign text on pages."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hour24.report.words import (
    Times,
    count,
    lateness,
    moment,
    number,
    one_line,
    part,
    percent,
    shortened,
    span,
    together,
    visible,
)

T0 = datetime(2025, 12, 21, 11, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "⟨ESC⟩[31mred"),
        ("a\x00b\x7f", "a⟨NUL⟩b⟨DEL⟩"),
        ("\u202egnp.exe", "⟨U+202E⟩gnp.exe"),
        ("zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"),
        ("line\u2028end", "line⟨U+2028⟩end"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("plain – “text” ≤ 5 µs, 日本語 \u202f ok", "plain – “text” ≤ 5 µs, 日本語 \u202f ok"),
    ],
)
def test_what_acts_or_hides_is_shown_as_a_sign(text: str, shown: str) -> None:
    """Control characters, direction overrides and invisible characters become visible."""
    assert visible(text) == shown


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_foreign_text_keeps_a_control_or_format_character(text: str) -> None:
    """Whatever comes in, nothing that a terminal or a reader's eye obeys comes out."""
    import unicodedata

    left = {c for c in visible(text) if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Cn", "Zl")}
    assert left <= {"\n", "\t"}


def test_a_megabyte_is_cut_and_the_cut_is_said() -> None:
    """What is too long says how much of it is missing."""
    shown = visible("x" * 1_000_000, 100)
    assert shown.startswith("x" * 100 + " … [cut: ")
    assert count(999_900) in shown
    assert len(shown) < 200


def test_line_ends_do_not_split_a_cell() -> None:
    """In a cell, a line end is a sign."""
    assert one_line("a\nb") == "a ⏎ b"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, "null"),
        (math.inf, "null"),
        (1354, "1,354"),
        (0, "0"),
        (0.25349, "0.253"),
        (0.10, "0.1"),
        (1413.4, "1,413"),
        (99.95, "100"),
        (1.5e-7, "1.5e-07"),
        (-2.5, "-2.5"),
        (True, "yes"),
    ],
)
def test_numbers_read_well(value: float, text: str) -> None:
    """Three digits that matter, thousands parted, and what is no number is null."""
    assert number(value) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.99999, "99.9 %"), (1.0, "100 %"), (0.0022, "0.2 %"), (math.nan, "null"), (0.5, "50 %")],
)
def test_a_share_below_one_never_reads_as_all(ratio: float, text: str) -> None:
    """99.999 % is not written as 100 %."""
    assert percent(ratio) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.024, "24 ms"),
        (44, "44 s"),
        (124, "2 min 04 s"),
        (1800, "30 min"),
        (34.25 * 3600, "34 h 15 min"),
        (74 * 3600, "3 d 2 h"),
        (-90, "−1 min 30 s"),
        (math.nan, "null"),
    ],
)
def test_lengths_of_time_read_well(seconds: float, text: str) -> None:
    """The two units that matter, and no more."""
    assert span(seconds) == text


def test_times_are_in_the_zone_of_the_watch_with_its_offset() -> None:
    """11:15 UTC in December is 12:15 in Berlin, and the page says UTC+01:00."""
    times = Times("Europe/Berlin", T0, T0 + timedelta(hours=24))
    assert times.full(T0) == "21 Dec 12:15"
    assert times.says == (
        "UTC+01:00 (Europe/Berlin); in the sentences of verdicts UTC, and marked so"
    )
    assert 'datetime="2025-12-21T12:15:00+01:00"' in times.tag(T0)


def test_a_change_of_the_clocks_is_said_beside_every_time() -> None:
    """When the offset changes during the watch, no time stands without it."""
    start = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
    times = Times("Europe/Berlin", start, start + timedelta(hours=24))
    assert times.clock(start) == "13:00 UTC+01:00"
    assert times.clock(start + timedelta(hours=24)) == "14:00 UTC+02:00"


def test_an_unknown_zone_is_utc_and_says_so() -> None:
    """A page is not lost for want of a zone."""
    times = Times("Mars/Olympus", T0, T0)
    assert times.clock(T0) == "11:15"
    assert "not known" in times.says


@pytest.mark.parametrize("value", [None, "yesterday", "2025-12-21T11:15:00", math.nan, 1e300, {}])
def test_what_is_no_moment_is_none(value: object) -> None:
    """Nonsense in a field of time is shown as it is, never as a wrong time."""
    assert moment(value) is None


@pytest.mark.parametrize(
    ("late_s", "text"),
    [(0.0, "on time"), (0.4, "on time"), (124.0, "2 min 04 s late"), (-600.0, "10 min early")],
)
def test_a_run_within_a_second_is_on_time(late_s: float, text: str) -> None:
    """Nobody reads "0 ms late"."""
    assert lateness(late_s) == text


def test_a_number_and_its_unit_stay_on_one_line() -> None:
    """Before a unit the space does not break; before a word it does."""
    assert together("p99 below 500 ms in 4 h, at most 95 %") == (
        "p99 below 500\u00a0ms in 4\u00a0h, at most 95\u00a0%"
    )
    assert together("3 of 5 samples, 12 monkeys") == "3 of 5 samples, 12 monkeys"


def test_what_is_shortened_ends_after_a_word() -> None:
    """No half word, no dangling comma; what fits stays whole."""
    assert shortened("one two, three", 9) == "one two …"
    assert shortened("one two", 8) == "one two"


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.0, "0 %"), (0.0005, "below 1 %"), (0.009, "1 %"), (0.984, "98 %"), (0.999, "above 99 %")],
)
def test_parts_of_a_whole_are_to_the_nearest_per_cent(ratio: float, text: str) -> None:
    """Shares add up as far as they can; some is never 0 %, and not all never 100 %."""
    assert part(ratio) == text


def test_a_watch_in_utc_says_so_in_one_word() -> None:
    """Nobody needs UTC+00:00 (UTC)."""
    assert Times("UTC", T0, T0 + timedelta(hours=24)).says == "UTC"
