"""The health probes by vantage: hour24's probers in several places, and what witnesses probe.

Rules of this module:

- Where health.vantages names none and no witness probes, there is one vantage: the probes as they
  are, of all probers together.
- A vantage without an answer is :class:`~hour24.evidence.Unanswered`; the others keep theirs. So a
  failure that another place saw is judged even where hour24's own prober did not run.
- A prober with a name that production.toml does not state is a vantage too where a probe of it
  failed.
"""

from __future__ import annotations

from msgspec import structs

from hour24.checkpoint.inquiry import Inquiry
from hour24.errors import SourceError
from hour24.evidence import Evidence, Probes, Unanswered
from hour24.watch import Window
from hour24.witnesses.port import OWN_VANTAGE, Measure

HEALTH = "health"


def health_probes(inquiry: Inquiry, window: Window) -> Evidence:
    """Return the health probes of a window, by vantage where several are described.

    Raises: SourceError, if there is only one vantage and it has no answer.
    """
    stated = inquiry.production.health.vantages
    others: dict[str, Evidence] = {}
    for described in inquiry.production.providing(Measure.VANTAGE_PROBES):
        found = inquiry.ask_of(described, Measure.VANTAGE_PROBES, window)
        assert isinstance(found, dict)
        others |= found
    if not stated and not others:
        return inquiry.observations.probes(HEALTH, window)
    whole: Probes | None = None
    own: dict[str, Evidence] = {}
    try:
        whole = inquiry.observations.probes(HEALTH, window)
    except SourceError as problem:
        own = {
            name: Unanswered(
                question=inquiry.question(f"probes from {name}", "prober", window),
                code=problem.code,
                reason=str(problem),
            )
            for name in stated or (OWN_VANTAGE,)
        }
    else:
        own = _by_name(inquiry, window, stated) if stated else {OWN_VANTAGE: whole}
    vantages = {
        name: each for name, each in (own | others).items() if isinstance(each, Probes | Unanswered)
    }
    return structs.replace(whole or _unprobed(inquiry, window), vantages=vantages)


def _by_name(inquiry: Inquiry, window: Window, stated: tuple[str, ...]) -> dict[str, Evidence]:
    """Return what the probers of each name saw."""
    observations = inquiry.observations
    found: dict[str, Evidence] = {}
    for name in (*stated, *(each for each in observations.vantages() if each not in stated)):
        try:
            probes = observations.of_vantage(name).probes(HEALTH, window)
        except SourceError as problem:
            if name in stated:
                found[name] = Unanswered(
                    question=inquiry.question(f"probes from {name}", "prober", window),
                    code=problem.code,
                    reason=str(problem),
                )
            continue
        if name in stated or probes.failures:
            found[name] = probes
    return found


def _unprobed(inquiry: Inquiry, window: Window) -> Probes:
    """Return the probes of a window in which no prober ran."""
    every_s = inquiry.production.health_every_s
    return Probes(
        question=inquiry.question(f"probes of {HEALTH}", "prober", window),
        basis="sample",
        target=HEALTH,
        interval_s=every_s,
        due=round(window.seconds / every_s),
        kept=0,
        gaps=((window.start.timestamp(), window.end.timestamp()),),
    )
