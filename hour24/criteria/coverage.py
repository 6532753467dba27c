"""How much of what was planned the prober must have seen, for a criterion that rests on it."""

MIN_COVERAGE = 0.99
"""Share of the probes due that must have been sent."""
MAX_GAP_S = 300.0
"""The longest time without any probe."""
COVERAGE = {"coverage": MIN_COVERAGE, "max_gap_s": MAX_GAP_S}
"""The two as fields of an objective."""
