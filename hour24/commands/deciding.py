"""verify, report, signoff, waive, classify, declare, summary: they read and write a ledger."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import click

from hour24 import config
from hour24.clock import WallClock
from hour24.commands import say
from hour24.commands.line import WHOLE_NUMBER, command
from hour24.commands.watches import chosen, reports_option, watch_argument
from hour24.criteria import database, latency
from hour24.errors import ConfigurationError, LedgerError
from hour24.ledger import files
from hour24.ledger.book import Ledger
from hour24.ledger.readiness import launch_of
from hour24.targets.request import REPORTS, read_time
from hour24.versions import JUDGES

REFUSED = 1
JUDGED_OTHERWISE = 14
"""The ledger is intact, and today's judges decide some of its verdicts differently."""
by_option = click.option("--by", default="", metavar="NAME", help="your name")
because_option = click.option(
    "--because", default="", metavar="WHY", help="the reason; everyone can read it"
)


# --- verify ---------------------------------------------------------------------------------------


@command(
    "Recomputes every verdict from its stored evidence, and checks the chain, the schemas and "
    "whether anything is missing.",
    "launch-1 --head 1f3a...",
)
@watch_argument
@reports_option
@click.option("--head", default="", metavar="SHA256", help="SHA-256 that you stored elsewhere")
@click.option(
    "--signers",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="allowed-signers file for the sign-off",
)
def verify(watch: str, reports: Path, head: str, signers: Path | None) -> int:
    """Print one line for each finding.

    Returns: 1 when one is wrong; else 14 when changed rules decide a verdict differently.
    """
    from hour24.ledger.verify import verify as verify_ledger

    ledger = chosen(watch, reports)
    findings = verify_ledger(ledger.folder, head=head, signers=signers)
    for finding in findings:
        mark = "diff" if finding.changed else "ok  " if finding.ok else "NOT "
        style = "yellow" if finding.changed else "" if finding.ok else "bold red"
        say.line(f"{mark} {finding.what:<9} {finding.says}", style)
    wrong = sum(not finding.ok for finding in findings)
    if wrong:
        say.line(f"Ledger NOT verified: {wrong} of {len(findings)} checks failed.", "bold red")
        return REFUSED
    if changed := sum(finding.changed for finding in findings):
        say.line(
            f"Ledger verified; today's judges (version {JUDGES}) decide differently in "
            f"{changed} of its findings.",
            "yellow",
        )
        return JUDGED_OTHERWISE
    say.line("Ledger verified.", "green")
    return 0


# --- report ---------------------------------------------------------------------------------------


@command(
    "Writes a watch's pages again from its ledger alone; with --all the page of all watches.",
    "launch-1",
    "--all",
)
@watch_argument
@reports_option
@click.option(
    "--all", "every", is_flag=True, help="only index.html in --reports, which lists all watches"
)
def report(watch: str, reports: Path, every: bool) -> int:
    """Write the page of every record, of the watch, and of the sign-off as it is now."""
    if every:
        from hour24.report import watches
        from hour24.text import plural

        path = reports / "index.html"
        count = watches.write(reports, path, _now, WallClock().now())
        say.line(f"{path}: {plural(count, 'watch', 'watches')}")
        return 0
    from hour24.ledger.record import name_of
    from hour24.report import checkpoint, index, junit

    ledger = chosen(watch, reports)
    made = [ledger.folder / "index.html", ledger.folder / "signoff.html"]
    for record in ledger.records():
        path = ledger.folder / name_of(record.hour, record.attempt)
        checkpoint.write(record, ledger, path.with_suffix(".html"))
        junit.write(record, path.with_suffix(".xml"))
        made += [path.with_suffix(".html"), path.with_suffix(".xml")]
        say.line(f"{path.with_suffix('.html')}")
    index.write(ledger, ledger.folder / "index.html", _now(ledger))
    say.line(f"{ledger.folder / 'index.html'}")
    _enter(ledger, made, "report")  # a page that others changed would block the sign-off
    _signoff_page(ledger, _launch_at(ledger, ""), "report")
    return 0


@command(
    "Writes one page of every service with a watch in a folder: services by criteria and hours, "
    "the worst first, each hour a link to its evidence. Of several watches of one service the "
    "newest counts.",
    "reports",
)
@click.argument(
    "reports", type=click.Path(path_type=Path), default=Path(REPORTS), metavar="[REPORTS]"
)
def fleet(reports: Path) -> int:
    """Write fleet.html into the folder."""
    from hour24.report import fleet as fleets
    from hour24.text import plural

    path = reports / "fleet.html"
    count = fleets.write(reports, path, _now, WallClock().now())
    say.line(f"{path}: {plural(count, 'service')}")
    return 0


def _enter(ledger: Ledger, made: Iterable[Path], because: files.Because) -> None:
    """Enter the digests of these files in the chain, and say when that fails."""
    try:
        files.enter(ledger, made, _now(ledger), because)
    except LedgerError as problem:
        say.line(f"the files are not in the ledger: {problem}", "yellow")


def _now(ledger: Ledger) -> datetime:
    """Return the time to read standings at; for a stepped clock that of the newest record."""
    if not ledger.genesis.target_kind.steps_clock:
        return WallClock().now()
    ended = [record.ended for record in ledger.records()]
    return max(ended, default=ledger.genesis.opened)


def _signoff_page(
    ledger: Ledger, launch_at: datetime | None, because: files.Because = "signoff"
) -> tuple[str, ...]:
    from hour24.ledger import signoff as signing
    from hour24.report import signoff as page

    now = _now(ledger)
    signed = (ledger.folder / "signoff.json").exists()
    missing = () if signed else signing.missing(ledger, now, launch_at)
    path = ledger.folder / "signoff.html"
    page.write(ledger, path, now, missing)
    say.line(f"{path}")
    _enter(ledger, [path], because)
    return missing


# --- signoff --------------------------------------------------------------------------------------


@command(
    "Approves the launch, or lists exactly what is missing.",
    'launch-1 --by "Mara Example" --role "tech lead"',
)
@watch_argument
@reports_option
@click.option("--by", default="", metavar="NAME", help="who approves")
@click.option("--role", default="", metavar="ROLE", help="your role, such as tech lead")
@click.option("--because", default="", metavar="WHY", help="a note for the record")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="your SSH key to sign with",
)
@click.option(
    "--launch-at",
    default="",
    metavar="ISO",
    help="launch time (default: launch_at of production.toml, else of the records)",
)
def signoff(
    watch: str,
    reports: Path,
    by: str,
    role: str,
    because: str,
    key: Path | None,
    launch_at: str,
) -> int:
    """Approve and write signoff.json and signoff.html, or list what is missing."""
    from hour24.ledger import signoff as signing
    from hour24.ledger.signature import SignatureError

    ledger = chosen(watch, reports, daily=False)
    launch = _launch_at(ledger, launch_at)
    try:
        path = signing.sign(
            ledger,
            by,
            role,
            _clean(because),
            _now(ledger),
            key=key,
            launch_at=launch,
        )
    except signing.Refused as refusal:
        _signoff_page(ledger, launch)
        say.line(f"{ledger.watch.name}: NOT APPROVED, {len(refusal.missing)} missing:", "bold red")
        for one in refusal.missing:
            say.line(f"  - {one}")
        return REFUSED
    except SignatureError as problem:
        raise ConfigurationError([str(problem)]) from None
    _enter(ledger, [path.with_name(f"{path.name}.sig")], "signoff")
    _signoff_page(ledger, launch)
    say.line(f"{path}")
    head = ledger.head()
    say.line(f"{ledger.watch.name}: {signing.APPROVED}", "bold green")
    say.line(
        "Store this hash somewhere else, since nothing in this folder protects the newest entry: "
        f"{head.file} {head.sha256}"
    )
    return 0


def _launch_at(ledger: Ledger, stated: str) -> datetime | None:
    """Return the launch time: as stated, else of the watch's production.toml.

    Returns: none when that file cannot be read; the records' launch time counts then.
    """
    if stated:
        return read_time(stated, "--launch-at")
    target = ledger.genesis.target
    if not ledger.genesis.target_kind.lasting:
        return None
    try:
        return config.load(Path(target), secrets=False).service.launch_at
    except ConfigurationError:
        launch = launch_of(ledger)
        known = (
            f"using {launch:%Y-%m-%dT%H:%MZ} of the records" if launch else "none in the records"
        )
        say.line(f"{target}: cannot be read; launch time: {known} (or state --launch-at)")
        return None


# --- waive, classify, declare ---------------------------------------------------------------------


def _clean(text: str) -> str:
    """Redact what looks like a secret: an entry can never be changed afterwards."""
    from hour24.secrets.redactor import Redactor

    return Redactor(()).text(text)


@command(
    "Accepts a finding on the record: who, why and until when. With --all it accepts every check "
    "that is open, one entry each, except the eight of the sign-off.",
    f'{latency.STABLE.id} launch-1 --hour 8 --by "Mara Example" --because "fixed by the deploy of '
    '05:52" --until 2026-12-05',
    '--all launch-1 --hour 20 --by "Mara Example" --because "one outage, fixed" --until 2026-12-05',
)
@click.argument(
    "criterion",
    metavar="CRITERION",
    default="",
    help=f"its id, such as {database.POOL.id}; none with --all",
)
@watch_argument
@reports_option
@click.option("--all", "every", is_flag=True, help="every check that is open, instead of CRITERION")
@click.option(
    "--hour", type=WHOLE_NUMBER, default=None, help="one checkpoint (default: all so far)"
)
@click.option("--subject", default="", metavar="NAME", help="one endpoint or part (default: all)")
@click.option(
    "--until", default="", metavar="DATE", help="last day of the waiver, such as 2026-12-05"
)
@by_option
@because_option
def waive(
    criterion: str,
    watch: str,
    reports: Path,
    every: bool,
    hour: int | None,
    subject: str,
    until: str,
    by: str,
    because: str,
) -> int:
    """Write a waiver to the ledger."""
    from hour24.ledger import waivers

    if not every and not criterion:
        raise ConfigurationError(
            ["waive: expected CRITERION, got nothing; --all takes every open check"]
        )
    if every and watch:
        raise ConfigurationError(
            [f"waive: expected --all or CRITERION, got --all and {criterion!r}"]
        )
    ledger = chosen(criterion if every else watch, reports)
    now = _now(ledger)
    names = waivers.waivable(ledger, now, hour) if every else [criterion]
    if not names:
        at = "" if hour is None else f" at hour {hour}"
        raise ConfigurationError([f"--all: expected a check that is open{at}, got none"])
    for name in names:
        path = waivers.waive(
            ledger,
            name,
            by=by,
            because=_clean(because),
            until=until,
            now=now,
            hour=hour,
            subject=subject,
        )
    _write_pages(ledger, path)
    return 0


@command(
    "Says what a known error is: normal or critical.",
    'VOICE-12 launch-1 --as normal --by "Mara Example" --because "seen before"',
    'launch-1 --pattern "payment declined" --as normal --by "Mara Example" --because "the bank"',
)
@click.argument("issue", default="", metavar="[ISSUE]", help="id or short id")
@watch_argument
@reports_option
@click.option("--as", "kind", default="", metavar="CLASS", help="normal or critical")
@click.option(
    "--pattern", default="", metavar="REGEX", help="instead of an issue: a regular expression"
)
@click.option("--where", default="", metavar="FIELD", help="title, culprit, message, type or any")
@click.option("--name", default="", metavar="NAME", help="what to call the class")
@click.option("--at-most-per-hour", type=WHOLE_NUMBER, default=None, help="of a normal class")
@click.option("--severity", default="medium", metavar="LEVEL", help="critical, high, medium, low")
@click.option(
    "--cause", default="other", metavar="CAUSE", help="database, code, other or a vendor's name"
)
@by_option
@because_option
def classify(
    issue: str,
    watch: str,
    reports: Path,
    kind: str,
    pattern: str,
    where: str,
    name: str,
    at_most_per_hour: int | None,
    severity: str,
    cause: str,
    by: str,
    because: str,
) -> int:
    """Write a class to the ledger; with a pattern, a single argument names the watch."""
    from hour24.ledger import waivers

    if pattern and issue and not watch:
        issue, watch = "", issue
    ledger = chosen(watch, reports)
    path = waivers.classify(
        ledger,
        kind,
        by=by,
        because=_clean(because),
        now=_now(ledger),
        issue=issue,
        name=name,
        pattern=pattern,
        where=where,
        at_most_per_hour=at_most_per_hour,
        severity=severity,
        cause=cause,
    )
    _write_pages(ledger, path)
    return 0


@command(
    "Declares a deploy, so that its restart counts as expected; or that production moved.",
    'launch-1 --start 2026-12-01T09:00Z --by "Mara Example" --because "the fix"',
)
@watch_argument
@reports_option
@click.option(
    "--moved", is_flag=True, help="no deploy: confirm that the changed addresses are correct"
)
@click.option("--start", default="", metavar="ISO", help="when it begins (default: now)")
@click.option("--end", default="", metavar="ISO", help="default: 15 min after the start")
@click.option("--deploy", default="", metavar="ID", help="the platform's own id")
@click.option("--commit", default="", metavar="SHA", help="what is deployed")
@by_option
@because_option
def declare(
    watch: str,
    reports: Path,
    moved: bool,
    start: str,
    end: str,
    deploy: str,
    commit: str,
    by: str,
    because: str,
) -> int:
    """Write into the ledger a deploy, or that production moved."""
    from hour24.ledger import declaring

    ledger = chosen(watch, reports)
    if moved:
        stated = {"start": start, "end": end, "deploy": deploy, "commit": commit}
        return _declare_moved(ledger, stated, by, because)
    path = declaring.declare_deploy(
        ledger,
        start=start,
        end=end,
        by=by,
        because=_clean(because),
        now=_now(ledger),
        deploy=deploy,
        commit=commit,
    )
    _write_pages(ledger, path)
    return 0


def _declare_moved(ledger: Ledger, of_a_deploy: dict[str, str], by: str, because: str) -> int:
    from hour24.ledger import declaring, moved

    if stated := [name for name, value in of_a_deploy.items() if value]:
        raise ConfigurationError([f"--{stated[0]}: expected it of a deploy, got --moved"])
    changes = [change for change in moved.changes(ledger) if not change.by]
    paths = declaring.declare_moved(ledger, by, _clean(because), now=_now(ledger))
    for change in changes:
        for line in change.says:
            say.line(f"{change.file}: {line}")
    for path in paths:
        _write_pages(ledger, path)
    return 0


def _write_pages(ledger: Ledger, path: Path) -> None:
    from hour24.report import index

    index.write(ledger, ledger.folder / "index.html", _now(ledger))
    _enter(ledger, [ledger.folder / "index.html"], "entry")
    say.line(f"{path}")
    head = ledger.head()
    say.line(f"head of the ledger: {head.file} {head.sha256}")


# --- summary --------------------------------------------------------------------------------------


@command(
    "Writes the newest checkpoint to standard output, as Markdown for a CI service.",
    "launch-1 >> summary.md",
)
@watch_argument
@reports_option
@click.option(
    "--annotations",
    is_flag=True,
    help="print one workflow command for each problem instead: ::error title=...::...",
)
def summary(watch: str, reports: Path, annotations: bool) -> int:
    """Print the newest checkpoint for a CI service; nothing when there is no watch."""
    from hour24.commands import ci

    try:
        ledger = chosen(watch, reports)
    except ConfigurationError:
        if watch:
            raise
        return 0
    text = ci.workflow_commands(ledger) if annotations else ci.newest(ledger)
    print(text, end="")  # noqa: T201  plain, for a file or a machine
    return 0
