"""PostgreSQL: the database of the rehearsal."""

from hour24.rehearsal.vendors.counterpart import Counterpart, Kind

COUNTERPART = Counterpart(
    title="the database",
    server="hour24.rehearsal.vendors.database.server:Database",
    ways={},
    no_ways="it is no server over HTTP: its faults are real sessions and a closed gate",
    faults={
        "database_unreachable": Kind(
            "our way to the database is closed; it is fine itself", None, True
        ),
    },
    rank=4,
)
