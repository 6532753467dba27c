"""Registers the plugin, nothing else."""

pytest_plugins = ["hour24.plugin"]
