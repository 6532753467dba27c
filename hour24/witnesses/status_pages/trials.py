"""The requests by which ``doctor`` tries each status page."""

from __future__ import annotations

from typing import Any

from hour24.clock import Clock
from hour24.config import Production
from hour24.witnesses.port import Trial
from hour24.witnesses.status_pages import StatusPage
from hour24.witnesses.status_pages.source import StatusPages


def trials(at: tuple[StatusPage, ...], production: Production, clock: Clock) -> list[Trial]:
    """Return one trial for each request that a checkpoint will send."""

    def trial(page: Any) -> Trial:
        def asked() -> str:
            StatusPages((page,), clock).incidents()
            return "readable"

        return Trial(
            name=f"status page {page.name}",
            asked=asked,
            address=page.url,
            lacks=f"check the address {page.url} and its form, statuspage or betterstack",
        )

    return [trial(page) for page in at]
