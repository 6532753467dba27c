"""JUnit XML from a record."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import msgspec

from hour24.report import junit
from hour24.verdict import Outcome
from tests.pages.sample import HOSTILE, Sample, failing

# The rules of junit-10.xsd (the form that Jenkins' xUnit plug-in checks) that could be broken
# here: which elements and attributes exist where, and the form of a time.
ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {
        *("name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp"),
        *("hostname", "id", "package", "file", "log", "url", "version"),
    },
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "time", "classname", "group", "file", "line", "assertions", "status"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
    "system-out": set(),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testsuite", "properties", "testcase", "system-out", "system-err"},
    "properties": {"property"},
    "testcase": {"skipped", "error", "failure", "system-out", "system-err"},
}
TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]{0,3})?")


def tree(text: str) -> ElementTree.Element:
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.attrib) <= ATTRIBUTES[element.tag], element.tag
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
        if "time" in element.attrib:
            assert TIME.fullmatch(element.attrib["time"])
    return root


def test_the_three_outcomes_other_than_pass_differ() -> None:
    """FAIL is a failure, INCONCLUSIVE an error with its code, NOT_APPLICABLE skipped."""
    suite = tree(junit.text(failing()))[0]
    cases = {case.attrib["name"]: case for case in suite.iter("testcase")}
    assert cases["LATENCY-TARGET[assistants]"].find("failure") is not None
    open_one = cases["LOGS-WATCHED"].find("error")
    assert open_one is not None
    assert open_one.attrib["type"] == "inconclusive.source_failed"
    assert cases["DB-SIZE"].find("skipped") is not None
    assert [child.tag for child in cases["HEALTH-SCHEMA"]] == ["system-out"]
    assert (suite.attrib["failures"], suite.attrib["errors"], suite.attrib["skipped"]) == (
        *("1", "2", "1"),
    )
    assert suite.attrib["tests"] == str(len(cases)) == str(len(failing().criteria))


def test_a_verdict_that_is_no_pass_never_reads_as_one() -> None:
    """Whatever the outcome, a case without a child that alarms is a PASS in the record."""
    sample = Sample(24)
    outcomes = list(Outcome)
    kept = tuple(
        msgspec.structs.replace(j, outcome=outcomes[n % 4], code="")
        for n, j in enumerate(sample.criteria())
    )
    suite = tree(junit.text(sample.record(kept)))[0]
    for case, judged in zip(suite.iter("testcase"), kept, strict=True):
        alarmed = any(case.find(tag) is not None for tag in ("failure", "error", "skipped"))
        assert alarmed == (judged.outcome != Outcome.PASS)


def test_properties_stand_at_the_suite_alone() -> None:
    """Within a test case they are not valid; hour, outcome and limits are there."""
    root = tree(junit.text(failing()))
    assert root.find(".//testcase/properties") is None
    found = {p.attrib["name"]: p.attrib["value"] for p in root.iter("property")}
    assert found["outcome"] == "FAIL"
    assert found["hour"] == "16"
    assert found["decision"] == "HOLD"


def test_the_evidence_is_in_the_output_of_the_case() -> None:
    """Question as sent, when, digest and attempts."""
    root = tree(junit.text(failing()))
    out = root.find(".//testcase[@name='ERRORS-COUNT']/system-out")
    assert out is not None
    assert "GET https://sentry.example/" in (out.text or "")
    assert "3 attempts: 503, 503, 200" in (out.text or "")
    assert "sha256 " in (out.text or "")


def test_what_xml_cannot_hold_is_a_sign(tmp_path: Path) -> None:
    """Control characters, lone surrogates and ends of sections leave a file that parses."""
    sample = Sample(16, text=HOSTILE + "\ufffe\ud800")
    kept = tuple(
        msgspec.structs.replace(
            j, outcome=Outcome.FAIL, reason=HOSTILE + "\ufffe\ud800", code=HOSTILE, subject=HOSTILE
        )
        for j in sample.criteria()
    )
    path = tmp_path / "hour16.a1.xml"
    junit.write(sample.record(kept, service={"name": HOSTILE}), path)
    root = tree(path.read_text(encoding="utf-8"))
    failure = root.find(".//failure")
    assert failure is not None
    assert "⟨ESC⟩[31m" in failure.attrib["message"]
    assert "<script>" in failure.attrib["message"]


def test_a_megabyte_of_reason_is_cut() -> None:
    """The file stays of a size that a CI reads."""
    sample = Sample(8)
    kept = tuple(msgspec.structs.replace(j, reason="x" * 1_000_000) for j in sample.criteria())
    assert len(junit.text(sample.record(kept))) < 500_000
