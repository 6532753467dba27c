"""Every request of ours to a vendor is one that its published interface allows."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema
import pytest

from hour24 import config
from hour24.asking import client as asking
from hour24.errors import SourceError
from hour24.rehearsal.client import Rehearsal
from hour24.rehearsal.clock import RehearsalClock
from hour24.watch import Window
from hour24.witnesses import registry
from hour24.witnesses.port import NOW, Measure, import_lazy

T0 = datetime(2026, 11, 24, 6, tzinfo=UTC)
AT = T0 + timedelta(hours=4)
ALLOWED = json.loads((Path(__file__).parent / "data" / "vendor_requests.json").read_text("utf-8"))
VENDORS = ("sentry", "render", "supabase")
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
Sent = list[tuple[str, str]]


@pytest.fixture(scope="module")
def sent() -> dict[str, Sent]:
    """What our sources sent for every measure and every trial of the doctor: method, URL."""
    rehearsal = Rehearsal.start(seed=3, faults=(), t0=T0, hour=4)
    found: dict[str, Sent] = {name: [] for name in VENDORS}
    fetch = asking.fetch
    try:
        production = config.load(Path(rehearsal.toml), rehearsal.environ)
        clock = RehearsalClock(rehearsal.control, AT)
        clock.step_to(AT)

        def recorded(session: Any, url: str, body: Any, headers: Any, *more: Any) -> Any:
            method = (more[1] if len(more) > 1 else "") or ("POST" if body is not None else "GET")
            for name in VENDORS:
                base = production.witnesses[name].url
                if url.startswith(base):
                    found[name].append((method, url.removeprefix(base)))
            return fetch(session, url, body, headers, *more)

        asking.fetch = recorded
        for name, described in registry.described(VENDORS, {}).items():
            _ask_everything(described, production, clock)
            assert found[name], name
    finally:
        asking.fetch = fetch
        rehearsal.stop()
    return found


def _ask_everything(described: Any, production: Any, clock: Any) -> None:
    at = production.witnesses[described.section]
    window = Window(AT - timedelta(hours=4), AT).shifted(-300)
    source = import_lazy(described.source)(at, clock)
    for measure in described.measures:
        arguments: list[Any] = [] if measure in NOW else [window]
        if measure == Measure.BEATS:
            arguments.append(production.jobs)
        if measure == Measure.SERVER_TIMES:
            arguments.append(production.endpoints)
        if measure == Measure.RECEIPT:
            arguments = [1.0]
        getattr(source, measure.value)(*arguments)
    for trial in import_lazy(described.trials)(at, production, clock):
        try:
            trial.asked()
        except SourceError:
            continue  # this checks the requests, not the answers


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_request_is_one_that_the_vendor_documents(vendor: str, sent: dict[str, Sent]) -> None:
    """Its path, its method, each parameter's name, type and form; none required is missing."""
    problems = []
    for method, url in sent[vendor]:
        problems += [f"{method} {url}: {each}" for each in differences(vendor, method, url)]
    assert problems == []


def differences(vendor: str, method: str, url: str) -> list[str]:
    """Where a request differs from the published interface; empty where it does not."""
    parts = urlsplit(url)
    operation = next(
        (
            parameters
            for name, parameters in ALLOWED[vendor].items()
            if name.split()[0] == method and _matches(name.split()[1], parts.path)
        ),
        None,
    )
    if operation is None:
        return ["expected a documented path, got another"]
    given: dict[str, list[str]] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        given.setdefault(name, []).append(value)
    query = {name: each for name, each in operation.items() if each["in"] == "query"}
    found = [f"unknown parameter {name}" for name in given if name not in query]
    found += [
        f"missing parameter {name}"
        for name, each in query.items()
        if each["required"] and name not in given
    ]
    for name in given.keys() & query.keys():
        found += _wrong(name, given[name], query[name]["schema"])
    return found


def _matches(template: str, path: str) -> bool:
    expression = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template))
    return re.fullmatch(expression, path) is not None


def _wrong(name: str, values: list[str], schema: dict[str, Any]) -> list[str]:
    """How the values of one parameter differ from its schema, each read as its type."""
    if schema.get("type") == "array":
        return [w for value in values for w in _wrong(name, [value], schema.get("items", {}))]
    if len(values) > 1:
        return [f"{name}: expected it once, got it {len(values)} times"]
    if schema.get("format") == "date-time" and not RFC_3339.fullmatch(values[0]):
        return [f"{name}: expected a time with its zone, got {values[0]}"]
    read: list[Any] = [values[0]]
    if re.fullmatch(r"-?\d+(\.\d+)?", values[0]):
        read.append(json.loads(values[0]))
    if values[0] in ("true", "false"):
        read.append(values[0] == "true")
    checker = jsonschema.Draft202012Validator(schema)
    if any(checker.is_valid(each) for each in read):
        return []
    return [f"{name}: expected {json.dumps(schema)[:120]}, got {values[0]!r}"]


def test_the_check_sees_a_wrong_request() -> None:
    """An unknown path, an unknown parameter, a missing one, a time without its zone."""
    events = "/api/0/organizations/o/issues/"
    assert differences("sentry", "GET", f"{events}?start=2026-11-24T06:00:00Z") == []
    assert differences("sentry", "GET", f"{events}?start=2026-11-24T06:00:00") != []
    assert differences("sentry", "GET", f"{events}?begin=1") == ["unknown parameter begin"]
    assert differences("sentry", "GET", "/api/0/nothing/") != []
    assert "missing parameter ownerId" in differences("render", "GET", "/logs?resource=srv-1")
