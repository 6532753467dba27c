"""Render's published web API: logs, metrics, events and deploys of one service.

Rules of this package:

- One module per subject; :class:`Render` is the entrance. Nothing here judges.
- An answer counts only for this service and the window asked for. An empty answer, where a
  running service has data, is :class:`~hour24.errors.SourceEmpty`.
- Units are read from the answer. Times are epoch seconds.

Source: Render's public API, v1.
"""

from __future__ import annotations

from hour24.asking.client import BUDGET_S, ApiClient
from hour24.clock import Clock
from hour24.config import Jobs
from hour24.evidence import Counts, Listing, Series
from hour24.watch import Window
from hour24.witnesses.render import RenderAt, beats, deploys, events, lines, metrics
from hour24.witnesses.render.api import ServiceApi

__all__ = ["Render"]


class Render:
    """One service on Render; used by one thread. Every method raises SourceError."""

    def __init__(self, at: RenderAt, clock: Clock, *, budget_s: float = BUDGET_S) -> None:
        client = ApiClient(
            "render", at.url, clock, token=at.token, timeout_s=at.timeout_s, budget_s=budget_s
        )
        self._api = ServiceApi(client, at)

    def responses(self, window: Window) -> Counts:
        """Requests that the platform answered in the window, by status; bad are 5xx."""
        return metrics.responses(self._api, window)

    def responses_over_time(self, window: Window) -> Series:
        """Requests in steps of five minutes, one line a status: ``{"status": "200"}``."""
        return metrics.responses_over_time(self._api, window)

    def memory(self, window: Window) -> Series:
        """Memory a minute in MB (2^20 bytes), one line an instance."""
        return metrics.memory(self._api, window)

    def memory_limit(self, window: Window) -> Series:
        """Memory at which an instance is killed, a minute, in MB, one line an instance."""
        return metrics.memory_limit(self._api, window)

    def load(self, window: Window) -> Series:
        """Requests a second, of each minute, in one line."""
        return metrics.load(self._api, window)

    def platform_events(self, window: Window) -> Listing:
        """What the platform did to the service: ``{id, at, type, details, instance, deploy}``."""
        return events.events(self._api, window)

    def deploys(self, window: Window) -> Listing:
        """Deploys in the window, and the one that is live now:

        ``{id, status, trigger, commit, created, started, finished}``.
        """
        return deploys.deploys(self._api, window)

    def error_lines(self, window: Window) -> Listing:
        """ERROR lines of the logs: ``{id, at, message, level, instance}``."""
        return lines.error_lines(self._api, window)

    def watched_lines(self, window: Window) -> Counts:
        """How many lines hold each watched word: ``parts``, word -> lines."""
        return lines.watched_lines(self._api, window)

    def beats(self, window: Window, jobs: Jobs) -> Series:
        """Beats of the background jobs, one line a worker: ``{"worker": "dialer"}``."""
        return beats.beats(self._api, window, jobs)
