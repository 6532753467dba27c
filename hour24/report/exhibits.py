"""Evidence as a page shows it: the question, every attempt, and a summary of the answer.

Rules of this module:

- The question is shown as sent, with window, attempts and their errors, digest and basis.
- Large answers are cut; the page says how much is missing.
- An answer that several criteria use is shown once; the others link to it.
- Evidence that cannot be read is shown raw, never left out.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from hour24 import evidence as ev
from hour24.histogram import quantile
from hour24.ledger.record import Judged
from hour24.report.times import Times
from hour24.text import (
    count_of,
    format_count,
    format_duration,
    format_number,
    format_percent,
    one_line,
    parse_time,
    plural,
    visible,
)

MOST_ROWS = 25
MOST_COLUMNS = 8
TIME_FIELDS = frozenset({"at", "first_seen", "last_seen", "created", "started", "finished"})


class Table(Struct, frozen=True, kw_only=True):
    """A table; ``cut`` says what is not shown."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    cut: str = ""


class Exhibit(Struct, frozen=True, kw_only=True):
    """One piece of evidence, ready for a page.

    Args:
        answered: True if the source answered.
        tries: ``3 attempts: 503, 503, 200``; empty if the first attempt was answered.
        facts: label and text, in order.
        same_as: anchor and name of the criterion that shows this answer.
    """

    name: str
    source: str
    answered: bool
    facts: tuple[tuple[str, str], ...]
    asked: tuple[str, ...] = ()
    attempts: tuple[ev.Attempt, ...] = ()
    tries: str = ""
    digest: str = ""
    tables: tuple[Table, ...] = ()
    body: str = ""
    curl: str = ""
    note: str = ""
    same_as: tuple[str, str] | None = None


def read(plain: Mapping[str, Any]) -> ev.Evidence | None:
    """Return the evidence in a record; None if its form is unknown."""
    try:
        return ev.from_plain(plain)
    except (msgspec.ValidationError, ValueError):
        return None


class Answers:
    """The evidence of several criteria; an answer that several of them use is read once."""

    def __init__(self, criteria: Sequence[Judged]) -> None:
        self.criteria = criteria
        read_before: dict[bytes, ev.Evidence | None] = {}
        self._of: dict[str, dict[str, tuple[bytes, ev.Evidence | None]]] = {}
        for judged in criteria:
            here = self._of.setdefault(anchor(judged), {})
            for name, plain in judged.evidence.items():
                key = hashlib.sha256(msgspec.json.encode(plain)).digest()
                if key not in read_before:
                    read_before[key] = read(plain)
                here[name] = key, read_before[key]

    def of(self, judged: Judged) -> dict[str, ev.Evidence]:
        """Return the evidence of one verdict by name, without what cannot be read.

        Where several witnesses answered, the plain name is that of the witness that decided.
        """
        here = self._of[anchor(judged)]
        found = {name: answer for name, (_, answer) in here.items() if answer is not None}
        for name, answer in list(found.items()):
            plain, _, by = name.partition(ev.PROVIDER)
            if by and by == judged.by:
                found[plain] = answer
        return found

    def keyed(self, judged: Judged) -> dict[str, tuple[bytes, ev.Evidence | None]]:
        """Return the evidence of one verdict with its key; None for what cannot be read."""
        return self._of[anchor(judged)]


def exhibits(answers: Answers, times: Times) -> list[tuple[Exhibit, ...]]:
    """Return the exhibits of each criterion; each answer is shown once."""
    shown: dict[bytes, tuple[str, str]] = {}
    every: list[tuple[Exhibit, ...]] = []
    for judged in answers.criteria:
        here: list[Exhibit] = []
        for name, (key, answer) in answers.keyed(judged).items():
            if answer is None:
                here.append(_raw(name, judged.evidence[name]))
                continue
            own = (anchor(judged), _title(judged))
            first = shown.setdefault(key, own)
            here.append(_exhibit(name, answer, times, None if first == own else first))
        every.append(tuple(here))
    return every


def anchor(judged: Judged) -> str:
    """Return the HTML id of a verdict's evidence."""
    tail = "".join(c if c.isascii() and c.isalnum() else "-" for c in judged.subject)
    return f"e-{judged.id}" + (f"-{tail}" if tail else "")


def _title(judged: Judged) -> str:
    return f"{judged.id} {judged.subject}".strip()


def tries(attempts: Sequence[ev.Attempt]) -> str:
    """Return ``3 attempts: 503, 503, 200`` if one of several failed; else empty."""
    if len(attempts) < 2 or all(is_answered(attempt) for attempt in attempts):
        return ""
    results = [one_line(attempt.result, 40) for attempt in attempts]
    shown = results if len(results) <= 6 else [*results[:3], "…", *results[-2:]]
    return f"{len(attempts)} attempts: {', '.join(shown)}"


def is_answered(attempt: ev.Attempt) -> bool:
    """Return True if an attempt was answered."""
    return attempt.result.startswith(("2", "ok", "101"))


def _raw(name: str, plain: Mapping[str, Any]) -> Exhibit:
    return Exhibit(
        name=name.replace("_", " "),
        source="",
        answered=False,
        facts=(("Form", "unknown to this version; shown raw"),),
        body=visible(json.dumps(plain, indent=1, ensure_ascii=False, default=str)),
    )


def _exhibit(
    name: str, answer: ev.Evidence, times: Times, same_as: tuple[str, str] | None
) -> Exhibit:
    asked = answer.question
    title = name.replace("_", " ")
    if same_as is not None:
        return Exhibit(
            name=title,
            source=asked.who,
            answered=True,
            facts=(),
            digest=asked.digest,
            same_as=same_as,
        )
    facts, tables, body = _answer(answer, times)
    return Exhibit(
        name=title,
        source=asked.who,
        answered=not isinstance(answer, ev.Unanswered),
        facts=(*_circumstances(answer, times), *facts),
        asked=tuple(asked.asked.split("\n")[:12]),
        attempts=asked.attempts[-20:],
        tries=tries(asked.attempts),
        digest=asked.digest,
        tables=tables,
        body=body,
        curl=_curl(asked),
        note=answer.note,
    )


def _circumstances(answer: ev.Evidence, times: Times) -> list[tuple[str, str]]:
    asked = answer.question
    facts = [("Asked", times.full(asked.at, True))]
    if asked.window is not None:
        start, end = asked.window.start, asked.window.end
        facts.append(("Window", f"{times.full(start)} to {times.full(end)}, end excluded"))
    else:
        facts.append(("Window", "the state at that time"))
    facts.append(("Basis", "census: everything" if answer.basis == "census" else "sample"))
    if asked.pages > 1:
        facts.append(("Pages", format_count(asked.pages)))
    if asked.vantage:
        facts.append(("Run on", asked.vantage))
    return facts


def _curl(asked: ev.Question) -> str:
    """Return the first GET, or the statement, as a command; secrets stay shell variables."""
    first = asked.asked.split("\n")[0]
    if first.upper().startswith(("SELECT ", "WITH ")) and "%(" not in asked.asked:
        return f"{asked.repeat} {shlex.quote(visible(asked.asked, 2000))}" if asked.repeat else ""
    method, _, address = first.partition(" ")
    address = address.split(" ")[0]
    if method != "GET" or not address.startswith(("http://", "https://")):
        return ""
    return f"{asked.repeat or 'curl -sS'} {shlex.quote(visible(address, 2000))}"


Shown = tuple[list[tuple[str, str]], tuple[Table, ...], str]


def _answer(answer: ev.Evidence, times: Times) -> Shown:
    match answer:
        case ev.Unanswered():
            return [("Answer", "none"), ("Code", answer.code), ("Reason", answer.reason)], (), ""
        case ev.Counts():
            return _counts(answer)
        case ev.Total():
            return [("Answer", f"{format_number(answer.value, 6)} {answer.unit}")], (), ""
        case ev.Samples():
            return _samples(answer)
        case ev.Quantiles():
            rows = tuple((f"q {q}", format_number(v, 4)) for q, v in answer.values.items())
            table = Table(title="Quantiles", head=("Quantile", answer.unit), rows=rows)
            return [("Answer", f"quantiles of {plural(answer.n, 'measurement')}")], (table,), ""
        case ev.Buckets():
            return _buckets(answer)
        case ev.Distribution():
            return _distribution(answer)
        case ev.Series():
            return _series(answer, times)
        case ev.Listing():
            return _listing(answer, times)
        case ev.Document():
            return _document(answer, times)
        case ev.Probes():
            return _probes(answer, times)
    return [], (), visible(json.dumps(ev.to_plain(answer), default=str))


def _buckets(answer: ev.Buckets) -> Shown:
    rows = tuple(
        (f"above {bound} {answer.unit}", _bracket(*many)) for bound, many in answer.above.items()
    )
    table = Table(title="Buckets", head=("Bound", "Count"), rows=rows)
    return [("Answer", f"buckets of {_bracket(*answer.total)} measurements")], (table,), ""


def _bracket(least: int, most: int) -> str:
    """``1,354``, or ``1,354 to 1,360`` where the number is known as a bracket."""
    return format_count(least) + ("" if least == most else f" to {format_count(most)}")


def _counts(answer: ev.Counts) -> Shown:
    facts = [
        (
            "Answer",
            f"{count_of(answer.bad, answer.total)} {answer.what} count as bad",
        )
    ]
    if answer.bad_most is not None:
        facts.append(("At most", f"{format_count(answer.bad_most)} count as bad"))
    if answer.total_most is not None:
        facts.append(("At most", f"{format_count(answer.total_most)} {answer.what} in total"))
    rows = tuple(
        (one_line(k, 80), format_count(v)) for k, v in list(answer.parts.items())[:MOST_ROWS]
    )
    tables = (Table(title="Parts", head=("Part", "Count"), rows=rows),) if rows else ()
    return facts, tables, ""


def _samples(answer: ev.Samples) -> Shown:
    values = sorted(answer.values)
    facts = [("Answer", f"{plural(len(values), 'value')} in {answer.unit}")]
    if values:
        picks = {"smallest": 0, "median": len(values) // 2, "largest": -1}
        shown = [f"{word} {format_number(values[at], 4)}" for word, at in picks.items()]
        facts.append(("Values", ", ".join(shown)))
    if answer.censored:
        facts.append(("Without an answer", format_count(answer.censored)))
    return facts, (), ""


def _distribution(answer: ev.Distribution) -> Shown:
    n = answer.n
    blocks = f"{plural(n, 'sample')} in {plural(len(answer.blocks), 'block')}"
    facts = [("Answer", f"{blocks}, unit {answer.unit}")]
    if answer.censored:
        facts.append(
            ("Without an answer", f"{format_count(answer.censored)}, longer than any value")
        )
    if answer.refused:
        facts.append(("Refused (401, 403)", f"{format_count(answer.refused)}, no samples"))
    if answer.limited:
        facts.append(("Limited (429)", f"{format_count(answer.limited)}, no samples"))
    if answer.sent_late:
        facts.append(("Sent late", format_count(answer.sent_late)))
    if answer.round_trip_ms:
        facts.append(("Round trip of the connection", f"{format_number(answer.round_trip_ms)} ms"))
    tables: tuple[Table, ...] = ()
    if n:
        whole = answer.merged()
        rows = tuple(
            (f"p{name}", format_number(quantile(whole, q), 4))
            for name, q in (("50", 0.5), ("90", 0.9), ("95", 0.95), ("99", 0.99), ("100", 1.0))
        )
        tables = (Table(title="Quantiles, within 1 %", head=("", answer.unit), rows=rows),)
    return facts, tables, ""


def _series(answer: ev.Series, times: Times) -> Shown:
    facts = [("Answer", f"{plural(len(answer.lines), 'line')} in {answer.unit}")]
    rows: list[tuple[str, ...]] = []
    for line in answer.lines[:MOST_ROWS]:
        values = [value for value in line.values if value is not None]
        label = ", ".join(f"{k} {v}" for k, v in line.labels.items()) or "all"
        if not values:
            rows.append(
                (one_line(label, 80), "0", format_count(len(line.values)), "", "", "", "", "")
            )
            continue
        first, last = parse_time(line.times[0]), parse_time(line.times[-1])
        rows.append(
            (
                one_line(label, 80),
                format_count(len(values)),
                format_count(len(line.values) - len(values)),
                times.full(first) if first else "",
                times.full(last) if last else "",
                format_number(min(values), 4),
                format_number(max(values), 4),
                format_number(values[-1], 4),
            )
        )
    head = ("Line", "Values", "Missing", "From", "To", "Smallest", "Largest", "Last")
    cut = len(answer.lines) - len(rows)
    table = Table(
        title="Lines",
        head=head,
        rows=tuple(rows),
        cut=f"{plural(cut, 'more line')}, in the record" if cut else "",
    )
    return facts, (table,) if rows else (), ""


def _listing(answer: ev.Listing, times: Times) -> Shown:
    of = f", of {format_count(answer.seen)} examined" if answer.seen > len(answer.items) else ""
    facts = [("Answer", f"{format_count(len(answer.items))} {answer.what}{of}")]
    if not answer.complete:
        facts.append(("Complete", "no: some are missing"))
    if not answer.items:
        return facts, (), ""
    names: dict[str, None] = {}
    for item in answer.items[:MOST_ROWS]:
        names.update(dict.fromkeys(item))
    head = tuple(names)[:MOST_COLUMNS]
    rows = tuple(
        tuple(_cell(name, item.get(name), times) for name in head)
        for item in answer.items[:MOST_ROWS]
    )
    more = [plural(len(answer.items) - len(rows), "row")] if len(answer.items) > len(rows) else []
    if len(names) > len(head):
        more.append(f"columns {', '.join(one_line(n, 40) for n in tuple(names)[MOST_COLUMNS:])}")
    table = Table(
        title=answer.what,
        head=tuple(one_line(name, 60) for name in head),
        rows=rows,
        cut=f"cut here, kept in the record: {' and '.join(more)}" if more else "",
    )
    return facts, (table,), ""


def _cell(name: str, value: Any, times: Times) -> str:
    if value is None:
        return "null"
    at = parse_time(value) if name in TIME_FIELDS else None
    if at is not None:
        return times.full(at, True)
    if isinstance(value, int | float):
        return format_number(value, 5)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return one_line(text, 240)


def _document(answer: ev.Document, times: Times) -> Shown:
    text = "no HTTP answer" if not answer.status else f"{answer.status} in {span_ms(answer)}"
    facts = [("Answer", text)]
    if answer.problem:
        facts.append(("Problem", answer.problem))
    if answer.silent:
        facts.append(("Silent", "no attempt got an HTTP answer"))
    if answer.server_date is not None:
        facts.append(("Date header", times.full(answer.server_date, True)))
    body = ""
    if answer.body is not None:
        body = visible(json.dumps(answer.body, indent=1, ensure_ascii=False, default=str))
    return facts, (), body


def span_ms(answer: ev.Document) -> str:
    """Return how long the last attempt took."""
    return format_duration(answer.took_ms / 1000)


def _probes(answer: ev.Probes, times: Times) -> Shown:
    ratio = format_percent(answer.kept / answer.due) if answer.due else "none due"
    facts = [
        ("Answer", f"{format_count(answer.bad)} of {plural(answer.kept, 'probe')} failed"),
        (
            "Coverage",
            f"{count_of(answer.kept, answer.due)} due probes sent: {ratio}",
        ),
    ]
    longest = max((end - start for start, end in answer.gaps), default=0.0)
    facts.append(("Longest gap", format_duration(longest) if longest else "none over one interval"))
    if answer.limited:
        facts.append(
            ("Limited", f"{format_count(answer.limited)} answered 429, not counted as samples")
        )
    if answer.uptimes:
        last = answer.uptimes[-1].uptime_s
        facts.append(
            (
                "Uptime readings",
                f"{format_count(len(answer.uptimes))}, the last {format_duration(last)}",
            )
        )
    if answer.connections or answer.refused:
        text = (
            f"{format_count(answer.connections)} opened, {format_count(answer.drops)} dropped, "
            f"{format_count(answer.refused)} refused, {format_duration(answer.held_s)} in total"
        )
        facts.append(("Connections", text))
    if answer.simulated:
        facts.append(("Simulated", "yes: the prober of a rehearsal"))
    tables: list[Table] = []
    if answer.statuses:
        rows = tuple((one_line(k, 60), format_count(v)) for k, v in answer.statuses.items())[
            :MOST_ROWS
        ]
        tables.append(Table(title="Answers", head=("Status", "Probes"), rows=rows))
    if answer.failures:
        tables.append(_failures(answer, times))
    if answer.gaps:
        gaps = tuple(
            (_time(start, times), _time(end, times), format_duration(end - start))
            for start, end in sorted(answer.gaps, key=lambda g: g[0] - g[1])[:MOST_ROWS]
        )
        cut = len(answer.gaps) - len(gaps)
        tables.append(
            Table(
                title="Gaps, longest first",
                head=("From", "To", "Length"),
                rows=gaps,
                cut=f"{plural(cut, 'shorter one')}, in the record" if cut else "",
            )
        )
    if answer.vantages:
        tables.append(_vantages(answer))
    return facts, tuple(tables), ""


def _vantages(answer: ev.Probes) -> Table:
    """What each vantage saw, as counts; the verdict says what follows from them."""
    rows = tuple(
        (
            one_line(name, 60),
            count_of(each.kept, each.due),
            format_count(sum(f.control is not False for f in each.failures)),
            format_count(sum(f.control is False for f in each.failures)),
        )
        if isinstance(each, ev.Probes)
        else (one_line(name, 60), f"no answer: {one_line(each.reason, 160)}", "-", "-")
        for name, each in answer.vantages.items()
    )
    head = ("Vantage", "Probes sent", "Failed", "Failed, control address too")
    return Table(title="By vantage", head=head, rows=rows)


def _failures(answer: ev.Probes, times: Times) -> Table:
    words = {True: "answered", False: "no answer either", None: "not asked"}
    rows = tuple(
        (
            _time(failure.at, times),
            one_line(failure.reason, 160),
            format_duration(failure.lasted_s) if failure.lasted_s else "the next probe passed",
            words[failure.control],
        )
        for failure in answer.failures[:MOST_ROWS]
    )
    cut = len(answer.failures) - len(rows)
    return Table(
        title="Failed probes",
        head=("Due", "Reason", "Lasted", "Control address"),
        rows=rows,
        cut=f"{plural(cut, 'more failed probe')}, in the record" if cut else "",
    )


def _time(value: float, times: Times) -> str:
    at = parse_time(value)
    return times.full(at, True) if at else format_number(value)
