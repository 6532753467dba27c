"""hour24 watches a production system for the 24 hours before customers are let in."""

__version__ = "0.1.0"
