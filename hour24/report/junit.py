"""The record of a checkpoint as JUnit XML.

Rules of this module:

- FAIL is ``<failure>``, INCONCLUSIVE ``<error type="inconclusive.CODE">``, NOT_APPLICABLE
  ``<skipped>``: a reader without a third verdict sees a problem, never green.
- An advisory check is ``<skipped type="advisory">`` whatever it found.
- Properties are at the suite: junit-10.xsd does not allow them within a test case.
- Characters that XML does not allow are shown as signs.
"""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

from hour24 import evidence as ev
from hour24.ledger.advisory import advisory_word
from hour24.ledger.record import Judged, Record
from hour24.report import page
from hour24.report.exhibits import read, tries
from hour24.text import one_line, visible
from hour24.verdict import Outcome

LONGEST = 8000
_CHILD = {
    Outcome.FAIL: ("failure", "fail"),
    Outcome.INCONCLUSIVE: ("error", "inconclusive"),
    Outcome.NOT_APPLICABLE: ("skipped", "not_applicable"),
}


def write(record: Record, path: Path) -> None:
    """Write the XML of one checkpoint. Raises: OSError, if it cannot be written."""
    page.put(path, text(record))


def text(record: Record) -> str:
    """Return the XML of one checkpoint."""
    suites = ET.Element("testsuites")
    many, apart = record.criteria, record.advisory_checks
    suite = ET.SubElement(
        suites,
        "testsuite",
        name=one_line(f"hour24.{record.watch}.hour{record.hour:02d}", 200),
        tests=str(len(many) + len(apart)),
        failures=str(_count(many, Outcome.FAIL)),
        errors=str(_count(many, Outcome.INCONCLUSIVE)),
        skipped=str(_count(many, Outcome.NOT_APPLICABLE) + len(apart)),
        time=_seconds(sum(judged.took_s for judged in record.verdicts)),
        timestamp=record.started.isoformat(timespec="seconds"),
        hostname=one_line(record.vantage.host, 120),
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(record):
        ET.SubElement(properties, "property", name=name, value=visible(value, 1000))
    for judged in many:
        _case(suite, judged)
    for judged in apart:
        _case(suite, judged, advisory=True)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, "unicode") + "\n"


def _count(many: tuple[Judged, ...], outcome: Outcome) -> int:
    return sum(judged.outcome == outcome for judged in many)


def _seconds(value: float) -> str:
    return f"{max(0.0, value):.3f}"


def _properties(record: Record) -> list[tuple[str, str]]:
    properties = [
        ("watch", record.watch),
        ("hour", str(record.hour)),
        ("attempt", str(record.attempt)),
        ("outcome", record.outcome.value),
        ("target", record.target),
        ("rehearsal", record.target_kind.about or "no"),
        ("service", record.service.get("name", "")),
        ("environment", record.service.get("environment", "")),
        ("release", record.service.get("release", "")),
        ("t0", record.t0.isoformat()),
        ("due", record.due.isoformat()),
        ("late_s", _seconds(record.late_s) if record.late_s >= 0 else f"{record.late_s:.3f}"),
        ("early", str(record.early).lower()),
        ("limits", record.limits),
        ("previous", record.previous.sha256 if record.previous else ""),
        ("prober_running", str(record.prober.running).lower()),
        ("interrupted", record.interrupted),
    ]
    if record.decision:
        properties.append(("decision", str(record.decision.get("action", ""))))
    return properties


def _case(suite: ET.Element, judged: Judged, *, advisory: bool = False) -> None:
    name = f"{judged.id}[{judged.subject}]" if judged.subject else judged.id
    case = ET.SubElement(
        suite,
        "testcase",
        classname=one_line(f"hour24.{judged.group}", 120),
        name=one_line(name, 160),
        time=_seconds(judged.took_s),
    )
    if advisory:
        text = f"{advisory_word([judged])}: {judged.reason}"
        child = ET.SubElement(case, "skipped", type="advisory", message=one_line(text, 600))
        child.text = visible(text)
    elif judged.outcome in _CHILD:
        tag, kind = _CHILD[judged.outcome]
        code = one_line(judged.code, 60)
        child = ET.SubElement(
            case,
            tag,
            type=f"{kind}.{code}" if code else kind,
            message=one_line(judged.reason, 600),
        )
        child.text = visible(judged.reason)
    out = ET.SubElement(case, "system-out")
    out.text = _evidence(judged)


def _evidence(judged: Judged) -> str:
    lines = [
        f"{judged.outcome.value}: {one_line(judged.sentence, 400)}",
        f"observed {one_line(judged.observed)} {one_line(judged.bound)}".rstrip(),
        f"limit {one_line(judged.limit)}",
        f"objective {one_line(json.dumps(judged.objective, default=str), 900)}",
    ]
    for name, plain in judged.evidence.items():
        answer = read(plain)
        if answer is None:
            lines.append(f"{one_line(name, 80)}: unknown to this version")
            continue
        asked = answer.question
        lines.append(f"{one_line(name, 80)}: {one_line(asked.source, 40)}, {answer.basis}")
        lines.append(f"  asked {one_line(asked.asked, 900)}")
        lines.append(f"  at {asked.at.isoformat()}, sha256 {asked.digest or 'none'}")
        if tries(asked.attempts):
            lines.append(f"  {tries(asked.attempts)}")
        if isinstance(answer, ev.Unanswered):
            lines.append(f"  {one_line(answer.code, 60)}: {one_line(answer.reason, 600)}")
    return visible("\n".join(lines), LONGEST)
