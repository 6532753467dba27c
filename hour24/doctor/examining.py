"""Tries everything that production.toml describes.

Rules of this module:

- Sections that are missing come first, with the criteria that cannot be judged without them.
- Systems are queried in parallel; findings come in the order of the file.
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
from hour24.witnesses.port import INSTEAD, Measure, import_lazy

SECTIONS = ("endpoints", "websocket", "jobs")
"""Sections of production.toml that may be left out, excluding those of witnesses."""


def needed_by(section: str, provided: Collection[Measure] = ()) -> tuple[str, ...]:
    """Return the ids of the criteria that cannot be judged without this section.

    Args:
        provided: measures that another witness provides.
    """
    witness = registry.described((section,), {}).get(section)
    others = {*provided, *(one for one, other in INSTEAD.items() if other in provided)}
    measures = set(witness.measures) - others if witness is not None else set()
    return tuple(
        one.id
        for one in CRITERIA.values()
        if any(
            section in QUESTIONS[name].sections or QUESTIONS[name].measure in measures
            for name in one.needs
        )
    )


def examine(production: Production, clock: Clock) -> Iterator[Finding]:
    """Try everything that ``production`` describes; yield one finding for each query."""
    yield from _missing_sections(production)
    lanes = [
        Lane(name, trials)
        for name, trials in (
            ("control", accused.control(production, clock)),
            ("health", accused.health(production, clock)),
            ("endpoints", accused.endpoints(production)),
            ("websocket", accused.websocket(production, clock)),
            *(
                (each.witness.section, import_lazy(each.witness.trials)(each.at, production, clock))
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
    """Yield each missing section with the criteria that cannot be judged without it."""
    for section in (*SECTIONS, *registry.own()):
        left = _unjudged_without(section, production)
        if left and not getattr(production, section, None) and section not in production.described:
            yield section, left


def _missing_sections(production: Production) -> Iterator[Finding]:
    """Yield a finding for each missing section."""
    for section, left in undescribed(production):
        yield Finding(
            name=section,
            ok=False,
            says=f"not described, so {listed(left)} will be INCONCLUSIVE",
            remedy=f"describe [{section}] in {production.path}, or state for each of them "
            f'[criteria.{left[0]}] applies = false, because = "..."',
        )


def _unjudged_without(section: str, production: Production) -> list[str]:
    """Return ids that apply and need this section, and sign-off ids left with nothing to judge."""
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
