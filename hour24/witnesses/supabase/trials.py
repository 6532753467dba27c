"""The requests by which ``doctor`` tries Supabase."""

from __future__ import annotations

from typing import Any

from hour24.clock import Clock
from hour24.config import Production
from hour24.text import format_percent
from hour24.witnesses.port import Trial
from hour24.witnesses.supabase import SupabaseAt
from hour24.witnesses.supabase.source import Supabase


def trials(at: SupabaseAt, production: Production, clock: Clock) -> list[Trial]:
    """Return one trial for each request that a checkpoint will send."""
    source = Supabase(at, clock)
    right = f"check the token in {at.token.name}: it must see project {at.project_ref}"
    return [
        Trial(
            name="supabase: services",
            asked=lambda: f"{len(source.services().items)} services",
            address=at.url,
            right=right,
        ),
        Trial(
            name="supabase: disk",
            asked=lambda: _disk(source.disk().items[0]),
            address=at.url,
            right=right,
        ),
    ]


def _disk(reading: dict[str, Any]) -> str:
    return f"{format_percent(reading['used_bytes'] / reading['size_bytes'], 0)} used"
