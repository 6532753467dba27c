"""A path given to an option of ours does not lead pytest away from its settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hour24_anchor import restarted

ROOT = Path(__file__).parents[1]


def test_separate_paths_are_joined_to_their_options() -> None:
    """What pytest must not take for a place to look for tests becomes one word."""
    given = ["-m", "hour8", "--target", "/etc/x.toml", "--reports", "/var/reports", "-q"]
    joined = ["-m", "hour8", "--target=/etc/x.toml", "--reports=/var/reports", "-q"]
    assert restarted(ROOT, None, given) == joined


def test_nothing_happens_where_the_settings_were_found() -> None:
    """Nor elsewhere than in a checkout, nor a second time."""
    given = ["--target", "/etc/x.toml"]
    assert restarted(ROOT, ROOT / "pytest.ini", given) is None
    assert restarted(ROOT / "docs", None, given) is None
    assert restarted(ROOT, None, ["--target=/etc/x.toml"]) is None


def test_a_target_outside_the_checkout_is_read(tmp_path: Path) -> None:
    """The refusal speaks of the file, not of an unknown option."""
    target = tmp_path / "production.toml"
    target.write_text("[service]\n", encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "hour0", "--target", str(target)]  # noqa: RUF005
        + ["--reports", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 4
    assert f"{target}: health.url: expected" in ran.stderr + ran.stdout
