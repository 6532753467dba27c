"""production.toml and the environment -> Production. The only package that reads either.

Rules of this package:

- Every problem is found and reported at once, one line each:
  ``production.toml: endpoints.calls.target_ms: expected a number above 0, got "500ms"``.
- A problem names its place in the file; in a list, the first entry is 1.
- Secrets come from the environment only. What looks like one in the file is refused, and is
  not repeated in the message.
- A placeholder is not a value.
"""

from hour24.config.addresses import watched
from hour24.config.digest import limits_digest
from hour24.config.loading import launch_problem, load
from hour24.config.production import (
    Applies,
    Contact,
    Described,
    Endpoint,
    Health,
    Jobs,
    Memory,
    Production,
    Repository,
    Schedule,
    Service,
    WebSocketTarget,
)

__all__ = [
    "Applies",
    "Contact",
    "Described",
    "Endpoint",
    "Health",
    "Jobs",
    "Memory",
    "Production",
    "Repository",
    "Schedule",
    "Service",
    "WebSocketTarget",
    "launch_problem",
    "limits_digest",
    "load",
    "watched",
]
