"""hour24 COMMAND: everything except the checkpoints, which pytest runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout

from hour24.commands import line, say
from hour24.commands.line import INTERRUPTED, UNUSABLE
from hour24.errors import ConfigurationError, Hour24Error, LedgerError
from hour24.pipe import Pipe

NOT_WRITTEN = 12


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns: its exit code."""
    with redirect_stdout(Pipe(sys.stdout)), redirect_stderr(Pipe(sys.stderr)):
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        return line.run(arguments)
    except ConfigurationError as refusal:
        for problem in refusal.problems:
            say.problem(problem)
        return UNUSABLE
    except LedgerError as problem:
        say.problem(str(problem))
        return NOT_WRITTEN
    except Hour24Error as problem:
        say.problem(str(problem))
        return UNUSABLE
    except OSError as problem:
        say.problem(f"{problem.filename or 'file'}: {problem.strerror or problem}")
        return NOT_WRITTEN
    except KeyboardInterrupt:
        say.problem("interrupted")
        return INTERRUPTED


def script() -> None:
    """Entry point of the console script ``hour24``."""
    sys.exit(main())


if __name__ == "__main__":
    sys.exit(main())
