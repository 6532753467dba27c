"""Loki: a second store of the rehearsal's log lines."""

from hour24.rehearsal.vendors.counterpart import Counterpart

COUNTERPART = Counterpart(
    title="Loki",
    server="hour24.rehearsal.vendors.loki.server:Loki",
    rank=5,
)
