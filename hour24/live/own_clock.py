"""Whether the clock of this machine is right: a checkpoint at a wrong time measures nothing.

Rules of this module:

- The control address, which is outside the service, is the other clock. One that does not answer,
  states no time or answers from a cache says nothing.
- A wrong clock delays a checkpoint until it is right, for half an hour at most: the control
  address may be the wrong one.
"""

from __future__ import annotations

from hour24.asking.exchange import ask
from hour24.asking.freshness import cached_by, date_of
from hour24.clock import Clock, steady_s
from hour24.text import format_duration

SKEW_S = 300.0
"""Beyond it the sources' windows are not ours, and they refuse."""
LONGEST_S = 1800.0
ASK_EVERY_S = 20.0
ANSWER_WITHIN_S = 5.0


class OwnClock:
    """Compares the clock of this machine with the control address's.

    Args:
        address: the control address.
    """

    def __init__(self, address: str, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        self._asked_s = float("-inf")
        self._wrong_since_s: float | None = None
        self._problem = ""

    def problem(self) -> str:
        """Return how this clock differs; empty if it agrees, or differs for too long."""
        now_s = steady_s()
        if now_s - self._asked_s >= ASK_EVERY_S:
            self._asked_s = now_s
            self._problem = self._difference()
        if not self._problem:
            self._wrong_since_s = None
            return ""
        if self._wrong_since_s is None:
            self._wrong_since_s = now_s
        return self._problem if now_s - self._wrong_since_s < LONGEST_S else ""

    def _difference(self) -> str:
        try:
            reply = ask(self._address, {"User-Agent": "hour24"}, ANSWER_WITHIN_S)
        except ValueError:
            return ""
        theirs = date_of(reply.headers)
        if theirs is None or cached_by(reply.headers):
            return ""
        ahead_s = (self._clock.now() - theirs).total_seconds()
        if abs(ahead_s) <= SKEW_S:
            return ""
        return (
            f"the clock of this machine is {format_duration(abs(ahead_s))} "
            f"{'ahead of' if ahead_s > 0 else 'behind'} the control address's: correct it; "
            f"a checkpoint that is due waits up to {format_duration(LONGEST_S)}"
        )
