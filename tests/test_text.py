"""Numbers, shares, durations, times, lists and foreign text, as a person reads them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hour24.report.times import Times
from hour24.text import (
    blank_controls,
    count_of,
    cut,
    escape_controls,
    escape_for_chat,
    escape_for_ci,
    format_bytes,
    format_clock,
    format_count,
    format_coverage,
    format_duration,
    format_factor,
    format_lateness,
    format_number,
    format_percent,
    format_time,
    in_window,
    join_some,
    join_words,
    keep_units,
    one_line,
    parse_epoch,
    parse_time,
    plural,
    shorten,
    shorten_ids,
    visible,
)
from hour24.watch import Window

HUGE = 10**400
"""More than a float can represent, but valid JSON."""
T0 = datetime(2025, 12, 21, 11, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "⟨ESC⟩[31mred"),
        ("[31mred[0m, [1;31mbold[m", "red, bold"),
        ("\\u001b[31mred\\u001b[0m \ufffd[32mgreen", "red green"),
        ("rate(x[5m]) over [30m]", "rate(x[5m]) over [30m]"),
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


@pytest.mark.suite("fuzz")
@given(st.text(max_size=200))
def test_no_foreign_text_keeps_a_control_or_format_character(text: str) -> None:
    """Whatever comes in, nothing that a terminal or a reader's eye obeys comes out."""
    import unicodedata

    left = {c for c in visible(text) if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Cn", "Zl")}
    assert left <= {"\n", "\t"}


def test_a_megabyte_is_cut_and_the_cut_is_said() -> None:
    """What is too long says how much of it is missing."""
    shown = visible("x" * 1_000_000, 100)
    assert shown.startswith("x" * 100 + " … [cut: ")
    assert format_count(999_900) in shown
    assert len(shown) < 200


def test_line_ends_do_not_split_a_cell() -> None:
    """On one line, every run of blanks is one space."""
    assert one_line("a\nb\r\n\t c") == "a b c"


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
        (-2.5, "−2.5"),
        (999.95, "1,000"),
        (1e-9, "1e-09"),
        (HUGE, "1.00e+400"),
        (-HUGE, "−1.00e+400"),
        (-0.0, "0"),
        (None, "null"),
        ("\x1b[2J", "⟨ESC⟩[2J"),
        (True, "yes"),
    ],
)
def test_numbers_read_well(value: float, text: str) -> None:
    """Three digits that matter, thousands parted, and what is no number is null."""
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.99999, "99.9 %"), (1.0, "100 %"), (0.0022, "0.2 %"), (math.nan, "null"), (0.5, "50 %")],
)
def test_a_share_below_one_never_reads_as_all(ratio: float, text: str) -> None:
    """99.999 % is not written as 100 %."""
    assert format_percent(ratio, 1) == text


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
        (0, "0 s"),
        (1e-9, "1e-06 ms"),
        (0.99999, "1 s"),
        (59.96, "1 min"),
        (3599.9, "1 h"),
        (HUGE, "1.00e+400 s"),
        (math.inf, "null"),
        (math.nan, "null"),
    ],
)
def test_lengths_of_time_read_well(seconds: float, text: str) -> None:
    """The two units that matter, and no more."""
    assert format_duration(seconds) == text


def test_times_are_in_the_zone_of_the_watch_with_its_offset() -> None:
    """11:15 UTC in December is 12:15 in Berlin, and the page says UTC+01:00."""
    times = Times("Europe/Berlin", T0, T0 + timedelta(hours=24))
    assert times.full(T0) == "21 Dec 12:15"
    assert times.says == ("UTC+01:00 (Europe/Berlin); verdicts use UTC and say so")
    assert 'datetime="2025-12-21T12:15:00+01:00"' in times.tag(T0)


def test_a_change_of_the_clocks_is_shown_next_to_every_time() -> None:
    """When the offset changes during the watch, every time shows it."""
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
def test_an_invalid_time_is_none(value: object) -> None:
    """Nonsense in a field of time is shown as it is, never as a wrong time."""
    assert parse_time(value) is None


@pytest.mark.parametrize(
    ("late_s", "text"),
    [(0.0, "on time"), (0.4, "on time"), (124.0, "2 min 04 s late"), (-600.0, "10 min early")],
)
def test_a_run_within_a_second_is_on_time(late_s: float, text: str) -> None:
    """ "0 ms late" is not shown."""
    assert format_lateness(late_s) == text


def test_a_number_and_its_unit_stay_on_one_line() -> None:
    """Before a unit the space does not break; before a word it does."""
    assert keep_units("p99 below 500 ms in 4 h, at most 95 %") == (
        "p99 below 500\u00a0ms in 4\u00a0h, at most 95\u00a0%"
    )
    assert keep_units("3 of 5 samples, 12 monkeys") == "3 of 5 samples, 12 monkeys"


def test_what_is_shortened_ends_after_a_word() -> None:
    """No half word, no dangling comma; what fits is not cut."""
    assert shorten("one two, three", 9) == "one two …"
    assert shorten("one two", 8) == "one two"


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.0, "0 %"), (0.0005, "below 1 %"), (0.009, "1 %"), (0.984, "98 %"), (0.999, "above 99 %")],
)
def test_parts_of_a_whole_are_to_the_nearest_per_cent(ratio: float, text: str) -> None:
    """Shares add up as far as they can; some is never 0 %, and not all never 100 %."""
    assert format_percent(ratio, 0) == text


def test_a_watch_in_utc_says_so_in_one_word() -> None:
    """UTC+00:00 (UTC) is not shown."""
    assert Times("UTC", T0, T0 + timedelta(hours=24)).says == "UTC"


@pytest.mark.parametrize(
    ("share", "decimals", "text"),
    [
        (0.0, None, "0 %"),
        (0.0022, None, "0.22 %"),
        (0.125, None, "12.5 %"),
        (0.0398, 0, "4 %"),
        (0.0997, 0, "10 %"),
        (0.9995, None, "99.9 %"),
        (0.99999, 2, "99.99 %"),
        (0.99999, 0, "above 99 %"),
        (3.1e-5, None, "0.0031 %"),
        (1e-9, None, "below 0.000001 %"),
        (-1e-9, None, "above −0.000001 %"),
        (1.2e-7, None, "0.000012 %"),
        (-1.2e-7, None, "−0.000012 %"),
        (1e-9, 1, "below 0.1 %"),
        (1e-9, 0, "below 1 %"),
        (12.5, None, "1,250 %"),
        (-0.05, None, "−5 %"),
        (math.inf, None, "null"),
        (HUGE, None, "1.00e+402 %"),
    ],
)
def test_a_share_is_rounded_but_never_to_nothing_or_all(
    share: float, decimals: int | None, text: str
) -> None:
    """3.98 % is 4 %, 99.999 % is not 100 %, and what is above 0 is not 0 %."""
    assert format_percent(share, decimals) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "100 %"), (0.98996, "98.9 %"), (0.9999, "99.9 %"), (0.0, "0 %"), (math.nan, "null")],
)
def test_a_coverage_that_misses_its_limit_never_reads_as_meeting_it(
    share: float, text: str
) -> None:
    """Coverage is rounded down: 98.996 % is below 99 %, and is written so."""
    assert format_coverage(share) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (1354.4, "1,354"),
        (999.95, "1,000"),
        (-1354, "−1,354"),
        (math.nan, "null"),
        (-math.inf, "null"),
        (HUGE, "1.00e+400"),
    ],
)
def test_thousands_are_separated_by_a_comma(number: float, text: str) -> None:
    """1,354 everywhere, and never 1 354."""
    assert format_count(number) == text


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (1.0, "×1"),
        (1.19, "×1.19"),
        (9.999, "×10"),
        (12.3, "×12"),
        (1e9, "over ×100"),
        (math.inf, "over ×100"),
        (math.nan, "null"),
        (0.0, "×0"),
    ],
)
def test_a_factor_has_two_decimal_places_at_most(factor: float, text: str) -> None:
    """Above 100 the exact factor does not matter."""
    assert format_factor(factor) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 kB"),
        (8192, "8 kB"),
        (12e6, "12.00 MB"),
        (999_999_999, "1.00 GB"),
        (2.5e9, "2.50 GB"),
        (1.5e12, "1.50 TB"),
        (math.nan, "null"),
    ],
)
def test_a_size_has_the_unit_that_keeps_it_readable(size: float, text: str) -> None:
    """No size reads as 1,000 of its unit."""
    assert format_bytes(size) == text


def test_times_of_verdicts_are_utc() -> None:
    """A verdict does not know the zone of its watch."""
    at = T0.timestamp()
    assert format_time(at) == "2025-12-21 11:15:00Z"
    assert format_clock(at) == "11:15 UTC"
    assert in_window(Window(T0, T0 + timedelta(hours=4))) == " in the 4 h until 15:15 UTC"
    assert in_window(None) == ""


@pytest.mark.parametrize("at", [math.nan, math.inf, 1e300, float("-1e300")])
def test_a_time_outside_the_calendar_is_null(at: float) -> None:
    """Nonsense from a source does not end a judgement."""
    assert format_time(at) == format_clock(at) == "null"


@pytest.mark.parametrize("value", [True, HUGE, math.nan, "2025-12-21T11:15:00", "soon", None, []])
def test_what_is_no_time_has_no_epoch(value: object) -> None:
    """A truth value and a text without an offset are no time."""
    assert parse_epoch(value) is None


def test_a_time_is_read_from_seconds_and_from_a_text_with_an_offset() -> None:
    """Both forms that the vendors use."""
    assert parse_epoch(T0.timestamp()) == parse_epoch("2025-12-21T11:15:00Z") == T0.timestamp()
    assert parse_time("2025-12-21T12:15:00+01:00") == T0


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1 entry"), (0, "0 entries"), (1354, "1,354 entries")]
)
def test_only_one_is_singular(number: int, text: str) -> None:
    """Zero is many."""
    assert plural(number, "entry", "entries") == text
    assert plural(2, "event") == "2 events"


def test_lists_read_as_a_person_would_say_them() -> None:
    """Commas, one "and", and how many were left out."""
    assert join_words([]) == ""
    assert join_words(["a"]) == "a"
    assert join_words(["a", "b", "c"]) == "a, b and c"
    assert join_some(["a", "b"]) == "a; b"
    assert join_some(list("abcdefg")) == "a; b; c; and 4 more"
    assert join_some(list("abc"), 2, ", ") == "a, b, and 1 more"
    assert count_of(1549, 14329) == "1,549 of 14,329"


def test_a_cut_is_marked_and_never_longer_than_allowed() -> None:
    """The mark counts too, so that a column keeps its width."""
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "ab…"
    assert cut("abcd", 0) == "…"
    assert one_line("x" * 1_000_000, 100) == "x" * 99 + "…"


def test_one_line_of_nothing_is_null() -> None:
    """An absent text is shown as JSON shows it."""
    assert one_line(None) == "null"


def test_what_a_source_says_keeps_no_control_character() -> None:
    """An escape sequence in an answer becomes a space, or a sign where a person reads it."""
    assert blank_controls("a\x1b[31m\u202eb") == "a [31m b"
    assert escape_controls("a\x1bb") == "a⟨ESC⟩b"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("::error::x", "\\x3a:error::x"),
        ("  ::set-output name=a::b", "  \\x3a:set-output name=a::b"),
        ("a ##[command]", "a #\\x23[command]"),
        ("a::b", "a::b"),
        ("\x1b[2J", "⟨ESC⟩[2J"),
    ],
)
def test_a_line_gives_no_command_to_the_ci(line: str, shown: str) -> None:
    """A log line of the system under watch must not set an output or hide a step."""
    assert escape_for_ci(line) == shown


def test_chat_does_not_act_on_foreign_text() -> None:
    """No mention, no link, no markup."""
    assert escape_for_chat("@here <b> https://x.test *a*") == "＠here ‹b› https: //x.test ∗a∗"


@pytest.mark.suite("fuzz")
@given(st.floats() | st.integers(-HUGE, HUGE))
def test_no_number_ends_in_an_error(number: float) -> None:
    """For every JSON value each format returns text."""
    for form in (
        format_count,
        format_number,
        format_percent,
        format_duration,
        format_bytes,
        format_coverage,
        format_factor,
        format_time,
        format_clock,
    ):
        assert form(number)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("srv-d0cjkelq67qs70c2pugg-be79d leaks", "…be79d leaks"),
        ("api-7f9c8b6d54-x2x9k restarted", "…x2x9k restarted"),
        ("MEMORY-STABLE over 12 h, well-known-class", "MEMORY-STABLE over 12 h, well-known-class"),
        ("at 2026-12-01 01:41", "at 2026-12-01 01:41"),
        ("https://a-1234.example.org/x-12345", "https://a-1234.example.org/x-12345"),
    ],
)
def test_only_ids_that_a_machine_made_are_shortened(text: str, short: str) -> None:
    """Words, dates and addresses stay whole."""
    assert shorten_ids(text) == short
