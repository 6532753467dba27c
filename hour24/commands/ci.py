"""The newest checkpoint for a CI service: a summary in Markdown, annotations as workflow commands.

Rules of this module:

- At most nine annotations of a kind: a service may silently drop the eleventh.
- Text of the system under watch is escaped: it cannot inject workflow commands, Markdown or
  HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from hour24 import incidents
from hour24.ledger.advisory import advisory_word
from hour24.ledger.book import Ledger
from hour24.ledger.record import Judged, Record
from hour24.text import one_line
from hour24.verdict import Outcome

MOST = 9
"""Annotations of a kind: a CI service shows ten a step and drops the rest."""
LONGEST_SUMMARY = 900_000
"""Characters; a CI service refuses a summary above 1 MiB."""
_IN_PROPERTY = {"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"}
_IN_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}


def newest(ledger: Ledger) -> str:
    """Return the newest record as Markdown; empty when there is none."""
    record = _newest(ledger)
    return summary(record, ledger) if record is not None else ""


def workflow_commands(ledger: Ledger) -> str:
    """Return one workflow command for each problem of the newest record."""
    record = _newest(ledger)
    if record is None:
        return ""
    lines = []
    for outcome, word in ((Outcome.FAIL, "error"), (Outcome.INCONCLUSIVE, "warning")):
        found = [each for each in record.criteria if each.outcome == outcome]
        lines += [annotation(word, record, judged) for judged in found[:MOST]]
    return "".join(f"{line}\n" for line in lines)


def _newest(ledger: Ledger) -> Record | None:
    return max(
        ledger.records(), key=lambda each: (each.ended, each.hour, each.attempt), default=None
    )


def annotation(word: str, record: Record, judged: Judged) -> str:
    """Return one workflow command: ``::error title=hour8 ERRORS-RATE FAIL::...``."""
    name = f"{judged.id} {judged.subject}".strip()
    title = _in(f"hour{record.hour} {name} {judged.outcome}", _IN_PROPERTY)
    return f"::{word} title={title}::{_in(one_line(judged.reason, 600), _IN_DATA)}"


def summary(record: Record, ledger: Ledger) -> str:
    """Return the checkpoint in Markdown: its incidents, what to read, and what passed, folded."""
    head = ledger.head()
    lines = [
        f"## Hour {record.hour} of {_cell(record.watch)}: {record.outcome}",
        "",
        f"Decision: {_cell(str((record.decision or {}).get('action', 'none')))}",
        "",
        *(f"- **{each.outcome}**: {_cell(each.summary())}" for each in incidents.of_record(record)),
        "",
        *_table(judged for judged in record.criteria if judged.outcome in _TO_READ),
        "",
        *(
            f"- Advisory, not counted: {_cell(judged.id)}: {_cell(advisory_word([judged]))}: "
            f"{_cell(judged.reason)}"
            for judged in record.advisory_checks
        ),
        "",
        "<details><summary>What passed or does not apply</summary>",
        "",
        *_table(judged for judged in record.criteria if judged.outcome not in _TO_READ),
        "",
        "</details>",
        "",
        f"Head of the ledger: `{head.file}` `{head.sha256}`",
        "",
    ]
    text = "\n".join(lines)
    return text if len(text) <= LONGEST_SUMMARY else f"{text[:LONGEST_SUMMARY]}\n\n(cut)\n"


_TO_READ = (Outcome.FAIL, Outcome.INCONCLUSIVE)


def _table(many: Iterable[Judged]) -> Iterator[str]:
    """Yield a table of these verdicts, FAIL first."""
    yield "| outcome | criterion | observed | limit | reason |"
    yield "|---|---|---|---|---|"
    for judged in sorted(many, key=lambda one: one.outcome != Outcome.FAIL):
        yield (
            f"| {judged.outcome} | {_cell(f'{judged.id} {judged.subject}'.strip())} "
            f"| {_cell(judged.observed)} | {_cell(judged.limit)} | {_cell(judged.reason)} |"
        )


def _cell(text: str) -> str:
    shown = escape(one_line(text, 400), quote=False)
    for sign in "\\`|*_[]":
        shown = shown.replace(sign, f"\\{sign}")
    return shown.replace("://", ":&#47;/").replace("@", "&#64;")


def _in(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(sign, sign) for sign in text)
