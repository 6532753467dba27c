"""The rehearsal's vendors: answers in the published form, pages, refusals."""

from __future__ import annotations

import json
import tomllib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from hour24.rehearsal.client import Rehearsal
from hour24.rehearsal.vendors.web import SLOW_S

T0 = datetime(2026, 11, 24, 6, tzinfo=UTC)
NOW = T0 + timedelta(hours=4)
SHAPES = {
    path.stem: json.loads(path.read_text())
    for path in Path(__file__).with_name("vendor_shapes").iterdir()
}
ORG = "/api/0/organizations/rehearsal"
TOKENS = {
    "sentry": "HOUR24_REHEARSAL_SENTRY_TOKEN",
    "render": "HOUR24_REHEARSAL_RENDER_TOKEN",
    "supabase": "HOUR24_REHEARSAL_SUPABASE_TOKEN",
}


class Asked:
    """A rehearsal, asked as its vendors' clients would ask."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal
        self.toml = tomllib.loads(Path(rehearsal.toml).read_text())
        self.session = requests.Session()
        self.session.trust_env = False

    def __call__(
        self, vendor: str, path: str, method: str = "GET", **more: Any
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.rehearsal.environ[TOKENS[vendor]]}"}
        path = path.replace("{service}", self.toml["render"]["service"])
        path = path.replace("{owner}", self.toml["render"]["owner"])
        path = path.replace("{ref}", self.toml["supabase"]["project_ref"])
        url = self.toml[vendor]["url"] + path
        return self.session.request(method, url, headers=headers, timeout=10, **more)

    def canary(self, key: str = "", project: str = "") -> tuple[str, requests.Response]:
        """Send an event; its id, and the ingest's answer."""
        dsn = self.rehearsal.environ["HOUR24_REHEARSAL_SENTRY_DSN"]
        public, _, rest = dsn.removeprefix("http://").partition("@")
        host, _, number = rest.partition("/")
        event = {"event_id": uuid.uuid4().hex, "message": "hour24 canary", "level": "error"}
        payload = json.dumps({**event, "fingerprint": ["hour24-canary"], "tags": {"who": "us"}})
        item = json.dumps({"type": "event", "length": len(payload)})
        body = f'{{"event_id":"{event["event_id"]}"}}\n{item}\n{payload}\n'
        auth = f"Sentry sentry_version=7, sentry_client=test/1, sentry_key={key or public}"
        answer = self.session.post(
            f"http://{host}/api/{project or number}/envelope/",
            data=body,
            headers={"X-Sentry-Auth": auth, "Content-Type": "application/x-sentry-envelope"},
            timeout=10,
        )
        return event["event_id"], answer

    def lines(self, **filters: Any) -> list[dict[str, Any]]:
        """Every log line of a window, page after page as the vendor says."""
        found: list[dict[str, Any]] = []
        asked = {"ownerId": "{owner}", "resource": "{service}", "limit": "100", **filters}
        asked["ownerId"], asked["resource"] = (
            self.toml["render"]["owner"],
            self.toml["render"]["service"],
        )
        while True:
            page = self("render", "/logs", params=asked).json()
            found += page["logs"]
            if not page["hasMore"]:
                return found
            asked |= {"startTime": page["nextStartTime"], "endTime": page["nextEndTime"]}


@pytest.fixture(scope="module")
def served() -> Iterator[Asked]:
    with Rehearsal.start(7, [], T0, 4) as rehearsal:
        yield Asked(rehearsal)


@pytest.fixture
def asked(served: Asked) -> Asked:
    """The rehearsal at hour 4 with nothing wrong."""
    served.rehearsal.set_faults()
    served.rehearsal.set_time(NOW)
    return served


@pytest.mark.parametrize(
    ("vendor", "operation", "path"),
    [
        ("sentry", "getOrganization", f"{ORG}/"),
        ("sentry", "listOrganizationProjects", f"{ORG}/projects/"),
        ("sentry", "getProject", "/api/0/projects/rehearsal/platform-api/"),
        ("sentry", "listOrganizationIssues", f"{ORG}/issues/?statsPeriod=4h&query="),
        (
            "sentry",
            "listOrganizationEvents",
            f"{ORG}/events/?dataset=errors&field=id&field=title&field=timestamp&statsPeriod=1h",
        ),
        (
            "sentry",
            "listOrganizationEvents",
            f"{ORG}/events/?dataset=spans&field=transaction&field=p99(span.duration)&field=count()"
            "&query=is_transaction:true&statsPeriod=1h",
        ),
        (
            "sentry",
            "listOrganizationStatsV2",
            f"{ORG}/stats_v2/?groupBy=outcome&groupBy=reason&category=error&field=sum(quantity)"
            "&start=2026-11-24T06:00:00&end=2026-11-24T10:00:00&interval=1h",
        ),
        ("render", "retrieve-service", "/services/{service}"),
        ("render", "list-instances", "/services/{service}/instances"),
        ("render", "list-events", "/services/{service}/events?startTime=2026-11-20T00:00:00Z"),
        ("render", "list-deploys", "/services/{service}/deploys"),
        ("render", "list-owners", "/owners"),
        ("render", "list-logs", "/logs?ownerId={owner}&resource={service}"),
        ("render", "list-logs-values", "/logs/values?label=level&ownerId={owner}"),
        ("render", "get-memory", "/metrics/memory?resource={service}"),
        ("render", "get-memory-limit", "/metrics/memory-limit?resource={service}"),
        ("render", "get-http-requests", "/metrics/http-requests?resource={service}"),
        ("render", "get-http-latency", "/metrics/http-latency?resource={service}&quantile=0.99"),
        ("supabase", "v1-get-project", "/v1/projects/{ref}"),
        (
            "supabase",
            "v1-get-services-health",
            "/v1/projects/{ref}/health?services=db&services=auth",
        ),
        ("supabase", "v1-get-database-disk", "/v1/projects/{ref}/config/disk"),
        ("supabase", "v1-get-disk-utilization", "/v1/projects/{ref}/config/disk/util"),
        ("supabase", "v1-get-readonly-mode-status", "/v1/projects/{ref}/readonly"),
    ],
)
def test_answers_have_the_published_form(asked: Asked, vendor: str, operation: str, path: str):
    """Each answer has every member that the vendor promises, with its type, and is not empty."""
    answer = asked(vendor, path)
    assert answer.status_code == 200
    jsonschema.Draft202012Validator(SHAPES[vendor][operation]).validate(answer.json())
    assert answer.json()
    assert answer.headers["Date"] == "Tue, 24 Nov 2026 10:00:00 GMT"
    assert asked.session.get(answer.url, timeout=10).status_code == 401


def test_status_pages_have_their_forms(asked: Asked):
    """Three pages have the Statuspage form, Vapi's has Better Stack's and says it is HTML."""
    for page in asked.toml["status_pages"]:
        if page.get("form") == "betterstack":
            answer = asked.session.get(f"{page['url']}/index.json", timeout=10)
            assert answer.headers["Content-Type"].startswith("text/html")
            operation = "getVapiStatus"
        else:
            answer = asked.session.get(f"{page['url']}/api/v2/summary.json", timeout=10)
            operation = "getSummary"
        jsonschema.Draft202012Validator(SHAPES["statuspages"][operation]).validate(answer.json())
    asked.rehearsal.set_faults("database_down@3.9", "vapi_errors@3.9")
    pages = {page["name"]: page["url"] for page in asked.toml["status_pages"]}
    assert asked.session.get(f"{pages['Supabase']}/api/v2/summary.json", timeout=10).json()[
        "incidents"
    ]
    vapi = asked.session.get(f"{pages['Vapi']}/index.json", timeout=10).json()
    assert vapi["data"]["attributes"]["aggregate_state"] == "degraded"


def test_an_event_that_was_sent_is_read_back(asked: Asked):
    """An envelope is accepted, stored, and found by its id, in the issues and in the events."""
    event_id, accepted = asked.canary()
    assert accepted.status_code == 200
    assert accepted.json() == {"id": event_id}
    asked.rehearsal.set_time(NOW + timedelta(seconds=30))
    stored = asked("sentry", f"/api/0/projects/rehearsal/platform-api/events/{event_id}/")
    jsonschema.Draft202012Validator(SHAPES["sentry"]["getProjectEvent"]).validate(stored.json())
    assert stored.json()["eventID"] == event_id
    assert {"key": "who", "value": "us"} in stored.json()["tags"]
    found = asked("sentry", f"{ORG}/eventids/{event_id}/").json()
    jsonschema.Draft202012Validator(SHAPES["sentry"]["resolveOrganizationEventId"]).validate(found)
    issues = asked("sentry", f"{ORG}/issues/?statsPeriod=1h&query=").json()
    assert [issue["title"] for issue in issues].count("hour24 canary") == 1
    rows = asked(
        "sentry", f"{ORG}/events/?dataset=errors&field=id&field=title&statsPeriod=1h"
    ).json()
    assert event_id in [row["id"] for row in rows["data"]]


def test_a_deaf_sentry_accepts_and_forgets(asked: Asked):
    """Under sentry_deaf the ingest answers 200 and the event is never there."""
    asked.rehearsal.set_faults("sentry_deaf@3")
    event_id, accepted = asked.canary()
    assert accepted.status_code == 200
    path = f"/api/0/projects/rehearsal/platform-api/events/{event_id}/"
    assert asked("sentry", path).status_code == 404


def test_the_ingest_refuses_a_wrong_key(asked: Asked):
    """An envelope without the project's key, or for another project, is 403."""
    assert asked.canary(key="0" * 32)[1].status_code == 403
    assert asked.canary(project="17")[1].status_code == 403


def test_issues_count_what_the_events_list(asked: Asked):
    """An issue's count is text and is the number of its events in the window, page by page."""
    asked.rehearsal.set_faults("error_spike@2.5")
    issues = asked("sentry", f"{ORG}/issues/?statsPeriod=4h&query=").json()
    rows: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(40):
        answer = asked(
            "sentry",
            f"{ORG}/events/?dataset=errors&field=id&field=title&statsPeriod=4h&cursor={cursor}",
        )
        rows += answer.json()["data"]
        links = answer.headers["Link"].split(", ")
        assert 'rel="previous"' in links[0]
        following = next(link for link in links if 'rel="next"' in link)
        if 'results="false"' in following:
            break
        cursor = following.split('cursor="')[1].rstrip('"')
    assert len(rows) == len({row["id"] for row in rows}) > 300
    titles = [row["title"] for row in rows]
    for issue in issues:
        assert issue["count"] == str(titles.count(issue["title"]))
    spike = next(issue for issue in issues if issue["title"].startswith("TypeError"))
    assert spike["lifetime"]["firstSeen"] >= "2026-11-24T08:30"
    old = next(issue for issue in issues if issue["title"].startswith("Vapi"))
    assert old["lifetime"]["firstSeen"] < "2026-11-01"
    assert old["firstSeen"] >= "2026-11-24T06:00"


@pytest.mark.parametrize("direction", ["backward", "forward"])
def test_logs_are_paged_by_time(asked: Asked, direction: str):
    """Every line of the window comes once, in order, whatever the direction."""
    asked.rehearsal.set_faults()
    window = {"startTime": "2026-11-24T09:00:00Z", "endTime": "2026-11-24T09:50:00Z"}
    lines = asked.lines(direction=direction, **window)
    times = [line["timestamp"] for line in lines]
    assert len(lines) == len({line["id"] for line in lines}) > 200
    assert times == sorted(times, reverse=direction == "backward")
    assert min(times) >= "2026-11-24T09:00"
    assert max(times) < "2026-11-24T09:50"
    beats = asked.lines(text="heartbeat", **window)
    assert len(beats) == 200
    assert [b for b in lines if "heartbeat" in b["message"]] == sorted(
        beats, key=lambda b: b["timestamp"], reverse=direction == "backward"
    )


def test_lists_end_with_an_empty_page(asked: Asked):
    """Deploys follow their cursors until there are none, newest first."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = asked("render", f"/services/{{service}}/deploys?limit=1{cursor}").json()
        if not page:
            break
        found += page
        cursor = f"&cursor={page[-1]['cursor']}"
    statuses = [each["deploy"]["status"] for each in found]
    assert statuses == ["live", "deactivated", "deactivated"]


def test_a_rollback_makes_a_new_deploy(asked: Asked):
    """A rollback answers 201, goes live after minutes, and ends what the bad deploy broke."""
    asked.rehearsal.set_faults("bad_deploy@3")
    deploys = asked("render", "/services/{service}/deploys").json()
    bad, good = deploys[0]["deploy"], deploys[1]["deploy"]
    assert (bad["status"], good["status"]) == ("live", "deactivated")
    made = asked("render", "/services/{service}/rollback", "POST", json={"deployId": good["id"]})
    assert made.status_code == 201
    jsonschema.Draft202012Validator(SHAPES["render"]["rollback-deploy"]).validate(made.json())
    assert made.json()["trigger"] == "rollback"
    assert made.json()["status"] == "update_in_progress"
    asked.rehearsal.set_time(NOW + timedelta(minutes=5))
    again = asked("render", f"/services/{{service}}/deploys/{made.json()['id']}").json()
    assert again["status"] == "live"
    calls = asked.toml["endpoints"]["calls"]["url"]
    statuses = {asked.session.get(calls, timeout=10).status_code for _ in range(30)}
    assert statuses == {200}
    service = asked("render", "/services/{service}", "PATCH", json={"autoDeploy": "no"}).json()
    assert service["autoDeploy"] == "no"


@pytest.mark.parametrize(
    ("vendor", "path", "status"),
    [
        ("sentry", "/api/0/organizations/another/issues/", 404),
        ("sentry", "/api/0/organizations/rehearsal/issues", 404),
        ("sentry", f"{ORG}/events/?dataset=errors&field=nonsense", 400),
        ("sentry", f"{ORG}/events/?dataset=discover&field=title", 400),
        ("sentry", f"{ORG}/events/?dataset=errors&field=id&sort=-count()", 400),
        ("sentry", f"{ORG}/stats_v2/?groupBy=outcome&field=sum(quantity)&interval=5m", 400),
        ("sentry", f"{ORG}/issues/?cursor=nonsense", 400),
        ("sentry", f"/api/0/projects/rehearsal/platform-api/events/{'0' * 32}/", 404),
        ("render", "/services/srv-unknown", 404),
        ("render", "/logs?resource={service}", 400),
        ("render", "/logs?ownerId={owner}&resource={service}&limit=1000", 400),
        ("render", "/metrics/memory?resource={service}&resolutionSeconds=5", 400),
        ("render", "/services/{service}/events?startTime=yesterday", 400),
        ("supabase", "/v1/projects/{ref}/health", 400),
        ("supabase", "/v1/projects/zzzz", 404),
    ],
)
def test_what_a_vendor_refuses(asked: Asked, vendor: str, path: str, status: int):
    """A wrong path, field or cursor is refused with the vendor's status and some words."""
    answer = asked(vendor, path)
    assert answer.status_code == status
    assert isinstance(answer.json(), dict)


@pytest.mark.parametrize(
    ("vendor", "path", "way", "status", "header"),
    [
        ("sentry", f"{ORG}/issues/", "rate_limited", 429, "X-Sentry-Rate-Limit-Reset"),
        ("render", "/services/{service}", "rate_limited", 429, "Ratelimit-Reset"),
        ("supabase", "/v1/projects/{ref}", "rate_limited", 429, "X-RateLimit-Reset"),
        ("sentry", f"{ORG}/issues/", "refused", 401, "Date"),
        ("render", "/services/{service}", "failing", 503, "Date"),
    ],
)
def test_a_vendor_that_refuses_says_how(
    asked: Asked, vendor: str, path: str, way: str, status: int, header: str
):
    """A limited vendor says when to come back; one that refuses or fails has its status."""
    asked.rehearsal.set_faults(f"{vendor}_{way}@4")
    answer = asked(vendor, path)
    assert answer.status_code == status
    assert header in answer.headers
    asked.rehearsal.set_time(NOW - timedelta(minutes=1))
    assert asked(vendor, path).status_code == 200


@pytest.mark.parametrize(
    ("vendor", "path"),
    [
        ("sentry", f"{ORG}/issues/?statsPeriod=4h"),
        ("render", "/services/{service}"),
        ("render", "/metrics/memory?resource={service}"),
        ("supabase", "/v1/projects/{ref}"),
    ],
)
def test_a_vendor_that_talks_nonsense(asked: Asked, vendor: str, path: str):
    """Malformed is 200 and no JSON; empty is 200 and nothing in it; unreachable is no answer."""
    asked.rehearsal.set_faults(f"{vendor}_malformed@3")
    answer = asked(vendor, path)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|Invalid"):
        answer.json()
    asked.rehearsal.set_faults(f"{vendor}_empty@3")
    assert not asked(vendor, path).json()
    asked.rehearsal.set_faults(f"{vendor}_unreachable@3")
    with pytest.raises(requests.ConnectionError):
        asked(vendor, path)


def test_a_slow_vendor_answers_after_the_timeout(asked: Asked):
    """Slow is later than the time limit of the generated production.toml."""
    asked.rehearsal.set_faults("supabase_slow@3")
    assert asked.toml["supabase"]["timeout_s"] < SLOW_S
    url = asked.toml["supabase"]["url"] + "/v1/projects"
    with pytest.raises(requests.ReadTimeout):
        asked.session.get(url, timeout=0.5)


def test_an_empty_sentry_sees_no_project(asked: Asked):
    """Empty lists come with a project that the token cannot see."""
    asked.rehearsal.set_faults("sentry_empty@3")
    assert asked("sentry", f"{ORG}/projects/").json() == []
    assert asked("sentry", "/api/0/projects/rehearsal/platform-api/").status_code == 404


def test_dropped_errors_are_counted(asked: Asked):
    """Under sentry_dropping the usage lists errors that were rate limited, by their reason."""
    path = (
        f"{ORG}/stats_v2/?groupBy=outcome&groupBy=reason&category=error"
        "&field=sum(quantity)&statsPeriod=4h"
    )
    before = {g["by"]["outcome"] for g in asked("sentry", path).json()["groups"]}
    asked.rehearsal.set_faults("sentry_dropping@2")
    groups = asked("sentry", path).json()["groups"]
    dropped = [g for g in groups if g["by"]["outcome"] == "rate_limited"]
    assert before == {"accepted"}
    assert dropped[0]["totals"]["sum(quantity)"] == 240
    assert dropped[0]["by"]["reason"] == "key_quota"


def test_metrics_carry_their_units(asked: Asked):
    """Memory is in bytes an instance, requests are counts a status, latency is in seconds."""
    memory = asked(
        "render", "/metrics/memory?resource={service}&startTime=2026-11-24T05:00:00Z"
    ).json()
    assert {series["unit"] for series in memory} == {"bytes"}
    assert len(memory) == 2
    assert all(len(series["values"]) == 300 for series in memory)
    path = "/metrics/http-requests?resource={service}&aggregateBy=statusCode&resolutionSeconds=300"
    by_status = asked("render", path).json()
    assert {series["unit"] for series in by_status} == {"requests"}
    whole = asked("render", "/metrics/http-requests?resource={service}").json()
    total = sum(value["value"] for series in by_status for value in series["values"])
    assert total == sum(value["value"] for value in whole[0]["values"])
    latency = asked("render", "/metrics/http-latency?resource={service}&quantile=0.9").json()
    assert latency[0]["unit"] == "seconds"
    assert 0.001 < latency[0]["values"][0]["value"] < 1.0
    assert asked("render", "/metrics/disk-usage?resource={service}").json() == []
    asked.rehearsal.set_faults("no_traffic@0")
    assert asked("render", "/metrics/http-requests?resource={service}").json() == []
