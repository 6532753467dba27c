"""Sentry: error events, issues, outcomes, transactions, the receipt of an event."""
