"""Supabase's management API: what it calls its services, and how full the disk is.

Rules of this module:

- Every service that was asked for is answered for; one left out makes the answer incomplete.
- Words are passed on as they are; which of them is well is not said here.
- A reading of the disk is of now, or it is none; no number of it is text.

Source: Supabase's management API, ``/v1/projects/{ref}/health`` and ``.../config/disk/util``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from hour24.asking.answers import (
    count,
    member,
    misread,
    moment,
    object_of,
    objects,
    perhaps,
    stamp,
    text,
)
from hour24.asking.client import BUDGET_S, ApiClient, Asking
from hour24.clock import Clock
from hour24.errors import SourceError, SourceIncomplete, SourceMisread
from hour24.evidence import Listing
from hour24.witnesses.supabase import SupabaseAt

FRESH_S = 3600.0
LONGEST = 500


class Supabase:
    """The project as Supabase's own API sees it now; used by one thread."""

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
        self._missing = f"expected a token that sees project {at.project_ref}, got no sight of it"

    def services(self) -> Listing:
        """What Supabase calls each service that is to be watched.

        Returns: items ``name``, ``status`` (``ACTIVE_HEALTHY``, ``COMING_UP``, ``UNHEALTHY``)
            and ``error``, empty where none is told.
        Raises: SourceIncomplete, when it leaves one out; SourceError.
        Source: ``GET /v1/projects/{ref}/health``.
        """
        with self._asking("services") as asking:
            body = asking.document(
                f"{self._project}/health",
                [("services", name) for name in self.at.services],
                right="the right to read the project",
                missing=self._missing,
            )
            items = [
                {
                    "name": member(row, "name", where, text),
                    "status": member(row, "status", where, text),
                    "error": (perhaps(row, "error", where, text) or "")[:LONGEST],
                }
                for where, row in objects(body, asking.where)
            ]
            told = {item["name"] for item in items}
            absent = [name for name in self.at.services if name not in told]
            if absent:
                asking.refuse(
                    SourceIncomplete,
                    f"expected {len(self.at.services)} services, got none of the name "
                    f"{', '.join(absent)}",
                )
            return Listing(
                question=asking.question(), what="services", items=tuple(items), seen=len(items)
            )

    def disk(self) -> Listing:
        """The disk of the database.

        Returns: one item: ``at`` (epoch seconds), ``size_bytes``, ``used_bytes``,
            ``available_bytes``.
        Raises: SourceMisread, when the reading is not of the last hour or cannot be; SourceError.
        Source: ``GET /v1/projects/{ref}/config/disk/util``.
        """
        with self._asking("disk") as asking:
            body = object_of(
                asking.document(
                    f"{self._project}/config/disk/util",
                    right="the right to read the project's disk",
                    missing=self._missing,
                ),
                asking.where,
            )
            at = member(body, "timestamp", asking.where, moment)
            now = self.clock.now().timestamp()
            if abs(now - at) > FRESH_S:
                when = stamp(datetime.fromtimestamp(at, UTC))
                asking.refuse(SourceMisread, f"expected a reading of the last hour, got {when}")
            metrics = member(body, "metrics", asking.where, object_of)
            place = f"{asking.where}.metrics"
            size = member(metrics, "fs_size_bytes", place, count)
            used = member(metrics, "fs_used_bytes", place, count)
            if size == 0 or used > size:
                raise misread(f"{place}.fs_used_bytes", f"at most its size of {size}", used)
            item = {
                "at": at,
                "size_bytes": size,
                "used_bytes": used,
                "available_bytes": member(metrics, "fs_avail_bytes", place, count),
            }
            return Listing(question=asking.question(), what="readings", items=(item,), seen=1)

    @contextmanager
    def _asking(self, what: str) -> Iterator[Asking]:
        """A question; a SourceError that leaves it carries the question."""
        asking = self._client.asking(what)
        try:
            yield asking
        except SourceError as problem:
            problem.question = asking.question()
            raise
