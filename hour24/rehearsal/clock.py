"""The stepping clock of a rehearsal, which takes its servers along.

Rules of this module:

- Waiting advances it without sleeping, and the rehearsal's servers stand at the same moment
  before the wait returns.
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


def ask(control_url: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """What the rehearsal's control answers to one request.

    Raises: SourceUnreachable, when it does not answer or refuses.
    """
    parts = urlsplit(control_url)
    connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT_S)
    try:
        data = json.dumps(body).encode() if body is not None else None
        connection.request(method, path, data, {"Content-Type": "application/json"})
        response = connection.getresponse()
        told = json.loads(response.read())
    except (OSError, HTTPException, ValueError) as problem:
        raise SourceUnreachable(
            f"rehearsal: control: expected an answer, got {type(problem).__name__}"
        ) from None
    finally:
        connection.close()
    if response.status != 200:
        raise SourceUnreachable(f"rehearsal: control: {path}: {told.get('message', 'refused')}")
    return told


class RehearsalClock(SteppingClock):
    """Stands at ``start``; its steps are also those of the rehearsal at ``control_url``."""

    def __init__(self, control_url: str, start: datetime) -> None:
        super().__init__(start)
        self._control = control_url
        self._telling = threading.Lock()
        ask(control_url, "POST", "/stand", {"now": self.now().isoformat()})

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._tell()

    def step_to(self, moment: datetime) -> None:
        super().step_to(moment)
        self._tell()

    def _tell(self) -> None:
        with self._telling:
            ask(self._control, "POST", "/step", {"now": self.now().isoformat()})
