"""The command line: how commands are found, what help shows, how wrong arguments are refused.

Rules of this module:

- A wrong argument is refused with ``where: expected X, got Y``, exit code 4 and the name that was
  probably meant.
- The help of a command ends with an example.
- A command's module is imported when the command runs: ``--help`` and ``--version`` load none.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click

import hour24
from hour24.commands import say
from hour24.errors import did_you_mean
from hour24.shipped import COMMAND
from hour24.watch import CHECKPOINTS

UNUSABLE = 4
INTERRUPTED = 2
WIDEST = 100
GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Set up": {
        "init": ("init", "write what your own repository needs to watch your service"),
        "doctor": ("watching", "try every address, credential and right; say how to fix each"),
    },
    "Rehearse": {
        "rehearse": ("rehearsing", "run a whole 24-hour watch on an embedded production"),
        "prove": ("rehearsing", "check that every criterion can fail and can report missing data"),
    },
    "Watch": {
        "watch": ("live", "run a whole watch: probe, run each checkpoint when due, alert"),
        "due": ("watching", "which checkpoint is due now"),
        "probe": ("probing", "probe between the checkpoints until the watch ends"),
        "lines": ("handing", "take the lines of probers on other machines into their watches"),
        "handover": ("handing", "when a job that probes hands over to the next, for a CI"),
        "share": ("sharing", "keep one ledger on several machines: a bucket, a branch, a folder"),
        "finalise": ("finalising", "complete what killed runs left open"),
    },
    "Inspect": {
        "verify": ("deciding", "recompute every verdict and check the chain"),
        "report": ("deciding", "write a watch's pages again from its ledger"),
        "fleet": ("deciding", "write one page of every service: criteria by hours, worst first"),
        "summary": ("deciding", "write the newest checkpoint as Markdown, for a CI"),
        "runbook": ("guide", "write the runbook to standard output"),
        "schema": ("guide", "write the schema of production.toml to standard output"),
    },
    "Decide": {
        "waive": ("deciding", "accept a finding, on the record"),
        "classify": ("deciding", "say what a known error is: normal or critical"),
        "declare": ("deciding", "declare a deploy, or that production moved"),
        "rollback": ("watching", "show how to go back to the last good deploy; with --yes, do it"),
        "signoff": ("deciding", "approve the launch, or list what is missing"),
    },
}
"""Every command by its group: its module, and what it does in one line."""
COMMANDS = {name: each for group in GROUPS.values() for name, each in group.items()}
Function = TypeVar("Function", bound=Callable[..., int])


class Command(click.Command):
    """One command: its help describes its arguments and keeps its example as written."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if rest:
            raise click.UsageError(f"expected no other arguments, got {' '.join(rest)}", ctx)
        return rest

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.epilog:
            formatter.write_paragraph()
            for line in self.epilog.splitlines():
                formatter.write(f"{line}\n")


class CommandLine(click.Group):
    """The whole command line, by groups."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"hour24.commands.{COMMANDS[cmd_name][0]}")
        found = getattr(module, cmd_name)
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            hint = did_you_mean(name, COMMANDS)
            raise click.UsageError(
                f"COMMAND: expected one of {', '.join(COMMANDS)}, got {name!r}{hint}", ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group, commands in GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(name, says) for name, (_, says) in commands.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        Command.format_epilog(self, ctx, formatter)  # type: ignore[arg-type]


class WholeNumber(click.ParamType[int]):
    """A whole number."""

    name = "N"

    def convert(self, value: Any, param: Any, ctx: click.Context | None) -> int:
        try:
            return int(value)
        except ValueError:
            self.fail(f"expected a whole number, got {value!r}", param, ctx)


class OneOf(click.Choice[str]):
    """One of a few words; a typo is answered with the nearest one."""

    def convert(self, value: Any, param: Any, ctx: click.Context | None) -> str:
        if value not in self.choices:
            known = ", ".join(self.choices)
            hint = did_you_mean(str(value), self.choices)
            self.fail(f"expected one of {known}, got {value!r}{hint}", param, ctx)
        return str(value)


class Time(click.ParamType[datetime]):
    """An ISO 8601 time with its offset."""

    name = "ISO"

    def convert(self, value: Any, param: Any, ctx: click.Context | None) -> datetime:
        from hour24.targets.request import read_time

        return value if isinstance(value, datetime) else read_time(value, param.opts[0])


class Duration(click.ParamType[timedelta]):
    """A length of time, such as ``5h30m``."""

    name = "DURATION"
    units = (("h", 3600), ("m", 60), ("s", 1))

    def convert(self, value: Any, param: Any, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        seconds, rest = 0, str(value)
        for unit, length_s in self.units:
            number, found, after = rest.partition(unit)
            if found and number.isascii() and number.isdigit() and len(number) < 7:
                seconds, rest = seconds + int(number) * length_s, after
        if rest or not seconds:
            self.fail(f"expected a duration such as 5h30m, got {value!r}", param, ctx)
        return timedelta(seconds=seconds)


WHOLE_NUMBER = WholeNumber()
TIME = Time()
DURATION = Duration()


def command(text: str, *examples: str) -> Callable[[Function], Command]:
    """Return a decorator that makes a function a command.

    Args:
        text: what it does, for its ``--help``.
        examples: its arguments as a person types them.
    """

    def made(function: Function) -> Command:
        name = function.__name__
        lines = [f"  {COMMAND} {name} {each}".rstrip() for each in examples or ("",)]
        return click.command(name, cls=Command, help=text, epilog="\n".join(["Example:", *lines]))(
            function
        )

    return made


def command_line() -> CommandLine:
    """Return the command line."""
    hours = ", ".join(f"hour{hour}" for hour in CHECKPOINTS[1:])
    line = CommandLine(
        name=COMMAND,
        help="hour24 watches a production system for the 24 hours before launch and says go or "
        f"no-go, with evidence. pytest runs the checkpoints: `pytest -m hour0` opens a watch; "
        f"then {hours}.",
        epilog=f"`{COMMAND} COMMAND --help` shows a command with an example.\n\n"
        "Exit codes: 0 PASS, 1 FAIL or refused, 4 wrong arguments or configuration,\n"
        "10 INCONCLUSIVE, 11 the hard limit was reached, 12 a record could not be written or a\n"
        "secret was found in a file, 13 another process is recording this checkpoint, 14 the\n"
        "ledger is intact (verify), but today's judges decide some of its verdicts differently.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
        no_args_is_help=False,
        invoke_without_command=True,
    )
    click.version_option(hour24.__version__, message="hour24 %(version)s")(line)
    line.callback = _help_alone
    return line


@click.pass_context
def _help_alone(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        ctx.exit(UNUSABLE)


def run(arguments: Sequence[str] | None) -> int:
    """Run one command. Returns: its exit code; 4 for wrong arguments."""
    try:
        code = command_line().main(
            None if arguments is None else [str(each) for each in arguments],
            prog_name=COMMAND,
            standalone_mode=False,
        )
    except click.ClickException as refusal:
        say.problem(_refusal_text(refusal))
        ctx = getattr(refusal, "ctx", None)
        say.problem(f"Try `{ctx.command_path if ctx else COMMAND} --help`.")
        return UNUSABLE
    except click.Abort:
        say.problem("interrupted")
        return INTERRUPTED
    return int(code or 0)


def _refusal_text(refusal: click.ClickException) -> str:
    """Return click's error as ``where: expected X, got Y``."""
    if isinstance(refusal, click.NoSuchOption):
        ctx = refusal.ctx
        known = [name for each in ctx.command.params for name in each.opts] if ctx else []
        options = [name for name in known if name.startswith("--")]
        meant = difflib.get_close_matches(refusal.option_name, options, 1)
        hint = f"; did you mean {meant[0]}?" if meant else ""
        return f"expected no other arguments, got {refusal.option_name}{hint}"
    if isinstance(refusal, click.MissingParameter) and refusal.param is not None:
        return f"expected {_name(refusal.param)}, got nothing"
    if isinstance(refusal, click.BadOptionUsage):
        return f"{refusal.option_name}: expected a value, got nothing"
    if isinstance(refusal, click.BadParameter) and refusal.param is not None:
        return f"{_name(refusal.param)}: {refusal.message}"
    return refusal.message


def _name(param: click.Parameter) -> str:
    if isinstance(param, click.Argument):
        return str(param.metavar or param.name)
    return max(param.opts, key=len)
