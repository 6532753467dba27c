"""The description of a witness, and the measures that a witness can provide.

Rules of this module:

- A witness is one value, ``WITNESS``, in the ``__init__`` of its folder. That file imports nothing
  heavy: its source, trials and rollback are named as ``"module:name"`` and imported when needed.
- Its section of production.toml is a Struct; the section's JSON Schema is made from it. A field of
  type Secret is a variable of the environment, named by the key ``FIELD_env``.
- Every field has one role: WHERE (which system answers), LIMIT (it decides between PASS and FAIL)
  or ASKING (neither: how long we wait, a credential that may be renewed).
- The measures are ours, not the vendor's: a source has one method for each measure that its
  witness provides, named as the measure, and answers in our words and units.

Several witnesses of one measure:

- Each is asked, in a thread of its own. Each answer is stored: that of the first in production.toml
  under the name of the criterion (``memory``), another's under ``memory@SECTION``.
- The criterion is judged once for each witness, with its answers where it has any and those of the
  first where it has none; :mod:`hour24.objectives.providers` combines the verdicts. Neither a
  source nor a criterion knows of the others.
- FAIL if one proves it; no PASS while another is silent or partial. A source that read a part of a
  list answers it with ``complete=False``: what was read is a lower bound.
- A source raises :class:`~hour24.errors.NotProvided` (or answers ``Unanswered`` with
  ``not_provided``, for one endpoint) when its system answered in full that it does not hold the
  measure, never for an empty answer alone. It is then named on the page, and others judge. If it
  answered earlier in the watch, it counts as silent.
- ``second_opinions`` names the measures of which a witness may accuse only.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct

from hour24 import links
from hour24.secrets import Secret
from hour24.watch import Window

RECEIPT_S = 60.0
"""The shortest time, in seconds, that an event sent is searched for."""


OWN_VANTAGE = "prober"
"""The vantage of all of hour24's own probers, where health.vantages names none."""


class Measure(StrEnum):
    """A measure that a witness can provide; the value is the name of the source's method.

    Each takes a window first, except those that exist only now (:data:`NOW`).
    """

    RESPONSES = "responses"
    """(window) -> Counts: requests answered, by status; bad are 5xx."""
    RESPONSES_OVER_TIME = "responses_over_time"
    """(window) -> Series: requests, one line per status."""
    LOAD = "load"
    """(window) -> Series: requests per second, in one line."""
    MEMORY = "memory"
    """(window) -> Series: memory in MB, one line per instance."""
    MEMORY_LIMIT = "memory_limit"
    """(window) -> Series: memory at which an instance is killed, in MB, one line per instance."""
    PLATFORM_EVENTS = "platform_events"
    """(window) -> Listing: starts and ends of processes; see :class:`Process`."""
    DEPLOYS = "deploys"
    """(window) -> Listing: deploys, each with a status of :class:`Deploy`."""
    TRANSACTIONS = "transactions"
    """(window) -> Listing: transactions with their times: quantiles, or counts above bounds."""
    SERVER_TIMES = "server_times"
    """(window, endpoints) -> endpoint -> Quantiles or Buckets: the server's own times."""
    VANTAGE_PROBES = "vantage_probes"
    """(window) -> vantage -> Probes: health probes of other places."""
    ERROR_EVENTS = "error_events"
    """(window) -> Listing: error events by hour and issue."""
    ISSUES = "issues"
    """(window) -> Listing: issues with events in the window."""
    OUTCOMES = "outcomes"
    """(window) -> Counts: error events received; bad were dropped."""
    ACCEPTED = "accepted"
    """(window) -> Series: error events accepted, hour by hour."""
    RECEIPT = "receipt"
    """(patience_s) -> Document: an event sent now and read back."""
    ERROR_LINES = "error_lines"
    """(window) -> Listing: lines of the logs whose level is ERROR."""
    WATCHED_LINES = "watched_lines"
    """(window) -> Counts: lines that hold each watched word."""
    BEATS = "beats"
    """(window, jobs) -> Series: beats of background jobs, one line per worker."""
    SERVICES = "services"
    """() -> Listing: the status of each service of the database's platform."""
    DISK = "disk"
    """() -> Listing: one reading of the database's disk."""
    DATABASE_ROW = "database_row"
    """() -> Listing: the runbook's row."""
    STATEMENTS = "statements"
    """() -> Listing: statements with a slow call."""
    RUNNING = "running"
    """() -> Listing: statements that run now."""
    CONNECTIONS = "connections"
    """() -> Listing: connections in use, idle in a transaction, waiting for a lock."""
    NUMBER = "number"
    """(query) -> Total: one number, for a custom criterion (``ask.sql``)."""
    INCIDENTS = "incidents"
    """() -> page -> Listing: incidents that vendors publish; advisory, never judged."""


NOW = frozenset(
    {
        Measure.RECEIPT,
        Measure.SERVICES,
        Measure.DISK,
        Measure.DATABASE_ROW,
        Measure.STATEMENTS,
        Measure.RUNNING,
        Measure.CONNECTIONS,
        Measure.NUMBER,
    }
)
"""Measures that exist only now and cannot be measured retroactively."""


INSTEAD = MappingProxyType(
    {Measure.ERROR_EVENTS: Measure.ERROR_LINES, Measure.ISSUES: Measure.ERROR_LINES}
)
"""A measure that no described witness provides -> the one that it is made from then."""


class Role(Enum):
    """The purpose of a section's field."""

    WHERE = "where"
    LIMIT = "limit"
    ASKING = "asking"


class Variable(NamedTuple):
    """The content of the environment variable behind a Secret.

    Args:
        form: one of :data:`hour24.config.environment.FORMS`.
        holds: for a person who must set it.
    """

    form: str
    holds: str


ADDRESS = {
    "title": "an http or https address",
    "type": "string",
    "pattern": r"^https?://[^\s/?#]+(/[^\s]*)?$",
}
Address = Annotated[str, Meta(title=ADDRESS["title"], pattern=ADDRESS["pattern"])]
Text = Annotated[str, Meta(title="text", pattern=r"\S")]
Slug = Annotated[
    str, Meta(title="a slug of letters, digits, - and _", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
]
AnswerTime = Annotated[
    float, Meta(gt=0, le=600, description="Seconds an answer may take."), Role.ASKING
]
Token = Annotated[Secret, Role.ASKING]
Lazy = str | Callable[..., Any]
"""A class or function, or its import path: ``"module:name"``."""


BEARER = 'curl -sS -H "Authorization: Bearer {token}"'


class Trial(Struct, frozen=True, kw_only=True):
    """One question that ``doctor`` tries because a checkpoint will ask it.

    Args:
        asked: asks it and says in a few words what came back.
        address: where, for the remedy.
        right: the remedy when it is refused.
        empty: the remedy when it holds nothing.
        misread: the remedy when the answer is not as documented.
        lacks: the remedy when there is no such thing at the address.
    """

    name: str
    asked: Callable[[], str]
    address: str = ""
    right: str = ""
    empty: str = ""
    misread: str = ""
    lacks: str = ""


class Witness(Struct, frozen=True, kw_only=True):
    """One witness, whole.

    Args:
        section: of production.toml that describes it; its folder has the same name.
        title: what people call it.
        about: one sentence about the section, for its schema.
        at: the section as a Struct.
        source: what answers; made of ``(at, clock, budget_s=...)``, used by one thread.
        measures: what it provides -> which of its lanes asks; "" where one thread asks all.
        trials: ``(at, production, clock) -> list[Trial]``: what ``doctor`` tries.
        many: whether the section is a list of tables; ``at`` is then one of them.
        inherited: fields that a file may leave to the field of this name in [service].
        addresses: ``(at) -> iterator of (place, text)``: where its fields of role WHERE need more
            than their own text; none: the fields as they are.
        rollback: ``(at, clock)``: a platform that can roll back deploys; None: it cannot.
        repeat: the command that repeats its request by hand, but for its address or statement;
            ``{token}`` is replaced by the variable of the field ``token``.
        issue_page: the address at which people read one of its issues; ``{issue}`` is the id, and
            ``{url}`` and others are fields of its section; empty: it has none.
        status_page: the address at which people read it, for a status page; likewise.
        advisory: whether what it says is shown and never judged.
        second_opinions: measures of which it is only a second opinion: it may accuse, and its
            silence is shown and blocks no PASS.
    """

    section: str
    title: str
    about: str
    at: type[Struct]
    source: Lazy
    measures: Mapping[Measure, str]
    trials: Lazy = ""
    many: bool = False
    inherited: tuple[str, ...] = ()
    addresses: Lazy = ""
    rollback: Lazy = ""
    repeat: str = BEARER
    issue_page: str = ""
    status_page: str = ""
    advisory: bool = False
    second_opinions: frozenset[Measure] = frozenset()

    def lane(self, measure: Measure) -> str:
        """Return the name of the thread that asks for this measure: ``SECTION-logs``."""
        part = self.measures[measure]
        return f"{self.section}-{part}" if part else self.section


def repeat_of(witness: Witness, at: Any) -> str:
    """Return the command that repeats a request, with the names of the user's variables."""
    tables = at if witness.many else (at,)
    variables = {
        name: f"${value.name}"
        for each in tables[:1]
        for name in each.__struct_fields__
        if isinstance(value := getattr(each, name), Secret)
    }
    return witness.repeat.format_map(variables)


def page_of(template: str, at: Any) -> str:
    """Return an address for people with the fields of a section; empty if one is no text.

    ``{issue}`` stays; a secret is never put into an address.
    """
    fields = {
        name: value for name in at.__struct_fields__ if isinstance(value := getattr(at, name), str)
    }
    names = links.fields_of(template) - {"issue"}
    return "" if names - set(fields) else links.substitute(template, fields)


def last_hour(now: datetime, settle_s: float) -> Window:
    """Return the last hour that is complete, ``settle_s`` before now."""
    return Window(now - timedelta(hours=1), now).shifted(-settle_s)


def import_lazy(lazy: Lazy) -> Any:
    """Import and return what a lazy name refers to."""
    if not isinstance(lazy, str):
        return lazy
    module, _, name = lazy.partition(":")
    return getattr(importlib.import_module(module), name)
