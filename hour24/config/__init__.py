"""Reads production.toml and the environment into a Production; no other package reads either.

Rules of this package:

- Every problem is found and reported at once, one line each:
  ``production.toml: endpoints.calls.target_ms: expected a number above 0, got "500ms"``.
- A problem has its path in the file; the first entry of a list is 1.
- Secrets come only from the environment. What looks like one in the file is refused, without
  repeating it in the message.
- A placeholder is not a value.
"""

from hour24.config.addresses import watched
from hour24.config.digest import asking_digest, limits_digest
from hour24.config.loading import alert_urls, launch_problem, load
from hour24.config.production import (
    Alerts,
    Applies,
    Contact,
    Described,
    Production,
    Repository,
    Schedule,
)
from hour24.config.service import (
    Endpoint,
    Health,
    Jobs,
    Memory,
    Process,
    Service,
    Tls,
    WebSocketTarget,
)

__all__ = [
    "Alerts",
    "Applies",
    "Contact",
    "Described",
    "Endpoint",
    "Health",
    "Jobs",
    "Memory",
    "Process",
    "Production",
    "Repository",
    "Schedule",
    "Service",
    "Tls",
    "WebSocketTarget",
    "alert_urls",
    "asking_digest",
    "launch_problem",
    "limits_digest",
    "load",
    "watched",
]
