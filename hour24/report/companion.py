"""Our verdicts in the interactive pytest-html report, as strings.

Rules of this module:

- pytest-html does not escape what its hooks return: everything here is escaped.
- A hook that raises ends the whole session, and so does a row whose number of cells differs from
  the header: :func:`row` always adds as many cells as :func:`header`.
- INCONCLUSIVE uses the bucket ``error`` of pytest-html, under our name. The script of that page
  reads the result of a row from a hidden cell.
- Without JavaScript that report shows no rows, so the summary has a table for that.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence
from typing import Any

from markupsafe import Markup

from hour24.ledger.advisory import advisory_word
from hour24.ledger.record import Judged, Record
from hour24.report.page import WORDS, outcome_of, tally
from hour24.text import keep_units, one_line, shorten
from hour24.verdict import Outcome

_RESULT = {
    Outcome.PASS: "Passed",
    Outcome.FAIL: "Failed",
    Outcome.INCONCLUSIVE: "Error",
    Outcome.NOT_APPLICABLE: "Skipped",
}
_STYLE = {
    Outcome.PASS: "color:#3f6b51",
    Outcome.FAIL: "background:#b5121b;color:#fff;font-weight:bold",
    Outcome.INCONCLUSIVE: "background:#fff5df;color:#7d4b00;font-weight:bold",
    Outcome.NOT_APPLICABLE: "color:#4a515a",
}
# pytest-html writes #999 on white, 2.85 to 1, below the 4.5 to 1 of WCAG AA
_READABLE = Markup(
    "<style>body,table,td,th,a,button,.filters *,#environment *,.col-testId{color:#222!important}"
    "td.col-verdict[style*=b5121b]{color:#fff!important}"
    "td.col-verdict[style*=fff5df]{color:#7d4b00!important}"
    "noscript th,noscript td{text-align:left;vertical-align:top;padding:3px 10px 3px 4px}"
    "noscript td{border-bottom:1px solid #d6dae0}noscript caption{text-align:left}"
    "noscript td[style*=b5121b]{color:#fff!important}"
    "noscript td[style*=fff5df]{color:#7d4b00!important}</style>"
)
_HEAD = ("Criterion", "Observed", "Limit", "Reason")


def title(record: Record | None) -> str:
    """Return the title of the page; without a record, a general one."""
    if record is None:
        return "hour24"
    word = WORDS[record.outcome]
    rehearsal = record.target_kind.prefix
    return one_line(f"{rehearsal}{word}, hour {record.hour}, {record.watch}", 200)


def header(cells: list[str]) -> None:
    """Add our columns to the head of the table."""
    cells[0] = '<th hidden class="sortable" data-column-type="result">Result</th>'
    cells.insert(1, '<th class="sortable" data-column-type="verdict" scope="col">Verdict</th>')
    cells[3:3] = [f'<th scope="col">{name}</th>' for name in _HEAD]


def row(judged: Sequence[Judged], cells: list[str], *, advisory: bool = False) -> None:
    """Add our cells to a row.

    Args:
        judged: the verdicts of its test, empty for a bare phase.
        advisory: whether they are in no sum.
    """
    if not judged:
        cells.insert(1, '<td class="col-verdict"></td>')
        cells[0] = cells[0].replace("<td ", "<td hidden ", 1)
        cells[3:3] = ["<td></td>"] * len(_HEAD)
        return
    outcome = outcome_of(judged)
    result = _RESULT[Outcome.NOT_APPLICABLE if advisory else outcome]
    cells[0] = f'<td hidden class="col-result">{result}</td>'
    style = _STYLE[Outcome.NOT_APPLICABLE if advisory else outcome]
    text = f"ADVISORY: {advisory_word(judged)}" if advisory else WORDS[outcome]
    cells.insert(1, str(Markup('<td class="col-verdict" style="{}">{}</td>').format(style, text)))
    named = Markup("<td>{}</td>").format(one_line(judged[0].id, 60))
    cells[3:3] = [str(named), *(_cell(judged, name) for name in ("observed", "limit", "reason"))]


def _cell(judged: Sequence[Judged], name: str) -> str:
    lines = [
        Markup("{}{}").format(
            Markup("<b>{}</b> ").format(one_line(one.subject, 60)) if one.subject else "",
            keep_units(shorten(getattr(one, name), 300)),
        )
        for one in judged[:40]
    ]
    return str(Markup("<td>{}</td>").format(Markup("<br>").join(lines)))


def move_counts(outcomes: MutableMapping[str, Any], tests: Iterable[Sequence[Judged]]) -> None:
    """Count INCONCLUSIVE as pytest-html's ``error`` and no longer as ``failed``.

    Args:
        outcomes: the counts of pytest-html, from the report that its title hook gets.
        tests: the verdicts of each test that ran.
    """
    open_ones = sum(bool(many) and outcome_of(many) == Outcome.INCONCLUSIVE for many in tests)
    moved = min(open_ones, int(outcomes["failed"]["value"]))
    outcomes["failed"]["value"] -= moved
    outcomes["error"]["value"] += moved
    outcomes["error"]["label"] = "Inconclusive"


def summary(record: Record) -> str:
    """Return the part above the table: the verdict, a link to our page, all rows as HTML."""
    stem = f"hour{record.hour:02d}.a{record.attempt}"
    counts = tally(record.criteria)
    tally_text = ", ".join(
        f"{counts[outcome]} {WORDS[outcome]}" for outcome in WORDS if counts[outcome]
    )
    banner = ""
    if record.target_kind.about:
        banner = Markup(
            '<p style="background:#5b2a86;color:#fff;padding:8px"><b>REHEARSAL</b>, {}; it says '
            "nothing about any real service, and it cannot be signed off</p>"
        ).format(record.target_kind.about)
    rows = Markup("").join(
        (
            *(_row(judged) for judged in record.criteria),
            *(_row(judged, advisory=True) for judged in record.advisory_checks),
        )
    )
    return str(
        Markup(
            '{}{}<p style="color:#222"><b>{} at hour {}</b> of {}: {}. The record to keep is '
            '<a href="{}.html">{}.html</a>; this report is its interactive companion.</p>'
            '<noscript><table style="color:#222"><caption>Every criterion; the table below needs '
            "a script</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table></noscript>"
        ).format(
            _READABLE,
            banner,
            WORDS[record.outcome],
            record.hour,
            one_line(record.watch, 80),
            tally_text or "no criterion was due",
            stem,
            stem,
            Markup("").join(
                Markup('<th scope="col">{}</th>').format(name) for name in ("Verdict", *_HEAD)
            ),
            rows,
        )
    )


def _row(judged: Judged, *, advisory: bool = False) -> Markup:
    style = _STYLE[Outcome.NOT_APPLICABLE if advisory else judged.outcome]
    text = f"ADVISORY: {advisory_word([judged])}" if advisory else WORDS[judged.outcome]
    verdict = Markup('<td style="{}">{}</td>').format(style, text)
    cells = Markup("").join(
        Markup("<td>{}</td>").format(keep_units(text))
        for text in (
            one_line(f"{judged.id} {judged.subject}".strip(), 120),
            one_line(judged.observed, 120),
            one_line(judged.limit, 120),
            shorten(judged.reason, 300),
        )
    )
    return Markup("<tr>{}{}</tr>").format(verdict, cells)
