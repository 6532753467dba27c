"""Supabase: the platform of the rehearsal's database."""

from hour24.rehearsal.vendors.counterpart import Counterpart

COUNTERPART = Counterpart(
    title="Supabase's API",
    server="hour24.rehearsal.vendors.supabase.server:Supabase",
    rank=3,
)
