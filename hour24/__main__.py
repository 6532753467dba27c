"""python -m hour24 NAME: everything beside the checkpoints themselves."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import NoReturn

import hour24
from hour24.checkpoint.terminal import Unheard
from hour24.commands import deciding, guide, init, looking, rehearsing, say
from hour24.errors import ConfigurationError, Hour24Error, LedgerError, did_you_mean
from hour24.watch import CHECKPOINTS

UNUSABLE = 4
NOT_WRITTEN = 12
INTERRUPTED = 2


class CommandLine(argparse.ArgumentParser):
    """Refuses as everything else here does: exit 4, what was expected, what was meant."""

    def error(self, message: str) -> NoReturn:
        say.problem(_in_our_words(message))
        say.problem(f"`{self.prog} --help` tells what there is")
        self.exit(UNUSABLE)


def _in_our_words(message: str) -> str:
    """What argparse refuses, as ``where: expected X, got Y``."""
    if found := re.fullmatch(
        r"argument (.+?): invalid choice: '(.*?)' \(choose from (.*)\)", message
    ):
        where, got, listed = found.groups()
        known = re.findall(r"[\w-]+", listed)
        hint = did_you_mean(got, known)
        return f"{where}: expected one of {', '.join(known)}, got {got!r}{hint}"
    if found := re.fullmatch(r"argument (.+?): invalid int value: (.*)", message):
        return f"{found[1]}: expected a whole number, got {found[2]}"
    if found := re.fullmatch(r"the following arguments are required: (.*)", message):
        return f"expected {found[1]}, got nothing"
    if found := re.fullmatch(r"unrecognized arguments: (.*)", message):
        return f"expected no other arguments, got {found[1]}"
    return message.removeprefix("argument ")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    whole = CommandLine(
        prog="python -m hour24",
        allow_abbrev=False,
        description="hour24 watches a production system for the 24 hours before customers are let "
        "in. The checkpoints themselves are run by pytest:",
        epilog="  pytest -m hour0          opens a watch; then "
        + ", ".join(f"hour{hour}" for hour in CHECKPOINTS[1:])
        + "\n\nExit codes: 0 PASS, 1 FAIL or refused, 4 cannot be used as given, 10 INCONCLUSIVE,"
        "\n11 the hard limit struck, 12 a record could not be written or a secret was found in a"
        "\nfile, 13 somebody else is recording this checkpoint, 14 the ledger holds (verify), and"
        "\ntoday's judges decide some of its verdicts otherwise.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument(
        "--version",
        action="version",
        version=f"hour24 {hour24.__version__}",
        help="show the version and exit",
    )
    commands = whole.add_subparsers(metavar="COMMAND", required=True)
    for room in (init, rehearsing, looking, deciding, guide):
        room.add(commands)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns: its exit code."""
    with redirect_stdout(Unheard(sys.stdout)), redirect_stderr(Unheard(sys.stderr)):
        return _run(parser().parse_args(arguments))


def _run(options: argparse.Namespace) -> int:
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


def script() -> None:
    """Entry point of the console script ``hour24``."""
    sys.exit(main())


if __name__ == "__main__":
    sys.exit(main())
