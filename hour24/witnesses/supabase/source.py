"""Supabase's management API: the status of its services, and how full the disk is.

Rules of this module:

- An answer that leaves out a service asked for is incomplete.
- A status is passed on as it is; the judge decides which are healthy.
- A disk reading older than an hour is refused, and so is a number given as text.

Source: Supabase's management API, ``/v1/projects/{ref}/health`` and ``.../config/disk/util``.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime

from msgspec import Struct

from hour24.asking.answers import Count, Time, misread, read_answer, stamp
from hour24.asking.client import BUDGET_S, ApiClient, Asking
from hour24.clock import Clock
from hour24.errors import SourceIncomplete, SourceMisread
from hour24.evidence import Listing
from hour24.witnesses.supabase import SupabaseAt

FRESH_S = 3600.0
LONGEST = 500


class ServiceHealth(Struct, frozen=True):
    """One service of ``GET /v1/projects/{ref}/health``."""

    name: str
    status: str
    error: str | None = None


class DiskSizes(Struct, frozen=True):
    """The bytes of the file system."""

    fs_size_bytes: Count
    fs_used_bytes: Count
    fs_avail_bytes: Count


class DiskUsage(Struct, frozen=True):
    """``GET /v1/projects/{ref}/config/disk/util``."""

    timestamp: Time
    metrics: DiskSizes


class Supabase:
    """Supabase's view of the project now; used by one thread."""

    def __init__(self, at: SupabaseAt, clock: Clock, *, budget_s: float = BUDGET_S) -> None:
        self.at = at
        self.clock = clock
        self._client = ApiClient(
            "supabase",
            at.url,
            clock,
            token=at.token,
            timeout_s=at.timeout_s,
            budget_s=budget_s,
        )
        self._project = f"/v1/projects/{at.project_ref}"
        self._missing = f"expected a token that sees project {at.project_ref}, got none"

    def services(self) -> Listing:
        """Return the status of each service that [supabase] names.

        Returns: items ``name``, ``status`` (``ACTIVE_HEALTHY``, ``COMING_UP``, ``UNHEALTHY``)
            and ``error``, empty where none is given.
        Raises: SourceIncomplete, when a service is missing; SourceError.
        Source: ``GET /v1/projects/{ref}/health``.
        """
        with self._asking("services") as asking:
            body = asking.document(
                f"{self._project}/health",
                [("services", name) for name in self.at.services],
                right="the right to read the project",
                missing=self._missing,
            )
            found = read_answer(body, list[ServiceHealth], asking.where)
            reported = {service.name for service in found}
            absent = [name for name in self.at.services if name not in reported]
            if absent:
                asking.refuse(
                    SourceIncomplete,
                    f"expected {len(self.at.services)} services, got none of the name "
                    f"{', '.join(absent)}",
                )
            items = tuple(
                {
                    "name": service.name,
                    "status": service.status,
                    "error": (service.error or "")[:LONGEST],
                }
                for service in found
            )
            return Listing(
                question=asking.question(), what="services", items=items, seen=len(items)
            )

    def disk(self) -> Listing:
        """Return how full the database's disk is.

        Returns: one item: ``at`` (epoch seconds), ``size_bytes``, ``used_bytes``,
            ``available_bytes``.
        Raises: SourceMisread, when the reading is impossible or older than an hour; SourceError.
        Source: ``GET /v1/projects/{ref}/config/disk/util``.
        """
        with self._asking("disk") as asking:
            body = asking.document(
                f"{self._project}/config/disk/util",
                right="the right to read the project's disk",
                missing=self._missing,
            )
            found = read_answer(body, DiskUsage, asking.where)
            at, sizes = found.timestamp, found.metrics
            if abs(self.clock.now().timestamp() - at) > FRESH_S:
                when = stamp(datetime.fromtimestamp(at, UTC))
                asking.refuse(SourceMisread, f"expected a reading of the last hour, got {when}")
            if sizes.fs_size_bytes == 0 or sizes.fs_used_bytes > sizes.fs_size_bytes:
                raise misread(
                    f"{asking.where}.metrics.fs_used_bytes",
                    f"at most its size of {sizes.fs_size_bytes}",
                    sizes.fs_used_bytes,
                )
            item = {
                "at": at,
                "size_bytes": sizes.fs_size_bytes,
                "used_bytes": sizes.fs_used_bytes,
                "available_bytes": sizes.fs_avail_bytes,
            }
            return Listing(question=asking.question(), what="readings", items=(item,), seen=1)

    def _asking(self, what: str) -> AbstractContextManager[Asking]:
        """Return a question that is attached to any SourceError raised meanwhile."""
        return self._client.attached(what)
