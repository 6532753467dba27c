"""The version of the ledger's file format and of the judges, and when to raise each.

Rules of this module:

- Raise ``FORMAT`` when a ledger file gains a field that the previous release cannot read, or loses
  a field. Files of every earlier format stay readable.
- Raise ``JUDGES`` when the same stored evidence may lead to another verdict, standing or refusal to
  sign off: a new rule, limit or statistic, or a fixed defect. Changes of text alone (a reason, an
  observed value) do not count. Raise it once per release; list every change of that release in
  :data:`CHANGES`.
- A verdict of earlier judges may differ from today's only where :data:`CHANGES` says so;
  any other difference means that the record was altered or that an entry is missing.
- A file without a judges version was written by hour24 0.1.0: format 1, judges 1.

``docs/decisions/versions.md`` explains what either change means to a user.
"""

from __future__ import annotations

from msgspec import Struct

FORMAT = 2
FORMATS = (1, 2)
"""The formats that can be read."""
JUDGES = 2
FIRST_JUDGES = 1
"""The judges of a file that names none."""
RELEASES = {1: "0.1.0"}
"""Judges -> the last release of hour24 with these judges."""

STANDINGS = "standings"
"""Value of ``Change.of`` for conclusions that the ledger draws from verdicts and waivers."""

ADDED_FIGURES: dict[str, dict[str, int]] = {
    "NoLeak": dict.fromkeys(("instance", "unit_mb", "limit_mb", "pivot_h", "pivot_mb"), 2),
}
"""Objective -> figure -> the judges that added it; verdicts of earlier judges lack it."""


class Change(Struct, frozen=True, kw_only=True):
    """A rule by which these judges decide differently from the previous ones.

    Args:
        judges: the version that introduced it.
        of: class name of the objective whose verdicts it changes, or :data:`STANDINGS`.
        rule: the rule in force now, in one sentence.
        alters: what may differ: ``outcome``, ``code``, ``figures.NAME``, and ``objective`` where
            the objective's own fields or limits changed.
    """

    judges: int
    of: str
    rule: str
    alters: tuple[str, ...] = ("outcome", "code")


CHANGES: tuple[Change, ...] = (
    Change(
        judges=2,
        of="HeldThroughout",
        rule="a sign-off criterion that no checkpoint measured is INCONCLUSIVE",
    ),
    Change(
        judges=2,
        of="HeldThroughout",
        rule="a waived checkpoint counts as waived, not as passed",
        alters=("figures.held",),
    ),
    Change(
        judges=2,
        of=STANDINGS,
        rule="a waiver covers only the outcome that was current when it was given",
    ),
    Change(
        judges=2,
        of=STANDINGS,
        rule="counters that could not be read are resolved by a later PASS with an earlier reading "
        "taken before that window began",
    ),
    Change(
        judges=2,
        of=STANDINGS,
        rule="an attempt with its record put away may contain a FAIL",
    ),
    Change(
        judges=2,
        of="NoRestart",
        rule="an uptime that does not grow by one second per second, that began before the live "
        "deploy or that does not change shows no restart; a repeated reading is ignored",
        alters=(
            "outcome",
            "code",
            "figures.processes",
            "figures.together",
            "figures.starts",
            "figures.undeclared",
        ),
    ),
    Change(
        judges=2,
        of="AlwaysUp",
        rule="an uptime that does not change shows that one answer was repeated",
    ),
    Change(
        judges=2,
        of="DropsBelow",
        rule="a handshake refused with 400 or 426 is caused by our request, not by the service",
    ),
    Change(
        judges=2,
        of="NoNewIssue",
        rule="an issue first seen at an impossible time may be new",
    ),
    Change(
        judges=2,
        of="QuantileBelow",
        rule="a connect that took longer than the fastest answer is no round trip",
        alters=(
            "outcome",
            "code",
            "figures.observed_ms",
            "figures.lower_ms",
            "figures.upper_ms",
            "figures.at_or_above",
        ),
    ),
    Change(
        judges=2,
        of="NoErrorLine",
        rule="a line is an error by its own level or its label, not by a word inside it; a "
        "traceback is an error; classes and patterns are matched without colours",
        alters=(
            "outcome",
            "code",
            "figures.counted",
            "figures.patterns",
            "figures.aside",
            "figures.unknown",
        ),
    ),
    Change(
        judges=2,
        of="NoPattern",
        rule="a line is an error by its own level or its label, not by a word inside it; a "
        "traceback is an error; classes and patterns are matched without colours",
        alters=(
            "outcome",
            "code",
            "figures.counted",
            "figures.patterns",
            "figures.repeated",
            "figures.worst_hour",
            "figures.worst_day",
            "figures.aside",
            "figures.unknown",
        ),
    ),
    Change(
        judges=2,
        of="NoLeak",
        rule="a leak is also detected from the hour at which it begins and is reported until a "
        "restart or a flat late half; a heap that levelled off shows the figures of its late half",
        alters=(
            "outcome",
            "code",
            *(
                f"figures.{name}"
                for name in (
                    "hours",
                    "slope",
                    "lower",
                    "upper",
                    "level",
                    "growth",
                    "visible",
                    "collections",
                    "judged",
                    "exhausted_h",
                    "suspected",
                    "late_slope",
                    "late_upper",
                    "onset_h",
                    "called_h",
                )
            ),
        ),
    ),
    Change(
        judges=2,
        of="NoRestart",
        rule="an uptime that does not change, grows in another unit or belongs to another process "
        "neither shows nor hides a restart, and a copied reading is ignored",
        alters=(
            "outcome",
            "code",
            "figures.processes",
            "figures.together",
            "figures.starts",
            "figures.undeclared",
        ),
    ),
    Change(
        judges=2,
        of="NoNewIssue",
        rule="an issue first seen before the year 2000 has no known start and may be new",
    ),
    Change(
        judges=2,
        of="DropsBelow",
        rule="a handshake refused with 400 or 426 is caused by our request, not by the service",
    ),
    *(
        Change(judges=2, of=name, rule=rule)
        for name, rule in (
            (
                "NoRestart",
                "no PASS while the platform's events or deploys are silent or incomplete",
            ),
            ("QuantileBelow", "no PASS by our own requests while the server's spans are silent"),
            ("NothingDropped", "no PASS while the usual count of the day before is not known"),
            ("NoLeak", "no PASS while a memory limit, the load or the deploys are silent"),
        )
    ),
    *(
        Change(
            judges=2,
            of=name,
            rule="a class of errors is matched against the text without colour codes",
        )
        for name in ("EventsBelow", "NoNewIssue", "NoCriticalIssue", "TopKnown")
    ),
)


def explanation(of: str, what: str, since: int) -> str:
    """Returns the rules that explain why ``what`` of an objective differs from an earlier verdict.

    Args:
        of: the objective's class name, or :data:`STANDINGS`.
        what: ``outcome``, ``code``, ``figures.NAME`` or ``objective``; of standings, ``outcome``.
        since: the judges that wrote the record.
    Returns: "" if no changed rule explains it.
    """
    rules = [
        f"judges {each.judges}: {each.rule}"
        for each in CHANGES
        if each.judges > since and each.of == of and what in each.alters
    ]
    return "; ".join(rules)


def is_added_figure(of: str, name: str, since: int) -> bool:
    """Whether the judges ``since`` lacked this figure of the objective."""
    return ADDED_FIGURES.get(of, {}).get(name, FIRST_JUDGES) > since


def release(judges: int, version: str = "", commit: str = "") -> str:
    """Returns the release that has these judges: ``hour24 0.1.0 (commit f90c7b0)``.

    Args:
        version, commit: as named in a record of these judges, if there is one.
    """
    named = f"hour24 {version or RELEASES.get(judges, '')}".strip()
    return f"{named} (commit {commit})" if commit else named
