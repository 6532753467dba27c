"""The clock of a rehearsal, which steps together with its servers.

Rules of this module:

- Waiting advances it without sleeping; the rehearsal's servers have the same time before the wait
  returns.
"""

from __future__ import annotations

import json
import threading
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from hour24.clock import SteppingClock
from hour24.errors import SourceUnreachable

TIMEOUT_S = 30.0
"""A step may start or stop PostgreSQL, on a busy machine."""


def ask(control_url: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Send one request to the rehearsal's control address; return its answer.

    Raises: SourceUnreachable, when it does not answer or refuses.
    """
    parts = urlsplit(control_url)
    connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT_S)
    try:
        data = json.dumps(body).encode() if body is not None else None
        connection.request(method, path, data, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, HTTPException, ValueError) as problem:
        raise SourceUnreachable(
            f"rehearsal: control: expected an answer, got {type(problem).__name__}"
        ) from None
    finally:
        connection.close()
    if response.status != 200:
        raise SourceUnreachable(f"rehearsal: control: {path}: {answer.get('message', 'refused')}")
    return answer


class RehearsalClock(SteppingClock):
    """Starts at ``start`` and steps the rehearsal at ``control_url`` along."""

    def __init__(self, control_url: str, start: datetime) -> None:
        super().__init__(start)
        self._control = control_url
        self._step_lock = threading.Lock()
        ask(control_url, "POST", "/time", {"now": self.now().isoformat()})

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._step_servers()

    def step_to(self, moment: datetime) -> None:
        super().step_to(moment)
        self._step_servers()

    def _step_servers(self) -> None:
        with self._step_lock:
            ask(self._control, "POST", "/step", {"now": self.now().isoformat()})
