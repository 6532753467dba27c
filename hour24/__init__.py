"""hour24 watches a production system for the 24 hours before customers are let in.

PYTEST_DONT_REWRITE: this package has no assertions that pytest could explain.
"""

__version__ = "0.1.0"
