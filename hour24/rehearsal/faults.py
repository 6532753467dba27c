"""The named faults, each a change of the scenario.

Rules of this module:

- A fault is written ``NAME``, ``NAME@HOUR`` or ``NAME@HOUR..HOUR``: from that hour since T0 on
  (default 0, may be negative), and until the second one, or for as long as the fault lasts.
- A fault of the system must turn a criterion to FAIL; one of a witness, to INCONCLUSIVE.
  The ``proof`` of each criterion says which does what.
- The faults of one witness are in its counterpart, ``vendors/NAME``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from hour24.errors import ConfigurationError, did_you_mean
from hour24.rehearsal.vendors.counterpart import Kind, counterparts
from hour24.shipped import COMMAND

FOREVER = float("inf")
_FORM = re.compile(r"([a-z_]+)(?:@(-?\d+(?:\.\d+)?)(?:\.\.(-?\d+(?:\.\d+)?))?)?")


_SYSTEM = {
    "backend_down": Kind("the service answers no request; the platform counts 502", 0.5),
    "bad_deploy": Kind("a new deploy fails 30 % of requests, until it is rolled back"),
    "certificate_untrusted": Kind("the service's certificate is of no known root"),
    "bad_timestamp": Kind("the health document's timestamp is three hours old"),
    "baseline_gone": Kind("health, endpoints and the database are down: no baseline possible"),
    "crash_loop": Kind("every instance dies every 7 minutes, for 2 hours", 2.0),
    "database_down": Kind("PostgreSQL is stopped; health and Supabase say so", 1.0),
    "deploy": Kind("a successful deploy, not a fault"),
    "disk_filling": Kind("the database's disk is 87 % full"),
    "disk_growing": Kind("the database's disk grows by 300 MB an hour"),
    "error_spike": Kind("40 % of requests fail with an unknown error, for an hour", 1.0),
    "error_trend": Kind("the share of failing requests rises by 0.035 % an hour"),
    "health_degraded": Kind("the health document reports the database as down"),
    "idle_in_transaction": Kind("a session leaves a transaction open and does nothing"),
    "jobs_stalled": Kind("one worker stops beating"),
    "lock_wait": Kind("a session waits for another session's lock"),
    "log_errors": Kind("ERROR lines that never reach Sentry, each different"),
    "log_pattern": Kind("one unknown ERROR line every ten minutes, with changing numbers"),
    "log_warnings": Kind("four times as many lines with WARN, database or timeout"),
    "login_refused": Kind("the database refuses the password that it accepted before"),
    "memory_high": Kind("memory jumps to 92 % of its limit"),
    "memory_leak": Kind("memory of every instance rises by about 12 MB an hour"),
    "new_critical_issue": Kind("unhandled promise rejections, four an hour"),
    "new_issue": Kind("a new unclassified issue, two an hour"),
    "pool_exhausted": Kind("nearly all connections of the database are taken"),
    "restart": Kind("one instance is killed and comes back, 20 minutes in", 1.0),
    "slow_endpoint": Kind("calls take 650 ms longer"),
    "slow_statement": Kind("a statement averages 1.8 s, and one is still running"),
    "supabase_degraded": Kind("Supabase reports its database as unhealthy"),
    "slow_transactions": Kind("three background transactions of twelve take seconds"),
    "top_unclassified": Kind("an old unclassified issue is among the most frequent"),
    "vantage_down": Kind("a second prober elsewhere gets no answer of the service", 0.5),
    "vapi_errors": Kind("8 % of requests fail with Vapi API timeouts, for an hour", 1.0),
    "websocket_flap": Kind("the server drops 40 % of WebSocket connections"),
}
_WITNESSES = {
    "network_down": Kind("neither the service nor the control address can be reached", None, True),
    "certificate_unseen": Kind("no TLS connection to the service comes about", None, True),
    "no_prober": Kind("no prober is running", None, True),
    "no_traffic": Kind("the platform counts no requests at all", None, True),
    "prober_gap": Kind("the prober stops for 40 minutes", 0.6667, True),
    "vantage_offline": Kind(
        "a second prober elsewhere reaches neither the service nor its control address", None, True
    ),
}
for _name, _counterpart in counterparts().items():
    _WITNESSES |= _counterpart.kinds(_name)
FAULTS: dict[str, Kind] = dict(sorted((_SYSTEM | _WITNESSES).items()))
"""What each fault does, by name."""


class Fault(Struct, frozen=True):
    """A fault in one scenario, in hours since T0."""

    name: str
    start_h: float = 0.0
    end_h: float = FOREVER

    def active(self, hour: float) -> bool:
        """True if it is active at this hour since T0."""
        return self.start_h <= hour < self.end_h

    def __str__(self) -> str:
        until = "" if self.end_h == FOREVER else f"..{self.end_h:g}"
        return f"{self.name}@{self.start_h:g}{until}"


def parse_faults(texts: Iterable[str]) -> tuple[Fault, ...]:
    """Return the faults that these texts name, in order; commas separate several.

    Raises: ConfigurationError, with every text that is not a fault.
    """
    faults = []
    problems = []
    for text in (part.strip() for each in texts for part in each.split(",")):
        if not text:
            continue
        match = _FORM.fullmatch(text)
        name = match.group(1) if match else text.partition("@")[0]
        if match is None and name in FAULTS:
            problems.append(f"fault: expected NAME@HOUR or NAME@HOUR..HOUR, got {text!r}")
            continue
        if match is None or name not in FAULTS:
            hint = did_you_mean(name, FAULTS) or f"; `{COMMAND} rehearse --faults` lists them"
            problems.append(f"fault: expected a name of the table, got {name!r}{hint}")
            continue
        start = float(match.group(2) or 0)
        lasts = FAULTS[name].lasts_h
        end = start + lasts if lasts is not None else FOREVER
        if match.group(3) is not None:
            end = float(match.group(3))
            if end <= start:
                problems.append(f"fault: {name}: expected an end after {start:g}, got {end:g}")
        faults.append(Fault(name, start, end))
    if problems:
        raise ConfigurationError(problems)
    return tuple(faults)
