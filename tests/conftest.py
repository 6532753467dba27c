"""Settings of the project's own tests, which are not those of a checkpoint."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """A warning is an error here; in a checkpoint another plugin's warning must not be one."""
    config.addinivalue_line("filterwarnings", "error")
