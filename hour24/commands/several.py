"""One command for several services: ``hour24 watch --target 'services/*.toml'``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType

from hour24.commands import say
from hour24.errors import ConfigurationError
from hour24.targets import several


def run_each(command: str, pattern: str, watch: str, options: Sequence[str]) -> int:
    """Run this command for each file of the pattern at the same time, until all have ended.

    Args:
        watch: of ``--watch``; it would be one for all.
        options: of each.

    Returns: the exit code of the worst.
    Raises: ConfigurationError, before any of them runs.
    """
    if watch:
        raise ConfigurationError([f"--watch: expected none for several services, got {watch}"])
    commands = {
        target: [sys.executable, "-m", "hour24", command, f"--target={target}", *options]
        for target in several.expand(pattern)
    }
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        codes = several.stream_all(commands, say.line)
    finally:
        signal.signal(signal.SIGTERM, before)
    for target, code in zip(commands, codes, strict=True):
        say.line(f"{target}: exit code {code}", "bold red" if code else "")
    return several.worst_code(codes)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
