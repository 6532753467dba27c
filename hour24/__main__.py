"""python -m hour24 NAME: everything beside the checkpoints themselves."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hour24.commands import deciding, guide, looking, rehearsing, say
from hour24.errors import ConfigurationError, Hour24Error, LedgerError
from hour24.watch import CHECKPOINTS

UNUSABLE = 4
NOT_WRITTEN = 12
INTERRUPTED = 2


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    whole = argparse.ArgumentParser(
        prog="python -m hour24",
        allow_abbrev=False,
        description="hour24 watches a production system for the 24 hours before customers are let "
        "in. The checkpoints themselves are run by pytest:",
        epilog="  pytest -m hour0          opens a watch; then "
        + ", ".join(f"hour{hour}" for hour in CHECKPOINTS[1:])
        + "\n\nExit codes: 0 PASS, 1 FAIL or refused, 4 cannot be used as given, 10 INCONCLUSIVE,"
        "\n11 the hard limit struck, 12 a record could not be written or a secret was found in a"
        "\nfile, 13 somebody else is recording this checkpoint.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = whole.add_subparsers(metavar="COMMAND", required=True)
    for room in (rehearsing, looking, deciding, guide):
        room.add(commands)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns: its exit code."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        return code
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


if __name__ == "__main__":
    sys.exit(main())
