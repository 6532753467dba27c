"""The production.toml of a rehearsal.

Rules of this module:

- Every section of a production's is there; limits of time are those of a loopback; secrets are
  named and never written.
- What is judged by its age in the real database has a limit of a second: a rehearsal does not
  wait for a minute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hour24.rehearsal import data
from hour24.rehearsal.database import PLATFORM
from hour24.rehearsal.lines import WORKERS
from hour24.rehearsal.machines import SERVICE
from hour24.rehearsal.timing import ENDPOINTS
from hour24.rehearsal.vendors import render, sentry, supabase

TIMEOUT_S = 2.0
SENTRY_TOKEN = "HOUR24_REHEARSAL_SENTRY_TOKEN"
SENTRY_DSN = "HOUR24_REHEARSAL_SENTRY_DSN"
RENDER_TOKEN = "HOUR24_REHEARSAL_RENDER_TOKEN"
SUPABASE_TOKEN = "HOUR24_REHEARSAL_SUPABASE_TOKEN"
DATABASE_DSN = "HOUR24_REHEARSAL_DATABASE_DSN"
KNOWN = "known.toml"
NORMAL: list[dict[str, Any]] = data.toml(KNOWN)["issues"]["normal"]
CRITICAL: list[dict[str, Any]] = data.toml(KNOWN)["issues"]["critical"]


def production_toml(urls: Mapping[str, str], schema: str) -> str:
    """The file.

    Args:
        urls: of the endpoints by name, ``control``, ``websocket``, ``sentry``, ``render``,
            ``supabase``, ``status``.
        schema: path of the health document's schema.
    """
    sections: list[tuple[str, dict[str, Any]]] = [
        (
            "[service]",
            {
                "name": "platform-api",
                "environment": sentry.ENVIRONMENT,
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
            "[sentry]",
            {
                "url": urls["sentry"],
                "organization": sentry.ORGANIZATION,
                "project": sentry.PROJECT,
                "environment": sentry.ENVIRONMENT,
                "token_env": SENTRY_TOKEN,
                "dsn_env": SENTRY_DSN,
                "traces_sample_rate": 1.0,
                "timeout_s": TIMEOUT_S,
            },
        ),
        (
            "[render]",
            {
                "url": urls["render"] + "/v1",
                "service": SERVICE,
                "owner": render.OWNER,
                "token_env": RENDER_TOKEN,
                "timeout_s": TIMEOUT_S,
            },
        ),
        (
            "[supabase]",
            {
                "url": urls["supabase"],
                "project_ref": supabase.REF,
                "token_env": SUPABASE_TOKEN,
                "timeout_s": TIMEOUT_S,
            },
        ),
        (
            "[database]",
            {
                "dsn_env": DATABASE_DSN,
                "idle_in_transaction_s": 1.0,
                "lock_wait_s": 1.0,
                "connect_timeout_s": TIMEOUT_S,
                "statement_timeout_s": TIMEOUT_S,
                "platform_roles": [PLATFORM],
            },
        ),
        (
            "[jobs]",
            {"pattern": rf"heartbeat worker=(?P<worker>{'|'.join(WORKERS)})"},
        ),
        ("[memory]", {"metric": "rss"}),
        *(
            (
                "[[status_pages]]",
                {"name": name.title(), "url": f"{urls['status']}/{name}", "cause": cause},
            )
            for name, cause in (("supabase", "database"), ("render", ""), ("sentry", ""))
        ),
        (
            "[[status_pages]]",
            {"name": "Vapi", "url": f"{urls['status']}/vapi", "form": "betterstack"},
        ),
        ("[schedule]", {"source_budget_s": 60.0}),
    ]
    lines = ["# A rehearsal's production: written when it starts, gone when it ends.", ""]
    for title, values in sections:
        lines.append(title)
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        lines.append("")
    return "\n".join([*lines, data.text(KNOWN)])
