"""What may judge each criterion: which objective, of which subject, within which limits.

Rules of this module:

- A criterion of the table is judged by an objective of this table and by no other: an id says what
  was judged, whoever wrote the test. A criterion of one's own is free.
- What a criterion's sentence states as a limit is the same in every production.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WHOLE = "24 hours"
"""Subject of a sign-off criterion's own look at the whole watch."""
EACH_ENDPOINT = frozenset({"LATENCY-TARGET", "LATENCY-STABLE"})
"""Criteria that have a verdict on each endpoint."""
HELD = "HeldThroughout"
JUDGED_BY: dict[str, tuple[str, ...]] = {
    "HEALTH-SCHEMA": ("HealthDocument",),
    "HEALTH-ALWAYS": ("AlwaysUp",),
    "SENTRY-RECEIVES": ("EventStored",),
    "SENTRY-FEED": ("NothingDropped",),
    "ERRORS-COUNT": ("EventsBelow",),
    "ERRORS-RATE": ("RateBelow",),
    "ERRORS-NEW": ("NoNewIssue",),
    "ERRORS-CRITICAL": ("NoCriticalIssue",),
    "ERRORS-TOP": ("TopKnown",),
    "ERRORS-TREND": ("NoRise",),
    "LOGS-ERRORS": ("NoErrorLine",),
    "LOGS-PATTERNS": ("NoPattern",),
    "LOGS-WATCHED": ("LevelKept",),
    "JOBS-RUNNING": ("BeatsKept",),
    "RESTARTS": ("NoRestart",),
    "MEMORY-STABLE": ("NoLeak",),
    "MEMORY-HEADROOM": ("HeadroomKept",),
    "MEMORY-LEVEL": ("FloorKept",),
    "LATENCY-TARGET": ("QuantileBelow",),
    "LATENCY-MOST": ("MostBelow",),
    "LATENCY-STABLE": ("NotSlower",),
    "DB-ONLINE": ("DatabaseAnswers",),
    "DB-SLOW": ("NoSlowStatement",),
    "DB-POOL": ("PoolBelow",),
    "DB-SIZE": ("DiskBelow",),
    "WS-STABLE": ("DropsBelow",),
    "BASELINE-RECORDED": ("AllTaken",),
    "SIGNOFF-ERROR-RATE": ("RateBelow", HELD),
    "SIGNOFF-CRITICAL": ("NoCriticalIssue", HELD),
    "SIGNOFF-HEALTH": ("AlwaysUp", HELD),
    "SIGNOFF-DATABASE": (HELD,),
    "SIGNOFF-RESTARTS": ("NoRestart", HELD),
    "SIGNOFF-LATENCY": (HELD,),
    "SIGNOFF-JOBS": ("BeatsKept", HELD),
    "SIGNOFF-WEBSOCKETS": ("DropsBelow", HELD),
}
"""The objectives that may judge each criterion, by name; of the sign-off's, the look at all 24
hours first, then what it rests on."""
RESTS_ON = {
    "SIGNOFF-ERROR-RATE": ("ERRORS-RATE",),
    "SIGNOFF-CRITICAL": ("ERRORS-CRITICAL", "SENTRY-FEED"),
    "SIGNOFF-HEALTH": ("HEALTH-SCHEMA", "HEALTH-ALWAYS"),
    "SIGNOFF-DATABASE": ("DB-ONLINE", "DB-SLOW", "DB-POOL", "DB-SIZE"),
    "SIGNOFF-RESTARTS": ("RESTARTS",),
    "SIGNOFF-LATENCY": ("LATENCY-TARGET", "LATENCY-MOST", "LATENCY-STABLE"),
    "SIGNOFF-JOBS": ("JOBS-RUNNING",),
    "SIGNOFF-WEBSOCKETS": ("WS-STABLE",),
}
"""The criteria that each of the sign-off's asks to have held at every checkpoint."""
STATED: dict[str, dict[str, float]] = {
    "AlwaysUp": {"coverage": 0.99, "max_gap_s": 300.0},
    "EventsBelow": {"per_hour": 5},
    "RateBelow": {"limit": 0.01},
    "TopKnown": {"top": 3},
    "NoRise": {"rise": 2.0, "spike": 3.0, "least": 0.001, "visible": 0.05, "coverage": 0.95},
    "NoPattern": {"per_hour": 5, "per_day": 10},
    "LevelKept": {"factor": 2.0, "clumping": 3.0},
    "NoRestart": {"coverage": 0.99, "max_gap_s": 300.0},
    "FloorKept": {"limit": 1.25},
    "QuantileBelow": {"q": 0.99},
    "MostBelow": {"share": 0.9, "limit_ms": 1000.0},
    "NotSlower": {"max_ratio": 1.2, "max_tail": 1.5},
    "DiskBelow": {"days": 7.0},
    "DropsBelow": {"coverage": 0.99, "max_gap_s": 300.0},
}
"""Limits that are the criterion's own, by objective; every other is production.toml's."""
STATED_AT_0 = {"QuantileBelow": {"q": 0.9}, "DiskBelow": {"days": 0.0}}
"""Those that are others at hour 0, where little was seen yet."""


def subjects(name: str, endpoints: tuple[str, ...]) -> tuple[str, ...]:
    """What a criterion has a verdict on each; one nameless subject where it has no several."""
    if name in EACH_ENDPOINT:
        return endpoints or ("",)
    if len(JUDGED_BY.get(name, ())) > 1:
        return (WHOLE, "")
    return ("",)


def unfit(name: str, subject: str, hour: int, objective: Mapping[str, Any]) -> str:
    """Why an objective may not judge this criterion: ``what: expected X, got Y``; or "".

    Args:
        objective: its name, and its fields.
    """
    may = JUDGED_BY.get(name)
    if may is None:
        return ""  # of one's own
    own = str(objective.get("name"))
    if own not in may:
        return f"objective: expected {' or '.join(may)}, got {own}"
    wanted = {may[0]: WHOLE, HELD: ""}.get(own, subject) if HELD in may else subject
    if subject != wanted:
        return f"subject: expected {wanted!r} of {own}, got {subject!r}"
    stated: dict[str, Any] = dict(STATED.get(own, {}))
    if hour == 0:
        stated |= STATED_AT_0.get(own, {})
    if own == HELD and name in RESTS_ON:
        stated["criteria"] = RESTS_ON[name]
    for field, expected in stated.items():
        got = objective.get(field)
        got = tuple(got) if isinstance(got, list) else got
        if got != expected:
            return f"objective: {own}: {field}: expected {expected}, got {got}"
    return ""
