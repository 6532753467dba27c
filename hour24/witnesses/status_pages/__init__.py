"""The status pages of vendors: advisory, never judged."""
