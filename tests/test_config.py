"""production.toml and the environment: what is refused, in which words, and what comes out.

Each file of ``configurations/bad`` holds one mistake (``several`` has many) and says in its first
lines, after ``# expect:``, how it is refused.
"""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from hour24.checkpoint.questions import QUESTIONS
from hour24.classes import class_of
from hour24.config import (
    Production,
    launch_problem,
    limits_digest,
    load,
    schemas,
    watched,
    without,
)
from hour24.config.placeholders import is_no_person, is_placeholder
from hour24.config.problems import walk
from hour24.errors import ConfigurationError
from hour24.secrets import Secret
from hour24.witnesses.database import DatabaseAt
from hour24.witnesses.render import RenderAt
from hour24.witnesses.sentry import SentryAt
from hour24.witnesses.supabase import SupabaseAt

ROOT = Path(__file__).resolve().parents[1]
BAD = Path(__file__).with_name("configurations") / "bad"
VARIABLES = {
    "TOKEN": "a-token-of-ours",
    "EMPTY": " ",
    "TWO_WORDS": "two words",
    "TWO_LINES": "one\ntwo",
    "DATABASE_URL": "postgresql://watch:open%20sesame@db.internal.net:5432/postgres",
    "CALLS_AUTH": "a-header-of-ours",
}
SMALLEST = """
[service]
name = "orders"
environment = "production"
control_url = "https://status.net"

[health]
url = "https://orders.internal.net/health"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "production.toml"
    path.write_text(text)
    return path


def test_quiet_hours_and_reminders_are_read(tmp_path: Path) -> None:
    text = f'{SMALLEST}\n[alerts]\nquiet = "22:00-07:00"\nreminders = 0\n'
    found = load(written(tmp_path, text), {})
    assert (found.alerts.quiet, found.alerts.reminders) == ("22:00-07:00", 0)


REQUIRED = ("service.name", "service.environment", "service.control_url", "health.url")


@pytest.mark.parametrize("missing", REQUIRED)
def test_the_shipped_file_names_every_key_that_must_be_there(tmp_path: Path, missing: str) -> None:
    """Those four suffice, without one of them the file is refused, and its head says so."""
    head = (ROOT / "production.toml").read_text("utf-8").partition("\n[service]")[0]
    output = " ".join(head.replace("#", "").split()).partition("Required: ")[2]
    assert output.partition(". A criterion")[0].replace(" and", ",").split(", ") == list(REQUIRED)
    key = missing.partition(".")[2]
    lines = [line for line in SMALLEST.splitlines() if not line.startswith(f"{key} =")]
    assert len(lines) == len(SMALLEST.splitlines()) - 1
    (output,) = refusal(written(tmp_path, "\n".join(lines)))
    assert f": {missing}: expected " in output


def refusal(path: Path, variables: dict[str, str] | None = None, **more: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        load(path, VARIABLES if variables is None else variables, **more)
    return list(refused.value.problems)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://orders.internal.net/health", '["orders.internal.net"]'),
        ("http://127.0.0.1:8000/health", "[]"),
        ("http://[::1]:8000/health", "[]"),
        ("http://localhost/health", "[]"),
    ],
)
def test_a_secret_goes_over_http_to_this_machine_and_to_hosts_that_are_named(
    tmp_path: Path, url: str, allowed: str
) -> None:
    """Whoever names a host has decided it."""
    text = SMALLEST.replace("https://orders.internal.net/health", url)
    text = text.replace("[health]", f"plain_http = {allowed}\n\n[health]")
    load(written(tmp_path, f'{text}headers = {{ A = {{ env = "CALLS_AUTH" }} }}\n'), VARIABLES)


@pytest.mark.parametrize("name", sorted(path.stem for path in BAD.glob("*.toml")))
def test_bad_configuration_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each bad file is refused with its own message, word for word."""
    monkeypatch.chdir(BAD)
    path = Path(f"{name}.toml")
    start = "# expect: "
    lines = path.read_text().splitlines()
    expected = [f"{path}: {line[len(start) :]}" for line in lines if line.startswith(start)]
    found = refusal(path)
    assert found == expected
    assert not [line for line in found if "hunter2" in line or "0123456789abcdef" in line]


def test_bad_files_are_wrong_in_nothing_else(tmp_path: Path) -> None:
    """What the bad files have in common is right."""
    assert load(written(tmp_path, SMALLEST), {}).service.name == "orders"


def test_missing_file_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file is reported in one line with the remedy."""
    monkeypatch.chdir(tmp_path)
    assert refusal(Path("production.toml")) == [
        "production.toml: expected a file, got nothing; copy the shipped production.toml, or try "
        "the embedded production with --target rehearsal"
    ]


def test_files_that_are_no_text_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder, and bytes that are no UTF-8, are refused in one line."""
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("latin.toml").write_bytes(b'name = "caf\xe9"')
    assert refusal(Path("folder")) == ["folder: expected a file, got a folder"]
    assert refusal(Path("latin.toml")) == [
        "latin.toml: expected UTF-8, got something else at byte 11"
    ]


def test_tables_too_deep_are_refused(tmp_path: Path) -> None:
    """A key of a thousand parts is no configuration."""
    path = written(tmp_path, f"{'.'.join('a' * 1000)} = 1\n")
    assert refusal(path) == [f"{path}: expected TOML, got tables too deep"]


def test_smallest_production_needs_two_sections(tmp_path: Path) -> None:
    """[service] and [health] are enough; nothing else is made up."""
    found = load(written(tmp_path, SMALLEST), {})
    assert (found.websocket, found.jobs, found.heartbeat_url) == (None,) * 3
    assert found.described == {}
    assert (found.endpoints, found.secrets, found.contacts, found.criteria) == ({}, (), (), {})
    assert found.health.schema["properties"]["status"] == {
        "description": "The service's own judgement.",
        "const": "ok",
    }


def test_paths_and_addresses_are_relative_to_their_base(tmp_path: Path) -> None:
    """A schema is next to the file; an address that begins with / below service.url."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "true.json").write_text('{"const": true}')
    text = SMALLEST.replace("[health]", 'url = "https://orders.internal.net/base/"\n[health]')
    text = text.replace('"https://orders.internal.net/health"', '"/up?full=1"')
    text += 'schema = "own/true.json"\n[websocket]\nurl = "/ws"\n'
    found = load(written(tmp_path, text), {})
    assert found.health.schema == {"const": True}
    assert found.health.url == "https://orders.internal.net/base/up?full=1"
    assert found.websocket is not None
    assert found.websocket.url == "wss://orders.internal.net/base/ws"


def shipped_with_values() -> tuple[str, dict[str, str]]:
    """The shipped file as a person would fill it in, and an environment for it."""
    text = (ROOT / "production.toml").read_text()
    for before, after in (
        ("https://CHANGE-ME.onrender.com", "https://voice-backend-7x2k.onrender.com"),
        ('organization = "CHANGE-ME"', 'organization = "acme"'),
        ("srv-CHANGE-ME", "srv-d0cjkelq67qs70c2pugg"),
        ("tea-CHANGE-ME", "tea-d0cjkelq67qs70c2pvh0"),
        ('project_ref = "CHANGE-ME"', 'project_ref = "abcdefghijklmnopqrst"'),
        ('name = "CHANGE-ME"', 'name = "Ada Byron"'),
        ('reach = "CHANGE-ME"', 'reach = "+49 30 901820"'),
        ('"schemas/', f'"{ROOT}/schemas/'),
    ):
        assert before in text
        text = text.replace(before, after)
    return text, {
        "SENTRY_TOKEN": "sntryu_0123456789",
        "SENTRY_DSN": "https://publickey00@o1.ingest.us.sentry.io/4505",
        "RENDER_API_KEY": "rnd_0123456789",
        "SUPABASE_ACCESS_TOKEN": "sbp_0123456789",
        "DATABASE_URL": "postgresql://watch.ref:open%20sesame@pooler.net:5432/postgres",
        "VOICE_BACKEND_TOKEN": "knock-knock-knock",
        "HOUR24_ALERT_URLS": "slack://a/b/c, mailto://u:mailpassword@mail.net\njson://h/x?a=1,2",
        "HOUR24_HEARTBEAT_URL": "https://hc-ping.com/5b0c8f9e-1f1d-4bfe-9c3a-0d8d9d1f2a3b",
    }


@pytest.fixture
def shipped(tmp_path: Path) -> Production:
    text, variables = shipped_with_values()
    return load(written(tmp_path, text), variables)


def test_shipped_file_lists_what_must_be_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """As shipped, production.toml is refused with exactly what a person must supply."""
    monkeypatch.chdir(ROOT)
    found = [line.split(": ")[1] for line in refusal(Path("production.toml"), {})]
    people = [f"contacts[{n}].{key}" for n in (1, 2, 3) for key in ("name", "reach")]
    assert found == [
        "service.url",
        "endpoints.calls.headers.Authorization.env",
        "sentry.organization",
        "sentry.token_env",
        "sentry.dsn_env",
        "render.service",
        "render.owner",
        "render.token_env",
        "supabase.project_ref",
        "supabase.token_env",
        "database.dsn_env",
        *people,
    ]


def test_shipped_file_describes_the_voice_backend(shipped: Production) -> None:
    """Filled in, production.toml has the runbook's endpoints, targets and status pages."""
    assert {name: each.target_ms for name, each in shipped.endpoints.items()} == {
        "health": 100.0,
        "calls": 500.0,
        "webhooks": 200.0,
        "assistants": 1000.0,
    }
    assert all(type(each.target_ms) is float for each in shipped.endpoints.values())
    assert shipped.endpoints["webhooks"].expect_status == (401, 403)
    assert shipped.websocket is not None
    assert shipped.websocket.url == "wss://voice-backend-7x2k.onrender.com/ws"
    assert [(page.name, page.form) for page in shipped.witnesses["status_pages"]] == [
        ("Supabase", "statuspage"),
        ("Render", "statuspage"),
        ("Sentry", "statuspage"),
        ("Vapi", "betterstack"),
    ]
    assert shipped.witnesses["sentry"].environment == "production"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("GET /wp-login.php 404 Not Found", "404 on unknown routes"),
        ("NotFoundError: 404 Not Found: unknown route", "404 on unknown routes"),
        ("429 Too Many Requests", "429 rate limits"),
        ("AxiosError: Request failed with status code 429", "429 rate limits"),
        ("VapiTimeoutError: Vapi API timeout after 20000 ms", "Vapi API timeouts"),
        ("connect ETIMEDOUT 76.76.21.21:443", ""),
        ("timeout of 20000ms exceeded at api.vapi.ai", "Vapi API timeouts"),
        ("read ECONNRESET from postgres pool", "occasional database resets"),
        ("connection reset by database, retried once", "occasional database resets"),
        ("DatabaseConnectionError: database connection failed", "database connection failures"),
        ("could not connect to the database", "database connection failures"),
        ("FATAL: remaining connection slots are reserved", "database connection failures"),
        ("JavaScript heap out of memory", "memory leaks"),
        ("UnhandledPromiseRejection: call session lost", "unhandled promise rejections"),
        ("TypeError: Cannot read properties of undefined (reading 'id')", ""),
        ("order 404 has 429 items", ""),
        ("database query failed: syntax error", ""),
    ],
)
def test_shipped_classes_know_the_runbook(shipped: Production, text: str, name: str) -> None:
    """The runbook's normal and critical errors are known by name, other errors are not."""
    found = class_of({"title": text}, (*shipped.critical, *shipped.normal))
    assert (found.name if found else "") == name


def test_no_secret_is_shown(shipped: Production) -> None:
    """Neither repr, str, format nor an error of pickling shows a secret."""
    _, variables = shipped_with_values()
    shown = f"{shipped!r}{shipped}{shipped.secrets!s}{shipped.endpoints['calls'].headers}"
    for value in (*variables.values(), "open%20sesame", "open sesame", "publickey00"):
        assert value not in shown
    with pytest.raises(TypeError) as refused:
        pickle.dumps(shipped.secrets[0])
    assert str(refused.value) == "secret VOICE_BACKEND_TOKEN: expected never to be pickled"
    with pytest.raises(TypeError):
        msgspec.json.encode(shipped)


def test_parts_of_secrets_are_secrets(shipped: Production) -> None:
    """A password inside a connection string is redacted where it is alone, too."""
    known = {secret.reveal() for secret in shipped.secrets}
    assert {
        "knock-knock-knock",
        "open%20sesame",
        "open sesame",
        "publickey00",
        "mailpassword",
        "5b0c8f9e-1f1d-4bfe-9c3a-0d8d9d1f2a3b",
    } <= known
    assert all(len(value) >= 6 for value in known)
    header = shipped.endpoints["calls"].headers["Authorization"]
    assert isinstance(header, Secret)
    assert header.reveal() == "Bearer knock-knock-knock"


@pytest.mark.parametrize(
    ("dsn", "password"),
    [
        ("postgresql://watch:sesame-open@db.net/postgres", "sesame-open"),
        ("host=db.net user=watch password=sesame-open dbname=postgres", "sesame-open"),
        ("host=db.net password = 'sesame open' dbname=postgres", "sesame open"),
        ("postgresql://db.net/postgres?user=watch&password=sesame-open", "sesame-open"),
    ],
)
def test_passwords_are_found_in_each_form_of_connection(
    tmp_path: Path, dsn: str, password: str
) -> None:
    """Both forms of a connection string have their password redacted."""
    text = SMALLEST + '[database]\ndsn_env = "DATABASE_URL"\n'
    found = load(written(tmp_path, text), {"DATABASE_URL": dsn})
    assert {secret.reveal() for secret in found.secrets} == {dsn, password}


def test_alert_addresses_are_read_apart(shipped: Production) -> None:
    """Blanks, lines and commas separate alert addresses; a comma inside one does not."""
    assert [each.reveal() for each in shipped.alert_urls] == [
        "slack://a/b/c",
        "mailto://u:mailpassword@mail.net",
        "json://h/x?a=1,2",
    ]
    assert shipped.heartbeat_url is not None


def test_bad_addresses_of_ours_are_refused(tmp_path: Path) -> None:
    """Alert and heartbeat addresses are refused without being repeated."""
    found = refusal(
        written(tmp_path, SMALLEST),
        {"HOUR24_ALERT_URLS": "slack://a/b hunter2", "HOUR24_HEARTBEAT_URL": "hunter2"},
    )
    assert found == [
        "environment: HOUR24_ALERT_URLS: expected addresses such as slack://..., got something "
        "else at 2",
        "environment: HOUR24_HEARTBEAT_URL: expected an http or https address, got something else",
    ]


@pytest.mark.parametrize(
    ("text", "person"),
    [
        ("Bar Levi", True),
        ("Jane Smith", True),
        ("+49 30 901820-555", True),
        ("+1 415 555 0100", False),
        ("000-000-0000", False),
        ("123-456-7890", False),
        ("John Doe", False),
        ("ops@example.org", False),
        ("#on-call in Slack", True),
        ("CHANGE_ME", False),
        ("fixme", False),
        ("Your name", False),
    ],
)
def test_real_people_are_distinguished_from_placeholders(text: str, person: bool) -> None:
    """A placeholder is refused where a person must be reached; an unusual name is not."""
    assert is_no_person(text) is not person


@pytest.mark.parametrize(
    "text",
    [
        "there is none: your service has no WebSocket",
        "Every order is filled in time",
        "waits for Vapi",
        "p99 < 3 s and > 0",
    ],
)
def test_sentences_are_no_placeholders(text: str) -> None:
    """What a person wrote as a reason is taken as one."""
    assert not is_placeholder(text)


def test_listing_what_is_due_needs_no_secret(tmp_path: Path) -> None:
    """Without secrets, a missing variable is no problem, and a wrong key still is."""
    text, _ = shipped_with_values()
    path = written(tmp_path, text)
    found = load(path, {}, secrets=False)
    assert (found.secrets, found.alert_urls) == ((), ())
    assert found.witnesses["sentry"].token.reveal() == ""
    written(tmp_path, text.replace("retry_after_s", "retry_s"))
    assert refusal(path, {}, secrets=False) == [
        f'{path}: health.retry_s: expected a known key, such as retry_after_s, got "retry_s"'
    ]


def test_launch_before_the_watch_ends_is_refused(tmp_path: Path) -> None:
    """launch_at before T0 + 24 h is refused, at T0 + 24 h it is not."""
    text = SMALLEST.replace("[health]", "launch_at = 2026-12-02T08:00:00+02:00\n[health]")
    found = load(written(tmp_path, text), {})
    assert launch_problem(found, datetime(2026, 12, 1, 6, 0, tzinfo=UTC)) == ""
    assert launch_problem(found, datetime(2026, 12, 1, 6, 1, tzinfo=UTC)) == (
        f"{tmp_path}/production.toml: service.launch_at: expected 2026-12-02T06:01Z or later "
        "(T0 + 24 h), got 2026-12-02T06:00Z"
    )
    assert launch_problem(load(written(tmp_path, SMALLEST), {}), datetime.now(UTC)) == ""


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("target_ms = 500", "target_ms = 501", True),
        ("target_ms = 500", "target_ms = 500.0", False),
        ("at_most_per_hour = 3", "at_most_per_hour = 4", True),
        ("max_gap_s = 75", "max_gap_s = 80", True),
        ("max_drop_ratio = 0.10", "max_drop_ratio = 0.11", True),
        ("settle_s = 300 ", "settle_s = 301 ", True),
        ('severity = "high"', 'severity = "low"', True),
        ('url = "/api/assistants"', 'url = "/v2/assistants"', False),
        ('name = "Ada Byron"', 'name = "Grace Murray"', False),
        (
            "[repository]",
            "[criteria.RESTARTS]\napplies = false\nbecause = 'x y'\n[repository]",
            True,
        ),
    ],
)
def test_digest_tells_whether_limits_changed(
    tmp_path: Path, shipped: Production, before: str, after: str, changes: bool
) -> None:
    """The digest follows limits and classes, not addresses and people."""
    text, variables = shipped_with_values()
    assert before in text
    other = load(written(tmp_path, text.replace(before, after)), variables)
    assert (limits_digest(other) != limits_digest(shipped)) is changes


def test_digest_ignores_secrets(tmp_path: Path, shipped: Production) -> None:
    """Another token is not another limit."""
    text, variables = shipped_with_values()
    other = load(written(tmp_path, text), {**variables, "SENTRY_TOKEN": "sntryu_9876543210"})
    assert limits_digest(other) == limits_digest(shipped)
    assert len(limits_digest(other)) == 64


def schema_parts(part: Any, name: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = []
    if isinstance(part, dict):
        for key, each in part.get("properties", {}).items():
            found.append((f"{name}.{key}", each))
            found += schema_parts(each, f"{name}.{key}")
        for key in ("items", "additionalProperties"):
            found += schema_parts(part.get(key), f"{name}.*")
        for key, each in part.get("$defs", {}).items():
            found += schema_parts(each, key)
    return found


def test_schema_describes_every_key() -> None:
    """Every key of production.toml is described, with its unit, and no other key is allowed."""
    schema = json.loads((ROOT / "schemas" / "production.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    units = {"_s": "econds", "_ms": "milliseconds", "_ratio": "0 to 1", "_share": "0 to 1"}
    parts = schema_parts(schema)
    assert len(parts) > 80
    for name, part in parts:
        assert part["description"].endswith("."), name
        if "properties" in part:
            assert part["additionalProperties"] is False, name
        for ending, unit in units.items():
            if name.endswith(ending) and not name.endswith("_per_s"):
                assert unit in part["description"], name


def test_the_shipped_schema_is_the_one_that_the_structs_make() -> None:
    """``python -m hour24 schema > schemas/production.schema.json`` after a change of a Struct."""
    shipped = (ROOT / "schemas" / "production.schema.json").read_text("utf-8")
    assert schemas.shipped() == shipped


def test_schema_and_data_agree_about_defaults() -> None:
    """A default stated in the schema is the default used."""
    schema = json.loads((ROOT / "schemas" / "production.schema.json").read_text())
    from hour24.config import production as kinds

    for section, kind in (
        ("service", kinds.Service),
        ("health", kinds.Health),
        ("websocket", kinds.WebSocketTarget),
        ("sentry", SentryAt),
        ("supabase", SupabaseAt),
        ("render", RenderAt),
        ("database", DatabaseAt),
        ("jobs", kinds.Jobs),
        ("memory", kinds.Memory),
        ("schedule", kinds.Schedule),
        ("repository", kinds.Repository),
    ):
        output = schema["properties"][section]["properties"]
        for field in msgspec.structs.fields(kind):
            if field.default is msgspec.NODEFAULT or "default" not in output.get(field.name, {}):
                continue
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            assert output[field.name]["default"] == default, f"{section}.{field.name}"


def test_no_schema_checker_is_imported_before_it_is_needed() -> None:
    """Importing the package leaves jsonschema alone: it is for whoever loads a file."""
    code = "import sys, hour24.config; sys.exit('jsonschema' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "document"),
    [
        (
            "jupyter",
            {
                "connections": 0,
                "kernels": 0,
                "last_activity": "2026-11-24T16:17:13.876328Z",
                "started": "2026-11-24T16:17:13.876328Z",
            },
        ),
        (
            "bugsink",
            {
                "next": None,
                "previous": None,
                "results": [
                    {
                        "id": "0fcb7e8b-30c2-4f97-b429-65131cfec2c9",
                        "name": "acme",
                        "visibility": "joinable",
                    }
                ],
            },
        ),
        (
            "prometheus",
            {
                "status": "success",
                "data": {
                    "startTime": "2026-11-30T22:21:57.577132103Z",
                    "CWD": "/var/lib/prometheus",
                    "reloadConfigSuccess": True,
                    "lastConfigTime": "2026-11-30T22:21:57Z",
                    "corruptionCount": 0,
                    "goroutineCount": 28,
                    "storageRetention": "15d",
                },
            },
        ),
        ("prefect", {"message": "OK"}),
        (
            "victoriametrics",
            {
                "status": "success",
                "data": {
                    "activeTargets": [
                        {
                            "labels": {"instance": "127.0.0.1:8428", "job": "victoriametrics"},
                            "lastError": "",
                            "lastScrape": "2026-12-01T02:31:58.732Z",
                            "health": "up",
                        }
                    ],
                    "droppedTargets": [],
                },
            },
        ),
    ],
)
def test_examples_describe_what_the_servers_answered(name: str, document: dict[str, Any]) -> None:
    """The examples load, accept the real server's document, and refuse its refusal."""
    path = ROOT / "docs" / "examples" / name / "production.toml"
    found = load(path, {"JUPYTER_TOKEN": "a-token-to-try", "BUGSINK_TOKEN": "a-token-to-try"})
    judge = Draft202012Validator(found.health.schema)
    assert judge.is_valid(document)
    assert not judge.is_valid({"message": "Forbidden", "reason": None})
    left_out = [each for each, stated in found.criteria.items() if not stated.applies]
    assert all(found.criteria[each].because for each in left_out)
    assert "HEALTH-SCHEMA" not in left_out


def as_toml(value: Any) -> str:
    """A value as TOML has it inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {as_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(each) for each in value) + "]"
    return json.dumps(value)


PLANTED = "sntryu_0123456789abcdef"
STRANGE = ["", " ", "[", "(?P<", "//", "http://[", "https://u:p@h", "/", "x\x7f", PLANTED]
ANYTHING = st.one_of(
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(STRANGE),
    st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=8),
    st.just([]),
    st.just({}),
    st.just([{}, 1, [PLANTED]]),
    st.just({"env": PLANTED, "token": PLANTED, "url": {"url": 1}}),
)


@pytest.mark.suite("fuzz")
@given(data=st.data())
def test_no_mistake_breaks_the_loader(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    """Whatever stands in whichever place: it is loaded or refused in words, and nothing leaks."""
    text, variables = shipped_with_values()
    document = tomllib.loads(text)
    for _ in range(data.draw(st.integers(1, 3))):
        places = [place for place, _ in walk(document) if place]
        *above, last = data.draw(st.sampled_from(places))
        inside: Any = document
        for part in above:
            inside = inside[part]
        inside[last] = copy.deepcopy(data.draw(ANYTHING))
    lines = [f"{json.dumps(name)} = {as_toml(value)}\n" for name, value in document.items()]
    path = written(tmp_path_factory.mktemp("any"), "".join(lines))
    try:
        shown = [repr(load(path, variables))]
    except ConfigurationError as refused:
        shown = list(refused.problems)
    assert shown
    assert all(len(line.splitlines()) == 1 for line in shown)
    assert not any(PLANTED in line for line in shown)


def test_without_a_source_each_of_its_criteria_is_left_out_for_that_reason(tmp_path: Path) -> None:
    """One section instead of one for each; what the file states by itself stays."""
    stated = (
        f'{SMALLEST}\n[without]\nsources = ["sentry", "render"]\nbecause = "plain systemd"\n'
        '[criteria.LOGS-ERRORS]\napplies = false\nbecause = "my own"\n'
    )
    production = load(written(tmp_path, stated), {})
    out = {name: one.because for name, one in production.criteria.items() if not one.applies}
    assert out.pop("LOGS-ERRORS") == "my own"
    assert set(out.values()) == {"plain systemd"}
    assert set(out) == {
        "SENTRY-RECEIVES", "SENTRY-FEED", "ERRORS-COUNT", "ERRORS-NEW", "ERRORS-CRITICAL",
        "ERRORS-TOP", "ERRORS-TREND", "LOGS-PATTERNS", "LOGS-WATCHED", "JOBS-RUNNING",
        "MEMORY-STABLE", "MEMORY-HEADROOM", "LATENCY-MOST", "SIGNOFF-CRITICAL", "SIGNOFF-JOBS",
    }  # fmt: skip
    assert limits_digest(production) != limits_digest(load(written(tmp_path, SMALLEST), {}))


def test_a_sign_off_criterion_is_left_out_when_all_that_it_rests_on_is(tmp_path: Path) -> None:
    """Without database and supabase; not where one of them is described."""
    both = f'{SMALLEST}\n[without]\nsources = ["database", "supabase"]\nbecause = "no database"\n'
    out = load(written(tmp_path, both), {}).criteria
    assert {"DB-SLOW", "DB-POOL", "DB-SIZE"} <= set(out)
    assert "DB-ONLINE" not in out
    assert "SIGNOFF-DATABASE" not in out


def test_config_and_the_questions_agree_on_what_a_question_needs() -> None:
    """The table of [without] has the measure and the section of each question."""
    for name, question in QUESTIONS.items():
        assert without.measure_of(name) == question.measure, name
        assert without.sections_of(name) == question.sections, name


def test_another_tls_address_is_another_address_and_no_limit(tmp_path: Path) -> None:
    """The ports of a rehearsal change each time, and its limits do not."""
    plain = load(written(tmp_path, SMALLEST), {})
    more = load(written(tmp_path, SMALLEST + '\n[tls]\naddresses = ["https://b.example"]\n'), {})
    assert watched(more)["tls.addresses[1]"].startswith("https://b.example")
    assert limits_digest(more) == limits_digest(plain)
