"""verify, report, signoff, waive, classify, declare, finalise: they read and write a ledger."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path
from typing import Any

from hour24 import config
from hour24.clock import WallClock
from hour24.commands import say
from hour24.commands.watches import add_reports, add_watch, chosen
from hour24.criteria import database, latency
from hour24.errors import ConfigurationError
from hour24.ledger.book import Ledger
from hour24.ledger.readiness import launch_of
from hour24.targets.request import moment
from hour24.versions import JUDGES

REFUSED = 1
JUDGED_OTHERWISE = 14
"""A ledger that holds, and that today's judges decide otherwise in some verdict."""
Commands = Any


def add(commands: Commands) -> None:
    _verify(_parser(commands, "verify", "derive every verdict again, and check the chain"))
    _report(_parser(commands, "report", "write a watch's pages again from its ledger"))
    _signoff(
        _parser(
            commands,
            "signoff",
            "approve the launch, or say exactly what is missing",
            example='--by "Mara Example" --role "tech lead"',
        )
    )
    _waive(
        _parser(
            commands,
            "waive",
            "a named person accepts what a criterion found",
            last=False,
            example=f'{latency.STABLE.id} launch-1 --hour 8 --by "Mara Example" --because "fixed '
            'by the deploy of 05:52" --until 2026-12-05',
        )
    )
    _classify(
        _parser(
            commands,
            "classify",
            "say what an error is: normal, critical",
            last=False,
            example='VOICE-12 launch-1 --as normal --by "Mara Example" --because "seen before"',
        )
    )
    _declare(
        _parser(
            commands,
            "declare",
            "declare a deploy, or that production moved",
            example='launch-1 --start 2026-12-01T09:00Z --by "Mara Example" --because "the fix"',
        )
    )
    _finalise(_parser(commands, "finalise", "rebuild the record of a run that was killed"))
    _summary(_parser(commands, "summary", "write the newest checkpoint as Markdown, for a CI"))


def _parser(
    commands: Commands, name: str, says: str, *, last: bool = True, example: str = ""
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=says,
        description=says[0].upper() + says[1:] + ".",
        epilog=f"Example: python -m hour24 {name} {example}" if example else None,
    )
    if last:
        add_watch(parser)
    add_reports(parser)
    return parser


# --- verify ---------------------------------------------------------------------------------------


def _verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--head", default="", metavar="SHA256", help="a head that was published")
    parser.add_argument(
        "--signers", type=Path, default=None, metavar="FILE", help="allowed signers of a sign-off"
    )
    parser.set_defaults(run=verify)


def verify(options: argparse.Namespace) -> int:
    """One line for each finding.

    Returns: 1 when one does not hold; else 14 when rules changed that decide a verdict otherwise.
    """
    from hour24.ledger.verify import verify as looked

    ledger = chosen(options.watch, options.reports)
    findings = looked(ledger.folder, head=options.head, signers=options.signers)
    for finding in findings:
        mark = "diff" if finding.changed else "ok  " if finding.ok else "NOT "
        style = "yellow" if finding.changed else "" if finding.ok else "bold red"
        say.line(f"{mark} {finding.what:<9} {finding.says}", style)
    wrong = sum(not finding.ok for finding in findings)
    if wrong:
        say.line(f"the ledger does not hold: {wrong} of {len(findings)} looks", "bold red")
        return REFUSED
    if changed := sum(finding.changed for finding in findings):
        say.line(
            f"the ledger holds; {changed} of its findings are others by today's judges "
            f"(version {JUDGES})",
            "yellow",
        )
        return JUDGED_OTHERWISE
    say.line("the ledger holds", "green")
    return 0


# --- report ---------------------------------------------------------------------------------------


def _report(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=report)


def report(options: argparse.Namespace) -> int:
    """The page of every record, of the watch, and of the sign-off as it stands now."""
    from hour24.ledger.record import name_of
    from hour24.report import checkpoint, index, junit

    ledger = chosen(options.watch, options.reports)
    for record in ledger.records():
        path = ledger.folder / name_of(record.hour, record.attempt)
        checkpoint.write(record, ledger, path.with_suffix(".html"))
        junit.write(record, path.with_suffix(".xml"))
        say.line(f"{path.with_suffix('.html')}")
    index.write(ledger, ledger.folder / "index.html", _now(ledger))
    say.line(f"{ledger.folder / 'index.html'}")
    _signoff_page(ledger, _launch_at(ledger, ""))
    return 0


def _now(ledger: Ledger) -> datetime:
    """The moment that the watch's standings are read at: a rehearsal's clock stood at its own."""
    if ledger.genesis.rehearsal is None:
        return WallClock().now()
    ended = [record.ended for record in ledger.records()]
    return max(ended, default=ledger.genesis.opened)


def _signoff_page(ledger: Ledger, launch_at: datetime | None) -> tuple[str, ...]:
    from hour24.ledger import signoff as signing
    from hour24.report import signoff as page

    now = _now(ledger)
    signed = (ledger.folder / "signoff.json").exists()
    missing = () if signed else signing.missing(ledger, now, launch_at)
    path = ledger.folder / "signoff.html"
    page.write(ledger, path, now, missing)
    say.line(f"{path}")
    return missing


# --- signoff --------------------------------------------------------------------------------------


def _signoff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", default="", metavar="NAME", help="who approves")
    parser.add_argument("--role", default="", metavar="ROLE", help="as what, such as tech lead")
    parser.add_argument("--because", default="", metavar="WHY", help="what is to be remembered")
    parser.add_argument(
        "--key", type=Path, default=None, metavar="FILE", help="your SSH key, to sign with"
    )
    parser.add_argument(
        "--launch-at",
        default="",
        metavar="ISO",
        help="when customers are let in (default: production.toml's launch_at, or the records')",
    )
    parser.set_defaults(run=signoff)


def signoff(options: argparse.Namespace) -> int:
    """Approve, and write signoff.json and signoff.html; or say what is missing."""
    from hour24.ledger import signoff as signing
    from hour24.ledger.signature import SignatureError

    ledger = chosen(options.watch, options.reports, daily=False)
    launch_at = _launch_at(ledger, options.launch_at)
    try:
        path = signing.sign(
            ledger,
            options.by,
            options.role,
            _clean(options.because),
            _now(ledger),
            key=options.key,
            launch_at=launch_at,
        )
    except signing.Refused as refusal:
        _signoff_page(ledger, launch_at)
        say.line(f"{ledger.watch.name}: NOT APPROVED, {len(refusal.missing)} missing:", "bold red")
        for one in refusal.missing:
            say.line(f"  - {one}")
        return REFUSED
    except SignatureError as problem:
        raise ConfigurationError([str(problem)]) from None
    _signoff_page(ledger, launch_at)
    say.line(f"{path}")
    head = ledger.head()
    say.line(f"{ledger.watch.name}: {signing.APPROVED}", "bold green")
    say.line(f"publish the head, so that nobody can change the end: {head.file} {head.sha256}")
    return 0


def _launch_at(ledger: Ledger, stated: str) -> datetime | None:
    """When customers are let in: as stated, else as the watch's production.toml has it.

    Returns: none where that cannot be read; what its records say counts then.
    """
    if stated:
        return moment(stated, "--launch-at")
    target = ledger.genesis.target
    if ledger.genesis.rehearsal is not None:
        return None
    try:
        return config.load(Path(target), secrets=False).service.launch_at
    except ConfigurationError:
        launch = launch_of(ledger)
        known = f"its records say {launch:%Y-%m-%dT%H:%MZ}" if launch else "its records do not say"
        say.line(f"{target}: cannot be read now: when customers are let in, {known} (--launch-at)")
        return None


# --- waive, classify, declare ---------------------------------------------------------------------


def _clean(text: str) -> str:
    """What a person wrote, without anything that looks like a secret: a ledger is never changed."""
    from hour24.secrets.redactor import Redactor

    return Redactor(()).text(text)


def _person(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", default="", metavar="NAME", help="who says so")
    parser.add_argument("--because", default="", metavar="WHY", help="the reason, for everybody")


def _waive(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "criterion", metavar="CRITERION", help=f"its id, such as {database.POOL.id}"
    )
    add_watch(parser)
    parser.add_argument(
        "--hour", type=int, default=None, metavar="N", help="default: every one that has been"
    )
    parser.add_argument(
        "--subject", default="", metavar="NAME", help="one endpoint or part (default: all)"
    )
    parser.add_argument(
        "--until", default="", metavar="DATE", help="when the waiver ends, such as 2026-12-05"
    )
    _person(parser)
    parser.set_defaults(run=waive)


def waive(options: argparse.Namespace) -> int:
    """Write a waiver into the ledger."""
    from hour24.ledger import waivers

    ledger = chosen(options.watch, options.reports)
    path = waivers.waive(
        ledger,
        options.criterion,
        by=options.by,
        because=_clean(options.because),
        until=options.until,
        now=_now(ledger),
        hour=options.hour,
        subject=options.subject,
    )
    _written(ledger, path)
    return 0


def _classify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("issue", nargs="?", default="", metavar="ISSUE", help="id or short id")
    add_watch(parser)
    parser.add_argument("--as", dest="kind", default="", metavar="CLASS", help="normal or critical")
    parser.add_argument(
        "--pattern", metavar="REGEX", default="", help="instead of an issue: a regular expression"
    )
    parser.add_argument(
        "--where", metavar="FIELD", default="", help="title, culprit, message, type or any"
    )
    parser.add_argument("--name", metavar="NAME", default="", help="what to call the class")
    parser.add_argument(
        "--at-most-per-hour", type=int, default=None, metavar="N", help="of a normal class"
    )
    parser.add_argument(
        "--severity", metavar="LEVEL", default="medium", help="critical, high, medium, low"
    )
    parser.add_argument(
        "--cause",
        metavar="WHOSE",
        default="other",
        help="database, code, other, a vendor's name",
    )
    _person(parser)
    parser.set_defaults(run=classify)


def classify(options: argparse.Namespace) -> int:
    """Write a class into the ledger; with a pattern, the only name given is the watch's."""
    from hour24.ledger import waivers

    issue, watch = options.issue, options.watch
    if options.pattern and issue and not watch:
        issue, watch = "", issue
    ledger = chosen(watch, options.reports)
    path = waivers.classify(
        ledger,
        options.kind,
        by=options.by,
        because=_clean(options.because),
        now=_now(ledger),
        issue=issue,
        name=options.name,
        pattern=options.pattern,
        where=options.where,
        at_most_per_hour=options.at_most_per_hour,
        severity=options.severity,
        cause=options.cause,
    )
    _written(ledger, path)
    return 0


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--moved",
        action="store_true",
        help="not a deploy: production is rightly found where the records found it",
    )
    parser.add_argument("--start", default="", metavar="ISO", help="when it begins (default: now)")
    parser.add_argument("--end", default="", metavar="ISO", help="default: 15 min after the start")
    parser.add_argument("--deploy", default="", metavar="ID", help="the platform's own id")
    parser.add_argument("--commit", default="", metavar="SHA", help="what is deployed")
    _person(parser)
    parser.set_defaults(run=declare)


def declare(options: argparse.Namespace) -> int:
    """Write into the ledger a deploy, or that production moved."""
    from hour24.ledger import declaring

    ledger = chosen(options.watch, options.reports)
    if options.moved:
        return _declare_moved(ledger, options)
    path = declaring.declare_deploy(
        ledger,
        start=options.start,
        end=options.end,
        by=options.by,
        because=_clean(options.because),
        now=_now(ledger),
        deploy=options.deploy,
        commit=options.commit,
    )
    _written(ledger, path)
    return 0


def _declare_moved(ledger: Ledger, options: argparse.Namespace) -> int:
    from hour24.ledger import declaring, moved

    if stated := [n for n in ("start", "end", "deploy", "commit") if getattr(options, n)]:
        raise ConfigurationError([f"--{stated[0]}: expected it of a deploy, got --moved"])
    changes = [change for change in moved.changes(ledger) if not change.by]
    paths = declaring.declare_moved(ledger, options.by, _clean(options.because), now=_now(ledger))
    for change in changes:
        for line in change.says:
            say.line(f"{change.file}: {line}")
    for path in paths:
        _written(ledger, path)
    return 0


def _written(ledger: Ledger, path: Path) -> None:
    from hour24.report import index

    index.write(ledger, ledger.folder / "index.html", _now(ledger))
    say.line(f"{path}")
    head = ledger.head()
    say.line(f"head of the ledger: {head.file} {head.sha256}")


# --- finalise -------------------------------------------------------------------------------------


def _finalise(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=finalise)


def finalise(options: argparse.Namespace) -> int:
    """Rebuild what was killed; nothing to do is fine."""
    from hour24.checkpoint import killed
    from hour24.report import checkpoint, index, junit

    try:
        ledger = chosen(options.watch, options.reports)
    except ConfigurationError:
        if options.watch:
            raise
        say.line("no watch: nothing was recorded")
        return 0
    rebuilt = 0
    for path in sorted((ledger.folder / "journal").glob("hour*.jsonl")):
        if (ledger.folder / f"{path.stem}.json").exists():
            continue
        record = killed.finalise(ledger, path)
        if record is None:
            continue
        rebuilt += 1
        stem = ledger.folder / path.stem
        checkpoint.write(record, ledger, stem.with_name(f"{stem.name}.html"))
        junit.write(record, stem.with_name(f"{stem.name}.xml"))
        index.write(ledger, ledger.folder / "index.html")
        say.line(f"{stem}.json: rebuilt from its journal: {record.outcome}", "yellow")
    if not rebuilt:
        say.line(f"{ledger.folder}: nothing to rebuild")
    return 0


# --- summary --------------------------------------------------------------------------------------


def _summary(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--annotations",
        action="store_true",
        help="one workflow command a problem instead: ::error title=...::...",
    )
    parser.set_defaults(run=summary)


def summary(options: argparse.Namespace) -> int:
    """The newest checkpoint for a CI service; nothing where nothing was recorded."""
    from hour24.commands import ci

    try:
        ledger = chosen(options.watch, options.reports)
    except ConfigurationError:
        if options.watch:
            raise
        return 0
    text = ci.workflow_commands(ledger) if options.annotations else ci.newest(ledger)
    print(text, end="")  # noqa: T201  plain, for a file or a machine
    return 0
