"""The runbook's alarms that cannot wait for a checkpoint.

Rules of this module:

- Health failing for longer than two minutes: alert.
- Error rate above 5 % over the last five minutes: at least 3 errors, more than 5 % of the
  requests, and 99.9 % sure to be above 1 %; or, with fewer than 10 requests in five minutes, the
  last three failed.
- While our own network is down, nothing is known of the service: this has its own alarm and
  suppresses the others.
- With several vantages needed, a silence that too few of them can have seen raises no alarm.
- An alarm is raised once, and its end is reported. The rules are pure: they receive probe results
  roughly in order of time, and read no clock.

Source: exact binomial bound, Clopper and Pearson, Biometrika 26 (1934): its lower bound at
99.9 % lies above 1 % exactly when P(X >= bad | total, 1 %) < 0.1 %.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from hour24.probes.lines import Alarm
from hour24.text import format_duration, format_percent

FAILING_S = 120.0
WINDOW_S = 300.0
SHARE = 0.05
LIMIT = 0.01
DOUBT = 0.001
LEAST_BAD = 3
FEW = 10


def tail_probability(bad: int, total: int, share: float) -> float:
    """Returns P(X >= ``bad``) of ``total`` requests, each bad with probability ``share``."""
    if bad <= 0:
        return 1.0
    log_term = (
        math.lgamma(total + 1)
        - math.lgamma(bad + 1)
        - math.lgamma(total - bad + 1)
        + bad * math.log(share)
        + (total - bad) * math.log1p(-share)
    )
    term = math.exp(log_term)
    found = 0.0
    for k in range(bad, total + 1):
        found += term
        term *= (total - k) / (k + 1) * share / (1 - share)
        if term < found * 1e-12 and k > total * share:
            break
    return min(1.0, found)


def is_error_rate_high(bad: int, total: int, last: int = 0) -> bool:
    """Whether ``bad`` of ``total`` failed requests in five minutes need a person.

    Args:
        last: how many of the newest requests failed consecutively.
    """
    if total < FEW and last >= LEAST_BAD:
        return True
    return bad >= LEAST_BAD and bad / total > SHARE and tail_probability(bad, total, LIMIT) < DOUBT


class Runbook:
    """Receives every probe result and raises an alarm when a person is needed.

    Args:
        alarm: called with each alarm, at once.
        agree: called with the beginning and the time of a failure; returns what the alarm adds
            about other vantages, or None while too few of them can have seen it.
    """

    def __init__(
        self,
        alarm: Callable[[Alarm], None],
        *,
        simulated: bool = False,
        agree: Callable[[float, float], str | None] = lambda since, at: "",
    ) -> None:
        self._alarm = alarm
        self._simulated = simulated
        self._agree = agree
        self._since: dict[str, float] = {}
        self._raised: set[str] = set()
        self._recent: deque[tuple[float, bool]] = deque()
        self._silent: deque[tuple[float, bool]] = deque()
        self._bad = 0
        self._row = 0
        self._good_health_at = -math.inf

    def observe(
        self, kind: str, at: float, failed: str, answered: bool, bad_response: bool, limited: bool
    ) -> None:
        """Evaluate one probe result.

        Args:
            kind: kind of the probe.
            at: due time, epoch seconds.
            failed: why the probe failed; "" if it was good.
            answered: whether there was an HTTP answer.
            bad_response: whether it counts against the error rate.
            limited: whether it was a 429, which says nothing about the service.
        """
        if limited:
            return
        if kind == "control":
            self._lasting("no_network", at, bool(failed), "our own network: the control address")
            return
        if not answered and "no_network" in self._since:
            return  # our own network is down
        if kind == "health":
            self._health(at, failed)
        if kind in ("health", "endpoint"):
            self._count(at, bad_response, answered)

    def _health(self, at: float, failed: str) -> None:
        if failed and at < self._good_health_at:
            return  # a late answer, overtaken by a good one
        if not failed:
            self._good_health_at = max(self._good_health_at, at)
        self._lasting("health_failing", at, bool(failed), "health", failed)

    def _lasting(self, rule: str, at: float, bad: bool, who: str, why: str = "") -> None:
        if not bad:
            since = self._since.pop(rule, at)
            if rule in self._raised:
                self._raised.discard(rule)
                self._raise(
                    rule,
                    at,
                    since,
                    f"{who} answers again, after {format_duration(at - since)}",
                    True,
                )
            return
        since = self._since.setdefault(rule, at)
        if at - since >= FAILING_S and rule not in self._raised:
            others = "" if rule == "no_network" else self._agree(since, at)
            if others is None:
                return  # asked again with the next failure
            self._raised.add(rule)
            because = f": {why}" if why else ""
            self._raise(
                rule,
                at,
                since,
                f"{who} has failed for {format_duration(at - since)}{because}{others}",
            )

    def _count(self, at: float, bad: bool, answered: bool) -> None:
        self._recent.append((at, bad))
        self._silent.append((at, bad and not answered))
        while self._silent[0][0] <= at - WINDOW_S:
            self._silent.popleft()
        self._bad += bad
        self._row = self._row + 1 if bad else 0
        while self._recent and self._recent[0][0] <= at - WINDOW_S:
            self._bad -= self._recent.popleft()[1]
        total = len(self._recent)
        rule = "error_rate"
        figures = {"bad": float(self._bad), "total": float(total)}
        if rule not in self._raised:
            if bad and is_error_rate_high(self._bad, total, self._row):
                since = next(when for when, each in self._recent if each)
                others = self._without_silence(since, at, total)
                if others is None:
                    return
                self._raised.add(rule)
                self._since[rule] = since
                text = (
                    f"{self._bad} of {total} requests of the last 5 min failed "
                    f"({format_percent(self._bad / total, 0)}, above {format_percent(SHARE)})"
                    f"{others}"
                )
                self._raise(rule, at, self._since[rule], text, figures=figures)
        elif not bad and self._bad / total <= SHARE:
            self._raised.discard(rule)
            since = self._since.pop(rule)
            text = f"{self._bad} of {total} requests of the last 5 min failed"
            self._raise(rule, at, since, text, True, figures)

    def _without_silence(self, since: float, at: float, total: int) -> str | None:
        """Return what the alarm adds; None if it rests on silence that too few can have seen.

        An error that was answered is the service's, wherever it was seen from.
        """
        silent = sum(each for _, each in self._silent)
        if silent and not is_error_rate_high(self._bad - silent, total - silent):
            return self._agree(since, at)
        return ""

    def _raise(
        self,
        rule: str,
        at: float,
        since: float,
        says: str,
        over: bool = False,
        figures: dict[str, float] | None = None,
    ) -> None:
        self._alarm(
            Alarm(
                at=datetime.fromtimestamp(at, UTC),
                rule=rule,
                since=datetime.fromtimestamp(since, UTC),
                says=says,
                over=over,
                figures=figures or {},
                simulated=self._simulated,
            )
        )
