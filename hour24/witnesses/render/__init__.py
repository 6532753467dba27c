"""Render: responses, memory, load, events, deploys, logs."""
