"""The vendors' public status pages.

They have the Statuspage form; Vapi's has Better Stack's, sent as HTML.

Source: the status pages' public documents.
"""

from __future__ import annotations

from typing import Any

from hour24.rehearsal.vendors.part import Section
from hour24.rehearsal.vendors.web import Reply, Request, Vendor
from hour24.rehearsal.world import stamp

STATUSPAGES = ("supabase", "render", "sentry")
CAUSES = {"supabase": "database"}


class StatusPages(Vendor):
    """The status pages of Supabase, Render, Sentry and Vapi, each below its name."""

    name = "status_pages"

    def section(self) -> Section:
        pages: list[dict[str, Any]] = [
            {"name": name.title(), "url": f"{self.url}/{name}", "cause": CAUSES.get(name, "")}
            for name in STATUSPAGES
        ]
        return [*pages, {"name": "Vapi", "url": f"{self.url}/vapi", "form": "betterstack"}]

    def allowed(self, request: Request) -> bool:
        return True

    def answer(self, request: Request) -> Reply:
        parts = [part for part in request.path.split("/") if part]
        match parts:
            case [name, "api", "v2", "summary.json"]:
                return Reply(200, self._summary(name))
            case [name, "api", "v2", "status.json"]:
                whole = self._summary(name)
                return Reply(200, {"page": whole["page"], "status": whole["status"]})
            case ["vapi", "index.json"]:
                return Reply(200, self._vapi(), {}, "text/html; charset=utf-8")
        raise self.not_found()

    def _trouble(self, name: str) -> str:
        scenario, now = self.world.scenario, self.world.now
        if name == "supabase" and scenario.has_fault("database_down", now):
            return "Database connectivity issues in eu-central-1"
        if name == "sentry" and scenario.has_fault("sentry_dropping", now):
            return "Delays in event ingestion"
        return ""

    def _summary(self, name: str) -> dict[str, Any]:
        if name not in STATUSPAGES:
            raise self.not_found()
        now, trouble = stamp(self.world.now), self._trouble(name)
        incidents = [
            {
                "id": "01JREHEARSAL",
                "name": trouble,
                "status": "investigating",
                "impact": "major",
                "created_at": now,
                "resolved_at": None,
                "incident_updates": [{"body": f"We are looking into it: {trouble}"}],
                "components": [],
            }
        ]
        return {
            "page": {
                "id": name,
                "name": name.title(),
                "url": f"{self.url}/{name}",
                "updated_at": now,
            },
            "status": {
                "indicator": "major" if trouble else "none",
                "description": "Partial System Outage" if trouble else "All Systems Operational",
            },
            "components": [
                {
                    "id": f"{name}-1",
                    "name": "API",
                    "status": "partial_outage" if trouble else "operational",
                }
            ],
            "incidents": incidents if trouble else [],
            "scheduled_maintenances": [],
        }

    def _vapi(self) -> dict[str, Any]:
        degraded = self.world.scenario.has_fault("vapi_errors", self.world.now)
        state = "degraded" if degraded else "operational"
        return {
            "data": {
                "id": "1",
                "type": "status_page",
                "attributes": {"company_name": "Vapi", "aggregate_state": state},
            },
            "included": [
                {
                    "id": "11",
                    "type": "status_page_resource",
                    "attributes": {
                        "public_name": "Vapi API",
                        "explanation": "",
                        "status": state,
                        "availability": 0.9991,
                    },
                }
            ],
        }
