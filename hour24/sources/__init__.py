"""One file per outside system: it asks, it never judges."""
