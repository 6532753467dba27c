"""One checkpoint of several services: ``pytest -m hour8 --target 'services/*.toml'``.

Rules of this module:

- Each service is a pytest process of its own, with its own watch; this process collects no test.
- A line says how each ended; of one that did not pass, its last lines follow.
"""

from __future__ import annotations

import sys

import pytest

from hour24.errors import ConfigurationError
from hour24.plugin.exits import EXIT, EXIT_HARD_LIMIT, EXIT_LOCKED, EXIT_NOT_WRITTEN
from hour24.targets import several
from hour24.targets.several import Ended
from hour24.text import format_duration
from hour24.verdict import Outcome

SHARED = {
    "watch": "--watch",
    "follows": "--follows",
    "rehearsal_at": "--rehearsal-at",
    "xmlpath": "--junit-xml",
    "htmlpath": "--html",
}
"""Options that would be one watch, or one file, for every service."""
WORDS = {code: str(outcome) for outcome, code in reversed(EXIT.items())} | {
    2: "interrupted",
    4: "refused",
    EXIT_HARD_LIMIT: "no end",
    EXIT_NOT_WRITTEN: "not written",
    EXIT_LOCKED: "not run",
}


def run_each(config: pytest.Config, pattern: str) -> int | None:
    """Run this command line once for each file. Returns: the exit code of the worst.

    None if the pattern is the name of a file.
    """
    if not several.is_several(pattern):
        return None
    option = config.option
    shared = [text for name, text in SHARED.items() if getattr(option, name, None)]
    try:
        if shared:
            problem = f"{shared[0]}: expected none for several services, got one that all would use"
            raise ConfigurationError([problem])
        targets = several.expand(pattern)
    except ConfigurationError as refused:
        raise pytest.UsageError("\n       ".join(refused.problems)) from None
    given = [str(argument) for argument in config.invocation_params.args]
    commands = {
        target: [sys.executable, "-m", "pytest", *several.replaced(given, target)]
        for target in targets
    }
    _say(f"hour24: {len(targets)} services, {min(several.AT_ONCE, len(targets))} at once")
    try:
        ended = several.run_all(commands, _show)
    except KeyboardInterrupt:
        _say("hour24: interrupted; each service that ran keeps its record")
        return several.INTERRUPTED
    for line in several.summary(ended, WORDS):
        _say(line)
    return several.worst_code([one.code for one in ended])


def _show(one: Ended, count: int, whole: int) -> None:
    said = WORDS.get(one.code, f"exit code {one.code}")
    _say(f"hour24: {count} of {whole}: {one.target}: {said} ({format_duration(one.took_s)})")
    if one.code != EXIT[Outcome.PASS]:
        for line in several.tail(one.output):
            _say(f"    {line}")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201
