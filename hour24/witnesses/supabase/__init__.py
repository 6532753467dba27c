"""Supabase: the health of its services, and the disk."""
