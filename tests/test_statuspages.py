"""The vendors' status pages: both forms, what is not well, pages that cannot be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hour24.clock import SteppingClock
from hour24.config import load
from hour24.errors import SourceError
from hour24.evidence import Listing, Unanswered, from_plain, to_plain
from hour24.rehearsal.client import Rehearsal
from hour24.rehearsal.clock import RehearsalClock
from hour24.witnesses.status_pages import StatusPage
from hour24.witnesses.status_pages.source import StatusPages
from tests.answering import Answer, Asked, Server, free_port

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


def as_json(body: Any, kind: str = "application/json") -> Answer:
    headers = {"Content-Type": kind, "Date": "Tue, 01 Jan 2019 00:00:00 GMT"}
    return Answer(body=json.dumps(body).encode(), headers=headers)


def summary(*components: tuple[str, str], indicator: str = "none", **more: Any) -> Answer:
    return as_json(
        {
            "page": {"id": "x"},
            "status": {"indicator": indicator, "description": "All Systems Odd"},
            "components": [{"name": name, "status": status} for name, status in components],
            "incidents": [],
            **more,
        }
    )


def better(state: str, *resources: tuple[str, str]) -> Answer:
    included: list[dict[str, Any]] = [
        {
            "id": str(n),
            "type": "status_page_resource",
            "attributes": {"public_name": name, "status": status},
        }
        for n, (name, status) in enumerate(resources)
    ]
    included.append({"id": "s", "type": "status_page_section", "attributes": {"name": "Core"}})
    body = {"data": {"attributes": {"aggregate_state": state}}, "included": included}
    return as_json(body, "text/html; charset=utf-8")


def incident(**more: Any) -> dict[str, Any]:
    return {
        "name": "Connection trouble",
        "status": "investigating",
        "impact": "none",
        "created_at": "2026-11-24T09:00:00Z",
        "incident_updates": [{"body": "We are\nlooking."}, {"body": "older"}],
        **more,
    }


def asked(answer: Answer, form: str = "statuspage") -> Listing:
    """What one page says is not well."""
    with Server(answer) as server:
        page = StatusPage(name="Vendor", url=server.url, form=form)
        found = StatusPages([page], SteppingClock(NOW)).incidents()["Vendor"]
    assert isinstance(found, Listing)
    assert from_plain(to_plain(found)) == found
    return found


def words(found: Listing) -> list[tuple[str, str]]:
    return [(item["name"], item["status"]) for item in found.items]


def test_each_form_has_its_address():
    """Statuspage's summary, Better Stack's index; no token is sent, and its clock is its own."""
    pages = {"/a/api/v2/summary.json": summary(), "/b/index.json": better("operational")}
    with Server(lambda asked: pages[asked.path]) as server:
        found = StatusPages(
            [
                StatusPage(name="A", url=f"{server.url}/a"),
                StatusPage(name="B", url=f"{server.url}/b", form="betterstack"),
            ],
            SteppingClock(NOW),
        ).incidents()
        assert all("authorization" not in asked.headers for asked in server.asked)
    assert [(name, page.items) for name, page in found.items()] == [("A", ()), ("B", ())]


def test_an_incident_is_reported_whatever_its_impact():
    """Impact "none" may be real damage; the newest text is next to it, on one line."""
    found = asked(summary(("API", "operational"), incidents=[incident()]))
    assert found.items == (
        {
            "page": "Vendor",
            "name": "Connection trouble",
            "status": "investigating",
            "impact": "none",
            "at": (NOW - timedelta(hours=1)).timestamp(),
            "says": "We are looking.",
        },
    )
    assert found.seen == 2
    assert found.note == "advisory, never judged"


def test_a_resolved_incident_is_not_reported():
    """Resolved incidents and maintenance that has not begun are left out."""
    found = asked(
        summary(
            incidents=[incident(status="resolved"), incident(status="postmortem")],
            scheduled_maintenances=[
                incident(name="Later", status="scheduled", impact="maintenance"),
                incident(name="Now", status="in_progress", impact="maintenance"),
            ],
        )
    )
    assert words(found) == [("Now", "in_progress")]


def test_a_component_stands_once_with_its_worst_word():
    """A name comes once a region; an unknown word is the worst of all."""
    found = asked(
        summary(
            ("Database", "operational"),
            ("Database", "partial_outage"),
            ("Database", "degraded_performance"),
            ("Auth", "operational"),
            ("Realtime", "major_outage"),
            ("Realtime", "on fire"),
        )
    )
    assert words(found) == [("Database", "partial_outage"), ("Realtime", "on fire")]


def test_a_page_that_is_unwell_without_saying_where():
    """The page's overall status is reported when nothing else is."""
    assert words(asked(summary(indicator="minor"))) == [("All Systems Odd", "minor")]
    assert words(asked(better("degraded"), "betterstack")) == [("the whole page", "degraded")]


def test_better_stack_says_html_and_is_json():
    """Resources that are not monitored are no news; sections are no resources."""
    found = asked(
        better(
            "degraded",
            ("Vapi API", "degraded"),
            ("Dashboard", "operational"),
            ("Phones", "not_monitored"),
            ("Voice", "downtime"),
        ),
        "betterstack",
    )
    assert words(found) == [("Vapi API", "degraded"), ("Voice", "downtime")]
    assert found.seen == 5


def test_text_of_others_is_cut():
    """A name, a word and a text of any length."""
    long = incident(name="n" * 9999, incident_updates=[{"body": "b" * 9999}])
    (item,) = asked(summary(incidents=[long])).items
    assert (len(item["name"]), len(item["says"])) == (300, 300)


NO_PAGES = [
    (Answer(body=b"<!doctype html>"), "statuspage", "source_misread"),
    (Answer(body=b"<!doctype html>"), "betterstack", "source_misread"),
    (Answer(body=b"null"), "statuspage", "source_misread"),
    (Answer(body=b"{}"), "statuspage", "source_misread"),
    (Answer(body=b"{}"), "betterstack", "source_misread"),
    (
        Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"),
        "statuspage",
        "source_misread",
    ),
    (summary(("API", None)), "statuspage", "source_misread"),  # type: ignore[arg-type]
    (summary(incidents=None), "statuspage", "source_misread"),
    (summary(incidents=[incident(status=None)]), "statuspage", "source_misread"),
    (better(None), "betterstack", "source_misread"),  # type: ignore[arg-type]
    (better("operational", ("API", None)), "betterstack", "source_misread"),  # type: ignore[arg-type]
    (Answer(301, headers={"Location": "http://127.0.0.1:9/"}), "statuspage", "source_misread"),
    (Answer(403), "statuspage", "source_refused"),
    (Answer(404), "statuspage", "source_lacks"),
    (Answer(429, headers={"Retry-After": "3600"}), "statuspage", "source_limited"),
    (Answer(503), "statuspage", "source_failed"),
]


@pytest.mark.parametrize(("answer", "form", "code"), NO_PAGES)
def test_a_page_that_cannot_be_read(answer, form, code):
    """It says so, with its code; the other page is read all the same."""

    def either(asked: Asked) -> Answer:
        return summary(("API", "partial_outage")) if asked.path.startswith("/well") else answer

    with Server(either) as server:
        found = StatusPages(
            [
                StatusPage(name="Odd", url=server.url, form=form),
                StatusPage(name="Well", url=f"{server.url}/well"),
            ],
            SteppingClock(NOW),
        ).incidents()
    odd, well = found["Odd"], found["Well"]
    assert isinstance(odd, Unanswered)
    assert odd.code == code
    assert odd.reason.startswith("status page Odd: incidents")
    assert odd.question.attempts
    assert isinstance(well, Listing)
    assert words(well) == [("API", "partial_outage")]


def test_no_page_at_all_is_no_answer():
    """When not one can be read, that is an error and not an empty list."""
    page = StatusPage(name="Gone", url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(SourceError) as raised:
        StatusPages([page], SteppingClock(NOW)).incidents()
    assert raised.value.code == "source_unreachable"
    assert StatusPages([], SteppingClock(NOW)).incidents() == {}


def test_the_rehearsals_status_pages():
    """Four pages, all well; then a database that is down and a Vapi that is slow."""
    t0 = datetime(2026, 11, 24, 6, tzinfo=UTC)
    with Rehearsal.start(7, [], t0, 4) as rehearsal:
        pages = load(Path(rehearsal.toml), rehearsal.environ).witnesses["status_pages"]
        clock = RehearsalClock(rehearsal.control, t0 + timedelta(hours=4))
        found = StatusPages(pages, clock).incidents()
        assert list(found) == ["Supabase", "Render", "Sentry", "Vapi"]
        assert all(isinstance(page, Listing) and not page.items for page in found.values())
        rehearsal.set_faults("database_down@3.9", "vapi_errors@3.9")
        ill = StatusPages(pages, clock).incidents()
    supabase, vapi, render = ill["Supabase"], ill["Vapi"], ill["Render"]
    assert isinstance(supabase, Listing)
    assert isinstance(vapi, Listing)
    assert isinstance(render, Listing)
    assert words(supabase) == [
        ("Database connectivity issues in eu-central-1", "investigating"),
        ("API", "partial_outage"),
    ]
    assert words(vapi) == [("Vapi API", "degraded")]
    assert not render.items
