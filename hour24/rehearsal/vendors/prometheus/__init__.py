"""Prometheus: the metrics of the rehearsal's service."""

from hour24.rehearsal.vendors.counterpart import Counterpart

COUNTERPART = Counterpart(
    title="Prometheus",
    server="hour24.rehearsal.vendors.prometheus.server:Prometheus",
    apart="the platform and the tracker count the same, and each of their faults would need two",
    rank=6,
)
