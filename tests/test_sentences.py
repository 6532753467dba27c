"""What is shown and signed is made from this production's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from hour24.checkpoint.sentences import document, sentence_for
from hour24.config import Described, Production, load
from hour24.config.service import Health
from hour24.criteria import CRITERIA, daily, known
from hour24.witnesses import registry

EVERY = [*CRITERIA.values(), *daily.CRITERIA]
OWN = registry.described(registry.own(), {})
NAMED = ("SENTRY-RECEIVES", "SENTRY-FEED", "LATENCY-MOST", "SIGNOFF-CRITICAL")
"""Criteria with a general sentence that names a vendor."""
SMALLEST = """
[service]
name = "orders"
environment = "production"
control_url = "https://status.net"

[health]
url = "https://orders.internal.net/health"
timestamp = "/timestamp"
"""
DATABASE = '[database]\ndsn_env = "A_DSN"\n'
VARIABLES = {"A_DSN": "postgresql://u:p@db.net/d"}


@pytest.fixture
def production(tmp_path: Path) -> Production:
    """A production with every section at its defaults, and no witness but its database."""
    return described(tmp_path, DATABASE + '[jobs]\npattern = "beat"\n')


def described(folder: Path, more: str) -> Production:
    """A small production with more sections."""
    path = folder / "production.toml"
    path.write_text(SMALLEST + more)
    return load(path, VARIABLES)


def with_trackers(production: Production, *titles: str) -> Production:
    """With witnesses of these names that answer what an error tracker does."""
    tracker = OWN["sentry"]
    made = {
        title: Described(structs.replace(tracker, section=title, title=title), None)
        for title in titles
    }
    return structs.replace(production, described={**production.described, **made})


def shown(name: str, production: Production) -> str:
    """The sentence of a criterion for this production."""
    criterion = known(name)
    assert criterion is not None
    return sentence_for(criterion, production)


def test_with_every_default_it_is_the_general_sentence(production: Production) -> None:
    """Of each criterion but the one of the health document, where the schema says it."""
    tracked = with_trackers(production, "Sentry")
    for criterion in EVERY:
        if criterion.id != "HEALTH-SCHEMA":
            assert sentence_for(criterion, tracked) == criterion.sentence


@pytest.mark.parametrize("name", NAMED)
def test_only_a_described_vendor_is_named(name: str, production: Production) -> None:
    """Another tracker is called by its own name, and none by no name."""
    assert "Sentry" not in shown(name, with_trackers(production, "the Bugsink"))
    assert "the bugsink" in shown(name, with_trackers(production, "the Bugsink")).lower()
    assert "sentry" not in shown(name, production).lower()
    assert "an error tracker" in shown(name, production).lower()


def test_two_that_answer_are_both_named(production: Production) -> None:
    """In the order of the file, with the verb of two."""
    both = with_trackers(production, "Sentry", "Bugsink")
    assert shown("SIGNOFF-CRITICAL", both) == "Sentry and Bugsink show no critical issue"


@pytest.mark.parametrize(
    ("name", "section", "says"),
    [
        ("DB-SLOW", DATABASE + "slow_ms = 250\n", "or is running above 250 ms"),
        (
            "DB-POOL",
            DATABASE + "max_share = 0.7\nidle_in_transaction_s = 5\nlock_wait_s = 2.5\n",
            "below 70 % of the available ones, no session idle in a transaction over 5 s, no lock "
            "wait over 2.5 s",
        ),
        ("DB-SIZE", DATABASE + "max_share = 0.625\n", "Disk below 62.5 %"),
        ("JOBS-RUNNING", '[jobs]\npattern = "b"\nevery_s = 60\nmax_gap_s = 90\n', "every 60 sec"),
        ("MEMORY-HEADROOM", "[memory]\nmax_share = 0.9\n", "below 90 % of its limit"),
        (
            "WS-STABLE",
            '[websocket]\nurl = "wss://orders.internal.net/ws"\nmax_drop_ratio = 0.02\n'
            "connections = 200\n",
            "Fewer than 2 % of WebSocket connections drop",
        ),
    ],
)
def test_a_limit_of_production_toml_is_the_one_in_the_sentence(
    name: str, section: str, says: str, tmp_path: Path
) -> None:
    """Not the default that the general sentence states."""
    assert says in shown(name, described(tmp_path, section))


def test_how_many_vantages_must_see_a_failure_is_said_where_it_is_not_one(
    production: Production,
) -> None:
    """Where any of them is enough, the sentence is the general one."""
    general = shown("HEALTH-ALWAYS", production)
    assert general.endswith("if the one 30 s later fails too)")
    health = structs.replace(production.health, vantages=("a", "b", "c"), vantages_needed=2)
    stated = shown("HEALTH-ALWAYS", structs.replace(production, health=health))
    assert stated == general.replace("too)", "too, from 2 vantages at once)")


def test_every_limit_that_production_toml_sets_is_in_the_sentence() -> None:
    """A new key of ``configured`` without its place in ``stated`` is named here."""
    for criterion in EVERY:
        for judge in criterion.judges:
            for key in judge.configured.values():
                inside = f"{{{key}:" in criterion.stated or "{document}" in criterion.stated
                assert inside, f"{criterion.id}: stated: expected {key}"


def health(schema: dict[str, Any], **more: Any) -> str:
    """What is said of a health document with this schema."""
    return document(Health(url="https://a.net/health", schema=schema, **more))


def test_the_health_document_is_said_as_its_schema_has_it() -> None:
    """Every required member by its path, those with one value with that value."""
    schema = {
        "required": ["status", "database", "jobs", "checks", "timestamp"],
        "properties": {
            "status": {"const": "ok"},
            "database": {"const": True},
            "jobs": {"const": True},
            "unasked": {"const": True},
            "checks": {"required": ["cache"], "properties": {"cache": {"const": "up"}}},
        },
    }
    assert health(schema) == (
        'a document with status "ok", with database and jobs true, with checks.cache "up", with '
        "timestamp, made at most 60 s before or after its answer"
    )


def test_a_schema_that_names_nothing_is_said_so() -> None:
    """A document that is ``true`` passes it, and its sentence promises no more."""
    assert health({}, timestamp="") == "a document of any form"
    assert health({"type": "boolean"}, timestamp="") == "a document that its schema allows"


def test_an_odd_schema_is_no_error() -> None:
    """A user's own file may have anything in it."""
    odd = {"required": "status", "properties": []}
    assert health(odd, timestamp="") == "a document that its schema allows"
    deep: dict[str, Any] = {"required": ["a"]}
    for _ in range(50):
        deep = {"required": ["a"], "properties": {"a": deep}}
    assert "a.a.a.a" in health(deep)
    assert "a.a.a.a.a" not in health(deep)
