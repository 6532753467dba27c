"""Links from pages to the error tracker, the logs, status pages and the runbook."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hour24 import evidence as ev
from hour24 import links
from hour24.checkpoint.linking import links_of
from hour24.config import Production, load
from hour24.errors import ConfigurationError
from hour24.incidents import Finding, Incident, State
from hour24.ledger.record import Link, Record, canonical, from_content, parse
from hour24.links import Links
from hour24.playbook import ENTRIES
from hour24.report import checkpoint
from hour24.report import outside as outside_module
from hour24.verdict import Outcome
from tests.pages.sample import HOSTILE, T0, Sample, changed, epoch, question
from tests.test_config import shipped_with_values, written
from tests.test_report_checkpoint import Elements

ISSUES = "https://sentry.example.net/organizations/acme/issues/{issue}/"
LOGS = "https://logs.example.net/search?from={start}&to={end}"
CONFIGURED = Links(
    issues={"sentry": ISSUES},
    logs=LOGS,
    runbook="https://wiki.example.net/runbook",
    status={"Supabase": "https://status.supabase.com"},
)
HOSTILE_IDS = (
    "",
    "../../../evil",
    "1/../../login",
    '1"><script>alert(1)</script>',
    "1' onmouseover='x",
    "javascript:alert(1)",
    "1#@evil.example",
    "1?next=//evil",
    "1\n2",
    "1" * 65,
    "é",
    "{start}",
)
HOSTILE_ADDRESSES = (
    "http://sentry.example.net/",
    "javascript:alert(1)",
    "//evil.example",
    "https://user:secret@evil.example/",
    "https://",
    "https://a b.example/",
    'https://a.example/"onload=x',
    "https://a.example/<script>",
    "https://a.example/\\@evil.example",
    "https://a.example@evil.example/",
    "https://a.example/{issue}",
    "https://a.example/\u202e",
    f"https://a.example/{'a' * 2000}",
)


def failed(
    item: dict[str, Any] | None = None, linked: Links = CONFIGURED, **changes: Any
) -> Record:
    """A record in which ERRORS-NEW failed because of one issue, 20 minutes before its end."""
    sample = Sample(16)
    last = epoch(sample.checkpoint.settled.end) - 1200
    listing = ev.Listing(
        question=question("sentry", "GET https://x", sample.checkpoint.settled, sample.at),
        what="issues",
        items=(
            {
                "short_id": "API-7F",
                "title": "TypeError in calls",
                "count": 2,
                "first_seen": last - 60,
                "last_seen": last,
                "id": "4507",
                **(item or {}),
            },
        ),
        seen=1,
    )
    kept = changed(
        sample.criteria(),
        "ERRORS-NEW",
        outcome=Outcome.FAIL,
        code="new_issue",
        reason="New: API-7F",
        evidence={"issues": ev.to_plain(listing)},
    )
    return sample.record(kept, links=linked, **changes)


def outside(record: Record) -> dict[str, dict[str, str | None]]:
    """Each link of a page that leads elsewhere: its address and attributes."""
    parsed = Elements(checkpoint.text(record, None, Path("hour16.a1.html")))
    found = [attributes for tag, attributes in parsed.tags if tag == "a"]
    return {
        str(each["href"]): each for each in found if re.match(r"(\w+:|//)", str(each.get("href")))
    }


@pytest.mark.parametrize("name", HOSTILE_IDS)
def test_an_id_that_is_no_id_is_no_link(name: str) -> None:
    assert links.issue(ISSUES, name) == ""
    assert outside(failed({"id": name})).keys() == outside(failed({"id": None})).keys()
    assert links.runbook("https://wiki.example.net/runbook", name) == ""


@pytest.mark.parametrize("address", HOSTILE_ADDRESSES)
def test_an_address_that_is_no_https_address_is_no_link(address: str) -> None:
    """Also in a record that others wrote."""
    assert not links.is_link(address)
    forged = Links(
        issues={"sentry": address}, logs=address, runbook=address, status={"Vapi": address}
    )
    assert outside(failed(linked=forged)) == {} or address.endswith("{issue}")


def test_an_incident_links_to_its_issue_its_minutes_the_runbook_and_the_status_pages() -> None:
    record = failed()
    last = record.window.end - timedelta(seconds=300 + 1200)
    start = f"{last - timedelta(seconds=120):%Y-%m-%dT%H:%M:%SZ}"
    found = outside(record)
    assert "https://sentry.example.net/organizations/acme/issues/4507/" in found
    assert "https://wiki.example.net/runbook#new_issue" in found
    assert "https://status.supabase.com" in found
    logs = [one for one in found if one.startswith("https://logs.example.net/search?from=")]
    assert len(logs) == 1
    assert f"from={start}" in logs[0]
    for attributes in found.values():
        assert {"noreferrer", "noopener"} <= set(str(attributes.get("rel")).split())


def test_an_issue_of_another_source_is_not_linked_to_this_tracker() -> None:
    other = Links(issues={"glitchtip": "https://glitchtip.example.net/{issue}"})
    assert outside(failed(linked=other)) == {}


def test_a_hostile_title_is_text_and_no_link() -> None:
    found = outside(failed({"title": f"https://evil.example/ {HOSTILE}"}))
    assert not [one for one in found if "evil" in one]


def test_a_record_stores_the_links_and_older_ones_have_none() -> None:
    record = failed(previous=Link(file="hour12.a1.json", sha256="0" * 64))
    data = canonical(record)
    assert parse(data, "x").links == CONFIGURED
    content = msgspec.json.decode(data)
    del content["links"]
    assert from_content(content, "x").links == Links()


def test_without_a_runbook_elsewhere_the_page_has_the_entry_with_its_commands() -> None:
    """The commands have the watch's name and target; a rehearsal has none that asks its servers."""
    own = msgspec.structs.replace(CONFIGURED, runbook="")
    text = checkpoint.text(failed(linked=own), None, Path("hour16.a1.html"))
    assert "A new or a critical error" in text
    assert "wiki.example.net" not in text
    assert "python -m hour24 summary " in text
    assert "python -m hour24 rollback" in text
    elsewhere = checkpoint.text(failed(), None, Path("hour16.a1.html"))
    assert "A new or a critical error" not in elsewhere
    rehearsed = failed(linked=Links(), rehearsal={"seed": 1, "faults": []}, target="rehearsal")
    text = checkpoint.text(rehearsed, None, Path("hour16.a1.html"))
    assert "A new or a critical error" in text
    entry = text[text.index("A new or a critical error") :]
    assert "hour24 rollback" not in entry[: entry.index("</section>")]


@pytest.mark.parametrize("code", sorted({code for each in ENTRIES for code in each.codes}))
def test_the_entry_of_each_code_has_commands_that_a_rehearsal_can_run(code: str) -> None:
    """Its servers have stopped: doctor, rollback and curl would be refused or find nothing."""
    found = Incident(
        headline="",
        outcome=Outcome.FAIL,
        state=State.UNKNOWN,
        findings=(
            Finding(
                hour=16,
                id="DB-SIZE",
                subject="",
                outcome=Outcome.FAIL,
                code=code,
                reason="",
                ended=T0,
                judged=None,
            ),
        ),
    )
    plain = Sample(16).record()
    rehearsed = Sample(16).record(rehearsal={"seed": 1, "faults": []}, target="rehearsal")
    commands = outside_module.advice(found, plain, Path("my reports"))[0].commands
    assert len(commands) == 3
    assert not [each for each in commands if re.search(r"\b(WATCH|CRITERION|hourN)\b", each)]
    reduced = outside_module.advice(found, rehearsed, Path("my reports"))[0].commands
    assert not [each for each in reduced if re.search(r"doctor|rollback|curl", each)]
    for each in (*commands, *reduced):
        assert "curl" in each or "doctor" in each or "my reports" in each, each


NAME = "launch-2025-12-22"
PLACE = f"{NAME} --reports 'my reports'"
FILLED = (
    f"python -m hour24 rollback {PLACE}",
    f"pytest -m hour16 --watch {PLACE}",
    "python -m hour24 doctor",
    f"python -m hour24 summary {PLACE}",
    f"python -m hour24 waive DB-SIZE {NAME} --by NAME --because REASON --until DATE --hour 16 "
    "--reports 'my reports'",
    f'python -m hour24 signoff --by "NAME" --role "ROLE" \'my reports/{NAME}\'',
    f"pytest -m hour0 --follows {PLACE}",
)


@pytest.mark.parametrize(
    ("stated", "address"),
    [("https://a.example/health", "https://a.example/health"), ("/health", "HEALTH_URL")],
)
def test_commands_are_filled_in_with_the_options_of_the_watch(stated: str, address: str) -> None:
    every = {command for each in ENTRIES for command in each.commands}
    record = Sample(16).record(watched={"health.url": stated})
    made = {*outside_module._filled(every, record, Path("my reports"), "DB-SIZE")}
    assert made >= {*FILLED, f"curl -sS -i --max-time 10 {address}"}
    assert len(made) == len(every)


def test_commands_that_ask_a_rehearsal_are_left_out() -> None:
    every = {command for each in ENTRIES for command in each.commands}
    record = Sample(16).record(rehearsal={"seed": 1, "faults": []}, target="rehearsal")
    made = {*outside_module._filled(every, record, Path("my reports"), "DB-SIZE")}
    assert f"pytest -m hour16 --target rehearsal --watch {PLACE}" in made
    assert f"pytest -m hour0 --target rehearsal --follows {PLACE}" in made
    assert len(made) == len(every) - 3


def test_a_command_is_printed_once_for_an_incident() -> None:
    """Of two entries with the same first commands the second has the rest."""
    codes = ("no_answer", "slow", "did_not_hold")
    found = Incident(
        headline="",
        outcome=Outcome.FAIL,
        state=State.UNKNOWN,
        findings=tuple(
            Finding(
                hour=16, id=name, subject="", outcome=outcome, code=code, reason="", ended=T0,
                judged=None,
            )
            for name, code, outcome in (
                *zip(("HEALTH-SCHEMA", "DB-SIZE", "SIGNOFF-HEALTH"), codes, [Outcome.FAIL] * 3,
                     strict=True),
                ("JOBS-RUNNING", "late", Outcome.INCONCLUSIVE),
                ("OWN", "a_code_without_entry", Outcome.FAIL),
            )
        ),
    )  # fmt: skip
    advice = outside_module.advice(found, Sample(16).record(), None)
    assert [[code for code, *_ in each.codes] for each in advice] == [[code] for code in codes]
    commands = [command for each in advice for command in each.commands]
    assert len(set(commands)) == len(commands)


def test_logs_are_linked_to_only_for_what_failed_at_a_known_time() -> None:
    assert [one for one in outside(failed()) if "logs.example.net" in one]
    without = msgspec.structs.replace(CONFIGURED, logs="")
    assert not [one for one in outside(failed(linked=without)) if "logs.example.net" in one]
    missing = Incident(
        headline="", outcome=Outcome.INCONCLUSIVE, state=State.NOT_MEASURED, findings=(), began=T0
    )
    show = "{:%H:%M}".format
    assert not [*outside_module._logs(missing, failed(), show)]
    undated = Incident(headline="", outcome=Outcome.FAIL, state=State.UNKNOWN, findings=())
    assert not [*outside_module._logs(undated, failed(), show)]


def test_an_error_event_links_to_the_issue_that_it_belongs_to() -> None:
    found = outside(failed({"short_id": "", "issue": "API-7F", "issue_id": "4507", "id": "9"}))
    assert [one for one in found if one == ISSUES.format(issue="4507")]
    assert not [one for one in found if one == ISSUES.format(issue="9")]


# --- from production.toml -------------------------------------------------------------------------


def loaded(folder: Path, more: str, *changes: tuple[str, str]) -> Production:
    text, variables = shipped_with_values()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return load(written(folder, f"{text}\n{more}"), variables)


def test_the_issue_and_status_pages_follow_from_the_configured_addresses(tmp_path: Path) -> None:
    found = links_of(loaded(tmp_path, ""))
    assert found.issues == {"sentry": "https://sentry.io/organizations/acme/issues/{issue}/"}
    assert found.status["Supabase"] == "https://status.supabase.com"
    assert (found.logs, found.runbook) == ("", "")
    secrets = ("sntryu", "publickey00", "rnd_", "sbp_")
    assert not [each for each in secrets if each in str(found)]


def test_a_tracker_without_https_has_no_link(tmp_path: Path) -> None:
    http = ('url = "https://sentry.io"', 'url = "http://127.0.0.1:9000"')
    assert links_of(loaded(tmp_path, "", http)).issues == {}


def test_a_status_page_without_https_has_no_link(tmp_path: Path) -> None:
    http = ('"https://status.supabase.com"', '"http://127.0.0.1:9000"')
    assert "Supabase" not in links_of(loaded(tmp_path, "", http)).status


def test_links_of_production_toml_are_kept_as_stated(tmp_path: Path) -> None:
    stated = (
        f'[links]\nlogs = "{LOGS}"\nrunbook = "https://wiki.acme.net/runbook"\n'
        'issues = "https://acme.sentry.io/issues/{issue}/"\n'
    )
    found = links_of(loaded(tmp_path, stated))
    assert found.logs == LOGS
    assert found.runbook == "https://wiki.acme.net/runbook"
    assert links.issue(found.issues["sentry"], "45") == "https://acme.sentry.io/issues/45/"


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ('logs = "http://logs.acme.net/{start}"', "links.logs: expected an https address"),
        ('logs = "https://logs.acme.net/"', "links.logs: expected an https address with {start}"),
        ('logs = "https://logs.acme.net/{start}{token}"', "got {token}"),
        ('logs = "https://u:p@logs.acme.net/{start}"', "links.logs: expected an address without"),
        ('runbook = "https://wiki.acme.net/{code}"', "links.runbook"),
        ('runbook = "https://wiki.acme.net/a#b"', "links.runbook: expected an https address"),
        ('issues = "https://acme.net/\'{issue}"', "links.issues"),
        ('issues = "https://acme.net/"', "links.issues: expected an https address with {issue}"),
        ('page = "https://acme.net/"', "links.page"),
    ],
)
def test_a_link_that_would_be_none_is_refused(tmp_path: Path, stated: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        loaded(tmp_path, f"[links]\n{stated}\n")
    assert says in str(refused.value)


def test_logs_take_iso_times_seconds_and_milliseconds() -> None:
    at = datetime(2026, 12, 1, 12, 0, 0, 500_000, UTC)
    template = "https://l.example/{start}/{end_s}/{end_ms}"
    wanted = "https://l.example/2026-12-01T12:00:00Z/1796126400/1796126400500"
    assert links.logs(template, at, at) == wanted
