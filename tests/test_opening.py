"""A watch is opened only for a checkpoint that it has."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hour24.errors import ConfigurationError
from hour24.targets.production import open_context
from hour24.targets.request import Request

PRODUCTION = """
[service]
name = "orders"
environment = "production"
control_url = "https://status.net"

[health]
url = "https://orders.internal.net/health"

[schedule]
checkpoints = [0, 8, 24]
"""
T0 = datetime(2026, 3, 2, 6, tzinfo=UTC)


@pytest.mark.parametrize(("hour", "opened"), [(8, True), (4, False)])
def test_an_hour_outside_the_plan_leaves_no_folder(tmp_path: Path, hour: int, opened: bool) -> None:
    """It is refused before its watch exists, also with --t0."""
    path, reports = tmp_path / "production.toml", tmp_path / "reports"
    path.write_text(PRODUCTION)
    request = Request(marker=f"hour{hour}", target=str(path), reports=reports, t0=T0)
    with ExitStack() as resources:
        if opened:
            assert open_context(request, resources).checkpoint.hour == hour
        else:
            with pytest.raises(ConfigurationError, match=r"expected one of \(0, 8, 24\), got 4"):
                open_context(request, resources)
    assert reports.exists() == opened
