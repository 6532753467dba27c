"""Render: the platform of the rehearsal."""

from hour24.rehearsal.vendors.counterpart import Counterpart

COUNTERPART = Counterpart(
    title="Render",
    server="hour24.rehearsal.vendors.render.server:Render",
    rank=2,
)
