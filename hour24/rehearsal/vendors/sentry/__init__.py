"""Sentry: the tracker of the rehearsal."""

from hour24.rehearsal.vendors.counterpart import Counterpart, Kind

COUNTERPART = Counterpart(
    title="Sentry",
    server="hour24.rehearsal.vendors.sentry.server:Sentry",
    faults={
        "sentry_deaf": Kind("Sentry accepts events and stores none of them"),
        "sentry_dropping": Kind("Sentry drops errors: 120 an hour are rate limited"),
    },
    rank=1,
)
