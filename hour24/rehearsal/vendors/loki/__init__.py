"""Loki: a second store of the rehearsal's log lines."""

from hour24.rehearsal.vendors.counterpart import Counterpart

COUNTERPART = Counterpart(
    title="Loki",
    server="hour24.rehearsal.vendors.loki.server:Loki",
    apart="the platform's log has the same lines, and each of its faults would need two",
    rank=5,
)
