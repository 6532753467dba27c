"""The status pages of the rehearsal's vendors."""

from hour24.rehearsal.vendors.counterpart import Counterpart

COUNTERPART = Counterpart(
    title="the status pages",
    server="hour24.rehearsal.vendors.status_pages.server:StatusPages",
    ways={},
    no_ways="they are advisory: no verdict depends on them",
    rank=5,
)
