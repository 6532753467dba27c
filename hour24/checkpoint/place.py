"""Where a run finds production, as its ledger says it."""

from __future__ import annotations

from typing import Any

from hour24 import config
from hour24.checkpoint.redaction import Redactor
from hour24.config import Production


def place(production: Production, rehearsal: dict[str, Any] | None) -> dict[str, str]:
    """Where production is found (:func:`hour24.config.watched`), without secrets.

    Returns: nothing for a rehearsal: its servers are others every time.
    """
    if rehearsal is not None:
        return {}
    scrubbed = Redactor((each.name, each.reveal()) for each in production.secrets)
    found: dict[str, str] = scrubbed.plain(config.watched(production))
    return found
