"""The heartbeat to a dead man's switch, by the convention of healthchecks.io.

Rules of this module:

- ``/start`` at the beginning, the address itself at a good end, ``/fail`` at a bad one.
- A heartbeat that fails becomes a line of text without an address, and fails nothing.

Source: https://healthchecks.io/docs/http_api/.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import hour24
from hour24.asking.exchange import ask
from hour24.secrets import Secret

BEAT_WITHIN_S = 5.0
"""The timeout of a heartbeat; a checkpoint waits for it."""
Signal = Literal["start", "success", "fail"]


def heartbeat_signal(exit_code: int) -> Signal | None:
    """Return the signal for an exit code: INCONCLUSIVE is a success; None for another run (13)."""
    if exit_code == 13:
        return None
    return "success" if exit_code in (0, 10) else "fail"


def send_heartbeat(url: Secret | None, signal: Signal) -> str:
    """Send the heartbeat. Returns: why it failed; empty if it did not."""
    if url is None:
        return ""
    where = f"heartbeat: {signal}"
    try:
        parts = urlsplit(url.reveal())
        tail = {"start": "/start", "success": "", "fail": "/fail"}[signal]
        address = urlunsplit(parts._replace(path=parts.path.rstrip("/") + tail))
        agent = {"User-Agent": f"hour24/{hour24.__version__}"}
        reply = ask(address, agent, BEAT_WITHIN_S)
    except ValueError:
        return f"{where}: expected an address in {url.name}, got something else"
    if reply.status == 0:
        return f"{where}: expected an answer within {BEAT_WITHIN_S:g} s, got {reply.reason}"
    if not 200 <= reply.status < 300:
        return f"{where}: expected 2xx, got {reply.status}"
    return ""
