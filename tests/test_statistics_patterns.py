"""Log lines grouped by pattern."""

from __future__ import annotations

import random
import re
import time

import pytest

from hour24.statistics import patterns
from hour24.statistics.patterns import ANYTHING, Grouping, group_lines, mask_line


@pytest.mark.parametrize(
    ("line", "mask"),
    [
        ("call 3f0c7a1e-1b2c-4d5e-8f90-a1b2c3d4e5f6 lost", "call <uuid> lost"),
        ("GET https://api.vapi.ai/v1/calls?id=7 failed", "GET <url> failed"),
        ("mail to ada.ny+x@example.co.uk bounced", "mail to <email> bounced"),
        ("at 2026-01-05T00:00:00.616Z it", "at <time> it"),
        ("at 2026-01-05 it", "at <time> it"),
        ("at 10:03:20 it", "at <time> it"),
        ("from 166.215.99.81:5432 came", "from <ip> came"),
        ("from fe80::1ff:fe23:4567:890a came", "from <ip> came"),
        ("to db.example.com:5432 went", "to <host> went"),
        ("pointer 0xdeadBEEF and 6545ad46f92a", "pointer <hex> and <hex>"),
        ("open /var/log/app/x.log failed", "open <path> failed"),
        ("GET /v1/calls?page=2&by=name failed", "GET <path> failed"),
        ("bytes b0Xe90q", "bytes b<n>Xe<n>q"),
        ("key \"abc def\" and 'x' missing", "key <quoted> and <quoted> missing"),
        ("after 20000 ms, 3.5 s, -7 and 99%", "after <n> ms, <n> s, <n> and <n>%"),
        ("took 12ms, then 1m20s, then 3.5µs of PT1M30S", "took <n>, then <n>, then <n> of <n>"),
        ("freed 840KB or 2.5GiB", "freed <n> or <n>"),
        ("job lh4qCxn9A8a4 and 01J9ZQ3K5V7XWB2M4N6P8R0T1S", "job <id> and <id>"),
        (
            "Log4jConfiguration of Http2ConnectionHandler",
            "Log<n>jConfiguration of Http<n>ConnectionHandler",
        ),
        ("rows [1, 2, 33] of (a, b)", "rows [<n>] of (a, b)"),
        ("«Zoë M.» and “a b” and `c d`", "<quoted> and <quoted> and <quoted>"),
        ("worker12 stopped", "worker<n> stopped"),
        ("\x1b[31mred\x1b[0m alert", "red alert"),
        ("can't read tenant's don't", "can't read tenant's don't"),
        ("", ""),
        ("  \n  ", ""),
    ],
)
def test_variable_parts_are_replaced_by_their_kind(line, mask):
    """The most specific mask wins."""
    assert mask_line(line) == mask


def test_a_stack_trace_is_its_first_line():
    """Only its first 400 characters count."""
    assert mask_line("Error: boom\n  at f (x.js:1)\n  at g") == "Error: boom"
    assert mask_line("a" * 1000) == "a" * 400


def test_lines_that_differ_in_numbers_are_one_group():
    """Their common text is the template."""
    groups, grouping = group_lines(
        f"ERROR ledger: entry {n} of tenant {n % 7} out of balance" for n in range(50)
    )
    assert set(groups) == {0}
    assert grouping.template(0) == "ERROR ledger: entry <n> of tenant <n> out of balance"


def test_words_that_differ_become_anything():
    """Seven of ten equal words are one group; six of ten are two."""
    words = list("abcdefghij")
    close = [*words[:7], "x", "y", "z"]
    far = [*words[:6], "w", "x", "y", "z"]
    groups, grouping = group_lines([" ".join(words), " ".join(close), " ".join(words)])
    assert groups == [0, 0, 0]
    assert grouping.template(0) == f"a b c d e f g {ANYTHING} {ANYTHING} {ANYTHING}"
    assert group_lines([" ".join(words), " ".join(far)])[0] == [0, 1]


def test_length_and_first_word_separate_groups():
    """They do so however similar the rest is."""
    lines = ["ERROR db lost it now", "WARN db lost it now", "ERROR db lost it now again"]
    assert group_lines(lines)[0] == [0, 1, 2]


def test_a_line_joins_the_most_similar_group():
    """Of two groups that accept it, the more similar one wins."""
    a = "ERROR one two three four five six seven eight nine"
    b = "ERROR one two three four five six x y z"
    groups, _ = group_lines([a, b, b])
    assert groups[1] == groups[2]


def test_the_same_text_is_always_the_same_group():
    """This is so even when its template has become vaguer since."""
    lines = [f"job {a} failed with code alpha beta gamma delta {a}" for a in "pqrs"] * 3
    groups, _ = group_lines(lines)
    assert groups[:4] == groups[4:8] == groups[8:]


def test_groups_are_those_that_people_made():
    """Eight templates of a made-up service, 40 varied lines each, are recovered when shuffled."""
    dice = random.Random(3)
    templates = (
        "ERROR [db] connection to {ip} failed after {n} ms: timeout",
        "ERROR [db] deadlock detected on relation {n}",
        "ERROR [mail] could not send to user{n}@example.com",
        "ERROR [http] GET /api/calls/{n} 500 in {n} ms",
        "ERROR [vapi] call {hex} timed out after {n} s",
        "ERROR [cache] eviction of key {hex} took {n} ms too long",
        "ERROR [queue] job {hex} retried {n} times, gave up",
        "ERROR [disk] write to /var/data/{hex}/x failed",
    )
    lines = []
    for label, template in enumerate(templates):
        for _ in range(40):
            text = template
            for name, value in (
                ("{ip}", ".".join(str(dice.randrange(256)) for _ in range(4))),
                ("{n}", str(dice.randrange(10**6))),
                ("{hex}", f"{dice.randrange(16**12):012x}a1"),
            ):
                text = text.replace(name, value)
            lines.append((label, text))
    dice.shuffle(lines)
    groups, _ = group_lines(text for _, text in lines)
    pairs = {(label, group) for (label, _), group in zip(lines, groups, strict=True)}
    assert len(pairs) == len(templates) == len(set(groups))


def test_new_templates_share_one_group_above_a_bound(monkeypatch):
    """Hostile logs cannot use unlimited memory."""
    monkeypatch.setattr(patterns, "MOST_TEMPLATES", 20)
    grouping = Grouping()
    groups = [grouping.group(f"w{'x' * n} {'y' * n} {'z' * n}") for n in range(1, 500)]
    assert len(grouping.templates) == 20
    assert set(groups[20:]) == {19}


def test_hostile_lines_cost_no_more_than_others():
    """Text made for catastrophic backtracking is masked in milliseconds."""
    hostile = ("a." * 5000, "/" * 5000, "1:" * 5000, '"' * 5001, "0x" * 4000, "a@" * 4000)
    start = time.perf_counter()
    for line in hostile * 20:
        mask_line(line)
    assert time.perf_counter() - start < 2.0


@pytest.mark.parametrize(
    "name",
    ["OAuth2Error", "TLSv1Failed", "getX509Cert", "Base64Utf8Decoder", "MD5Sha1Mismatch"],
)
def test_the_name_of_an_error_is_no_id(name):
    """A name that is at least half words keeps them; only its numbers vary."""
    assert (
        mask_line(f"{name}: request failed") == f"{re.sub('[0-9]+', '<n>', name)}: request failed"
    )


def test_lines_that_differ_in_every_word_cost_no_more_each(monkeypatch):
    """Above the bound for one length and first word, lines join the last template."""
    monkeypatch.setattr("hour24.statistics.patterns.MOST_ALIKE", 5)
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
    groups, grouping = group_lines(f"failed {word * 3} {word} {word}{word}" for word in words)
    assert groups == [0, 1, 2, 3, 4, 4, 4, 4, 4, 4]
    assert grouping.template(4).startswith("failed <*>")


def test_long_lines_are_compared_by_all_their_words():
    """The first half can rule a match out, never in."""
    head = [f"w{chr(97 + n)}" for n in range(20)]
    same = " ".join(head)
    near = " ".join([*head[:15], *"vwxyz"])
    far = " ".join([head[0], *"abcdefghijk", *head[12:]])
    assert group_lines([same, near, far])[0] == [0, 0, 1]
