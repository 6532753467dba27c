"""Everything that production.toml describes, tried.

Rules of this module:

- What is not described is told first, with the criteria that cannot be judged without it.
- Systems are asked side by side; findings come in the order of the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from hour24.checkpoint.questions import QUESTIONS
from hour24.clock import Clock
from hour24.config import Production
from hour24.criteria import CRITERIA
from hour24.doctor import accused, people
from hour24.doctor.trial import Finding, Lane, listed
from hour24.witnesses import registry
from hour24.witnesses.port import Measure, found

SECTIONS = ("endpoints", "websocket", "jobs")
"""Sections of production.toml that may be left out, those of witnesses aside."""


def needed_by(section: str, provided: Collection[Measure] = ()) -> tuple[str, ...]:
    """Ids of the criteria that cannot be judged where this section is not described.

    Args:
        provided: measures that another witness provides.
    """
    witness = registry.described((section,), {}).get(section)
    measures = set(witness.measures) - set(provided) if witness is not None else set()
    return tuple(
        one.id
        for one in CRITERIA.values()
        if any(
            section in QUESTIONS[name].sections or QUESTIONS[name].measure in measures
            for name in one.needs
        )
    )


def examine(production: Production, clock: Clock) -> Iterator[Finding]:
    """Try everything that ``production`` describes; one finding a question, as they come."""
    yield from _described(production)
    lanes = [
        Lane(name, trials)
        for name, trials in (
            ("control", accused.control(production, clock)),
            ("health", accused.health(production, clock)),
            ("endpoints", accused.endpoints(production)),
            ("websocket", accused.websocket(production, clock)),
            *(
                (each.witness.section, found(each.witness.trials)(each.at, production, clock))
                for each in production.described.values()
                if each.witness.trials
            ),
            ("people", people.people(production)),
        )
        if trials
    ]
    for lane in lanes:
        yield from lane.findings()


def undescribed(production: Production) -> Iterator[tuple[str, list[str]]]:
    """Each section that is left out, with the criteria that cannot be judged without it."""
    for section in (*SECTIONS, *registry.own()):
        left = _unjudged_without(section, production)
        if left and not getattr(production, section, None) and section not in production.described:
            yield section, left


def _described(production: Production) -> Iterator[Finding]:
    """Which criteria cannot be judged, because nothing is described that they ask."""
    for section, left in undescribed(production):
        yield Finding(
            name=section,
            ok=False,
            says=f"not described, so {listed(left)} will be INCONCLUSIVE",
            remedy=f"describe [{section}] in {production.path}, or state for each of them "
            f'[criteria.{left[0]}] applies = false, because = "..."',
        )


def _unjudged_without(section: str, production: Production) -> list[str]:
    """Ids that apply and need this section; and of the sign-off's those it leaves nothing to."""
    provided = {
        measure for one in production.described.values() for measure in one.witness.measures
    }
    needing = needed_by(section, provided)
    left = [name for name in needing if _applies(production, name)]
    for one in CRITERIA.values():
        rests_on = [name for name in one.rests_on if _applies(production, name)]
        alone = not one.asks and set(rests_on) <= set(left)
        if left and alone and _applies(production, one.id):
            left.append(one.id)
    return left


def _applies(production: Production, name: str) -> bool:
    stated = production.criteria.get(name)
    return stated is None or stated.applies
