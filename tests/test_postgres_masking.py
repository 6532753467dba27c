"""Query texts as they may be shown."""

from __future__ import annotations

import pytest

from hour24.witnesses.database.masking import LONGEST, mask_literals


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("SELECT * FROM t WHERE id = 42 AND f > 1.5e3", "SELECT * FROM t WHERE id = ? AND f > ?"),
        ("SELECT 'it''s private', t1.c2", "SELECT ?, t1.c2"),
        (r"SELECT E'a\'b', U&'x', $1", "SELECT ?, ?, $1"),
        ("ALTER ROLE app PASSWORD 'hunter2'", "ALTER ROLE app PASSWORD ?"),
        ("DO $x$ SELECT 'a' $x$; SELECT 2", "DO ?; SELECT ?"),
        ("SELECT 'cut off in the midd", "SELECT ?"),
        ('SELECT "it\'s" FROM "a""b"', 'SELECT "it\'s" FROM "a""b"'),
        ("SELECT 1 -- 'token'\n, 2 /* email=a@b */ , 3", "SELECT ? , ? , ?"),
        ("SELECT\t1\x1b[31m\u202e", "SELECT ? [?"),
        ("SELECT " + "a" * 400, "SELECT " + "a" * (LONGEST - 8) + "…"),
    ],
)
def test_literals_and_comments_do_not_leave(query, shown):
    """User data is masked, names and parameters stay."""
    assert mask_literals(query) == shown
