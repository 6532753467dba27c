"""The limits that criteria set; pure functions: evidence in, verdict out.

Rules of this package:

- Every module is imported here, so that :func:`hour24.objectives.base.from_plain` knows them all.
- numpy and scipy are imported by the functions that judge, never here.
"""

from hour24.objectives import (
    beats,
    certificates,
    database,
    errors,
    feed,
    health,
    latency,
    level,
    logs,
    memory,
    own,
    probes,
    rates,
    restarts,
    signoff,
    statements,
    websocket,
)

__all__ = [
    "beats",
    "certificates",
    "database",
    "errors",
    "feed",
    "health",
    "latency",
    "level",
    "logs",
    "memory",
    "own",
    "probes",
    "rates",
    "restarts",
    "signoff",
    "statements",
    "websocket",
]
