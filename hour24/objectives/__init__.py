"""The limits a criterion sets; pure: evidence in, verdict out.

Rules of this package:

- Every room is imported here, so that :func:`hour24.objectives.base.from_plain` knows them all.
- numpy and scipy are imported where something is judged, never here.
"""

from hour24.objectives import (
    beats,
    database,
    errors,
    feed,
    floor,
    health,
    latency,
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
    "database",
    "errors",
    "feed",
    "floor",
    "health",
    "latency",
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
