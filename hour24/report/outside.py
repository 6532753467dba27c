"""What an incident on a page leads to: the issue, the logs, status pages, the runbook.

Rules of this module:

- A link is made of an address in production.toml; see :mod:`hour24.links`. Text that a source wrote
  is never an address, and what is no link is not shown as one.
- A command works as printed, with the watch's own name, folder and target filled in. What needs a
  person's decision stays in capitals.
- The servers of a rehearsal stop with its checkpoint: commands that would ask them are left out.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from msgspec import Struct

from hour24 import links
from hour24.codes import CODES
from hour24.incidents import Clock, Incident
from hour24.ledger.record import Record
from hour24.playbook import Entry, entry_of
from hour24.report import page
from hour24.shipped import COMMAND
from hour24.text import one_line
from hour24.verdict import Outcome

MOST_ISSUES = 3
"""Issues of one incident that are linked to; the evidence lists all."""
BEFORE = timedelta(minutes=1)
"""Logs are shown from a minute before the first failure."""
AFTER = timedelta(minutes=1)
LONGEST = timedelta(hours=1)
"""Of the logs of a long incident the beginning is shown."""


class Link(Struct, frozen=True, kw_only=True):
    """One link to another system."""

    text: str
    address: str


class Advice(Struct, frozen=True, kw_only=True):
    """The runbook's entry for some codes of an incident.

    Args:
        codes: each with what it means and what to do.
        commands: the first ones, filled in, without those of an entry before.
    """

    entry: Entry
    codes: tuple[tuple[str, str, str], ...]
    commands: tuple[str, ...]


def of_incident(found: Incident, record: Record, show: Clock) -> tuple[Link, ...]:
    """Return the links of an incident: issues, logs, runbook, status pages."""
    made = [*_issues(found, record), *_logs(found, record, show)]
    for code in _codes(found):
        if address := links.runbook(record.links.runbook, code):
            made.append(Link(text=f"Runbook: {code}", address=address))
    for name, address in record.links.status.items():
        if links.is_link(address):
            made.append(Link(text=f"Status of {one_line(name, 40)}", address=address))
    return tuple(made)


def _issues(found: Incident, record: Record) -> Iterator[Link]:
    """Yield the issues of an incident, by the ids that their tracker gave them."""
    known: dict[str, Link] = {}
    for finding in found.findings:
        for plain in finding.judged.evidence.values() if finding.judged else ():
            source = str((plain.get("question") or {}).get("source", ""))
            template = record.links.issues.get(source, "")
            for item in plain.get("items") or () if template else ():
                name = str(item.get("short_id") or item.get("issue") or "")
                id_ = item.get("id") if item.get("short_id") else item.get("issue_id")
                if name in found.issues and name not in known:
                    address = links.issue(template, id_ or "")
                    if address:
                        known[name] = Link(text=f"Issue {one_line(name, 40)}", address=address)
    yield from list(known.values())[:MOST_ISSUES]


def _logs(found: Incident, record: Record, show: Clock) -> Iterator[Link]:
    """Yield the logs from a minute before an incident to a minute after it."""
    if found.outcome != Outcome.FAIL or found.began is None or not record.links.logs:
        return
    start = found.began - BEFORE
    last = found.until or found.checked or found.began
    end = min(max(last, found.began) + AFTER, start + LONGEST)
    if address := links.logs(record.links.logs, start, end):
        yield Link(text=f"Logs {show(start)} to {show(end)}", address=address)


def _codes(found: Incident) -> list[str]:
    """Return the codes of what failed, each once."""
    failed = (each.code for each in found.findings if each.outcome == Outcome.FAIL)
    return list(dict.fromkeys(code for code in failed if entry_of(code) is not None))


def advice(found: Incident, record: Record, reports: Path | None) -> tuple[Advice, ...]:
    """Return the runbook's entries for an incident; none if production.toml names a runbook.

    Args:
        reports: the folder with the watch; None: the default one.
    """
    if links.is_link(record.links.runbook):
        return ()
    grouped: dict[str, tuple[Entry, list[str]]] = {}
    for code in _codes(found):
        entry = entry_of(code)
        if entry is not None:
            grouped.setdefault(entry.title, (entry, []))[1].append(code)
    made = []
    shown: set[str] = set()
    for entry, codes in grouped.values():
        criterion = next(each.id for each in found.findings if each.code in codes)
        commands = [*_filled(entry.commands, record, reports, criterion)]
        made.append(
            Advice(
                entry=entry,
                codes=tuple((code, CODES[code].means, CODES[code].advice) for code in codes),
                commands=tuple(each for each in commands if each not in shown),
            )
        )
        shown.update(commands)
    return tuple(made)


def _filled(
    commands: Iterable[str], record: Record, reports: Path | None, criterion: str
) -> Iterator[str]:
    """Yield the commands that can be run, with the options of this watch."""
    selected = page.selected(record.target, record.watch, reports)
    place = selected[selected.index("--watch") + 2 :]
    target = selected[: selected.index("--watch")]
    for command in commands:
        words = shlex.split(command)
        if words[0] == "curl":
            if record.target_kind.lasting:
                yield _health(words, record)
        elif words[0] == "pytest":
            hour = 0 if "hour0" in words else record.hour
            again = page.command(record.target, record.watch, hour, reports)
            yield again.replace("--watch", "--follows") if "hour0" in words else again
        elif record.target_kind.lasting or not {"rollback", "doctor"} & set(words):
            name = words[len(COMMAND.split())]
            if name == "signoff":
                folder = (reports or Path("reports")) / record.watch
                yield f'{COMMAND} signoff --by "NAME" --role "ROLE" {shlex.quote(str(folder))}'
                continue
            named = {"WATCH": record.watch, "CRITERION": criterion}
            made = [named.get(word, word) for word in words]
            more = target if name == "doctor" else place
            yield shlex.join([*made, *_hour(name, record), *more])


def _hour(name: str, record: Record) -> list[str]:
    return ["--hour", str(record.hour)] if name == "waive" else []


def _health(words: list[str], record: Record) -> str:
    """Return the command that requests the health document."""
    stated = record.watched.get("health.url", "")
    known = stated if stated.startswith(("http://", "https://")) else "HEALTH_URL"
    return shlex.join([known if word == "HEALTH_URL" else word for word in words])
