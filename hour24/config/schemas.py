"""Generates the JSON Schema of production.toml from the Structs that it is read into.

Rules of this module:

- Nothing is stated twice: title, bounds and defaults are those of the fields.
- ``schemas/production.schema.json`` is this schema with every witness that comes with hour24
  (``python -m hour24 schema``); a test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from hour24.classes import IssueClass
from hour24.config.production import Alerts, Applies, Contact, Linked, Repository, Schedule, Without
from hour24.config.service import (
    Endpoint,
    Health,
    Jobs,
    Memory,
    Process,
    Service,
    Tls,
    WebSocketTarget,
)
from hour24.criteria import latency
from hour24.witnesses import registry
from hour24.witnesses.port import ADDRESS, Witness
from hour24.witnesses.sections import listed, part, parts

HEAD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$comment": "version 1; made by `python -m hour24 schema`",
    "title": "production.toml",
    "description": "The system under watch: addresses, limits, classes of errors, contacts; never "
    "a secret. Names have units as suffixes: _s seconds, _ms milliseconds; shares are 0 to 1.",
    "type": "object",
    "required": ["service", "health"],
    "additionalProperties": False,
}
BASE = {
    **ADDRESS,
    "description": "Base address. Addresses of [health], [endpoints] and [websocket] that begin "
    "with / are relative to it.",
}
FILES = {
    "description": "Python files, relative to this one; each has a WITNESS with a section in this "
    "file.",
    "title": "a list of files",
    "type": "array",
    "uniqueItems": True,
    "items": {
        "description": "A file.",
        "title": "the path of a Python file",
        "type": "string",
        "pattern": r"\.py$",
    },
}


def file_schema(witnesses: Mapping[str, Witness], unknown: Iterable[str] = ()) -> dict[str, Any]:
    """Return the schema of a file that describes these witnesses.

    Args:
        unknown: names of other known sections, for hints on typing errors.
    """
    made = {name: section_of(witness) for name, witness in witnesses.items()}
    return {**HEAD, "properties": {**{name: {} for name in unknown}, **core(), **made}}


def shipped() -> str:
    """Return the text of ``schemas/production.schema.json``."""
    made = file_schema(registry.described(registry.own(), {}))
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def section_of(witness: Witness) -> dict[str, Any]:
    """Return the JSON Schema of a witness's section."""
    made = parts if witness.many else part
    return made(witness.at, witness.about, witness.inherited)


@cache
def core() -> dict[str, Any]:
    """Return the schema of each section that is not of a witness."""
    normal, critical = "Known as normal.", "Never acceptable."
    issues = {
        "normal": listed(part(IssueClass, normal, without=("severity",)), normal),
        "critical": listed(part(IssueClass, critical, without=("at_most_per_hour",)), critical),
    }
    return {
        "version": {
            "description": "Version of this form.",
            "title": "1",
            "const": 1,
            "default": 1,
        },
        "service": part(Service, "The service under watch.", more={"url": BASE}),
        "health": part(Health, "The health endpoint and the document it must return.", ("schema",)),
        "endpoints": _table_of_tables(
            "The endpoints that are judged by latency.",
            "a table of endpoints",
            ("a name of lower-case letters, digits, - and _", "^[a-z][a-z0-9_-]{0,39}$"),
            {
                **part(Endpoint, "One endpoint; its key is its name on pages.", without=("name",)),
                "title": "a table with url and target_ms",
            },
        ),
        "websocket": part(WebSocketTarget, "The WebSocket of the service."),
        "jobs": part(Jobs, "The heartbeat of background jobs in the logs."),
        "memory": part(Memory, "Memory of the service's instances."),
        "process": part(Process, "Worker processes that are replaced by plan."),
        "tls": part(Tls, "The certificates of the service's addresses."),
        "issues": _table(
            "Classes of errors. An error that matches none is unclassified, and a person must "
            "classify it.",
            issues,
        ),
        "contacts": listed(part(Contact, "Whom to call."), "Whom to call, in this order."),
        "criteria": _table_of_tables(
            "Criteria that do not apply, and your own.",
            "a table of criteria",
            (f"an id such as {latency.TARGET.id}", "^[A-Z][A-Z0-9]*(-[A-Z0-9]+)*$"),
            part(Applies, "A criterion that does not apply, or your own criterion."),
        ),
        "without": part(Without, "Sources that the service does not have, for one reason."),
        "schedule": part(Schedule, "When checkpoints are due."),
        "alerts": part(Alerts, "How often people are notified, and when not."),
        "repository": part(Repository, "The clone for a rollback by git revert."),
        "links": part(Linked, "Addresses that pages link to; nothing is requested there."),
        "witnesses": _table("Your own sources.", {"files": FILES}),
    }


def _table(about: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "description": about,
        "title": "a table",
        "type": "object",
        "additionalProperties": False,
        "properties": keys,
    }


def _table_of_tables(
    about: str, title: str, name: tuple[str, str], table: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a table of tables with free keys; ``name`` is the title and pattern of a key."""
    return {
        "description": about,
        "title": title,
        "type": "object",
        "propertyNames": {"title": name[0], "pattern": name[1]},
        "additionalProperties": table,
    }
