"""Supabase: the project, its services, its disk.

Rules of this room:

- The health listing is 200 whatever it says; ``services`` is required.
- The disk is reported as the file system has it, with a time.

Source: Supabase's published management API.
"""

from __future__ import annotations

from typing import Any

from hour24.rehearsal.settings import TIMEOUT_S
from hour24.rehearsal.vendors.part import Section
from hour24.rehearsal.vendors.web import LIMITED_S, Refused, Reply, Request, Vendor
from hour24.rehearsal.world import stamp

REF = "abcdefghijklmnopqrst"
TOKEN = "sbp_rehearsal_1122334455667788"
SERVICES = (
    "auth",
    "db",
    "db_postgres_user",
    "pooler",
    "realtime",
    "rest",
    "storage",
    "pg_bouncer",
)


class Supabase(Vendor):
    """Supabase's management API."""

    name = "supabase"
    token = TOKEN

    def section(self) -> Section:
        return {
            "url": self.url,
            "project_ref": REF,
            "token_env": self.variable,
            "timeout_s": TIMEOUT_S,
        }

    def limited(self) -> Reply:
        headers = {"X-RateLimit-Limit": "120", "X-RateLimit-Remaining": "0"}
        return Reply(
            429,
            {"message": "ThrottlerException: Too Many Requests"},
            {**headers, "X-RateLimit-Reset": str(LIMITED_S)},
        )

    def answer(self, request: Request) -> Reply:
        parts = [part for part in request.path.split("/") if part]
        if parts[:2] != ["v1", "projects"] or request.method != "GET":
            raise self.not_found("Cannot " + request.method)
        if len(parts) >= 3 and parts[2] != REF:
            raise self.not_found("Project not found")
        headers = {
            "X-RateLimit-Limit": "120",
            "X-RateLimit-Remaining": "117",
            "X-RateLimit-Reset": "41",
        }
        match parts[2:]:
            case []:
                found: Any = [self._project()]
            case [_]:
                found = self._project()
            case [_, "health"]:
                found = self._health(request)
            case [_, "config", "disk"]:
                found = {
                    "attributes": {
                        "iops": 3000,
                        "size_gb": 8,
                        "throughput_mibps": 125,
                        "type": "gp3",
                    },
                    "last_modified_at": stamp(self.world.scenario.at(-2000.0)),
                }
            case [_, "config", "disk", "util"]:
                found = self._disk()
            case [_, "readonly"]:
                found = {
                    "enabled": False,
                    "override_enabled": False,
                    "override_active_until": "",
                }
            case _:
                raise self.not_found("Cannot GET " + request.path)
        return Reply(200, found, headers)

    @property
    def _down(self) -> bool:
        scenario, now = self.world.scenario, self.world.now
        names = ("database_down", "supabase_degraded", "baseline_gone")
        return any(scenario.has_fault(name, now) for name in names)

    def _project(self) -> Any:
        return {
            "id": REF,
            "ref": REF,
            "organization_id": "tsrqponmlkjihgfedcba",
            "organization_slug": "tsrqponmlkjihgfedcba",
            "name": "rehearsal",
            "region": "eu-central-1",
            "created_at": "2025-01-01T00:00:00Z",
            "status": "ACTIVE_UNHEALTHY" if self._down else "ACTIVE_HEALTHY",
            "database": {
                "host": f"db.{REF}.supabase.example",
                "version": "17.4.1.074",
                "postgres_engine": "17",
                "release_channel": "ga",
            },
        }

    def _health(self, request: Request) -> Any:
        wanted = request.all("services")
        if not wanted or any(name not in SERVICES for name in wanted):
            raise Refused(self.error(400, "services: Required, one of " + ", ".join(SERVICES)))
        found = []
        for name in wanted:
            bad = self._down and name in ("db", "pooler")
            row = {
                "name": name,
                "healthy": not bad,
                "status": "UNHEALTHY" if bad else "ACTIVE_HEALTHY",
            }
            if bad:
                row["error"] = "connection refused"
            found.append(row)
        return found

    def _disk(self) -> Any:
        size, used = self.world.scenario.disk(self.world.now)
        return {
            "timestamp": stamp(self.world.now),
            "metrics": {
                "fs_size_bytes": size,
                "fs_avail_bytes": size - used,
                "fs_used_bytes": used,
            },
        }
