"""The production.toml of a rehearsal.

Rules of this module:

- It has every section; timeouts suit loopback; secrets are named and never written.
- The section of a witness comes from its counterpart, ``vendors/NAME``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hour24.rehearsal import data
from hour24.rehearsal.lines import WORKERS
from hour24.rehearsal.timing import ENDPOINTS
from hour24.rehearsal.tls import ROOT
from hour24.rehearsal.vendors.part import Section

TIMEOUT_S = 2.0
ENVIRONMENT = "production"
KNOWN = "known.toml"
NORMAL: list[dict[str, Any]] = data.toml(KNOWN)["issues"]["normal"]
CRITICAL: list[dict[str, Any]] = data.toml(KNOWN)["issues"]["critical"]


def production_toml(urls: Mapping[str, str], schema: str, witnesses: Mapping[str, Section]) -> str:
    """Return the file's content.

    Args:
        urls: of the endpoints by name, ``control``, ``websocket``, ``tls``.
        schema: path of the health document's schema.
        witnesses: the section of each by its name, in the order of the file.
    """
    sections: list[tuple[str, Mapping[str, Any]]] = [
        (
            "[service]",
            {
                "name": "platform-api",
                "environment": ENVIRONMENT,
                "time_zone": "UTC",
                "control_url": urls["control"],
                "release": "rehearsal",
            },
        ),
        (
            "[health]",
            {
                "url": urls["health"],
                "schema": schema,
                "instance": "/instance",
                "timeout_s": TIMEOUT_S,
                "uptime_resolution_s": 1.0,
            },
        ),
        *(
            (
                f"[endpoints.{each.name}]",
                {
                    "url": urls[each.name],
                    "method": each.method,
                    "target_ms": each.target_ms,
                    "transaction": each.transaction,
                    "timeout_s": TIMEOUT_S,
                    "max_per_s": 100.0,
                },
            )
            for each in ENDPOINTS.values()
        ),
        (
            "[websocket]",
            {"url": urls["websocket"], "connections": 30, "hold_s": 1.0, "timeout_s": TIMEOUT_S},
        ),
        (
            "[jobs]",
            {"pattern": rf"heartbeat worker=(?P<worker>{'|'.join(WORKERS)})"},
        ),
        ("[memory]", {"metric": "rss"}),
        ("[tls]", {"addresses": [urls["tls"]], "ca": str(ROOT)}),
        *(table for name, section in witnesses.items() for table in _tables(name, section)),
        ("[schedule]", {"source_budget_s": 60.0}),
    ]
    lines = ["# A rehearsal's production: written when it starts, gone when it ends.", ""]
    for title, values in sections:
        lines.append(title)
        lines += [f"{key} = {_value(value)}" for key, value in values.items()]
        lines.append("")
    return "\n".join([*lines, data.text(KNOWN)])


def _value(value: Any) -> str:
    """Return a value as TOML: that of JSON, but for tables."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {json.dumps(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)


def _tables(name: str, section: Section) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the tables of one section with their headings."""
    if isinstance(section, list):
        return [(f"[[{name}]]", table) for table in section]
    return [(f"[{name}]", section)]
