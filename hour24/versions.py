"""The format of a ledger's files and the version of the judges, and when each is raised.

Rules of this module:

- ``FORMAT`` is raised when a file of a ledger gets a member that the released hour24 before cannot
  read, or loses one. Files of every earlier format stay readable.
- ``JUDGES`` is raised when a verdict, a standing or a refusal to sign off may come out otherwise
  from the same stored evidence: a new rule, another limit, another statistic, a fixed defect. Text
  alone (a reason, an observed value) does not raise it. It is raised once a release, and every
  change within that release has its line in :data:`CHANGES`.
- A verdict of earlier judges may differ from today's only where a line of :data:`CHANGES` says so;
  any other difference means that the record was altered, or that this table lacks a line.
- A file that names no judges was written by hour24 0.1.0: format 1, judges 1.

Raise either by editing this module; ``docs/decisions/versions.md`` says what that means to a user.
"""

from __future__ import annotations

from msgspec import Struct

FORMAT = 2
FORMATS = (1, 2)
"""The formats that can be read."""
JUDGES = 2
FIRST_JUDGES = 1
"""What a file means that names no judges."""
RELEASES = {1: "0.1.0"}
"""Judges -> the last release of hour24 that has them."""

STANDINGS = "standings"
"""Stands in ``Change.of`` for what the ledger concludes from verdicts and waivers."""

ADDED: dict[str, int] = {}
"""Criterion -> the judges that brought it; records of earlier judges need not hold it."""
ADDED_FIGURES: dict[str, dict[str, int]] = {
    "NoLeak": dict.fromkeys(("instance", "unit_mb", "limit_mb", "pivot_h", "pivot_mb"), 2),
}
"""Objective -> figure -> the judges that brought it; a verdict of earlier judges lacks it."""


class Change(Struct, frozen=True, kw_only=True):
    """A rule that decides otherwise than the judges before.

    Args:
        judges: the version that brought it.
        of: the objective whose verdicts it changes, by class name, or :data:`STANDINGS`.
        rule: what holds now, one sentence.
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
        rule="a waived checkpoint counts as waived, not as held",
        alters=("figures.held",),
    ),
    Change(
        judges=2,
        of=STANDINGS,
        rule="a waiver covers only the outcome that stood when it was given",
    ),
    Change(
        judges=2,
        of="NoRestart",
        rule="an uptime that does not grow by a second a second, that began before the live "
        "deploy or that stands still shows no restart; a repeated reading is none",
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
        rule="an uptime that stands still shows that one answer was given again",
    ),
    Change(
        judges=2,
        of="DropsBelow",
        rule="a handshake refused with 400 or 426 speaks of our request, not of the service",
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
        "traceback is one; classes and patterns are matched without colours",
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
        "traceback is one; classes and patterns are matched without colours",
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
        rule="a leak is also found from the hour at which it begins, stays called until a restart "
        "or a flat late half, and a heap that levelled off shows the figures of its late half",
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
        rule="an uptime that stands still, grows in another unit or is another process's shows no "
        "restart and hides none, and a copy of a reading is no reading",
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
        rule="an issue first seen before the year 2000 has no known beginning, and may be new",
    ),
    Change(
        judges=2,
        of="DropsBelow",
        rule="a handshake refused with 400 or 426 speaks of our request, not of the service",
    ),
    *(
        Change(
            judges=2,
            of=name,
            rule="a class of errors is matched against what a reader sees, without colours",
        )
        for name in ("EventsBelow", "NoNewIssue", "NoCriticalIssue", "TopKnown")
    ),
)


def explanation(of: str, what: str, since: int) -> str:
    """The rules by which ``what`` of an objective may differ from what earlier judges said.

    Args:
        of: the objective's class name, or :data:`STANDINGS`.
        what: ``outcome``, ``code``, ``figures.NAME`` or ``objective``; of standings, ``outcome``.
        since: the judges that wrote the record.
    Returns: empty when no rule changed that could explain it.
    """
    rules = [
        f"judges {each.judges}: {each.rule}"
        for each in CHANGES
        if each.judges > since and each.of == of and what in each.alters
    ]
    return "; ".join(rules)


def due_to(criterion: str, judges: int) -> bool:
    """Whether these judges knew this criterion of the table."""
    return ADDED.get(criterion, FIRST_JUDGES) <= judges


def added_figure(of: str, name: str, since: int) -> bool:
    """Whether a figure of this objective is one that the judges ``since`` did not have."""
    return ADDED_FIGURES.get(of, {}).get(name, FIRST_JUDGES) > since


def release(judges: int, version: str = "", commit: str = "") -> str:
    """``hour24 0.1.0 (commit f90c7b0)``: where these judges are found.

    Args:
        version, commit: what a record of theirs names, where there is one.
    """
    named = f"hour24 {version or RELEASES.get(judges, '')}".strip()
    return f"{named} (commit {commit})" if commit else named
