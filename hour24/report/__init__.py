"""Turns records into self-contained pages; every count is computed, none is stored."""
