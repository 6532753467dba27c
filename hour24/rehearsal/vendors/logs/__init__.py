"""The log file of the rehearsal's service."""

from hour24.rehearsal.vendors.counterpart import Counterpart

COUNTERPART = Counterpart(
    title="The log file",
    server="hour24.rehearsal.vendors.logs.server:LogFile",
    ways={},
    no_ways="a file has no server; the platform's log is asked first, and has its ways to fail",
    apart="the platform's log has the same lines, and each of its faults would need two",
    rank=6,
)
