"""PostgreSQL: the database of the rehearsal."""

from hour24.rehearsal.vendors.counterpart import Counterpart, Kind

COUNTERPART = Counterpart(
    title="the database",
    server="hour24.rehearsal.vendors.database.server:Database",
    ways={},
    no_ways="it is no server over HTTP: its faults are real sessions and a closed gate",
    faults={
        "database_unreachable": Kind(
            "the route to the database is closed; the database itself works", None, True
        ),
    },
    rank=4,
)
