"""The doctor: what it finds wrong, what it advises, how long it takes, what it never prints."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hour24.clock import WallClock
from hour24.config import Production, load
from hour24.doctor import Finding, examine, needed_by
from hour24.doctor import trial as trials
from tests.answering import Answer, Asked, Server, document, free_port

SECRET = "knock-knock-knock"


def healthy() -> Answer:
    return document(
        status="ok",
        database=True,
        supabase=True,
        backgroundJobs=True,
        timestamp=datetime.now(UTC).isoformat(),
        uptime=17,
    )


def backend(asked: Asked) -> Answer:
    """A service that knows its caller."""
    if asked.path == "/health":
        return healthy()
    if asked.headers.get("authorization") != f"Bearer {SECRET}":
        return Answer(status=401)
    return Answer() if asked.path == "/calls" else Answer(status=404)


def described(
    folder: Path, base: str, more: str = "", control: str = "", **variables: str
) -> Production:
    (folder / "production.toml").write_text(
        f"""
[service]
name = "orders"
environment = "production"
url = "{base}"
control_url = "{control or base}"

[health]
url = "/health"
timeout_s = 2

{more}
"""
    )
    return load(folder / "production.toml", {"CALLS_AUTH": SECRET, **variables})


CALLS = """
[endpoints.calls]
url = "/calls"
target_ms = 500
timeout_s = 2
headers = { Authorization = { env = "CALLS_AUTH", prefix = "Bearer " } }
"""


def found(production: Production) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(production, WallClock())}


def test_healthy_service_is_found_well(tmp_path: Path) -> None:
    """What answers as agreed is ok, with what it said, and needs no remedy."""
    with Server(backend) as server:
        all_of_it = found(described(tmp_path, server.url, CALLS))
    well = {name: each.says for name, each in all_of_it.items() if each.ok}
    assert well["health"] == "returns the expected document"
    assert well["endpoint calls"].startswith("200 in ")
    assert well["control address"].startswith("answers")
    assert all(not each.remedy for each in all_of_it.values() if each.ok)
    assert all(each.remedy for each in all_of_it.values() if not each.ok)


def test_a_missing_section_is_reported_with_its_criteria(tmp_path: Path) -> None:
    """The finding lists the criteria that cannot be judged without the section."""
    leave_out = '[criteria.{}]\napplies = false\nbecause = "there is none"\n'
    more = CALLS + "".join(leave_out.format(name) for name in needed_by("websocket"))
    with Server(backend) as server:
        all_of_it = found(described(tmp_path, server.url, more))
    assert all_of_it["supabase"].says == "not described, so DB-SIZE will be INCONCLUSIVE"
    assert "[criteria.DB-SIZE] applies = false" in all_of_it["supabase"].remedy
    assert "websocket" not in all_of_it
    assert "endpoints" not in all_of_it


def test_each_section_is_needed_by_what_asks_it() -> None:
    """What a criterion cannot do without says which section it needs."""
    assert needed_by("supabase") == ("DB-SIZE",)
    assert needed_by("database") == ("DB-SLOW", "DB-POOL")
    assert needed_by("jobs") == ("JOBS-RUNNING", "SIGNOFF-JOBS")
    assert needed_by("websocket") == ("WS-STABLE", "SIGNOFF-WEBSOCKETS")
    assert needed_by("endpoints") == ("LATENCY-TARGET", "LATENCY-STABLE")
    assert set(needed_by("sentry")) == {
        "SENTRY-RECEIVES",
        "SENTRY-FEED",
        "ERRORS-COUNT",
        "ERRORS-NEW",
        "ERRORS-CRITICAL",
        "ERRORS-TOP",
        "LATENCY-MOST",
        "SIGNOFF-CRITICAL",
    }
    assert set(needed_by("render")) == {
        "ERRORS-TREND",
        "LOGS-ERRORS",
        "LOGS-PATTERNS",
        "LOGS-WATCHED",
        "JOBS-RUNNING",
        "MEMORY-STABLE",
        "MEMORY-HEADROOM",
        "SIGNOFF-JOBS",
    }


def test_a_signoff_criterion_is_left_out_once_nothing_is_left_to_rest_on(tmp_path: Path) -> None:
    """Without endpoints it still rests on Sentry's transactions, until these are left out too."""
    leave_out = '[criteria.LATENCY-MOST]\napplies = false\nbecause = "no tracing"\n'
    with Server(backend) as server:
        one = found(described(tmp_path, server.url, ""))["endpoints"]
        other = found(described(tmp_path, server.url, leave_out))["endpoints"]
    assert "LATENCY-TARGET, LATENCY-STABLE will" in one.says
    assert "LATENCY-STABLE, SIGNOFF-LATENCY will" in other.says


@pytest.mark.parametrize(
    ("answer", "says", "remedy"),
    [
        (Answer(status=401), "expected 200, got 401", "check the value of CALLS_AUTH"),
        (Answer(status=404), "expected 200, got 404", "check the address http://127.0.0.1"),
        (Answer(status=429), "expected 200, got 429", "wait some minutes"),
        (Answer(status=503), "expected 200, got 503", "try again later"),
        (Answer(status=302), "expected 200, got 302", "check endpoints.calls: url, method"),
        (Answer(raw=b""), "closed", "check the address http://127.0.0.1"),
    ],
)
def test_each_wrong_answer_has_its_remedy(
    tmp_path: Path, answer: Answer, says: str, remedy: str
) -> None:
    """Refused, absent, limited, failing, moved and broken endpoints are distinguished."""
    with Server(lambda asked: healthy() if asked.path == "/health" else answer) as server:
        wrong = found(described(tmp_path, server.url, CALLS))["endpoint calls"]
    assert not wrong.ok
    assert says in wrong.says
    assert wrong.remedy.startswith(remedy)


def test_endpoint_is_asked_as_it_is_described(tmp_path: Path) -> None:
    """Method, body, headers and the status that counts as well come from the file."""
    hook = """
[endpoints.hook]
url = "/hook"
method = "POST"
body = '{"unsigned": true}'
headers = { Content-Type = "application/json" }
expect_status = [401, 403]
target_ms = 200
"""
    with Server(backend) as server:
        all_of_it = found(described(tmp_path, server.url, hook))
        sent = next(each for each in server.asked if each.path == "/hook")
    assert all_of_it["endpoint hook"].says.startswith("401 in ")
    assert (sent.method, json.loads(sent.body)) == ("POST", {"unsigned": True})
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["user-agent"].startswith("hour24/")


@pytest.mark.parametrize(
    ("members", "says", "remedy"),
    [
        ({"database": False}, "schema: /database: expected true", "fix the service"),
        ({"uptime": "17"}, "schema: /uptime: expected a number", "fix the service"),
    ],
)
def test_health_document_is_held_against_its_schema(
    tmp_path: Path, members: dict[str, Any], says: str, remedy: str
) -> None:
    """A document that fails its schema is reported with the path."""
    other = document(**{**json.loads(healthy().body), **members})
    with Server(other) as server:
        wrong = found(described(tmp_path, server.url))["health"]
    assert (wrong.ok, wrong.says) == (False, says)
    assert wrong.remedy.startswith(remedy)


def test_pointer_to_nothing_is_reported(tmp_path: Path) -> None:
    """A document that satisfies its schema, and has no member where one was promised."""
    (tmp_path / "true.json").write_text('{"const": true}')
    toml = described(tmp_path, "http://127.0.0.1:1")
    text = Path(toml.path).read_text().replace("timeout_s", 'schema = "true.json"\ntimeout_s')
    Path(toml.path).write_text(text)
    with Server(Answer(body=b"true")) as server:
        Path(toml.path).write_text(text.replace("http://127.0.0.1:1", server.url))
        wrong = found(load(Path(toml.path), {}))["health"]
    assert wrong.says == "timestamp: expected a member at /timestamp, got none"
    assert wrong.remedy == 'name the right member in [health], or "" if the document has none'


def test_wrong_clock_is_reported(tmp_path: Path) -> None:
    """A control address with another clock than ours is a problem: windows would be wrong."""
    old = Answer(headers={"Date": "Tue, 01 Jan 2019 00:00:00 GMT"})
    with Server(backend) as server, Server(old) as control:
        wrong = found(described(tmp_path, server.url, control=control.url))["control address"]
    assert not wrong.ok
    assert "expected its clock and ours to agree" in wrong.says
    assert "timedatectl" in wrong.remedy


SENTRY = """
[sentry]
url = "{0}"
organization = "acme"
project = "orders"
token_env = "SENTRY_TOKEN"
dsn_env = "SENTRY_DSN"
timeout_s = 1

[render]
url = "{0}/v1"
service = "srv-d0cjkelq67qs70c2pugg"
owner = "tea-d0cjkelq67qs70c2pugg"
token_env = "RENDER_API_KEY"
timeout_s = 1

[supabase]
url = "{0}"
project_ref = "abcdefghijklmnopqrst"
token_env = "SUPABASE_ACCESS_TOKEN"
timeout_s = 1

[database]
dsn_env = "DATABASE_URL"
connect_timeout_s = 1

[jobs]
pattern = "heartbeat"

[[status_pages]]
name = "Vapi"
url = "{0}"
form = "betterstack"
"""


def witnesses(folder: Path, base: str, vendor: str) -> Production:
    host = vendor.removeprefix("http://")
    return described(
        folder,
        base,
        SENTRY.format(vendor),
        SENTRY_TOKEN="sntryu_0123456789",
        SENTRY_DSN=f"http://publickey00@{host}/1",
        RENDER_API_KEY="rnd_0123456789",
        SUPABASE_ACCESS_TOKEN="sbp_0123456789",
        DATABASE_URL=f"postgresql://watch:open-sesame@127.0.0.1:{free_port()}/postgres",
    )


def test_refused_credentials_are_reported_with_the_right_they_need(tmp_path: Path) -> None:
    """A witness that answers 401 to everything: each line names the variable and the right."""
    with Server(backend) as server, Server(Answer(status=401)) as vendor:
        production = witnesses(tmp_path, server.url, vendor.url)
        all_of_it = found(production)
    for name, variable in (
        ("sentry: issues", "SENTRY_TOKEN the right event:read"),
        ("sentry: outcomes", "SENTRY_TOKEN the right org:read"),
        ("sentry: canary", "the DSN in SENTRY_DSN"),
        ("render: deploys", "RENDER_API_KEY"),
        ("render: beats", "RENDER_API_KEY"),
        ("supabase: services", "SUPABASE_ACCESS_TOKEN"),
        ("supabase: disk", "SUPABASE_ACCESS_TOKEN"),
    ):
        assert not all_of_it[name].ok, name
        assert variable in all_of_it[name].remedy
    assert not all_of_it["database: login"].ok
    assert not all_of_it["status page Vapi"].ok
    shown = "".join(f"{each.says}{each.remedy}" for each in all_of_it.values())
    assert "\n" not in shown
    for secret in production.secrets:
        assert secret.reveal() not in shown


def test_silence_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witnesses that accept and never answer cost the limit once, not once a question."""
    monkeypatch.setattr(trials, "LIMIT_S", 2.0)
    began = time.monotonic()
    hanging = Answer(raw=b"HTTP/1.1 200 OK\r\n" * 1000, drip_s=0.05)
    with Server(backend) as server, Server(hanging) as vendor:
        all_of_it = found(witnesses(tmp_path, server.url, vendor.url))
    assert time.monotonic() - began < 5
    late = [each for name, each in all_of_it.items() if name.startswith(("sentry", "render"))]
    assert len(late) == 5 + 7
    assert not [each for each in late if each.ok]
    assert all_of_it["health"].ok


def test_bug_of_ours_is_no_finding() -> None:
    """An error that is no SourceError is raised."""

    def broken() -> str:
        raise KeyError("a bug")

    lane = trials.Lane("x", [trials.Trial(name="x", asked=broken)])
    with pytest.raises(KeyError):
        list(lane.findings())


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Mara", "-c", "user.email=mara@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def test_a_rollback_that_git_would_refuse_is_found(tmp_path: Path) -> None:
    """What is not pushed or not committed, as the rollback itself looks at it."""
    (tmp_path / "clone").mkdir()
    git(tmp_path, "init", "--bare", "-b", "main", "origin.git")
    git(tmp_path / "clone", "init", "-b", "main")
    git(tmp_path / "clone", "remote", "add", "origin", str(tmp_path / "origin.git"))
    for subject in ("one", "two"):
        (tmp_path / "clone" / "app.txt").write_text(subject)
        git(tmp_path / "clone", "add", "app.txt")
        git(tmp_path / "clone", "commit", "-m", subject)
    more = '[repository]\npath = "clone"\n'
    with Server(backend) as server:
        unpushed = found(described(tmp_path, server.url, more))["rollback"]
        git(tmp_path / "clone", "push", "origin", "main")
        pushed = found(described(tmp_path, server.url, more))["rollback"]
        (tmp_path / "clone" / "app.txt").write_text("three")
        changed = found(described(tmp_path, server.url, more))["rollback"]
    assert not unpushed.ok
    assert "expected origin/main to exist" in unpushed.says
    assert pushed.ok, pushed.says
    assert "expected nothing uncommitted, got app.txt" in changed.says


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"uptime": "17"}, "/uptime: expected a number"),
        ({"timestamp": "2020-01-01T00:00:00Z"}, "timestamp is"),
        ({"uptime": 1_795_000_000}, "started before the year 2000"),
    ],
)
def test_a_health_document_that_a_run_would_refuse_is_refused(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    """By the run's own objective: text for a number, an old document, no process's uptime."""

    def answer(asked: Asked) -> Answer:
        output = {**json.loads(healthy().body), **change}
        return document(**output) if asked.path == "/health" else backend(asked)

    with Server(answer) as server:
        health = found(described(tmp_path, server.url))["health"]
    assert not health.ok
    assert says in health.says


def test_a_cached_health_document_and_an_uptime_in_milliseconds_are_found(tmp_path: Path) -> None:
    """The header is named; two readings tell the unit."""
    begun = time.time()

    def cached(asked: Asked) -> Answer:
        output = healthy()
        output.headers["Age"] = "7200"
        return output if asked.path == "/health" else backend(asked)

    def quick(asked: Asked) -> Answer:
        output = {**json.loads(healthy().body), "uptime": (time.time() - begun + 9000) * 1000}
        return document(**output) if asked.path == "/health" else backend(asked)

    with Server(cached) as server:
        assert "Age: 7200" in found(described(tmp_path, server.url))["health"].says
    with Server(quick) as server:
        assert "got milliseconds" in found(described(tmp_path, server.url))["health"].says


def test_missing_contacts_are_reported(tmp_path: Path) -> None:
    """No one to call, no one to alert, nothing to revert: each with its remedy."""
    with Server(backend) as server:
        all_of_it = found(described(tmp_path, server.url))
        output = found(
            described(
                tmp_path,
                server.url,
                '[[contacts]]\nrole = "on call"\nname = "Ada Byron"\nreach = "+49 30 901820"\n',
                HOUR24_ALERT_URLS="json://127.0.0.1/alert nonsense://127.0.0.1/x",
            )
        )
    assert all_of_it["contacts"].remedy.startswith("add [[contacts]] to ")
    assert "HOUR24_ALERT_URLS" in all_of_it["alerts"].remedy
    assert all_of_it["rollback"].says == "expected a clone with remote origin, got none"
    assert (output["contacts"].ok, output["contacts"].says) == (True, "on call")
    assert "HOUR24_ALERT_URLS 2" in output["alerts"].says
    assert "nonsense" not in output["alerts"].says
